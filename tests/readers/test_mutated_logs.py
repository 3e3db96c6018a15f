"""Logs that are no whole logs any more: every reader ends in a log or in one sentence, and never hangs."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mutations import mutate

import reweightviz as rv
from reweightviz.core import lines
from reweightviz.readers.logs import _log_reader
from reweightviz.readers.read_log import FORMATS, recognise

DOMAINS = ("web", "code", "math")
STEPS = range(12)
MUTATIONS = 120
"""Of each example; with 22 of them some 2,600."""


def row(step):
    losses = {f"train/loss_{name}": 3 - step / 10 for name in DOMAINS}
    return losses | {f"mix/{name}": 1 / 3 for name in DOMAINS} | {"lr": 1e-3}


def write_lines(rows):
    return "".join(json.dumps(each) + "\n" for each in rows).encode()


def write_stores(folder):
    """Write small stores as Trackio and MLflow have them: their tables alone."""
    with sqlite3.connect(folder / "trackio.db") as store:
        store.execute(
            "CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp, run_name, step, metrics)"
        )
        store.executemany(
            "INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES (?, 'run', ?, ?)",
            [("2026-01-01T00:00:00", step, json.dumps(row(step))) for step in STEPS],
        )
    with sqlite3.connect(folder / "mlflow.db") as store:
        store.execute("CREATE TABLE metrics (key, value, timestamp, run_uuid, step, is_nan)")
        store.execute("CREATE TABLE runs (run_uuid, name, lifecycle_stage, start_time)")
        store.execute("INSERT INTO runs VALUES ('u1', 'first', 'active', 1)")
        store.executemany(
            "INSERT INTO metrics VALUES (?, ?, 1700000000000, 'u1', ?, 0)",
            [(tag, value, step) for step in STEPS for tag, value in row(step).items()],
        )


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """A small log of each format that one file holds, by its file's name."""
    folder = tmp_path_factory.mktemp("logs")
    table = pd.DataFrame([{"step": step} | row(step) for step in STEPS])
    table.to_csv(folder / "metrics.csv", index=False)
    table.rename(columns={"step": "_step"}).to_parquet(folder / "history.parquet")
    write_stores(folder)
    weights = {"domain_names": DOMAINS, "domain_weights": [0.5, 0.3, 0.2]}
    odm = {"action": "update", "current_sampling_ratio": [0.5, 0.5], "rewards": [0.1, 0.2]}
    rv.RunLog(DOMAINS, [1, 2], [[0.5, 0.3, 0.2]] * 2, {"loss": [[3.0, 2.0, 1.0]] * 2}).save(
        folder / "ours.jsonl"
    )
    state = {"global_step": 12, "log_history": [{"step": step} | row(step) for step in STEPS]}
    for name, data in {
        "rows.jsonl": write_lines({"step": k, "loss": dict.fromkeys(DOMAINS, 2.0)} for k in STEPS),
        "long.jsonl": write_lines(
            {"step": k, "domain": name, "loss": 2.0} for k in STEPS for name in DOMAINS
        ),
        "history.jsonl": write_lines({"_step": k, "_timestamp": 1.7e9} | row(k) for k in STEPS),
        "trainer_log.jsonl": write_lines(
            {"current_steps": k, "total_steps": 12, "loss": 2.0} for k in STEPS
        ),
        "doremi_weights.jsonl": write_lines(
            {"step": k, "perdomain_scores": [0.1, 0.2, 0.3]} | weights for k in STEPS
        ),
        "odm_rank_0.jsonl": write_lines(
            odm | {"samples_produced_so_far": k, "category_level_counts_so_far": [k, k]}
            for k in STEPS
        ),
        "list.json": json.dumps([{"step": k} | row(k) for k in STEPS]).encode(),
        "trainer_state.json": json.dumps(state).encode(),
        "megatron.log": b"".join(
            b" [2026-01-01 00:00:%02d] iteration %d/ 12 | lm loss: 6.1E+00 | web loss: 1.0E+00 | "
            b"code loss: 2.0E+00 |\n" % (k, k)
            for k in STEPS
        ),
        "long.csv": b"step,domain,loss\n"
        + b"".join(b"%d,%s,2.5\n" % (k, name.encode()) for k in STEPS for name in DOMAINS),
        "chart.csv": b'"Step","a - b - loss/web","a - b - loss/code"\n1,2,3\n2,3,4\n',
    }.items():
        (folder / name).write_bytes(data)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def check(log):
    assert (np.diff(log.steps) > 0).all() and (np.abs(log.steps) <= 2**53).all()
    for values in (log.weights, *log.signals.values()):
        assert values.shape == (len(log), len(log.domains)) and not np.isinf(values).any()
    assert not any(np.isinf(values).any() for values in log.scalars.values())


