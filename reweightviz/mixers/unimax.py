"""UniMax: as uniform as a cap on the epochs of each domain allows.

Hyung Won Chung, Noah Constant, Xavier Garcia, Adam Roberts, Yi Tay, Sharan Narang and Orhan Firat,
"UniMax: Fairer and More Effective Language Sampling for Large-Scale Multilingual Pretraining",
ICLR 2023, https://arxiv.org/abs/2304.09151. The paper counts characters; any unit does, as long as
the budget has the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError, warn
from reweightviz.core.temperature import temperature_weights
from reweightviz.mixers._fixed import Fixed, State
from reweightviz.mixers._hyperparameters import check_fields, read_budget
from reweightviz.numerics.simplex import water_fill

__all__ = ["UniMax"]


@dataclass(frozen=True)
class UniMax(Fixed):
    """The budget shared evenly, no domain more than ``max_epochs`` times; others get the rest.

    When even ``max_epochs`` of everything is less than the budget, the weights are natural and a
    :class:`ReweightvizWarning` names the tokens that stay unused.

    Args:
        budget: B, tokens to train on in all; text such as "300B" will do.
        max_epochs: N, the paper tries 1, 5 and 10; the default repeats nothing.

    Example:
        >>> mixer = UniMax(budget=400, max_epochs=4)
        >>> mixer.result(mixer.init(tokens=[1000, 100, 10, 1])).tolist()
        [0.445, 0.445, 0.1, 0.01]
    """

    budget: float
    max_epochs: float = 1

    paper: ClassVar[str] = "https://arxiv.org/abs/2304.09151"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        read_budget(self)
        check_fields(self, "max_epochs")
        if not self.max_epochs > 0:
            raise ReweightvizError(f"UniMax needs max_epochs above 0; got {self.max_epochs!r}.")

    def init(self, *, tokens: ArrayLike) -> State:
        """Find the weights for the tokens (K,) available in each domain; one without any gets 0."""
        natural = temperature_weights(tokens, 1.0)
        available = np.asarray(tokens, np.float64)
        # Endless epochs of a domain without tokens are 0 tokens, not inf * 0.
        caps = np.zeros_like(available)
        caps[available > 0] = self.max_epochs * available[available > 0]
        unused = self.budget - caps.sum()
        # A budget of exactly all epochs may differ from their sum by rounding.
        if unused > 1e-12 * self.budget:
            warn(
                f"UniMax: {self.max_epochs:g} epochs of everything are {caps.sum():.6g} tokens, "
                f"so {unused:.6g} of the budget of {self.budget:.6g} stay unused and the weights "
                "are natural; allow more epochs or a smaller budget."
            )
            return State(natural)
        amounts = water_fill(caps, self.budget)
        return State(amounts / amounts.sum())
