"""The law of a regressor, with models that left runs out for its intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.types import Array
from reweightviz.laws._importance import check_importance
from reweightviz.laws._inputs import Inputs
from reweightviz.laws._record import decode_array, encode_array, open_record
from reweightviz.laws._regressors import LinearRegressor, Regressor, TreeRegressor
from reweightviz.laws._sampled_law import SampledLaw
from reweightviz.numerics.simplex import share

__all__ = ["REGRESSORS", "EnsembleLaw"]


REGRESSORS: dict[str, type[LinearRegressor | TreeRegressor]] = {
    each.kind: each for each in (LinearRegressor, TreeRegressor)
}


@dataclass(frozen=True, eq=False)
class EnsembleLaw(SampledLaw):
    """A regressor fitted to all runs, and F more, each fitted without one part of the runs.

    A draw takes one run: the prediction of the model that did not see it, plus its miss of the run
    for all targets (the CV+ of Rina Foygel Barber et al., "Predictive inference with the
    jackknife+", 2021, one draw a run).

    Args:
        domains: names (K,), in the order of the weights.
        targets: names (M,).
        lower_is_better: (M,).
        model: fitted to all runs.
        folds: F models.
        residuals: (R, M), of each run from the prediction of its fold's model.
        fold: (R,), the number of the model that did not see the run.
        diagnostics: of the fit: a list of M values a name.
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
            f"{len(self.targets)} targets, {len(self.folds)} folds)"
        )

    @property
    def draws(self) -> int:
        """The number of draws of ``samples``, B: one a run."""
        return len(self.residuals)

    def candidates(
        self,
        importance: ArrayLike | None = None,
        *,
        prior: ArrayLike | None = None,
        draws: int = 100_000,
        top: int = 128,
        seed: int = 42,
    ) -> tuple[Array, Array]:
        """Return the best of many random mixtures, (top, K), and their mean losses (top,).

        The mean of the first k is RegMix's proposal with k in place of 128; the less it moves with
        k, the sharper is the minimum.

        Args:
            importance: (M,) >= 0, rescaled to sum 1; all targets alike when not given. The losses
                of targets where higher is better count with a minus.
            prior: (K,) parameters of the Dirichlet distribution, such as the natural weights; a
                domain with 0 stays out. Uniform weights when not given.
            draws: how many mixtures are drawn.
            top: how many are returned.
            seed: of the draws.
        """
        # Higher is better counts with a minus: a search needs no convexity.
        shares = check_importance(importance, self.targets)
        if not 1 <= top <= draws:
            raise InvalidValue(
                name="top",
                value=(top, draws),
                expected="between 1 and the number of draws",
                got=f"{top} of {draws}",
            )
        mixtures = _draw_dirichlet(self._prior(prior), draws, seed)
        signed = np.where(self.lower_is_better, 1.0, -1.0) * shares
        rows, value = self.model.lowest(mixtures, signed, top)
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
        """Return RegMix's proposal (K,), the mean of the best of many random mixtures.

        The arguments are those of :meth:`candidates`.
        """
        mixtures, _ = self.candidates(importance, prior=prior, draws=draws, top=top, seed=seed)
        # Rounding may leave the mean a hair off 1.
        mean = mixtures.mean(0)
        return np.asarray(mean / mean.sum(), np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON can hold it; trees as LightGBM's text, compressed."""
        return {
            "kind": self.kind,
            **self._record(),
            "model": self.model.to_dict(),
            "folds": [model.to_dict() for model in self.folds],
            "residuals": encode_array(self.residuals),
            "fold": encode_array(self.fold),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> EnsembleLaw:
        """Return the law that :meth:`to_dict` wrote."""
        with open_record(record, [cls.kind]) as common:
            parts = [record["model"], *record["folds"]]
            model, *folds = (REGRESSORS[part["kind"]].from_dict(part) for part in parts)
            return cls(
                **common,
                model=model,
                folds=tuple(folds),
                residuals=decode_array(record["residuals"]),
                fold=decode_array(record["fold"]),
            )

    def _predict(self, inputs: Inputs) -> Array:
        return self.model.predict(inputs.weights)

    def _sample(self, inputs: Inputs) -> Array:
        if not self.folds:
            return np.empty((0, len(inputs.weights), len(self.targets)))
        unseen = np.stack([model.predict(inputs.weights) for model in self.folds])
        return np.asarray(unseen[self.fold] + self.residuals[:, None, :], np.float64)

    def _prior(self, prior: ArrayLike | None) -> Array:
        count = len(self.domains)
        weights = np.full(count, 1 / count) if prior is None else share(prior, "the prior")
        if weights.size != count:
            raise ReweightvizError(
                f"the prior has {weights.size} weights; there are {count} domains."
            )
        return weights


def _draw_dirichlet(prior: Array, draws: int, seed: int) -> Array:
    """Return mixtures (draws, K)."""
    mixtures = np.zeros((draws, len(prior)))
    # numpy's older generator, so that the published proposals come out.
    mixtures[:, prior > 0] = np.random.RandomState(seed).dirichlet(prior[prior > 0], draws)
    return mixtures
