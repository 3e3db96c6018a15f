"""Data Mixing Laws: the loss is an exponential of the weights, or a sum of several for a target of unknown make-up.

Jiasheng Ye, Peiju Liu, Tianxiang Sun, Jun Zhan, Yunhua Zhou and Xipeng Qiu, "Data Mixing Laws:
Optimizing Data Mixtures by Predicting Language Modeling Performance", ICLR 2025,
https://arxiv.org/abs/2403.16952. Followed: the authors' public code (the form, the Huber loss, and
one exponent shared by all curves of a nested law). Ours: k is fixed at 1 and so are the shares s
of hidden domains, because the weights sum to 1 and (log k, t) and (0, t + log k) are the same law;
Levenberg-Marquardt from starts made from the data, where they use L-BFGS from a grid and, for
hidden domains, a bagged network with 30 of them; the bootstrap with its prediction intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError, UnmetNeed, warn
from reweightviz.core.types import Array
from reweightviz.laws._curve_law import ConvexCurveLaw, CurveLaw
from reweightviz.laws._curves import CURVES, Curve, Points, Start, fit_curve
from reweightviz.laws._log_linear import LogLinearLaw
from reweightviz.laws._log_linear_fit import fitted_log_linear
from reweightviz.laws._nested import Extrapolated, extrapolate
from reweightviz.laws._runs import checked_directions, checked_given, checked_runs, fit_diagnostics
from reweightviz.numerics.convex import minimise_exponentials
from reweightviz.numerics.log_linear import SLOPES, fit_log_linear, log_linear_starts

KIND = "hidden-domains"
ENOUGH = 4
"""Runs a fitted number, from which on hidden domains predict new runs."""
HIGHEST = 10.0
"""A hidden domain's part stays below so many times the largest loss, or few runs would let it explode between them."""


