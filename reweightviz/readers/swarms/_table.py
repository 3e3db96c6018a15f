"""Tables of runs, in a CSV file or in memory."""

from __future__ import annotations

import os
from typing import TypeAlias

import pandas as pd

from reweightviz.core.errors import UnreadableFile

__all__ = ["Table", "read_table"]


Table: TypeAlias = str | os.PathLike[str] | pd.DataFrame


def read_table(role: str, source: Table) -> pd.DataFrame:
    """Return a table whose columns are named by text.

    Args:
        role: of the table, in a sentence: "runs", "metrics".
        source: CSV file or table.

    Raises:
        ReweightvizError: the file cannot be read.
    """
    if isinstance(source, pd.DataFrame):
        return source.rename(columns=str)
    try:
        return pd.read_csv(source, encoding="utf-8-sig").rename(columns=str)
    except FileNotFoundError:
        raise UnreadableFile(
            path=source, wanted=f"a table of {role}", reason="there is no such file"
        ) from None
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise UnreadableFile(path=source, wanted=f"a CSV table of {role}", reason=error) from error
