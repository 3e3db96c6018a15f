"""A run that another process still writes, read as far as it goes."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.records import Records
from reweightviz.core.runlog import RunLog
from reweightviz.readers._pace import Pace

__all__ = ["Reader", "Tail"]


class Reader(Protocol):
    """The reader of one run in one format."""

    def poll(self, records: Records) -> bool:
        """Feed what is new into the records; return whether there was something."""
        ...


class Tail:
    """A run that is still being written.

    Args:
        reader: of its format.
        records: the table that the reader fills.
        path: of the file or folder.
        quiet: seconds without news after which it no longer counts as live; None tells them from
            the run's own pace.
        wanted: what it is read as, for sentences.
        clock: tells the time in Unix seconds.

    Example:
        >>> from reweightviz.core.run_lines import RunLineReader
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.jsonl"
        >>> _ = RunLog(("web",), [10], [[1.0]]).save(path)
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
        quiet: float | None = None,
        wanted: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(path)
        self._pace = Pace(quiet)
        self._clock = clock
        self.wanted = wanted
        self.records = records
        self.problem = ""
        """The error of the last poll, in a sentence; empty where there was none."""
        self._reader = reader
        self._last_update: float | None = None
        self._log: RunLog | None = None
        self._lock = threading.Lock()  # a widget polls from a thread of its own

    def poll(self) -> bool:
        """Read what is new; return whether there was something.

        Costs as much as the news, however long the log is already.

        Raises:
            ReweightvizError: what came is none of its format; the next poll goes on after it.
        """
        with self._lock:
            rows_before = len(self.records)
            is_first = self._last_update is None
            has_news = False
            try:
                with guard_reading(self.path, self.wanted):
                    has_news = self._reader.poll(self.records)
                self.problem = ""
            # Kept as well as raised: a widget that polls shows it.
            except Exception as problem:
                self.problem = str(problem)
                raise
            finally:
                if is_first or has_news or len(self.records) != rows_before:
                    self._log = None
                    self._last_update = self._clock()
                if is_first:
                    # A log that was finished long ago is not live for being opened now.
                    written = _newest_change(self.path)
                    self._last_update = written or self._last_update
                    self._pace.begin(self.records.times, written)
                elif self._log is None:
                    self._pace.add_news(self._last_update or self._clock())
            return has_news

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
        """True once the writer closed the run."""
        return self.records.ended

    @property
    def gone(self) -> bool:
        """True while nothing lies at the path any more.

        What was read stays, and reading goes on when the file is back.
        """
        return not self.path.exists()

    @property
    def last_update(self) -> float | None:
        """Time of the last news in Unix seconds; None before the first look."""
        return self._last_update

    @property
    def age(self) -> float:
        """Seconds since the last news."""
        if self._last_update is None:
            return math.inf
        return max(0.0, self._clock() - self._last_update)

    @property
    def usual(self) -> float | None:
        """Seconds from one news to the next, as they usually are; None where that is not known."""
        return self._pace.usual

    @property
    def quiet(self) -> float:
        """Seconds without news after which it is late: several times as long as usual."""
        return self._pace.quiet

    @property
    def live(self) -> bool:
        """True while the run goes on: not ended, its file there, and news not long ago."""
        return not (self.ended or self.gone or self.age > self.quiet)

    def status(self) -> str:
        """Return the state of the run in a few words."""
        step = self.last_step
        at = "no step yet" if step is None else f"step {step:,}"
        if self.ended:
            return f"ended · {at}"
        if self.gone and step is None:
            return f"waiting for {self.path.name}"
        if self.gone:
            return f"gone: {self.path.name} is not there any more · {at}"
        if self.live:
            return f"live · {at} · {_in_words(self.age)} ago"
        late = f"no news for {_in_words(self.age)}"
        if self.usual is not None:
            late = f"late: {late}, usually every {_in_words(self.usual)}"
        return f"{late} · {at}"

    def __repr__(self) -> str:
        return f"Tail({str(self.path)!r}, {self.status()})"


def _newest_change(path: Path) -> float | None:
    """Return when the file, or the newest one of a folder, was written; None if there is none."""
    files = path.rglob("*") if path.is_dir() else [path]
    return max((file.stat().st_mtime for file in files if file.is_file()), default=None)


def _in_words(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
