"""Documents from Parquet, JSON lines, pandas, Arrow, Polars or a Hugging Face Dataset -> Corpus."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm.auto import tqdm

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import (
    DuplicateName,
    ReweightvizError,
    UnreadableFile,
    WrongContent,
    list_names,
    warn,
)
from reweightviz.readers._on_error import is_skipping
from reweightviz.readers.documents import jsonl, parquet, tables
from reweightviz.readers.documents._columns import ROW, TEXTS
from reweightviz.readers.documents._faults import Faults

__all__ = ["SUFFIXES", "read_corpus"]


SUFFIXES = (*parquet.SUFFIXES, *jsonl.SUFFIXES)


def read_corpus(
    source: Any,
    *,
    text: str = "text",
    domain: str | None = "domain",
    id: str | None = None,  # noqa: A002
    tokens: str | None = None,
    keep: Sequence[str] = (),
    tokenizer: str | None = None,
    on_error: str = "raise",
) -> Corpus:
    """Read documents.

    Args:
        source: a path, a glob ("data/*.parquet", read in sorted order), a list of paths, or a
            table: pandas, Arrow, Polars, Hugging Face ``Dataset``. Files end in .parquet, or in
            .jsonl, .ndjson or .json with one object a line, these also with .gz.
        text: column of the documents' text.
        domain: column of their domain; None takes the name of each file (a table is one domain,
            "corpus").
        id: column of unique names; without it "<file>:<row>" from 1, and in a table the row from 0.
        tokens: column of lengths; without it a document counts its UTF-8 bytes.
        keep: further columns to keep, under their names.
        tokenizer: what counted ``tokens``.
        on_error: "raise" stops at the first row that cannot be used (broken JSON, not UTF-8, no
            text, no domain); "skip" leaves such rows out, warns, and counts them in
            ``corpus.meta["skipped_lines"]``.

    Returns:
        A Corpus of N documents. Its meta counts ``skipped_lines``, and ``zero_token_documents``,
        which stay.

    Raises:
        ReweightvizError: one sentence with the file, and the line where there is one.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"body": ["a b", "c"], "kind": ["web", "code"]})
        >>> read_corpus(table, text="body", domain="kind").domains
        ('web', 'code')
    """
    faults = Faults(skip=is_skipping(on_error))
    if tokenizer is not None and tokens is None:
        raise ReweightvizError(
            f"tokenizer={tokenizer!r} names what counted a column; name it with tokens=."
        )
    roles = {"text": text, "domain": domain, "id": id, "tokens": tokens}
    columns = {role: name for role, name in roles.items() if name is not None}
    columns |= {name: name for name in keep}
    files = _files(source)
    parts = _read_files(files, columns, faults)
    if not files:
        parts = [_complete(tables.read(source, columns, faults), None, "corpus", faults)]
    where = list_names(files, 4) or "the table"
    table = _join(parts, where)
    if not len(table):
        raise ReweightvizError(f"{where} has no documents; {faults.count} rows were skipped.")
    if faults.count:
        warn(f"{faults.count} rows were skipped, the first because of {faults.first}.")
    counted_by = f"column {tokens!r}" if tokens else "utf-8 bytes"
    meta = {"read_from": [str(path) for path in files], "skipped_lines": faults.count}
    return _corpus(table, tokenizer or counted_by, meta)


# ---- files


def _files(source: Any) -> list[Path]:
    """Return the files that a path, a glob or a list of either names; none for a table."""
    if isinstance(source, str | os.PathLike):
        return _matches(os.fspath(source))
    if not isinstance(source, list | tuple):
        return []
    if not source or not all(isinstance(item, str | os.PathLike) for item in source):
        raise ReweightvizError(f"a list must hold paths, at least one; got {str(source)[:60]}.")
    return [path for item in source for path in _matches(os.fspath(item))]


def _matches(name: str) -> list[Path]:
    path = Path(name).expanduser()
    if path.is_dir():
        raise WrongContent(
            path=path, reason=f"is a folder; name its files, {str(path / '*.parquet')!r} say"
        )
    files = [path]
    if not path.exists():
        found = glob.glob(str(path), recursive=True)  # noqa: PTH207  a pattern may be absolute
        files = [Path(match) for match in sorted(found)]
    if not files:
        raise UnreadableFile(path=name, reason="there is no such file")
    for file in files:
        if not file.name.lower().endswith(SUFFIXES):
            raise WrongContent(
                path=file,
                reason=f"is of no known kind; a corpus is read from {list_names(SUFFIXES)}",
            )
    return files


def _read_files(files: Sequence[Path], columns: dict[str, str], faults: Faults) -> list[pa.Table]:
    labels = _labels(files)
    parts = []
    for path in tqdm(files, desc="reading", unit=" files", delay=1, leave=False):
        if path.name.lower().endswith(parquet.SUFFIXES):
            table = parquet.read(path, columns, faults)
        else:
            table = jsonl.read(path, columns, faults)
        parts.append(_complete(table, labels[path], _stem(path), faults))
    return parts


def _labels(files: Sequence[Path]) -> dict[Path, str]:
    """Return the beginning of a file's ids: its stem, or its path where stems are the same."""
    twice = [path for path, n in Counter(files).items() if n > 1]
    if twice:
        raise DuplicateName(kind="file", names=twice, where="the list of a corpus")
    stems = Counter(_stem(path) for path in files)
    return {path: _stem(path) if stems[_stem(path)] == 1 else path.as_posix() for path in files}


def _stem(path: Path) -> str:
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    return name[: name.rindex(".")] or name


# ---- rows


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


def _join(parts: Sequence[pa.Table], where: str) -> pa.Table:
    # A part without rows has columns without a type, which would not join.
    full = [part for part in parts if len(part)] or parts[:1]
    try:
        # Permissive, for one file may hold int32 where another holds int64.
        return pa.concat_tables(full, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ReweightvizError(
            f"{where} have different kinds of values in one column: {error}."
        ) from error


def _corpus(table: pa.Table, tokenizer: str, meta: dict[str, Any]) -> Corpus:
    order = ["id", "text", "domain", *(name for name in table.column_names if name not in TEXTS)]
    columns = {name: _to_array(name, table.column(name)) for name in order}
    counts = pc.value_counts(columns["id"])
    repeats = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(repeats):
        names = repeats.field("values").to_pylist()
        raise DuplicateName(kind="id", names=names, where="a corpus")
    corpus = Corpus(columns, tokenizer=tokenizer, meta=meta)
    corpus.meta["zero_token_documents"] = int((corpus.tokens == 0).sum())
    return corpus


def _to_array(name: str, column: pa.ChunkedArray) -> Any:
    """Return lists as an array (N, D), any other column as it is."""
    kind = column.type
    is_variable = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not is_variable and not pa.types.is_fixed_size_list(kind):
        return column
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(lengths) != 1 or lengths[0] is None:
        raise ReweightvizError(
            f"the rows of column {name!r} must be of one length; there are {lengths[:3]}."
        )
    return pc.list_flatten(column).to_numpy().reshape(len(column), lengths[0])
