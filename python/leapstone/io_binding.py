"""IOBinding: inputs and outputs tied to memory, so that runs write where a program wants them to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._dtypes import ELEMENT_TYPES, number_of
from .errors import InvalidArgument, LeapstoneError, of_binding
from .options import RunOptions
from .ortvalue import OrtValue, on_cpu, tensor_at

if TYPE_CHECKING:
    from ._engine import Engine
    from ._profile import Recording
    from .session import InferenceSession


@contextlib.contextmanager
def _errors_of_binding() -> Iterator[None]:
    """Makes what is raised inside a `RuntimeError` too, as it is in onnxruntime."""
    try:
        yield
    except LeapstoneError as error:
        raise of_binding(type(error))(*error.args).with_traceback(error.__traceback__) from None


class IOBinding:
    """What `InferenceSession.run_with_iobinding` reads from and writes to.

    The package's exceptions are `RuntimeError` too where they come from here.
    """

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, OrtValue | None] = {}
        self._results: list[OrtValue] = []

    def bind_cpu_input(self, name: str, arr_on_cpu: Any) -> None:
        """Reads an input from an array."""
        self._bind(name, arr_on_cpu)

    def bind_ortvalue_input(self, name: str, ortvalue: OrtValue) -> None:
        """Reads an input from an `OrtValue`."""
        self._bind(name, ortvalue)

    @_errors_of_binding()
    def bind_input(
        self, name: str, device_type: str, device_id: int, element_type: npt.DTypeLike | int,
        shape: Sequence[int], buffer_ptr: int,
    ) -> None:
        """Reads an input from memory at an address, which the program keeps alive."""
        on_cpu(device_type)
        self._bind(name, tensor_at(buffer_ptr, element_type, shape))

    @_errors_of_binding()
    def _bind(self, name: str, value: Any) -> None:
        known = self._session._loaded().by_name
        if name not in known:
            raise InvalidArgument(f"unknown input '{name}'; the model has {list(known)}")
        self._inputs[name] = value

    @_errors_of_binding()
    def bind_output(
        self, name: str, device_type: str = "cpu", device_id: int = 0,
        element_type: npt.DTypeLike | int | None = None, shape: Sequence[int] | None = None,
        buffer_ptr: int | None = None,
    ) -> None:
        """Wants an output; writes it to memory at an address where one is given."""
        on_cpu(device_type)
        if buffer_ptr is None:
            self._outputs[name] = None
            return
        if element_type is None or shape is None:
            raise InvalidArgument(f"output '{name}': a buffer needs an element type and a shape")
        self._outputs[name] = OrtValue(tensor_at(buffer_ptr, element_type, shape))

    def bind_ortvalue_output(self, name: str, ortvalue: OrtValue) -> None:
        """Writes an output into an `OrtValue` of its type and shape."""
        self._outputs[name] = ortvalue

    def clear_binding_inputs(self) -> None:
        """Forgets the inputs."""
        self._inputs.clear()

    def clear_binding_outputs(self) -> None:
        """Forgets the outputs."""
        self._outputs.clear()

    def synchronize_inputs(self) -> None:
        """Has no effect: a run on the CPU is over when it returns."""

    def synchronize_outputs(self) -> None:
        """Has no effect: a run on the CPU is over when it returns."""

    def get_outputs(self) -> list[OrtValue]:
        """What the last run left, in the order in which outputs were bound."""
        return list(self._results)

    def copy_outputs_to_cpu(self) -> list[Any]:
        """What the last run left, as arrays."""
        return [result._value for result in self._results]

    @_errors_of_binding()
    def _run(self, engine: Engine, options: RunOptions | None, profile: Recording | None) -> None:
        names = tuple(self._outputs)
        if not names:
            raise InvalidArgument("no output is bound")
        targets = list(self._outputs.values())
        buffers = [_buffer(target) for target in targets]
        values = engine.run(names, self._inputs, options, profile, buffers)
        results = []
        for name, value, target, buffer in zip(names, values, targets, buffers, strict=True):
            if target is None:
                results.append(OrtValue(value))
            else:
                if buffer is None:
                    _copy(name, value, target)
                results.append(target)
        self._results = results


def _copy(name: str, value: Any, target: OrtValue) -> None:
    """Copies what a run gave into memory that the library itself cannot write to."""
    try:
        target.update_inplace(value)
    except InvalidArgument as error:
        raise InvalidArgument(f"output '{name}': {error}") from None


def _buffer(target: OrtValue | None) -> tuple[npt.NDArray[Any], int] | None:
    """The memory that the library itself can write to.

    It cannot where elements are strings or packed in ONNX, or do not lie one after the other,
    aligned and of native byte order.
    """
    if target is None:
        return None
    array = target.numpy()
    if not array.flags.writeable:
        raise InvalidArgument("a run cannot write into a read-only array")
    if array.dtype == np.dtype(object) or ELEMENT_TYPES[number_of(array.dtype)].is_packed:
        return None
    flags = array.flags
    if not (flags.c_contiguous and flags.aligned and array.dtype.isnative):
        return None
    return array, number_of(array.dtype)
