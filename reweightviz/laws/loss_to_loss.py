"""Loss-to-loss: what a small model's law says, carried to a bigger model or to a downstream metric, by a curve a target.

David Brandfonbrener, Nikhil Anand, Nikhil Vyas, Eran Malach and Sham Kakade, "Loss-to-Loss
Prediction: Scaling Laws for All Datasets", TMLR 2025, https://arxiv.org/abs/2411.12925. Followed:
the shifted power law of the authors' public notebooks, ``L_b = K (L_a - E_a)^kappa + E_b``, least
squares over a grid of shifts. Ours: E_a is found with the rest, where they take it from a scaling
law of its own; a straight line where the pairs do not tell a bend; targets where higher is better,
which fall; what follows what; the uncertainty of both laws. Not verified: the paper's equations,
of which the abstract and the code were seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import (
    InvalidValue,
    ReweightvizError,
    UnknownName,
    UnmetNeed,
    WrongDomains,
)
from reweightviz.core.protocols import Law
from reweightviz.core.types import Array
from reweightviz.laws._loss_to_loss_law import LossToLossLaw
from reweightviz.laws._runs import (
    checked_directions,
    checked_runs,
    fit_diagnostics,
    held_out_diagnostics,
    whole_runs,
)
from reweightviz.numerics.shifted_power import evaluate, fit_line, fit_shifted_power, slopes

FORMS = ("linear", "power")
MEAN = "mean"
"""Stands for the mean of all targets of the law beneath."""


@dataclass(frozen=True)
class LossToLoss:
    """Loss of a target as ``K (L - E_a)^kappa + E_b`` of a loss L that another law predicts.

    Many runs of a small model make the law beneath; a few runs of the bigger model, at the same
    mixtures or at others, make the curve.

    Args:
        form: "power", or "linear" for kappa = 1; when not given, the better of the two by AICc,
            the Akaike criterion corrected for few runs.
        source: which target of the law beneath every target follows, or "mean" for the mean of
            them; when not given, the one of the same name, or else the one whose order the runs
            follow most closely.
        draws: bootstrap resamples of the runs, B; 0 for no intervals.
        seed: of the resamples.

    Example:
        >>> from reweightviz.laws.regmix import RegMix
        >>> mixtures = np.random.default_rng(0).dirichlet(np.ones(2), 30)
        >>> small = 3 + mixtures @ [[1.0], [0.0]]
        >>> names = {"domains": ("web", "code"), "targets": ("loss",)}
        >>> beneath = RegMix(model="linear").fit(**names, mixtures=mixtures, losses=small)
        >>> law = LossToLoss().fit(**names, mixtures=mixtures[:6], losses=0.5 * small[:6] + 1, law=beneath)
        >>> law.predict([[0.5, 0.5]]).round(6).tolist()
        [[2.75]]
    """

    form: str | None = None
    source: str | None = None
    draws: int = 200
    seed: int = 0

    paper: ClassVar[str] = "https://arxiv.org/abs/2411.12925"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if self.form is not None and self.form not in FORMS:
            raise UnknownName(kind="form of LossToLoss", name=self.form, known=FORMS)
        if self.draws < 0:
            raise UnmetNeed(name="LossToLoss", value=self.draws, expected="draws of at least 0")

    def fit(
        self,
        *,
        domains: Sequence[str],
        targets: Sequence[str],
        mixtures: ArrayLike,
        losses: ArrayLike,
        law: Law,
        proxy_losses: ArrayLike | None = None,
        lower_is_better: ArrayLike | None = None,
    ) -> LossToLossLaw:
        """Fit a curve a target.

        Args:
            domains: names (K,), those of the law beneath.
            targets: names (M,).
            mixtures: (R, K) weights of the bigger model's runs, as read.
            losses: (R, M) what they reached.
            law: the law beneath, with P targets, which takes the weights alone (``law.at(...)``
                holds the rest).
            proxy_losses: (R, P) what the small model reached at these mixtures, where it was
                trained on them; when not given, what the law beneath predicts.
            lower_is_better: (M,); all true when not given.

        Raises:
            ReweightvizError: other domains than the law's, too few runs, or losses that are
                missing.
        """
        names, goals = tuple(domains), tuple(targets)
        if set(names) != set(law.domains) or len(names) != len(law.domains):
            raise WrongDomains(
                who="the runs", asked=names, other="the law beneath", there=law.domains
            )
        if told := getattr(law, "given", ()):
            raise ReweightvizError(
                "LossToLoss needs a law that takes the weights alone; this takes "
                f"{', '.join(told)}: "
                "hold them with law.at(...)."
            )
        least = 5 if self.form == "power" else 3
        w, y = checked_runs(
            "LossToLoss",
            names,
            goals,
            mixtures,
            losses,
            needed=least,
            positive=False,
            spanning=False,
            parametric=False,
        )
        w = w[:, [names.index(name) for name in law.domains]]
        below = law.predict(w) if proxy_losses is None else np.asarray(proxy_losses, np.float64)
        if below.shape != (len(w), len(law.targets)) or not np.isfinite(below).all():
            raise InvalidValue(
                name="proxy_losses",
                value=below.shape,
                expected=f"({len(w)}, {len(law.targets)}) finite numbers, one a run and target "
                "of the law beneath",
                got=f"shape {below.shape}",
            )
        better = checked_directions(lower_is_better, goals)
        blend, followed = self._followed(goals, law, below, y, better)
        known = (
            _spread(law, w)
            if proxy_losses is None
            else np.zeros((len(law.targets), len(law.targets)))
        )
        return self._curves(
            LossToLossLaw(tuple(law.domains), goals, better, law, blend, known),
            below @ blend,
            y,
            followed,
        )

    def _curves(
        self, plain: LossToLossLaw, x: Array, y: Array, followed: list[str]
    ) -> LossToLossLaw:
        rng, runs = np.random.default_rng(self.seed), len(y)
        counts = rng.multinomial(runs, np.full(runs, 1 / runs), self.draws).astype(np.float64)
        theta, draws = np.empty((y.shape[1], 4)), np.empty((self.draws, y.shape[1], 4))
        pulled, forms = np.empty_like(y), []
        upwards = plain.rising
        for m in range(y.shape[1]):
            form, sign = self._form(x[:, m], y[:, m], upwards[m]), upwards[m]
            fit = fit_line if form == "linear" else fit_shifted_power
            theta[m] = fit(x[:, m], y[:, m], np.ones((1, runs)), sign)[0][0]
            draws[:, m] = fit(x[:, m], y[:, m], counts, sign)[0]
            basis, _ = np.linalg.qr(
                slopes(theta[m], x[:, m])[:, slice(2, 4) if form == "linear" else slice(None)]
            )
            pulled[:, m] = np.minimum((basis**2).sum(1), 0.9)
            forms.append(form)
        fitted = evaluate(theta, x)
        noise = whole_runs((y - fitted) / np.sqrt(1 - pulled), self.draws, rng)
        said = fit_diagnostics(y, fitted, theta[:, 2] == 0) | held_out_diagnostics(
            y, y - (y - fitted) / (1 - pulled)
        )
        said |= {"source": followed, "form": forms}
        return replace(plain, theta=theta, refits=draws, noise=noise, diagnostics=said)

    def _form(self, x: Array, y: Array, sign: float) -> str:
        if self.form is not None:
            return self.form
        scores = {}
        for form, fit, fitted in (("linear", fit_line, 2), ("power", fit_shifted_power, 4)):
            left = len(x) - fitted - 2
            if left > 0:
                missed = max(
                    float(fit(x, y, np.ones((1, len(x))), sign)[1][0]), 1e-20 * float(y @ y)
                )
                scores[form] = len(x) * np.log(missed / len(x)) + 2 * (fitted + 1) * len(x) / left
        return min(scores, key=lambda form: scores[form]) if scores else "linear"

    def _followed(
        self, goals: tuple[str, ...], law: Law, x: Array, y: Array, better: NDArray[np.bool_]
    ) -> tuple[Array, list[str]]:
        """What of the law beneath each target follows, as a column (P, M), and its name."""
        names = (*law.targets, MEAN)
        if self.source is not None and self.source not in names:
            raise UnknownName(kind="target of the law beneath", name=self.source, known=names)
        columns = np.column_stack(
            [np.eye(len(law.targets)), np.full(len(law.targets), 1 / len(law.targets))]
        )
        picked = []
        for m, goal in enumerate(goals):
            name = self.source or (goal if goal in law.targets else None)
            if name is None:
                agree = np.array([_agreement(x @ column, y[:, m]) for column in columns.T])
                directions = np.append(law.lower_is_better, True) == better[m]
                name = names[int(np.argmax(np.where(directions, agree, -agree)))]
            picked.append(names.index(name))
        return columns[:, picked], [names[one] for one in picked]


def _agreement(x: Array, y: Array) -> float:
    """Spearman's correlation; 0 where all are equal."""
    left, right = (pd.Series(values).rank().to_numpy() - (len(x) + 1) / 2 for values in (x, y))
    size = np.sqrt((left @ left) * (right @ right))
    return float(left @ right / size) if size else 0.0


def _spread(law: Law, w: Array) -> Array:
    """Mean covariance (P, P) of what the law draws at mixtures: how sure it is where the pairs are."""
    drawn = (
        law.samples(w[:1000])
        if hasattr(law, "samples")
        else np.empty((0, len(w), len(law.targets)))
    )
    if len(drawn) < 2:
        return np.zeros((len(law.targets), len(law.targets)))
    apart = drawn - drawn.mean(0)
    return np.asarray(
        np.einsum("bnp,bnq->pq", apart, apart, optimize=True) / ((len(drawn) - 1) * drawn.shape[1]),
        np.float64,
    )
