"""RunLogger and the loss of each domain: kills at any byte, ranks, accumulation."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.runlog import RunLog
from reweightviz.training import (
    DomainLosses,
    LightningSteering,
    MixtureSampler,
    RunLogger,
    domain_loss,
)

DOMAINS = ("web", "code")


def written(path, steps=range(1, 4)):
    with RunLogger(path, domains=DOMAINS, name="ours", meta={"seed": 3}) as log:
        for step in steps:
            log.write(
                step=step,
                losses={"web": 3.0 / step},
                weights=[0.7, 0.3],
                excess_loss={"code": 0.5},
                tokens=100 * step,
                scalars={"lr": 1e-3 / step, "grad_norm": float("inf")},
                time=1.7e9 + step,
            )
    return path


def test_what_is_written_is_read(tmp_path):
    log = RunLog.load(written(tmp_path / "run.jsonl"))
    assert (log.name, log.domains, log.steps.tolist(), log.meta["seed"]) == (
        "ours",
        DOMAINS,
        [1, 2, 3],
        3,
    )
    np.testing.assert_allclose(log["loss"], [[3, np.nan], [1.5, np.nan], [1, np.nan]])
    np.testing.assert_allclose(log["excess_loss"][:, 1], 0.5)
    np.testing.assert_allclose(log.weights, [[0.7, 0.3]] * 3)
    np.testing.assert_allclose(log.scalars["lr"], [1e-3, 5e-4, 1e-3 / 3], rtol=1e-6)
    assert np.isnan(log.scalars["grad_norm"]).all()
    assert log.tokens.tolist() == [100, 200, 300] and log.times.tolist() == [
        1.7e9 + 1,
        1.7e9 + 2,
        1.7e9 + 3,
    ]


def test_cut_at_any_byte_it_opens_up_to_the_last_whole_line_and_goes_on(tmp_path):
    content = written(tmp_path / "run.jsonl").read_bytes()
    ends = [n for n, byte in enumerate(content) if byte == 10]
    path = tmp_path / "cut.jsonl"
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        lines = sum(end < size for end in ends)  # with their ends
        if size >= ends[0]:
            steps = RunLog.load(path).steps.tolist()
            assert (
                steps[: min(3, max(0, lines - 1))] == [1, 2, 3][: max(0, lines - 1)]
                and len(steps) <= lines
            )
        RunLogger(path, domains=DOMAINS).write(step=9, losses=[1.0, 2.0])
        assert RunLog.load(path).steps.tolist() == [*[1, 2, 3][: max(0, lines - 1)], 9]


def test_a_run_of_no_steps_is_a_log(tmp_path):
    RunLogger(tmp_path / "run.jsonl", domains=DOMAINS)
    log = RunLog.load(tmp_path / "run.jsonl")
    assert len(log) == 0 and log.domains == DOMAINS


def test_a_real_kill_leaves_a_log_and_the_next_run_goes_on(tmp_path, root):
    path = tmp_path / "run.jsonl"
    code = (
        "import sys\nfrom reweightviz.training import RunLogger\nlog = RunLogger(sys.argv[1], domains=['web', 'code'])\nprint('go', flush=True)\n"
        "for step in range(10**9):\n    log.write(step=step, losses={'web': 1.0, 'code': step})\n"
    )
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", code, path], stdout=subprocess.PIPE, cwd=root
        )
        process.stdout.readline()
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        log = RunLog.load(path)
        last = int(log.steps[-1])
        assert (
            last > 100
            and log.steps.tolist() == list(range(last + 1))
            and log["loss"][:, 1].tolist() == list(range(last + 1))
        )


def test_a_loss_that_was_nan_is_a_counted_gap_and_one_that_was_not_measured_is_none(tmp_path):
    with RunLogger(tmp_path / "run.jsonl", domains=DOMAINS) as log:
        log.write(step=1, losses={"web": float("nan")}, tokens=float("nan"), time=float("inf"))
        log.write(step=2, losses=np.array([np.nan, np.nan]), drawn_tokens=[10, 0])
        log.write(
            step=3, losses=[float("inf"), None], excess_loss=[np.nan, 1.0], scalars={"lr": np.nan}
        )
    log = RunLog.load(tmp_path / "run.jsonl")
    assert np.isnan(log["loss"]).all() and np.isnan(log.tokens).all()
    assert log.meta["notes"] == [
        "loss: 3 values are NaN or infinite; drawn as gaps.",
        "lr: 1 value is NaN or infinite; drawn as a gap.",
    ]


def test_numbers_of_any_kind_are_written(tmp_path):
    with RunLogger(tmp_path / "run.jsonl", domains=DOMAINS) as log:
        log.write(
            step=torch.tensor(1),
            losses=torch.tensor([1.0, 2.0], dtype=torch.bfloat16),
            drawn_tokens=[123_456_789, 1],
        )
        log.write(
            step=np.int64(2),
            losses=torch.tensor([1.0, 2.0], requires_grad=True),
            scalars={"tokens_seen": 12_345_678_901},
        )
        log.write(
            step=3,
            losses={"web": torch.tensor(1.5, requires_grad=True)},
            time=1_795_272_001.25,
            tokens=12_345_678_901.5,
        )
    log = RunLog.load(tmp_path / "run.jsonl")
    assert (
        log["loss"][:2].tolist() == [[1, 2], [1, 2]]
        and log["loss"][2, 0] == 1.5
        and log["drawn_tokens"][0].tolist() == [123_456_789, 1]
    )
    assert log.scalars["tokens_seen"][1] == 12_345_678_901
    assert (log.times[2], log.tokens[2]) == (1_795_272_001.25, 12_345_678_901.5)


def test_other_ranks_write_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with RunLogger(tmp_path / "run.jsonl", domains=DOMAINS) as log:
        log.write(step=1, losses=[1.0, 2.0])
    assert not (tmp_path / "run.jsonl").exists()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            {"losses": {"poems": 1.0}},
            "loss must name domains of the log, 'web', 'code'; got 'poems'",
        ),
        ({"losses": [1.0]}, "loss must be 2 numbers"),
        ({"losses": {"web": "much"}}, "loss needs numbers; got 'much'"),
        ({"losses": 3.0}, "loss must be 2 numbers"),
        ({"losses": [1.0, torch.ones(2)]}, "loss needs numbers"),
        ({"scalars": {"lr": "auto"}}, "lr needs numbers; got 'auto'"),
        ({"tokens": "many"}, "tokens needs numbers"),
        ({"step": "last"}, "step must be a whole number; got 'last'"),
        ({"step": float("nan")}, "step must be a whole number; got nan"),
        ({"scalars": {"\ud800": 1}}, "JSON in UTF-8 cannot hold"),
        ({"happiness": [1.0, 1.0]}, "no signal of a run 'happiness'"),
        ({"weights": {"prose": 1}}, "weights must name domains of the log, .*; got 'prose'"),
    ],
)
def test_what_cannot_be_logged_is_one_sentence(tmp_path, call, sentence):
    log = RunLogger(tmp_path / "run.jsonl", domains=DOMAINS)
    with pytest.raises(ReweightvizError, match=sentence):
        log.write(**{"step": 1, **call})
    assert len(RunLog.load(tmp_path / "run.jsonl")) == 0


def test_the_log_of_another_run_is_not_written_to(tmp_path):
    path = written(tmp_path / "run.jsonl")
    with pytest.raises(
        ReweightvizError,
        match="only in this run 'a'; only in the log there 'web', 'code': name another file",
    ):
        RunLogger(path, domains=["a"])
    for notes in ("hello\n", '{"domains": null}\n'):
        (tmp_path / "notes.txt").write_text(notes)
        with pytest.raises(ReweightvizError, match="exists and is no run log"):
            RunLogger(tmp_path / "notes.txt", domains=["a"])
    log = RunLogger(path, domains=DOMAINS)
    log.expect(MixtureSampler({"web": 2, "code": 1}, {"web": 0.5, "code": 0.5}, batch=1).domains)
    with pytest.raises(
        ReweightvizError,
        match="the sampler and the log name different domains: 'code', 'web' and 'web', 'code', in that order: RunLogger.path, domains=sampler",
    ):
        log.expect(
            MixtureSampler(["web", "code", "web"], {"web": 0.5, "code": 0.5}, batch=1).domains
        )
    with pytest.raises(ReweightvizError, match="domains must be names, each once"):
        RunLogger(tmp_path / "x", domains=["a", "a"])


def test_domain_losses_are_those_of_a_loop_over_tokens():
    generator = torch.Generator().manual_seed(0)
    losses, mask = (
        torch.rand(5, 7, generator=generator),
        torch.rand(5, 7, generator=generator) < 0.7,
    )
    ids = torch.tensor([0, 2, 2, 0, 2])
    sums = domain_loss(losses, ids, 3, mask)
    for domain in range(3):
        picked = [
            float(losses[b, t])
            for b in range(5)
            for t in range(7)
            if ids[b] == domain and mask[b, t]
        ]
        assert float(sums.tokens[domain]) == len(picked) and float(
            sums.loss[domain]
        ) == pytest.approx(sum(picked))
    by_token = domain_loss(losses, ids[:, None].expand(5, 7), 3, mask)
    torch.testing.assert_close(by_token.loss, sums.loss)


def test_accumulation_is_no_mean_of_means():
    whole, parts = DomainLosses(DOMAINS), DomainLosses(DOMAINS)
    losses, ids = torch.tensor([[1.0, 2.0], [3.0, 4.0], [10.0, 20.0]]), torch.tensor([0, 1, 1])
    mask = torch.tensor([[1, 1], [1, 0], [1, 1]])
    whole.add(losses, ids, mask)
    for row in range(3):
        parts.add(losses[row : row + 1], ids[row : row + 1], mask[row : row + 1])
    one, two = whole.take(), parts.take()
    assert one["loss"].tolist() == two["loss"].tolist() == [1.5, 11.0] and two[
        "drawn_tokens"
    ].tolist() == [2, 3]
    assert np.isnan(parts.take()["loss"]).all()


def test_a_masked_nan_does_not_count():
    losses = DomainLosses(DOMAINS)
    losses.add(torch.tensor([[1.0, torch.nan]]), torch.tensor([0]), torch.tensor([[1, 0]]))
    assert losses.take()["loss"].tolist()[0] == 1.0


@pytest.mark.parametrize(
    ("losses", "ids", "mask"),
    [
        ((2, 3), [0, 1, 0], None),
        ((2, 3), [0, 1], (2, 2)),
        ((2, 3), [0, 5], None),
        ((2, 3), [-1, 0], None),
    ],
)
def test_ids_that_do_not_fit_are_one_sentence(losses, ids, mask):
    with pytest.raises(ReweightvizError, match="domain_ids"):
        domain_loss(
            torch.zeros(losses), torch.tensor(ids), 2, None if mask is None else torch.ones(mask)
        )


def _rank(rank, store, queue):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=2
    )
    losses = DomainLosses(DOMAINS)
    if rank:  # 1 and 3 tokens of web; code on one rank alone
        losses.add(torch.tensor([[2.0, 4.0, 6.0]]), torch.tensor([0]))
        losses.add(torch.tensor([[5.0]]), torch.tensor([1]))
    else:
        losses.add(torch.tensor([[20.0]]), torch.tensor([0]))
    queue.put({name: values.tolist() for name, values in losses.take().items()})
    torch.distributed.destroy_process_group()


def test_two_ranks_agree_on_sums_over_both(tmp_path):
    context = torch.multiprocessing.get_context("spawn")
    queue = context.Queue()
    ranks = [
        context.Process(target=_rank, args=(rank, tmp_path / "store", queue)) for rank in range(2)
    ]
    for process in ranks:
        process.start()
    taken = [queue.get(timeout=90) for _ in ranks]
    for process in ranks:
        process.join(30)
    assert taken[0] == taken[1] == {"loss": [8.0, 5.0], "drawn_tokens": [4, 1]}


@pytest.mark.skipif(
    importlib.util.find_spec("lightning") is not None, reason="lightning is installed"
)
def test_without_lightning_the_callback_says_what_to_install():
    with pytest.raises(
        ReweightvizError, match=r"LightningSteering needs lightning: pip install lightning\."
    ):
        LightningSteering(MixtureSampler({"a": 3}, {"a": 1.0}, batch=1))


@pytest.mark.optional("transformers")
@pytest.mark.parametrize("items", [None, 9])
def test_the_trainers_loss_is_the_models_own(items):
    from transformers import GPT2Config, GPT2LMHeadModel

    from reweightviz.training.transformers_trainer import _DomainIds, _make_loss_function

    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=50,
            n_positions=8,
            n_embd=16,
            n_layer=1,
            n_head=2,
            bos_token_id=0,
            eos_token_id=0,
        )
    ).eval()
    tokens = torch.randint(0, 50, (3, 8), generator=torch.Generator().manual_seed(0))
    labels = tokens.clone()
    labels[1, 3:] = -100
    losses, ids = DomainLosses(DOMAINS), _DomainIds()
    model.register_forward_pre_hook(ids, with_kwargs=True)
    ours = _make_loss_function(losses, ids)(
        model(input_ids=tokens, domain_ids=torch.tensor([0, 1, 0])),
        labels,
        num_items_in_batch=items,
    )
    theirs = model(
        input_ids=tokens, labels=labels, **({"num_items_in_batch": items} if items else {})
    ).loss
    torch.testing.assert_close(ours, theirs)
    assert losses.take()["drawn_tokens"].tolist() == [14, 2]


@pytest.mark.framework("loggers")
def test_lightning_is_steered_and_resumed(load_with, root, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(root))
    result = load_with(root / "tests" / "steering" / "lightning_run.py", folder=tmp_path)
    assert result["resumed"] == result["whole"][-len(result["resumed"]) :]
    assert (
        result["steps"] == list(range(1, 13)) and 6 <= result["effect"] <= 8
    )  # Lightning draws a batch ahead
    assert result["tokens"] == [[16, 48]] * result["effect"] + [[48, 16]] * (12 - result["effect"])
    np.testing.assert_allclose(result["loss"], result["by_hand"], rtol=1e-5)
    assert json.loads((tmp_path / "run.jsonl").read_text().splitlines()[0])["domains"] == [
        "code",
        "web",
    ]
