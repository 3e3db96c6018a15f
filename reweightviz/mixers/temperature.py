"""Temperature sampling: between natural and uniform.

Naveen Arivazhagan et al., "Massively Multilingual Neural Machine Translation in the Wild: Findings and
Challenges", 2019, https://arxiv.org/abs/1907.05019, with the temperature; Alexis Conneau et al., "Unsupervised
Cross-lingual Representation Learning at Scale" (XLM-R), ACL 2020, https://arxiv.org/abs/1911.02116, with the
exponent 0.3 that is the default here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import temperature_weights
from reweightviz.mixers.fixed import Fixed, State


@dataclass(frozen=True)
class Temperature(Fixed):
    """Weights proportional to ``tokens ** (1 / temperature)``.

    The literature has two conventions. Here ``temperature`` is the paper's T: 1 is natural, larger is flatter,
    infinity is uniform over the domains that hold anything. Papers that give an exponent alpha (XLM-R and mT5 0.3,
    RegMix and Olmix "temperature" 0.5) mean ``temperature = 1 / alpha``.

    Args:
        temperature: T, above 0; the default is an exponent of 0.3.

    Example:
        >>> mixer = Temperature(temperature=2)
        >>> mixer.result(mixer.init(tokens=[1000, 100, 10, 1])).round(6).tolist()
        [0.690679, 0.218412, 0.069068, 0.021841]
    """

    temperature: float = 1 / 0.3

    paper: ClassVar[str] = "https://arxiv.org/abs/1907.05019"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ReweightvizError(f"temperature must be above 0 (1 natural, larger is flatter); got {self.temperature}.")

    def init(self, *, tokens: ArrayLike) -> State:
        """Weights for the tokens (K,) available in each domain; one without any gets 0."""
        return State(temperature_weights(tokens, 1 / self.temperature))
