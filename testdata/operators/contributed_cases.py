"""Operators of com.microsoft that exporters write, and ONNX's own that early exporters wrote."""

import numpy as np

from case_writer import random

MS = {"domain": "com.microsoft"}


def longs(*values):
    return np.array(values, np.int64)


def early(add):
    x = random(2, 3, 4, 5)
    for across in (0, 1):
        for divides in (0, 1):
            add("MeanVarianceNormalization", 7, [x], across_channels=across, normalize_variance=divides,
                rtol=1e-4, atol=1e-5)
    add("MeanVarianceNormalization", 1, [x], rtol=1e-4, atol=1e-5)
    for opset in (1, 7):
        add("Scale", opset, [x], scale=2.5)
        add("Scale", opset, [x])
        for axes in ([], [longs(1, 3)]):
            for starts, ends in (((1, 0), (2, -1)), ((0, -2), (9, 1000))):
                add("DynamicSlice", opset, [random(4, 5) if not axes else x, longs(*starts), longs(*ends), *axes],
                    tuple(range(1, 3 + len(axes))))
        add("DynamicSlice", opset, [x, np.array([1], np.int32), np.array([3], np.int32), np.array([2], np.int32)],
            (1, 2, 3))


def matrices(add):
    for dtype in (np.float32, np.float64):
        for shape in ((1, 1), (5, 5), (2, 3, 4, 4), (0, 3, 3)):
            x = random(*shape, dtype=dtype) + 3 * np.eye(shape[-1], dtype=dtype)
            add("Inverse", 1, [x], name=np.dtype(dtype).name, rtol=1e-3, atol=1e-5, **MS)
        # The diagonal is 0: rows change places.
        swapped = np.array([[0, 2, 1], [1, 0, 0], [3, 0, 1]], dtype)
        add("Inverse", 1, [swapped], name=np.dtype(dtype).name, **MS)
        for metric in ("euclidean", "sqeuclidean"):
            add("CDist", 1, [random(6, 4, dtype=dtype), random(3, 4, dtype=dtype, seed=1)], metric=metric,
                name=f"{metric}_{np.dtype(dtype).name}", rtol=1e-4, atol=1e-5, **MS)
    rng = np.random.default_rng(5)
    for a, b in (((3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 5)), ((4, ), (4, 5))):
        add("MatMulInteger16", 1, [rng.integers(-9999, 9999, a).astype(np.int16),
                                   rng.integers(-9999, 9999, b).astype(np.int16)], **MS)


def pictures(add):
    x = random(2, 3, 5, 4)
    boxes = np.array([[0, 0, 1, 1], [0.1, 0.2, 1.2, 0.7], [0.9, 0.8, 0.1, 0.1], [-0.5, 0.3, 0.5, 2]], np.float32)
    images = np.array([0, 1, 1, 0], np.int32)
    for mode in ("bilinear", "nearest"):
        # Seven places on four pixels: some lie in the middle between two.
        for size in ((3, 7), (1, 1), (9, 1), (5, 4)):
            for outside in (0.0, -1.5):
                add("CropAndResize", 1, [x, boxes, images, np.array(size, np.int32)], (3, ), mode=mode,
                    extrapolation_value=outside, name=mode, rtol=1e-4, atol=1e-5, **MS)
    add("CropAndResize", 1, [x, boxes, images, np.array([2, 3], np.int32)], rtol=1e-4, atol=1e-5, **MS)
    image, filters, bias = random(1, 4, 5, 6), random(4, 2, 3, 3, seed=1), random(4, seed=2)
    for constants in ((1, ), (1, 2)):
        for pads in ((0, 0, 0, 0), (1, 0, 1, 2), (2, 1, 0, 1)):
            for settings in ({}, {"strides": [2, 2]}, {"strides": [2, 3], "output_padding": [1, 2]},
                             {"dilations": [2, 1], "group": 1}):
                add("ConvTransposeWithDynamicPads", 1, [image, filters, longs(*pads)], constants, rtol=1e-4,
                    atol=1e-5, **settings, **MS)
    add("ConvTransposeWithDynamicPads", 1, [image, filters, longs(1, 1, 1, 1), bias], (1, 3), group=2, rtol=1e-4,
        atol=1e-5, **MS)


def windows(add):
    for dtype in (np.float32, np.float64, np.int32, np.int64):
        for dim in (-1, 0, 1, 2):
            for size, step in ((2, 1), (2, 3), (1, 2)):
                add("UnfoldTensor", 1, [(9 * random(2, 5, 7)).astype(dtype)], dim=dim, size=size, step=step,
                    name=np.dtype(dtype).name, **MS)
    add("UnfoldTensor", 1, [random(9)], size=3, **MS)


def tokens(add):
    add("Unique", 1, [np.array([2, 1, 1, 3, 4, 3], np.float32)], outputs=3, **MS)
    add("Unique", 1, [np.array([7, 7, 7], np.float32)], outputs=3, **MS)
    add("Unique", 1, [np.array([], np.float32)], outputs=3, **MS)
    rng = np.random.default_rng(7)
    ids = rng.integers(0, 4, (5, 12))
    for size in (1, 2, 3, 5, 12, 13):
        add("NGramRepeatBlock", 1, [ids, random(5, 6)], ngram_size=size, **MS)
    for shape in ((1, 1), (1, 5), (5, 1), (4, 7), (7, 4), (1, 6, 6)):
        # Few values, so that paths are as cheap as others.
        add("DynamicTimeWarping", 1, [rng.integers(0, 3, shape).astype(np.float32)], **MS)
        add("DynamicTimeWarping", 1, [random(*shape)], **MS)
    for dtype in (np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64, object):
        x = np.array(["", "a", "ab", "abc", "abcd", "hello world", "\u65e5\u672c"], object)
        x = x if dtype is object else (100 * random(2, 3, low=0)).astype(dtype)
        label = "string" if dtype is object else np.dtype(dtype).name
        for positive in (0, 1):
            for seed in (0, 7, 2**32 - 1):
                add("MurmurHash3", 1, [x], positive=positive, seed=seed, name=label, **MS)
    for trial in range(40):
        source = rng.integers(0, 4, rng.integers(1, 12))
        current = rng.integers(0, 4, rng.integers(1, 6))
        start = int(rng.integers(0, len(source) + 1))
        predicted = np.append(source[start:], rng.integers(0, 4))
        if trial % 2:
            predicted[rng.integers(0, len(predicted))] = 9
        limits = {"min_ngram_size": 1 + trial % 2, "max_ngram_size": 2 + trial % 3}
        more = [predicted] if trial % 4 else []
        add("BifurcationDetector", 1, [source, current, longs(start), *more], outputs=2, **limits, **MS)


def all_cases(add):
    for family in (early, matrices, pictures, windows, tokens):
        family(add)
