"""Messages of ONNX, field by field, well-formed or not, as no ONNX library would write them."""

import struct


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


# The messages of ONNX, by the field numbers of onnx.proto.

FLOAT, INT32, INT64 = 1, 6, 7
MAXIMUM = (1 << 63) - 1


def tensor(name, element_type, dims, raw=None, extra=b""):
    out = b"".join(number(1, d) for d in dims) + number(2, element_type) + data(8, name)
    return out + (data(9, raw) if raw is not None else b"") + extra


def floats(name, dims, values):
    return tensor(name, FLOAT, dims, struct.pack(f"<{len(values)}f", *values))


def int64s(name, dims, values):
    return tensor(name, INT64, dims, struct.pack(f"<{len(values)}q", *values))


def value(name, element_type=FLOAT, dims=(1, )):
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
    return out + data(9, number(2, 17)) + data(9,
                                               data(1, "local") + number(2, 1)) + data(10, "local")


def one_node(operator, attributes=(), x=(1, ), y=(1, ), initializers=(), inputs=(),
             element_type=FLOAT):
    """A model of one node that reads `x` and then the initializers."""
    names = ["x", *inputs]
    made = node(operator, names, ["y"], attributes)
    return model(
        graph([made], [value("x", element_type, x)], [value("y", element_type, y)], initializers))


def with_initializer(content):
    return model(graph([node("Add", ["x", "w"], ["y"])], [value("x")], [value("y")], [content]))


def external(**entries):
    pairs = b"".join(data(13, data(1, k) + data(2, str(v))) for k, v in entries.items())
    return with_initializer(tensor("w", FLOAT, [1], None, pairs + number(14, 1)))
