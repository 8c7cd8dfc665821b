"""DenseNet-121: Huang et al., "Densely Connected Convolutional Networks", 2017; names as
torchvision."""

from network_builder import NetworkBuilder

GROWTH = 32
BOTTLENECK = 4 * GROWTH
CLASSES = 1000


def dense_layer(net, features, scope):
    value = net.concat(features, scope) if len(features) > 1 else features[0]
    value = net.relu(net.batch_norm(value, f"{scope}.norm1"), f"{scope}.relu1")
    value = net.conv(value, f"{scope}.conv1", BOTTLENECK, 1)
    value = net.relu(net.batch_norm(value, f"{scope}.norm2"), f"{scope}.relu2")
    return net.conv(value, f"{scope}.conv2", GROWTH, 3, 1, 1)


def dense_block(net, value, scope, depth):
    """Every layer concatenates all earlier ones anew, which is what the exporter writes."""
    features = [value]
    for index in range(depth):
        features.append(dense_layer(net, features, f"{scope}.denselayer{index + 1}"))
    return net.concat(features, scope)


def transition(net, value, scope):
    value = net.relu(net.batch_norm(value, f"{scope}.norm"), f"{scope}.relu")
    value = net.conv(value, f"{scope}.conv", value.channels // 2, 1)
    return net.average_pool(value, f"{scope}.pool", 2, 2)


def densenet121():
    net = NetworkBuilder("densenet121", 10, 5, 121, 224)
    value = net.conv(net.input, "features.conv0", 64, 7, 2, 3)
    value = net.relu(net.batch_norm(value, "features.norm0"), "features.relu0")
    value = net.max_pool(value, "features.pool0", 3, 2, 1)
    for index, depth in enumerate((6, 12, 24, 16)):
        value = dense_block(net, value, f"features.denseblock{index + 1}", depth)
        if index < 3:
            value = transition(net, value, f"features.transition{index + 1}")
    value = net.relu(net.batch_norm(value, "features.norm5"), "relu")
    value = net.flatten(net.global_average(value))
    return net.model(net.linear(value, "classifier", CLASSES), "output", [CLASSES])
