"""Operators of ai.onnx.ml, and steps of the optimisers of ai.onnx.preview.training."""

import numpy as np

from case_writer import random

ML = "ai.onnx.ml"
TRAINING = "ai.onnx.preview.training"
NUMBERS = (np.float32, np.float64, np.int64, np.int32)
TRANSFORMS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")
COMPARISONS = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
FEATURES = 4


def grown(prefix, targets, trees=5, depth=3, low=-1.0, high=1.0, seed=0, tensors=False,
          comparisons=COMPARISONS):
    """The attributes of trees, full but for some early leaves, with a weight of each target in each leaf."""
    rng = np.random.default_rng(seed)
    nodes = {key: [] for key in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids",
                                 "falsenodeids", "missing_value_tracks_true")}
    leaves = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}

    def grow(tree, level):
        place = nodes["treeids"].count(tree)
        is_leaf = level == 0 or (level < depth and rng.random() < 0.2)
        # Thresholds that integers meet too.
        threshold = float(rng.integers(-2, 3)) if rng.random() < 0.5 else float(rng.uniform(-2, 2))
        for key, entry in (("treeids", tree), ("nodeids", place),
                           ("featureids", int(rng.integers(FEATURES))),
                           ("values", float(np.float32(threshold))),
                           ("modes", "LEAF" if is_leaf else str(rng.choice(comparisons))),
                           ("truenodeids", 0), ("falsenodeids", 0),
                           ("missing_value_tracks_true", int(rng.integers(2)))):
            nodes[key].append(entry)
        index = len(nodes["treeids"]) - 1
        if is_leaf:
            for target in targets:
                leaves["treeids"].append(tree)
                leaves["nodeids"].append(place)
                leaves["ids"].append(target)
                leaves["weights"].append(float(np.float32(rng.uniform(low, high))))
            return place
        nodes["truenodeids"][index] = grow(tree, level - 1)
        nodes["falsenodeids"][index] = grow(tree, level - 1)
        return place

    for tree in range(trees):
        grow(tree, depth)
    made = {f"nodes_{key}": entries for key, entries in nodes.items()}
    made |= {f"{prefix}_{key}": entries for key, entries in leaves.items()}
    if tensors:
        for name in ("nodes_values", f"{prefix}_weights"):
            made[f"{name}_as_tensor"] = as_tensor(name, made.pop(name), np.float64)
    return made


def as_tensor(name, values, dtype):
    from onnx import numpy_helper
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def rows(dtype, count=40, seed=0, gaps=True):
    """Rows of features; some are no numbers."""
    x = random(count, FEATURES, dtype=np.float32, seed=seed, low=-3, high=3)
    x[::3] = np.round(x[::3])
    if gaps and np.issubdtype(dtype, np.floating):
        x[1::7, 1] = np.nan
    return np.asarray(x, dtype)


def regressors(add):
    # ONNX Runtime has no others.
    for dtype in (np.float32, np.float64):
        label = np.dtype(dtype).name
        for targets in (1, 3):
            for function in ("SUM", "AVERAGE", "MIN", "MAX"):
                add("TreeEnsembleRegressor", 3, [rows(dtype)], domain=ML, name=f"{label}_{function}",
                    n_targets=targets, aggregate_function=function,
                    base_values=[0.25, -1.0, 3.0][:targets], **grown("target", range(targets)))
    for opset in (1, 3):
        for transform in TRANSFORMS:
            # ONNX Runtime's probits of shares near a half are differences of nearly equal numbers.
            tolerance = {"rtol": 1e-2, "atol": 5e-3} if transform == "PROBIT" else {"rtol": 1e-4, "atol": 1e-5}
            for targets in (1, 2):
                add("TreeEnsembleRegressor", opset, [rows(np.float32)], domain=ML, name=transform,
                    n_targets=targets, post_transform=transform, **tolerance,
                    **grown("target", range(targets), low=0.05, high=0.15))
    add("TreeEnsembleRegressor", 3, [rows(np.float64)], domain=ML, name="tensors", n_targets=2,
        **grown("target", range(2), tensors=True))
    # Targets that not every leaf speaks of.
    add("TreeEnsembleRegressor", 3, [rows(np.float32)], domain=ML, name="sparse", n_targets=4,
        aggregate_function="MIN", **grown("target", (1, 3)))
    add("TreeEnsembleRegressor", 3, [rows(np.float32, 1)], domain=ML, name="one_row", n_targets=1,
        **grown("target", (0, ), trees=40, depth=6))


