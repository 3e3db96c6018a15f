import numpy as np
import pyarrow as pa
import pytest

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.store import open_corpus, save_corpus

NASTY = ['"quoted"', "<b>bold</b><script>alert(1)</script>", "🦜 parrots", "x" * 300]


@pytest.fixture
def corpus():
    return Corpus({"id": ["a", "b", "c"], "text": ["one", "zwölf", ""], "domain": ["web", "code", "web"]})


def test_counts_tokens_as_bytes(corpus):
    assert corpus.tokens.tolist() == [3, 6, 0]
    assert corpus.sources["web"].documents == 2
    assert corpus.natural["code"] == pytest.approx(6 / 9)


def test_a_new_column_copies_nothing(corpus):
    xy = np.zeros((3, 2))
    more = corpus.with_column("xy", xy)
    assert "xy" not in corpus
    assert more["xy"] is xy
    assert more["text"] is corpus["text"]


@pytest.mark.parametrize(("name", "values", "sentence"), [
    ("xy", np.zeros((2, 2)), r"row a document, 3; got 2"),
    ("xy", np.zeros(3), r"'xy' must be \(N, 2\); got \(3,\)"),
    ("loss:m", np.zeros((3, 1)), r"'loss:m' must be \(N,\)"),
])
def test_wrong_columns_are_refused(corpus, name, values, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        corpus.with_column(name, values)


def test_a_missing_column_names_those_there_and_the_verb(corpus):
    with pytest.raises(ReweightvizError, match=r"needs column 'xy'; there is 'id', 'text', 'domain'\. rv\.project\(corpus\) makes it"):
        corpus["xy"]
    with pytest.raises(ReweightvizError, match="needs column 'domain'; there is 'text'"):
        Corpus({"text": ["a"]})


def test_an_empty_corpus_is_refused():
    with pytest.raises(ReweightvizError, match="at least one document"):
        Corpus({"text": [], "domain": []})


def test_one_domain_and_awkward_names():
    assert Corpus({"text": ["a"], "domain": ["only"]}).natural["only"] == 1
    awkward = Corpus({"text": list("abcd"), "domain": NASTY})
    assert awkward.domains == tuple(NASTY)


def test_rows_of_ids(corpus):
    assert corpus.rows(["c", "a"]).tolist() == [2, 0]
    with pytest.raises(ReweightvizError, match="no document 'z'"):
        corpus.rows(["z"])


def test_saved_and_opened_again(corpus, tmp_path):
    full = corpus.with_column("xy", np.arange(6.0).reshape(3, 2)).with_column("cluster", np.array([0, 1, 0]), cluster_names=["x", "y"])
    again = open_corpus(full.save(tmp_path / "c.lance"))
    assert again.domains == corpus.domains
    assert again.meta["cluster_names"] == ["x", "y"]
    assert again.text([1]) == ["zwölf"]
    np.testing.assert_array_equal(again["xy"], full["xy"])
    assert again.digest(*full.columns) == full.digest(*full.columns)


def test_a_new_column_rewrites_nothing_else(corpus, tmp_path):
    path = corpus.save(tmp_path / "c.lance")
    before = {f: f.stat().st_mtime_ns for f in (path / "data").iterdir()}
    save_corpus(open_corpus(path).with_column("loss:m", np.ones(3)), path)
    after = {f: f.stat().st_mtime_ns for f in (path / "data").iterdir()}
    assert before.items() <= after.items()
    assert len(after) == len(before) + 1
    changed = open_corpus(path).with_column("loss:m", np.zeros(3))
    assert open_corpus(save_corpus(changed, path))["loss:m"].tolist() == [0, 0, 0]


def test_other_documents_are_not_overwritten(corpus, tmp_path):
    path = corpus.save(tmp_path / "c.lance")
    other = Corpus({"text": ["x"], "domain": ["y"]})
    with pytest.raises(ReweightvizError, match="holds other documents"):
        other.save(path)
    assert open_corpus(path).text([0]) == ["one"]
    assert len(open_corpus(other.save(path, overwrite=True))) == 1
    with pytest.raises(ReweightvizError, match="there is no corpus at"):
        open_corpus(tmp_path / "none")


def test_arrow_out(corpus):
    table = corpus.with_column("xy", np.zeros((3, 2), np.float32)).to_arrow()
    assert table.schema.field("xy").type == pa.list_(pa.float32(), 2)
    assert corpus.to_pandas().shape == (3, 3)
