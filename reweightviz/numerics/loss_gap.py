"""The gap of two losses of a document: one primitive behind several scorers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array

__all__ = ["loss_gap"]


def loss_gap(who: str, first: ArrayLike, second: ArrayLike) -> Array:
    """Return ``first - second`` (N,) in nats per token; NaN where either is not finite.

    Raises:
        ReweightvizError: they are not (N,) each, of one N.
    """
    one = np.asarray(first, np.float64)
    other = np.asarray(second, np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise UnmetNeed(
            name=who,
            value=(one.shape, other.shape),
            expected="two losses a document, (N,) each",
            got=f"shapes {one.shape} and {other.shape}",
        )
    fine = np.isfinite(one) & np.isfinite(other)
    return np.where(fine, one, np.nan) - np.where(fine, other, np.nan)
