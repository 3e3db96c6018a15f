"""The law of Projektor: what it predicts, where that cannot be, its gradient, and how it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array
from reweightviz.laws._runs import checked_given, checked_importance
from reweightviz.laws._sampled_law import SampledLaw, damaged, packed, unpacked
from reweightviz.numerics.transport import Distances

Single = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ProjektorLaw(SampledLaw):
    """A quadratic in the weights and the transport distance for each of S scales, and a line in their logarithm.

    Args:
        domains: names (K,), in the order of the weights.
        targets: names (M,).
        lower_is_better: (M,).
        distances: M, to each target.
        scales: (S,) training tokens.
        coef: (S, M, 3K), of the weights, times distance, times distance and weight.
        refits: (B, S, M, 3K) float32, the same for resampled runs.
        noise: (B, M) float32, residuals of runs; a row comes from one run.
        shares: (M,), whether a target is a share, such as an accuracy, that cannot leave 0 to 1.
        diagnostics: what the fit says of itself: a list of M values a name.
    """

    domains: tuple[str, ...]
    targets: tuple[str, ...]
    lower_is_better: NDArray[np.bool_]
    distances: tuple[Distances, ...]
    scales: Array
    coef: Array
    refits: Single = field(default_factory=lambda: np.empty((0, 0, 0, 0), np.float32))
    noise: Single = field(default_factory=lambda: np.empty((0, 0), np.float32))
    shares: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    diagnostics: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    kind: ClassVar[str] = "projektor"

    def __repr__(self) -> str:
        return f"ProjektorLaw({len(self.domains)} domains, {len(self.targets)} targets, {len(self.scales)} scales)"

    @property
    def given(self) -> tuple[str, ...]:
        """run_tokens, where the runs had more than one scale."""
        return ("run_tokens",) if len(self.scales) > 1 else ()

    @property
    def draws(self) -> int:
        """How many draws ``samples`` gives."""
        return len(self.noise)

    def predict(self, weights: ArrayLike, **given: ArrayLike) -> Array:
        """Losses (n, M) under mixtures (n, K), after ``run_tokens`` where there are several scales."""
        mixtures, line = self._told(weights, given)
        losses = [
            np.einsum(
                "np,sp,ns->n", features(mixtures, distance), self.coef[:, m], line, optimize=True
            )
            for m, distance in enumerate(self.distances)
        ]
        return np.stack(losses, axis=1)

    def samples(self, weights: ArrayLike, **given: ArrayLike) -> Array:
        """Losses (B, n, M) that a new run at each of the mixtures (n, K) might reach, one a draw."""
        mixtures, line = self._told(weights, given)
        drawn = np.empty((self.draws, len(mixtures), len(self.targets)))
        for m, distance in enumerate(self.distances):
            drawn[:, :, m] = np.einsum(
                "np,bsp,ns->bn",
                features(mixtures, distance),
                self.refits[:, :, m],
                line,
                optimize=True,
            )
        return np.asarray(drawn + self.noise[:, None, :], np.float64)

    def beyond(self, weights: ArrayLike, **given: ArrayLike) -> NDArray[np.bool_]:
        """Whether a prediction (n, M) is none that the target can have: below 0, or above 1 where it is a share."""
        predicted = self.predict(weights, **given)
        return np.asarray((predicted < 0) | (self.shares & (predicted > 1)), np.bool_)

    def gradient(self, weights: ArrayLike, **given: ArrayLike) -> Array:
        """How each loss changes with each weight, (n, M, K), the distance's part by its dual potentials."""
        mixtures, line = self._told(weights, given)
        count = len(self.domains)
        slopes = np.empty((len(mixtures), len(self.targets), count))
        for m, distance in enumerate(self.distances):
            plain, once, twice = (
                line @ self.coef[:, m, part * count : (part + 1) * count] for part in range(3)
            )
            far = distance.at(mixtures)[:, None]
            worth = (mixtures * (once + mixtures * twice)).sum(1, keepdims=True)
            slopes[:, m] = (
                plain + far * (once + 2 * mixtures * twice) + worth * distance.slope(mixtures)
            )
        return slopes

    def propose(
        self,
        importance: ArrayLike | None = None,
        *,
        start: ArrayLike | None = None,
        steps: int = 300,
        **given: float,
    ) -> Array:
        """Weights (K,) that gradient descent reaches, as in the paper, by exponentiated steps that stay weights.

        Args:
            importance: (M,) >= 0, rescaled to sum 1; all targets alike when not given.
            start: (K,) weights to begin with; uniform when not given. The problem is not convex:
                others may lead elsewhere.
            steps: at most.
            given: run_tokens, where there are several scales.
        """
        counted = checked_importance(
            importance, self.targets, np.ones(len(self.targets), bool)
        ) * np.where(self.lower_is_better, 1, -1)
        here = self._mixtures(
            np.full(len(self.domains), 1 / len(self.domains)) if start is None else start
        )
        here, rate = here / here.sum(), 1.0
        value = float(self.predict(here, **given)[0] @ counted)
        for _ in range(steps):
            slope = counted @ self.gradient(here, **given)[0]
            slope = slope - slope @ here[0]
            there = here * np.exp(-rate * slope / max(np.abs(slope).max(), 1e-300))
            there /= there.sum()
            reached = float(self.predict(there, **given)[0] @ counted)
            if reached < value:
                here, value, rate = there, reached, min(rate * 1.5, 10.0)
            else:
                rate /= 2
            if rate < 1e-9:
                break
        return np.asarray(here[0], np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        same = all(one is self.distances[0] for one in self.distances)
        told = self.distances[:1] if same else self.distances
        return {
            **self._record(),
            "distances": [
                {"slopes": packed(one.slopes), "levels": packed(one.levels)} for one in told
            ],
            "scales": packed(self.scales),
            "coef": packed(self.coef),
            "refits": packed(self.refits),
            "noise": packed(self.noise),
            "shares": self.shares.tolist(),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ProjektorLaw:
        """What :meth:`to_dict` gave."""
        common = cls._read(record)
        try:
            told = tuple(
                Distances(unpacked(one["slopes"]), unpacked(one["levels"]))
                for one in record["distances"]
            )
            distances = told * len(common["targets"]) if len(told) == 1 else told
            return cls(
                **common,
                distances=distances,
                scales=unpacked(record["scales"]),
                coef=unpacked(record["coef"]),
                refits=unpacked(record["refits"]),
                noise=unpacked(record["noise"]),
                shares=np.array(record["shares"], bool),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(error) from error

    def _told(self, weights: ArrayLike, given: Mapping[str, ArrayLike]) -> tuple[Array, Array]:
        """Weights (n, K) that sum to 1, and what each scale counts (n, S)."""
        mixtures = self._mixtures(weights)
        if set(given) != set(self.given):
            takes = (
                "takes run_tokens beside the weights" if self.given else "takes the weights alone"
            )
            raise ReweightvizError(f"the law {takes}; got {', '.join(given) or 'none'}.")
        tokens = checked_given(
            "the law", "run_tokens", given.get("run_tokens", self.scales[0]), len(mixtures)
        )
        return mixtures / mixtures.sum(1, keepdims=True), on_the_line(self.scales, tokens)


def features(weights: Array, distance: Distances) -> Array:
    """What the losses are linear in, (n, 3K): weights, times distance, and that times the weights."""
    far = distance.at(weights)[:, None]
    return np.concatenate([weights, weights * far, weights**2 * far], axis=1)


def on_the_line(scales: Array, tokens: Array) -> Array:
    """What the prediction at each scale (S,) counts at each number of tokens (n,): a least-squares line in the logarithm.

    For two scales this is Projektor's ``[ln(N / N0) V1 - ln(N / N1) V0] / ln(N1 / N0)``.

    >>> (on_the_line(np.array([1000.0, 1500.0]), np.array([10000.0])) @ [0.40, 0.45]).round(6).tolist()
    [0.683944]
    """
    if len(scales) == 1:
        return np.ones((len(tokens), 1))
    middle = np.log(scales).mean()
    table = np.column_stack([np.ones(len(scales)), np.log(scales) - middle])
    return np.asarray(
        np.column_stack([np.ones(len(tokens)), np.log(tokens) - middle]) @ np.linalg.pinv(table),
        np.float64,
    )
