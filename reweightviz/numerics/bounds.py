"""Bounds on the weights of a mixture, checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.types import Array

__all__ = ["ROOM", "weight_bounds"]


ROOM = 1e-12
"""Sums of bounds are compared with 1 up to this."""


def weight_bounds(
    domains: int,
    lower: ArrayLike | None,
    upper: ArrayLike | None,
    prior: Array | None = None,
    names: Sequence[str] | None = None,
) -> tuple[Array, Array]:
    """Return floors and caps (K,) that leave room for some weights.

    A prior of 0 caps its domain at 0.

    Raises:
        ReweightvizError: bounds that are no numbers, or that leave no weights.

    Example:
        >>> [each.tolist() for each in weight_bounds(2, None, [1.0, 0.75])]
        [[0.0, 0.0], [1.0, 0.75]]
    """
    if lower is None:
        lower = 0.0
    if upper is None:
        upper = 1.0
    if names is None:
        names = [f"domain {i}" for i in range(domains)]
    low = np.broadcast_to(np.asarray(lower, np.float64), (domains,))
    high = np.broadcast_to(np.asarray(upper, np.float64), (domains,))
    labels = np.array(names, object)
    if np.isnan(low).any() or np.isnan(high).any():
        bad = np.isnan(low) | np.isnan(high)
        raise ReweightvizError(f"bounds must be numbers; that of {list_names(labels[bad])} is NaN.")
    low = np.maximum(low, 0.0)
    high = np.minimum(high, 1.0)
    if prior is not None:
        if ((prior == 0) & (low > 0)).any():
            raise ReweightvizError(
                "a domain with prior 0 stays at 0 under a KL penalty, but the lower bound of "
                f"{list_names(labels[(prior == 0) & (low > 0)])} is above 0."
            )
        # KL(x || q) is infinite where x > 0 = q, so nothing else would have a finite objective.
        high = np.where(prior == 0, 0.0, high)
    if (low > high).any():
        bad = low > high
        raise ReweightvizError(
            f"the lower bound is above the upper bound (cap) for {list_names(labels[bad])}: "
            f"{low[bad][0]:.4g} > {high[bad][0]:.4g}."
        )
    if high.sum() < 1 - ROOM:
        raise ReweightvizError(
            f"the upper bounds (caps) sum to {high.sum():.4g}, so no weights can sum to 1: "
            "allow more epochs, fewer tokens, or add domains."
        )
    if low.sum() > 1 + ROOM:
        raise ReweightvizError(
            f"the lower bounds sum to {low.sum():.4g}, more than 1: lower some of them."
        )
    return low, high
