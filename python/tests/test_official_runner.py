"""The runner of the official suite: what it makes of cases that fail, crash or hang, and of its list."""

from __future__ import annotations

import os
import signal
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, os.fspath(Path(__file__).resolve().parent / "official"))

import suite  # noqa: E402
from cases import Case  # noqa: E402
from compare import Difference, compare  # noqa: E402


class Told(Case):
    """A case that does as it is told when it is run."""

    def __init__(self, name: str, does: Any) -> None:
        super().__init__("node", name, 1e-3, 1e-7)
        self.does = does

    def load(self) -> Any:
        return self.does, [([], [np.float32(1)])]


class Prepared:
    """A backend's model that calls what it was given."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def run(self, inputs: Any) -> tuple[Any, ...]:
        return (self.model(),)


def fail() -> None:
    raise ValueError("one line\n  and another")


def run(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    backend = types.ModuleType("told_backend")
    backend.prepare = lambda model, device: Prepared(model)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "told_backend", backend)
    return suite.run_all(cases, "told_backend", 2, 1.0)


def test_one_case_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    good = [Told(f"good{index}", lambda: np.float32(1)) for index in range(20)]
    bad: list[Case] = [
        Told("wrong", lambda: np.float32(2)),
        Told("raises", fail),
        Told("dies", lambda: os.kill(os.getpid(), signal.SIGKILL)),
        Told("exits", lambda: os._exit(3)),
        Told("hangs", lambda: time.sleep(60)),
    ]
    results = run([*good[:10], *bad, *good[10:]], monkeypatch)
    assert {name: why for name, why in results.items() if why is not None} == {
        "node/wrong": "output 0: 1 of 1 elements differ",
        "node/raises": "ValueError: one line and another",
        "node/dies": "crash: the process ended with SIGKILL",
        "node/exits": "crash: the process ended with exit code 3",
        "node/hangs": "no answer within 1 s",
    }
    assert len(results) == 25


def test_the_list_is_a_ratchet() -> None:
    known = {"node/a": "Fail: x", "node/b": "Fail: x", "node/gone": "Fail: x", "node/e": "Fail: x"}
    results = {"node/a": None, "node/b": "Fail: y", "node/c": "Fail: z", "node/d": None,
               "node/e": "crash: the process ended with SIGSEGV"}
    assert suite.changes(known, results, whole=True) == (
        ["node/a"], ["node/c"], ["node/e"], ["node/gone"])
    assert suite.changes(known, results, whole=False) == (["node/a"], ["node/c"], ["node/e"], [])
    assert not any(suite.changes(
        {"node/b": "Fail: 1"}, {"node/b": "Fail: 2", "node/d": None}, whole=True))


@pytest.mark.parametrize("reason, kind", [
    ("NotImplemented: 1 unsupported operator: node", "NotImplemented"),
    ("crash: the process ended with SIGKILL", "crash"), ("no answer within 120 s", "no"),
    ("output 1: 3 of 4 elements differ", "output"), ("2 outputs for 1", "2 outputs for 1")])
def test_ways_to_fail_are_told_apart(reason: str, kind: str) -> None:
    assert suite.kind_of(reason) == kind


def test_the_list_is_read_as_it_is_written(tmp_path: Path) -> None:
    entries = {"node/b": "one: two: three", "light/a": "x"}
    suite.write_list(tmp_path / "list", entries)
    assert suite.read_list(tmp_path / "list") == entries
    assert suite.read_list(tmp_path / "none") == {}


def test_every_known_failure_has_its_reason() -> None:
    entries = suite.read_list(suite.LIST)
    assert all(reason and len(reason) <= suite.REASON_LENGTH for reason in entries.values())


@pytest.mark.parametrize("mine, wanted", [
    (np.float32(1), np.float64(1)), (np.zeros(2), np.zeros((2, 1))), (np.array([1.0]), np.array([1.1])),
    (np.array([np.nan]), np.array([1.0])), ([np.float32(1)], [np.float32(1), np.float32(1)]),
    (np.array(["a"], object), np.array(["b"], object)), (None, np.float32(1)), (np.float32(1), None)])
def test_differences_are_found(mine: Any, wanted: Any) -> None:
    with pytest.raises(Difference, match="output 0"):
        compare([mine], [wanted], 1e-3, 1e-7)
    compare([wanted], [wanted], 1e-3, 1e-7)


def test_the_number_of_outputs_counts() -> None:
    with pytest.raises(Difference, match="1 outputs for 2"):
        compare([1], [1, 1], 1e-3, 1e-7)
