"""The weights that each step is drawn by: fixed beforehand, or of a live mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.live import LiveMixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.types import Array
from reweightviz.training.live_weights import LiveWeights

__all__ = ["ScheduledWeights", "StepWeights", "follow_weights"]


class StepWeights(Protocol):
    """The weights (K,) of each step, in the order of the data's domains; they never change."""

    def at(self, step: int) -> Array: ...  # noqa: D102
    def history(self, steps: int | None) -> Schedule: ...  # noqa: D102


class ScheduledWeights:
    """The weights of a schedule.

    Args:
        schedule: of the run.
        domains: of the data (K,).
    """

    def __init__(self, schedule: Schedule, domains: Sequence[str]) -> None:
        self._schedule = schedule
        self._rows = np.array([mixture.aligned(domains) for mixture in schedule.values()])
        self._starts = np.array(list(schedule))

    def at(self, step: int) -> Array:
        """Return the weights (K,) of a step."""
        stage = np.searchsorted(self._starts, step, side="right") - 1
        return np.asarray(self._rows[stage], np.float64)

    def history(self, steps: int | None) -> Schedule:
        """Return the schedule, or its stages that begin before ``steps``."""
        if not steps:
            return self._schedule
        begun = {start: mixture for start, mixture in self._schedule.items() if start < steps}
        return Schedule(begun, steps=steps, source=self._schedule.source)


def follow_weights(
    what: Mapping[str, float] | Schedule | LiveMixture,
    domains: Sequence[str],
    full: NDArray[np.bool_],
    *,
    rank: int,
    every: int,
    timeout: float,
) -> StepWeights:
    """Return the weights by step of a mixture, a schedule or a live mixture.

    Args:
        what: to follow.
        domains: of the data (K,).
        full: true for each domain (K,) that holds documents.
        rank: of this process; rank 0 decides by a live mixture.
        every: steps between two looks at a live mixture.
        timeout: seconds that a rank waits for the decision of rank 0.

    Raises:
        ReweightvizError: it names other domains, or gives weight to a domain without documents.
    """
    if isinstance(what, LiveMixture):
        return LiveWeights(what, domains, full, rank=rank, every=every, timeout=timeout)
    schedule = what if isinstance(what, Schedule) else Schedule({0: what})
    weights = ScheduledWeights(schedule, domains)
    weighed = np.any([mixture.aligned(domains) > 0 for mixture in schedule.values()], axis=0)
    empty = np.array(domains, object)[weighed & ~full].tolist()
    if empty:
        raise ReweightvizError(
            f"{list_names(empty)} has weight but no documents; give it weight 0."
        )
    return weights
