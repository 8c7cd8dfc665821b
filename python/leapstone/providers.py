"""Execution providers: there is one, the CPU, under the name that onnxruntime gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._notices import warn_once

CPU_PROVIDER = "CPUExecutionProvider"


def get_available_providers() -> list[str]:
    """The one provider there is, under the name that onnxruntime gives it."""
    return [CPU_PROVIDER]


def known_providers(
    providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None,
    provider_options: Sequence[Mapping[str, Any]] | None = None,
) -> list[str]:
    """Warns once about each provider that is not the CPU's, and each option for the CPU's.

    Options come with a provider, or in a list of their own with one entry for each.
    """
    listed = [providers] if isinstance(providers, str) else list(providers or ())
    apart = list(provider_options or ())
    for index, provider in enumerate(listed):
        name, options = (provider, {}) if isinstance(provider, str) else provider
        if name != CPU_PROVIDER:
            warn_once(f"there is no provider {name!r} here; the model runs on the CPU", stacklevel=4)
            continue
        for option in (*(options or ()), *((apart[index] or ()) if index < len(apart) else ())):
            warn_once(f"the provider's option {option!r} is unknown and has no effect", stacklevel=4)
    return [CPU_PROVIDER]
