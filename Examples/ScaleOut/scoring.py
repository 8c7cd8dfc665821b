"""What every worker does, whoever hands out the work: pictures in, names and scores out.

A session is loaded once in each process, on as many threads as the process is given. Its answers are the same to
the bit for any number of threads and any place in a batch, so it does not matter how the work is cut.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

import leapstone


class Score(NamedTuple):
    """What a picture shows most likely: the class's number, and the model's score for it."""

    label: int
    score: float


@functools.cache
def session(model: str, threads: int) -> leapstone.InferenceSession:
    """The process's session on a model."""
    options = leapstone.SessionOptions()
    options.intra_op_num_threads = threads
    return leapstone.InferenceSession(model, options)


def tensor(picture: bytes, shape: Sequence[int | str | None]) -> np.ndarray:
    """A picture as the model's input wants it: of its channels and size, values divided by 255."""
    _, channels, height, width = shape
    image = Image.open(io.BytesIO(picture)).convert("L" if channels == 1 else "RGB")
    values = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float32) / 255
    return values.reshape(height, width, channels).transpose(2, 0, 1)


def score(pictures: Sequence[bytes], model: str, threads: int) -> list[Score]:
    """Scores a batch of pictures."""
    running = session(model, threads)
    [argument] = running.get_inputs()
    batch = np.stack([tensor(picture, argument.shape) for picture in pictures])
    [rows] = running.run(None, {argument.name: batch})
    return [Score(int(row.argmax()), float(row.max())) for row in rows]
