"""Natural: every token is as likely as any other.

Colin Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
Transformer", JMLR 2020, https://arxiv.org/abs/1910.10683, section 3.5.2, examples-proportional
mixing without its limit. The unit here is the token, so the answer depends on the tokenizer that
counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import ArrayLike

from reweightviz.core.temperature import temperature_weights
from reweightviz.mixers._fixed import Fixed, State

__all__ = ["Natural"]


@dataclass(frozen=True)
class Natural(Fixed):
    """Weights proportional to the tokens available, so that all domains see as many epochs.

    Example:
        >>> mixer = Natural()
        >>> mixer.result(mixer.init(tokens=[1000, 100, 10, 1])).round(6).tolist()
        [0.90009, 0.090009, 0.009001, 0.0009]
    """

    paper: ClassVar[str] = "https://arxiv.org/abs/1910.10683"
    verified: ClassVar[str] = "not verified against the paper"

    def init(self, *, tokens: ArrayLike) -> State:
        """Find the weights for the tokens (K,) available in each domain; one without any gets 0."""
        return State(temperature_weights(tokens, 1.0))
