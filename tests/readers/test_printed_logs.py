"""What trainers print, among everything else that a log holds; each sample as the trainer's own code printed it."""

from __future__ import annotations

import random

import numpy as np
import pytest
from mutations import mutate

import reweightviz as rv
from reweightviz.readers.logs._printed_log import read_number, text_of
from reweightviz.readers.read_log import recognise

pytestmark = pytest.mark.filterwarnings("ignore:.*has no series by domain")

FRAME = "\r 50%|█████     | 10/20 [00:01<00:01,  9.50it/s]"
TRAINER = (
    "\r  0%|          | 0/20 [00:00<?, ?it/s]\r                                      \r"
    "{'loss': '2.41', 'grad_norm': '1.25', 'learning_rate': '0.0002', 'epoch': '0.5'}\n"
    f"{FRAME}\n"
    "\r  0%|          | 0/3 [00:00<?, ?it/s]\x1b[A\r                          \r"
    "\x1b[A{'eval_web_loss': '2.5', 'eval_web_runtime': '1', 'epoch': '0.5'}\n"
    f"{FRAME}\n\r100%|██████████| 3/3 [00:00<00:00, 27.16it/s]\x1b[A\n"
    "\x1b[A{'eval_code_loss': '1.9', 'eval_code_runtime': '1', 'epoch': '0.5'}\n"
    f"{FRAME}\n\r               \x1b[A\r               \r"
    "{'loss': '2.12', 'grad_norm': 'nan', 'learning_rate': '1e-05', 'epoch': '1'}\n"
    "\r100%|██████████| 20/20 [00:02<00:00,  9.50it/s]\n"
)
SAMPLES = {
    "trainer_printed": TRAINER,
    "nanotron": (
        "11/30 10:00:00 [INFO|DP=0|PP=0|TP=0]: iteration: 1 / 10 | consumed_tokens: 24.6K | lm_loss: 10.4 | lr: 3e-05 | eta: 1:02:03\n"
        "11/30 10:00:02 [INFO|DP=0|PP=0|TP=0]: iteration: 2 / 10 | consumed_tokens: 49.2K | lm_loss: 9.8 | lr: 0.0003 | eta: 1:02:03\n"
    ),
    "composer": (
        '[batch=1/100]:\n\t Train time/batch: 0\n\t Train time/token: 0\n\t Train loss/train/total: 11.9900\n\t Train note: "3"\n'
        "[batch=2/100]:\n\t Train time/batch: 1\n\t Train time/token: 524288\n\t Train loss/train/total: 11.1000\n"
        "[Eval batch=5/10] Eval on eval/web data\n[Eval batch=10/10] Eval on eval/web data:\n\t Eval metrics/eval/web/LanguageCrossEntropy: 9.1000\n"
    ),
    "torchtitan": (
        "[rank0]:[titan] 2026-01-15 10:00:01,123 - root - INFO - \x1b[31mstep:  1  \x1b[32mloss:  8.10000  \x1b[33mgrad_norm:  1.5000  "
        "\x1b[34mmemory: 12.50GiB(13.25%)  \x1b[35mtps: 12,346  \x1b[36mtflops: 1,234.50  \x1b[37mmfu: N/A\x1b[39m\n"
        "[rank1]:[titan] 2026-01-15 10:00:01,123 - root - INFO - \x1b[31mstep:  1  \x1b[32mloss:  8.10000  \x1b[33mgrad_norm:  1.5000\x1b[39m\n"
        "[rank0]:[titan] 2026-01-15 10:00:02,123 - root - INFO - \x1b[31mstep: 20  \x1b[32mloss:  7.25000  \x1b[33mgrad_norm:  1.5000\x1b[39m\n"
        "[rank0]:[titan] 2026-01-15 10:00:03,123 - root - INFO - \x1b[38mvalidate step: 20  \x1b[32mloss:  7.5000\x1b[39m\n"
    ),
    "torchtune": (
        "1|1|Loss: 9.5: 10%|#####     | 1/10 [00:01<00:01,  1.00it/s]Step 1 | loss:9.5 lr:2e-05 grad_norm:tensor(0.5000) \n"
        "\r1|2|Loss: 8.25: 20%|#####     | 2/10 [00:01<00:01,  1.00it/s]Step 2 | loss:8.25 lr:2e-05 grad_norm:0.5 \n"
    ),
    "litgpt": (
        "Epoch 1 | iter 4 step 1 | loss train: 9.048, val: n/a | iter time: 100.00 ms (step) remaining time: 0:01:00\n"
        "Epoch 1 | iter 8 step 2 | loss train: 8.187, val: n/a | iter time: 100.00 ms (step) remaining time: 0:01:00\n"
        "Validating ...\niter 8: val loss 9.1873, val time: 500.00 ms\n"
    ),
    "lingua": (
        "0: INFO    26-11-30 23:23:46.226300 - 0:00:00 - step: 10  acc: 0  loss:  9.0484  grad: 1.50e+00  flops: 1.00e+14  mem: 50%  pow: 400.0 W\n"
        "0: INFO    26-11-30 23:23:47.241806 - 0:00:01 - step: 20  acc: 0  loss:  8.1873  grad: 1.50e+00  flops: 1.00e+14  mem: 50%  pow: 400.0 W\n"
    ),
    "levanter": (
        "2026-01-15T10:00:00 - 0 - tqdm_loggable.tqdm_logging - tqdm_logging.py:145 - INFO :: Progress on:train 999it/10.0kit rate:1.0it/s remaining:00:10 elapsed:00:10 postfix:loss=4.06\n"
        "2026-01-15T10:01:00 - 0 - tqdm_loggable.tqdm_logging - tqdm_logging.py:145 - INFO :: Progress on:train 1.25kit/10.0kit rate:1.0it/s remaining:00:10 elapsed:00:10 postfix:loss=3.68\n"
        "2026-01-15T10:01:00 - 0 - levanter.eval - eval.py:260 - INFO :: web loss: 3.679\n"
        "2026-01-15T10:01:00 - 0 - levanter.eval - eval.py:260 - INFO :: code loss: 4.679\n"
    ),
    "maxtext": (
        "completed step: 0, seconds: 1.500, TFLOP/s/device: 1.500, Tokens/s/device: 1.500, total_weights: 1024, loss: 9.048\n"
        "completed step: 1, seconds: 1.500, TFLOP/s/device: 1.500, Tokens/s/device: 1.500, total_weights: 1024, loss: 8.187\n"
        "Completed eval step: 1, seconds: 0.5, running loss=8.1\n"
        "Completed eval after train step 1, loss=7.065, perplexity=9.000, total_weights=9, avg_z_loss=0.000\n"
    ),
    "olmo": (
        "2026-01-15 10:00:00.123\thost:0\tolmo_core.train.callbacks.console_logger:71\tINFO\t[step=1/10,epoch=1,eta=1 hour2 minutes]\n"
        "    train/CE loss=9.048\n    throughput/total tokens=4,194,304\n"
        "2026-01-15 10:00:01.123\thost:0\tolmo_core.train.callbacks.console_logger:71\tINFO\t[step=2/10,epoch=1,eta=1 hour2 minutes]\n"
        "    train/CE loss=8.187\n    throughput/total tokens=8,388,608\n"
        "2026-01-15 10:00:02.123\thost:0\tolmo_core.train.callbacks.evaluator_callback:178\tINFO\tFinished lm evals in 1.4 seconds. Metrics:\n"
        "    web/CE loss=6.065\n    code/CE loss=7.065\n"
    ),
}
READ = {
    "trainer_printed": ([10, 20], "loss", [2.41, 2.12]),
    "nanotron": ([1, 2], "lm_loss", [10.4, 9.8]),
    "composer": ([1, 2], "loss/train/total", [11.99, 11.1]),
    "torchtitan": ([1, 20], "loss", [8.1, 7.25]),
    "torchtune": ([1, 2], "loss", [9.5, 8.25]),
    "litgpt": ([4, 8], "loss", [9.048, 8.187]),
    "lingua": ([10, 20], "loss", [9.0484, 8.1873]),
    "levanter": ([999, 1250], "train/loss", [4.06, 3.68]),
    "maxtext": ([0, 1], "loss", [9.048, 8.187]),
    "olmo": ([1, 2], "train/CE loss", [9.048, 8.187]),
}
TOKENS = {"nanotron": [24600, 49200], "composer": [0, 524288], "olmo": [4194304, 8388608]}
HELD_OUT = {"trainer_printed": [2.5, 1.9], "levanter": [3.679, 4.679], "olmo": [6.065, 7.065]}
NOISE = (
    "Loading checkpoint shards: 100%|██████████| 2/2 [00:01<00:00]\nconfig:\n    lr: 0.1, {'a': 1}\nWARNING: step\n"
    'INFO {"loss": 3}\n'
)


