"""The law of Projektor, with its gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.types import Array, Single
from reweightviz.laws._importance import check_importance
from reweightviz.laws._inputs import Inputs
from reweightviz.laws._record import decode_array, encode_array, open_record
from reweightviz.laws._sampled_law import SampledLaw
from reweightviz.numerics.transport import Distances

__all__ = ["ProjektorLaw", "project", "tabulate"]


@dataclass(frozen=True, eq=False)
class ProjektorLaw(SampledLaw):
    """A quadratic in weights and transport distance for each of S scales, and a line over them.

    Args:
        domains: names (K,), in the order of the weights.
        targets: names (M,).
        lower_is_better: (M,).
        distances: M, to each target.
        scales: (S,) training tokens.
        coef: (S, M, 3K), of the weights, times distance, times distance and weight.
        refits: (B, S, M, 3K) float32, the same for resampled runs.
        noise: (B, M) float32, residuals of runs; a row comes from one run.
        shares: (M,), true for a target that is a share, such as an accuracy, which cannot leave 0
            to 1.
        diagnostics: of the fit: a list of M values a name.
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
        return (
            f"ProjektorLaw({len(self.domains)} domains, {len(self.targets)} targets, "
            f"{len(self.scales)} scales)"
        )

    @property
    def takes(self) -> tuple[str, ...]:
        """run_tokens, where the runs had more than one scale."""
        return ("run_tokens",) if len(self.scales) > 1 else ()

    @property
    def draws(self) -> int:
        """The number of draws of ``samples``, B."""
        return len(self.noise)

    def beyond(self, weights: ArrayLike, **given: ArrayLike) -> NDArray[np.bool_]:
        """Return for each prediction (n, M) whether the target cannot have it.

        That is one below 0, or above 1 where the target is a share.
        """
        predicted = self.predict(weights, **given)
        return np.asarray((predicted < 0) | (self.shares & (predicted > 1)), np.bool_)

    def gradient(self, weights: ArrayLike, **given: ArrayLike) -> Array:
        """Return the derivative of each loss by each weight, (n, M, K).

        The distance's part comes from its dual potentials.
        """
        mixtures, line = self._at_scales(self._inputs(weights, given))
        count = len(self.domains)
        slopes = np.empty((len(mixtures), len(self.targets), count))
        for m, distance in enumerate(self.distances):
            # The loss is sum_i p_i (a_i + b_i OT + c_i p_i OT), and OT depends on the weights too.
            a, b, c = (
                line @ self.coef[:, m, part * count : (part + 1) * count] for part in range(3)
            )
            far = distance.at(mixtures)[:, None]
            by_weight = a + far * (b + 2 * mixtures * c)
            by_distance = (mixtures * (b + mixtures * c)).sum(1, keepdims=True)
            slopes[:, m] = by_weight + by_distance * distance.slope(mixtures)
        return slopes

    def propose(
        self,
        importance: ArrayLike | None = None,
        *,
        start: ArrayLike | None = None,
        steps: int = 300,
        **given: float,
    ) -> Array:
        """Return the weights (K,) that exponentiated gradient descent reaches, as in the paper.

        Args:
            importance: (M,) >= 0, rescaled to sum 1; all targets alike when not given.
            start: (K,) weights to begin with; uniform when not given. The problem is not convex:
                others may lead elsewhere.
            steps: at most.
            given: run_tokens, where there are several scales.
        """
        shares = check_importance(importance, self.targets)
        signed = shares * np.where(self.lower_is_better, 1, -1)
        count = len(self.domains)
        uniform = np.full(count, 1 / count)
        inputs = self._inputs(uniform if start is None else start, given)
        here = inputs.weights / inputs.weights.sum()
        value = float(self.predict(here, **given)[0] @ signed)
        rate = 1.0
        for _ in range(steps):
            slope = signed @ self.gradient(here, **given)[0]
            # A slope along the weights' sum changes no mixture.
            slope = slope - slope @ here[0]
            # Exponentiated steps keep every weight above 0.
            there = here * np.exp(-rate * slope / max(np.abs(slope).max(), 1e-300))
            there /= there.sum()
            reached = float(self.predict(there, **given)[0] @ signed)
            # The loss bends where another cut becomes the largest, so a slope may mislead.
            if reached < value:
                here = there
                value = reached
                rate = min(rate * 1.5, 10.0)
            else:
                rate /= 2
            if rate < 1e-9:
                break
        return np.asarray(here[0], np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON can hold it."""
        shared = all(one is self.distances[0] for one in self.distances)
        distances = self.distances[:1] if shared else self.distances
        return {
            "kind": self.kind,
            **self._record(),
            "distances": [
                {"slopes": encode_array(one.slopes), "levels": encode_array(one.levels)}
                for one in distances
            ],
            "scales": encode_array(self.scales),
            "coef": encode_array(self.coef),
            "refits": encode_array(self.refits),
            "noise": encode_array(self.noise),
            "shares": self.shares.tolist(),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ProjektorLaw:
        """Return the law that :meth:`to_dict` wrote."""
        with open_record(record, [cls.kind]) as common:
            distances = tuple(
                Distances(decode_array(one["slopes"]), decode_array(one["levels"]))
                for one in record["distances"]
            )
            if len(distances) == 1:  # one for all targets is written once
                distances *= len(common["targets"])
            return cls(
                **common,
                distances=distances,
                scales=decode_array(record["scales"]),
                coef=decode_array(record["coef"]),
                refits=decode_array(record["refits"]),
                noise=decode_array(record["noise"]),
                shares=np.array(record["shares"], bool),
            )

    def _predict(self, inputs: Inputs) -> Array:
        mixtures, line = self._at_scales(inputs)
        losses = [
            np.einsum(
                "np,sp,ns->n",
                tabulate(mixtures, distance),
                self.coef[:, m],
                line,
                optimize=True,
            )
            for m, distance in enumerate(self.distances)
        ]
        return np.stack(losses, axis=1)

    def _sample(self, inputs: Inputs) -> Array:
        mixtures, line = self._at_scales(inputs)
        values = np.empty((self.draws, len(mixtures), len(self.targets)))
        for m, distance in enumerate(self.distances):
            values[:, :, m] = np.einsum(
                "np,bsp,ns->bn",
                tabulate(mixtures, distance),
                self.refits[:, :, m],
                line,
                optimize=True,
            )
        return np.asarray(values + self.noise[:, None, :], np.float64)

    def _at_scales(self, inputs: Inputs) -> tuple[Array, Array]:
        """Return weights (n, K) that sum to 1, and the share of each scale (n, S)."""
        mixtures = inputs.weights / inputs.weights.sum(1, keepdims=True)
        if len(self.scales) == 1:
            return mixtures, np.ones((len(mixtures), 1))
        return mixtures, project(self.scales, inputs.given["run_tokens"])


def tabulate(weights: Array, distance: Distances) -> Array:
    """Return the table (n, 3K) in which the losses are linear.

    It holds the weights, the weights times the distance, and their squares times the distance.
    """
    far = distance.at(weights)[:, None]
    return np.concatenate([weights, weights * far, weights**2 * far], axis=1)


def project(scales: Array, tokens: Array) -> Array:
    """Return the share of each of S scales in a prediction at tokens (n,): (n, S).

    It is that of a least-squares line in the logarithm. For two scales this is Projektor's
    ``[ln(N / N0) V1 - ln(N / N1) V0] / ln(N1 / N0)``.

    >>> (project(np.array([1000.0, 1500.0]), np.array([10000.0])) @ [0.40, 0.45]).round(6).tolist()
    [0.683944]
    """
    # About the middle, so that the two columns are not all but parallel.
    middle = np.log(scales).mean()
    here = np.column_stack([np.ones(len(scales)), np.log(scales) - middle])
    there = np.column_stack([np.ones(len(tokens)), np.log(tokens) - middle])
    return np.asarray(there @ np.linalg.pinv(here), np.float64)
