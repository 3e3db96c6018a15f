"""A Gaussian process a target: no fixed curve, and a posterior that says by itself how sure it is.

Carl Edward Rasmussen and Christopher K. I. Williams, Gaussian Processes for Machine Learning, MIT
Press, 2006,
https://gaussianprocess.org/gpml/. As a mixing law it stands in Olmix (Mayee F. Chen et al., 2026,
https://arxiv.org/abs/2602.12237), whose public code fits constant times RBF plus white noise to
    normalised losses. Ours:
weights enter as a power of themselves, because losses bend sharply where a weight nears 0; that
power, and whether all domains share one length, are chosen by the marginal likelihood; lengths are
found on some runs and refined on all; the spread is set by the runs left out one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.laws._gaussian_process_law import (
    GaussianProcessLaw,
    deviation,
    flat,
    standard,
    stretch_of,
)
from reweightviz.laws._parallel import at_once
from reweightviz.laws._runs import (
    FOLDS,
    checked_directions,
    checked_runs,
    fold_of_runs,
    say_few_runs,
)
from reweightviz.numerics.gaussian_process import Kernel, fit_kernel, posterior

POWERS = (1.0, 0.5, 0.25)
"""Powers of the weights that are tried."""
SOME_RUNS = 192
"""On how many runs the powers are compared."""
FEW_RUNS = 96
"""Up to so many runs the intervals come from fits that left a part of them out."""
LEAST, MOST = 0.7, 6.0
"""The least and the most that they are stretched by."""


@dataclass(frozen=True)
class GaussianProcess:
    """Loss of each target by a Gaussian process on the weights, raised to a power.

    Follows any smooth bend and is the surest of the laws near the runs; far from them it returns
    to their mean loss, with intervals as wide as the runs spread. Up to 96 runs the intervals are
    stretched to what kernels miss that were found without a part of the runs.

    Args:
        power: of the weights; when not given, the best of 1, 1/2 and 1/4 for each target.
        isotropic: whether a target has one length for all domains; when not given, whichever is
            better.
        draws: posterior draws, B; 0 for no intervals.
        seed: of the draws, and of the runs on which powers are compared.

    Example:
        >>> mixtures = np.random.default_rng(0).dirichlet(np.ones(2), 12)
        >>> losses = 2 + np.exp(mixtures @ [[1.0], [-1.0]])
        >>> law = GaussianProcess().fit(domains=("web", "code"), targets=("loss",), mixtures=mixtures, losses=losses)
        >>> law.predict([[0.5, 0.5]]).round(2).tolist()
        [[3.0]]
    """

    power: float | None = None
    isotropic: bool | None = None
    draws: int = 200
    seed: int = 0

    paper: ClassVar[str] = "https://gaussianprocess.org/gpml/"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if (self.power is not None and not self.power > 0) or self.draws < 0:
            raise UnmetNeed(
                name="GaussianProcess",
                value=(self.power, self.draws),
                expected="a power above 0 and draws of at least 0",
                got=f"{self.power}, {self.draws}",
            )

    def fit(
        self,
        *,
        domains: Sequence[str],
        targets: Sequence[str],
        mixtures: ArrayLike,
        losses: ArrayLike,
        lower_is_better: ArrayLike | None = None,
    ) -> GaussianProcessLaw:
        """Fit every target.

        Args:
            domains: names (K,).
            targets: names (M,).
            mixtures: (R, K) weights of the runs, as read.
            losses: (R, M).
            lower_is_better: (M,); all true when not given.

        Raises:
            ReweightvizError: too few runs, losses that are missing, or mixtures that do not vary.
        """
        names, goals = tuple(domains), tuple(targets)
        w, y = checked_runs(
            "GaussianProcess",
            names,
            goals,
            mixtures,
            losses,
            needed=5,
            positive=False,
            spanning=False,
            parametric=False,
        )
        rows = np.random.default_rng(self.seed).permutation(len(w))[:SOME_RUNS]
        found = at_once(lambda column: self._kernel(w, standard(column), rows), list(y.T))
        powers, kernels = (tuple(column) for column in zip(*found, strict=True))
        better = checked_directions(lower_is_better, goals)
        law = GaussianProcessLaw(
            names, goals, better, w, y, np.array(powers), kernels, self.draws, self.seed
        )
        return self._widened(law).diagnosed()

    def _widened(self, law: GaussianProcessLaw) -> GaussianProcessLaw:
        """With few runs the kernels follow each of them, so that only kernels found without a run can say how far off it is."""
        w, y = law.mixtures, law.losses
        if not self.draws or len(w) > FEW_RUNS:
            return law
        fold = fold_of_runs(w, FOLDS, self.seed)
        if len(w) <= 2 * w.shape[1]:
            say_few_runs(
                f"the Gaussian process knows {w.shape[1]} domains", len(w), 2 * w.shape[1] + 1
            )
        missed, spread = np.zeros_like(y), np.ones_like(y)

        def left_out(job: tuple[int, int]) -> None:
            out, m = fold == job[0], job[1]
            known = standard(y[~out, m])
            power, kernel = self._kernel(w[~out], known, np.arange(len(known)))
            unseeing = posterior(w[~out] ** power, known, kernel)
            inputs = w[out] ** power
            missed[out, m] = (y[out, m] - y[~out, m].mean()) / deviation(
                y[~out, m]
            ) - unseeing.mean(inputs)
            spread[out, m] = np.sqrt(unseeing.variance(inputs) + np.exp(kernel.noise))

        at_once(
            left_out,
            [
                (part, m)
                for part in range(fold.max() + 1)
                for m in np.flatnonzero(~flat(y)).tolist()
            ],
        )
        return replace(law, stretch=stretch_of(missed, spread, LEAST, MOST))

    def _kernel(self, w: Array, y: Array, rows: NDArray[np.int64]) -> tuple[float, Kernel]:
        """The power and the kernel of one target: all kinds on some runs, the best on all."""
        start = Kernel(0.0, -3.0, np.full(w.shape[1], -0.5))
        if not y.any():
            return self.power or 1.0, start
        tried = []
        for power in POWERS if self.power is None else (self.power,):
            inputs = w[rows] ** power
            kernel, height = fit_kernel(inputs, y[rows], start, isotropic=True)
            if self.isotropic is not False:
                tried.append((_score(height, 3, len(rows)), power, kernel, True))
            if not self.isotropic and w.shape[1] > 1:
                kernel, height = fit_kernel(inputs, y[rows], kernel, isotropic=False)
                tried.append((_score(height, 2 + w.shape[1], len(rows)), power, kernel, False))
        _, power, kernel, isotropic = max(tried, key=lambda one: one[0])
        if len(rows) < len(w):
            kernel, _ = fit_kernel(w**power, y, kernel, isotropic=isotropic, steps=15)
        return power, kernel


def _score(height: float, fitted: int, runs: int) -> float:
    """Log marginal likelihood, less half of log(runs) for each number that was fitted (Schwarz)."""
    return height - 0.5 * fitted * float(np.log(runs))
