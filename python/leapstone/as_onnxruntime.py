"""Runs an unchanged program with Leapstone in onnxruntime's place.

    python -m leapstone.as_onnxruntime app.py [arguments]
    python -m leapstone.as_onnxruntime -m package.module [arguments]

`import onnxruntime` then finds the package in the folder `stand_in`, in the program and in every Python
process that it starts: the folder goes to the front of `sys.path` and of PYTHONPATH.
"""

from __future__ import annotations

import os
import runpy
import sys
import sysconfig
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent / "stand_in"
_PACKAGES = Path(__file__).resolve().parent.parent

_USAGE = "usage: python -m leapstone.as_onnxruntime (PROGRAM.py | -m MODULE) [ARGUMENT ...]"


def install() -> None:
    """Lets `import onnxruntime` find Leapstone, here and in processes that are started later."""
    needed = [os.fspath(_FOLDER)]
    if os.fspath(_PACKAGES) not in map(os.path.realpath, sysconfig.get_paths().values()):
        # Run from the source tree: other processes must find the package too.
        needed.append(os.fspath(_PACKAGES))
    if needed[0] not in sys.path:
        sys.path.insert(0, needed[0])
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    others = [folder for folder in inherited if folder and folder not in needed]
    os.environ["PYTHONPATH"] = os.pathsep.join(needed + others)


def main() -> int:
    """Runs what the command line names."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help") or arguments == ["-m"]:
        print(_USAGE, file=sys.stderr)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 64
    install()
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path.insert(0, os.path.dirname(os.path.abspath(arguments[0])))
        runpy.run_path(arguments[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
