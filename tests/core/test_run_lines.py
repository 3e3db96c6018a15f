"""Our own lines: what was saved comes back, and an odd line or a killed writer costs nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.records import Records
from reweightviz.core.run_lines import RunLineReader
from reweightviz.core.runlog import RunLog

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
    records = Records()
    with pytest.raises(ReweightvizError, match="line 42"):
        RunLineReader(path).poll(records)
    assert RunLog.of_records(records).steps.tolist() == list(range(1, 81))


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
        reader, records = RunLineReader(path), Records()
        reader.poll(records)
        header = len(text(HEADER)) - 1
        assert records.domains == (("web", "code") if cut >= header else ())
        path.open("ab").write(whole[cut:])
        reader.poll(records)
        assert len(records) == 3
        assert records.notes == []
