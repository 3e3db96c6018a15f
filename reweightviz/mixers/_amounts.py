"""Data given once, before the training: one finite number a domain, none below 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidValue
from reweightviz.core.types import Array
from reweightviz.numerics.simplex import numbers

__all__ = ["check_amounts", "fill_with_ones"]


def check_amounts(
    values: ArrayLike, what: str, count: int | None = None, *, positive: bool = False
) -> Array:
    """Return ``values`` as (K,) float64, finite, at least 0 and not all 0.

    Args:
        values: (K,).
        what: their name in the sentence.
        count: K, where it is known.
        positive: ask for numbers above 0.

    Raises:
        ReweightvizError: another shape, or a number that is not allowed.

    Example:
        >>> check_amounts([3, 0], "documents", 2).tolist()
        [3.0, 0.0]
    """
    found = numbers(values, what)
    in_shape = found.ndim == 1 and found.size > 0 and count in (None, found.size)
    least = "above 0" if positive else ">= 0, at least one above 0"
    in_range = np.isfinite(found).all() and found.any() and (found >= 0).all()
    # Costs and lengths are divided by.
    if positive:
        in_range = in_range and found.all()
    if not (in_shape and in_range):
        shape = "(K,)" if count is None else f"({count},)"
        raise InvalidValue(
            name=what, value=found, expected=f"{shape} numbers {least}, one a domain"
        )
    return found


def fill_with_ones(values: ArrayLike | None, what: str, count: int) -> Array:
    """Return ``values`` (K,) checked to be above 0, or ones where none are given.

    >>> fill_with_ones(None, "the cost", 2).tolist()
    [1.0, 1.0]
    """
    if values is None:
        return np.ones(count)
    return check_amounts(values, what, count, positive=True)
