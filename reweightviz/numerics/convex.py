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
from reweightviz.numerics.linear_constraints import Limits, interior
from reweightviz.numerics.simplex import share

Array = NDArray[np.float64]
SLACK = 1e-12
CHECKED = 1e-6
"""An answer that may lie above the minimum by a larger share of the objective than this is not given."""
OUT_OF_REACH = 2.0
"""Stands for an upper bound of 1, which sum x = 1 already implies and which would only be degenerate."""


class Optimum(NamedTuple):
    """Where the minimum is: ``x`` (K,), its ``value``, and the proof: the minimum is at least ``value - gap``.

    The gap is that of Frank and Wolfe: how far the tangent of the Lagrangian at ``x`` falls within the bounds. It
    is 0 exactly when the Karush-Kuhn-Tucker conditions hold. ``excess`` is the most by which a limit is missed.
    """

    x: Array
    value: float
    gap: float
    excess: float = 0.0


class Ceilings(NamedTuple):
    """``offset (J,) + shares (J, M) . exp(A x)``: at most 0, or, where ``worst`` (J,), its maximum joins the objective."""

    shares: Array
    offset: Array
    worst: NDArray[np.bool_]


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
    problem = _Problem(rates[counts], shares[counts], kl, prior, (limits or Limits(np.empty((0, domains)), np.empty(0))).scaled, ceilings)
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


def _vertex(slopes: Array, low: Array, high: Array, total: float = 1.0) -> Array:
    """Minimum of ``slopes . x``, and of its exponential: fill up to the caps, lowest slope first."""
    x, rest = low.copy(), total - low.sum()
    for i in np.argsort(slopes, kind="stable"):
        x[i] += (added := min(high[i] - low[i], rest))
        rest -= added
    return x


class _Problem(NamedTuple):
    rates: Array
    shares: Array
    kl: float
    prior: Array
    limits: Limits
    ceilings: Ceilings

    def heights(self, x: Array) -> Array:
        return np.asarray(np.exp(self.rates @ x), np.float64)

    def value(self, x: Array) -> float:
        some, worst = x > 0, self.ceilings.worst
        pull = self.kl * float((x[some] * np.log(x[some] / self.prior[some])).sum()) if self.kl else 0.0
        top = float(self.over_zero(x)[worst].max()) if worst.any() else 0.0
        return float(self.shares @ self.heights(x)) + top + pull

    def over_zero(self, x: Array) -> Array:
        """The ceilings' left sides (J,)."""
        return np.asarray(self.ceilings.offset + self.ceilings.shares @ self.heights(x), np.float64)

    def size(self, x: Array) -> float:
        """What a residual is compared with: the terms of the objective, which all are >= 0."""
        heights, worst = self.heights(x), self.ceilings.worst
        top = (self.ceilings.shares[worst] @ heights).max(initial=0.0)
        return float(self.shares @ heights + top) + self.kl

    def excess(self, x: Array) -> float:
        """The most by which a limit or a ceiling is missed, limits in units of their rows' span."""
        over = np.concatenate([self.limits.rows @ x - self.limits.most, self.over_zero(x)[~self.ceilings.worst]])
        return float(over.max(initial=0.0))

    def slope(self, x: Array, free: NDArray[np.bool_], weight: Array) -> Array:
        """Of ``weight . exp(A x)`` and the pull."""
        slope = (weight * self.heights(x)) @ self.rates[:, free]
        return slope + self.kl * (np.log(x[free] / self.prior[free]) + 1) if self.kl else slope

    def curvature(self, x: Array, free: NDArray[np.bool_], weight: Array) -> Array:
        heights, rates = weight * self.heights(x), self.rates[:, free]
        return np.asarray((rates.T * heights) @ rates + np.diag(self.kl / x[free]))


class _Iterate(NamedTuple):
    """Weights x (K,), the largest ceiling, and the multipliers: of the sum, the bounds, the limits and ceilings (P + J,)."""

    x: Array
    top: float
    nu: float
    below: Array
    above: Array
    slack: Array
    held: Array


def _finished(problem: _Problem, x: Array, gap: float) -> Optimum:
    excess = problem.excess(x)
    if excess > CHECKED:
        raise ReweightvizError(f"no weights meet every limit: the nearest found miss one by {excess:.2g}.")
    return Optimum(x, problem.value(x), gap, excess)


def _vertex_of(problem: _Problem, low: Array, high: Array) -> Optimum:
    slopes = problem.rates.sum(0)
    if not len(problem.limits.most):
        x = _vertex(slopes, low, high)
        return Optimum(x, problem.value(x), 0.0)
    found = linprog(slopes / max(np.abs(slopes).max(), 1e-300), A_ub=problem.limits.rows, b_ub=problem.limits.most,
                    A_eq=np.ones((1, len(slopes))), b_eq=[1.0], bounds=np.column_stack([low, high]), method="highs-ds")
    if found.x is None:
        raise ReweightvizError("no weights meet every limit.")
    x = np.clip(found.x, low, high)
    return _finished(problem, x / x.sum(), 0.0)


