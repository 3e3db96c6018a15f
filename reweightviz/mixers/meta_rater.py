"""Meta-rater: weights of quality ratings, from proxy runs on the documents they select.

Xinlin Zhuang, Jiahui Peng, Ren Ma, Yinfan Wang, Tianyi Bai, Xingjian Wei, Jiantao Qiu, Chi Zhang,
Ying Qian and Conghui He, "Meta-rater: A Multi-dimensional Data Selection Method for Pre-training
Language Models", ACL 2025, https://arxiv.org/abs/2504.14194. It is RegMix with raters for domains:
256 random weight vectors over 25 raters, each the selection of one proxy run; a regressor from the
weights to the validation loss; the mean of the best 128 of many draws. Ours: the warning where
raters are collinear, and that the draws may follow a prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidArgument, ReweightvizError, UnmetNeed, warn
from reweightviz.core.protocols import Law
from reweightviz.core.types import Array
from reweightviz.mixers._fixed import Fixed, State
from reweightviz.mixers._hyperparameters import check_fields
from reweightviz.mixers._prior import check_prior
from reweightviz.numerics.dirichlet_search import mean_of_best
from reweightviz.numerics.ratings import standardise, variance_inflation

__all__ = ["INFLATED", "MetaRater"]


INFLATED = 10.0
"""Variance inflation above which a rater's weight is hardly its own."""


@dataclass(frozen=True)
class MetaRater(Fixed):
    """Weights over quality raters, not domains: ``combine`` makes of them one score a document.

    Fit a law to the proxy runs, with the raters for its domains: ``rv.fit(swarm,
    rv.laws.RegMix())`` is the paper's. A rater with a prior of 0 stays at 0.

    Args:
        draws: weight vectors that the law judges; the authors' script draws 200,000, the text says
            1,000,000.
        top: of how many of the best the mean is taken.
        seed: of the draws.

    Example:
        >>> class Parabola:
        ...     domains, targets = ("educational", "fluent"), ("loss",)
        ...     lower_is_better = np.array([True])
        ...     def predict(self, weights): return 2 + (weights[:, :1] - 0.8) ** 2
        >>> mixer = MetaRater(draws=10_000)
        >>> state = mixer.init(law=Parabola())
        >>> mixer.result(state).round(2).tolist()
        [0.8, 0.2]
        >>> mixer.combine(state, [[5, 1], [3, 1], [1, 4]]).round(2).tolist()
        [0.84, -0.14, -0.7]
    """

    draws: int = 200_000
    top: int = 128
    seed: int = 1048

    paper: ClassVar[str] = "https://arxiv.org/abs/2504.14194"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        check_fields(self)
        if not 1 <= self.top <= self.draws or self.seed < 0:
            raise UnmetNeed(
                name="MetaRater",
                value=(self.top, self.draws, self.seed),
                expected="top of at least 1 and at most the number of draws, and a seed of at "
                "least 0",
                got=f"{self.top} of {self.draws}, and {self.seed}",
            )

    def init(self, *, law: Law, prior: ArrayLike | None = None) -> State:
        """Search the law.

        Args:
            law: fitted to weights of the K raters; several targets count alike, those where higher
                is better with a minus.
            prior: (K,) around which the draws spread, as Dirichlet(K * prior); uniform when not
                given.
        """
        if not hasattr(law, "predict"):
            raise InvalidArgument(
                name="MetaRater", value=law, expected="a fitted law, such as rv.fit returns"
            )
        raters = len(law.domains)
        centre = check_prior(prior, raters, "MetaRater", "raters of the law")
        signs = np.where(law.lower_is_better, 1.0, -1.0) / len(law.targets)
        # numpy draws 1 and 1 - 1e-16 in different ways
        concentration = np.round(raters * centre, 9)
        best = mean_of_best(
            lambda weights: law.predict(weights) @ signs,
            concentration,
            draws=self.draws,
            top=self.top,
            seed=self.seed,
        )
        if not np.isfinite(best).all():
            raise ReweightvizError(
                "MetaRater found no weights for which the law predicts a finite loss."
            )
        return State(best)

    def combine(self, state: State, ratings: ArrayLike) -> Array:
        """Return a score a document, (N,), higher is better, from ratings (N, K).

        It is the weighted mean of the standardised ratings. A :class:`ReweightvizWarning` names
        the raters that the others nearly give (:func:`variance_inflation` above 10): their weights
        could as well be those of the others.
        """
        z = standardise(ratings)
        if z.shape[1] != state.weights.size:
            raise UnmetNeed(
                name="MetaRater.combine",
                value=z.shape[1],
                expected=f"a column for each of {state.weights.size} raters",
            )
        if len(z) > z.shape[1]:  # of fewer documents, any rater is a sum of the others
            _warn_of_collinear(z)
        return np.asarray(z @ state.weights, np.float64)


def _warn_of_collinear(z: Array) -> None:
    inflated = np.flatnonzero((variance_inflation(z) > INFLATED) & z.any(0))
    if inflated.size:
        warn(
            "MetaRater: the others nearly give the ratings of column "
            f"{', '.join(map(str, inflated))}, so their weights mean little; "
            "drop some of them."
        )
