"""ODM, online data mixing: a bandit that draws more from domains whose training loss is high.

Alon Albalak, Liangming Pan, Colin Raffel and William Yang Wang, "Efficient Online Data Mixing For
Language Model Pre-Training", 2023, https://arxiv.org/abs/2312.02406. Followed: the authors' public
code, whose trainer gives the bandit all domains of a mixed batch at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnknownName, UnmetNeed
from reweightviz.core.types import Array
from reweightviz.mixers._hyperparameters import check_fields
from reweightviz.mixers._signals import check_signals
from reweightviz.numerics.simplex import log_softmax, share

__all__ = ["ODM", "VARIANTS", "MeanState", "State"]


VARIANTS = ("exp3", "smoothed_mean")


class State(NamedTuple):
    """Of "exp3": the policy (K,), the rewards (K,), the last exploration rate, the steps."""

    policy: Array
    reward: Array
    rate: float
    step: int


class MeanState(NamedTuple):
    """The same of "smoothed_mean", whose rewards (K,) are logs of perplexities.

    A class of its own, or the state of one variant would be taken for that of the other.
    """

    policy: Array
    reward: Array
    rate: float
    step: int


@dataclass(frozen=True)
class ODM:
    """A domain is an arm, its loss the reward; at step t each has at least ``sqrt(ln K / (K t))``.

    Two variants of the public code:

    - "exp3": rewards add up, each divided by the probability with which its domain was drawn, and
      the policy is a softmax of them, whose temperature is the exploration rate of the step
      before.
    - "smoothed_mean": a moving average of ``exp(loss)``, without that division. The public code
      has two rules for it that disagree: for one domain, a softmax of perplexities, which
      overflows; for a whole batch, shares in proportion to them. The second is followed, because
      the public trainer calls it. It does not change when a constant is added to all losses.

    A domain absent from the batch (NaN) keeps its reward. One whose prior is 0 comes back with the
    exploration rate after the warm-up. A first step may not count a reward more than the rate
    allows, so that a tiny prior cannot win by its first loss. The exploration rate is never above
    1 / K and falls below it after K ln K steps, so no number of domains keeps the policy uniform
    forever, as a fixed floor does in other ports.

    Args:
        variant: "exp3" or "smoothed_mean".
        warmup: steps at the prior before the first update; the paper takes about 1% of the
            training.
        scale: what "exp3" divides losses by, 10 in the public code.
        smoothing: share of the past in the moving average, the paper's alpha.

    Example:
        >>> mixer = ODM()
        >>> state = mixer.init(prior=[1 / 3, 1 / 3, 1 / 3])
        >>> for _ in range(10):
        ...     state = mixer.update(state, loss=[3.0, 2.0, 4.0])
        >>> mixer.weights(state).round(6).tolist()
        [0.327532, 0.271756, 0.400712]
    """

    variant: Literal["exp3", "smoothed_mean"] = "exp3"
    warmup: int = 0
    scale: float = 10.0
    smoothing: float = 0.9

    applies_to: ClassVar[str] = "sampling"
    paper: ClassVar[str] = "https://arxiv.org/abs/2312.02406"
    verified: ClassVar[str] = (
        "both update rules checked against the public code "
        "(alon-albalak/online-data-mixing, data_sampling_utils.py)"
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.variant not in VARIANTS:
            raise UnknownName(kind="variant of ODM", name=self.variant, known=VARIANTS)
        if not (self.warmup >= 0 and self.scale > 0 and 0 <= self.smoothing < 1):
            raise UnmetNeed(
                name="ODM",
                value=(self.warmup, self.scale, self.smoothing),
                expected="a warmup of at least 0 steps, a scale above 0 and smoothing from 0 to "
                "below 1",
                got=f"{self.warmup}, {self.scale} and {self.smoothing}",
            )

    def init(self, *, prior: ArrayLike) -> State | MeanState:
        """Start at ``prior`` (K,)."""
        start = share(prior, "the prior")
        nothing = 0.0 if self.variant == "exp3" else -np.inf  # the log of a perplexity of 0
        return self._kind(start, np.full(start.size, nothing), 1 / start.size, 0)

    def update(self, state: State | MeanState, *, loss: ArrayLike) -> State | MeanState:
        """Learn from one step.

        Args:
            state: the last one; stays as it is.
            loss: (K,) nats per token, NaN for a domain absent from the batch; without any, only
                the step advances.
        """
        (losses,) = check_signals(self, self._kind, state, loss=loss)
        K = losses.size
        step = state.step + 1
        if step <= self.warmup or np.isnan(losses).all():
            return state._replace(step=step)
        # Above 1 / K the factor 1 - K * rate below would be negative.
        rate = min(1 / K, float(np.sqrt(np.log(K) / (K * step))))
        if self.variant == "exp3":
            reward = self._add_rewards(state, losses, rate)
            # The rate of the step before, as in the public code.
            best = np.exp(log_softmax(state.rate * reward))
        else:
            reward = self._average_rewards(state, losses)
            best = np.exp(log_softmax(reward))
        # Exp3 mixes the rate in, so that no arm's probability, a divisor of its rewards, nears 0.
        policy = (1 - K * rate) * best + rate
        return self._kind(np.asarray(policy / policy.sum(), np.float64), reward, rate, step)

    def weights(self, state: State | MeanState) -> Array:
        """Return the weights (K,) to train with now."""
        return state.policy

    def result(self, state: State | MeanState) -> Array:
        """Return the policy of now (K,); ODM's product is the model it trains, not a mixture."""
        return state.policy

    @property
    def _kind(self) -> type[State | MeanState]:
        return State if self.variant == "exp3" else MeanState

    def _add_rewards(self, state: State | MeanState, losses: Array, rate: float) -> Array:
        """Return the rewards (K,) with the losses added, each over its domain's probability."""
        # The first policy may be below the rate, and a tiny prior would win by its first loss.
        probability = np.maximum(state.policy, rate)
        with np.errstate(over="ignore"):  # log_softmax raises it as one sentence
            return state.reward + np.nan_to_num(losses) / self.scale / probability

    def _average_rewards(self, state: State | MeanState, losses: Array) -> Array:
        """Return the logs (K,) of the average perplexities; a perplexity overflows at 710 nats."""
        # A smoothing of 0 is allowed, and its log is not.
        past = np.log(max(self.smoothing, 1e-300)) + state.reward
        average = np.logaddexp(past, np.log1p(-self.smoothing) + np.nan_to_num(losses))
        return np.where(np.isnan(losses), state.reward, average)
