"""Reductions, Softmax, matrix products, Resize and Upsample."""

import numpy as np

from case_writer import random, versions

FLOATS = (np.float32, np.float64)


def reductions(add):
    names = ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
    for operator in (f"Reduce{name}" for name in names):
        for opset in versions(operator):
            as_input = opset >= (13 if operator == "ReduceSum" else 18)
            axes_sets = [None, (0,), (1, 2), (2, 3), (0, 1, 2, 3)]
            axes_sets += [(-1,), (-2, 0)] if opset >= 11 else []
            for dtype in FLOATS + (np.int32, np.int64):
                if dtype not in FLOATS and operator not in ("ReduceSum", "ReduceMax", "ReduceMin"):
                    continue
                x = random(2, 3, 4, 5, dtype=dtype, low=0.1 if "Log" in operator else -3, high=4)
                for axes in axes_sets:
                    for keepdims in (0, 1):
                        settings = {"keepdims": keepdims, "name": np.dtype(dtype).name}
                        if axes is None:
                            add(operator, opset, [x], **settings)
                        elif as_input:
                            add(operator, opset, [x, np.array(axes, np.int64)], (1,), **settings)
                        else:
                            add(operator, opset, [x], axes=axes, **settings)
                if as_input:
                    for skip in (0, 1):
                        add(operator, opset, [x, np.array([], np.int64)], (1,), name="empty_axes",
                            noop_with_empty_axes=skip)
    for operator in ("ArgMax", "ArgMin"):
        for opset in versions(operator):
            for axis in (0, 1, 2) + ((-1,) if opset >= 11 else ()):
                for keepdims in (0, 1):
                    for last in (0, 1) if opset >= 12 else (None,):
                        settings = {} if last is None else {"select_last_index": last}
                        x = np.round(random(3, 4, 5))
                        add(operator, opset, [x], axis=axis, keepdims=keepdims, **settings)
    for operator in ("Softmax", "LogSoftmax", "Hardmax"):
        for opset in versions(operator):
            for dtype in FLOATS:
                for shape in ((2, 3, 4, 5), (3, 7), (6,)):
                    # Before opset 13 the default axis is 1, which a vector does not have.
                    has_default = opset >= 13 or len(shape) > 1
                    axes = range(len(shape)) if opset < 11 else range(-len(shape), len(shape))
                    x = random(*shape, dtype=dtype, low=-20, high=20)
                    if has_default:
                        add(operator, opset, [x], name=dtype.__name__)
                    for axis in axes:
                        add(operator, opset, [x], axis=axis, name=dtype.__name__)
    for opset in versions("CumSum"):
        for axis in (0, 1, -1):
            for flags in ((0, 0), (1, 0), (0, 1), (1, 1)):
                add("CumSum", opset, [random(3, 4, 5), np.array(axis, np.int64)],
                    exclusive=flags[0], reverse=flags[1])


def products(add):
    pairs = (((5,), (5,)), ((3, 5), (5,)), ((5,), (5, 4)), ((3, 5), (5, 4)), ((2, 3, 5), (5, 4)),
             ((2, 3, 5), (2, 5, 4)), ((2, 1, 3, 5), (6, 5, 4)), ((3, 5), (2, 5, 4)),
             ((5,), (2, 5, 4)), ((2, 3, 5), (5,)), ((2, 1, 2, 3, 5), (1, 3, 1, 5, 4)),
             ((0, 5), (5, 4)), ((3, 0), (0, 4)), ((33, 65), (65, 17)))
    for dtype in FLOATS + (np.int32, np.int64):
        for opset in versions("MatMul"):
            for a, b in pairs:
                add("MatMul", opset, [random(*a, dtype=dtype, high=5),
                    random(*b, dtype=dtype, seed=1, high=5)], name=np.dtype(dtype).name, rtol=1e-4)
    for dtype in FLOATS:
        for opset in versions("Gemm"):
            for flags in ((0, 0), (0, 1), (1, 0), (1, 1)):
                a, b = random(3, 5, dtype=dtype), random(5, 4, dtype=dtype, seed=1)
                a, b = (a.T if flags[0] else a).copy(), (b.T if flags[1] else b).copy()
                for shape in ((3, 4), (4,), (1, 4), (3, 1), (1,), (), None):
                    if opset < 7 and shape != (3, 4) or shape is None and opset < 11:
                        continue
                    c = [] if shape is None else [random(*shape, dtype=dtype, seed=2)]
                    for alpha, beta in ((1.0, 1.0), (0.5, 2.0)):
                        add("Gemm", opset, [a, b, *c], alpha=alpha, beta=beta, transA=flags[0],
                            transB=flags[1], name=dtype.__name__,
                            # Without it onnx.reference overlooks beta.
                            **({"broadcast": 1} if opset < 7 else {}))
    for opset in versions("Einsum"):
        for equation, shapes in (("ij,jk->ik", ((3, 4), (4, 5))), ("bij->bji", ((2, 3, 4),)),
                                 ("bhid,bhjd->bhij", ((2, 3, 4, 5), (2, 3, 6, 5)))):
            add("Einsum", opset, [random(*s, seed=i) for i, s in enumerate(shapes)],
                equation=equation)


