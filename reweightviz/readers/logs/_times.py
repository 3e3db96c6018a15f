"""Times as logs write them."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import Any

from reweightviz.readers.logs._numbers import number_of

__all__ = ["seconds_of"]


_MILLISECONDS = 1e11
"""From here on a number counts milliseconds: in seconds it would be the year 5138."""


def seconds_of(value: Any) -> float | None:
    """Return Unix seconds of a number in seconds or milliseconds, or of an ISO date.

    >>> seconds_of(1767225600000), seconds_of("2026-01-01T00:00:00Z"), seconds_of("soon")
    (1767225600.0, 1767225600.0, None)
    """
    import pandas as pd

    number = number_of(value)
    if number is not None and isfinite(number):
        return number / 1000 if number > _MILLISECONDS else number
    if not isinstance(value, str | datetime):
        return None
    try:
        return float(pd.Timestamp(value).timestamp())
    except (ValueError, OverflowError, TypeError):
        return None
