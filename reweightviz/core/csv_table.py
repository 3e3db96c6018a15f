r"""CSV that spreadsheets and programs take for the same rows, and in which no text is a formula.

All text is quoted, so that a lone carriage return ends no row. Spreadsheets run a cell that begins
like a formula, quoted or not: such a text gets a ``'`` before it, the guard, which our readers take
away again, exactly. The beginnings are those of OWASP, "CSV Injection",
https://owasp.org/www-community/attacks/CSV_Injection, and each of its signs behind blanks. No
guard helps where a spreadsheet is told to part cells elsewhere than at commas.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.csv

from reweightviz.core.errors import ReweightvizError

__all__ = ["encode_table", "guard_text", "guard_texts", "unguard_text", "write_rows"]


_BLANKS = r"\s\x00\x1c-\x1f\x85\u200b\u2060\ufeff"
_FORMULA = re.compile(rf"'*(?:[\t\r\n]|[{_BLANKS}]*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_ROWS = 20_000  # encoded at once


def guard_text(text: str) -> str:
    """Return text as a cell that no spreadsheet runs.

    A text with a guard gets one more, so that exactly one is taken away.

    >>> guard_text("=1+1"), guard_text("'=1+1"), guard_text("a=1"), guard_text("'web'")
    ("'=1+1", "''=1+1", 'a=1', "'web'")
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguard_text(cell: str) -> str:
    """Return the text of a cell without its guard.

    >>> unguard_text("'=1+1"), unguard_text("'web'")
    ('=1+1', "'web'")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def guard_texts(texts: Iterable[str | None]) -> pa.Array:
    """Return a column of guarded texts.

    Raises:
        ReweightvizError: a text holds half a character.
    """
    cells = [None if text is None else guard_text(text) for text in texts]
    try:
        return pa.array(cells, pa.large_string())
    except UnicodeEncodeError as error:
        raise ReweightvizError(
            f"{error.object!r:.80} holds half a character, which UTF-8 does not; rename it."
        ) from error


def write_rows(rows: Iterable[Sequence[str | float]]) -> str:
    r"""Return a short table as CSV.

    >>> write_rows([["domain", "weight"], ["=1+1", 0.5]])
    '"domain","weight"\n"\'=1+1",0.5\n'
    """
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerows([_guard_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def encode_table(table: pa.Table, *, header: bool = True) -> Iterator[bytes]:
    r"""Yield a long table as CSV, many rows at once; the texts of its columns are guarded already.

    >>> list(encode_table(pa.table({"domain": guard_texts(["web", "-2"]), "loss": [None, 0.5]})))
    [b'"domain","loss"\n', b'"web",\n"\'-2",0.5\n']
    """
    if header:
        yield _encode(table.slice(0, 0), has_header=True)
    for start in range(0, len(table), _ROWS):
        yield _encode(table.slice(start, _ROWS), has_header=False)


def _guard_cell(cell: str | float) -> str | float:
    return guard_text(cell) if isinstance(cell, str) else cell


def _encode(table: pa.Table, *, has_header: bool) -> bytes:
    out = io.BytesIO()
    pa.csv.write_csv(table, out, pa.csv.WriteOptions(include_header=has_header))
    return out.getvalue()
