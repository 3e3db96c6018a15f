"""CSV: every reader takes it for the same rows, no text is a formula, and the guard comes off exactly."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reweightviz.core.csv_table import (
    encode_table,
    guard_text,
    guard_texts,
    unguard_text,
    write_rows,
)
from reweightviz.core.errors import ReweightvizError

FORMULAS = [
    "=1",
    "+1",
    "-1",
    "@A1",
    "\t=1",
    "\ta",
    "\ra",
    "\na",
    "\uff1d1",
    "\uff0b",
    "\uff0d",
    "\uff20",
]
LETTERS = 4 if pd.__version__ >= "3" else 3
"""Of the text with a NUL: pandas 2 ends a field of a CSV file there."""
ODD = [
    "a\rb",
    "a\r\nb",
    "a\nb",
    "x\r",
    "nul\0"[:LETTERS],
    "\ufeffbom",
    "\u2028",
    "\x85",
    '"',
    "'",
    "",
    " a ",
    "NA",
]
TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("=+-@'\t\r\n \0\ufeff"), max_size=5
)


@pytest.mark.parametrize("text", [*FORMULAS, "  =1", "\ufeff=1", "\0=1", "'=1", "''-"])
def test_what_begins_like_a_formula_gets_one_guard(text):
    assert guard_text(text) == f"'{text}"


@pytest.mark.parametrize("text", [*ODD, "a=1", "'web'", "1-2", "<=", '"=1"'])
def test_every_other_text_stays(text):
    assert guard_text(text) == unguard_text(text) == text


@given(TEXT)
def test_a_guard_comes_off_exactly(text):
    cell = guard_text(text)
    assert unguard_text(cell) == text
    assert (
        cell.strip(" \0\ufeff")[:1] not in {*"=+-@", "\uff1d", "\uff0b", "\uff0d", "\uff20"}
        or cell == text == ""
    )


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5))
def test_every_reader_finds_the_rows_that_were_written(rows):
    names, texts = map(list, zip(*rows, strict=True))
    table = pa.table(
        {"name": guard_texts(names), "text": guard_texts(texts), "value": np.arange(len(rows)) / 3}
    )
    data = b"".join(encode_table(table))
    expected = [list(map(guard_text, row)) for row in rows]
    lines = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert [line[:2] for line in lines[1:]] == expected
    frame = pd.read_csv(io.BytesIO(data), keep_default_na=False, dtype={"name": str, "text": str})
    if LETTERS == 4 or b"\0" not in data:
        assert frame[["name", "text"]].values.tolist() == expected
    arrow = pa.csv.read_csv(
        io.BytesIO(data),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types={"name": pa.string(), "text": pa.string()}
        ),
    )
    assert [list(row.values())[:2] for row in arrow.to_pylist()] == expected
    assert arrow["value"].to_pylist() == table["value"].to_pylist()
    short = list(csv.reader(io.StringIO(write_rows([("a", "b"), *rows]), newline="")))
    assert short[1:] == expected


def test_a_long_table_comes_in_parts():
    parts = list(encode_table(pa.table({"x": np.arange(50_001)})))
    assert len(parts) == 4 and b"".join(parts).count(b"\n") == 50_002


def test_half_a_character_is_one_sentence():
    with pytest.raises(ReweightvizError, match="half a character"):
        guard_texts(["web", "\ud800"])
