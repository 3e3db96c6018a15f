"""Reading the SQLite file of a tracker that may be writing it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reweightviz.core.errors import UnreadableFile
from reweightviz.readers.logs._log_reader import head_of

MAGIC = b"SQLite format 3\0"


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads.

    Raises:
        ReweightvizError: the file, and what SQLite says.
    """
    try:
        connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise UnreadableFile(path=file, wanted="an SQLite store", reason=error) from error


def columns_of(file: Path, table: str) -> set[str]:
    """The columns of a table; none where there is no such file or table."""
    if not head_of(file).startswith(MAGIC):
        return set()
    with opened(file) as connection:
        return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
