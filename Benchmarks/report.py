"""Figures as JSON, and as Markdown for people."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from measure import Figures, Network, Plan, reference

# What stands before and after the place of the report in a page.
PLACE = ("<!-- report -->", "<!-- end of report -->")

TITLES = {"leapstone": "Leapstone", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


def title(engine: str) -> str:
    """What an engine is called."""
    return TITLES.get(engine, engine)


def ratios(mine: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Mine in relation to theirs, round by round."""
    return [a / b for a, b in zip(mine, theirs, strict=True)]


def summary(network: Network, plan: Plan) -> dict[str, Any]:
    """Medians, and the ratios to the reference: below 1 is better."""
    base = network.engines[reference(plan.engines)]
    return {name: _summary(figures, base, plan) for name, figures in network.engines.items()}


def _summary(figures: Figures, base: Figures, plan: Plan) -> dict[str, Any]:
    latency = {}
    for threads in plan.threads:
        rounds = ratios(figures.latency[threads], base.latency[threads])
        latency[str(threads)] = {
            "ms": statistics.median(figures.latency[threads]) * 1000,
            "ratio": statistics.median(rounds), "ratio_quartiles": quartiles(rounds),
        }
    ready, memory = statistics.median(figures.ready), statistics.median(figures.memory)
    cached = {}
    if figures.cached_ready:
        cached = {
            "cached_ready_ms": statistics.median(figures.cached_ready) * 1000,
            "cached_ready_ratio": statistics.median(ratios(figures.cached_ready, base.ready)),
        }
    return {
        "latency": latency, **cached, "ready_ms": ready * 1000,
        "ready_ratio": statistics.median(ratios(figures.ready, base.ready)),
        "memory_bytes": int(memory), "memory_ratio": memory / statistics.median(base.memory),
        "error": figures.error,
    }


def quartiles(values: Sequence[float]) -> list[float]:
    """The lower and the upper one."""
    if len(values) < 2:
        return [values[0], values[0]]
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
    return [lower, upper]


def as_json(networks: Sequence[Network], plan: Plan, about: dict[str, Any]) -> dict[str, Any]:
    """All that was measured."""
    return {
        "schema": "leapstone.comparison/1", **about, "plan": asdict(plan),
        "reference": reference(plan.engines),
        "networks": [
            {**asdict(network), "summary": summary(network, plan)} for network in networks
        ],
    }


def as_markdown(networks: Sequence[Network], plan: Plan, about: dict[str, Any]) -> str:
    """Tables: latency for each number of threads, time until ready, memory, differences."""
    base = title(reference(plan.engines))
    summaries = {network.name: summary(network, plan) for network in networks}
    lines = [_about(plan, about), ""]
    for threads in plan.threads:
        lines += [f"Latency, {threads} thread{'s' if threads > 1 else ''}: the median in milliseconds; its ratio to "
                  f"{base}, round by round, with its quartiles.", ""]
        lines += _table(networks, plan, summaries, lambda one, key=str(threads): one["latency"][key]["ms"],
                        lambda one, key=str(threads): _range(one["latency"][key]), "ms")
    lines += [f"From opening the model until runs take their steady time, in milliseconds; "
              f"{max(plan.threads)} threads.", ""]
    lines += _table(networks, plan, summaries, lambda one: one["ready_ms"],
                    lambda one: f"{one['ready_ratio']:.2f}", "ms")
    lines += _cached_table(networks, plan, summaries)
    lines += ["Peak memory above a process with Python and NumPy alone, in MiB.", ""]
    lines += _table(networks, plan, summaries, lambda one: one["memory_bytes"] / 2**20,
                    lambda one: f"{one['memory_ratio']:.2f}", "MiB")
    lines += [f"Largest difference of an output to {base}'s, relative to its largest value.", ""]
    others = [name for name in plan.engines if name != reference(plan.engines)]
    lines += _rows(["network", *map(title, others)], [
        [network.name, *(f"{summaries[network.name][name]['error']:.1e}" for name in others)]
        for network in networks])
    return "\n".join(lines)


def placed(page: str, text: str) -> str:
    """A page with the report in its place, whatever was there. Raises `ValueError` where it has no place."""
    before, begin, rest = page.partition(PLACE[0])
    _, end, after = rest.partition(PLACE[1])
    if not begin or not end:
        raise ValueError(f"the page has no {PLACE[0]} ... {PLACE[1]}")
    return f"{before}{begin}\n{text.strip()}\n{end}{after}"


def _about(plan: Plan, about: dict[str, Any]) -> str:
    machine, versions = about["machine"], about["versions"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, {', '.join(machine['caches'])}, "
        f"{machine['memory_bytes'] / 2**30:.0f} GiB; {machine['instruction_sets'][0]}; {machine['system']}. "
        + ", ".join(f"{title(name)} {version.partition('-')[0]}" for name, version in versions.items())
        + (f" ({about['revision']})" if about["revision"] else "")
        + f"; float32. {plan.rounds} rounds of {plan.seconds:g} s, {plan.starts} starts. Load average "
        f"{machine['load_average']:g} before.")


def _number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def _range(latency: dict[str, Any]) -> str:
    lower, upper = latency["ratio_quartiles"]
    return f"{latency['ratio']:.2f} ({lower:.2f}-{upper:.2f})"


def _table(networks: Sequence[Network], plan: Plan, summaries: dict[str, Any], value: Any, ratio: Any,
           unit: str) -> list[str]:
    """A row for each network: each engine's value, and each other engine's ratio to the reference."""
    base = reference(plan.engines)
    others = [name for name in plan.engines if name != base]
    header = ["network", "input", *(f"{title(name)}, {unit}" for name in plan.engines),
              *(f"{title(name)} / {title(base)}" for name in others)]
    rows = []
    for network in networks:
        engines = summaries[network.name]
        rows.append([network.name, ", ".join(network.inputs.values()),
                     *(_number(value(engines[name])) for name in plan.engines),
                     *(ratio(engines[name]) for name in others)])
    return _rows(header, rows)


def _cached_table(networks: Sequence[Network], plan: Plan, summaries: dict[str, Any]) -> list[str]:
    """The time until ready of the engines with a cache, beside that of the reference, which has none."""
    base = reference(plan.engines)
    caching = [name for name in plan.engines if all(network.engines[name].cached_ready for network in networks)]
    if not caching:
        return []
    header = ["network", *(f"{title(name)} with its cache, ms" for name in caching), f"{title(base)}, ms",
              *(f"{title(name)} / {title(base)}" for name in caching)]
    rows = []
    for network in networks:
        engines = summaries[network.name]
        rows.append([network.name, *(_number(engines[name]["cached_ready_ms"]) for name in caching),
                     _number(engines[base]["ready_ms"]),
                     *(f"{engines[name]['cached_ready_ratio']:.2f}" for name in caching)])
    return ["The same where an earlier start left a cache.", "", *_rows(header, rows)]


def _rows(header: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]] + [""]
