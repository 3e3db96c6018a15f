"""Contrast two mixtures under one law: is the chosen one better than the reference.

The question is about expected losses: would the chosen mixture be better if both were trained many
times? So an interval here holds what is not known of the law, and not the noise of one run. A
mixture is chosen for what it does to the mean. The noise of a run does not depend on that choice,
more proxy runs do not reduce it, and with it a real gain smaller than it could never be told from
none. Whether one run each would show a gain is another question; the noise of repeats answers it.

Every draw is one refit of the law, evaluated at both mixtures with the noise of the same run added,
so the difference of a draw keeps what the mixtures do not share and loses that noise and the law's
common error. Its Weibull quantiles are the interval. Two things are not in it: what the form of the
law cannot express at any coefficients; and, where the draws are models of a few folds and no refits
(``laws/_ensemble_law.py``), how much more refits would differ, so that it is too narrow there.

A law without draws offers intervals of single losses at most. The difference then reaches as far as
two of them allow, and that of a mean as far as if all targets erred together: conservative, because
such intervals hold the noise of one run and nothing of what the mixtures share. Where a law offers
no interval, low and high are NaN and the verdict is "unknown".

The browser does the same in ``widgets/editor/law.js``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.protocols import Law, Sampled
from reweightviz.core.types import Array
from reweightviz.numerics.quantiles import between

__all__ = [
    "ROUNDING",
    "Contrast",
    "Contrasts",
    "Forecast",
    "Verdict",
    "contrast_figure",
    "directions",
    "draw_losses",
    "forecast_mixtures",
    "weigh_targets",
]

Verdict = Literal["better", "worse", "noise", "unknown"]
ROUNDING = 1e-9
"""Changes of a loss up to this are rounding, not changes."""


@dataclass(frozen=True)
class Contrast:
    """Hold the change of one figure from the reference to the chosen mixture.

    ``verdict`` is "better" or "worse" where the change and its whole interval lie on one side of 0,
    "noise" where they do not, and "unknown" without an interval.
    """

    change: float
    low: float
    high: float
    verdict: Verdict


class Contrasts(NamedTuple):
    """Hold the contrast of the mean and one of each target."""

    mean: Contrast
    targets: tuple[Contrast, ...]


def contrast_figure(
    values: ArrayLike,
    draws: ArrayLike,
    interval: tuple[ArrayLike, ArrayLike] | None = None,
    *,
    lower_is_better: bool = True,
    level: float = 0.9,
) -> Contrast:
    """Return the contrast of one figure from its paired draws.

    Args:
        values: (2,), the figure under the chosen and the reference mixture.
        draws: (B, 2), the same under each draw of the law; B is 0 without draws.
        interval: low and high (2,) of the figure, which serve where there are no draws.
        lower_is_better: whether a fall of the figure is good.
        level: probability of the interval.

    Example:
        >>> contrast_figure([2.0, 2.5], [[1.5, 2.5], [2.0, 2.5], [2.25, 2.5]], level=0.5)
        Contrast(change=-0.5, low=-1.0, high=-0.25, verdict='better')
        >>> contrast_figure([2.0, 2.5], [], ([1.75, 2.0], [2.25, 3.0]))
        Contrast(change=-0.5, low=-1.25, high=0.25, verdict='noise')
    """
    chosen, reference = np.asarray(values, np.float64)
    drawn = np.asarray(draws, np.float64).reshape(-1, 2)
    change = float(chosen - reference)
    if len(drawn):
        low, high = between(drawn[:, 0] - drawn[:, 1], level)
    elif interval is not None:
        low, high = _bound_change(*interval)
    else:
        return Contrast(change, math.nan, math.nan, "unknown")
    return _judge(change, float(low), float(high), lower_is_better)


@dataclass(frozen=True)
class Forecast:
    """Hold the losses of n mixtures, evaluated once for every question about them.

    Args:
        losses: (n, M) predicted.
        draws: (B, n, M) what new runs might reach; B is 0 where the law has no draws.
        interval: low and high (n, M) of single losses; None where there are draws.
        shares: (M,) what each target counts in the mean.
        lower_is_better: (M,).
        level: probability of the intervals.
    """

    losses: Array
    draws: Array
    interval: tuple[Array, Array] | None
    shares: Array
    lower_is_better: NDArray[np.bool_]
    level: float

    @property
    def figures(self) -> Array:
        """The mean of the losses, then the losses: (n, 1 + M)."""
        return _prepend_mean(self.losses, self.shares)

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Low and high (n, 1 + M) of one new run at each mixture, the mean's first.

        Without draws the mean reaches as far as if all targets erred together: conservative.
        """
        if self.interval is not None:
            return _prepend_mean_bounds(self.interval, self.shares)
        return between(_prepend_mean(self.draws, self.shares), self.level)

    @property
    def downwards(self) -> list[bool]:
        """Whether a fall is good, of the mean and of each target."""
        # A fall of the mean is good unless no loss counts in it.
        mean = bool(self.lower_is_better[self.shares != 0].any())
        return [mean, *self.lower_is_better.tolist()]

    def contrast(self, chosen: int, reference: int) -> Contrasts:
        """Return the contrast of two of the mixtures, by their places."""
        pair = [chosen, reference]
        # Differences are taken before the mean: those of equal mixtures are then exactly 0.
        changes = _prepend_mean(self.losses[chosen] - self.losses[reference], self.shares)
        if self.interval is None:
            apart = self.draws[:, chosen] - self.draws[:, reference]
            low, high = between(_prepend_mean(apart, self.shares), self.level)
        else:
            ends = _bound_change(*(end[pair] for end in self.interval))
            low, high = _prepend_mean_bounds(ends, self.shares)
        parts = zip(changes.tolist(), low.tolist(), high.tolist(), self.downwards, strict=True)
        mean, *targets = (_judge(*part) for part in parts)
        return Contrasts(mean, tuple(targets))


