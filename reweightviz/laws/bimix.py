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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError, UnmetNeed, list_names
from reweightviz.laws._bimix_curve import BiMixForm
from reweightviz.laws._curve_fit import fit_curve_law
from reweightviz.laws._curve_law import CurveLaw
from reweightviz.laws._inputs import Inputs, check_given, varies
from reweightviz.laws._runs import check_runs

__all__ = ["BiMix"]


@dataclass(frozen=True)
class BiMix:
    """Fit each domain's loss as ``w^-alpha (B s^-beta + C)`` of its weight and training tokens.

    The law is convex in the weights. Without run_tokens, or where all runs have the same, it is ``K
    w^-alpha``. Other domains do not matter under this law. At a weight of 0 it is infinite: weights
    below ``least`` count as ``least``, in the fit and in predictions. A fit that finds no effect of
    the weight (alpha = 0) is degenerate; it stands so in the diagnostics, beside R squared.

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
        >>> names = ("web", "code")
        >>> law = BiMix(draws=0).fit(
        ...     domains=names, targets=names, mixtures=mixtures, losses=losses
        ... )
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
        names = tuple(domains)
        goals = tuple(targets)
        self._check_targets(names, goals)
        form = BiMixForm(self.every_domain, run_tokens is not None and varies(run_tokens))
        terms = len(names) if self.every_domain else 1
        runs = check_runs(
            "BiMix",
            names,
            goals,
            mixtures,
            losses,
            lower_is_better,
            needed=2 * terms + 2 * form.over_tokens,
            spanning=self.every_domain,
        )
        given = {}
        unit = 1.0
        if form.over_tokens and run_tokens is not None:
            tokens = check_given("BiMix", "run_tokens", run_tokens, runs.mixtures.shape)
            given = {"run_tokens": tokens}
            # Their geometric mean, so that F is the loss of a typical run and not of one token.
            unit = np.exp(np.log(tokens).mean())
        # Where every domain counts, a target need be none, and its -1 is never looked up.
        own = [names.index(goal) if goal in names else -1 for goal in goals]
        fixed = {
            "least": np.array(self.least),
            "unit": np.array(unit),
            "own": np.array(own, np.float64),
        }
        inputs = Inputs(runs.mixtures, given, fixed)
        law = fit_curve_law(
            form.kind,
            runs,
            inputs,
            form.start(inputs, runs.losses),
            huber=self.huber,
            draws=self.draws,
            seed=self.seed,
        )
        # BiMix has no floor that could run to 0: a curve without meaning is one that is flat.
        flat = form.split(law.theta)[1] <= 1e-6
        degenerate = [bool(target.all()) for target in flat]
        return replace(law, diagnostics={**law.diagnostics, "degenerate": degenerate})

    def _check_targets(self, domains: tuple[str, ...], targets: tuple[str, ...]) -> None:
        strangers = [target for target in targets if target not in domains]
        if strangers and not self.every_domain:
            raise ReweightvizError(
                "BiMix predicts a domain's loss from its own weight, and "
                f"{list_names(strangers)} is "
                f"not among the domains {list_names(domains)}: BiMix(every_domain=True) "
                "sums over all "
                "domains, or leave such targets out."
            )
