"""Files or a table -> Arrow tables of complete documents, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.progress import tqdm
from reweightviz.readers.documents import arrow_file, delimited, jsonl, parquet, tables
from reweightviz.readers.documents._columns import ROW
from reweightviz.readers.documents._faults import Faults
from reweightviz.readers.documents._find_files import DocumentFile, label_files

__all__ = ["SUFFIXES", "read_tables"]


_READERS = {
    "Parquet": parquet,
    "JSON": jsonl,
    "Arrow": arrow_file,
    "CSV": delimited,
}
SUFFIXES = tuple(suffix for reader in _READERS.values() for suffix in reader.SUFFIXES)


def read_tables(
    source: Any, files: Sequence[DocumentFile], columns: Mapping[str, str], faults: Faults
) -> Iterator[tuple[DocumentFile | None, pa.Table]]:
    """Yield tables of documents with a domain and an id, each with the file that it is of.

    Args:
        source: a table, where there are no files.
        files: to read, one after the other.
        columns: role ("text", "domain", "id", "tokens" or any other) to name.
        faults: counts the rows that cannot be used.
    """
    if not files:
        with guard_reading("the table"):
            table = tables.read(source, columns, faults)
        yield None, _complete(table, None, "corpus", faults)
    labels = label_files(files)
    for file in tqdm(files, desc="reading", unit=" files", delay=1, leave=False):
        wanted = next(name for name, each in _READERS.items() if file.ends_in(each.SUFFIXES))
        with guard_reading(file, wanted):
            for rows in _READERS[wanted].read(file, columns, faults):
                yield file, _complete(rows, labels[file], file.domain, faults)


def _complete(table: pa.Table, label: str | None, domain: str, faults: Faults) -> pa.Table:
    """Return the rows that have text, domain, id and length; row numbers become ids."""
    if "domain" not in table.column_names:
        table = table.append_column("domain", pa.array([domain] * len(table), pa.large_string()))
    good = np.ones(len(table), bool)
    for role in ("text", "domain", "id", "tokens"):
        if role not in table.column_names:
            continue
        bad = table.column(role).is_null()
        need = role
        if role == "tokens":
            bad = pc.or_kleene(bad, pc.less(table.column(role), 0))
            need = "tokens that are 0 or more"
        # A row counts once, by the first thing that it lacks.
        for row in np.flatnonzero(bad.to_numpy() & good):
            number = table.column(ROW)[int(row)].as_py()
            faults.add(f"{label or 'the table'}, row {number}: no {need}")
        good &= ~bad.to_numpy()
    table = table.filter(pa.array(good))
    if "id" not in table.column_names:
        rows = table.column(ROW).to_pylist()
        names = [str(row - 1) if label is None else f"{label}:{row}" for row in rows]
        table = table.append_column("id", pa.array(names, pa.large_string()))
    return table.drop_columns([ROW])
