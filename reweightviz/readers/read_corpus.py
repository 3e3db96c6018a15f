"""Documents from files, URLs, pandas, Arrow, Polars or a Hugging Face Dataset -> Corpus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import DuplicateName, ReweightvizError, list_names
from reweightviz.readers._on_error import is_skipping
from reweightviz.readers.documents._columns import TEXTS
from reweightviz.readers.documents._faults import Faults
from reweightviz.readers.documents._find_files import find_files
from reweightviz.readers.documents._read_tables import SUFFIXES, read_tables
from reweightviz.readers.documents._tokenizer import TokenCounter, name_counter

__all__ = ["SUFFIXES", "read_corpus"]


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
        source: a path, a glob ("data/*.parquet", read in sorted order), a folder with all that lies
            below it, a URL of any of these ("s3://...", "gs://...", "hf://datasets/...", by way of
            fsspec and its own settings), a list of them, or a table: pandas, Arrow, Polars,
            Hugging Face ``Dataset``. Files end in .parquet, .arrow, .feather, .csv, .tsv, or in
            .jsonl, .ndjson or .json with one object a line or one list of objects; those of text
            also with .gz, .zst, .bz2 or .xz.
        text: column of the documents' text, dotted for a field of a nested one ("meta.text"); a
            column whose own name has the dot wins.
        domain: column of their domain; None takes the name of each file, or below a folder that of
            its sub-folder (a table is one domain, "corpus").
        id: column of unique names; without it "<file>:<row>" from 1, and in a table the row from 0.
        tokens: column of lengths; without it a document counts its UTF-8 bytes.
        keep: further columns to keep, under their names.
        tokenizer: what counted ``tokens``; without that column it counts them now: a name on the
            Hugging Face hub ("gpt2"), or the path of a ``tokenizer.json`` or of its folder.
        on_error: "raise" stops at the first row that cannot be used (broken JSON, not UTF-8, no
            text, no domain); "skip" leaves such rows out, warns, and counts them in
            ``corpus.meta["skipped_lines"]``.

    Returns:
        A Corpus of N documents. Its meta counts ``skipped_lines``, and ``zero_token_documents``,
        which stay.

    Raises:
        ReweightvizError: one sentence with the file, and the line where there is one; also where a
            line is longer than 64 MiB, or a file unfolds to 10 times its size and 64 MiB more.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"body": ["a b", "c"], "kind": ["web", "code"]})
        >>> read_corpus(table, text="body", domain="kind").domains
        ('web', 'code')
    """
    faults = Faults(skip=is_skipping(on_error))
    roles = {"text": text, "domain": domain, "id": id, "tokens": tokens}
    columns = {role: name for role, name in roles.items() if name is not None}
    columns |= {name: name for name in keep}
    files = find_files(source, SUFFIXES)
    parts = [rows for _, rows in read_tables(source, files, columns, faults)]
    where = list_names(files, 4) or "the table"
    faults.report(sum(map(len, parts)), where)
    table = _join(parts, where)
    meta: dict[str, Any] = {
        "read_from": [str(file) for file in files],
        "skipped_lines": faults.count,
    }
    if tokenizer is not None and tokens is None:
        table = TokenCounter(tokenizer).append_tokens(table)
        meta["recipes"] = {"tokens": {"verb": "count_tokens", "tokenizer": str(tokenizer)}}
    return _corpus(table, tokenizer or name_counter(tokens), meta)


def _join(parts: Sequence[pa.Table], where: str) -> pa.Table:
    # A part without rows has columns without a type, which would not join.
    full = [part for part in parts if len(part)]
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
