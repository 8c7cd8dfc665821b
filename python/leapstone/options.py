"""How sessions and runs go about it: onnxruntime's options, and what Leapstone makes of them."""

from __future__ import annotations

import enum
import os
import threading
from ctypes import byref, c_void_p
from typing import Any

from ._library import Library, library
from ._notices import warn_once
from ._text import c_text
from .errors import InvalidArgument
from .providers import known_providers


class _Enumeration(enum.Enum):
    """Members that can be read as numbers, as onnxruntime's."""

    def __int__(self) -> int:
        return int(self.value)

    def __index__(self) -> int:
        return int(self.value)


class GraphOptimizationLevel(_Enumeration):
    """Whether the graph is optimised; all levels but `ORT_DISABLE_ALL` run every pass."""

    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(_Enumeration):
    """Taken and kept; the plan itself decides which steps overlap."""

    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


class ExecutionOrder(_Enumeration):
    """Taken and kept; the plan orders steps by the memory that they need."""

    DEFAULT = 0
    PRIORITY_BASED = 1
    MEMORY_EFFICIENT = 2


# Session entries of onnxruntime that tune speed there and change no result: nothing to tell.
_TUNING = frozenset((
    *(f"session.{name}" for name in (
        "disable_aot_function_inlining", "disable_double_qdq_remover", "disable_prepacking",
        "disable_qdq_constant_folding", "disable_quant_qdq", "dynamic_block_base",
        "enable_dq_matmulnbits_fusion", "enable_quant_qdq_cleanup", "force_spinning_stop",
        "graph_optimizations_loop_level", "inter_op.allow_spinning", "inter_op.spin_backoff_max",
        "inter_op.spin_duration_us", "intra_op.allow_spinning", "intra_op.spin_backoff_max",
        "intra_op.spin_duration_us", "intra_op_thread_affinities", "load_model_format",
        "prepack.enable_parallel", "qdq_matmulnbits_accuracy_level",
        "qdq_matmulnbits_block_size", "qdqisint8allowed",
        "save_external_prepacked_constant_initializers", "save_model_format",
        "use_device_allocator_for_initializers", "use_env_allocators",
        "use_external_initializer_file_buffers_directly", "use_ort_model_bytes_directly",
        "use_ort_model_bytes_for_initializers", "x64quantprecision")),
    *(f"optimization.{name}" for name in (
        "constant_folding_max_output_size_in_bytes", "disable_specified_optimizers",
        "enable_cast_chain_elimination", "enable_gelu_approximation",
        "minimal_build_optimizations")),
    *(f"mlas.{name}" for name in (
        "disable_kleidiai", "enable_gemm_fastmath_arm64_bfloat16",
        "kleidiai.conv_igemm_max_work", "nchwc_depthwise_sliding",
        "nchwc_pointwise_conv_max_input_channel_batch", "qnbit.force_fp32", "use_lut_gemm")),
))

# Those that have a counterpart here: the key of leapstone_options_set, and what values are called there.
_COUNTERPARTS: dict[str, tuple[str, dict[str, str]]] = {
    "session.set_denormal_as_zero": ("flush-denormals", {"0": "false", "1": "true"}),
    "session.model_external_initializers_file_folder_path": ("external-root", {}),
}

# Leapstone's own entries: `leapstone.memory-budget` is the flag --memory-budget of the tools.
_PREFIX = "leapstone."

# Options that may be set several times; entries give them as one text with commas.
_REPEATABLE = ("disable-pass", "algorithm", "forbid", "external-root")

# More than any program keeps waiting: onnxruntime never refuses a run.
_QUEUE = "1000000"


