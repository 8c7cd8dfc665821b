"""Names and other text on their way into the library, which reads C strings of UTF-8."""

from __future__ import annotations

from typing import Any

from .errors import InvalidArgument


def c_text(text: Any, what: str) -> bytes:
    """UTF-8 for a C string; `what` says what the text is.

    Raises:
        TypeError: it is no text.
        InvalidArgument: UTF-8 has no bytes for it, or a C string would end before it does.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what} is a str, not {type(text).__name__}: {text!r}")
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(f"{what} is not UTF-8: {text!r}: {error}") from None
    if b"\0" in encoded:
        raise InvalidArgument(f"{what} has a NUL in it: {text!r}")
    return encoded
