"""MobileNet v3 large (Howard et al., 2019) and EfficientNet-B0 (Tan and Le, 2019), as
torchvision."""

from network_builder import NetworkBuilder

CLASSES = 1000


def unit(net, value, scope, channels, kernel, stride=1, groups=1, activation=None):
    """Conv with padding that keeps the size, BatchNormalization and an activation."""
    value = net.conv(value, f"{scope}.0", channels, kernel, stride, kernel // 2, groups)
    value = net.batch_norm(value, f"{scope}.1")
    return activation(value, f"{scope}.2") if activation else value


def squeeze_excite(net, value, scope, squeezed, squash, activation, mean):
    """Scales each channel by a gate computed from all channels' means."""
    gate = mean(value, f"{scope}.avgpool")
    gate = net.conv(gate, f"{scope}.fc1", squeezed, 1, spread=1.0)
    gate = activation(gate, f"{scope}.activation")
    gate = net.conv(gate, f"{scope}.fc2", value.channels, 1, spread=0.7)
    gate = squash(gate, scope)
    return net.multiply(gate, value, scope)


# MobileNet v3 large: kernel, expanded, channels, squeeze-and-excitation, hard swish, stride.
MOBILENET_BLOCKS = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)


def multiple_of_8(number):
    """The nearest multiple of 8, but not less than nine tenths of the number."""
    rounded = max(8, int(number + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * number else rounded


def mobilenet_block(net, value, scope, kernel, expanded, channels, squeeze, swish, stride):
    activation = net.hard_swish if swish else net.relu
    branch, index = value, 0
    if expanded != value.channels:
        branch = unit(net, branch, f"{scope}.block.0", expanded, 1, activation=activation)
        index = 1
    branch = unit(net, branch, f"{scope}.block.{index}", expanded, kernel, stride, expanded,
                  activation)
    if squeeze:
        branch = squeeze_excite(net, branch, f"{scope}.block.{index + 1}",
                                multiple_of_8(expanded // 4), net.hard_sigmoid, net.relu,
                                net.global_average)
        index += 1
    branch = unit(net, branch, f"{scope}.block.{index + 1}", channels, 1)
    if stride == 1 and value.channels == channels:
        branch = net.add(branch, value, scope)
    return branch


def mobilenet_v3_large():
    net = NetworkBuilder("mobilenet_v3_large", 14, 7, 33, 224, calibration_images=8, epsilon=1e-3)
    value = unit(net, net.input, "features.0", 16, 3, 2, activation=net.hard_swish)
    for index, settings in enumerate(MOBILENET_BLOCKS):
        value = mobilenet_block(net, value, f"features.{index + 1}", *settings)
    value = unit(net, value, "features.16", 960, 1, activation=net.hard_swish)
    value = net.flatten(net.global_average(value))
    value = net.hard_swish(net.linear(value, "classifier.0", 1280, spread=1.0), "classifier.1")
    return net.model(net.linear(value, "classifier.3", CLASSES), "output", [CLASSES])


# EfficientNet-B0: expansion, kernel, stride, channels, repeats.
EFFICIENTNET_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


def efficientnet_block(net, value, scope, expansion, kernel, stride, channels):
    expanded = expansion * value.channels
    branch, index = value, 0
    if expansion > 1:
        branch = unit(net, branch, f"{scope}.block.0", expanded, 1, activation=net.silu)
        index = 1
    branch = unit(net, branch, f"{scope}.block.{index}", expanded, kernel, stride, expanded,
                  net.silu)
    branch = squeeze_excite(net, branch, f"{scope}.block.{index + 1}", max(1, value.channels // 4),
                            net.sigmoid, net.silu, net.mean_over_plane)
    branch = unit(net, branch, f"{scope}.block.{index + 2}", channels, 1)
    if stride == 1 and value.channels == channels:
        branch = net.add(branch, value, scope)
    return branch


def efficientnet_b0():
    net = NetworkBuilder("efficientnet_b0", 20, 9, 200, 224, calibration_images=8)
    value = unit(net, net.input, "features.0", 32, 3, 2, activation=net.silu)
    for stage, (expansion, kernel, stride, channels, repeats) in enumerate(EFFICIENTNET_STAGES):
        for index in range(repeats):
            value = efficientnet_block(net, value, f"features.{stage + 1}.{index}", expansion,
                                       kernel, stride if index == 0 else 1, channels)
    value = unit(net, value, "features.8", 1280, 1, activation=net.silu)
    value = net.flatten(net.mean_over_plane(value, "avgpool"))
    return net.model(net.linear(value, "classifier.1", CLASSES), "output", [CLASSES])