def written(path, text):
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize(
    ("before", "label"),
    [
        ("", ""),
        (NOISE, ""),
        (NOISE * 2000, ""),
        ("", "[default3]:"),
        ("", "(Worker pid=12, ip=10.0.0.1) "),
    ],
)
def test_what_a_trainer_prints_is_read(name, before, label, tmp_path):
    sample = SAMPLES[name]
    if label and name != "torchtitan":  # its sample has labels already
        sample = "".join(label + line for line in sample.splitlines(keepends=True))
    path = written(tmp_path / "slurm-123.out", before + sample)
    log = rv.read_log(path)
    steps, tag, losses = READ[name]
    assert (log.meta["format"], log.steps.tolist()) == (name, steps)
    assert log.scalars[tag].tolist() == losses
    if name in TOKENS:
        assert log.tokens.tolist() == TOKENS[name]
    if name in HELD_OUT:
        assert log.domains == ("web", "code")
        assert np.nan_to_num(log["held_out_loss"]).max(axis=0).tolist() == HELD_OUT[name]


def test_what_else_a_line_says_is_kept(tmp_path):
    titan = rv.read_log(written(tmp_path / "a.log", SAMPLES["torchtitan"]))
    assert (titan.scalars["tps"][0], titan.scalars["memory"][0]) == (12346.0, 12.5)
    assert titan.scalars["validation/loss"][1] == 7.5 and "mfu" not in titan.scalars
    assert titan.times[1] - titan.times[0] == 2.0
    assert "the lines of rank 0 are read" in titan.meta["notes"][0]
    lingua = rv.read_log(written(tmp_path / "train.log", SAMPLES["lingua"]))
    assert lingua.times[1] - lingua.times[0] == pytest.approx(1.015506)
    assert lingua.scalars["pow"].tolist() == [400.0, 400.0]
    composer = rv.read_log(written(tmp_path / "b.log", SAMPLES["composer"]))
    assert composer.scalars["metrics/eval/web/LanguageCrossEntropy"][1] == 9.1
    nanotron = rv.read_log(written(tmp_path / "c.log", SAMPLES["nanotron"]))
    assert "eta" not in nanotron.scalars and "rounded" in nanotron.meta["notes"][0]
    tune = rv.read_log(written(tmp_path / "d.log", SAMPLES["torchtune"]))
    assert tune.scalars["grad_norm"].tolist() == [0.5, 0.5]
    trainer = rv.read_log(written(tmp_path / "e.log", SAMPLES["trainer_printed"]))
    assert "read from the progress bar behind a line" in str(trainer.meta["notes"])
    assert "grad_norm: 1 value is NaN or infinite; drawn as a gap." in trainer.meta["notes"]


