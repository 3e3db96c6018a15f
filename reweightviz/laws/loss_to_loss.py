"""Loss-to-loss: the law of a small model, carried to a bigger one or a metric by a curve a target.

David Brandfonbrener, Nikhil Anand, Nikhil Vyas, Eran Malach and Sham Kakade, "Loss-to-Loss
Prediction: Scaling Laws for All Datasets", TMLR 2025, https://arxiv.org/abs/2411.12925. Followed:
the shifted power law of the authors' public notebooks, ``L_b = K (L_a - E_a)^kappa + E_b``, least
squares over a grid of shifts. Ours: E_a is found with the rest, where they take it from a scaling
law of its own; a straight line where the pairs do not show a bend; targets where higher is better,
which fall; the choice of a source for each target; the uncertainty of both laws. Not verified: the
paper's equations, of which the abstract and the code were seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from reweightviz.core.errors import (
    InvalidValue,
    ReweightvizError,
    UnknownName,
    UnmetNeed,
    WrongDomains,
    list_names,
)
from reweightviz.core.protocols import Law
from reweightviz.core.types import Array
from reweightviz.laws._bootstrap import draw_counts, draw_whole_runs
from reweightviz.laws._diagnostics import measure_fit, measure_held_out
from reweightviz.laws._loss_to_loss_law import LossToLossLaw, draw_beneath
from reweightviz.laws._runs import ProxyRuns, check_runs
from reweightviz.numerics.shifted_power import evaluate, fit_line, fit_shifted_power, slopes

__all__ = ["FITS", "MEAN", "LossToLoss"]


FITS = {
    "linear": (fit_line, slice(2, 4)),
    "power": (fit_shifted_power, slice(None)),
}
"""Form to its fit, and which of the numbers [E_a, kappa, K, E_b] it fits."""
MEAN = "mean"
"""Stands for the mean of all targets of the law beneath."""


@dataclass(frozen=True)
class LossToLoss:
    """Fit a target's loss as ``K (L - E_a)^kappa + E_b`` of a loss L that another law predicts.

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
        >>> law = LossToLoss().fit(
        ...     **names, mixtures=mixtures[:6], losses=0.5 * small[:6] + 1, law=beneath
        ... )
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
        if self.form is not None and self.form not in FITS:
            raise UnknownName(kind="form of LossToLoss", name=self.form, known=FITS)
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
        runs = self._check(domains, targets, mixtures, losses, lower_is_better, law)
        shape = (len(runs.mixtures), len(law.targets))
        if proxy_losses is None:
            below = law.predict(runs.mixtures)
            known = _covariance(law, runs.mixtures)
        else:
            below = np.asarray(proxy_losses, np.float64)
            known = np.zeros((shape[1], shape[1]))
        if below.shape != shape or not np.isfinite(below).all():
            raise InvalidValue(
                name="proxy_losses",
                value=below.shape,
                expected=f"{shape} finite numbers, one a run and target of the law beneath",
                got=f"shape {below.shape}",
            )
        blend, sources = self._choose_sources(runs, law, below)
        unfitted = LossToLossLaw(
            runs.domains, runs.targets, runs.lower_is_better, law, blend, known
        )
        return self._fit_curves(unfitted, below @ blend, runs.losses, sources)

    def _check(
        self,
        domains: Sequence[str],
        targets: Sequence[str],
        mixtures: ArrayLike,
        losses: ArrayLike,
        lower_is_better: ArrayLike | None,
        law: Law,
    ) -> ProxyRuns:
        """Return the runs, their domains in the order of the law's."""
        names = tuple(domains)
        if set(names) != set(law.domains) or len(names) != len(law.domains):
            raise WrongDomains(
                who="the runs", asked=names, other="the law beneath", there=law.domains
            )
        if given := getattr(law, "given", ()):
            raise ReweightvizError(
                "LossToLoss needs a law that takes the weights alone; this takes "
                f"{list_names(given)}: "
                "hold them with law.at(...)."
            )
        runs = check_runs(
            "LossToLoss",
            names,
            targets,
            mixtures,
            losses,
            lower_is_better,
            needed=5 if self.form == "power" else 3,
            positive=False,
            spanning=False,
            parametric=False,
        )
        order = [names.index(name) for name in law.domains]
        return runs._replace(domains=tuple(law.domains), mixtures=runs.mixtures[:, order])

    def _fit_curves(
        self, law: LossToLossLaw, x: Array, y: Array, sources: list[str]
    ) -> LossToLossLaw:
        """Fit y (R, M) over x (R, M), a curve a target."""
        rng = np.random.default_rng(self.seed)
        runs, targets = y.shape
        counts = draw_counts(runs, self.draws, rng)
        once = np.ones((1, runs))
        theta = np.empty((targets, 4))
        refits = np.empty((self.draws, targets, 4))
        leverage = np.empty_like(y)
        forms = []
        for m, sign in enumerate(law.rising):
            form = self._choose_form(x[:, m], y[:, m], sign)
            forms.append(form)
            fit, free = FITS[form]
            theta[m] = fit(x[:, m], y[:, m], once, sign)[0][0]
            refits[:, m] = fit(x[:, m], y[:, m], counts, sign)[0]
            # The part of the curve's tangent space that a run spans is its leverage.
            basis, _ = np.linalg.qr(slopes(theta[m], x[:, m])[:, free])
            # Below 1, or few runs would seem all noise.
            leverage[:, m] = np.minimum((basis**2).sum(1), 0.9)
        missed = y - evaluate(theta, x)
        noise = draw_whole_runs(missed / np.sqrt(1 - leverage), self.draws, rng)
        diagnostics = {
            **measure_fit(y, evaluate(theta, x), theta[:, 2] == 0),
            **measure_held_out(y, y - missed / (1 - leverage)),
            "source": sources,
            "form": forms,
        }
        return replace(law, theta=theta, refits=refits, noise=noise, diagnostics=diagnostics)

    def _choose_form(self, x: Array, y: Array, sign: float) -> str:
        """Return the form of the lower AICc; a line where the runs are too few for either."""
        if self.form is not None:
            return self.form
        runs = len(x)
        scores = {}
        for form, numbers in (("linear", 2), ("power", 4)):
            left = runs - numbers - 2
            if left <= 0:  # AICc has no value there
                continue
            fit, _ = FITS[form]
            cost = float(fit(x, y, np.ones((1, runs)), sign)[1][0])
            # Where a form meets all runs, rounding must not choose.
            cost = max(cost, 1e-20 * float(y @ y))
            # k counts the noise's variance too: 2k + 2k(k + 1) / (n - k - 1) = 2kn / (n - k - 1).
            scores[form] = runs * np.log(cost / runs) + 2 * (numbers + 1) * runs / left
        return min(scores, key=lambda form: scores[form]) if scores else "linear"

    def _choose_sources(self, runs: ProxyRuns, law: Law, below: Array) -> tuple[Array, list[str]]:
        """Return for each target what it follows beneath, as a column (P, M), and its name."""
        beneath = tuple(law.targets)
        names = (*beneath, MEAN)
        if self.source is not None and self.source not in names:
            raise UnknownName(kind="target of the law beneath", name=self.source, known=names)
        mean = np.full(len(beneath), 1 / len(beneath))
        columns = np.column_stack([np.eye(len(beneath)), mean])
        # The mean of the targets is taken for a loss.
        directions = np.append(law.lower_is_better, True)
        chosen = []
        for m, target in enumerate(runs.targets):
            if self.source is not None:
                chosen.append(names.index(self.source))
            elif target in beneath:
                chosen.append(names.index(target))
            else:
                y = runs.losses[:, m]
                agreement = np.array([_rank_correlation(below @ one, y) for one in columns.T])
                # Where better is up for one and down for the other, the curve falls.
                alike = directions == runs.lower_is_better[m]
                chosen.append(int(np.argmax(np.where(alike, agreement, -agreement))))
        return columns[:, chosen], [names[one] for one in chosen]


def _rank_correlation(x: Array, y: Array) -> float:
    """Return Spearman's correlation; 0 where all are equal."""
    left, right = (pd.Series(values).rank().to_numpy() - (len(x) + 1) / 2 for values in (x, y))
    size = np.sqrt((left @ left) * (right @ right))
    return float(left @ right / size) if size else 0.0


def _covariance(law: Law, w: Array) -> Array:
    """Return the mean covariance (P, P) of a law's draws at mixtures (R, K)."""
    drawn = draw_beneath(law, w[:1000])  # enough for a mean
    if len(drawn) < 2:
        return np.zeros((len(law.targets), len(law.targets)))
    apart = drawn - drawn.mean(0)
    summed = np.einsum("bnp,bnq->pq", apart, apart, optimize=True)
    return np.asarray(summed / ((len(drawn) - 1) * drawn.shape[1]), np.float64)
