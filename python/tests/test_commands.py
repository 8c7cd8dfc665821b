"""`python -m leapstone compare`, `python -m leapstone.as_onnxruntime`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import environment, model_of, node_model, tensor, trained
from onnx import TensorProto, helper

import leapstone
from leapstone.compare import deviation

MODEL = os.fspath(trained("resnet-digits")[0])


def python(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], env=environment(), cwd=cwd,
                          capture_output=True, text=True, timeout=300, check=False)


def compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "leapstone", "compare", *arguments, "--seconds", "0.5")


# ---- compare -----------------------------------------------------------------------------------------


def test_compare_prints_a_table() -> None:
    done = compare(MODEL, "--threads", "1")
    assert done.returncode == 0, done.stderr
    for words in ("leapstone", "onnxruntime", "latency, median", "time to ready", "peak memory",
                  "largest error", "within --rtol"):
        assert words in done.stdout


def test_compare_ends_with_1_beyond_rtol() -> None:
    done = compare(MODEL, "--rtol", "1e-12", "--format", "json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["within"] is False
    assert 1e-12 < max(error["relative"] for error in report["errors"]) < 1e-4
    assert [engine["name"] for engine in report["engines"]] == ["leapstone", "onnxruntime"]
    for engine in report["engines"]:
        assert engine["latency_ms"] > 0 and engine["ready_ms"] > engine["latency_ms"]
        assert engine["peak_bytes"] > 0


def test_compare_with_itself_finds_no_difference() -> None:
    done = compare(MODEL, "--against", "leapstone", "--rtol", "0", "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr


def test_compare_asks_for_free_dimensions(tmp_path: Path) -> None:
    path = tmp_path / "free.onnx"
    path.write_bytes(node_model("Neg", TensorProto.FLOAT, ["N", "width", None]))
    done = compare(os.fspath(path))
    assert done.returncode == 2 and "--dim width=N" in done.stderr and "--shape x0=" in done.stderr
    assert compare(os.fspath(path), "--shape", "2x3x4").returncode == 0
    done = compare(os.fspath(path), "--shape", "x0=2x3x4", "--format", "json")
    assert json.loads(done.stdout)["inputs"] == {"x0": "float32 [2, 3, 4]"}
    assert compare(os.fspath(path), "--shape", "nothing=1").returncode == 64
    path.write_bytes(node_model("Neg", TensorProto.FLOAT, ["N", "H w"]))
    assert "--dim 'H w=N'" in compare(os.fspath(path)).stderr


@pytest.mark.parametrize("option, value, words", [
    ("--threads", "0", "no number of threads"), ("--threads", "few", "no number of threads"),
    ("--rtol", "nan", "no number of 0 or more"), ("--rtol", "-1", "no number of 0 or more"),
    ("--shape", "wide", "1x3x224x224 is expected"), ("--dim", "N", "NAME=N is expected")])
def test_wrong_usage_ends_with_64(option: str, value: str, words: str) -> None:
    done = compare(MODEL, f"{option}={value}")
    assert done.returncode == 64 and words in done.stderr, done.stderr


def test_sequences_are_compared_item_by_item() -> None:
    a, b = np.zeros(2), np.ones((1, 2))
    assert deviation("y", [a, b], [a, b]).relative == 0
    assert deviation("y", [a, b], [a, b * 2]).relative == 0.5
    assert deviation("y", None, None).relative == 0
    for other in ([a], [b, a], a, None):
        assert deviation("y", [a, b], other).relative == float("inf")


def test_compare_takes_sequences_of_any_items(tmp_path: Path) -> None:
    path = tmp_path / "pieces.onnx"
    node = helper.make_node("SplitToSequence", ["x", "sizes"], ["y"])
    sequence = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [2], [1, 2])
    path.write_bytes(model_of(
        [node], [tensor("x", TensorProto.FLOAT, [3])], [sequence], initializers=[sizes]))
    done = compare(os.fspath(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_says_its_version() -> None:
    assert python("-m", "leapstone", "--version").stdout.split() == ["leapstone", leapstone.__version__]


# OpenVINO's surface as far as it is used, over onnxruntime.
STAND_IN = """
import onnxruntime

__version__ = "1.2.3"

class Core:
    def read_model(self, path):
        self.path = path
        return self

    def reshape(self, shapes):
        self.shapes = shapes

    def compile_model(self, network, device, options):
        assert device == "CPU" and options["INFERENCE_PRECISION_HINT"] == "f32", options
        assert options["INFERENCE_NUM_THREADS"] == 1, options
        assert self.shapes == {"input": [1, 1, 32, 32]}, self.shapes
        self.session = onnxruntime.InferenceSession(self.path)
        return self

    def create_infer_request(self):
        return self

    def infer(self, feed, share_inputs, share_outputs):
        return dict(enumerate(self.session.run(None, feed)))
