"""Ways in which a file can hold a tensor, and what the first opsets wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from leapstone import InferenceSession


def run_once(
    operator: str, opset: int, inputs: list[np.ndarray[Any, Any]], outputs: int = 1, **attributes: Any
) -> list[Any]:
    """The outputs of one node."""
    names = [f"x{index}" for index in range(len(inputs))]
    results = [f"y{index}" for index in range(outputs)]
    node = helper.make_node(operator, names, results, **attributes)
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(names, inputs)
    ]
    graph = helper.make_graph(
        [node], "one", values, [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in results]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3)
    session = InferenceSession(model.SerializeToString())
    return session.run(None, dict(zip(names, inputs)))


def test_external_data_of_several_files(tmp_path: Path) -> None:
    """Initializers at offsets of two files, one with a length and one to the end of its file."""
    rng = np.random.default_rng(3)
    arrays = {name: rng.random(shape, np.float32) for name, shape in [("a", (3, 4)), ("b", (4,)), ("c", (100, 300))]}
    (tmp_path / "first.bin").write_bytes(b"\0" * 4096 + arrays["a"].tobytes() + arrays["b"].tobytes())
    (tmp_path / "second.bin").write_bytes(b"\1" * 8 + arrays["c"].tobytes())
    places = {"a": ("first.bin", 4096, 48), "b": ("first.bin", 4144, 16), "c": ("second.bin", 8, None)}
    initializers = []
    for name, array in arrays.items():
        proto = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=array.shape)
        proto.data_location = TensorProto.EXTERNAL
        location, offset, length = places[name]
        entries = {"location": location, "offset": str(offset)} | ({"length": str(length)} if length else {})
        for key, value in entries.items():
            proto.external_data.add(key=key, value=value)
        initializers.append(proto)
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Neg", ["c"], ["negative"]),
         helper.make_node("Mul", ["sum", "x"], ["y"])],
        "external", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 4]),
         helper.make_tensor_value_info("negative", TensorProto.FLOAT, [100, 300])],
        initializers,
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    x = rng.random(4, np.float32)
    y, negative = InferenceSession(path).run(None, {"x": x})
    np.testing.assert_array_equal(y, (arrays["a"] + arrays["b"]) * x)
    np.testing.assert_array_equal(negative, -arrays["c"])


@pytest.mark.parametrize("linear", [True, False])
def test_sparse_initializers(linear: bool) -> None:
    """Indices as one number for each value, and as one for each axis."""
    dense = np.zeros((3, 5), np.float32)
    places = [(0, 1), (1, 4), (2, 0)]
    for number, place in enumerate(places):
        dense[place] = number + 1.5
    values = numpy_helper.from_array(np.array([1.5, 2.5, 3.5], np.float32), "w")
    indices = np.array([row * 5 + column for row, column in places] if linear else places, np.int64)
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(indices), [3, 5])
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])], "sparse",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 5])], sparse_initializer=[sparse],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    x = np.arange(15, dtype=np.float32).reshape(3, 5)
    np.testing.assert_array_equal(InferenceSession(model.SerializeToString()).run(None, {"x": x})[0], x + dense)


FIRST = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
OTHER = np.arange(12, 0, -1).astype(np.float32).reshape(3, 4)
IMAGE = np.linspace(-1, 1, 48, dtype=np.float32).reshape(2, 3, 4, 2)
CHANNELS = [np.array(values, np.float32) for values in ([1, 2, 3], [0, 1, 2], [0.5, 0, -0.5], [1, 4, 9])]


def spread(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return values[None, :, None, None]


def normalised() -> np.ndarray[Any, Any]:
    scale, shift, mean, variance = map(spread, CHANNELS)
    return np.asarray(scale * (IMAGE - mean) / np.sqrt(variance + 1e-5) + shift, np.float32)


@pytest.mark.parametrize(
    ("operator", "opset", "inputs", "attributes", "expected"),
    [
        ("Concat", 1, [FIRST, OTHER], {}, np.concatenate([FIRST, OTHER], 1)),
        ("Reshape", 1, [FIRST], {"shape": [2, -1]}, FIRST.reshape(2, 6)),
        ("Gemm", 1, [FIRST, OTHER.T.copy(), CHANNELS[0]], {"broadcast": 1}, FIRST @ OTHER.T + CHANNELS[0]),
        ("BatchNormalization", 1, [IMAGE, *CHANNELS], {"is_test": 1, "consumed_inputs": [0] * 5}, normalised()),
        ("Dropout", 1, [FIRST], {"is_test": 1}, FIRST),
        ("Dropout", 6, [FIRST], {"is_test": 1}, FIRST),
        ("Max", 1, [FIRST, OTHER], {}, np.maximum(FIRST, OTHER)),
        ("Min", 6, [FIRST, OTHER], {}, np.minimum(FIRST, OTHER)),
        ("Sum", 1, [FIRST, OTHER, FIRST], {}, FIRST + OTHER + FIRST),
        ("Mean", 6, [FIRST, OTHER], {}, np.full((3, 4), 6.5, np.float32)),
        ("Add", 1, [IMAGE, CHANNELS[0]], {"broadcast": 1, "axis": 1}, IMAGE + spread(CHANNELS[0])),
        ("Clip", 1, [FIRST], {"min": 3.0, "max": 7.0}, FIRST.clip(3, 7)),
        ("Softmax", 1, [FIRST], {}, np.exp(FIRST) / np.exp(FIRST).sum(1, keepdims=True)),
        ("Squeeze", 1, [FIRST[None]], {"axes": [0]}, FIRST),
        ("Pow", 1, [FIRST, np.array([2], np.float32)], {"broadcast": 1}, FIRST**2),
    ],
)
def test_first_opsets(
    operator: str, opset: int, inputs: list[np.ndarray[Any, Any]], attributes: dict[str, Any],
    expected: np.ndarray[Any, Any],
) -> None:
    np.testing.assert_allclose(run_once(operator, opset, inputs, **attributes)[0], expected, rtol=1e-5, atol=1e-6)


def test_split_of_the_first_opset() -> None:
    left, right = run_once("Split", 1, [FIRST], outputs=2, axis=1, split=[1, 3])
    np.testing.assert_array_equal(left, FIRST[:, :1])
    np.testing.assert_array_equal(right, FIRST[:, 1:])
