"""Seeded pictures, drawn with numpy: what the full-size networks are calibrated on and fed with.

White noise would not do: pooled over 224x224 pixels, the features of two noise pictures are the
same, and a network that ignored its input would pass every test. These have a colour cast, waves of
several frequencies, filled shapes with edges, and a little noise, and so differ from one another on
every scale.
"""

import numpy as np


def waves(rng, rows, columns):
    """A sum of plane waves, half a cycle to a dozen cycles per picture, with a colour each.

    Every picture has waves of all frequencies, or statistics taken from a few would not fit the
    others.
    """
    total = np.zeros((3, *np.broadcast_shapes(rows.shape, columns.shape)))
    for step in range(10):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        cycles = 0.5 * 24 ** ((step + rng.uniform()) / 10)
        wave = np.sin(2 * np.pi * cycles * (np.cos(angle) * columns + np.sin(angle) * rows) + phase)
        total += 0.3 * rng.choice((-1, 1), (3, 1, 1)) * rng.uniform(0.5, 1.2, (3, 1, 1)) * wave
    return total


def paint_shapes(rng, picture, rows, columns):
    """Fills ellipses and rectangles with a colour each."""
    for _ in range(rng.integers(3, 9)):
        row, column = rng.uniform(0, 1, 2)
        height, width = rng.uniform(0.05, 0.35, 2)
        across, down = (columns - column) / width, (rows - row) / height
        if rng.uniform() < 0.5:
            inside = across**2 + down**2 < 1
        else:
            inside = np.maximum(abs(across), abs(down)) < 1
        picture[:, inside] = 0.5 * picture[:, inside] + rng.normal(0, 1, (3, 1))


def batch(seed, count, height, width):
    """`count` pictures as (count, 3, height, width) float32, about zero mean and unit variance."""
    rng = np.random.default_rng(seed)
    rows = (np.arange(height) + 0.5)[:, None] / height
    columns = (np.arange(width) + 0.5)[None, :] / width
    pictures = []
    for _ in range(count):
        picture = rng.normal(0, 0.4, (3, 1, 1)) + waves(rng, rows, columns)
        paint_shapes(rng, picture, rows, columns)
        pictures.append(rng.uniform(0.8, 1.1) * picture + rng.normal(0, 0.08, picture.shape))
    return np.clip(np.stack(pictures), -2.1, 2.6).astype(np.float32)
