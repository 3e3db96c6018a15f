"""The SQLite file of a tracker, which may be writing it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reweightviz.core.errors import UnreadableFile
from reweightviz.readers.logs._log_reader import head_of

__all__ = ["MAGIC", "columns_of", "connect", "disambiguate"]


MAGIC = b"SQLite format 3\0"


@contextmanager
def connect(file: Path) -> Iterator[sqlite3.Connection]:
    """Connect to a file, only to read.

    Raises:
        ReweightvizError: the file, and the error of SQLite.
    """
    try:
        # As a URI, for a plain connect creates a file that is missing; the writer may hold a lock.
        connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        # A broken schema is told with the text of its statement, lines and all.
        reason = " ".join(str(error).split())
        raise UnreadableFile(path=file, wanted="an SQLite store", reason=reason) from error


def columns_of(file: Path, table: str) -> set[str]:
    """Return the columns of a table; none where there is no such file or table."""
    if not head_of(file).startswith(MAGIC):
        return set()
    with connect(file) as connection:
        return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def disambiguate(given: Sequence[object], ids: Sequence[object]) -> list[str]:
    """Return the names of runs, with the beginning of the id behind those that are not unique.

    A cell of SQLite may hold anything, also where its column is of text.

    >>> disambiguate(["a", "b", "a"], ["0123456789", "1", "2"])
    ['a (01234567)', 'b', 'a (2)']
    """
    names = [str(name) for name in given]
    counts = Counter(names)
    return [
        name if counts[name] == 1 else f"{name} ({str(run)[:8]})"
        for name, run in zip(names, ids, strict=True)
    ]
