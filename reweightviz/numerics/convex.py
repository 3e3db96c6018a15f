"""The lowest sum of exponentials on the simplex, with caps and a pull towards a prior.

    minimise  sum_m s_m exp(A_m . x) + kl * KL(x || q)   subject to  sum x = 1,  lower <= x <= upper

A dense primal-dual interior-point method (Boyd and Vandenberghe, Convex Optimization, 2004, section 11.7,
https://web.stanford.edu/~boyd/cvxbook/), for some tens of domains: about twenty steps of one small solve.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import ReweightvizError, listed
from reweightviz.numerics.simplex import share

Array = NDArray[np.float64]
SLACK = 1e-12
CHECKED = 1e-6
"""An answer that may lie above the minimum by a larger share of the objective than this is not given."""
OUT_OF_REACH = 2.0
"""Stands for an upper bound of 1, which sum x = 1 already implies and which would only be degenerate."""


class Optimum(NamedTuple):
    """Where the minimum is: ``x`` (K,), its ``value``, and the proof: the minimum is at least ``value - gap``.

    The gap is that of Frank and Wolfe: how far the tangent at ``x`` falls within the bounds. It is 0 exactly
    when the Karush-Kuhn-Tucker conditions hold.
    """

    x: Array
    value: float
    gap: float


def minimise_exponentials(rates: Array, shares: Array, *, kl: float = 0.0, prior: ArrayLike | None = None,
                          lower: ArrayLike | None = None, upper: ArrayLike | None = None,
                          names: Sequence[str] | None = None) -> Optimum:
    """Minimise ``sum_m s_m exp(A_m . x) + kl * KL(x || q)`` over the simplex within bounds.

    Args:
        rates: A (M, K).
        shares: s (M,), >= 0.
        kl: strength of the pull towards the prior, in the unit of the objective.
        prior: q (K,), sums to 1; uniform when not given. A domain with q = 0 gets 0 when kl > 0.
        lower: (K,) floors, 0 when not given.
        upper: (K,) caps, 1 when not given.
        names: of the domains, for the error sentences.

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
    if not shares.any() and not kl:
        raise ReweightvizError("there is nothing to minimise: all shares are 0 and so is kl.")
    if not np.isfinite(rates).all() or not np.isfinite(kl) or kl < 0:
        raise ReweightvizError(f"rates must be finite and kl a finite number >= 0; kl is {kl}.")
    prior = np.full(domains, 1 / domains) if prior is None else share(prior, "the prior")
    if prior.size != domains:
        raise ReweightvizError(f"the prior has {prior.size} weights; there are {domains} domains.")
    low, high = _bounds(domains, lower, upper, prior if kl > 0 else None, names)
    problem = _Problem(rates[shares > 0], shares[shares > 0], kl, prior)
    if high.sum() <= 1 + SLACK or low.sum() >= 1 - SLACK:
        x = high if high.sum() <= 1 + SLACK else low
        return Optimum(x / x.sum(), problem.value(x), 0.0)
    if kl == 0 and len(problem.shares) <= 1:
        x = _vertex(problem.rates.sum(0), low, high)
        return Optimum(x, problem.value(x), 0.0)
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

    def value(self, x: Array) -> float:
        some = x > 0
        pull = self.kl * float((x[some] * np.log(x[some] / self.prior[some])).sum()) if self.kl else 0.0
        return float(self.shares @ np.exp(self.rates @ x)) + pull

    def size(self, x: Array) -> float:
        """What a residual is compared with: the terms of the objective, which all are >= 0."""
        return float(self.shares @ np.exp(self.rates @ x)) + self.kl

    def slope(self, x: Array, free: NDArray[np.bool_]) -> Array:
        heights = self.shares * np.exp(self.rates @ x)
        slope = heights @ self.rates[:, free]
        return slope + self.kl * (np.log(x[free] / self.prior[free]) + 1) if self.kl else slope

    def curvature(self, x: Array, free: NDArray[np.bool_]) -> Array:
        heights, rates = self.shares * np.exp(self.rates @ x), self.rates[:, free]
        return np.asarray((rates.T * heights) @ rates + np.diag(self.kl / x[free]))


