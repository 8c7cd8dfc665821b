"""InferenceSession: a model, loaded and ready to run, with onnxruntime's surface."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from ctypes import byref, c_uint64
from typing import Any

from ._engine import Engine, ModelMetadata, NodeArg
from ._library import library
from ._notices import logger, warn_once
from ._profile import Profile
from .errors import InvalidArgument
from .io_binding import IOBinding
from .options import RunOptions, SessionOptions
from .ortvalue import OrtValue
from .providers import CPU_PROVIDER, known_providers


class InferenceSession:
    """A model, loaded, optimised, and planned for each shape of its inputs that it meets.

    Any number of threads may run one session at once; the GIL is released meanwhile. Results are
    the same to the bit for any number of threads.

    A session pickles as its model's absolute path (or its bytes) and its options, and loads in the
    process that unpickles it when it is first used. One that was used before a `fork` goes on
    working in the child, with the one thread that called it.

    Args:
        path_or_bytes: the model's file, or its bytes.
        sess_options: how the session is set up.
        providers: onnxruntime's; any but the CPU's are warned about once.
        provider_options: onnxruntime's; without effect, and warned about once.

    Raises:
        NoSuchFile, InvalidProtobuf, InvalidGraph, NotImplemented, Fail, InvalidArgument
    """

    def __init__(
        self,
        path_or_bytes: str | bytes | os.PathLike[str],
        sess_options: SessionOptions | None = None,
        providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None = None,
        provider_options: Sequence[Mapping[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        known_providers(providers, provider_options)
        for name in kwargs:
            if name not in ("enable_fallback", "disabled_optimizers"):
                warn_once(f"InferenceSession's option {name!r} is unknown and has no effect")
        options = SessionOptions() if sess_options is None else sess_options._copy()
        self._prepare(_model_of(path_or_bytes), options)
        for warning in self._loaded().text_list(library().session_warnings):
            if self._options.log_severity_level <= 2:
                logger.warning("%s", warning)

    def _prepare(self, model: str | bytes, options: SessionOptions) -> None:
        self._model = model
        self._options = options
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._profile: Profile | None = None
        self._writes_at_end: weakref.finalize[..., InferenceSession] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self._model, self._options)

    def _loaded(self) -> Engine:
        engine = self._engine
        if engine is None:
            with self._lock:
                engine = self._engine
                if engine is None:
                    engine = Engine(self._model, self._options)
                    if self._options.enable_profiling:
                        profile = Profile(engine.library, self._options.profile_file_prefix)
                        self._profile = profile
                        self._writes_at_end = weakref.finalize(self, profile.write_at_end)
                    self._engine = engine
        return engine

    # ---- What the model is ---------------------------------------------------------------------------

    def get_inputs(self) -> list[NodeArg]:
        """What a run must be given, in the model's order."""
        return self._loaded().inputs

    def get_outputs(self) -> list[NodeArg]:
        """What a run returns, in the model's order."""
        return self._loaded().outputs

    def get_overridable_initializers(self) -> list[NodeArg]:
        """What a run may be given: inputs with a default."""
        return self._loaded().initializers

    def get_value_names(self) -> list[str]:
        """Names of all values that nodes compute: `run` returns each of them when asked to."""
        engine = self._loaded()
        return engine.text_list(engine.library.session_value_names)

    def get_modelmeta(self) -> ModelMetadata:
        """What the model's file says about itself."""
        return self._loaded().metadata()

    def get_weight_bytes(self) -> tuple[int, int]:
        """Bytes that the session holds for weights: mapped from files, and in its own memory."""
        engine = self._loaded()
        mapped, owned = c_uint64(), c_uint64()
        engine.library.check(
            engine.library.session_weight_bytes(engine.handle, byref(mapped), byref(owned)))
        return mapped.value, owned.value

    def get_session_options(self) -> SessionOptions:
        """A copy of the options that the session was made with."""
        return self._options._copy()

    # ---- Providers -----------------------------------------------------------------------------------

    def get_providers(self) -> list[str]:
        """The providers in use: the CPU's."""
        return [CPU_PROVIDER]

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        """The options of the providers in use: none."""
        return {CPU_PROVIDER: {}}

    def set_providers(
        self, providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None = None,
        provider_options: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Warns once about providers that are not the CPU's."""
        known_providers(providers, provider_options)

    def enable_fallback(self) -> None:
        """Has no effect: there is one provider."""

    def disable_fallback(self) -> None:
        """Has no effect: there is one provider."""

    # ---- Runs ----------------------------------------------------------------------------------------

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None = None,
    ) -> list[Any]:
        """Runs the model.

        Args:
            output_names: any values of the graph; None for the model's outputs.
            input_feed: an array, `OrtValue`, list (of a sequence) or None (of an optional) by name.
            run_options: how long it may take, and who may end it.

        Returns:
            The outputs in the order of their names: arrays, or lists for sequences, or None for an
            optional that holds nothing.

        Raises:
            InvalidArgument, MissingInput, NodeFailed, Cancelled, TimedOut, OutOfMemory
        """
        engine = self._loaded()
        if run_options is not None and not isinstance(run_options, RunOptions):
            raise TypeError(f"run options are RunOptions, not {type(run_options).__name__}")
        names = _output_names(engine, output_names)
        if self._profile is None:
            return engine.run(names, input_feed, run_options, None)
        with self._profile.recording() as profile:
            return engine.run(names, input_feed, run_options, profile)

    def run_with_ort_values(
        self,
        output_names: Sequence[str] | None,
        input_dict_ort_values: Mapping[str, OrtValue],
        run_options: RunOptions | None = None,
    ) -> list[OrtValue]:
        """As `run`, with an `OrtValue` for each input and output."""
        results = self.run(output_names, input_dict_ort_values, run_options)
        return [OrtValue(result) for result in results]

    def run_async(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        callback: Callable[[list[Any], Any, str], None],
        user_data: Any,
        run_options: RunOptions | None = None,
    ) -> None:
        """Runs the model on a thread of its own, which then calls `callback(results, user_data, error)`.

        `error` is empty where the run succeeded, else `results` is.
        """

        def work() -> None:
            try:
                results, error = self.run(output_names, input_feed, run_options), ""
            except Exception as failure:
                results, error = [], str(failure)
            callback(results, user_data, error)

        threading.Thread(target=work, name="leapstone.run_async", daemon=True).start()

    def io_binding(self) -> IOBinding:
        """Inputs and outputs tied to memory, for `run_with_iobinding`."""
        return IOBinding(self)

    def run_with_iobinding(
        self, iobinding: IOBinding, run_options: RunOptions | None = None
    ) -> None:
        """Runs the model from and into the memory that is bound."""
        engine = self._loaded()
        if self._profile is None:
            iobinding._run(engine, run_options, None)
        else:
            with self._profile.recording() as profile:
                iobinding._run(engine, run_options, profile)

    # ---- Profiles ------------------------------------------------------------------------------------

    def end_profiling(self) -> str:
        """Writes what was recorded so far; returns the file's path, or "" without profiling."""
        self._loaded()
        if self._profile is None:
            return ""
        if self._writes_at_end is not None:
            self._writes_at_end.detach()
        path = self._profile.write()
        self._profile = None
        return path

    def get_profiling_start_time_ns(self) -> int:
        """When recording began, on the clock of `time.monotonic_ns`; 0 without profiling."""
        self._loaded()
        return 0 if self._profile is None else self._profile.started


def _model_of(path_or_bytes: Any) -> str | bytes:
    if isinstance(path_or_bytes, (str, os.PathLike)):
        try:
            path = os.fsdecode(path_or_bytes)
            is_whole = b"\0" not in os.fsencode(path)
        except UnicodeError as error:
            raise InvalidArgument(f"{path_or_bytes!r} can be no path: {error}") from None
        if not is_whole:
            raise InvalidArgument(f"a path has no NUL in it: {path!r}")
        # A pickled session must find its model from another working directory.
        return os.path.abspath(path)
    if isinstance(path_or_bytes, (bytes, bytearray, memoryview)):
        return bytes(path_or_bytes)
    raise TypeError(f"a model is a path or bytes, not {type(path_or_bytes).__name__}")


def _output_names(engine: Engine, names: Sequence[str] | None) -> tuple[str, ...]:
    if not names:
        return engine.output_names
    if isinstance(names, str):
        raise TypeError("output names are a list of strings, not one string")
    return tuple(names)


def _unpickled(model: str | bytes, options: SessionOptions) -> InferenceSession:
    session = InferenceSession.__new__(InferenceSession)
    session._prepare(model, options)
    return session