class SessionOptions:
    """How a session is set up.

    Attributes:
        intra_op_num_threads: workers of a run; 0 for as many as affinity and the cgroup allow.
        graph_optimization_level: `ORT_DISABLE_ALL` runs the graph as the model has it.
        enable_profiling: whether runs are recorded; `InferenceSession.end_profiling` writes the file.
        profile_file_prefix: what that file's path begins with.
        log_severity_level: above 2, odd things about a model are not logged (logger `leapstone`).

    The other attributes are onnxruntime's; programs may set them, and nothing depends on them.
    """

    intra_op_num_threads: int = 0
    inter_op_num_threads: int = 0
    graph_optimization_level: GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL
    enable_profiling: bool = False
    profile_file_prefix: str = "leapstone_profile_"
    log_severity_level: int = -1
    log_verbosity_level: int = 0
    logid: str = ""
    execution_mode: ExecutionMode = ExecutionMode.ORT_SEQUENTIAL
    execution_order: ExecutionOrder = ExecutionOrder.DEFAULT
    enable_cpu_mem_arena: bool = True
    enable_mem_pattern: bool = True
    enable_mem_reuse: bool = True
    use_deterministic_compute: bool = False
    use_per_session_threads: bool = True
    optimized_model_filepath: str = ""

    def __init__(self) -> None:
        self._entries: dict[str, str] = {}
        self._dimensions: dict[str, int] = {}
        self._initializers: dict[str, Any] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            if not hasattr(SessionOptions, name):
                warn_once(f"SessionOptions.{name} is unknown and has no effect")
            else:
                _check_type(name, value, getattr(SessionOptions, name))
            if name == "optimized_model_filepath" and value:
                warn_once("SessionOptions.optimized_model_filepath has no effect: no model is written")
        super().__setattr__(name, value)

    def add_session_config_entry(self, key: str, value: str) -> None:
        """Sets an entry by name.

        `leapstone.KEY` sets an option of the library by the name of the tools' flag, several values
        separated by commas: `leapstone.memory-policy`, `leapstone.memory-budget`,
        `leapstone.cache`, `leapstone.isa`, `leapstone.disable-pass`, `leapstone.weights`, `leapstone.concurrency`, `leapstone.queue`,
        `leapstone.algorithm`, ...
        Of onnxruntime's, `session.set_denormal_as_zero` and
        `session.model_external_initializers_file_folder_path` mean what they mean there.
        """
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError("a session entry is a pair of strings")
        known = key in _COUNTERPARTS or key in _TUNING or key.startswith(_PREFIX)
        if not known:
            warn_once(f"the session entry {key!r} has no effect")
        self._entries[key] = value

    def get_session_config_entry(self, key: str) -> str:
        """The value of an entry that was set; `RuntimeError` where it was not."""
        if key not in self._entries:
            raise RuntimeError(f"SessionOptions has no entry {key!r}")
        return self._entries[key]

    def add_free_dimension_override_by_name(self, name: str, value: int) -> None:
        """Gives a symbolic extent of the inputs a value."""
        self._dimensions[str(name)] = int(value)

    def add_free_dimension_override_by_denotation(self, denotation: str, value: int) -> None:
        """Has no effect, and says so: Leapstone does not read denotations."""
        warn_once("free dimensions cannot be given by denotation; use their names")

    def add_initializer(self, name: str, value: Any) -> None:
        """Replaces an initializer that is also an input of the graph by an `OrtValue`."""
        self._initializers[str(name)] = value

    def add_external_initializers(self, names: list[str], values: list[Any]) -> None:
        """Replaces several initializers, as `add_initializer` does one."""
        for name, value in zip(names, values, strict=True):
            self.add_initializer(name, value)

    def register_custom_ops_library(self, path: str) -> None:
        """Raises: Leapstone has no custom operators."""
        raise InvalidArgument(f"{path}: Leapstone loads no libraries of custom operators")

    def add_provider(self, name: str, options: dict[str, str] | None = None) -> None:
        """Warns where the provider is not the CPU's, and of options, which it has none of."""
        known_providers([(name, options or {})])

    def has_providers(self) -> bool:
        """False: no provider has to be added."""
        return False

    def _copy(self) -> SessionOptions:
        """These options as they are now, whatever becomes of them later."""
        copy = SessionOptions.__new__(type(self))
        for name, value in vars(self).items():
            vars(copy)[name] = dict(value) if isinstance(value, dict) else value
        return copy

    def _handle(self) -> int:
        """The library's options with all this in them; the caller frees them."""
        lib = library()
        handle = c_void_p()
        lib.check(lib.options_create(byref(handle)))
        try:
            for key, value in self._settings():
                texts = c_text(key, "an option"), c_text(value, f"option {key!r}")
                lib.check(lib.options_set(handle, *texts))
        except BaseException:
            lib.options_free(handle)
            raise
        return handle.value or 0

    def _settings(self) -> list[tuple[str, str]]:
        settings = [("queue", _QUEUE)]
        if self.intra_op_num_threads > 0:
            settings.append(("threads", str(self.intra_op_num_threads)))
            # Who has runs of few workers has several of them at once: as many as there are cores for.
            at_once = len(os.sched_getaffinity(0)) // self.intra_op_num_threads
            settings.append(("concurrency", str(max(2, at_once))))
        if self.graph_optimization_level == GraphOptimizationLevel.ORT_DISABLE_ALL:
            settings.append(("disable-pass", "all"))
        settings += [("dim", f"{name}={value}") for name, value in self._dimensions.items()]
        for key, value in self._entries.items():
            if key in _COUNTERPARTS:
                name, words = _COUNTERPARTS[key]
                settings.append((name, words.get(value, value)))
            elif key.startswith(_PREFIX):
                name = key[len(_PREFIX):]
                values = value.split(",") if name in _REPEATABLE else [value]
                settings += [(name, one) for one in values]
        return settings


