"""Temperature sampling: between natural and uniform.

Naveen Arivazhagan et al., "Massively Multilingual Neural Machine Translation in the Wild: Findings
and Challenges", 2019, https://arxiv.org/abs/1907.05019, with the temperature; Alexis Conneau et
al., "Unsupervised Cross-lingual Representation Learning at Scale" (XLM-R), ACL 2020,
https://arxiv.org/abs/1911.02116, with the exponent 0.3 that is the default here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidValue
from reweightviz.core.temperature import temperature_weights
from reweightviz.mixers._fixed import Fixed, State
from reweightviz.mixers._hyperparameters import check_fields

__all__ = ["Temperature"]


@dataclass(frozen=True)
class Temperature(Fixed):
    """Weights proportional to ``tokens ** (1 / temperature)``, which is ``tokens ** exponent``.

    The literature has two conventions, and both call their number a temperature. Here, as in
    Arivazhagan et al. and Cooldown, it is T; XLM-R and mT5 (0.3), RegMix and Olmix (0.5) take
    alpha:

        temperature T    1 natural    2    3.33    5    infinity uniform
        exponent alpha   1 natural   0.5   0.3    0.2          0 uniform

    ``Temperature(2)`` and ``Temperature.from_exponent(0.5)`` are the same mixer. Uniform is over
    the domains that hold anything; one without tokens gets 0 at every temperature.

    Args:
        temperature: T, above 0; the default is an exponent of 0.3.

    Example:
        >>> mixer = Temperature.from_exponent(0.5)
        >>> print(f"temperature {mixer.temperature:g}, exponent {mixer.exponent:g}")
        temperature 2, exponent 0.5
        >>> mixer.result(mixer.init(tokens=[1000, 100, 10, 1])).round(6).tolist()
        [0.690679, 0.218412, 0.069068, 0.021841]
    """

    temperature: float = 1 / 0.3

    paper: ClassVar[str] = "https://arxiv.org/abs/1907.05019"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        # An infinite temperature is a valid one: uniform.
        check_fields(self, "temperature")
        if not self.temperature > 0:
            raise InvalidValue(
                name="temperature",
                value=self.temperature,
                expected="above 0 (1 natural, larger is flatter)",
            )

    @classmethod
    def from_exponent(cls, exponent: float) -> Temperature:
        """Return the mixer with ``tokens ** exponent``: 1 natural, 0 uniform."""
        if not 0 <= exponent < float("inf"):
            raise InvalidValue(
                name="the exponent", value=exponent, expected="at least 0 (1 natural, 0 uniform)"
            )
        return cls(1 / exponent if exponent else float("inf"))

    @property
    def exponent(self) -> float:
        """The other convention, 1 / temperature."""
        return 1 / self.temperature

    def init(self, *, tokens: ArrayLike) -> State:
        """Find the weights for the tokens (K,) available in each domain; one without any gets 0."""
        return State(temperature_weights(tokens, self.exponent))
