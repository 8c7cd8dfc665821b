"""The command-line tools that the wheel carries, as console scripts: each becomes the tool itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

_FOLDER = Path(__file__).resolve().parent / "bin"


def _script(tool: str) -> Callable[[], NoReturn]:
    def become() -> NoReturn:
        os.execv(_FOLDER / tool, [tool, *sys.argv[1:]])

    return become


onnx_run = _script("onnx-run")
onnx_bench = _script("onnx-bench")
onnx_inspect = _script("onnx-inspect")
onnx_verify = _script("onnx-verify")
