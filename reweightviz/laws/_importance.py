"""Importance of the targets, where a mixture is chosen for several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, list_names
from reweightviz.core.types import Array

__all__ = ["check_convex_importance", "check_importance"]


def check_importance(importance: ArrayLike | None, targets: Sequence[str]) -> Array:
    """Return the share (M,) of each target, rescaled to sum 1; all alike when not given.

    >>> check_importance([3, 1], ("web", "code")).tolist()
    [0.75, 0.25]
    """
    if importance is None:
        return np.full(len(targets), 1 / len(targets))
    given = np.asarray(importance, np.float64)
    usable = given.shape == (len(targets),) and np.isfinite(given).all() and (given >= 0).all()
    if not usable or not given.any():
        raise InvalidValue(
            name="importance",
            value=given,
            expected=f"{len(targets)} numbers >= 0, at least one above 0, one for each of "
            f"{list_names(targets)}",
        )
    return np.asarray(given / given.sum(), np.float64)


def check_convex_importance(
    importance: ArrayLike | None, targets: Sequence[str], lower_is_better: NDArray[np.bool_]
) -> Array:
    """Return the shares (M,) for a convex program, which cannot raise a target."""
    shares = check_importance(importance, targets)
    upwards = (shares > 0) & ~lower_is_better
    if upwards.any():
        raise ReweightvizError(
            "the convex optimiser needs targets where lower is better; higher is better for "
            f"{list_names(np.array(targets, object)[upwards])}: give them importance 0."
        )
    return shares
