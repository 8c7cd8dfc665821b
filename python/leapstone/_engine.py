"""A session of the library with what Python asks it for at every run, and what it says of its model."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from ctypes import byref, c_char_p, c_size_t, c_void_p
from typing import Any

from ._library import (
    INITIALIZER, INPUT, OUTPUT, TENSOR, Library, Metadata, RunSettings, ValueInfo, library, texts)
from ._profile import Recording
from ._text import c_text
from ._values import Inputs, to_python
from .errors import InvalidArgument, MissingInput, NotFound
from .options import RunOptions, SessionOptions
from .ortvalue import OrtValue


class NodeArg:
    """An input or output of a model.

    Attributes:
        name: its name.
        type: its type as ONNX writes it, `tensor(float)`.
        shape: an int for an extent that is known, its name for one that has one, or None; empty
            where the rank is not known.
    """

    __slots__ = ("name", "type", "shape", "_kind", "_element")

    def __init__(
        self, name: str, type: str, shape: list[int | str | None], kind: int = TENSOR,
        element: int = 0,
    ) -> None:
        self.name = name
        self.type = type
        self.shape = shape
        self._kind = kind
        self._element = element

    def __repr__(self) -> str:
        return f"NodeArg(name={self.name!r}, type={self.type!r}, shape={self.shape!r})"

    @classmethod
    def _from(cls, info: ValueInfo) -> NodeArg:
        shape: list[int | str | None] = []
        for index in range(max(info.rank, 0)):
            extent, symbol = info.dimensions[index], info.symbols[index]
            shape.append(extent if extent >= 0 else symbol.decode() if symbol else None)
        return cls(info.name.decode(), info.type.decode(), shape, info.kind, info.element_type)


class ModelMetadata:
    """What a model's file says about itself.

    Attributes:
        opsets: the version of each domain's operators; ONNX's own domain is "".
    """

    def __init__(self, raw: Metadata) -> None:
        self.producer_name: str = raw.producer_name.decode()
        self.producer_version: str = raw.producer_version.decode()
        self.domain: str = raw.domain.decode()
        self.graph_name: str = raw.graph_name.decode()
        self.graph_description: str = raw.graph_description.decode()
        self.description: str = raw.description.decode()
        self.version: int = raw.version
        self.ir_version: int = raw.ir_version
        self.custom_metadata_map: dict[str, str] = dict(zip(
            texts(raw.property_keys, raw.property_count),
            texts(raw.property_values, raw.property_count)))
        self.opsets: dict[str, int] = dict(zip(
            texts(raw.opset_domains, raw.opset_count), raw.opset_versions[: raw.opset_count]))


class Engine:
    """A session of the library with what Python asks it for at every run."""

    def __init__(self, model: str | bytes, options: SessionOptions) -> None:
        self.library: Library = library()
        self.handle = self._opened(model, options)
        self.inputs = self._infos(INPUT)
        self.outputs = self._infos(OUTPUT)
        self.initializers = self._infos(INITIALIZER)
        self.by_name = {arg.name: arg for arg in (*self.inputs, *self.initializers)}
        self.defaults = self._defaults(options)
        self._fetches: dict[tuple[str, ...], tuple[Any, list[int]]] = {}
        self._input_texts: dict[tuple[str, ...], Any] = {}
        self.output_names = tuple(arg.name for arg in self.outputs)

    def _opened(self, model: str | bytes, options: SessionOptions) -> int:
        lib = self.library
        settings = options._handle()
        handle = c_void_p()
        try:
            if isinstance(model, str):
                status = lib.session_open(os.fsencode(model), settings, byref(handle))
            else:
                status = lib.session_open_bytes(model, len(model), settings, byref(handle))
            lib.check(status)
        finally:
            lib.options_free(settings)
        return handle.value or 0

    def __del__(self) -> None:
        # Missing where opening failed.
        if handle := self.__dict__.get("handle"):
            self.library.session_free(handle)

    def _infos(self, role: int) -> list[NodeArg]:
        lib = self.library
        count = c_size_t()
        lib.check(lib.session_count(self.handle, role, byref(count)))
        args = []
        for index in range(count.value):
            info = ctypes.POINTER(ValueInfo)()
            lib.check(lib.session_info(self.handle, role, index, byref(info)))
            args.append(NodeArg._from(info.contents))
        return args

    def _defaults(self, options: SessionOptions) -> dict[str, Any]:
        replaceable = {arg.name for arg in self.initializers}
        for name in options._initializers:
            if name not in replaceable:
                raise NotFound(f"the model has no initializer '{name}' that is an input of its "
                               f"graph too; those that are: {sorted(replaceable)}")
        return dict(options._initializers)

    def text_list(self, function: Any) -> list[str]:
        found, count = ctypes.POINTER(c_char_p)(), c_size_t()
        self.library.check(function(self.handle, byref(found), byref(count)))
        return texts(found, count.value)

    def metadata(self) -> ModelMetadata:
        raw = ctypes.POINTER(Metadata)()
        self.library.check(self.library.session_metadata(self.handle, byref(raw)))
        return ModelMetadata(raw.contents)

    def fetches(self, names: tuple[str, ...]) -> tuple[Any, list[int]]:
        """The C names of outputs, and what kind of value each is, 0 where only the value tells."""
        known = self._fetches.get(names)
        if known is None:
            kinds = {arg.name: arg._kind for arg in self.outputs}
            known = (_c_texts(names, "the name of an output"),
                     [kinds.get(name, 0) for name in names])
            _keep(self._fetches, names, known)
        return known

    def input_texts(self, names: tuple[str, ...]) -> Any:
        """A C array of the names of inputs."""
        known = self._input_texts.get(names)
        if known is None:
            known = _c_texts(names, "the name of an input")
            _keep(self._input_texts, names, known)
        return known

    def run(
        self, names: tuple[str, ...], feed: Mapping[str, Any], options: RunOptions | None,
        profile: Recording | None, buffers: Sequence[Any] | None = None,
    ) -> list[Any]:
        """Runs the model; outputs that have a buffer are written there, and None is returned."""
        lib = self.library
        if self.defaults:
            feed = {**self.defaults, **feed}
        output_names, kinds = self.fetches(names)
        count = len(names)
        with Inputs(lib) as inputs:
            # One pass: another thread may give the mapping other values, or other names, meanwhile.
            fed = list(feed.items())
            input_names = tuple([name for name, _ in fed])
            given = [self._given(inputs, name, value) for name, value in fed]
            outputs = (c_void_p * count)()
            if buffers is not None:
                for index, buffer in enumerate(buffers):
                    if buffer is not None:
                        outputs[index] = inputs.add_buffer(*buffer)
            size = len(given)
            settings, kept = _settings(lib, options, profile)
            status = lib.session_run(
                self.handle, settings, self.input_texts(input_names), (c_void_p * size)(*given), size,
                output_names, outputs, count)
            if status:
                raise self._failure(status, feed)
            del kept
            if buffers is None:
                return [to_python(lib, handle or 0, kind) for handle, kind in zip(outputs, kinds)]
            return [None if buffer is not None else to_python(lib, handle or 0, kind)
                    for handle, kind, buffer in zip(outputs, kinds, buffers)]

    def _given(self, inputs: Inputs, name: str, value: Any) -> int:
        if type(value) is OrtValue:
            value = value._value
        arg = self.by_name.get(name)
        try:
            if arg is None:
                # The library has words for a name that it does not know.
                return inputs.add(value, "", 0)
            if arg._kind == TENSOR:
                return inputs.add_tensor(value, arg._element)
            return inputs.add(value, arg.type, arg._element)
        except InvalidArgument as error:
            raise InvalidArgument(f"input '{name}': {error}") from None

    def _failure(self, status: int, feed: Mapping[str, Any]) -> Exception:
        error = self.library.exception(status)
        missing = [arg.name for arg in self.inputs if arg.name not in feed]
        if missing and isinstance(error, InvalidArgument):
            return MissingInput(f"the run lacks the inputs {missing}; it was given {list(feed)}")
        return error


def _c_texts(names: tuple[str, ...], what: str) -> Any:
    """A C array of names, which nobody writes into."""
    return (c_char_p * len(names))(*[c_text(name, what) for name in names])


# A program asks for few combinations of names, or else for ever new ones, wrong ones among them.
_NAMES_KEPT = 256


def _keep(table: dict[tuple[str, ...], Any], names: tuple[str, ...], known: Any) -> None:
    if len(table) >= _NAMES_KEPT:
        table.clear()
    table[names] = known


def _settings(
    lib: Library, options: RunOptions | None, profile: Recording | None
) -> tuple[Any, Any]:
    """A leapstone_run_options, and what must live until the run is over."""
    if options is None and profile is None:
        return None, None
    settings = RunSettings(size=ctypes.sizeof(RunSettings))
    cancellation = None
    if options is not None:
        cancellation = options._cancellation_of_run(lib)
        settings.cancellation = cancellation.handle
        settings.timeout = options.timeout
    if profile is not None:
        settings.profile = profile.handle
    return byref(settings), (settings, cancellation)
