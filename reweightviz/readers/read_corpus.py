"""Tables of documents: Parquet, JSON lines, pandas, Arrow, Polars, Hugging Face Dataset -> Corpus."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm.auto import tqdm

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import (
    DuplicateName,
    InvalidValue,
    MissingColumn,
    ReweightvizError,
    UnreadableFile,
    WrongContent,
    listed,
    warn,
)
from reweightviz.readers.documents import jsonl
from reweightviz.readers.documents.jsonl import ROW, Faults

PARQUET = (".parquet", ".pq")
LINES = (".jsonl", ".ndjson", ".json")
FORMATS = (*PARQUET, *LINES, *(suffix + ".gz" for suffix in LINES))
TEXTS = ("text", "domain", "id")


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
        >>> table = pd.DataFrame({"body": ["a b", "c"], "kind": ["web", "code"]})
        >>> read_corpus(table, text="body", domain="kind").domains
        ('web', 'code')
    """
    if on_error not in ("raise", "skip"):
        raise InvalidValue(name="on_error", value=on_error, expected="'raise' or 'skip'")
    if tokenizer is not None and tokens is None:
        raise ReweightvizError(
            f"tokenizer={tokenizer!r} says what counted a column; name it with tokens=."
        )
    roles = {"text": text, "domain": domain, "id": id, "tokens": tokens} | {
        name: name for name in keep
    }
    columns = {role: name for role, name in roles.items() if name is not None}
    faults = Faults(skip=on_error == "skip")
    files = _files(source)
    labels = _labels(files)
    parts = [
        _finished(_file(path, columns, faults), labels[path], _stem(path), faults)
        for path in tqdm(files, desc="reading", unit=" files", delay=1, leave=False)
    ]
    if not files:
        parts = [_finished(_table(source, columns, faults), None, "corpus", faults)]
    where = listed(files, 4) or "the table"
    table = _joined(parts, where)
    if not len(table):
        raise ReweightvizError(f"{where} has no documents; {faults.count} rows were skipped.")
    if faults.count:
        warn(f"{faults.count} rows were skipped, the first because of {faults.first}.")
    counted_by = tokenizer or (f"column {tokens!r}" if tokens else "utf-8 bytes")
    meta = {"read_from": [str(path) for path in files], "skipped_lines": faults.count}
    return _corpus(table, counted_by, meta)


def _files(source: Any) -> list[Path]:
    """The files that a path, a glob or a list of either names; empty for a table."""
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
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  a pattern may be absolute
    found = [path] if path.exists() else [Path(match) for match in matches]
    if not found:
        raise UnreadableFile(path=name, reason="there is no such file")
    strange = [file for file in found if not file.name.lower().endswith(FORMATS)]
    if strange:
        raise WrongContent(
            path=strange[0], reason=f"is of no known kind; a corpus is read from {listed(FORMATS)}"
        )
    return found


def _stem(path: Path) -> str:
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    return name[: name.rindex(".")] or name


def _labels(files: Sequence[Path]) -> dict[Path, str]:
    """What the ids of a file begin with: its stem, or its path where two stems are the same."""
    twice = [path for path, n in Counter(files).items() if n > 1]
    if twice:
        raise DuplicateName(kind="file", names=twice, where="the list of a corpus")
    stems = Counter(_stem(path) for path in files)
    return {path: _stem(path) if stems[_stem(path)] == 1 else path.as_posix() for path in files}


def _file(path: Path, columns: Mapping[str, str], faults: Faults) -> pa.Table:
    if not path.name.lower().endswith(PARQUET):
        table, keys = jsonl.read(path, columns, faults)
        if keys:
            _check_columns(str(path), columns, keys)
        if not len(table) and not faults.count:
            raise WrongContent(path=path, reason="is empty")
        return table
    try:
        with pq.ParquetFile(path) as file:
            _check_columns(str(path), columns, file.schema_arrow.names)
            table = file.read(columns=list(dict.fromkeys(columns.values())))
    except (pa.ArrowException, OSError) as error:
        empty = path.is_file() and not path.stat().st_size
        why = "it is empty" if empty else str(error).rstrip(".")
        raise UnreadableFile(path=path, wanted="Parquet", reason=why) from error
    return _picked(str(path), table, columns, faults)


