"""How much Python does at each run. `make bench-python` says how long that takes."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
import pytest
from conftest import node_model
from onnx import TensorProto

from leapstone import InferenceSession

# A call costs about half a microsecond; the bound of a run's cost above the library's is 50 microseconds.
MOST_CALLS = 70


def calls(function: Callable[[], Any]) -> Counter[str]:
    """The Python functions and built-in ones that a function calls, but for those of the library."""
    found: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            found[frame.f_code.co_name] += 1
        elif event == "c_call":
            found[argument.__name__] += 1

    # What earlier tests left behind is not freed meanwhile.
    gc.disable()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
        gc.enable()
    return found


@pytest.mark.parametrize("rows", [4, 4000])
def test_a_run_calls_few_functions(rows: int) -> None:
    session = InferenceSession(node_model("Add", TensorProto.FLOAT, ["N", 8], inputs=2))
    x = np.ones((rows, 8), np.float32)
    feed = {"x0": x, "x1": x}
    session.run(None, feed)
    later = [calls(lambda: session.run(None, feed)) for _ in range(2)]
    assert later[0] == later[1]
    assert later[0].total() <= MOST_CALLS, later[0]
