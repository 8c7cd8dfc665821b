"""Writes operator cases: a one-node model, its inputs, and the outputs it should have.

The layout is ONNX's own: NAME/model.onnx, NAME/test_data_set_0/input_K.pb and output_K.pb.
index.jsonl has a line per case: name, operator, opset, rtol, atol, and which of ONNX Runtime and
onnx.reference gave the expected outputs.
"""

import json
import pathlib
import zlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

NEWEST_OPSET = 28


def versions(operator, oldest=1, newest=NEWEST_OPSET):
    """Every opset that changed the operator, and the newest."""
    found = {schema.since_version for schema in onnx.defs.get_all_schemas_with_history()
             if schema.name == operator and schema.domain == "" and not schema.deprecated}
    found = {version for version in found if oldest <= version <= newest}
    return sorted(found | ({newest} if newest < NEWEST_OPSET or found else set()))


def random(*shape, dtype=np.float32, seed=0, low=-2.0, high=2.0):
    """Seeded numbers of any type, the same for the same arguments."""
    rng = np.random.default_rng([seed, zlib.crc32(repr(shape).encode())])
    values = rng.uniform(low, high, shape)
    return np.asarray(values > 0 if dtype == np.bool_ else values, dtype)


def has_doubles(feeds):
    return any(not isinstance(value, list) and np.asarray(value).dtype == np.float64
               for value in feeds.values())


def type_of(value, shaped=True):
    """The type of an array, or of a list: a sequence of tensors in any shapes."""
    if isinstance(value, list):
        return helper.make_sequence_type_proto(type_of(value[0], shaped=False))
    array = np.asarray(value)
    return helper.make_tensor_type_proto(
        helper.np_dtype_to_tensor_dtype(array.dtype), array.shape if shaped else None)


def message_of(value, name):
    """An array, or a list of arrays, as ONNX stores it."""
    if isinstance(value, list):
        return numpy_helper.from_list(value, name)
    return numpy_helper.from_array(np.asarray(value), name)


class CaseWriter:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.lines, self.names, self.refused = [], set(), []
        self.options = onnxruntime.SessionOptions()
        self.options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.options.intra_op_num_threads = 1
        self.options.log_severity_level = 4

    def add(self, operator, opset, inputs, constants=(), outputs=1, name="", rtol=1e-5, atol=1e-6,
            reference=False, domain="", settings=None, **attributes):
        """One case: `inputs` are arrays, lists for sequences, None for those left out; `constants`
        become initializers.

        With `reference` the expected outputs come from onnx.reference even where ONNX Runtime has
        a kernel. `opset` is that of the operator's domain; `settings` are attributes whose names
        are taken here.
        """
        names = ["" if array is None else f"x{index}" for index, array in enumerate(inputs)]
        results = [f"y{index}" for index in range(outputs)]
        node = helper.make_node(operator, names, results, name=operator, domain=domain,
                                **attributes, **(settings or {}))
        fed = [(key, array) for index, (key, array) in enumerate(zip(names, inputs))
               if array is not None and index not in constants]
        weights = [numpy_helper.from_array(np.asarray(inputs[index]), names[index])
                   for index in constants if inputs[index] is not None]
        graph = helper.make_graph(
            [node], operator.lower(),
            [helper.make_value_info(key, type_of(value)) for key, value in fed],
            [helper.make_empty_tensor_value_info(result) for result in results], weights)
        opsets = [helper.make_opsetid(domain, opset)]
        if domain:
            opsets.append(helper.make_opsetid("", 17))
        model = helper.make_model(graph, opset_imports=opsets,
                                  ir_version=max(4, helper.find_min_ir_version_for(
                                      opsets, True)))
        self.finish(model, dict(fed), operator, opset, name, rtol, atol, reference)

    def expected(self, model, feeds, reference):
        """Outputs and who computed them; raises what both had to say where both refuse."""
        reasons = []
        runners = [("onnxruntime", lambda: onnxruntime.InferenceSession(
            model.SerializeToString(), self.options, ["CPUExecutionProvider"])),
                   ("onnx.reference", lambda: ReferenceEvaluator(model))]
        for source, make in runners[1:] if reference else runners:
            try:
                with np.errstate(all="ignore"):
                    outputs = [
                        [np.asarray(item) for item in value] if isinstance(value, list)
                        else np.asarray(value) for value in make().run(None, feeds)]
                if source == "onnx.reference" and has_doubles(feeds):
                    self.confirm(model, feeds, outputs)
                return outputs, source
            except Exception as error:  # Both raise whatever their kernels raise.
                reasons.append(f"{source}: {str(error).splitlines()[0][:160]}")
        raise ValueError("; ".join(reasons))

    def confirm(self, model, feeds, outputs):
        """Raises where ONNX Runtime, in single precision, differs from onnx.reference's outputs."""
        single = onnx.ModelProto()
        single.CopyFrom(model)
        for value in single.graph.input:
            if value.type.tensor_type.elem_type == TensorProto.DOUBLE:
                value.type.tensor_type.elem_type = TensorProto.FLOAT
        for weight in single.graph.initializer:
            if weight.data_type == TensorProto.DOUBLE:
                array = numpy_helper.to_array(weight).astype(np.float32)
                weight.CopyFrom(numpy_helper.from_array(array, weight.name))
        session = onnxruntime.InferenceSession(single.SerializeToString(), self.options,
                                               ["CPUExecutionProvider"])
        feeds = {key: array.astype(np.float32) if array.dtype == np.float64 else array
                 for key, array in feeds.items()}
        for ours, theirs in zip(outputs, session.run(None, feeds)):
            if ours.shape != theirs.shape or not np.allclose(ours, theirs, 1e-3, 1e-4,
                                                             equal_nan=True):
                raise ValueError("differs from ONNX Runtime in single precision")

    def finish(self, model, feeds, operator, opset, name, rtol, atol, reference):
        parts = [operator.lower(), f"opset{opset}", name]
        stem = base = "_".join(part for part in parts if part)
        count = 1
        while stem in self.names:
            count += 1
            stem = f"{base}_{count}"
        self.names.add(stem)
        try:
            outputs, source = self.expected(model, feeds, reference)
        except ValueError as error:
            self.refused.append((stem, str(error)))
            return
        for value, result in zip(model.graph.output, outputs):
            value.CopyFrom(helper.make_value_info(value.name, type_of(result)))
        data = self.directory / stem / "test_data_set_0"
        data.mkdir(parents=True, exist_ok=True)
        (data.parent / "model.onnx").write_bytes(model.SerializeToString())
        for kind, arrays in (("input", feeds.items()),
                             ("output", zip((v.name for v in model.graph.output), outputs))):
            for index, (key, array) in enumerate(arrays):
                message = message_of(array, key)
                (data / f"{kind}_{index}.pb").write_bytes(message.SerializeToString())
        self.lines.append({"name": stem, "operator": operator, "opset": opset, "rtol": rtol,
                           "atol": atol, "expected": source})

    def close(self):
        with (self.directory / "index.jsonl").open("w") as stream:
            stream.writelines(json.dumps(line) + "\n" for line in self.lines)
