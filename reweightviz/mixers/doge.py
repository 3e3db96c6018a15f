"""DoGE: more weight to domains whose training gradient points where the target's does.

Simin Fan, Matteo Pagliardini and Martin Jaggi, "DoGE: Domain Reweighting with Generalization
Estimation", ICML 2024, https://arxiv.org/abs/2310.15393. Followed: the authors' public code (and
Aioli's port of it), which divides the inner products by the mean length of the gradients and clips
them before the step; both are fields here. In its universal setting the authors' code takes the sum
of the products with the other domains' training gradients; here, as in the port, the target is the
gradient of the mean validation loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidValue, UnmetNeed
from reweightviz.core.types import Array
from reweightviz.mixers._hyperparameters import check_fields
from reweightviz.mixers._signals import check_signals
from reweightviz.numerics.simplex import ascend, log_smooth, numbers, share, softmax

__all__ = ["DoGE", "State"]


class State(NamedTuple):
    """Log weights, last scores and mean weights, (K,) each; steps with products, and all steps."""

    log_weights: Array
    scores: Array
    mean: Array
    learned: int
    step: int


@dataclass(frozen=True)
class DoGE:
    """Mirror ascent on ``<g_i, g_target>``; the answer is the mean of the weights over all updates.

    ``log w_i += s * clip(W_i / mean length of the gradients)``, where s is ``rate / mu`` (the
    paper, its code and Aioli's port) or ``mu`` itself (the authors' later GRAPE, with
    ``normalise=False, clip=None, every=10, mu=1.5``). In the paper the rate is the proxy's
    learning rate of that step; here it is a constant. The public code also clips every gradient to
    length 1 first, which the signals here are not.

    A domain without a product keeps its last score, 0 before the first. One whose prior is 0 stays
    at 0 unless smoothed.

    Args:
        mu: weight of the distance to the last weights (in "lr/mu"), or the step size itself (in
            "mu").
        rate: learning rate of the proxy, for "lr/mu".
        scale: the convention of the step size.
        normalise: divide the products by the mean length of the domains' gradients.
        clip: least and most that a score may be after that; None for any. The code's (0, 5) never
            punishes a domain by more than no reward.
        smoothing: share of uniform mixed in after each update.
        every: steps between measurements.

    Example:
        >>> mixer = DoGE(rate=0.05)
        >>> state = mixer.init(prior=[1 / 3, 1 / 3, 1 / 3])
        >>> products, norms = [0.5, -0.2, 0.1], [1.0, 1.0, 1.0]
        >>> state = mixer.update(state, gradient_products=products, gradient_norm=norms)
        >>> mixer.weights(state).round(6).tolist()
        [0.439203, 0.26639, 0.294407]
    """

    mu: float = 0.05
    rate: float = 5e-4
    scale: Literal["lr/mu", "mu"] = "lr/mu"
    normalise: bool = True
    clip: tuple[float, float] | None = (0.0, 5.0)
    smoothing: float = 0.0
    every: int = 1

    applies_to: ClassVar[str] = "sampling"
    paper: ClassVar[str] = "https://arxiv.org/abs/2310.15393"
    verified: ClassVar[str] = "against the authors' public code"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.scale not in ("lr/mu", "mu"):
            raise InvalidValue(name="scale of DoGE", value=self.scale, expected="'lr/mu' or 'mu'")
        in_range = self.mu > 0 and self.rate >= 0 and 0 <= self.smoothing <= 1
        if not in_range or self.every < 1:
            raise UnmetNeed(
                name="DoGE",
                value=(self.mu, self.rate, self.smoothing, self.every),
                expected="mu above 0, rate of at least 0, smoothing between 0 and 1 and every "
                "of at least 1",
                got=f"{self.mu}, {self.rate}, {self.smoothing} and {self.every}",
            )
        if self.clip is None:
            return
        bounds = numbers(self.clip, "clip of DoGE")
        if bounds.shape != (2,) or not bounds[0] <= bounds[1]:
            raise InvalidValue(
                name="clip of DoGE", value=self.clip, expected="(least, most) or None"
            )

    def init(self, *, prior: ArrayLike) -> State:
        """Start at ``prior`` (K,); the paper starts uniform."""
        start = share(prior, "the prior")
        with np.errstate(divide="ignore"):  # a prior of 0 is a log weight of -inf
            return State(np.log(start), np.zeros(start.size), start, 0, 0)

    def measures(self, state: State) -> tuple[str, ...]:
        """Return the signals to measure right after the coming step."""
        if (state.step + 1) % self.every:
            return ()
        if not self.normalise:
            return ("gradient_products",)
        return ("gradient_products", "gradient_norm")

    def update(
        self, state: State, *, gradient_products: ArrayLike, gradient_norm: ArrayLike
    ) -> State:
        """Learn from one step.

        Args:
            state: the last one; stays as it is.
            gradient_products: (K,) inner products of each domain's training gradient with the
                target's; NaN where a domain was not measured, all NaN on a step without a
                measurement.
            gradient_norm: (K,) lengths of the domains' gradients; not looked at without
                ``normalise``.
        """
        products, norms = check_signals(
            self, State, state, gradient_products=gradient_products, gradient_norm=gradient_norm
        )
        state = state._replace(step=state.step + 1)
        if np.isnan(products).all() or (self.normalise and np.isnan(norms).all()):
            return state
        scores = products
        if self.normalise:
            scores = scores / (np.nanmean(norms) + 1e-6)  # the constant of the public code
        if self.clip is not None:
            scores = np.clip(scores, *self.clip)
        scores = np.where(np.isnan(scores), state.scores, scores)
        size = self.mu if self.scale == "mu" else self.rate / self.mu
        log_weights = log_smooth(ascend(state.log_weights, size, scores), self.smoothing)
        learned = state.learned + 1
        mean = (state.learned * state.mean + softmax(log_weights)) / learned
        return State(log_weights, scores, mean, learned, state.step)

    def weights(self, state: State) -> Array:
        """Return the weights (K,) to train with now."""
        return softmax(state.log_weights)

    def result(self, state: State) -> Array:
        """Return the answer (K,), the mean of the weights over all updates; first the prior."""
        # Rounding moves the sum of a running mean away from 1.
        return np.asarray(state.mean / state.mean.sum(), np.float64)
