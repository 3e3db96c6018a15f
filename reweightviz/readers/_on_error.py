"""The option ``on_error`` of verbs that read many rows."""

from __future__ import annotations

from reweightviz.core.errors import InvalidValue

__all__ = ["is_skipping"]


def is_skipping(on_error: str) -> bool:
    """Return whether rows that cannot be used are skipped, not raised.

    >>> is_skipping("skip")
    True
    """
    if on_error not in ("raise", "skip"):
        raise InvalidValue(name="on_error", value=on_error, expected="'raise' or 'skip'")
    return on_error == "skip"
