"""Operators on single elements, with and without broadcasting, and Cast, Where, Clip and their
like."""

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper

from case_writer import random, versions

UNARY = {  # operator: (range, attribute variants)
    "Relu": ((-3, 3), [{}]), "LeakyRelu": ((-3, 3), [{}, {"alpha": 0.3}]),
    "Elu": ((-3, 3), [{}, {"alpha": 0.5}]), "Celu": ((-3, 3), [{}, {"alpha": 2.0}]),
    "Selu": ((-3, 3), [{}, {"alpha": 1.5, "gamma": 0.7}]), "Sigmoid": ((-20, 20), [{}]),
    "HardSigmoid": ((-4, 4), [{}, {"alpha": 1 / 6, "beta": 0.4}]), "HardSwish": ((-5, 5), [{}]),
    "Softplus": ((-40, 40), [{}]), "Softsign": ((-4, 4), [{}]), "Mish": ((-8, 8), [{}]),
    "Gelu": ((-5, 5), [{}, {"approximate": "tanh"}]), "Swish": ((-5, 5), [{}, {"alpha": 1.5}]),
    "ThresholdedRelu": ((-3, 3), [{}, {"alpha": 0.5}]), "Erf": ((-4, 4), [{}]),
    "Exp": ((-5, 5), [{}]), "Log": ((0.01, 9), [{}]), "Sqrt": ((0, 9), [{}]),
    "Reciprocal": ((0.2, 4), [{}]), "Neg": ((-3, 3), [{}]), "Abs": ((-3, 3), [{}]),
    "Sign": ((-3, 3), [{}]), "Floor": ((-5, 5), [{}]), "Ceil": ((-5, 5), [{}]),
    "Round": ((-5, 5), [{}]), "Sin": ((-9, 9), [{}]), "Cos": ((-9, 9), [{}]),
    "Tan": ((-1.4, 1.4), [{}]), "Asin": ((-1, 1), [{}]), "Acos": ((-1, 1), [{}]),
    "Atan": ((-5, 5), [{}]), "Sinh": ((-4, 4), [{}]), "Cosh": ((-4, 4), [{}]),
    "Tanh": ((-9, 9), [{}]), "Asinh": ((-5, 5), [{}]), "Acosh": ((1, 9), [{}]),
    "Atanh": ((-0.98, 0.98), [{}]), "Identity": ((-3, 3), [{}]), "Dropout": ((-3, 3), [{}]),
    "Shrink": ((-3, 3), [{}, {"lambd": 1.0, "bias": 0.5}]), "IsNaN": ((-1, 1), [{}]),
    "IsInf": ((-1, 1), [{}]),
}
SHAPES = (((3, 4, 5), (3, 4, 5)), ((3, 4, 5), (5,)), ((5,), (3, 4, 5)), ((3, 1, 5), (1, 4, 1)),
          ((2, 3, 4, 5), (3, 1, 1)), ((3, 4), ()), ((), (3, 4)), ((), ()), ((1,), (1, 1, 1)),
          ((0, 3), (1, 3)), ((2, 17, 3, 3), (1, 17, 1, 1)), ((1, 2, 3, 4, 5), (2, 1, 1, 5)))


def unary(add):
    for operator, (limits, variants) in UNARY.items():
        for opset in versions(operator):
            if operator == "Dropout" and opset < 7:
                continue
            # onnx.reference takes Selu's later defaults in opset 1, too.
            for attributes in variants[1:] if (operator, opset) == ("Selu", 1) else variants:
                for shape in ((), (7,), (2, 3, 5, 7), (0, 3), (1, 37)):
                    for dtype in (np.float32, np.float64):
                        x = random(*shape, dtype=dtype, low=limits[0], high=limits[1])
                        add(operator, opset, [x], name=dtype.__name__, **attributes)
            special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, 0.5, 1.5, 2.5, -2.5],
                               np.float32)
            if operator in ("Relu", "Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "IsNaN",
                            "IsInf", "Identity", "Sigmoid", "Tanh", "Exp", "Sqrt", "Erf"):
                add(operator, opset, [special], name="special")
            if operator in ("Neg", "Abs", "Sign", "Identity", "Relu"):
                for dtype in (np.int32, np.int64, np.int8):
                    add(operator, opset, [random(3, 4, dtype=dtype, low=-9, high=9)],
                        name=dtype.__name__)
    for dtype in (ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e5m2,
                  ml_dtypes.float8_e5m2fnuz):
        patterns = np.arange(256, dtype=np.uint8).view(dtype)
        label = np.dtype(dtype).name
        add("IsNaN", 20, [patterns], name=label)
        for positive, negative in ((1, 1), (1, 0), (0, 1)):
            add("IsInf", 20, [patterns], name=label, detect_positive=positive, detect_negative=negative)
    for opset in versions("Not"):
        add("Not", opset, [random(3, 4, dtype=np.bool_)])


