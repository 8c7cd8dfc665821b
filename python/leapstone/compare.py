"""`python -m leapstone compare MODEL`: same answers, faster, smaller, on this model?

Each engine runs in a process of its own, and they take turns, so that neither's threads disturb the other.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pickle
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ._dtypes import STRING, dtype_of, number_of_type_name

_WORKER = Path(__file__).resolve().parent / "_compare_worker.py"
_BLOCK_SECONDS = 0.25


class CompareError(Exception):
    """The comparison cannot be made; the message says why."""


class UsageError(CompareError):
    """An option that does not fit the model, or means nothing."""


class Engine:
    """A process that runs the model in one engine."""

    def __init__(
        self, name: str, model: str, threads: int, folder: Path,
        shapes: dict[str, list[int]] | None = None, cache: Path | None = None,
    ) -> None:
        self.name = name
        self.folder = folder
        environment = dict(os.environ)
        path = [os.fspath(_WORKER.parent.parent), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(part for part in path if part)
        self.process = subprocess.Popen(
            [sys.executable, os.fspath(_WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=environment)
        about = self.ask("load", name, model, threads, shapes or {}, cache and os.fspath(cache))
        self.version: str = about["version"]
        self.inputs: list[tuple[str, str, list[Any]]] = [tuple(entry) for entry in about["inputs"]]
        self.output_names: list[str] = about["outputs"]
        self.opened: float = about["opened"]
        self.times: list[float] = []
        self.first_run = 0.0
        self.ready = 0.0
        self.outputs: list[Any] = []

    def ask(self, command: str, *arguments: Any) -> dict[str, Any]:
        """The worker's answer to a command."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps([command, arguments]) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise CompareError(f"{self.name} ended with {self.process.wait()} ({command})")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise CompareError(f"{self.name}: {answer['error']}")
        return answer

    def first(self, inputs: Path) -> None:
        """The first run: its outputs, and the time from importing the engine to having them."""
        file = self.folder / f"outputs-{self.process.pid}.pickle"
        answer = self.ask("first", os.fspath(inputs), os.fspath(file))
        self.first_run, self.ready = answer["run"], answer["ready"]
        self.outputs = pickle.loads(file.read_bytes())

    def close(self) -> None:
        """Ends the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()


def main(arguments: Sequence[str]) -> int:
    """Compares as the command line says; 0 where errors stay within --rtol, 1 where not, 2 on trouble."""
    options = _parser().parse_args(arguments)
    engines: list[Engine] = []
    try:
        with tempfile.TemporaryDirectory(prefix="leapstone-compare-") as folder:
            return _compare(options, Path(folder), engines)
    except CompareError as error:
        print(f"error: {error}", file=sys.stderr)
        return 64 if isinstance(error, UsageError) else 2
    except KeyboardInterrupt:
        return 130
    finally:
        for engine in engines:
            engine.close()


class _Parser(argparse.ArgumentParser):
    """Ends with 64 on wrong usage, as the tools do."""

    def error(self, message: str) -> Any:
        self.print_usage(sys.stderr)
        self.exit(64, f"error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m leapstone compare",
        description="Runs a model in Leapstone and in another engine, each in a process of its own, by turns.",
        epilog="exit: 0 within --rtol, 1 beyond it, 2 the model or a run failed, 64 wrong usage")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--against", default="onnxruntime", metavar="MODULE",
                        help="openvino, or a module with onnxruntime's surface (default: onnxruntime)")
    parser.add_argument("--threads", type=_threads, default=0, metavar="N|auto",
                        help="workers of each engine (default: auto, what each takes itself)")
    parser.add_argument("--shape", action="append", default=[], metavar="[NAME=]1x3x224x224",
                        help="the shape of an input")
    parser.add_argument("--dim", action="append", default=[], metavar="NAME=N",
                        help="a symbolic extent of the inputs")
    parser.add_argument("--inputs", metavar="FILE.npz",
                        help="the inputs, by name (default: random ones)")
    parser.add_argument("--random", type=int, default=0, metavar="SEED",
                        help="floats in [0,1), integers 0 or 1 (default seed: 0)")
    parser.add_argument("--rtol", type=_tolerance, default=1e-3, metavar="V",
                        help="largest error of an output, relative to its largest value (default: 1e-3)")
    parser.add_argument("--seconds", type=float, default=5.0, metavar="S",
                        help="time to measure each engine for (default: 5)")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    return parser


def _threads(text: str) -> int:
    if text == "auto":
        return 0
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of threads, nor auto")
    return int(text)


def _tolerance(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 0 or more")
    return number


def _compare(options: argparse.Namespace, folder: Path, engines: list[Engine]) -> int:
    if not Path(options.model).exists():
        raise CompareError(f"there is no file {options.model}")
    ours = Engine("leapstone", options.model, options.threads, folder)
    engines.append(ours)
    feed = make_feed(
        ours.inputs, shapes=options.shape, extents=options.dim, file=options.inputs, seed=options.random)
    inputs = folder / "inputs.pickle"
    inputs.write_bytes(pickle.dumps(feed))
    theirs = Engine(options.against, options.model, options.threads, folder, shapes_of(feed))
    engines.append(theirs)
    for engine in engines:
        engine.first(inputs)
    rounds = max(3, round(options.seconds / _BLOCK_SECONDS))
    for _ in range(rounds):
        for engine in engines:
            engine.times += engine.ask("time", _BLOCK_SECONDS)["times"]
    deviations = _deviations(ours, theirs)
    report = {
        "schema": "leapstone.compare/1", "model": options.model,
        "inputs": {name: f"{array.dtype} {list(array.shape)}" for name, array in feed.items()},
        "engines": [_figures(engine) for engine in engines],
        "errors": [deviation._asdict() for deviation in deviations],
        "rtol": options.rtol,
        "within": all(deviation.relative <= options.rtol for deviation in deviations),
    }
    print(json.dumps(report, indent=1) if options.format == "json" else _table(report))
    return 0 if report["within"] else 1


class Deviation(NamedTuple):
    """How far an output is from the other engine's: absolute, and relative to its largest value."""

    output: str
    absolute: float
    relative: float


