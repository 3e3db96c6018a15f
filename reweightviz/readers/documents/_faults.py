"""Rows of documents that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reweightviz.core.errors import ReweightvizError, UnreadableFile

__all__ = ["SKIPPING", "Faults"]


SKIPPING = "on_error='skip' leaves such rows out"


@dataclass
class Faults:
    """Rows that cannot be used: the first one stops the reading, or all are counted."""

    skip: bool
    count: int = 0
    first: str = ""

    def add(self, sentence: str) -> None:
        """Count one more row of a table, or raise."""
        self._count(ReweightvizError(f"{sentence}; {SKIPPING}."), sentence)

    def add_line(self, path: Path, reason: str, line: int | None = None) -> None:
        """Count one more line of a file, or raise."""
        error = UnreadableFile(path=path, line=line, reason=f"{reason}; {SKIPPING}")
        place = path if line is None else f"{path}, line {line}"
        self._count(error, f"{place}: {reason}")

    def _count(self, error: ReweightvizError, sentence: str) -> None:
        if not self.skip:
            raise error
        self.first = self.first or sentence
        self.count += 1
