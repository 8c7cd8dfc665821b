"""The ONNX backend interface over sessions: what `onnx.backend.test.BackendTest` runs its cases with.

    import leapstone.backend as backend

    prepared = backend.prepare(model)
    outputs = prepared.run([array])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.backend.base import Backend, BackendRep, namedtupledict

from ._dtypes import number_of
from .errors import InvalidArgument, LeapstoneError
from .options import SessionOptions
from .session import InferenceSession

# A serialised message ends where 31 bits do.
_LARGEST_MESSAGE = 2**31 - 1


class LeapstoneBackendRep(BackendRep):
    """A model that is ready to run."""

    def __init__(self, session: InferenceSession) -> None:
        self.session = session

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Runs the model.

        Args:
            inputs: values in the order of the model's inputs, those with a default last; or by
                name; or one value.

        Returns:
            The outputs in the model's order; also by name.
        """
        arguments = self.session.get_inputs()
        known = [*arguments, *self.session.get_overridable_initializers()]
        if isinstance(inputs, Mapping):
            feed = dict(inputs)
        else:
            given = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
            if len(given) > len(known):
                raise InvalidArgument(f"{len(given)} inputs for the model's {len(known)}")
            feed = {argument.name: value for argument, value in zip(known, given)}
        names = [output.name for output in self.session.get_outputs()]
        return namedtupledict("Outputs", names)(*self.session.run(names, feed))


class LeapstoneBackend(Backend):
    """The backend: models run on the CPU."""

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether models run on a device: `CPU`."""
        return device == "CPU" or device.startswith("CPU:")

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether a model can run: it loads, which takes all its operators in their versions and types, and has no input
        that cannot be passed (maps, sparse tensors)."""
        try:
            inputs = cls.prepare(model, device, **kwargs).session.get_inputs()
        except LeapstoneError:
            return False
        return not any(kind in entry.type for entry in inputs for kind in ("map(", "sparse_tensor("))

    @classmethod
    def prepare(
        cls, model: onnx.ModelProto | bytes | str, device: str = "CPU", **kwargs: Any
    ) -> LeapstoneBackendRep:
        """Loads a model: a message, its bytes, or a path. `sess_options` may be among `kwargs`."""
        if not cls.supports_device(device):
            raise InvalidArgument(f"there is no device {device!r} here, only the CPU")
        source: Any = model
        if isinstance(model, onnx.ModelProto):
            if model.ByteSize() > _LARGEST_MESSAGE:
                raise InvalidArgument("a model of 2 GiB and more is prepared from its path")
            source = model.SerializeToString()
        options = kwargs.get("sess_options") or SessionOptions()
        return LeapstoneBackendRep(InferenceSession(source, options))

    @classmethod
    def run_model(
        cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any
    ) -> tuple[Any, ...]:
        """Loads a model and runs it once."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype[Any], tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Runs one node, of the opset `opset_version` in `kwargs` or the newest.

        Args:
            outputs_info: dtype and shape of each output; without it, those that inference tells.
        """
        super().run_node(node, inputs, device, outputs_info, **kwargs)
        model = _model_of_node(node, list(inputs), outputs_info, kwargs.get("opset_version"))
        return cls.run_model(model, inputs, device)


def _model_of_node(
    node: onnx.NodeProto, inputs: list[Any], outputs_info: Any, opset: int | None
) -> onnx.ModelProto:
    names = list(dict.fromkeys(name for name in node.input if name))
    arguments = [
        helper.make_value_info(name, _type_of(value))
        for name, value in zip(names, inputs, strict=True)
    ]
    results = [name for name in node.output if name]
    outputs = [
        helper.make_tensor_value_info(name, number_of(np.dtype(dtype)), shape)
        for name, (dtype, shape) in zip(results, outputs_info or ())
    ]
    graph = helper.make_graph([node], "node", arguments, outputs)
    opset_imports = [helper.make_opsetid(node.domain, opset or onnx.defs.onnx_opset_version())]
    model = helper.make_model(graph, opset_imports=opset_imports)
    if not outputs:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        types = {info.name: info.type for info in inferred.graph.value_info}
        model.graph.output.extend(
            helper.make_value_info(name, types.get(name, onnx.TypeProto())) for name in results)
    return model


def _type_of(value: Any) -> onnx.TypeProto:
    if value is None or (isinstance(value, (list, tuple)) and not value):
        raise InvalidArgument(
            "an empty sequence and None tell no type: run a model that declares one")
    if isinstance(value, (list, tuple)):
        return helper.make_sequence_type_proto(_type_of(value[0]))
    array = np.asarray(value)
    return helper.make_tensor_type_proto(number_of(array.dtype), array.shape)


prepare = LeapstoneBackend.prepare
run_model = LeapstoneBackend.run_model
run_node = LeapstoneBackend.run_node
supports_device = LeapstoneBackend.supports_device
is_compatible = LeapstoneBackend.is_compatible
