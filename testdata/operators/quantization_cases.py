"""Quantised numbers: QuantizeLinear, DequantizeLinear, products and convolutions of bytes, and ONNX Runtime's own."""

import numpy as np

from case_writer import random, versions

BYTES = (np.uint8, np.int8)
MICROSOFT = "com.microsoft"


def numbers(*shape, dtype=np.uint8, seed=0):
    """Bytes over their whole range."""
    info = np.iinfo(dtype)
    return random(*shape, seed=seed, low=info.min, high=info.max).astype(dtype)


def weights(*shape, dtype=np.uint8, seed=1):
    """Bytes of seven bits: ONNX Runtime's kernels saturate sums of two products of eight."""
    return numbers(*shape, dtype=dtype, seed=seed) // 2


def scalar(value, dtype=np.float32):
    return np.asarray(value, dtype)


def linear(add):
    x = random(2, 6, 5, low=-20, high=20)
    x[0, 0, :4] = [0.5, 1.5, -0.5, 1e5]
    for dtype in BYTES + (np.uint16, np.int16):
        zero = 3 if np.iinfo(dtype).min else 100
        label = np.dtype(dtype).name
        for opset in versions("QuantizeLinear"):
            if opset < 21 and dtype not in BYTES:
                continue
            add("QuantizeLinear", opset, [x, scalar(0.25), scalar(zero, dtype)], name=label)
            for axis in (0, 1, 2, -1):
                size = x.shape[axis]
                scales = np.abs(random(size, seed=2)) + 0.1
                zeros = numbers(size, dtype=dtype, seed=3)
                if opset >= 13:
                    add("QuantizeLinear", opset, [x, scales, zeros], (1, 2), axis=axis, name=label)
                    add("DequantizeLinear", opset, [numbers(2, 6, 5, dtype=dtype), scales, zeros],
                        axis=axis, name=label)
            if opset >= 21:
                for axis, block in ((0, 1), (1, 2), (1, 3), (2, 3), (2, 5)):
                    shape = list(x.shape)
                    shape[axis] = -(-shape[axis] // block)
                    scales = np.abs(random(*shape, seed=4)) + 0.1
                    zeros = numbers(*shape, dtype=dtype, seed=5)
                    add("QuantizeLinear", opset, [x, scales, zeros], axis=axis, block_size=block,
                        name=label)
                    add("DequantizeLinear", opset, [numbers(2, 6, 5, dtype=dtype), scales, zeros],
                        axis=axis, block_size=block, name=label)
            add("DequantizeLinear", opset, [numbers(2, 6, 5, dtype=dtype), scalar(0.25),
                scalar(zero, dtype)], name=label)
            add("DequantizeLinear", opset, [numbers(7, dtype=dtype), scalar(0.25)], name=label)
    for opset in versions("DequantizeLinear"):
        add("DequantizeLinear", opset, [(random(3, 5) * 1e6).astype(np.int32), scalar(0.01)])
    add("QuantizeLinear", 13, [x, scalar(0.3)])
    add("QuantizeLinear", 23, [x, scalar(0.3)], output_dtype=3)
    for low, high in ((-3, 5), (1, 4), (-9, -2), (0, 0)):
        add("DynamicQuantizeLinear", 11, [random(3, 70, low=low, high=high)], outputs=3)


def products(add):
    pairs = (((3, 5), (5, 4)), ((70, 33), (33, 65)), ((2, 3, 5), (5, 4)), ((2, 3, 40), (2, 40, 7)),
             ((2, 1, 3, 5), (6, 5, 4)), ((5,), (5, 4)), ((3, 5), (5,)))
    for a, b in pairs:
        for left in BYTES:
            for right in BYTES:
                x, y = numbers(*a, dtype=left), weights(*b, dtype=right)
                label = f"{np.dtype(left).name}_{np.dtype(right).name}"
                add("MatMulInteger", 10, [x, y], name=label)
                add("MatMulInteger", 10, [x, y, scalar(7, left), scalar(9, right)], name=label)
                add("MatMulInteger", 10, [x, y, None, numbers(b[-1], dtype=right, seed=2)]
                    if len(b) == 2 else [x, y, scalar(7, left)], name=label)
                scales = [scalar(0.02), scalar(0.01), scalar(0.5)]
                for columns in (False, True) if len(b) == 2 else (False,):
                    steps = np.abs(random(b[-1], seed=3)) / 50 if columns else scales[1]
                    zeros = numbers(b[-1], dtype=right, seed=2) if columns else scalar(9, right)
                    add("QLinearMatMul", 10, [x, scales[0], scalar(7, left), y, steps, zeros,
                        scales[2], scalar(5, left)], name=label, atol=1)


def convolutions(add):
    forms = (((1, 3, 7, 8), (5, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
             ((2, 4, 9, 9), (6, 2, 3, 3), {"group": 2, "strides": [2, 2]}),
             ((1, 6, 8, 8), (6, 1, 3, 3), {"group": 6, "pads": [1, 1, 1, 1]}),
             ((2, 70, 5, 5), (33, 70, 1, 1), {}),
             ((1, 3, 10, 11), (4, 3, 3, 2), {"dilations": [2, 3], "auto_pad": "SAME_UPPER"}),
             ((2, 3, 12), (4, 3, 5), {"strides": [3]}),
             ((1, 2, 5, 6, 7), (3, 2, 2, 3, 2), {"pads": [1, 0, 1, 0, 1, 0]}))
    for image, filters, attributes in forms:
        for left in BYTES:
            for right in BYTES:
                x, w = numbers(*image, dtype=left), weights(*filters, dtype=right)
                label = f"{np.dtype(left).name}_{np.dtype(right).name}"
                channels = filters[0]
                add("ConvInteger", 10, [x, w], name=label, **attributes)
                add("ConvInteger", 10, [x, w, scalar(11, left), scalar(5, right)], name=label,
                    **attributes)
                bias = (random(channels, seed=6) * 1000).astype(np.int32)
                for scale, zero in ((scalar(0.01), scalar(0, right)),
                                    (np.abs(random(channels, seed=3)) / 50,
                                     np.zeros(channels, right))):
                    for extra in ([], [bias]):
                        add("QLinearConv", 10, [x, scalar(0.02), scalar(11, left), w, scale, zero,
                            scalar(0.7), scalar(3, left), *extra], (3, 4, 5), name=label, atol=1,
                            **attributes)


def runtime(add):
    for dtype in BYTES:
        label = np.dtype(dtype).name
        quantised = [scalar(0.05), scalar(9, dtype)]
        for a, b in (((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (4,)), ((1, 3, 1), (2, 1, 4))):
            for operator in ("QLinearAdd", "QLinearMul"):
                add(operator, 1, [numbers(*a, dtype=dtype), *quantised,
                    numbers(*b, dtype=dtype, seed=1), scalar(0.1), scalar(3, dtype), scalar(0.2),
                    scalar(1, dtype)], name=label, domain=MICROSOFT, atol=1)
        x = numbers(3, 70, dtype=dtype)
        add("QLinearSigmoid", 1, [x, *quantised, scalar(1 / 256), scalar(0, dtype)], (1, 2, 3, 4),
            name=label, domain=MICROSOFT, atol=1)
        add("QLinearLeakyRelu", 1, [x, *quantised, scalar(0.06), scalar(5, dtype)], (1, 2, 3, 4),
            alpha=0.2, name=label, domain=MICROSOFT, atol=1)
        for shape in ((2, 3, 7, 7), (1, 5, 4, 6)):
            add("QLinearGlobalAveragePool", 1, [numbers(*shape, dtype=dtype), *quantised,
                scalar(0.04), scalar(2, dtype)], name=label, domain=MICROSOFT, atol=1)
        for axis in (0, 1, -1):
            parts = [numbers(2, 3, 4, dtype=dtype, seed=seed) for seed in (0, 1)]
            add("QLinearConcat", 1, [scalar(0.1), scalar(4, dtype), parts[0], *quantised, parts[1],
                scalar(0.2), scalar(7, dtype)], (0, 1, 3, 4, 6, 7), axis=axis, name=label,
                domain=MICROSOFT, atol=1)
        add("QLinearAveragePool", 1, [numbers(1, 3, 6, 6, dtype=dtype), *quantised, scalar(0.04),
            scalar(2, dtype)], kernel_shape=[2, 3], strides=[2, 1], name=label, domain=MICROSOFT,
            atol=1)
        last = numbers(2, 6, 7, 4, dtype=dtype)
        add("QLinearAveragePool", 1, [last, *quantised, scalar(0.04), scalar(2, dtype)],
            kernel_shape=[2, 3], strides=[2, 1], pads=[1, 1, 0, 1], channels_last=1, name=label,
            domain=MICROSOFT, atol=1)
        for filters, attributes in (((5, 4, 3, 3), {"pads": [1, 1, 1, 1]}),
                                    ((6, 2, 2, 3), {"group": 2, "strides": [1, 2]}),
                                    ((4, 1, 3, 3), {"group": 4, "kernel_shape": [3, 3]})):
            for images, channels_last in ((last, 1), (numbers(2, 4, 6, 7, dtype=dtype), 0)):
                add("QLinearConv", 1, [images, *quantised, weights(*filters, dtype=np.int8),
                    scalar(0.02), scalar(0, np.int8), scalar(0.7), scalar(3, dtype)], (3, 4, 5),
                    channels_last=channels_last, name=label, domain=MICROSOFT, atol=1, **attributes)
        for axis, opset in ((-1, 13), (1, 12)):
            add("QLinearSoftmax", 1, [numbers(2, 3, 4, dtype=dtype), *quantised, scalar(1 / 256),
                scalar(0, dtype)], axis=axis, settings={"opset": opset}, name=label, domain=MICROSOFT, atol=1)
        add("QLinearWhere", 1, [random(2, 3, dtype=np.bool_), numbers(2, 3, dtype=dtype),
            *quantised, numbers(1, 3, dtype=dtype, seed=1), scalar(0.1), scalar(2, dtype),
            scalar(0.2), scalar(3, dtype)], name=label, domain=MICROSOFT, atol=1)
        b = weights(5, 4, dtype=dtype)
        for more in ([], [scalar(3, dtype)], [scalar(3, dtype), random(4, seed=3)]):
            add("DynamicQuantizeMatMul", 1, [random(3, 5), b, scalar(0.02), *more], (1, 2),
                name=label, domain=MICROSOFT, rtol=1e-4, atol=1e-4)
            add("MatMulIntegerToFloat", 1, [numbers(3, 5), b, scalar(0.1), scalar(0.02),
                scalar(4, np.uint8), *more], name=label, domain=MICROSOFT, rtol=1e-4, atol=1e-4)
        for flags in ((0, 0), (0, 1), (1, 0)):
            a, turned = numbers(3, 5), b
            a, turned = (a.T if flags[0] else a).copy(), (turned.T if flags[1] else turned).copy()
            add("QGemm", 1, [a, scalar(0.1), scalar(4, np.uint8), turned, scalar(0.02),
                scalar(0, dtype), np.arange(4, dtype=np.int32) * 10, scalar(0.3),
                scalar(9, np.uint8)], transA=flags[0], transB=flags[1], alpha=0.5, name=label,
                domain=MICROSOFT, atol=1)
        add("QuantizeLinear", 1, [random(3, 4), *quantised], name=label, domain=MICROSOFT)
        add("DequantizeLinear", 1, [numbers(3, 4, dtype=dtype), *quantised], name=label,
            domain=MICROSOFT)


def few_bits(add):
    for bits, depth, size, rows in ((4, 64, 32, 5), (4, 48, 16, 6), (8, 40, 16, 3), (4, 96, 32, 7)):
        blocks = -(-depth // size)
        packed = numbers(rows, blocks, size * bits // 8)
        scales = np.abs(random(rows, blocks, seed=2)) / 10
        settings = {"bits": bits, "block_size": size, "K": depth, "N": rows, "domain": MICROSOFT,
                    "rtol": 1e-4, "atol": 1e-4}
        zeros = numbers(rows, -(-blocks * bits // 8), seed=3)
        for extra, initializers in (([], (1, 2)), ([zeros], (1, 2, 3)),
                                    ([zeros, None, random(rows, seed=4)], (1, 2, 3, 5))):
            add("MatMulNBits", 1, [random(2, 3, depth), packed, scales, *extra], initializers,
                name=f"{bits}_bits", **settings)


def all_cases(add):
    few_bits(add)
    for family in (linear, products, convolutions, runtime):
        family(add)
