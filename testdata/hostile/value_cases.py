"""Models whose indices, lengths and sizes lead out of what they count: elements that reach kernels."""

import struct

from corpus import case
from onnx_messages import (data, FLOAT, floats, graph, INT32, INT64, int64s, integer, ints, MAXIMUM,
                           model, node, number, one_node, string, tensor, value)

RUN = {"step": "run", "inputs": {"x": [1]}}
SESSION = {"step": "session"}
LEAST = -(1 << 63)


def reading(operator, constants, attributes=(), x=(1, ), y=("a", ), before=(), element_type=FLOAT,
            outputs=("y", ), y_type=None):
    """A model of one node: inputs before `x`, `x`, and constants, in this order."""
    names = [name for name, _ in before] + ["x"] + [name for name, _ in constants]
    made = node(operator, names, list(outputs), attributes)
    return model(
        graph([made], [value("x", element_type, x)],
              [value("y", element_type if y_type is None else y_type, y)],
              [content for _, content in list(before) + list(constants)]))


def indices(values, shape=None, name="i"):
    return name, int64s(name, shape or [len(values)], values)


def updates(count=1, name="u"):
    return name, floats(name, [count], [1.0] * count)


def index_cases():
    matrix = {"x": (2, 2), "y": ("a", "b")}
    run = {"step": "run", "inputs": {"x": [2, 2]}}
    case("gather_negative.onnx", "an index that counts back beyond the axis", "ind",
         reading("Gather", [indices([-2])]), **RUN)
    case("gather_elements_index.onnx", "an element's index beyond the axis", "ind",
         reading("GatherElements", [indices([7, 0, 0, 0], [2, 2])], **matrix), **run)
    case("gather_nd_index.onnx", "a tuple of indices that leads out", "ind",
         reading("GatherND", [indices([1, 2], [1, 2])], x=(2, 2)), **run)
    case("gather_nd_tuple.onnx", "tuples of more indices than there are axes", "ind",
         reading("GatherND", [indices([0, 0, 0], [1, 3])], x=(2, 2)), **SESSION)
    case("scatter_elements_index.onnx", "an update that goes beyond the axis", "ind",
         reading("ScatterElements", [indices([1 << 33]), updates()]), **RUN)
    case("scatter_nd_index.onnx", "an update that goes before the first element", "ind",
         reading("ScatterND", [indices([-9], [1, 1]), updates()]), **RUN)
    case("array_feature_index.onnx", "a feature that does not exist", "ArrayFeatureExtractor",
         model(
             graph([node("ArrayFeatureExtractor", ["x", "i"], ["y"], domain="ai.onnx.ml")],
                   [value("x")], [value("y", FLOAT, ("a", "b"))], [int64s("i", [1], [1 << 40])]),
             extra=data(8, data(1, "ai.onnx.ml") + number(2, 1))), **RUN)
    case("max_unpool_index.onnx", "a maximum that came from outside of the image", "ind",
         reading("MaxUnpool", [("i", int64s("i", [1, 1, 1, 1], [1 << 40]))],
                 [ints("kernel_shape", [2, 2])], x=(1, 1, 1, 1), y=("a", "b", "c", "d")),
         step="run", inputs={"x": [1, 1, 1, 1]})
    case("sequence_position.onnx", "a position beyond the end of a sequence", "position",
         model(
             graph([
                 node("SequenceConstruct", ["x"], ["s"]),
                 node("SequenceAt", ["s", "i"], ["y"])
             ], [value("x")], [value("y", FLOAT, ("a", ))], [int64s("i", [], [5])])), **RUN)
    case("reverse_lengths.onnx", "a sequence longer than its axis", "length",
         reading("ReverseSequence", [indices([3, 1])], [integer("time_axis", 0), integer("batch_axis", 1)],
                 **matrix), **run)
    case("top_k.onnx", "more largest elements than there are", "k",
         reading("TopK", [indices([5], name="k")], outputs=("y", "z")), **SESSION)
    case("top_k_negative.onnx", "a negative number of largest elements", "k",
         reading("TopK", [indices([-1], name="k")], outputs=("y", "z")), **SESSION)
    case("loss_target.onnx", "a target class that does not exist", "class 9",
         reading("NegativeLogLikelihoodLoss", [indices([9, 0])], y=(), x=(2, 2)), **run)
    boxes = [("r", floats("r", [1, 4], [0, 0, 1, 1])), indices([3])]
    case("roi_batch.onnx", "a region of an image that is not there", "image 3",
         reading("RoiAlign", boxes, x=(1, 1, 2, 2), y=("a", "b", "c", "d")), step="run",
         inputs={"x": [1, 1, 2, 2]})
    case("one_hot_axis.onnx", "a one-hot axis far before the first", "axis",
         reading("OneHot", [("d", int64s("d", [], [3])), ("v", floats("v", [2], [0, 1]))],
                 [integer("axis", LEAST)], y=("a", "b")), **SESSION)


