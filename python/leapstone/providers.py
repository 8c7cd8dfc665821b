"""Execution providers: there is one, the CPU, under the name that onnxruntime gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._notices import warn_once

CPU_PROVIDER = "CPUExecutionProvider"


def get_available_providers() -> list[str]:
    """The one provider there is, under the name that onnxruntime gives it."""
    return [CPU_PROVIDER]


def known_providers(providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None) -> list[str]:
    """Warns once about each provider that is not the CPU's."""
    for provider in [providers] if isinstance(providers, str) else providers or ():
        name = provider if isinstance(provider, str) else provider[0]
        if name != CPU_PROVIDER:
            warn_once(f"there is no provider {name!r} here; the model runs on the CPU", stacklevel=4)
    return [CPU_PROVIDER]
