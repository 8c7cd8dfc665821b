"""Normalisations: by channel, by group, along axes, over neighbours."""

import numpy as np

from case_writer import random, versions

FLOATS = (np.float32, np.float64)
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def batch(add):
    for dtype in FLOATS:
        for opset in versions("BatchNormalization", 6):
            for shape in ((2, 5), (2, 5, 7), (2, 5, 4, 3), (1, 5, 3, 2, 3)):
                x = random(*shape, dtype=dtype)
                rest = [random(5, dtype=dtype, seed=seed) for seed in (1, 2, 3)]
                rest.append(random(5, dtype=dtype, seed=4, low=0.1, high=3))
                for epsilon in (1e-5, 1e-2):
                    add("BatchNormalization", opset, [x, *rest], constants=(1, 2, 3, 4),
                        epsilon=epsilon, name=dtype.__name__, **CLOSE,
                        **({"is_test": 1} if opset < 7 else {}))
                if opset >= 14:
                    for momentum in (0.9, 0.3):
                        add("BatchNormalization", opset, [x, *rest], outputs=3, training_mode=1,
                            momentum=momentum, name=f"training_{dtype.__name__}", reference=True,
                            **CLOSE)


def groups(add):
    for dtype in FLOATS:
        for opset in versions("InstanceNormalization", 6):
            for shape in ((2, 3, 8), (2, 3, 5, 4), (2, 3, 2, 3, 4)):
                add("InstanceNormalization", opset, [random(*shape, dtype=dtype),
                    random(3, dtype=dtype, seed=1), random(3, dtype=dtype, seed=2)],
                    epsilon=1e-3, name=dtype.__name__, **CLOSE)
        for opset in versions("GroupNormalization"):
            for count in (1, 2, 4):
                width = count if opset < 21 else 4
                for shape in ((2, 4, 3, 5), (3, 4, 6)):
                    add("GroupNormalization", opset, [random(*shape, dtype=dtype),
                        random(width, dtype=dtype, seed=1), random(width, dtype=dtype, seed=2)],
                        num_groups=count, name=dtype.__name__, **CLOSE)
        for opset in versions("LayerNormalization"):
            for axis in (0, 1, 2, -1, -2):
                x = random(3, 4, 5, dtype=dtype)
                for count in (1, 2):
                    rest = [random(*x.shape[axis:], dtype=dtype, seed=s)
                            for s in range(1, count + 1)]
                    add("LayerNormalization", opset, [x, *rest], axis=axis, name=dtype.__name__,
                        **CLOSE)
            for shape in ((5,), (1,), (4, 1), (3, 4, 5), (3, 1, 1)):
                scale = random(*shape, dtype=dtype, seed=1)
                add("LayerNormalization", opset, [x, scale, random(5, dtype=dtype, seed=2)],
                    axis=1, epsilon=1e-2, name=f"broadcast_{dtype.__name__}", reference=True,
                    **CLOSE)
            if dtype is np.float32:
                add("LayerNormalization", opset, [x, random(4, 5, seed=1), random(4, 5, seed=2)],
                    axis=1, outputs=3, name="statistics", **CLOSE)
        for opset in versions("RMSNormalization"):
            for axis in (0, 1, 2, -1, -2):
                scale = random(*x.shape[axis:], dtype=dtype, seed=1)
                add("RMSNormalization", opset, [x, scale], axis=axis, epsilon=1e-3,
                    name=dtype.__name__, **CLOSE)


def axes(add):
    for dtype in FLOATS:
        for opset in versions("LpNormalization"):
            for axis in (-1, 0, 1):
                for p in (1, 2):
                    add("LpNormalization", opset, [random(3, 4, 5, dtype=dtype)], axis=axis, p=p,
                        name=dtype.__name__)
            zeros = np.zeros((2, 3), dtype)
            add("LpNormalization", opset, [zeros], name=f"zeros_{dtype.__name__}", reference=True)
    # ONNX's function body has a float32 constant: only that type works in others.
    for opset in versions("MeanVarianceNormalization"):
        x = random(2, 3, 4, 5)
        add("MeanVarianceNormalization", opset, [x], **CLOSE)
        for among in ([0, 2, 3], [2, 3], [0, 1, 2, 3], [1], [0, 2], [0, 1]):
            add("MeanVarianceNormalization", opset, [x], axes=among, reference=True, **CLOSE)


def neighbours(add):
    for dtype in FLOATS:
        for opset in versions("LRN"):
            for size in (1, 3, 4, 5, 20):
                # onnx.reference walks over as many channels as there are images: here both are 7.
                for beta in (0.6, 0.75):
                    add("LRN", opset, [random(7, 7, 3, 4, dtype=dtype)], size=size, alpha=0.01,
                        beta=beta, bias=2.0, name=dtype.__name__)


def all_cases(add):
    for family in (batch, groups, axes, neighbours):
        family(add)