def tree_classifiers(add):
    shares, signs = {"low": 0.0, "high": 0.15}, {"low": -1.0, "high": 1.0}
    labels = ({"classlabels_int64s": [7, -3, 20, 4]},
              {"classlabels_strings": ["a", "", "né", "d"]})
    for opset in (1, 3):
        for transform in TRANSFORMS:
            if transform == "PROBIT":  # Shares alone, of more classes: the rest is no number.
                continue
            for names in labels:
                key, values = next(iter(names.items()))
                for weights in (shares, signs):
                    for count, targets in ((2, (0, )), (2, (1, )), (3, (0, 1, 2)), (4, (1, 3))):
                        add("TreeEnsembleClassifier", opset, [rows(np.float32)], outputs=2, domain=ML,
                            name=f"{transform}_{count}", post_transform=transform, rtol=1e-4, atol=1e-5,
                            **{key: values[:count]}, **grown("class", targets, **weights))
    add("TreeEnsembleClassifier", 3, [rows(np.float32)], outputs=2, domain=ML, name="PROBIT",
        post_transform="PROBIT", classlabels_int64s=[0, 1, 2], rtol=1e-3, atol=1e-4,
        **grown("class", range(3), low=0.02, high=0.15))
    for dtype in NUMBERS:
        label = np.dtype(dtype).name
        add("TreeEnsembleClassifier", 3, [rows(dtype)], outputs=2, domain=ML, name=label,
            classlabels_int64s=[0, 1, 2], base_values=[0.5, 0.25, -0.5], **grown("class", range(3)))
    for base in ([0.25], [-0.75]):
        add("TreeEnsembleClassifier", 3, [rows(np.float32)], outputs=2, domain=ML, name="base",
            classlabels_int64s=[0, 1], base_values=base, post_transform="LOGISTIC",
            **grown("class", (0, )))
    add("TreeEnsembleClassifier", 3, [rows(np.float64)], outputs=2, domain=ML, name="tensors",
        classlabels_int64s=[0, 1, 2], **grown("class", range(3), tensors=True))
    add("TreeEnsembleClassifier", 3, [rows(np.float32)], outputs=2, domain=ML, name="one_label",
        classlabels_int64s=[1], **grown("class", (0, )))


def ensembles(add):
    """TreeEnsemble: inner nodes and leaves in lists of their own, sets of members among the comparisons.

    ONNX Runtime takes the numbers of transforms for others, and sends some rows that are no members elsewhere. onnx.reference
    does not transform, ends a set at its first zero, and has no 0 for what no leaf speaks of.
    """
    for dtype in (np.float32, np.float64):
        for function in (0, 1):
            splits = np.array([1.5, -0.5, 0.0, 2.0, 0.75, 0.0, 0.0], dtype)
            modes = np.array([0, 1, 6, 3, 4, 6, 5], np.uint8)
            members = np.array([1, -2, 3, np.nan, -1, 2, np.nan], dtype)
            # Single precision tells as much, where ONNX Runtime would have to agree with double.
            add("TreeEnsemble", 5, [rows(np.float32)], domain=ML, name=np.dtype(dtype).name,
                n_targets=2, aggregate_function=function, reference=True,
                tree_roots=[0, 5], nodes_featureids=[0, 1, 2, 3, 0, 1, 2],
                nodes_splits=as_tensor("nodes_splits", splits, dtype),
                nodes_modes=as_tensor("nodes_modes", modes, np.uint8),
                membership_values=as_tensor("membership_values", members, dtype),
                nodes_truenodeids=[1, 0, 3, 3, 5, 6, 7], nodes_trueleafs=[0, 1, 0, 1, 1, 0, 1],
                nodes_falsenodeids=[2, 1, 4, 4, 6, 9, 8], nodes_falseleafs=[0, 1, 0, 1, 1, 1, 1],
                nodes_missing_value_tracks_true=[0, 1, 0, 1, 0, 1, 0],
                leaf_targetids=[0, 1, 0, 0, 1, 1, 0, 1, 0, 1],
                leaf_weights=as_tensor("leaf_weights", random(10, dtype=dtype), dtype))


