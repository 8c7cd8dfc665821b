"""ResNets: He et al., "Deep Residual Learning", 2015 (v1), and "Identity Mappings", 2016 (v2).

Layer names follow torchvision (v1) and timm (v2).
"""

from network_builder import NetworkBuilder

# A branch adds less than the path it is added to, as in trained networks.
BRANCH_GAIN = 0.6
CLASSES = 1000


def conv_bn(net, value, conv, bn, channels, kernel, stride=1, padding=0, gain=1.0):
    value = net.conv(value, conv, channels, kernel, stride, padding)
    return net.batch_norm(value, bn, gain)


def shortcut(net, value, scope, channels, stride):
    """The projection where shapes change, else the value itself."""
    if stride == 1 and value.channels == channels:
        return value
    conv, bn = f"{scope}.downsample.0", f"{scope}.downsample.1"
    return conv_bn(net, value, conv, bn, channels, 1, stride)


def basic_block(net, value, scope, width, stride):
    branch = conv_bn(net, value, f"{scope}.conv1", f"{scope}.bn1", width, 3, stride, 1)
    branch = net.relu(branch, f"{scope}.relu")
    branch = conv_bn(net, branch, f"{scope}.conv2", f"{scope}.bn2", width, 3, 1, 1, BRANCH_GAIN)
    total = net.add(branch, shortcut(net, value, scope, width, stride), scope)
    return net.relu(total, f"{scope}.relu")


def bottleneck(net, value, scope, width, stride):
    """v1.5: the stride is in the 3x3 convolution."""
    branch = conv_bn(net, value, f"{scope}.conv1", f"{scope}.bn1", width, 1)
    branch = net.relu(branch, f"{scope}.relu")
    branch = conv_bn(net, branch, f"{scope}.conv2", f"{scope}.bn2", width, 3, stride, 1)
    branch = net.relu(branch, f"{scope}.relu")
    branch = conv_bn(net, branch, f"{scope}.conv3", f"{scope}.bn3", 4 * width, 1, gain=BRANCH_GAIN)
    total = net.add(branch, shortcut(net, value, scope, 4 * width, stride), scope)
    return net.relu(total, f"{scope}.relu")


def preactivated_bottleneck(net, value, scope, width, stride):
    active = net.relu(net.batch_norm(value, f"{scope}.norm1"), f"{scope}.act1")
    path = value
    if stride != 1 or value.channels != 4 * width:
        path = net.conv(active, f"{scope}.downsample.conv", 4 * width, 1, stride)
    branch = net.conv(active, f"{scope}.conv1", width, 1)
    branch = net.relu(net.batch_norm(branch, f"{scope}.norm2"), f"{scope}.act2")
    branch = net.conv(branch, f"{scope}.conv2", width, 3, stride, 1)
    branch = net.relu(net.batch_norm(branch, f"{scope}.norm3", BRANCH_GAIN), f"{scope}.act3")
    branch = net.conv(branch, f"{scope}.conv3", 4 * width, 1)
    return net.add(branch, path, scope)


def stem(net):
    value = conv_bn(net, net.input, "conv1", "bn1", 64, 7, 2, 3)
    return net.relu(value, "relu")


def stages(net, value, block, depths, prefix="layer"):
    """The outputs of all four stages."""
    results = []
    for stage, depth in enumerate(depths):
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            value = block(net, value, f"{prefix}{stage + 1}.{index}", 64 << stage, stride)
        results.append(value)
    return results


def classify(net, value):
    value = net.flatten(net.global_average(value))
    return net.model(net.linear(value, "fc", CLASSES), "output", [CLASSES])


def resnet18():
    net = NetworkBuilder("resnet18", 9, 3, 18, 224, initializers_as_inputs=True)
    value = net.max_pool(stem(net), "maxpool", 3, 2, 1)
    return classify(net, stages(net, value, basic_block, (2, 2, 2, 2))[-1])


def resnet50():
    net = NetworkBuilder("resnet50", 11, 6, 50, 224)
    value = net.max_pool(stem(net), "maxpool", 3, 2, 1)
    return classify(net, stages(net, value, bottleneck, (3, 4, 6, 3))[-1])


def resnet50v2():
    net = NetworkBuilder("resnet50v2", 13, 7, 502, 224)
    value = net.conv(net.input, "stem.conv", 64, 7, 2, 3)
    value = net.max_pool(value, "stem.pool", 3, 2, 1)
    value = stages(net, value, preactivated_bottleneck, (3, 4, 6, 3), "stages.")[-1]
    return classify(net, net.relu(net.batch_norm(value, "norm"), "norm.act"))
