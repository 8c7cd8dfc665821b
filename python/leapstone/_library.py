"""The C library: where it lies, its functions with their types, and its errors as exceptions.

The library is loaded when something is first asked of it, so that importing the package costs little.
Calls that take a while go through `slow`, which releases the GIL; those of a microsecond go through
`quick`, which keeps it, so that threads do not queue for it several times a run.
"""

from __future__ import annotations

import ctypes
import os
import threading
from ctypes import POINTER, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint64, c_void_p
from pathlib import Path
from typing import Any

from . import errors

TENSOR, SEQUENCE, OPTIONAL = 1, 2, 3
INPUT, OUTPUT, INITIALIZER = 1, 2, 3

NAMES = ("libleapstone.so", "libleapstone.dylib")


class ValueInfo(ctypes.Structure):
    """leapstone_value_info."""

    _fields_ = [
        ("name", c_char_p),
        ("type", c_char_p),
        ("kind", c_int32),
        ("element_type", c_int32),
        ("rank", c_int32),
        ("dimensions", POINTER(c_int64)),
        ("symbols", POINTER(c_char_p)),
    ]


class Metadata(ctypes.Structure):
    """leapstone_metadata."""

    _fields_ = [
        ("producer_name", c_char_p),
        ("producer_version", c_char_p),
        ("domain", c_char_p),
        ("graph_name", c_char_p),
        ("graph_description", c_char_p),
        ("description", c_char_p),
        ("version", c_int64),
        ("ir_version", c_int64),
        ("property_count", c_size_t),
        ("property_keys", POINTER(c_char_p)),
        ("property_values", POINTER(c_char_p)),
        ("opset_count", c_size_t),
        ("opset_domains", POINTER(c_char_p)),
        ("opset_versions", POINTER(c_int64)),
    ]


class Step(ctypes.Structure):
    """leapstone_step."""

    _fields_ = [
        ("name", c_char_p),
        ("operator_type", c_char_p),
        ("algorithm", c_char_p),
        ("stage", c_int64),
        ("start", c_uint64),
        ("end", c_uint64),
    ]


class RunSettings(ctypes.Structure):
    """leapstone_run_options."""

    _fields_ = [
        ("size", c_size_t),
        ("timeout", c_double),
        ("cancellation", c_void_p),
        ("profile", c_void_p),
    ]


_HANDLE = POINTER(c_void_p)
_TEXTS = POINTER(POINTER(c_char_p))

# Functions that return a leapstone_status, by the types of their arguments.
_SLOW: dict[str, list[Any]] = {
    "session_open": [c_char_p, c_void_p, _HANDLE],
    "session_open_bytes": [c_void_p, c_size_t, c_void_p, _HANDLE],
    "session_free": [c_void_p],
    "session_working_memory": [
        c_void_p, POINTER(c_char_p), POINTER(POINTER(c_int64)), POINTER(c_size_t), c_size_t,
        POINTER(c_uint64)],
    "session_run": [
        c_void_p, POINTER(RunSettings), POINTER(c_char_p), POINTER(c_void_p), c_size_t,
        POINTER(c_char_p), POINTER(c_void_p), c_size_t],
}
_QUICK: dict[str, list[Any]] = {
    "options_create": [_HANDLE],
    "options_set": [c_void_p, c_char_p, c_char_p],
    "options_free": [c_void_p],
    "session_count": [c_void_p, c_int32, POINTER(c_size_t)],
    "session_info": [c_void_p, c_int32, c_size_t, POINTER(POINTER(ValueInfo))],
    "session_value_names": [c_void_p, _TEXTS, POINTER(c_size_t)],
    "session_warnings": [c_void_p, _TEXTS, POINTER(c_size_t)],
    "session_metadata": [c_void_p, POINTER(POINTER(Metadata))],
    "session_weight_bytes": [c_void_p, POINTER(c_uint64), POINTER(c_uint64)],
    "tensor_borrow": [
        c_int32, POINTER(c_int64), c_size_t, c_void_p, c_size_t, c_void_p, c_void_p, _HANDLE],
    "tensor_create": [c_int32, POINTER(c_int64), c_size_t, c_void_p, c_size_t, _HANDLE],
    "tensor_create_strings": [
        POINTER(c_int64), c_size_t, POINTER(c_char_p), POINTER(c_size_t), _HANDLE],
    "sequence_create": [POINTER(c_void_p), c_size_t, _HANDLE],
    "optional_create": [c_void_p, _HANDLE],
    "value_free": [c_void_p],
    "value_kind": [c_void_p, POINTER(c_int32)],
    # Plain pointers, as what they point to lies in one structure.
    "tensor_info": [c_void_p, c_void_p, c_void_p, c_void_p],
    "tensor_data": [c_void_p, c_void_p, c_void_p],
    "tensor_strings": [c_void_p, POINTER(POINTER(c_void_p)), POINTER(POINTER(c_size_t)),
                       POINTER(c_size_t)],
    "value_count": [c_void_p, POINTER(c_size_t)],
    "value_item": [c_void_p, c_size_t, _HANDLE],
    "cancellation_create": [_HANDLE],
    "cancellation_cancel": [c_void_p],
    "cancellation_free": [c_void_p],
    "profile_create": [_HANDLE],
    "profile_steps": [c_void_p, POINTER(POINTER(Step)), POINTER(c_size_t)],
    "profile_free": [c_void_p],
}

