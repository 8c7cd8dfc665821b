"""Takes the pictures beside this file: pages of the tools, in a browser without a window.

    python take_pictures.py MODELS

MODELS is where make_models.py has put its networks. Needs selenium, chromium and its driver; `make pictures` has them.
"""

from __future__ import annotations

import argparse
import base64
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "python/tests"))

from browser import address, browser, missing  # noqa: E402

TOOLS = ROOT / ".build/release"

# What a click does, at a part of the width of the first element that a selector finds.
CLICK = """
    const click = (selector, at = 0) => {
      const element = document.querySelector(selector);
      const {left, width} = element.getBoundingClientRect();
      element.dispatchEvent(new MouseEvent("click", {bubbles: true, clientX: left + at * width}));
    };
"""
FRAMES = "return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))"


@dataclass
class Picture:
    """A page, and how it is looked at."""

    command: list[str]
    height: int
    width: int = 1120
    dark: bool = False
    # What is done before the picture is taken.
    script: str = ""


PICTURES = {
    "inspect-densenet121": Picture(["onnx-inspect", "densenet121.onnx"], 1000, script="""
        click(".box.run .sign");
        click(".box.run .sign");
        click("#fit");
        click('.box.layer[data-unit="v1"]');"""),
    "inspect-resnet50": Picture(["onnx-inspect", "resnet50.onnx"], 800, script="click('.box.join');"),
    "inspect-unet": Picture(
        ["onnx-inspect", "unet.onnx"], 940, dark=True, script="click('.plot', 0.45); click('#fit');"),
    "inspect-inception_resnet_v2": Picture(
        ["onnx-inspect", "inception_resnet_v2.onnx"], 1000, script="click('.box.run .body');"),
    "verify-bisect": Picture(["onnx-verify", "bisect", "resnet18.onnx", "--random", "0"], 620, width=900),
}


def take(name: str, models: Path, folder: Path) -> Path:
    """One picture; returns where it is."""
    picture = PICTURES[name]
    page = folder / f"{name}.html"
    tool, *arguments = picture.command
    subprocess.run([TOOLS / tool, *arguments, "-q", "-o", page], cwd=models, check=True, stdout=subprocess.DEVNULL)
    with browser(picture.width, picture.height, dark=picture.dark) as driver:
        driver.get(address(page))
        driver.execute_script(CLICK + picture.script)
        driver.execute_script(FRAMES)
        path = HERE / f"{name}.png"
        path.write_bytes(base64.b64decode(driver.get_screenshot_as_base64()))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, metavar="MODELS")
    models = parser.parse_args().models
    lacking = missing()
    if lacking:
        sys.exit(lacking)
    with tempfile.TemporaryDirectory() as folder:
        paths = [take(name, models, Path(folder)) for name in PICTURES]
    timeline = HERE / "memory-unet.svg"
    subprocess.run([TOOLS / "onnx-inspect", "unet.onnx", "-q", "--memory", "-o", timeline], cwd=models, check=True,
                   stdout=subprocess.DEVNULL)
    for path in [*paths, timeline]:
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
