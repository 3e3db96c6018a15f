"""Following: new whole lines of a file whatever happens to it, and the table that grows from them."""

from __future__ import annotations

import json
import os
import threading
import time

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.lines import LineTail
from reweightviz.core.records import Records
from reweightviz.core.run_lines import RunLineReader
from reweightviz.core.runlog import RunLog
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


# ---- lines of a file


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


# ---- the growing table


def test_restarts_repeats_gaps_and_late_domains_are_said():
    records = Records(["web"], meta={"notes": ["read by hand"]})
    for step in (1, 2, 3):
        records.add(step, signals={"loss": [float(step)]}, weights=[1.0])
    before = RunLog.of_records(records)
    records.add(3, signals={"loss": {"web": 9.0}})
    records.add(
        2,
        signals={"loss": {"web": float("nan"), "code": 1.5}},
        scalars={"lr": 0.1},
        time=5.0,
        tokens=7,
    )
    records.add(3, signals={"loss": [None, float("inf")]})
    log = RunLog.of_records(records)
    assert log.steps.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(log["loss"], [[1, np.nan], [np.nan, 1.5], [np.nan, np.nan]])
    np.testing.assert_array_equal(log.weights, [[1, np.nan], [np.nan] * 2, [np.nan] * 2])
    np.testing.assert_array_equal(log.scalars["lr"], [np.nan, 0.1, np.nan])
    np.testing.assert_array_equal(log.times, [np.nan, 5, np.nan])
    np.testing.assert_array_equal(log.tokens, [np.nan, 7, np.nan])
    assert log.meta["notes"] == [
        "read by hand",
        "'code' is first seen after step 3.",
        "The steps went back from 3 to 2: a restart; 2 rows dropped.",
        "1 step was logged again; the last value stands.",
        "loss: 2 values are NaN or infinite; drawn as gaps.",
    ]
    assert before.steps.tolist() == [1, 2, 3]
    assert before["loss"][:2, 0].tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        log["loss"][0, 0] = 1


def test_many_restarts_are_counted_and_copy_nothing_that_nobody_holds():
    records = Records(["web"])
    records.extend(np.arange(10), scalars={name: np.ones(10) for name in "fedcba"})
    held = RunLog.of_records(records)
    assert list(held.scalars) == list("fedcba")
    for _ in range(6):
        records.add(9, scalars={"a": 2.0})
        shown = records._steps
        records.add(5, scalars={"a": 3.0, "z": 1.0, "y": 1.0})
        records.add(12)
    assert records._steps is shown
    assert held.steps.tolist() == list(range(10))
    assert list(RunLog.of_records(records).scalars) == [*"fedcba", "z", "y"]
    assert records.notes[-1] == "8 more such restart changes."


def test_rows_at_once_are_the_rows_one_by_one():
    rng = np.random.default_rng(0)
    at = np.concatenate([np.arange(100), np.arange(60, 160), [159, 159, 170], np.arange(20, 400)])
    loss, lr = rng.normal(size=(len(at), 3)), rng.random(len(at))
    loss[rng.random(loss.shape) < 0.1] = np.nan
    one, many = Records("abc"), Records("abc")
    for row, step in enumerate(at.tolist()):
        one.add(
            step,
            weights=loss[row] ** 2,
            signals={"loss": loss[row]},
            scalars={"lr": lr[row]},
            time=float(row),
        )
    for start in range(0, len(at), 77):
        part = slice(start, start + 77)
        many.extend(
            at[part],
            weights=loss[part] ** 2,
            signals={"loss": loss[part]},
            scalars={"lr": lr[part]},
            time=np.arange(len(at))[part] * 1.0,
        )
    one, many = RunLog.of_records(one), RunLog.of_records(many)
    for column in ("steps", "weights", "times", "tokens"):
        np.testing.assert_array_equal(getattr(one, column), getattr(many, column))
    np.testing.assert_array_equal(one["loss"], many["loss"])
    np.testing.assert_array_equal(one.scalars["lr"], many.scalars["lr"])
    assert one.meta == many.meta


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"signals": {"los": {"web": 1}}}, "no signal of a run 'los'; did you mean 'loss'"),
        ({"signals": {"loss": [1.0, 2.0]}}, r"loss needs 1 numbers, one a domain; got \(2,\)"),
        ({"weights": {"web": "much"}}, "weights needs a number a domain"),
        ({"scalars": {"lr": "fast"}}, "lr needs a number; got 'fast'"),
    ],
)
def test_bad_rows_are_one_sentence_and_add_nothing(row, sentence):
    records = Records(["web"])
    with pytest.raises(ReweightvizError, match=sentence):
        records.add(1, **row)
    assert len(records) == 0


def test_a_row_and_a_snapshot_copy_nothing_that_came_before():
    records = Records(["web", "code"])
    records.extend(np.arange(1000), signals={"loss": np.ones((1000, 2))})
    records.add(1000, signals={"loss": [1.0, 2.0]})  # makes room for as many again
    first = RunLog.of_records(records)
    for step in range(1001, 1901):
        records.add(step, signals={"loss": [3.0, 4.0]})
    last = RunLog.of_records(records)
    assert (len(first), len(last)) == (1001, 1901)
    for before, after in (
        (first["loss"], last["loss"]),
        (first.steps, last.steps),
        (first.weights, last.weights),
    ):
        assert np.shares_memory(before[:1], after[:1])


