"""The lowest sum of exponentials on the simplex, under caps, linear limits and a pull towards a prior.

    minimise    sum_m s_m exp(A_m . x)  +  max_j (a_j + S_j . exp(A x))  +  kl * KL(x || q)
    subject to  sum x = 1,  lower <= x <= upper,  R x <= h,  a_j + S_j . exp(A x) <= 0 for the other rows j

A dense primal-dual interior-point method (Boyd and Vandenberghe, Convex Optimization, 2004, section 11.7,
https://web.stanford.edu/~boyd/cvxbook/), for some tens of domains: about twenty steps of one small solve. The
bounds hold throughout; limits and ceilings have slacks of their own, so no feasible start is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

from reweightviz.core.errors import ReweightvizError, listed
from reweightviz.numerics.interior_point import Box, Ceilings, Problem, descended, snapped, vertex
from reweightviz.numerics.linear_constraints import Limits, interior
from reweightviz.numerics.simplex import share

Array = NDArray[np.float64]
SLACK = 1e-12
CHECKED = 1e-6
"""An answer that may lie above the minimum by a larger share of the objective than this is not given."""
OUT_OF_REACH = 2.0
"""Stands for an upper bound of 1, which sum x = 1 already implies and which would only be degenerate."""
_vertex = vertex


class Optimum(NamedTuple):
    """Where the minimum is: ``x`` (K,), its ``value``, and the proof: the minimum is at least ``value - gap``.

    The gap is that of Frank and Wolfe: how far the tangent of the Lagrangian at ``x`` falls within the bounds. It
    is 0 exactly when the Karush-Kuhn-Tucker conditions hold. ``excess`` is the most by which a limit is missed.
    """

    x: Array
    value: float
    gap: float
    excess: float = 0.0


def minimise_exponentials(rates: Array, shares: Array, *, kl: float = 0.0, prior: ArrayLike | None = None,
                          lower: ArrayLike | None = None, upper: ArrayLike | None = None,
                          names: Sequence[str] | None = None, limits: Limits | None = None,
                          ceilings: Ceilings | None = None) -> Optimum:
    """Minimise ``sum_m s_m exp(A_m . x) + kl * KL(x || q)`` over the simplex within bounds.

    Args:
        rates: A (M, K).
        shares: s (M,), >= 0.
        kl: strength of the pull towards the prior, in the unit of the objective.
        prior: q (K,), sums to 1; uniform when not given. A domain with q = 0 gets 0 when kl > 0.
        lower: (K,) floors, 0 when not given.
        upper: (K,) caps, 1 when not given.
        names: of the domains, for the error sentences.
        limits: linear inequalities, such as a cap on the sum over a group.
        ceilings: sums of exponentials that must stay at most 0, or whose maximum is minimised too.

    Raises:
        ReweightvizError: no x meets the bounds, or the optimum could not be certified.

    Example:
        >>> minimise_exponentials(np.array([[-1.0, -3.0]]), np.ones(1), upper=[1, 0.75]).x.tolist()
        [0.25, 0.75]
    """
    rates, shares = np.atleast_2d(np.asarray(rates, np.float64)), np.asarray(shares, np.float64)
    domains = rates.shape[1]
    if shares.shape != rates.shape[:1] or not np.isfinite(shares).all() or (shares < 0).any():
        raise ReweightvizError(f"shares must be {rates.shape[0]} finite numbers >= 0, one a target; got {shares}.")
    ceilings = ceilings or Ceilings(np.empty((0, len(rates))), np.empty(0), np.empty(0, bool))
    if not shares.any() and not kl and not ceilings.worst.any():
        raise ReweightvizError("there is nothing to minimise: all shares are 0 and so is kl.")
    if not np.isfinite(rates).all() or not np.isfinite(kl) or kl < 0:
        raise ReweightvizError(f"rates must be finite and kl a finite number >= 0; kl is {kl}.")
    prior = np.full(domains, 1 / domains) if prior is None else share(prior, "the prior")
    if prior.size != domains:
        raise ReweightvizError(f"the prior has {prior.size} weights; there are {domains} domains.")
    low, high = _bounds(domains, lower, upper, prior if kl > 0 else None, names)
    counts = (shares > 0) | (ceilings.shares > 0).any(0)
    ceilings = ceilings._replace(shares=ceilings.shares[:, counts])
    problem = Problem(rates[counts], shares[counts], kl, prior, (limits or Limits(np.empty((0, domains)), np.empty(0))).scaled, ceilings)
    if high.sum() <= 1 + SLACK or low.sum() >= 1 - SLACK:
        x = high if high.sum() <= 1 + SLACK else low
        return _finished(problem, x / x.sum(), 0.0)
    if kl == 0 and len(problem.rates) <= 1 and not len(ceilings.offset):
        return _vertex_of(problem, low, high)
    return _solved(problem, low, high)


def _bounds(domains: int, lower: ArrayLike | None, upper: ArrayLike | None, prior: Array | None,
            names: Sequence[str] | None) -> tuple[Array, Array]:
    """Bounds (K,) that leave room for some x; a prior of 0 caps its domain at 0."""
    low = np.broadcast_to(np.asarray(0.0 if lower is None else lower, np.float64), (domains,))
    high = np.broadcast_to(np.asarray(1.0 if upper is None else upper, np.float64), (domains,))
    labels = np.array(names if names is not None else [f"domain {i}" for i in range(domains)], object)
    if np.isnan(low).any() or np.isnan(high).any():
        bad = np.isnan(low) | np.isnan(high)
        raise ReweightvizError(f"bounds must be numbers; that of {listed(labels[bad])} is NaN.")
    low, high = np.maximum(low, 0.0), np.minimum(high, 1.0)
    if prior is not None:
        if ((prior == 0) & (low > 0)).any():
            raise ReweightvizError("a domain with prior 0 stays at 0 under a KL penalty, but the lower bound of "
                                   f"{listed(labels[(prior == 0) & (low > 0)])} is above 0.")
        high = np.where(prior == 0, 0.0, high)
    if (low > high).any():
        bad = low > high
        raise ReweightvizError(f"the lower bound is above the upper bound (cap) for {listed(labels[bad])}: "
                               f"{low[bad][0]:.4g} > {high[bad][0]:.4g}.")
    if high.sum() < 1 - SLACK:
        raise ReweightvizError(f"the upper bounds (caps) sum to {high.sum():.4g}, so no weights can sum to 1: "
                               "allow more epochs, fewer tokens, or add domains.")
    if low.sum() > 1 + SLACK:
        raise ReweightvizError(f"the lower bounds sum to {low.sum():.4g}, more than 1: lower some of them.")
    return low, high


def _finished(problem: Problem, x: Array, gap: float) -> Optimum:
    excess = problem.excess(x)
    if excess > CHECKED:
        raise ReweightvizError(f"no weights meet every limit: the nearest found miss one by {excess:.2g}.")
    return Optimum(x, problem.value(x), gap, excess)


def _vertex_of(problem: Problem, low: Array, high: Array) -> Optimum:
    slopes = problem.rates.sum(0)
    if not len(problem.limits.most):
        x = vertex(slopes, low, high)
        return Optimum(x, problem.value(x), 0.0)
    found = linprog(slopes / max(np.abs(slopes).max(), 1e-300), A_ub=problem.limits.rows, b_ub=problem.limits.most,
                    A_eq=np.ones((1, len(slopes))), b_eq=[1.0], bounds=np.column_stack([low, high]), method="highs-ds")
    if found.x is None:
        raise ReweightvizError("no weights meet every limit.")
    x = np.clip(found.x, low, high)
    return _finished(problem, x / x.sum(), 0.0)


def _solved(problem: Problem, low: Array, high: Array) -> Optimum:
    """Interior point from the middle of the box, or else from the middle of the limits; checked at the end."""
    free = high - low > SLACK
    top = np.where(high[free] >= 1, OUT_OF_REACH, high[free])
    box = Box(problem, free, low[free], top)
    x = low.copy()
    x[free] += (top - low[free]) * (1 - low.sum()) / (top - low[free]).sum()
    best, missed = descended(box, x)
    if missed > CHECKED and len(problem.limits.most):
        middle, room = interior(problem.limits, low, high)
        if room < -CHECKED:
            raise ReweightvizError(f"no weights meet every limit: some limit is missed by at least {-room:.2g} of its span.")
        x[free] = np.clip(middle, low + SLACK, high - SLACK)[free]
        best, missed = descended(box, x / x.sum())
    if missed > CHECKED and problem.excess(best.x) < missed:
        raise ReweightvizError(f"the optimiser stopped up to {missed:.2g} of the objective above the minimum; "
                               "a larger kl or wider bounds make the problem better posed.")
    x = snapped(best, box)
    return _finished(problem, x, box.gap(best._replace(x=x)) * problem.size(x))