def binary(add):
    numbers = (np.float32, np.float64, np.int32, np.int64)
    tables = {"Add": numbers, "Sub": numbers, "Mul": numbers, "Div": numbers, "Pow": numbers,
              "PRelu": (np.float32, np.float64), "Max": numbers, "Min": numbers, "Mod": numbers[2:],
              "Equal": numbers, "Less": numbers, "Greater": numbers, "LessOrEqual": numbers,
              "GreaterOrEqual": numbers, "And": (np.bool_,), "Or": (np.bool_,), "Xor": (np.bool_,),
              "Sum": numbers[:2], "Mean": numbers[:2], "BitwiseAnd": numbers[2:],
              "BitwiseOr": numbers[2:], "BitwiseXor": numbers[2:]}
    for operator, dtypes in tables.items():
        for opset in versions(operator, 8 if operator in ("Max", "Min", "Sum", "Mean") else 7):
            for a, b in SHAPES:
                for dtype in dtypes:
                    # A slope is broadcast to x, never x to a slope.
                    if operator == "PRelu" and np.broadcast_shapes(a, b) != a:
                        continue
                    low = 0.1 if operator == "Pow" else -9
                    x = random(*a, dtype=dtype, low=low, high=9)
                    y = random(*b, dtype=dtype, seed=1, low=low, high=4)
                    if operator in ("Div", "Mod"):
                        y = np.where(y == 0, np.asarray(3, dtype), y).astype(dtype)
                    add(operator, opset, [x, y], name=np.dtype(dtype).name)
    for opset in versions("Mod"):
        for dtype in (np.float32, np.float64, np.int32):
            add("Mod", opset, [np.array([5, -5, 7, -7], dtype), np.array([3, 3, -3, -3], dtype)],
                fmod=1, name=f"fmod_{np.dtype(dtype).name}")
    for opset in versions("Pow", 12):
        for a in (np.float32, np.float64, np.int32, np.int64):
            for b in (np.float32, np.float64, np.int32, np.int64):
                add("Pow", opset, [np.array([1, 2, 3], a), np.array([2, 0, 3], b)],
                    name=f"{np.dtype(a).name}_{np.dtype(b).name}")
    for opset in versions("BitShift"):
        for direction in ("LEFT", "RIGHT"):
            for dtype in (np.uint8, np.uint32, np.uint64):
                add("BitShift", opset, [np.array([16, 4, 1], dtype), np.array([1, 2, 3], dtype)],
                    direction=direction)
    for operator in ("Max", "Min", "Sum", "Mean"):
        for opset in versions(operator, 8):
            for count in (1, 3):
                add(operator, opset, [random(3, 4, seed=index) for index in range(count)])
    for opset in (1, 6):
        for operator in ("Add", "Sub", "Mul", "Div"):
            x = random(2, 3, 4)
            add(operator, opset, [x, random(2, 3, 4, seed=1, low=1)], name="same")
            add(operator, opset, [x, random(3, seed=1, low=1)], broadcast=1, axis=1, name="axis")
            add(operator, opset, [x, random(4, seed=1, low=1)], broadcast=1, name="suffix")


def clips(add):
    x = random(3, 5, low=-5, high=5)
    add("Clip", 6, [x], name="none")
    add("Clip", 6, [x], min=-1.0, max=2.0)
    add("Clip", 6, [x], min=0.5)
    add("Clip", 6, [x], max=0.5)
    for opset in versions("Clip", 11):
        for dtype in (np.float32, np.float64, np.int32, np.int64):
            if opset == 11 and dtype in (np.int32, np.int64):
                continue
            value, low, high = x.astype(dtype), np.asarray(-2, dtype), np.asarray(3, dtype)
            for limits in ([], [low], [None, high], [low, high], [high, low]):
                for constants in ((), (1, 2)[: len(limits)]):
                    add("Clip", opset, [value, *limits], constants=constants,
                        name=np.dtype(dtype).name)


