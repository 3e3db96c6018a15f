"""The law of a Gaussian process a target, with the runs that it has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from reweightviz.core.types import Array
from reweightviz.laws._diagnostics import explains_nothing, measure_fit, measure_held_out
from reweightviz.laws._inputs import Inputs
from reweightviz.laws._record import decode_array, encode_array, open_record
from reweightviz.laws._sampled_law import SampledLaw
from reweightviz.laws._threads import map_threads
from reweightviz.numerics.gaussian_process import Deviations, Kernel, Posterior, posterior

__all__ = [
    "WAVES",
    "GaussianProcessLaw",
    "find_constant",
    "find_deviation",
    "find_stretch",
    "standardise",
]


WAVES = 512
"""Directions of the waves that a drawn function is made of."""


@dataclass(frozen=True, eq=False)
class GaussianProcessLaw(SampledLaw):
    """A Gaussian process a target, with the runs that it has seen.

    Args:
        domains: names (K,), in the order of the weights.
        targets: names (M,).
        lower_is_better: (M,).
        mixtures: (R, K).
        losses: (R, M).
        powers: (M,), to which the weights are raised.
        kernels: M of them, for losses of mean 0 and variance 1.
        draws: the number of draws of ``samples``, B.
        seed: of the draws.
        stretch: (M,), what the standard deviations are multiplied with; None to take it from the
            runs left out one at a time.
        diagnostics: of the fit: a list of M values a name.
    """

    domains: tuple[str, ...]
    targets: tuple[str, ...]
    lower_is_better: NDArray[np.bool_]
    mixtures: Array
    losses: Array
    powers: Array
    kernels: tuple[Kernel, ...]
    draws: int = 200
    seed: int = 0
    stretch: Array | None = None
    diagnostics: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    kind: ClassVar[str] = "gaussian-process"

    def __repr__(self) -> str:
        return (
            f"GaussianProcessLaw({len(self.domains)} domains, {len(self.targets)} targets, "
            f"{len(self.mixtures)} runs)"
        )

    def add_diagnostics(self) -> GaussianProcessLaw:
        """Return the same law with the diagnostics of its fit."""
        missed = self._leave_one_out[0] * self._scale
        held_out = measure_held_out(self.losses, self.losses - missed)
        predicted = self.predict(self.mixtures)
        kernels = {
            "power": self.powers.tolist(),
            "lengths": [np.exp(kernel.lengths).tolist() for kernel in self.kernels],
        }
        diagnostics = measure_fit(self.losses, predicted, explains_nothing(held_out))
        return replace(self, diagnostics=diagnostics | held_out | kernels)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON can hold it: the runs and the kernels suffice."""
        kernels = [[kernel.amplitude, kernel.noise, *kernel.lengths] for kernel in self.kernels]
        return {
            "kind": self.kind,
            **self._record(),
            "mixtures": encode_array(self.mixtures),
            "losses": encode_array(self.losses),
            "powers": encode_array(self.powers),
            "kernels": encode_array(np.array(kernels)),
            "draws": self.draws,
            "seed": self.seed,
            "stretch": None if self.stretch is None else self.stretch.tolist(),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> GaussianProcessLaw:
        """Return the law that :meth:`to_dict` wrote."""
        with open_record(record, [cls.kind]) as common:
            stretch = record.get("stretch")
            rows = decode_array(record["kernels"])
            return cls(
                **common,
                mixtures=decode_array(record["mixtures"]),
                losses=decode_array(record["losses"]),
                powers=decode_array(record["powers"]),
                kernels=tuple(Kernel(row[0], row[1], row[2:]) for row in rows),
                draws=int(record["draws"]),
                seed=int(record["seed"]),
                stretch=None if stretch is None else np.array(stretch, np.float64),
            )

    def _predict(self, inputs: Inputs) -> Array:
        means = self._map_targets(lambda m: self._posteriors[m].mean(self._bend(inputs.weights, m)))
        return np.asarray(np.stack(means, axis=1) * self._scale + self._level, np.float64)

    def _sample(self, inputs: Inputs) -> Array:
        """Return losses (B, n, M): a draw is one function a target and the noise of one run.

        Targets that the runs miss together move together.
        """
        functions, noise = self._functions
        values = self._map_targets(lambda m: functions[m](self._bend(inputs.weights, m)).T)
        apart = np.stack(values, axis=2) + noise[:, None]
        return np.asarray(self._predict(inputs) + apart * self._unit, np.float64)

    def _interval(self, inputs: Inputs, level: float) -> tuple[Array, Array]:
        """Return the quantiles that the samples have in the limit of many draws."""
        if not self.draws:
            return super()._interval(inputs, level)
        variance = self._map_targets(
            lambda m: self._posteriors[m].variance(self._bend(inputs.weights, m))
        )
        noise = np.exp([kernel.noise for kernel in self.kernels])
        reach = ndtri((1 + level) / 2) * np.sqrt(np.stack(variance, axis=1) + noise) * self._unit
        middle = self._predict(inputs)
        return middle - reach, middle + reach

    def _map_targets(self, work: Callable[[int], Any]) -> list[Any]:
        return map_threads(work, range(len(self.targets)))

    def _bend(self, mixtures: Array, target: int) -> Array:
        # A weight a hair below 0, from rounding, has no root.
        return np.asarray(np.maximum(mixtures, 0) ** self.powers[target], np.float64)

    @cached_property
    def _posteriors(self) -> tuple[Posterior, ...]:
        return tuple(
            posterior(self._bend(self.mixtures, m), standardise(column), self.kernels[m])
            for m, column in enumerate(self.losses.T)
        )

    @cached_property
    def _functions(self) -> tuple[list[Deviations], Array]:
        """B functions a target, and the noise (B, M) of one run each."""
        rng = np.random.default_rng(self.seed)
        # Independent normal deviates times this factor have the correlation of the targets.
        mix = np.linalg.cholesky(self._correlation).T
        features = rng.standard_normal((WAVES, len(self.domains)))

        def draw(rows: int) -> Array:
            return rng.standard_normal((rows, self.draws, len(self.targets))) @ mix

        # The order belongs to the law: a seed draws the same functions for ever.
        weights = draw(2 * WAVES)
        noise = draw(len(self.mixtures))
        run = draw(1)
        functions = self._map_targets(
            lambda m: self._posteriors[m].deviations(features, weights[:, :, m], noise[:, :, m])
        )
        # A kernel holds the logarithm of its noise's variance.
        size = np.exp([kernel.noise / 2 for kernel in self.kernels])
        return functions, np.asarray(run[0] * size, np.float64)

    @cached_property
    def _leave_one_out(self) -> tuple[Array, Array]:
        """The miss of runs left out one at a time, (R, M), and the standard deviation of it."""
        pairs = [known.leave_one_out() for known in self._posteriors]
        missed, spread = zip(*pairs, strict=True)
        return np.stack(missed, axis=1), np.stack(spread, axis=1)

    @cached_property
    def _unit(self) -> Array:
        """The loss (M,) that a standard deviation of the process stands for; 0 for equal losses."""
        stretch = find_stretch(*self._leave_one_out) if self.stretch is None else self.stretch
        scale = np.where(find_constant(self.losses), 0.0, self._scale)
        return np.asarray(stretch * scale, np.float64)

    @cached_property
    def _correlation(self) -> Array:
        """Correlation (M, M) of what the runs miss the targets by, with a little of the identity.

        The runs may be too few for one that a Cholesky factor exists of.
        """
        missed = np.divide(*self._leave_one_out)
        # Scaled first, so that no target counts for its unit.
        missed = missed / np.maximum(np.sqrt((missed**2).mean(0)), 1e-9)
        found = missed.T @ missed
        return np.asarray(0.99 * found / len(missed) + 0.01 * np.eye(missed.shape[1]), np.float64)

    @property
    def _level(self) -> Array:
        return np.asarray(self.losses.mean(0), np.float64)

    @property
    def _scale(self) -> Array:
        return find_deviation(self.losses)


def find_stretch(missed: Array, spread: Array, least: float = 0.5, most: float = 3.0) -> Array:
    """Return factors (M,) of the standard deviations, from runs left out.

    With them 9 of 10 of those runs lie in their intervals of 90 %.

    Args:
        missed: (R, M), of runs left out.
        spread: (R, M), the standard deviations that were expected.
        least: of a factor.
        most: of a factor.
    """
    # Weibull's k / (R + 1) is the chance that a new run misses by less than the k-th of R. It is
    # held against the normal distribution's own reach, which would need no stretch.
    reach = np.quantile(np.abs(missed / spread), 0.9, axis=0, method="weibull") / ndtri(0.95)
    return np.asarray(np.clip(reach, least, most), np.float64)


def find_constant(losses: Array) -> NDArray[np.bool_]:
    """Return for each target (M,) whether it has the same loss in all runs (R, M)."""
    return np.asarray(losses.std(0) <= 1e-6 * np.sqrt((losses**2).mean(0)))


def find_deviation(losses: Array) -> Array:
    """Return the standard deviation (M,) of losses (R, M), 1 where all are equal."""
    return np.asarray(np.where(find_constant(losses), 1.0, losses.std(0)), np.float64)


def standardise(column: Array) -> Array:
    """Return one target's losses (R,) at mean 0 and variance 1; zeros where all are equal."""
    if find_constant(column):
        return np.zeros_like(column)
    return np.asarray((column - column.mean()) / column.std(), np.float64)
