"""Models of ai.onnx.ml, columns, pictures and mapped sequences whose numbers lead where nothing is."""

from corpus import case
from onnx_messages import (attribute, data, FLOAT, floats, graph, INT64, int64s, integer, ints, model, node,
                           number, string, subgraph, tensor, value)

SESSION = {"step": "session"}
ML = "ai.onnx.ml"
UINT8 = 2


def real_list(name, values):
    return attribute(name, 6, data(7, floats("", [], values)[-4 * len(values):]))


def texts(name, values):
    return attribute(name, 8, b"".join(data(9, v) for v in values))


def held(name, content):
    return attribute(name, 4, data(5, content))


def classical(operator, attributes, outputs=("y", ), version=3):
    """A model of one node of ai.onnx.ml that reads two rows of two features."""
    made = node(operator, ["x"], list(outputs), attributes, domain=ML)
    results = [value(name, FLOAT, ("a", "b")) for name in outputs[-1:]]
    return model(graph([made], [value("x", FLOAT, (2, 2))], results),
                 extra=data(8, data(1, ML) + number(2, version)))


def trees(true=(1, 0, 0), false=(2, 0, 0), nodes=(0, 1, 2), feature=0, weighted=(1, 2), target=0,
          modes=("BRANCH_LEQ", "LEAF", "LEAF"), values=(0.0, 0.0, 0.0)):
    count = len(nodes)
    return [ints("nodes_treeids", [0] * count), ints("nodes_nodeids", nodes),
            ints("nodes_featureids", [feature] * count), real_list("nodes_values", values),
            texts("nodes_modes", modes), ints("nodes_truenodeids", true),
            ints("nodes_falsenodeids", false), integer("n_targets", 1),
            ints("target_treeids", [0] * len(weighted)), ints("target_nodeids", weighted),
            ints("target_ids", [target] * len(weighted)), real_list("target_weights", [1.0] * len(weighted))]


def ensemble(modes=(0, ), members=None, root=0, true=0, leaf=1):
    modes = bytes(modes)
    count = len(modes)
    made = [ints("nodes_featureids", [0] * count), held("nodes_modes", tensor("m", UINT8, [count], modes)),
            held("nodes_splits", floats("s", [count], [0.0] * count)),
            ints("nodes_truenodeids", [true] * count), ints("nodes_falsenodeids", [0] * count),
            ints("nodes_trueleafs", [leaf] * count), ints("nodes_falseleafs", [1] * count),
            ints("leaf_targetids", [0]), held("leaf_weights", floats("w", [1], [1.0])),
            ints("tree_roots", [root]), integer("n_targets", 1)]
    if members is not None:
        made.append(held("membership_values", floats("v", [len(members)], members)))
    return classical("TreeEnsemble", made, version=5)


def tree_cases():
    regressor = lambda **changes: classical("TreeEnsembleRegressor", trees(**changes))
    case("tree_cycle.onnx", "a tree whose branch leads back to its root", "leads back", regressor(
        true=(0, 0, 0)), **SESSION)
    case("tree_child.onnx", "a branch to a node that is not there", "leads to 7", regressor(
        true=(7, 0, 0)), **SESSION)
    case("tree_twice.onnx", "two nodes of one number", "twice", regressor(nodes=(0, 1, 1)), **SESSION)
    case("tree_feature.onnx", "a feature that no row has", "features", regressor(feature=1 << 30),
         **SESSION)
    case("tree_feature_negative.onnx", "a feature before the first", "feature -1", regressor(feature=-1),
         **SESSION)
    case("tree_weight.onnx", "a weight of a node that is not there", "weight", regressor(weighted=(1, 9)),
         **SESSION)
    case("tree_target.onnx", "a weight of a target that is not there", "target 5", regressor(target=5),
         **SESSION)
    case("tree_lengths.onnx", "nodes without thresholds", "nodes_values", regressor(values=(0.0, )),
         **SESSION)
    case("tree_mode.onnx", "a comparison that does not exist", "nodes_modes", regressor(
        modes=("BRANCH_NEAR", "LEAF", "LEAF")), **SESSION)
    deep = 20_000
    case("tree_deep.onnx", "a tree of twenty thousand levels", "", regressor(
        nodes=range(2 * deep + 1), true=[i + 1 if i % 2 == 0 and i < 2 * deep else 0 for i in range(2 * deep + 1)],
        false=[i + 2 if i % 2 == 0 and i < 2 * deep else 0 for i in range(2 * deep + 1)],
        modes=["BRANCH_LT" if i % 2 == 0 and i < 2 * deep else "LEAF" for i in range(2 * deep + 1)],
        values=[0.0] * (2 * deep + 1), weighted=(1, )), step="done", inputs={"x": [2, 2]})
    case("ensemble_cycle.onnx", "a node that is its own branch", "leads back", ensemble(leaf=0), **SESSION)
    case("ensemble_root.onnx", "a root that is not there", "leads to", ensemble(root=-1), **SESSION)
    case("ensemble_leaf.onnx", "a leaf that is not there", "leads to", ensemble(true=1 << 40), **SESSION)
    case("ensemble_members.onnx", "a membership without its members", "membership_values", ensemble(
        modes=(6, 6), members=(1.0, float("nan"))), **SESSION)
    case("ensemble_mode.onnx", "a comparison beyond the last", "nodes_modes", ensemble(modes=(200, )),
         **SESSION)


