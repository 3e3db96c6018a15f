"""Mixers that decide once, before training, and learn nothing: Natural, Temperature, UniMax, ..."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from reweightviz.core.types import Array

__all__ = ["Fixed", "State"]


class State(NamedTuple):
    """The weights (K,)."""

    weights: Array


class Fixed:
    """A mixer whose ``init`` finds the weights; without ``update`` they are also the answer."""

    applies_to: ClassVar[str] = "sampling"

    def weights(self, state: State) -> Array:
        """Return the weights (K,) to train with now."""
        return state.weights

    def result(self, state: State) -> Array:
        """Return the answer (K,)."""
        return state.weights
