"""The five small networks, each a function of the layers that compute or write it."""


def conv_bn_relu(layers, x, name, channels, kernel, stride=1, padding=0):
    x = layers.conv(x, f"{name}.conv", channels, kernel, stride, padding)
    return layers.relu(layers.batch_norm(x, f"{name}.bn"), f"{name}.relu")


def classify(layers, x):
    return layers.linear(layers.global_average(x, "pool"), "fc", 10)


def resnet(layers, x):
    """Residual network, version 1: activation after the addition."""
    x = conv_bn_relu(layers, x, "stem", 16, 3, 1, 1)
    for stage, channels in enumerate((16, 32, 48)):
        for block in range(2):
            name, stride = f"layer{stage + 1}.{block}", 2 if stage and not block else 1
            y = conv_bn_relu(layers, x, f"{name}.1", channels, 3, stride, 1)
            y = layers.conv(y, f"{name}.2.conv", channels, 3, 1, 1)
            y = layers.batch_norm(y, f"{name}.2.bn")
            if stride > 1:
                x = layers.conv(x, f"{name}.downsample.0", channels, 1, stride)
                x = layers.batch_norm(x, f"{name}.downsample.1")
            x = layers.relu(layers.add(y, x, name), f"{name}.relu")
    return classify(layers, x)


def preresnet(layers, x):
    """Residual network, version 2: normalisation and activation before each convolution."""
    x = layers.conv(x, "stem", 16, 3, 1, 1)
    for stage, channels in enumerate((16, 32, 48)):
        for block in range(2):
            name, stride = f"layer{stage + 1}.{block}", 2 if stage and not block else 1
            y = layers.relu(layers.batch_norm(x, f"{name}.bn1"), f"{name}.relu1")
            if stride > 1:
                x = layers.conv(y, f"{name}.downsample", channels, 1, stride)
            y = layers.conv(y, f"{name}.conv1", channels, 3, stride, 1)
            y = layers.relu(layers.batch_norm(y, f"{name}.bn2"), f"{name}.relu2")
            x = layers.add(layers.conv(y, f"{name}.conv2", channels, 3, 1, 1), x, name)
    return classify(layers, layers.relu(layers.batch_norm(x, "bn"), "relu"))


def densenet(layers, x):
    """Dense blocks of growth 12: channel counts that no vector width divides."""
    x = layers.conv(x, "stem", 20, 3, 1, 1)
    for block in range(3):
        features = [x]
        for index in range(4):
            name = f"block{block + 1}.{index}"
            y = layers.concat(features, name) if index else x
            y = layers.relu(layers.batch_norm(y, f"{name}.bn1"), f"{name}.relu1")
            y = layers.conv(y, f"{name}.conv1", 36, 1)
            y = layers.relu(layers.batch_norm(y, f"{name}.bn2"), f"{name}.relu2")
            features.append(layers.conv(y, f"{name}.conv2", 12, 3, 1, 1))
        name = f"transition{block + 1}"
        x = layers.concat(features, name)
        x = layers.relu(layers.batch_norm(x, f"{name}.bn"), f"{name}.relu")
        if block < 2:
            x = layers.conv(x, f"{name}.conv", layers.channels(x) // 2, 1)
            x = layers.average_pool(x, f"{name}.pool")
    return classify(layers, x)


def inception_resnet(layers, x):
    """Inception branches whose sum, scaled down, is added to the path."""
    x = conv_bn_relu(layers, x, "stem.1", 16, 3, 2, 1)
    x = conv_bn_relu(layers, x, "stem.2", 40, 3, 1, 1)
    for index in range(2):
        name = f"block_a.{index}"
        narrow = conv_bn_relu(layers, x, f"{name}.branch1.0", 12, 1)
        branches = [conv_bn_relu(layers, x, f"{name}.branch0", 12, 1),
                    conv_bn_relu(layers, narrow, f"{name}.branch1.1", 16, 3, 1, 1)]
        y = layers.conv(layers.concat(branches, name), f"{name}.conv", 40, 1, bias=True)
        x = layers.relu(layers.add(layers.scaled(y, name, 0.3), x, name), f"{name}.relu")
    x = layers.concat([conv_bn_relu(layers, x, "reduction.branch0", 32, 2, 2),
                       layers.max_pool(x, "reduction.branch1")], "reduction")
    for index in range(2):
        name = f"block_b.{index}"
        row = conv_bn_relu(layers, x, f"{name}.branch1.0", 20, 1)
        row = conv_bn_relu(layers, row, f"{name}.branch1.1", 22, (1, 7), 1, (0, 3))
        branches = [conv_bn_relu(layers, x, f"{name}.branch0", 24, 1),
                    conv_bn_relu(layers, row, f"{name}.branch1.2", 24, (7, 1), 1, (3, 0))]
        y = layers.conv(layers.concat(branches, name), f"{name}.conv", 72, 1, bias=True)
        x = layers.relu(layers.add(layers.scaled(y, name, 0.2), x, name), f"{name}.relu")
    return classify(layers, x)


def unet(layers, x):
    """Three levels; odd sizes are padded where the up-path meets the skip connection."""
    def double(x, name, channels):
        x = conv_bn_relu(layers, x, f"{name}.0", channels, 3, 1, 1)
        return conv_bn_relu(layers, x, f"{name}.1", channels, 3, 1, 1)

    x, skips = double(x, "inc", 12), []
    for level, channels in enumerate((24, 40, 56)):
        skips.append(x)
        x = double(layers.max_pool(x, f"down{level}"), f"down{level}", channels)
    for level, skip in enumerate(reversed(skips)):
        name, channels = f"up{level}", layers.channels(skip)
        x = layers.pad_to(layers.conv_transpose(x, f"{name}.up", channels), skip, name)
        x = double(layers.concat([skip, x], name), name, channels)
    return layers.sigmoid(layers.conv(x, "outc", 1, 1, bias=True), "outc")
