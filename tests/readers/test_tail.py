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


class Clock:
    """A clock that stands until it is told to go on."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


def write_at(path, clock, *records):
    with path.open("a") as file:
        file.write(text(*records))
    os.utime(path, (clock.now, clock.now))


@pytest.mark.parametrize(("gap", "late"), [(1, 10), (30, 150), (3600, 18_000)])
def test_a_run_is_late_by_its_own_pace(gap, late, tmp_path):
    path = tmp_path / "r.jsonl"
    clock = Clock(1.8e9)
    write_at(path, clock, HEADER, *steps(1, 1))
    tail = Tail(RunLineReader(path), Records(), path, clock=clock)
    for step in range(2, 8):
        assert tail.poll()
        clock.now += gap
        write_at(path, clock, *steps(step, step))
    tail.poll()
    assert (tail.usual, tail.quiet) == (gap, late) and tail.live
    clock.now += late
    assert not tail.poll() and tail.live
    clock.now += 1
    assert not tail.poll() and not tail.live
    assert tail.status().startswith("late: no news for ")
    assert ", usually every " in tail.status() and tail.status().endswith(" · step 7")
    write_at(path, clock, *steps(8, 8))
    assert tail.poll() and tail.live


def test_a_run_that_died_before_it_was_opened_is_late_by_the_times_of_its_rows(tmp_path):
    path = tmp_path / "r.jsonl"
    clock = Clock(1.8e9)
    rows = [line for k in range(20) for line in steps(k + 1, k + 1, time=clock.now - 40 + 2 * k)]
    write_at(path, clock, HEADER, *rows)
    tail = Tail(RunLineReader(path), Records(), path, clock=clock)
    tail.poll()
    assert tail.usual == 2 and tail.live
    clock.now += 61
    assert not tail.live
    assert tail.status() == "late: no news for 1 min, usually every 2 s · step 20"


def test_without_a_pace_five_minutes_are_late_and_a_given_limit_stands(tmp_path):
    path = tmp_path / "r.jsonl"
    clock = Clock(1.8e9)
    write_at(path, clock, HEADER, *steps(1, 3))
    tail = Tail(RunLineReader(path), Records(), path, clock=clock)
    strict = Tail(RunLineReader(path), Records(), path, clock=clock, quiet=5)
    tail.poll(), strict.poll()
    clock.now += 6
    assert (
        tail.live and not strict.live and (tail.usual, tail.quiet, strict.quiet) == (None, 300, 5)
    )
