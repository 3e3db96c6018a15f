"""Cooldown: flat weights while everything is new, natural ones before small domains overfit.

Tianjian Li, Haoran Xu, Weiting Tan, Kenton Murray and Daniel Khashabi, "Upsample or Upweight?
Balanced Training on Heavily Imbalanced Datasets", NAACL 2025, https://arxiv.org/abs/2410.04579.
Seen: the abstract, by which the sampling temperature starts high and is lowered during training.
The steps and temperatures of its experiments were not seen, so they have no default here; the
linear and cosine paths are ours.

The paper's reason, in ``numerics/gradient_variance.py``: drawing a small domain more often and
weighing its loss more have the same mean gradient, but drawing has the lower variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import ArrayLike

from reweightviz.core.errors import UnknownName, UnmetNeed
from reweightviz.core.temperature import PATHS, cooldown_stages, parse_temperatures
from reweightviz.mixers._hyperparameters import check_fields
from reweightviz.mixers._scheduled import Scheduled, State

__all__ = ["Cooldown"]


@dataclass(frozen=True)
class Cooldown(Scheduled):
    """Weights proportional to ``tokens ** (1 / temperature)``, with a temperature that falls.

    The answer is a schedule: ``rv.mix`` returns it, ``stages`` has it, and ``result`` is its mean
    over the run. A domain without tokens gets 0 at every step.

    Args:
        temperatures: (step, temperature) pairs, the first at step 0; the last temperature holds to
            the end.
        steps: of the whole run.
        path: "step" holds each temperature until the next; "linear" and "cosine" go there in 1 /
            temperature, in which the weights stay smooth.
        every: steps that a stage lasts on the way.

    Example:
        >>> mixer = Cooldown(((0, 5), (8000, 1)), steps=10_000)
        >>> state = mixer.init(tokens=[1000, 100, 10, 1])
        >>> {step: weights.round(6).tolist() for step, weights in mixer.stages(state).items()}
        {0: [0.438548, 0.276705, 0.174589, 0.110158], 8000: [0.90009, 0.090009, 0.009001, 0.0009]}
        >>> mixer.result(state).round(3).tolist()
        [0.531, 0.239, 0.141, 0.088]
    """

    temperatures: tuple[tuple[int, float], ...]
    steps: int
    path: str = "step"
    every: int = 100

    paper: ClassVar[str] = "https://arxiv.org/abs/2410.04579"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        check_fields(self)
        pairs = parse_temperatures(self.temperatures)
        # A frozen dataclass hashes its fields, and a list has no hash.
        object.__setattr__(self, "temperatures", tuple(pairs))
        self._check_steps(pairs[-1][0])
        if self.path not in PATHS:
            raise UnknownName(kind="path of Cooldown", name=self.path, known=PATHS)
        if self.every < 1:
            raise UnmetNeed(name="Cooldown", value=self.every, expected="every of at least 1 step")

    def init(self, *, tokens: ArrayLike) -> State:
        """Find the weights of every stage for the tokens (K,) available in each domain."""
        stages = cooldown_stages(tokens, self.temperatures, path=self.path, every=self.every)
        return self._start(stages)