@pytest.mark.parametrize("name", SAMPLES)
def test_followed_and_cut_at_every_byte(name, tmp_path):
    whole = (NOISE + SAMPLES[name]).encode()
    path = tmp_path / "run.log"
    path.write_bytes(whole)
    steps, tag, losses = READ[name]
    expected = rv.read_log(path)
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        tail = rv.read_log(path, follow=True, format=name)
        before = tail.log
        known = before.scalars.get(tag, np.empty(0))
        known = known[~np.isnan(known)].tolist()
        assert known == losses[: len(known)] and before.steps.tolist() == steps[: len(before)]
        with path.open("ab") as file:
            file.write(whole[cut:])
        tail.poll()
        assert tail.log.steps.tolist() == steps and tail.log.scalars[tag].tolist() == losses
        # Of two domains the first, met alone, is guessed to be none.
        is_met_alone = any("eval" in tag and "runtime" not in tag for tag in before.scalars)
        for signal in () if is_met_alone else expected.signals:
            np.testing.assert_array_equal(tail.log[signal], expected[signal])


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("before", [None, "", NOISE])
def test_followed_before_the_first_step(name, before, tmp_path):
    path = tmp_path / "slurm-123.out"
    if before is not None:
        written(path, before)
    tail = rv.read_log(path, follow=True)
    assert len(tail.log) == 0 and not tail.poll()
    written(path, (before or "") + SAMPLES[name])
    steps, tag, losses = READ[name]
    assert tail.poll() and tail.log.meta["format"] == name
    assert tail.log.steps.tolist() == steps and tail.log.scalars[tag].tolist() == losses
    assert rv.read_log(tmp_path).meta["format"] == name


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("metrics.jsonl", "undecided"),
        ("a.csv", "csv"),
        ("trainer_log.jsonl", "llamafactory"),
        ("job.o123", "undecided"),
        ("nohup.out", "undecided"),
    ],
)
def test_the_format_of_a_file_that_is_still_to_come(name, format_, tmp_path):
    assert rv.read_log(tmp_path / name, follow=True).log.meta["format"] == format_


