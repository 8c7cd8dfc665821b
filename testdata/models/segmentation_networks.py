"""U-Nets: Ronneberger et al., 2015, with padding and BatchNormalization; and one on a ResNet-34.

`unet_resnet34` follows segmentation_models.pytorch: its up-path is Resize by nearest neighbour to
the size of the skip connection, whose shape the exporter computes in the graph because the batch is
dynamic.
"""

import numpy as np

import residual_networks as residual
from network_builder import NetworkBuilder, Value


def double_conv(net, value, scope, channels):
    for index in (0, 3):
        value = net.conv(value, f"{scope}.double_conv.{index}", channels, 3, 1, 1)
        value = net.batch_norm(value, f"{scope}.double_conv.{index + 1}")
        value = net.relu(value, f"{scope}.double_conv.{index + 2}")
    return value


def unet():
    net = NetworkBuilder("unet", 17, 8, 64, 256, 96)
    value = double_conv(net, net.input, "inc", 64)
    skips = []
    for index in range(4):
        skips.append(value)
        scope = f"down{index + 1}.maxpool_conv"
        value = net.max_pool(value, f"{scope}.0", 2, 2)
        value = double_conv(net, value, f"{scope}.1", 128 << index)
    for index, skip in enumerate(reversed(skips)):
        scope = f"up{index + 1}"
        value = net.conv_transpose(value, f"{scope}.up", skip.channels)
        value = double_conv(net, net.concat([skip, value], scope), f"{scope}.conv", skip.channels)
    value = net.conv(value, "outc.conv", 2, 1, spread=2.0)
    return net.model(value, "output", [2, net.size, net.size])


def resize_to(net, value, skip, scope):
    """Nearest neighbour up to height and width of `skip`."""
    def integers(*numbers):
        return net.constant(scope, np.array(numbers, np.int64))

    own = net.emit("Slice", [net.emit("Shape", [value.name], scope),
                             integers(0), integers(2), integers(0)], scope)
    plane = net.emit("Slice", [net.emit("Shape", [skip.name], scope),
                               integers(2), integers(4), integers(0)], scope)
    sizes = net.emit("Concat", [own, plane], scope, axis=0)
    output = net.emit("Resize", [value.name, "", "", sizes], scope, mode="nearest",
                      coordinate_transformation_mode="asymmetric", nearest_mode="floor",
                      cubic_coeff_a=-0.75)
    return Value(output, value.sample.repeat(2, axis=2).repeat(2, axis=3))


def upsample(net, value, scope):
    """Twice the height and width, by scales."""
    scales = net.constant(scope, np.array([1, 1, 2, 2], np.float32))
    output = net.emit("Resize", [value.name, "", scales], scope, mode="nearest",
                      coordinate_transformation_mode="asymmetric", nearest_mode="floor",
                      cubic_coeff_a=-0.75)
    return Value(output, value.sample.repeat(2, axis=2).repeat(2, axis=3))


def decoder_block(net, value, skip, scope, channels):
    if skip is None:
        value = upsample(net, value, scope)
    else:
        value = net.concat([resize_to(net, value, skip, scope), skip], scope)
    for name in ("conv1", "conv2"):
        value = net.conv(value, f"{scope}.{name}.0", channels, 3, 1, 1)
        value = net.relu(net.batch_norm(value, f"{scope}.{name}.1"), f"{scope}.{name}.2")
    return value


def unet_resnet34():
    net = NetworkBuilder("unet_resnet34", 16, 8, 34, 256, 128)
    first = residual.stem(net)
    pooled = net.max_pool(first, "maxpool", 3, 2, 1)
    stages = residual.stages(net, pooled, residual.basic_block, (3, 4, 6, 3))
    value = stages[-1]
    skips = [stages[2], stages[1], stages[0], first, None]
    for index, (skip, channels) in enumerate(zip(skips, (256, 128, 64, 32, 16))):
        value = decoder_block(net, value, skip, f"decoder.blocks.{index}", channels)
    value = net.conv(value, "segmentation_head.0", 1, 3, 1, 1, spread=2.0)
    return net.model(value, "output", [1, net.size, net.size])
