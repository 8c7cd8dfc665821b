"""One engine in a process of its own, for `compare`: told what to do by lines of JSON on stdin.

It is run as a script, by its path, and imports the one engine that it is for, so that what it measures of
its process is that engine's. The answers go to the descriptor that stdout was; what an engine prints
goes to stderr.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import time
from typing import Any

import numpy as np


def peak_bytes() -> int:
    """The most memory that the process has had at once."""
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return 0


class Worker:
    """A session of the engine, and the inputs of its runs."""

    def __init__(self) -> None:
        self.baseline = peak_bytes()
        self.session: Any = None
        self.feed: dict[str, Any] = {}
        self.outputs: list[Any] = []

    def load(self, engine: str, model: str, threads: int) -> dict[str, Any]:
        """Imports the engine and loads the model."""
        self.begun = time.perf_counter()
        module = __import__(engine)
        options = module.SessionOptions()
        if threads:
            options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = module.InferenceSession(
            model, options, providers=["CPUExecutionProvider"])
        self.loaded = time.perf_counter() - self.begun
        return {
            "version": module.__version__,
            "inputs": [[arg.name, arg.type, list(arg.shape)] for arg in self.session.get_inputs()],
            "outputs": [arg.name for arg in self.session.get_outputs()],
        }

    def first(self, inputs: str, outputs: str) -> dict[str, Any]:
        """Runs once on the inputs of a file, and writes the outputs into another."""
        with open(inputs, "rb") as file:
            self.feed = pickle.load(file)
        started = time.perf_counter()
        self.outputs = self.session.run(None, self.feed)
        ready = self.loaded + time.perf_counter() - started
        with open(outputs, "wb") as file:
            pickle.dump([np.asarray(value) for value in self.outputs], file)
        return {"ready": ready}

    def time(self, seconds: float) -> dict[str, Any]:
        """Runs for a while, once at least; the first run warms caches up and does not count."""
        self.session.run(None, self.feed)
        times: list[float] = []
        end = time.perf_counter() + seconds
        while not times or time.perf_counter() < end:
            started = time.perf_counter()
            self.session.run(None, self.feed)
            times.append(time.perf_counter() - started)
        return {"times": times}

    def memory(self) -> dict[str, Any]:
        """Peak memory beyond what Python and NumPy took before the engine was imported."""
        return {"peak": peak_bytes() - self.baseline}


def main() -> None:
    """Answers commands until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        command, arguments = json.loads(line)
        try:
            answer = getattr(worker, command)(*arguments)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    # The folder of this file, which Python puts first, holds modules of the package, not of the engine.
    sys.path.pop(0)
    main()
