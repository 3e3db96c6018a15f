"""Rows of documents that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass

from reweightviz.core.errors import ReweightvizError, UnreadableFile, warn
from reweightviz.readers.documents._find_files import DocumentFile

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

    def add_line(self, file: DocumentFile, reason: str, line: int | None = None) -> None:
        """Count one more line of a file, or raise."""
        error = UnreadableFile(path=file.name, line=line, reason=f"{reason}; {SKIPPING}")
        place = str(file) if line is None else f"{file}, line {line}"
        self._count(error, f"{place}: {reason}")

    def report(self, rows: int, where: str) -> None:
        """Refuse documents of which no ``rows`` are left, and warn of those that were left out."""
        if not rows:
            raise ReweightvizError(f"{where} has no documents; {self.count} rows were skipped.")
        if self.count:
            warn(f"{self.count} rows were skipped, the first because of {self.first}.")

    def _count(self, error: ReweightvizError, sentence: str) -> None:
        if not self.skip:
            raise error
        self.first = self.first or sentence
        self.count += 1