def _table(source: Any, columns: Mapping[str, str], faults: Faults) -> pa.Table:
    names = list(dict.fromkeys(columns.values()))
    present = getattr(source, "column_names", None)
    if hasattr(source, "with_format"):
        if isinstance(source, Mapping):
            raise ReweightvizError(
                f"a DatasetDict holds several splits; pick one of {listed(source)}."
            )
        if not hasattr(source, "__len__"):
            raise ReweightvizError(
                "a streamed dataset has no end to map; take some of it: "
                "Dataset.from_list(list(dataset.take(20000)))."
            )
        _check_columns("the dataset", columns, present or ())
        # Not .data.table: it knows nothing of select, filter and shuffle.
        return _picked(
            "the dataset", source.select_columns(names).with_format("arrow")[:], columns, faults
        )
    if isinstance(source, pd.DataFrame):
        present = [str(name) for name in source.columns]
        _check_columns("the table", columns, present)
        try:
            picked = source.iloc[:, [present.index(name) for name in names]].set_axis(names, axis=1)
            table = pa.Table.from_pandas(picked, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise ReweightvizError(
                f"a column of the table mixes kinds of values: {error}."
            ) from error
        return _picked("the table", table, columns, faults)
    if not isinstance(source, pa.Table) and not hasattr(source, "__arrow_c_stream__"):
        raise InvalidValue(
            name="a corpus",
            value=source,
            expected="read from a path, a glob, a list of paths, a pandas, Arrow or Polars "
            "table, or a Hugging Face Dataset",
            got=type(source).__name__,
        )
    table = source if isinstance(source, pa.Table) else pa.table(source)
    _check_columns("the table", columns, table.column_names)
    return _picked("the table", table, columns, faults)


def _check_columns(where: str, columns: Mapping[str, str], present: Iterable[str]) -> None:
    names = list(present)
    for role, name in columns.items():
        if name not in names:
            ways = {
                "text": "text= names another.",
                "domain": "domain= names another, domain=None takes the file's name.",
            }
            raise MissingColumn(
                column=name, available=names, who=f"reading {where}", hint=ways.get(role, "")
            )
        if names.count(name) > 1:
            raise ReweightvizError(
                f"{where} has {names.count(name)} columns named {name!r}; rename all but one."
            )


def _picked(where: str, table: pa.Table, columns: Mapping[str, str], faults: Faults) -> pa.Table:
    """The columns under their roles, with row numbers; rows that are not UTF-8 are left out."""
    found: dict[str, Any] = {ROW: pa.chunked_array([pa.array(np.arange(1, len(table) + 1))])}
    good = np.ones(len(table), bool)
    for role, name in columns.items():
        column = table.column(name)
        if role in TEXTS:
            _check_text(f"column {name!r} of {where}", column.type, numbers=role != "text")
            column = _texts(where, column, good, faults)
        elif role == "tokens":
            column = _whole(f"column {name!r} of {where}", column)
        found[role] = column
    return pa.table(found).filter(pa.array(good))


def _check_text(what: str, kind: pa.DataType, *, numbers: bool) -> None:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    texts = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_null,
    )
    if not any(check(kind) for check in texts) and not (numbers and pa.types.is_primitive(kind)):
        raise ReweightvizError(f"{what} must hold text; it holds {kind}.")


def _texts(
    where: str, column: pa.ChunkedArray, good: NDArray[np.bool_], faults: Faults
) -> pa.ChunkedArray:
    """The column as large_string; rows that are not UTF-8 become false in ``good`` (N,)."""
    try:
        column.validate(full=True)
        return column.cast(pa.large_string())
    except pa.ArrowInvalid:
        values = column.cast(pa.large_binary()).to_pylist()
    for row, data in enumerate(values):
        try:
            values[row] = None if data is None else data.decode("utf-8")
        except UnicodeDecodeError as error:
            faults.add(f"{where}, row {row + 1}: not UTF-8 (byte {error.start + 1} of the value)")
            values[row], good[row] = "", False
    return pa.chunked_array([pa.array(values, pa.large_string())])


def _whole(what: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(pa.int64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ReweightvizError(f"{what} must hold whole numbers of tokens: {error}.") from error


def _finished(table: pa.Table, label: str | None, domain: str, faults: Faults) -> pa.Table:
    """Rows with text, domain, id and length, each there; the row numbers become ids."""
    if "domain" not in table.column_names:
        table = table.append_column("domain", pa.array([domain] * len(table), pa.large_string()))
    good = np.ones(len(table), bool)
    for role in ("text", "domain", "id", "tokens"):
        if role in table.column_names:
            bad = table.column(role).is_null()
            if role == "tokens":
                bad = pc.or_kleene(bad, pc.less(table.column(role), 0))
            for row in np.flatnonzero(bad.to_numpy() & good):
                number = table.column(ROW)[int(row)].as_py()
                need = "tokens that are 0 or more" if role == "tokens" else role
                faults.add(f"{label or 'the table'}, row {number}: no {need}")
            good &= ~bad.to_numpy()
    table = table.filter(pa.array(good))
    rows = table.column(ROW).to_pylist()
    if "id" not in table.column_names:
        names = [str(row - 1) if label is None else f"{label}:{row}" for row in rows]
        table = table.append_column("id", pa.array(names, pa.large_string()))
    return table.drop_columns([ROW])


def _joined(parts: Sequence[pa.Table], where: str) -> pa.Table:
    try:
        full = [part for part in parts if len(part)] or parts[:1]
        return pa.concat_tables(full, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ReweightvizError(
            f"{where} have different kinds of values in one column: {error}."
        ) from error


def _corpus(table: pa.Table, tokenizer: str, meta: dict[str, Any]) -> Corpus:
    order = ["id", "text", "domain", *(name for name in table.column_names if name not in TEXTS)]
    columns = {name: _column(name, table.column(name)) for name in order}
    counted = pc.value_counts(columns["id"])
    twice = [
        entry["values"]
        for entry in counted.filter(pc.greater(counted.field("counts"), 1)).to_pylist()
    ]
    if twice:
        raise DuplicateName(kind="id", names=twice, where="a corpus")
    corpus = Corpus(columns, tokenizer=tokenizer, meta=meta)
    corpus.meta["zero_token_documents"] = int((corpus.tokens == 0).sum())
    return corpus


def _column(name: str, column: pa.ChunkedArray) -> Any:
    kind = column.type
    if not (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    ):
        return column
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(lengths) != 1 or lengths[0] is None:
        raise ReweightvizError(
            f"the rows of column {name!r} must be of one length; there are {lengths[:3]}."
        )
    return pc.list_flatten(column).to_numpy().reshape(len(column), lengths[0])
