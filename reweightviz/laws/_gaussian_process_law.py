"""The law of a Gaussian process a target: what it predicts, how sure it is, and how it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from reweightviz.core.types import Array
from reweightviz.laws._parallel import at_once
from reweightviz.laws._runs import fit_diagnostics, held_out_diagnostics
from reweightviz.laws._sampled_law import SampledLaw, damaged, packed, unpacked
from reweightviz.numerics.gaussian_process import Deviations, Kernel, Posterior, posterior

WAVES = 512
"""Directions of the waves that a drawn function is made of."""


@dataclass(frozen=True, eq=False)
class GaussianProcessLaw(SampledLaw):
    """A Gaussian process a target, with the runs that it knows.

    Args:
        domains: names (K,), in the order of the weights.
        targets: names (M,).
        lower_is_better: (M,).
        mixtures: (R, K).
        losses: (R, M).
        powers: (M,), to which the weights are raised.
        kernels: M of them, for losses of mean 0 and variance 1.
        count: how many draws ``samples`` gives, B.
        seed: of the draws.
        stretch: (M,), what the standard deviations are multiplied with; None for what the runs
            left out one at a time ask for.
        diagnostics: what the fit says of itself: a list of M values a name.
    """

    domains: tuple[str, ...]
    targets: tuple[str, ...]
    lower_is_better: NDArray[np.bool_]
    mixtures: Array
    losses: Array
    powers: Array
    kernels: tuple[Kernel, ...]
    count: int = 200
    seed: int = 0
    stretch: Array | None = None
    diagnostics: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    kind: ClassVar[str] = "gaussian-process"

    def __repr__(self) -> str:
        return f"GaussianProcessLaw({len(self.domains)} domains, {len(self.targets)} targets, {len(self.mixtures)} runs)"

    @property
    def draws(self) -> int:
        """How many draws ``samples`` gives."""
        return self.count

    def predict(self, weights: ArrayLike) -> Array:  # type: ignore[override]
        """Losses (n, M) under mixtures (n, K)."""
        mixtures = self._mixtures(weights)
        means = at_once(
            lambda m: self._known[m].mean(self._inputs(mixtures, m)), range(len(self.targets))
        )
        return np.asarray(np.stack(means, axis=1) * self._scale + self._level, np.float64)

    def samples(self, weights: ArrayLike) -> Array:  # type: ignore[override]
        """Losses (B, n, M) that a new run at each of the mixtures (n, K) might reach, one a draw.

        A draw is one function a target and the noise of one run, the same whenever it is asked;
        targets that the runs miss together move together.
        """
        mixtures = self._mixtures(weights)
        functions, noise = self._functions
        drawn = np.stack(
            at_once(lambda m: functions[m](self._inputs(mixtures, m)).T, range(len(self.targets))),
            axis=2,
        )
        return np.asarray(
            self.predict(mixtures) + (drawn + noise[:, None]) * self._reach, np.float64
        )

    def interval(self, weights: ArrayLike, level: float = 0.9) -> tuple[Array, Array]:  # type: ignore[override]
        """Low and high (n, M): where a new run lands with probability ``level``; NaN without draws.

        These are the quantiles that ``samples`` has in the limit of many draws.
        """
        if not 0 < level < 1 or not self.count:
            return super().interval(weights, level)
        mixtures = self._mixtures(weights)
        variance = at_once(
            lambda m: self._known[m].variance(self._inputs(mixtures, m)), range(len(self.targets))
        )
        noise = np.exp([kernel.noise for kernel in self.kernels])
        reach = ndtri((1 + level) / 2) * np.sqrt(np.stack(variance, axis=1) + noise) * self._reach
        middle = self.predict(mixtures)
        return middle - reach, middle + reach

    def diagnosed(self) -> GaussianProcessLaw:
        """The same law, with what its fit says of itself."""
        unseen = held_out_diagnostics(self.losses, self.losses - self._left_out[0] * self._scale)
        said = fit_diagnostics(
            self.losses,
            self.predict(self.mixtures),
            [r2 is not None and r2 <= 0 for r2 in unseen["held_out_r2"]],
        )
        lengths = [np.exp(kernel.lengths).tolist() for kernel in self.kernels]
        return replace(
            self, diagnostics=said | unseen | {"power": self.powers.tolist(), "lengths": lengths}
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it: the runs and the kernels, from which the rest follows."""
        kernels = np.array(
            [[kernel.amplitude, kernel.noise, *kernel.lengths] for kernel in self.kernels]
        )
        return {
            **self._record(),
            "mixtures": packed(self.mixtures),
            "losses": packed(self.losses),
            "powers": packed(self.powers),
            "kernels": packed(kernels),
            "draws": self.count,
            "seed": self.seed,
            "stretch": None if self.stretch is None else self.stretch.tolist(),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> GaussianProcessLaw:
        """What :meth:`to_dict` gave."""
        common = cls._read(record)
        try:
            kernels = tuple(Kernel(row[0], row[1], row[2:]) for row in unpacked(record["kernels"]))
            stretch = (
                None if record.get("stretch") is None else np.array(record["stretch"], np.float64)
            )
            return cls(
                **common,
                mixtures=unpacked(record["mixtures"]),
                losses=unpacked(record["losses"]),
                powers=unpacked(record["powers"]),
                kernels=kernels,
                count=int(record["draws"]),
                seed=int(record["seed"]),
                stretch=stretch,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(error) from error

    def _inputs(self, mixtures: Array, target: int) -> Array:
        return np.asarray(np.maximum(mixtures, 0) ** self.powers[target], np.float64)

    @cached_property
    def _known(self) -> tuple[Posterior, ...]:
        return tuple(
            posterior(self._inputs(self.mixtures, m), standard(column), self.kernels[m])
            for m, column in enumerate(self.losses.T)
        )

    @cached_property
    def _functions(self) -> tuple[list[Deviations], Array]:
        """B functions a target, and the noise (B, M) of one run each."""
        rng, together = np.random.default_rng(self.seed), np.linalg.cholesky(self._together).T
        features = rng.standard_normal((WAVES, len(self.domains)))
        weights, noise, run = (
            rng.standard_normal((rows, self.count, len(self.targets))) @ together
            for rows in (2 * WAVES, len(self.mixtures), 1)
        )
        deviations = at_once(
            lambda m: self._known[m].deviations(features, weights[:, :, m], noise[:, :, m]),
            range(len(self.targets)),
        )
        return deviations, np.asarray(
            run[0] * np.exp([kernel.noise / 2 for kernel in self.kernels]), np.float64
        )

    @cached_property
    def _left_out(self) -> tuple[Array, Array]:
        """Runs left out one at a time, (R, M): how far off, and the standard deviation of that."""
        missed, spread = zip(*(known.left_out() for known in self._known), strict=True)
        return np.stack(missed, axis=1), np.stack(spread, axis=1)

    @cached_property
    def _reach(self) -> Array:
        """What standard deviations (M,) of the process are multiplied with to be those of a new run's loss; 0 for equal losses."""
        stretch = stretch_of(*self._left_out) if self.stretch is None else self.stretch
        return np.asarray(stretch * np.where(flat(self.losses), 0.0, self._scale), np.float64)

    @cached_property
    def _together(self) -> Array:
        """Correlation (M, M) of what the runs miss the targets by."""
        missed = np.divide(*self._left_out)
        missed = missed / np.maximum(np.sqrt((missed**2).mean(0)), 1e-9)
        return np.asarray(
            0.99 * (missed.T @ missed) / len(missed) + 0.01 * np.eye(missed.shape[1]), np.float64
        )

    @property
    def _level(self) -> Array:
        return np.asarray(self.losses.mean(0), np.float64)

    @property
    def _scale(self) -> Array:
        return deviation(self.losses)


def stretch_of(missed: Array, spread: Array, least: float = 0.5, most: float = 3.0) -> Array:
    """What the standard deviations (M,) must be multiplied with, so that 90 of 100 runs left out (R, M) lie where they should."""
    reach = np.quantile(np.abs(missed / spread), 0.9, axis=0, method="weibull") / ndtri(0.95)
    return np.asarray(np.clip(reach, least, most), np.float64)


def flat(losses: Array) -> NDArray[np.bool_]:
    """Which targets (M,) have the same loss in all runs."""
    return np.asarray(losses.std(0) <= 1e-6 * np.sqrt((losses**2).mean(0)))


def deviation(losses: Array) -> Array:
    """Standard deviation (M,), 1 where all losses are equal."""
    return np.asarray(np.where(flat(losses), 1.0, losses.std(0)), np.float64)


def standard(column: Array) -> Array:
    """One target's losses (R,) at mean 0 and variance 1; zeros where all are equal."""
    return (
        np.zeros_like(column)
        if flat(column)
        else np.asarray((column - column.mean()) / column.std(), np.float64)
    )