_EXCEPTIONS: dict[int, type[errors.LeapstoneError]] = {
    1: errors.InvalidArgument,
    2: errors.EngineError,
    3: errors.NoSuchFile,
    4: errors.Fail,
    5: errors.InvalidProtobuf,
    6: errors.InvalidGraph,
    7: errors.NotImplemented,
    8: errors.NodeFailed,
    9: errors.Cancelled,
    10: errors.TimedOut,
    11: errors.Busy,
    12: errors.OutOfMemory,
    13: errors.EngineError,
}


class Library:
    """The functions of leapstone.h, each under its name without the prefix `leapstone_`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        slow = ctypes.CDLL(os.fspath(path))
        quick = ctypes.PyDLL(os.fspath(path))
        for table, source in ((_SLOW, slow), (_QUICK, quick)):
            for name, arguments in table.items():
                function = getattr(source, f"leapstone_{name}")
                function.argtypes = arguments
                function.restype = c_int32
                setattr(self, name, function)
        for name in ("version", "error_message", "instruction_sets"):
            function = getattr(quick, f"leapstone_{name}")
            function.argtypes = []
            function.restype = c_char_p
            setattr(self, name, function)

    # Set above, one for each entry of the tables.
    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"leapstone.h has no function leapstone_{name}")

    def check(self, status: int) -> None:
        """Raises what a status other than 0 stands for, with the library's words."""
        if status:
            raise self.exception(status)

    def exception(self, status: int) -> errors.LeapstoneError:
        """The exception of a status, with the words for this thread's last error."""
        message = self.error_message().decode("utf-8", "replace")
        return _EXCEPTIONS.get(status, errors.Fail)(message)


def _candidates() -> list[Path]:
    """Where the library may lie: the environment's word, beside this file, or in the build folder."""
    told = os.environ.get("LEAPSTONE_LIBRARY")
    if told:
        return [Path(told)]
    package = Path(__file__).resolve().parent
    folders = [package, package.parent.parent / ".build" / "lib"]
    return [folder / name for folder in folders for name in NAMES]


_lock = threading.Lock()
_library: Library | None = None


def library() -> Library:
    """The library, loaded on the first call.

    Raises:
        ImportError: it is not there, or is none.
    """
    global _library
    if _library is None:
        with _lock:
            if _library is None:
                _library = _load()
    return _library


def _load() -> Library:
    candidates = _candidates()
    for path in candidates:
        if path.exists():
            try:
                return Library(path)
            except (OSError, AttributeError) as error:
                raise ImportError(f"{path} cannot be used: {error}") from error
    places = ", ".join(str(path.parent) for path in candidates[:: len(NAMES)])
    raise ImportError(f"there is no {NAMES[0]} in {places}; 'make python' builds it")


def texts(array: Any, count: int) -> list[str]:
    """`count` strings of a C array."""
    return [array[index].decode("utf-8", "replace") for index in range(count)]
