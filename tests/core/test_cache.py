"""Caches are optional: a result is never lost to one that is damaged, full or read-only."""

import os
import signal
import time
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reweightviz.core import cache
from reweightviz.core.cache import cache_folder, compute_once
from reweightviz.core.errors import ReweightvizWarning
from reweightviz.readers.demo import corpus as demo

OLD = 1_000_000_000  # seconds, in 2001


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", str(tmp_path / "cache"))
    cache._warn_once.cache_clear()
    return tmp_path / "cache"


def numbers():
    return {"x": np.arange(99)}


def forbidden():
    return pytest.fail("computed again")


def test_a_kept_result_is_not_computed_again(folder):
    compute_once("verb", ("key",), numbers)
    found = compute_once("verb", ("key",), forbidden)
    np.testing.assert_array_equal(found["x"], np.arange(99))
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY", b"\0" * 5000])
def test_a_damaged_file_is_made_again_with_a_note(folder, content):
    compute_once("verb", ("key",), numbers)
    (path,) = folder.iterdir()
    path.write_bytes(content)
    with pytest.warns(ReweightvizWarning, match="cannot be read, .*: what it holds is made again"):
        found = compute_once("verb", ("key",), numbers)
    np.testing.assert_array_equal(found["x"], np.arange(99))
    compute_once("verb", ("key",), forbidden)


def test_every_byte_that_is_flipped_is_found_or_does_not_matter(folder):
    compute_once("verb", ("key",), numbers)
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = compute_once("verb", ("key",), numbers)
        np.testing.assert_array_equal(next(iter(found.values())), np.arange(99))


def test_a_full_disk_costs_the_cache_not_the_result(folder, monkeypatch):
    def no_room(*_given: object) -> None:
        raise OSError(28, "No space left on device")

    # Nothing smaller fills a disk for one process alone: os.open is what makes the draft.
    with monkeypatch.context() as full:
        full.setattr(os, "open", no_room)
        with pytest.warns(ReweightvizWarning, match="no result is kept in .*No space left"):
            found = compute_once("verb", ("key",), numbers)
        np.testing.assert_array_equal(found["x"], np.arange(99))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compute_once("verb", ("other",), numbers)
    compute_once("verb", ("key",), numbers)
    compute_once("verb", ("key",), forbidden)
    assert folder.is_dir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_costs_the_cache_not_the_result(folder):
    folder.mkdir()
    folder.chmod(0o555)
    try:
        with pytest.warns(ReweightvizWarning, match="no result is kept in .*Permission denied"):
            compute_once("verb", ("key",), numbers)
    finally:
        folder.chmod(0o755)


def test_a_folder_that_cannot_be_made_is_said_once(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", str(tmp_path / "file"))
    with pytest.warns(ReweightvizWarning, match="no result is kept in .*File exists"):
        compute_once("verb", ("key",), numbers)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compute_once("verb", ("key",), numbers)


def test_somebody_without_a_home_computes(monkeypatch):
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("REWEIGHTVIZ_CACHE", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert cache_folder() is None
    compute_once("verb", ("key",), numbers)


def test_what_killed_processes_left_is_swept_at_the_next_use(folder, is_killed):
    folder.mkdir()
    parts = iter([b"x", b"y"])

    def stop_between() -> bytes:
        part = next(parts)
        if part == b"y":
            os.kill(os.getpid(), signal.SIGKILL)
        return part

    assert is_killed(
        lambda: cache.write_atomically(folder / "embed-0.npz", iter(stop_between, b""))
    )
    (left,) = folder.iterdir()
    assert left.name.endswith(".draft")
    older = folder / f".embed-{'0a' * 12}.npz.x7_kq2ab"
    cut = folder / f".demo-corpus-{'0a' * 12}.par.x7_kq2ab"
    fresh = folder / f".embed-{'0b' * 12}.npz.x7_kq2ab"
    mine = folder / ".notes.original"
    for path in (older, cut, fresh, mine):
        path.write_text("left")
        os.utime(path, (OLD, OLD))
    os.utime(fresh, (time.time(), time.time()))
    cache_folder()
    assert sorted(folder.iterdir()) == sorted([fresh, mine])


def test_two_processes_that_compute_the_same_keep_one_whole_file(folder):
    def compute_while_another_does():
        child = os.fork()
        if child == 0:
            try:
                compute_once("verb", ("key",), numbers)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        return numbers()

    compute_once("verb", ("key",), compute_while_another_does)
    compute_once("verb", ("key",), forbidden)
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("content", [b"PAR1 no table PAR1", None])
def test_a_damaged_demo_corpus_is_collected_again(tmp_path, content):
    packages = tmp_path / "packages"
    (packages / "some-1.0.dist-info").mkdir(parents=True)
    (packages / "some").mkdir()
    for number in range(3):
        lines = [f"def verb_{number}_{line}(x):\n    return x + {line}\n" for line in range(40)]
        (packages / "some" / f"part{number}.py").write_text("\n".join(lines))
    first = demo.read(packages)
    (path,) = (tmp_path / "cache").iterdir()
    if content is None:
        pq.write_table(pa.table({"another": [1]}), path)
    else:
        path.write_bytes(content)
    with pytest.warns(ReweightvizWarning, match="is made again"):
        again = demo.read(packages)
    assert again.ids.tolist() == first.ids.tolist()
    assert demo.read(packages).ids.tolist() == first.ids.tolist()
