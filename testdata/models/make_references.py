"""Writes ONNX Runtime's outputs for the models that make_models.py wrote.

    python make_references.py --models DIR --into DIR [NAME ...]

For each model NAME.batch1.npz and NAME.batch4.npz, with the inputs as `in:<input>` and the outputs
as `out:<output>`. ONNX Runtime 1.32.0 runs on one thread with graph optimisation off: the graph as
it is in the file, and the same sums in the same order each time. References are made again when
their model, this script or ONNX Runtime has changed.
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


def write(path, directory):
    """Writes the references of one model unless they are up to date; the stamp is written last."""
    name, current = path.stem, stamp(path)
    stamp_path = directory / f"{name}.references.stamp"
    files = [directory / f"{name}.batch{count}.npz" for count in BATCHES]
    if all(file.exists() for file in [*files, stamp_path]) and stamp_path.read_text() == current:
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
        arrays = {f"in:{model_input.name}": sample}
        arrays.update((f"out:{output.name}", array)
                      for output, array in zip(session.get_outputs(), outputs))
        unfinished = file.with_suffix(".unfinished")
        with unfinished.open("wb") as stream:
            np.savez(stream, **arrays)
        os.replace(unfinished, file)
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
