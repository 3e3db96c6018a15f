"""Swarms from a tracker's exported table and from a folder of run logs."""

import json

import numpy as np
import pandas as pd
import pytest

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.runlog import RunLog
from reweightviz.readers.swarms import run_folder as run_folders
from reweightviz.readers.swarms import tracker_table as wandb_tables


def table(**more):
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(3), 5)
    columns = {
        "Name": [f"run-{i}" for i in range(5)],
        "State": ["finished"] * 5,
        "Tags": ["a"] * 5,
        "Runtime": [100.0] * 5,
        **{f"data.mix.{domain}": weights[:, i] for i, domain in enumerate(("web", "code", "math"))},
        "lr": [3e-4] * 5,
        "eval/web/loss": weights[:, 0] + 2,
        "eval/code/loss": weights[:, 1] + 1,
        "train/loss": [2.0] * 5,
        "params": [1e6] * 5,
        "seen": [1e9] * 5,
    }
    return pd.DataFrame(columns | more), weights


def test_weights_and_losses_are_found_by_what_they_hold(tmp_path):
    runs, weights = table()
    runs.to_csv(tmp_path / "export.csv", index=False)
    for source in (runs, tmp_path / "export.csv"):
        swarm = wandb_tables.read(source, size="params", run_tokens="seen")
        assert swarm.domains == ("web", "code", "math")
        assert swarm.targets == ("web", "code")
        np.testing.assert_allclose(swarm.mixtures, weights)
        np.testing.assert_allclose(swarm.losses, weights[:, :2] + [2, 1])
        assert swarm.runs["run"].tolist() == [f"run-{i}" for i in range(5)]
        assert swarm.runs["size"].tolist() == [1e6] * 5
        assert swarm.signals()["run_tokens"].tolist() == [1e9] * 5


def test_columns_can_be_named_by_prefix_pattern_or_list():
    runs, _ = table(accuracy=[0.5] * 5)
    for metrics in ("eval/", "eval/*/loss", ["eval/web/loss", "eval/code/loss"]):
        assert wandb_tables.read(runs, weights="data.mix.", metrics=metrics).targets == (
            "web",
            "code",
        )
    swarm = wandb_tables.read(
        runs, metrics=["eval/web/loss", "accuracy"], higher_is_better=["accuracy"]
    )
    assert swarm.lower_is_better.tolist() == [True, False]


def test_weights_in_one_cell_and_empty_cells():
    runs, weights = table()
    cells = [dict(zip(("web", "code", "math"), row.tolist(), strict=True)) for row in weights]
    runs = runs.drop(columns=[column for column in runs if column.startswith("data.mix")])
    for written in (json.dumps, str, lambda cell: cell):
        swarm = wandb_tables.read(runs.assign(mixture=[written(cell) for cell in cells]))
        np.testing.assert_allclose(swarm.mixtures, weights)
        assert swarm.domains == ("web", "code", "math")
    sparse, _ = table(
        **{
            "data.mix.web": [0.4, np.nan, 1, 0.5, 0.5],
            "data.mix.code": [0.6, 1, np.nan, 0.5, 0.5],
            "data.mix.math": [np.nan] * 5,
        }
    )
    assert wandb_tables.read(sparse).mixtures[1].tolist() == [0, 1]


def test_runs_that_did_not_finish_are_left_out_and_counted():
    runs, _ = table(State=["finished", "crashed", "finished", "running", "finished"])
    with pytest.warns(ReweightvizWarning, match="2 of 5 runs left out, they did not finish"):
        swarm = wandb_tables.read(runs, size="params")
    assert swarm.runs["run"].tolist() == ["run-0", "run-2", "run-4"]
    assert len(wandb_tables.read(runs, finished=False)) == 5
    with pytest.raises(ReweightvizError, match="no run of the table has finished"):
        wandb_tables.read(runs.assign(State="failed"))


