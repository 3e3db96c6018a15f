"""The certificate of a convex program: a lower bound by tangents, and weights that come near it.

The solver is not trusted. Its multipliers only choose a slope for every function, whose tangent
lies below the function whatever the slope is; the sum of the tangents at its lowest vertex is a
lower bound (Fenchel duality).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array
from reweightviz.numerics._cone_table import Solution
from reweightviz.numerics._statement import Objective, Statement
from reweightviz.numerics.linear_constraints import interior

__all__ = [
    "LARGEST_GAP",
    "NEAR",
    "Optimum",
    "candidates",
    "certify",
    "lower_bound",
    "measure",
    "vertex",
]


LARGEST_GAP = 1e-6
"""An answer that may lie above the minimum by a larger share of the objective is not given."""
NEAR = 1e-6
"""A weight this near to a bound that holds it is put on the bound."""


class Optimum(NamedTuple):
    """A minimum ``x`` (K,), its ``value``, and the proof: none is below ``value - gap``.

    ``excess`` is the most by which a limit is missed.
    """

    x: Array
    value: float
    gap: float
    excess: float = 0.0


def lower_bound(
    statement: Statement, solution: Solution, objective: Objective
) -> tuple[float, Array]:
    """Return a lower bound of the objective: functions are replaced by tangents, last first.

    Also the weights (K,) at which the tangents touch, NaN where no function is of one weight
    alone.
    """
    free = statement.free
    line = objective.cost
    touched = np.full(len(free), np.nan)
    if objective.worst is not None:
        # A maximum is at or above every mean of its terms.
        shares = np.maximum(solution.worst, 0.0)
        line = line + (shares / max(shares.sum(), 1e-300))[None] @ objective.worst
    for multipliers, kept in zip(solution.kept, statement.kept, strict=True):
        # What is kept at 0 or above can only lower the line, as a Lagrangian does.
        line = line + -(np.maximum(multipliers, 0.0)[None] @ kept)
    # A function's argument may hold earlier functions, which its tangent brings into the line.
    for block in range(len(statement.functions), 0, -1):
        function = statement.functions[block - 1]
        slope = solution.slopes[block - 1]
        weight = np.ravel(line.blocks.get(block, 0.0))
        if function.concave:
            weight = -weight
        if not (weight >= 0).all():
            return -np.inf, touched  # no tangent lies below a convex function counted negatively
        counted = weight > 0
        weight = np.where(counted, weight, 1.0)
        slope = np.where(counted, np.clip(slope, *function.slopes), 0.0)
        with np.errstate(all="ignore"):
            intercepts = function.intercepts(weight, slope)
            domains = statement.domains[block - 1]
            if domains is not None:
                touched[domains[counted]] = function.touching(weight, slope)[counted]
        line = line + slope[None] @ function.r + intercepts[counted].sum()
    slopes = np.ravel(line.blocks.get(0, np.zeros((1, int(free.sum())))))
    total = 1 - statement.low[~free].sum()
    lowest = vertex(slopes, statement.low[free], statement.high[free], total)
    return float(line.offset[0] + slopes @ lowest), touched


def candidates(statement: Statement, solution: Solution, touched: Array) -> Iterator[Array]:
    """Yield weights that meet the bounds and sum to 1; later ones are usually better.

    First those that the solver found, then the same with each weight that a bound holds put on it,
    then those where the tangents touch. The last are the most exact: near the minimum the value is
    flat in the weights, and the multipliers are not.
    """
    low = statement.low
    high = statement.high
    x = np.clip(solution.x, low, high)
    # A multiplier above the room to the bound means that the bound holds the weight.
    at_floor = (x - low < NEAR) & (solution.floors > x - low)
    at_cap = (high - x < NEAR) & (solution.caps > high - x)
    snapped = np.where(at_cap, high, np.where(at_floor, low, x))
    exact = np.where(at_floor | at_cap | np.isnan(touched), snapped, touched)
    for each in (x, snapped, exact):
        # The weight with the most room takes what is missing of the sum.
        full = each.copy()
        full[np.argmax(np.minimum(each - low, high - each))] += 1 - each.sum()
        if ((full >= low) & (full <= high)).all():
            yield full


def measure(statement: Statement, x: Array, objective: Objective, bound: float) -> Optimum:
    """Return weights, their value, its distance to the bound, and how far limits are missed."""
    variables = statement.variables(x)
    value = objective.value(variables)
    missed = [-each.at(variables) for each in statement.kept]
    excess = float(np.concatenate([*missed, np.zeros(1)]).max())
    return Optimum(x, value, max(value - bound, 0.0), excess)


def certify(statement: Statement, found: Optimum | None, missed: float) -> Optimum:
    """Return an optimum that is proven.

    Raises:
        ReweightvizError: no weights meet the limits, or the gap or the excess is too large.
    """
    if found is not None and missed <= LARGEST_GAP and found.excess <= LARGEST_GAP:
        return found
    limits = statement.limits
    if limits is not None and len(limits.most):
        # A program without room and one that is merely hard may both end without a proof; a linear
        # program separates the two.
        _, room = interior(limits, statement.low, statement.high)
        if room < -LARGEST_GAP:
            raise ReweightvizError(
                "no weights meet every limit: some limit is missed by at least "
                f"{-room:.2g} of its span."
            )
    if found is None and not any(len(each.offset) for each in statement.kept):
        raise ReweightvizError(
            "the optimiser found no weights: some predicted losses are too large for it; "
            "bounds that leave those out make the problem better posed."
        )
    if found is None:
        raise ReweightvizError("no weights meet every limit.")
    if found.excess > LARGEST_GAP:
        raise ReweightvizError(
            f"no weights meet every limit: the nearest found miss one by {found.excess:.2g}."
        )
    raise ReweightvizError(
        f"the optimiser stopped up to {missed:.2g} of the objective above the minimum; "
        "a larger kl or wider bounds make the problem better posed."
    )


def vertex(slopes: Array, low: Array, high: Array, total: float = 1.0) -> Array:
    """Return where ``slopes . x`` is least: filled up to the caps, lowest slope first.

    >>> vertex(np.array([2.0, 1.0, 3.0]), np.zeros(3), np.array([1.0, 0.75, 1.0])).tolist()
    [0.25, 0.75, 0.0]
    """
    x = low.copy()
    rest = total - low.sum()
    for i in np.argsort(slopes, kind="stable"):
        added = min(high[i] - low[i], rest)
        x[i] += added
        rest -= added
    return x
