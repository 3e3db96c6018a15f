"""The journal that a sampler keeps beside a live mixture: the weights by training step.

JSON lines: a header with the domains, then a line a block of steps, written by one sampler (of
rank 0, its first worker) before any rank draws that block. ``through`` is the step up to which all
is decided; ``stages`` are the new weights with their first steps. What stands below the header of
another beginning of the live mixture (``made``) is passed over.

    {"format": "reweightviz.live-journal/1", "domains": ["web", "code"], "made": "5e0c41d7"}
    {"through": 10, "by": "3f2a9c01", "stages": [[0, [0.5, 0.5]]], "version": 1, "author": "ann"}
    {"through": 20, "by": "3f2a9c01"}
"""

from __future__ import annotations

import json
import os
import time
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, WrongContent
from reweightviz.core.foreign_file import NO_RECORD
from reweightviz.core.lines import LineTail, LineWriter
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.types import Array

__all__ = ["FORMAT", "Journal"]


FORMAT = "reweightviz.live-journal/1"


class Journal:
    """The weights by their first step, as far as they are decided; decisions are final.

    Args:
        path: the file, made at the first decision.
        domains: (K,) of the live mixture.
        made: the beginning of the live mixture whose decisions these are; None takes those of any.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "mix.journal.jsonl"
        >>> ours = Journal(path, ("web", "code"))
        >>> theirs = Journal(path, ("web", "code"))
        >>> ours.decide(20, [(0, np.array([0.5, 0.5])), (12, np.array([0.9, 0.1]))])
        >>> theirs.poll()
        True
        >>> theirs.through, theirs.at(15).tolist()
        (20, [0.9, 0.1])
    """

    def __init__(
        self, path: str | os.PathLike[str], domains: Sequence[str], made: str | None = None
    ) -> None:
        self.path = Path(path)
        self.domains = tuple(domains)
        self.made = made
        self.through = 0
        """All steps below this one are decided."""
        self.effects: list[dict[str, Any]] = []
        """Decisions with new weights: first and last step of each, version, author, time."""
        self.by = ""
        """Name of the training that decided last."""
        self._starts: list[int] = []
        self._weights: list[Array] = []
        self._order = np.arange(len(self.domains))
        """Place of each of our domains in the file's order."""
        self._is_ours = not made
        """Lines that come are of our beginning; they are without a header where it has no name."""
        self._open()

    def _open(self) -> None:
        self._lines = LineTail(self.path)
        self._writer = LineWriter(self.path)
        self._process = os.getpid()

    @property
    def lost(self) -> bool:
        """True where the file that decisions were read from or written to is gone."""
        return bool(self._starts) and (self._lines.gone or self._lines.rotations > 0)

    def poll(self) -> bool:
        """Read what is new; return whether there was something.

        Raises:
            ReweightvizError: it is the journal of other domains, or a line is spoilt; the next
                call raises it again.
        """
        if self._process != os.getpid():
            self._open()  # after a fork the place in an open file would be shared
        before = self.through
        for line in self._lines:
            try:
                self._read(line)
            except NO_RECORD as error:
                number = self._lines.number
                self._lines = LineTail(self.path)  # from the start again: nothing is passed over
                if isinstance(error, ReweightvizError):
                    raise
                raise WrongContent(
                    path=self.path, line=number, reason=f"is no decision; got {line[:60]!r}"
                ) from error
        return self.through > before

    def _read(self, line: bytes) -> None:
        record = json.loads(line)
        if "domains" in record:
            self._is_ours = self.made in (None, record.get("made", ""))
            if self._is_ours:
                self._order = self._order_in(record["domains"])
        if not self._is_ours:
            return
        if record.get("through", 0) > self.through:
            self._take(record)

    def at(self, step: int) -> Array:
        """Return the weights (K,) of a step that is decided."""
        return self._weights[bisect_right(self._starts, step) - 1]

    def decide(
        self, through: int, stages: Sequence[tuple[int, Array]], *, by: str = "", **why: Any
    ) -> None:
        """Write a decision, whole or not at all.

        Args:
            through: the first step that stays undecided.
            stages: (first step, weights (K,)) of new weights, none where all stays as it is.
            by: name of the training.
            **why: version, author and note of the new weights.
        """
        record: dict[str, Any] = {"through": through}
        if by:
            record["by"] = by
        if stages:
            theirs = np.argsort(self._order)
            record["stages"] = [[step, weights[theirs].tolist()] for step, weights in stages]
            record |= why
            record["time"] = round(time.time(), 3)
        lines = [record]
        if not self._starts:
            header = {"format": FORMAT, "domains": list(self.domains)}
            if self.made:
                header["made"] = self.made
            lines.insert(0, header)
        # A line without weights may be lost with the machine: the weights before it still hold.
        self._writer.write(*lines, durable=bool(stages))
        self._take(record)

    def schedule(self, *, steps: int | None = None) -> Schedule:
        """Return what was decided so far."""
        if not self._starts:
            raise ReweightvizError(
                f"no sampler has drawn by it yet: {self.path} holds no decision."
            )
        stages = {
            start: Mixture(zip(self.domains, weights.tolist(), strict=True))
            for start, weights in zip(self._starts, self._weights, strict=True)
            if steps is None or start < steps
        }
        return Schedule(stages, steps=steps, source={"method": "live", "through": self.through})

    def _take(self, record: dict[str, Any]) -> None:
        stages = [
            (int(step), np.array(weights, np.float64).reshape(len(self.domains))[self._order])
            for step, weights in record.get("stages", ())
        ]
        if not stages and not self._starts:
            raise WrongContent(
                path=self.path, reason="begins without weights; the start of it is lost"
            )
        if stages:
            self._starts += [step for step, _ in stages]
            self._weights += [weights for _, weights in stages]
            self.effects.append({**record, "first": stages[0][0], "last": stages[-1][0]})
        self.through = int(record["through"])
        self.by = str(record.get("by", ""))

    def _order_in(self, theirs: Sequence[str]) -> NDArray[np.int64]:
        if sorted(theirs) != sorted(self.domains):
            raise WrongContent(
                path=self.path,
                reason=f"is the journal of other domains, {theirs!r:.60}; move it away, or "
                "make the live mixture anew",
            )
        return np.array([list(theirs).index(domain) for domain in self.domains])

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "domains": self.domains, "made": self.made}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]