@pytest.mark.parametrize("name", SAMPLES)
def test_a_mutated_log_ends_in_a_log_or_one_sentence(name, tmp_path):
    draw = random.Random(name)
    path = tmp_path / "run.log"
    whole = SAMPLES[name].encode()
    for _ in range(60):
        path.write_bytes(mutate(whole, draw))
        try:
            log = rv.read_log(path, format=name)
        except rv.ReweightvizError:
            continue
        assert (np.diff(log.steps) > 0).all()


def test_steps_of_the_trainer_without_a_bar_are_counted_and_said_so(tmp_path):
    lines = [
        f"{{'loss': {3 - n / 10}, 'learning_rate': 1e-05, 'epoch': {n / 10}}}\n"
        for n in range(1, 5)
    ]
    evaluated = "{'eval_web_loss': 2.5, 'eval_code_loss': 1.9, 'eval_runtime': 1.0, 'epoch': 0.2}\n"
    text = "".join([*lines[:2], evaluated, *lines[2:]])
    log = rv.read_log(written(tmp_path / "train.log", text))
    assert log.steps.tolist() == [1, 2, 3, 4] and "count the lines with a loss" in str(
        log.meta["notes"]
    )
    assert log["held_out_loss"][1].tolist() == [2.5, 1.9]
    # A run that went back to a checkpoint at epoch 0.2 prints 0.3 and 0.4 once more.
    others = "".join(lines[2:]).replace("'loss': 2.", "'loss': 1.")
    again = rv.read_log(written(tmp_path / "again.log", text + others))
    assert again.scalars["loss"].tolist() == [2.9, 2.8, 1.7, 1.6]
    assert again.steps.tolist() == [1, 2, 3, 4] and any(
        "went back" in note for note in again.meta["notes"]
    )


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ("logging_steps=10,\nlogging_first_step=False,\n", [10, 20, 30]),
        ('{"logging_steps": 10, "logging_first_step": true}\n', [1, 10, 20]),
        ("logging_steps: 0.05\n", [1, 2, 3]),
    ],
)
def test_steps_of_the_trainer_by_the_settings_that_it_prints(settings, steps, tmp_path):
    lines = "".join(f"{{'loss': {3 - n}, 'epoch': {n / 10}}}\n" for n in range(3))
    log = rv.read_log(written(tmp_path / "train.log", settings + lines))
    assert log.steps.tolist() == steps
    assert ("each as the 10 logging_steps" in str(log.meta["notes"])) == (steps != [1, 2, 3])


def test_a_trainer_that_prints_its_step_is_believed(tmp_path):
    line = "Train:  5%|▌  | 10/200 [00:12<03:54]{{'loss': 1.5, 'token_acc': 0.6, 'epoch': {0}, 'global_step/max_steps': '{1}/200', 'percentage': '5.00%'}}\n"
    text = line.format(0.05, 10) + line.format(0.1, 20)
    log = rv.read_log(written(tmp_path / "swift.log", text))
    assert log.steps.tolist() == [10, 20] and log.scalars["token_acc"].tolist() == [0.6, 0.6]


def test_what_several_ranks_print_is_read_once(tmp_path):
    line = "[titan] 2026-01-15 10:00:0{0},123 - root - INFO - step:  {0}  loss:  {1}  tps: 1{2}\n"
    order = [
        (1, 9.0, 0),
        (1, 9.0, 1),
        (2, 8.0, 0),
        (1, 9.0, 2),
        (2, 8.0, 1),
        (3, 7.0, 0),
        (2, 8.0, 2),
    ]
    log = rv.read_log(written(tmp_path / "a.log", "".join(line.format(*entry) for entry in order)))
    assert log.steps.tolist() == [1, 2, 3] and log.scalars["loss"].tolist() == [9.0, 8.0, 7.0]
    assert "notes" not in log.meta
    # A pipeline's first stages know no loss, and print -1.
    stages = "[rank0]:step:  1  loss: -1.00000  tps: 5\n[rank7]:step:  1  loss:  9.00000  tps: 5\n"
    piped = rv.read_log(written(tmp_path / "b.log", stages))
    assert piped.scalars["loss"].tolist() == [9.0]


