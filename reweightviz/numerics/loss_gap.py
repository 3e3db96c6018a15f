"""The gap of two losses of a document: one primitive behind several scorers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array

__all__ = ["loss_gap"]


def loss_gap(
    who: str, loss: ArrayLike, reference_loss: ArrayLike, *, under: str, reference_under: str
) -> Array:
    """Return ``loss - reference_loss`` (N,) in nats per token; NaN where either is not finite.

    Args:
        who: asks, for the sentence of an error.
        loss: (N,).
        reference_loss: (N,) of the same documents.
        under: whose loss the first is, in words.
        reference_under: whose the second is.

    Raises:
        ReweightvizError: they are not (N,) each, of one N.
    """
    one = np.asarray(loss, np.float64)
    other = np.asarray(reference_loss, np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise UnmetNeed(
            name=who,
            value=(one.shape, other.shape),
            expected=f"two losses a document, (N,) each: loss {under}, reference_loss "
            f"{reference_under}",
            got=f"shapes {one.shape} and {other.shape}",
        )
    fine = np.isfinite(one) & np.isfinite(other)
    return np.where(fine, one, np.nan) - np.where(fine, other, np.nan)