def linear(add):
    coefficients = [float(v) for v in random(3 * FEATURES)]
    intercepts = [0.5, -0.25, 1.0]
    # ONNX Runtime has no other type.
    for targets in (1, 2, 3):
        for transform in TRANSFORMS[:4]:
            add("LinearRegressor", 1, [rows(np.float32, 9, gaps=False)], domain=ML, name=transform,
                targets=targets, coefficients=coefficients[:FEATURES * targets],
                intercepts=intercepts[:targets], post_transform=transform, rtol=1e-4, atol=1e-5)
    add("LinearRegressor", 1, [rows(np.float32, 9, gaps=False)], domain=ML, name="through_zero",
        coefficients=coefficients[:FEATURES], rtol=1e-4, atol=1e-5)
    for labels in ({"classlabels_ints": [5, 9, -1]}, {"classlabels_strings": ["x", "y", "z"]}):
        key, values = next(iter(labels.items()))
        for scores, classes in ((1, 2), (2, 2), (3, 3)):
            for transform in TRANSFORMS[:4]:
                for dtype in NUMBERS:
                    add("LinearClassifier", 1, [rows(dtype, 9, gaps=False)], outputs=2, domain=ML,
                        name=f"{transform}_{scores}", coefficients=coefficients[:FEATURES * scores],
                        intercepts=intercepts[:scores], post_transform=transform, rtol=1e-4, atol=1e-5,
                        **{key: values[:classes]})
    vectors = [float(v) for v in random(5 * FEATURES, seed=1)]
    weights = [float(v) for v in random(5, seed=2)]
    for kind in ("LINEAR", "POLY", "RBF", "SIGMOID"):
        for one_class in (0, 1):
            add("SVMRegressor", 1, [rows(np.float32, 9, gaps=False)], domain=ML, name=kind,
                kernel_type=kind, kernel_params=[0.3, 0.5, 2.0], n_supports=5, coefficients=weights,
                support_vectors=vectors, rho=[0.125], one_class=one_class, rtol=1e-4, atol=1e-5)
    for labels in ({"classlabels_ints": [5, 9, -1, 2]}, {"classlabels_strings": ["x", "y", "z", "w"]}):
        key, values = next(iter(labels.items()))
        for counts in ([3, 2], [2, 1, 3], [1, 2, 2, 2]):
            classes, pairs = len(counts), len(counts) * (len(counts) - 1) // 2
            shared = {"vectors_per_class": counts, "rho": [float(v) for v in random(pairs, seed=4)],
                      "coefficients": [float(v) for v in random((classes - 1) * sum(counts), seed=5)],
                      "support_vectors": [float(v) for v in random(sum(counts) * FEATURES, seed=6)],
                      "kernel_params": [0.2, 0.5, 2.0], key: values[:classes],
                      "rtol": 1e-3, "atol": 1e-4}
            for kind in ("LINEAR", "POLY", "RBF", "SIGMOID"):
                add("SVMClassifier", 1, [rows(np.float32, 9, gaps=False)], outputs=2, domain=ML,
                    name=kind, kernel_type=kind, **shared)
            for transform in TRANSFORMS[:4]:
                for proba in ({}, {"prob_a": [-1.25] * pairs, "prob_b": [0.125] * pairs}):
                    add("SVMClassifier", 1, [rows(np.float32, 9, gaps=False)], outputs=2, domain=ML,
                        name=transform, kernel_type="RBF", post_transform=transform, **shared, **proba)
        # Of two rows ONNX Runtime chooses the second where either score is above 0.
        add("SVMClassifier", 1, [rows(np.float32, 9, gaps=False)], outputs=2, domain=ML, name="rows",
            kernel_type="LINEAR", kernel_params=[0.0, 0.0, 3.0], rho=[0.125], coefficients=coefficients,
            rtol=1e-4, atol=1e-5, **{key: values[:3]})
    add("SVMRegressor", 1, [rows(np.float32, 9, gaps=False)], domain=ML, name="features",
        kernel_type="LINEAR", kernel_params=[0.0, 0.0, 3.0], coefficients=coefficients[:FEATURES],
        rho=[0.5], rtol=1e-4, atol=1e-5)


def features(add):
    for dtype in NUMBERS:
        label = np.dtype(dtype).name
        x = rows(dtype, 6, gaps=False)
        x[2] = 0
        for norm in ("MAX", "L1", "L2"):
            add("Normalizer", 1, [x], domain=ML, norm=norm, name=label)
            add("Normalizer", 1, [x[0]], domain=ML, norm=norm, name=label)
        add("Scaler", 1, [x], domain=ML, scale=[2.0], offset=[0.5], name=label)
        add("Scaler", 1, [x], domain=ML, scale=[2.0, 0.5, -1.0, 0.0], offset=[0.5, 0, 1.0, 3.0],
            name=label)
        add("OneHotEncoder", 1, [x], domain=ML, cats_int64s=[1, 0, -2, 3], name=label)
        add("OneHotEncoder", 1, [x[:, 0]], domain=ML, cats_int64s=[1, 0, -2, 3], name=label)
        add("FeatureVectorizer", 1, [x, x[:, :2] if dtype != np.int32 else x], domain=ML,
            inputdimensions=[4, 2 if dtype != np.int32 else 4], name=label)
    for dtype in (np.float32, np.float64):
        x = rows(dtype)
        for values in ([7.5], [1.0, 2.0, 3.0, 4.0]):
            add("Imputer", 1, [x], domain=ML, imputed_value_floats=values,
                replaced_value_float=float("nan"), name=np.dtype(dtype).name)
            add("Imputer", 1, [x], domain=ML, imputed_value_floats=values, replaced_value_float=1.0,
                name=np.dtype(dtype).name)
    add("Imputer", 1, [rows(np.int64)], domain=ML, imputed_value_int64s=[9, 8, 7, 6],
        replaced_value_int64=1)
    words = np.array([["b", "z"], ["", "a"]])
    add("OneHotEncoder", 1, [words], domain=ML, cats_strings=["a", "b", ""])
    names = {"cats_strings": ["a", "b", ""], "cats_int64s": [5, -7, 0]}
    numbers = np.array([[5, 0, 1], [-7, 2, 5]], np.int64)
    for defaults in ({}, {"default_int64": 44, "default_string": "none"}):
        add("CategoryMapper", 1, [words], domain=ML, **names, **defaults)
        add("CategoryMapper", 1, [numbers], domain=ML, **names, **defaults)
        add("LabelEncoder", 1, [words], domain=ML, classes_strings=["a", "b", ""], **defaults)
        add("LabelEncoder", 1, [numbers], domain=ML, classes_strings=["a", "b", ""], **defaults)


