import numpy as np
import pyarrow as pa
import pytest

from reweightviz.core.cache import cache_path, compute_once
from reweightviz.core.corpus import Corpus, open_corpus, open_version
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning

NASTY = ['"quoted"', "<b>bold</b><script>alert(1)</script>", "🦜 parrots", "x" * 300]


@pytest.fixture
def corpus():
    return Corpus(
        {"id": ["a", "b", "c"], "text": ["one", "zwölf", ""], "domain": ["web", "code", "web"]}
    )


def test_counts_tokens_as_bytes(corpus):
    assert corpus.tokens.tolist() == [3, 6, 0]
    assert corpus.sources["web"].documents == 2
    assert corpus.natural["code"] == pytest.approx(6 / 9)


def test_a_new_column_copies_nothing(corpus):
    xy = np.zeros((3, 2))
    more = corpus.with_column("xy", xy)
    assert "xy" not in corpus
    assert np.shares_memory(more["xy"], xy)
    assert xy.flags.writeable
    assert not more["xy"].flags.writeable
    assert more["text"] is corpus["text"]


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("xy", np.zeros((2, 2)), r"row a document, 3; got 2"),
        ("xy", np.zeros(3), r"'xy' must be \(N, 2\); got \(3,\)"),
        ("loss:m", np.zeros((3, 1)), r"'loss:m' must be \(N,\)"),
    ],
)
def test_wrong_columns_are_refused(corpus, name, values, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        corpus.with_column(name, values)


def test_a_missing_column_names_those_there_and_the_verb(corpus):
    with pytest.raises(
        ReweightvizError,
        match=r"needs column 'xy'; there is 'id', 'text', 'domain'\. rv\.project\(corpus\) makes it",
    ):
        corpus["xy"]
    with pytest.raises(ReweightvizError, match="needs column 'domain'; there is 'text'"):
        Corpus({"text": ["a"]})


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"domain": ["web", None]}, "every document needs its domain; 1 of 2 rows have none"),
        ({"text": [None, "b"]}, "every document needs its text; 1 of 2 rows have none"),
        ({"id": ["x", None]}, "every document needs its id"),
        ({"tokens": [3, np.nan]}, "row 1 of column 'tokens' must be a number >= 0; got nan"),
        ({"tokens": [-1, 3]}, "got -1"),
        ({"tokens": ["1", "2"]}, "row 0 .*; got 1"),
    ],
)
def test_documents_that_lack_something_are_refused(columns, sentence):
    whole = {"text": ["a", "b"], "domain": ["web", "code"]}
    with pytest.raises(ReweightvizError, match=sentence):
        Corpus(whole | columns)
    late = Corpus(
        whole
        | {
            name: lambda values=values: values
            for name, values in columns.items()
            if name != "domain"
        }
    )
    for name in set(columns) - {"domain"}:
        with pytest.raises(ReweightvizError, match=sentence):
            late.digest(name)


def test_an_empty_corpus_is_refused():
    with pytest.raises(ReweightvizError, match="at least one document"):
        Corpus({"text": [], "domain": []})


def test_one_domain_and_awkward_names():
    assert Corpus({"text": ["a"], "domain": ["only"]}).natural["only"] == 1
    awkward = Corpus({"text": list("abcd"), "domain": NASTY})
    assert awkward.domains == tuple(NASTY)


def test_a_version_of_a_saved_corpus_can_be_opened(corpus, tmp_path):
    path = tmp_path / "c.lance"
    first = corpus.with_column("loss:m", np.ones(3)).save_version(path)
    assert corpus.save_version(path) == first  # with nothing new, nothing is committed
    second = corpus.with_column("loss:m", np.zeros(3)).save_version(path)
    assert open_version(path, first)["loss:m"].tolist() == [1, 1, 1]
    assert open_version(path, second)["loss:m"].tolist() == [0, 0, 0]
    open_version(path, first).save(path)
    assert open_corpus(path)["loss:m"].tolist() == [1, 1, 1]
    with pytest.raises(ReweightvizError, match="no version 99"):
        open_version(path, 99)


def test_rows_of_ids(corpus):
    assert corpus.rows(["c", "a"]).tolist() == [2, 0]
    with pytest.raises(ReweightvizError, match="no document 'z'"):
        corpus.rows(["z"])
    with pytest.raises(
        ReweightvizError, match="each id may stand once in a corpus; 'a' came more often"
    ):
        Corpus({"id": ["a", "a"], "text": ["x", "y"], "domain": ["d", "d"]}).rows(["a"])


def test_saved_and_opened_again(corpus, tmp_path):
    full = corpus.with_column("xy", np.arange(6.0).reshape(3, 2)).with_column(
        "cluster", np.array([0, 1, 0]), cluster_names=["x", "y"]
    )
    again = open_corpus(full.save(tmp_path / "c.lance"))
    assert again.domains == corpus.domains
    assert again.meta["cluster_names"] == ["x", "y"]
    assert again.text([1]) == ["zwölf"]
    np.testing.assert_array_equal(again["xy"], full["xy"])
    assert again.digest(*full.columns) == full.digest(*full.columns)


def test_a_new_column_rewrites_nothing_else(corpus, tmp_path):
    path = corpus.save(tmp_path / "c.lance")
    before = {f: f.stat().st_mtime_ns for f in (path / "data").iterdir()}
    open_corpus(path).with_column("loss:m", np.ones(3)).save(path)
    after = {f: f.stat().st_mtime_ns for f in (path / "data").iterdir()}
    assert before.items() <= after.items()
    assert len(after) == len(before) + 1
    changed = open_corpus(path).with_column("loss:m", np.zeros(3))
    assert open_corpus(changed.save(path))["loss:m"].tolist() == [0, 0, 0]


