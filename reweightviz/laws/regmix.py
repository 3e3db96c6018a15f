"""RegMix: a regressor from weights to losses, boosted trees or least squares, and the best of many simulated mixtures.

Qian Liu, Xiaosen Zheng, Niklas Muennighoff, Guangtao Zeng, Longxu Dou, Tianyu Pang, Jing Jiang and Min Lin, "RegMix:
Data Mixture as Regression for Language Model Pre-training", ICLR 2025, https://arxiv.org/abs/2407.01492. Followed: the
authors' public notebook (LightGBM with a rate of 0.01 and 1,000 trees, one model a target; the mean of the best 128 of
100,000 draws from Dirichlet(natural weights), seed 42). Ours: no early stopping, where the authors stop on the runs that
they test on; smaller leaves below 500 runs, where LightGBM's 20 runs a leaf would leave no tree; the intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError, unknown_name
from reweightviz.laws.ensemble_law import EnsembleLaw, ensemble_diagnostics, fold_of_runs
from reweightviz.laws.regressors import LinearRegressor, Regressor, boosted
from reweightviz.laws.runs import checked_directions, checked_runs
from reweightviz.laws.sampled_law import Array

RUNS_A_LEAF = 25
"""LightGBM asks for 20 runs a leaf; with fewer than 500 runs, for a 25th of them."""


@dataclass(frozen=True)
class RegMix:
    """Loss of each target by a regressor of its own, with the search for a mixture that the paper makes.

    Trees follow sharp bends that a curve misses, and predict nothing beyond the runs: outside their hull they stay flat.

    Args:
        model: "lightgbm" for boosted trees, "linear" for least squares.
        trees: how many trees a target.
        rate: learning rate of the trees.
        leaves: most leaves a tree.
        least: fewest runs a leaf; when not given, 20 as LightGBM, or a 25th of the runs where that is less.
        folds: parts of the runs that are left out in turn, for the intervals, F; each costs another fit. 0 for none.
        seed: of the folds, and of LightGBM.

    Example:
        >>> mixtures = np.array([[1, 0], [0, 1], [0.5, 0.5], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]])
        >>> losses = 3 - mixtures[:, :1]
        >>> law = RegMix(model="linear", folds=2).fit(domains=("web", "code"), targets=("loss",), mixtures=mixtures, losses=losses)
        >>> law.predict([[0.25, 0.75]]).round(6).tolist()
        [[2.75]]
        >>> law.propose(draws=1000, top=10).round(1).tolist()
        [1.0, 0.0]
    """

    model: str = "lightgbm"
    trees: int = 1000
    rate: float = 0.01
    leaves: int = 31
    least: int | None = None
    folds: int = 5
    seed: int = 42

    paper: ClassVar[str] = "https://arxiv.org/abs/2407.01492"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if self.model not in ("lightgbm", "linear"):
            raise unknown_name("model of RegMix", self.model, ("lightgbm", "linear"))
        if self.trees < 1 or not self.rate > 0 or self.leaves < 2 or (self.least is not None and self.least < 1):
            raise ReweightvizError("RegMix needs trees and least of at least 1, a rate above 0 and leaves of at least 2; "
                                   f"got {self.trees}, {self.least}, {self.rate}, {self.leaves}.")
        if self.folds < 0 or self.folds == 1:
            raise ReweightvizError(f"RegMix needs folds of at least 2, or 0 for no intervals; got {self.folds}.")

    def fit(self, *, domains: Sequence[str], targets: Sequence[str], mixtures: ArrayLike, losses: ArrayLike,
            lower_is_better: ArrayLike | None = None) -> EnsembleLaw:
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
        names, goals, linear = tuple(domains), tuple(targets), self.model == "linear"
        w, y = checked_runs(f"RegMix(model={self.model!r})", names, goals, mixtures, losses, positive=False, spanning=linear,
                            needed=len(names) + 1 if linear else 6, parametric=linear)
        fold = fold_of_runs(w, self.folds, self.seed) if self.folds else np.empty(0, np.int64)
        kept = [np.ones(len(w), bool), *(fold != left for left in range(fold.max(initial=-1) + 1))]
        model, *folds = self._models([(w[rows], y[rows]) for rows in kept])
        residuals = np.empty((len(fold), len(goals)))
        for left, unseeing in enumerate(folds):
            residuals[fold == left] = y[fold == left] - unseeing.predict(w[fold == left])
        said = ensemble_diagnostics(y, model.predict(w), residuals)
        return EnsembleLaw(names, goals, checked_directions(lower_is_better, goals), model, tuple(folds), residuals, fold, said)

    def _models(self, tables: list[tuple[Array, Array]]) -> Sequence[Regressor]:
        if self.model == "linear":
            return [LinearRegressor.fitted(*table) for table in tables]
        least = self.least or min(20, max(1, len(tables[0][0]) // RUNS_A_LEAF))
        settings = {"objective": "regression", "learning_rate": self.rate, "num_leaves": self.leaves, "min_data_in_leaf": least,
                    "min_data_in_bin": min(3, least), "seed": self.seed}
        return boosted(tables, trees=self.trees, settings=settings)
