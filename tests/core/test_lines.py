"""New whole lines of a file, whatever happens to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.lines import LineTail


def test_half_a_line_waits_for_its_end(tmp_path):
    path, got = tmp_path / "log", []
    lines = LineTail(path)
    whole = b"one\r\ntwo\n\nfour\n"
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end]) if end == 0 else path.open("ab").write(whole[end - 1 : end])
        got += list(lines)
    assert got == [b"one", b"two", b"", b"four"]
    assert (lines.number, lines.rotations, lines.rest) == (4, 0, b"")


def test_half_a_line_may_be_taken_away(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntw")
    lines = LineTail(path)
    assert list(lines) == [b"one"]
    os.truncate(path, 4)  # as RunLogger does with what a killed writer left
    path.open("ab").write(b"TWO\n")
    assert list(lines) == [b"TWO"]
    assert lines.rotations == 0


@pytest.mark.parametrize("size", [10, 100, 10_000])
def test_a_truncated_file_begins_anew_even_if_it_has_grown_again(tmp_path, size):
    path = tmp_path / "log"
    path.write_bytes(b"a" * 40 + b"\n" + b"b" * 40 + b"\n")
    lines = LineTail(path)
    assert len(list(lines)) == 2
    with path.open("r+b") as file:  # the same file
        file.truncate(0)
        file.write(b"c" * size + b"\n")
    assert list(lines) == [b"c" * size]
    assert lines.rotations == 1


def test_a_rotated_file_is_read_to_its_end_first(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    lines = LineTail(path)
    assert list(lines) == [b"one"]
    path.open("ab").write(b"two\n")
    path.rename(tmp_path / "log.1")
    assert list(lines) == [b"two"]
    assert lines.gone
    path.write_bytes(b"three\n")
    assert list(lines) == [b"three"]
    assert not lines.gone
    assert (lines.rotations, lines.number) == (1, 1)


def test_a_file_that_is_copied_over_goes_on(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\n")
    lines = LineTail(path)
    list(lines)
    (tmp_path / "copy").write_bytes(b"one\ntwo\nthree\n")
    (tmp_path / "copy").replace(path)  # as rsync does
    assert list(lines) == [b"three"]
    assert lines.rotations == 0


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ReweightvizError, match="cannot read .*: Is a directory"):
        list(LineTail(tmp_path))


def test_a_line_longer_than_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr("reweightviz.core.lines._BLOCK", 8)
    path = tmp_path / "log"
    path.write_bytes(b"x" * 100 + b"\nshort\n" + b"y" * 50)
    lines = LineTail(path)
    assert list(lines) == [b"x" * 100, b"short"]
    assert lines.rest == b"y" * 50


def test_a_writer_that_begins_cuts_no_line_of_another(tmp_path):
    """Each opening takes half a line away; what another process writes just then is none."""
    path = tmp_path / "log.jsonl"
    script = (
        "import sys\nfrom reweightviz.core.lines import LineWriter\n"
        "for i in range(200):\n"
        "    LineWriter(sys.argv[1]).write({'who': sys.argv[2], 'i': i, 'pad': 'x' * 5000})\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, path, str(who)]) for who in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({(row["who"], row["i"]) for row in rows}) == len(rows) == 600
