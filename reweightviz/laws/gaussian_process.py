"""A Gaussian process a target: no fixed curve, and a posterior with its own uncertainty.

Carl Edward Rasmussen and Christopher K. I. Williams, Gaussian Processes for Machine Learning, MIT
Press, 2006, https://gaussianprocess.org/gpml/. As a mixing law it stands in Olmix (Mayee F. Chen et
al., 2026, https://arxiv.org/abs/2602.12237), whose public code fits constant times RBF plus white
noise to normalised losses. Ours: weights enter as a power of themselves, because losses bend
sharply where a weight nears 0; that power, and whether all domains share one length, are chosen by
the marginal likelihood; lengths are found on some runs and refined on all; the spread is set by the
runs left out one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from operator import itemgetter
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.laws._bootstrap import warn_few_runs
from reweightviz.laws._diagnostics import FOLDS, assign_folds
from reweightviz.laws._gaussian_process_law import (
    GaussianProcessLaw,
    find_constant,
    find_deviation,
    find_stretch,
    standardise,
)
from reweightviz.laws._runs import check_runs
from reweightviz.laws._threads import map_threads
from reweightviz.numerics.gaussian_process import Kernel, fit_kernel, posterior

__all__ = ["FEW_RUNS", "LEAST", "MOST", "POWERS", "SOME_RUNS", "GaussianProcess"]


POWERS = (1.0, 0.5, 0.25)
"""Powers of the weights that are tried."""
SOME_RUNS = 192
"""On how many runs the powers are compared."""
FEW_RUNS = 96
"""Up to so many runs the intervals come from fits that left a part of them out."""
LEAST = 0.7
MOST = 6.0
"""Intervals of few runs are stretched by a factor between these."""


@dataclass(frozen=True)
class GaussianProcess:
    """Fit a Gaussian process a target on the weights, raised to a power.

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
        >>> law = GaussianProcess().fit(
        ...     domains=("web", "code"), targets=("loss",), mixtures=mixtures, losses=losses
        ... )
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
        runs = check_runs(
            "GaussianProcess",
            domains,
            targets,
            mixtures,
            losses,
            lower_is_better,
            needed=5,
            positive=False,
            spanning=False,
            parametric=False,
        )
        w = runs.mixtures
        y = runs.losses
        # A likelihood costs the cube of the runs: some of them are enough to choose by.
        rows = np.random.default_rng(self.seed).permutation(len(w))[:SOME_RUNS]
        found = map_threads(lambda column: self._choose(w, standardise(column), rows), list(y.T))
        powers, kernels = (tuple(column) for column in zip(*found, strict=True))
        law = GaussianProcessLaw(
            runs.domains,
            runs.targets,
            runs.lower_is_better,
            w,
            y,
            np.array(powers),
            kernels,
            self.draws,
            self.seed,
        )
        # With more runs the misses of runs left out one at a time suffice.
        if self.draws and len(w) <= FEW_RUNS:
            law = replace(law, stretch=self._stretch(w, y))
        return law.add_diagnostics()

    def _stretch(self, w: Array, y: Array) -> Array:
        """Return the stretch (M,) of the intervals, from kernels found without a part of the runs.

        With few runs the kernels follow each of them, so that only kernels found without a run
        show how far off it is.
        """
        domains = w.shape[1]
        if len(w) <= 2 * domains:
            warn_few_runs(
                f"the Gaussian process is over {domains} domains", len(w), 2 * domains + 1
            )
        fold = assign_folds(w, FOLDS, self.seed)
        missed = np.zeros_like(y)
        spread = np.ones_like(y)

        def leave_out(job: tuple[int, int]) -> None:
            part, m = job
            out = fold == part
            seen = y[~out, m]
            known = standardise(seen)
            power, kernel = self._choose(w[~out], known, np.arange(len(known)))
            unseeing = posterior(w[~out] ** power, known, kernel)
            inputs = w[out] ** power
            # In the unit of the runs that were seen, as the kernel is.
            reached = (y[out, m] - seen.mean()) / find_deviation(seen)
            missed[out, m] = reached - unseeing.mean(inputs)
            spread[out, m] = np.sqrt(unseeing.variance(inputs) + np.exp(kernel.noise))

        varied = np.flatnonzero(~find_constant(y)).tolist()
        map_threads(leave_out, list(product(range(fold.max() + 1), varied)))
        return find_stretch(missed, spread, LEAST, MOST)

    def _choose(self, w: Array, y: Array, rows: NDArray[np.int64]) -> tuple[float, Kernel]:
        """Return power and kernel of one target: all kinds fitted to some runs, the best to all."""
        domains = w.shape[1]
        # Logarithms: of the losses' variance, of a noise of 5 % of it, of lengths of 0.6.
        start = Kernel(0.0, -3.0, np.full(domains, -0.5))
        # A target that never changes leaves the likelihood without a maximum.
        if not y.any():
            return self.power or 1.0, start
        tried = []
        for power in POWERS if self.power is None else (self.power,):
            inputs = w[rows] ** power
            # One length is quick to find, and where several are looked for they start from it.
            kernel, height = fit_kernel(inputs, y[rows], start, isotropic=True)
            # A kernel's numbers are its amplitude, its noise, and one length or a length a domain.
            if self.isotropic is not False:
                tried.append((_score(height, 3, len(rows)), power, kernel, True))
            if not self.isotropic and domains > 1:
                kernel, height = fit_kernel(inputs, y[rows], kernel, isotropic=False)
                tried.append((_score(height, 2 + domains, len(rows)), power, kernel, False))
        _, power, kernel, isotropic = max(tried, key=itemgetter(0))
        if len(rows) < len(w):  # found on some runs, refined on all
            kernel, _ = fit_kernel(w**power, y, kernel, isotropic=isotropic, steps=15)
        return power, kernel


def _score(height: float, numbers: int, runs: int) -> float:
    """Return the log marginal likelihood, less half of log(runs) a number fitted (Schwarz)."""
    return height - 0.5 * numbers * float(np.log(runs))
