"""Gradients as scorers get them: checked, and the target's rows without a gradient left out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import UnmetNeed, warn
from reweightviz.core.types import Array

__all__ = ["as_gradients", "as_vector", "target_gradients"]


def as_gradients(who: str, gradient: Any) -> NDArray[Any]:
    """Return gradients (N, D) in the precision that they have."""
    values = np.asarray(gradient)
    if values.ndim != 2:
        raise UnmetNeed(
            name=who,
            value=values.shape,
            expected="gradients (N, D), a row a document",
            got=f"shape {values.shape}",
        )
    return values


def target_gradients(
    who: str, query_gradient: Any, groups: ArrayLike | None = None
) -> tuple[Array, NDArray[Any] | None]:
    """Return the target's gradients and their groups, without the rows that are not finite.

    One target document whose loss is NaN must not make every score NaN; how many were left out is
    said in a warning.

    Raises:
        ReweightvizError: no row is left.
    """
    values = np.asarray(as_gradients(who, query_gradient), np.float64)
    kept = np.asarray(np.isfinite(values).all(1))
    if not kept.any():
        raise UnmetNeed(
            name=who,
            value=len(values),
            expected="a target with a gradient",
            got=f"{len(values)} documents, none of which has one",
        )
    if not kept.all():
        warn(
            f"{who} leaves out {int((~kept).sum())} of the target's {len(kept)} documents, which "
            "have no finite gradient."
        )
    if groups is None:
        return values[kept], None
    names = np.asarray(groups)
    if names.shape != kept.shape:
        raise UnmetNeed(
            name=who,
            value=names.shape,
            expected=f"a group for each of the target's {len(kept)} documents",
            got=f"shape {names.shape}",
        )
    return values[kept], names[kept]


def as_vector(who: str, weight_difference: Any) -> Array:
    """Return a difference of weights (D,) that is not zero."""
    values = np.asarray(weight_difference, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all() or not values.any():
        raise UnmetNeed(
            name=who,
            value=values.shape,
            expected="a weight difference (D,) of finite numbers, not all 0",
            got=f"shape {values.shape}" if values.ndim != 1 else "others",
        )
    return values