@dataclass(frozen=True)
class DataMixing:
    """Loss of target m: ``c_m + exp(t_m.w)``, or with hidden domains ``c_m + sum_j exp(t_mj.w)``; convex either way.

    With ``to_tokens`` or ``to_size`` it is a nested law: the loss of each mixture is first read at
    that training length and model size, from power laws over its runs, and the mixing law is
    fitted to those. Its intervals hold how the mixtures scatter about the law, not how far the
    extrapolation itself may be off.

    Hidden domains bend better and cost J K + 1 numbers a target: on the public RegMix runs (17
    domains) two of them explain 96 % of the variance of runs left out, where one explains 90 %,
    with 512 runs. Below some 4 runs a number they may miss new runs by more than their mean does,
    and a fit warns.

    A floor c that runs to 0 is degenerate: the diagnostics say so beside R squared.

    Args:
        implicit: hidden domains a target, J; 0 or 1 for a target that is one domain.
        to_tokens: training tokens that the losses are extrapolated to; None takes them as they are.
        to_size: model parameters that the losses are extrapolated to; None takes them as they are.
        huber: delta, where the squared error turns absolute, in the unit of the losses.
        starts: how many starts a target.
        draws: refits to redrawn losses, B; 0 for no intervals, and no error on runs left out.
        seed: of the draws.

    Example:
        >>> mixtures = np.array([[1, 0], [0, 1], [0.5, 0.5], [0.8, 0.2], [0.3, 0.7]])
        >>> losses = 2 + np.exp(mixtures @ [[1.0], [-1.0]])
        >>> law = DataMixing(draws=0).fit(domains=("web", "code"), targets=("loss",), mixtures=mixtures, losses=losses)
        >>> law.coef.round(3).tolist(), law.minimise(kl=0).tolist()
        ([[0.693, 1.0, -1.0]], [0.0, 1.0])
    """

    implicit: int = 0
    to_tokens: float | None = None
    to_size: float | None = None
    huber: float = 0.02
    starts: int = 8
    draws: int = 200
    seed: int = 0

    paper: ClassVar[str] = "https://arxiv.org/abs/2403.16952"
    verified: ClassVar[str] = "against the authors' public code"

    def __post_init__(self) -> None:
        if self.implicit < 0 or not self.huber > 0 or self.starts < 1 or self.draws < 0:
            raise UnmetNeed(
                name="DataMixing",
                value=(self.implicit, self.huber, self.starts, self.draws),
                expected="implicit of at least 0, huber above 0, starts of at least 1 and draws "
                "of at least 0",
                got=f"{self.implicit}, {self.huber}, {self.starts}, {self.draws}",
            )
        if any(
            value is not None and not 0 < value < np.inf for value in (self.to_tokens, self.to_size)
        ):
            raise UnmetNeed(
                name="DataMixing",
                value=(self.to_tokens, self.to_size),
                expected="to_tokens and to_size that are finite and above 0",
                got=f"{self.to_tokens} and {self.to_size}",
            )

    def fit(
        self,
        *,
        domains: Sequence[str],
        targets: Sequence[str],
        mixtures: ArrayLike,
        losses: ArrayLike,
        lower_is_better: ArrayLike | None = None,
        run_tokens: ArrayLike | None = None,
        size: ArrayLike | None = None,
    ) -> LogLinearLaw | CurveLaw:
        """Fit every target.

        Args:
            domains: names (K,).
            targets: names (M,).
            mixtures: (R, K) weights of the runs, as read.
            losses: (R, M), above 0.
            lower_is_better: (M,); all true when not given.
            run_tokens: (R,) training tokens of the runs or checkpoints; for ``to_tokens``.
            size: (R,) model parameters of the runs; for ``to_size``.

        Returns:
            A log-linear law; with hidden domains a convex curve law.

        Raises:
            ReweightvizError: fewer runs than numbers to fit, losses that are missing or not above
                0, mixtures that leave a domain's effect undetermined, or runs of several lengths
                or sizes and nothing to extrapolate to.

        Warns:
            ReweightvizWarning: hidden domains, and fewer than 4 runs a number.
        """
        names, goals = tuple(domains), tuple(targets)
        w, y = checked_runs(
            "DataMixing",
            names,
            goals,
            mixtures,
            losses,
            needed=1 + max(1, self.implicit) * len(names),
        )
        w, y, exponents = self._level(w, y, run_tokens, size)
        law = (
            self._hidden(names, goals, w, y, lower_is_better)
            if self.implicit > 1
            else fitted_log_linear(
                "DataMixing",
                names,
                goals,
                w,
                y,
                lower_is_better,
                huber=self.huber,
                starts=self.starts,
                draws=self.draws,
                seed=self.seed,
            )
        )
        read = {
            f"{what}_exponent": [float(np.mean(values))] * len(goals)
            for what, values in exponents.items()
        }
        return replace(law, diagnostics={**law.diagnostics, **read})

    def _level(
        self, w: Array, y: Array, run_tokens: ArrayLike | None, size: ArrayLike | None
    ) -> Extrapolated:
        """Runs of one length and one size: those that came, or what the nested laws give."""
        lengths = (
            None
            if run_tokens is None
            else checked_given("DataMixing", "run_tokens", run_tokens, len(w))
        )
        sizes = None if size is None else checked_given("DataMixing", "size", size, len(w))
        for name, values, option, asked in (
            ("run_tokens", lengths, "to_tokens", self.to_tokens),
            ("sizes", sizes, "to_size", self.to_size),
        ):
            if values is not None and asked is None and len(np.unique(values)) > 1:
                raise ReweightvizError(
                    f"the runs have {len(np.unique(values))} different {name} and a "
                    "mixing law holds at one: "
                    f"DataMixing({option}=...) extrapolates, or keep the runs of one."
                )
        if self.to_tokens is None and self.to_size is None:
            return Extrapolated(w, y, {})
        return extrapolate(
            w, y, run_tokens=lengths, tokens=self.to_tokens, size=sizes, to_size=self.to_size
        )

    def _hidden(
        self,
        names: tuple[str, ...],
        goals: tuple[str, ...],
        w: Array,
        y: Array,
        lower_is_better: ArrayLike | None,
    ) -> CurveLaw:
        better = checked_directions(lower_is_better, goals)
        w, y = checked_runs("DataMixing", names, goals, w, y, needed=1 + self.implicit * len(names))
        numbers = 1 + self.implicit * len(names)
        if len(w) < ENOUGH * numbers:
            warn(
                f"DataMixing(implicit={self.implicit}) fits {numbers} numbers a target to "
                f"{len(w)} runs; below some {ENOUGH * numbers} "
                "runs it may miss new ones by more than their mean does: take fewer "
                "hidden domains, or look at held_out_r2."
            )
        points = Points(w, {}, {})
        theta = _starts(w, y, self.implicit, self.starts, self.huber)
        low = np.concatenate([[0.0], np.full(theta.shape[2] - 1, SLOPES[0])])
        high = np.concatenate([[np.inf], np.full(theta.shape[2] - 1, np.log(HIGHEST * y.max()))])
        done = fit_curve(
            CURVES[KIND],
            points,
            y,
            Start(theta, low, high),
            delta=self.huber,
            draws=self.draws,
            seed=self.seed,
        )
        said = fit_diagnostics(y, done.values, done.theta[:, 0] <= 1e-3 * y.mean(0)) | done.unseen
        return ConvexCurveLaw(
            KIND, names, goals, better, done.theta, done.draws, done.noise, {}, said
        )


