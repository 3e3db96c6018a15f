"""Selected documents as files, read by the real datasets library and back."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.selection import Selection
from reweightviz.exporters import selected_documents

CORPUS = Corpus(
    {
        "id": ["001", "002", "a,b", "é"],
        "text": ['one "quoted"', "two\nlines", "three, with 🦜", "NA"],
        "domain": ["web", "web", "code", "math"],
        "tokens": [3, 2, 4, 1],
    }
)
ROWS = np.array([3, 0, 2])
SELECTION = Selection(
    ROWS, CORPUS.ids[ROWS], {"selector": "TopK()", "k": 3}, np.array([0.5, 0.25, 0.25])
)


@pytest.mark.optional("datasets")
@pytest.mark.parametrize("framework", selected_documents.FORMATS)
def test_the_real_datasets_library_reads_what_was_selected_in_order(tmp_path, framework):
    import datasets

    path = selected_documents.write(
        SELECTION, framework, tmp_path / f"picked.{framework}", corpus=CORPUS
    )
    builder = {"jsonl": "json"}.get(framework, framework)
    kinds = datasets.Features(
        {
            "id": datasets.Value("string"),
            "domain": datasets.Value("string"),
            "text": datasets.Value("string"),
            "tokens": datasets.Value("int64"),
            "weight": datasets.Value("float64"),
        }
    )
    options = {"keep_default_na": False} if framework == "csv" else {}
    rows = datasets.load_dataset(
        builder,
        data_files=str(path),
        split="train",
        features=kinds,
        cache_dir=str(tmp_path),
        **options,
    )
    assert rows["id"][:] == ["é", "001", "a,b"]
    assert rows["text"][:] == ["NA", 'one "quoted"', "three, with 🦜"]
    assert rows["domain"][:] == ["math", "web", "code"]
    assert rows["weight"][:] == [0.5, 0.25, 0.25]
    record = json.loads((tmp_path / f"picked.{framework}.provenance.json").read_text())
    assert (record["documents"], record["tokens"], record["how"]) == (
        3,
        8,
        {"selector": "TopK()", "k": 3},
    )


@pytest.mark.parametrize("framework", selected_documents.FORMATS)
def test_a_selection_comes_back_as_rows_of_its_corpus(tmp_path, framework):
    path = selected_documents.write(SELECTION, framework, tmp_path / f"ids.{framework}")
    back = selected_documents.read(path, CORPUS)
    assert back.rows.tolist() == ROWS.tolist()
    assert back.weight.tolist() == [0.5, 0.25, 0.25]
    plain = selected_documents.write(
        Selection(ROWS, CORPUS.ids[ROWS]), framework, tmp_path / f"plain.{framework}"
    )
    assert selected_documents.read(plain, CORPUS).weight is None


def test_what_is_refused_and_kept(tmp_path):
    path = selected_documents.write(SELECTION, "jsonl", tmp_path / "picked.jsonl")
    before = path.read_bytes()
    with pytest.raises(ReweightvizError, match="exists already; pass overwrite=True"):
        selected_documents.write(SELECTION, "jsonl", path)
    with pytest.raises(
        ReweightvizError, match="no format of selected documents 'json'; did you mean 'jsonl'"
    ):
        selected_documents.write(SELECTION, "json", path, overwrite=True)
    with pytest.raises(ReweightvizError, match="no document 'é' in this corpus of 2"):
        selected_documents.write(
            SELECTION, "jsonl", path, corpus=CORPUS.take([0, 1]), overwrite=True
        )
    assert path.read_bytes() == before
    for name, text, sentence in (
        ("a.jsonl", "[1]\n", "no file of JSON lines, each a mapping with 'id'"),
        ("a.jsonl", "{", "Expecting property name"),
        ("a.csv", "x,y\n1,2\n", "needs column 'id'; there is 'x', 'y'"),
        ("a.parquet", "no parquet", "cannot read"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(ReweightvizError, match=sentence):
            selected_documents.read(tmp_path / name, CORPUS)
    with pytest.raises(ReweightvizError, match="cannot read"):
        selected_documents.read(tmp_path / "absent.csv", CORPUS)


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0c"])
def test_a_separator_of_lines_within_a_text_ends_no_row(tmp_path, mark):
    corpus = Corpus({"id": ["a", "b"], "text": [f"one{mark}two", "three"], "domain": ["web"] * 2})
    rows = np.array([1, 0])
    selection = Selection(rows, corpus.ids[rows], {"selector": "TopK()", "k": 2})
    path = selected_documents.write(selection, "jsonl", tmp_path / "picked.jsonl", corpus=corpus)
    assert selected_documents.read(path, corpus).rows.tolist() == [1, 0]


LETTERS = 4 if pd.__version__ >= "3" else 3
"""Of the text with a NUL: pandas 2 ends a field of a CSV file there."""
ODD = [
    "a\rb",
    "x\r",
    "a\r\nb",
    "nul\0"[:LETTERS],
    "\ufeffbom",
    "\u2028",
    "",
    "NA",
    "=1+1",
    "@x",
    "'=y",
    "- item",
]


@pytest.fixture
def odd():
    """A corpus whose ids, domains and texts are odd, and all of it selected."""
    corpus = Corpus({"id": [*ODD[:-6], "1", *ODD[-5:]], "text": ODD, "domain": ODD})
    return corpus, Selection(np.arange(len(ODD)), corpus.ids, {}, np.arange(len(ODD)) / 3)


@pytest.mark.filterwarnings("ignore:.*begin as formulas do")
@pytest.mark.parametrize("framework", selected_documents.FORMATS)
def test_what_is_written_is_read_back_whatever_the_letters(tmp_path, odd, framework):
    corpus, selection = odd
    path = selected_documents.write(
        selection, framework, tmp_path / f"odd.{framework}", corpus=corpus
    )
    back = selected_documents.read(path, corpus)
    assert back.ids.tolist() == selection.ids.tolist() and back.rows.tolist() == [*range(len(ODD))]
    assert back.weight.tolist() == selection.weight.tolist()


def test_in_csv_a_text_that_is_a_formula_is_guarded_and_counted(tmp_path, odd):
    corpus, selection = odd
    with pytest.warns(ReweightvizWarning, match="12 cells of .* begin as formulas do"):
        path = selected_documents.write(selection, "csv", tmp_path / "s.csv", corpus=corpus)
    table = pd.read_csv(path, keep_default_na=False)
    assert table.text.tolist() == [*ODD[:-4], "'=1+1", "'@x", "''=y", "'- item"]
    assert json.loads((tmp_path / "s.csv.provenance.json").read_text())["guarded"] == 12
    with pytest.warns(ReweightvizWarning, match="8 cells"):
        selected_documents.write(selection, "csv", path, corpus=corpus, overwrite=True, guard=False)
    assert pd.read_csv(path, keep_default_na=False).text.tolist() == ODD
    assert selected_documents.read(path, corpus).rows.tolist() == [*range(len(ODD))]