def read(path, rng):
    """Read a mutated log in one of the ways that there are; nothing but a sentence may come."""
    options = {}
    if rng.random() < 0.2:
        options["pattern"] = rng.choice(
            ["{domain}", {"weights": "mix/{domain}"}, {"loss": "{domain}", "step": "x"}]
        )
    if rng.random() < 0.2:
        options["format"] = rng.choice([name for name in FORMATS if name != "tensorboard"])
    try:
        if rng.random() < 0.3:
            tail = rv.read_log(path, follow=True, **options)
            if path.is_file():
                path.write_bytes(path.read_bytes() + b"\n{}\n1,2,3\n")
            tail.poll()
            check(tail.log)
        else:
            check(rv.read_log(path, **options))
    except rv.ReweightvizError as error:
        is_one_line = "\n" not in str(error)
        assert is_one_line


NAMES = (
    *("chart.csv", "doremi_weights.jsonl", "history.jsonl", "history.parquet", "list.json"),
    *("long.csv", "long.jsonl", "megatron.log", "metrics.csv", "mlflow.db", "odm_rank_0.jsonl"),
    *("ours.jsonl", "rows.jsonl", "trackio.db", "trainer_log.jsonl", "trainer_state.json"),
)


def test_the_examples_are_read_whole(examples, tmp_path):
    assert tuple(examples) == NAMES
    for name, data in examples.items():
        (tmp_path / name).write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            options = {"pattern": {"domains": ["a", "b"]}} if "odm" in name else {}
            assert len(rv.read_log(tmp_path / name, **options)) >= 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore")
def test_a_mutated_log_is_read_or_refused_in_one_sentence(name, examples, tmp_path):
    rng = random.Random(name)
    for n in range(MUTATIONS):
        path = tmp_path / f"{n}-{name}"
        path.write_bytes(mutate(examples[name], rng))
        read(path, rng)


@pytest.mark.parametrize("store", ["mlflow.db", "trackio.db"])
@pytest.mark.filterwarnings("ignore")
def test_a_store_with_odd_cells(store, examples, tmp_path):
    rng = random.Random(store)
    odd = [None, "x", "", 1e308, -1, 2**62, 0.5, b"\xff\0", '{"a":', "[]", "null", "9" * 30, "NaN"]
    for n in range(MUTATIONS):
        path = tmp_path / f"{n}.db"
        path.write_bytes(examples[store])
        with sqlite3.connect(path) as connection:
            columns = [found[1] for found in connection.execute("PRAGMA table_info(metrics)")]
            columns = [column for column in columns if column != "id"]
            connection.execute(
                f'UPDATE metrics SET "{rng.choice(columns)}" = ? WHERE rowid % ? = 0',  # noqa: S608
                (rng.choice(odd), rng.randint(1, 5)),
            )
        connection.close()
        read(path, rng)


