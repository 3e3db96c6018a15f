"""Two processes on one log: never mixed, never a line lost, and free as soon as the first has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

import reweightviz as rv
from reweightviz.core import lines
from reweightviz.core.errors import UnwritableFile
from reweightviz.training.run_logger import RunLogger

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such lock")

WRITE_ON = """
import os, sys, time
from reweightviz.training.run_logger import RunLogger
log = RunLogger(sys.argv[1], domains=["web", "code"])
log.write(step=1, losses=[1.0, 2.0])
if sys.argv[2:] and os.fork() == 0:
    os.close(1)
    time.sleep(5)  # a worker that outlives the process that it came from
    os._exit(0)
print("written", flush=True)
time.sleep(60)
"""


def start(path, *options):
    command = [sys.executable, "-c", WRITE_ON, str(path), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "written\n"
    return process


def test_the_second_is_refused_and_the_first_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "_PATIENCE", 0.2)
    path = tmp_path / "run.jsonl"
    process = start(path)
    try:
        before = path.read_bytes()
        with pytest.raises(UnwritableFile, match=r"another process writes it; end that process or"):
            RunLogger(path, domains=["web", "code"])
        assert path.read_bytes() == before and len(rv.read_log(path)) == 1
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("options", [(), ("fork",)], ids=["alone", "its worker lives"])
def test_after_a_kill_the_next_goes_on(tmp_path, monkeypatch, options):
    monkeypatch.setattr(lines, "_PATIENCE", 0.2)
    path = tmp_path / "run.jsonl"
    process = start(path, *options)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with path.open("ab") as file:
        file.write(b'{"step": 2, "loss": [1.0')
    with RunLogger(path, domains=["web", "code"]) as log:
        log.write(step=2, losses=[3.0, 4.0])
    assert rv.read_log(path)["loss"].tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_one_process_may_make_its_logger_again(tmp_path):
    first = RunLogger(tmp_path / "run.jsonl", domains=["a"])
    first.write(step=1, losses=[1.0])
    again = RunLogger(tmp_path / "run.jsonl", domains=["a"])
    again.write(step=2, losses=[2.0])
    first.close()
    assert rv.read_log(tmp_path / "run.jsonl").steps.tolist() == [1, 2]


def test_flock_is_not_taken_beside_the_lock_of_the_process(tmp_path, monkeypatch):
    import fcntl

    def refuse(*_):
        # As on NFS, where the process has the other kind of lock already.
        raise BlockingIOError

    monkeypatch.setattr(fcntl, "flock", refuse)
    with RunLogger(tmp_path / "run.jsonl", domains=["a"]) as log:
        log.write(step=1, losses=[1.0])
    assert rv.read_log(tmp_path / "run.jsonl").steps.tolist() == [1]


@pytest.mark.parametrize("text", ["\n", "\n\n{}\n", "[1]\n", "notes without an end", '{"a": 1}'])
def test_another_file_is_left_as_it_is(tmp_path, text):
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(UnwritableFile, match="is no run log"):
        RunLogger(path, domains=["a"])
    assert path.read_text() == text
