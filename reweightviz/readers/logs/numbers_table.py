"""The table that ``rv.Monitor(...).save("runs.csv")`` writes: a row a number, of runs by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from reweightviz.core.csv_table import unguard_text
from reweightviz.core.records import Records
from reweightviz.core.types import Array
from reweightviz.readers.logs._log_reader import LogReader, files_of, head_of, stamp_of
from reweightviz.readers.logs._naming import Pattern

__all__ = ["COLUMNS", "NumbersRun", "NumbersTable"]


_TEXT = pa.dictionary(pa.int32(), pa.string())  # each name stored once
COLUMNS = {
    "run": _TEXT,
    "step": pa.int64(),
    "tokens": pa.float64(),
    "time": pa.float64(),
    "domain": _TEXT,
    "signal": _TEXT,
    "value": pa.float64(),
}


class NumbersRun(NamedTuple):
    """The place of a run: a file, and its name there."""

    file: Path
    run: str


class NumbersTable(LogReader):
    """One run of such a table; it names its signals and domains, so a pattern changes nothing."""

    name = "numbers"
    title = "the table that rv.Monitor saves"

    def __init__(self, where: NumbersRun, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._stamp: tuple[int, int] | None = None

    @classmethod
    def runs(cls, path: Path) -> dict[str, NumbersRun]:
        """Return the runs of every such table."""
        found: dict[str, NumbersRun] = {}
        for stem, file in files_of(path, "*.csv").items():
            if not _is_ours(head_of(file)):
                continue
            for run in _Texts.of(_read(file, ["run"])["run"]).names:
                name = f"{stem}/{run}" if run in found else run
                found[name] = NumbersRun(file, run)
        return found

    @classmethod
    def has_own_name(cls, place: NumbersRun) -> bool:  # noqa: ARG003
        """Return True: the table names its runs."""
        return True

    def poll(self, records: Records) -> bool:
        """Feed the steps that the table has beyond those that were fed."""
        stamp = stamp_of(self.where.file)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        table = _read(self.where.file, list(COLUMNS))
        runs = _Texts.of(table["run"])
        is_new = runs.codes == runs.names.index(self.where.run)
        if records.last_step is not None:
            is_new &= table["step"].to_numpy() > records.last_step
        if is_new.any():
            _feed(records, table.filter(pa.array(is_new)))
        return bool(is_new.any())


class _Texts(NamedTuple):
    """A column of texts: the different ones, and each cell's place (n,), -1 where it is empty."""

    names: list[str]
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> _Texts:
        cells = column.unify_dictionaries().combine_chunks()
        names = [unguard_text(name) for name in cells.dictionary.to_pylist()]
        return cls(names, cells.indices.fill_null(-1).to_numpy().astype(np.int64))


def _is_ours(head: bytes) -> bool:
    first = head.partition(b"\n")[0].decode("utf-8", "replace")
    return first.strip().replace('"', "").split(",") == list(COLUMNS)


def _read(file: Path, columns: Sequence[str]) -> pa.Table:
    return pa.csv.read_csv(
        file,
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types=COLUMNS,
            include_columns=columns,
            # A scalar has no domain; the domain "" has an empty name, in quotes.
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        ),
    )


def _feed(records: Records, table: pa.Table) -> None:
    """Feed the rows of one run, in whichever order they stand."""
    steps, first, row = np.unique(table["step"].to_numpy(), return_index=True, return_inverse=True)
    domains = _Texts.of(table["domain"])
    signals = _Texts.of(table["signal"])
    values = table["value"].to_numpy()
    has_domain = domains.codes >= 0
    codes = list(dict.fromkeys(domains.codes[has_domain].tolist()))
    records.add_domains(domains.names[code] for code in codes)
    places = {name: k for k, name in enumerate(records.domains)}
    place = np.array([places.get(name, 0) for name in domains.names] or [0])
    tables: dict[str, Array] = {}
    scalars: dict[str, Array] = {}
    for code, signal in enumerate(signals.names):
        is_it = signals.codes == code
        by_domain = is_it & has_domain
        if by_domain.any():
            cells = np.full((len(steps), len(places)), np.nan)
            cells[row[by_domain], place[domains.codes[by_domain]]] = values[by_domain]
            tables["weights" if signal == "weight" else signal] = cells
        if (is_it & ~has_domain).any():
            scalars[signal] = np.full(len(steps), np.nan)
            scalars[signal][row[is_it & ~has_domain]] = values[is_it & ~has_domain]
    records.extend(
        steps,
        weights=tables.pop("weights", None),
        signals=tables,
        scalars=scalars,
        time=table["time"].to_numpy()[first],
        tokens=table["tokens"].to_numpy()[first],
    )
