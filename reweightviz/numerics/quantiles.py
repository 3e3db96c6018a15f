"""Intervals at a level: of draws, and of the normal distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.types import Array

__all__ = ["NORMAL_90", "between"]


NORMAL_90 = 1.6449
"""Standard deviations of a normal distribution within which 90 % of it lies."""


def between(draws: ArrayLike, level: float = 0.9) -> tuple[Array, Array]:
    """Return low and high (...), between which a next draw lies with probability ``level``.

    However few the draws (B, ...) are.

    Of B draws the outermost bounds hold a share of (B - 1) / (B + 1), so plain quantiles of few
    draws are too narrow (Waloddi Weibull, 1939: place q (B + 1) among the sorted draws). The
    browser does the same.

    >>> [float(end) for end in between([1.0, 2.0, 3.0, 4.0], 0.6)]
    [1.0, 4.0]
    """
    low, high = np.quantile(
        np.asarray(draws, np.float64), [(1 - level) / 2, (1 + level) / 2], axis=0, method="weibull"
    )
    return low, high
