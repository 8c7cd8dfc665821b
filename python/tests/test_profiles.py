"""Profiles of sessions: what they say, and when they are written."""

from __future__ import annotations

import gc
import json
import time
from pathlib import Path

from conftest import trained

from leapstone import InferenceSession, SessionOptions


def test_profile_names_the_nodes(tmp_path: Path) -> None:
    path, inputs, _ = trained("resnet-digits")
    options = SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "trace_")
    session = InferenceSession(path, options)
    before = time.monotonic_ns()
    assert session.get_profiling_start_time_ns() <= before
    session.run(None, inputs)
    file = session.end_profiling()
    assert file.startswith(options.profile_file_prefix)
    events = json.loads(Path(file).read_text())
    runs = [event for event in events if event["cat"] == "Session"]
    nodes = [event for event in events if event["cat"] == "Node"]
    assert len(runs) == 1
    assert any(event["args"]["op_name"] == "Conv" for event in nodes)
    for event in nodes:
        assert runs[0]["ts"] <= event["ts"] <= event["ts"] + event["dur"] <= (
            runs[0]["ts"] + runs[0]["dur"])
    assert InferenceSession(path).end_profiling() == ""


def test_a_profile_is_written_with_the_end_of_its_session(tmp_path: Path) -> None:
    path, inputs, _ = trained("resnet-digits")
    options = SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "trace_")
    session = InferenceSession(path, options)
    session.run(None, inputs)
    assert not list(tmp_path.iterdir())
    del session
    gc.collect()
    [file] = tmp_path.iterdir()
    assert any(event["cat"] == "Node" for event in json.loads(file.read_text()))
