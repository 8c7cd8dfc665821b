"""Whether outputs are the expected ones: type, shape and values, within a case's own tolerances."""

from __future__ import annotations

from typing import Any

import numpy as np


class Difference(Exception):
    """An output is not as expected; the message says which, and how."""


def compare(outputs: list[Any], expected: list[Any], rtol: float, atol: float) -> None:
    """Raises `Difference` where they differ."""
    if len(outputs) != len(expected):
        raise Difference(f"{len(outputs)} outputs for {len(expected)}")
    for index, (mine, wanted) in enumerate(zip(outputs, expected)):
        compare_value(f"output {index}", mine, wanted, rtol, atol)


def compare_value(name: str, mine: Any, wanted: Any, rtol: float, atol: float) -> None:
    """Raises `Difference` where a value is not the one that is wanted."""
    if isinstance(wanted, (list, tuple)):
        if not isinstance(mine, (list, tuple)) or len(mine) != len(wanted):
            raise Difference(f"{name}: no sequence of {len(wanted)} values")
        for index, (one, other) in enumerate(zip(mine, wanted)):
            compare_value(f"{name}[{index}]", one, other, rtol, atol)
        return
    if wanted is None or mine is None:
        if wanted is not mine:
            raise Difference(f"{name}: {'a value' if wanted is None else 'nothing'} was returned")
        return
    compare_tensor(name, np.asarray(mine), np.asarray(wanted), rtol, atol)


def compare_tensor(
    name: str, mine: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any], rtol: float, atol: float
) -> None:
    """Raises `Difference` where a tensor is not the one that is wanted."""
    textual = wanted.dtype.kind in "OSU"
    if not textual and mine.dtype != wanted.dtype:
        raise Difference(f"{name}: {mine.dtype} for {wanted.dtype}")
    if mine.shape != wanted.shape:
        raise Difference(f"{name}: shape {mine.shape} for {wanted.shape}")
    if textual:
        wrong = mine.astype(str) != wanted.astype(str)
        if wrong.any():
            raise Difference(f"{name}: {wrong.sum()} of {wrong.size} strings differ")
        return
    if mine.dtype.kind not in "biufc":  # Those of ml_dtypes.
        mine, wanted = mine.astype(np.float32), wanted.astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        wrong = ~np.isclose(mine, wanted, rtol=rtol, atol=atol, equal_nan=True)
    if wrong.any():
        raise Difference(f"{name}: {wrong.sum()} of {wrong.size} elements differ")
