"""Measures finished models against what is published of the networks: for `make_models.py
--check`."""

import onnx
from onnx import numpy_helper, shape_inference

import pictures

LARGEST_DEVIATION = 0.01
# Outputs of two pictures lie at least this far apart, relative to the largest output.
SMALLEST_DIFFERENCE = 0.1


def static_shapes(model):
    """Every value's shape at batch 1."""
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1
    inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    return {info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim]
            for info in [*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input]}


def product(numbers):
    total = 1
    for number in numbers:
        total *= number
    return total


def multiply_adds(model):
    """Of convolutions and matrix products, for one image."""
    shapes = static_shapes(model)
    weights = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    total = 0
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            total += product(shapes[node.output[0]]) * product(weights[node.input[1]][1:])
        elif node.op_type == "ConvTranspose":
            total += product(shapes[node.input[0]]) * product(weights[node.input[1]][1:])
    return total


def parameters(model):
    """Learned numbers: BatchNormalization's statistics are not."""
    return sum(product(tensor.dims) for tensor in model.graph.initializer
               if not tensor.name.endswith(("running_mean", "running_var")))


def differences(path, model):
    """Largest output, the distance of two pictures' outputs relative to it, and that of white
    noise's."""
    try:
        import numpy as np
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    side = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    noise = np.random.default_rng(7).random((2, 3, side, side), np.float32)
    result = []
    for sample in (pictures.batch(20261, 2, side, side), noise):
        output = session.run(None, {"input": sample})[0]
        result.append((abs(output).max(), abs(output[0] - output[1]).max() / abs(output).max()))
    return result


def check_one(path, name, published):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    count, operations = parameters(model) / 1e6, multiply_adds(model) / 1e9
    good = all(abs(own - known) <= LARGEST_DEVIATION * known
               for own, known in zip((operations, count), published))
    line = (f"{name:20} opset {model.opset_import[0].version:2} {len(model.graph.node):4} nodes "
            f"{operations:7.3f} ({published[0]:g}) GMAC {count:7.3f} ({published[1]:g}) M")
    measured = differences(path, model)
    if measured is None:
        line += "  (onnxruntime is not installed: outputs not measured)"
    else:
        (largest, pictures_apart), (_, noise_apart) = measured
        good = good and pictures_apart > SMALLEST_DIFFERENCE
        line += (f"  max |y| {largest:6.2f}, two pictures {pictures_apart:.2f}, "
                 f"noise {noise_apart:.2f}")
    print(line + ("" if good else "  WRONG"), flush=True)
    return good


def check_all(directory, published):
    """Prints a line per network; whether all are as published."""
    return all([check_one(directory / f"{name}.onnx", name, known)
                for name, known in published.items()])
