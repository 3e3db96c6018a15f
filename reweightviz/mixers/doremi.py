"""DoReMi: more weight to domains on which a small proxy model still lags behind a reference model.

Sang Michael Xie, Hieu Pham, Xuanyi Dong, Nan Du, Hanxiao Liu, Yifeng Lu, Percy Liang, Quoc V. Le,
Tengyu Ma and Adams Wei Yu, "DoReMi: Optimizing Data Mixtures Speeds Up Language Model
Pretraining", NeurIPS 2023, https://arxiv.org/abs/2305.10429. Followed: the authors' public code,
where the excess loss is clipped per token and then averaged over the tokens of a domain, and a
domain absent from the batch keeps its last excess loss.
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
from reweightviz.numerics.simplex import ascend, log_smooth, share, softmax

__all__ = ["DoReMi", "State"]


class State(NamedTuple):
    """Log weights, last known excess losses and mean weights, (K,) each, after ``step`` updates."""

    log_weights: Array
    excess_loss: Array
    mean: Array
    step: int


@dataclass(frozen=True)
class DoReMi:
    """Exponentiated-gradient ascent on the excess loss; the answer is the mean of all weights.

    The weights reweight the proxy's loss, they do not draw its batches: batches are drawn by fixed
    weights (uniform, or any ``prior``), and a token of domain i counts ``alpha_i / sampling_i`` in
    the loss, rescaled to a mean of 1 over the batch. The final model then samples by
    :meth:`result`.

    A domain whose prior is 0 starts at 0. Where it is trained on in spite of that, as on a log in
    ``rv.mix`` and ``rv.replay``, it is at ``smoothing / K`` after one step and grows from there by
    its excess loss; where the batches are drawn by the prior, as by the trainer here, it is never
    measured, keeps an excess of 0 and receives only the smoothing. A step without any excess loss
    (all NaN) teaches nothing.

    Public versions differ in three places:

    - What is clipped at 0. Here each token, before the mean, as in the paper's code. The port in
      HazyResearch/aioli clips the mean of a domain: give ``maximum(loss - reference_loss, 0)``
      as the excess loss to have that.
    - What the proxy's loss is divided by. The authors' code divides all tokens of the batch by one
      normaliser, and their paper each domain by its own tokens (sangmichaelxie/doremi, issues 9
      and 33). That is the trainer's choice, not the mixer's: the update is the same.
    - DataFlex subtracts the mean over the present domains and gives absent ones 0, that is the
      average. This is not offered: an absent domain would lose weight or gain it for not being
      there.

    Args:
        eta: step size; 0.1 when the weights become one-hot.
        smoothing: c, the share of uniform mixed in after each step, so that no weight is below c /
            K.

    Example:
        >>> mixer = DoReMi()
        >>> state = mixer.init(prior=[1 / 3, 1 / 3, 1 / 3])
        >>> state = mixer.update(state, excess_loss=[0.5, 0.0, 0.1])
        >>> mixer.weights(state).round(6).tolist()
        [0.439097, 0.266457, 0.294446]
    """

    eta: float = 1.0
    smoothing: float = 1e-3

    applies_to: ClassVar[str] = "loss"
    paper: ClassVar[str] = "https://arxiv.org/abs/2305.10429"
    verified: ClassVar[str] = (
        "update rule checked against the public code (sangmichaelxie/doremi, doremi/trainer.py)"
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if not (self.eta >= 0 and 0 <= self.smoothing <= 1):
            raise UnmetNeed(
                name="DoReMi",
                value=(self.eta, self.smoothing),
                expected="eta of at least 0 and smoothing between 0 and 1",
                got=f"{self.eta} and {self.smoothing}",
            )

    def init(self, *, prior: ArrayLike) -> State:
        """Start at ``prior`` (K,); the paper starts uniform."""
        start = share(prior, "the prior")
        with np.errstate(divide="ignore"):  # a prior of 0 is a log weight of -inf
            return State(np.log(start), np.zeros(start.size), start, 0)

    def update(self, state: State, *, excess_loss: ArrayLike) -> State:
        """Learn from one step.

        Args:
            state: the last one; stays as it is.
            excess_loss: (K,) nats, the mean over the tokens of each domain of max(loss - reference
                loss, 0), so clipped before averaging; NaN for a domain absent from the batch.
                Negative values count as 0.
        """
        (measured,) = check_signals(self, State, state, excess_loss=excess_loss)
        if np.isnan(measured).all():
            return state
        excess = np.where(np.isnan(measured), state.excess_loss, np.maximum(measured, 0.0))
        log_weights = log_smooth(ascend(state.log_weights, self.eta, excess), self.smoothing)
        step = state.step + 1
        mean = (state.step * state.mean + softmax(log_weights)) / step
        return State(log_weights, excess, mean, step)

    def weights(self, state: State) -> Array:
        """Return the weights (K,) to train with now."""
        return softmax(state.log_weights)

    def result(self, state: State) -> Array:
        """Return the answer (K,), the mean of the weights over all steps; first the prior."""
        # Rounding moves the sum of a running mean away from 1.
        return np.asarray(state.mean / state.mean.sum(), np.float64)