def test_older_olmo_prints_no_epoch(tmp_path):
    text = "[2024-04-17 09:42:26] INFO     [olmo.train:816, rank=0] [step={0}/739328]\n    train/CrossEntropyLoss=1{0}.25\n    train/Perplexity=76,631\n"
    log = rv.read_log(written(tmp_path / "run.log", text.format(1) + text.format(2)))
    assert log.steps.tolist() == [1, 2] and log.scalars["train/CrossEntropyLoss"].tolist() == [
        11.25,
        12.25,
    ]
    assert log.scalars["train/Perplexity"][0] == 76631


def test_a_restart_takes_the_place_of_what_it_repeats(tmp_path):
    line = "iteration: {0} / 10 | consumed_tokens: {0}K | lm_loss: {1}\n"
    first = "".join(line.format(step, 10 - step) for step in range(1, 7))
    second = "".join(line.format(step, 20 - step) for step in range(4, 9))
    log = rv.read_log(written(tmp_path / "run.log", first + "Traceback ...\n" + second))
    assert log.steps.tolist() == list(range(1, 9))
    assert log.scalars["lm_loss"].tolist() == [9, 8, 7, 16, 15, 14, 13, 12]
    assert any("went back from 6 to 4" in note for note in log.meta["notes"])


@pytest.mark.parametrize(
    ("header", "step"),
    [
        ("[batch=3/10]:", 3),
        ("[epoch=2][batch=3/10]:", 13),
        ("[token=600/1000]:", 8),
        ("[epoch=2][batch=3]:", 8),
    ],
)
def test_composers_steps_are_batches_whatever_its_durations_count(header, step, tmp_path):
    text = f"{header}\n\t Train time/batch: 7\n\t Train loss/train/total: 2.5000\n"
    log = rv.read_log(written(tmp_path / "run.log", text))
    assert log.steps.tolist() == [step] and log.scalars["loss/train/total"].tolist() == [2.5]


def test_a_last_line_without_its_end_is_left_out_and_said_so(tmp_path):
    path = written(tmp_path / "run.log", SAMPLES["nanotron"].rstrip("\n")[:-9])
    log = rv.read_log(path)
    assert (
        log.steps.tolist() == [1] and "The last line is cut off, and left out." in log.meta["notes"]
    )
    whole = written(tmp_path / "b.log", TRAINER + "{'loss': '2.0', 'epoch': '2'}")
    assert rv.read_log(whole).scalars["loss"].tolist() == [2.41, 2.12, 2.0]


def test_other_files_are_not_taken_for_printed_logs(tmp_path):
    for name, text in {
        "a.jsonl": '{"step": 1, "loss": 3.0}\n{"step": 2, "loss": 2.0}\n',
        "b.csv": "step,loss\n1,3.0\n",
    }.items():
        assert recognise(written(tmp_path / name, text)) in {"rows", "csv"}
    prose = "At step: 5 we saw {'a': 1}. iteration: none. Step 3 | done.\n[batch=1/2]\n"
    with pytest.raises(rv.ReweightvizError, match="is no run log that is known"):
        rv.read_log(written(tmp_path / "notes.txt", prose))


def test_labels_colours_and_numbers():
    assert text_of(b"[1,3]<stdout>:\x1b[1;32mx\x1b[0m") == ("3", "x")
    assert text_of(b"2026-01-15T10:00:00.123Z stdout F [rank2]:x") == ("2", "x")
    assert text_of(b" 12: x") == ("12", "x") and text_of(b"[titan] x").rank == ""
    assert [read_number(text) for text in ("2.5M", "1E", "-3", "1,234,567.5")] == [
        2.5e6,
        1e18,
        -3,
        1234567.5,
    ]


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(what, marks=pytest.mark.checkout(what.replace("_", "-")))
        for what in (
            "nanotron",
            "composer",
            "torchtitan",
            "torchtune",
            "litgpt",
            "lingua",
            "levanter",
            "maxtext",
            "olmo_core",
            "olmo",
        )
    ],
)
def test_what_its_own_code_prints(what, load_with, tmp_path, checkouts):
    path = tmp_path / "run.log"
    told = load_with(
        "loggers_printed.py",
        what=what,
        checkout=checkouts / what.replace("_", "-"),
        out=path,
        steps=10,
    )
    log = rv.read_log(path)
    name = {"olmo_core": "olmo"}.get(what, what)
    assert log.meta["format"] == name
    tag = {"olmo": "train/CrossEntropyLoss"}.get(what, READ[name][1])
    # The third digit is the last that Nanotron and Levanter print.
    np.testing.assert_allclose(log.scalars[tag], list(told.values()), rtol=5e-3)
    if what == "litgpt":
        assert log.scalars["step"].tolist() == list(range(1, 11))
    else:
        assert log.steps.tolist() == list(range(1, 11))
    if what in {"olmo", "olmo_core", "levanter", "composer"}:
        assert log.domains == ("web", "code")
        expected = [[told["5"], told["5"] + 1], [told["10"], told["10"] + 1]]
        np.testing.assert_allclose(log["held_out_loss"][[4, 9]], expected, rtol=5e-3)


