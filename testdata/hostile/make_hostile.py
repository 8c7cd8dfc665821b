#!/usr/bin/env python3
"""Writes model files that are meant to be refused, each for a cause of its own, and an index of them.

    make_hostile.py FOLDER

FOLDER/index.json lists, for each case: `file`, `cause`, the `step` at which it must be refused (`load`: when the model is read,
or at the latest when a session is made of it; `run`: when it runs with the inputs that `inputs` describes), and `message`: what the error must contain.

Only the standard library is needed: the files are written field by field, since no ONNX library would write them.
"""

import json
import os
import struct
import sys

# ---- The protobuf wire format -------------------------------------------------------------------------------


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def data(field, content):
    if isinstance(content, str):
        content = content.encode()
    return varint(field << 3 | 2) + varint(len(content)) + content


def real(field, value):
    return varint(field << 3 | 5) + struct.pack("<f", value)


# ---- The messages of ONNX -----------------------------------------------------------------------------------

FLOAT, INT32, INT64 = 1, 6, 7
MAXIMUM = (1 << 63) - 1


def tensor(name, element_type, dims, raw=None, extra=b""):
    out = b"".join(number(1, d) for d in dims) + number(2, element_type) + data(8, name)
    return out + (data(9, raw) if raw is not None else b"") + extra


def floats(name, dims, values):
    return tensor(name, FLOAT, dims, struct.pack(f"<{len(values)}f", *values))


def int64s(name, dims, values):
    return tensor(name, INT64, dims, struct.pack(f"<{len(values)}q", *values))


def value(name, element_type=FLOAT, dims=(1,)):
    shape = b"".join(data(1, data(2, d) if isinstance(d, str) else number(1, d)) for d in dims)
    return data(1, name) + data(2, data(1, number(1, element_type) + data(2, shape)))


def attribute(name, kind, content):
    return data(1, name) + content + number(20, kind)


def ints(name, values):
    return attribute(name, 7, b"".join(number(8, v) for v in values))


def integer(name, item):
    return attribute(name, 2, number(3, item))


def string(name, text):
    return attribute(name, 3, data(4, text))


def subgraph(name, content):
    return attribute(name, 5, data(6, content))


def node(operator, inputs, outputs, attributes=(), domain="", name=""):
    out = b"".join(data(1, i) for i in inputs) + b"".join(data(2, o) for o in outputs)
    out += data(3, name or f"the_{operator}") + data(4, operator)
    out += b"".join(data(5, a) for a in attributes)
    return out + (data(7, domain) if domain else b"")


def graph(nodes=(), inputs=(), outputs=(), initializers=(), extra=b""):
    out = b"".join(data(1, n) for n in nodes) + data(2, "hostile")
    out += b"".join(data(5, t) for t in initializers)
    out += b"".join(data(11, v) for v in inputs) + b"".join(data(12, v) for v in outputs)
    return out + extra


def model(content, functions=(), extra=b""):
    out = number(1, 10) + data(8, number(2, 17)) + data(8, data(1, "local") + number(2, 1))
    return out + data(7, content) + b"".join(data(25, f) for f in functions) + extra


def function(name, calls):
    body = [node(c, ["x"], ["y"], domain="local") for c in calls] or [node("Relu", ["x"], ["y"])]
    out = data(1, name) + data(4, "x") + data(5, "y") + b"".join(data(7, n) for n in body)
    return out + data(9, number(2, 17)) + data(9, data(1, "local") + number(2, 1)) + data(10, "local")


def one_node(operator, attributes=(), x=(1,), y=(1,), initializers=(), inputs=(), element_type=FLOAT):
    """A model of one node that reads `x` and then the initializers."""
    names = ["x", *inputs]
    made = node(operator, names, ["y"], attributes)
    return model(graph([made], [value("x", element_type, x)], [value("y", element_type, y)], initializers))


def with_initializer(content):
    return model(
        graph([node("Add", ["x", "w"], ["y"])], [value("x")], [value("y")], [content])
    )


