"""The layers of the small networks, twice: computed and differentiated by jax, and written as ONNX.

A network is a function of `layers` and an input. Given JaxLayers it computes; given OnnxLayers,
which hold the trained parameters, it writes the graph, one node per layer, BatchNormalization
unfused.
"""

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from jax import lax
from onnx import TensorProto, helper, numpy_helper

EPSILON = 1e-5


def pair(number):
    return number if isinstance(number, tuple) else (number, number)


class JaxLayers:
    """Computes; `parameters` are made on the first pass, `statistics` replaced while training."""

    def __init__(self, parameters, statistics, training=False, rng=None):
        self.parameters, self.statistics = parameters, statistics
        self.training, self.rng = training, rng
        self.updated = {}

    def parameter(self, name, shape, deviation):
        if name not in self.parameters:
            value = self.rng.standard_normal(shape) * deviation
            self.parameters[name] = jnp.asarray(value, jnp.float32)
        return self.parameters[name]

    def conv(self, x, name, channels, kernel, stride=1, padding=0, bias=False):
        shape = (channels, x.shape[1], *pair(kernel))
        weight = self.parameter(f"{name}.weight", shape, np.sqrt(2 / np.prod(shape[1:])))
        y = lax.conv_general_dilated(x, weight, pair(stride), [(p, p) for p in pair(padding)],
                                     dimension_numbers=("NCHW", "OIHW", "NCHW"))
        if bias:
            y = y + self.parameter(f"{name}.bias", (channels,), 0)[:, None, None]
        return y

    def conv_transpose(self, x, name, channels):
        """Kernel 2x2, stride 2."""
        weight = self.parameter(f"{name}.weight", (x.shape[1], channels, 2, 2), x.shape[1] ** -0.5)
        bias = self.parameter(f"{name}.bias", (channels,), 0)
        y = jnp.einsum("nchw,cokl->nohkwl", x, weight)
        return y.reshape(len(x), channels, 2 * x.shape[2], 2 * x.shape[3]) + bias[:, None, None]

    def batch_norm(self, x, name):
        channels = x.shape[1]
        scale = 1 + self.parameter(f"{name}.gain", (channels,), 0)
        shift = self.parameter(f"{name}.bias", (channels,), 0)
        old = self.statistics.get(name, (jnp.zeros(channels), jnp.ones(channels)))
        mean, variance = old
        if self.training:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
            self.updated[name] = tuple(
                0.9 * a + 0.1 * lax.stop_gradient(b) for a, b in zip(old, (mean, variance)))
        factor = scale / jnp.sqrt(variance + EPSILON)
        return x * factor[:, None, None] + (shift - mean * factor)[:, None, None]

    def linear(self, x, name, features):
        weight = self.parameter(f"{name}.weight", (features, x.shape[1]), x.shape[1] ** -0.5)
        return x @ weight.T + self.parameter(f"{name}.bias", (features,), 0)

    def relu(self, x, name):
        return jax.nn.relu(x)

    def sigmoid(self, x, name):
        return jax.nn.sigmoid(x)

    def add(self, x, y, name):
        return x + y

    def scaled(self, x, name, factor):
        return x * factor

    def concat(self, values, name):
        return jnp.concatenate(values, axis=1)

    def max_pool(self, x, name):
        """2x2; an odd last row or column is dropped."""
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def average_pool(self, x, name):
        return lax.reduce_window(x, 0.0, lax.add, (1, 1, 2, 2), (1, 1, 2, 2), "VALID") / 4

    def global_average(self, x, name):
        return x.mean((2, 3))

    def pad_to(self, x, skip, name):
        """Zeros at the bottom and right up to the skip connection's height and width."""
        rows, columns = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
        return jnp.pad(x, ((0, 0), (0, 0), (0, rows), (0, columns)))

    def channels(self, x):
        return x.shape[1]


