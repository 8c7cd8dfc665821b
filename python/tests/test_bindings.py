"""OrtValue and IOBinding."""

from __future__ import annotations

import pickle
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from conftest import node_model
from onnx import TensorProto

import leapstone
from leapstone import InferenceSession, OrtValue
from leapstone.errors import of_binding


def test_ort_value_shares_an_array() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    value = OrtValue.ortvalue_from_numpy(array)
    assert value.numpy() is array
    assert value.data_ptr() == array.ctypes.data
    assert (value.shape(), value.data_type(), value.element_type()) == ([2, 3], "tensor(float)", 1)
    assert (value.device_name(), value.tensor_size_in_bytes()) == ("cpu", 24)
    assert value.is_tensor() and value.has_value() and not value.is_tensor_sequence()
    value.update_inplace(np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(array, 1)
    with pytest.raises(leapstone.InvalidArgument):
        value.update_inplace(np.ones((3, 2), np.float32))


def test_ort_value_of_a_type_without_numpy_name() -> None:
    raw = np.array([0x3F80, 0x4000], np.uint16)
    value = OrtValue.ortvalue_from_numpy_with_onnx_type(raw, TensorProto.BFLOAT16)
    assert value.data_type() == "tensor(bfloat16)"
    np.testing.assert_array_equal(value.numpy(), np.array([1, 2], ml_dtypes.bfloat16))


@pytest.mark.parametrize("element_type", [np.float32, TensorProto.FLOAT])
def test_ort_value_of_a_shape(element_type: Any) -> None:
    value = OrtValue.ortvalue_from_shape_and_type([2, 3], element_type)
    np.testing.assert_array_equal(value.numpy(), np.zeros((2, 3), np.float32))


def test_dlpack_shares_memory() -> None:
    array = np.arange(4, dtype=np.float32)
    value = OrtValue.from_dlpack(array)
    assert value.data_ptr() == array.ctypes.data
    assert np.from_dlpack(value).ctypes.data == array.ctypes.data


def test_run_with_ort_values(add_model: bytes, add_feed: Any) -> None:
    feed = {name: OrtValue.ortvalue_from_numpy(array) for name, array in add_feed.items()}
    [y] = InferenceSession(add_model).run_with_ort_values(["y"], feed)
    assert isinstance(y, OrtValue)
    np.testing.assert_array_equal(y.numpy(), add_feed["x0"] + 10)


def test_a_binding_reads_and_writes_where_it_is_told(add_model: bytes, add_feed: Any) -> None:
    session = InferenceSession(add_model)
    binding = session.io_binding()
    x0 = add_feed["x0"]
    binding.bind_cpu_input("x0", x0)
    binding.bind_input("x1", "cpu", 0, np.float32, [3, 2], add_feed["x1"].ctypes.data)
    target = np.zeros((3, 2), np.float32)
    binding.bind_output("y", "cpu", 0, np.float32, target.shape, target.ctypes.data)
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(target, x0 + 10)
    assert binding.get_outputs()[0].data_ptr() == target.ctypes.data
    x0 += 1
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(target, x0 + 10)


def test_outputs_that_are_not_bound_to_memory(add_model: bytes, add_feed: Any) -> None:
    session = InferenceSession(add_model)
    binding = session.io_binding()
    for name, array in add_feed.items():
        binding.bind_ortvalue_input(name, OrtValue.ortvalue_from_numpy(array))
    binding.bind_output("y")
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(binding.copy_outputs_to_cpu()[0], add_feed["x0"] + 10)
    binding.clear_binding_outputs()
    with pytest.raises(leapstone.InvalidArgument, match="output"):
        session.run_with_iobinding(binding)


@pytest.mark.parametrize("shape, dtype", [((2, 3), np.float32), ((3, 2), np.float64)])
def test_memory_that_does_not_fit(
    add_model: bytes, add_feed: Any, shape: tuple[int, ...], dtype: Any
) -> None:
    session = InferenceSession(add_model)
    binding = session.io_binding()
    for name, array in add_feed.items():
        binding.bind_cpu_input(name, array)
    binding.bind_ortvalue_output("y", OrtValue(np.zeros(shape, dtype)))
    with pytest.raises(leapstone.InvalidArgument, match="y"):
        session.run_with_iobinding(binding)
    with pytest.raises(leapstone.InvalidArgument, match="nothing"):
        binding.bind_cpu_input("nothing", add_feed["x0"])
    read_only = np.zeros((3, 2), np.float32)
    read_only.flags.writeable = False
    binding.bind_ortvalue_output("y", OrtValue(read_only))
    with pytest.raises(leapstone.InvalidArgument, match="read-only"):
        session.run_with_iobinding(binding)


def test_packed_elements_are_written_too() -> None:
    session = InferenceSession(node_model("Identity", TensorProto.INT4, [3]))
    target = OrtValue(np.zeros(3, ml_dtypes.int4))
    x = np.array([1, -2, 7], ml_dtypes.int4)
    binding = session.io_binding()
    binding.bind_cpu_input("x0", x)
    binding.bind_ortvalue_output("y", target)
    session.run_with_iobinding(binding)
    assert target.numpy().tolist() == x.tolist()


def misaligned(dtype: Any) -> np.ndarray[Any, Any]:
    raw = np.zeros(6 * np.dtype(dtype).itemsize + 1, np.uint8)
    return raw[1:].view(dtype).reshape(3, 2)


AWKWARD = {
    "misaligned": lambda: misaligned(np.float32),
    "every other column": lambda: np.zeros((3, 4), np.float32)[:, ::2],
    "columns first": lambda: np.zeros((3, 2), np.float32, order="F"),
    "backwards": lambda: np.zeros((3, 2), np.float32)[::-1],
    "big-endian": lambda: np.zeros((3, 2), ">f4"),
}


@pytest.mark.parametrize("target", AWKWARD.values(), ids=AWKWARD.keys())
def test_awkward_memory_is_written_too(add_model: bytes, add_feed: Any, target: Any) -> None:
    session = InferenceSession(add_model)
    binding = session.io_binding()
    for name, array in add_feed.items():
        binding.bind_cpu_input(name, array)
    memory = target()
    binding.bind_ortvalue_output("y", OrtValue(memory))
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(memory, add_feed["x0"] + 10)
    assert binding.copy_outputs_to_cpu()[0] is memory
    binding.bind_cpu_input("x0", add_feed["x0"][:1])
    binding.bind_cpu_input("x1", add_feed["x1"][:1])
    with pytest.raises(leapstone.InvalidArgument, match="y"):
        session.run_with_iobinding(binding)


def test_memory_at_a_misaligned_address(add_model: bytes, add_feed: Any) -> None:
    session = InferenceSession(add_model)
    binding = session.io_binding()
    for name, array in add_feed.items():
        binding.bind_cpu_input(name, array)
    memory = misaligned(np.float32)
    binding.bind_output("y", "cpu", 0, np.float32, memory.shape, memory.ctypes.data)
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(memory, add_feed["x0"] + 10)


def test_what_a_binding_raises_is_a_runtime_error_too(add_model: bytes, add_feed: Any) -> None:
    session = InferenceSession(add_model)
    binding = session.io_binding()
    wrong = [
        lambda: binding.bind_cpu_input("nothing", add_feed["x0"]),
        lambda: binding.bind_input("x0", "cpu", 0, 99, [3, 2], 0),
        lambda: binding.bind_output("y", "cpu", 0, None, [3, 2], add_feed["x0"].ctypes.data),
        lambda: session.run_with_iobinding(binding),
    ]
    for attempt in wrong:
        with pytest.raises(RuntimeError) as raised:
            attempt()
        assert isinstance(raised.value, leapstone.InvalidArgument)
    binding.bind_output("y")
    with pytest.raises(RuntimeError, match="x0") as raised:
        session.run_with_iobinding(binding)
    assert isinstance(raised.value, leapstone.MissingInput)
    copy = pickle.loads(pickle.dumps(raised.value))
    assert type(copy) is type(raised.value) and str(copy) == str(raised.value)


@pytest.mark.parametrize("kind", [
    kind for kind in vars(leapstone).values()
    if isinstance(kind, type) and issubclass(kind, leapstone.LeapstoneError)])
def test_every_exception_can_come_from_a_binding(kind: type[leapstone.LeapstoneError]) -> None:
    error = of_binding(kind)("words")
    assert isinstance(error, kind) and isinstance(error, RuntimeError) and str(error) == "words"
    assert type(pickle.loads(pickle.dumps(error))) is type(error)
