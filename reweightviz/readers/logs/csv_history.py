"""CSV tables of a run (Lightning's CSVLogger, exports of W&B): by step, or by step and domain."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import ClassVar, NamedTuple

import pandas as pd

from reweightviz.core.errors import UnreadableFile
from reweightviz.core.lines import LineTail
from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader, files_of, head_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._table import feed_table, step_of
from reweightviz.readers.logs.numbers_table import COLUMNS

__all__ = ["BYTE_ORDER_MARK", "RUN", "CsvHistory", "CsvRun", "header_of"]


RUN = " - "
"""Separator of run and metric in the columns of a chart that W&B exports."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class CsvRun(NamedTuple):
    """The place of a run: a file, and where a chart holds several, how its columns begin."""

    file: Path
    prefix: str = ""


class CsvHistory(LogReader):
    """A table that may grow."""

    name = "csv"
    title = "CSV"
    files: ClassVar[tuple[str, ...]] = ("*.csv", "*.tsv")

    def __init__(self, where: CsvRun, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._lines = LineTail(where.file)
        self._header: list[str] = []
        self._separator = ","
        self.begin()

    @classmethod
    def runs(cls, path: Path) -> dict[str, CsvRun]:
        """Return every table with a column of steps; a file that is named may lack it."""
        found: dict[str, CsvRun] = {}
        for stem, file in files_of(path, *cls.files).items():
            header, _ = header_of(head_of(file))
            is_asked_for = path.is_file() and file.suffix in (".csv", ".tsv")
            if header == list(COLUMNS):
                continue  # a row a number, which that format alone reads
            if header and (step_of(header) or is_asked_for):
                found |= _runs_of(stem, file, header)
        return found

    @classmethod
    def has_own_name(cls, place: CsvRun) -> bool:
        """Return whether it is a run of a chart."""
        return bool(place.prefix)

    @classmethod
    def place_of(cls, path: Path) -> CsvRun:
        """Return the place of a table that is still to be written."""
        return CsvRun(path)

    def begin(self) -> None:
        """Forget the columns and rows: the file begins, for the first time or anew."""
        self._is_at_header = True
        self._rows = 0

    def poll(self, records: Records) -> bool:
        """Feed the rows that are new."""
        has_news = False
        for block in self.blocks(self._lines, records):
            rows = block
            if self._is_at_header:
                first, _, rows = block.partition(b"\n")
                self._header, self._separator = header_of(first + b"\n")
                self._is_at_header = False
            if rows.strip():
                has_news = True
                self._feed(records, rows)
        return has_news

    def is_whole(self, line: bytes) -> bool:
        """Return whether it has a field a column; the last field may lack its end all the same."""
        fields = next(csv.reader([line.decode("utf-8", "replace")], delimiter=self._separator), [])
        return len(fields) == len(self._header)

    def _feed(self, records: Records, rows: bytes) -> None:
        try:
            # As text: pandas would make one NaN of an empty cell and of a NaN that was logged.
            table = pd.read_csv(
                io.BytesIO(rows),
                sep=self._separator,
                names=self._header,
                header=None,
                index_col=False,
                dtype=object,
                keep_default_na=False,
                na_values=[""],
            )
        except (ValueError, pd.errors.ParserError) as error:
            raise UnreadableFile(
                path=self.where.file, wanted="CSV", reason=" ".join(str(error).split())
            ) from error
        prefix = self.where.prefix
        if prefix:
            # Not what begins alike alone: "a - b - loss" is of the run "a - b", not of "a".
            runs = {name: name.rpartition(RUN)[0] for name in table}
            own = [name for name, run in runs.items() if run in ("", prefix.removesuffix(RUN))]
            table = table[own].set_axis([name.removeprefix(prefix) for name in own], axis=1)
        feed_table(self.series, records, table, self._rows)
        self._rows += len(table)


def header_of(head: bytes) -> tuple[list[str], str]:
    """Return the names of the columns and what separates them.

    A header is text and ends with its line; without one there are no names.
    """
    line, end, _ = head.removeprefix(BYTE_ORDER_MARK).partition(b"\n")
    try:
        text = line.decode("utf-8").strip("\r")
    except UnicodeDecodeError:
        return [], ","
    if "\r" in text:  # of a progress bar
        return [], ","
    separator = max(",\t;", key=text.count)
    names = next(csv.reader([text], delimiter=separator), [])
    is_text = text.replace("\t", " ").isprintable() and not text.startswith("{")
    if not end or not is_text or len(names) < 2:
        return [], separator
    return [name.strip() for name in names], separator


def _runs_of(stem: str, file: Path, header: list[str]) -> dict[str, CsvRun]:
    """Return the runs of a chart by name, or the one run of any other table."""
    # The last one: the names of runs hold the separator more often than those of metrics.
    runs = dict.fromkeys(name.rpartition(RUN)[0] for name in header if RUN in name)
    is_chart = sum(RUN in name for name in header) >= len(header) - 1
    if runs and is_chart:
        return {run: CsvRun(file, run + RUN) for run in runs}
    return {stem: CsvRun(file)}