def external(**entries):
    pairs = b"".join(data(13, data(1, k) + data(2, str(v))) for k, v in entries.items())
    return with_initializer(tensor("w", FLOAT, [1], None, pairs + number(14, 1)))


# ---- The cases ----------------------------------------------------------------------------------------------

CASES = []


def case(file, cause, message, content, step="load", inputs=None):
    entry = {"file": file, "cause": cause, "step": step, "message": message}
    if inputs:
        entry["inputs"] = inputs
    CASES.append((entry, content))


def nested(depth):
    inner = graph([node("Relu", ["x"], ["r"])], [], [value("r")])
    for _ in range(depth):
        inner = graph([node("If", ["c"], ["r"], [subgraph("then_branch", inner)])], [], [value("r")])
    return model(inner)


def wire_cases():
    good = one_node("Relu")
    case("truncated.onnx", "the file ends inside the graph", "truncated", good[:-7])
    case("truncated_varint.onnx", "the file ends inside a varint", "truncated", number(1, 10) + b"\x40\x80")
    case("long_varint.onnx", "a varint of eleven bytes", "longer than ten bytes", b"\x08" + b"\x80" * 10 + b"\x01" + good)
    case("count_over_claim.onnx", "a field claims more bytes than its message has", "claims", number(1, 10) + data(7, b"\x0a\xff\xff\xff\xff\x07ab"))
    case("group.onnx", "a group, which protobuf-c does not skip safely", "is a group", b"\x0b\x0c" + good)
    case("reserved_field.onnx", "the field number that stands for payloads after the scan", "is reserved",
         with_initializer(tensor("w", FLOAT, [1], None, data(536870911, number(1, 9) + number(2, 0) + number(3, 4)))))
    case("split_graph.onnx", "a singular sub-message that comes twice", "comes twice", good + data(7, graph()))
    case("wire_type.onnx", "a string field with the wire type of a number", "wire type", number(2, 5) + good)
    case("nul_in_name.onnx", "a name with a NUL inside, which C would cut", "NUL",
         model(graph([node("Relu", ["x"], ["y\0z"])], [value("x")], [value("y")])))
    case("nested_subgraphs.onnx", "3000 nested subgraphs: recursion overflows the stack", "depth of nested messages", nested(3000))
    case("message_bomb.onnx", "a megabyte of empty messages expands to hundreds", "would allocate", model(data(5, b"") * (1 << 19)))
    case("git_lfs_pointer.onnx", "a Git LFS pointer in place of the file", "Git LFS",
         b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 102400000\n")
    case("page.onnx", "a web page in place of the file", "HTML", b"<!DOCTYPE html><html><body>404</body></html>")
    case("weights.safetensors.onnx", "weights without a graph", "safetensors", struct.pack("<Q", 20) + b'{"w":{"dtype":"F32"}' + bytes(20))
    case("empty.onnx", "no bytes at all", "empty", b"")


def tensor_cases():
    case("raw_size.onnx", "raw_data shorter than the shape asks for", "needs 8 bytes", with_initializer(tensor("w", FLOAT, [2], bytes(4))))
    case("negative_dim.onnx", "an initializer with a negative extent", "not negative", with_initializer(tensor("w", FLOAT, [-4], bytes(16))))
    case("product_overflow.onnx", "extents whose product exceeds 64 bits", "overflow", with_initializer(tensor("w", FLOAT, [1 << 40, 1 << 40], bytes(4))))
    case("undefined_type.onnx", "an initializer without an element type", "undefined", with_initializer(tensor("w", 0, [1], bytes(4))))
    case("unknown_type.onnx", "an element type that no version has", "not one of ONNX's", with_initializer(tensor("w", 99, [1], bytes(4))))
    case("two_payloads.onnx", "elements in raw_data and in float_data", "twice",
         with_initializer(tensor("w", FLOAT, [1], bytes(4), data(4, bytes(4)))))
    sparse = data(1, floats("w", [1], [1.0])) + data(2, int64s("", [1], [7])) + number(3, 4)
    case("sparse_index.onnx", "a sparse tensor with an index beyond its shape", "outside of",
         model(graph([node("Add", ["x", "w"], ["y"])], [value("x")], [value("y")], (), data(15, sparse))))
    sparse = data(1, floats("w", [1], [1.0])) + data(2, int64s("", [1], [7])) + number(3, 1 << 40)
    case("sparse_bomb.onnx", "one stored element that makes a dense terabyte", "sparse tensor",
         model(graph([node("Add", ["x", "w"], ["y"])], [value("x")], [value("y")], (), data(15, sparse))))


def external_cases():
    case("external_parent.onnx", "external data above the model's directory", "'..'", external(location="../secret.bin"))
    case("external_nested_parent.onnx", "external data above the directory by a detour", "'..'", external(location="a/../../secret.bin"))
    case("external_absolute.onnx", "external data by an absolute path", "not relative", external(location="/etc/passwd"))
    case("external_symlink.onnx", "external data behind a symbolic link that leads out", "link leads out", external(location="link.bin"))
    case("external_hardlink.onnx", "external data behind a hard link", "hard links", external(location="hard.bin"))
    case("external_address.onnx", "the marker of an address in memory in place of a file", "not relative",
         external(location="*/_ORT_MEM_ADDR_/*", offset=4096, length=4))
    case("external_unknown_key.onnx", "a key that is not ONNX's", "unknown key", external(location="data.bin", mode="rw"))
    case("external_negative.onnx", "a negative length", "not a number of bytes", external(location="data.bin", length=-4))
    case("external_wrap.onnx", "offset and length that wrap around", "beyond the file", external(location="data.bin", offset=MAXIMUM - 1))
    case("external_beyond.onnx", "an offset beyond the end of the file", "beyond the file", external(location="data.bin", offset=4096))
    case("external_missing.onnx", "a file that is not there", "No such file", external(location="missing.bin"))


def graph_cases():
    x, y = [value("x")], [value("y")]
    case("cyclic_graph.onnx", "two nodes that wait for each other", "cycle",
         model(graph([node("Add", ["x", "b"], ["a"], name="first"), node("Relu", ["a"], ["b"], name="second")], x, [value("b")])))
    case("duplicate_name.onnx", "two nodes that make the same value", "is taken", model(graph([node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"])], x, y)))
    case("dangling_input.onnx", "a node reads what nobody makes", "made by no node", model(graph([node("Add", ["x", "ghost"], ["y"])], x, y)))
    case("dangling_output.onnx", "an output that nobody makes", "nothing makes", model(graph([node("Relu", ["x"], ["z"])], x, y)))
    case("cyclic_functions.onnx", "two functions that call each other", "calls itself",
         model(graph([node("F", ["x"], ["y"], domain="local")], x, y), [function("F", ["G"]), function("G", ["F"])]))
    chain = [function(f"F{i}", [f"F{i + 1}"]) for i in range(150)] + [function("F150", [])]
    case("deep_functions.onnx", "150 functions, each calling the next", "depth of function calls",
         model(graph([node("F0", ["x"], ["y"], domain="local")], x, y), chain))
    inner = graph([node("Not", ["c"], ["x"])], [], [value("x")])
    shadow = node("If", ["c"], ["y"], [subgraph("then_branch", inner), subgraph("else_branch", inner)])
    case("shadowing.onnx", "a subgraph that hides a value of the graph around it", "hides",
         model(graph([shadow], [value("c", 9, ()), value("x")], y)))
    case("attribute_type.onnx", "an attribute declared as a list that holds a number", "is declared",
         one_node("Softmax", [attribute("axis", 7, number(3, 1))]))
    case("attribute_twice.onnx", "an attribute that is given twice", "given twice", one_node("Softmax", [integer("axis", 0), integer("axis", 0)]))
    case("reference_outside.onnx", "a reference to a caller's attribute outside of any function", "stands in no function",
         one_node("Softmax", [data(1, "axis") + data(21, "axis") + number(20, 2)]))
    case("unknown_operator.onnx", "an operator that does not exist", "NoSuchOperator", one_node("NoSuchOperator"))


def operator_cases():
    weights = floats("w", [1, 1, 3, 3], [1.0] * 9)
    image = {"x": (1, 1, 5, 5), "y": (1, 1, 3, 3), "initializers": [weights], "inputs": ["w"]}
    case("conv_zero_stride.onnx", "a convolution that never moves on", "stride", one_node("Conv", [ints("strides", [0, 0])], **image))
    grouped = {**image, "initializers": [floats("w", [2, 1, 3, 3], [1.0] * 18)], "x": (1, 3, 5, 5)}
    case("conv_group.onnx", "groups that do not divide the channels", "group", one_node("Conv", [integer("group", 2)], **grouped))
    case("conv_dilations_rank.onnx", "more dilations than spatial dimensions", "dilations", one_node("Conv", [ints("dilations", [1, 1, 1])], **image))
    case("conv_large_kernel.onnx", "a kernel larger than the padded input", "", one_node("Conv", (), **{**image, "x": (1, 1, 2, 2), "y": ("a", "b", "c", "d")}))
    case("missing_attribute.onnx", "Cast without the attribute that it needs", "'to'", one_node("Cast"))
    case("softmax_axis.onnx", "a very negative axis", "axis", one_node("Softmax", [integer("axis", -(1 << 63))]))
    target = int64s("s", [2], [1 << 40, 1 << 40])
    case("reshape_bomb.onnx", "Reshape to more elements than there are", "", one_node("Reshape", (), initializers=[target], inputs=["s"], y=("a", "b")))
    case("gemm_ranks.onnx", "Gemm of operands that are no matrices", "Gemm", one_node("Gemm", (), x=(2, 2, 2), initializers=[floats("w", [2], [1, 1])], inputs=["w"], y=("a", "b")))
    shape = int64s("s", [2], [1 << 20, 1 << 20])
    made = model(graph([node("ConstantOfShape", ["s"], ["c"]), node("Add", ["x", "c"], ["y"])], [value("x")], [value("y", FLOAT, ("a", "b"))], [shape]))
    case("constant_of_shape_bomb.onnx", "eight bytes that ask for four terabytes", "", made, step="run", inputs={"x": [1]})
    zero = tensor("z", INT32, [1], struct.pack("<i", 0))
    case("divide_by_zero.onnx", "an integer division by zero", "zero", one_node("Div", (), initializers=[zero], inputs=["z"], element_type=INT32), step="run", inputs={"x": [1]})
    pads = int64s("p", [2], [9, 9])
    case("pad_reflect.onnx", "a reflection longer than what it reflects", "", one_node("Pad", [string("mode", "reflect")], x=(3,), y=("n",), initializers=[pads], inputs=["p"]), step="run", inputs={"x": [3]})
    index = int64s("i", [1], [1 << 40])
    case("gather_index.onnx", "an index beyond the axis that 32 bits would cut to a valid one", "ind", one_node("Gather", (), initializers=[index], inputs=["i"]), step="run", inputs={"x": [1]})
    case("expand_bomb.onnx", "Expand to a terabyte", "", one_node("Expand", (), initializers=[int64s("s", [2], [1 << 20, 1 << 20])], inputs=["s"], y=("a", "b")), step="run", inputs={"x": [1]})


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for make in (wire_cases, tensor_cases, external_cases, graph_cases, operator_cases):
        make()
    for entry, content in CASES:
        with open(os.path.join(folder, entry["file"]), "wb") as file:
            file.write(content)
    with open(os.path.join(folder, "data.bin"), "wb") as file:
        file.write(bytes(16))
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
