"""The ratios to the reference as bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from measure import Network, Plan, reference
from report import summary, title

_COLOURS = ("#1b6ca8", "#e08e45", "#6a994e", "#9d4edd")


def draw(networks: Sequence[Network], plan: Plan, about: dict[str, Any], paths: Sequence[Path]) -> None:
    """Draws a panel for each figure; below 1 is better than the reference. Needs matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    base = reference(plan.engines)
    others = [name for name in plan.engines if name != base]
    summaries = [summary(network, plan) for network in networks]
    panels = _panels(plan)
    columns = 2
    rows = (len(panels) + 1) // columns
    height = 1.2 + 0.2 * len(others) * len(networks) + 0.3 * len(networks)
    figure, axes = pyplot.subplots(rows, columns, figsize=(12, rows * height + 0.6), sharey=True,
                                   squeeze=False)
    for axis, (name, value) in zip(axes.flat, panels):
        _panel(axis, [network.name for network in networks], others, summaries, name, value)
    for axis in axes.flat[len(panels):]:
        axis.set_visible(False)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(others), frameon=False)
    figure.suptitle(f"In relation to {title(base)} {about['versions'][base].partition('-')[0]}: below 1 is better\n"
                    f"{about['machine']['processor']}, float32", fontsize=12)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    for path in paths:
        figure.savefig(path, dpi=150)


def _panels(plan: Plan) -> list[tuple[str, Callable[[dict[str, Any]], tuple[float, list[float] | None]]]]:
    """A title and what it shows of a summary: a ratio, with its quartiles where there are some."""
    def latency(threads: int) -> Callable[[dict[str, Any]], tuple[float, list[float] | None]]:
        def value(one: dict[str, Any]) -> tuple[float, list[float] | None]:
            figures = one["latency"][str(threads)]
            return figures["ratio"], figures["ratio_quartiles"]
        return value

    panels = [(f"latency, {threads} thread{'s' if threads > 1 else ''}", latency(threads))
              for threads in plan.threads]
    return [*panels, ("time until ready", lambda one: (one["ready_ratio"], None)),
            ("peak memory", lambda one: (one["memory_ratio"], None))]


def _panel(axis: Any, names: list[str], engines: list[str], summaries: list[dict[str, Any]], name: str,
           value: Callable[[dict[str, Any]], tuple[float, list[float] | None]]) -> None:
    thickness = 0.8 / max(len(engines), 1)
    for place, engine in enumerate(engines):
        found = [value(one[engine]) for one in summaries]
        ratios = [ratio for ratio, _ in found]
        whiskers = [[max(ratio - (range_ or [ratio])[0], 0) for ratio, range_ in found],
                    [max((range_ or [ratio])[-1] - ratio, 0) for ratio, range_ in found]]
        rows = [row + place * thickness for row in range(len(names))]
        bars = axis.barh(rows, ratios, thickness * 0.9, label=title(engine), xerr=whiskers,
                         color=_COLOURS[place % len(_COLOURS)], error_kw={"lw": 1, "ecolor": "#444"})
        axis.bar_label(bars, [f"{ratio:.2f}" for ratio in ratios], padding=6, fontsize=8,
                       bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    axis.axvline(1, color="#444", lw=1)
    axis.set_yticks([row + thickness * (len(engines) - 1) / 2 for row in range(len(names))], names)
    axis.set_title(name, fontsize=11)
    axis.set_xlim(0, max(axis.get_xlim()[1] * 1.08, 1.15))
    if not axis.yaxis_inverted():
        axis.invert_yaxis()
    axis.spines[["top", "right"]].set_visible(False)
