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


def arrays_of(value: Any) -> Any:
    """An output as arrays: a sequence is a list of them, an optional without a value None."""
    if isinstance(value, list):
        return [arrays_of(item) for item in value]
    return None if value is None else np.asarray(value)


class OpenVINOSession:
    """OpenVINO behind what is used here of onnxruntime's session, computing in float32."""

    def __init__(self, module: Any, model: str, threads: int, shapes: dict[str, list[int]]) -> None:
        core = module.Core()
        network = core.read_model(model)
        if shapes:
            network.reshape(shapes)
        options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        self.request = core.compile_model(network, "CPU", options).create_infer_request()

    def run(self, _: None, feed: dict[str, Any]) -> list[Any]:
        """The outputs; neither they nor the inputs are copied. The next run overwrites them."""
        return list(self.request.infer(feed, share_inputs=True, share_outputs=True).values())

    def get_inputs(self) -> list[Any]:
        """Nothing: whoever asks knows them from another engine."""
        return []

    def get_outputs(self) -> list[Any]:
        """Nothing, as above."""
        return []


def open_session(
    module: Any, model: str, threads: int, shapes: dict[str, list[int]], cache: str | None,
) -> Any:
    """A session of an engine; shapes are those of the inputs, where an engine is the better for them. Leapstone alone
    has a cache: a folder."""
    if module.__name__ == "openvino":
        return OpenVINOSession(module, model, threads, shapes)
    options = module.SessionOptions()
    if threads:
        options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if cache is not None:
        options.add_session_config_entry("leapstone.cache", cache)
    return module.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class Worker:
    """A session of the engine, and the inputs of its runs."""

    def __init__(self) -> None:
        self.baseline = peak_bytes()
        self.session: Any = None
        self.feed: dict[str, Any] = {}
        self.outputs: list[Any] = []

    def load(
        self, engine: str, model: str, threads: int, shapes: dict[str, list[int]], cache: str | None = None,
    ) -> dict[str, Any]:
        """Imports the engine and loads the model."""
        begun = time.perf_counter()
        module = __import__(engine)
        imported = time.perf_counter()
        self.session = open_session(module, model, threads, shapes, cache)
        opened = time.perf_counter()
        self.loaded = opened - begun
        return {
            "version": module.__version__, "opened": opened - imported,
            "inputs": [[arg.name, arg.type, list(arg.shape)] for arg in self.session.get_inputs()],
            "outputs": [arg.name for arg in self.session.get_outputs()],
        }

    def first(self, inputs: str, outputs: str) -> dict[str, Any]:
        """Runs once on the inputs of a file, and writes the outputs into another."""
        with open(inputs, "rb") as file:
            self.feed = pickle.load(file)
        started = time.perf_counter()
        self.outputs = self.session.run(None, self.feed)
        run = time.perf_counter() - started
        with open(outputs, "wb") as file:
            pickle.dump([arrays_of(value) for value in self.outputs], file)
        return {"ready": self.loaded + run, "run": run}

    def time(self, seconds: float, warm_up: int = 1, least: int = 1) -> dict[str, Any]:
        """Runs for a while, `least` times in any case; runs to warm caches up do not count."""
        for _ in range(warm_up):
            self.session.run(None, self.feed)
        times: list[float] = []
        end = time.perf_counter() + seconds
        while len(times) < least or time.perf_counter() < end:
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
