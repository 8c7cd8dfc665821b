"""Models that the tests build, and files that they read."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, os.fspath(ROOT / "python"))

from leapstone import _notices  # noqa: E402


def tensor(name: str, type_number: int, shape: Sequence[int | str | None] | None) -> Any:
    """An input or output that is a tensor."""
    return helper.make_tensor_value_info(name, type_number, shape)


def model_of(
    nodes: Sequence[onnx.NodeProto], inputs: Sequence[Any], outputs: Sequence[Any], *,
    opset: int = 21, initializers: Sequence[onnx.TensorProto] = (), **fields: Any,
) -> bytes:
    """The bytes of a model of these nodes."""
    graph = helper.make_graph(list(nodes), "graph", list(inputs), list(outputs),
                              initializer=list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], **fields)
    return model.SerializeToString()


def node_model(
    operator: str, type_number: int, shape: Sequence[int | str | None] | None, *,
    inputs: int = 1, opset: int = 21, **attributes: Any,
) -> bytes:
    """A model of one node whose inputs and output have one type and shape: `x0`, `x1`, ... and `y`."""
    names = [f"x{index}" for index in range(inputs)]
    node = helper.make_node(operator, names, ["y"], **attributes)
    arguments = [tensor(name, type_number, shape) for name in names]
    return model_of([node], arguments, [tensor("y", type_number, shape)], opset=opset)


@pytest.fixture(autouse=True)
def _warn_again() -> None:
    """Each test hears what is said once."""
    _notices._told.clear()


@pytest.fixture(scope="session")
def add_model() -> bytes:
    """y = x0 + x1, float, shape (N, 2)."""
    return node_model("Add", TensorProto.FLOAT, ["N", 2], inputs=2)


@pytest.fixture
def add_feed() -> dict[str, Any]:
    """Inputs of `add_model`."""
    x0 = np.arange(6, dtype=np.float32).reshape(3, 2)
    return {"x0": x0, "x1": np.full((3, 2), 10, np.float32)}


def trained(name: str) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """A trained model of the repository, with its inputs and onnxruntime's outputs."""
    arrays = np.load(ROOT / "testdata" / f"{name}.npz")
    inputs = {key[3:]: arrays[key] for key in arrays.files if key.startswith("in:")}
    outputs = {key[4:]: arrays[key] for key in arrays.files if key.startswith("out:")}
    return ROOT / "testdata" / f"{name}.onnx", inputs, outputs


def environment() -> dict[str, str]:
    """The environment of a Python process that is to find the package."""
    return {**os.environ, "PYTHONPATH": os.fspath(ROOT / "python"), "PYTHONWARNINGS": "default"}


