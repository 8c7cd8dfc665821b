"""Operators that move, select, join or make elements, and those that compute shapes."""

import numpy as np
from onnx import numpy_helper

from case_writer import random, versions

TYPES = (np.float32, np.float64, np.int32, np.int64)


def longs(*numbers):
    return np.array(numbers, np.int64)


def both(add, operator, opset, inputs, parameters, name):
    """The parameter inputs as constants, and as inputs of the run."""
    add(operator, opset, inputs, constants=parameters, name=name)
    add(operator, opset, inputs, name=f"{name}_dynamic")


def movement(add):
    for dtype in TYPES:
        x = random(2, 3, 4, 5, dtype=dtype, high=9)
        label = np.dtype(dtype).name
        for opset in versions("Transpose"):
            for perm in (None, [0, 2, 3, 1], [3, 2, 1, 0], [0, 1, 3, 2], [1, 0, 2, 3]):
                add("Transpose", opset, [x], name=label, **({"perm": perm} if perm else {}))
        for opset in versions("Concat", 4):
            for axis in (0, 1, 2, 3) + ((-1, -3) if opset >= 11 else ()):
                add("Concat", opset, [x, x, x], axis=axis, name=label)
            add("Concat", opset, [x[:, :0], x, x[:, :1]], axis=1, name=label)
        for opset in versions("Flatten"):
            for axis in (0, 1, 2, 4) + ((-1, -2) if opset >= 11 else ()):
                add("Flatten", opset, [x], axis=axis, name=label)
        for opset in versions("Reshape", 5):
            for target in ((0, -1), (-1,), (2, 0, -1), (5, 4, 3, 2), (0, 0, 2, 2, 5), (1, -1, 1)):
                both(add, "Reshape", opset, [x, longs(*target)], (1,), label)
            if opset >= 14:
                add("Reshape", opset, [x[:0], longs(3, 0, 5)], (1,), allowzero=1, name="allowzero")
        y = x[:, :1, :, :1]
        for opset in versions("Squeeze"):
            for axes in ((1,), (1, 3), None) + (((-1,), (-3, 3)) if opset >= 11 else ()):
                if opset < 13:
                    add("Squeeze", opset, [y], name=label, **({"axes": axes} if axes else {}))
                else:
                    add("Squeeze", opset, [y] + ([longs(*axes)] if axes else []),
                        (1,) if axes else (), name=label)
        for opset in versions("Unsqueeze"):
            for axes in ((0,), (1, 3), (5, 0)) + (((-1,), (-2, 0)) if opset >= 11 else ()):
                if opset < 13:
                    add("Unsqueeze", opset, [x], axes=axes, name=label)
                else:
                    add("Unsqueeze", opset, [x, longs(*axes)], (1,), name=label)
        for opset in versions("Expand"):
            for shape in ((2, 3, 4, 5), (3, 1, 4, 1), (7, 1, 1, 1, 1), (1,), (0, 1, 1, 1)):
                add("Expand", opset, [x[:1, :1], longs(*shape)], (1,), name=label)
        for opset in versions("Tile", 6):
            for repeats in ((1, 2, 1, 3), (2, 1, 1, 1), (0, 1, 1, 1)):
                add("Tile", opset, [x, longs(*repeats)], (1,), name=label)


def slices(add):
    x = random(6, 7, 8)
    cases = [((0,), (3,), (0,), (1,)), ((1, 2), (5, 6), (0, 1), (1, 2)),
             ((-3,), (1000,), (2,), (1,)), ((5,), (-100,), (0,), (-1,)),
             ((100,), (0,), (1,), (-2,)),
             ((3,), (3,), (1,), (1,)),
             ((-1, -1), (-7, 0), (0, 2), (-2, -3)), ((0,), (2**63 - 1,), (-1,), (3,)),
             ((-1,), (-(2**63) + 1,), (1,), (-1,)), ((4,), (2,), (0,), (1,))]
    for opset in versions("Slice"):
        for starts, ends, axes, steps in cases:
            if opset < 10:
                if set(steps) == {1}:
                    add("Slice", opset, [x], starts=starts, ends=ends, axes=[a % 3 for a in axes])
                continue
            for dtype in (np.int64, np.int32):
                if dtype == np.int32 and max(map(abs, ends)) > 2**31:
                    continue
                inputs = [x] + [np.array(v, dtype) for v in (starts, ends, axes, steps)]
                add("Slice", opset, inputs, (1, 2, 3, 4), name=np.dtype(dtype).name)
        if opset >= 10:
            add("Slice", opset, [x, longs(1, 1), longs(4, 5)], (1, 2), name="defaults")
            add("Slice", opset, [x, longs(1), longs(4), longs(1), longs(2)], name="dynamic")
    for opset in versions("Split", 2):
        for axis in (0, 1, 2) + ((-1,) if opset >= 11 else ()):
            size = x.shape[axis]
            parts = [1, size - 3, 2]
            if opset < 13:
                add("Split", opset, [x], axis=axis, split=parts, outputs=3)
            else:
                add("Split", opset, [x, longs(*parts)], (1,), axis=axis, outputs=3)
        if opset < 18:
            add("Split", opset, [x], axis=0, outputs=3, name="equal")
        else:
            for axis, count in ((0, 3), (1, 3), (2, 3), (1, 4)):
                add("Split", opset, [x], axis=axis, outputs=count, num_outputs=count, name="equal")


