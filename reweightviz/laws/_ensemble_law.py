"""A law from a regressor: the model of all runs, and models that each left some runs out and say how far off it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, listed
from reweightviz.core.types import Array
from reweightviz.laws._regressors import LinearRegressor, Regressor, TreeRegressor
from reweightviz.laws._sampled_law import SampledLaw, damaged, packed, unpacked
from reweightviz.numerics.simplex import share

REGRESSORS: dict[str, type[LinearRegressor | TreeRegressor]] = {
    each.kind: each for each in (LinearRegressor, TreeRegressor)
}


@dataclass(frozen=True, eq=False)
class EnsembleLaw(SampledLaw):
    """A regressor fitted to all runs, and F more, each fitted without one part of the runs.

    A draw takes one run: the prediction of the model that did not see it, plus what that model
    missed the run by (the CV+ of Rina Foygel Barber et al., "Predictive inference with the
    jackknife+", 2021, one draw a run).

    Args:
        domains: names (K,), in the order of the weights.
        targets: names (M,).
        lower_is_better: (M,).
        model: fitted to all runs.
        folds: F models.
        residuals: (R, M), what each run lies above the prediction of its fold's model.
        fold: (R,), which model did not see the run.
        diagnostics: what the fit says of itself: a list of M values a name.
    """

    domains: tuple[str, ...]
    targets: tuple[str, ...]
    lower_is_better: NDArray[np.bool_]
    model: Regressor
    folds: tuple[Regressor, ...]
    residuals: Array
    fold: NDArray[np.int64]
    diagnostics: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    kind: ClassVar[str] = "ensemble"

    def __repr__(self) -> str:
        return (
            f"EnsembleLaw({self.model.kind}, {len(self.domains)} domains, "
            f"{len(self.targets)} targets, "
            f"{len(self.folds)} folds)"
        )

    @property
    def draws(self) -> int:
        """How many draws ``samples`` gives: one a run."""
        return len(self.residuals)

    def predict(self, weights: ArrayLike) -> Array:  # type: ignore[override]
        """Losses (n, M) under mixtures (n, K)."""
        return self.model.predict(self._mixtures(weights))

    def samples(self, weights: ArrayLike) -> Array:  # type: ignore[override]
        """Losses (B, n, M) that a new run at each of the mixtures (n, K) might reach, one a draw.

        A draw has one fold's model and the residuals of one run for all targets, so sums and
        differences over targets or mixtures keep their correlation.
        """
        mixtures = self._mixtures(weights)
        if not self.folds:
            return np.empty((0, len(mixtures), len(self.targets)))
        unseen = np.stack([model.predict(mixtures) for model in self.folds])
        return np.asarray(unseen[self.fold] + self.residuals[:, None, :], np.float64)

    def candidates(
        self,
        importance: ArrayLike | None = None,
        *,
        prior: ArrayLike | None = None,
        draws: int = 100_000,
        top: int = 128,
        seed: int = 42,
    ) -> tuple[Array, Array]:
        """The best of many random mixtures: (top, K), best first, and their mean predicted losses (top,).

        The mean of the first k is RegMix's proposal with k in place of 128; how it moves with k
        says how sharp the minimum is.

        Args:
            importance: (M,) >= 0, rescaled to sum 1; all targets alike when not given. The losses
                of targets where higher is better count with a minus.
            prior: (K,) parameters of the Dirichlet distribution, such as the natural weights; a
                domain with 0 stays out. Uniform weights when not given.
            draws: how many mixtures are drawn.
            top: how many are returned.
            seed: of the draws.
        """
        given = (
            np.ones(len(self.targets)) if importance is None else np.asarray(importance, np.float64)
        )
        if (
            given.shape != (len(self.targets),)
            or not np.isfinite(given).all()
            or (given < 0).any()
            or not given.any()
        ):
            raise InvalidValue(
                name="importance",
                value=given,
                expected=f"{len(self.targets)} numbers >= 0, at least one above 0, one for each "
                f"of {listed(self.targets)}",
            )
        if not 1 <= top <= draws:
            raise InvalidValue(
                name="top",
                value=(top, draws),
                expected="between 1 and the number of draws",
                got=f"{top} of {draws}",
            )
        mixtures = _dirichlet(self._prior(prior), draws, seed)
        shares = np.where(self.lower_is_better, 1.0, -1.0) * given / given.sum()
        rows, value = self.model.lowest(mixtures, shares, top)
        return mixtures[rows], value

    def propose(
        self,
        importance: ArrayLike | None = None,
        *,
        prior: ArrayLike | None = None,
        draws: int = 100_000,
        top: int = 128,
        seed: int = 42,
    ) -> Array:
        """RegMix's proposal (K,): the mean of the ``top`` best of ``draws`` mixtures from Dirichlet(prior)."""
        mixtures, _ = self.candidates(importance, prior=prior, draws=draws, top=top, seed=seed)
        mean = mixtures.mean(0)
        return np.asarray(mean / mean.sum(), np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it; trees as LightGBM's text, compressed."""
        return {
            **self._record(),
            "model": self.model.to_dict(),
            "folds": [model.to_dict() for model in self.folds],
            "residuals": packed(self.residuals),
            "fold": packed(self.fold),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> EnsembleLaw:
        """What :meth:`to_dict` gave."""
        common = cls._read(record)
        try:
            model, *folds = (
                REGRESSORS[part["kind"]].from_dict(part)
                for part in [record["model"], *record["folds"]]
            )
            return cls(
                **common,
                model=model,
                folds=tuple(folds),
                residuals=unpacked(record["residuals"]),
                fold=unpacked(record["fold"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(error) from error

    def _prior(self, prior: ArrayLike | None) -> Array:
        count = len(self.domains)
        weights = np.full(count, 1 / count) if prior is None else share(prior, "the prior")
        if weights.size != count:
            raise ReweightvizError(
                f"the prior has {weights.size} weights; there are {count} domains."
            )
        return weights


def _dirichlet(prior: Array, draws: int, seed: int) -> Array:
    """Mixtures (draws, K); numpy's older generator, so that the published proposals come out."""
    mixtures = np.zeros((draws, len(prior)))
    mixtures[:, prior > 0] = np.random.RandomState(seed).dirichlet(prior[prior > 0], draws)
    return mixtures
