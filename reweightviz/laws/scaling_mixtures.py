"""Scaling laws for optimal data mixtures: one law over weights, model size and training tokens.

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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.laws._curve_fit import fit_curve_law
from reweightviz.laws._curve_law import CurveLaw
from reweightviz.laws._inputs import Inputs, check_given, varies
from reweightviz.laws._runs import check_runs
from reweightviz.laws._scaling_curve import SCALES, ScalingForm

__all__ = ["ScalingMixtures"]


@dataclass(frozen=True)
class ScalingMixtures:
    """Fit ``E + 1 / sum_i C_i h_i^gamma_i + A / N^alpha + B / D^beta`` to weights, size, tokens.

    The h_i are the weights, N is the model's size and D the training tokens. Additive: A and B are
    numbers, so the law is convex and the best mixture the same at every size and length. Joint:
    they depend on the weights, ``(sum_i CA_i h_i)^gammaA`` and ``(sum_i CB_i h_i)^gammaB``, and so
    does the best mixture on N and D. The law takes ``size`` and ``run_tokens`` wherever the runs
    differ in them.

    Runs that are checkpoints of one training are not independent; the intervals take them as if
    they were.

    Args:
        joint: whether A and B depend on the weights.
        huber: delta, where the squared error turns absolute, in the unit of the losses.
        draws: refits to redrawn losses, B; 0 for no intervals, and no error on runs left out.
        seed: of the draws.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> mixtures = rng.dirichlet([1, 1], 30)
        >>> tokens = rng.choice([1e9, 2e9, 4e9], 30)
        >>> fade = 0.4 * (tokens[:, None] / 1e9) ** -0.3
        >>> losses = 1.5 + 1 / (mixtures ** 0.5 @ [[2.0], [1.0]]) + fade
        >>> law = ScalingMixtures(draws=0).fit(
        ...     domains=("web", "code"), targets=("loss",), mixtures=mixtures, losses=losses,
        ...     run_tokens=tokens,
        ... )
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
        names = tuple(domains)
        scales = {
            name: values
            for name, values in zip(SCALES, (size, run_tokens), strict=True)
            if values is not None and varies(values)
        }
        form = ScalingForm(self.joint, tuple(scales))
        runs = check_runs(
            "ScalingMixtures",
            names,
            targets,
            mixtures,
            losses,
            lower_is_better,
            needed=form.numbers(len(names)),
        )
        given = {
            name: check_given("ScalingMixtures", name, values, runs.mixtures.shape)
            for name, values in scales.items()
        }
        inputs = Inputs(runs.mixtures, given, form.constants(given, runs.losses))
        return fit_curve_law(
            form.kind,
            runs,
            inputs,
            form.start(inputs, runs.losses),
            huber=self.huber,
            draws=self.draws,
            seed=self.seed,
        )
