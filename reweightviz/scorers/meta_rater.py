"""Meta-rater: a document is worth more by the mix of quality ratings that proxy runs liked best.

Xinlin Zhuang et al., "Meta-rater: A Multi-dimensional Data Selection Method for Pre-training
Language Models", ACL 2025, https://arxiv.org/abs/2504.14194. Their code holds the raters, not the
estimator, which is LightGBM; here it is a ridge regression on the weights and their products.
``rv.mixers.MetaRater`` takes any law for it, so LightGBM too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.numerics.dirichlet_search import mean_of_best
from reweightviz.numerics.ratings import standardise
from reweightviz.numerics.run_regression import fit_ridge

__all__ = ["MetaRater"]


@dataclass(frozen=True)
class MetaRater:
    """The weighted mean of the standardised ratings; the weights are learnt from runs.

    Each run trained on what random weights of the raters chose. A regression of the losses on the
    weights judges many more weights, and the mean of the best is taken.

    Args:
        draws: weights that are judged, uniform over all.
        top: of how many of the best the mean is taken.
        seed: of the draws.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> weights = rng.dirichlet(np.ones(2), 40)
        >>> losses = 2 + (weights[:, 0] - 0.8) ** 2
        >>> scorer = MetaRater(draws=10_000)
        >>> scorer.score(
        ...     ratings=[[5, 1], [3, 1], [1, 4]], rater_weights=weights, run_losses=losses
        ... ).round(1).tolist()
        [0.8, -0.1, -0.7]
    """

    draws: int = 200_000
    top: int = 128
    seed: int = 1048

    higher_is_better: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2504.14194"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if not 1 <= self.top <= self.draws or self.seed < 0:
            raise UnmetNeed(
                name="MetaRater",
                value=(self.top, self.draws, self.seed),
                expected="top of at least 1 and at most the number of draws, and a seed of at "
                "least 0",
                got=f"{self.top} of {self.draws}, and {self.seed}",
            )

    def score(
        self, *, ratings: ArrayLike, rater_weights: ArrayLike, run_losses: ArrayLike
    ) -> Array:
        """Return scores (N,); NaN where a rating is missing.

        Args:
            ratings: (N, r), higher is better.
            rater_weights: (R, r) by which each run's documents were chosen, its sum 1.
            run_losses: (R,) on the target.
        """
        rated = np.asarray(ratings, np.float64)
        weights = np.asarray(rater_weights, np.float64)
        _check(rated, weights)
        best = self.find_weights(weights, run_losses)
        known = np.isfinite(rated).all(1)
        scores = np.full(len(rated), np.nan)
        scores[known] = standardise(rated[known]) @ best
        return scores

    def find_weights(self, rater_weights: ArrayLike, run_losses: ArrayLike) -> Array:
        """Return the weights (r,) that the regression likes best."""
        weights = np.asarray(rater_weights, np.float64)
        terms = _with_products(weights)
        # Of one unit, the penalty asks of each term the same.
        unit = terms.std(0)
        unit[unit == 0] = 1
        fitted = fit_ridge(terms / unit, run_losses)
        return mean_of_best(
            lambda drawn: fitted.predict(_with_products(drawn) / unit),
            np.ones(weights.shape[1]),
            draws=self.draws,
            top=self.top,
            seed=self.seed,
        )


def _check(rated: Array, weights: Array) -> None:
    is_shaped = rated.ndim == 2 and weights.ndim == 2 and rated.shape[1] == weights.shape[1]
    if not is_shaped or not np.isfinite(rated).all(1).any():
        raise UnmetNeed(
            name="MetaRater",
            value=(rated.shape, weights.shape),
            expected="ratings (N, r) of at least one document by all raters, and rater_weights "
            "(R, r) of the same raters",
            got=f"shapes {rated.shape} and {weights.shape}",
        )
    if (weights < 0).any() or not np.allclose(weights.sum(1), 1, atol=5e-3):
        raise UnmetNeed(
            name="MetaRater",
            value=None,
            expected="rater_weights of at least 0 that sum to 1 in each run",
            got=f"sums from {weights.sum(1).min():.3g} to {weights.sum(1).max():.3g}",
        )


def _with_products(weights: Array) -> Array:
    """Return weights and the products of any two of them, (n, r + r (r + 1) / 2)."""
    one, other = np.triu_indices(weights.shape[1])
    return np.hstack([weights, weights[:, one] * weights[:, other]])
