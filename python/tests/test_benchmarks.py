"""`Benchmarks/compare.py`: what it works out from times, and a run of it on a small network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, environment, trained

sys.path.insert(0, os.fspath(ROOT / "Benchmarks"))

import machine  # noqa: E402
import report  # noqa: E402
from measure import Figures, Network, Plan, reference, time_to_steady  # noqa: E402

MODEL = os.fspath(trained("resnet-digits")[0])
PLAN = Plan(["leapstone", "onnxruntime", "openvino"], [1, 2], rounds=3, starts=2, seconds=0.25)


def figures(factor: float, memory: int) -> Figures:
    return Figures(
        "1.0", {threads: [factor * ms / threads / 1000 for ms in (10, 20, 12)] for threads in (1, 2)},
        [0.1 * factor, 0.2 * factor], [0.01, 0.02] if factor == 0.5 else [], [memory, memory + 2**20],
        error=1e-6 * factor)


def network() -> Network:
    return Network("resnet", {"x": "float32 1x3x8x8"}, {
        "leapstone": figures(0.5, 10 * 2**20), "onnxruntime": figures(1, 20 * 2**20),
        "openvino": figures(0.8, 40 * 2**20)})


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "Benchmarks/compare.py", *arguments], cwd=ROOT, env=environment(),
        capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("opened, times, ready", [
    (1.0, [1, 1, 1, 1], 1.0), (1.0, [5, 1, 1, 1], 6.0), (0.5, [5, 2, 1, 1, 1, 1], 7.5),
    (0.5, [1.2, 1, 1, 1], 0.5), (2.0, [3], 2.0)])
def test_time_to_steady_ends_where_the_first_steady_run_begins(
        opened: float, times: list[float], ready: float) -> None:
    assert time_to_steady(opened, times) == pytest.approx(ready)


def test_ratios_are_taken_round_by_round() -> None:
    # The second round was slow for all: the medians alone would say something else.
    assert report.ratios([1, 8, 3], [2, 10, 6]) == [0.5, 0.8, 0.5]
    assert report.quartiles([3, 1, 2, 4, 5]) == [2, 4]
    assert report.quartiles([7]) == [7, 7]
    with pytest.raises(ValueError):
        report.ratios([1], [1, 2])


def test_summary_compares_with_the_reference() -> None:
    found = report.summary(network(), PLAN)
    for engine, factor in (("leapstone", 0.5), ("onnxruntime", 1), ("openvino", 0.8)):
        for threads in (1, 2):
            latency = found[engine]["latency"][str(threads)]
            assert latency["ms"] == pytest.approx(12 * factor / threads)
            assert latency["ratio"] == pytest.approx(factor)
            assert latency["ratio_quartiles"] == pytest.approx([factor, factor])
        assert found[engine]["ready_ratio"] == pytest.approx(factor)
    assert found["leapstone"]["memory_ratio"] == pytest.approx(10.5 / 20.5)
    assert found["leapstone"]["cached_ready_ms"] == pytest.approx(15)
    assert found["leapstone"]["cached_ready_ratio"] == pytest.approx(0.1)
    assert "cached_ready_ms" not in found["onnxruntime"]


def test_the_reference_is_onnxruntime_where_it_is_there() -> None:
    assert reference(["leapstone", "onnxruntime", "openvino"]) == "onnxruntime"
    assert reference(["leapstone", "openvino"]) == "openvino"


def about() -> dict[str, Any]:
    return {"machine": machine.describe(), "revision": "abc", "versions": {"leapstone": "0", "onnxruntime": "1"}}


def test_markdown_has_a_row_for_each_network_in_every_table() -> None:
    text = report.as_markdown([network(), network()], PLAN, about())
    tables = text.split("| network ")[1:]
    assert len(tables) == 6
    for table in tables:
        rows = [line for line in table.splitlines() if line.startswith("| resnet ")]
        assert len(rows) == 2
        columns = table.splitlines()[0].count("|")
        assert all(row.count("|") == columns + 1 for row in rows)
    assert "0.50 (0.50-0.50)" in tables[0] and "0.80" in tables[0]
    assert tables[3].startswith("| Leapstone with its cache, ms | ONNX Runtime, ms |")


def test_without_a_cache_there_is_no_table_of_it() -> None:
    without = network()
    without.engines["leapstone"].cached_ready = []
    assert "cache" not in report.as_markdown([without], PLAN, about())


def test_a_page_gets_the_report_in_its_place() -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    once = report.placed(page, "first\n")
    assert "first" in once and report.placed(once, "second\n") == report.placed(page, "second\n")
    assert once.startswith(page.partition(report.PLACE[0])[0])
    with pytest.raises(ValueError, match="no <!-- report"):
        report.placed("text", "first")


def test_machine_is_described() -> None:
    found = machine.describe()
    assert found["processor"] and found["cores"] >= 1 and found["memory_bytes"] > 2**20
    assert "portable" in found["instruction_sets"]


def test_a_network_is_compared_from_end_to_end(tmp_path: Path) -> None:
    done = run(MODEL, "--engines", "leapstone", "onnxruntime", "--rounds", "2", "--starts", "1",
               "--seconds", "0.02", "--no-plot", "--into", os.fspath(tmp_path))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["schema"] == "leapstone.comparison/1" and found["reference"] == "onnxruntime"
    [one] = found["networks"]
    assert one["inputs"] == {"input": "float32 1x1x32x32"}
    for engine in ("leapstone", "onnxruntime"):
        measured = one["engines"][engine]
        assert {threads: len(rounds) for threads, rounds in measured["latency"].items()} == {"1": 2, "2": 2}
        assert measured["ready"][0] > 0 and measured["memory"][0] > 0
        assert len(measured["cached_ready"]) == (1 if engine == "leapstone" else 0)
    assert one["engines"]["onnxruntime"]["error"] == 0 and one["engines"]["leapstone"]["error"] < 1e-4
    assert (tmp_path / "report.md").read_text() == done.stdout.removesuffix("\n")


@pytest.mark.parametrize("arguments, code, words", [
    (["/no/such.onnx"], 2, "there is no file /no/such.onnx"),
    ([MODEL, "--engines", "nonesuch", "leapstone"], 2, "nonesuch"),
    ([MODEL, "--page", "README.md"], 2, "the page has no <!-- report -->"),
    ([MODEL, "--page", "/no/such.md"], 2, "/no/such.md"),
    ([MODEL, "--rtol", "0", "--engines", "leapstone", "onnxruntime"], 1, "outputs differ by"),
])
def test_trouble(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    done = run(*arguments, "--rounds", "1", "--starts", "1", "--threads", "1", "--seconds", "0.01",
               "--no-plot", "--into", os.fspath(tmp_path))
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
