"""The exceptions that sessions raise, under the names that onnxruntime gives them.

All derive from `LeapstoneError`, and `LeapstoneError` from `Exception` alone, as onnxruntime's do.
"""

from __future__ import annotations

from typing import Any


class LeapstoneError(Exception):
    """What every exception of this package derives from."""


class Fail(LeapstoneError):
    """A run or a load failed for a reason that no other class names."""


class InvalidArgument(LeapstoneError):
    """An input, output or option does not fit the model."""


class MissingInput(InvalidArgument, ValueError):
    """A run lacks an input that has no default; onnxruntime raises `ValueError`."""


class NoSuchFile(LeapstoneError):
    """The model file does not exist or cannot be read."""


class NoModel(LeapstoneError):
    """There is no model where one was expected."""


class EngineError(LeapstoneError):
    """The engine is in a state in which it cannot go on."""


class RuntimeException(LeapstoneError):
    """A node failed with the values that it met."""


class NodeFailed(RuntimeException, Fail):
    """A node failed in a run; onnxruntime raises one or the other, as its kernel has it."""


class InvalidProtobuf(LeapstoneError):
    """The bytes are not an ONNX model."""


class ModelLoaded(LeapstoneError):
    """A model is loaded already."""


class NotImplemented(LeapstoneError):
    """The model uses an operator, a version of one or a type that Leapstone does not have."""


class InvalidGraph(LeapstoneError):
    """The model breaks a rule of ONNX."""


class EPFail(LeapstoneError):
    """An execution provider failed."""


class NotFound(LeapstoneError):
    """Something that was asked for by name does not exist."""


class ModelLoadCanceled(LeapstoneError):
    """Loading was cancelled."""


class ModelRequiresCompilation(LeapstoneError):
    """The model must be compiled before it is loaded."""


class DeviceReset(LeapstoneError):
    """A device was lost."""


class Cancelled(Fail):
    """`RunOptions.terminate` ended the run."""


class TimedOut(Fail, TimeoutError):
    """The run took longer than `RunOptions.timeout`."""


class Busy(Fail):
    """As many runs are in flight and queued as the session admits."""


class OutOfMemory(Fail, MemoryError):
    """The session's memory budget does not suffice, or the system refused memory."""


_of_binding: dict[type[LeapstoneError], type[LeapstoneError]] = {}


def of_binding(kind: type[LeapstoneError]) -> type[LeapstoneError]:
    """The class of an exception that comes from an `IOBinding`: a `RuntimeError`, as in onnxruntime."""
    if issubclass(kind, RuntimeError):
        return kind
    # It goes by the name of its kind, which pickle would not find it under.
    return _of_binding.get(kind) or _of_binding.setdefault(kind, type(kind.__name__, (kind, RuntimeError), {
        "__module__": kind.__module__, "__doc__": kind.__doc__,
        "__reduce__": lambda error: (_error_of_binding, (kind, error.args))}))


def _error_of_binding(kind: type[LeapstoneError], arguments: tuple[Any, ...]) -> LeapstoneError:
    return of_binding(kind)(*arguments)
