"""What concerns the whole process rather than one session; most of it is there for onnxruntime's users."""

from __future__ import annotations

import logging
from typing import Any

from ._library import library
from ._notices import logger
from .providers import get_available_providers

_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)


def get_version_string() -> str:
    """Leapstone's version."""
    return str(library().version(), "ascii")


def get_build_info() -> str:
    """The version, and the instruction sets that kernels use on this machine, the first preferred."""
    return f"Leapstone {get_version_string()}, {', '.join(get_instruction_sets())}"


def get_instruction_sets() -> list[str]:
    """The instruction sets that kernels are written for and this machine has, the first preferred."""
    return str(library().instruction_sets(), "ascii").split(",")


def get_device() -> str:
    """Where models run: `CPU`."""
    return "CPU"


def get_all_providers() -> list[str]:
    """As `get_available_providers`."""
    return get_available_providers()


def set_default_logger_severity(severity: int) -> None:
    """Sets the level of the logger `leapstone`: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal."""
    logger.setLevel(_LEVELS[max(0, min(severity, len(_LEVELS) - 1))])


def set_default_logger_verbosity(verbosity: int) -> None:
    """Has no effect."""


def set_seed(seed: int) -> None:
    """Has no effect: random operators take their seed from the model."""


def enable_telemetry_events() -> None:
    """Has no effect: there are none."""


def disable_telemetry_events() -> None:
    """Has no effect: there are none."""


def preload_dlls(*_: Any, **__: Any) -> None:
    """Has no effect: the library brings along what it needs."""