"""


def test_compare_with_openvino(tmp_path: Path) -> None:
    (tmp_path / "openvino.py").write_text(STAND_IN)
    found = environment()
    found["PYTHONPATH"] += os.pathsep + os.fspath(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "leapstone", "compare", MODEL, "--against", "openvino", "--threads", "1",
         "--seconds", "0.5", "--format", "json"],
        env=found, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["within"] and report["engines"][1]["version"] == "1.2.3"


@pytest.mark.parametrize("arguments, code, words", [
    (["/no/such.onnx"], 2, "/no/such.onnx"),
    ([MODEL, "--against", "nonesuch"], 2, "nonesuch"),
    ([MODEL, "--nonesuch"], 64, "--nonesuch"),
    ([MODEL, "--threads", "0"], 64, "--threads"),
    ([], 64, "MODEL"),
])
def test_trouble_of_compare(arguments: list[str], code: int, words: str) -> None:
    done = compare(*arguments)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments, code", [([], 64), (["--help"], 0), (["nonesuch"], 64)])
def test_commands(arguments: list[str], code: int) -> None:
    done = python("-m", "leapstone", *arguments)
    assert done.returncode == code and "compare" in done.stdout + done.stderr


@pytest.mark.parametrize("mine, other, relative", [
    ([1.0, 2.0], [1.0, 2.0], 0), ([1.0, 2.5], [1.0, 2.0], 0.25), ([np.nan], [np.nan], 0),
    ([np.nan], [1.0], np.inf), ([np.inf], [np.inf], 0), ([np.inf], [1.0], np.inf),
    ([1.0], [1.0, 1.0], np.inf), ([1], [1.0], np.inf), ([1], [3], 2 / 3), ([1.0], [0.0], np.inf),
    ([], [], 0), (["a"], ["a"], 0), (["a"], ["b"], np.inf), ([True], [False], np.inf)])
def test_errors_are_relative_to_the_largest_value(mine: Any, other: Any, relative: float) -> None:
    assert deviation("y", np.array(mine), np.array(other)).relative == pytest.approx(relative)


# ---- as_onnxruntime ------------------------------------------------------------------------------------

PROGRAM = """
import subprocess, sys
from importlib.metadata import version
import numpy as np
import onnxruntime as ort
from onnxruntime import InferenceSession, SessionOptions
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, NoSuchFile
import onnxruntime.backend
import helper_of_the_program

assert tuple(map(int, ort.__version__.split("."))) >= (1, 16)
assert version("onnxruntime") == ort.__version__
session = InferenceSession(sys.argv[1], SessionOptions(), providers=ort.get_available_providers())
shape = [extent if isinstance(extent, int) else 1 for extent in session.get_inputs()[0].shape]
outputs = session.run(None, {session.get_inputs()[0].name: np.zeros(shape, np.float32)})
try:
    InferenceSession("/no/such")
except NoSuchFile:
    pass
print(type(session).__module__, sys.argv[2:], __name__)
if len(sys.argv) > 2:
    sys.exit(subprocess.call([sys.executable, __file__, sys.argv[1]]))
"""


def test_an_unchanged_program_runs(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PROGRAM)
    (tmp_path / "helper_of_the_program.py").write_text("")
    done = python("-m", "leapstone.as_onnxruntime", os.fspath(tmp_path / "app.py"), MODEL, "--flag")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "leapstone.session ['--flag'] __main__", "leapstone.session [] __main__"]


def test_an_unchanged_module_runs(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PROGRAM)
    (tmp_path / "helper_of_the_program.py").write_text("")
    done = python("-m", "leapstone.as_onnxruntime", "-m", "app", MODEL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "leapstone.session"


def test_exceptions_are_attributes_of_the_module(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("""
import onnxruntime as ort

try:
    ort.InferenceSession(b"garbage")
except ort.capi.onnxruntime_pybind11_state.InvalidProtobuf:
    print(ort.capi.onnxruntime_inference_collection.InferenceSession is ort.InferenceSession,
          ort.capi._pybind_state.Fail is ort.capi.onnxruntime_pybind11_state.Fail)
""")
    done = python("-m", "leapstone.as_onnxruntime", os.fspath(tmp_path / "app.py"))
    assert done.stdout.strip() == "True True", done.stderr


def test_processes_that_a_program_spawns_see_the_same(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("""
import multiprocessing
import onnxruntime

def module(_):
    return onnxruntime.InferenceSession.__module__

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(module, [0]))
""")
    done = python("-m", "leapstone.as_onnxruntime", os.fspath(tmp_path / "app.py"))
    assert done.stdout.strip() == "['leapstone.session']", done.stderr


@pytest.mark.parametrize("arguments, code", [([], 64), (["--help"], 0), (["-m"], 64)])
def test_usage_of_as_onnxruntime(arguments: list[str], code: int) -> None:
    done = python("-m", "leapstone.as_onnxruntime", *arguments)
    assert done.returncode == code and "usage" in done.stderr


def test_results_equal_onnxruntimes_by_changing_the_import() -> None:
    nodes = [helper.make_node("MatMul", ["a", "b"], ["c"]), helper.make_node("Softmax", ["c"], ["d"])]
    model = model_of(nodes, [tensor("a", TensorProto.FLOAT, [4, 5]), tensor("b", TensorProto.FLOAT, [5, 6])],
                     [tensor("d", TensorProto.FLOAT, [4, 6])])
    program = f"""
session = onnxruntime.InferenceSession({model!r}, providers=["CPUExecutionProvider"])
a, b = np.arange(20, dtype=np.float32).reshape(4, 5) / 20, np.ones((5, 6), np.float32)
[d] = session.run(["d"], {{"a": a, "b": b}})
print(d.tolist())
"""
    outputs = [
        python("-c", f"import numpy as np\n{line}{program}")
        for line in ("import onnxruntime", "import leapstone as onnxruntime")
    ]
    theirs, mine = (json.loads(done.stdout) for done in outputs)
    np.testing.assert_allclose(mine, theirs, rtol=1e-5)