# Types without a NumPy type of their own, and the opset that Cast takes them from.
NARROW = {"BFLOAT16": 13, "FLOAT8E4M3FN": 19, "FLOAT8E4M3FNUZ": 19, "FLOAT8E5M2": 19,
          "FLOAT8E5M2FNUZ": 19, "UINT4": 21, "INT4": 21, "FLOAT4E2M1": 23, "FLOAT8E8M0": 24,
          "UINT2": 25, "INT2": 25, "FLOAT6E2M3": 28, "FLOAT6E3M2": 28}
WIDE = ("FLOAT", "DOUBLE", "FLOAT16", "INT8", "UINT8", "INT32", "INT64", "BOOL")


def narrow_casts(add):
    for kind, since in NARROW.items():
        number = getattr(TensorProto, kind)
        narrow = helper.tensor_dtype_to_np_dtype(number)
        unsigned = kind.startswith("UINT") or kind == "FLOAT8E8M0"
        for opset in versions("Cast", since):
            for other in WIDE:
                to = getattr(TensorProto, other)
                wide = helper.tensor_dtype_to_np_dtype(to)
                values = np.array([0, 0.3, 1, 1.5, 2.75, 3.9, 0.51, 2, 0.26, 1.24], np.float64)
                if wide.kind == "f" and kind not in ("INT4", "UINT4", "INT2", "UINT2"):
                    values = np.append(values, [5.1, 47, 239.9, 900, 61000])
                if not unsigned and wide.kind in "fi":
                    values = np.append(values, [-1, -1.6, -2])
                values = values.astype(wide)
                saturations = (0, 1) if kind.startswith("FLOAT8E") and wide.kind == "f" else (1,)
                roundings = ("up", "down", "nearest") if kind == "FLOAT8E8M0" else (None,)
                for saturate in saturations:
                    for rounding in roundings:
                        settings = {"saturate": saturate} if opset >= 19 else {}
                        if rounding:
                            settings["round_mode"] = rounding
                            values = values[values > 0]
                        add("Cast", opset, [values], to=number, reference=True, rtol=0, atol=0,
                            name=f"{other}_{kind}".lower(), **settings)
                kept = values.astype(np.float32).astype(narrow)
                if unsigned or not other.startswith("U"):
                    add("Cast", opset, [kept], to=to, reference=True, rtol=0, atol=0,
                        name=f"{kind}_{other}".lower())


def casts(add):
    kinds = ("float32", "float64", "int8", "uint8", "int16", "int32", "int64", "uint32", "bool",
             "float16")
    for opset in versions("Cast", 6):
        for source in kinds:
            values = np.array([0, 1, 2.5, 3.7, 100, 127], source)
            if source.startswith("float"):
                values = np.append(values, np.array([-0.5, -1.5, -7.9], source))
            elif source.startswith("int"):
                values = np.append(values, np.array([-1, -100], source))
            for target in kinds:
                kept = values if not target.startswith("u") else values[values >= 0]
                add("Cast", opset, [kept], name=f"{source}_{target}",
                    to=helper.np_dtype_to_tensor_dtype(np.dtype(target)))
    for opset in versions("CastLike"):
        add("CastLike", opset, [random(3, 4), np.zeros(1, np.int32)])
    for opset in versions("Cast", 9):
        texts = np.array([["3.5", "-1e-5", "1E8"], ["INF", "-inf", "NaN"]], object)
        for target in (np.float32, np.float64):
            add("Cast", opset, [texts], name=f"string_{np.dtype(target).name}",
                to=helper.np_dtype_to_tensor_dtype(np.dtype(target)))
        add("Cast", opset, [np.array(["7", "-12"], object)], to=TensorProto.INT64,
            name="string_int64")
        for values in (np.array([2.5, -0.125, 3, np.nan, np.inf, -np.inf], np.float32),
                       np.array([7, -12], np.int64), np.array([7, 200], np.uint8)):
            add("Cast", opset, [values], to=TensorProto.STRING,
                name=f"{values.dtype.name}_string")
    narrow_casts(add)
    for opset in versions("Where"):
        for a, b in SHAPES:
            for dtype in (np.float32, np.float64, np.int32, np.int64):
                condition = random(*b, dtype=np.bool_)
                add("Where", opset, [condition, random(*a, dtype=dtype, seed=1, high=9),
                                     random(*b, dtype=dtype, seed=2, high=9)],
                    name=np.dtype(dtype).name)


def all_cases(add):
    for family in (unary, binary, clips, casts):
        family(add)
