"""What mixers share whose answer is a schedule: Cooldown and TwoPhase. They learn nothing; the step moves them on."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.schedule import mean_over_steps
from reweightviz.core.types import Array
from reweightviz.mixers._signals import checked


class State(NamedTuple):
    """The weights (S, K) of every stage, the steps (S,) at which they begin, and the step of the run."""

    stage_weights: Array
    starts: NDArray[np.int64]
    step: int


class Scheduled:
    """A mixer whose ``init`` finds the weights of every stage; ``update``, without signals, is one step of training."""

    steps: int

    applies_to: ClassVar[str] = "sampling"

    def update(self, state: State) -> State:
        """One step on; the last stage holds for ever."""
        checked(self, State, state)
        return state._replace(step=state.step + 1)

    def weights(self, state: State) -> Array:
        """What to train with now, (K,)."""
        return np.asarray(
            state.stage_weights[np.searchsorted(state.starts, state.step, side="right") - 1],
            np.float64,
        )

    def result(self, state: State) -> Array:
        """The mean mixture of the whole run, (K,): what its epochs follow from, and not what any one step trains."""
        return mean_over_steps(state.starts.tolist(), state.stage_weights, self.steps)

    def stages(self, state: State) -> dict[int, Array]:
        """The answer: first step to the weights (K,) from there on."""
        return dict(zip(state.starts.tolist(), state.stage_weights, strict=True))

    def _state(self, stages: dict[int, Array]) -> State:
        return State(np.array(list(stages.values())), np.array(list(stages), np.int64), 0)

    def _longer_than(self, last: int) -> None:
        if self.steps <= last:
            raise UnmetNeed(
                name=type(self).__name__,
                value=self.steps,
                expected=f"steps, the length of the run, as a whole number above {last}, where "
                "its last stage begins",
            )
