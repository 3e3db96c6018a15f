"""A real training that is steered from another process, killed, resumed, and drawn again from its history."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from reweightviz.core.live import LiveMixture
from reweightviz.core.runlog import RunLog
from reweightviz.core.schedule import Schedule
from reweightviz.training.mixture_sampler import MixtureSampler

HERE = Path(__file__).parents[1]
PYTHON = (
    HERE.parent / ".venvs" / "core" / "bin" / "python"
)  # has accelerate, which the Trainer of transformers needs
LENGTH, BATCH = 64, 16
BEFORE, AFTER = [0.6, 0.3, 0.1], [0.1, 0.25, 0.65]
CHANGE_AT = 30


@pytest.fixture
def data(tmp_path, demo_corpus):
    """Blocks of real text of three domains of the demo corpus, no two alike, in a file that the training reads."""
    names, blocks = [], []
    for code, domain in enumerate(demo_corpus.domains[:3]):
        text = "\n".join(
            demo_corpus.text(np.flatnonzero(demo_corpus.domain_codes == code)[:40])
        ).encode()[: 200 * LENGTH]
        cut = {text[at : at + LENGTH]: None for at in range(0, len(text) - LENGTH + 1, LENGTH)}
        blocks += [
            np.frombuffer(block, np.uint8)
            for block in cut
            if all(block != other.tobytes() for other in blocks)
        ]
        names += [domain] * (len(blocks) - len(names))
    kept = {"domains": np.array(names), "blocks": np.stack(blocks)}
    np.savez(tmp_path / "data.npz", **kept)
    return kept


class Training:
    """The processes of one training, a rank each; every attempt keeps what each rank's model was given."""

    def __init__(self, folder, ranks=1, **job):
        self.folder, self.ranks, self.job, self.attempt = (
            folder,
            ranks,
            {"folder": str(folder), "batch": BATCH, **job},
            -1,
        )

    def start(self, **more):
        self.attempt += 1
        own = {
            "PYTHONPATH": str(HERE.parent),
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if self.ranks > 1:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                own |= {
                    "MASTER_ADDR": "127.0.0.1",
                    "MASTER_PORT": str(free.getsockname()[1]),
                    "WORLD_SIZE": str(self.ranks),
                }
        job = json.dumps({**self.job, **more, "attempt": self.attempt})
        self.said = self.folder / f"said.{self.attempt}.txt"
        with self.said.open("w") as said:
            self.processes = [
                subprocess.Popen(
                    [PYTHON, HERE / "steering" / "trainer_run.py", job],
                    stdout=said,
                    stderr=said,
                    start_new_session=True,
                    env=os.environ
                    | own
                    | ({"RANK": str(rank), "LOCAL_RANK": str(rank)} if self.ranks > 1 else {}),
                )
                for rank in range(self.ranks)
            ]

    def wait_for(self, step):
        """Until that step is being trained; returns the step that is."""
        limit = time.monotonic() + 120
        while not (now := self.trained(0, self.attempt)[-1:]) or now[0][0] < step:
            assert (
                not any(process.poll() for process in self.processes) and time.monotonic() < limit
            ), self.said.read_text()[-5000:]
            time.sleep(0.02)
        return now[0][0]

    def kill(self):
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
        for process in self.processes:
            process.wait()

    def finish(self):
        codes = [process.wait(timeout=120) for process in self.processes]
        assert not any(codes), self.said.read_text()[-5000:]
        return json.loads(self.said.read_text().rpartition("RESULT ")[2].partition("\n")[0])

    def trained(self, rank, attempt):
        """[step, marks of the rows] of every batch."""
        path = self.folder / f"trained.{rank}.{attempt}.jsonl"
        return (
            [json.loads(line) for line in path.read_text().split("\n")[:-1]]
            if path.exists()
            else []
        )

    def by_place(self, rank, attempt):
        """Number of a rank's batch to the marks of its rows."""
        batches = self.trained(rank, attempt)
        start = batches[0][0] * self.job.get("accumulation", 1)
        return {start + n: marks for n, (_, marks) in enumerate(batches)}


@pytest.mark.framework("core")
@pytest.mark.parametrize(
    ("how", "STEPS"),
    [
        ({}, 290),
        ({"workers": 2, "accumulation": 2}, 150),
        ({"workers": 2, "streams": True}, 150),
        ({"ranks": 2}, 150),
    ],
    ids=["one-process", "workers-load", "workers-draw", "two-ranks"],
)
def test_a_steered_run_that_is_killed_and_resumed_equals_its_replay(tmp_path, data, how, STEPS):
    domains = sorted(set(data["domains"].tolist()))
    live = LiveMixture.create(tmp_path / "mix.json", dict(zip(domains, BEFORE, strict=True)))
    training = Training(tmp_path, **how, steps=STEPS, save_every=40)
    training.start()
    seen_at = training.wait_for(CHANGE_AT)
    assert (
        live.set(dict(zip(domains, AFTER, strict=True)), author="ann", note="more of the last") == 2
    )
    killed_at = training.wait_for(STEPS - 40)
    training.kill()
    training.start(resume=True)
    result = training.finish()
    assert result["step"] == STEPS and np.isfinite(result["loss"])

    changes = live.changes()
    effect = int(changes.loc[2, "step"])
    print(f"change to effect: {effect - seen_at} steps (every 5)")
    assert changes["author"].tolist() == ["", "ann"] and seen_at < effect <= seen_at + 60

    accumulation = how.get("accumulation", 1)
    schedule = Schedule.load(live.history(steps=STEPS).save(tmp_path / "history.json"))
    marks = np.array([zlib.crc32(block.tobytes()) for block in data["blocks"]])
    drawn = {step: [] for step in range(STEPS)}
    for rank in range(how.get("ranks", 1)):
        replay = MixtureSampler(
            data["domains"],
            schedule,
            batch=BATCH,
            seed=5,
            accumulation=accumulation,
            rank=rank,
            ranks=how.get("ranks", 1),
        )
        rows = [rows for _, rows in zip(range(STEPS * accumulation), replay, strict=False)]
        first, second = training.by_place(rank, 0), training.by_place(rank, 1)
        last = (killed_at - 1) * accumulation  # rank 1 may have been a step behind
        assert (
            min(first) == 0
            and max(first) >= last > min(second) > 0
            and max(second) == STEPS * accumulation - 1
        )
        for trained in (first, second):
            for place, given in trained.items():
                assert given == marks[rows[place]].tolist(), f"rank {rank}, batch {place}"
        for place, chosen in enumerate(rows):
            drawn[place // accumulation] += chosen

    for begin, weights in ((effect, AFTER), (0, BEFORE)):
        window = np.concatenate(
            [drawn[step] for step in range(begin, min(begin + 200, STEPS) if begin else effect)]
        )
        shares = np.array([(data["domains"][window] == domain).mean() for domain in domains])
        print(f"shares from {begin}: {shares.round(4).tolist()} of {weights}")
        assert np.abs(shares - weights).max() < 0.02

    log = RunLog.load(tmp_path / "run.jsonl")
    assert log.steps[-1] == STEPS and log.domains == tuple(domains)
    np.testing.assert_allclose(log.weights[-1], AFTER)
    tokens = log["drawn_tokens"][-5:].sum(0)
    assert np.abs(tokens / tokens.sum() - AFTER).max() < 0.02
    assert np.nanmean(log["loss"][-3:]) < np.nanmean(log["loss"][:3]) - 0.5


@pytest.mark.framework("core")
@pytest.mark.parametrize("mixer", ["ODM", "Aioli"])  # the second one by what it has measured
def test_a_mixer_steers_a_real_trainer(tmp_path, data, mixer):
    domains = sorted(set(data["domains"].tolist()))
    live = LiveMixture.create(tmp_path / "mix.json", dict(zip(domains, BEFORE, strict=True)))
    training = Training(tmp_path, steps=60, save_every=40, mixer=mixer)
    training.start()
    training.finish()
    history, log = live.history(steps=60), RunLog.load(tmp_path / "run.jsonl")
    assert len(history) > 2 and set(live.changes()["author"]) == {"", mixer}
    found = live.mixture.array
    assert np.abs(found - BEFORE).max() > 0.02 and (
        mixer == "ODM" or np.unique(found).size == 3
    )  # no probe, in which two are alike
    np.testing.assert_allclose(
        log.weights,
        [history.at(step - 1).aligned(domains) for step in log.steps.tolist()],
        rtol=1e-6,
    )
    marks = np.array([zlib.crc32(block.tobytes()) for block in data["blocks"]])
    replay = MixtureSampler(data["domains"], history, batch=BATCH, seed=5)
    assert [given for _, given in training.trained(0, 0)] == [
        marks[rows].tolist() for _, rows in zip(range(60), replay, strict=False)
    ]


@pytest.mark.framework("core")
def test_what_happens_to_a_trainer(load_with, root, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(root))
    result = load_with(root / "tests" / "steering" / "trainer_corners.py", folder=tmp_path)
    log = RunLog.load(tmp_path / "run.jsonl")
    assert (
        log.steps.tolist() == [2, 4, 6] and log["drawn_tokens"].sum(1).tolist() == [2 * 8 * 7] * 3
    )  # one before the checkpoint, one behind
    assert np.isfinite(log["loss"][:2]).all() and np.isfinite(log["loss"][2]).tolist() == [
        False,
        True,
    ]
    assert "loss: 1 value is NaN or infinite; drawn as a gap." in log.meta["notes"]
    assert result["again"].startswith("the sampler stands at step 6, the Trainer begins at 0")
