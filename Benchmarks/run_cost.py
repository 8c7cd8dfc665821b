"""`make bench-python`: what a run of a one-node model costs through Python, above the library's own.

All are timed by turns, so that what disturbs the machine disturbs all of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from ctypes import c_char_p, c_void_p
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
from leapstone import InferenceSession  # noqa: E402
from leapstone._values import Inputs  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

ROUNDS = 500
CALLS = 20


def main() -> int:
    """Prints the least and the median time of each way to run the model."""
    x = np.ones((4, 8), np.float32)
    model, feed = _add(), {"x": x, "y": x}
    session = InferenceSession(model)
    peer = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    with Inputs(session._loaded().library) as inputs:
        ways = {
            "the library alone": _library_alone(session, inputs, feed),
            "leapstone": lambda: session.run(None, feed),
            "onnxruntime": lambda: peer.run(None, feed),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, run in ways.items():
                times[name].append(_microseconds(run))
    for name, measured in times.items():
        print(f"{name:18} {min(measured):6.1f} us at least, {median(measured):6.1f} us median")
    print(f"{'through Python':18} {min(times['leapstone']) - min(times['the library alone']):6.1f} us above the library")
    return 0


def _add() -> bytes:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 8]) for name in "xyz"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "y"], ["z"])], "add", values[:2], values[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return model.SerializeToString()


def _library_alone(
    session: InferenceSession, inputs: Inputs, feed: dict[str, Any]
) -> Callable[[], object]:
    """The same run with everything prepared that Python prepares for each."""
    engine = session._loaded()
    lib = engine.library
    names = (c_char_p * len(feed))(*[name.encode() for name in feed])
    values = (c_void_p * len(feed))(*[inputs.add_tensor(x, TensorProto.FLOAT) for x in feed.values()])
    output, result = (c_char_p * 1)(b"z"), (c_void_p * 1)()

    def run() -> None:
        result[0] = None
        lib.check(lib.session_run(engine.handle, None, names, values, len(feed), output, result, 1))
        lib.value_free(result[0])

    return run


def _microseconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(CALLS):
        function()
    return (time.perf_counter() - started) / CALLS * 1e6


if __name__ == "__main__":
    sys.exit(main())
