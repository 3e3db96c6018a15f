"""Olmix' mixing law: one log-linear curve a target, fitted robustly to a swarm of proxy runs.

Mayee F. Chen, Tyler Murray, David Heineman, Matt Jordan, Hannaneh Hajishirzi, Christopher Ré, Luca
Soldaini and Kyle Lo, "Olmix: A Framework for Data Mixing Throughout LM Development", 2026,
https://arxiv.org/abs/2602.12237. The curve is that of Jiasheng Ye et al., "Data Mixing Laws:
Optimizing Data Mixtures by Predicting Language Modeling Performance", ICLR 2025,
https://arxiv.org/abs/2403.16952, with k = 1, which the simplex makes redundant. Followed: the
authors' public code (Huber loss, delta 0.02, summed). Ours: the optimiser (Levenberg-Marquardt from
starts made from the data, instead of L-BFGS from random ones) and the bootstrap with its prediction
intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.laws._log_linear_fit import fit_log_linear_law
from reweightviz.laws._log_linear_law import LogLinearLaw
from reweightviz.laws._runs import check_runs

__all__ = ["Olmix"]


@dataclass(frozen=True)
class Olmix:
    """Fit one log-linear curve a target, its loss under weights w: ``exp(log c_m) + exp(t_m.w)``.

    The interval is that of a new run: refits to losses redrawn with the runs' residuals, plus the
    residuals of whole runs, each enlarged for the leverage of its run on the fit, and all for how
    little few runs show of the noise. A fit warns with fewer than 3 runs beyond its K + 1 numbers a
    target.

    Args:
        huber: delta, where the squared error turns absolute, in the unit of the losses.
        starts: how many starting floors c are tried a target.
        draws: refits to redrawn losses, B; 0 for no intervals, and no error on runs left out.
        seed: of the draws.

    Example:
        >>> import numpy as np
        >>> mixtures = np.array([[1, 0], [0, 1], [0.5, 0.5], [0.8, 0.2], [0.3, 0.7]])
        >>> losses = 2 + np.exp(mixtures @ [[1.0], [-1.0]])
        >>> law = Olmix(draws=0).fit(
        ...     domains=("web", "code"), targets=("loss",), mixtures=mixtures, losses=losses
        ... )
        >>> law.coef.round(3).tolist()
        [[0.693, 1.0, -1.0]]
    """

    huber: float = 0.02
    starts: int = 8
    draws: int = 200
    seed: int = 0

    paper: ClassVar[str] = "https://arxiv.org/abs/2602.12237"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if not self.huber > 0 or self.starts < 1 or self.draws < 0:
            raise UnmetNeed(
                name="Olmix",
                value=(self.huber, self.starts, self.draws),
                expected="huber above 0, starts of at least 1 and draws of at least 0",
                got=f"{self.huber}, {self.starts}, {self.draws}",
            )

    def fit(
        self,
        *,
        domains: Sequence[str],
        targets: Sequence[str],
        mixtures: ArrayLike,
        losses: ArrayLike,
        lower_is_better: ArrayLike | None = None,
    ) -> LogLinearLaw:
        """Fit every target.

        Args:
            domains: names (K,).
            targets: names (M,).
            mixtures: (R, K) weights of the runs, as read.
            losses: (R, M), above 0.
            lower_is_better: (M,); all true when not given.

        Raises:
            ReweightvizError: fewer than K + 1 runs, losses that are missing or not above 0, or
                mixtures that leave a domain's effect undetermined.
        """
        runs = check_runs(
            "Olmix",
            domains,
            targets,
            mixtures,
            losses,
            lower_is_better,
            needed=len(tuple(domains)) + 1,
        )
        return fit_log_linear_law(
            runs, huber=self.huber, starts=self.starts, draws=self.draws, seed=self.seed
        )
