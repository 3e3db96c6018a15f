"""Mixers whose answer is a schedule, Cooldown and TwoPhase: they learn nothing, steps move them."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.schedule import mean_over_steps
from reweightviz.core.types import Array
from reweightviz.mixers._signals import check_signals

__all__ = ["Scheduled", "State"]


class State(NamedTuple):
    """The weights (S, K) of the stages, the steps (S,) at which they begin, the step of the run."""

    stage_weights: Array
    starts: NDArray[np.int64]
    step: int


class Scheduled:
    """A mixer whose ``init`` finds the weights of every stage; ``update`` has no signals."""

    steps: int

    applies_to: ClassVar[str] = "sampling"

    def update(self, state: State) -> State:
        """Move one step on; the last stage holds for ever."""
        check_signals(self, State, state)
        return state._replace(step=state.step + 1)

    def weights(self, state: State) -> Array:
        """Return the weights (K,) to train with now."""
        # "right": the step at which a stage begins belongs to it.
        stage = np.searchsorted(state.starts, state.step, side="right") - 1
        return np.asarray(state.stage_weights[stage], np.float64)

    def result(self, state: State) -> Array:
        """Return the mean mixture (K,) of the run, which sets its epochs; no step trains by it."""
        return mean_over_steps(state.starts.tolist(), state.stage_weights, self.steps)

    def stages(self, state: State) -> dict[int, Array]:
        """Return the answer: first step to the weights (K,) from there on."""
        return dict(zip(state.starts.tolist(), state.stage_weights, strict=True))

    def _start(self, stages: dict[int, Array]) -> State:
        return State(np.array(list(stages.values())), np.array(list(stages), np.int64), 0)

    def _check_steps(self, last: int) -> None:
        if self.steps <= last:
            raise UnmetNeed(
                name=type(self).__name__,
                value=self.steps,
                expected=f"steps, the length of the run, as a whole number above {last}, where "
                "its last stage begins",
            )
