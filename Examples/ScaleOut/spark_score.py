"""Scores a folder of pictures with PySpark: Python workers that each hold a session, workers x threads cores in all.

    python spark_score.py MODEL FOLDER RESULTS.csv [--workers N] [--threads N] [--batch N] [--master URL]
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas
from pyspark.sql import SparkSession

import scoring

def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--master", help="a cluster; without it, workers are processes of this machine")
    options = parser.parse_args()
    model, threads = os.fspath(options.model.resolve()), options.threads

    def score(tables: Iterator[pandas.DataFrame]) -> Iterator[pandas.DataFrame]:
        # The worker's session is there from its first table on.
        for table in tables:
            scores = scoring.score(list(table["content"]), model, threads)
            yield pandas.DataFrame({
                "path": table["path"].map(os.path.basename),
                "label": [one.label for one in scores],
                "score": [one.score for one in scores],
                "process": os.getpid(),
            })

    # Workers run this Python, which has the wheel, unless somebody knows better.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # A task has as many cores as its session has threads: so many tasks, each in a Python process, run at once.
    spark = (
        SparkSession.builder
        .master(options.master or f"local[{options.workers * threads}]")
        .config("spark.task.cpus", threads)
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", options.batch)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    spark.sparkContext.addPyFile(os.fspath(Path(__file__).resolve().parent / "scoring.py"))
    pictures = spark.read.format("binaryFile").load(os.fspath(options.folder.resolve()))
    scored = pictures.select("path", "content").repartition(4 * options.workers).mapInPandas(
        score, "path string, label long, score double, process long")
    table = scored.toPandas().sort_values("path")
    table.to_csv(options.results, index=False)
    print(f"{len(table)} pictures, {table['process'].nunique()} workers")
    spark.stop()


if __name__ == "__main__":
    main()