def model_cases():
    case("linear_coefficients.onnx", "coefficients for another number of features", "features", classical(
        "LinearRegressor", [real_list("coefficients", [1.0] * 3)]), **SESSION)
    case("classifier_labels.onnx", "fewer labels than scores", "classes", classical(
        "LinearClassifier", [real_list("coefficients", [1.0] * 6), real_list("intercepts", [0.0] * 3),
                             ints("classlabels_ints", [0, 1])], ("l", "y")), **SESSION)
    case("support_vectors.onnx", "support vectors of no length", "support vectors", classical(
        "SVMRegressor", [integer("n_supports", 1 << 40), real_list("coefficients", [1.0]),
                         real_list("rho", [0.0])]), **SESSION)
    case("vectorizer_bomb.onnx", "a row of features of terabytes", "inputdimensions", classical(
        "FeatureVectorizer", [ints("inputdimensions", [1 << 50])]), **SESSION)


def column_cases():
    def folded(image, block, extents=(1, 4, 1), attributes=()):
        made = node("Col2Im", ["x", "i", "b"], ["y"], attributes)
        return model(graph(
            [made], [value("x", FLOAT, extents)], [value("y", FLOAT, ("a", "b", "c", "d"))],
            [int64s("i", [len(image)], image), int64s("b", [len(block)], block)])).replace(
                number(2, 17), number(2, 18), 1)

    case("columns_block.onnx", "columns that no block makes", "rows", folded((2, 2), (3, 3)), **SESSION)
    case("columns_count.onnx", "more columns than an image has", "blocks", folded(
        (2, 2), (2, 2), (1, 4, 9)), **SESSION)
    case("columns_large.onnx", "a block that is larger than the image", "does not fit", folded(
        (1, 1), (2, 2)), **SESSION)
    case("columns_zero.onnx", "a block of no pixels", "expected 1 to", folded((2, 2), (0, 2)), **SESSION)
    case("columns_axes.onnx", "blocks of fewer axes than the image", "axes", folded((2, 2), (4, )),
         **SESSION)
    case("columns_dilation.onnx", "a dilation that overflows", "dilations", folded(
        (2, 2), (2, 2), attributes=[ints("dilations", [1 << 62, 1])]), **SESSION)


def picture_cases():
    made = node("ImageDecoder", ["b"], ["p"])
    shown = lambda content: model(graph(
        [made, node("Cast", ["p"], ["f"], [integer("to", FLOAT)]), node("Add", ["x", "f"], ["y"])],
        [value("x")], [value("y", FLOAT, ("a", "b", "c"))],
        [tensor("b", UINT8, [len(content)], content)])).replace(number(2, 17), number(2, 20), 1)
    run = {"step": "run", "inputs": {"x": [1]}}
    case("picture_format.onnx", "a picture in a format that is not read", "BMP", shown(b"BM" + bytes(60)),
         **run)
    case("picture_huge.onnx", "a picture of more pixels than the limit", "limit", shown(
        b"P6 99999999 99999999 255\n"), **run)
    case("picture_truncated.onnx", "a picture that ends too early", "truncated", shown(
        b"P6 64 64 255\n" + bytes(100)), **run)


def sequence_cases():
    adding = graph([node("Add", ["a", "b"], ["c"])], [value("a"), value("b")], [value("c")])
    mapped = lambda body: model(graph([
        node("SequenceConstruct", ["x", "x"], ["s"]), node("SequenceConstruct", ["x"], ["t"]),
        node("SequenceMap", ["s", "t"], ["m"], [subgraph("body", body)]),
        node("SequenceAt", ["m", "i"], ["y"])
    ], [value("x")], [value("y")], [int64s("i", [], [0])]))
    case("map_lengths.onnx", "sequences of two items and of one, mapped together", "expected 2", mapped(
        adding), step="run", inputs={"x": [1]})
    case("map_inputs.onnx", "a graph that takes fewer values than it gets", "inputs", mapped(
        graph([node("Relu", ["a"], ["c"])], [value("a")], [value("c")])), **SESSION)


def make():
    for part in (tree_cases, model_cases, column_cases, picture_cases, sequence_cases):
        part()
