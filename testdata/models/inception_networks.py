"""Inception v3 (Szegedy et al., 2015; torchvision) and Inception-ResNet v2 (Szegedy et al., 2016;
timm)."""

import numpy as np

from network_builder import NetworkBuilder, Value

CLASSES = 1000


def unit(net, value, scope, channels, kernel, stride=1, padding=0):
    """Conv, BatchNormalization and Relu."""
    value = net.conv(value, f"{scope}.conv", channels, kernel, stride, padding)
    return net.relu(net.batch_norm(value, f"{scope}.bn"), f"{scope}.relu")


def chain(net, value, scope, layers):
    """Units one after the other; a layer is (name, channels, kernel[, stride[, padding]])."""
    for name, *settings in layers:
        value = unit(net, value, f"{scope}.{name}" if scope else name, *settings)
    return value


def classify(net, value, scope):
    value = net.flatten(net.global_average(value))
    return net.model(net.linear(value, scope, CLASSES), "output", [CLASSES])


# Inception v3

def transform_input(net):
    """From ImageNet's mean and deviation to those the weights were trained with."""
    value, planes = net.input, []
    for channel, (mean, deviation) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
        index = net.constant("", np.int64(channel))
        plane = net.emit("Gather", [value.name, index], "", axis=1)
        axes = net.constant("", np.array([1], np.int64))
        plane = net.emit("Unsqueeze", [plane, axes], "") if net.opset >= 13 else net.emit(
            "Unsqueeze", [plane], "", axes=[1])
        factor, offset = np.float32(deviation / 0.5), np.float32((mean - 0.5) / 0.5)
        plane = net.emit("Mul", [plane, net.constant("", factor)], "")
        plane = net.emit("Add", [plane, net.constant("", offset)], "")
        sample = value.sample[channel : channel + 1] * factor + offset
        planes.append(Value(plane, sample))
    return net.concat(planes, "")


def pool_branch(net, value, scope, channels):
    pooled = net.padded_average_pool(value, scope, 3, 1, 1)
    return unit(net, pooled, f"{scope}.branch_pool", channels, 1)


