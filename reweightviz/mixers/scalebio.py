"""ScaleBiO: domain weights as the outer variables of a bilevel problem, by first-order steps alone.

Rui Pan, Dylan Zhang, Hanning Zhang, Xingyuan Pan, Minrui Xu, Jipeng Zhang, Renjie Pi, Xiaoyu Wang
and Tong Zhang, "ScaleBiO: Scalable Bilevel Optimization for LLM Data Reweighting", ACL 2025,
https://arxiv.org/abs/2406.19976. The problem ``min over w, logits, max over u`` of ``L_val(w) +
alpha (L_train(w, p) - L_train(u, p))``, p the softmax of the logits. Followed: the gradient of the
public code, down which the logits take steps as in the paper's minimax problem; the code gives them
to AdamW, and its memory-saving part (LISA) belongs to the trainer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.mixers._hyperparameters import check_fields
from reweightviz.mixers._signals import check_signals
from reweightviz.numerics.simplex import ascend, share, softmax

__all__ = ["ScaleBiO", "State"]


class State(NamedTuple):
    """Log weights (K,), which are the logits up to a constant."""

    log_weights: Array


@dataclass(frozen=True)
class ScaleBiO:
    """Less weight to domains where the model loses more than a follower of the training loss.

    The trainer keeps both models: w follows ``L_val + alpha L_train``, the follower u follows
    ``L_train``, and a sequence of domain i counts ``p_i`` in L_train. A domain on which w is worse
    than u by more than the average is one that the validation loss has to fight, and its logit
    falls by ``rate * alpha * p_i (gap_i - mean gap)``.

    A domain absent from the batch is left out of the mean and its logit stays. One whose prior is
    0 stays at 0.

    Args:
        alpha: how much the training loss counts beside the validation loss; the trainer reads it
            too.
        rate: step size of the logits.

    Example:
        >>> mixer = ScaleBiO(alpha=10, rate=1)
        >>> state = mixer.update(mixer.init(prior=[0.5, 0.5]), penalty_gap=[0.4, 0.0])
        >>> mixer.weights(state).round(6).tolist()
        [0.119203, 0.880797]
    """

    alpha: float = 10.0
    rate: float = 1e-2

    applies_to: ClassVar[str] = "loss"
    paper: ClassVar[str] = "https://arxiv.org/abs/2406.19976"
    verified: ClassVar[str] = "against the authors' public code"

    def __post_init__(self) -> None:
        check_fields(self)
        if not (self.alpha > 0 and self.rate >= 0):
            raise UnmetNeed(
                name="ScaleBiO",
                value=(self.alpha, self.rate),
                expected="alpha above 0 and rate of at least 0",
                got=f"{self.alpha} and {self.rate}",
            )

    def init(self, *, prior: ArrayLike) -> State:
        """Start at ``prior`` (K,); the paper starts uniform."""
        with np.errstate(divide="ignore"):  # a prior of 0 is a log weight of -inf
            return State(np.log(share(prior, "the prior")))

    def measures(self, state: State) -> tuple[str, ...]:
        """Return the signals to measure with the coming step: always the same."""
        del state
        return ("penalty_gap",)

    def update(self, state: State, *, penalty_gap: ArrayLike) -> State:
        """Learn from one step.

        Args:
            state: the last one; stays as it is.
            penalty_gap: (K,) nats, loss under the model less that under the follower; NaN for a
                domain absent from the batch.
        """
        (gap,) = check_signals(self, State, state, penalty_gap=penalty_gap)
        gradient = _differentiate_by_logits(self.weights(state), gap)
        # The outer problem is a minimum, so the step of the ascent is negative.
        return State(ascend(state.log_weights, -self.rate * self.alpha, gradient))

    def weights(self, state: State) -> Array:
        """Return the weights (K,) to train with now."""
        return softmax(state.log_weights)

    def result(self, state: State) -> Array:
        """Return the answer (K,), the last weights."""
        return self.weights(state)


def _differentiate_by_logits(weights: Array, gap: Array) -> Array:
    """Return the derivative (K,) of ``sum p_i gap_i`` over the domains that have a gap."""
    seen = np.where(np.isnan(gap), 0.0, weights)
    if not seen.sum() > 0:
        return np.zeros(gap.size)
    # The weights are the softmax of the logits: dp_j / dlogit_i = p_i (1[i = j] - p_j).
    p = seen / seen.sum()
    known = np.nan_to_num(gap)
    return np.asarray(p * (known - p @ known), np.float64)
