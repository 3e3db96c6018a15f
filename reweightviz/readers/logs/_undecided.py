"""A log that is followed before its first step: its format shows once there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader
from reweightviz.readers.logs._naming import Pattern

__all__ = ["Undecided", "UndecidedLog"]


class Undecided(NamedTuple):
    """The place of such a log.

    ``find`` returns its format and its runs by name, None while it shows none.
    """

    file: Path
    find: Callable[[Path], tuple[type[LogReader], Mapping[str, Any]] | None]


class UndecidedLog(LogReader):
    """Reads as the first format that finds a step, once one does."""

    name = "undecided"
    title = "a log without a step yet"

    def __init__(self, where: Undecided, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._pattern = pattern
        self._reader: LogReader | None = None
        self._size = 0

    @classmethod
    def runs(cls, path: Path) -> dict[str, Undecided]:
        """Return none: no file is known by what it lacks."""
        del path
        return {}

    def poll(self, records: Records) -> bool:
        """Feed what is new, as soon as the format is known."""
        if self._reader is None:
            self._reader = self._decide(records)
        return self._reader is not None and self._reader.poll(records)

    def _decide(self, records: Records) -> LogReader | None:
        where: Undecided = self.where
        if not where.file.is_file() or where.file.stat().st_size == self._size:
            return None
        self._size = where.file.stat().st_size
        found = where.find(where.file)
        if found is None:
            return None
        format_, places = found
        reader = format_(next(iter(places.values())), self._pattern)
        self.series = reader.series
        self.series.is_over = self.is_over
        records.extend_meta(format=format_.name)
        return reader
