#!/usr/bin/env python3
"""Writes model files that must be refused, each for a cause of its own, and an index of them.

    make_hostile.py FOLDER

FOLDER/index.json lists, for each case: `file`, `cause`, the `step` at which it must be refused
(`load`: when the model is read; `session`: when a session is made of it; `run`: when it runs with
zeros of the shapes that `inputs` gives; `done`: it is odd but sound, and must run to its end),
`message`: what the error must contain, and `budget`: the bytes that the session may take.

Only the standard library is needed.
"""

import json
import os
import struct
import sys

import attribute_cases
import classical_cases
import structure_cases
import value_cases

from corpus import CASES, case
from onnx_messages import (attribute, data, external, FLOAT, floats, function, graph, INT32, INT64,
                           int64s, integer, ints, MAXIMUM, model, node, number, one_node, string,
                           subgraph, tensor, value, varint, with_initializer)

def nested(depth):
    inner = graph([node("Relu", ["x"], ["r"])], [], [value("r")])
    for _ in range(depth):
        inner = graph([node("If", ["c"], ["r"], [subgraph("then_branch", inner)])], [],
                      [value("r")])
    return model(inner)


def wire_cases():
    good = one_node("Relu")
    case("truncated.onnx", "the file ends inside the graph", "truncated", good[:-7])
    case("truncated_varint.onnx", "the file ends inside a varint", "truncated",
         number(1, 10) + b"\x40\x80")
    case("long_varint.onnx", "a varint of eleven bytes", "longer than ten bytes",
         b"\x08" + b"\x80" * 10 + b"\x01" + good)
    case("count_over_claim.onnx", "a field claims more bytes than its message has", "claims",
         number(1, 10) + data(7, b"\x0a\xff\xff\xff\xff\x07ab"))
    case("group.onnx", "a group, which protobuf-c does not skip safely", "is a group",
         b"\x0b\x0c" + good)
    case(
        "reserved_field.onnx", "the field number that stands for payloads after the scan",
        "is reserved",
        with_initializer(
            tensor("w", FLOAT, [1], None, data(536870911,
                                               number(1, 9) + number(2, 0) + number(3, 4)))))
    case("split_graph.onnx", "a singular sub-message that comes twice", "comes twice",
         good + data(7, graph()))
    case("wire_type.onnx", "a string field with the wire type of a number", "wire type",
         number(2, 5) + good)
    case("nul_in_name.onnx", "a name with a NUL inside, which C would cut", "NUL",
         model(graph([node("Relu", ["x"], ["y\0z"])], [value("x")], [value("y")])))
    case("nested_subgraphs.onnx", "3000 nested subgraphs: recursion overflows the stack",
         "depth of nested messages", nested(3000))
    case("message_bomb.onnx", "a megabyte of empty messages expands to hundreds", "would allocate",
         model(data(5, b"") * (1 << 19)))
    case("git_lfs_pointer.onnx", "a Git LFS pointer in place of the file", "Git LFS",
         b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 102400000\n")
    case("page.onnx", "a web page in place of the file", "HTML",
         b"<!DOCTYPE html><html><body>404</body></html>")
    case("weights.safetensors.onnx", "weights without a graph", "safetensors",
         struct.pack("<Q", 20) + b'{"w":{"dtype":"F32"}' + bytes(20))
    case("empty.onnx", "no bytes at all", "empty", b"")


def tensor_cases():
    case("raw_size.onnx", "raw_data shorter than the shape asks for", "needs 8 bytes",
         with_initializer(tensor("w", FLOAT, [2], bytes(4))))
    case("negative_dim.onnx", "an initializer with a negative extent", "not negative",
         with_initializer(tensor("w", FLOAT, [-4], bytes(16))))
    case("product_overflow.onnx", "extents whose product exceeds 64 bits", "overflow",
         with_initializer(tensor("w", FLOAT, [1 << 40, 1 << 40], bytes(4))))
    case("undefined_type.onnx", "an initializer without an element type", "undefined",
         with_initializer(tensor("w", 0, [1], bytes(4))))
    case("unknown_type.onnx", "an element type that no version has", "not one of ONNX's",
         with_initializer(tensor("w", 99, [1], bytes(4))))
    case("two_payloads.onnx", "elements in raw_data and in float_data", "twice",
         with_initializer(tensor("w", FLOAT, [1], bytes(4), data(4, bytes(4)))))
    sparse = data(1, floats("w", [1], [1.0])) + data(2, int64s("", [1], [7])) + number(3, 4)
    case(
        "sparse_index.onnx", "a sparse tensor with an index beyond its shape", "outside of",
        model(
            graph([node("Add", ["x", "w"], ["y"])], [value("x")], [value("y")], (),
                  data(15, sparse))))
    sparse = data(1, floats("w", [1], [1.0])) + data(2, int64s("", [1], [7])) + number(3, 1 << 40)
    case(
        "sparse_bomb.onnx", "one stored element that makes a dense terabyte", "sparse tensor",
        model(
            graph([node("Add", ["x", "w"], ["y"])], [value("x")], [value("y")], (),
                  data(15, sparse))))


def external_cases():
    case("external_parent.onnx", "external data above the model's directory", "'..'",
         external(location="../secret.bin"))
    case("external_nested_parent.onnx", "external data above the directory by a detour", "'..'",
         external(location="a/../../secret.bin"))
    case("external_absolute.onnx", "external data by an absolute path", "not relative",
         external(location="/etc/passwd"))
    case("external_symlink.onnx", "external data behind a symbolic link that leads out",
         "link leads out", external(location="link.bin"))
    case("external_hardlink.onnx", "external data behind a hard link", "hard links",
         external(location="hard.bin"))
    case("external_address.onnx", "the marker of an address in memory in place of a file",
         "not relative", external(location="*/_ORT_MEM_ADDR_/*", offset=4096, length=4))
    case("external_unknown_key.onnx", "a key that is not ONNX's", "unknown key",
         external(location="data.bin", mode="rw"))
    case("external_negative.onnx", "a negative length", "not a number of bytes",
         external(location="data.bin", length=-4))
    case("external_wrap.onnx", "offset and length that wrap around", "beyond the file",
         external(location="data.bin", offset=MAXIMUM - 1))
    case("external_beyond.onnx", "an offset beyond the end of the file", "beyond the file",
         external(location="data.bin", offset=4096))
    case("external_missing.onnx", "a file that is not there", "No such file",
         external(location="missing.bin"))


def graph_cases():
    x, y = [value("x")], [value("y")]
    case(
        "cyclic_graph.onnx", "two nodes that wait for each other", "cycle",
        model(
            graph([
                node("Add", ["x", "b"], ["a"], name="first"),
                node("Relu", ["a"], ["b"], name="second")
            ], x, [value("b")])))
    case("duplicate_name.onnx", "two nodes that make the same value", "is taken",
         model(graph(
             [node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"])], x, y)))
    case("dangling_input.onnx", "a node reads what nobody makes", "made by no node",
         model(graph([node("Add", ["x", "ghost"], ["y"])], x, y)))
    case("dangling_output.onnx", "an output that nobody makes", "nothing makes",
         model(graph([node("Relu", ["x"], ["z"])], x, y)))
    case(
        "cyclic_functions.onnx", "two functions that call each other", "calls itself",
        model(graph([node("F", ["x"], ["y"], domain="local")], x, y),
              [function("F", ["G"]), function("G", ["F"])]))
    chain = [function(f"F{i}", [f"F{i + 1}"]) for i in range(150)] + [function("F150", [])]
    case("deep_functions.onnx", "150 functions, each calling the next", "depth of function calls",
         model(graph([node("F0", ["x"], ["y"], domain="local")], x, y), chain))
    inner = graph([node("Not", ["c"], ["x"])], [], [value("x")])
    shadow = node("If", ["c"], ["y"],
                  [subgraph("then_branch", inner),
                   subgraph("else_branch", inner)])
    case("shadowing.onnx", "a subgraph that hides a value of the graph around it", "hides",
         model(graph([shadow], [value("c", 9, ()), value("x")], y)))
    case("attribute_type.onnx", "an attribute declared as a list that holds a number",
         "is declared", one_node("Softmax", [attribute("axis", 7, number(3, 1))]))
    case("attribute_twice.onnx", "an attribute that is given twice", "given twice",
         one_node("Softmax", [integer("axis", 0), integer("axis", 0)]))
    case("reference_outside.onnx", "a reference to a caller's attribute outside of any function",
         "stands in no function",
         one_node("Softmax", [data(1, "axis") + data(21, "axis") + number(20, 2)]))
    names = ["x"] + [f"v{i}" for i in range(80)]
    growing = [node("Concat", [names[i], names[max(i - 1, 0)], names[i]], [names[i + 1]],
                    [integer("axis", 1)]) for i in range(80)]
    case("doubling_extents.onnx", "an extent that every node makes several times as long",
         "expected the same",
         model(graph(growing + [node("Conv", ["v79", "w"], ["y"])], [value("x", FLOAT, ("n", "w"))],
                     y, [floats("w", [1, 1, 3, 3], [1.0] * 9)])), step="session")
    case("unknown_operator.onnx", "an operator that does not exist", "NoSuchOperator",
         one_node("NoSuchOperator"), step="session")


def operator_cases():
    weights = floats("w", [1, 1, 3, 3], [1.0] * 9)
    image = {"x": (1, 1, 5, 5), "y": (1, 1, 3, 3), "initializers": [weights], "inputs": ["w"]}
    case("conv_zero_stride.onnx", "a convolution that never moves on", "stride",
         one_node("Conv", [ints("strides", [0, 0])], **image), step="session")
    grouped = {**image, "initializers": [floats("w", [2, 1, 3, 3], [1.0] * 18)], "x": (1, 3, 5, 5)}
    case("conv_group.onnx", "groups that do not divide the channels", "group",
         one_node("Conv", [integer("group", 2)], **grouped), step="session")
    case("conv_dilations_rank.onnx", "more dilations than spatial dimensions", "dilations",
         one_node("Conv", [ints("dilations", [1, 1, 1])], **image), step="session")
    case("conv_large_kernel.onnx", "a kernel larger than the padded input", "kernel",
         one_node("Conv", (), **{
             **image, "x": (1, 1, 2, 2),
             "y": ("a", "b", "c", "d")
         }), step="session")
    case("missing_attribute.onnx", "Cast without the attribute that it needs", "'to'",
         one_node("Cast"), step="session")
    case("softmax_axis.onnx", "a very negative axis", "axis",
         one_node("Softmax", [integer("axis", -(1 << 63))]), step="session")
    target = int64s("s", [2], [1 << 40, 1 << 40])
    case("reshape_bomb.onnx", "Reshape to more elements than there are", "elements",
         one_node("Reshape", (), initializers=[target], inputs=["s"], y=("a", "b")), step="session")
    case(
        "gemm_ranks.onnx", "Gemm of operands that are no matrices", "Gemm",
        one_node("Gemm", (), x=(2, 2, 2), initializers=[floats("w", [2], [1, 1])], inputs=["w"],
                 y=("a", "b")), step="session")
    shape = int64s("s", [2], [1 << 20, 1 << 20])
    made = model(
        graph([node("ConstantOfShape", ["s"], ["c"]),
               node("Add", ["x", "c"], ["y"])], [value("x")], [value("y", FLOAT, ("a", "b"))],
              [shape]))
    case("constant_of_shape_bomb.onnx", "eight bytes that ask for four terabytes", "bytes", made,
         step="run", inputs={"x": [1]})
    zero = tensor("z", INT32, [1], struct.pack("<i", 0))
    case("divide_by_zero.onnx", "an integer division by zero", "zero",
         one_node("Div", (), initializers=[zero], inputs=["z"], element_type=INT32), step="run",
         inputs={"x": [1]})
    pads = int64s("p", [2], [9, 9])
    case(
        "pad_reflect.onnx", "a reflection longer than what it reflects", "reflect",
        one_node("Pad", [string("mode", "reflect")], x=(3, ), y=("n", ), initializers=[pads],
                 inputs=["p"]), step="session")
    index = int64s("i", [1], [1 << 40])
    case("gather_index.onnx",
         "an index beyond the axis that 32 bits would cut to a valid one", "ind",
         one_node("Gather", (), initializers=[index], inputs=["i"]), step="run", inputs={"x": [1]})
    case(
        "expand_bomb.onnx", "Expand to a terabyte", "bytes",
        one_node("Expand", (), initializers=[int64s("s", [2], [1 << 20, 1 << 20])], inputs=["s"],
                 y=("a", "b")), step="run", inputs={"x": [1]})


def shaped(operator, values, attributes=(), x=(1, ), y=("a", ), name="s"):
    """A model of one node whose second input is a list of integers out of the file."""
    return one_node(operator, attributes, x=x, y=y,
                    initializers=[int64s(name, [len(values)], values)], inputs=[name])


def huge(shape, *nodes):
    """A model that makes zeros of `shape`, called `c`, for `nodes`, the last of which makes `y`."""
    first = node("ConstantOfShape", ["s"], ["c"])
    return model(
        graph([first, *nodes], [value("x")], [value("y", FLOAT, ("a", "b"))],
              [int64s("s", [len(shape)], shape)]))


def shape_cases():
    run = {"step": "run", "inputs": {"x": [1]}}
    session = {"step": "session"}
    case("constant_of_shape_negative.onnx", "a tensor of a negative extent", "-5",
         huge([-5], node("Relu", ["c"], ["y"])), **session)
    case("constant_of_shape_type.onnx", "extents that are floats", "expected",
         one_node("ConstantOfShape", y=("a", )), **session)
    case("reshape_type.onnx", "a shape made of floats", "expected int32, int64",
         one_node("Reshape", initializers=[floats("s", [1], [1.0])], inputs=["s"], y=("a", )), **session)
    text = tensor("s", 8, [1], None, data(6, "1"))
    case("slice_type.onnx", "texts for the places to cut at", "expected int32, int64",
         one_node("Slice", initializers=[text], inputs=["s", "s"], y=("a", )), **session)
    case("onehot_type.onnx", "a text for the number of classes", "expected numbers",
         one_node("OneHot", initializers=[text, floats("v", [2], [0, 1])], inputs=["s", "v"],
                  y=("a", "b")), **session)
    case("empty_but_huge.onnx", "no elements, but strides that overflow", "memory",
         huge([0, 1 << 62, 1 << 62], node("Transpose", ["c"], ["y"])), **run)
    case("concat_overflow.onnx", "an extent that overflows when two are joined", "memory",
         huge([1 << 62, 1], node("Concat", ["c", "c"], ["y"], [integer("axis", 0)])), **run)
    case("reduce_axis.onnx", "a very negative axis of a reduction", "axis",
         shaped("ReduceSum", [-(1 << 63)]), **session)
    case(
        "slice_step.onnx", "a slice that walks back for ever", "step",
        one_node(
            "Slice", (), y=("a", ), initializers=[
                int64s("b", [1], [0]),
                int64s("e", [1], [1]),
                int64s("n", [1], [0]),
                int64s("t", [1], [-(1 << 63)])
            ], inputs=["b", "e", "n", "t"]), **session)
    case("unsqueeze_axis.onnx", "an axis beyond any rank", "axis",
         shaped("Unsqueeze", [1 << 62], y=("a", "b")), **session)
    case("squeeze_axis.onnx", "a very negative axis to squeeze", "axis",
         shaped("Squeeze", [-(1 << 63)], y=()), **session)
    case("transpose_perm.onnx", "a permutation that names one axis twice", "perm",
         one_node("Transpose", [ints("perm", [0, 0])], x=(2, 2), y=("a", "b")), **session)
    case("flatten_axis.onnx", "a very negative axis to flatten at", "axis",
         one_node("Flatten", [integer("axis", -(1 << 63))], y=("a", "b")), **session)
    case(
        "split_sizes.onnx", "pieces whose sizes wrap around to the right sum", "split",
        model(
            graph([node("Split", ["x", "s"], ["y", "z"])], [value("x")],
                  [value("y", FLOAT,
                         ("a", )), value("z", FLOAT, ("b", ))],
                  [int64s("s", [2], [MAXIMUM, -MAXIMUM + 1])])), **session)
    case("reshape_two_unknown.onnx", "a shape with two unknown extents", "-1",
         shaped("Reshape", [-1, -1], y=("a", "b")), **session)
    case("reshape_negative.onnx", "a shape with a very negative extent", "extent",
         shaped("Reshape", [-(1 << 63)]), **session)
    case("gather_axis.onnx", "a very negative axis to gather along", "axis",
         shaped("Gather", [0], [integer("axis", -(1 << 63))]), **session)
    case("pad_overflow.onnx", "padding that overflows the extent", "pads",
         shaped("Pad", [MAXIMUM, MAXIMUM]), **session)
    case("pad_negative.onnx", "padding that takes away more than there is", "pads",
         shaped("Pad", [-(1 << 62), 0]), **session)
    case(
        "conv_huge_pads.onnx", "padding of billions of pixels on each side", "memory",
        one_node("Conv", [ints("pads", [(1 << 31) - 1] * 4)], x=(1, 1, 5, 5),
                 y=("a", "b", "c", "d"), initializers=[floats("w", [1, 1, 3, 3], [1.0] * 9)],
                 inputs=["w"]), step="run", inputs={"x": [1, 1, 5, 5]})
    case("tile_bomb.onnx", "a number repeated a trillion times", "memory",
         shaped("Tile", [1 << 40]), **run)
    case("tile_negative.onnx", "a negative number of repetitions", "copies", shaped("Tile", [-1]),
         **session)
    case("onehot_depth.onnx", "a one-hot vector of a negative depth", "depth",
         model(graph([node("OneHot", ["i", "d", "v"], ["y"])], [value("x")],
                     [value("y", FLOAT, ("a", "b"))],
                     [int64s("i", [1], [0]), int64s("d", [], [-(1 << 63)]),
                      floats("v", [2], [0, 1])])), **session)
    zero = tensor("z", INT32, [1], struct.pack("<i", 0))
    case("modulo_zero.onnx", "the remainder of an integer division by zero", "zero",
         one_node("Mod", (), initializers=[zero], inputs=["z"], element_type=INT32), **run)


def range_model(start, limit, delta):
    scalars = [int64s(n, [], [v]) for n, v in (("b", start), ("l", limit), ("d", delta))]
    return model(
        graph([node("Range", ["b", "l", "d"], ["y"])], [value("x")],
              [value("y", INT64, ("n", ))], scalars))


def range_cases():
    run = {"step": "run", "inputs": {"x": [1]}}
    case("range_bomb.onnx", "eight billion billion numbers in a row", "memory",
         range_model(0, MAXIMUM, 1), **run)
    case("range_zero.onnx", "a range that never moves on", "delta", range_model(0, 5, 0),
         step="session")
    case("range_wrap.onnx", "a range whose length overflows", "memory",
         range_model(-(1 << 63), MAXIMUM, 1), **run)


def window_cases():
    image, out = (1, 1, 4, 4), ("a", "b", "c", "d")
    run = {"step": "run", "inputs": {"x": [1, 1, 4, 4]}}
    session = {"step": "session"}
    case("pool_zero_kernel.onnx", "a window without pixels", "kernel_shape",
         one_node("MaxPool", [ints("kernel_shape", [0, 0])], x=image, y=out), **session)
    case(
        "pool_zero_stride.onnx", "a window that never moves on", "strides",
        one_node(
            "MaxPool",
            [ints("kernel_shape", [2, 2]), ints("strides", [0, 1])], x=image, y=out), **session)
    case("pool_large_kernel.onnx", "a window larger than the padded image", "kernel",
         one_node("MaxPool", [ints("kernel_shape", [9, 9])], x=image, y=out), **session)
    case(
        "pool_huge_pads.onnx", "padding of billions of pixels around a window of two", "memory",
        one_node("AveragePool", [ints("kernel_shape", [2, 2]),
                                 ints("pads", [(1 << 31) - 1] * 4)], x=image, y=out), **run)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for make in (wire_cases, tensor_cases, external_cases, graph_cases, operator_cases, shape_cases,
                 range_cases, window_cases, structure_cases.make, value_cases.make,
                 attribute_cases.make, classical_cases.make):
        make()
    for entry, content in CASES:
        with open(os.path.join(folder, entry["file"]), "wb") as file:
            file.write(content)
    with open(os.path.join(folder, "data.bin"), "wb") as file:
        file.write(bytes(16))
    os.makedirs(os.path.join(folder, "folder"), exist_ok=True)
    if not os.path.lexists(os.path.join(folder, "pipe.bin")):
        os.mkfifo(os.path.join(folder, "pipe.bin"))
    for name, make in (("link.bin", os.symlink), ("hard.bin", os.link)):
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            os.remove(path)
        if make is os.symlink:
            os.symlink("/etc/hostname", path)
        else:
            origin = os.path.join(folder, "origin.bin")
            with open(origin, "wb") as file:
                file.write(bytes(16))
            os.link(origin, path)
    with open(os.path.join(folder, "index.json"), "w") as file:
        json.dump([entry for entry, _ in CASES], file, indent=1)
    print(f"{len(CASES)} files in {folder}")


if __name__ == "__main__":
    main()
