"""Files are written whole or not at all: real kills, real limits, real second processes."""

import os
import platform
import signal
import stat
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reweightviz.core import files
from reweightviz.core.errors import UnwritableFile
from reweightviz.core.file_lock import take_lock
from reweightviz.core.files import sweep_drafts, write_all, write_atomically

resource = pytest.importorskip("resource", reason="Windows has no fork and no flock")

OLD = 1_000_000_000  # seconds, in 2001
Kill = Callable[[Callable[[], object]], bool]
KillAt = Callable[[int, Callable[[], object]], bool]


def stop() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def drafts(folder: Path) -> list[Path]:
    return sorted(folder.glob(".*.draft"))


def parts_then(act: Callable[[], object]) -> Iterator[str]:
    yield "new" * 100_000
    act()


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Limit files to ``size`` bytes: the write that passes it fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_draft_of_killed_is_swept(tmp_path: Path, is_killed: Kill) -> None:
    target = write_atomically(tmp_path / "a.txt", "old")
    other = tmp_path / "a.txt.b"
    assert is_killed(lambda: write_atomically(target, parts_then(stop)))
    assert is_killed(lambda: write_atomically(other, parts_then(stop)))
    assert target.read_text() == "old"
    assert len(drafts(tmp_path)) == 2
    write_atomically(target, "new")
    (left,) = drafts(tmp_path)
    assert left.name.startswith(".a.txt.b.")
    sweep_drafts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_draft_of_living_stays(tmp_path: Path, is_killed: Kill) -> None:
    target = tmp_path / "a.txt"

    def write_another() -> None:
        (before,) = drafts(tmp_path)
        assert not is_killed(lambda: write_atomically(target, "of the second"))
        assert target.read_text() == "of the second"
        sweep_drafts(tmp_path)
        assert drafts(tmp_path) == [before]

    write_atomically(target, parts_then(write_another))
    assert target.read_text() == "new" * 100_000
    assert drafts(tmp_path) == []


def test_draft_of_another_process_stays_while_that_lives(tmp_path: Path) -> None:
    reading, writing = os.pipe()

    def wait() -> None:
        os.write(writing, b"x")
        signal.pause()

    child = os.fork()
    if child == 0:
        try:
            write_atomically(tmp_path / "a.txt", parts_then(wait))
        finally:
            os._exit(1)
    assert os.read(reading, 1) == b"x"
    write_atomically(tmp_path / "a.txt", "mine")
    assert len(drafts(tmp_path)) == 1
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    write_atomically(tmp_path / "a.txt", "mine")
    assert drafts(tmp_path) == []


def test_only_ours_is_swept(tmp_path: Path) -> None:
    mine = [".a.txt.original", ".a.txt.draft", ".a.txt.0123abcd-mine.draft", ".a.txt.backup_1"]
    for name in mine:
        (tmp_path / name).write_text("kept")
        os.utime(tmp_path / name, (OLD, OLD))
    folder = tmp_path / ".a.txt.01234567-0123456789abcdef.draft"
    folder.mkdir()
    write_atomically(tmp_path / "a.txt", "new")
    sweep_drafts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*mine, folder.name, "a.txt"])


def test_draft_of_another_machine_waits_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_killed: Kill
) -> None:
    assert platform.node() != "elsewhere"
    with monkeypatch.context() as there:
        there.setattr(files, "_HOST", "0" * 8)
        assert is_killed(lambda: write_atomically(tmp_path / "a.txt", parts_then(stop)))
    write_atomically(tmp_path / "a.txt", "new")
    (left,) = drafts(tmp_path)
    os.utime(left, (OLD, OLD))
    write_atomically(tmp_path / "a.txt", "new")
    assert drafts(tmp_path) == []


def test_writer_takes_another_draft_when_its_own_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep_first(file: int, patience: float) -> bool:
        if patience and len(swept) == 0:
            swept.extend(drafts(tmp_path))
            sweep_drafts(tmp_path)
        return take_lock(file, patience)

    swept: list[Path] = []
    monkeypatch.setattr(files, "take_lock", sweep_first)
    write_atomically(tmp_path / "a.txt", "whole")
    assert len(swept) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_every_rename_that_is_killed(tmp_path: Path, is_killed_at: KillAt, is_killed: Kill) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for nth in range(3):
        write_all(dict.fromkeys(paths, "old"))
        assert is_killed_at(nth, lambda: write_all(dict.fromkeys(paths, "new")))
        assert [path.read_text() for path in paths] == ["new"] * nth + ["old"] * (3 - nth)
    write_all(dict.fromkeys(paths, "newest"))
    assert sorted(tmp_path.iterdir()) == paths


