"""A recurrent model over a recording, its state handed from run to run, beside ONNX Runtime."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import leapstone
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from conftest import ROOT

MODELS = ROOT.parent / "shared" / "models"
RECORDING = MODELS / "testdata" / "silero_test.wav"


def _samples(path: Path) -> npt.NDArray[np.float32]:
    with wave.open(str(path)) as recording:
        assert (recording.getnchannels(), recording.getsampwidth(), recording.getframerate()) == (1, 2, 16000)
        frames = np.frombuffer(recording.readframes(recording.getnframes()), dtype="<i2")
    return frames.astype(np.float32) / 32768


def _probabilities(session: Any, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Of speech, for each window of 512 samples, the 64 before it put in front."""
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32)
    found = []
    for start in range(0, len(samples) - 511, 512):
        window = np.concatenate([context, samples[start:start + 512]])
        probability, state = session.run(
            None, {"input": window[None], "state": state, "sr": np.array(16000, np.int64)})
        found.append(probability.ravel()[0])
        context = window[-64:]
    return np.array(found)


@pytest.mark.parametrize("name", ["silero_vad", "silero_vad_16k_op15"])
def test_speech_is_found_window_by_window(name: str) -> None:
    if not RECORDING.exists():
        print(f"SKIPPED {name}: there is no recording beside the checkout")
        pytest.skip("no shared models")
    samples = _samples(RECORDING)
    path = str(MODELS / f"{name}.onnx")
    mine = _probabilities(leapstone.InferenceSession(path), samples)
    theirs = _probabilities(
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]), samples)
    # The recording has both speech and silence: otherwise nothing is compared.
    assert len(mine) == 1875 and 0.5 < np.mean(theirs > 0.5) < 0.9
    assert np.abs(mine - theirs).max() <= 1e-4