class _Iterate(NamedTuple):
    x: Array
    nu: float
    below: Array
    above: Array


def _solved(problem: _Problem, low: Array, high: Array) -> Optimum:
    """Interior point from the middle of the box; checked at the end."""
    free = high - low > SLACK
    top = np.where(high[free] >= 1, OUT_OF_REACH, high[free])
    box = _Box(problem, free, low[free], top)
    x = low.copy()
    x[free] += (top - low[free]) * (1 - low.sum()) / (top - low[free]).sum()
    start = problem.size(x) / free.sum()
    here = _Iterate(x, 0.0, start / (x[free] - box.low), start / (top - x[free]))
    best, least = here, np.inf
    for _ in range(200):
        gap = box.gap(here.x)
        if gap < least:
            best, least = here, gap
        if gap < 1e-14:
            break
        moved = box.step(here)
        if moved is None:
            break
        here = moved
    x = _snapped(best, box)
    gap = box.gap(x)
    if not gap <= CHECKED:
        raise ReweightvizError(f"the optimiser stopped up to {gap:.2g} of the objective above the minimum; "
                               "a larger kl or wider bounds make the problem better posed.")
    return Optimum(x, problem.value(x), gap * problem.size(x))


class _Box(NamedTuple):
    problem: _Problem
    free: NDArray[np.bool_]
    low: Array
    high: Array

    def slacks(self, here: _Iterate) -> tuple[Array, Array]:
        return here.x[self.free] - self.low, self.high - here.x[self.free]

    def residuals(self, here: _Iterate, barrier: float) -> Array:
        """Stationarity and perturbed complementarity, stacked."""
        under, over = self.slacks(here)
        stationary = self.problem.slope(here.x, self.free) - here.below + here.above + here.nu
        return np.concatenate([stationary, here.below * under - barrier, here.above * over - barrier])

    def gap(self, x: Array) -> float:
        """How far above the minimum ``x`` can be, as a share of the objective."""
        slope, here = self.problem.slope(x, self.free), x[self.free]
        room = np.minimum(self.high, 1.0)
        lowest = _vertex(slope, self.low, room, here.sum())
        return max(float(slope @ (here - lowest)), 0.0) / self.problem.size(x)

    def step(self, here: _Iterate) -> _Iterate | None:
        """One Newton step towards a tenth of the gap, shortened until the residuals shrink."""
        under, over = self.slacks(here)
        count = under.size
        barrier = float(here.below @ under + here.above @ over) / (20 * count)
        system = np.zeros((count + 1, count + 1))
        system[:count, :count] = self.problem.curvature(here.x, self.free)
        system[:count, :count] += np.diag(here.below / under + here.above / over)
        system[count, :count] = system[:count, count] = 1.0
        right = -(self.problem.slope(here.x, self.free) + here.nu - barrier / under + barrier / over)
        move = np.linalg.solve(system, np.append(right, 1 - here.x.sum()))
        dx, dnu = move[:count], move[count]
        below = barrier / under - here.below - here.below / under * dx
        above = barrier / over - here.above + here.above / over * dx
        length = _longest(np.concatenate([under, over, here.below, here.above]),
                          np.concatenate([dx, -dx, below, above]))
        before = np.linalg.norm(self.residuals(here, barrier))
        while length > 1e-12:
            x = here.x.copy()
            x[self.free] += length * dx
            there = _Iterate(x, here.nu + length * dnu, here.below + length * below, here.above + length * above)
            inside = all((slack > 0).all() for slack in self.slacks(there))
            if inside and np.linalg.norm(self.residuals(there, barrier)) <= (1 - 0.01 * length) * before:
                return there
            length *= 0.5
        return None


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
