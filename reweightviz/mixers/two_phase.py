"""Two phases: first the large domains alone, then a mixture of all.

Dami Choi, Derrick Xin, Hamid Dadkhahi, Justin Gilmer, Ankush Garg, Orhan Firat, Chih-Kuan Yeh,
Andrew M. Dai and Behrooz Ghorbani, "Order Matters in the Presence of Dataset Imbalance for
Multilingual Learning", NeurIPS 2023, https://arxiv.org/abs/2312.06134. Seen: the abstract,
pre-training on the high-resource tasks and then fine-tuning on a mixture of high- and low-resource
tasks. Ours: which domains count as large, natural weights among them, and that the step of the
switch is left to the user; the learning rate, which a fine-tuning would start anew, is the
trainer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.temperature import temperature_weights
from reweightviz.mixers._hyperparameters import check_fields
from reweightviz.mixers._prior import check_prior
from reweightviz.mixers._scheduled import Scheduled, State

__all__ = ["TwoPhase"]


@dataclass(frozen=True)
class TwoPhase(Scheduled):
    """The large domains by their tokens until the step ``switch``, then the mixture ``prior``.

    The answer is a schedule: ``rv.mix`` returns it, ``stages`` has it, and ``result`` is its mean
    over the run. A domain with a prior of 0 is never trained after the switch.

    Args:
        switch: the step at which the second phase begins.
        steps: of the whole run.
        large: a domain is large that has at least this share of the tokens of the largest one; 1
            for the largest alone.

    Example:
        >>> mixer = TwoPhase(switch=800, steps=1000)
        >>> state = mixer.init(tokens=[600, 400, 10], prior=[0.4, 0.4, 0.2])
        >>> {step: weights.tolist() for step, weights in mixer.stages(state).items()}
        {0: [0.6, 0.4, 0.0], 800: [0.4, 0.4, 0.2]}
        >>> mixer.result(state).round(6).tolist()
        [0.56, 0.4, 0.04]
    """

    switch: int
    steps: int
    large: float = 0.5

    paper: ClassVar[str] = "https://arxiv.org/abs/2312.06134"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.switch < 1 or not 0 < self.large <= 1:
            raise UnmetNeed(
                name="TwoPhase",
                value=(self.switch, self.large),
                expected="a switch at a whole step of at least 1 and large above 0, at most 1",
                got=f"{self.switch!r} and {self.large!r}",
            )
        self._check_steps(self.switch)

    def init(self, *, tokens: ArrayLike, prior: ArrayLike) -> State:
        """Find the weights of both phases.

        Args:
            tokens: (K,) available in each domain, for the first phase.
            prior: (K,) the mixture of the second phase.
        """
        natural = temperature_weights(tokens, 1.0)
        second = check_prior(prior, natural.size, "TwoPhase")
        available = np.asarray(tokens, np.float64)
        # Relative to the largest, so that at least one domain is large, whatever the share.
        large = available >= self.large * available.max()
        first = temperature_weights(np.where(large, available, 0.0), 1.0)
        return self._start({0: first, self.switch: second})
