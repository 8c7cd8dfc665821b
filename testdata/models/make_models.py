"""Writes the ten full-size networks, with seeded weights, and a quantised one into a directory.

    python make_models.py --into DIR [--check] [NAME ...]

Needs onnx and numpy, and onnxruntime for the quantised one. A network is made again when these
scripts or the packages have changed since. The same machine makes the same bytes; another BLAS may
round BatchNormalization's statistics differently, so reference outputs are made beside the models,
by make_references.py, and never shipped.

--check prints multiply-adds and parameters beside the published ones and, with onnxruntime, how far
the outputs of two pictures lie apart; it fails where a network differs from what it should be.
"""

import argparse
import hashlib
import os
import pathlib
import sys
import time

import numpy as np
import onnx

import dense_networks
import inception_networks
import mobile_networks
import residual_networks
import segmentation_networks

# How each is built, and what is published of it: multiply-adds of one image in 1e9, parameters in
# 1e6.
NETWORKS = {
    "resnet18": (residual_networks.resnet18, 1.81, 11.69),
    "resnet50": (residual_networks.resnet50, 4.09, 25.56),
    "resnet50v2": (residual_networks.resnet50v2, 4.09, 25.55),
    "densenet121": (dense_networks.densenet121, 2.83, 7.98),
    "unet": (segmentation_networks.unet, 48.17, 31.04),
    "unet_resnet34": (segmentation_networks.unet_resnet34, 7.8, 24.44),
    "inception_resnet_v2": (inception_networks.inception_resnet_v2, 13.15, 55.84),
    "inception_v3": (inception_networks.inception_v3, 5.71, 23.83),
    "mobilenet_v3_large": (mobile_networks.mobilenet_v3_large, 0.217, 5.48),
    "efficientnet_b0": (mobile_networks.efficientnet_b0, 0.386, 5.29),
}

# Those that ONNX Runtime's quantiser makes of others.
QUANTIZED = {"resnet50_qdq": "resnet50"}


def stamp(name):
    """A hash of all that decides a model's bytes."""
    versions = f"onnx {onnx.__version__} numpy {np.__version__}"
    if name in QUANTIZED:
        import onnxruntime
        versions += f" onnxruntime {onnxruntime.__version__}"
    digest = hashlib.sha256(versions.encode())
    for source in sorted(pathlib.Path(__file__).parent.glob("*.py")):
        decides = source.name != "make_references.py"
        if source.name == "quantized_networks.py":
            decides = name in QUANTIZED
        if decides:
            digest.update(source.read_bytes())
    return digest.hexdigest()


def make(name, directory, path):
    """Writes one model to `path`; a quantised one is made of what lies in `directory`."""
    if name in QUANTIZED:
        import quantized_networks
        quantized_networks.quantize(directory / f"{QUANTIZED[name]}.onnx", path)
    else:
        onnx.save(NETWORKS[name][0](), path)


def write(name, directory):
    """Writes one model unless it is up to date; the stamp is written last."""
    current = stamp(name)
    path, stamp_path = directory / f"{name}.onnx", directory / f"{name}.stamp"
    if path.exists() and stamp_path.exists() and stamp_path.read_text() == current:
        print(f"{name}: up to date")
        return
    start = time.monotonic()
    stamp_path.unlink(missing_ok=True)
    unfinished = path.with_suffix(".unfinished")
    make(name, directory, unfinished)
    os.replace(unfinished, path)
    stamp_path.write_text(current)
    size, seconds = path.stat().st_size / 1e6, time.monotonic() - start
    print(f"{name}: {size:.0f} MB in {seconds:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--check", action="store_true", help="compare with published figures")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    arguments = parser.parse_args()
    known = [*NETWORKS, *QUANTIZED]
    names = arguments.names or known
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"no network {', '.join(unknown)}; there are {', '.join(known)}")
    # What others are made of comes first.
    names = sorted({*names, *(QUANTIZED[name] for name in names if name in QUANTIZED)},
                   key=known.index)
    arguments.into.mkdir(parents=True, exist_ok=True)
    for name in names:
        write(name, arguments.into)
    if arguments.check:
        import model_check
        published = {name: NETWORKS[name][1:] for name in names if name in NETWORKS}
        sys.exit(0 if model_check.check_all(arguments.into, published) else 1)


if __name__ == "__main__":
    main()
