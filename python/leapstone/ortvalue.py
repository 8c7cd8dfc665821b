"""OrtValue and OrtDevice: values in memory that a program keeps, as onnxruntime has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ._dtypes import STRING, dtype_of, element_number, number_of
from ._notices import warn_once
from ._values import array_at, describe
from .errors import InvalidArgument


def on_cpu(device_type: str) -> None:
    """Warns once where a program asks for memory of another device: it gets the CPU's."""
    if str(device_type).lower() != "cpu":
        warn_once(f"there is no device {device_type!r} here; values lie in the CPU's memory", 4)


class OrtValue:
    """A tensor, a sequence (a list) or an optional, in the CPU's memory.

    A tensor is a NumPy array: one made from an array shares its memory where that is contiguous.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value: Any = value

    @classmethod
    def ortvalue_from_numpy(
        cls, numpy_obj: npt.NDArray[Any], /, device_type: str = "cpu", device_id: int = 0,
        vendor_id: int = -1,
    ) -> OrtValue:
        """A tensor over an array; a copy where the array is not contiguous."""
        on_cpu(device_type)
        return cls(np.asarray(numpy_obj, order="C"))

    @classmethod
    def ortvalue_from_numpy_with_onnx_type(
        cls, data: npt.NDArray[Any], /, onnx_element_type: int
    ) -> OrtValue:
        """A tensor over an array whose bytes are elements of another type of the same width."""
        return cls(np.asarray(data, order="C").view(dtype_of(onnx_element_type)))

    @classmethod
    def ortvalue_from_shape_and_type(
        cls, shape: Sequence[int], element_type: npt.DTypeLike | int, device_type: str = "cpu",
        device_id: int = 0, vendor_id: int = -1, memory_info: Any = None,
    ) -> OrtValue:
        """A tensor of zeros, for a run to write into."""
        on_cpu(device_type)
        return cls(np.zeros(tuple(shape), dtype_of(element_number(element_type))))

    @classmethod
    def from_dlpack(cls, data: Any, /) -> OrtValue:
        """A tensor over the memory of whatever speaks DLPack."""
        return cls(np.from_dlpack(data))

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self._tensor().__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        device = self._tensor().__dlpack_device__()
        return int(device[0]), int(device[1])

    def _tensor(self) -> npt.NDArray[Any]:
        if not self.is_tensor():
            raise InvalidArgument(f"the value is no tensor but {self.data_type()}")
        array: npt.NDArray[Any] = self._value
        return array

    def numpy(self) -> npt.NDArray[Any]:
        """The tensor as an array that shares its memory."""
        return self._tensor()

    def shape(self) -> list[int]:
        """The extents of the tensor."""
        return list(self._tensor().shape)

    def data_type(self) -> str:
        """The type as ONNX writes it: `tensor(float)`."""
        return describe(self._value)

    def element_type(self) -> int:
        """ONNX's number of the elements' type."""
        return number_of(self._tensor().dtype)

    def data_ptr(self) -> int:
        """The address of the first element."""
        return int(self._tensor().ctypes.data)

    def tensor_size_in_bytes(self) -> int:
        """Bytes that the tensor takes."""
        return self._tensor().nbytes

    def device_name(self) -> str:
        """Where the value lies: `cpu`."""
        return "cpu"

    def has_value(self) -> bool:
        """Whether it is anything but an optional that holds nothing."""
        return self._value is not None

    def is_tensor(self) -> bool:
        """Whether it is a tensor."""
        return isinstance(self._value, np.ndarray)

    def is_tensor_sequence(self) -> bool:
        """Whether it is a sequence."""
        return isinstance(self._value, list)

    def is_sparse_tensor(self) -> bool:
        """False: values are dense."""
        return False

    def update_inplace(self, data: npt.NDArray[Any]) -> None:
        """Copies an array of the same shape into the tensor's memory."""
        tensor = self._tensor()
        if isinstance(data, OrtValue):
            data = data.numpy()
        if tuple(data.shape) != tensor.shape or number_of(data.dtype) != number_of(tensor.dtype):
            raise InvalidArgument(
                f"{data.dtype} {data.shape} cannot replace {tensor.dtype} {tensor.shape}")
        np.copyto(tensor, data)


def tensor_at(
    address: int, element_type: npt.DTypeLike | int, shape: Sequence[int]
) -> npt.NDArray[Any]:
    """An array over memory that somebody else keeps alive."""
    number = element_number(element_type)
    if number == STRING:
        raise InvalidArgument("strings have no address")
    dtype = dtype_of(number)
    return array_at(address, tuple(shape), dtype)


class OrtDevice:
    """The CPU, as a device that values lie on."""

    def __init__(self, name: str = "cpu", device_id: int = 0) -> None:
        on_cpu(name)
        self._id = device_id

    @staticmethod
    def make(ort_device_name: str, device_id: int, vendor_id: int = -1) -> OrtDevice:
        """The device of a name; the CPU, whatever it is."""
        return OrtDevice(ort_device_name, device_id)

    @staticmethod
    def cpu() -> int:
        """The type number of CPUs."""
        return 0

    def device_id(self) -> int:
        """The number of the device among those of its type."""
        return self._id

    def device_type(self) -> int:
        """The type number: a CPU's."""
        return OrtDevice.cpu()
