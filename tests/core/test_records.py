"""The growing table of a run: what logs do, and that a row costs the same however many came before."""

from __future__ import annotations

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.records import Records
from reweightviz.core.runlog import RunLog


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


def test_domains_that_come_one_by_one_move_the_tables_a_few_times(monkeypatch):
    widen, moved = Records._widen, []
    monkeypatch.setattr(Records, "_widen", lambda records: (moved.append(1), widen(records)))
    records = Records(["a"])
    early = None
    for step in range(500):
        records.add(step, signals={"loss": {f"d{step}": step, "a": 2.0}}, weights={"a": 1.0})
        if step == 100:
            early = RunLog.of_records(records)
    log = RunLog.of_records(records)
    assert len(moved) < 35 and log["loss"].shape == log.weights.shape == (500, 501)
    assert np.isfinite(log["loss"]).sum() == 1_000 and log["loss"][7, 8] == 7
    assert early["loss"].shape == (101, 102) and np.isfinite(early["loss"]).sum() == 202
