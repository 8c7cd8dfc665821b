"""Runs both programs on a local cluster of several workers, and compares with what one process says.

    python check.py MODEL PICTURES.npz FOLDER      PICTURES.npz holds `images`; FOLDER is for files
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import scoring

HERE = Path(__file__).resolve().parent

# How often the pictures are repeated: so that scoring them takes longer than reading them, and one worker cannot keep up.
REPETITIONS = 20


def write_pictures(images: np.ndarray, folder: Path) -> None:
    """A grey PNG for each picture of one channel, whose values lie between 0 and 1."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for index, image in enumerate(images):
        grey = np.rint(np.clip(image[0], 0, 1) * 255).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"{index:05}.png")


def main() -> int:
    model, arrays, folder = (Path(argument) for argument in sys.argv[1:])
    pictures = folder / "pictures"
    with np.load(arrays) as file:
        write_pictures(np.tile(file["images"], (REPETITIONS, 1, 1, 1)), pictures)
    files = sorted(pictures.iterdir())
    alone = scoring.score([path.read_bytes() for path in files], os.fspath(model), 2)
    expected = {path.name: answer for path, answer in zip(files, alone)}
    cores = len(os.sched_getaffinity(0))
    workers = max(2, cores // 2)
    threads = max(1, cores // workers)
    for program in ("ray_score.py", "spark_score.py"):
        results = folder / f"{program}.csv"
        subprocess.run(
            [sys.executable, HERE / program, model, pictures, results, "--workers", str(workers),
             "--threads", str(threads)], check=True)
        with open(results, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        answers = {row["path"]: scoring.Score(int(row["label"]), float(row["score"])) for row in rows}
        if answers != expected:
            print(f"{program}: answers differ from a single process's")
            return 1
        if len({row["process"] for row in rows}) < 2:
            print(f"{program}: one worker did everything")
            return 1
        print(f"{program}: {len(rows)} pictures on {workers} workers of {threads} threads, "
              "the same to the bit as in one process")
    return 0


if __name__ == "__main__":
    sys.exit(main())
