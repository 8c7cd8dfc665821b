"""Runs the official ONNX backend suite through leapstone.backend, and holds it to a list of known failures.

    python suite.py              fails where a listed case passes or fails in another way, or one that is not listed fails
    python suite.py --ratchet    rewrites the list, and prints what changed
    python suite.py --only RE    the cases whose names match; those alone are held to the list

The cases are the installed onnx package's: node, simple, pytorch-operator, pytorch-converted, light. Each runs
in a worker process that is replaced when it dies or hangs. Nothing is skipped: what is not supported fails.
"""

from __future__ import annotations

import argparse
import collections
import importlib
import multiprocessing
import multiprocessing.connection
import os
import re
import signal
import sys
import time
import warnings

from pathlib import Path
from typing import Any, NamedTuple

import cases as official
from compare import Difference, compare

LIST = Path(__file__).resolve().parent / "known_failures.txt"
HEADER = """\
# Cases of the official ONNX suite that fail, with what they fail with. `make ratchet` writes this file.
"""
# Of onnx 1.23.2: cases that went missing would be no failures.
CASES = 2033
REASON_LENGTH = 200
# Cases that draw numbers without a seed: they pass by chance, now and then.
BY_CHANCE = re.compile(r"node/test_bernoulli(_double)?(_expanded)?")


class Worker:
    """A process that runs one case at a time."""

    def __init__(self, cases: list[official.Case], backend: str) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(cases, backend, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.case: int | None = None
        self.started = 0.0

    def give(self, case: int) -> None:
        """Hands over a case."""
        self.case, self.started = case, time.monotonic()
        self.pipe.send(case)

    def end(self) -> int:
        """Ends the process; what it ended with."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        return self.process.exitcode or 0


def serve(cases: list[official.Case], backend_name: str, pipe: Any) -> None:
    """Runs the cases whose numbers come through the pipe; answers with why they failed, or None."""
    warnings.simplefilter("ignore")
    backend = importlib.import_module(backend_name)
    while True:
        try:
            number = pipe.recv()
        except EOFError:
            return
        pipe.send(failure(cases[number], backend))


def failure(case: official.Case, backend: Any) -> str | None:
    """Why a case fails; None where every output of every data set is as expected."""
    try:
        model, data_sets = case.load()
        prepared = backend.prepare(model, "CPU")
        for inputs, expected in data_sets:
            outputs = list(prepared.run(inputs))
            compare(outputs, expected, case.rtol, case.atol)
    except Difference as difference:
        return str(difference)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def reason_of(text: str) -> str:
    """One line, not too long."""
    line = " ".join(text.split())
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1] + "…"


def run_all(
    cases: list[official.Case], backend: str, workers: int, limit: float
) -> dict[str, str | None]:
    """The reason of each case that fails, None for those that pass."""
    waiting = collections.deque(range(len(cases)))
    results: dict[str, str | None] = {}

    def start() -> Worker:
        worker = Worker(cases, backend)
        if waiting:
            worker.give(waiting.popleft())
        return worker

    pool = [start() for _ in range(min(workers, len(cases)))]
    while len(results) < len(cases):
        multiprocessing.connection.wait([worker.pipe for worker in pool if worker.case is not None],
                                        timeout=1)
        for index, worker in enumerate(pool):
            if worker.case is None:
                continue
            name = cases[worker.case].name
            if worker.pipe.poll():
                try:
                    answer = worker.pipe.recv()
                except EOFError:
                    results[name] = ended(worker)
                    pool[index] = start()
                    continue
                results[name] = answer and reason_of(answer)
                worker.case = None
                if waiting:
                    worker.give(waiting.popleft())
            elif time.monotonic() - worker.started > limit:
                worker.end()
                results[name] = f"no answer within {limit:g} s"
                pool[index] = start()
    for worker in pool:
        worker.end()
    return results


def ended(worker: Worker) -> str:
    """What a worker that is gone ended with."""
    worker.process.join()
    code = worker.process.exitcode or 0
    worker.pipe.close()
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"crash: the process ended with {how}"


def kind_of(reason: str) -> str:
    """In what way a case fails: the exception's class, a crash, no answer in time, or wrong outputs."""
    head = reason.partition(":")[0]
    return head.partition(" ")[0] if head.startswith(("no answer", "output ")) else head


def read_list(path: Path) -> dict[str, str]:
    """The known failures: reasons by name."""
    if not path.exists():
        return {}
    entries = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, reason = line.partition(": ")
            entries[name] = reason
    return entries


def write_list(path: Path, entries: dict[str, str]) -> None:
    """Writes the known failures, by name."""
    lines = [f"{name}: {reason}\n" for name, reason in sorted(entries.items())]
    path.write_text(HEADER + "".join(lines), encoding="utf-8")


class Changes(NamedTuple):
    """How results differ from the list."""

    passing: list[str]
    failing: list[str]
    otherwise: list[str]
    gone: list[str]


def changes(known: dict[str, str], results: dict[str, str | None], whole: bool) -> Changes:
    """Listed cases that pass, others that fail, listed ones that fail in another way, and, of the whole
    suite, entries without a case."""
    return Changes(
        sorted(name for name in known if name in results and results[name] is None
               and not BY_CHANCE.fullmatch(name)),
        sorted(name for name, why in results.items() if why is not None and name not in known),
        sorted(name for name, why in results.items()
               if why is not None and name in known and kind_of(why) != kind_of(known[name])),
        sorted(set(known) - set(results)) if whole else [])


def tell(found: Changes, results: dict[str, str | None], known: dict[str, str]) -> None:
    """Prints what differs from the list."""
    for name in found.passing:
        print(f"passes now: {name} (was: {known[name]})")
    for name in found.failing:
        print(f"FAILS now: {name}: {results[name]}")
    for name in found.otherwise:
        print(f"fails otherwise: {name}: {results[name]} (was: {known[name]})")
    for name in found.gone:
        print(f"no such case: {name}")


def count(cases: list[official.Case], results: dict[str, str | None]) -> None:
    """Prints how many cases of each kind pass."""
    kinds = dict.fromkeys(case.kind for case in cases)
    for kind in kinds:
        mine = [case for case in cases if case.kind == kind]
        print(f"{kind:18} {sum(results[case.name] is None for case in mine):5} / {len(mine)}")
    passed = sum(why is None for why in results.values())
    print(f"{'all':18} {passed:5} / {len(cases)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ratchet", action="store_true", help="rewrite the list")
    parser.add_argument("--only", metavar="RE", help="the cases whose names match")
    parser.add_argument("--list", type=Path, default=LIST)
    parser.add_argument("--backend", default="leapstone.backend")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--limit", type=float, default=120, help="seconds that a case may take")
    options = parser.parse_args()

    started = time.monotonic()
    cases = official.all_cases()
    if len(cases) != CASES:
        print(f"onnx has {len(cases)} cases; expected {CASES}", file=sys.stderr)
        return 1
    if options.only:
        cases = [case for case in cases if re.search(options.only, case.name)]
    results = run_all(cases, options.backend, options.workers, options.limit)
    known = read_list(options.list)
    found = changes(known, results, whole=not options.only)
    tell(found, results, known)
    count(cases, results)
    print(f"{time.monotonic() - started:.0f} s")
    if options.ratchet:
        kept = {} if not options.only else {n: r for n, r in known.items() if n not in results}
        write_list(options.list, {**kept, **{n: r for n, r in results.items() if r is not None}})
        return 0
    if any(found):
        print("the official suite and its list of known failures differ: fix what fails, and let "
              "'make ratchet' take what passes off the list")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
