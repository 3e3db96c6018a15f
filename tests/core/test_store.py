"""What is saved stays whole: kills, full disks, several processes, and what 0.5 left half done."""

import json
import shutil
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pytest

from reweightviz.core import store
from reweightviz.core.corpus import Corpus, open_corpus
from reweightviz.core.errors import (
    ReweightvizError,
    ReweightvizWarning,
    UnreadableFile,
    UnwritableFile,
)

lance = pytest.importorskip("lance")
pytestmark = pytest.mark.optional("lance")

N = 200
MAKE = f"""
import os, sys, signal, resource
import lance, lance.fragment
import numpy as np
from reweightviz.core.corpus import Corpus, open_corpus
from reweightviz.core.errors import ReweightvizError
path, N = sys.argv[1], {N}
def make(**columns):
    texts = ["a long text " * 9 + str(i) for i in range(N)]
    return Corpus(dict(text=texts, domain=["web", "code"] * (N // 2)) | columns)
"""


def make(**columns):
    texts = ["a long text " * 9 + str(i) for i in range(N)]
    return Corpus({"text": texts, "domain": ["web", "code"] * (N // 2)} | columns)


def start(path, code):
    """Start a process that has ``path``, ``N`` and ``make``."""
    command = [sys.executable, "-c", MAKE + code, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(*processes):
    """Wait for processes that must end well, and return what they printed."""
    said = []
    for process in processes:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        said.append(out.strip())
    return said


KILLS = [
    ("lance.fragment.LanceFragment.create", "after"),
    ("lance.LanceDataset.commit", "before"),
    ("lance.LanceDataset.commit", "after"),
]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("first", [True, False], ids=["first save", "later save"])
@pytest.mark.parametrize(("function", "when"), KILLS)
def test_a_save_that_is_killed_left_all_or_nothing(tmp_path, function, when, first):
    path = tmp_path / "c.lance"
    old = make(**{"loss:m": np.zeros(N), "loss:same": np.arange(N)})
    new = old.with_column("loss:m", np.ones(N)).with_column("xy", np.ones((N, 2)), made="later")
    if not first:
        old.save(path)
    owner, _, name = function.rpartition(".")
    process = start(
        path,
        f"""
real = {function}
def kill(*args, **options):
    if {when == "after"}: real(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)
{owner}.{name} = staticmethod(kill)
corpus = make(**{{"loss:m": np.ones(N), "loss:same": np.arange(N)}})
corpus.with_column("xy", np.ones((N, 2)), made="later").save(path)
""",
    )
    assert process.wait(timeout=300) == -9
    if (function, when) == KILLS[2]:
        expected = new
    elif first:
        expected = None
        with pytest.raises(ReweightvizError, match="the first save there .* save again"):
            open_corpus(path)
        assert not new.is_saved_at(path)
    else:
        expected = old
    if expected is not None:
        found = open_corpus(path)
        assert set(found.columns) == set(expected.columns)
        assert found.meta == expected.meta
        assert expected.take(range(N)).digest(*expected.columns) == found.take(range(N)).digest(
            *expected.columns
        )
    new.save(path)
    assert open_corpus(path)["loss:m"].tolist() == [1] * N


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of a file's size")
def test_a_disk_that_is_full_loses_nothing(tmp_path):
    """The limit of a file's size stands for the disk: what does not fit raises, as there."""
    path = make(**{"loss:m": np.zeros(N)}).save(tmp_path / "c.lance")
    (said,) = finish(
        start(
            path,
            """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
rng = np.random.default_rng(0)
corpus = open_corpus(path).with_column("loss:m", np.ones(N))
big = corpus.with_column("embedding", rng.normal(size=(N, 500)))
for limit in range(100, 8000, 700):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        big.save(path)
    except ReweightvizError as error:
        assert "cannot save" in str(error), error
    else:
        raise AssertionError(limit)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    again = open_corpus(path)
    assert "embedding" not in again and not again["loss:m"].any()
print(len(os.listdir(os.path.join(path, "data"))))
big.save(path)
assert open_corpus(path)["embedding"].shape == (N, 500)
""",
        )
    )
    assert int(said) == 3  # the failed saves left no files behind


def test_processes_that_save_at_once_lose_nothing(tmp_path):
    path = tmp_path / "c.lance"
    finish(
        *(
            start(
                path,
                f"""
make().with_column("loss:{who}", np.zeros(N)).save(path)
for turn in range(1, 9):
    corpus = open_corpus(path).with_column("loss:{who}", np.full(N, turn), {who}=turn)
    corpus.save(path)
""",
            )
            for who in "ab"
        )
    )
    found = open_corpus(path)
    assert found["loss:a"].tolist() == found["loss:b"].tolist() == [8] * N
    assert (found.meta["a"], found.meta["b"]) == (8, 8)


def save_before_the_next_commit(monkeypatch, corpus, path):
    """Have ``corpus`` saved by another just when a save is about to commit."""
    commit = lance.LanceDataset.commit

    def be_second(*args, **options):
        monkeypatch.setattr(lance.LanceDataset, "commit", staticmethod(commit))
        corpus.save(path)
        return commit(*args, **options)

    monkeypatch.setattr(lance.LanceDataset, "commit", staticmethod(be_second))


def test_what_each_changed_alone_stays(tmp_path, monkeypatch):
    path = make(**{"loss:m": np.zeros(N)}).save(tmp_path / "c.lance")
    mine, theirs = open_corpus(path), open_corpus(path)
    theirs = theirs.with_column("loss:m", np.ones(N), judge="they")
    save_before_the_next_commit(monkeypatch, theirs, path)
    files = len(list((path / "data").iterdir()))
    mine.with_column("loss:n", np.full(N, 2.0)).save(path)
    assert len(list((path / "data").iterdir())) == files + 2  # that of mine was written once
    found = open_corpus(path)
    assert (found["loss:m"][0], found["loss:n"][0], found.meta) == (1, 2, {"judge": "they"})


def test_what_both_changed_is_one_sentence(tmp_path):
    path = make(**{"loss:m": np.zeros(N)}).save(tmp_path / "c.lance")
    mine, theirs = open_corpus(path), open_corpus(path)
    theirs.with_column("loss:m", np.ones(N)).with_column("loss:new", np.ones(N)).save(path)
    for name in ("loss:m", "loss:new"):
        changed = mine.with_column(name, np.full(N, 2.0))
        with pytest.raises(UnwritableFile, match=f"another process saved '{name}'"):
            changed.save(path)
        assert open_corpus(path)[name].tolist() == [1] * N
        # What the sentence advises.
        open_corpus(path).with_column(name, changed[name]).save(path)
        assert open_corpus(path)[name].tolist() == [2] * N
    mine.with_column("xy", np.ones((N, 2))).save(path)
    # What a process saved itself it may save again.
    for value in (3, 4):
        mine.with_column("loss:mine", np.full(N, value)).save(path)
    assert open_corpus(path)["loss:mine"].tolist() == [4] * N
    assert open_corpus(path)["loss:m"].tolist() == [2] * N


def test_first_saves_of_other_documents_at_once(tmp_path, monkeypatch):
    path = tmp_path / "c.lance"
    other = Corpus({"text": ["x"], "domain": ["y"]})
    save_before_the_next_commit(monkeypatch, other, path)
    with pytest.raises(UnwritableFile, match="it holds other documents"):
        make().save(path)
    assert open_corpus(path).text([0]) == ["x"]


def rewrite_as_before_0_6(path):
    """Give a dataset the header that 0.5 committed apart."""
    dataset = lance.dataset(str(path))
    header = json.loads(dataset.schema.metadata[store.KEY.encode()])
    del header["format"]
    dataset.update_schema_metadata({store.KEY: json.dumps(header)})
    return dataset


def test_half_states_of_0_5_are_told_and_mended(tmp_path):
    path = make(**{"loss:m": np.zeros(N), "loss:n": np.zeros(N)}).save(tmp_path / "c.lance")
    half = open_corpus(path)
    dataset = rewrite_as_before_0_6(path)
    dataset.drop_columns(["loss:m"])
    with pytest.warns(ReweightvizWarning, match="lost 'loss:m' in a save that was cut short"):
        found = open_corpus(path)
    assert found.columns == ("text", "domain", "loss:n")
    shutil.copytree(path, tmp_path / "dropped.lance")
    found.with_column("loss:m", np.ones(N)).save(tmp_path / "dropped.lance")
    assert open_corpus(tmp_path / "dropped.lance")["loss:m"].tolist() == [1] * N
    # Later still, values lay there whose digest was that of the old ones.
    added = make(**{"loss:m": np.ones(N), "loss:stray": np.ones(N)}).to_arrow()
    dataset.add_columns(added.select(["loss:m", "loss:stray"]).to_reader())
    found = open_corpus(path)
    assert found["loss:m"].tolist() == [1] * N
    for corpus in (half.with_column("loss:stray", np.zeros(N)), found, half):
        place = shutil.copytree(path, tmp_path / f"{len(list(tmp_path.iterdir()))}.lance")
        fresh = corpus.take(range(N))
        fresh.save(place)
        again = open_corpus(place)
        for name in fresh.columns:
            assert again.digest(name) == fresh.digest(name)


def test_a_damaged_version_is_named(tmp_path):
    """As a loss of power may leave it, between Lance's writing and the end of a save."""
    path = make().save(tmp_path / "c.lance")
    make(**{"loss:m": np.ones(N)}).save(path)
    newest = min((path / "_versions").glob("*.manifest"))
    newest.write_bytes(b"")
    for use in (open_corpus, make().save):
        with pytest.raises(UnreadableFile, match=f"{newest.name}, is damaged; remove that file"):
            use(path)
    newest.unlink()
    assert open_corpus(path).columns == ("text", "domain")
    make(**{"loss:m": np.ones(N)}).save(path)
    assert open_corpus(path)["loss:m"].tolist() == [1] * N


def test_what_is_not_ours_is_not_overwritten(tmp_path):
    theirs = tmp_path / "theirs.lance"
    lance.write_dataset(make().to_arrow(), str(theirs))
    photos = tmp_path / "photos"
    (photos / "data").mkdir(parents=True)
    (photos / "data" / "cat.png").write_bytes(b"x")
    for place in (theirs, photos):
        before = sorted(place.rglob("*"))
        for overwrite in (False, True):
            with pytest.raises(ReweightvizError, match="not one that a Corpus saved|is no saved"):
                make().save(place, overwrite=overwrite)
        assert sorted(place.rglob("*")) == before


def test_versions_that_nobody_needs_are_removed(tmp_path, monkeypatch):
    path = make(**{"loss:m": np.zeros(N)}).save(tmp_path / "c.lance")
    reader = open_corpus(path)
    monkeypatch.setattr(store, "KEPT_VERSIONS", 3)
    for turn in range(6):
        open_corpus(path).with_column("loss:m", np.full(N, turn)).save(path)
    assert reader["loss:m"].tolist() == [0] * N  # versions of the last hour stay
    late = open_corpus(path)
    monkeypatch.setattr(store, "KEPT_FOR", timedelta(0))
    sizes = []
    for turn in range(12):
        open_corpus(path).with_column("loss:m", np.full(N, turn)).save(path)
        sizes.append(sum(file.stat().st_size for file in path.rglob("*") if file.is_file()))
    assert max(sizes) < 1.2 * sizes[0]
    assert late.text([3]) == make().text([3])
    with pytest.raises(
        ReweightvizError, match="replaced or removed since .* open the corpus again"
    ):
        late["loss:m"]
    late.with_column("loss:n", np.ones(N)).save(path)
    assert open_corpus(path)["loss:m"].tolist() == [11] * N


def test_other_labels_of_the_same_documents(tmp_path):
    path = make().save(tmp_path / "c.lance")
    mine, theirs = open_corpus(path), open_corpus(path)
    ordered = Corpus({name: theirs[name] for name in theirs.columns}, domains=["code", "web"])
    ordered.save(path)
    assert open_corpus(path).domains == ("code", "web")
    mine.with_column("loss:m", np.ones(N)).save(path)
    assert open_corpus(path).domains == ("code", "web")


def test_rows_that_lance_itself_deleted_are_not_written_over(tmp_path):
    path = make().save(tmp_path / "c")
    lance.dataset(str(path)).delete("domain = 'code'")
    more = make(**{"loss:a": np.zeros(len(make()), np.float32)})
    with pytest.raises(ReweightvizError, match="deleted with Lance itself; pass overwrite=True"):
        more.save(path)
    more.save(path, overwrite=True)
    assert open_corpus(path)["loss:a"].tolist() == [0.0] * len(make())
