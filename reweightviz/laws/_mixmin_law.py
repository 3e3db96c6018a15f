"""The law of MixMin: its objective, or the losses of runs on a line over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array, Single
from reweightviz.laws._importance import check_convex_importance, check_importance
from reweightviz.laws._inputs import Inputs
from reweightviz.laws._record import decode_array, encode_array, open_record
from reweightviz.laws._sampled_law import SampledLaw
from reweightviz.numerics.mixture_likelihood import Documents, documents, minimise_mixture_loss

__all__ = ["AT_ONCE", "MixMinLaw"]


AT_ONCE = 8192
"""Documents that are resampled at once."""


@dataclass(frozen=True, eq=False)
class MixMinLaw(SampledLaw):
    """The objective of MixMin, on a line through the losses of runs where there were any.

    It is convex in the weights. A draw has one refit of the line and the residuals of one run.
    Without runs it has resampled documents, and no noise of a training run.

    Args:
        domains: names (K,), in the order of the weights.
        targets: names (M,).
        lower_is_better: (M,).
        log_probs: M arrays (X, K) float32.
        shares: M arrays (X,), what each document counts: 1 / X, or 1 / (X length).
        line: (M, 2) level and slope, by which the objective becomes the loss.
        refits: (B, M, 2), the same refitted to resampled runs.
        noise: (B, M), residuals of runs; a row comes from one run.
        draws: the number of draws of ``samples``, B.
        seed: of the draws.
        diagnostics: of the fit: a list of M values a name.
    """

    domains: tuple[str, ...]
    targets: tuple[str, ...]
    lower_is_better: NDArray[np.bool_]
    log_probs: tuple[Single, ...]
    shares: tuple[Array, ...]
    line: Array | None = None
    refits: Array = field(default_factory=lambda: np.empty((0, 0, 2)))
    noise: Array = field(default_factory=lambda: np.empty((0, 0)))
    draws: int = 0
    seed: int = 0
    diagnostics: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    kind: ClassVar[str] = "mixmin"

    def __post_init__(self) -> None:
        # Without runs there is no error to report; whether a target varies is known all the same.
        if self.diagnostics:
            return
        many = len(self.targets)
        diagnostics = {
            "r2": [None] * many,
            "mae": [None] * many,
            "runs": [0] * many,
            "degenerate": [False] * many,
            "constant": [bool(texts.ratios.min() == 1) for texts in self._documents],
        }
        object.__setattr__(self, "diagnostics", diagnostics)

    def __repr__(self) -> str:
        texts = sum(len(one) for one in self.log_probs)
        line = "" if self.line is None else ", on a line"
        return (
            f"MixMinLaw({len(self.domains)} domains, {len(self.targets)} targets, "
            f"{texts} documents{line})"
        )

    def minimise(
        self,
        importance: ArrayLike | None = None,
        *,
        kl: float = 0.0,
        prior: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
    ) -> Array:
        """Return the mixture (K,) with the lowest mean loss, exactly: a convex program.

        Args:
            importance: (M,) >= 0, rescaled to sum 1; all targets alike when not given.
            kl: strength of the pull towards the prior, in the unit of the losses; the paper has
                none.
            prior: (K,); uniform when not given.
            lower: (K,) least weights.
            upper: (K,) largest weights, such as epochs * tokens / budget.

        Raises:
            ReweightvizError: the bounds leave no mixture, or nothing depends on the weights.
        """
        if self.line is None:
            counted = check_convex_importance(importance, self.targets, self.lower_is_better)
        else:
            # On a line each target rises or falls with the objective, which is then minimised.
            shares = check_importance(importance, self.targets)
            counted = shares * np.abs(self.line[:, 1])
        if not counted.any():
            raise ReweightvizError(
                "the losses of the runs do not follow MixMin's objective, so it does not show the "
                "best mixture."
            )
        used = np.flatnonzero(counted)
        texts = Documents(
            np.concatenate([self._documents[m].ratios for m in used]),
            np.concatenate([self._documents[m].top for m in used]),
        )
        weights = np.concatenate([counted[m] * self.shares[m] for m in used])
        return minimise_mixture_loss(
            texts, weights, kl=kl, prior=prior, lower=lower, upper=upper, names=self.domains
        ).x

    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON can hold it."""
        return {
            "kind": self.kind,
            **self._record(),
            "log_probs": [encode_array(one) for one in self.log_probs],
            "shares": [encode_array(one) for one in self.shares],
            "line": None if self.line is None else encode_array(self.line),
            "lines": encode_array(self.refits),
            "noise": encode_array(self.noise),
            "draws": self.draws,
            "seed": self.seed,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> MixMinLaw:
        """Return the law that :meth:`to_dict` wrote."""
        with open_record(record, [cls.kind]) as common:
            return cls(
                **common,
                log_probs=tuple(map(decode_array, record["log_probs"])),
                shares=tuple(map(decode_array, record["shares"])),
                line=None if record["line"] is None else decode_array(record["line"]),
                refits=decode_array(record["lines"]),
                noise=decode_array(record["noise"]),
                draws=int(record["draws"]),
                seed=int(record["seed"]),
            )

    def _predict(self, inputs: Inputs) -> Array:
        objective = self._objective(inputs.weights)
        if self.line is None:
            return objective
        return np.asarray(self.line[:, 0] + self.line[:, 1] * objective, np.float64)

    def _sample(self, inputs: Inputs) -> Array:
        if self.line is not None:
            level = self.refits[:, None, :, 0]
            slope = self.refits[:, None, :, 1]
            values = level + slope * self._objective(inputs.weights)
            return np.asarray(values + self.noise[:, None, :], np.float64)
        resamples = [self._resample(inputs.weights, m) for m in range(len(self.targets))]
        return np.stack(resamples, axis=2)

    @cached_property
    def _documents(self) -> tuple[Documents, ...]:
        return tuple(documents(one.astype(np.float64)) for one in self.log_probs)

    def _objective(self, mixtures: Array) -> Array:
        """Return the objective of each target, (n, M)."""
        parts = zip(self._documents, self.shares, strict=True)
        return np.stack([texts.loss(mixtures, shares) for texts, shares in parts], axis=1)

    def _resample(self, mixtures: Array, target: int) -> Array:
        """Return the objective (B, n) where documents count by exponential numbers of mean 1."""
        # A bootstrap with exponential counts (the Bayesian one) leaves no document out altogether.
        rng = np.random.default_rng([self.seed, target])
        texts = self._documents[target]
        shares = self.shares[target]
        total = np.zeros((self.draws, 1))
        summed = np.zeros((self.draws, len(mixtures)))
        for first in range(0, len(shares), AT_ONCE):
            rows = slice(first, first + AT_ONCE)
            times = rng.exponential(size=(self.draws, len(shares[rows])))
            part = Documents(texts.ratios[rows], texts.top[rows])
            summed += part.loss(mixtures, times * shares[rows])
            total += times.sum(1, keepdims=True)
        return np.asarray(summed * len(shares) / total, np.float64)
