"""Writes ONNX Runtime's outputs for the models that make_models.py wrote.

    python make_references.py --models DIR --into DIR [NAME ...]

For each model NAME.batch1.npz and NAME.batch4.npz, with the inputs as `in:<input>` and the outputs
as `out:<output>`; for a quantised one NAME.top1.npz too, of 50 pictures whose first class stands
out. ONNX Runtime 1.32.0 runs on one thread with graph optimisation off: the graph as it is in the
file, and the same sums in the same order each time. References are made again when their model,
this script or ONNX Runtime has changed.
"""

import argparse
import hashlib
import os
import pathlib
import time

import numpy as np
import onnxruntime

import pictures

BATCHES = (1, 4)
# Models whose first class is compared, and on how many pictures.
TOP = {"resnet50_qdq": 50}
# Seeds of these pictures begin here.
TOP_SEED = 8000
# Steps of the quantised output that the first class is ahead of the second. Sums in another order
# round some values to the other of two steps, which layer by layer moves a score by a step and a
# half (standard deviation).
TOP_MARGIN = 8


def stamp(model):
    """A hash of all that decides the references of one model."""
    digest = hashlib.sha256(f"onnxruntime {onnxruntime.__version__}".encode())
    for source in (model, pathlib.Path(__file__), pathlib.Path(pictures.__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def reference_session(path):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])


def save(file, model_input, sample, names, outputs):
    arrays = {f"in:{model_input.name}": sample}
    arrays.update((f"out:{name}", array) for name, array in zip(names, outputs))
    unfinished = file.with_suffix(".unfinished")
    with unfinished.open("wb") as stream:
        np.savez(stream, **arrays)
    os.replace(unfinished, file)


def stands_out(scores):
    """Whether the largest of quantised scores is ahead by TOP_MARGIN steps."""
    numbers = np.unique(scores)
    step = np.diff(numbers).min()
    ordered = np.sort(scores)
    return ordered[-1] - ordered[-2] > (TOP_MARGIN - 0.5) * step


def write_top(session, count, file):
    """Writes `count` pictures whose first class stands out, and their outputs."""
    (model_input,) = session.get_inputs()
    (output,) = session.get_outputs()
    height, width = model_input.shape[2:]
    chosen, seed = [], TOP_SEED
    while len(chosen) < count:
        picture = pictures.batch(seed, 1, height, width)
        (scores,) = session.run(None, {model_input.name: picture})
        if stands_out(scores[0]):
            chosen.append((picture, scores))
        seed += 1
    save(file, model_input, np.concatenate([picture for picture, _ in chosen]), [output.name],
         [np.concatenate([scores for _, scores in chosen])])


def write(path, directory):
    """Writes the references of one model unless they are up to date; the stamp is written last."""
    name, current = path.stem, stamp(path)
    stamp_path = directory / f"{name}.references.stamp"
    files = [directory / f"{name}.batch{count}.npz" for count in BATCHES]
    top = directory / f"{name}.top1.npz"
    wanted = [*files, stamp_path, *([top] if name in TOP else [])]
    if all(file.exists() for file in wanted) and stamp_path.read_text() == current:
        print(f"{name}: references up to date")
        return
    start = time.monotonic()
    stamp_path.unlink(missing_ok=True)
    session = reference_session(path)
    (model_input,) = session.get_inputs()
    height, width = model_input.shape[2:]
    for count, file in zip(BATCHES, files):
        sample = pictures.batch(100 + count, count, height, width)
        outputs = session.run(None, {model_input.name: sample})
        save(file, model_input, sample, [output.name for output in session.get_outputs()], outputs)
    if name in TOP:
        write_top(session, TOP[name], top)
    stamp_path.write_text(current)
    print(f"{name}: references in {time.monotonic() - start:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--into", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: every model in DIR")
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    paths = [arguments.models / f"{name}.onnx" for name in arguments.names]
    for path in paths or sorted(arguments.models.glob("*.onnx")):
        if not path.exists():
            parser.error(f"{path} does not exist: make_models.py writes it")
        write(path, arguments.into)


if __name__ == "__main__":
    main()