def _solved(problem: _Problem, low: Array, high: Array) -> Optimum:
    """Interior point from the middle of the box, or else from the middle of the limits; checked at the end."""
    free = high - low > SLACK
    top = np.where(high[free] >= 1, OUT_OF_REACH, high[free])
    box = _Box(problem, free, low[free], top)
    x = low.copy()
    x[free] += (top - low[free]) * (1 - low.sum()) / (top - low[free]).sum()
    best, missed = _descended(box, x)
    if missed > CHECKED and len(problem.limits.most):
        middle, room = interior(problem.limits, low, high)
        if room < -CHECKED:
            raise ReweightvizError(f"no weights meet every limit: some limit is missed by at least {-room:.2g} of its span.")
        x[free] = np.clip(middle, low + SLACK, high - SLACK)[free]
        best, missed = _descended(box, x / x.sum())
    if missed > CHECKED and problem.excess(best.x) < missed:
        raise ReweightvizError(f"the optimiser stopped up to {missed:.2g} of the objective above the minimum; "
                               "a larger kl or wider bounds make the problem better posed.")
    x = _snapped(best, box)
    return _finished(problem, x, box.gap(best._replace(x=x)) * problem.size(x))


def _descended(box: _Box, x: Array) -> tuple[_Iterate, float]:
    """The best iterate from ``x``, and by how much of the objective, or of a limit, it may miss."""
    here = box.start(x)
    best, least = here, np.inf
    for _ in range(200):
        missed = max(box.gap(here), box.problem.excess(here.x))
        if missed < least:
            best, least = here, missed
        if missed < 1e-14:
            break
        moved = box.step(here)
        if moved is None:
            break
        here = moved
    return best, least


