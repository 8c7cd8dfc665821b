"""leapstone.backend: the ONNX backend interface."""

from __future__ import annotations

import subprocess
import sys
import unittest
from typing import Any

import numpy as np
import onnx
import onnx.backend.test
import pytest
from conftest import environment, node_model
from onnx import TensorProto, helper

import leapstone
from leapstone import backend


def test_prepare_runs_by_place_and_by_name(add_model: bytes, add_feed: Any) -> None:
    prepared = backend.prepare(onnx.load_from_string(add_model))
    wanted = add_feed["x0"] + 10
    for inputs in (list(add_feed.values()), tuple(add_feed.values()), add_feed):
        outputs = prepared.run(inputs)
        assert isinstance(outputs, tuple)
        np.testing.assert_array_equal(outputs[0], wanted)
        np.testing.assert_array_equal(outputs["y"], wanted)
    np.testing.assert_array_equal(
        backend.run_model(onnx.load_from_string(add_model), list(add_feed.values()))[0], wanted)
    with pytest.raises(leapstone.InvalidArgument, match="3 inputs"):
        prepared.run([*add_feed.values(), wanted])


def test_one_input_needs_no_list() -> None:
    prepared = backend.prepare(node_model("Neg", TensorProto.FLOAT, [2]))
    assert prepared.run(np.array([1, 2], np.float32))[0].tolist() == [-1, -2]


def test_run_node() -> None:
    x = np.array([[1, 2], [3, 4]], np.float32)
    [y] = backend.run_node(helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0]), [x])
    np.testing.assert_array_equal(y, x.T)
    node = helper.make_node("Add", ["x", "x"], ["y"])
    [y] = backend.run_node(node, [x], outputs_info=[(np.float32, (2, 2))], opset_version=13)
    np.testing.assert_array_equal(y, x + x)


def test_devices() -> None:
    assert backend.supports_device("CPU") and not backend.supports_device("CUDA")
    with pytest.raises(leapstone.InvalidArgument, match="CUDA"):
        backend.prepare(node_model("Neg", TensorProto.FLOAT, [2]), "CUDA")


def test_compatibility() -> None:
    assert backend.is_compatible(onnx.load_from_string(node_model("Neg", TensorProto.FLOAT, [2])))
    assert not backend.is_compatible(
        onnx.load_from_string(node_model("Nonesuch", TensorProto.FLOAT, [2])))
    # A rank, a type, and values that cannot be passed.
    shapes = [1, 1, 3, 3, 3, 3], [1, 1, 2, 2, 2, 2]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
              for name, shape in zip("xw", shapes)]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", inputs, [output])
    assert not backend.is_compatible(helper.make_model(graph))
    assert not backend.is_compatible(
        onnx.load_from_string(node_model("Neg", TensorProto.BOOL, ["N"])))
    kind = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    values = [helper.make_value_info(name, kind) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", values[:1], values[1:])
    assert not backend.is_compatible(helper.make_model(graph))


def test_it_serves_the_official_runner() -> None:
    runner = onnx.backend.test.BackendTest(backend.LeapstoneBackend, __name__)
    runner.include(r"^test_(relu|add|matmul_2d|concat_1d_axis_0|softmax_example)_cpu$")
    result = unittest.TestResult()
    runner.test_suite.run(result)
    assert not result.failures and not result.errors, result.errors or result.failures
    skipped = len(result.skipped)
    assert result.testsRun - skipped == 5


def test_it_computes_nothing_itself(add_model: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"""
import sys
import numpy as np
from leapstone import backend
backend.prepare({add_model!r}).run([np.ones((1, 2), np.float32)] * 2)
print([name for name in sys.modules if name.startswith(('onnx.reference', 'onnxruntime'))])
"""], env=environment(), capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
