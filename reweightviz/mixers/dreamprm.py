"""DreamPRM: domain weights by the gradient of the validation loss through a training step.

Qi Cao, Ruiyi Wang, Ruiyi Zhang, Sai Ashish Somayajula and Pengtao Xie, "DreamPRM:
Domain-Reweighted Process Reward Model for Multimodal Reasoning", 2025,
https://arxiv.org/abs/2505.20241. The paper weighs the domains of a process reward model's training
data; only its weights are here. Followed: the authors' public code, a softplus table under AdamW
and the hypergradient by finite differences of the Betty library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError, UnmetNeed
from reweightviz.core.types import Array
from reweightviz.mixers._hyperparameters import check_fields
from reweightviz.mixers._signals import check_signals
from reweightviz.numerics.simplex import log_softmax, share, softmax

__all__ = ["BETAS", "EPSILON", "DreamPRM", "State"]


# Of AdamW, the defaults of torch.
BETAS = (0.9, 0.999)
EPSILON = 1e-8


class State(NamedTuple):
    """The table and AdamW's two moments, (K,) each; steps with hypergradients, and all steps."""

    table: Array
    first: Array
    second: Array
    learned: int
    step: int


@dataclass(frozen=True)
class DreamPRM:
    """Weights ``softplus(table)``, moved against the hypergradient by AdamW.

    In the paper the weights average 1, ``K * weights(state)``; here they are that divided by K, to
    be on the simplex. They scale the loss, they do not draw the batches. A domain without a
    hypergradient adds nothing to the moments but is moved by those of before. One whose prior is 0
    stays at 0.

    Args:
        rate: of AdamW, the code's meta_lr.
        weight_decay: of AdamW; pulls the table to 0, so the weights to uniform.
        every: training steps between updates of the table, the code's unroll_steps.

    Example:
        >>> mixer = DreamPRM(rate=0.5, every=1)
        >>> state = mixer.update(mixer.init(prior=[0.5, 0.5]), hypergradient=[0.1, -0.1])
        >>> (2 * mixer.weights(state)).round(6).tolist()
        [0.654733, 1.345267]
    """

    rate: float = 1e-2
    weight_decay: float = 1e-3
    every: int = 5

    applies_to: ClassVar[str] = "loss"
    paper: ClassVar[str] = "https://arxiv.org/abs/2505.20241"
    verified: ClassVar[str] = "against the authors' public code"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.rate < 0 or not 0 <= self.rate * self.weight_decay < 1 or self.every < 1:
            raise UnmetNeed(
                name="DreamPRM",
                value=(self.rate, self.weight_decay, self.every),
                expected="rate and weight_decay of at least 0 and every of at least 1",
                got=f"{self.rate}, {self.weight_decay} and {self.every}",
            )

    def init(self, *, prior: ArrayLike) -> State:
        """Start at ``prior`` (K,); the paper starts uniform, at a table of 0."""
        start = share(prior, "the prior")
        zeros = np.zeros(start.size)
        # softplus(0) is log 2, so that a uniform prior is the paper's table of 0.
        softplus = start * start.size * np.log(2)
        with np.errstate(divide="ignore"):  # a prior of 0 is a table of -inf
            # The inverse, log(exp(s) - 1), in a form that neither overflows nor cancels.
            table = softplus + np.log(-np.expm1(-softplus))
        return State(table, zeros, zeros, 0, 0)

    def measures(self, state: State) -> tuple[str, ...]:
        """Return the signals to measure right after the coming step."""
        return ("hypergradient",) if (state.step + 1) % self.every == 0 else ()

    def update(self, state: State, *, hypergradient: ArrayLike) -> State:
        """Learn from one step.

        Args:
            state: the last one; stays as it is.
            hypergradient: (K,) derivative of the validation loss after an update by what each
                domain counts in it; NaN for a domain absent from the batch, all NaN on a step
                without a measurement. Its scale does not matter to AdamW.
        """
        (measured,) = check_signals(self, State, state, hypergradient=hypergradient)
        if np.isnan(measured).all():
            return state._replace(step=state.step + 1)
        gradient = _differentiate_by_table(state.table, measured)
        learned = state.learned + 1
        first = BETAS[0] * state.first + (1 - BETAS[0]) * gradient
        second = BETAS[1] * state.second + (1 - BETAS[1]) * gradient**2
        if not np.isfinite(second).all():
            raise ReweightvizError(
                f"the hypergradient is too large to be squared: {measured}; divide it by a "
                "number, which changes nothing."
            )
        # Both moments start at 0; AdamW divides that bias out.
        mean = first / (1 - BETAS[0] ** learned)
        size = np.sqrt(second / (1 - BETAS[1] ** learned)) + EPSILON
        # AdamW's decay is decoupled: it does not go through the moments.
        table = state.table * (1 - self.rate * self.weight_decay) - self.rate * (mean / size)
        return State(table, first, second, learned, state.step + 1)

    def weights(self, state: State) -> Array:
        """Return the weights (K,) to train with now: the paper's weights divided by K."""
        return softmax(log_softmax(_take_log_softplus(state.table)))

    def result(self, state: State) -> Array:
        """Return the answer (K,), the last weights."""
        return self.weights(state)


def _take_log_softplus(table: Array) -> Array:
    """Return ``log(log(1 + exp(table)))``, which is the table where that is very negative."""
    # There log(1 + exp(t)) is exp(t) to 13 digits, and further down exp(t) underflows.
    # The inner where keeps that out of the log, since both sides of a where are computed.
    low = table < -30
    return np.where(low, table, np.log(np.logaddexp(0.0, np.where(low, 0.0, table))))


def _differentiate_by_table(table: Array, hypergradient: Array) -> Array:
    """Return ``sigmoid_j / mean softplus * (h_j - mean of h under the weights)``, (K,).

    The mean is over the domains with a hypergradient; the others get 0.
    """
    log_softplus = _take_log_softplus(table)
    weights = np.exp(log_softmax(log_softplus))
    measured = ~np.isnan(hypergradient)
    seen = np.where(measured, weights, 0.0)
    if not seen.sum() > 0:
        return np.zeros_like(table)
    known = np.nan_to_num(hypergradient)
    centred = np.where(measured, known - seen @ known / seen.sum(), 0.0)
    with np.errstate(invalid="ignore"):
        slope = np.exp(-np.logaddexp(0.0, -table) - log_softplus)  # sigmoid / softplus
    gradient = slope * weights * table.size * centred
    # A table of -inf, a prior of 0, has the slope NaN, and stays where it is.
    return np.asarray(np.where(np.isfinite(table), gradient, 0.0), np.float64)
