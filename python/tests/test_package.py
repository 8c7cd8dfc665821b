"""The package as a whole: types, the wheel, the programs in the documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, environment, trained

import leapstone

WHEELS = sorted((ROOT / ".build" / "python").glob("*.whl"))


def run(*command: str | Path, cwd: Path = ROOT, **variables: str) -> str:
    """What a program prints; it must end well."""
    done = subprocess.run([os.fspath(part) for part in command], cwd=cwd,
                          env={**environment(), **variables}, capture_output=True, text=True,
                          timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_types_hold() -> None:
    run(sys.executable, "-m", "mypy", cwd=ROOT / "python")


def test_programs_of_the_documentation_run() -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    programs = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(programs) == 3
    run(sys.executable, "-c", "\n".join(programs))


def test_programs_of_the_readme_run(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    programs = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert programs
    path, inputs, _ = trained("resnet-digits")
    (tmp_path / "model.onnx").symlink_to(path)
    [image] = inputs.values()
    np.save(tmp_path / "image.npy", image)
    for program in programs:
        run(sys.executable, "-c", f"import numpy\nimage = numpy.load('image.npy')\n{program}",
            cwd=tmp_path)


def test_public_names_have_words() -> None:
    for name in leapstone.__all__:
        thing = getattr(leapstone, name)
        assert thing.__doc__, name
        for member, value in vars(thing).items() if isinstance(thing, type) else ():
            if callable(value) and not member.startswith("_"):
                assert value.__doc__, f"{name}.{member}"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that has the wheel, and the packages that it needs from this one."""
    assert len(WHEELS) == 1, "'make python' builds the wheel"
    folder = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, "install",
        "--quiet", "--no-deps", "--no-index", WHEELS[0])
    site = next((folder / "lib").glob("python*/site-packages"))
    for package in ("numpy", "numpy.libs", "ml_dtypes"):
        (site / package).symlink_to(Path(np.__file__).parents[1] / package)
    return folder


def test_the_wheel_needs_nothing_of_the_tree(installed: Path) -> None:
    path, inputs, outputs = trained("resnet-digits")
    np.savez(installed / "inputs.npz", **inputs)
    program = f"""
import leapstone, numpy
session = leapstone.InferenceSession({os.fspath(path)!r})
results = session.run({list(outputs)!r}, dict(numpy.load("inputs.npz")))
numpy.savez("outputs.npz", *results)
print(leapstone.__file__, leapstone.__version__)
"""
    said = run(installed / "bin" / "python", "-c", program, cwd=installed, PYTHONPATH="").split()
    assert said[0].startswith(os.fspath(installed))
    assert said[1] == (ROOT / "VERSION").read_text().strip()
    with np.load(installed / "outputs.npz") as results:
        for name, wanted in zip(results.files, outputs.values()):
            np.testing.assert_allclose(results[name], wanted, rtol=1e-4, atol=1e-4)


def test_the_wheel_brings_the_tools(installed: Path) -> None:
    with zipfile.ZipFile(WHEELS[0]) as wheel:
        tools = [Path(name).name for name in wheel.namelist() if "/bin/" in name]
    assert {"onnx-run", "onnx-bench", "onnx-inspect", "onnx-verify"} <= set(tools)
    for tool in tools:
        assert run(installed / "bin" / tool, "--version", PYTHONPATH="").split() == [
            tool, leapstone.__version__]


PROGRAM = """
import numpy
import onnxruntime as engine
session = engine.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
[result] = session.run(None, dict(numpy.load("inputs.npz")))
numpy.save("result.npy", result)
print(engine.__file__)
"""


def test_resnet50_by_changing_the_import(installed: Path, tmp_path: Path) -> None:
    folder = ROOT / ".build" / "testdata" / "models"
    arrays = folder / "resnet50.batch1.npz"
    if not arrays.exists():
        pytest.skip("'make data' writes resnet50")
    with np.load(arrays) as file:
        np.savez(tmp_path / "inputs.npz", **{
            key[3:]: file[key] for key in file.files if key.startswith("in:")})
    (tmp_path / "model.onnx").symlink_to(folder / "resnet50.onnx")
    run(sys.executable, "-c", PROGRAM, cwd=tmp_path)
    theirs = np.load(tmp_path / "result.npy")
    said = run(installed / "bin" / "python", "-c", PROGRAM.replace("onnxruntime", "leapstone"),
               cwd=tmp_path, PYTHONPATH="")
    assert said.startswith(os.fspath(installed))
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(np.load(tmp_path / "result.npy") / scale, theirs / scale, atol=1e-4, rtol=1e-4)
