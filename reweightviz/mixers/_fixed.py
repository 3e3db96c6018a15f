"""What all mixers share that decide once, before training, and learn nothing: Natural, Temperature, UniMax, Uniform."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from reweightviz.core.types import Array


class State(NamedTuple):
    """The weights (K,)."""

    weights: Array


class Fixed:
    """A mixer whose ``init`` finds the weights; without ``update`` they are also the answer."""

    applies_to: ClassVar[str] = "sampling"

    def weights(self, state: State) -> Array:
        """What to train with now, (K,)."""
        return state.weights

    def result(self, state: State) -> Array:
        """The answer, (K,)."""
        return state.weights
