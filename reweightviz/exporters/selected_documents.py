"""Selected documents as a file that any trainer reads, in the order in which they were picked.

The file is Parquet, JSON lines or CSV. With the corpus, each row holds ``id``, ``domain``, ``text``
and ``tokens``; without it the ids alone, for a pipeline that has the documents. A ``weight`` stands
beside each where the selection has weights.

Parquet and JSON lines hold every text exactly, and are what to train on. CSV is for people and
their spreadsheets, which would run a document that begins with ``=``: it gets the guard of
:mod:`reweightviz.core.csv_table`, a ``'``, and a warning counts such cells, since a trainer would
learn the ``'`` too. ``guard=False`` writes the texts exactly; ids and domains, which only
``rv.load_selection`` and people read, are guarded even then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from operator import ne
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reweightviz.core.corpus import Corpus
from reweightviz.core.csv_table import encode_table, guard_text, unguard_text
from reweightviz.core.errors import (
    MissingColumn,
    ReweightvizError,
    UnknownName,
    UnreadableFile,
    UnwritableFile,
    WrongContent,
    warn,
)
from reweightviz.core.files import Content, write_all
from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.json_text import parse_json
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.local_path import check_local
from reweightviz.core.parquet_table import read_parquet
from reweightviz.core.selection import ORIGIN, Selection, check_origin, find_rows
from reweightviz.core.validation import check_unique
from reweightviz.exporters import provenance
from reweightviz.exporters.document import PathLike
from reweightviz.exporters.text.encoding import to_json

__all__ = ["FORMATS", "READERS", "UNIT", "read", "write"]


FORMATS = {"parquet": ".parquet", "jsonl": ".jsonl", "csv": ".csv"}
_ROWS = 10_000  # encoded at once
UNIT = "one row is one selected document, in the order it was picked"


def write(
    selection: Selection,
    framework: str,
    path: PathLike,
    *,
    corpus: Corpus | None = None,
    overwrite: bool = False,
    guard: bool = True,
) -> Path:
    """Write the documents of a selection, and the choice in ``<path>.provenance.json``.

    Args:
        selection: (n,) documents.
        framework: "parquet", "jsonl" or "csv"; datasets, TRL, LLaMA-Factory and the like read all
            three.
        path: the file.
        corpus: the one that the selection was made from; adds domain, text and tokens.
        overwrite: replace what is there.
        guard: in CSV, put ``'`` before a text that a spreadsheet would run as a formula.

    Returns:
        ``path``.

    Raises:
        ReweightvizError: there is no such format, the file is there, or a document cannot be
            encoded.
    """
    if framework not in FORMATS:
        raise UnknownName(kind="format of selected documents", name=framework, known=FORMATS)
    target = Path(path)
    sidecar = _sidecar(target)
    there = [file for file in (target, sidecar) if file.exists()]
    if there and not overwrite:
        raise UnwritableFile(
            path=there[0], reason="it exists already; pass overwrite=True to replace it"
        )
    table = _table(selection, corpus)
    record = provenance.stamp(framework, UNIT) | {
        "how": to_jsonable(selection.how),
        "documents": len(selection),
    }
    if "tokens" in table:
        record["tokens"] = int(table["tokens"].sum())
    if framework == "csv":
        record["guarded"] = _guard(table, target, has_guard=guard)
    write_all({sidecar: to_json(record), target: _encode(table, framework)})
    return target


def read(path: PathLike, corpus: Corpus) -> Selection:
    """Read the selection of a file, as rows of a corpus that has its ids.

    Raises:
        ReweightvizError: the file cannot be read, has no column ``id``, the corpus lacks one, or
            the file holds rows of another corpus.
    """
    check_local(path)
    file = Path(path)
    with guard_reading(file):
        table = READERS.get(file.suffix, _read_lines)(file)
        if "id" not in table:
            raise MissingColumn(column="id", available=table, who=str(file))
        ids = table["id"].astype(str).tolist()
        weight = None
        if "weight" in table:
            weight = table["weight"].to_numpy(np.float64)
    how = {"read_from": str(file)} | _read_origin(file)
    check_origin(how, corpus)
    return Selection(corpus.rows(ids), np.array(ids, object), how, weight)


def _sidecar(file: Path) -> Path:
    return file.with_name(f"{file.name}.{provenance.FOLDER_RECORD}")


def _read_origin(file: Path) -> dict[str, str]:
    """Return what the record beside a file says of the corpus; nothing where it says nothing."""
    how = provenance.read_record(_sidecar(file), file.name).get("how") or {}
    origin = how.get(ORIGIN)
    if origin is None:
        return {}
    return {ORIGIN: origin}


def _table(selection: Selection, corpus: Corpus | None) -> pd.DataFrame:
    columns: dict[str, Any] = {"id": selection.ids}
    if corpus is not None:
        rows = find_rows(selection, corpus)
        columns |= {
            "domain": np.array(corpus.domains, object)[corpus.domain_codes[rows]],
            "text": corpus.text(rows),
            "tokens": corpus.tokens[rows],
        }
    if selection.weight is not None:
        columns["weight"] = selection.weight
    return pd.DataFrame(columns)


def _guard(table: pd.DataFrame, target: Path, *, has_guard: bool) -> int:
    """Guard the texts of a table in its place; return the number of cells that got a guard."""
    guarded = 0
    for column in ("id", "domain", "text"):
        if column not in table or (column == "text" and not has_guard):
            continue
        cells = [guard_text(str(text)) for text in table[column]]
        guarded += sum(map(ne, cells, table[column]))
        table[column] = cells
    if guarded:
        warn(
            f"{guarded:,} cells of {target} begin as formulas do, and have a ' before them. "
            'rv.load_selection takes it away; a trainer would not: export "jsonl" for it.'
        )
    return guarded


def _encode(table: pd.DataFrame, framework: str) -> Content:
    try:
        if framework == "parquet":
            return bytes(table.to_parquet(index=False))
        if framework == "csv":
            return encode_table(pa.Table.from_pandas(table, preserve_index=False))
        return _write_lines(table)
    except UnicodeEncodeError as error:
        raise ReweightvizError(
            f"a selected document holds half a character, which {framework} cannot: {error.reason}."
        ) from error


def _write_lines(table: pd.DataFrame) -> Iterator[str]:
    """Yield JSON lines, a part of the table at a time; numbers have all their digits."""
    for start in range(0, len(table), _ROWS):
        rows = table.iloc[start : start + _ROWS].to_dict("records")
        yield "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in map(_drop_nan, rows))


def _drop_nan(row: Mapping[Any, Any]) -> dict[Any, Any]:
    # NaN alone differs from itself; JSON has no such number.
    return {name: value if value == value else None for name, value in row.items()}  # noqa: PLR0124


def _read_csv(file: Path) -> pd.DataFrame:
    header = pd.read_csv(file, header=None, nrows=1, dtype=str, keep_default_na=False)
    check_unique("column", header.iloc[0], str(file))
    # Ids such as 001, and texts such as NA, stay as they are written.
    table = pd.read_csv(
        file,
        dtype=str,
        keep_default_na=False,
        usecols=lambda column: column != "text",  # by far the largest, and not asked for
    )
    if "id" in table:
        table["id"] = list(map(unguard_text, table["id"]))
    if "weight" in table:
        # By Python, as not every pandas reads the last digit.
        table["weight"] = [float(cell or "nan") for cell in table["weight"]]
    return table


def _read_lines(file: Path) -> pd.DataFrame:
    # Not by splitlines: it also breaks at characters such as U+2028, which JSON text may hold.
    lines = file.read_text("utf-8-sig").split("\n")
    try:
        rows = [parse_json(line) for line in lines if line.strip()]
    except ReweightvizError as error:
        raise UnreadableFile(path=file, reason=error) from error
    if not all(isinstance(row, Mapping) for row in rows):
        raise WrongContent(path=file, reason="is no file of JSON lines, each a mapping with 'id'")
    return pd.DataFrame(rows)


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".parquet": lambda file: read_parquet(file, file),
    ".csv": _read_csv,
}
"""Ending to reader; every other file is read as JSON lines."""
