"""Writes one-node models with seeded inputs and expected outputs: the net under the operators.

    python make_cases.py --into DIR              thousands of cases of this project's own
    python make_cases.py --into DIR --onnx       the cases that the onnx package carries

Layout and index: case_writer.py. Expected outputs come from ONNX Runtime without graph
optimisation, and from onnx.reference where that lacks the type or the operator version.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import time
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

import attention_cases
import classical_cases
import contributed_cases
import convolution_cases
import elementwise_cases
import normalization_cases
import optimized_cases
import quantization_cases
import recurrent_cases
import reduction_cases
import sampling_cases
import sequence_cases
import shape_cases
import transformer_cases
from case_writer import CaseWriter

FAMILIES = (elementwise_cases, shape_cases, reduction_cases, convolution_cases,
            normalization_cases, sequence_cases, quantization_cases, recurrent_cases,
            sampling_cases, transformer_cases, attention_cases, classical_cases, optimized_cases,
            contributed_cases)


def stamp():
    packages = (onnx, onnxruntime, np)
    digest = hashlib.sha256(" ".join(package.__version__ for package in packages).encode())
    for source in sorted(pathlib.Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def write_cases(directory):
    writer = CaseWriter(directory)
    for family in FAMILIES:
        family.all_cases(writer.add)
    writer.close()
    operators = {line["operator"] for line in writer.lines}
    print(f"{len(writer.lines)} cases of {len(operators)} operators; "
          f"{len(writer.refused)} refused by ONNX Runtime and onnx.reference alike")
    (pathlib.Path(directory) / "refused.txt").write_text(
        "".join(f"{name}: {reason}\n" for name, reason in writer.refused))


def write_onnx_cases(directory):
    """The node cases of onnx.backend.test, with the tolerances it states."""
    from onnx.backend.test.case.node import collect_testcases

    lines = []
    with warnings.catch_warnings(action="ignore"):  # Cases overflow and divide by zero on purpose.
        collected = collect_testcases()
    for case in collected:
        target = directory / case.name
        if not case.data_sets:
            continue
        for index, (inputs, outputs) in enumerate(case.data_sets):
            data = target / f"test_data_set_{index}"
            data.mkdir(parents=True, exist_ok=True)
            for kind, values, infos in (("input", inputs, case.model.graph.input),
                                        ("output", outputs, case.model.graph.output)):
                for number, (value, info) in enumerate(zip(values, infos)):
                    write_value(data / f"{kind}_{number}.pb", value, info)
        (target / "model.onnx").write_bytes(case.model.SerializeToString())
        opset = max((entry.version for entry in case.model.opset_import
                     if entry.domain in ("", "ai.onnx")), default=0)
        lines.append({"name": case.name, "operator": case.model.graph.node[0].op_type,
                      "opset": opset, "rtol": case.rtol, "atol": case.atol, "expected": "onnx"})
    with (directory / "index.jsonl").open("w") as stream:
        stream.writelines(json.dumps(line) + "\n" for line in lines)
    print(f"{len(lines)} cases of the onnx package")


def write_value(path, value, info):
    """A tensor, sequence or optional, as onnx's own generator writes it."""
    kind = info.type.WhichOneof("value")
    if isinstance(value, onnx.TensorProto):
        message = value
    elif kind == "sequence_type":
        message = numpy_helper.from_list(value, info.name)
    elif kind == "optional_type":
        message = numpy_helper.from_optional(value, info.name)
    else:
        message = numpy_helper.from_array(np.asarray(value), info.name)
    path.write_bytes(message.SerializeToString())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--onnx", action="store_true", help="the onnx package's cases instead")
    arguments = parser.parse_args()
    stamp_path = arguments.into / ".stamp"
    if stamp_path.exists() and stamp_path.read_text() == stamp():
        print(f"{arguments.into}: up to date")
        return
    if (arguments.into / "index.jsonl").exists():
        shutil.rmtree(arguments.into)
    arguments.into.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    (write_onnx_cases if arguments.onnx else write_cases)(arguments.into)
    stamp_path.write_text(stamp())
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
