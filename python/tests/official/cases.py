"""The cases of the official ONNX suite, as the installed onnx package has them."""

from __future__ import annotations

import glob
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"

DataSets = list[tuple[list[Any], list[Any]]]


class Case:
    """A case: its name (`kind/name`), its tolerances, and how its model and data are come by."""

    def __init__(self, kind: str, name: str, rtol: float, atol: float) -> None:
        self.kind = kind
        self.name = f"{kind}/{name}"
        self.rtol = rtol
        self.atol = atol

    def load(self) -> tuple[onnx.ModelProto, DataSets]:
        """The model, and inputs with expected outputs."""
        raise NotImplementedError


class InMemory(Case):
    """A case that the package makes when it is loaded."""

    def __init__(self, kind: str, case: Any) -> None:
        super().__init__(kind, case.name, case.rtol, case.atol)
        self.model = case.model
        self.data_sets = case.data_sets

    def load(self) -> tuple[onnx.ModelProto, DataSets]:
        return self.model, [
            ([plain(value) for value in inputs], [plain(value) for value in outputs])
            for inputs, outputs in self.data_sets
        ]


class Stored(Case):
    """A case that lies in a folder."""

    def __init__(self, kind: str, case: Any) -> None:
        super().__init__(kind, case.name, case.rtol, case.atol)
        self.folder = Path(case.model_dir)

    def load(self) -> tuple[onnx.ModelProto, DataSets]:
        model = onnx.load(self.folder / "model.onnx")
        data_sets = []
        for folder in sorted(self.folder.glob("test_data_set_*")):
            data_sets.append((stored_values(folder, "input", model.graph.input),
                              stored_values(folder, "output", model.graph.output)))
        for file in sorted(self.folder.glob("test_data_*.npz")):
            arrays = np.load(file, encoding="bytes", allow_pickle=True)
            data_sets.append((list(arrays["inputs"]), list(arrays["outputs"])))
        if not data_sets:
            raise AssertionError(f"{self.name} has no data")
        return model, data_sets


class Light(Case):
    """A network with constant weights, whose inputs count up from 0 to 1."""

    def __init__(self, path: Path) -> None:
        super().__init__("light", path.stem, 1e-3, 1e-7)
        self.path = path

    def load(self) -> tuple[onnx.ModelProto, DataSets]:
        model = onnx.load(self.path)
        weights = {tensor.name for tensor in model.graph.initializer}
        inputs = []
        for value in model.graph.input:
            if value.name not in weights:
                extents = value.type.tensor_type.shape.dim
                shape = [one.dim_value if one.HasField("dim_value") else 1 for one in extents]
                size = int(np.prod(shape))
                inputs.append((np.arange(size).reshape(shape) / size).astype(np.float32))
        outputs = [
            read_tensor(self.path.with_name(f"{self.path.stem}_output_{index}.pb"))
            for index in range(len(model.graph.output))
        ]
        return model, [(inputs, outputs)]


def all_cases() -> list[Case]:
    """Every case, the kinds one after the other."""
    with warnings.catch_warnings(action="ignore"):  # Some overflow and divide by zero on purpose.
        node = load_model_tests(kind="node")
    cases: list[Case] = [InMemory("node", case) for case in node]
    for kind in ("simple", "pytorch-operator", "pytorch-converted"):
        stored = sorted(load_model_tests(kind=kind), key=lambda case: case.name)
        cases += [Stored(kind, case) for case in stored]
    cases += [Light(Path(path)) for path in sorted(glob.glob(os.fspath(DATA / "light" / "*.onnx")))]
    return cases


def plain(value: Any) -> Any:
    """A value that the package may state as a message."""
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return [plain(item) for item in value] if isinstance(value, list) else value


def stored_values(folder: Path, role: str, declared: Any) -> list[Any]:
    """The values `input_0.pb`, `input_1.pb`, ... of a data set."""
    number = len(list(folder.glob(f"{role}_*.pb")))
    return [read_value(folder / f"{role}_{index}.pb", declared[index].type)
            for index in range(number)]


def read_value(path: Path, declared: onnx.TypeProto) -> Any:
    """A stored value of a declared type."""
    kind = declared.WhichOneof("value")
    if kind == "sequence_type":
        sequence = onnx.SequenceProto()
        sequence.ParseFromString(path.read_bytes())
        return numpy_helper.to_list(sequence)
    if kind == "optional_type":
        optional = onnx.OptionalProto()
        optional.ParseFromString(path.read_bytes())
        return numpy_helper.to_optional(optional)
    return read_tensor(path)


def read_tensor(path: Path) -> Any:
    """A stored tensor."""
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)
