"""Values on their way into a run and out of it.

In: a contiguous array is borrowed for the duration of the run, anything else is made one first.
Out: an array over the library's memory, which goes back when the array and all its views are gone.
Sequences are lists, an optional is its value or None, tensors of strings are object arrays.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import byref, c_char_p, c_int32, c_int64, c_size_t, c_void_p
from typing import Any

import numpy as np
import numpy.typing as npt

from ._dtypes import ELEMENT_TYPES, STRING, dtype_of, number_of, packed, type_name, unpacked
from ._library import OPTIONAL, SEQUENCE, TENSOR, Library
from .errors import InvalidArgument

_dimension_types = [c_int64 * rank for rank in range(33)]


def dimensions_of(shape: Sequence[int]) -> Any:
    """A C array of extents."""
    rank = len(shape)
    if rank < len(_dimension_types):
        return _dimension_types[rank](*shape)
    return (c_int64 * rank)(*shape)


# ---- In --------------------------------------------------------------------------------------------


def as_array(value: Any, number: int) -> npt.NDArray[Any]:
    """What somebody passed for a tensor, as a contiguous array of native byte order.

    Arrays keep their dtype, which the library then compares with the model's; lists and Python
    numbers, which have none, take the model's.
    """
    if isinstance(value, np.ndarray):
        array = value
    elif isinstance(value, (list, tuple, int, float, bool, complex, str, bytes)):
        array = np.asarray(value, dtype=dtype_of(number)) if number else np.asarray(value)
    else:
        array = np.asarray(value)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    flags = array.flags
    # ascontiguousarray would make a scalar an array of one dimension.
    return array if flags.c_contiguous and flags.aligned else np.array(array, order="C")


def borrow(library: Library, array: npt.NDArray[Any]) -> tuple[int, Any]:
    """A handle over an array's memory, and what must live as long as the handle is used."""
    number = number_of(array.dtype)
    if number == STRING:
        return _strings(library, array), None
    shape = array.shape
    held = packed(array, ELEMENT_TYPES[number].bits) if ELEMENT_TYPES[number].is_packed else array
    handle = c_void_p()
    library.check(
        library.tensor_borrow(
            number, dimensions_of(shape), len(shape), held.__array_interface__["data"][0],
            held.nbytes, None, None, byref(handle)))
    return handle.value or 0, held


def _strings(library: Library, array: npt.NDArray[Any]) -> int:
    encoded = [_utf8(element) for element in array.reshape(-1).tolist()]
    count = len(encoded)
    handle = c_void_p()
    library.check(
        library.tensor_create_strings(
            dimensions_of(array.shape), array.ndim, (c_char_p * count)(*encoded),
            (c_size_t * count)(*map(len, encoded)), byref(handle)))
    return handle.value or 0


def _utf8(element: Any) -> bytes:
    if isinstance(element, bytes):
        return element
    if isinstance(element, str):
        return element.encode("utf-8", "surrogateescape")
    raise InvalidArgument(f"a tensor of strings holds str or bytes, not {type(element).__name__}")


class Inputs:
    """Handles of one run's inputs; frees them when the `with` block ends."""

    __slots__ = ("library", "handles", "held")

    def __init__(self, library: Library) -> None:
        self.library = library
        self.handles: list[int] = []
        self.held: list[Any] = []

    def __enter__(self) -> Inputs:
        return self

    def __exit__(self, *_: object) -> None:
        free = self.library.value_free
        for handle in self.handles:
            free(handle)

    def add(self, value: Any, type_text: str, number: int) -> int:
        """A handle for a value of an input whose type reads `type_text`, elements `number`.

        Raises:
            InvalidArgument: the value cannot be one of that type.
        """
        if type_text.startswith("tensor("):
            return self._tensor(value, number)
        kind, _, rest = type_text.partition("(")
        inner = rest[:-1]
        if kind == "seq":
            return self._sequence(value, inner, number)
        if kind == "optional":
            item = None if value is None else self.add(value, inner, number)
            return self._made(self.library.optional_create, item)
        if not type_text:
            if isinstance(value, (list, tuple)):
                return self._sequence(value, "", number)
            return self._tensor(value, number)
        raise InvalidArgument(f"values of type {type_text} cannot be passed")

    def _tensor(self, value: Any, number: int) -> int:
        if value is None:
            raise InvalidArgument("None is no tensor")
        handle, held = borrow(self.library, as_array(value, number))
        self.handles.append(handle)
        self.held.append(held)
        return handle

    def _sequence(self, value: Any, inner: str, number: int) -> int:
        if not isinstance(value, (list, tuple)):
            raise InvalidArgument(f"a sequence is a list, not {type(value).__name__}")
        items = [self.add(item, inner, number) for item in value]
        return self._made(
            self.library.sequence_create, (c_void_p * len(items))(*items), len(items))

    def _made(self, function: Any, *arguments: Any) -> int:
        handle = c_void_p()
        self.library.check(function(*arguments, byref(handle)))
        self.handles.append(handle.value or 0)
        return handle.value or 0


