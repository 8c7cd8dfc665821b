"""Sequences and optionals through runs, held to onnxruntime and to ONNX's reference implementation."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import model_of, tensor
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

import leapstone
from leapstone import InferenceSession, OrtValue, backend

FLOAT = TensorProto.FLOAT
FLOATS = helper.make_tensor_type_proto(FLOAT, None)
SEQUENCE = helper.make_sequence_type_proto(FLOATS)


def value(name: str, type_proto: onnx.TypeProto) -> onnx.ValueInfoProto:
    """An input or output of any type."""
    return helper.make_value_info(name, type_proto)


def node(operator: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, [output], **attributes)


def same(mine: Any, wanted: Any) -> None:
    """Fails where two values differ in kind, type, shape or elements."""
    if isinstance(wanted, list):
        assert isinstance(mine, list) and len(mine) == len(wanted)
        for one, other in zip(mine, wanted):
            same(one, other)
        return
    if wanted is None:
        assert mine is None
        return
    assert (mine.dtype, mine.shape) == (wanted.dtype, wanted.shape)
    np.testing.assert_array_equal(mine, wanted)


def ramps(*shapes: tuple[int, ...]) -> list[np.ndarray[Any, Any]]:
    return [np.arange(np.prod(shape), dtype=np.float32).reshape(shape) for shape in shapes]


CONTAINERS = {
    "a sequence": (SEQUENCE, ramps((2, 3), (1,), (), (0, 4))),
    "an empty sequence": (SEQUENCE, []),
    "an optional": (helper.make_optional_type_proto(FLOATS), ramps((3,))[0]),
    "an optional without value": (helper.make_optional_type_proto(FLOATS), None),
    "an optional sequence": (helper.make_optional_type_proto(SEQUENCE), ramps((3,), (2, 2))),
    "an optional empty sequence": (helper.make_optional_type_proto(SEQUENCE), []),
    "an optional without sequence": (helper.make_optional_type_proto(SEQUENCE), None),
    "a sequence of text": (
        helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.STRING, None)),
        [np.array(["a", "é☃"], object), np.array([[""]], object)]),
}


@pytest.mark.parametrize(
    ("type_proto", "given"), CONTAINERS.values(), ids=CONTAINERS.keys())
@pytest.mark.parametrize("level", ["ORT_ENABLE_ALL", "ORT_DISABLE_ALL"])
def test_values_come_back_as_they_went_in(
    type_proto: onnx.TypeProto, given: Any, level: str
) -> None:
    options = leapstone.SessionOptions()
    options.graph_optimization_level = getattr(leapstone.GraphOptimizationLevel, level)
    model = model_of(
        [node("Identity", ["x"], "y")], [value("x", type_proto)], [value("y", type_proto)])
    session = InferenceSession(model, options)
    assert session.get_inputs()[0].type == session.get_outputs()[0].type
    same(session.run(None, {"x": given})[0], given)
    same(session.run(None, {"x": OrtValue(given)})[0], given)


def chain(opset: int = 17) -> bytes:
    """Cuts x, changes the pieces' order and number, works on one of them, and puts all together again."""
    nodes = [
        node("Relu", ["x"], "r"),
        node("SplitToSequence", ["r", "size"], "pieces", axis=1),
        node("SequenceAt", ["pieces", "place"], "piece"),
        node("Mul", ["piece", "piece"], "square"),
        node("SequenceInsert", ["pieces", "square", "place"], "longer"),
        node("SequenceErase", ["longer"], "shorter"),
        node("SequenceInsert", ["shorter", "piece"], "all"),
        node("SequenceLength", ["all"], "length"),
        node("Cast", ["length"], "number", to=FLOAT),
        node("ConcatFromSequence", ["all"], "joined", axis=-1),
        node("Add", ["joined", "number"], "y"),
    ]
    return model_of(
        nodes,
        [tensor("x", FLOAT, ["n", "m"]), tensor("size", TensorProto.INT64, []),
         tensor("place", TensorProto.INT64, [])],
        [tensor("y", FLOAT, None), value("all", SEQUENCE), tensor("length", TensorProto.INT64, [])],
        opset=opset, ir_version=8)


@pytest.mark.parametrize("opset", [11, 17, 24])
def test_chains_are_those_of_the_reference(opset: int) -> None:
    model = chain(opset)
    session = InferenceSession(model)
    references: list[Any] = [ReferenceEvaluator(onnx.load_from_string(model))]
    if opset < 24:
        references.append(onnxruntime.InferenceSession(model))
    for shape, size, place in [((2, 7), 3, 1), ((3, 4), 2, -1), ((2, 7), 3, 0), ((1, 5), 5, 0)]:
        feed = {
            "x": np.random.default_rng(0).standard_normal(shape).astype(np.float32),
            "size": np.array(size), "place": np.array(place)}
        mine = session.run(None, feed)
        for reference in references:
            wanted = reference.run(None, feed)
            for one, other in zip(mine, wanted, strict=True):
                same(one, [np.asarray(item) for item in other] if isinstance(other, list)
                     else np.asarray(other))


