"""CSV tables of a run: a row a step and a column a tag (Lightning's CSVLogger, exports of W&B), or a row a step and domain."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd

from reweightviz.core.errors import UnreadableFile
from reweightviz.core.lines import LineTail
from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader, files_of, head_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._series import Series
from reweightviz.readers.logs.json_rows import seconds

STEPS = (
    "step",
    "_step",
    "global_step",
    "iteration",
    "iter",
    "steps",
    "train/global_step",
    "trainer/global_step",
)
TIMES = ("_timestamp", "timestamp", "wall time", "wall_time", "time")
DOMAINS = ("domain", "dataset", "data_source", "source", "task", "subset")
BOUNDS = ("__MIN", "__MAX")
"""What W&B appends to the columns that bound a line of a chart."""
RUN = " - "
"""What W&B writes between a run and a metric when it exports a chart."""


class Run(NamedTuple):
    """A file and, where a chart of W&B holds several runs, what the columns of this one begin with."""

    file: Path
    prefix: str = ""


class CsvHistory(LogReader):
    """A table that may grow."""

    name = "csv"
    title = "CSV"
    files: ClassVar[tuple[str, ...]] = ("*.csv", "*.tsv")

    def __init__(self, where: Run, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._lines = LineTail(where.file)
        self._rotation = -1
        self._header: list[str] = []
        self._separator = ","
        self._rows = 0

    @classmethod
    def runs(cls, path: Path) -> dict[str, Run]:
        """Every table with a column of steps; of a folder, those of its own."""
        found: dict[str, Run] = {}
        for stem, file in files_of(path, *cls.files).items():
            header, _ = header_of(head_of(file))
            if not (
                step_of(header) or (path.is_file() and file.suffix in (".csv", ".tsv") and header)
            ):
                continue
            prefixes = dict.fromkeys(name.partition(RUN)[0] for name in header if RUN in name)
            whole = sum(RUN in name for name in header) >= len(header) - 1
            found |= (
                {prefix: Run(file, prefix + RUN) for prefix in prefixes}
                if whole and prefixes
                else {stem: Run(file)}
            )
        return found

    @classmethod
    def at(cls, path: Path) -> Run:
        """A table that is still to be written."""
        return Run(path)

    def poll(self, records: Records) -> bool:
        """Feed the rows that are new."""
        news = False
        for block in self.blocks(self._lines, records):
            rows = block
            if self._rotation != self._lines.rotations:
                self._rotation, self._rows = self._lines.rotations, 0
                first, _, rows = block.partition(b"\n")
                self._header, self._separator = header_of(first + b"\n")
            if rows.strip():
                news = True
                self._feed(records, rows)
        return news

    def is_whole(self, line: bytes) -> bool:
        """It has a field a column; of the last field nobody can tell."""
        fields = next(csv.reader([line.decode("utf-8", "replace")], delimiter=self._separator), [])
        return len(fields) == len(self._header)

    def _feed(self, records: Records, rows: bytes) -> None:
        try:
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
            kept = [name for name in table if RUN not in name or name.startswith(prefix)]
            table = table[kept].set_axis([name.removeprefix(prefix) for name in kept], axis=1)
        feed_table(self.series, records, table, self._rows)
        self._rows += len(table)


def header_of(head: bytes) -> tuple[list[str], str]:
    """The names of the columns and what separates them; a header is text and ends with its line."""
    line, end, _ = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    try:
        text = line.decode("utf-8").strip("\r")
    except UnicodeDecodeError:
        return [], ","
    separator = max(",\t;", key=text.count)
    names = next(csv.reader([text], delimiter=separator), [])
    plain = bool(end) and text.replace("\t", " ").isprintable() and not text.startswith("{")
    return ([name.strip() for name in names] if plain and len(names) > 1 else []), separator


def step_of(header: list[str]) -> str | None:
    """The column of steps."""
    lower = {name.lower(): name for name in reversed(header)}
    return next((lower[name] for name in STEPS if name in lower), None)


def feed_table(series: Series, records: Records, table: pd.DataFrame, before: int = 0) -> None:
    """Rows of a table, in the order in which they were logged; ``before`` counts those that were fed already."""
    extras = series.naming.extras
    columns = [str(name) for name in table.columns]
    step, lower = (
        str(extras.get("step") or step_of(columns) or ""),
        {name.lower(): name for name in columns},
    )
    time = str(extras.get("time") or next((lower[name] for name in TIMES if name in lower), ""))
    if step not in columns:
        if not before:
            records.extend_meta(
                notes=[
                    "There is no column of steps; the rows are counted. pattern={'step': "
                    "...} names one."
                ]
            )
        steps = pd.Series(np.arange(before + 1, before + 1 + len(table), dtype=np.float64))
    else:
        steps = pd.to_numeric(table[step], errors="coerce")
    table = table[steps.notna().to_numpy()].reset_index(drop=True)
    whole = steps.dropna().to_numpy(np.float64).astype(np.int64)
    clock = (
        np.array(
            [
                np.nan if (found := seconds(_plain(value))) is None else found
                for value in table[time]
            ],
            np.float64,
        )
        if time in columns
        else None
    )
    domain = next((lower[name] for name in DOMAINS if name in lower), None)
    left = [
        name
        for name in columns
        if name not in (step, time, domain, "_runtime") and not name.endswith(BOUNDS)
    ]
    numbers = {name: _numbers(table[name]) for name in left}
    numbers = {
        name: values
        for name, values in numbers.items()
        if not np.isnan(values).all() or name in series.naming.tags
    }
    if domain is None:
        if len(whole):
            series.table(records, whole, numbers, clock)
        return
    for row, (at, name) in enumerate(zip(whole.tolist(), table[domain], strict=True)):
        for tag, values in numbers.items():
            if not np.isnan(values[row]):
                series.point(
                    f"{tag}/{name}",
                    at,
                    float(values[row]),
                    np.nan if clock is None else float(clock[row]),
                )
    series.flush(records)


def _numbers(column: pd.Series) -> np.ndarray:
    """Numbers (n,); NaN where there is nothing or text, infinite where a NaN was logged."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    odd = ~np.isfinite(numbers)
    if odd.any():
        said = (
            column.astype(str)
            .str.strip()
            .str.lower()
            .isin(["nan", "inf", "-inf", "infinity", "-infinity"])
            & column.notna()
        )
        numbers = np.where(odd, np.where(said.to_numpy(), np.inf, np.nan), numbers)
    return numbers


def _plain(value: object) -> object:
    try:
        return float(str(value))
    except ValueError:
        return str(value)
