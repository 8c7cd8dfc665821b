"""Files whose messages fit together in ways that no exporter writes: names, functions, graphs in graphs, external data."""

from corpus import case
from onnx_messages import (attribute, data, external, FLOAT, floats, function, graph, INT64, int64s,
                           integer, model, node, number, one_node, subgraph, tensor, value, varint,
                           with_initializer)

BOOL = 9


def wire_cases():
    case("negative_length.onnx", "a field whose length has the sign bit of 64 bits", "claims",
         number(1, 10) + varint(7 << 3 | 2) + varint(-1) + b"ab")
    case("field_zero.onnx", "a field of the number 0, which protobuf does not have", "field",
         varint(2) + varint(0) + one_node("Relu"))
    nested = data(1, number(1, FLOAT))
    for _ in range(3000):
        nested = data(4, data(1, nested))
    deep = data(1, "x") + data(2, nested)
    case("nested_types.onnx", "3000 sequences of sequences as the type of an input",
         "depth of nested messages", model(graph([node("Relu", ["x"], ["y"])], [deep], [value("y")])))
    case("graphs_of_graphs.onnx", "attributes with lists of graphs, 100 deep",
         "depth of nested messages", model(lists_of_graphs(100)))


def lists_of_graphs(depth):
    """Graphs within lists of graphs."""
    inner = graph([node("Relu", ["x"], ["r"])], [], [value("r")])
    for _ in range(depth):
        held = attribute("bodies", 10, data(11, inner))
        inner = graph([node("Choose", ["c"], ["r"], [held])], [], [value("r")])
    return inner


def external_cases():
    case("external_petabyte.onnx", "a length of a petabyte", "length is 1125899906842624",
         external(location="data.bin", length=1 << 50))
    case("external_no_number.onnx", "an offset that is no number", "not a number of bytes",
         external(location="data.bin", offset="0x10"))
    case("external_no_location.onnx", "external data without a file", "no location",
         external(offset=0))
    case("external_directory.onnx", "a directory in place of the file", "not a regular file",
         external(location="folder"))
    case("external_pipe.onnx", "a pipe that nobody writes into in place of the file",
         "not a regular file", external(location="pipe.bin"))
    twice = data(13, data(1, "location") + data(2, "data.bin"))
    case("external_twice.onnx", "two locations of one tensor", "given twice",
         with_initializer(tensor("w", FLOAT, [1], None, twice + twice + number(14, 1))))


def name_cases():
    x, y = [value("x")], [value("y")]
    one = floats("w", [1], [1.0])
    case("initializer_twice.onnx", "two initializers of one name", "is taken",
         model(graph([node("Add", ["x", "w"], ["y"])], x, y, [one, one])))
    case("input_twice.onnx", "two inputs of one name", "is taken",
         model(graph([node("Relu", ["x"], ["y"])], x + x, y)))
    case("initializer_remade.onnx", "a node that makes what an initializer is", "is taken",
         model(graph([node("Relu", ["x"], ["w"]), node("Neg", ["w"], ["y"])], x, y, [one])))
    case("nameless_input.onnx", "an input without a name", "no name",
         model(graph([node("Relu", ["x"], ["y"])], x + [value("")], y)))
    case("nameless_initializer.onnx", "an initializer without a name", "no name",
         model(graph([node("Relu", ["x"], ["y"])], x, y, [floats("", [1], [1.0])])))
    case("no_import.onnx", "a node of a domain that the model does not import", "org.example",
         model(graph([node("Relu", ["x"], ["y"], domain="org.example")], x, y)))
    case("input_negative_extent.onnx", "an input of a negative extent, which some write for any", "",
         one_node("Relu", x=(-2, )), step="done", inputs={"x": [3]})
    case("no_outputs.onnx", "a node that makes nothing", "no outputs",
         model(graph([node("Shape", ["x"], []), node("Relu", ["x"], ["y"])], x, y)))
    case("own_output.onnx", "a node that reads what it makes", "cycle",
         model(graph([node("Add", ["x", "y"], ["y"])], x, y)))
    case("undeclared_attribute.onnx", "an attribute of a type that no version has", "type",
         one_node("Softmax", [attribute("axis", 77, number(3, 0))]))


def function_body(name, nodes):
    """A function of one input and output in the domain `local`."""
    out = data(1, name) + data(4, "x") + data(5, "y") + b"".join(data(7, n) for n in nodes)
    imports = data(9, number(2, 17)) + data(9, data(1, "local") + number(2, 1))
    return out + imports + data(10, "local")


def call(name, source, target):
    return node(name, [source], [target], domain="local")


