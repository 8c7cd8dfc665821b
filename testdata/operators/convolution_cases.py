"""Conv, ConvTranspose and pooling."""

import numpy as np

from case_writer import random, versions

FLOATS = (np.float32, np.float64)


def convolutions(add):
    for dtype in FLOATS:
        double = dtype == np.float64
        for opset in versions("Conv"):
            for rank in (1, 2, 3):
                spatial = (9, 7, 6)[:rank]
                for group, channels, count in ((1, 3, 5), (2, 4, 6), (4, 4, 4), (4, 4, 8)):
                    x = random(2, channels, *spatial, dtype=dtype)
                    w = random(count, channels // group, *(3, 2, 3)[:rank], dtype=dtype, seed=1)
                    b = random(count, dtype=dtype, seed=2)
                    settings = [{}, {"strides": [2, 1, 2][:rank]}, {"dilations": [2, 1, 1][:rank]},
                                {"pads": [1, 0, 2][:rank] + [0, 1, 1][:rank]},
                                {"auto_pad": "VALID"},
                                {"auto_pad": "SAME_UPPER", "strides": [2, 2, 2][:rank]},
                                {"auto_pad": "SAME_LOWER", "strides": [2, 3, 1][:rank]},
                                {"auto_pad": "SAME_LOWER", "dilations": [2, 2, 1][:rank]}]
                    for index, setting in enumerate(settings):
                        inputs = [x, w, b] if index % 2 else [x, w]
                        add("Conv", opset, inputs, constants=(1, 2)[: len(inputs) - 1], group=group,
                            name=f"{rank}d_{dtype.__name__}", rtol=1e-4, atol=1e-5,
                            reference=double, **setting)
            for kernel in (1, 3, 5, 7):
                for stride in (1, 2):
                    x = random(1, 20, 13, 11, dtype=dtype)
                    w = random(17, 20, kernel, kernel, dtype=dtype, seed=1)
                    add("Conv", opset, [x, w, random(17, dtype=dtype)], constants=(1, 2),
                        pads=[kernel // 2] * 4, strides=[stride] * 2, reference=double,
                        name=f"k{kernel}s{stride}_{dtype.__name__}", rtol=1e-4, atol=1e-4)


def transposed_convolutions(add):
    for dtype in FLOATS:
        for opset in versions("ConvTranspose"):
            for rank in (1, 2, 3):
                for group in (1, 2):
                    x = random(2, 4, *(5, 4, 3)[:rank], dtype=dtype)
                    w = random(4, 3, *(3, 2, 3)[:rank], dtype=dtype, seed=1)
                    b = random(3 * group, dtype=dtype, seed=2)
                    settings = [{}, {"strides": [2, 2, 2][:rank]}, {"dilations": [2, 1, 2][:rank]},
                                {"strides": [3, 2, 2][:rank], "output_padding": [2, 1, 1][:rank]},
                                {"pads": [1, 0, 1][:rank] + [1, 1, 0][:rank]},
                                {"strides": [2, 2, 2][:rank], "output_shape": [10, 8, 6][:rank]},
                                {"strides": [2, 2, 2][:rank], "output_shape": [9, 9, 7][:rank],
                                 "auto_pad": "SAME_UPPER"},
                                {"strides": [2, 2, 2][:rank], "auto_pad": "SAME_LOWER"}]
                    for index, setting in enumerate(settings):
                        add("ConvTranspose", opset, [x, w, b][: 2 + index % 2], constants=(1,),
                            group=group, name=f"{rank}d_{dtype.__name__}", rtol=1e-4, atol=1e-5,
                            **setting)


def pooling(add):
    for operator in ("MaxPool", "AveragePool", "LpPool"):
        for opset in versions(operator, 2 if operator == "LpPool" else 1):
            for rank in (1, 2, 3):
                x = random(2, 3, *(10, 9, 7)[:rank])
                kernel = [3, 2, 2][:rank]
                settings = [{}, {"strides": [2, 2, 2][:rank]}, {"pads": [1] * (2 * rank)},
                            {"pads": [1, 0, 1][:rank] + [0, 1, 0][:rank], "strides": [2] * rank},
                            {"auto_pad": "SAME_UPPER", "strides": [2] * rank},
                            {"auto_pad": "SAME_LOWER", "strides": [2] * rank},
                            {"auto_pad": "VALID", "strides": [2] * rank}]
                if opset >= (18 if operator == "LpPool" else 10):
                    settings += [{"ceil_mode": 1, "strides": [2, 3, 2][:rank]},
                                 {"ceil_mode": 1, "strides": [3] * rank, "pads": [1] * (2 * rank)}]
                if opset >= {"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[operator]:
                    settings += [{"dilations": [2, 2, 1][:rank]},
                                 {"dilations": [2] * rank, "pads": [1] * (2 * rank),
                                  "strides": [2] * rank}]
                if operator == "AveragePool" and opset >= 7:
                    settings += [{**setting, "count_include_pad": 1} for setting in settings]
                if operator == "AveragePool" and opset == 1:
                    # ONNX Runtime has no opset 1, and onnx.reference counts padding there, against the text.
                    settings = [setting for setting in settings
                                if "pads" not in setting and "SAME" not in str(setting)]
                if operator == "LpPool":
                    settings += [{"p": 1}, {"p": 3, "strides": [2] * rank}]
                for setting in settings:
                    add(operator, opset, [x], kernel_shape=kernel, name=f"{rank}d", **setting)
                    if operator == "MaxPool" and opset >= 8 and "auto_pad" not in setting:
                        for order in (0, 1):
                            add(operator, opset, [x], kernel_shape=kernel, name=f"{rank}d_indices",
                                outputs=2, storage_order=order, **setting)
            for dtype in (np.float64,):
                add(operator, opset, [random(1, 2, 7, 6, dtype=dtype)], kernel_shape=[2, 3],
                    name="float64")
    for operator in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"):
        for opset in versions(operator, 2 if operator == "GlobalLpPool" else 1):
            for shape in ((2, 3, 5), (2, 3, 5, 7), (1, 2, 3, 4, 5), (1, 1, 1, 1)):
                for dtype in FLOATS:
                    add(operator, opset, [random(*shape, dtype=dtype)], name=dtype.__name__)


def all_cases(add):
    for family in (convolutions, transposed_convolutions, pooling):
        family(add)
