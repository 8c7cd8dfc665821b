"""Builds an ONNX network layer by layer, with seeded weights and BatchNormalization statistics that
fit them.

Goals, in order: graphs as the PyTorch exporter writes them; activations of order one all the way
down, so that outputs depend on inputs; nothing needed but onnx and numpy.

Every layer is computed at once, on a few pictures, as it is added. BatchNormalization takes its
mean and variance from what it meets there, with some noise, as training leaves them.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import pictures
import sample_maths as maths


class Value:
    """A value of the graph: its name, and what it is for the calibration pictures."""

    def __init__(self, name, sample):
        self.name = name
        self.sample = sample

    @property
    def channels(self):
        return len(self.sample)


def pair(number):
    return number if isinstance(number, tuple) else (number, number)


def sides(padding):
    """ONNX's (top, left, bottom, right) for a padding of one number or (rows, columns)."""
    return pair(padding) * 2


class NetworkBuilder:
    """One network under construction.

    `size` is the side of the square input. The network is calibrated on pictures of that size
    (smaller ones have other statistics, and the differences multiply with depth) unless
    `calibration_size` says less. With `initializers_as_inputs` the graph lists its weights among
    its inputs, as files of IR version 3 must.
    """

    def __init__(self, name, opset, ir_version, seed, size, calibration_size=None,
                 calibration_images=4, epsilon=1e-5, initializers_as_inputs=False):
        self.name = name
        self.opset = opset
        self.ir_version = ir_version
        self.size = size
        self.epsilon = epsilon
        self.initializers_as_inputs = initializers_as_inputs
        self.rng = np.random.default_rng(seed)
        self.nodes = []
        self.initializers = []
        self.used_names = set()
        side = calibration_size or size
        sample = pictures.batch(seed, calibration_images, side, side)
        self.input = Value("input", np.ascontiguousarray(sample.transpose(1, 0, 2, 3)))

    # Graph

    def unique(self, name):
        candidate, count = name, 0
        while candidate in self.used_names:
            count += 1
            candidate = f"{name}_{count}"
        self.used_names.add(candidate)
        return candidate

    def emit(self, operator, inputs, scope, **attributes):
        """Adds a node and returns the name of its output."""
        name = self.unique("/".join(["", *scope.split("."), operator]).replace("//", "/"))
        output = f"{name}_output_0"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=name, **attributes))
        return output

    def initializer(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def constant(self, scope, array):
        """A Constant node, which is how the exporter writes small parameters that are inputs."""
        return self.emit("Constant", [], scope, value=numpy_helper.from_array(np.asarray(array)))

    # Layers with weights

    def weight(self, shape, fan_in, spread=0.35):
        """He's initialisation, each output channel scaled differently, as training leaves them."""
        scale = np.exp(self.rng.normal(0, spread, shape[0])) * np.sqrt(2 / fan_in)
        weight = self.rng.standard_normal(shape, np.float32)
        return weight * scale.astype(np.float32).reshape(-1, *[1] * (len(shape) - 1))

    def centred(self, weight, sample, spread, limit=np.inf):
        """Scales a weight, and finds the bias, for results that deviate by `spread`, each about a mean of its own.

        The scale is at most `limit`: to blow up small deviations blows up rounding errors as well.
        """
        deviation = sample.std(axis=tuple(range(1, sample.ndim)))
        scale = np.float32(min(limit, spread / (np.sqrt(np.mean(deviation**2)) + 1e-6)))
        mean = sample.mean(axis=tuple(range(1, sample.ndim))) * scale
        # Means differ as much as results do, as training leaves them: results that are all differences blow up rounding errors.
        bias = self.rng.normal(0, spread, len(sample)) - mean
        return weight * scale, scale, bias.astype(np.float32)

    def conv(self, value, scope, channels, kernel, stride=1, padding=0, groups=1, spread=None):
        """A Conv; with `spread`, one with a bias whose results have that standard deviation."""
        kernel, stride, padding = pair(kernel), pair(stride), sides(padding)
        shape = (channels, value.channels // groups, *kernel)
        weight = self.weight(shape, shape[1] * kernel[0] * kernel[1])
        sample = maths.convolve(value.sample, weight, stride, padding, groups)
        inputs = [value.name, f"{scope}.weight"]
        if spread is not None:
            weight, scale, bias = self.centred(weight, sample, spread, limit=2)
            sample = sample * scale + bias[:, None, None, None]
        self.initializer(f"{scope}.weight", weight)
        if spread is not None:
            inputs.append(self.initializer(f"{scope}.bias", bias))
        output = self.emit("Conv", inputs, scope, dilations=[1, 1], group=groups,
                           kernel_shape=kernel, pads=padding, strides=stride)
        return Value(output, sample)

    def conv_transpose(self, value, scope, channels):
        """ConvTranspose of kernel 2x2 and stride 2, with a bias."""
        shape = (value.channels, channels, 2, 2)
        weight = self.weight(shape, value.channels)
        sample = maths.upsample_with(value.sample, weight)
        weight, scale, bias = self.centred(weight, sample, 1.0)
        sample = sample * scale + bias[:, None, None, None]
        inputs = [value.name, self.initializer(f"{scope}.weight", weight),
                  self.initializer(f"{scope}.bias", bias)]
        output = self.emit("ConvTranspose", inputs, scope, dilations=[1, 1], group=1,
                           kernel_shape=[2, 2], pads=[0, 0, 0, 0], strides=[2, 2])
        return Value(output, sample)

    def linear(self, value, scope, features, spread=2.0):
        """Gemm with transB, as the exporter writes torch.nn.Linear."""
        weight = self.weight((features, value.channels), value.channels, spread=0.1)
        sample = weight @ value.sample
        weight, scale, bias = self.centred(weight, sample, spread)
        inputs = [value.name, self.initializer(f"{scope}.weight", weight),
                  self.initializer(f"{scope}.bias", bias)]
        output = self.emit("Gemm", inputs, scope, alpha=1.0, beta=1.0, transB=1)
        return Value(output, sample * scale + bias[:, None])

    def batch_norm(self, value, scope, gain=1.0):
        """BatchNormalization whose statistics are near those of the calibration pictures."""
        count = value.channels
        scale = gain * np.exp(self.rng.normal(0, 0.15, count))
        shift = self.rng.normal(0, 0.15 * gain, count)
        deviation = value.sample.std(axis=(1, 2, 3))
        mean = value.sample.mean(axis=(1, 2, 3)) + self.rng.normal(0, 0.03, count) * deviation
        # A channel that hardly moves on a few pictures may move on others.
        floor = 0.8 * np.median(deviation**2)
        variance = np.maximum(deviation**2, floor) * np.exp(self.rng.normal(0, 0.06, count))
        arrays = [array.astype(np.float32) for array in (scale, shift, mean, variance)]
        names = ("weight", "bias", "running_mean", "running_var")
        inputs = [value.name] + [
            self.initializer(f"{scope}.{name}", array) for name, array in zip(names, arrays)]
        attributes = {"training_mode": 0} if self.opset >= 14 else {}
        output = self.emit("BatchNormalization", inputs, scope, epsilon=self.epsilon,
                           momentum=0.9, **attributes)
        factor = arrays[0] / np.sqrt(arrays[3] + np.float32(self.epsilon))
        offset = arrays[1] - arrays[2] * factor
        sample = value.sample * factor[:, None, None, None] + offset[:, None, None, None]
        return Value(output, sample)

    # Layers without

    def relu(self, value, scope):
        return Value(self.emit("Relu", [value.name], scope), np.maximum(value.sample, 0))

    def sigmoid(self, value, scope):
        return Value(self.emit("Sigmoid", [value.name], scope), maths.sigmoid(value.sample))

    def silu(self, value, scope):
        """x * sigmoid(x), which the exporter writes as two nodes."""
        return self.multiply(value, self.sigmoid(value, scope), scope)

    def hard_sigmoid(self, value, scope):
        output = self.emit("HardSigmoid", [value.name], scope, alpha=1 / 6)
        return Value(output, maths.hard_sigmoid(value.sample))

    def hard_swish(self, value, scope):
        sample = value.sample * maths.hard_sigmoid(value.sample)
        return Value(self.emit("HardSwish", [value.name], scope), sample)

    def add(self, left, right, scope):
        return Value(self.emit("Add", [left.name, right.name], scope), left.sample + right.sample)

    def multiply(self, left, right, scope):
        return Value(self.emit("Mul", [left.name, right.name], scope), left.sample * right.sample)

    def scaled(self, value, scope, factor):
        """The value times a constant."""
        constant = self.constant(scope, np.float32(factor))
        output = self.emit("Mul", [value.name, constant], scope)
        return Value(output, value.sample * np.float32(factor))

    def concat(self, values, scope):
        output = self.emit("Concat", [value.name for value in values], scope, axis=1)
        return Value(output, np.concatenate([value.sample for value in values]))

    def max_pool(self, value, scope, kernel, stride, padding=0):
        attributes = {"ceil_mode": 0} if self.opset >= 10 else {}
        if self.opset >= 12:
            attributes["dilations"] = [1, 1]
        output = self.emit("MaxPool", [value.name], scope, kernel_shape=pair(kernel),
                           pads=sides(padding), strides=pair(stride), **attributes)
        return Value(output, maths.max_pool(value.sample, kernel, stride, sides(padding)))

    def average_pool(self, value, scope, kernel, stride, padding=0, count_padding=True):
        attributes = {"ceil_mode": 0} if self.opset >= 10 else {}
        output = self.emit("AveragePool", [value.name], scope, kernel_shape=pair(kernel),
                           pads=sides(padding), strides=pair(stride),
                           count_include_pad=int(count_padding), **attributes)
        return Value(output, maths.average_pool(
            value.sample, kernel, stride, sides(padding), count_padding))

    def padded_average_pool(self, value, scope, kernel, stride, padding):
        """A Pad and an AveragePool: how older exporters count the padding (opset 11 and later)."""
        rows, columns = pair(padding)
        amounts = np.array([0, 0, rows, columns] * 2, np.int64)
        padded = self.emit("Pad", [value.name, self.constant(scope, amounts)], scope,
                           mode="constant")
        sample = maths.pad(value.sample, sides(padding))
        return self.average_pool(Value(padded, sample), scope, kernel, stride, 0, False)

    def global_average(self, value, scope="avgpool"):
        output = self.emit("GlobalAveragePool", [value.name], scope)
        return Value(output, value.sample.mean(axis=(2, 3), keepdims=True))

    def mean_over_plane(self, value, scope):
        """ReduceMean over height and width; the axes are an input from opset 18 on."""
        if self.opset >= 18:
            axes = self.constant(scope, np.array([2, 3], np.int64))
            output = self.emit("ReduceMean", [value.name, axes], scope, keepdims=1)
        else:
            output = self.emit("ReduceMean", [value.name], scope, axes=[2, 3], keepdims=1)
        return Value(output, value.sample.mean(axis=(2, 3), keepdims=True))

    def flatten(self, value, scope=""):
        output = self.emit("Flatten", [value.name], scope, axis=1)
        return Value(output, value.sample.reshape(value.channels, -1))

    # The finished model

    def model(self, result, output_name, output_shape):
        """The model, whose `result` is called `output_name`; `output_shape` is that of one
        image."""
        for node in self.nodes:
            for index, name in enumerate(node.output):
                if name == result.name:
                    node.output[index] = output_name
        shape = ["batch", 3, self.size, self.size]
        inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)]
        if self.initializers_as_inputs:
            inputs += [helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
                       for tensor in self.initializers]
        output = helper.make_tensor_value_info(
            output_name, TensorProto.FLOAT, ["batch", *output_shape])
        graph = helper.make_graph(self.nodes, self.name, inputs, [output], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                  ir_version=self.ir_version, producer_name="leapstone-testdata")
        onnx.checker.check_model(model)
        return model