def _check_type(name: str, value: Any, default: Any) -> None:
    """An option keeps the type of its default; a number may be any integer."""
    kind = type(default)
    fits = isinstance(value, kind) or (kind in (int, bool) and hasattr(value, "__index__"))
    if not fits or (isinstance(value, enum.Enum) and not isinstance(default, enum.Enum)):
        raise TypeError(f"SessionOptions.{name} is of type {kind.__name__}, not "
                        f"{type(value).__name__}")


_RUN_ATTRIBUTES: dict[str, type] = {
    "log_severity_level": int, "log_verbosity_level": int, "logid": str,
    "only_execute_path_to_fetches": bool, "timeout": float,
}

# What a value must have to become one of a type, as in onnxruntime: a truth may be any number.
_CONVERSIONS = {int: "__index__", float: "__float__", bool: "__bool__"}


def _converted(name: str, value: Any, kind: type) -> Any:
    """The value of a run option as one of its type."""
    if isinstance(value, kind):
        return value
    if kind is bool and value is None:
        return False
    if kind is str or not hasattr(type(value), _CONVERSIONS[kind]):
        raise TypeError(
            f"RunOptions.{name} is of type {kind.__name__}, not {type(value).__name__}")
    return kind(value)


class RunOptions:
    """How one run goes about it.

    Attributes:
        terminate: setting it, from any thread, ends the runs that were started with these options.
        timeout: seconds that a run may take, waiting for others included; 0 for no limit. Not in
            onnxruntime.

    The other attributes are onnxruntime's; programs may set them, and nothing depends on them.

    Raises:
        AttributeError: something sets an attribute that there is not.
        TypeError: something sets one to a value of another type.
    """

    # There are no others: one that is misspelt, `timeout` above all, must not go unnoticed.
    __slots__ = (*_RUN_ATTRIBUTES, "_entries", "_terminate", "_cancellation", "_lock", "__weakref__")

    log_severity_level: int
    log_verbosity_level: int
    logid: str
    only_execute_path_to_fetches: bool
    timeout: float

    def __init__(self) -> None:
        self.log_severity_level = -1
        self.log_verbosity_level = 0
        self.logid = ""
        self.only_execute_path_to_fetches = False
        self.timeout = 0.0
        self._entries: dict[str, str] = {}
        self._terminate = False
        self._cancellation: _Cancellation | None = None
        self._lock = threading.Lock()

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _RUN_ATTRIBUTES:
            value = _converted(name, value, _RUN_ATTRIBUTES[name])
        super().__setattr__(name, value)

    @property
    def terminate(self) -> bool:
        """Whether runs with these options are ended."""
        return self._terminate

    @terminate.setter
    def terminate(self, value: bool) -> None:
        wanted = _converted("terminate", value, bool)
        with self._lock:
            self._terminate = wanted
            if self._terminate:
                if self._cancellation is not None:
                    self._cancellation.cancel()
            else:
                # A cancellation stays cancelled: the next run gets another.
                self._cancellation = None

    def add_run_config_entry(self, key: str, value: str) -> None:
        """Keeps an entry; none has an effect."""
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError("a run entry is a pair of strings")
        warn_once(f"the run entry {key!r} has no effect")
        self._entries[key] = value

    def get_run_config_entry(self, key: str) -> str:
        """The value of an entry that was set; `RuntimeError` where it was not."""
        if key not in self._entries:
            raise RuntimeError(f"RunOptions has no entry {key!r}")
        return self._entries[key]

    def _cancellation_of_run(self, lib: Library) -> _Cancellation:
        with self._lock:
            if self._cancellation is None:
                self._cancellation = _Cancellation(lib)
                if self._terminate:
                    self._cancellation.cancel()
            return self._cancellation


class _Cancellation:
    """A cancellation of the library, freed when the last run that has it is over."""

    __slots__ = ("handle", "_library")

    def __init__(self, lib: Library) -> None:
        self._library = lib
        handle = c_void_p()
        lib.check(lib.cancellation_create(byref(handle)))
        self.handle = handle.value or 0

    def cancel(self) -> None:
        self._library.check(self._library.cancellation_cancel(self.handle))

    def __del__(self) -> None:
        self._library.cancellation_free(self.handle)
