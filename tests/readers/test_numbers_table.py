"""The table that a monitor saves: what is written is read back, whatever the names are."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.apps.monitor.numbers_table import write_numbers
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.runlog import RunLog

NAMES = (
    "web",
    "=1+1",
    "'=x",
    "",
    "a\rb",
    "a\r\nb",
    "c\nd",
    'q"',
    "-2",
    "\uff1d1",
    "nul\0",
    "\ufeffbom",
    "a,b",
)


def make_log(domains, T=3, name="run"):
    random = np.random.default_rng(0)
    loss = random.random((T, len(domains)))
    loss[1, 0] = np.nan
    return RunLog(
        tuple(domains),
        np.arange(T) * 10,
        random.dirichlet(np.ones(len(domains)), T),
        {"loss": loss, "excess_loss": random.normal(size=loss.shape)},
        name=name,
        scalars={"=lr": random.random(T), "loss": [np.nan, *random.random(T - 1)]},
        times=[1.7e9 + 0.125, *[np.nan] * (T - 1)],
        tokens=np.arange(T) * 1e6,
    )


def assert_same(log, other):
    assert (log.name, log.domains, log.steps.tolist()) == (
        other.name,
        other.domains,
        other.steps.tolist(),
    )
    for one, two in (
        ({"weights": log.weights, **log.signals}, {"weights": other.weights, **other.signals}),
        (
            {**log.scalars, "\0": log.times, "\1": log.tokens},
            {**other.scalars, "\0": other.times, "\1": other.tokens},
        ),
    ):
        assert one.keys() == two.keys()
        for name, values in one.items():
            assert np.array_equal(values, two[name], equal_nan=True), name


def test_the_runs_of_a_monitor_come_back(tmp_path):
    log = make_log(NAMES, name="=cmd|x")
    other = make_log(["b"], T=5, name="other\r")
    path = rv.Monitor([log, other]).save(tmp_path / "runs.csv")
    assert_same(rv.read_log(path, name="=cmd|x"), log)
    assert_same(rv.read_log(path, name="other\r"), other)
    with pytest.raises(ReweightvizError, match="holds 2 runs"):
        rv.read_log(path)


def test_a_table_of_version_0_5_is_read(tmp_path):
    path = tmp_path / "old.csv"
    path.write_text(
        "run,step,tokens,time,domain,signal,value\na,1,,1.0,web,weight,0.75\na,1,,1.0,code,weight,0.25\n"
        "a,2,,2.0,web,weight,0.5\na,1,,1.0,web,loss,3.0\na,2,,2.0,web,loss,2.0\na,2,,2.0,,lr,0.1\n"
    )
    log = rv.read_log(path)
    assert log.weights.tolist()[0] == [0.75, 0.25] and log["loss"][:, 0].tolist() == [3.0, 2.0]
    assert log.scalars["lr"][1] == 0.1 and log.times.tolist() == [1.0, 2.0]


def test_a_table_that_was_saved_again_is_followed(tmp_path):
    log = make_log(["a", "b"], T=4)
    short = RunLog(log.domains, log.steps[:2], log.weights[:2], {"loss": log["loss"][:2]})
    path = rv.Monitor([short]).save(tmp_path / "run.csv")
    tail = rv.read_log(path, follow=True)
    assert len(tail.log) == 2
    rv.Monitor([log]).save(path)
    tail.poll()
    assert tail.log.steps.tolist() == log.steps.tolist()


def test_other_cells_are_one_sentence(tmp_path):
    path = tmp_path / "x.csv"
    for row in ("a,1.5,,,web,loss,1", "a,1,,,web,loss,much", "a,1,,,web,nosignal,1", "a,1,,,web"):
        path.write_text(f"run,step,tokens,time,domain,signal,value\n{row}\n")
        with pytest.raises(ReweightvizError):
            rv.read_log(path)


def test_writing_holds_a_part_of_the_table_only():
    def peak(T):
        log = RunLog(("a", "b"), np.arange(T), np.full((T, 2), 0.5))
        tracemalloc.start()
        size = sum(map(len, write_numbers([log])))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most, size

    small, _ = peak(200_000)
    large, size = peak(800_000)
    assert size > 40e6 and large < small * 1.5