@pytest.mark.framework("loggers")
@pytest.mark.parametrize("logger", ["tensorboard", "wandb", "mlflow_files", "mlflow_sqlite"])
@pytest.mark.filterwarnings("ignore")
def test_a_mutated_log_of_a_real_logger(logger, load_with, tmp_path, monkeypatch):
    found = next(
        (Path(__file__).parents[2] / ".venvs" / "loggers" / "lib").glob("python*/site-packages")
    )
    monkeypatch.setattr(sys, "path", [*sys.path, str(found)])
    load_with("loggers_write.py", logger=logger, out=tmp_path / "logs", steps=10)
    rng = random.Random(logger)
    files = [path for path in (tmp_path / "logs").rglob("*") if path.is_file()]
    for n in range(MUTATIONS // 2):
        copy = tmp_path / f"copy-{n}"
        shutil.copytree(tmp_path / "logs", copy)
        path = copy / rng.choice(files).relative_to(tmp_path / "logs")
        path.write_bytes(mutate(path.read_bytes(), rng))
        read(rng.choice([path, copy]), rng)
        shutil.rmtree(copy)


# ---- binary, compressed, and much too large files


def test_a_store_with_a_carriage_return_before_its_first_line_end(examples, tmp_path):
    store = tmp_path / "mlflow.db"
    store.write_bytes(examples["mlflow.db"])
    with sqlite3.connect(store) as connection:
        connection.execute("PRAGMA user_version = 221052173")  # \r in the header
    connection.close()
    assert b"\r" in store.read_bytes()[:100]
    assert recognise(store) == "mlflow" and len(rv.read_log(store)) == len(STEPS)


@pytest.mark.parametrize(("magic", "packer"), [(b"\x1f\x8b\x08", "gzip"), (b"PK\3\4", "zip")])
def test_a_compressed_log_is_said_to_be_one(magic, packer, tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_bytes(magic + b"\0" * 100)
    with pytest.raises(rv.ReweightvizError, match=f"is compressed by {packer}: unpack it first"):
        rv.read_log(path)


def test_a_line_without_end_is_refused_and_the_rest_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "_BLOCK", 1 << 10)
    monkeypatch.setattr(lines, "_LONGEST", 1 << 12)
    path = tmp_path / "rows.jsonl"
    good = write_lines({"step": k, "loss": {"web": 2.0, "code": 1.0}} for k in (1, 2))
    path.write_bytes(good)
    tail = rv.read_log(path, follow=True)
    with path.open("ab") as file:
        file.write(b"x" * (1 << 13))
    with pytest.raises(rv.ReweightvizError, match="rows.jsonl holds a line of more than 4,096"):
        tail.poll()
    with path.open("ab") as file:
        file.write(b"\n" + write_lines([{"step": 3, "loss": {"web": 1.0, "code": 1.0}}]))
    for _ in range(3):
        try:
            tail.poll()
        except rv.ReweightvizError:
            continue
    assert tail.log.steps.tolist() == [1, 2, 3]


def test_a_first_line_that_is_longer_than_the_head_is_known(tmp_path):
    names = [f"{k:070d}" for k in range(1000)]
    rv.RunLog(names, [1], np.ones((1, 1000)) / 1000).save(tmp_path / "run.jsonl")
    assert (tmp_path / "run.jsonl").stat().st_size > _log_reader.HEAD
    assert len(rv.read_log(tmp_path / "run.jsonl").domains) == 1000
    table = pd.DataFrame([{"step": 1} | {f"loss/{name}": 1.0 for name in names}])
    table.to_csv(tmp_path / "run.csv", index=False)
    assert len(rv.read_log(tmp_path / "run.csv").domains) == 1000


def test_what_fails_while_a_run_is_followed_is_one_sentence(tmp_path):
    path = tmp_path / "doremi_weights.jsonl"
    good = {"step": 1, "domain_names": ["web", "code"], "domain_weights": [0.5, 0.5]}
    path.write_bytes(write_lines([good]))
    tail = rv.read_log(path, follow=True)
    with path.open("ab") as file:
        file.write(write_lines([good | {"step": 2, "domain_weights": [1]}]))
    with pytest.raises(rv.ReweightvizError, match=r"cannot read .* as DataFlex .*: ValueError"):
        tail.poll()
    assert "as DataFlex" in tail.problem
    with path.open("ab") as file:
        file.write(write_lines([good | {"step": 3}]))
    assert tail.poll() and tail.log.steps.tolist() == [1, 3] and tail.problem == ""
