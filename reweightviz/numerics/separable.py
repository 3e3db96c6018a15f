"""The lowest sum of negative powers, one set a domain, on the simplex with bounds and a pull towards a prior.

    minimise  sum_i sum_t F_it x_i ** -a_it + kl * KL(x || q)   subject to  sum x = 1,  lower <= x <= upper

The domains meet only in ``sum x = 1``: for one number, the price of weight, each domain's weight follows by itself, and
the price is the root of one falling function. With one power a domain and no prior the weight at price p is
``(a F / p) ** (1 / (1 + a))``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from reweightviz.core.errors import InvalidValue
from reweightviz.numerics.convex import Optimum, _bounds
from reweightviz.numerics.simplex import share

Array = NDArray[np.float64]
TINY = 1e-150
"""The least weight that is looked at where a power has no lower bound to stop it."""


def minimise_powers(factors: Array, exponents: Array, *, kl: float = 0.0, prior: ArrayLike | None = None,
                    lower: ArrayLike | None = None, upper: ArrayLike | None = None, names: Sequence[str] | None = None) -> Optimum:
    """Minimise ``sum_it F_it x_i ** -a_it + kl * KL(x || q)`` over the simplex within bounds.

    A domain that is held at 0 by its bounds or by a prior of 0 is left out of the sum, where it would be infinite.

    Args:
        factors: F (K, T), >= 0.
        exponents: a (K, T), >= 0.
        kl: strength of the pull towards the prior, in the unit of the objective.
        prior: q (K,), sums to 1; uniform when not given. A domain with q = 0 gets 0 when kl > 0.
        lower: (K,) floors, 0 when not given.
        upper: (K,) caps, 1 when not given.
        names: of the domains, for the error sentences.

    Returns:
        The optimum and its gap: the minimum is at least ``value - gap``.

    Raises:
        ReweightvizError: no x meets the bounds.

    Example:
        >>> minimise_powers(np.array([[1.0], [4.0]]), np.ones((2, 1))).x.round(6).tolist()
        [0.333333, 0.666667]
    """
    factors, exponents = np.asarray(factors, np.float64), np.asarray(exponents, np.float64)
    if factors.shape != exponents.shape or factors.ndim != 2 or (factors < 0).any() or (exponents < 0).any():
        raise InvalidValue(
            name="factors and exponents",
            value=(factors.shape, exponents.shape),
            expected="(K, T) numbers >= 0",
            got=f"{factors.shape} and {exponents.shape}",
        )
    count = len(factors)
    pull = np.full(count, 1 / count) if prior is None else share(prior, "the prior")
    low, high = _bounds(count, lower, upper, pull if kl > 0 else None, names)
    free = high > low
    x = low.copy()
    if free.any():
        x[free] = _filled(factors[free], exponents[free], kl, pull[free], low[free], high[free], 1 - low[~free].sum())
    slope = np.zeros(count)
    inside = x > 0
    slope[inside] = -_price(x[inside], factors[inside], exponents[inside], kl, pull[inside])
    kept = np.where(inside, factors.T, 0.0).T
    value = float((kept * np.where(inside, x, 1.0)[:, None] ** -exponents).sum())
    value += kl * float((x[inside] * np.log(x[inside] / pull[inside])).sum()) if kl else 0.0
    return Optimum(x, value, _gap(slope[free], x[free], low[free], high[free]))


def _price(x: Array, factors: Array, exponents: Array, kl: float, prior: Array) -> Array:
    """What a little more weight is worth to each domain, (K,): falls with x."""
    steep = exponents * factors
    with np.errstate(over="ignore", invalid="ignore"):
        worth = np.where(steep > 0, steep * x[:, None] ** (-exponents - 1), 0.0).sum(1)
    return np.asarray(worth - (kl * (np.log(x / prior) + 1) if kl else 0.0), np.float64)


def _filled(factors: Array, exponents: Array, kl: float, prior: Array, low: Array, high: Array, total: float) -> Array:
    """Weights within the bounds that sum to ``total``, each at its bound or all at one price."""
    least = np.log(np.maximum(low, TINY))
    most = np.log(high)

    def at(price: float) -> Array:
        below, above = least.copy(), most.copy()
        for _ in range(70):
            middle = (below + above) / 2
            dear = _price(np.exp(middle), factors, exponents, kl, prior) > price
            below, above = np.where(dear, middle, below), np.where(dear, above, middle)
        x = np.exp((below + above) / 2)
        return np.clip(np.where(below == least, low, np.where(above == most, high, x)), low, high)

    edges = np.concatenate([_price(np.exp(where), factors, exponents, kl, prior) for where in (least, most)])
    floor, ceiling = float(edges.min()) - 1.0, float(min(edges.max(), 1e300)) + 1.0
    x = at(_root(lambda price: float(at(price).sum()) - total, floor, ceiling))
    roomy = int(np.argmax(np.minimum(x - low, high - x)))
    x[roomy] += total - x.sum()
    return np.asarray(np.clip(x, low, high), np.float64)


def _root(surplus: Callable[[float], float], floor: float, ceiling: float) -> float:
    """Where a falling function is 0, looked for on a scale that bends with the size of the price."""
    if surplus(floor) <= 0:
        return floor
    return float(np.sinh(brentq(lambda bent: surplus(float(np.sinh(bent))), np.arcsinh(floor), np.arcsinh(ceiling), xtol=1e-13)))


def _gap(slope: Array, x: Array, low: Array, high: Array) -> float:
    """How far the tangent at x falls within the bounds."""
    best, rest = low.copy(), float(x.sum() - low.sum())
    for i in np.argsort(slope, kind="stable"):
        added = min(high[i] - low[i], rest)
        best[i] += added
        rest -= added
    return max(float(slope @ (x - best)), 0.0)
