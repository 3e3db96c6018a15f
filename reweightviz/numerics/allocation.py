"""Spread a budget over groups whose loss falls with their own data.

    L_g(n) = floor_g + scale_g n ** -exponent_g,    sum_g cost_g n_g <= budget,    n_g >= least_g

Lowest weighted mean loss: the marginal gain of a coin is the same in every group, so

    n_g = (w_g scale_g exponent_g / (price cost_g)) ** (1 / (1 + exponent_g))

with the one price at which the budget is spent (the KKT conditions). Lowest worst loss: the one
level to which every group comes, n_g = (scale_g / (level - floor_g)) ** (1 / exponent_g). Both are
one root in one dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array
from reweightviz.numerics.power_laws import fit_power_laws

__all__ = ["MOST", "LearningCurves", "fit_learning_curves", "spread_for_mean", "spread_for_worst"]


MOST = 700.0
"""Logarithms of the price and the level are looked for between this and its negative."""


class LearningCurves(NamedTuple):
    """K curves ``floor + scale * n ** -exponent``, (K,) each."""

    floor: Array
    scale: Array
    exponent: Array

    def at(self, sizes: Array) -> Array:
        """Return losses (K,) at sizes (K,) or (n, K)."""
        return np.asarray(self.floor + self.scale * sizes**-self.exponent, np.float64)


def fit_learning_curves(sizes: Array, losses: Array) -> LearningCurves:
    """Fit a curve to each column by least squares, with an exponent of its own.

    NaN stands for what was not measured.

    Args:
        sizes: (S, K) above 0.
        losses: (S, K) above 0.

    Raises:
        ReweightvizError: a column with fewer than three different sizes.
    """
    found = []
    for group, (n, loss) in enumerate(zip(sizes.T, losses.T, strict=True)):
        measured = np.isfinite(n) & np.isfinite(loss)
        if np.unique(n[measured]).size < 3:
            raise ReweightvizError(
                "a learning curve needs losses at three different sizes or more; "
                f"domain {group} has {np.unique(n[measured]).size}."
            )
        one_group = np.zeros(int(measured.sum()), np.int64)
        law = fit_power_laws(n[measured], loss[measured][:, None], one_group)
        found.append((law.floor[0, 0], law.scale[0, 0] * law.unit**law.exponent, law.exponent))
    return LearningCurves(*np.array(found, np.float64).T)


def spread_for_mean(
    curves: LearningCurves, importance: Array, cost: Array, budget: float, least: Array
) -> Array:
    """Return the sizes (K,) with the lowest ``importance @ losses``.

    >>> curves = LearningCurves(np.zeros(2), np.array([1.0, 4.0]), np.ones(2))
    >>> spread_for_mean(curves, np.ones(2), np.ones(2), 9.0, np.zeros(2)).round(9).tolist()
    [3.0, 6.0]
    """
    gain = _log(importance * curves.scale * curves.exponent / cost)
    return _spend(lambda log_price: (gain - log_price) / (1 + curves.exponent), cost, budget, least)


def spread_for_worst(curves: LearningCurves, cost: Array, budget: float, least: Array) -> Array:
    """Return the sizes (K,) with the lowest largest loss.

    What cannot lower it is spread in proportion.

    >>> curves = LearningCurves(np.zeros(2), np.array([1.0, 4.0]), np.ones(2))
    >>> spread_for_worst(curves, np.ones(2), 10.0, np.zeros(2)).round(9).tolist()
    [2.0, 8.0]
    """
    scale = _log(curves.scale)
    learns = curves.scale > 0
    # The common level cannot fall below the highest floor: it is searched as a distance above it.
    below = np.where(learns, curves.floor[learns].max(initial=0.0) - curves.floor, 1.0)
    return _spend(
        lambda log_level: (scale - _log(below + np.exp(log_level))) / curves.exponent,
        cost,
        budget,
        least,
    )


def _spend(log_sizes: Callable[[float], Array], cost: Array, budget: float, least: Array) -> Array:
    """Return the sizes that cost just the budget.

    Their logarithms fall as the argument grows; -inf where nothing is learnt.
    """
    if not cost @ least < budget * (1 - 1e-12):
        return least
    all_of_it = np.log(budget) - np.log(cost)
    if np.isneginf(log_sizes(0.0)).all():
        return np.asarray(
            least + np.exp(all_of_it) * (1 - cost @ least / budget) / cost.size, np.float64
        )

    def sizes(x: float) -> Array:
        # A group for more than the whole budget is out of question, and might overflow.
        affordable = np.minimum(log_sizes(x), all_of_it + 1)
        return np.asarray(np.maximum(least, np.exp(affordable)), np.float64)

    def over(x: float) -> float:
        return float(np.log(max(float(cost @ sizes(x)), 1e-300) / budget))

    argument = -MOST
    if over(-MOST) > 0:
        argument = brentq(over, -MOST, MOST, xtol=1e-13)
    # What the root leaves over goes in proportion, as does a budget that no argument spends.
    above = sizes(argument) - least
    return np.asarray(least + above * ((budget - cost @ least) / (cost @ above)), np.float64)


def _log(values: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(values), np.float64)
