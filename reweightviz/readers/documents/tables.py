"""Tables in memory -> an Arrow table of documents: pandas, Arrow, Polars, Hugging Face Dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from reweightviz.core.errors import InvalidValue, ReweightvizError, list_names
from reweightviz.readers.documents._columns import check_columns, pick_columns
from reweightviz.readers.documents._faults import Faults
from reweightviz.readers.documents._nested import find_head, list_fields

__all__ = ["read"]


def read(source: Any, columns: Mapping[str, str], faults: Faults) -> pa.Table:
    """Return the named columns of a table under their roles, with row numbers.

    Args:
        source: the table.
        columns: role ("text", "domain", "id", "tokens" or any other) to name.
        faults: counts the rows that are not UTF-8.
    """
    # Known by their methods, so that neither datasets nor Polars has to be installed.
    if hasattr(source, "with_format"):
        return pick_columns("the dataset", _of_dataset(source, columns), columns, faults)
    if isinstance(source, pd.DataFrame):
        table = _of_frame(source, columns)
    elif isinstance(source, pa.Table):
        table = source
    elif hasattr(source, "__arrow_c_stream__"):
        table = pa.table(source)
    else:
        raise InvalidValue(
            name="a corpus",
            value=source,
            expected="read from a path, a glob, a list of paths, a pandas, Arrow or Polars "
            "table, or a Hugging Face Dataset",
            got=type(source).__name__,
        )
    check_columns("the table", columns, list_fields(table.schema))
    return pick_columns("the table", table, columns, faults)


def _of_dataset(dataset: Any, columns: Mapping[str, str]) -> pa.Table:
    """Return the columns of a Hugging Face Dataset."""
    if isinstance(dataset, Mapping):
        raise ReweightvizError(
            f"a DatasetDict holds several splits; pick one of {list_names(dataset)}."
        )
    if not hasattr(dataset, "__len__"):
        raise ReweightvizError(
            "a streamed dataset has no end to map; take some of it: "
            "Dataset.from_list(list(dataset.take(20000)))."
        )
    fields = list_fields(dataset.features.arrow_schema)
    check_columns("the dataset", columns, fields)
    # Not .data.table, which is the table before select, filter and shuffle.
    return dataset.select_columns(_heads(columns, dataset.column_names)).with_format("arrow")[:]


def _of_frame(frame: pd.DataFrame, columns: Mapping[str, str]) -> pa.Table:
    """Return the columns of a pandas table, whose names may be anything that has text."""
    present = [str(name) for name in frame.columns]
    names = _heads(columns, present)
    heads = {role: find_head(name, present) for role, name in columns.items()}
    check_columns("the table", heads, present)
    places = [present.index(name) for name in names]
    try:
        picked = frame.iloc[:, places].set_axis(names, axis=1)
        return pa.Table.from_pandas(picked, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ReweightvizError(f"a column of the table mixes kinds of values: {error}.") from error


def _heads(columns: Mapping[str, str], present: Sequence[str]) -> list[str]:
    """Return the columns in which the values of all roles lie; two roles may share one."""
    return list(dict.fromkeys(find_head(name, present) for name in columns.values()))
