"""BiMix: a domain's loss falls as a power of its own weight, and of the training tokens.

Ce Ge, Zhijian Ma, Daoyuan Chen, Yaliang Li and Bolin Ding, "BiMix: Bivariate Data Mixing Law for
Language Model Pretraining", 2024, https://arxiv.org/abs/2405.14908. Followed: equation 3, ``L_i =
A_i / r_i^alpha_i (B_i / s^beta_i + C_i)``, read in version 4 of the paper, with A_i = 1, which B_i
and C_i make redundant. For targets that are not domains: ``sum_i F_i r_i^-alpha_i``, as in Olmix'
public code, times the same term in s. Ours: tokens for steps s, the Huber loss,
Levenberg-Marquardt where they use a trust region, the bootstrap, and the optimum by power cones
(the paper's section 5.3 uses a general solver).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError, UnmetNeed, listed
from reweightviz.core.types import Array
from reweightviz.laws._curve_law import ConvexCurveLaw, CurveLaw
from reweightviz.laws._curves import CURVES, Curve, Points, Start, fit_curve
from reweightviz.laws._runs import checked_directions, checked_given, checked_runs, fit_diagnostics
from reweightviz.numerics.separable import minimise_powers

STEEPEST = 5.0
"""Exponents are looked for up to this; those of the paper are below 0.5."""


@dataclass(frozen=True)
class BiMix:
    """Loss of domain m under weights w and training tokens s: ``w_m^-alpha (B s^-beta + C)``; convex in the weights.

    Without run_tokens, or where all runs have the same, it is ``K w_m^-alpha``. The law says that
    other domains do not matter. At a weight of 0 it is infinite: weights below ``least`` count as
    ``least``, in the fit and in predictions. A fit that finds no effect of the weight (alpha = 0)
    is degenerate; the diagnostics say so beside R squared.

    Args:
        every_domain: sum such a power over all domains for each target, so that targets need not
            be domains.
        least: the smallest weight that counts.
        huber: delta, where the squared error turns absolute, in the unit of the losses.
        draws: refits to redrawn losses, B; 0 for no intervals, and no error on runs left out.
        seed: of the draws.

    Example:
        >>> mixtures = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.7, 0.3]])
        >>> losses = [2.0, 1.5] * mixtures ** -0.25
        >>> law = BiMix(draws=0).fit(domains=("web", "code"), targets=("web", "code"), mixtures=mixtures, losses=losses)
        >>> law.predict([0.5, 0.5]).round(3).tolist(), law.minimise(kl=0).round(3).tolist()
        ([[2.378, 1.784]], [0.557, 0.443])
    """

    every_domain: bool = False
    least: float = 1e-4
    huber: float = 0.02
    draws: int = 200
    seed: int = 0

    paper: ClassVar[str] = "https://arxiv.org/abs/2405.14908"
    verified: ClassVar[str] = "equation 3"

    def __post_init__(self) -> None:
        if not 0 < self.least < 1 or not self.huber > 0 or self.draws < 0:
            raise UnmetNeed(
                name="BiMix",
                value=(self.least, self.huber, self.draws),
                expected="least between 0 and 1, huber above 0 and draws of at least 0",
                got=f"{self.least}, {self.huber}, {self.draws}",
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
    ) -> CurveLaw:
        """Fit every target.

        Args:
            domains: names (K,).
            targets: names (M,), each a domain unless ``every_domain``.
            mixtures: (R, K) weights of the runs, as read.
            losses: (R, M), above 0.
            lower_is_better: (M,); all true when not given.
            run_tokens: (R,) training tokens of the runs or checkpoints; the law then takes
                ``run_tokens`` too.

        Raises:
            ReweightvizError: a target that is no domain, fewer runs than numbers to fit, losses
                that are missing or not above 0, or mixtures that do not vary enough.
        """
        names, goals = tuple(domains), tuple(targets)
        better = checked_directions(lower_is_better, goals)
        strangers = [goal for goal in goals if goal not in names]
        if strangers and not self.every_domain:
            raise ReweightvizError(
                "BiMix predicts a domain's loss from its own weight, and "
                f"{listed(strangers)} is not among the domains "
                f"{listed(names)}: BiMix(every_domain=True) sums over all domains, or "
                "leave such targets out."
            )
        told = run_tokens is not None and len(np.unique(np.asarray(run_tokens, np.float64))) > 1
        needed = (2 * len(names) if self.every_domain else 2) + 2 * told
        w, y = checked_runs(
            "BiMix", names, goals, mixtures, losses, needed=needed, spanning=self.every_domain
        )
        tokens = (
            checked_given("BiMix", "run_tokens", run_tokens, len(w)) if told else np.ones(len(w))
        )  # type: ignore[arg-type]
        form = _Form(self.every_domain, told)
        own = [names.index(goal) if goal in names else -1 for goal in goals]
        fixed = {
            "least": np.array(self.least),
            "unit": np.array(np.exp(np.log(tokens).mean())),
            "own": np.array(own, np.float64),
        }
        points = Points(w, {"run_tokens": tokens} if told else {}, fixed)
        done = fit_curve(
            CURVES[form.kind],
            points,
            y,
            form.start(points, y),
            delta=self.huber,
            draws=self.draws,
            seed=self.seed,
        )
        said = (
            fit_diagnostics(y, done.values, (form.split(done.theta)[1] <= 1e-6).all(1))
            | done.unseen
        )
        return ConvexCurveLaw(
            form.kind, names, goals, better, done.theta, done.draws, done.noise, fixed, said
        )


class _Form(NamedTuple):
    """``sum_i F_i w_i^-alpha_i (c + (1 - c) u^-beta)``, u the tokens in their own unit: B = F (1 - c) and C = F c there.

    Parameters (..., P) are F and alpha of the T domains that count, one or all, then c and beta
    where tokens count.
    """

    every: bool
    told: bool

    @property
    def kind(self) -> str:
        return f"bimix{'-every-domain' if self.every else ''}{'-tokens' if self.told else ''}"

    def curve(self) -> Curve:
        return Curve(
            self.value,
            self.jacobian,
            ("run_tokens",) if self.told else (),
            ("own",),
            minimise=self.minimise,
        )

    def split(self, theta: Array) -> tuple[Array, Array, Array]:
        """F (..., T), alpha (..., T), and c and beta (..., 2), or (..., 0) where tokens do not count."""
        end = theta.shape[-1] - 2 * self.told
        return theta[..., : end // 2], theta[..., end // 2 : end], theta[..., end:]

    def start(self, points: Points, y: Array) -> Start:
        """Straight lines in logarithms for a domain's own weight; equal parts of several steepnesses for all."""
        logs, count = (
            self.logs(points)[..., 0, :] if not self.every else self.logs(points),
            y.shape[1],
        )
        made = []
        for steepness, beta in product(
            (0.015, 0.05, 0.15) if self.every else (1.0,), (0.1, 0.5, 1.0) if self.told else (0.0,)
        ):
            if self.every:
                exponents = np.full((count, len(logs)), steepness)
                factors = y.mean(0)[:, None] / np.exp(-steepness * logs).mean() / len(
                    logs
                ) + np.zeros_like(exponents)
            else:
                apart = logs - logs.mean(1, keepdims=True)
                slope = -(apart * np.log(y).T).sum(1) / np.maximum((apart**2).sum(1), 1e-12)
                exponents = np.clip(slope, 0.01, STEEPEST)[:, None]
                factors = np.exp(np.log(y).mean(0)[:, None] + exponents * logs.mean(1)[:, None])
            made.append(
                np.column_stack(
                    [
                        factors,
                        exponents,
                        *([np.full(count, 0.5), np.full(count, beta)] if self.told else []),
                    ]
                )
            )
        theta = np.stack(made)
        terms = (theta.shape[2] - 2 * self.told) // 2
        high = np.concatenate(
            [np.full(terms, np.inf), np.full(terms, STEEPEST), [1.0, STEEPEST][: 2 * self.told]]
        )
        return Start(theta, np.zeros(len(high)), high)

    def logs(self, points: Points) -> Array:
        """Log weights of the domains that count: (T, n) for all, or (M, 1, n) for each target's own."""
        logs = np.log(np.maximum(points.weights, points.fixed["least"])).T
        return np.asarray(
            logs if self.every else logs[points.fixed["own"].astype(int)][..., None, :], np.float64
        )

    def fade(self, rest: Array, points: Points) -> tuple[Array, Array]:
        """Log tokens (n,) and ``u^-beta`` (..., n)."""
        relative = np.log(points.given["run_tokens"] / points.fixed["unit"])
        return relative, np.asarray(np.exp(-rest[..., 1:] * relative), np.float64)

    def scale(self, rest: Array, points: Points) -> Array:
        return np.asarray(
            rest[..., :1] + (1 - rest[..., :1]) * self.fade(rest, points)[1]
            if self.told
            else np.ones(1),
            np.float64,
        )

    def value(self, theta: Array, points: Points) -> Array:
        factors, exponents, rest = self.split(theta)
        powers = np.exp(-exponents[..., None] * self.logs(points))
        return np.asarray(
            (factors[..., None] * powers).sum(-2) * self.scale(rest, points), np.float64
        )

    def jacobian(self, theta: Array, points: Points) -> Array:
        factors, exponents, rest = self.split(theta)
        logs = self.logs(points)
        powers = np.exp(-exponents[..., None] * logs) * np.expand_dims(self.scale(rest, points), -2)
        parts = [powers, -factors[..., None] * powers * logs]
        if self.told:
            summed = (factors[..., None] * np.exp(-exponents[..., None] * logs)).sum(-2)
            relative, fade = self.fade(rest, points)
            parts += [
                (summed * (1 - fade))[:, None],
                (-(1 - rest[..., :1]) * summed * fade * relative)[:, None],
            ]
        return np.ascontiguousarray(np.concatenate(parts, axis=1).transpose(0, 2, 1))

    def minimise(self, law: CurveLaw, shares: Array, options: Mapping[str, Any]) -> Array:
        factors, exponents, rest = self.split(law.theta)
        here = Points(
            np.ones((1, len(law.domains))),
            {"run_tokens": np.array([law.held["run_tokens"]])} if self.told else {},
            law.fixed,
        )
        weighed = factors * (shares * self.scale(rest, here)[..., -1])[:, None]
        if self.every:
            return minimise_powers(weighed.T, exponents.T, **options).x
        spread, steepness = np.zeros((2, len(law.domains), len(shares)))
        place = law.fixed["own"].astype(int), np.arange(len(shares))
        spread[place], steepness[place] = weighed[:, 0], exponents[:, 0]
        return minimise_powers(spread, steepness, **options).x


CURVES.update(
    {
        form.kind: form.curve()
        for form in map(_Form, (False, False, True, True), (False, True, False, True))
    }
)
