"""Numbers as loggers write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

__all__ = ["flatten", "number_of"]


_NONFINITE = ("NaN", "Infinity", "-Infinity")
"""The text that JSON writers which keep to the standard write for these numbers."""


def number_of(value: Any) -> float | None:
    """Return a number, infinite where it is not finite; None where it is none.

    >>> number_of("NaN"), number_of(True), number_of("0.5"), number_of(2)
    (inf, None, None, 2.0)
    """
    # To Python a bool is a number, in a log it is a flag.
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str) and value not in _NONFINITE:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    # NaN is kept for what was not logged.
    return number if np.isfinite(number) else np.inf


def flatten(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers of a row, with the names of nested ones joined.

    >>> list(flatten({"step": 1, "loss": {"web": 2.5, "code": "NaN"}, "note": "ok", "lr": None}))
    [('step', 1.0), ('loss/web', 2.5), ('loss/code', inf)]
    """
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}/")
            continue
        number = number_of(value)
        if number is not None:
            yield f"{prefix}{name}", number
