"""Documents that are appended are saved behind those that lie there, of which nothing is written."""

import numpy as np
import pytest

from reweightviz.core.corpus import Corpus, open_corpus
from reweightviz.core.errors import UnwritableFile

pytest.importorskip("lance")
pytestmark = pytest.mark.optional("lance")


def make(count, mark="a"):
    return {
        "id": [f"{mark}{row}" for row in range(count)],
        "text": [f"document {mark} {row}" for row in range(count)],
        "domain": ["web", "code"] * (count // 2),
        "tokens": np.arange(count),
        "loss:m": np.arange(count, dtype=np.float32),
        "embedding": np.arange(4 * count, dtype=np.float32).reshape(count, 4),
    }


def files(path):
    return {file.name for file in (path / "data").iterdir()}


def assert_same(found, expected):
    assert found.columns == expected.columns
    assert found.domains == expected.domains
    for name in expected.columns:
        assert found.digest(name) == expected.digest(name), name
    assert found.take(range(len(found))).digest(*found.columns) == expected.take(
        range(len(found))
    ).digest(*found.columns)
    assert found.text([0, len(found) - 1]) == expected.text([0, len(found) - 1])


def test_new_rows_are_written_and_no_old_one(tmp_path):
    path = Corpus(make(10)).save(tmp_path / "c.lance")
    before = files(path)
    more = open_corpus(path).append(make(4, "b") | {"domain": ["math", "web"] * 2})
    more.save(path)
    assert len(files(path) - before) == len(more.columns)
    assert before <= files(path)
    assert_same(open_corpus(path), more)
    assert open_corpus(path).domains == ("web", "code", "math")
    # Saved again nothing is written, and appended again only what is new.
    written = files(path)
    more.save(path)
    assert files(path) == written
    twice = more.append(make(2, "c")).append(make(2, "d"))
    twice.save(path)
    assert_same(open_corpus(path), twice)
    assert written <= files(path)
    assert_same(twice, Corpus(joined(make(10), make(4, "b"), make(2, "c"), make(2, "d"))))


def joined(*parts):
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns["domain"][10:14] = ["math", "web"] * 2
    return columns


def test_columns_that_changed_are_written_with_the_rows(tmp_path):
    path = Corpus(make(10)).save(tmp_path / "c.lance")
    more = open_corpus(path).append(make(4, "b"))
    more = more.with_column("score:x", np.arange(14.0)).with_column("loss:m", np.ones(14))
    more.save(path)
    assert_same(open_corpus(path), more)
    elsewhere = more.save(tmp_path / "d.lance")
    assert_same(open_corpus(elsewhere), more)


def test_two_who_append_are_told(tmp_path):
    path = Corpus(make(10)).save(tmp_path / "c.lance")
    first, second, third = (open_corpus(path) for _ in range(3))
    first.append(make(4, "b")).save(path)
    for late in (second.append(make(2, "c")), third.with_column("score:x", np.ones(10))):
        with pytest.raises(UnwritableFile, match=r"rv\.open_corpus opens theirs"):
            late.save(path)
    again = open_corpus(path).append(make(2, "c"))
    again.save(path)
    assert len(open_corpus(path)) == 16


def test_a_column_that_came_meanwhile_is_not_left_without_rows(tmp_path):
    path = Corpus(make(10)).save(tmp_path / "c.lance")
    mine = open_corpus(path).append(make(4, "b"))
    open_corpus(path).with_column("score:x", np.ones(10)).save(path)
    with pytest.raises(UnwritableFile, match="it holds 'score:x', of which the appended"):
        mine.save(path)
    other = open_corpus(path)
    other.append(make(4, "b") | {"score:x": np.ones(4)}).save(path)
    assert open_corpus(path)["score:x"].tolist() == [1] * 14


def test_other_documents_stay_other_documents(tmp_path):
    path = Corpus(make(10)).save(tmp_path / "c.lance")
    with pytest.raises(UnwritableFile, match="other documents; pass overwrite=True"):
        Corpus(make(10, "z")).append(make(4, "b")).save(path)
    renamed = Corpus(make(10)).append(make(4, "b")).with_column("domain", ["web"] * 14)
    with pytest.raises(UnwritableFile, match="other documents; pass overwrite=True"):
        renamed.save(path)
    renamed.save(path, overwrite=True)
    assert_same(open_corpus(path), renamed)


def test_recipes_of_two_processes_do_not_meet(tmp_path):
    path = Corpus(make(10)).save(tmp_path / "c.lance")
    one, two = open_corpus(path), open_corpus(path)
    one.with_column("score:a", np.ones(10), recipe={"verb": "a"}).save(path)
    two.with_column("score:b", np.ones(10), recipe={"verb": "b"}).save(path)
    assert open_corpus(path).recipes == {"score:a": {"verb": "a"}, "score:b": {"verb": "b"}}
    # A column that is made anew by hand loses its recipe there too.
    three = open_corpus(path)
    three.with_column("score:a", np.zeros(10)).save(path)
    assert open_corpus(path).recipes == {"score:b": {"verb": "b"}}
