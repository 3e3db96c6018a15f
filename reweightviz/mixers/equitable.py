"""Equitable allocation: the data of each group, within a budget, for the lowest mean or worst loss.

William Cai, Ro Encarnacion, Bobbie Chern, Sam Corbett-Davies, Miranda Bogen, Stevie Bergman and
Sharad Goel, "Adaptive Sampling Strategies to Construct Equitable Training Datasets", FAccT 2023,
https://arxiv.org/abs/2202.01327. Seen: the abstract, by which a function of the groups' losses is
optimised under a budget, from estimated learning curves and the costs of the groups, in rounds
where the curves are not known. Ours: the curve with a floor, the two roots in
``numerics/allocation.py``, and that exploring is an even share of the budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnknownName, UnmetNeed, warn
from reweightviz.core.types import Array
from reweightviz.mixers._amounts import fill_with_ones
from reweightviz.mixers._fixed import Fixed
from reweightviz.mixers._hyperparameters import check_fields, read_budget
from reweightviz.mixers._prior import check_prior
from reweightviz.numerics.allocation import fit_learning_curves, spread_for_mean, spread_for_worst

__all__ = ["OBJECTIVES", "EquitableAllocation", "State"]


OBJECTIVES = ("mean", "worst")


class State(NamedTuple):
    """The weights, the tokens bought, the fitted curves and the losses predicted, (K,) each."""

    weights: Array
    sizes: Array
    floor: Array
    scale: Array
    exponent: Array
    losses: Array


@dataclass(frozen=True)
class EquitableAllocation(Fixed):
    """The budget where it lowers losses most, by curves ``floor + scale * tokens ** -exponent``.

    Measure each domain's loss at three sizes or more, and solve again when more is measured: the
    rounds of the paper. The weights are the shares of the tokens, the budget is in the unit of
    ``cost``. A domain whose loss does not fall gets its part of ``explore`` alone; when none
    falls, all get the same money, with a :class:`ReweightvizWarning`. A curve that is fitted to
    few sizes holds little beyond them.

    Args:
        budget: what all tokens together may cost; text such as "3B" will do. Without ``cost`` it
            is a number of tokens.
        objective: "mean" for the lowest mean loss, weighted by ``prior``; "worst" for the lowest
            largest loss, in which ``prior`` plays no part.
        explore: share of the budget that is spent evenly on all domains, so that the next round
            can measure them.

    Example:
        >>> mixer = EquitableAllocation(budget=900)
        >>> sizes = [[100, 100], [200, 200], [400, 400]]
        >>> state = mixer.init(sizes=sizes, size_losses=[[1 / n, 4 / m] for n, m in sizes])
        >>> state.sizes.round(3).tolist(), mixer.result(state).round(6).tolist()
        ([300.0, 600.0], [0.333333, 0.666667])
    """

    budget: float
    objective: str = "mean"
    explore: float = 0.0

    paper: ClassVar[str] = "https://arxiv.org/abs/2202.01327"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise UnknownName(
                kind="objective of EquitableAllocation", name=self.objective, known=OBJECTIVES
            )
        read_budget(self)
        check_fields(self)
        if not 0 <= self.explore <= 1:
            raise UnmetNeed(
                name="EquitableAllocation",
                value=self.explore,
                expected="explore between 0 and 1",
            )

    def init(
        self,
        *,
        sizes: ArrayLike,
        size_losses: ArrayLike,
        cost: ArrayLike | None = None,
        prior: ArrayLike | None = None,
    ) -> State:
        """Fit the curves and spend the budget.

        Args:
            sizes: (S, K) tokens of each domain that a model was trained on, above 0; NaN for what
                was not measured.
            size_losses: (S, K) the domain's loss then, nats per token, above 0.
            cost: (K,) of a token; 1 when not given.
            prior: (K,) what each loss counts in the mean; uniform when not given. A loss with 0
                counts nothing, and its domain gets its part of ``explore`` alone.
        """
        n, loss = _check_measurements(sizes, size_losses)
        domains = n.shape[1]
        price = fill_with_ones(cost, "the cost", domains)
        importance = check_prior(prior, domains, "EquitableAllocation")
        curves = fit_learning_curves(n, loss)
        # Even in money, not in tokens: the budget is spent, and a dear domain gets fewer tokens.
        least = self.explore * self.budget / domains / price
        if self.objective == "mean":
            falls = curves.scale * importance > 0
            bought = spread_for_mean(curves, importance, price, self.budget, least)
        else:
            falls = curves.scale > 0
            bought = spread_for_worst(curves, price, self.budget, least)
        if not falls.any():
            warn(
                "EquitableAllocation: no loss that counts falls with more tokens, so "
                "every domain gets the same money; measure larger sizes."
            )
        with np.errstate(divide="ignore"):  # a flat curve may have bought nothing
            predicted = np.where(curves.scale > 0, curves.at(bought), curves.floor)
        return State(bought / bought.sum(), bought, *curves, predicted)


def _check_measurements(sizes: ArrayLike, losses: ArrayLike) -> tuple[Array, Array]:
    n = np.asarray(sizes, np.float64)
    loss = np.asarray(losses, np.float64)
    in_shape = n.ndim == 2 and n.size > 0 and n.shape == loss.shape
    if not in_shape or (n <= 0).any() or (loss <= 0).any() or np.isinf([n, loss]).any():
        raise UnmetNeed(
            name="EquitableAllocation",
            value=(n.shape, loss.shape),
            expected="sizes and size_losses (S, K), one of each a measurement, above 0, "
            "finite or NaN",
            got=f"shapes {n.shape} and {loss.shape}",
        )
    return n, loss