def inception_a(net, value, scope, pool_channels):
    return net.concat([
        unit(net, value, f"{scope}.branch1x1", 64, 1),
        chain(net, value, scope, [("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5, 1, 2)]),
        chain(net, value, scope, [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3, 1, 1),
                                  ("branch3x3dbl_3", 96, 3, 1, 1)]),
        pool_branch(net, value, scope, pool_channels)], scope)


def inception_b(net, value, scope):
    return net.concat([
        unit(net, value, f"{scope}.branch3x3", 384, 3, 2),
        chain(net, value, scope, [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3, 1, 1),
                                  ("branch3x3dbl_3", 96, 3, 2)]),
        net.max_pool(value, scope, 3, 2)], scope)


def inception_c(net, value, scope, width):
    row, column = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
    return net.concat([
        unit(net, value, f"{scope}.branch1x1", 192, 1),
        chain(net, value, scope, [("branch7x7_1", width, 1), ("branch7x7_2", width, *row),
                                  ("branch7x7_3", 192, *column)]),
        chain(net, value, scope, [("branch7x7dbl_1", width, 1), ("branch7x7dbl_2", width, *column),
                                  ("branch7x7dbl_3", width, *row),
                                  ("branch7x7dbl_4", width, *column),
                                  ("branch7x7dbl_5", 192, *row)]),
        pool_branch(net, value, scope, 192)], scope)


def inception_d(net, value, scope):
    return net.concat([
        chain(net, value, scope, [("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3, 2)]),
        chain(net, value, scope, [("branch7x7x3_1", 192, 1),
                                  ("branch7x7x3_2", 192, (1, 7), 1, (0, 3)),
                                  ("branch7x7x3_3", 192, (7, 1), 1, (3, 0)),
                                  ("branch7x7x3_4", 192, 3, 2)]),
        net.max_pool(value, scope, 3, 2)], scope)


def split_3x3(net, value, scope):
    """A row and a column kernel side by side."""
    return net.concat([unit(net, value, f"{scope}a", 384, (1, 3), 1, (0, 1)),
                       unit(net, value, f"{scope}b", 384, (3, 1), 1, (1, 0))], scope)


def inception_e(net, value, scope):
    middle = unit(net, value, f"{scope}.branch3x3_1", 384, 1)
    double = chain(net, value, scope, [("branch3x3dbl_1", 448, 1),
                                       ("branch3x3dbl_2", 384, 3, 1, 1)])
    return net.concat([
        unit(net, value, f"{scope}.branch1x1", 320, 1),
        split_3x3(net, middle, f"{scope}.branch3x3_2"),
        split_3x3(net, double, f"{scope}.branch3x3dbl_3"),
        pool_branch(net, value, scope, 192)], scope)


def inception_v3():
    net = NetworkBuilder("inception_v3", 12, 7, 3, 299, calibration_images=6, epsilon=1e-3)
    value = chain(net, transform_input(net), "", [
        ("Conv2d_1a_3x3", 32, 3, 2), ("Conv2d_2a_3x3", 32, 3), ("Conv2d_2b_3x3", 64, 3, 1, 1)])
    value = net.max_pool(value, "maxpool1", 3, 2)
    value = chain(net, value, "", [("Conv2d_3b_1x1", 80, 1), ("Conv2d_4a_3x3", 192, 3)])
    value = net.max_pool(value, "maxpool2", 3, 2)
    for name, pool_channels in (("5b", 32), ("5c", 64), ("5d", 64)):
        value = inception_a(net, value, f"Mixed_{name}", pool_channels)
    value = inception_b(net, value, "Mixed_6a")
    for name, width in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
        value = inception_c(net, value, f"Mixed_{name}", width)
    value = inception_d(net, value, "Mixed_7a")
    for name in ("7b", "7c"):
        value = inception_e(net, value, f"Mixed_{name}")
    return classify(net, value, "fc")


# Inception-ResNet v2

def residual(net, value, branches, scope, factor, activate=True):
    """Adds the branches, joined by a 1x1 convolution with a bias and scaled down, to the value."""
    joined = net.concat(branches, scope)
    joined = net.conv(joined, f"{scope}.conv2d", value.channels, 1, spread=1.5)
    total = net.add(net.scaled(joined, scope, factor), value, scope)
    return net.relu(total, f"{scope}.relu") if activate else total


def mixed_5b(net, value):
    scope = "mixed_5b"
    pooled = net.average_pool(value, f"{scope}.branch3.0", 3, 1, 1, count_padding=False)
    return net.concat([
        unit(net, value, f"{scope}.branch0", 96, 1),
        chain(net, value, scope, [("branch1.0", 48, 1), ("branch1.1", 64, 5, 1, 2)]),
        chain(net, value, scope, [("branch2.0", 64, 1), ("branch2.1", 96, 3, 1, 1),
                                  ("branch2.2", 96, 3, 1, 1)]),
        unit(net, pooled, f"{scope}.branch3.1", 64, 1)], scope)


def block35(net, value, scope):
    branches = [
        unit(net, value, f"{scope}.branch0", 32, 1),
        chain(net, value, scope, [("branch1.0", 32, 1), ("branch1.1", 32, 3, 1, 1)]),
        chain(net, value, scope, [("branch2.0", 32, 1), ("branch2.1", 48, 3, 1, 1),
                                  ("branch2.2", 64, 3, 1, 1)])]
    return residual(net, value, branches, scope, 0.17)


def mixed_6a(net, value):
    scope = "mixed_6a"
    return net.concat([
        unit(net, value, f"{scope}.branch0", 384, 3, 2),
        chain(net, value, scope, [("branch1.0", 256, 1), ("branch1.1", 256, 3, 1, 1),
                                  ("branch1.2", 384, 3, 2)]),
        net.max_pool(value, f"{scope}.branch2", 3, 2)], scope)


def block17(net, value, scope):
    branches = [
        unit(net, value, f"{scope}.branch0", 192, 1),
        chain(net, value, scope, [("branch1.0", 128, 1), ("branch1.1", 160, (1, 7), 1, (0, 3)),
                                  ("branch1.2", 192, (7, 1), 1, (3, 0))])]
    return residual(net, value, branches, scope, 0.10)


def mixed_7a(net, value):
    scope = "mixed_7a"
    return net.concat([
        chain(net, value, scope, [("branch0.0", 256, 1), ("branch0.1", 384, 3, 2)]),
        chain(net, value, scope, [("branch1.0", 256, 1), ("branch1.1", 288, 3, 2)]),
        chain(net, value, scope, [("branch2.0", 256, 1), ("branch2.1", 288, 3, 1, 1),
                                  ("branch2.2", 320, 3, 2)]),
        net.max_pool(value, f"{scope}.branch3", 3, 2)], scope)


def block8(net, value, scope, factor, activate=True):
    branches = [
        unit(net, value, f"{scope}.branch0", 192, 1),
        chain(net, value, scope, [("branch1.0", 192, 1), ("branch1.1", 224, (1, 3), 1, (0, 1)),
                                  ("branch1.2", 256, (3, 1), 1, (1, 0))])]
    return residual(net, value, branches, scope, factor, activate)


def inception_resnet_v2():
    net = NetworkBuilder("inception_resnet_v2", 15, 8, 2, 299, epsilon=1e-3)
    value = chain(net, net.input, "", [
        ("conv2d_1a", 32, 3, 2), ("conv2d_2a", 32, 3), ("conv2d_2b", 64, 3, 1, 1)])
    value = net.max_pool(value, "maxpool_3a", 3, 2)
    value = chain(net, value, "", [("conv2d_3b", 80, 1), ("conv2d_4a", 192, 3)])
    value = mixed_5b(net, net.max_pool(value, "maxpool_5a", 3, 2))
    for index in range(10):
        value = block35(net, value, f"repeat.{index}")
    value = mixed_6a(net, value)
    for index in range(20):
        value = block17(net, value, f"repeat_1.{index}")
    value = mixed_7a(net, value)
    for index in range(9):
        value = block8(net, value, f"repeat_2.{index}", 0.20)
    value = block8(net, value, "block8", 1.0, activate=False)
    return classify(net, unit(net, value, "conv2d_7b", 1536, 1), "classif")
