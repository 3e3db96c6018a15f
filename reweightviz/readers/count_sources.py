"""Documents, as many as there are -> Sources: tokens and documents of each domain."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reweightviz.core.errors import list_names
from reweightviz.core.sources import Source, Sources
from reweightviz.readers._on_error import is_skipping
from reweightviz.readers.documents._faults import Faults
from reweightviz.readers.documents._find_files import find_files
from reweightviz.readers.documents._read_tables import SUFFIXES, read_tables
from reweightviz.readers.documents._tokenizer import TokenCounter, name_counter

__all__ = ["count_sources"]


def count_sources(
    source: Any,
    *,
    text: str = "text",
    domain: str | None = "domain",
    tokens: str | None = None,
    tokenizer: str | None = None,
    on_error: str = "raise",
) -> Sources:
    """Count the tokens and documents of each domain, some documents at a time.

    No more than a few thousand documents are held at once, so that a folder may be of any size.

    Args:
        source: what ``rv.read_corpus`` reads: a folder, a path, a glob, a URL, a list of them, or a
            table.
        text: column of the documents' text, dotted for a field of a nested one.
        domain: column of their domain; None takes the name of each file, or below a folder that of
            its sub-folder, and gives each domain the paths of its files.
        tokens: column of lengths, from which no text is read.
        tokenizer: what counted ``tokens``; without that column it counts them now: a name on the
            Hugging Face hub ("gpt2"), or the path of a ``tokenizer.json`` or of its folder. Without
            either, bytes of UTF-8 are counted.
        on_error: "raise" stops at the first row that cannot be used, "skip" leaves such rows out
            and warns.

    Raises:
        ReweightvizError: one sentence with the file, and the line where there is one.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"text": ["a b", "c", "d"], "domain": ["web", "code", "code"]})
        >>> count_sources(table)["code"]
        Source(tokens=2.0, documents=2.0, paths=())
    """
    faults = Faults(skip=is_skipping(on_error))
    roles = {"text": text, "domain": domain}
    if tokens is not None:
        roles = {"tokens": tokens, "domain": domain}
    columns = {role: name for role, name in roles.items() if name is not None}
    counter = None
    if tokenizer is not None and tokens is None:
        counter = TokenCounter(tokenizer)
    files = find_files(source, SUFFIXES)
    totals: dict[str, _Total] = defaultdict(_Total)
    for file, table in read_tables(source, files, columns, faults):
        for name, total in _count(table, counter).items():
            totals[name].add(total)
            if domain is None and file is not None:
                totals[name].paths[file.name] = None
    documents = sum(total.documents for total in totals.values())
    faults.report(documents, list_names(files, 4) or "the table")
    found = {name: total.to_source() for name, total in totals.items()}
    return Sources(found, tokenizer=tokenizer or name_counter(tokens))


@dataclass
class _Total:
    """What was counted of one domain so far."""

    tokens: int = 0
    documents: int = 0
    paths: dict[str, None] = field(default_factory=dict)

    def add(self, more: _Total) -> None:
        self.tokens += more.tokens
        self.documents += more.documents

    def to_source(self) -> Source:
        return Source(float(self.tokens), float(self.documents), tuple(self.paths))


def _count(table: pa.Table, counter: TokenCounter | None) -> dict[str, _Total]:
    """Return what a few documents hold of each domain."""
    if counter is not None:
        table = counter.append_tokens(table)
    if "tokens" not in table.column_names:
        table = table.append_column("tokens", pc.binary_length(table.column("text")))
    sums = table.group_by("domain").aggregate([("tokens", "sum"), ("tokens", "count")])
    return {
        row["domain"]: _Total(row["tokens_sum"], row["tokens_count"]) for row in sums.to_pylist()
    }
