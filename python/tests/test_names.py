"""Names, paths and other text that the library is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import leapstone
from leapstone import InferenceSession, SessionOptions


@pytest.mark.parametrize("name", ["y\0z", "\ud800", "y\udc80"])
def test_names_that_the_library_cannot_read(add_model: bytes, add_feed: Any, name: str) -> None:
    session = InferenceSession(add_model)
    with pytest.raises(leapstone.InvalidArgument, match="output"):
        session.run([name], add_feed)
    with pytest.raises(leapstone.InvalidArgument, match="input"):
        session.run(None, {"x1": add_feed["x1"], name.replace("y", "x0"): add_feed["x0"]})
    with pytest.raises(leapstone.InvalidArgument, match="input"):
        session.run(None, {**add_feed, name: add_feed["x0"]})
    options = SessionOptions()
    options.add_session_config_entry(f"leapstone.{name}", "1")
    with pytest.raises(leapstone.InvalidArgument, match="option"):
        InferenceSession(add_model, options)


@pytest.mark.parametrize("name", [3, None, b"y"])
def test_names_are_text(add_model: bytes, add_feed: Any, name: Any) -> None:
    session = InferenceSession(add_model)
    with pytest.raises(TypeError, match="output.* is a str"):
        session.run([name], add_feed)
    with pytest.raises(TypeError, match="input.* is a str"):
        session.run(None, {**add_feed, name: add_feed["x0"]})


def test_paths_that_no_file_can_have(tmp_path: Path, add_model: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(add_model)
    for wrong in ("\0zz", "\ud800"):
        for given in (f"{path}{wrong}", Path(f"{path}{wrong}")):
            with pytest.raises(leapstone.InvalidArgument, match="path"):
                InferenceSession(given)


def test_names_that_differ_at_every_run_are_not_all_kept(add_model: bytes, add_feed: Any) -> None:
    session = InferenceSession(add_model)
    for index in range(2000):
        with pytest.raises(leapstone.InvalidArgument):
            session.run([f"nothing{index}"], {**add_feed, f"nobody{index}": add_feed["x0"]})
    engine = session._loaded()
    assert len(engine._fetches) < 1000 and len(engine._input_texts) < 1000
    assert session.run(None, add_feed)[0].shape == (3, 2)
