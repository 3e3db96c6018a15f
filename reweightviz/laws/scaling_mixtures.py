"""Scaling laws for optimal data mixtures: one law over the weights, the model's size and the training tokens.

Mustafa Shukor, Louis Bethune, Dan Busbridge, David Grangier, Enrico Fini, Alaaeldin El-Nouby and
Pierre Ablin, "Scaling Laws for Optimal Data Mixtures", 2025, https://arxiv.org/abs/2507.09404.
Followed: equations 2.4 (additive) and 2.5 (joint) and the Huber loss of 2.6 with delta 0.001, read
in the paper. Ours: Levenberg-Marquardt from a grid of starts made from the data, where they use
basin-hopping over L-BFGS; gamma of at most 1, which makes the additive law convex (on the public
RegMix swarm it also predicts new runs a little better); the additive optimum by power cones, where
they use mirror descent; the bootstrap with its prediction intervals. A size or a number of tokens
that is the same in all runs is left out, as its term could not be told from E.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.laws._curve_law import ConvexCurveLaw, CurveLaw
from reweightviz.laws._curves import CURVES, Curve, Points, Start, fit_curve
from reweightviz.laws._runs import checked_directions, checked_given, checked_runs, fit_diagnostics
from reweightviz.numerics.bounds import weight_bounds
from reweightviz.numerics.programs import Program
from reweightviz.numerics.simplex import share

SCALES = ("size", "run_tokens")
STEEPEST = 3.0
"""Exponents of size and tokens are looked for up to this."""
LEAST_SUM = 1e-9
HIGHEST = 10.0
"""What the weights add stays below so many times the largest loss, where the sum of C h^gamma all but vanishes."""


@dataclass(frozen=True)
class ScalingMixtures:
    """Loss under weights h, size N and tokens D: ``E + 1 / sum_i C_i h_i^gamma_i + A / N^alpha + B / D^beta``.

    Additive: A and B are numbers, so the law is convex and the best mixture the same at every size
        and length. Joint: they
    depend on the weights, ``(sum_i CA_i h_i)^gammaA`` and ``(sum_i CB_i h_i)^gammaB``, and so does
    the best mixture on N and D. The law takes ``size`` and ``run_tokens`` wherever the runs differ
    in them.

    Runs that are checkpoints of one training are not independent; the intervals take them as if
    they were.

    Args:
        joint: whether A and B depend on the weights.
        huber: delta, where the squared error turns absolute, in the unit of the losses.
        draws: refits to redrawn losses, B; 0 for no intervals, and no error on runs left out.
        seed: of the draws.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> mixtures, tokens = rng.dirichlet([1, 1], 30), rng.choice([1e9, 2e9, 4e9], 30)
        >>> losses = 1.5 + 1 / (mixtures ** 0.5 @ [[2.0], [1.0]]) + 0.4 * (tokens[:, None] / 1e9) ** -0.3
        >>> law = ScalingMixtures(draws=0).fit(domains=("web", "code"), targets=("loss",), mixtures=mixtures, losses=losses,
        ...                                    run_tokens=tokens)
        >>> law.given, law.predict([0.5, 0.5], run_tokens=1e12).round(2).tolist()
        (('run_tokens',), [[2.02]])
    """

    joint: bool = False
    huber: float = 0.001
    draws: int = 100
    seed: int = 0

    paper: ClassVar[str] = "https://arxiv.org/abs/2507.09404"
    verified: ClassVar[str] = "equations 2.4 to 2.6"

    def __post_init__(self) -> None:
        if not self.huber > 0 or self.draws < 0:
            raise UnmetNeed(
                name="ScalingMixtures",
                value=(self.huber, self.draws),
                expected="huber above 0 and draws of at least 0",
                got=f"{self.huber}, {self.draws}",
            )

    def fit(
        self,
        *,
        domains: Sequence[str],
        targets: Sequence[str],
        mixtures: ArrayLike,
        losses: ArrayLike,
        lower_is_better: ArrayLike | None = None,
        size: ArrayLike | None = None,
        run_tokens: ArrayLike | None = None,
    ) -> CurveLaw:
        """Fit every target.

        Args:
            domains: names (K,).
            targets: names (M,).
            mixtures: (R, K) weights of the runs, as read.
            losses: (R, M), above 0.
            lower_is_better: (M,); all true when not given.
            size: (R,) model parameters of the runs.
            run_tokens: (R,) training tokens of the runs or checkpoints.

        Raises:
            ReweightvizError: fewer runs than numbers to fit, losses that are missing or not above
                0, or mixtures that leave a domain's effect undetermined.
        """
        names, goals = tuple(domains), tuple(targets)
        told = {
            name: values
            for name, values in zip(SCALES, (size, run_tokens), strict=True)
            if values is not None and len(np.unique(np.asarray(values, np.float64))) > 1
        }
        form = _Form(self.joint, tuple(told))
        needed = 1 + 2 * len(names) + len(told) * (2 + (len(names) if self.joint else 0))
        w, y = checked_runs("ScalingMixtures", names, goals, mixtures, losses, needed=needed)
        better = checked_directions(lower_is_better, goals)
        given = {
            name: checked_given("ScalingMixtures", name, values, len(w))
            for name, values in told.items()
        }
        fixed = {
            f"unit_{name}": np.array(np.exp(np.log(values).mean()))
            for name, values in given.items()
        }
        points = Points(w, given, {**fixed, "least_sum": np.array(1 / (HIGHEST * y.max()))})
        done = fit_curve(
            CURVES[form.kind],
            points,
            y,
            form.start(points, y),
            delta=self.huber,
            draws=self.draws,
            seed=self.seed,
        )
        said = fit_diagnostics(y, done.values, done.theta[:, 0] <= 1e-3 * y.mean(0)) | done.unseen
        law = CurveLaw if self.joint else ConvexCurveLaw
        return law(
            form.kind, names, goals, better, done.theta, done.draws, done.noise, points.fixed, said
        )


class _Form(NamedTuple):
    """Parameters (..., P): E, C (K), gamma (K), then for each scale its exponent and A, or log CA (K) and gammaA."""

    joint: bool
    scales: tuple[str, ...]

    @property
    def kind(self) -> str:
        return "-".join(("scaling-mixtures", "joint" if self.joint else "additive", *self.scales))

    def split(self, theta: Array, domains: int) -> tuple[Array, Array, list[Array]]:
        """C and gamma (..., K), and the parameters of each scale's term (..., 2) or (..., K + 2)."""
        each = domains + 2 if self.joint else 2
        ends = [1 + 2 * domains + each * s for s in range(len(self.scales) + 1)]
        return (
            theta[..., 1 : 1 + domains],
            theta[..., 1 + domains : 1 + 2 * domains],
            [theta[..., first:last] for first, last in pairwise(ends)],
        )

    def value(self, theta: Array, points: Points) -> Array:
        factors, exponents, terms = self.split(theta, points.weights.shape[1])
        total = theta[..., :1] + 1 / self._sum(factors, exponents, points)[1]
        for name, term in zip(self.scales, terms, strict=True):
            total = total + self._front(term, points)[0] * self._fade(name, term, points)[1]
        return np.asarray(total, np.float64)

    def jacobian(self, theta: Array, points: Points) -> Array:
        factors, exponents, terms = self.split(theta, points.weights.shape[1])
        powers, summed = self._sum(factors, exponents, points)
        inside = summed > points.fixed["least_sum"]
        by_factor = -powers * (inside / summed**2)[..., None, :]
        parts = [
            np.ones_like(summed)[..., None, :],
            by_factor,
            by_factor * factors[..., None] * _logs(points),
        ]
        for name, term in zip(self.scales, terms, strict=True):
            front, by_front = self._front(term, points)
            relative, fade = self._fade(name, term, points)
            parts += [(-front * relative * fade)[..., None, :], by_front * fade[..., None, :]]
        return np.ascontiguousarray(np.concatenate(parts, axis=-2).swapaxes(-1, -2))

    def start(self, points: Points, y: Array) -> Start:
        """A grid of exponents and floors; C from the loss that a straight line gives at each vertex."""
        domains = points.weights.shape[1]
        told = [
            np.log(points.given[name] / points.fixed[f"unit_{name}"])[:, None]
            for name in self.scales
        ]
        line = np.linalg.lstsq(np.concatenate([points.weights, *told], axis=1), y, rcond=None)[0]
        made = []
        for floor, gamma, alpha in product(
            (0.5, 0.8, 0.95), (0.2, 0.5, 1.0), (0.2, 0.6) if told else (0.0,)
        ):
            least = floor * y.min(0)
            share = 1 / (1 + len(told))
            spare = np.maximum(np.maximum(line[:domains], y.min(0)) - least, 0.02 * y.mean(0))
            front = share * (y.mean(0) - least)
            scale = (
                [
                    np.column_stack(
                        [
                            np.full(len(front), alpha),
                            np.repeat(np.log(front)[:, None], domains, 1),
                            np.ones(len(front)),
                        ]
                    )
                ]
                if self.joint
                else [np.column_stack([np.full(len(front), alpha), front])]
            )
            bias = domains ** (gamma - 1) / (share * spare.T)
            made.append(
                np.concatenate(
                    [least[:, None], bias, np.full_like(bias, gamma), *(scale * len(told))], axis=1
                )
            )
        low, high = self._bounds(domains)
        return Start(np.stack(made), low, high)

    def minimise(self, law: CurveLaw, shares: Array, options: Mapping[str, Any]) -> Array:
        """The additive optimum: only ``1 / sum_i C_i h_i^gamma_i`` depends on the weights."""
        domains = len(law.domains)
        factors, exponents, _ = self.split(law.theta[shares > 0], domains)
        weighed, kl = shares[shares > 0], options["kl"]
        prior = (
            np.full(domains, 1 / domains)
            if options["prior"] is None
            else share(options["prior"], "the prior")
        )

        low, high = weight_bounds(
            domains, options["lower"], options["upper"], prior if kl else None, options["names"]
        )
        program = Program(low, high)
        bent = (factors > 0) & (exponents < 1)
        target, domain = np.nonzero(bent)
        roots = program.root(program.weights.rows(domain), exponents[bent])
        # Each target's sum of C h ** gamma: roots, and what is straight where gamma is 1.
        summed = (factors[bent] * (np.arange(len(factors))[:, None] == target)) @ roots
        summed = summed + np.where(bent, 0.0, factors) @ program.weights
        reached = (factors @ high) > 0
        cost = weighed[reached][None] @ program.inverse_power(
            summed.rows(reached), np.ones(int(reached.sum()))
        )
        if kl:
            cost = cost + np.full((1, 1), kl) @ program.divergence(prior)
        return program.minimise(cost, size=kl).x

    def _bounds(self, domains: int) -> tuple[Array, Array]:
        least = [0.0, *[-30.0] * domains, -STEEPEST] if self.joint else [0.0, 0.0]
        most = [STEEPEST, *[30.0] * domains, STEEPEST] if self.joint else [STEEPEST, np.inf]
        low = [0.0, *[0.0] * domains, *[0.01] * domains, *least * len(self.scales)]
        high = [np.inf, *[1e6] * domains, *[1.0] * domains, *most * len(self.scales)]
        return np.array(low), np.array(high)

    def _sum(self, factors: Array, exponents: Array, points: Points) -> tuple[Array, Array]:
        """``h^gamma`` (..., K, n) and the sum of C times it (..., n)."""
        powers = np.where(points.weights.T > 0, np.exp(exponents[..., None] * _logs(points)), 0.0)
        return powers, np.maximum((factors[..., None] * powers).sum(-2), points.fixed["least_sum"])

    def _front(self, term: Array, points: Points) -> tuple[Array, Array]:
        """A (..., n) and its derivatives (..., 1 or K + 1, n)."""
        if not self.joint:
            ones = np.ones(len(points.weights))
            return term[..., 1:] * ones, np.ones((*term.shape[:-1], 1, 1)) * ones
        parts = np.exp(term[..., 1:-1])[..., None] * points.weights.T
        summed = np.maximum(parts.sum(-2), LEAST_SUM)
        front = summed ** term[..., -1:]
        by_log = (term[..., -1:] * front / summed)[..., None, :] * parts
        return front, np.concatenate([by_log, (front * np.log(summed))[..., None, :]], axis=-2)

    def _fade(self, name: str, term: Array, points: Points) -> tuple[Array, Array]:
        """Log of the scale in its unit (n,) and ``scale^-alpha`` (..., n)."""
        relative = np.log(points.given[name] / points.fixed[f"unit_{name}"])
        return relative, np.asarray(np.exp(-term[..., :1] * relative), np.float64)


def _logs(points: Points) -> Array:
    """Log weights (K, n), 0 where the weight is 0: such a weight's power is set to 0."""
    return np.asarray(np.log(np.where(points.weights > 0, points.weights, 1.0)).T, np.float64)


for _form in (
    _Form(joint, scales)
    for joint in (False, True)
    for scales in ((), SCALES[:1], SCALES[1:], SCALES)
):
    CURVES[_form.kind] = Curve(
        _form.value, _form.jacobian, _form.scales, minimise=None if _form.joint else _form.minimise
    )