def _deviations(ours: Engine, theirs: Engine) -> list[Deviation]:
    if len(ours.outputs) != len(theirs.outputs):
        raise CompareError(f"{len(ours.outputs)} outputs, {theirs.name} has {len(theirs.outputs)}")
    return [
        deviation(name, mine, other)
        for name, mine, other in zip(ours.output_names, ours.outputs, theirs.outputs)
    ]


def deviation(name: str, mine: Any, other: Any) -> Deviation:
    """The error of an output, of a sequence's worst item; infinite where shape, type, text or the place of a NaN
    differs."""
    infinite = Deviation(name, float("inf"), float("inf"))
    if isinstance(mine, list) and isinstance(other, list) and len(mine) == len(other):
        items = [deviation(name, *pair) for pair in zip(mine, other)]
        return max(items, key=lambda item: item.relative, default=Deviation(name, 0, 0))
    if not isinstance(mine, np.ndarray) or not isinstance(other, np.ndarray):
        return Deviation(name, 0, 0) if mine is None and other is None else infinite
    if mine.shape != other.shape or mine.dtype.kind != other.dtype.kind:
        return infinite
    if mine.dtype.kind in "OSU":
        return Deviation(name, 0, 0) if (mine.astype(str) == other.astype(str)).all() else infinite
    wide = np.complex128 if mine.dtype.kind == "c" else np.float64
    a, b = mine.astype(wide), other.astype(wide)
    differs = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if not differs.any():
        return Deviation(name, 0, 0)
    gaps = np.abs(a[differs] - b[differs])
    if not np.isfinite(gaps).all():
        return infinite
    scale = np.abs(b[np.isfinite(b)]).max()
    return Deviation(name, float(gaps.max()), float(gaps.max() / scale) if scale else float("inf"))


def _figures(engine: Engine) -> dict[str, Any]:
    return {
        "name": engine.name, "version": engine.version, "runs": len(engine.times),
        "latency_ms": statistics.median(engine.times) * 1000, "ready_ms": engine.ready * 1000,
        "peak_bytes": engine.ask("memory")["peak"],
    }


def shapes_of(feed: dict[str, npt.NDArray[Any]]) -> dict[str, list[int]]:
    """The shape of each input."""
    return {name: list(array.shape) for name, array in feed.items()}


