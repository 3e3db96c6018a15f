"""Aim's local repository, written by the real aim where it is installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

import reweightviz as rv

pytestmark = pytest.mark.optional("aim")


def aim(folder, *words):
    program = "from aim.cli.cli import cli_entry_point; cli_entry_point()"
    subprocess.run([sys.executable, "-c", program, *words], cwd=folder, check=True)


def test_runs_and_metrics_of_a_repository(tmp_path):
    from aim import Run

    aim(tmp_path, "init")
    run = Run(repo=str(tmp_path), system_tracking_interval=None)
    for step in range(3):
        for name, value in (("web", 3.0), ("code", 2.0)):
            context = {"subset": "train", "domain": name}
            run.track(value - step, name="loss", step=step * 10, context=context)
        run.track(0.1, name="lr", step=step * 10)
    run.close()
    with pytest.raises(rv.ReweightvizError, match="'aim storage reindex', or 'aim up', indexes"):
        rv.read_log(tmp_path)
    aim(tmp_path, "storage", "--repo", str(tmp_path), "reindex", "-y")
    log = rv.read_log(tmp_path)
    assert log.meta["format"] == "aim" and log.steps.tolist() == [0, 10, 20]
    assert log.meta["pattern"] == {"loss": ["train/loss/{domain}"]}
    columns = [log.domains.index(name) for name in ("web", "code")]
    assert log["loss"][:, columns].tolist() == [[3.0, 2.0], [2.0, 1.0], [1.0, 0.0]]
    assert log.scalars["lr"].tolist() == [0.1, 0.1, 0.1] and log.times[0] > 1.7e9
