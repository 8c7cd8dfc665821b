"""What an unchanged program should know, said once: options and providers without effect."""

from __future__ import annotations

import logging
import warnings

logger = logging.getLogger("leapstone")

_told: set[str] = set()


def warn_once(message: str, stacklevel: int = 3) -> None:
    """Warns with `UserWarning` the first time that the process has this to say."""
    if message not in _told:
        _told.add(message)
        warnings.warn(message, UserWarning, stacklevel=stacklevel)
