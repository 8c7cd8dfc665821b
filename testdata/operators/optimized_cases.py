"""Operators of com.microsoft that ONNX Runtime's optimiser writes, and that ONNX has in another form."""

import numpy as np

from case_writer import random

MS = {"domain": "com.microsoft"}


def longs(*values):
    return np.array(values, np.int64)


def products(add):
    activations = {"Relu": {}, "Sigmoid": {}, "Tanh": {}, "LeakyRelu": {"activation_alpha": 0.2},
                   "Elu": {"activation_alpha": 0.5}, "HardSigmoid": {"activation_alpha": 0.3,
                                                                      "activation_beta": 0.4},
                   "Softplus": {}, "Softsign": {}, "ThresholdedRelu": {"activation_alpha": 0.7},
                   "Selu": {"activation_alpha": 1.5, "activation_gamma": 1.1}}
    for activation, parameters in activations.items():
        for transposed in (0, 1):
            weights = random(4, 3) if not transposed else random(3, 4)
            add("FusedGemm", 1, [random(2, 4), weights, random(3)], (1, 2), activation=activation,
                transB=transposed, alpha=0.5, beta=2.0, name=activation, **parameters, **MS)


def turned_products(add):
    """Products of operands whose axes are exchanged."""
    for left, right in ((random(2, 3, 5), random(2, 5, 6, seed=1)),
                        (random(2, 4, 3, 5), random(2, 4, 5, 6, seed=1))):
        for flags in np.ndindex(2, 2, 2, 2):
            operands, settings = [], {}
            for name, matrix, first, last in zip("AB", (left, right), flags, flags[2:]):
                if last:
                    matrix = matrix.swapaxes(-1, -2)
                if first:
                    matrix = np.moveaxis(matrix, -2, 0)
                operands.append(np.ascontiguousarray(matrix))
                settings |= {f"transBatch{name}": first, f"trans{name}": last}
            add("FusedMatMul", 1, operands, alpha=0.5, rtol=1e-4, atol=1e-5, **settings, **MS)


def others(add):
    add("ExpandDims", 1, [random(2, 3), np.array(1, np.int32)], (1, ), **MS)
    add("ExpandDims", 1, [random(2, 3), np.array(-1, np.int32)], (1, ), **MS)
    for upper in (0, 1):
        add("Trilu", 1, [random(2, 4, 5), np.array(1, np.int64)], (1, ), upper=upper, **MS)
    for mode in ("bilinear", "nearest", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            add("GridSample", 1, [random(2, 3, 5, 6), random(2, 4, 7, 2, low=-1.2, high=1.2)], mode=mode,
                padding_mode=padding, name=mode, rtol=1e-4, atol=1e-4, **MS)
    for mode in ("constant", "reflect", "edge"):
        add("Pad", 1, [random(3, 4), longs(1, 0, 2, 1)], (1, ), mode=mode, name=mode, **MS)
    add("Pad", 1, [random(3, 4), longs(1, 0, 2, 1), np.array([1.5], np.float32)], (1, 2), **MS)
    add("GatherND", 1, [random(3, 4, 2), np.array([[0, 1], [2, 3]], np.int64)], **MS)
    add("Range", 1, [np.array(1, np.float32), np.array(9, np.float32), np.array(2, np.float32)],
        (0, 1, 2), **MS)
    add("Range", 1, [np.array(2, np.int64), np.array(7, np.int64)], (0, 1), **MS)
    for dtype in (np.uint8, np.int8):
        x = np.random.default_rng(5).integers(0, 100, (2, 7, 8, 3)).astype(dtype)
        for settings in ({"kernel_shape": [2, 2]}, {"kernel_shape": [3, 3], "strides": [2, 2],
                                                    "pads": [1, 1, 1, 1]},
                         {"kernel_shape": [2, 3], "ceil_mode": 1, "strides": [2, 2]},
                         {"kernel_shape": [2, 2], "dilations": [2, 1]}):
            add("NhwcMaxPool", 1, [x], name=np.dtype(dtype).name, **settings, **MS)


def recurrent(add):
    """ONNX Runtime multiplies with rounded inputs: as near as these get."""
    rng = np.random.default_rng(9)
    hidden, size = 3, 4
    for direction, count in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
        for dtype, low, high in ((np.int8, -90, 90), (np.uint8, 40, 220)):
            for columns in (False, True):
                def weights(rows):
                    integers = rng.integers(low, high, (count, rows, 4 * hidden)).astype(dtype)
                    shape = (count, 4 * hidden) if columns else (count, )
                    zero = np.full(shape, 0 if dtype == np.int8 else 128, dtype)
                    return integers, rng.uniform(0.002, 0.006, shape).astype(np.float32), zero

                (w, ws, wz), (r, rs, rz) = weights(size), weights(hidden)
                add("DynamicQuantizeLSTM", 1,
                    [random(5, 2, size, low=-1, high=1), w, r, random(count, 8 * hidden, low=-0.2, high=0.2),
                     None, None, None, None, ws, wz, rs, rz], (1, 2, 3, 8, 9, 10, 11), outputs=3,
                    hidden_size=hidden, direction=direction, name=f"{direction}_{np.dtype(dtype).name}",
                    rtol=0.05, atol=0.04, **MS)


def all_cases(add):
    for family in (products, turned_products, others, recurrent):
        family(add)
