"""A selection used with the wrong corpus."""

from __future__ import annotations

import numpy as np
import pytest

from reweightviz.core.corpus import Corpus, open_corpus
from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters import selected_documents
from reweightviz.features.select import select
from reweightviz.features.split_domain import split_domain
from reweightviz.selectors import TopK
from reweightviz.widgets.map.map import Map

REFUSED = "holds rows of another corpus"


def make(letter: str, **more: object) -> Corpus:
    columns = {
        "text": [f"{letter}{row}" for row in range(6)],
        "domain": ["web", "code"] * 3,
        "score": np.arange(6.0),
        "xy": np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32),
    }
    return Corpus(columns | more)


@pytest.mark.parametrize("framework", selected_documents.FORMATS)
def test_rows_of_another_corpus_are_refused_wherever_a_selection_goes(tmp_path, framework):
    ours, other = make("a"), make("b")
    chosen = select(ours, TopK(), k=2)
    file = selected_documents.write(chosen, framework, tmp_path / f"s.{framework}", corpus=ours)
    drawn = Map(ours)
    drawn.selection = [5, 4]
    numbered = other.with_column("id", [str(row) for row in range(6)])
    for wrong in (other, numbered):
        with pytest.raises(ReweightvizError, match=REFUSED):
            selected_documents.write(chosen, framework, tmp_path / "no", corpus=wrong)
        with pytest.raises(ReweightvizError, match=REFUSED):
            selected_documents.read(file, wrong)
        with pytest.raises(ReweightvizError, match=REFUSED):
            split_domain(wrong, chosen, "new")
        with pytest.raises(ReweightvizError, match=REFUSED):
            Map(wrong).selection = drawn.selection
    assert not (tmp_path / "no").exists()


def test_the_same_documents_are_taken_saved_split_and_read_back(tmp_path):
    ours = make("a")
    chosen = select(ours, TopK(), k=2)
    ours.save(tmp_path / "c")
    file = selected_documents.write(chosen, "jsonl", tmp_path / "s.jsonl")
    for same in (open_corpus(tmp_path / "c"), split_domain(ours, chosen, "new"), make("a")):
        assert selected_documents.read(file, same).rows.tolist() == chosen.rows.tolist()
        # What was read is as bound as what was written.
        assert selected_documents.read(file, same).how["corpus"] == chosen.how["corpus"]


def test_documents_with_ids_are_found_by_name_in_another_order():
    ids = [f"d{row}" for row in range(6)]
    chosen = select(make("a", id=ids), TopK(), k=2)
    turned = make("b", id=ids[::-1])
    assert chosen.rows.tolist() == [5, 4]
    drawn = Map(turned)
    drawn.selection = chosen
    assert drawn.selection.rows.tolist() == [0, 1]
    split = split_domain(turned, chosen, "new")
    assert np.flatnonzero(split.domain_codes == split.domains.index("new")).tolist() == [0, 1]


@pytest.mark.parametrize("record", ['{"how": null}', '{"how": {"corpus": null}}', "{}"])
def test_a_record_that_does_not_name_the_corpus_binds_to_none(tmp_path, record):
    file = tmp_path / "s.jsonl"
    file.write_text('{"id": "1"}\n')
    (tmp_path / "s.jsonl.provenance.json").write_text(record)
    assert selected_documents.read(file, make("a")).rows.tolist() == [1]
