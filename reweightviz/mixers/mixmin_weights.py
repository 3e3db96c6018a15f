"""MixMin's weights: the mixture of one model a domain that best explains the target's documents.

Anvith Thudi, Evianne Rovers, Yangjun Ruan, Tristan Thrush and Chris J. Maddison, "MixMin: Finding
Data Mixtures via Convex Minimization", ICML 2025, https://arxiv.org/abs/2502.10510. Followed: the
objective of the authors' public code (LLM_DataMixing/mixmin_gen.py). Ours: Newton steps to a
checked optimum, where theirs stops after 100 exponentiated gradients. ``rv.laws.MixMin`` is the
same objective as a law, to look at before its optimum is taken. It needs no runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.mixers._amounts import fill_with_ones
from reweightviz.mixers._fixed import Fixed, State
from reweightviz.mixers._hyperparameters import check_fields
from reweightviz.numerics.mixture_likelihood import documents, minimise_mixture_loss

__all__ = ["MixMinWeights"]


@dataclass(frozen=True)
class MixMinWeights(Fixed):
    """The p with the lowest ``-mean_x log sum_i p_i P_i(x) / length_x + kl * KL(p || prior)``.

    P_i(x) is the probability of the target's document x under a model trained on domain i alone.
    Where no lengths are given, expectation maximisation for mixture weights has the same optimum.
    A domain with a prior of 0 stays at 0 when kl is above 0; without kl the prior plays no part.

    Args:
        kl: penalty for leaving the prior, in nats per token; 0 is the paper's.

    Example:
        >>> mixer = MixMinWeights()
        >>> state = mixer.init(log_probs=np.log([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]))
        >>> mixer.result(state).round(4).tolist()
        [0.2917, 0.7083]
    """

    kl: float = 0.0

    paper: ClassVar[str] = "https://arxiv.org/abs/2502.10510"
    verified: ClassVar[str] = "against the authors' public code"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.kl < 0:
            raise UnmetNeed(name="MixMinWeights", value=self.kl, expected="kl of at least 0")

    def init(
        self,
        *,
        log_probs: ArrayLike,
        lengths: ArrayLike | None = None,
        prior: ArrayLike | None = None,
    ) -> State:
        """Solve the convex program.

        Args:
            log_probs: (X, K), log probability of each of the target's X documents under a model of
                each domain.
            lengths: (X,) tokens of the documents, where the log probabilities are of whole
                documents, as in the paper; taken as they are, such as per token, when not given.
            prior: (K,); uniform when not given.
        """
        logs = np.asarray(log_probs, np.float64)
        # -inf may stand there: a model may hold a document to be impossible.
        if logs.ndim != 2 or not logs.size or np.isnan(logs).any() or (logs == np.inf).any():
            raise UnmetNeed(
                name="MixMinWeights",
                value=logs.shape,
                expected="log_probs (X, K), one a document and domain, none NaN or infinitely "
                "likely",
                got=f"shape {logs.shape}",
            )
        tokens = fill_with_ones(lengths, "lengths", len(logs))
        found = minimise_mixture_loss(
            documents(logs), 1 / (len(logs) * tokens), kl=self.kl, prior=prior
        )
        return State(found.x / found.x.sum())
