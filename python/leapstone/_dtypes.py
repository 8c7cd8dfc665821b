"""ONNX element types, NumPy dtypes and the names that onnxruntime prints, in one table."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .errors import InvalidArgument


class ElementType(NamedTuple):
    """One element type of ONNX.

    Attributes:
        number: ONNX's number.
        name: its name in `tensor(...)`.
        dtype_name: NumPy's name, or that of ml_dtypes.
        bits: the width of an element.
        is_packed: whether several elements share a byte in ONNX; arrays give each a byte.
    """

    number: int
    name: str
    dtype_name: str
    bits: int
    is_packed: bool


UINT8, STRING, BOOL = 2, 8, 9

_TABLE = [
    ElementType(*row, is_packed=0 < row[3] < 8)
    for row in (
        (1, "float", "float32", 32),
        (2, "uint8", "uint8", 8),
        (3, "int8", "int8", 8),
        (4, "uint16", "uint16", 16),
        (5, "int16", "int16", 16),
        (6, "int32", "int32", 32),
        (7, "int64", "int64", 64),
        (STRING, "string", "object", 0),
        (BOOL, "bool", "bool", 8),
        (10, "float16", "float16", 16),
        (11, "double", "float64", 64),
        (12, "uint32", "uint32", 32),
        (13, "uint64", "uint64", 64),
        (14, "complex64", "complex64", 64),
        (15, "complex128", "complex128", 128),
        (16, "bfloat16", "bfloat16", 16),
        (17, "float8e4m3fn", "float8_e4m3fn", 8),
        (18, "float8e4m3fnuz", "float8_e4m3fnuz", 8),
        (19, "float8e5m2", "float8_e5m2", 8),
        (20, "float8e5m2fnuz", "float8_e5m2fnuz", 8),
        (21, "uint4", "uint4", 4),
        (22, "int4", "int4", 4),
        (23, "float4e2m1", "float4_e2m1fn", 4),
        (24, "float8e8m0", "float8_e8m0fnu", 8),
        (25, "uint2", "uint2", 2),
        (26, "int2", "int2", 2),
        (27, "float6e2m3", "float6_e2m3fn", 6),
        (28, "float6e3m2", "float6_e3m2fn", 6),
    )
]

ELEMENT_TYPES: dict[int, ElementType] = {row.number: row for row in _TABLE}
_BY_DTYPE_NAME = {row.dtype_name: row for row in _TABLE}
_BY_NAME = {row.name: row for row in _TABLE}

_NATIVE = {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool",
           "float16", "float32", "float64", "complex64", "complex128", "object"}

_dtypes: dict[int, np.dtype[Any]] = {
    row.number: np.dtype(row.dtype_name) for row in _TABLE if row.dtype_name in _NATIVE
}
_numbers: dict[np.dtype[Any], int] = {dtype: number for number, dtype in _dtypes.items()}

# Those whose arrays lie in memory as the library wants them.
WHOLE_BYTES: dict[np.dtype[Any], int] = {
    dtype: number for dtype, number in _numbers.items() if number != STRING
}


def dtype_of(number: int) -> np.dtype[Any]:
    """The dtype of an ONNX element type; ml_dtypes' where NumPy has none of its own."""
    dtype = _dtypes.get(number)
    if dtype is None:
        row = ELEMENT_TYPES.get(number)
        if row is None:
            raise InvalidArgument(f"ONNX has no element type of number {number}")
        try:
            import ml_dtypes
        except ImportError:
            raise InvalidArgument(
                f"arrays of {row.name} need the package ml_dtypes: pip install ml_dtypes"
            ) from None
        dtype = _dtypes[number] = np.dtype(getattr(ml_dtypes, row.dtype_name))
        _numbers[dtype] = number
        if not row.is_packed:
            WHOLE_BYTES[dtype] = number
    return dtype


def number_of(dtype: np.dtype[Any]) -> int:
    """ONNX's number of a dtype; strings may be objects, `str_` or `bytes_`."""
    number = _numbers.get(dtype)
    if number is None:
        row = _BY_DTYPE_NAME.get(dtype.name)
        if row is not None:
            number = row.number
        elif dtype.kind in "USOT":
            number = STRING
        else:
            raise InvalidArgument(f"ONNX has no element type for arrays of {dtype}")
    return number


def element_number(element_type: npt.DTypeLike | int) -> int:
    """ONNX's number of a dtype, or of what already is such a number."""
    if isinstance(element_type, (int, np.integer)):
        if int(element_type) not in ELEMENT_TYPES:
            raise InvalidArgument(f"ONNX has no element type of number {element_type}")
        return int(element_type)
    return number_of(np.dtype(element_type))


def type_name(number: int) -> str:
    """`tensor(float)` for 1, as onnxruntime writes types."""
    return f"tensor({ELEMENT_TYPES[number].name})"


def number_of_type_name(name: str) -> int | None:
    """1 for `tensor(float)`; None where it is no tensor."""
    if name.startswith("tensor(") and name.endswith(")"):
        row = _BY_NAME.get(name[len("tensor("):-1])
        return None if row is None else row.number
    return None


def packed(array: npt.NDArray[Any], bits: int) -> npt.NDArray[np.uint8]:
    """Elements of 2, 4 or 6 bits that have a byte each, packed from the lowest bits on."""
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    spread = np.unpackbits(data.reshape(-1, 1), axis=1, bitorder="little")
    return np.packbits(spread[:, :bits].reshape(-1), bitorder="little")


def unpacked(
    data: npt.NDArray[np.uint8], count: int, number: int
) -> npt.NDArray[Any]:
    """The opposite of `packed`: `count` elements with a byte each, in the element type's dtype."""
    row = ELEMENT_TYPES[number]
    spread = np.unpackbits(data, count=count * row.bits, bitorder="little")
    elements = np.packbits(spread.reshape(count, row.bits), axis=1, bitorder="little").reshape(-1)
    return elements.view(dtype_of(number))
