"""What a sampler follows: it says by which weights each step is drawn."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, listed, warn
from reweightviz.core.live import LiveMixture
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.types import Array


class Followed(Protocol):
    """By which weights (K,), in the order of the data's domains, each step is drawn; once asked, an answer never changes."""

    def at(self, step: int) -> Array: ...  # noqa: D102
    def history(self, steps: int | None) -> Schedule: ...  # noqa: D102


class FollowedSchedule:
    """What was fixed beforehand."""

    def __init__(self, schedule: Schedule, domains: Sequence[str]) -> None:
        self._schedule = schedule
        self._weights = {start: mixture.aligned(domains) for start, mixture in schedule.items()}
        self._starts = np.array(list(schedule))

    def at(self, step: int) -> Array:
        """The weights (K,) of a step."""
        return self._weights[
            int(self._starts[np.searchsorted(self._starts, step, side="right") - 1])
        ]

    def history(self, steps: int | None) -> Schedule:
        """The schedule itself."""
        if not steps:
            return self._schedule
        begun = {start: mixture for start, mixture in self._schedule.items() if start < steps}
        return Schedule(begun, steps=steps, source=self._schedule.source)


class FollowedLive:
    """What a live mixture holds: one process decides for a block of steps, the others wait for what it writes.

    Args:
        live: the file.
        domains: of the data (K,).
        full: which domains hold documents (K,).
        leads: says in whichever process asks whether it is the one that decides.
        every: steps a block.
        timeout: seconds to wait for the one that decides.
    """

    def __init__(
        self,
        live: LiveMixture,
        domains: Sequence[str],
        full: NDArray[np.bool_],
        *,
        leads: Callable[[], bool],
        every: int,
        timeout: float,
    ) -> None:
        live.mixture.aligned(domains)
        self.live, self._domains, self._full = live, tuple(domains), full
        self._leads, self._every, self._timeout = leads, every, timeout
        self._order = np.array([live.domains.index(domain) for domain in domains])
        self._training = uuid.uuid4().hex[:8]  # the same in the workers that a DataLoader starts
        self._decided = False
        self._target: Array | None = None
        self._refused = -1

    def at(self, step: int) -> Array:
        """The weights (K,) of a step; a step that was not decided yet is decided now."""
        journal = self.live.journal
        if step >= journal.through:
            journal.poll()
        if step >= journal.through:
            (self._decide if self._leads() else self._wait)(step)
        return journal.at(step)[self._order]

    def history(self, steps: int | None) -> Schedule:
        """What was decided so far."""
        return self.live.history(steps=steps)

    def _decide(self, step: int) -> None:
        journal = self.live.journal
        if self._decided and journal.by != self._training:
            raise ReweightvizError(
                f"another training follows {self.live.path} too; each needs a live "
                "mixture of its own."
            )
        if journal.lost:
            raise ReweightvizError(
                f"{journal.path} was taken away or begun anew under this training, so "
                "that nothing of it is recorded "
                "any more; a new training takes a live mixture of its own."
            )
        while journal.through <= step:
            wanted = self.live.read()
            start, through = journal.through, journal.through + self._every
            now = journal.at(start - 1) if start else None
            target, stages = self._allowed(wanted.mixture, wanted.version, now), []
            for t in range(start, through):
                if now is not None and np.array_equal(now, target):
                    break
                now = target if now is None else wanted.guards.step(now, target)
                stages.append((t, now))
            journal.decide(
                through,
                stages,
                by=self._training,
                version=wanted.version,
                author=wanted.author,
                note=wanted.note,
            )
        self._decided = True

    def _allowed(self, mixture: Mixture, version: int, now: Array | None) -> Array:
        """What to go to: the mixture, or the last one where it gives weight to a domain without documents."""
        wanted = mixture.array
        empty = [
            domain
            for domain, full in zip(self._domains, self._full, strict=True)
            if not full and mixture[domain] > 0
        ]
        if not empty:
            self._target = wanted
        elif now is None:
            raise ReweightvizError(
                f"{listed(empty)} has weight but no documents; give it weight 0."
            )
        elif version != self._refused:
            self._refused = version
            warn(
                f"version {version} of {self.live.path} gives weight to {listed(empty)}, "
                "which holds no documents; "
                "the weights stay as they were."
            )
        if self._target is None:
            assert now is not None
            return now
        return self._target

    def _wait(self, step: int) -> None:
        journal, start, pause = self.live.journal, time.monotonic(), 0.001
        while step >= journal.through:
            if time.monotonic() - start > self._timeout:
                raise ReweightvizError(
                    f"rank 0 decided no weights for step {step} within {self._timeout:g} "
                    "s: is it running, "
                    f"and does {journal.path} lie where every rank reads it?"
                )
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
            journal.poll()


def follower(
    what: object,
    domains: Sequence[str],
    full: NDArray[np.bool_],
    *,
    leads: Callable[[], bool],
    every: int,
    timeout: float,
) -> Followed:
    """The weights by step of a mixture, a schedule or a live mixture.

    Raises:
        ReweightvizError: it names other domains, or gives weight to a domain without documents.
    """
    if isinstance(what, LiveMixture):
        return FollowedLive(what, domains, full, leads=leads, every=every, timeout=timeout)
    schedule = what if isinstance(what, Schedule) else Schedule({0: what})  # type: ignore[dict-item]
    followed = FollowedSchedule(schedule, domains)
    empty = [
        domain
        for domain, filled in zip(domains, full, strict=True)
        if not filled and any(m[domain] > 0 for m in schedule.values())
    ]
    if empty:
        raise ReweightvizError(f"{listed(empty)} has weight but no documents; give it weight 0.")
    return followed