class _Box(NamedTuple):
    problem: _Problem
    free: NDArray[np.bool_]
    low: Array
    high: Array

    def start(self, x: Array) -> _Iterate:
        """Multipliers that share the objective among the constraints."""
        problem, worst = self.problem, self.problem.ceilings.worst
        size = problem.size(x)
        top = float(problem.over_zero(x)[worst].max(initial=0.0)) + (0.1 * size if worst.any() else 0.0)
        least = np.concatenate([np.full(len(problem.limits.most), 0.05), np.full(len(worst), 0.05 * size)])
        slack = np.maximum(np.abs(self.sides(x, top)), least)
        start = size / self.free.sum()
        held = start / slack
        held[len(problem.limits.most):][worst] = 1 / max(worst.sum(), 1)
        return _Iterate(x, top, 0.0, start / (x[self.free] - self.low), start / (self.high - x[self.free]), slack, held)

    def slacks(self, here: _Iterate) -> tuple[Array, Array]:
        return here.x[self.free] - self.low, self.high - here.x[self.free]

    def sides(self, x: Array, top: float) -> Array:
        """Left sides of limits and ceilings (P + J,), which should be at most 0."""
        problem = self.problem
        return np.concatenate([problem.limits.rows @ x - problem.limits.most, problem.over_zero(x) - top * problem.ceilings.worst])

    def weights(self, here: _Iterate) -> Array:
        """What every exponential counts in the Lagrangian: by the objective, and by the ceilings that hold it."""
        return np.asarray(self.problem.shares + here.held[len(self.problem.limits.most):] @ self.problem.ceilings.shares, np.float64)

    def slope(self, here: _Iterate) -> Array:
        """Of the Lagrangian without bounds and sum, over the free weights."""
        rows = self.problem.limits.rows[:, self.free]
        return self.problem.slope(here.x, self.free, self.weights(here)) + here.held[:len(rows)] @ rows

    def residuals(self, here: _Iterate, barrier: float, importance: Array) -> Array:
        """Stationarity, perturbed complementarity and what limits are missed by, stacked."""
        under, over = self.slacks(here)
        stationary = importance * (self.slope(here) - here.below + here.above + here.nu)
        parts = [stationary, here.below * under - barrier, here.above * over - barrier]
        if here.slack.size:
            worst = self.problem.ceilings.worst
            one = [1.0 - here.held[len(self.problem.limits.most):][worst].sum()] if worst.any() else []
            missed = self.sides(here.x, here.top) + here.slack
            parts += [here.held * here.slack - barrier, missed * self.problem.size(here.x), np.array(one)]
        return np.concatenate(parts)

    def gap(self, here: _Iterate) -> float:
        """How far above the minimum ``x`` can be, as a share of the objective."""
        x, worst, bound = here.x[self.free], self.problem.ceilings.worst, here
        if worst.any():
            held = here.held.copy()
            part = held[len(self.problem.limits.most):]
            part[worst] /= part[worst].sum()
            bound = here._replace(held=held)
        slope = self.slope(bound)
        lowest = _vertex(slope, self.low, np.minimum(self.high, 1.0), x.sum())
        # What the multipliers give away where a limit is not met with equality.
        loose = 0.0
        if here.slack.size:
            top = float(self.problem.over_zero(here.x)[worst].max()) if worst.any() else 0.0
            loose = -float(bound.held @ self.sides(here.x, top))
        return max(float(slope @ (x - lowest)) + loose, 0.0) / self.problem.size(here.x)

    def step(self, here: _Iterate) -> _Iterate | None:
        """One Newton step towards a tenth of the gap, shortened until the residuals shrink."""
        under, over = self.slacks(here)
        count, slack, held = under.size, here.slack, here.held
        pairs = float(here.below @ under + here.above @ over + held @ slack)
        barrier = pairs / (10 * (2 * count + slack.size))
        lifted = int(self.problem.ceilings.worst.any())
        jacobian = self.jacobian(here, lifted)
        missed = self.sides(here.x, here.top) + slack
        size = count + lifted
        system = np.zeros((size + 1, size + 1))
        system[:count, :count] = self.problem.curvature(here.x, self.free, self.weights(here))
        system[:count, :count] += np.diag(here.below / under + here.above / over)
        system[:size, :size] += (jacobian.T * (held / slack)) @ jacobian
        system[size, :count] = system[:count, size] = 1.0
        right = np.zeros(size + 1)
        right[:count] = self.problem.slope(here.x, self.free, self.problem.shares) + here.nu - barrier / under + barrier / over
        right[count:size] = 1.0
        right[:size] += (barrier / slack + held / slack * missed) @ jacobian
        right[size] = here.x.sum() - 1
        try:
            move = np.linalg.solve(system, -right)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(move).all():
            return None
        dx, dtop, dnu = move[:count], float(move[count:size].sum()), move[size]
        below = barrier / under - here.below - here.below / under * dx
        above = barrier / over - here.above + here.above / over * dx
        dslack = -missed - jacobian @ move[:size]
        dheld = barrier / slack - held - held / slack * dslack
        length = _longest(np.concatenate([under, over, here.below, here.above, slack, held]),
                          np.concatenate([dx, -dx, below, above, dslack, dheld]))
        # The logarithm of a weight near 0 is far from its tangent, and matters little.
        importance = np.minimum(count * here.x[self.free], 1.0) if self.problem.kl else np.ones(count)
        before = np.linalg.norm(self.residuals(here, barrier, importance))
        while length > 1e-12:
            x = here.x.copy()
            x[self.free] += length * dx
            there = _Iterate(x, here.top + length * dtop, here.nu + length * dnu, here.below + length * below,
                             here.above + length * above, slack + length * dslack, held + length * dheld)
            inside = all((each > 0).all() for each in (*self.slacks(there), there.slack, there.held))
            if inside and np.linalg.norm(self.residuals(there, barrier, importance)) <= (1 - 0.01 * length) * before:
                return there
            length *= 0.5
        return None

    def jacobian(self, here: _Iterate, lifted: int) -> Array:
        """Of limits and ceilings, (P + J, free + lifted): the last column is that of the largest ceiling."""
        limits, ceilings = self.problem.limits, self.problem.ceilings
        if not here.slack.size:
            return np.empty((0, self.low.size + lifted))
        curved = (ceilings.shares * self.problem.heights(here.x)) @ self.problem.rates[:, self.free]
        rows = np.concatenate([limits.rows[:, self.free], curved])
        last = np.concatenate([np.zeros(len(limits.most)), -ceilings.worst.astype(np.float64)])
        return np.column_stack([rows, last]) if lifted else rows


def _longest(values: Array, moves: Array) -> float:
    """The largest step up to 1 that keeps all values above 0, less a hundredth."""
    shrinking = moves < 0
    return float(0.99 * min(1.0, (-values[shrinking] / moves[shrinking]).min(initial=np.inf)))


def _snapped(here: _Iterate, box: _Box) -> Array:
    """Weights that ended at a bound are put on it; rounding goes to the weight with most room."""
    under, over = box.slacks(here)
    x = here.x[box.free]
    if not box.problem.kl:
        x = np.where((under < 1e-8) & (here.below > under), box.low, x)
    x = np.where((over < 1e-8) & (here.above > over), box.high, x)
    full = here.x.copy()
    full[box.free] = x
    roomy = np.flatnonzero(box.free)[np.argmax(np.minimum(x - box.low, box.high - x))]
    full[roomy] += 1 - full.sum()
    return full
