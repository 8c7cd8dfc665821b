"""Leapstone runs ONNX models on CPUs. Its Python surface is onnxruntime's:

    import leapstone as onnxruntime

    session = onnxruntime.InferenceSession("model.onnx")
    outputs = session.run(None, {session.get_inputs()[0].name: array})

`python -m leapstone compare MODEL` compares the two on a model; `python -m leapstone.as_onnxruntime
app.py` runs a program that imports onnxruntime with Leapstone in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._engine import ModelMetadata, NodeArg
from ._library import library as _library
from .errors import (
    Busy,
    Cancelled,
    DeviceReset,
    EngineError,
    EPFail,
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    LeapstoneError,
    MissingInput,
    ModelLoadCanceled,
    ModelLoaded,
    ModelRequiresCompilation,
    NoModel,
    NoSuchFile,
    NodeFailed,
    NotFound,
    NotImplemented,
    OutOfMemory,
    RuntimeException,
    TimedOut,
)
from .io_binding import IOBinding
from .options import (
    ExecutionMode,
    ExecutionOrder,
    GraphOptimizationLevel,
    RunOptions,
    SessionOptions,
)
from .ortvalue import OrtDevice, OrtValue
from .process import (
    disable_telemetry_events,
    enable_telemetry_events,
    get_all_providers,
    get_build_info,
    get_device,
    get_instruction_sets,
    get_version_string,
    preload_dlls,
    set_default_logger_severity,
    set_default_logger_verbosity,
    set_seed,
)
from .providers import get_available_providers
from .session import InferenceSession

SessionIOBinding = IOBinding

__all__ = [
    "Busy",
    "Cancelled",
    "DeviceReset",
    "EPFail",
    "EngineError",
    "ExecutionMode",
    "ExecutionOrder",
    "Fail",
    "GraphOptimizationLevel",
    "IOBinding",
    "InferenceSession",
    "InvalidArgument",
    "InvalidGraph",
    "InvalidProtobuf",
    "LeapstoneError",
    "MissingInput",
    "ModelLoadCanceled",
    "ModelLoaded",
    "ModelMetadata",
    "ModelRequiresCompilation",
    "NoModel",
    "NoSuchFile",
    "NodeArg",
    "NodeFailed",
    "NotFound",
    "NotImplemented",
    "OrtDevice",
    "OrtValue",
    "OutOfMemory",
    "RunOptions",
    "RuntimeException",
    "SessionIOBinding",
    "SessionOptions",
    "TimedOut",
    "disable_telemetry_events",
    "enable_telemetry_events",
    "get_all_providers",
    "get_available_providers",
    "get_build_info",
    "get_device",
    "get_instruction_sets",
    "get_version_string",
    "preload_dlls",
    "set_default_logger_severity",
    "set_default_logger_verbosity",
    "set_seed",
]

if TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> Any:
    # The version is the library's, which is loaded when it is first needed.
    if name == "__version__":
        return _library().version().decode()
    raise AttributeError(f"module 'leapstone' has no attribute {name!r}")
