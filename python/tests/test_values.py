"""Values in and out: every element type, memory that is not copied, text, sequences, optionals."""

from __future__ import annotations

import ctypes
import gc
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from conftest import model_of, node_model, tensor
from onnx import TensorProto, helper

import leapstone
from leapstone import InferenceSession
from leapstone._dtypes import ELEMENT_TYPES, dtype_of, number_of, packed, unpacked
from leapstone._library import library
from leapstone._values import Inputs, Memory, to_python

NUMBERS = sorted(ELEMENT_TYPES)
NUMERIC = [number for number in NUMBERS if number != TensorProto.STRING]


def every_pattern(number: int, count: int = 60) -> np.ndarray[Any, Any]:
    """Elements of a type, of many bit patterns."""
    dtype, bits = dtype_of(number), ELEMENT_TYPES[number].bits
    if dtype == np.bool_:
        return np.arange(count) % 3 == 0
    if bits < 8:
        return (np.arange(count) % 2**bits).astype(np.uint8).view(dtype)
    generator = np.random.default_rng(number)
    return generator.integers(0, 256, count * dtype.itemsize, dtype=np.uint8).view(dtype)


def identity(number: int, shape: Any = None) -> InferenceSession:
    return InferenceSession(node_model("Identity", number, shape, opset=25))


# ---- Element types -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_and_names_are_onnxs(number: int) -> None:
    assert ELEMENT_TYPES[number].dtype_name == str(dtype_of(number))
    assert dtype_of(number) == helper.tensor_dtype_to_np_dtype(number)
    assert number_of(dtype_of(number)) == number


@pytest.mark.parametrize("number", [n for n in NUMERIC if ELEMENT_TYPES[n].is_packed])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 60])
def test_packing_is_onnxs(number: int, count: int) -> None:
    array = every_pattern(number)[:count]
    raw = onnx.numpy_helper.from_array(array).raw_data
    data = packed(array, ELEMENT_TYPES[number].bits)
    assert data.tobytes() == raw
    assert unpacked(data, count, number).tobytes() == array.tobytes()


@pytest.mark.parametrize("number", NUMERIC)
@pytest.mark.parametrize("shape", [(), (5,), (3, 4, 5), (0, 3)])
def test_numbers_pass_through_whole(number: int, shape: tuple[int, ...]) -> None:
    x = every_pattern(number)[: int(np.prod(shape))].reshape(shape)
    try:
        session = identity(number)
    except leapstone.NotImplemented as error:
        assert "Identity" in str(error) and ELEMENT_TYPES[number].dtype_name.split("_")[0] in str(error)
        return
    [y] = session.run(None, {"x0": x})
    assert (y.dtype, y.shape) == (x.dtype, x.shape)
    assert y.tobytes() == x.tobytes()


@pytest.mark.parametrize("number", [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64])
def test_types_compute(number: int) -> None:
    x = np.array([1, -2, 3], dtype_of(number))
    [y] = InferenceSession(node_model("Add", number, [3], inputs=2)).run(None, {"x0": x, "x1": x})
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y.astype(np.float32), [2, -4, 6])


def test_ml_dtypes_without_elements() -> None:
    [y] = identity(TensorProto.BFLOAT16).run(None, {"x0": np.zeros((2, 0), ml_dtypes.bfloat16)})
    assert (y.dtype, y.shape) == (np.dtype(ml_dtypes.bfloat16), (2, 0))


# ---- Memory ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [
    lambda x: x[::2], lambda x: x.T, lambda x: x[:, 1:3], lambda x: x.astype(">f4"),
    lambda x: np.asfortranarray(x), lambda x: x.tolist(), lambda x: leapstone.OrtValue(x)])
def test_layouts_of_inputs(change: Any) -> None:
    given = change(np.arange(24, dtype=np.float32).reshape(4, 6))
    plain = given.numpy() if isinstance(given, leapstone.OrtValue) else np.array(given, np.float32)
    [y] = InferenceSession(node_model("Neg", TensorProto.FLOAT, None)).run(None, {"x0": given})
    np.testing.assert_array_equal(y, -plain)


