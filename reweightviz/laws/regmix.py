"""RegMix: a regressor from weights to losses, and the best of many simulated mixtures.

Qian Liu, Xiaosen Zheng, Niklas Muennighoff, Guangtao Zeng, Longxu Dou, Tianyu Pang, Jing Jiang and
Min Lin, "RegMix: Data Mixture as Regression for Language Model Pre-training", ICLR 2025,
https://arxiv.org/abs/2407.01492. Followed: the authors' public notebook (LightGBM with a rate of
0.01 and 1,000 trees, one model a target; the mean of the best 128 of 100,000 draws from
Dirichlet(natural weights), seed 42). Ours: no early stopping, where the authors stop on the runs
that they test on; smaller leaves below 500 runs, where LightGBM's 20 runs a leaf would leave no
tree; the intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import UnknownName, UnmetNeed
from reweightviz.core.types import Array
from reweightviz.laws._diagnostics import (
    assign_folds,
    explains_nothing,
    measure_fit,
    measure_held_out,
)
from reweightviz.laws._ensemble_law import EnsembleLaw
from reweightviz.laws._regressors import LinearRegressor, Regressor, fit_trees
from reweightviz.laws._runs import ProxyRuns, check_runs

__all__ = ["RUNS_A_LEAF", "STEP", "RegMix"]


STEP = 0.05
"""Learning rate of the models that leave runs out, where the law's is smaller.

With as many times fewer trees they miss runs by the same amounts, and answer while one drags.
"""
RUNS_A_LEAF = 25
"""LightGBM takes 20 runs a leaf or more; with fewer than 500 runs, a 25th of them."""


@dataclass(frozen=True)
class RegMix:
    """Fit a regressor a target, with the search for a mixture that the paper makes.

    Trees follow sharp bends that a curve misses, and predict nothing beyond the runs: outside
    their hull they stay flat.

    Args:
        model: "lightgbm" for boosted trees, "linear" for least squares.
        trees: how many trees a target.
        rate: learning rate of the trees.
        leaves: most leaves a tree.
        least: fewest runs a leaf; when not given, 20 as LightGBM, or a 25th of the runs where that
            is less.
        folds: parts of the runs that are left out in turn, for the intervals, F; each costs
            another, quicker fit. 0 for none. Models of fewer runs miss more, so few folds err on
            the wide side: with 5 the intervals are some 4 % longer.
        seed: of the folds, and of LightGBM.

    Example:
        >>> mixtures = np.array([[1, 0], [0, 1], [0.5, 0.5], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]])
        >>> losses = 3 - mixtures[:, :1]
        >>> law = RegMix(model="linear", folds=2).fit(
        ...     domains=("web", "code"), targets=("loss",), mixtures=mixtures, losses=losses
        ... )
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
    folds: int = 10
    seed: int = 42

    paper: ClassVar[str] = "https://arxiv.org/abs/2407.01492"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if self.model not in ("lightgbm", "linear"):
            raise UnknownName(kind="model of RegMix", name=self.model, known=("lightgbm", "linear"))
        smallest = 1 if self.least is None else self.least
        if self.trees < 1 or not self.rate > 0 or self.leaves < 2 or smallest < 1:
            raise UnmetNeed(
                name="RegMix",
                value=(self.trees, self.least, self.rate, self.leaves),
                expected="trees and least of at least 1, a rate above 0 and leaves of at least 2",
                got=f"{self.trees}, {self.least}, {self.rate}, {self.leaves}",
            )
        if self.folds < 0 or self.folds == 1:
            raise UnmetNeed(
                name="RegMix",
                value=self.folds,
                expected="folds of at least 2, or 0 for no intervals",
            )

    def fit(
        self,
        *,
        domains: Sequence[str],
        targets: Sequence[str],
        mixtures: ArrayLike,
        losses: ArrayLike,
        lower_is_better: ArrayLike | None = None,
    ) -> EnsembleLaw:
        """Fit every target.

        Args:
            domains: names (K,).
            targets: names (M,).
            mixtures: (R, K) weights of the runs, as read.
            losses: (R, M).
            lower_is_better: (M,); all true when not given.

        Raises:
            ReweightvizError: one domain, too few runs, losses that are missing, or mixtures that
                do not vary.
        """
        domains = tuple(domains)
        if len(domains) < 2:
            raise UnmetNeed(
                name="RegMix",
                value=len(domains),
                expected="2 domains or more, as it learns what the weights do",
            )
        linear = self.model == "linear"
        runs = check_runs(
            f"RegMix(model={self.model!r})",
            domains,
            targets,
            mixtures,
            losses,
            lower_is_better,
            positive=False,
            spanning=linear,
            needed=len(domains) + 1 if linear else 6,
            parametric=linear,
        )
        model = self._fit_models([(runs.mixtures, runs.losses)])[0]
        predicted = model.predict(runs.mixtures)
        whole = (runs.domains, runs.targets, runs.lower_is_better, model)
        if not self.folds:
            diagnostics = measure_fit(runs.losses, predicted, [False] * len(runs.targets))
            residuals = np.empty((0, len(runs.targets)))
            return EnsembleLaw(*whole, (), residuals, np.empty(0, np.int64), diagnostics)
        fold = assign_folds(runs.mixtures, self.folds, self.seed)
        models, residuals = self._leave_out(runs, fold)
        held_out = measure_held_out(runs.losses, runs.losses - residuals)
        diagnostics = measure_fit(runs.losses, predicted, explains_nothing(held_out)) | held_out
        return EnsembleLaw(*whole, models, residuals, fold, diagnostics)

    def _leave_out(
        self, runs: ProxyRuns, fold: NDArray[np.int64]
    ) -> tuple[tuple[Regressor, ...], Array]:
        """Return a model without each part of the runs, and residuals (R, M) of those left out."""
        w = runs.mixtures
        y = runs.losses
        kept = [fold != part for part in range(fold.max() + 1)]
        tables = [(w[rows], y[rows]) for rows in kept]
        # As many times fewer trees at as many times the rate, to save time.
        models = self._fit_models(tables, max(1, int(STEP / self.rate)))
        residuals = np.empty_like(y)
        for rows, unseeing in zip(kept, models, strict=True):
            residuals[~rows] = y[~rows] - unseeing.predict(w[~rows])
        return tuple(models), residuals

    def _fit_models(
        self, tables: list[tuple[Array, Array]], stride: int = 1
    ) -> Sequence[Regressor]:
        """Fit a model to each table of weights and losses, with fewer trees by ``stride``."""
        if self.model == "linear":
            return [LinearRegressor.fit(*table) for table in tables]
        least = self.least or min(20, max(1, len(tables[0][0]) // RUNS_A_LEAF))
        settings = {
            "objective": "regression",
            "learning_rate": self.rate * stride,
            "num_leaves": self.leaves,
            "min_data_in_leaf": least,
            "min_data_in_bin": min(3, least),
            "seed": self.seed,
        }
        return fit_trees(tables, trees=max(1, self.trees // stride), settings=settings)
