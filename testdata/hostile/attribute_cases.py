"""Models whose attributes and ranks break the rules of their operators."""

from corpus import case
from onnx_messages import (data, FLOAT, floats, graph, int64s, integer, ints, model, node, number,
                           one_node, string, tensor, value)

SESSION = {"step": "session"}
LEAST = -(1 << 63)
IMAGE = {"x": (1, 4, 4, 4), "y": ("a", "b", "c", "d")}


def window_cases():
    filters = {"initializers": [floats("w", [4, 1, 2, 2], [1.0] * 16)], "inputs": ["w"]}
    run = {"step": "run", "inputs": {"x": [1, 4, 4, 4]}}
    case("transposed_stride.onnx", "a transposed convolution that spreads over terabytes", "memory",
         one_node("ConvTranspose", [ints("strides", [1 << 24, 1 << 24])], **IMAGE, **filters), **run)
    case("transposed_output.onnx", "a negative output padding", "output_padding",
         one_node("ConvTranspose", [ints("output_padding", [-5, 0])], **IMAGE, **filters), **SESSION)
    case("conv_zero_group.onnx", "no groups at all", "group",
         one_node("Conv", [integer("group", 0)], **IMAGE, **filters), **SESSION)
    case("conv_dilation.onnx", "a dilation that overflows the kernel's extent", "dilation",
         one_node("Conv", [ints("dilations", [1 << 62, 1]), integer("group", 4)], **IMAGE, **filters),
         **SESSION)
    case("conv_pads_rank.onnx", "pads for one side of each axis alone", "pads",
         one_node("Conv", [ints("pads", [1, 1]), integer("group", 4)], **IMAGE, **filters), **SESSION)
    case("pool_negative_pads.onnx", "negative padding of a pooling", "pads",
         one_node("MaxPool", [ints("kernel_shape", [2, 2]), ints("pads", [-3, 0, 0, 0])], **IMAGE),
         **SESSION)
    case("pool_dilation.onnx", "a dilation of zero", "dilations",
         one_node("MaxPool", [ints("kernel_shape", [2, 2]), ints("dilations", [0, 1])], **IMAGE),
         **SESSION)
    case("lrn_size.onnx", "a normalisation over no channels", "size",
         one_node("LRN", [integer("size", 0)], **IMAGE), **SESSION)
    case("depth_to_space.onnx", "blocks whose square overflows", "blocksize",
         one_node("DepthToSpace", [integer("blocksize", 1 << 32)], **IMAGE), **SESSION)
    case("space_to_depth.onnx", "blocks of no pixels", "blocksize",
         one_node("SpaceToDepth", [integer("blocksize", 0)], **IMAGE), **SESSION)
    scale = [floats("s", [4], [1.0] * 4), floats("b", [4], [1.0] * 4)]
    case("group_normalization.onnx", "groups that do not divide the channels", "3 groups",
         model(
             graph([node("GroupNormalization", ["x", "s", "b"], ["y"], [integer("num_groups", 3)])],
                   [value("x", FLOAT, (1, 4, 4, 4))], [value("y", FLOAT, (1, 4, 4, 4))], scale),
             extra=b"").replace(number(2, 17), number(2, 21), 1), **SESSION)