def test_misaligned_inputs() -> None:
    x = np.zeros(17, np.uint8)[1:].view(np.float32)
    assert not x.flags.aligned
    [y] = InferenceSession(node_model("Cos", TensorProto.FLOAT, None)).run(None, {"x0": x})
    np.testing.assert_array_equal(y, np.ones(4, np.float32))


def test_read_only_inputs() -> None:
    x = np.ones(4, np.float32)
    x.flags.writeable = False
    [y] = InferenceSession(node_model("Neg", TensorProto.FLOAT, None)).run(None, {"x0": x})
    np.testing.assert_array_equal(y, -x)


def test_python_numbers_take_the_models_type() -> None:
    session = InferenceSession(node_model("Neg", TensorProto.INT32, []))
    assert session.run(None, {"x0": 3})[0] == -3
    assert session.run(None, {"x0": np.int32(3)})[0].dtype == np.int32


def test_inputs_are_not_copied() -> None:
    session = InferenceSession(node_model("Shape", TensorProto.FLOAT, None))
    x = np.zeros(64 * 2**20 // 4, np.float32)
    session.run(None, {"x0": x[:4]})
    before = peak()
    session.run(None, {"x0": x})
    assert peak() - before < 8 * 2**20


def test_outputs_are_not_copied() -> None:
    session = InferenceSession(node_model("Neg", TensorProto.FLOAT, None))
    x = np.zeros(64 * 2**20 // 4, np.float32)
    session.run(None, {"x0": x})
    peak()
    before = resident()
    [y] = session.run(None, {"x0": x})
    assert peak() - before < y.nbytes + 8 * 2**20


def peak() -> int:
    """The most memory that the process has had since it was asked last."""
    with open("/proc/self/status", encoding="ascii") as status:
        figure = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    with open("/proc/self/clear_refs", "w", encoding="ascii") as reset:
        reset.write("5")
    return figure * 1024


def resident() -> int:
    """Bytes of memory that the process has."""
    with open("/proc/self/status", encoding="ascii") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def test_outputs_lie_in_the_librarys_memory_until_the_last_view_goes() -> None:
    session = InferenceSession(node_model("Neg", TensorProto.FLOAT, None))
    x = np.ones(2**20, np.float32)
    [y] = session.run(None, {"x0": x})
    memory = y.base
    assert isinstance(memory, Memory)
    freed: list[int] = []
    free = memory.free
    memory.free = lambda handle: (freed.append(handle), free(handle))
    view = y[10:20].reshape(2, 5)
    del session, y, memory
    gc.collect()
    assert not freed
    np.testing.assert_array_equal(view, -1)
    view += 1
    assert view.flags.writeable
    del view
    gc.collect()
    assert len(freed) == 1


def test_memory_does_not_grow() -> None:
    session = InferenceSession(node_model("Neg", TensorProto.FLOAT, None))
    x = np.ones(2**18, np.float32)
    for _ in range(20):
        session.run(None, {"x0": x})
    # A leak shows in every window; what else a process takes, in some.
    growths = []
    for _ in range(4):
        before = resident()
        for _ in range(300):
            session.run(None, {"x0": x})
        growths.append(resident() - before)
    assert min(growths) < 4 * 2**20


def test_inputs_may_go_after_a_run() -> None:
    session = InferenceSession(node_model("Neg", TensorProto.FLOAT, None))
    x = np.ones(10, np.float32)
    seen = weakref.ref(x)
    session.run(None, {"x0": x})
    del x
    gc.collect()
    assert seen() is None


class MadeOnAccess(Mapping[str, np.ndarray[Any, Any]]):
    """Gives an array that nobody else holds each time that it is asked, as files of arrays do."""

    def __init__(self, fills: dict[str, float]) -> None:
        self.fills = fills

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        return np.full((3, 2), self.fills[name], np.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self.fills)

    def __len__(self) -> int:
        return len(self.fills)


def test_inputs_that_nobody_else_holds_live_until_the_run_is_over(
    tmp_path: Path,
) -> None:
    session = InferenceSession(node_model("Sum", TensorProto.FLOAT, None, inputs=4))
    feed = MadeOnAccess({"x0": 1, "x1": 10, "x2": 100, "x3": 1000})
    wanted = np.full((3, 2), 1111, np.float32)
    np.testing.assert_array_equal(session.run(None, feed)[0], wanted)
    np.savez(tmp_path / "in.npz", **feed)
    with np.load(tmp_path / "in.npz") as file:
        np.testing.assert_array_equal(session.run(None, file)[0], wanted)


def test_a_feed_may_change_during_a_run() -> None:
    feed = {"x": np.ones(4, np.float32), "s": [np.ones(4, np.float32)]}
    seen = weakref.ref(feed["x"]), weakref.ref(feed["s"][0])
    with Inputs(library()) as inputs:
        inputs.add(feed["x"], "tensor(float)", TensorProto.FLOAT)
        inputs.add(feed["s"], "seq(tensor(float))", TensorProto.FLOAT)
        feed.clear()
        gc.collect()
        assert [one() is not None for one in seen] == [True, True]
    del inputs
    assert [one() for one in seen] == [None, None]


OUTPUT_MODELS = {
    "an input": [helper.make_node("Identity", ["x"], ["y"])],
    "an input under another shape": [helper.make_node("Flatten", ["x"], ["y"])],
    "a constant": [helper.make_node("Constant", [], ["y"], value_floats=[1.0, 2.0])],
    "a shape": [helper.make_node("Shape", ["x"], ["s"]),
                helper.make_node("Cast", ["s"], ["y"], to=TensorProto.FLOAT)],
}


@pytest.mark.parametrize("nodes", OUTPUT_MODELS.values(), ids=OUTPUT_MODELS.keys())
def test_an_output_is_nobody_elses_memory(nodes: list[onnx.NodeProto]) -> None:
    model = model_of([*nodes, helper.make_node("Identity", ["y"], ["z"])],
                     [tensor("x", TensorProto.FLOAT, ["N"])],
                     [tensor("y", TensorProto.FLOAT, None), tensor("z", TensorProto.FLOAT, None)])
    session = InferenceSession(model)
    x = np.array([1, 2, 3], np.float32)
    y, z = session.run(None, {"x": x})
    before = y.copy()
    y += 100
    np.testing.assert_array_equal(z, before)
    np.testing.assert_array_equal(x, [1, 2, 3])
    np.testing.assert_array_equal(session.run(["y"], {"x": x})[0], before)
    x += 100
    np.testing.assert_array_equal(z, before)


def test_inputs_that_decide_shapes_are_read_at_every_run() -> None:
    model = model_of([helper.make_node("Reshape", ["x", "s"], ["y"])],
                     [tensor("x", TensorProto.FLOAT, None), tensor("s", TensorProto.INT64, [2])],
                     [tensor("y", TensorProto.FLOAT, None)])
    session = InferenceSession(model)
    x, shape = np.arange(6, dtype=np.float32), np.array([2, 3], np.int64)
    assert session.run(None, {"x": x, "s": shape})[0].shape == (2, 3)
    shape[:] = [3, 2]
    assert session.run(None, {"x": x, "s": shape})[0].shape == (3, 2)


@pytest.mark.parametrize("operator, wanted", [("Not", [1, 0, 0, 0]), ("Identity", [0, 1, 1, 1])])
def test_any_byte_but_0_is_true(operator: str, wanted: list[int]) -> None:
    raw = np.array([0, 1, 2, 255], np.uint8)
    session = InferenceSession(node_model(operator, TensorProto.BOOL, None))
    for x in (raw.view(bool), raw[::-1].copy()[::-1].view(bool), leapstone.OrtValue(raw.view(bool))):
        assert session.run(None, {"x0": x})[0].view(np.uint8).tolist() == wanted
    assert raw.tolist() == [0, 1, 2, 255]
    scalar = session.run(None, {"x0": raw[2:3].view(bool).reshape(())})[0]
    assert (scalar.shape, scalar.view(np.uint8).tolist()) == ((), wanted[2])
    assert session.run(None, {"x0": np.zeros((2, 0), bool)})[0].shape == (2, 0)


# ---- Strings, sequences, optionals -------------------------------------------------------------------


@pytest.mark.parametrize("x", [
    np.array([["a", "bb"], ["", "é☃"]]),
    np.array([["a", "b\0b"], ["", "é☃"]], dtype=object),
    np.array(["x", b"bytes"], dtype=object),
    np.array([b"bytes", b""]),
    np.array("scalar"),
    np.empty((0, 2), dtype=object),
])
def test_strings(x: np.ndarray[Any, Any]) -> None:
    [y] = identity(TensorProto.STRING).run(None, {"x0": x})
    assert (y.dtype, y.shape) == (np.dtype(object), x.shape)
    wanted = [one.decode() if isinstance(one, bytes) else one for one in x.reshape(-1).tolist()]
    assert y.reshape(-1).tolist() == wanted
    assert all(isinstance(one, str) for one in y.reshape(-1))


@pytest.mark.parametrize("element", [
    b"\xff", b"caf\xe9", b"a\xc3", b"\xed\xa0\x80", "\udcff", "\ud800", "a\0\udc80"])
def test_strings_that_are_not_utf8_are_refused(element: str | bytes) -> None:
    session = identity(TensorProto.STRING)
    with pytest.raises(leapstone.InvalidArgument, match="UTF-8"):
        session.run(None, {"x0": np.array(["a", element], dtype=object)})
    assert session.run(None, {"x0": np.array(["a"])})[0].tolist() == ["a"]


def test_strings_of_a_model_that_are_not_utf8_are_refused() -> None:
    values = TensorProto(name="c", data_type=TensorProto.STRING, dims=[2], string_data=[b"a", b"caf\xe9"])
    node = helper.make_node("Identity", ["c"], ["y"])
    model = model_of([node], [], [tensor("y", TensorProto.STRING, [2])], initializers=[values])
    with pytest.raises(leapstone.InvalidGraph, match="string 1 is not UTF-8"):
        InferenceSession(model)


def test_a_tensor_of_strings_holds_strings() -> None:
    with pytest.raises(leapstone.InvalidArgument, match="int"):
        identity(TensorProto.STRING).run(None, {"x0": np.array(["a", 5], dtype=object)})


def through(value: Any, type_text: str, number: int) -> Any:
    """What comes back of a value that the library is given."""
    lib = library()
    with Inputs(lib) as inputs:
        handle = ctypes.c_void_p(inputs.add(value, type_text, number))
        # A handle of its own, as an output has one.
        shared = ctypes.c_void_p()
        lib.check(lib.optional_create(handle, ctypes.byref(shared)))
        return to_python(lib, shared.value or 0)


def test_sequences_are_lists() -> None:
    items = [np.full(size, size, np.float32) for size in (1, 2, 3)]
    result = through(items, "seq(tensor(float))", TensorProto.FLOAT)
    assert isinstance(result, list)
    assert [one.tolist() for one in result] == [[1], [2, 2], [3, 3, 3]]
    assert through([], "seq(tensor(float))", TensorProto.FLOAT) == []
    assert through(tuple(items), "seq(tensor(float))", TensorProto.FLOAT)[1].tolist() == [2, 2]
    texts = through([["a"], ["b", "c"]], "seq(tensor(string))", TensorProto.STRING)
    assert [one.tolist() for one in texts] == [["a"], ["b", "c"]]


def test_a_sequence_is_a_list_of_one_type() -> None:
    with pytest.raises(leapstone.InvalidArgument, match="list"):
        through(np.float32(5), "seq(tensor(float))", TensorProto.FLOAT)
    with pytest.raises(leapstone.InvalidArgument, match="int64"):
        through([np.float32(5), np.int64(5)], "seq(tensor(float))", TensorProto.FLOAT)


def test_optionals_are_values_or_none() -> None:
    value = np.array([1, 2], np.float32)
    inside = through(value, "optional(tensor(float))", TensorProto.FLOAT)
    np.testing.assert_array_equal(inside, value)
    assert through(None, "optional(tensor(float))", TensorProto.FLOAT) is None
    [one] = through([value], "optional(seq(tensor(float)))", TensorProto.FLOAT)
    np.testing.assert_array_equal(one, value)


@pytest.mark.parametrize("text", ["map(int64,tensor(float))", "sparse_tensor(float)"])
def test_types_that_cannot_be_passed(text: str) -> None:
    with pytest.raises(leapstone.InvalidArgument, match="cannot be passed"):
        through({}, text, TensorProto.FLOAT)


def test_none_is_no_tensor() -> None:
    with pytest.raises(leapstone.InvalidArgument, match="None"):
        through(None, "tensor(float)", TensorProto.FLOAT)