def test_two_writers_of_the_same_files_leave_those_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / name for name in ("a", "b")]
    replace = Path.replace
    reading, writing = os.pipe()

    def dawdle(self: Path, other: Path) -> Path:
        found = replace(self, other)
        if other == paths[0]:
            os.write(writing, b"x")
            time.sleep(0.5)
        return found

    child = os.fork()
    if child == 0:
        try:
            monkeypatch.setattr(Path, "replace", dawdle)
            write_all(dict.fromkeys(paths, "of the slow one"))
        finally:
            os._exit(0)
    assert os.read(reading, 1) == b"x"
    write_all(dict.fromkeys(paths, "of the second"))
    os.waitpid(child, 0)
    assert [path.read_text() for path in paths] == ["of the second"] * 2


def test_a_stopped_writer_does_not_block_others_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_PATIENCE", 0.05)
    handle = os.open(tmp_path, os.O_RDONLY)
    assert take_lock(handle, 0)
    write_all({tmp_path / "a": "x", tmp_path / "b": "y"})
    os.close(handle)
    assert (tmp_path / "b").read_text() == "y"


def test_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    target = write_atomically(tmp_path / "a.txt", "old")
    with full_disk(100_000), pytest.raises(UnwritableFile, match="File too large"):
        write_all({tmp_path / "first": "x", target: ["new" * 1000 for _ in range(1000)]})
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_parts_are_never_whole_in_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    write_atomically(tmp_path / "a.txt", ("x" * 100_000 for _ in range(500)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "a.txt").stat().st_size == 50_000_000
    assert peak < 2_000_000


def test_failure_of_the_parts_is_their_own(tmp_path: Path) -> None:
    def fail() -> None:
        raise FileNotFoundError("what the parts are made of")

    target = write_atomically(tmp_path / "a.txt", "old")
    with pytest.raises(FileNotFoundError):
        write_atomically(target, parts_then(fail))
    assert target.read_text() == "old"
    assert drafts(tmp_path) == []


def test_content_is_synced_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, Path.replace

    def note_sync(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    def note_rename(self: Path, other: Path) -> Path:
        done.append("rename")
        return replace(self, other)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_rename)
    write_all({tmp_path / "a": "x", tmp_path / "b": "y"})
    assert done == ["file", "file", "rename", "rename", "folder"]
    done.clear()
    write_atomically(tmp_path / "a", "x", durable=False)
    assert done == ["rename"]


def test_two_that_create_one_file(tmp_path: Path, is_killed: Kill) -> None:
    # The second finds the first's, though there was none when it looked.
    def create_first() -> None:
        assert not is_killed(lambda: write_atomically(tmp_path / "a", "first", overwrite=False))

    with pytest.raises(UnwritableFile, match="exists already; pass overwrite=True"):
        write_atomically(tmp_path / "a", parts_then(create_first), overwrite=False)
    assert (tmp_path / "a").read_text() == "first"
    assert drafts(tmp_path) == []


def test_permissions_stay(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        target = write_atomically(tmp_path / "a", "x")
        assert target.stat().st_mode & 0o777 == 0o640
        target.chmod(0o606)
        write_atomically(target, "y")
        assert target.stat().st_mode & 0o777 == 0o606
    finally:
        os.umask(before)


def test_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target = write_atomically(tmp_path / "there" / "a", "old")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


@pytest.mark.parametrize("name", ["no\0character", "loop", "x" * 300, "folder", "absent/a"])
def test_odd_targets_are_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnwritableFile, match="cannot write"):
        write_atomically(tmp_path / name, "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder_is_one_sentence(tmp_path: Path) -> None:
    target = write_atomically(tmp_path / "a", "old")
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(UnwritableFile, match="Permission denied"):
            write_atomically(target, "new")
    finally:
        tmp_path.chmod(0o755)
    assert target.read_text() == "old"