def test_every_value_may_be_asked_for() -> None:
    feed = {"x": ramps((2, 4))[0], "size": np.array(2), "place": np.array(0)}
    pieces, y = InferenceSession(chain()).run(["pieces", "y"], feed)
    assert [piece.shape for piece in pieces] == [(2, 2), (2, 2)]
    assert y.shape == (2, 6)


def looking(*nodes: onnx.NodeProto, output: onnx.ValueInfoProto) -> InferenceSession:
    """A session of a model of nodes that read the optional tensor `x`."""
    optional = value("x", helper.make_optional_type_proto(FLOATS))
    return InferenceSession(model_of(nodes, [optional], [output]))


def test_optionals_are_looked_into() -> None:
    has = looking(node("OptionalHasElement", ["x"], "y"), output=tensor("y", TensorProto.BOOL, []))
    got = looking(node("OptionalGetElement", ["x"], "item"), node("Neg", ["item"], "y"),
                  output=tensor("y", FLOAT, None))
    for given in ramps((2,), (3, 1)):
        same(has.run(None, {"x": given})[0], np.array(True))
        same(got.run(None, {"x": given})[0], -given)
    same(has.run(None, {"x": None})[0], np.array(False))
    with pytest.raises(leapstone.RuntimeException, match="OptionalGetElement.*without value"):
        got.run(None, {"x": None})


def test_an_optional_is_made_without_value() -> None:
    empty = node("Optional", [], "y", type=SEQUENCE)
    model = model_of([empty], [], [value("y", helper.make_optional_type_proto(SEQUENCE))])
    assert InferenceSession(model).run(None, {}) == [None]


def inserting() -> InferenceSession:
    """`y` is the sequence `s` with `x` at its end."""
    return InferenceSession(model_of(
        [node("SequenceInsert", ["s", "x"], "y")],
        [value("s", SEQUENCE), tensor("x", FLOAT, None)], [value("y", SEQUENCE)]))


@pytest.mark.parametrize(("given", "words"), [
    (np.zeros(2, np.float32), "'s'.*a sequence is a list, not ndarray"),
    (None, "'s'.*a sequence is a list, not NoneType"),
    ([None], "'s'.*None is no tensor"),
    ([np.zeros(2)], "'s'.*expected sequence.float32.*got a sequence of 1: float64 2"),
    ([np.zeros(2, np.float32), np.zeros(2, np.int32)], "'s'.*int32 2"),
])
def test_other_kinds_and_types_are_refused(given: Any, words: str) -> None:
    with pytest.raises(leapstone.InvalidArgument, match=words):
        inserting().run(None, {"s": given, "x": np.zeros(1, np.float32)})


def test_positions_out_of_range_are_refused() -> None:
    feed = {"x": ramps((2, 4))[0], "size": np.array(2), "place": np.array(2)}
    with pytest.raises(leapstone.RuntimeException, match="SequenceAt.*position 2 is out of range"):
        InferenceSession(chain()).run(None, feed)


def test_items_are_nobody_elses_memory() -> None:
    [x] = ramps((2000,))
    session = inserting()
    [y] = session.run(None, {"s": [x, x], "x": x})
    for item in y:
        item += 1
    np.testing.assert_array_equal(x, np.arange(2000))
    for item in y:
        np.testing.assert_array_equal(item, np.arange(2000) + 1)


def test_memory_does_not_grow() -> None:
    def resident() -> int:
        with open("/proc/self/status", encoding="ascii") as status:
            return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    session = inserting()
    items = ramps((2**16,), (2**16,))
    for _ in range(20):
        session.run(None, {"s": items, "x": items[0]})
    # A leak shows in every window; what else a process takes, in some.
    growths = []
    for _ in range(4):
        before = resident()
        for _ in range(200):
            session.run(None, {"s": items, "x": items[0]})
        growths.append(resident() - before)
    assert min(growths) < 4 * 2**20


def test_bound_outputs_may_be_sequences() -> None:
    binding = inserting().io_binding()
    items = ramps((2,), (3,))
    binding.bind_ortvalue_input("s", OrtValue([items[0]]))
    binding.bind_cpu_input("x", items[1])
    binding.bind_output("y")
    session = binding._session
    session.run_with_iobinding(binding)
    [y] = binding.get_outputs()
    assert y.is_tensor_sequence() and y.data_type() == "seq(tensor(float))"
    same(binding.copy_outputs_to_cpu()[0], items)


def test_the_backend_takes_lists() -> None:
    items = ramps((2,), (2,))
    concat = helper.make_node("ConcatFromSequence", ["s"], ["y"], axis=0)
    np.testing.assert_array_equal(backend.run_node(concat, [items])[0], [0, 1, 0, 1])
    for untold in ([], None):
        with pytest.raises(leapstone.InvalidArgument, match="no type"):
            backend.run_node(helper.make_node("Identity", ["s"], ["y"]), [untold])
    prepared = backend.prepare(onnx.load_from_string(chain()))
    outputs = prepared.run([ramps((2, 4))[0], np.array(2), np.array(0)])
    assert isinstance(outputs["all"], list) and len(outputs["all"]) == 3
