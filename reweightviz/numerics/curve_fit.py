"""Many log-linear curves fitted at once: y = c + exp(t.w), robustly, by Levenberg-Marquardt.

All problems (starts, targets, bootstrap draws) share the runs' mixtures and differ in their losses and in
how often each run counts, so that one matrix product makes the normal equations of all of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BLOCK = 1 << 18
"""Problems times runs that are worked on at once: a few arrays of 2 MB."""
SLOPES = -1000.0, 50.0
"""Slopes stay within these, so that no mixture's prediction overflows, in float32 neither. Rare domains reach -400."""


class Curves(NamedTuple):
    """P fitted curves: floor c (P,), slopes t (P, K), summed Huber loss (P,)."""

    floor: Array
    slopes: Array
    cost: Array


class _Point(NamedTuple):
    floor: Array
    slopes: Array
    bend: Array
    residual: Array
    cost: Array


def huber(residual: Array, delta: float) -> Array:
    """Half the square up to ``delta``, linear beyond.

    >>> huber(np.array([0.01, 1.0]), 0.02).round(6).tolist()
    [5e-05, 0.0198]
    """
    size = np.abs(residual)
    inside = np.minimum(size, delta)
    return np.asarray(inside * (size - 0.5 * inside), np.float64)


def log_linear_starts(mixtures: Array, losses: Array, starts: int) -> Curves:
    """Starting curves for M targets: for floors spread over [0, min y), a linear fit of log(y - c).

    Args:
        mixtures: (R, K).
        losses: (R, M), above 0.
        starts: how many floors a target.

    Returns:
        Curves of M * starts problems, the starts of a target side by side; the cost is not computed.
    """
    fractions = 1 - np.geomspace(1.0, 0.01, starts) if starts > 1 else np.array([0.5])
    floors = np.outer(losses.min(0), fractions)
    above = np.log(np.maximum(losses.T[:, None, :] - floors[:, :, None], 1e-9))
    slopes = above.reshape(-1, len(mixtures)) @ np.linalg.pinv(mixtures).T
    slopes = np.clip(slopes, *SLOPES)
    return Curves(floors.ravel(), slopes, np.full(floors.size, np.nan))


def fit_log_linear(mixtures: Array, losses: Array, start: Curves, *, counts: Array | None = None,
                   delta: float = 0.02, tolerance: float = 1e-10, steps: int = 300) -> Curves:
    """Minimise sum_r counts * huber(c + exp(t.w_r) - y_r) over c >= 0 and t, for P problems at once.

    Args:
        mixtures: (R, K), the same for all problems.
        losses: (P, R).
        start: P curves to start from.
        counts: (P, R) how often each run counts; once when not given.
        delta: where the Huber loss turns linear, in the unit of the losses.
        tolerance: a problem is done when a step lowers its cost by a smaller share than this.
        steps: at most.

    Returns:
        P curves, each at least as good as its start.
    """
    if not len(losses):
        return start
    rows = max(1, BLOCK // len(mixtures))
    upper = np.triu_indices(mixtures.shape[1])
    pairs = mixtures[:, upper[0]] * mixtures[:, upper[1]]
    parts = []
    for first in range(0, len(losses), rows):
        part = slice(first, first + rows)
        weight = np.ones_like(losses[part]) if counts is None else counts[part]
        problem = _Problem(mixtures, pairs, losses[part], weight, delta)
        parts.append(problem.solve(start.floor[part], start.slopes[part], tolerance, steps))
    return Curves(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class _Problem(NamedTuple):
    mixtures: Array
    pairs: Array
    losses: Array
    counts: Array
    delta: float

    def at(self, floor: Array, slopes: Array) -> _Point:
        bend = np.exp(slopes @ self.mixtures.T)
        residual = floor[:, None] + bend - self.losses
        cost = (self.counts * huber(residual, self.delta)).sum(1)
        return _Point(floor, slopes, bend, residual, cost)

    def rows(self, keep: NDArray[np.bool_]) -> _Problem:
        return self._replace(losses=self.losses[keep], counts=self.counts[keep])

    def solve(self, floor: Array, slopes: Array, tolerance: float, steps: int) -> Curves:
        """Levenberg-Marquardt with Huber weights; a problem that is done leaves the batch."""
        found = Curves(floor.copy(), slopes.copy(), np.zeros(len(floor)))
        here, left, damping = self.at(floor, slopes), np.arange(len(floor)), np.full(len(floor), 1e-3)
        for _ in range(steps):
            there = self.at(*self.step(here, damping))
            better = there.cost < here.cost
            gain = np.where(better, here.cost - there.cost, 0.0)
            free = better & (damping < 1e-2)
            done = (free & (gain <= tolerance * here.cost)) | (damping > 1e9) | (here.cost < 1e-26)
            here = _Point(*(np.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)
                            for new, old in zip(there, here, strict=True)))
            damping = np.where(better, np.maximum(damping * 0.2, 1e-12), damping * 5)
            for column, values in zip(found, (here.floor, here.slopes, here.cost), strict=True):
                column[left] = values
            if done.any():
                self, here = self.rows(~done), _Point(*(value[~done] for value in here))  # noqa: PLW0642
                left, damping = left[~done], damping[~done]
            if not len(left):
                break
        return found

    def step(self, here: _Point, damping: Array) -> tuple[Array, Array]:
        """Where one damped Gauss-Newton step leads; a floor at 0 that is pushed below stays."""
        size = np.abs(here.residual)
        weight = self.counts * np.where(size <= self.delta, 1.0, self.delta / np.maximum(size, self.delta))
        sloped = weight * here.bend
        problems, domains = here.slopes.shape
        gradient = np.concatenate([(weight * here.residual).sum(1)[:, None],
                                   (sloped * here.residual) @ self.mixtures], axis=1)
        normal = np.empty((problems, 1 + domains, 1 + domains))
        normal[:, 0, 0] = weight.sum(1)
        normal[:, 0, 1:] = normal[:, 1:, 0] = sloped @ self.mixtures
        row, column = np.triu_indices(domains)
        normal[:, 1 + row, 1 + column] = normal[:, 1 + column, 1 + row] = (sloped * here.bend) @ self.pairs
        held = (here.floor <= 0) & (gradient[:, 0] > 0)
        normal[held, 0, 1:] = normal[held, 1:, 0] = gradient[held, 0] = 0.0
        diagonal = np.einsum("pii->pi", normal)
        diagonal += damping[:, None] * diagonal + 1e-12 * diagonal.max(1, keepdims=True)
        move = np.linalg.solve(normal, -gradient[:, :, None])[:, :, 0]
        slopes = np.clip(here.slopes + move[:, 1:], *SLOPES)
        return np.maximum(here.floor + move[:, 0], 0.0), slopes