def rank_cases():
    case("matmul_scalar.onnx", "a matrix product with a scalar", "MatMul",
         one_node("MatMul", x=(2, 2), y=("a", ), initializers=[floats("w", [], [1.0])], inputs=["w"]),
         **SESSION)
    case("matmul_extents.onnx", "matrices that do not fit", "MatMul",
         one_node("MatMul", x=(2, 3), y=("a", "b"), initializers=[floats("w", [2, 2], [1.0] * 4)],
                  inputs=["w"]), **SESSION)
    bytes_of = lambda name, dims: tensor(name, 2, dims, bytes(max(1, dims[0] if dims else 1)))
    case("matmul_integer_zero.onnx", "zero points of another length than the rows", "a_zero_point",
         model(
             graph([node("MatMulInteger", ["x", "w", "z"], ["y"])], [value("x", 2, (2, 2))],
                   [value("y", 6, ("a", "b"))], [tensor("w", 2, [2, 2], bytes(4)), bytes_of("z", [7])])),
         **SESSION)
    case("conv_rank.onnx", "a convolution of a vector", "rank",
         one_node("Conv", x=(3, ), y=("a", ), initializers=[floats("w", [1], [1.0])], inputs=["w"]),
         **SESSION)
    case("batch_norm_channels.onnx", "statistics for another number of channels", "BatchNormalization",
         model(
             graph([node("BatchNormalization", ["x", "s", "s", "s", "s"], ["y"])],
                   [value("x", FLOAT, (1, 4, 2, 2))], [value("y", FLOAT, (1, 4, 2, 2))],
                   [floats("s", [3], [1.0] * 3)])), **SESSION)
    case("broadcast.onnx", "shapes that cannot be broadcast", "broadcast",
         one_node("Add", x=(2, ), y=("a", ), initializers=[floats("w", [3], [1.0] * 3)], inputs=["w"]),
         **SESSION)
    case("concat_axis.onnx", "an axis to join along that overflows when negated", "axis",
         one_node("Concat", [integer("axis", LEAST)]), **SESSION)
    case("split_zero.onnx", "a split into no pieces", "num_outputs",
         model(
             graph([node("Split", ["x"], ["y"], [integer("num_outputs", 0)])], [value("x", FLOAT, (2, ))],
                   [value("y", FLOAT, ("a", ))])).replace(number(2, 17), number(2, 18), 1), **SESSION)
    case("trilu_rank.onnx", "a triangle of a vector", "rank",
         one_node("Trilu", x=(3, ), y=("a", )), **SESSION)
    case("cumsum_axis.onnx", "an axis to sum along that does not exist", "axis",
         one_node("CumSum", initializers=[int64s("a", [], [9])], inputs=["a"]), **SESSION)
    case("high_rank.onnx", "a tensor of 5000 axes", "",
         one_node("Unsqueeze", x=(1, ), y=("a", ), initializers=[int64s("a", [5000], range(5000))],
                  inputs=["a"]), step="done", inputs={"x": [1]})


def text_cases():
    case("einsum_text.onnx", "an equation that means nothing", "equation",
         one_node("Einsum", [string("equation", "i.j,->->k")]), **SESSION)
    case("einsum_repeat.onnx", "an equation with a letter of two extents", "extent",
         one_node("Einsum", [string("equation", "ii->i")], x=(2, 3), y=("a", )), **SESSION)
    case("pattern.onnx", "a pattern that sends other engines back for ever", "",
         model(
             graph([node("RegexFullMatch", ["t"], ["m"], [string("pattern", "(a+)+(b+)+c")]),
                    node("Cast", ["m"], ["f"], [integer("to", FLOAT)]), node("Add", ["x", "f"], ["y"])],
                   [value("x")], [value("y")],
                   [data(8, "t") + number(1, 1) + number(2, 8) + data(6, b"a" * 5000)])
         ).replace(number(2, 17), number(2, 20), 1), step="done", inputs={"x": [1]})
    case("pattern_broken.onnx", "a pattern that does not end", "pattern",
         model(
             graph([node("RegexFullMatch", ["t"], ["m"], [string("pattern", "(a[")])], [value("t", 8)],
                   [value("m", 9)])).replace(number(2, 17), number(2, 20), 1), **SESSION)
    case("pad_mode.onnx", "a mode that does not exist", "mode",
         one_node("Pad", [string("mode", "sideways")], initializers=[int64s("p", [2], [1, 1])],
                  inputs=["p"], y=("a", )), **SESSION)
    case("lstm_direction.onnx", "a direction that does not exist", "direction", recurrent(
        "LSTM", [string("direction", "up"), integer("hidden_size", 1)]), **SESSION)
    case("lstm_hidden.onnx", "a hidden state of a trillion numbers", "hidden_size", recurrent(
        "LSTM", [integer("hidden_size", 1 << 40)]), **SESSION)
    case("cast_type.onnx", "a type to cast to that does not exist", "to",
         one_node("Cast", [integer("to", 999)]), **SESSION)
    case("string_attribute.onnx", "an attribute that is no UTF-8", "UTF-8",
         one_node("Pad", [data(1, "mode") + data(4, b"\xff\xfe") + number(20, 3)],
                  initializers=[int64s("p", [2], [1, 1])], inputs=["p"], y=("a", )), **SESSION)


def recurrent(operator, attributes):
    """A layer of one input and four gates."""
    return model(
        graph([node(operator, ["x", "w", "r"], ["y"], attributes)], [value("x", FLOAT, (1, 1, 1))],
              [value("y", FLOAT, ("a", "b", "c", "d"))],
              [floats("w", [1, 4, 1], [1.0] * 4), floats("r", [1, 4, 1], [1.0] * 4)]))


def make():
    for part in (window_cases, rank_cases, text_cases):
        part()