@pytest.mark.parametrize(
    ("change", "asked", "sentence"),
    [
        (
            {},
            {"weights": "nothing."},
            "no column begins with, or is like, 'nothing.' for the weights",
        ),
        ({}, {"metrics": ["eval/wbe/loss"]}, "needs column 'eval/wbe/loss'"),
        ({}, {"name": "nobody"}, "needs column 'nobody'"),
        ({}, {"size": "n"}, "needs column 'n'"),
        ({"data.mix.web": [2.0] * 5}, {}, r"no columns of the table hold weights"),
        (
            {"real.a": [0.5] * 5, "real.b": [0.25] * 5, "real.c": [0.25] * 5},
            {},
            "several groups of columns sum to 1, those like",
        ),
        (
            {"eval/web/loss": ["x"] * 5, "eval/code/loss": ["x"] * 5},
            {},
            "no column of the table names a held-out loss",
        ),
        ({"eval/web/loss": [1, 2, np.nan, 4, 5]}, {}, "has no number in 'eval/web/loss'"),
    ],
)
def test_tables_that_do_not_say_enough_are_one_sentence(change, asked, sentence):
    runs, _ = table(**change)
    with pytest.raises(ReweightvizError, match=sentence):
        wandb_tables.read(runs, **asked)


def logs(folder, runs=3, domains=("web", "code"), *, moving=False, signal="held_out_loss"):
    for run in range(runs):
        weights = np.tile([0.2 + 0.2 * run, 0.8 - 0.2 * run], (4, 1))
        if moving:
            weights[2:] = [0.5, 0.5]
        held = np.array([[np.nan, np.nan], [3, 2], [np.nan, np.nan], [2 + run, 1 + run]])
        log = RunLog(
            domains,
            [10, 20, 30, 40],
            weights,
            {signal: held},
            f"run {run}",
            {"parameters": 1e6, "tokens": 1e9, "seed": run},
        )
        (folder / f"part{run % 2}").mkdir(exist_ok=True)
        log.save(folder / f"part{run % 2}" / f"{run}.jsonl")


def test_a_folder_of_logs_is_a_swarm(tmp_path):
    logs(tmp_path)
    swarm = run_folders.read(tmp_path)
    assert len(swarm) == 3
    order = swarm.runs["run"].tolist()
    assert sorted(order) == ["run 0", "run 1", "run 2"]
    row = order.index("run 2")
    np.testing.assert_allclose(swarm.mixtures[row], [0.6, 0.4])
    assert swarm.losses[row].tolist() == [4, 3]
    assert swarm.signals()["size"].tolist() == [1e6] * 3
    np.testing.assert_allclose(run_folders.read(tmp_path, last=2).losses[row], [3.5, 2.5])


def test_weights_that_move_are_averaged_and_said(tmp_path):
    logs(tmp_path, runs=1, moving=True)
    with pytest.warns(ReweightvizWarning, match="weights of 'run 0' changed within the run"):
        swarm = run_folders.read(tmp_path)
    np.testing.assert_allclose(swarm.mixtures[0], [0.35, 0.65])


def test_logs_that_cannot_be_used_are_named_or_skipped(tmp_path):
    with pytest.raises(ReweightvizError, match="no file like"):
        run_folders.read(tmp_path)
    logs(tmp_path)
    (tmp_path / "part0" / "broken.jsonl").write_text('{"domains": 3}\n')
    with pytest.raises(ReweightvizError, match="broken.jsonl is no run log"):
        run_folders.read(tmp_path)
    with pytest.warns(ReweightvizWarning, match="1 of 4 logs skipped"):
        assert len(run_folders.read(tmp_path, on_error="skip")) == 3
    with pytest.raises(ReweightvizError, match="has no 'loss'"):
        run_folders.read(tmp_path, signal="loss")
    with pytest.raises(ReweightvizError, match="none of 4 logs"):
        run_folders.read(tmp_path, signal="loss", on_error="skip")
    (tmp_path / "part0" / "broken.jsonl").unlink()
    (tmp_path / "other").mkdir()
    logs(tmp_path / "other", runs=1, domains=("web", "cde"))
    with pytest.raises(ReweightvizError, match="must have the same domains"):
        run_folders.read(tmp_path)
    with pytest.raises(ReweightvizError, match="last must be"):
        run_folders.read(tmp_path, last=0)