class OnnxLayers:
    """Writes; a value is (name, channels)."""

    def __init__(self, parameters, statistics, opset):
        self.parameters, self.statistics, self.opset = parameters, statistics, opset
        self.nodes, self.initializers = [], []

    def emit(self, operator, inputs, scope, **attributes):
        name = f"/{scope.replace('.', '/')}/{operator}"
        count = sum(node.name == name or node.name.startswith(f"{name}_") for node in self.nodes)
        name = f"{name}_{count}" if count else name
        self.nodes.append(helper.make_node(operator, inputs, [f"{name}_output_0"], name=name,
                                           **attributes))
        return f"{name}_output_0"

    def initializer(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def integers(self, scope, *numbers):
        value = numpy_helper.from_array(np.array(numbers, np.int64))
        return self.emit("Constant", [], scope, value=value)

    def conv(self, x, name, channels, kernel, stride=1, padding=0, bias=False):
        names = [f"{name}.weight"] + ([f"{name}.bias"] if bias else [])
        inputs = [x[0]] + [self.initializer(n, self.parameters[n]) for n in names]
        return self.emit("Conv", inputs, name, kernel_shape=pair(kernel), strides=pair(stride),
                         pads=pair(padding) * 2, dilations=[1, 1], group=1), channels

    def conv_transpose(self, x, name, channels):
        names = (f"{name}.weight", f"{name}.bias")
        inputs = [x[0]] + [self.initializer(n, self.parameters[n]) for n in names]
        return self.emit("ConvTranspose", inputs, name, kernel_shape=[2, 2], strides=[2, 2],
                         pads=[0] * 4, dilations=[1, 1], group=1), channels

    def batch_norm(self, x, name):
        mean, variance = self.statistics[name]
        arrays = {"weight": 1 + self.parameters[f"{name}.gain"],
                  "bias": self.parameters[f"{name}.bias"],
                  "running_mean": mean, "running_var": variance}
        inputs = [x[0]] + [self.initializer(f"{name}.{key}", a) for key, a in arrays.items()]
        attributes = {"training_mode": 0} if self.opset >= 14 else {}
        return self.emit("BatchNormalization", inputs, name, epsilon=EPSILON, momentum=0.9,
                         **attributes), x[1]

    def linear(self, x, name, features):
        names = (f"{name}.weight", f"{name}.bias")
        inputs = [x[0]] + [self.initializer(n, self.parameters[n]) for n in names]
        return self.emit("Gemm", inputs, name, alpha=1.0, beta=1.0, transB=1), features

    def relu(self, x, name):
        return self.emit("Relu", [x[0]], name), x[1]

    def sigmoid(self, x, name):
        return self.emit("Sigmoid", [x[0]], name), x[1]

    def add(self, x, y, name):
        return self.emit("Add", [x[0], y[0]], name), x[1]

    def scaled(self, x, name, factor):
        value = numpy_helper.from_array(np.array(factor, np.float32))
        constant = self.emit("Constant", [], name, value=value)
        return self.emit("Mul", [x[0], constant], name), x[1]

    def concat(self, values, name):
        joined = self.emit("Concat", [value[0] for value in values], name, axis=1)
        return joined, sum(value[1] for value in values)

    def max_pool(self, x, name):
        return self.emit("MaxPool", [x[0]], name, kernel_shape=[2, 2], strides=[2, 2],
                         pads=[0] * 4), x[1]

    def average_pool(self, x, name):
        return self.emit("AveragePool", [x[0]], name, kernel_shape=[2, 2], strides=[2, 2],
                         pads=[0] * 4), x[1]

    def global_average(self, x, name):
        pooled = self.emit("GlobalAveragePool", [x[0]], name)
        return self.emit("Flatten", [pooled], name, axis=1), x[1]

    def pad_to(self, x, skip, name):
        """The difference of the two shapes, computed in the graph as exporters do, then Pad."""
        shapes = [self.emit("Shape", [value[0]], name) for value in (skip, x)]
        difference = self.emit("Sub", shapes, name)
        pads = self.emit("Concat", [self.integers(name, 0, 0, 0, 0, 0, 0),
                                    self.emit("Slice", [difference, self.integers(name, 2),
                                                        self.integers(name, 4)], name)],
                         name, axis=0)
        return self.emit("Pad", [x[0], pads], name, mode="constant"), x[1]

    def channels(self, x):
        return x[1]

    def model(self, name, result, input_shape, output_shape, ir_version):
        """The finished model, of any batch size, from "input" to "output"."""
        self.nodes[-1].output[0] = "output"
        values = [helper.make_tensor_value_info(key, TensorProto.FLOAT, ["batch", *shape])
                  for key, shape in (("input", input_shape), ("output", output_shape))]
        graph = helper.make_graph(self.nodes, name, values[:1], values[1:], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                  ir_version=ir_version, producer_name="leapstone-testdata")
        helper.set_model_props(model, image_metadata(input_shape[0]))
        onnx.checker.check_model(model, full_check=True)
        return model


def image_metadata(channels):
    """What a picture must become for these networks, in ONNX's metadata keys for image models (MetadataProps.md)."""
    return {"Image.BitmapPixelFormat": "Gray8" if channels == 1 else "Rgb8",
            "Image.ColorSpaceGamma": "SRGB", "Image.NominalPixelRange": "Normalized_0_1"}