@pytest.mark.optional("transformers")
@pytest.mark.parametrize("unbuffered", [True, False])
def test_what_the_trainers_own_callback_prints(unbuffered, load_with, tmp_path):
    path = tmp_path / "nohup.out"
    told = load_with(
        "loggers_printed.py", what="transformers", out=path, steps=20, unbuffered=unbuffered
    )
    log = rv.read_log(path)
    assert log.steps.tolist() == [5, 10, 15, 20]
    losses = np.array([told[str(step)] for step in log.steps])
    np.testing.assert_allclose(log.scalars["loss"], losses, rtol=1e-3)
    np.testing.assert_allclose(
        log["held_out_loss"], np.stack([losses, losses + 1], axis=1), rtol=1e-3
    )


LOOPS = {
    "nanoGPT": ("step {0}: train loss {1}, val loss 4.25", "train loss"),
    "nanoGPT's iterations": ("iter {0}: loss {1}, time 12345.67ms, mfu -100.00%", "loss"),
    "nanochat": (
        "step {0:05}/01000 (1.00%) | loss: {1} | grad norm: 0.5 | dt: 400.00ms | tok/sec: 12,345",
        "loss",
    ),
    "modded-nanogpt": ("step:{0}/5100 val_loss:{1} train_time:12345ms step_avg:98.7ms", "val_loss"),
    "llm.c": (
        "step    {0}/19560 | loss {1} (+nanz)| norm 15.3340 (+nanz)| lr 8.57e-07 | 3010.25 ms | 38.5% bf16 MFU",
        "loss",
    ),
    "NeMo Automodel": (
        "2026-08-10 15:55:20 | INFO | root | step {0} | epoch 0 | loss {1} | grad_norm 1.5 | tps 11278.56(1409.82/gpu)",
        "loss",
    ),
    "NeMo": (
        "Training epoch 0, iteration 1/149 | lr: 3e-05 | consumed_samples: 121 | global_step: {0} | reduced_train_loss: {1} | val_loss: 4.1",
        "reduced_train_loss",
    ),
    "Lightning's bar": (
        "Epoch 0:   1%|          | 7/77225 [9:07:58<878:01:48, 41.36s/it, v_num=, global_step={0}.0, loss={1}]",
        "loss",
    ),
    "verl": (
        "(TaskRunner pid=12) step:{0} - global_seqlen/min:1234 - actor/pg_loss:{1} - actor/entropy:0.5",
        "actor/pg_loss",
    ),
    "DeepSpeed": ("steps: {0} loss: {1} iter time (s): 0.123 samples/sec: 12.3", "loss"),
    "MMEngine": (
        "2024/05/01 10:00:00 - mmengine - INFO - Iter(train) [  {0}/1000]  lr: 1.8e-05  eta: 1:00:00  loss: {1}",
        "loss",
    ),
    "a dictionary": ("INFO {{'step': {0}, 'loss': {1}}}", "loss"),
}


@pytest.mark.parametrize("loop", LOOPS)
def test_lines_of_any_make_with_a_step_and_a_loss(loop, tmp_path):
    line, tag = LOOPS[loop]
    text = (
        NOISE + "\n".join(line.format(step, loss) for step, loss in ((10, 3.5), (20, 2.25))) + "\n"
    )
    log = rv.read_log(written(tmp_path / "run.log", text))
    assert (log.meta["format"], log.steps.tolist()) == ("printed", [10, 20])
    assert log.scalars[tag].tolist() == [3.5, 2.25] and "eta" not in log.scalars


