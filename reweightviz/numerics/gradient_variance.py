"""Drawing a domain more often or weighing its loss more: same mean gradient, other variance.

A domain drawn with probability s_i whose loss counts p_i / s_i gives a gradient whose mean is that
of the target p, whatever s. One example's variance around it is

    sum_i p_i^2 / s_i E|g_i|^2  -  |sum_i p_i E g_i|^2

which is smallest for s_i proportional to p_i sqrt(E|g_i|^2): importance sampling, as Tianjian Li
et al., "Upsample or Upweight? Balanced Training on Heavily Imbalanced Datasets", NAACL 2025,
https://arxiv.org/abs/2410.04579, apply it to domains. With gradients of one length the best
sampler is the target itself: upsampling rather than upweighting.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.types import Array
from reweightviz.numerics.simplex import share

__all__ = ["gradient_variance", "least_variance_sampling"]


def gradient_variance(
    target: ArrayLike, sampling: ArrayLike, squared_norms: ArrayLike, mean_squared_norm: float = 0.0
) -> float:
    """Return the variance of one example's gradient, summed over the parameters.

    A batch of B has 1 / B of it.

    Args:
        target: p (K,), the mixture whose loss is minimised.
        sampling: s (K,), the mixture that draws; the loss of domain i counts p_i / s_i.
        squared_norms: (K,) mean squared length of one example's gradient in each domain.
        mean_squared_norm: squared length of the mean gradient under the target. It is the same for
            every sampler, so without it differences are still right.

    Raises:
        ReweightvizError: a domain of the target is never drawn, so no weight of its loss makes up
            for it.

    Example:
        >>> even, uneven = [0.5, 0.5], [0.9, 0.1]
        >>> gradient_variance(even, even, [1, 1]), gradient_variance(even, uneven, [1, 1])
        (1.0, 2.7777777777777777)
    """
    p = share(target, "the target")
    s = share(sampling, "the sampling")
    norms = _check_norms(squared_norms)
    if not p.size == s.size == norms.size:
        raise ReweightvizError(
            "target, sampling and squared_norms must have one number a domain; "
            f"got {p.size}, {s.size} and {norms.size}."
        )
    wanted = p > 0
    if (s[wanted] == 0).any():
        raise ReweightvizError(
            f"domain {int(np.argmax(wanted & (s == 0)))} has a weight in the target and "
            "is never drawn: give it a share of the sampling."
        )
    return float((p[wanted] ** 2 / s[wanted] * norms[wanted]).sum() - mean_squared_norm)


def least_variance_sampling(target: ArrayLike, squared_norms: ArrayLike) -> Array:
    """Return the sampler (K,) of the lowest :func:`gradient_variance`.

    It is proportional to ``target * sqrt(squared_norms)``.

    >>> least_variance_sampling([0.5, 0.5], [1, 9]).tolist()
    [0.25, 0.75]
    """
    p = share(target, "the target")
    norms = _check_norms(squared_norms)
    if p.size != norms.size:
        raise ReweightvizError(
            f"target and squared_norms must have one number a domain; got {p.size} and "
            f"{norms.size}."
        )
    longest = norms[p > 0].max()
    if longest == 0:
        return p
    drawn = p * np.sqrt(norms / longest)
    return np.asarray(drawn / drawn.sum(), np.float64)


def _check_norms(norms: ArrayLike) -> Array:
    values = np.asarray(norms, np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all() or (values < 0).any():
        raise InvalidValue(name="squared_norms", value=values, expected="(K,) finite numbers >= 0")
    return values