def reductions(opset, dtype):
    """How ScatterElements and ScatterND may join elements."""
    if opset < 16 or dtype == np.bool_:
        return ()
    return ("add", "mul") + (("max", "min") if opset >= 18 else ())


def selection(add):
    for dtype in TYPES:
        x = random(4, 5, 6, dtype=dtype, high=9)
        label = np.dtype(dtype).name
        for opset in versions("Gather"):
            for axis in (0, 1, 2) + ((-1,) if opset >= 11 else ()):
                for index in (np.int64(2), longs(0, 3, 1), longs(0, 1, 1, 2).reshape(2, 2),
                              np.array([1, 0], np.int32), longs()):
                    add("Gather", opset, [x, np.asarray(index)], (1,), axis=axis, name=label)
                if opset >= 11:
                    add("Gather", opset, [x, longs(-1, 0, -4)], axis=axis, name=f"{label}_negative")
        for opset in versions("GatherElements"):
            for axis in (0, 1, -1):
                index = np.random.default_rng(axis + 2).integers(-3, 4, (3, 4, 5))
                add("GatherElements", opset, [x, index], axis=axis, name=label)
                add("GatherElements", opset, [x, index.astype(np.int32)], axis=axis, name=label)
        for opset in versions("GatherND"):
            add("GatherND", opset, [x, longs(0, 1, 3, 4).reshape(2, 2)], name=label)
            add("GatherND", opset, [x, longs(-1, 1, 3, -4, -5, 0).reshape(1, 2, 3)], name=label)
            if opset >= 12:
                for index in (longs(0, 1, -2, 3).reshape(4, 1), longs(*range(-4, 4)).reshape(4, 2),
                              longs(*range(-4, 4)).reshape(4, 2, 1)):
                    add("GatherND", opset, [x, index], batch_dims=1, name=f"{label}_batch")
                add("GatherND", opset, [x, longs(*range(-3, 2)).reshape(1, 5, 1).repeat(4, 0)],
                    batch_dims=2, name=f"{label}_batch")
        for opset in versions("ScatterND"):
            for index in (longs(0, 3), longs(0, 2, -1, 1), longs(0, -5, 5, 3, 2, 1)):
                index = index.reshape(2, -1)
                updates = x[:2] + x[2:] if index.size == 2 else (
                    x[0, :2] + x[1, 1:3] if index.size == 4 else x[0, 0, :2])
                add("ScatterND", opset, [x, index, updates], name=label)
                for reduction in reductions(opset, dtype):
                    add("ScatterND", opset, [x, index.repeat(2, 0), updates.repeat(2, 0)],
                        reduction=reduction, name=f"{label}_{reduction}")
        for opset in versions("Scatter") + versions("ScatterElements"):
            operator = "ScatterElements" if opset >= 11 else "Scatter"
            add(operator, opset, [x, np.zeros((1, 5, 6), np.int64), x[1:2]], name=label)
            for axis in (0, 1, 2, -1):
                count = x.shape[axis]
                index = (np.arange(3).reshape([3 if k == axis % 3 else 1 for k in range(3)])
                         + np.arange(2).reshape([2 if k == (axis + 1) % 3 else 1
                                                 for k in range(3)])) * 3 % count
                index = index.astype(np.int32 if axis == 1 else np.int64)
                updates = random(*index.shape, dtype=dtype, seed=axis + 5, high=9)
                negative = index - count if opset >= 11 else index
                add(operator, opset, [x, negative, updates], axis=axis, name=label)
                for reduction in reductions(opset, dtype):
                    add(operator, opset, [x, index * 0 + 1, updates], axis=axis,
                        reduction=reduction, name=f"{label}_{reduction}")
        for opset in versions("DepthToSpace"):
            y = random(2, 12, 3, 5, dtype=dtype)
            for mode in ("DCR", "CRD") if opset >= 11 else ("DCR",):
                settings = {"mode": mode} if opset >= 11 else {}
                add("DepthToSpace", opset, [y], blocksize=2, name=label, **settings)
        for opset in versions("SpaceToDepth"):
            add("SpaceToDepth", opset, [random(2, 3, 4, 6, dtype=dtype)], blocksize=2, name=label)
    for opset in versions("NonZero"):
        for dtype in TYPES:
            for shape in ((3, 4), (7,), (2, 3, 2), (0, 3), (1, 1)):
                add("NonZero", opset, [np.round(random(*shape)).astype(dtype)],
                    name=np.dtype(dtype).name)
        add("NonZero", opset, [np.array([["", "a", " "], ["0", "", "bc"]], object)], name="string")
    for opset in versions("OneHot"):
        for axis in (-1, 0, 1):
            # ONNX Runtime counts negative indices from the end in every opset, ONNX from 11 on.
            add("OneHot", opset, [longs(0, 2, 9 if opset < 11 else -1, 7), np.int64(4), np.array([0.5, 2], np.float32)],
                (1,), axis=axis)
    for opset in versions("Trilu"):
        for upper in (0, 1):
            for diagonal in (-2, 0, 3):
                add("Trilu", opset, [random(2, 4, 5), np.array(diagonal, np.int64)], upper=upper)
    for opset in versions("TopK", 10):
        for axis in (0, 1, -1):
            for largest in (0, 1) if opset >= 11 else (None,):
                settings = {} if largest is None else {"largest": largest}
                add("TopK", opset, [random(4, 5, 6), longs(3)], (1,), axis=axis, outputs=2,
                        **settings)


