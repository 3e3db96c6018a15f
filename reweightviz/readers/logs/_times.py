"""Times as logs write them."""

from __future__ import annotations

from typing import Any

__all__ = ["seconds_of"]


_MILLISECONDS = 1e11
"""From here on a number counts milliseconds: in seconds it would be the year 5138."""


def seconds_of(value: Any) -> float | None:
    """Return Unix seconds of a number in seconds or milliseconds, or of an ISO date.

    >>> seconds_of(1767225600000), seconds_of("2026-01-01T00:00:00Z"), seconds_of("soon")
    (1767225600.0, 1767225600.0, None)
    """
    import pandas as pd

    if isinstance(value, str):
        try:
            return float(pd.Timestamp(value).timestamp())
        except ValueError:
            return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value / 1000 if value > _MILLISECONDS else float(value)
