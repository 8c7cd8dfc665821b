"""`make bench`: networks in Leapstone, ONNX Runtime and OpenVINO, side by side.

Writes report.json, report.md, report.svg and report.png into a folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

import machine  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402
from leapstone.compare import CompareError  # noqa: E402
from measure import Network, Plan, measure  # noqa: E402


def main(arguments: Sequence[str]) -> int:
    """0 where all outputs agree within --rtol, 1 where not, 2 where an engine cannot run a network."""
    options = _parser().parse_args(arguments)
    plan = Plan(options.engines, options.threads, options.rounds, options.starts, options.seconds)
    about: dict[str, Any] = {"machine": machine.describe(), "revision": machine.revision(), "versions": {}}
    networks: list[Network] = []
    try:
        if options.page:
            report.placed(options.page.read_text(encoding="utf-8"), "")
        for model in options.models:
            networks.append(measure(model, plan))
            print(_line(networks[-1], plan), file=sys.stderr)
            about["versions"] = {
                name: figures.version for name, figures in networks[-1].engines.items()}
            # After each network, so that an interrupted run leaves what it has measured.
            _write(options.into, networks, plan, about, options.plot)
    except (CompareError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    text = (options.into / "report.md").read_text(encoding="utf-8")
    print(text)
    if options.page:
        options.page.write_text(report.placed(options.page.read_text(encoding="utf-8"), text), encoding="utf-8")
    worst = max(figures.error for network in networks for figures in network.engines.values())
    if worst > options.rtol:
        print(f"error: outputs differ by {worst:.1e} of their largest value", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL")
    parser.add_argument("--into", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--engines", nargs="+", default=["leapstone", "onnxruntime", "openvino"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], metavar="N")
    parser.add_argument("--rounds", type=int, default=15, metavar="N")
    parser.add_argument("--starts", type=int, default=3, metavar="N",
                        help="processes of each engine, for time until ready and memory (default: 3)")
    parser.add_argument("--seconds", type=float, default=0.25, metavar="S",
                        help="how long an engine runs in each round (default: 0.25)")
    parser.add_argument("--rtol", type=float, default=1e-4, metavar="V",
                        help="largest difference relative to an output's largest value (default: 1e-4)")
    parser.add_argument("--page", type=Path, metavar="FILE",
                        help="a page with a place for the report, between two comments, which is filled")
    parser.add_argument("--plot", action=argparse.BooleanOptionalAction, default=True)
    return parser


def _line(network: Network, plan: Plan) -> str:
    engines = report.summary(network, plan)
    last = str(plan.threads[-1])
    return f"{network.name}: " + ", ".join(
        f"{name} {one['latency'][last]['ms']:.1f} ms ({one['latency'][last]['ratio']:.2f})"
        for name, one in engines.items())


def _write(folder: Path, networks: list[Network], plan: Plan, about: dict[str, Any], plots: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.as_json(networks, plan, about), indent=1)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    (folder / "report.md").write_text(report.as_markdown(networks, plan, about), encoding="utf-8")
    if plots:
        plot.draw(networks, plan, about, [folder / "report.svg", folder / "report.png"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