def arithmetic_cases():
    most = tensor("a", INT32, [1], struct.pack("<i", -(1 << 31)))
    minus = tensor("b", INT32, [1], struct.pack("<i", -1))
    for operator in ("Div", "Mod"):
        made = model(
            graph([node(operator, ["a", "b"], ["q"]), node("Add", ["q", "x"], ["y"])],
                  [value("x", INT32)], [value("y", INT32)], [most, minus]))
        case(f"{operator.lower()}_overflow.onnx", f"{operator} whose result has no 32 bits", "", made,
             step="done", inputs={"x": [1]})
    shift = tensor("s", 12, [1], struct.pack("<I", 77))
    case("bit_shift.onnx", "a shift by more bits than there are", "",
         one_node("BitShift", [string("direction", "LEFT")], initializers=[shift], inputs=["s"],
                  element_type=12), step="done", inputs={"x": [1]})
    nan = ("s", floats("s", [1], [float("nan")]))
    case("cast_nan.onnx", "NaN as an integer", "",
         model(
             graph([node("Add", ["x", "s"], ["n"]), node("Cast", ["n"], ["y"], [integer("to", INT64)])],
                   [value("x")], [value("y", INT64)], [nan[1]])), step="done", inputs={"x": [1]})


def size_cases():
    scalar = lambda name, number: (name, int64s(name, [], [number]))
    case("dft_length.onnx", "a Fourier transform of a trillion terms", "expected 1 to",
         reading("DFT", [scalar("n", 1 << 40)], x=(1, 2, 1), y=("a", "b", "c")), **SESSION)
    case("dft_negative.onnx", "a Fourier transform of a negative length", "length",
         reading("DFT", [scalar("n", -1)], x=(1, 2, 1), y=("a", "b", "c")), **SESSION)
    window = model(
        graph([node("HannWindow", ["n"], ["y"])], [value("x")], [value("y", FLOAT, ("a", ))],
              [int64s("n", [], [1 << 50])]))
    case("window_bomb.onnx", "a window of a quadrillion terms", "expected 0 to", window, **SESSION)
    case("random_bomb.onnx", "random numbers that fill any memory", "memory",
         model(
             graph([node("RandomNormal", [], ["y"], [ints("shape", [1 << 40, 1 << 10])])],
                   [value("x")], [value("y", FLOAT, ("a", "b"))])), **RUN)
    case("random_negative.onnx", "random numbers of a negative extent", "shape",
         model(
             graph([node("RandomNormal", [], ["y"], [ints("shape", [-3])])], [value("x")],
                   [value("y", FLOAT, ("a", ))])), **SESSION)
    case("expand_negative.onnx", "an extent of Expand that is negative", "-7",
         reading("Expand", [indices([-7])]), **SESSION)
    case("tile_overflow.onnx", "Tile by numbers whose product overflows", "memory",
         reading("Tile", [indices([1 << 33, 1 << 33])], x=(1, 1), y=("a", "b")), step="run",
         inputs={"x": [1, 1]})
    case("outer_product_bomb.onnx", "two vectors whose product takes terabytes", "memory",
         model(
             graph([
                 node("Expand", ["x", "s"], ["v"]), node("Einsum", ["v", "v"], ["y"],
                                                         [string("equation", "i,j->ij")])
             ], [value("x")], [value("y", FLOAT, ("a", "b"))], [int64s("s", [1], [1 << 21])])), **RUN)
    case("nonzero_bomb.onnx", "a mask of terabytes whose places are asked for", "memory",
         model(
             graph([node("ConstantOfShape", ["s"], ["c"]), node("NonZero", ["c"], ["y"])],
                   [value("x")], [value("y", INT64, ("a", "b"))], [int64s("s", [1], [1 << 45])])), **RUN)
    case("split_sequence.onnx", "pieces of no length, of which there is no end", "pieces of 0",
         model(
             graph([node("SplitToSequence", ["x", "n"], ["s"]), node("SequenceLength", ["s"], ["y"])],
                   [value("x")], [value("y", INT64, ())], [int64s("n", [], [0])])), **RUN)


def resize(scales=None, sizes=None, **attributes):
    constants = [("scales", floats("scales", [len(scales)], scales))] if scales else []
    names = ["x", "", "scales"] if scales else ["x", "", "", "sizes"]
    if sizes:
        constants = [("sizes", int64s("sizes", [len(sizes)], sizes))]
    return model(
        graph([node("Resize", names, ["y"])], [value("x", FLOAT, (1, 1, 2, 2))],
              [value("y", FLOAT, ("a", "b", "c", "d"))], [content for _, content in constants]))


def scale_cases():
    run = {"step": "run", "inputs": {"x": [1, 1, 2, 2]}}
    case("resize_nan.onnx", "a scale that is no number", "scale", resize([1, 1, float("nan"), 1]),
         **SESSION)
    case("resize_infinite.onnx", "an infinite scale", "scale", resize([1, 1, float("inf"), 1]), **SESSION)
    case("resize_negative.onnx", "a negative scale", "scale", resize([1, 1, -2, 1]), **SESSION)
    case("resize_bomb.onnx", "a picture scaled to terabytes", "memory", resize([1, 1, 1e6, 1e6]), **run)
    case("resize_sizes.onnx", "a picture of a negative size", "size", resize(None, [1, 1, -4, 4]),
         **SESSION)
    case("quantize_scale.onnx", "a scale that is NaN between bytes and floats", "",
         model(
             graph([
                 node("QuantizeLinear", ["x", "s"], ["q"]),
                 node("DequantizeLinear", ["q", "s"], ["y"])
             ], [value("x")], [value("y")], [floats("s", [], [float("nan")])])), step="done",
         inputs={"x": [1]})


def make():
    for part in (index_cases, arithmetic_cases, size_cases, scale_cases):
        part()
