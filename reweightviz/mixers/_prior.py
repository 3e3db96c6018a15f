"""A prior beside other data: as many weights as there are domains, uniform without one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.numerics.simplex import share

__all__ = ["check_prior"]


def check_prior(prior: ArrayLike | None, count: int, who: str, of: str = "domains") -> Array:
    """Return the prior (K,) on the simplex, uniform when not given.

    Raises:
        ReweightvizError: not ``count`` weights; the sentence names ``who`` and ``of``.

    Example:
        >>> check_prior(None, 4, "Some mixer").tolist()
        [0.25, 0.25, 0.25, 0.25]
    """
    if prior is None:
        return np.full(count, 1 / count)
    weights = share(prior, "the prior")
    if weights.size != count:
        raise UnmetNeed(
            name=who,
            value=weights.size,
            expected=f"a prior for each of {count} {of}",
            got=f"{weights.size} weights",
        )
    return weights