def test_other_documents_are_not_overwritten(corpus, tmp_path):
    path = corpus.save(tmp_path / "c.lance")
    other = Corpus({"text": ["x"], "domain": ["y"]})
    with pytest.raises(ReweightvizError, match="holds other documents"):
        other.save(path)
    assert open_corpus(path).text([0]) == ["one"]
    assert len(open_corpus(other.save(path, overwrite=True))) == 1
    with pytest.raises(ReweightvizError, match="cannot read .*: there is no corpus"):
        open_corpus(tmp_path / "none")


def test_saving_fewer_columns_keeps_the_others(corpus, tmp_path):
    full = corpus.with_column("cluster", np.array([0, 1, 0]), cluster_names=["x", "y"])
    path = full.save(tmp_path / "c.lance")
    corpus.save(path)
    assert open_corpus(path)["cluster"].tolist() == [0, 1, 0]
    assert open_corpus(path).meta["cluster_names"] == ["x", "y"]
    assert open_corpus(full.save(path)).columns == full.columns


def test_a_save_that_breaks_off_loses_nothing(corpus, tmp_path, monkeypatch):
    import lance

    path = corpus.with_column("loss:m", np.ones(3)).save(tmp_path / "c.lance")
    changed = corpus.with_column("loss:m", np.zeros(3))
    files = set(path.rglob("*"))
    with monkeypatch.context() as broken:
        broken.setattr(
            lance.LanceDataset,
            "commit",
            lambda *_, **__: (_ for _ in ()).throw(OSError("disk is full, /lance.rs:3:4")),
        )
        with pytest.raises(ReweightvizError, match=r"cannot save .*c\.lance: disk is full\.$"):
            changed.save(path)
    assert set(path.rglob("*")) == files
    assert open_corpus(path)["loss:m"].tolist() == [1, 1, 1]
    assert open_corpus(changed.save(path))["loss:m"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("label", ["my.model", "100%", "a`b", "🦜", "a b[0](c)"])
def test_a_column_may_have_any_label(corpus, tmp_path, label):
    name = f"loss:{label}"
    path = corpus.save(tmp_path / "c.lance")
    for value in (1, 2):  # the second replaces the first
        corpus.with_column(name, np.full(3, value)).save(path)
        assert open_corpus(path)[name].tolist() == [value] * 3


def test_places_where_no_corpus_can_lie_are_one_sentence(corpus, tmp_path):
    file, folder, empty = tmp_path / "file", tmp_path / "folder", tmp_path / "empty"
    file.write_text("mine")
    empty.mkdir()
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    for place in (file, folder):
        for overwrite in (False, True):
            with pytest.raises(
                ReweightvizError, match=rf"{place.name} is no saved corpus: [^\n]*[^.]\.$"
            ):
                corpus.save(place, overwrite=overwrite)
        with pytest.raises(ReweightvizError, match="is no saved corpus"):
            open_corpus(place)
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt"]
    with pytest.raises(ReweightvizError, match=r"the folder .*no does not exist; create it first"):
        corpus.save(tmp_path / "no" / "c.lance")
    assert len(open_corpus(corpus.save(empty))) == 3


def test_same_documents_is_told_from_the_header(corpus, tmp_path, monkeypatch):
    path = tmp_path / "c.lance"
    assert not corpus.is_saved_at(path)
    corpus.save(path)
    monkeypatch.setattr(
        "reweightviz.core.store._column", lambda *_: pytest.fail("read what is stored")
    )
    assert corpus.with_column("xy", np.zeros((3, 2))).is_saved_at(path)
    assert not corpus.take([0, 1]).is_saved_at(path)
    assert not corpus.with_column("text", ["x", "y", "z"]).is_saved_at(path)


def test_a_corpus_without_text_can_be_saved_twice(tmp_path):
    bare = Corpus({"domain": ["web", "code"], "tokens": [3, 4]})
    path = bare.save(tmp_path / "c.lance")
    assert bare.is_saved_at(path)
    assert open_corpus(bare.save(path)).tokens.tolist() == [3, 4]


def test_a_replaced_column_has_its_own_digest(corpus):
    before = corpus.digest("text")
    other = corpus.with_column("text", ["one", "two", "three"])
    assert other.digest("text") != before == corpus.digest("text")
    assert other.digest("domain") == corpus.digest("domain")
    numbers = np.zeros(3)
    counted = corpus.with_column("loss:m", numbers)
    first = counted.digest("loss:m")
    numbers[0] = 1
    assert counted.digest("loss:m") != first


def test_arrow_out(corpus):
    table = corpus.with_column("xy", np.zeros((3, 2), np.float32)).to_arrow()
    assert table.schema.field("xy").type == pa.list_(pa.float32(), 2)
    assert corpus.to_pandas().shape == (3, 3)


@pytest.mark.parametrize("left", [0, 1, 40, -10])
def test_half_a_file_in_the_cache_is_computed_again(tmp_path, monkeypatch, left):
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", str(tmp_path))
    first = compute_once("verb", ("key",), lambda: {"x": np.arange(99)})["x"]
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:left])
    with pytest.warns(ReweightvizWarning, match="what it holds is made again"):
        again = compute_once("verb", ("key",), lambda: {"x": np.arange(99)})["x"]
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(
        compute_once("verb", ("key",), lambda: pytest.fail("not kept"))["x"], first
    )


def test_another_version_computes_again(tmp_path, monkeypatch):
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", str(tmp_path))
    before = cache_path("verb", "key")
    monkeypatch.setattr("reweightviz.core.cache.VERSION", "99")
    assert cache_path("verb", "key") != before
