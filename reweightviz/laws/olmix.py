"""Olmix' mixing law: one log-linear curve a target, fitted robustly to a swarm of proxy runs.

Mayee F. Chen, Tyler Murray, David Heineman, Matt Jordan, Hannaneh Hajishirzi, Christopher Ré, Luca Soldaini
and Kyle Lo, "Olmix: A Framework for Data Mixing Throughout LM Development", 2026,
https://arxiv.org/abs/2602.12237. The curve is that of Jiasheng Ye et al., "Data Mixing Laws: Optimizing Data
Mixtures by Predicting Language Modeling Performance", ICLR 2025, https://arxiv.org/abs/2403.16952, with k = 1,
which the simplex makes redundant. Followed: the authors' public code (Huber loss, delta 0.02, summed). Ours: the
optimiser (Levenberg-Marquardt from starts made from the data, instead of L-BFGS from random ones) and the
bootstrap with its prediction intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import ReweightvizError, listed
from reweightviz.laws.log_linear import LogLinearLaw
from reweightviz.numerics.curve_fit import Curves, fit_log_linear, log_linear_starts

Array = NDArray[np.float64]
LEAST_FLOOR = 1e-9
"""A floor c that ran to 0 is written as this share of the mean loss, so that its logarithm is finite."""


@dataclass(frozen=True)
class Olmix:
    """Loss of target m under weights w: ``exp(log c_m) + exp(t_m.w)``.

    The interval is that of a new run: refits to resampled runs plus whole runs' residuals, each enlarged for the
    pull of its run on the fit. Below some 4 runs a parameter it errs on the wide side.

    Args:
        huber: delta, where the squared error turns absolute, in the unit of the losses.
        starts: how many starting floors c are tried a target.
        draws: bootstrap resamples of the runs, B; 0 for no intervals.
        seed: of the resamples.

    Example:
        >>> mixtures = np.array([[1, 0], [0, 1], [0.5, 0.5], [0.8, 0.2], [0.3, 0.7]])
        >>> losses = 2 + np.exp(mixtures @ [[1.0], [-1.0]])
        >>> law = Olmix(draws=0).fit(domains=("web", "code"), targets=("loss",), mixtures=mixtures, losses=losses)
        >>> law.coef.round(3).tolist()
        [[0.693, 1.0, -1.0]]
    """

    huber: float = 0.02
    starts: int = 8
    draws: int = 200
    seed: int = 0

    paper: ClassVar[str] = "https://arxiv.org/abs/2602.12237"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if not self.huber > 0 or self.starts < 1 or self.draws < 0:
            raise ReweightvizError("Olmix needs huber above 0, starts of at least 1 and draws of at least 0; "
                                   f"got {self.huber}, {self.starts}, {self.draws}.")

    def fit(self, *, domains: Sequence[str], targets: Sequence[str], mixtures: ArrayLike, losses: ArrayLike,
            lower_is_better: ArrayLike | None = None) -> LogLinearLaw:
        """Fit every target.

        Args:
            domains: names (K,).
            targets: names (M,).
            mixtures: (R, K) weights of the runs, as read.
            losses: (R, M), above 0.
            lower_is_better: (M,); all true when not given.

        Raises:
            ReweightvizError: fewer than K + 1 runs, losses that are missing or not above 0, or mixtures that
                leave a domain's effect undetermined.
        """
        names, goals = tuple(domains), tuple(targets)
        w, y = _checked(names, goals, mixtures, losses)
        best = self._best(w, y)
        fitted = best.floor + np.exp(w @ best.slopes.T)
        draws, noise = self._resampled(w, y, best, fitted)
        better = np.ones(len(goals), bool) if lower_is_better is None else np.asarray(lower_is_better, bool)
        return LogLinearLaw(names, goals, better, _coefficients(best, y), draws, noise, _diagnostics(best, y, fitted))

    def _best(self, w: Array, y: Array) -> Curves:
        start = log_linear_starts(w, y, self.starts)
        tried = fit_log_linear(w, np.repeat(y.T, self.starts, 0), start, delta=self.huber)
        lowest = tried.cost.reshape(-1, self.starts).argmin(1) + self.starts * np.arange(y.shape[1])
        return Curves(*(column[lowest] for column in tried))

    def _resampled(self, w: Array, y: Array, best: Curves, fitted: Array) -> tuple[Any, Any]:
        """Refits to runs drawn with repeats, from the point estimate, and the residuals of whole runs."""
        runs, targets, rng = len(w), y.shape[1], np.random.default_rng(self.seed)
        counts = rng.multinomial(runs, np.full(runs, 1 / runs), self.draws).astype(np.float64)
        start = Curves(*(np.tile(column, (self.draws, *[1] * (column.ndim - 1))) for column in best))
        refits = fit_log_linear(w, np.tile(y.T, (self.draws, 1)), start, counts=np.repeat(counts, targets, 0),
                                delta=self.huber, tolerance=1e-5, steps=60)
        draws = _coefficients(refits, np.tile(y, (1, self.draws))).reshape(self.draws, targets, 1 + w.shape[1])
        residuals = (y - fitted) / np.sqrt(1 - _leverage(w, best))
        orders = [rng.permutation(runs) for _ in range(-(-self.draws // runs))]
        rows = np.concatenate([*orders, np.empty(0, np.int64)])[:self.draws].astype(np.int64)
        return draws.astype(np.float32), residuals[rows].astype(np.float32)


def _checked(names: tuple[str, ...], goals: tuple[str, ...], mixtures: ArrayLike, losses: ArrayLike,
             ) -> tuple[Array, Array]:
    w, y = np.asarray(mixtures, np.float64), np.asarray(losses, np.float64)
    if w.ndim != 2 or y.ndim != 2 or w.shape[1] != len(names) or y.shape != (len(w), len(goals)):
        raise ReweightvizError(f"Olmix needs mixtures (R, {len(names)}) and losses (R, {len(goals)}); "
                               f"got {w.shape} and {y.shape}.")
    needed = len(names) + 1
    if len(w) < needed:
        raise ReweightvizError(f"Olmix fits {needed} numbers a target for {len(names)} domains and needs at least "
                               f"{needed} runs; got {len(w)}.")
    if not np.isfinite(w).all():
        raise ReweightvizError("the mixtures must be finite; drop the runs whose weights are missing.")
    wrong = ~(np.isfinite(y) & (y > 0))
    if wrong.any():
        run, goal = np.argwhere(wrong)[0]
        raise ReweightvizError(f"losses must be numbers above 0; {goals[goal]!r} is {y[run, goal]} in run {run} "
                               f"({wrong.any(1).sum()} such runs): drop them.")
    rank = np.linalg.matrix_rank(w)
    if rank < len(names):
        unseen = np.array(names, object)[(w == 0).all(0)]
        why = f"; no run has any of {listed(unseen)}" if len(unseen) else ""
        raise ReweightvizError(f"the mixtures of the runs differ in only {rank} of {len(names)} directions, so the "
                               f"effect of each domain cannot be told{why}: vary the mixtures more.")
    return w, y


def _coefficients(curves: Curves, y: Array) -> Array:
    floor = np.log(np.maximum(curves.floor, LEAST_FLOOR * y.mean(0)))
    return np.column_stack([floor, curves.slopes])


def _leverage(w: Array, curves: Curves) -> Array:
    """How much a run pulls its own fitted value, (R, M); at most 0.9, or few runs would seem all noise."""
    bend = np.exp(w @ curves.slopes.T)
    jacobian = np.concatenate([np.ones((bend.shape[1], len(w), 1)), bend.T[:, :, None] * w], axis=2)
    basis, _ = np.linalg.qr(jacobian)
    return np.asarray(np.minimum((basis ** 2).sum(2).T, 0.9), np.float64)


def _diagnostics(best: Curves, y: Array, fitted: Array) -> dict[str, list[Any]]:
    """In-sample fit (no R squared where all losses are equal) and whether the floor c ran to 0."""
    spread = ((y - y.mean(0)) ** 2).sum(0)
    missed = ((y - fitted) ** 2).sum(0)
    constant = spread <= 1e-12 * (y ** 2).sum(0)
    r2 = [None if flat else 1 - m / s for flat, m, s in zip(constant, missed.tolist(), spread.tolist(), strict=True)]
    return {"r2": r2, "mae": np.abs(y - fitted).mean(0).tolist(), "runs": [len(y)] * y.shape[1],
            "degenerate": (best.floor <= 1e-3 * y.mean(0)).tolist(), "constant": constant.tolist()}