def function_cases():
    x, y = [value("x")], [value("y")]
    start = graph([call("F0", "x", "y")], x, y)
    body = graph([call("F0", "x", "r")], [], [value("r")])
    branch = node("If", ["c"], ["y"], [subgraph("then_branch", body), subgraph("else_branch", body)])
    recursive = function_body("F0", [node("Cast", ["x"], ["c"], [integer("to", BOOL)]), branch])
    case("recursive_subgraph.onnx", "a function that calls itself in a branch", "calls itself",
         model(start, [recursive]))
    doubling = [
        function_body(f"F{i}", [call(f"F{i + 1}", "x", "a"), call(f"F{i + 1}", "a", "y")])
        for i in range(60)
    ]
    case("function_bomb.onnx", "60 functions, each calling the next twice", "nodes",
         model(start, doubling + [function("F60", [])]), step="session")
    case("function_twice.onnx", "two functions of one name", "twice",
         model(start, [function("F0", []), function("F0", [])]))
    case("function_arguments.onnx", "a call with more inputs than the function has", "inputs",
         model(graph([node("F0", ["x", "x"], ["y"], domain="local")], x, y), [function("F0", [])]),
         step="session")
    deep = []
    for i in range(70):
        inner = graph([call(f"F{i + 1}", "x", "r")], [], [value("r")])
        branches = [subgraph("then_branch", inner), subgraph("else_branch", inner)]
        cast = node("Cast", ["x"], ["c"], [integer("to", BOOL)])
        deep.append(function_body(f"F{i}", [cast, node("If", ["c"], ["y"], branches)]))
    case("function_graphs.onnx", "functions whose branches call the next, 70 deep", "depth of graphs in graphs",
         model(start, deep + [function("F70", [])]), step="session")


def loop_model(body, inputs=("n", "", "x"), outputs=("y", )):
    made = node("Loop", list(inputs), list(outputs), [subgraph("body", body)])
    return model(
        graph([made], [value("n", INT64, ()), value("x")], [value("y", FLOAT, ("a", ))]))


def body_cases():
    session = {"step": "session"}
    flag, x, count = value("c", BOOL, ()), value("x"), value("i", INT64, ())
    yes = graph([node("Relu", ["x"], ["r"])], [], [value("r")])
    case("if_one_branch.onnx", "an If without its other branch", "else_branch",
         model(
             graph([node("If", ["c"], ["y"], [subgraph("then_branch", yes)])], [flag, x],
                   [value("y")])), **session)
    two = graph([node("Relu", ["x"], ["r"]), node("Neg", ["x"], ["s"])], [], [value("r"), value("s")])
    uneven = [subgraph("then_branch", yes), subgraph("else_branch", two)]
    case("if_uneven.onnx", "branches that make one value and two", "output",
         model(graph([node("If", ["c"], ["y"], uneven)], [flag, x], [value("y")])), **session)
    case("loop_inputs.onnx", "a loop whose body has no place for what it carries", "input",
         loop_model(graph([node("Identity", ["k"], ["k2"])], [count, value("k", BOOL, ())],
                          [value("k2", BOOL, ())])), **session)
    changing = graph(
        [node("Identity", ["k"], ["k2"]), node("Cast", ["v"], ["w"], [integer("to", INT64)])],
        [count, value("k", BOOL, ()), value("v")], [value("k2", BOOL, ()), value("w", INT64)])
    case("loop_changes_type.onnx", "a loop whose value changes its type with every run", "becomes",
         loop_model(changing), **session)
    growing = graph(
        [node("Identity", ["k"], ["k2"]), node("Concat", ["v", "v"], ["w"], [integer("axis", 0)])],
        [count, value("k", BOOL, ()), value("v", FLOAT, ("a", ))],
        [value("k2", BOOL, ()), value("w", FLOAT, ("a", ))])
    case("loop_bomb.onnx", "a value that doubles with each of a thousand runs", "bytes",
         model(
             graph([node("Loop", ["n", "", "x"], ["y"], [subgraph("body", growing)])], [x],
                   [value("y", FLOAT, ("a", ))], [int64s("n", [], [1000])])), step="run",
         inputs={"x": [1]}, budget=32 << 20)
    scanned = graph([node("Relu", ["v"], ["w"])], [value("v")], [value("w")])
    case("scan_inputs.onnx", "a Scan over more inputs than there are", "num_scan_inputs",
         one_node("Scan", [subgraph("body", scanned), integer("num_scan_inputs", 1 << 40)]),
         **session)


def make():
    for part in (wire_cases, external_cases, name_cases, function_cases, body_cases):
        part()
