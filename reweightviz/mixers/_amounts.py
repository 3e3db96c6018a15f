"""What one-off data must be: one finite number a domain, none below 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue
from reweightviz.numerics.simplex import numbers


def amounts(
    values: ArrayLike, what: str, count: int | None = None, *, positive: bool = False
) -> NDArray[np.float64]:
    """``values`` as (K,) float64: finite, at least 0 and not all 0; ``positive``: each above 0.

    >>> amounts([3, 0], "documents", 2).tolist()
    [3.0, 0.0]
    """
    found = numbers(values, what)
    good = found.ndim == 1 and found.size > 0 and np.isfinite(found).all() and found.any()
    if (
        not good
        or (found < 0).any()
        or (positive and (found == 0).any())
        or (count is not None and found.size != count)
    ):
        many = "(K,)" if count is None else f"({count},)"
        least = "above 0" if positive else ">= 0, at least one above 0"
        raise InvalidValue(name=what, value=found, expected=f"{many} numbers {least}, one a domain")
    return found
