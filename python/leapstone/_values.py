"""Values on their way into a run and out of it.

In: a contiguous array is borrowed for the duration of the run, anything else is made one first.
Out: an array over the library's memory, which goes back when the array and all its views are gone.
Sequences are lists, an optional is its value or None, tensors of strings are object arrays.
"""

from __future__ import annotations

import ctypes
from ctypes import byref, c_char, c_char_p, c_int32, c_int64, c_size_t, c_void_p
from typing import Any

import numpy as np
import numpy.typing as npt

from ._dtypes import (
    BOOL, ELEMENT_TYPES, STRING, UINT8, WHOLE_BYTES, dtype_of, number_of, packed, type_name, unpacked)
from ._library import OPTIONAL, SEQUENCE, TENSOR, Library
from .errors import InvalidArgument

# C arrays of extents: nobody writes into them, and the shapes of a program are few.
_dimensions: dict[tuple[int, ...], Any] = {}
_DIMENSIONS_KEPT = 1024

def dimensions_of(shape: tuple[int, ...]) -> Any:
    """A C array of extents."""
    known = _dimensions.get(shape)
    if known is None:
        if len(_dimensions) >= _DIMENSIONS_KEPT:
            _dimensions.clear()
        known = _dimensions[shape] = (c_int64 * len(shape))(*shape)
    return known


