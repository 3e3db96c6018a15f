"""Tables of runs, in a file or in memory."""

from __future__ import annotations

import csv
import io
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from json import JSONDecodeError
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from reweightviz.core.errors import (
    InvalidArgument,
    ReweightvizError,
    UnreadableFile,
    WrongContent,
)
from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.json_text import parse_json
from reweightviz.core.local_path import check_local
from reweightviz.core.parquet_table import read_parquet
from reweightviz.core.unfolding import MOST_TIMES
from reweightviz.core.validation import check_unique
from reweightviz.readers.documents._find_files import PACKINGS
from reweightviz.readers.documents._open_bounded import unpack
from reweightviz.readers.documents.parquet import SUFFIXES as PARQUET
from reweightviz.readers.swarms._run_names import ends_in_mixture

__all__ = ["INSTEAD_OF_URL", "SUFFIXES", "Table", "describe_table", "is_table", "read_table"]


Table: TypeAlias = Any
"""A path, a DataFrame (pandas, Polars), an Arrow table, a mapping or a list of mappings."""
TEXT = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
SUFFIXES = (*TEXT, *PARQUET, *PACKINGS)
MOST_BYTES = 2**27
"""Of a file, unpacked; tables of runs have some megabytes."""
FREE_BYTES = 2**24
"""That a packed file may unfold to, beside some times its own; a table takes several times that."""
INSTEAD_OF_URL = "download it, or pass the table that pandas.read_csv makes of it"


def is_table(source: object) -> bool:
    """Return whether something is a table or the path of one; other text names columns.

    >>> is_table("runs.csv"), is_table([{"run": "a"}]), is_table("eval/*"), is_table(["loss"])
    (True, True, False, False)
    """
    if isinstance(source, str):
        is_file = source.lower().endswith(SUFFIXES) or Path(source).is_file()
        return is_file or "://" in source  # which is refused where it is read
    if isinstance(source, os.PathLike | pd.DataFrame | Mapping) or hasattr(source, "to_pandas"):
        return True
    return isinstance(source, Sequence) and bool(source) and isinstance(source[0], Mapping)


def describe_table(source: Table) -> str:
    """Return the path of a table for a sentence, or that it is one in memory."""
    return os.fsdecode(source) if isinstance(source, str | os.PathLike) else "the table"


def read_table(role: str, source: Table) -> pd.DataFrame:
    """Return a table whose columns are named by text, each once.

    Args:
        role: of the table, in a sentence: "runs", "metrics".
        source: CSV, TSV, text with white space between its fields, JSON, JSON lines or Parquet; or
            a table in memory. Text without a header has a run, a target and a loss a line, or
            mixtures such as ``0.25-0.75``, as public results on mixing laws have it.

    Raises:
        ReweightvizError: the file cannot be read.
    """
    with guard_reading(describe_table(source), f"a table of {role}"):
        if isinstance(source, str | os.PathLike):
            table = _read_file(role, source)
        else:
            table = _from_memory(role, source)
        table = table.rename(columns=str).reset_index(drop=True)
        check_unique("column", filter(None, table.columns), f"the table of {role}")
        return table


def _read_file(role: str, source: str | os.PathLike[str]) -> pd.DataFrame:
    check_local(source, INSTEAD_OF_URL)
    path = Path(source)
    if not path.exists():
        raise UnreadableFile(
            path=source, wanted=f"a table of {role}", reason="there is no such file"
        )
    suffix = path.suffix.lower()
    # What reads more than it unpacks to is no table of runs, and would fill the memory.
    with path.open("rb") as raw, unpack(raw, suffix) as file:
        size = path.stat().st_size
        most = min(MOST_BYTES, FREE_BYTES + MOST_TIMES * size)
        content = file.read(most + 1)
    if len(content) > most:
        raise UnreadableFile(
            path=source, wanted=f"a table of {role}", reason=f"it has more than {most} bytes"
        )
    if content[:4] == b"PAR1":
        return read_parquet(content, path)
    # Every end of a line becomes one, as in a file that is opened as text.
    text = io.StringIO(content.decode("utf-8-sig"), newline=None).read()
    if text.lstrip()[:1] in ("[", "{"):
        return _from_json(path, text)
    return _from_text(path, text, suffix)


def _from_memory(role: str, source: Any) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return source
    if hasattr(source, "collect"):  # a LazyFrame of Polars
        source = source.collect()
    if hasattr(source, "to_pandas"):
        return pd.DataFrame(source.to_pandas())
    if isinstance(source, Mapping | Sequence) and not isinstance(source, str):
        return pd.DataFrame(source)
    raise InvalidArgument(
        name=f"the table of {role}",
        value=source,
        expected="a path, a DataFrame or a list of mappings",
        got=type(source).__name__,
    )


# ---- text


def _from_text(path: Path, text: str, suffix: str) -> pd.DataFrame:
    """Return a table of CSV, TSV or text with white space between its fields."""
    separator = _separator(text.lstrip().partition("\n")[0], suffix)
    rows = list(itertools.islice(_rows(text, separator), 2))
    if not rows:
        raise WrongContent(path=path, reason="is empty")
    names = _name_headless(rows[0])
    if names is None:
        check_unique("column", filter(None, rows[0]), str(path))
        _check_width(path, *rows)
    return pd.read_csv(
        io.StringIO(text), sep=separator, names=names, skipinitialspace=True, index_col=False
    )


def _separator(line: str, suffix: str) -> str:
    for mark in ("\t", ",", ";"):
        if mark in line:
            return mark
    # A header of one column with a space in it is no two.
    return "," if suffix == ".csv" else r"\s+"


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    """Yield the fields of the lines that hold some."""
    if separator == r"\s+":
        yield from (line.split() for line in text.splitlines() if line.strip())
    else:
        reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
        yield from (row for row in reader if any(row))


def _name_headless(row: Sequence[str]) -> list[str] | None:
    """Return the columns of a table whose first line is no header, None for any other."""
    if [_is_number(field) for field in row] == [False, False, True]:
        return ["run", "target", "loss"]
    if len(row) == 1 and ends_in_mixture(row[0]):
        return ["run"]
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_width(path: Path, head: Sequence[str], row: Sequence[str] = ()) -> None:
    """Refuse a first row that is longer than the header: its numbers would move by a column."""
    filled = [at for at, field in enumerate(row, 1) if field]
    if filled and filled[-1] > len(head):
        raise WrongContent(
            path=path,
            reason=f"names {len(head)} columns in its header, and its first row has {filled[-1]}",
        )


# ---- JSON


def _from_json(path: Path, text: str) -> pd.DataFrame:
    """Return a table of JSON: a list of rows, columns, or an object a line."""
    try:
        try:
            content = parse_json(text)
        except JSONDecodeError:
            content = [parse_json(line) for line in text.splitlines() if line.strip()]
    except ReweightvizError as error:
        raise UnreadableFile(path=path, reason=error) from error
    if isinstance(content, Mapping):
        if {"columns", "data"} <= set(content):  # as W&B and pandas (split) write one
            return pd.DataFrame(content["data"], columns=content["columns"])
        if all(isinstance(value, list | Mapping) for value in content.values()):
            return pd.DataFrame(content)
        content = [content]  # one row
    if not all(isinstance(row, Mapping) for row in content):
        raise WrongContent(path=path, reason="holds JSON, but no objects, one a row")
    return pd.DataFrame(content)