def padding(add):
    x = random(2, 3, 4, 5)
    amounts = [(0, 0, 1, 2, 0, 0, 2, 1), (0, 0, 0, 3, 0, 0, 0, 0), (1, 1, 1, 1, 1, 1, 1, 1),
               (0, 0, -1, 1, 0, 0, 1, -2), (0, 0, -1, -1, 0, 0, -1, -1)]
    for opset in versions("Pad", 2):
        for mode in ("constant", "reflect", "edge") + (("wrap",) if opset >= 19 else ()):
            for pads in amounts:
                if opset < 11:
                    add("Pad", opset, [x], pads=pads, mode=mode, value=1.5, name=mode)
                    continue
                for dtype in (np.float32, np.float64, np.int64):
                    inputs = [x.astype(dtype), longs(*pads)]
                    label = f"{mode}_{np.dtype(dtype).name}"
                    add("Pad", opset, inputs, (1,), mode=mode, name=label)
                    if mode == "constant":
                        add("Pad", opset, [*inputs, np.asarray(2, dtype)], mode=mode, name=label)
            if opset >= 18:
                for axes in ((2, 3), (-1, 1)):
                    add("Pad", opset, [x, longs(1, 2, 0, 1), None, longs(*axes)], (1, 3), mode=mode,
                        name=f"{mode}_axes")


def shapes(add):
    x = random(2, 3, 4, 5)
    for opset in versions("Shape"):
        for value in (x, x[:0], np.float32(1), x.astype(np.int64)):
            add("Shape", opset, [np.asarray(value)])
        if opset >= 15:
            for start, end in ((1, None), (-2, None), (0, -1), (2, 1), (-9, 9), (1, 3)):
                settings = {"start": start} | ({} if end is None else {"end": end})
                add("Shape", opset, [x], **settings)
    for opset in versions("Size"):
        for value in (x, x[:0], np.float32(1)):
            add("Size", opset, [np.asarray(value)])
    for opset in versions("ConstantOfShape"):
        for value in (None, np.array([1.5], np.float32), np.array([7], np.int64),
                      np.array([True]), np.array([2.5], np.float64)):
            settings = {} if value is None else {"value": numpy_helper.from_array(value)}
            for shape in (longs(2, 3), longs(), longs(0, 4)):
                add("ConstantOfShape", opset, [shape], **settings)
    for opset in versions("Constant"):
        for value in (random(2, 3), np.array(3, np.int64), random(2, dtype=np.float64)):
            add("Constant", opset, [], value=numpy_helper.from_array(value))
        if opset >= 12:
            for settings in ({"value_float": 1.5}, {"value_int": 7}, {"value_ints": [1, 2, 3]},
                             {"value_floats": [1.0, 2.5]}):
                add("Constant", opset, [], **settings)
    for opset in versions("Range"):
        for dtype, limits in ((np.int64, (0, 10, 3)), (np.int32, (5, -5, -2)),
                              (np.int64, (3, 3, 1)), (np.float32, (0.5, 4, 0.75)),
                              (np.float64, (0, 1, 0.1))):
            add("Range", opset, [np.array(v, dtype) for v in limits])
    for opset in versions("EyeLike"):
        for k in (-1, 0, 2):
            add("EyeLike", opset, [random(3, 5)], k=k)


def all_cases(add):
    for family in (movement, slices, selection, padding, shapes):
        family(add)
