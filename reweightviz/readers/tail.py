"""A run that another process still writes, read as far as it goes."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Protocol

from reweightviz.core.records import Records
from reweightviz.core.runlog import RunLog

QUIET = 300.0
"""Seconds without news after which a run no longer counts as live."""


class Reader(Protocol):
    """One format: reads what is new."""

    def poll(self, records: Records) -> bool:
        """Feed what is new into the records; True when there was something."""
        ...


class Tail:
    """A run that is still being written, read as far as it goes.

    Args:
        reader: of its format.
        records: what the reader fills.
        path: of the file or folder.
        quiet: seconds without news after which it no longer counts as live.

    Example:
        >>> from reweightviz.core.run_lines import RunLineReader
        >>> import tempfile, pathlib
        >>> path = RunLog(("web",), [10], [[1.0]]).save(pathlib.Path(tempfile.mkdtemp()) / "run.jsonl")
        >>> tail = Tail(RunLineReader(path), Records(), path)
        >>> tail.poll(), tail.poll(), tail.live, len(tail.log)
        (True, False, True, 1)
        >>> tail.status()
        'live · step 10 · 0 s ago'
    """

    def __init__(
        self,
        reader: Reader,
        records: Records,
        path: str | os.PathLike[str],
        *,
        quiet: float = QUIET,
    ) -> None:
        self.path, self.quiet = Path(path), quiet
        self.records = records
        self.problem = ""
        """What was wrong with what came last, in a sentence."""
        self._reader = reader
        self._updated: float | None = None
        self._log: RunLog | None = None
        self._lock = threading.Lock()  # a widget polls from a thread of its own

    def poll(self) -> bool:
        """Read what is new; True when there was something. Costs as much as the news, however long the log is already.

        Raises:
            ReweightvizError: a line that is none of its format; the next poll goes on after it.
        """
        with self._lock:
            before, first, news = len(self.records), self._updated is None, False
            try:
                news = self._reader.poll(self.records)
                self.problem = ""
            except Exception as problem:
                self.problem = str(problem)
                raise
            finally:
                if first or news or len(self.records) != before:
                    self._log = None
                    self._updated = (_written(self.path) if first else None) or time.time()
            return news

    @property
    def log(self) -> RunLog:
        """The run so far, as :meth:`reweightviz.core.runlog.RunLog.of_records` gives it."""
        with self._lock:
            if self._log is None:
                self._log = RunLog.of_records(self.records)
            return self._log

    @property
    def last_step(self) -> int | None:
        """The step of the last row."""
        return self.records.last_step

    @property
    def generation(self) -> int:
        """Count of the changes to rows before the last one."""
        return self.records.generation

    @property
    def ended(self) -> bool:
        """The writer said that the run is over."""
        return self.records.ended

    @property
    def gone(self) -> bool:
        """There is nothing at the path any more; what was read stays, and reading goes on when it is back."""
        return not self.path.exists()

    @property
    def last_update(self) -> float | None:
        """When the last news came, in Unix seconds; None before the first look."""
        return self._updated

    @property
    def age(self) -> float:
        """Seconds since the last news."""
        return float("inf") if self._updated is None else max(0.0, time.time() - self._updated)

    @property
    def live(self) -> bool:
        """False when the writer said that it ended, when the file is gone, or when nothing came for a while."""
        return not (self.ended or self.gone or self.age > self.quiet)

    def status(self) -> str:
        """How it stands, in a few words."""
        step = self.last_step
        at = "no step yet" if step is None else f"step {step:,}"
        if self.ended:
            return f"ended · {at}"
        if self.gone:
            return (
                f"waiting for {self.path.name}"
                if step is None
                else f"gone: {self.path.name} is not there any more · {at}"
            )
        return (
            f"live · {at} · {_ago(self.age)} ago"
            if self.live
            else f"no news for {_ago(self.age)} · {at}"
        )

    def __repr__(self) -> str:
        return f"Tail({str(self.path)!r}, {self.status()})"


def _written(path: Path) -> float | None:
    """When the file, or the newest one of a folder, was written."""
    files = path.rglob("*") if path.is_dir() else [path]
    return max((file.stat().st_mtime for file in files if file.is_file()), default=None)


def _ago(seconds: float) -> str:
    for unit, each in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= each:
            return f"{seconds / each:.0f} {unit}"
    return f"{seconds:.0f} s"
