"""What a run through Python costs over the library's own."""

from __future__ import annotations

import time
from collections.abc import Callable
from ctypes import c_char_p, c_void_p

import numpy as np
from conftest import node_model
from onnx import TensorProto

from leapstone import InferenceSession
from leapstone._values import Inputs


def microseconds(function: Callable[[], object]) -> float:
    """The time of a call when nothing disturbs it: the least of many averages."""
    least = float("inf")
    for _ in range(200):
        started = time.perf_counter()
        for _ in range(20):
            function()
        least = min(least, (time.perf_counter() - started) / 20)
    return least * 1e6


def test_a_run_costs_less_than_50_microseconds_over_the_librarys() -> None:
    session = InferenceSession(node_model("Add", TensorProto.FLOAT, ["N", 8], inputs=2))
    x = np.ones((4, 8), np.float32)
    feed = {"x0": x, "x1": x}
    through_python = microseconds(lambda: session.run(None, feed))

    engine = session._loaded()
    lib = engine.library
    with Inputs(lib) as inputs:
        names, values = (c_char_p * 2)(b"x0", b"x1"), (c_void_p * 2)()
        for index in range(2):
            values[index] = inputs.add_tensor(x, TensorProto.FLOAT)
        output, result = (c_char_p * 1)(b"y"), (c_void_p * 1)()

        def alone() -> None:
            result[0] = None
            lib.check(lib.session_run(engine.handle, None, names, values, 2, output, result, 1))
            lib.value_free(result[0])

        library_alone = microseconds(alone)
    print(f"{through_python:.1f} us through Python, {library_alone:.1f} us the library alone")
    assert through_python - library_alone < 50
