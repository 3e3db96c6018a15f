"""A mixture and a schedule in the form of a mixer that learns nothing."""

from __future__ import annotations

import numpy as np

from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.types import Array

__all__ = ["MixtureMixer", "ScheduleMixer"]


class MixtureMixer:
    """A mixture as a mixer; its state is its weights (K,)."""

    applies_to = "sampling"

    def __init__(self, mixture: Mixture, domains: tuple[str, ...]) -> None:
        self._weights = mixture.aligned(domains)

    def init(self) -> Array:
        """Start at the mixture."""
        return self._weights

    def weights(self, state: Array) -> Array:
        """Return the mixture (K,)."""
        return state

    def result(self, state: Array) -> Array:
        """Return the mixture (K,)."""
        return state


class ScheduleMixer:
    """A schedule as a mixer; its state is the number of steps so far."""

    applies_to = "sampling"

    def __init__(self, schedule: Schedule, domains: tuple[str, ...]) -> None:
        self._starts = list(schedule)
        self._rows = np.array([mixture.aligned(domains) for mixture in schedule.values()])

    def init(self) -> int:
        """Start at step 0."""
        return 0

    def update(self, state: int) -> int:
        """Move one step on."""
        return state + 1

    def weights(self, state: int) -> Array:
        """Return the weights (K,) of the step."""
        stage = np.searchsorted(self._starts, state, side="right") - 1
        return np.asarray(self._rows[stage], np.float64)

    def result(self, state: int) -> Array:
        """Return the mean (K,) over the steps so far."""
        if not state:
            return self.weights(0)
        # Cut at the present step, stages that are still to come have lasted 0 steps.
        lasted = np.diff(np.minimum([*self._starts, state], state))
        return np.asarray(lasted @ self._rows / state, np.float64)
