"""The law of MixMin: what it predicts, how sure it is, its best mixture, and how it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array
from reweightviz.laws._runs import checked_importance
from reweightviz.laws._sampled_law import SampledLaw, damaged, packed, unpacked
from reweightviz.numerics.mixture_likelihood import Documents, documents, minimise_mixture_loss

Single = NDArray[np.float32]
AT_ONCE = 8192
"""Documents that are resampled at once."""


@dataclass(frozen=True, eq=False)
class MixMinLaw(SampledLaw):
    """The objective of MixMin, on a line through the losses of runs where there were any; convex in the weights.

    Args:
        domains: names (K,), in the order of the weights.
        targets: names (M,).
        lower_is_better: (M,).
        log_probs: M arrays (X, K) float32.
        shares: M arrays (X,), what each document counts: 1 / X, or 1 / (X length).
        line: (M, 2) level and slope, by which the objective becomes the loss.
        lines: (B, M, 2), the same refitted to resampled runs.
        noise: (B, M), residuals of runs; a row comes from one run.
        count: how many draws ``samples`` gives, B.
        seed: of the draws.
        diagnostics: what the fit says of itself: a list of M values a name.
    """

    domains: tuple[str, ...]
    targets: tuple[str, ...]
    lower_is_better: NDArray[np.bool_]
    log_probs: tuple[Single, ...]
    shares: tuple[Array, ...]
    line: Array | None = None
    lines: Array = field(default_factory=lambda: np.empty((0, 0, 2)))
    noise: Array = field(default_factory=lambda: np.empty((0, 0)))
    count: int = 0
    seed: int = 0
    diagnostics: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    kind: ClassVar[str] = "mixmin"

    def __post_init__(self) -> None:
        if not self.diagnostics:
            many = len(self.targets)
            alike = [bool(texts.ratios.min() == 1) for texts in self._documents]
            object.__setattr__(
                self,
                "diagnostics",
                {
                    "r2": [None] * many,
                    "mae": [None] * many,
                    "runs": [0] * many,
                    "degenerate": [False] * many,
                    "constant": alike,
                },
            )

    def __repr__(self) -> str:
        return (
            f"MixMinLaw({len(self.domains)} domains, {len(self.targets)} targets, "
            f"{sum(len(one) for one in self.log_probs)} "
            f"documents{'' if self.line is None else ', on a line'})"
        )

    @property
    def draws(self) -> int:
        """How many draws ``samples`` gives."""
        return self.count

    def predict(self, weights: ArrayLike) -> Array:  # type: ignore[override]
        """Losses (n, M) under mixtures (n, K)."""
        plain = self._objective(self._mixtures(weights))
        return (
            plain
            if self.line is None
            else np.asarray(self.line[:, 0] + self.line[:, 1] * plain, np.float64)
        )

    def samples(self, weights: ArrayLike) -> Array:  # type: ignore[override]
        """Losses (B, n, M), one a draw: that a new run might reach, or, without runs, on other such documents."""
        mixtures = self._mixtures(weights)
        if self.line is not None:
            drawn = self.lines[:, None, :, 0] + self.lines[:, None, :, 1] * self._objective(
                mixtures
            )
            return np.asarray(drawn + self.noise[:, None, :], np.float64)
        parts = zip(self._documents, self.shares, strict=True)
        return np.stack(
            [
                self._resampled(mixtures, texts, shares, m)
                for m, (texts, shares) in enumerate(parts)
            ],
            axis=2,
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
        """The mixture (K,) with the lowest mean loss, exactly: a convex program.

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
        better = self.lower_is_better if self.line is None else np.ones(len(self.targets), bool)
        counted = checked_importance(importance, self.targets, better) * (
            1.0 if self.line is None else np.abs(self.line[:, 1])
        )
        if not counted.any():
            raise ReweightvizError(
                "what the runs reached does not follow MixMin's objective, so it says "
                "nothing of the best mixture."
            )
        used = np.flatnonzero(counted)
        texts = Documents(
            np.concatenate([self._documents[m].ratios for m in used]),
            np.concatenate([self._documents[m].top for m in used]),
        )
        shares = np.concatenate([counted[m] * self.shares[m] for m in used])
        return minimise_mixture_loss(
            texts, shares, kl=kl, prior=prior, lower=lower, upper=upper, names=self.domains
        ).x

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {
            **self._record(),
            "log_probs": [packed(one) for one in self.log_probs],
            "shares": [packed(one) for one in self.shares],
            "line": None if self.line is None else packed(self.line),
            "lines": packed(self.lines),
            "noise": packed(self.noise),
            "draws": self.count,
            "seed": self.seed,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> MixMinLaw:
        """What :meth:`to_dict` gave."""
        common = cls._read(record)
        try:
            return cls(
                **common,
                log_probs=tuple(map(unpacked, record["log_probs"])),
                shares=tuple(map(unpacked, record["shares"])),
                line=None if record["line"] is None else unpacked(record["line"]),
                lines=unpacked(record["lines"]),
                noise=unpacked(record["noise"]),
                count=int(record["draws"]),
                seed=int(record["seed"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(error) from error

    @cached_property
    def _documents(self) -> tuple[Documents, ...]:
        return tuple(documents(one.astype(np.float64)) for one in self.log_probs)

    def _objective(self, mixtures: Array) -> Array:
        parts = zip(self._documents, self.shares, strict=True)
        return np.stack([texts.loss(mixtures, shares) for texts, shares in parts], axis=1)

    def _resampled(self, mixtures: Array, texts: Documents, shares: Array, target: int) -> Array:
        """The objective (B, n) where every document counts at random, by an exponential number of mean 1."""
        rng = np.random.default_rng([self.seed, target])
        total, drawn = np.zeros((self.count, 1)), np.zeros((self.count, len(mixtures)))
        for first in range(0, len(shares), AT_ONCE):
            rows = slice(first, first + AT_ONCE)
            times = rng.exponential(size=(self.count, len(shares[rows])))
            drawn += Documents(texts.ratios[rows], texts.top[rows]).loss(
                mixtures, times * shares[rows]
            )
            total += times.sum(1, keepdims=True)
        return np.asarray(drawn * len(shares) / total, np.float64)
