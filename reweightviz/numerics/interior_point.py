"""A primal-dual interior point for sums of exponentials on the simplex: the steps behind :mod:`reweightviz.numerics.convex`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.numerics.linear_constraints import Limits

Array = NDArray[np.float64]
STEPS = 200


class Ceilings(NamedTuple):
    """``offset (J,) + shares (J, M) . exp(A x)``: at most 0, or, where ``worst`` (J,), its maximum joins the objective."""

    shares: Array
    offset: Array
    worst: NDArray[np.bool_]


def vertex(slopes: Array, low: Array, high: Array, total: float = 1.0) -> Array:
    """Minimum of ``slopes . x``, and of its exponential: fill up to the caps, lowest slope first."""
    x, rest = low.copy(), total - low.sum()
    for i in np.argsort(slopes, kind="stable"):
        x[i] += (added := min(high[i] - low[i], rest))
        rest -= added
    return x


class Problem(NamedTuple):
    """What is minimised, and its limits."""

    rates: Array
    shares: Array
    kl: float
    prior: Array
    limits: Limits
    ceilings: Ceilings

    def heights(self, x: Array) -> Array:
        """The exponentials (M,)."""
        return np.asarray(np.exp(self.rates @ x), np.float64)

    def value(self, x: Array) -> float:
        """The objective."""
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
        """Of the same."""
        heights, rates = weight * self.heights(x), self.rates[:, free]
        return np.asarray((rates.T * heights) @ rates + np.diag(self.kl / x[free]))


class Iterate(NamedTuple):
    """Weights x (K,), the largest ceiling, and the multipliers: of the sum, the bounds, the limits and ceilings (P + J,)."""

    x: Array
    top: float
    nu: float
    below: Array
    above: Array
    slack: Array
    held: Array


def descended(box: Box, x: Array) -> tuple[Iterate, float]:
    """The best iterate from ``x``, and by how much of the objective, or of a limit, it may miss."""
    here = box.start(x)
    best, least = here, np.inf
    for _ in range(STEPS):
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


class Box(NamedTuple):
    """A problem within bounds: the free weights, and the steps towards its optimum."""

    problem: Problem
    free: NDArray[np.bool_]
    low: Array
    high: Array

    def start(self, x: Array) -> Iterate:
        """Multipliers that share the objective among the constraints."""
        problem, worst = self.problem, self.problem.ceilings.worst
        size = problem.size(x)
        top = float(problem.over_zero(x)[worst].max(initial=0.0)) + (0.1 * size if worst.any() else 0.0)
        least = np.concatenate([np.full(len(problem.limits.most), 0.05), np.full(len(worst), 0.05 * size)])
        slack = np.maximum(np.abs(self.sides(x, top)), least)
        start = size / self.free.sum()
        held = start / slack
        held[len(problem.limits.most):][worst] = 1 / max(worst.sum(), 1)
        return Iterate(x, top, 0.0, start / (x[self.free] - self.low), start / (self.high - x[self.free]), slack, held)

    def slacks(self, here: Iterate) -> tuple[Array, Array]:
        """How far the free weights are above their floors and below their caps."""
        return here.x[self.free] - self.low, self.high - here.x[self.free]

    def sides(self, x: Array, top: float) -> Array:
        """Left sides of limits and ceilings (P + J,), which should be at most 0."""
        problem = self.problem
        return np.concatenate([problem.limits.rows @ x - problem.limits.most, problem.over_zero(x) - top * problem.ceilings.worst])

    def weights(self, here: Iterate) -> Array:
        """What every exponential counts in the Lagrangian: by the objective, and by the ceilings that hold it."""
        return np.asarray(self.problem.shares + here.held[len(self.problem.limits.most):] @ self.problem.ceilings.shares, np.float64)

    def slope(self, here: Iterate) -> Array:
        """Of the Lagrangian without bounds and sum, over the free weights."""
        rows = self.problem.limits.rows[:, self.free]
        return self.problem.slope(here.x, self.free, self.weights(here)) + here.held[:len(rows)] @ rows

    def residuals(self, here: Iterate, barrier: float, importance: Array) -> Array:
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

    def gap(self, here: Iterate) -> float:
        """How far above the minimum ``x`` can be, as a share of the objective."""
        x, worst, bound = here.x[self.free], self.problem.ceilings.worst, here
        if worst.any():
            held = here.held.copy()
            part = held[len(self.problem.limits.most):]
            part[worst] /= part[worst].sum()
            bound = here._replace(held=held)
        slope = self.slope(bound)
        lowest = vertex(slope, self.low, np.minimum(self.high, 1.0), x.sum())
        # What the multipliers give away where a limit is not met with equality.
        loose = 0.0
        if here.slack.size:
            top = float(self.problem.over_zero(here.x)[worst].max()) if worst.any() else 0.0
            loose = -float(bound.held @ self.sides(here.x, top))
        return max(float(slope @ (x - lowest)) + loose, 0.0) / self.problem.size(here.x)

    def step(self, here: Iterate) -> Iterate | None:
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
            there = Iterate(x, here.top + length * dtop, here.nu + length * dnu, here.below + length * below,
                             here.above + length * above, slack + length * dslack, held + length * dheld)
            inside = all((each > 0).all() for each in (*self.slacks(there), there.slack, there.held))
            if inside and np.linalg.norm(self.residuals(there, barrier, importance)) <= (1 - 0.01 * length) * before:
                return there
            length *= 0.5
        return None

    def jacobian(self, here: Iterate, lifted: int) -> Array:
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


def snapped(here: Iterate, box: Box) -> Array:
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