def test_losses_by_domain_of_ones_own_loop(tmp_path):
    line = "[rank0]: epoch {0} | iter {1}/50 | loss 2.5 | loss/web: {2} | loss/code: 1.5 | weights/web: 0.75 | weights/code: 0.25\n"
    text = "".join(line.format(n // 2, 25 * (n % 2 + 1), 3 - n / 4) for n in range(4))
    log = rv.read_log(written(tmp_path / "run.log", text))
    assert log.domains == ("web", "code") and log.weights[0].tolist() == [0.75, 0.25]
    assert log.steps.tolist() == [25, 50, 75, 100] and log["loss"][:, 0].tolist() == [
        3,
        2.75,
        2.5,
        2.25,
    ]
    assert "The steps begin anew with each epoch here; they are counted on." in log.meta["notes"]


def test_megatron_s_log_behind_labels_and_colours_is_that_of_one_rank(tmp_path):
    lines = [
        f"[default{rank}]:\x1b[32m [2026-01-15 10:00:0{step}] iteration {step}/ 3 | lm loss: "
        f"{loss + rank}E+00 | params: 1.2.3 |\x1b[0m"
        for step, loss in ((1, 6), (2, 5), (3, 4))
        for rank in (0, 1)
    ]
    (tmp_path / "a.log").write_text("\n".join(["banner", *lines, ""]))
    log = rv.read_log(tmp_path / "a.log")
    assert log.meta["format"] == "megatron"
    assert log.scalars["lm loss"].tolist() == [6.0, 5.0, 4.0]
    assert np.diff(log.times).tolist() == [1.0, 1.0]
    assert any("rank 0" in note for note in log.meta["notes"])


# ---- names of any letters

ODD_NAMES = (
    *("web", "code", "github/c++", "web (2023)", "C#", "日本語", "a.b", "x y", "50%", "[x]"),
    *("the new big crawl", "R&D", "news-en", "it's", "a@b"),
)
ODD_LOSSES = [[0.5 + k for k in range(len(ODD_NAMES))]]


def odd_pairs(form, between):
    losses = zip(ODD_NAMES, ODD_LOSSES[0], strict=True)
    return between.join(form.format(name, loss) for name, loss in losses)


@pytest.mark.parametrize(
    "form", ["loss/{}: {}", "{}_loss: {}", "train/{}/loss={}", "loss[{}]: {}", '"loss/{}": {}']
)
@pytest.mark.parametrize("between", [" | ", ", "])
def test_printed_names_of_any_letters(form, between, tmp_path):
    lines = [f"INFO step {step}{between}{odd_pairs(form, between)}\n" for step in (1, 2)]
    log = rv.read_log(written(tmp_path / "run.log", "".join(lines)))
    assert set(log.domains) == set(ODD_NAMES)
    order = [log.domains.index(name) for name in ODD_NAMES]
    assert log["loss"][:, order].tolist() == ODD_LOSSES * 2


def test_weights_of_printed_names_are_not_divided_by_what_is_left(tmp_path):
    line = "step {} | mix/web: 25.0 | mix/C#: 25.0 | mix/R&D: 50.0 | loss: 2.5\n"
    log = rv.read_log(written(tmp_path / "run.log", line.format(1) + line.format(2)))
    assert log.domains == ("web", "C#", "R&D") and log.weights.tolist() == [[0.25, 0.25, 0.5]] * 2


def test_torchtune_and_levanter_print_names_with_spaces(tmp_path):
    tune = f"Step 1 | {odd_pairs('loss/{}:{}', ' ')} grad_norm:None lr:tensor(0.5, dtype=x) \n"
    log = rv.read_log(written(tmp_path / "log_1.txt", tune))
    assert (log.domains, log["loss"].tolist()) == (ODD_NAMES, ODD_LOSSES)
    assert {tag: values.tolist() for tag, values in log.scalars.items()} == {"lr": [0.5]}
    head = "2026-01-15T10:01:00 - 0 - levanter.eval - eval.py:260 - INFO :: "
    text = SAMPLES["levanter"].partition("\n")[0] + "\n" + odd_pairs(head + "{} loss: {}", "\n")
    log = rv.read_log(written(tmp_path / "levanter.log", text + "\n"))
    assert (log.domains, log["held_out_loss"].tolist()) == (ODD_NAMES, ODD_LOSSES)
