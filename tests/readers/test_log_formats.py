"""Every format of run logs, in files that the real loggers wrote while the test ran."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.errors import MissingPackage, ReweightvizWarning

DOMAINS = ["web", "code", "pile-cc"]
STEPS = 40
SAME_KIND = {
    "tensorboard": 1e-6,
    "tensorboard_scalars": 1e-6,
    "tensorboard_tensors": 1e-6,
    "lightning_tensorboard": 1e-6,
}
"""Event files hold 32-bit floats."""


@pytest.fixture
def packages(monkeypatch):
    """Lets tensorboard and wandb be imported from the environment of the loggers, behind what is installed here."""
    found = next(
        (Path(__file__).parents[2] / ".venvs" / "loggers" / "lib").glob("python*/site-packages")
    )
    monkeypatch.setattr(sys, "path", [*sys.path, str(found)])


def series(log, signal):
    values = log.weights if signal == "weights" else log[signal]
    return values[:, [log.domains.index(name) for name in DOMAINS]]


def expected(rows, tag):
    return np.array(
        [
            [np.nan if row[f"{tag}{name}"] is None else row[f"{tag}{name}"] for name in DOMAINS]
            for row in rows.values()
        ]
    )


@pytest.mark.framework("loggers")
@pytest.mark.parametrize(
    ("logger", "kind"),
    [
        ("tensorboard", "tensorboard"),
        ("tensorboard_scalars", "tensorboard"),
        ("tensorboard_tensors", "tensorboard"),
        ("lightning_tensorboard", "tensorboard"),
        ("lightning_csv", "csv"),
        ("wandb", "wandb_offline"),
        ("trackio", "trackio"),
        ("mlflow_files", "mlflow"),
        ("mlflow_sqlite", "mlflow"),
    ],
)
def test_what_a_logger_was_given_is_read(logger, kind, load_with, tmp_path, packages):
    rows = load_with("loggers_write.py", logger=logger, out=tmp_path / "logs", steps=STEPS)["rows"]
    log = rv.read_log(tmp_path / "logs", name="first")
    assert log.meta["format"] == kind and log.name == "first"
    assert log.steps.tolist() == list(range(STEPS))
    np.testing.assert_allclose(
        series(log, "loss"), expected(rows, "train/loss_"), rtol=SAME_KIND.get(logger, 1e-12)
    )
    assert "loss: 1 value is NaN or infinite; drawn as a gap." in log.meta["notes"]
    assert "train/lr" in log.scalars
    if logger != "tensorboard_scalars":
        np.testing.assert_allclose(
            series(log, "weights"), expected(rows, "weights/"), rtol=SAME_KIND.get(logger, 1e-12)
        )
        assert log.meta["pattern"]["weights"] == ["weights/{domain}"]
    if logger.startswith("lightning"):
        held_out = series(log, "held_out_loss")
        assert held_out[::10].tolist() == [[3.0 + step] * 3 for step in range(0, STEPS, 10)]
        assert np.isnan(held_out[1:10]).all()
    if logger != "lightning_csv":
        assert (np.diff(log.times) >= 0).all() and log.times[0] > 1.7e9


@pytest.mark.framework("loggers")
@pytest.mark.parametrize(
    "logger", ["trackio", "mlflow_files", "mlflow_sqlite", "wandb", "tensorboard"]
)
def test_a_log_that_disappears_while_it_is_followed(logger, load_with, tmp_path, packages):
    load_with("loggers_write.py", logger=logger, out=tmp_path / "logs", steps=5)
    tail = rv.read_log(tmp_path / "logs", name="first", follow=True)
    (tmp_path / "logs").rename(tmp_path / "gone")
    assert not tail.poll() and not tail.live and len(tail.log) == 5
    (tmp_path / "gone").rename(tmp_path / "logs")
    assert not tail.poll() and len(tail.log) == 5


@pytest.mark.framework("loggers")
@pytest.mark.parametrize("logger", ["trackio", "mlflow_files", "mlflow_sqlite"])
def test_a_store_with_several_runs_names_them(logger, load_with, tmp_path):
    load_with("loggers_write.py", logger=logger, out=tmp_path / "logs", steps=5)
    with pytest.raises(
        rv.ReweightvizError, match=r"holds 2 runs: there is 'first', 'second'; name= picks one"
    ):
        rv.read_log(tmp_path / "logs")
    assert len(rv.read_log(tmp_path / "logs", name="second")) == 3
    # MLflow keeps that a run finished, Trackio does not.
    tail = rv.read_log(tmp_path / "logs", name="second", follow=True)
    assert tail.ended == logger.startswith("mlflow")


@pytest.mark.framework("loggers")
def test_the_readers_of_one_training_agree(load_with, tmp_path, packages):
    places = load_with(
        "loggers_transformers.py",
        out=tmp_path / "run",
        steps=20,
        package=Path(rv.__file__).parents[1],
    )
    ours, events, state = (
        rv.read_log(places["lines"]),
        rv.read_log(places["events"]),
        rv.read_log(places["output"], format="trainer_state"),
    )
    assert ours.domains == events.domains == state.domains == ("code", "prose")
    assert ours.steps.tolist() == list(range(2, 21, 2))
    for other in (events, state):
        rows = np.isin(other.steps, ours.steps)
        np.testing.assert_allclose(other["loss"][rows], ours["loss"], rtol=2e-7)
        np.testing.assert_allclose(
            other.scalars["train/learning_rate" if other is events else "learning_rate"][rows],
            ours.scalars["learning_rate"],
            rtol=1e-6,
        )
    assert np.isfinite(ours["loss"]).any(axis=0).all()
    np.testing.assert_allclose(events["held_out_loss"], state["held_out_loss"], rtol=2e-7)
    assert np.isfinite(state["held_out_loss"][state.steps == 20]).all()
    assert "the folder also holds" in rv.read_log(places["output"]).meta["notes"][0]
    assert rv.read_log(Path(places["output"]) / "checkpoint-10").steps[-1] == 10


@pytest.mark.framework("loggers")
def test_event_files_are_followed_and_a_second_file_goes_on_from_a_checkpoint(
    load_with, tmp_path, packages
):
    out = tmp_path / "run"
    load_with("loggers_write.py", logger="tensorboard", out=out, steps=20)
    event_file = next(out.glob("*tfevents*"))
    whole = event_file.read_bytes()
    event_file.write_bytes(whole[: len(whole) * 2 // 3])
    tail = rv.read_log(out, follow=True)
    before = len(tail.log)
    assert 0 < before < 20 and not tail.poll()
    event_file.write_bytes(whole)
    assert tail.poll() and len(tail.log) == 20
    load_with("loggers_write.py", logger="tensorboard", out=out, first=15, steps=30)
    assert tail.poll() and not tail.poll()
    assert tail.log.steps.tolist() == list(range(30)) == rv.read_log(out).steps.tolist()
    np.testing.assert_array_equal(tail.log["loss"], rv.read_log(out)["loss"])
    assert any("went back from 19 to 15" in note for note in tail.log.meta["notes"])


@pytest.mark.framework("loggers")
def test_names_of_any_letters_come_through_event_files(tmp_path, packages):
    from tensorboard.summary import Writer

    names = ("web", "code", "github/c++", "web (2023)", "C#", "日本語", "a.b", "[x]", "!!")
    writer = Writer(str(tmp_path / "run"))
    for step in range(3):
        for k, name in enumerate(names):
            writer.add_scalar(f"train/loss_{name}", float(k + step), step)
            writer.add_scalar(f"mix/{name}", 1 / len(names), step)
    writer.close()
    log = rv.read_log(tmp_path / "run")
    assert log.domains == names and not log.scalars
    assert log["loss"].tolist() == [[k + step for k in range(len(names))] for step in range(3)]
    np.testing.assert_allclose(log.weights, 1 / len(names), rtol=1e-6)


@pytest.mark.framework("loggers")
def test_a_folder_of_event_folders_is_several_runs(load_with, tmp_path, packages):
    for name in ("small", "large"):
        load_with("loggers_write.py", logger="tensorboard", out=tmp_path / "logs" / name, steps=3)
    with pytest.raises(rv.ReweightvizError, match=r"holds 2 runs: there is 'large', 'small'"):
        rv.read_log(tmp_path / "logs")
    assert rv.read_log(tmp_path / "logs", name="small").name == "small"


@pytest.mark.framework("loggers")
def test_a_torn_wandb_file_opens_up_to_its_last_whole_record(load_with, tmp_path, packages):
    load_with("loggers_write.py", logger="wandb", out=tmp_path / "logs", steps=STEPS)
    whole = next((tmp_path / "logs").rglob("*.wandb"))
    torn = tmp_path / "run-torn.wandb"
    lengths = []
    for cut in (100, len(whole.read_bytes()) // 2, len(whole.read_bytes()) - 1):
        torn.write_bytes(whole.read_bytes()[:cut])
        lengths.append(len(rv.read_log(torn, follow=True).log))
    assert lengths == sorted(lengths) and lengths[0] == 0 and lengths[-1] == STEPS
    tail = rv.read_log(torn, follow=True)
    torn.write_bytes(whole.read_bytes())
    assert tail.poll() and tail.ended and len(tail.log) == STEPS


def test_a_reader_says_which_package_it_needs(tmp_path, monkeypatch):
    (tmp_path / "events.out.tfevents.1").write_bytes(b"")
    (tmp_path / "run-1.wandb").write_bytes(b":W&B\xe1\xbe\x00")
    (tmp_path / ".aim" / "meta" / "chunks" / "fcc720bc").mkdir(parents=True)
    for module in (
        "tensorboard.compat.proto.event_pb2",
        "wandb.proto.wandb_internal_pb2",
        "aim",
    ):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        MissingPackage,
        match=r'a TensorBoard log needs tensorboard: pip install "reweightviz\[tensorboard\]"',
    ):
        rv.read_log(tmp_path / "events.out.tfevents.1")
    with pytest.raises(
        MissingPackage, match=r'a \.wandb file needs wandb: pip install "reweightviz\[wandb\]"'
    ):
        rv.read_log(tmp_path / "run-1.wandb")
    with pytest.raises(
        MissingPackage,
        match=r'an Aim repository needs aim: pip install "reweightviz\[aim\]"',
    ):
        rv.read_log(tmp_path / ".aim")


@pytest.mark.framework("transformers4")
def test_llama_factory_and_its_trainer_state(load_with, tmp_path):
    history = load_with("loggers_mixers.py", what="llamafactory", out=tmp_path / "run", steps=12)[
        "history"
    ]
    log = rv.read_log(tmp_path / "run")
    assert log.meta["format"] == "trainer_state" and log.domains == ("code", "math", "web")
    last = {
        name: value for entry in history for name, value in entry.items() if entry["step"] == 12
    }
    assert log["held_out_loss"][-1].tolist() == [last[f"eval_{name}_loss"] for name in log.domains]
    with pytest.warns(
        ReweightvizWarning,
        match=r"trainer_log.jsonl has no series by domain; it has 'epoch', 'loss'",
    ):
        whole = rv.read_log(tmp_path / "run" / "trainer_log.jsonl")
    assert whole.meta["format"] == "llamafactory" and whole.steps.tolist() == [2, 4, 6, 8, 10, 12]
    assert whole.scalars["loss"].tolist() == [entry["loss"] for entry in history if "loss" in entry]


@pytest.mark.framework("transformers4")
@pytest.mark.parametrize("what", ["dataflex_odm", "dataflex_doremi"])
def test_dataflex(what, load_with, tmp_path):
    told = load_with("loggers_mixers.py", what=what, out=tmp_path / "run", steps=12)
    log = rv.read_log(tmp_path / "run")
    assert log.meta["format"] == "dataflex" and log.domains == ("code", "math", "web")
    assert dict(zip(map(str, log.steps), log.weights.tolist(), strict=True)) == told["weights"]
    if what == "dataflex_doremi":
        assert log["excess_loss"].tolist() == list(told["excess"].values())
        assert "count in the loss" in log.meta["notes"][0]


@pytest.mark.framework("transformers4")
def test_fms_odm(load_with, tmp_path):
    told = load_with("loggers_mixers.py", what="fms_odm", out=tmp_path / "run", steps=12)
    log = rv.read_log(tmp_path / "run", pattern={"domains": ["code", "math", "web"]})
    assert log.meta["format"] == "fms_odm" and log.domains == ("code", "math", "web")
    assert (
        dict(zip(map(str, log.steps[1:]), log.weights[1:].tolist(), strict=True)) == told["weights"]
    )
    assert [log.scalars[f"samples/{name}"][-1] for name in log.domains] == told["counts"]
    assert rv.read_log(tmp_path / "run").domains == ("category 0", "category 1", "category 2")


@pytest.mark.checkout("megatron-lm")
def test_megatron_lm(load_with, tmp_path, checkouts):
    path = tmp_path / "run.log"
    rows = load_with(
        "loggers_megatron.py",
        checkout=checkouts / "megatron-lm",
        out=path,
        steps=20,
        sets=["web", "pile-cc"],
    )
    log = rv.read_log(path)
    assert (
        log.meta["format"] == "megatron"
        and log.domains == ("web", "pile-cc")
        and log.steps.tolist() == list(range(1, 21))
    )
    np.testing.assert_allclose(
        log.scalars["lm loss"], [row["lm loss"] for row in rows.values()], rtol=1e-6
    )
    evaluated = [row for row in rows.values() if "web" in row]
    np.testing.assert_allclose(
        log["held_out_loss"][4::5], [[row["web"], row["pile-cc"]] for row in evaluated], rtol=1e-6
    )
    assert np.isnan(log["held_out_loss"][:4]).all() and np.isnan(log.scalars["grad norm"][2])
    assert json.dumps(log.meta["notes"]).count("grad norm: 1 value is NaN") == 1
