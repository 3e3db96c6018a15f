"""Double Power Law: a direction gains from its own weight, and loses again when its data is too small for it.

Liang Chen, Shuming Ma, Dongdong Zhang, Furu Wei and Baobao Chang, "On the Pareto Front of
Multilingual Neural Machine Translation", NeurIPS 2023, https://arxiv.org/abs/2304.03216. The form
``k p^-alpha + (D^gamma + b) (q p)^beta + M`` is from memory of the paper, with the numbers fitted
for every direction by itself; not verified against it. Ours: the factor of the second term is
fitted as one number where all runs have the same data, because D, b and q cannot then be told
apart; Levenberg-Marquardt, the Huber loss, and the bootstrap with its prediction intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError, UnmetNeed, listed
from reweightviz.core.types import Array
from reweightviz.laws._curve_law import CurveLaw
from reweightviz.laws._curves import CURVES, Curve, Points, Start, fit_curve
from reweightviz.laws._runs import checked_directions, checked_given, checked_runs, fit_diagnostics

STEEPEST = 5.0


@dataclass(frozen=True)
class DoublePowerLaw:
    """Loss of domain m under its weight p: ``M + k p^-alpha + g p^beta``, where g falls with the domain's data.

    With ``available`` that differs between runs, ``g = s D^-gamma + b`` and the law takes
    ``available``; else g is one number. The loss may turn up again: the diagnostics name the
    weight where it is lowest. The law is not convex, and says that other domains do not matter.
    Weights below ``least`` count as ``least``.

    Args:
        least: the smallest weight that counts.
        huber: delta, where the squared error turns absolute, in the unit of the losses.
        draws: refits to redrawn losses, B; 0 for no intervals, and no error on runs left out.
        seed: of the draws.

    Example:
        >>> share = np.linspace(0.05, 0.95, 12)
        >>> losses = 1 + 0.2 * share ** -0.5 + 0.4 * share ** 1.5
        >>> law = DoublePowerLaw(draws=0).fit(domains=("de", "fr"), targets=("de",), mixtures=np.column_stack([share, 1 - share]),
        ...                                   losses=losses[:, None])
        >>> law.predict([0.5, 0.5]).round(3).tolist(), [round(weight, 2) for weight in law.diagnostics["lowest_at"]]
        ([[1.424]], [0.41])
    """

    least: float = 1e-4
    huber: float = 0.02
    draws: int = 200
    seed: int = 0

    paper: ClassVar[str] = "https://arxiv.org/abs/2304.03216"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if not 0 < self.least < 1 or not self.huber > 0 or self.draws < 0:
            raise UnmetNeed(
                name="DoublePowerLaw",
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
        available: ArrayLike | None = None,
    ) -> CurveLaw:
        """Fit every target.

        Args:
            domains: names (K,).
            targets: names (M,), each a domain.
            mixtures: (R, K) weights of the runs, as read.
            losses: (R, M), above 0.
            lower_is_better: (M,); all true when not given.
            available: (K,) or (R, K) tokens that there were of each domain.

        Raises:
            ReweightvizError: a target that is no domain, fewer runs than numbers to fit, losses
                that are missing or not above 0, or runs of one mixture.
        """
        names, goals = tuple(domains), tuple(targets)
        strangers = [goal for goal in goals if goal not in names]
        if strangers:
            raise ReweightvizError(
                "DoublePowerLaw predicts a domain's loss from its own weight, and "
                f"{listed(strangers)} is not among "
                f"the domains {listed(names)}: leave such targets out."
            )
        own, count = np.array([names.index(goal) for goal in goals]), len(np.asarray(mixtures))
        amounts = (
            None
            if available is None
            else checked_given("DoublePowerLaw", "available", available, count, len(names))
        )
        form = _Form(amounts is not None and not (amounts[:, own] == amounts[0, own]).all())
        w, y = checked_runs(
            "DoublePowerLaw",
            names,
            goals,
            mixtures,
            losses,
            needed=7 if form.told else 5,
            spanning=False,
        )
        better = checked_directions(lower_is_better, goals)
        given = {"available": amounts} if amounts is not None and form.told else {}
        fixed = {
            "least": np.array(self.least),
            "own": own.astype(np.float64),
            "unit": np.array(
                np.exp(np.log(amounts[:, own]).mean()) if given and amounts is not None else 1.0
            ),
        }
        points = Points(w, given, fixed)
        done = fit_curve(
            CURVES[form.kind],
            points,
            y,
            form.start(y),
            delta=self.huber,
            draws=self.draws,
            seed=self.seed,
        )
        said = fit_diagnostics(y, done.values, done.theta[:, 0] <= 1e-3 * y.mean(0)) | done.unseen
        lowest = form.lowest(done.theta, points)
        return CurveLaw(
            form.kind,
            names,
            goals,
            better,
            done.theta,
            done.draws,
            done.noise,
            fixed,
            {**said, "lowest_at": lowest.tolist()},
        )


class _Form(NamedTuple):
    """Parameters (..., P): M, k, alpha, beta, then g; or s, b and gamma where the data differs between runs."""

    told: bool

    @property
    def kind(self) -> str:
        return "double-power-law" + ("-data" if self.told else "")

    def start(self, y: Array) -> Start:
        made = []
        for floor, alpha, beta in product((0.5, 0.9), (0.1, 0.5), (0.5, 2.0)):
            spare = y.mean(0) - floor * y.min(0)
            tail = (
                [0.1 * spare, 0.1 * spare, np.full(len(spare), 0.3)] if self.told else [0.2 * spare]
            )
            made.append(
                np.column_stack(
                    [
                        floor * y.min(0),
                        0.5 * spare,
                        np.full(len(spare), alpha),
                        np.full(len(spare), beta),
                        *tail,
                    ]
                )
            )
        high = np.array(
            [
                np.inf,
                np.inf,
                STEEPEST,
                STEEPEST,
                *([np.inf, np.inf, STEEPEST] if self.told else [np.inf]),
            ]
        )
        return Start(np.stack(made), np.zeros(len(high)), high)

    def value(self, theta: Array, points: Points) -> Array:
        fall, rise, _ = self.powers(theta, points)
        return np.asarray(
            theta[..., :1] + theta[..., 1:2] * fall + self.factor(theta, points)[0] * rise,
            np.float64,
        )

    def jacobian(self, theta: Array, points: Points) -> Array:
        fall, rise, logs = self.powers(theta, points)
        factor, slopes = self.factor(theta, points)
        parts = [
            np.ones_like(fall),
            fall,
            -theta[..., 1:2] * fall * logs,
            factor * rise * logs,
            *(slope * rise for slope in slopes),
        ]
        return np.stack(parts, axis=-1)

    def powers(self, theta: Array, points: Points) -> tuple[Array, Array, Array]:
        """``p^-alpha`` and ``p^beta`` (..., n), and log p (M, n)."""
        logs = np.log(np.maximum(points.weights, points.fixed["least"])).T[
            points.fixed["own"].astype(int)
        ]
        return np.exp(-theta[..., 2:3] * logs), np.exp(theta[..., 3:4] * logs), logs

    def factor(self, theta: Array, points: Points) -> tuple[Array, list[Array]]:
        """The factor g (..., n) and its derivatives by the parameters after beta."""
        ones = np.ones(len(points.weights))
        if not self.told:
            return theta[..., 4:5] * ones, [ones]
        relative = np.log(
            points.given["available"].T[points.fixed["own"].astype(int)] / points.fixed["unit"]
        )
        fade = np.exp(-theta[..., 6:7] * relative)
        return theta[..., 4:5] * fade + theta[..., 5:6], [
            fade,
            ones,
            -theta[..., 4:5] * relative * fade,
        ]

    def lowest(self, theta: Array, points: Points) -> Array:
        """The weight (M,) where the loss is lowest, with the mean amount of data; 1 where it never turns."""
        factor = self.factor(theta, points)[0].mean(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            turn = (theta[:, 1] * theta[:, 2] / (factor * theta[:, 3])) ** (
                1 / (theta[:, 2] + theta[:, 3])
            )
        return np.minimum(np.where(np.isfinite(turn), turn, 1.0), 1.0)


for _form in (_Form(False), _Form(True)):
    CURVES[_form.kind] = Curve(
        _form.value, _form.jacobian, ("available",) if _form.told else (), ("own",)
    )