def optimisers(add):
    x, g, v = (random(3, 4, seed=seed) for seed in range(3))
    h = random(3, 4, seed=3, low=0.5, high=2)
    y, k, w = (random(2, seed=seed) for seed in range(4, 7))
    l = random(2, seed=7, low=0.5, high=2)
    for count in (0, 1, 7):
        first = [np.asarray(0.1, np.float32), np.asarray(count, np.int64)]
        settings = {"domain": TRAINING, "reference": True}
        for regular in (0.0, 0.01):
            add("Adagrad", 1, [*first, x, g, h], outputs=2, norm_coefficient=regular,
                decay_factor=0.1, epsilon=1e-5, **settings)
            for mode in ("standard", "nesterov"):
                add("Momentum", 1, [*first, x, g, v], outputs=2, norm_coefficient=regular,
                    alpha=0.95, beta=0.8, mode=mode, **settings)
            for after in (0.0, 0.02):
                # Of one tensor onnx.reference makes float64.
                add("Adam", 1, [*first, x, y, g, k, v, w, h, l], outputs=6, norm_coefficient=regular,
                    norm_coefficient_post=after, alpha=0.9, beta=0.99, epsilon=1e-6, **settings)
        add("Adagrad", 1, [*first, x, y, g, k, h, l], outputs=4, **settings)


def columns(add):
    longs = lambda *values: np.array(values, np.int64)
    for dtype in (np.float32, np.float64, np.float16, np.int64, np.int32, np.uint8, np.bool_):
        label = np.dtype(dtype).name
        low = 0 if dtype == np.uint8 else -2
        tolerance = {"rtol": 2e-3, "atol": 2e-3} if dtype == np.float16 else {}
        for image, block, strides, pads, dilations in (
                ((5, 5), (1, 5), (1, 1), (0, 0, 0, 0), (1, 1)),
                ((5, 6), (2, 3), (1, 1), (0, 0, 0, 0), (1, 1)),
                ((5, 6), (2, 3), (2, 3), (1, 2, 1, 0), (1, 1)),
                ((7, 8), (3, 2), (2, 1), (2, 1, 0, 3), (2, 3)),
                ((4, 4), (2, 2), (3, 3), (0, 0, 0, 0), (1, 1)),
                ((3, 4, 5), (2, 2, 2), (1, 2, 1), (1, 0, 0, 0, 1, 2), (1, 2, 1)),
                ((9, ), (3, ), (2, ), (1, 1), (2, ))):
            extents = [(size + pads[axis] + pads[axis + len(image)] - dilations[axis] * (block[axis] - 1)
                        - 1) // strides[axis] + 1 for axis, size in enumerate(image)]
            rows_ = 3 * int(np.prod(block))
            # ONNX Runtime is wrong about other numbers of axes than two.
            if dtype == np.float64 and len(image) != 2:
                continue
            reference = dtype != np.float32 or len(image) != 2
            x = random(2, rows_, int(np.prod(extents)), dtype=dtype, low=low)
            add("Col2Im", 18, [x, longs(*image), longs(*block)], (1, 2), strides=strides, pads=pads,
                dilations=dilations, name=label, reference=reference, **tolerance)
    add("Col2Im", 18, [random(1, 4, 6), longs(3, 4), longs(2, 2)], (1, 2))


def all_cases(add):
    for family in (regressors, tree_classifiers, ensembles, linear, features, optimisers, columns):
        family(add)
