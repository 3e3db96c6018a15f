"""The weights of a live mixture by step: one process decides for a block of steps, others wait."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, list_names, warn
from reweightviz.core.live import LiveMixture
from reweightviz.core.lock import hold_lock
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.types import Array
from reweightviz.training.ranks import is_leader

__all__ = ["LONGEST_PAUSE", "LiveWeights"]


LONGEST_PAUSE = 0.05
"""Seconds between two looks at the journal while another process decides."""


class LiveWeights:
    """The weights that the journal of a live mixture records, decided here by the leader.

    Args:
        live: the file.
        domains: of the data (K,).
        full: true for each domain (K,) that holds documents.
        rank: of this process.
        every: steps a block.
        timeout: seconds to wait for the leader.
    """

    def __init__(
        self,
        live: LiveMixture,
        domains: Sequence[str],
        full: NDArray[np.bool_],
        *,
        rank: int,
        every: int,
        timeout: float,
    ) -> None:
        live.mixture.aligned(domains)  # raises where the domains are not those of the file
        self.live = live
        self._domains = tuple(domains)
        self._full = full
        self._rank = rank
        self._every = every
        self._timeout = timeout
        self._order = np.array([live.domains.index(domain) for domain in domains])
        self._training = uuid.uuid4().hex[:8]  # the same in the workers that a DataLoader starts
        self._has_decided = False
        self._target: Array | None = None
        self._refused_version = -1

    def at(self, step: int) -> Array:
        """Return the weights (K,) of a step; a step that was not decided yet is decided now."""
        journal = self.live.journal
        if step >= journal.through:
            journal.poll()
        if step >= journal.through:
            # The leader is found anew each time: a DataLoader worker has a copy of this object.
            if is_leader(self._rank):
                self._decide(step)
            else:
                self._wait(step)
        return np.asarray(journal.at(step)[self._order], np.float64)

    def history(self, steps: int | None) -> Schedule:
        """Return the weights that are decided so far."""
        return self.live.history(steps=steps)

    def _decide(self, step: int) -> None:
        # Two trainings that begin at once would both decide the same steps, each unseen by the
        # other.
        journal = self.live.journal
        with hold_lock(journal.path):
            journal.poll()
            if journal.through > step:
                return
            self._check_alone()
            while journal.through <= step:
                self._decide_block()
            self._has_decided = True

    def _check_alone(self) -> None:
        """Refuse to decide where another training did, or where the journal is another."""
        journal = self.live.journal
        if self._has_decided and journal.by != self._training:
            raise ReweightvizError(
                f"another training follows {self.live.path} too; each needs a live "
                "mixture of its own."
            )
        if journal.lost or self.live.read().made != journal.made:
            raise ReweightvizError(
                f"{journal.path} was taken away or begun anew under this training, so that "
                "nothing of it is recorded any more; a new training takes a live mixture of its "
                "own."
            )

    def _decide_block(self) -> None:
        """Decide ``every`` steps: each a guarded step from the last weights to the target."""
        journal = self.live.journal
        wanted = self.live.read()
        start = journal.through
        through = start + self._every
        last = journal.at(start - 1) if start else None
        target = self._choose_target(wanted.mixture, wanted.version, last)
        stages = []
        for step in range(start, through):
            if last is None:  # the first step of a training has nothing to be guarded from
                last = target
            # The journal holds changes, so a block without one needs no line.
            elif np.array_equal(last, target):
                break
            else:
                last = wanted.guards.step(last, target)
            stages.append((step, last))
        journal.decide(
            through,
            stages,
            by=self._training,
            version=wanted.version,
            author=wanted.author,
            note=wanted.note,
        )

    def _choose_target(self, mixture: Mixture, version: int, last: Array | None) -> Array:
        """Return the mixture, or the last one where it weighs a domain without documents."""
        weighed = [
            domain
            for domain, full in zip(self._domains, self._full, strict=True)
            if not full and mixture[domain] > 0
        ]
        if not weighed:
            self._target = mixture.array
            return self._target
        if last is None:
            raise ReweightvizError(
                f"{list_names(weighed)} has weight but no documents; give it weight 0."
            )
        if version != self._refused_version:  # warn once a version, not once a block
            self._refused_version = version
            warn(
                f"version {version} of {self.live.path} gives weight to {list_names(weighed)}, "
                "which holds no documents; the weights stay as they were."
            )
        if self._target is None:
            return last
        return self._target

    def _wait(self, step: int) -> None:
        journal = self.live.journal
        start = time.monotonic()
        pause = 0.001
        while step >= journal.through:
            if time.monotonic() - start > self._timeout:
                raise ReweightvizError(
                    f"rank 0 decided no weights for step {step} within {self._timeout:g} s: is "
                    f"it running, and does {journal.path} lie where every rank reads it?"
                )
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            journal.poll()