def address_of(array: npt.NDArray[Any]) -> int:
    """Where an array's elements lie."""
    try:
        # The quickest way there is, for arrays that may be written to.
        return ctypes.addressof(c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        return int(array.__array_interface__["data"][0])


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


def _zeros_and_ones(array: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The array, or a copy where a byte is neither: views of other memory have such elements."""
    data = array.view(np.uint8)
    return np.asarray(data != 0) if data.size and data.max() > 1 else array


def _utf8(element: Any) -> bytes:
    if isinstance(element, bytes):
        return element
    if isinstance(element, str):
        try:
            return element.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgument(f"an element of a tensor of strings is not UTF-8: {error}") from None
    raise InvalidArgument(f"a tensor of strings holds str or bytes, not {type(element).__name__}")


class Inputs:
    """Handles of one run's inputs; the `with` block frees them."""

    __slots__ = ("library", "handles", "_held", "_place", "_reference")

    def __init__(self, library: Library) -> None:
        self.library = library
        self.handles: list[int] = []
        # Every array whose memory the run reads or writes: what passed it may let go of it meanwhile.
        self._held: list[Any] = []
        self._place = c_void_p()
        self._reference = byref(self._place)

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
            return self.add_tensor(value, number)
        kind, _, rest = type_text.partition("(")
        inner = rest[:-1]
        if kind == "seq":
            return self._sequence(value, inner, number)
        if kind == "optional":
            item = None if value is None else self.add(value, inner, number)
            return self._added(self.library.optional_create(item, self._reference))
        if not type_text:
            if isinstance(value, (list, tuple)):
                return self._sequence(value, "", number)
            return self.add_tensor(value, number)
        raise InvalidArgument(f"values of type {type_text} cannot be passed")

    def add_tensor(self, value: Any, number: int) -> int:
        """A handle for a value of an input that is a tensor of elements `number`, 0 where that is unknown."""
        if type(value) is np.ndarray:
            flags = value.flags
            if flags.c_contiguous and flags.aligned:
                plain = WHOLE_BYTES.get(value.dtype)
                if plain is not None and plain != BOOL:
                    return self._borrowed(value, plain, value.shape)
        elif value is None:
            raise InvalidArgument("None is no tensor")
        array = as_array(value, number)
        number = number_of(array.dtype)
        if number == STRING:
            return self._strings(array)
        if number == BOOL:
            array = _zeros_and_ones(array)
        row = ELEMENT_TYPES[number]
        held = packed(array, row.bits) if row.is_packed else array
        return self._borrowed(held, number, array.shape)

    def add_buffer(self, array: npt.NDArray[Any], number: int) -> int:
        """A handle for memory that a run writes to: a contiguous array of elements `number`."""
        return self._borrowed(array, number, array.shape)

    def _borrowed(self, array: npt.NDArray[Any], number: int, shape: tuple[int, ...]) -> int:
        self._held.append(array)
        status = self.library.tensor_borrow(
            number, _dimensions.get(shape) or dimensions_of(shape), len(shape), address_of(array),
            array.nbytes, None, None, self._reference)
        return self._added(status)

    def _added(self, status: int) -> int:
        if status:
            raise self.library.exception(status)
        handle: int = self._place.value  # type: ignore[assignment]
        self.handles.append(handle)
        return handle

    def _strings(self, array: npt.NDArray[Any]) -> int:
        encoded = [_utf8(element) for element in array.reshape(-1).tolist()]
        count = len(encoded)
        return self._added(self.library.tensor_create_strings(
            dimensions_of(array.shape), array.ndim, (c_char_p * count)(*encoded),
            (c_size_t * count)(*map(len, encoded)), self._reference))

    def _sequence(self, value: Any, inner: str, number: int) -> int:
        if not isinstance(value, (list, tuple)):
            raise InvalidArgument(f"a sequence is a list, not {type(value).__name__}")
        items = [self.add(item, inner, number) for item in value]
        return self._added(self.library.sequence_create(
            (c_void_p * len(items))(*items), len(items), self._reference))


# ---- Out -------------------------------------------------------------------------------------------


class Memory:
    """Memory for an array to have as its base.

    Where `free` is given, it is called with `handle` when no array needs the memory any more.
    """

    __slots__ = ("__array_interface__", "free", "handle")

    def __init__(
        self, address: int, shape: tuple[int, ...], code: str, handle: int = 0, free: Any = None
    ) -> None:
        self.handle = handle
        self.free = free
        self.__array_interface__ = {
            "version": 3, "shape": shape, "typestr": code, "data": (address, False)}

    def __del__(self) -> None:
        if self.free is not None:
            self.free(self.handle)


def array_code(dtype: np.dtype[Any]) -> str:
    """What the array interface calls a dtype: those of ml_dtypes are bytes to it."""
    return dtype.str if dtype.isbuiltin == 1 else f"|V{dtype.itemsize}"


def array_at(
    address: int, shape: tuple[int, ...], dtype: np.dtype[Any], handle: int = 0, free: Any = None
) -> npt.NDArray[Any]:
    """An array over memory."""
    array = np.asarray(Memory(address, shape, array_code(dtype), handle, free))
    return array if dtype.isbuiltin == 1 else array.view(dtype)


# Outputs of a few elements are copied, which takes less time than an owner of their memory would.
_COPIED_BYTES = 4096
_COPIED_TYPES = frozenset(WHOLE_BYTES.values())


class _Description(ctypes.Structure):
    """What the library tells of a tensor, in one piece of memory."""

    _fields_ = [
        ("number", c_int32),
        ("rank", c_size_t),
        ("extents", ctypes.POINTER(c_int64)),
        ("address", c_void_p),
        ("size", c_size_t),
    ]


_RANK = _Description.rank.offset
_EXTENTS = _Description.extents.offset
_ADDRESS = _Description.address.offset
_SIZE = _Description.size.offset

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
    told = _Description()
    status = library.tensor_info(
        handle, byref(told), byref(told, _EXTENTS), byref(told, _RANK))
    number = told.number
    shape = tuple(told.extents[: told.rank])
    if number == STRING:
        try:
            return _string_array(library, handle, shape)
        finally:
            library.value_free(handle)
    status = status or library.tensor_data(handle, byref(told, _ADDRESS), byref(told, _SIZE))
    if status:
        error = library.exception(status)
        library.value_free(handle)
        raise error
    dtype = dtype_of(number)
    if told.size <= _COPIED_BYTES and number in _COPIED_TYPES:
        array = np.empty(shape, dtype)
        if told.size:
            ctypes.memmove(address_of(array), told.address, told.size)
        library.value_free(handle)
        return array
    if ELEMENT_TYPES[number].is_packed:
        data = array_at(told.address, (told.size,), dtype_of(UINT8), handle, library.value_free)
        return unpacked(data, int(np.prod(shape, dtype=np.int64)), number).reshape(shape)
    return array_at(told.address, shape, dtype, handle, library.value_free)


def _string_array(
    library: Library, handle: int, shape: tuple[int, ...]
) -> npt.NDArray[np.object_]:
    strings, lengths, count = ctypes.POINTER(c_void_p)(), ctypes.POINTER(c_size_t)(), c_size_t()
    library.check(library.tensor_strings(handle, byref(strings), byref(lengths), byref(count)))
    array = np.empty(count.value, dtype=object)
    for index in range(count.value):
        text = ctypes.string_at(strings[index], lengths[index]) if lengths[index] else b""
        array[index] = text.decode()
    return array.reshape(shape)


def describe(value: Any) -> str:
    """The type of a value as onnxruntime writes types."""
    if value is None:
        return "optional()"
    if isinstance(value, (list, tuple)):
        return f"seq({describe(value[0]) if len(value) else ''})"
    return type_name(number_of(np.asarray(value).dtype))
