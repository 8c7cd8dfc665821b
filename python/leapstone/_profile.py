"""Profiles: the steps of runs, written as a trace that browsers and Perfetto open."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import threading
import time
from collections.abc import Iterator
from ctypes import byref, c_size_t, c_void_p
from typing import Any

from ._library import Library, Step


class Recording:
    """A profile of the library, for one run."""

    __slots__ = ("handle",)

    def __init__(self, handle: int) -> None:
        self.handle = handle


class Profile:
    """What a session's runs did since profiling began. Times in microseconds since then."""

    def __init__(self, lib: Library, prefix: str) -> None:
        self._library = lib
        self._prefix = prefix
        self._events: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._process = os.getpid()
        self.started = time.monotonic_ns()

    @contextlib.contextmanager
    def recording(self) -> Iterator[Recording]:
        """A record for one run of this thread, kept when the run is over."""
        lib = self._library
        handle = c_void_p()
        lib.check(lib.profile_create(byref(handle)))
        begun = time.monotonic_ns()
        try:
            yield Recording(handle.value or 0)
            ended = time.monotonic_ns()
            events = [self._event("model_run", "Session", begun, ended, {}), *self._steps(handle)]
            with self._lock:
                self._events += events
        finally:
            lib.profile_free(handle)

    def _steps(self, handle: c_void_p) -> list[dict[str, Any]]:
        steps, count = ctypes.POINTER(Step)(), c_size_t()
        self._library.check(self._library.profile_steps(handle, byref(steps), byref(count)))
        return [
            self._event(
                f"{_text(step.name)}_kernel_time", "Node", step.start, step.end,
                {"op_name": _text(step.operator_type), "provider": "CPUExecutionProvider",
                 "algorithm": _text(step.algorithm), "stage": str(step.stage)})
            for step in steps[: count.value]
        ]

    def _event(
        self, name: str, category: str, start: int, end: int, arguments: dict[str, str]
    ) -> dict[str, Any]:
        return {
            "cat": category, "name": name, "ph": "X", "pid": os.getpid(),
            "tid": threading.get_native_id(), "ts": (start - self.started) / 1000,
            "dur": (end - start) / 1000, "args": arguments,
        }

    def write_at_end(self) -> None:
        """Writes the trace of a session that is gone, or whose process ends; not once more in a child of it."""
        if os.getpid() == self._process:
            with contextlib.suppress(OSError):
                self.write()

    def write(self) -> str:
        """Writes the trace; returns its path, which begins with the prefix."""
        path = f"{self._prefix}{time.strftime('%Y-%m-%d_%H-%M-%S')}_{os.getpid()}.json"
        with self._lock, open(path, "w", encoding="utf-8") as file:
            json.dump(self._events, file, indent=1)
        return path


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")