def _starts(w: Array, y: Array, hidden: int, starts: int, delta: float) -> Array:
    """The curve of one domain, cut in J equal parts that are bent apart along the directions in which the runs vary most."""
    one = log_linear_starts(w, y, 1)
    one = fit_log_linear(w, y.T, one, delta=delta, steps=60)
    spread, axes = np.linalg.eigh(np.cov(w.T) + 1e-12 * np.eye(w.shape[1]))
    axes = (axes / np.sqrt(spread))[:, ::-1].T[: max(1, w.shape[1] - 1)]
    angles = 2 * np.pi * np.arange(hidden) / hidden
    made = np.empty((starts, y.shape[1], 1 + hidden * w.shape[1]))
    for s in range(starts):
        across, along = axes[s % len(axes)], axes[(s + 1) % len(axes)]
        bent = (0.5 + 0.5 * (s // len(axes))) * (
            np.cos(angles)[:, None] * across + np.sin(angles)[:, None] * along
        )
        slopes = one.slopes[:, None, :] - np.log(hidden) + bent
        made[s] = np.column_stack([one.floor * 0.9, slopes.reshape(y.shape[1], -1)])
    return made


def _parts(theta: Array, points: Points) -> Array:
    """The exponentials (..., J, n)."""
    slopes = theta[..., 1:].reshape(*theta.shape[:-1], -1, points.weights.shape[1])
    return np.asarray(np.exp(slopes @ points.weights.T), np.float64)


def _value(theta: Array, points: Points) -> Array:
    return np.asarray(theta[..., :1] + _parts(theta, points).sum(-2), np.float64)


def _jacobian(theta: Array, points: Points) -> Array:
    parts = _parts(theta, points).transpose(0, 2, 1)
    slopes = parts[..., None] * points.weights[:, None, :]
    return np.concatenate(
        [np.ones((*parts.shape[:2], 1)), slopes.reshape(*parts.shape[:2], -1)], axis=2
    )


def _equations(theta: Array, points: Points, weight: Array, residual: Array) -> tuple[Array, Array]:
    """The runs' weights are the same for all problems, so that products of two of them are made once for all."""
    w, parts = points.weights, _parts(theta, points)
    row, column = np.triu_indices(w.shape[1])
    pairs = w[:, row] * w[:, column]
    weighed = weight[:, None] * parts
    gradient = np.concatenate(
        [
            (weight * residual).sum(1)[:, None],
            ((weighed * residual[:, None]) @ w).reshape(len(theta), -1),
        ],
        axis=1,
    )
    count, hidden, domains = len(theta), parts.shape[1], w.shape[1]
    normal = np.empty((count, 1 + hidden * domains, 1 + hidden * domains))
    normal[:, 0, 0] = weight.sum(1)
    normal[:, 0, 1:] = normal[:, 1:, 0] = (weighed @ w).reshape(count, -1)
    for i in range(hidden):
        for j in range(i + 1):
            block = (weighed[:, i] * parts[:, j]) @ pairs
            square = np.empty((count, domains, domains))
            square[:, row, column] = square[:, column, row] = block
            at_i, at_j = (
                slice(1 + i * domains, 1 + (i + 1) * domains),
                slice(1 + j * domains, 1 + (j + 1) * domains),
            )
            normal[:, at_i, at_j] = normal[:, at_j, at_i] = square
    return gradient, normal


def _minimise(law: CurveLaw, shares: Array, options: Mapping[str, Any]) -> Array:
    domains = len(law.domains)
    rates = law.theta[:, 1:].reshape(-1, domains)
    return minimise_exponentials(rates, np.repeat(shares, len(rates) // len(shares)), **options).x


CURVES[KIND] = Curve(_value, _jacobian, equations=_equations, minimise=_minimise)
