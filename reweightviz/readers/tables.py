"""Tables of documents: Parquet, JSON lines, pandas, Arrow, Polars, Hugging Face Dataset -> Corpus."""

from __future__ import annotations

import glob
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError, listed, missing_column
from reweightviz.readers.jsonl import Faults, read_lines

PARQUET = (".parquet", ".pq")
LINES = (".jsonl", ".ndjson", ".json")
FORMATS = (*PARQUET, *LINES, *(suffix + ".gz" for suffix in LINES))
ROW = "__row__"


def read(source: Any, *, text: str = "text", domain: str | None = "domain", id: str | None = None,  # noqa: A002
         tokens: str | None = None, keep: Sequence[str] = (), tokenizer: str | None = None,
         on_error: str = "raise") -> Corpus:
    """Read documents.

    Args:
        source: a path, a glob ("data/*.parquet"), a list of paths, or a table: pandas, Arrow, Polars, Hugging Face
            ``Dataset``. Files end in .parquet, .jsonl, .ndjson or .json (one JSON object a line), the latter
            three also with .gz. Those of a glob are read in sorted order.
        text: column of the documents' text.
        domain: column of their domain; None takes the name of each file (a table is one domain, "corpus").
        id: column of unique names. Without it a document of a file is "<file>:<row>", counted from 1, and one of
            a table its row, counted from 0.
        tokens: column of lengths; without it a document counts its UTF-8 bytes.
        keep: further columns to keep as they are.
        tokenizer: what counted ``tokens``.
        on_error: "raise" stops at the first row that cannot be used (broken JSON, not UTF-8, no text, no domain,
            no length); "skip" leaves such rows out, warns, and counts them in ``corpus.meta["skipped_lines"]``.

    Returns:
        A Corpus of N documents. ``meta`` holds the files, ``skipped_lines`` and ``zero_token_documents``, which
        are kept.

    Raises:
        ReweightvizError: one sentence with the file, and the line where there is one.

    Example:
        >>> table = pd.DataFrame({"body": ["a b", "c"], "kind": ["web", "code"]})
        >>> read(table, text="body", domain="kind").domains
        ('web', 'code')
    """
    if on_error not in ("raise", "skip"):
        raise ReweightvizError(f"on_error must be 'raise' or 'skip'; got {on_error!r}.")
    if tokenizer is not None and tokens is None:
        raise ReweightvizError(f"tokenizer={tokenizer!r} says what counted a column; name it with tokens=.")
    columns = {"text": text, "domain": domain, "id": id, "tokens": tokens} | {name: name for name in keep}
    wanted = {role: name for role, name in columns.items() if name is not None}
    faults = Faults(skip=on_error == "skip")
    files = _files(source)
    if files:
        labels = _labels(files)
        parts = [_usable(_file(path, wanted, faults), path.name, wanted, faults) for path in files]
        parts = [_named(part, labels[path], _stem(path)) for part, path in zip(parts, files, strict=True)]
    else:
        parts = [_named(_usable(_table(source, wanted), "the table", wanted, faults), None, "corpus")]
    table = pa.concat_tables(parts, promote_options="permissive")
    if not len(table):
        where = listed(files, 4) if files else "the table"
        raise ReweightvizError(f"{where} holds no documents" + (f"; {faults.count} were skipped." if faults.count else "."))
    if faults.count:
        warnings.warn(f"{faults.count} rows were skipped; the first: {faults.first}", UserWarning, stacklevel=2)
    return _corpus(table, tokenizer or (f"column {tokens!r}" if tokens else "utf-8 bytes"),
                   {"read_from": [str(path) for path in files], "skipped_lines": faults.count})


def _files(source: Any) -> list[Path]:
    """The files that a path, a glob or a list of either names; empty for a table."""
    if isinstance(source, str | os.PathLike):
        return _matches(os.fspath(source))
    if isinstance(source, list | tuple) and source and all(isinstance(item, str | os.PathLike) for item in source):
        return [path for item in source for path in _matches(os.fspath(item))]
    if isinstance(source, list | tuple):
        raise ReweightvizError(f"a list must hold paths; got {listed([type(item).__name__ for item in source], 3) or 'none'}.")
    return []


def _matches(name: str) -> list[Path]:
    path = Path(name).expanduser()
    if path.is_dir():
        raise ReweightvizError(f"{path} is a folder; name its files: {str(path / '*.parquet')!r}, say.")
    found = [path] if path.exists() else sorted(Path(match) for match in glob.glob(str(path), recursive=True))  # noqa: PTH207
    if not found:
        raise ReweightvizError(f"there is no file {name!r}.")
    for file in found:
        if not file.name.lower().endswith(FORMATS):
            raise ReweightvizError(f"cannot tell what {file} is from its name; a corpus is read from {listed(FORMATS)}.")
    return found


def _stem(path: Path) -> str:
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    return name[: name.rindex(".")] or name


def _labels(files: Sequence[Path]) -> dict[Path, str]:
    """What the ids of each file begin with: its stem, or its path where two stems are the same."""
    if len(set(files)) < len(files):
        raise ReweightvizError(f"{listed(path for path, n in Counter(files).items() if n > 1)} was named more than once.")
    count = Counter(_stem(path) for path in files)
    return {path: _stem(path) if count[_stem(path)] == 1 else path.as_posix() for path in files}


def _file(path: Path, wanted: dict[str, str], faults: Faults) -> pa.Table:
    if path.name.lower().endswith(PARQUET):
        return _parquet(path, wanted)
    records = read_lines(path, faults)
    rows = next(records)
    seen = dict.fromkeys(name for record in records for name in record)
    return rows