def forecast_mixtures(
    law: Law,
    weights: ArrayLike,
    *,
    importance: ArrayLike | None = None,
    level: float = 0.9,
    given: Mapping[str, Any] | None = None,
) -> Forecast:
    """Evaluate a law at mixtures (n, K), all under the same draws.

    Args:
        law: predicts.
        weights: in the order of the law's domains.
        importance: (M,) >= 0, how much each target counts in the mean; see :func:`weigh_targets`.
        level: probability of the intervals.
        given: what the law predicts from beside the weights.
    """
    mixtures = np.asarray(weights, np.float64)
    inputs = dict(given or {})
    draws = draw_losses(law, mixtures, inputs)
    interval = None
    if not len(draws):
        low, high = law.interval(mixtures, level, **inputs)
        interval = (np.asarray(low, np.float64), np.asarray(high, np.float64))
    lower_is_better = directions(law)
    return Forecast(
        losses=np.asarray(law.predict(mixtures, **inputs), np.float64),
        draws=draws,
        interval=interval,
        shares=weigh_targets(lower_is_better, importance),
        lower_is_better=lower_is_better,
        level=level,
    )


def draw_losses(law: Law, weights: Array, given: Mapping[str, Any]) -> Array:
    """Return a law's draws (B, n, M) at mixtures (n, K); B is 0 where it has none."""
    if not isinstance(law, Sampled):
        return np.empty((0, len(weights), len(law.targets)))
    return np.asarray(law.samples(weights, **given), np.float64)


def weigh_targets(lower_is_better: ArrayLike, importance: ArrayLike | None = None) -> Array:
    """Return what each target counts (M,) in the mean; the absolute shares sum to 1.

    Without importance all losses count alike, and targets where higher is better only where there
    is no loss. With importance every target counts that has some; among losses one where higher is
    better counts with a minus.

    >>> weigh_targets([True, True, False]).tolist()
    [0.5, 0.5, 0.0]
    >>> weigh_targets([True, True, False], [1, 0, 1]).tolist()
    [0.5, 0.0, -0.5]
    """
    lower = np.asarray(lower_is_better, bool)
    if importance is None:
        counted = lower
        if not lower.any():
            counted = ~lower
        return np.asarray(counted / counted.sum(), np.float64)
    shares = np.asarray(importance, np.float64) / np.sum(importance)
    mixed = bool(lower[shares > 0].any())
    return np.asarray(np.where(~lower & mixed, -shares, shares), np.float64)


def directions(law: Law) -> NDArray[np.bool_]:
    """Return for each target (M,) whether lower is better: yes where the law has no directions."""
    return np.asarray(getattr(law, "lower_is_better", np.ones(len(law.targets))), bool)


def _prepend_mean(losses: Array, shares: Array) -> Array:
    """Return figures (..., 1 + M): the mean of losses (..., M) by shares (M,), then the losses."""
    return np.concatenate([(losses * shares).sum(-1, keepdims=True), losses], axis=-1)


def _prepend_mean_bounds(interval: tuple[Array, Array], shares: Array) -> tuple[Array, Array]:
    """Return low and high (..., 1 + M), the mean first, if the targets (..., M) err together."""
    ends = np.stack([np.asarray(end, np.float64) for end in interval])
    counted = shares != 0
    # A minus turns the ends of an interval around, so which one is low is found after it.
    reach = ends[..., counted] * shares[counted]
    means = np.stack([reach.min(0).sum(-1), reach.max(0).sum(-1)])
    low, high = np.concatenate([means[..., None], ends], axis=-1)
    return low, high


def _bound_change(low: ArrayLike, high: ArrayLike) -> tuple[Array, Array]:
    """Return how far a figure may have changed, from its intervals (2, ...) under both."""
    least = np.asarray(low, np.float64)
    most = np.asarray(high, np.float64)
    return least[0] - most[1], most[0] - least[1]


def _judge(change: float, low: float, high: float, lower_is_better: bool) -> Contrast:
    return Contrast(change, low, high, _verdict((change, low, high), lower_is_better))


def _verdict(ends: tuple[float, float, float], lower_is_better: bool) -> Verdict:
    if not all(map(math.isfinite, ends)):
        return "unknown"
    fell = max(ends) < -ROUNDING
    rose = min(ends) > ROUNDING
    if not fell and not rose:
        return "noise"
    return "better" if fell == lower_is_better else "worse"
