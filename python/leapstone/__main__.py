"""`python -m leapstone COMMAND`: commands of the package."""

from __future__ import annotations

import sys

from . import __version__, compare

_USAGE = """usage: python -m leapstone compare MODEL [OPTION ...]

       python -m leapstone --version

commands:
  compare   runs a model in Leapstone and in another engine: largest error, latency, memory
"""


def main() -> int:
    """Runs the command that the command line names."""
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        helped = len(sys.argv) > 1
        print(_USAGE, end="", file=sys.stdout if helped else sys.stderr)
        return 0 if helped else 64
    if sys.argv[1] == "--version":
        print(f"leapstone {__version__}")
        return 0
    if sys.argv[1] == "compare":
        return compare.main(sys.argv[2:])
    print(f"unknown command {sys.argv[1]!r}\n{_USAGE}", end="", file=sys.stderr)
    return 64


if __name__ == "__main__":
    sys.exit(main())