# ---- Out -------------------------------------------------------------------------------------------


class Memory:
    """Memory for an array to have as its base."""

    __slots__ = ("__array_interface__",)

    def __init__(self, address: int, shape: tuple[int, ...], typestr: str) -> None:
        self.__array_interface__ = {
            "version": 3, "shape": shape, "typestr": typestr, "data": (address, False)}


class _ValueMemory(Memory):
    """The memory of a library's value, which is freed when no array needs it any more."""

    __slots__ = ("handle", "free")

    def __init__(
        self, handle: int, free: Any, address: int, shape: tuple[int, ...], typestr: str
    ) -> None:
        super().__init__(address, shape, typestr)
        self.handle = handle
        self.free = free

    def __del__(self) -> None:
        self.free(self.handle)


def array_over(memory: Memory, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """An array over memory; NumPy reads the types of ml_dtypes as mere bytes at first."""
    array = np.asarray(memory)
    return array if array.dtype == dtype else array.view(dtype)


def to_python(library: Library, handle: int, kind: int = 0) -> Any:
    """What a value holds: an array, a list, or None. The handle is used up, whatever happens."""
    if kind == 0:
        found = c_int32()
        status = library.value_kind(handle, byref(found))
        if status:
            library.value_free(handle)
            raise library.exception(status)
        kind = found.value
    if kind == TENSOR:
        return _array(library, handle)
    try:
        items = [to_python(library, item) for item in _items(library, handle)]
    finally:
        library.value_free(handle)
    if kind == SEQUENCE:
        return items
    assert kind == OPTIONAL
    return items[0] if items else None


def _items(library: Library, handle: int) -> list[int]:
    count = c_size_t()
    library.check(library.value_count(handle, byref(count)))
    handles = []
    for index in range(count.value):
        item = c_void_p()
        library.check(library.value_item(handle, index, byref(item)))
        handles.append(item.value or 0)
    return handles


def _array(library: Library, handle: int) -> npt.NDArray[Any]:
    number, extents, rank = c_int32(), ctypes.POINTER(c_int64)(), c_size_t()
    status = library.tensor_info(handle, byref(number), byref(extents), byref(rank))
    if status:
        library.value_free(handle)
        raise library.exception(status)
    shape = tuple(extents[: rank.value])
    if number.value == STRING:
        try:
            return _string_array(library, handle, shape)
        finally:
            library.value_free(handle)
    return _memory_array(library, handle, number.value, shape)


def _memory_array(
    library: Library, handle: int, number: int, shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    address, size = c_void_p(), c_size_t()
    status = library.tensor_data(handle, byref(address), byref(size))
    if status:
        library.value_free(handle)
        raise library.exception(status)
    dtype = dtype_of(number)
    if size.value == 0:
        library.value_free(handle)
        return np.empty(shape, dtype)
    if ELEMENT_TYPES[number].is_packed:
        memory = _ValueMemory(handle, library.value_free, address.value or 0, (size.value,), "|u1")
        count = int(np.prod(shape, dtype=np.int64))
        return unpacked(np.asarray(memory), count, number).reshape(shape)
    memory = _ValueMemory(handle, library.value_free, address.value or 0, shape, dtype.str)
    return array_over(memory, dtype)


def _string_array(
    library: Library, handle: int, shape: tuple[int, ...]
) -> npt.NDArray[np.object_]:
    strings, lengths, count = ctypes.POINTER(c_void_p)(), ctypes.POINTER(c_size_t)(), c_size_t()
    library.check(library.tensor_strings(handle, byref(strings), byref(lengths), byref(count)))
    array = np.empty(count.value, dtype=object)
    for index in range(count.value):
        text = ctypes.string_at(strings[index], lengths[index]) if lengths[index] else b""
        array[index] = text.decode("utf-8", "surrogateescape")
    return array.reshape(shape)


def describe(value: Any) -> str:
    """The type of a value as onnxruntime writes types."""
    if value is None:
        return "optional()"
    if isinstance(value, (list, tuple)):
        return f"seq({describe(value[0]) if len(value) else ''})"
    return type_name(number_of(np.asarray(value).dtype))
