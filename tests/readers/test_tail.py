"""A run that is followed: only what is new is read, and how the run stands."""

from __future__ import annotations

import json
import os
import threading
import time

import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.records import Records
from reweightviz.core.run_lines import RunLineReader
from reweightviz.readers.tail import Tail

HEADER = {
    "format": "reweightviz.runlog/1",
    "name": "demo",
    "domains": ["web", "code"],
    "meta": {"seed": 1},
}


def text(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


def steps(first, last, **more):
    return [
        {"step": step, "weights": [0.5, 0.5], "loss": [3 - step / 100, 2.0]} | more
        for step in range(first, last + 1)
    ]


def followed(path):
    return Tail(RunLineReader(path), Records(name="run"), path)


def test_a_tail_reads_only_what_is_new(tmp_path, monkeypatch):
    path = tmp_path / "r.jsonl"
    path.write_text(text(HEADER, *steps(1, 5000)))
    tail = followed(path)
    assert tail.poll()
    read = []
    monkeypatch.setattr(Records, "add", lambda _, step, **__: read.append(step))
    monkeypatch.setattr(Records, "extend", lambda _, at, **__: read.extend(at))
    path.open("a").write(text(*steps(5001, 5003)))
    assert tail.poll()
    assert not tail.poll()
    assert read == [5001, 5002, 5003]


def test_a_broken_line_is_said_and_the_others_are_read(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(text(HEADER, *steps(1, 2)) + "what\n" + text(*steps(3, 4)))
    tail = followed(path)
    with pytest.raises(ReweightvizError, match="line 4 is not JSON; got b'what'"):
        tail.poll()
    assert "line 4" in tail.problem
    assert len(tail.log) == 4
    assert not tail.poll()
    assert tail.problem == ""


def test_how_a_run_stands_in_words(tmp_path):
    path = tmp_path / "r.jsonl"
    tail = followed(path)
    tail.poll()
    assert (tail.status(), tail.live) == ("waiting for r.jsonl", False)
    path.write_text(text(HEADER, *steps(1, 1234)))
    tail.poll()
    assert (tail.status(), tail.live) == ("live · step 1,234 · 0 s ago", True)
    path.rename(tmp_path / "away")
    assert not tail.poll()
    assert (tail.status(), tail.live, len(tail.log)) == (
        "gone: r.jsonl is not there any more · step 1,234",
        False,
        1234,
    )
    (tmp_path / "away").rename(path)
    path.open("a").write(text(*steps(1235, 1236), {"ended": True}))
    assert tail.poll()
    assert (tail.status(), tail.live, tail.ended) == ("ended · step 1,236", False, True)
    path.open("a").write(text(*steps(1237, 1237)))
    tail.poll()
    assert tail.live
    os.utime(path, (time.time() - 600, time.time() - 600))
    old = followed(path)
    old.poll()
    assert (old.status(), old.live) == ("no news for 10 min · step 1,237", False)


def test_polls_from_several_threads_read_every_line_once(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(text(HEADER))
    tail, done = followed(path), threading.Event()

    def poll():
        while not done.is_set():
            tail.poll()

    threads = [threading.Thread(target=poll) for _ in range(3)]
    for thread in threads:
        thread.start()
    with path.open("a") as file:
        for each in steps(1, 400):
            file.write(json.dumps(each)[:20])
            file.flush()
            file.write(json.dumps(each)[20:] + "\n")
    done.set()
    for thread in threads:
        thread.join()
    tail.poll()
    assert tail.log.steps.tolist() == list(range(1, 401))
    assert "notes" not in tail.log.meta
