"""Scores a folder of pictures with Ray Data: actors that each hold a session, workers x threads cores in all.

    python ray_score.py MODEL FOLDER RESULTS.csv [--workers N] [--threads N] [--batch N]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import ray

import scoring


class Scorer:
    """An actor: what it loads, it loads once."""

    def __init__(self, model: str, threads: int) -> None:
        self.model = model
        self.threads = threads
        scoring.session(model, threads)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        scores = scoring.score(list(batch["bytes"]), self.model, self.threads)
        return {
            "path": batch["path"],
            "label": np.array([one.label for one in scores]),
            "score": np.array([one.score for one in scores]),
            "process": np.full(len(scores), os.getpid()),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=16)
    options = parser.parse_args()

    # One core more than the actors take: reading the files needs one too.
    ray.init(num_cpus=options.workers * options.threads + 1, include_dashboard=False,
             log_to_driver=False,
             runtime_env={"env_vars": {"PYTHONPATH": os.fspath(Path(__file__).resolve().parent)}})
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # Actors take seconds to start, and the first would do a short job alone.
    context.wait_for_min_actors_s = 300
    files = sorted(os.fspath(path.resolve()) for path in options.folder.iterdir())
    pictures = ray.data.read_binary_files(
        files, include_paths=True, override_num_blocks=4 * options.workers)
    scored = pictures.map_batches(
        Scorer, fn_constructor_args=(os.fspath(options.model.resolve()), options.threads),
        batch_size=options.batch, num_cpus=options.threads,
        compute=ray.data.ActorPoolStrategy(size=options.workers))
    table = scored.to_pandas().sort_values("path")
    table["path"] = table["path"].map(os.path.basename)
    table.to_csv(options.results, index=False)
    print(f"{len(table)} pictures, {table['process'].nunique()} workers")
    ray.shutdown()


if __name__ == "__main__":
    main()
