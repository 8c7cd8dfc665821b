"""Measures one network in several engines, each in a process of its own, by turns.

What counts are ratios of times that were taken one right after the other: a machine that is busy for a
while is so for every engine.
"""

from __future__ import annotations

import pickle
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leapstone.compare import CompareError, Engine, deviation, make_feed, shapes_of

# A run takes its steady time when it takes no longer than this, relative to the later ones: so many at least.
STEADY = 1.25
STEADY_RUNS = 5

# The engines that keep a prepared model for the next start.
CACHING = ("leapstone",)


@dataclass
class Plan:
    """What is measured of every network."""

    engines: Sequence[str]
    threads: Sequence[int]
    rounds: int
    # How often each engine's process is started anew, for the time until it is ready and its memory.
    starts: int
    # How long an engine runs in a round, and after a start.
    seconds: float


@dataclass
class Figures:
    """What one engine did with one network."""

    version: str = ""
    # For each number of threads: the median of each round, in seconds.
    latency: dict[int, list[float]] = field(default_factory=dict)
    # For each start: from opening the model until runs take their steady time, in seconds.
    ready: list[float] = field(default_factory=list)
    # The same where an earlier start left a cache, in engines that have one.
    cached_ready: list[float] = field(default_factory=list)
    # For each start: above a process with Python and NumPy alone, in bytes.
    memory: list[int] = field(default_factory=list)
    # The largest difference of an output to the reference's, relative to its largest value.
    error: float = 0.0


@dataclass
class Network:
    """What came of one network."""

    name: str
    inputs: dict[str, str]
    engines: dict[str, Figures]


def measure(model: Path, plan: Plan) -> Network:
    """Measures a network. Raises `CompareError` where an engine cannot run it."""
    if not model.exists():
        raise CompareError(f"there is no file {model}")
    with tempfile.TemporaryDirectory(prefix="leapstone-bench-") as name:
        folder = Path(name)
        feed = _feed(model, plan, folder)
        inputs = folder / "inputs.pickle"
        inputs.write_bytes(pickle.dumps(feed))
        figures = {engine: Figures() for engine in plan.engines}
        run = _Run(model, plan, folder, inputs, shapes_of(feed), figures)
        run.measure_starts()
        for threads in plan.threads:
            run.measure_rounds(threads)
    described = {name: f"{array.dtype} {'x'.join(map(str, array.shape))}" for name, array in feed.items()}
    return Network(model.stem, described, figures)


def _feed(model: Path, plan: Plan, folder: Path) -> dict[str, Any]:
    """Random inputs, of the shapes that the model declares."""
    for name in plan.engines:
        if name != "openvino":
            with _opened(Engine(name, str(model), 1, folder)) as engine:
                return make_feed(engine.inputs)
    raise CompareError("openvino alone does not say what inputs a model takes")


@contextmanager
def _opened(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.close()


@dataclass
class _Run:
    model: Path
    plan: Plan
    folder: Path
    inputs: Path
    shapes: dict[str, list[int]]
    figures: dict[str, Figures]

    def start(self, name: str, threads: int, cache: Path | None = None) -> Engine:
        """A process that has opened the model and run it once."""
        engine = Engine(name, str(self.model), threads, self.folder, self.shapes, cache)
        engine.first(self.inputs)
        return engine

    def measure_starts(self) -> None:
        """Starts each engine several times: when it is ready, what memory it takes, what it computes."""
        for number in range(self.plan.starts):
            outputs: dict[str, list[Any]] = {}
            for name in self.plan.engines:
                say(f"{self.model.stem}: start {number + 1} of {self.plan.starts}, {name}")
                with _opened(self.start(name, max(self.plan.threads))) as engine:
                    figures = self.figures[name]
                    figures.version = engine.version
                    figures.ready.append(self.time_until_ready(engine))
                    figures.memory.append(engine.ask("memory")["peak"])
                    outputs[name] = engine.outputs
                self.measure_cached_start(name, number)
            self.compare(outputs)

    def measure_cached_start(self, name: str, number: int) -> None:
        """Starts an engine that has a cache once more with it, the first time twice: then it fills it."""
        if name not in CACHING:
            return
        cache = self.folder / f"cache-{name}"
        if number == 0:
            self.start(name, max(self.plan.threads), cache).close()
        with _opened(self.start(name, max(self.plan.threads), cache)) as engine:
            self.figures[name].cached_ready.append(self.time_until_ready(engine))

    def time_until_ready(self, engine: Engine) -> float:
        """From opening the model, which is done, until runs take their steady time."""
        times = engine.ask("time", self.plan.seconds, 0, STEADY_RUNS)["times"]
        return time_to_steady(engine.opened, [engine.first_run, *times])

    def compare(self, outputs: dict[str, list[Any]]) -> None:
        """Keeps each engine's largest difference to the reference."""
        expected = outputs[reference(self.plan.engines)]
        for name, mine in outputs.items():
            if len(mine) != len(expected):
                raise CompareError(f"{name} has {len(mine)} outputs, not {len(expected)}")
            for number, pair in enumerate(zip(mine, expected)):
                error = deviation(str(number), *pair).relative
                self.figures[name].error = max(self.figures[name].error, error)

    def measure_rounds(self, threads: int) -> None:
        """Has the engines run by turns, and keeps the median of each turn."""
        with ExitStack() as stack:
            engines = [stack.enter_context(_opened(self.start(name, threads))) for name in self.plan.engines]
            for number in range(self.plan.rounds):
                say(f"{self.model.stem}: {threads} threads, round {number + 1} of {self.plan.rounds}")
                for engine in engines:
                    times = engine.ask("time", self.plan.seconds)["times"]
                    self.figures[engine.name].latency.setdefault(threads, []).append(
                        statistics.median(times))
        say("")


def reference(engines: Sequence[str]) -> str:
    """The engine that the others are compared with: ONNX Runtime where it is there, the last otherwise."""
    return "onnxruntime" if "onnxruntime" in engines else engines[-1]


def time_to_steady(opened: float, times: Sequence[float]) -> float:
    """Seconds from opening a model until the first run begins that takes its steady time: that of later runs.

    `opened` is what opening took, `times` are those of the runs from the first on.
    """
    steady = statistics.median(times[len(times) // 2:]) * STEADY
    first = next(index for index, time in enumerate(times) if time <= steady)
    return opened + sum(times[:first])


def say(text: str) -> None:
    """One line of progress, where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