SCALES = ((1, 1, 2, 2), (1, 1, 0.6, 0.7), (1, 1, 1.7, 2.3), (1, 1, 3, 0.5))
SIZES = ((1, 2, 8, 10), (1, 2, 3, 3), (1, 2, 7, 4), (1, 2, 1, 1))


def resize(add):
    x = random(1, 2, 4, 5)
    for opset in versions("Resize", 11):
        transformations = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric",
                           "tf_crop_and_resize"] + (["half_pixel_symmetric"] if opset >= 19 else [])
        if opset < 13:
            transformations.append("tf_half_pixel_for_nn")
        for transformation in transformations:
            for mode in ("nearest", "linear", "cubic"):
                variants = [{}]
                if mode == "nearest":
                    variants = [{"nearest_mode": kind} for kind in
                                ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")]
                if mode == "cubic":
                    variants = [{}, {"cubic_coeff_a": -0.5}, {"exclude_outside": 1}]
                if mode != "nearest" and opset >= 18 and transformation != "tf_crop_and_resize":
                    variants += [{"antialias": 1, **variant} for variant in variants]
                for variant in variants:
                    settings = {"mode": mode, "name": f"{mode}_{transformation}", "rtol": 1e-4,
                                "coordinate_transformation_mode": transformation, **variant}
                    roi = np.array([], np.float32)
                    if transformation == "tf_crop_and_resize":
                        roi = np.array([0, 0, 0.2, 0.1, 1, 1, 0.9, 1.3], np.float32)
                        settings["extrapolation_value"] = 7.5
                    for scales in SCALES:
                        # ONNX Runtime aligns the corners of the whole length, ONNX those of the
                        # fractional one, in double precision.
                        aligned = transformation == "align_corners"
                        add("Resize", opset, [x, roi, np.array(scales, np.float32)], (1, 2),
                            reference=aligned, atol=1e-5 if aligned else 1e-6, **settings)
                    for sizes in SIZES:
                        empty = np.array([], np.float32) if opset < 13 else None
                        add("Resize", opset, [x, roi, empty, np.array(sizes, np.int64)],
                            (1, 2, 3), **settings)
        if opset >= 18:
            for policy in ("stretch", "not_larger", "not_smaller"):
                # ONNX Runtime overlooks negative axes where the aspect ratio is kept.
                negative = [(-1, -2)] if policy == "stretch" else []
                for axes in [(2, 3), (3, 2), *negative]:
                    for mode in ("nearest", "linear", "cubic"):
                        add("Resize", opset, [x, None, None, np.array([7, 9], np.int64)], (3,),
                            axes=axes, keep_aspect_ratio_policy=policy, mode=mode,
                            name=f"{mode}_{policy}", rtol=1e-4)
        for shape, scales in (((1, 2, 6), (1, 1, 1.5)), ((1, 2, 3, 4, 5), (1, 1, 2, 1.5, 2))):
            for mode in ("nearest", "linear"):
                add("Resize", opset, [random(*shape), np.array([], np.float32),
                    np.array(scales, np.float32)], (1, 2), mode=mode, name=f"{mode}_{len(shape)}d",
                    rtol=1e-4)
        add("Resize", opset, [x.astype(np.float64), np.array([], np.float32),
            np.array(SCALES[2], np.float32)], (1, 2), mode="linear", name="float64", reference=True)
    for mode in ("nearest", "linear"):
        for scales in SCALES:
            factors = np.array(scales, np.float32)
            add("Resize", 10, [x, factors], (1,), mode=mode, name=mode, rtol=1e-4)
            if min(scales) >= 1:
                add("Upsample", 9, [x, factors], (1,), mode=mode, name=mode, rtol=1e-4)
                add("Upsample", 7, [x], scales=[float(s) for s in scales], mode=mode, name=mode,
                    rtol=1e-4)


def all_cases(add):
    for family in (reductions, products, resize):
        family(add)