def make_feed(
    inputs: list[tuple[str, str, list[Any]]], *, shapes: Sequence[str] = (), extents: Sequence[str] = (),
    file: str | None = None, seed: int = 0,
) -> dict[str, npt.NDArray[Any]]:
    """An array for each input, by `(name, type, shape)`: those of a file, or random ones.

    `shapes` and `extents` are as the options `--shape` and `--dim` have them.
    """
    if file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError) as error:
            raise CompareError(f"{file}: {error}") from error
    chosen = _shapes(inputs, shapes, extents)
    generator = np.random.default_rng(seed)
    feed = {}
    for name, type_text, _ in inputs:
        number = number_of_type_name(type_text)
        if number is None or number == STRING:
            raise CompareError(f"input '{name}' is {type_text}: give it with --inputs")
        dtype = dtype_of(number)
        if dtype.kind in "iub":
            feed[name] = generator.integers(0, 2, chosen[name]).astype(dtype)
        else:
            feed[name] = generator.random(chosen[name]).astype(dtype)
    return feed


def _shapes(
    inputs: list[tuple[str, str, list[Any]]], shape_texts: Sequence[str], extent_texts: Sequence[str]
) -> dict[str, list[int]]:
    given = dict(_pair(text, inputs) for text in shape_texts)
    if unknown := set(given) - {name for name, _, _ in inputs}:
        raise UsageError(f"--shape: the model has no input {sorted(unknown)}")
    extents = {}
    for text in extent_texts:
        name, _, number = text.rpartition("=")
        if not name or not number.isdigit():
            raise UsageError(f"--dim {text}: NAME=N is expected")
        extents[name] = int(number)
    shapes, needed = {}, []
    for name, _, shape in inputs:
        if name in given:
            shapes[name] = given[name]
            continue
        known = [extents.get(extent, extent) for extent in shape]
        if known and not isinstance(known[0], int):
            print(f"the first dimension of '{name}' is taken to be 1", file=sys.stderr)
            known[0] = 1
        for extent in known:
            if not isinstance(extent, int):
                needed.append("--dim " + shlex.quote(f"{extent}=N") if extent else
                              "--shape " + shlex.quote(f"{name}={'x'.join(str(one or 'N') for one in known)}"))
        shapes[name] = known
    if needed:
        raise CompareError("free dimensions; add " + " ".join(dict.fromkeys(needed)))
    return shapes


def _pair(text: str, inputs: list[tuple[str, str, list[Any]]]) -> tuple[str, list[int]]:
    name, _, shape = text.rpartition("=")
    if not re.fullmatch(r"\d+(x\d+)*|scalar", shape):
        raise UsageError(f"--shape {text}: [NAME=]1x3x224x224 is expected")
    if not name and len(inputs) != 1:
        raise UsageError(f"--shape {text}: name one of {[entry[0] for entry in inputs]}")
    return name or inputs[0][0], [] if shape == "scalar" else [int(n) for n in shape.split("x")]


def _table(report: dict[str, Any]) -> str:
    ours, theirs = report["engines"]
    rows = [("", *(f"{engine['name']} {engine['version']}" for engine in (ours, theirs)), "")]
    for title, key, scale, unit, words in (
        ("latency, median", "latency_ms", 1, "ms", ("faster", "slower")),
        ("time to ready", "ready_ms", 1, "ms", ("sooner", "later")),
        ("peak memory", "peak_bytes", 2**20, "MiB", ("smaller", "larger")),
    ):
        mine, other = ours[key] / scale, theirs[key] / scale
        ratio = other / mine if mine > 0 else float("inf")
        judged = (f"{ratio:.2f}x {words[0]}" if ratio >= 1 else f"{1 / ratio:.2f}x {words[1]}")
        rows.append((title, f"{mine:.3g} {unit}" if mine < 100 else f"{mine:.0f} {unit}",
                     f"{other:.3g} {unit}" if other < 100 else f"{other:.0f} {unit}", judged))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [report["model"] + "  " + ", ".join(
        f"{name} {description}" for name, description in report["inputs"].items())]
    for row in rows:
        lines.append("  ".join(
            (row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:])))
        ).rstrip())
    worst = max(report["errors"], key=lambda error: error["relative"])
    verdict = "within" if report["within"] else "BEYOND"
    lines.append(
        f"largest error  {worst['relative']:.2g} of output '{worst['output']}' relative to its largest "
        f"value ({worst['absolute']:.2g} absolute): {verdict} --rtol {report['rtol']:g}")
    lines.append("time to ready: import, load, first run; memory: beyond Python's and NumPy's own")
    return "\n".join(lines)