# ---- our own lines


def test_scalars_times_and_tokens_come_back(tmp_path):
    log = RunLog(
        ("a", "b"),
        [1, 2],
        [[0.5, 0.5]] * 2,
        {"loss": [[1, np.nan], [2, 3]]},
        "r",
        {"notes": ["one"]},
        {"lr": [0.1, np.nan]},
        [1767225600.25, np.nan],
        [np.nan, 4096 * 10**6],
    )
    again = RunLog.load(log.save(tmp_path / "r.jsonl"))
    for column in ("steps", "weights", "times", "tokens"):
        np.testing.assert_array_equal(getattr(again, column), getattr(log, column))
    np.testing.assert_array_equal(again.scalars["lr"], [0.1, np.nan])
    assert again.meta == {"notes": ["one"]}
    with pytest.raises(
        ReweightvizError, match=r"times of a RunLog of 1 steps must be 1 numbers; got \(2,\)"
    ):
        RunLog(("a",), [1], [[1.0]], times=[1, 2])
    with pytest.raises(ReweightvizError, match="lr of a RunLog"):
        RunLog(("a",), [1], [[1.0]], scalars={"lr": "fast"})


def test_a_header_alone_is_a_run_of_no_steps(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(text(HEADER))
    assert (len(RunLog.load(path)), RunLog.load(path).domains) == (0, ("web", "code"))
    path.write_text(text(HEADER)[:-10])
    with pytest.raises(
        ReweightvizError, match="is no run log: its first line must be a JSON header with 'domains'"
    ):
        RunLog.load(path)


@pytest.mark.parametrize(
    "odd",
    [
        "",
        '{"step": 100, "weights": [0.5, 0.5], "loss": [NaN, 1]}\n',
        '{"domains": ["late"]}\n',
        '{"step": 7, "loss": [1, 1]}\n',
    ],
)
def test_many_lines_at_once_are_the_lines_one_by_one(tmp_path, monkeypatch, odd):
    path = tmp_path / "r.jsonl"
    lines = text(
        *steps(1, 300, scalars={"lr": 0.1}, time=1.5),
        *steps(310, 320, held_out_loss=[1.0, None], weights=None),
    )
    path.write_text(text(HEADER) + lines + odd)
    at_once = []
    for many in (1 << 16, 1):
        monkeypatch.setattr("reweightviz.core.run_lines._MANY", many)
        at_once.append(RunLog.load(path))
    slow, fast = at_once
    assert slow.domains == fast.domains
    assert slow.meta == fast.meta
    for column in ("steps", "weights", "times", "tokens"):
        np.testing.assert_array_equal(getattr(slow, column), getattr(fast, column))
    for name in ("loss", "held_out_loss"):
        np.testing.assert_array_equal(slow[name], fast[name])
    np.testing.assert_array_equal(slow.scalars["lr"], fast.scalars["lr"])


def test_lines_without_a_scalar(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(text(HEADER, *steps(1, 2000, scalars=None)))
    log = RunLog.load(path)
    assert len(log) == 2000
    assert log.scalars == {}


ODD = [
    '{"step": Infinity, "loss": [1, 2]}',
    '{"step": 1e300, "loss": [1, 2]}',
    '{"step": -9223372036854775809}',
    '{"domains": ["web", "code"], "meta": [1]}',
    '{"domains": ["web", "code"], "meta": {"notes": 5}}',
    "[" * 100_000,
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("many", [1 << 16, 1 << 8], ids=["line-by-line", "at-once"])
def test_an_odd_line_costs_no_other_line(tmp_path, monkeypatch, odd, many):
    monkeypatch.setattr("reweightviz.core.run_lines._MANY", many)
    path = tmp_path / "r.jsonl"
    path.write_text(text(HEADER, *steps(1, 40)) + odd + "\n" + text(*steps(41, 80)))
    tail = followed(path)
    with pytest.raises(ReweightvizError, match="line 42"):
        tail.poll()
    assert tail.log.steps.tolist() == list(range(1, 81))


def test_a_second_header_goes_on_in_its_own_order(tmp_path):
    path = tmp_path / "r.jsonl"
    again = HEADER | {"domains": ["code", "web", "math"]}
    path.write_text(
        text(HEADER, *steps(1, 3), again, {"step": 4, "weights": [0.2, 0.3, 0.5]}, {"ended": True})
    )
    log = RunLog.load(path)
    assert log.domains == ("web", "code", "math")
    assert log.weights[-1].tolist() == [0.3, 0.2, 0.5]


def test_a_writer_killed_at_any_byte_leaves_a_log_that_goes_on(tmp_path):
    whole = text(HEADER, *steps(1, 3)).encode()
    for cut in range(len(whole)):
        path = tmp_path / f"{cut}.jsonl"
        path.write_bytes(whole[:cut])
        tail = followed(path)
        tail.poll()
        header = len(text(HEADER)) - 1
        assert tail.log.domains == (("web", "code") if cut >= header else ())
        path.open("ab").write(whole[cut:])
        tail.poll()
        assert len(tail.log) == 3
        assert "notes" not in tail.log.meta


# ---- a run that is followed


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
