"""What was trained by when: the journal that a sampler keeps beside a live mixture.

JSON lines: a header with the domains, then a line a block of steps, written by one sampler (of
rank 0, its first worker) before any rank draws that block. ``through`` is the step up to which all
is decided; ``stages`` are the new weights with their first steps.

    {"format": "reweightviz.live-journal/1", "domains": ["web", "code"]} {"through": 10, "by":
    "3f2a9c01", "stages": [[0, [0.5, 0.5]]], "version": 1, "author": "ann", "time": 1767225600.0}
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
from reweightviz.core.lines import LineTail, LineWriter
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.types import Array

FORMAT = "reweightviz.live-journal/1"


class Journal:
    """The weights by their first step, as far as they are decided; decisions are final.

    Args:
        path: the file, made at the first decision.
        domains: (K,) of the live mixture.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "mix.journal.jsonl"
        >>> ours, theirs = Journal(path, ("web", "code")), Journal(path, ("web", "code"))
        >>> ours.decide(20, [(0, np.array([0.5, 0.5])), (12, np.array([0.9, 0.1]))])
        >>> theirs.poll()
        True
        >>> theirs.through, theirs.at(15).tolist()
        (20, [0.9, 0.1])
    """

    def __init__(self, path: str | os.PathLike[str], domains: Sequence[str]) -> None:
        self.path, self.domains = Path(path), tuple(domains)
        self.through = 0
        """All steps below this one are decided."""
        self.effects: list[dict[str, Any]] = []
        """The decisions with new weights: first and last step of the change, version, author, time."""
        self.by = ""
        """Which training decided last."""
        self._starts: list[int] = []
        self._weights: list[Array] = []
        self._lines, self._writer, self._process = LineTail(path), LineWriter(path), os.getpid()
        self._order = np.arange(
            len(self.domains)
        )  # where in the file's order each of our domains is

    @property
    def lost(self) -> bool:
        """The file that decisions were read from or written to is not there any more."""
        return bool(self._starts) and (self._lines.gone or self._lines.rotations > 0)

    def poll(self) -> bool:
        """Read what is new; True when there was something.

        Raises:
            ReweightvizError: it is the journal of other domains, or a line is spoilt; the next
                call says so again.
        """
        if self._process != os.getpid():  # after a fork the place in an open file would be shared
            self._lines, self._writer, self._process = (
                LineTail(self.path),
                LineWriter(self.path),
                os.getpid(),
            )
        before = self.through
        for line in self._lines:
            try:
                record = json.loads(line)
                if "domains" in record:
                    self._order = self._order_in(record["domains"])
                if record.get("through", 0) > self.through:
                    self._take(record)
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
                number, self._lines = (
                    self._lines.number,
                    LineTail(self.path),
                )  # from the start again: nothing is passed over
                if isinstance(error, ReweightvizError):
                    raise
                raise WrongContent(
                    path=self.path, line=number, reason=f"is no decision; got {line[:60]!r}"
                ) from error
        return self.through > before

    def at(self, step: int) -> Array:
        """The weights (K,) of a step that is decided."""
        return self._weights[bisect_right(self._starts, step) - 1]

    def decide(
        self, through: int, stages: Sequence[tuple[int, Array]], *, by: str = "", **why: Any
    ) -> None:
        """Write a decision, whole or not at all; ``by`` tells trainings apart, ``why`` is version, author, note."""
        record: dict[str, Any] = {"through": through, **({"by": by} if by else {})}
        if stages:
            there = np.argsort(self._order)
            record |= {
                "stages": [[step, weights[there].tolist()] for step, weights in stages],
                **why,
                "time": round(time.time(), 3),
            }
        header = [] if self._starts else [{"format": FORMAT, "domains": list(self.domains)}]
        self._writer.write(*header, record, durable=bool(stages))
        self._take(record)

    def schedule(self, *, steps: int | None = None) -> Schedule:
        """What was decided so far, as a schedule."""
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
        self.through, self.by = int(record["through"]), str(record.get("by", ""))

    def _order_in(self, theirs: Sequence[str]) -> NDArray[np.int64]:
        if sorted(theirs) != sorted(self.domains):
            raise WrongContent(
                path=self.path,
                reason=f"is the journal of other domains, {theirs!r:.60}; move it away, or "
                "make the live mixture anew",
            )
        return np.array([list(theirs).index(domain) for domain in self.domains])

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "domains": self.domains}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]
