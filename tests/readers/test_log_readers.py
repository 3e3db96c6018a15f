"""Logs as people's own loops leave them: names, units, restarts, gaps, late domains, and files that are no log at all."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizWarning
from reweightviz.readers.logs._naming import Naming
from reweightviz.readers.read_log import recognise

A, B = "web", "code"


def places(*tags, pattern=None):
    naming = Naming(pattern)
    naming.learn(tags)
    return {tag: tuple(place[:2]) for tag in tags if (place := naming.place(tag))}


def csv(path, *rows):
    path.write_text("\n".join(rows) + "\n")
    return path


def jsonl(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


# ---- names


@pytest.mark.parametrize(
    "form",
    [
        "train/loss_{}",
        "train/{}/loss",
        "loss/{}",
        "train/loss/{}",
        "train_loss_{}",
        "loss.{}",
        "loss[{}]",
        "domain_loss/{}",
        "nll/{}",
        "my_project/train/loss_{}",
        "run 7 - train/loss_{}",
        "{}_loss",
        "losses/domain/{}",
        "train_loss_{}_step",
        "loss {}",
    ],
)
@pytest.mark.parametrize(
    "domains", [("web", "code"), ("pile-cc", "stack_v2"), ("dclm_mix", "c4_en")]
)
def test_a_loss_by_domain_is_found_whatever_its_name(form, domains):
    tags = [form.format(domain) for domain in domains]
    assert places(*tags, "train/lr", "loss") == {
        tag: ("loss", domain) for tag, domain in zip(tags, domains, strict=True)
    }


@pytest.mark.parametrize(
    ("form", "signal"),
    [
        ("eval_{}_loss", "held_out_loss"),
        ("val/loss/{}", "held_out_loss"),
        ("eval/{}_loss", "held_out_loss"),
        ("metrics/eval/{}/LanguageCrossEntropy", "held_out_loss"),
        ("eval/{}/CrossEntropyLoss", "held_out_loss"),
        ("ref_loss/{}", "reference_loss"),
        ("excess_loss/{}", "excess_loss"),
        ("domain_weights/{}", "weights"),
        ("sampling_ratio/{}", "weights"),
        ("mix/{}", "weights"),
        ("proportions/{}", "weights"),
        ("grad_norm/{}", "gradient_norm"),
        ("drawn_tokens/{}", "drawn_tokens"),
        ("perplexity/{}", "loss"),
    ],
)
def test_other_signals_by_domain(form, signal):
    beside = ["mix/web", "mix/code"] if signal != "weights" else []
    found = places(form.format(A), form.format(B), "loss", *beside)
    assert [found[form.format(name)] for name in (A, B)] == [(signal, A), (signal, B)]


@pytest.mark.parametrize(
    "tags",
    [
        ["loss", "lr", "grad_norm", "epoch"],
        ["train/loss", "eval/loss"],
        ["loss/total", "loss/aux", "loss/z", "loss/lm"],
        ["loss_scale", "weight_decay"],
        ["eval_loss", "eval_runtime", "eval_samples_per_second"],
        ["train/contrastive_loss", "train/loss"],
        ["tokens_per_second", "tokens/total"],
        ["train/policy_loss", "train/value_loss", "train/kl_loss"],
        ["grad_norm/layer1", "grad_norm/layer2"],
    ],
)
def test_other_losses_and_settings_are_no_domains(tags):
    assert places(*tags) == {}


def test_a_given_pattern_rules_out_guessing():
    tags = ["a/web/x", "a/code/x", "loss/web", "loss/code"]
    assert places(*tags, pattern="a/{domain}/x") == {
        "a/web/x": ("loss", A),
        "a/code/x": ("loss", B),
    }
    assert places(*tags, pattern={"held_out_loss": "loss/{domain}"})["loss/web"] == (
        "held_out_loss",
        A,
    )
    assert places("eval/web/x", pattern="eval/{domain}/x") == {"eval/web/x": ("loss", A)}
    for wrong, said in (
        ("loss/web", "names the place of the domain once"),
        ({"los": "{domain}"}, "did you mean 'loss'"),
    ):
        with pytest.raises(rv.ReweightvizError, match=said):
            Naming(wrong)


def test_what_was_guessed_can_be_given(tmp_path):
    path = csv(tmp_path / "a.csv", "step,loss/web,loss/code,mix/web,mix/code", "1,3,2,0.5,0.5")
    guessed = rv.read_log(path)
    assert guessed.meta["pattern"] == {"loss": ["loss/{domain}"], "weights": ["mix/{domain}"]}
    given = rv.read_log(path, pattern=guessed.meta["pattern"])
    assert given["loss"].tolist() == guessed["loss"].tolist() == [[3.0, 2.0]]
    assert (
        "loss is read from 'loss/{domain}', as the names of the tags suggest; pattern= reads them otherwise."
        in guessed.meta["notes"]
    )
    assert rv.read_log(
        csv(tmp_path / "b.csv", "n,loss/web,loss/code", "7,3,2"), pattern={"step": "n"}
    ).steps.tolist() == [7]
    with pytest.raises(
        rv.ReweightvizError,
        match=r"no tag of .*a.csv is like 'x/\{domain\}'; there is 'loss/web', 'loss/code'",
    ):
        rv.read_log(path, pattern="x/{domain}")


# ---- units


def test_units(tmp_path):
    percent = rv.read_log(
        csv(
            tmp_path / "p.csv",
            "step,ppl/web,ppl/code,weights/web,weights/code",
            "1,20.0,8.0,70,30",
            "2,10.0,nan,60,40",
        )
    )
    np.testing.assert_allclose(percent["loss"], np.log([[20, 8], [10, np.nan]]))
    assert percent.weights.tolist() == [[0.7, 0.3], [0.6, 0.4]]
    assert {
        "Perplexities are shown as losses, by their logarithm.",
        "Weights sum to 100: read as percent.",
    } <= set(percent.meta["notes"])
    relative = rv.read_log(
        csv(tmp_path / "r.csv", "step,weights/web,weights/code", "1,3,1", "2,1,1")
    )
    assert relative.weights.tolist() == [[0.75, 0.25], [0.5, 0.5]]
    assert any("Weights sum to 3, not to 1" in note for note in relative.meta["notes"])
    totals = rv.read_log(
        csv(
            tmp_path / "t.csv",
            "step,loss/web,loss/code,tokens_seen/web,tokens_seen/code,tokens",
            "1,3,2,100,50,150",
            "2,3,2,250,50,300",
        )
    )
    assert totals["drawn_tokens"].tolist() == [[100, 50], [150, 0]] and totals.tokens.tolist() == [
        150,
        300,
    ]
    mixed = rv.read_log(
        csv(tmp_path / "m.csv", "step,loss/web,loss/code,ppl/math,ppl/wiki", "1,3,2,8,8")
    )
    np.testing.assert_allclose(mixed["loss"], [[3, 2, np.log(8), np.log(8)]])


# ---- tables and lines


def test_long_tables_w_and_b_exports_and_times(tmp_path):
    long = rv.read_log(
        csv(
            tmp_path / "long.csv",
            "step,domain,loss,weight",
            "1,web,3.0,0.6",
            "1,code,2.0,0.4",
            "2,web,2.5,0.6",
            "2,code,,0.4",
        )
    )
    np.testing.assert_array_equal(long["loss"], [[3.0, 2.0], [2.5, np.nan]])
    assert long.weights.tolist() == [[0.6, 0.4]] * 2 and long.domains == (A, B)
    chart = csv(
        tmp_path / "chart.csv",
        '"Step","a - loss/web","a - loss/web__MIN","a - loss/code","b - loss/web","b - loss/code"',
        '"1","3.0","2.9","2.0","4.0","NaN"',
    )
    with pytest.raises(rv.ReweightvizError, match="holds 2 runs: there is 'a', 'b'"):
        rv.read_log(chart)
    assert (
        rv.read_log(chart, name="a")["loss"].tolist() == [[3.0, 2.0]]
        and not rv.read_log(chart, name="a").scalars
    )
    assert (
        "loss: 1 value is NaN or infinite; drawn as a gap."
        in rv.read_log(chart, name="b").meta["notes"]
    )
    history = pd.DataFrame(
        {
            "_step": [0, 1],
            "_timestamp": [1.7e9, 1.7e9 + 1],
            "_runtime": [1.0, 2.0],
            "loss/web": [3.0, 2.0],
            "loss/code": [1.0, None],
        }
    )
    history.to_parquet(tmp_path / "history.parquet")
    history.to_csv(tmp_path / "history.csv", index=False)
    history.to_json(tmp_path / "history.jsonl", orient="records", lines=True)
    read = [rv.read_log(tmp_path / f"history.{kind}") for kind in ("parquet", "csv", "jsonl")]
    assert [log.meta["format"] for log in read] == ["wandb", "csv", "wandb"]
    for log in read:
        np.testing.assert_array_equal(log["loss"], [[3.0, 1.0], [2.0, np.nan]])
        assert log.times.tolist() == [1.7e9, 1.7e9 + 1] and not log.scalars


def test_lines_of_ones_own_nested_or_flat(tmp_path):
    log = rv.read_log(
        jsonl(
            tmp_path / "own.jsonl",
            {"step": 1, "loss": {"web": 3.0, "code": 2.0}, "lr": 0.1, "note": "x", "ok": True},
            {"step": 2, "loss": {"web": float("nan"), "code": 1.0, "math": 4.0}},
        )
    )
    assert (
        log.meta["format"] == "rows"
        and log.domains == ("web", "code", "math")
        and list(log.scalars) == ["lr"]
    )
    np.testing.assert_array_equal(log["loss"], [[3.0, 2.0, np.nan], [np.nan, 1.0, 4.0]])
    assert "loss: 1 value is NaN or infinite; drawn as a gap." in log.meta["notes"]


def test_steps_that_go_back_or_repeat(tmp_path):
    rows = [
        {"step": step, "loss/web": value, "loss/code": 1.0}
        for step, value in ((1, 9.0), (2, 8.0), (3, 7.0), (2, 6.0), (2, 5.0), (4, 4.0))
    ]
    log = rv.read_log(jsonl(tmp_path / "back.jsonl", *rows))
    assert log.steps.tolist() == [1, 2, 4] and log["loss"][:, 0].tolist() == [9.0, 5.0, 4.0]
    assert any("went back from 3 to 2" in note for note in log.meta["notes"]) and any(
        "logged again" in note for note in log.meta["notes"]
    )


def test_a_row_that_is_no_row_is_left_out_and_said(tmp_path):
    path = jsonl(tmp_path / "own.jsonl", {"step": 1, "loss": {"web": 3.0, "code": 2.0}})
    path.write_text(
        path.read_text()
        + 'Traceback (most recent call last)\n{"step": 2, "loss": {"web": 2.0, "code": 1.0}}\n{"step": 3, "lo'
    )
    log = rv.read_log(path)
    assert log.steps.tolist() == [1, 2] and any(
        "Line 2 and perhaps others are no rows" in note for note in log.meta["notes"]
    )


ROW = "step,loss/web,loss/code", "1,3,2", "2,2.5,1.5"
LINE = (
    '{"step": 1, "loss": {"web": 3, "code": 2}}',
    '{"step": 2, "loss": {"web": 2.5, "code": 1.5}}',
)
STATE = (
    '{"current_steps": 1, "total_steps": 2, "loss/web": 3, "loss/code": 2}',
    '{"current_steps": 2, "total_steps": 2, "loss/web": 2.5, "loss/code": 1.5}',
)
PRINTED = (
    " iteration 1/ 2 | web loss: 3.0E+00 | code loss: 2.0E+00 |",
    " iteration 2/ 2 | web loss: 2.5E+00 | code loss: 1.5E+00 |",
)


@pytest.mark.parametrize(
    ("name", "rows", "half"),
    [
        ("a.csv", ROW, 5),
        ("a.jsonl", LINE, 3),
        ("trainer_log.jsonl", STATE, 1),
        ("a.out", PRINTED, 4),
    ],
)
def test_a_last_line_without_its_end_is_read_and_half_of_one_is_not(name, rows, half, tmp_path):
    path = tmp_path / name
    path.write_text("\n".join(rows))
    log = rv.read_log(path)
    assert log.steps.tolist() == [1, 2] and log["loss"].tolist() == [[3, 2], [2.5, 1.5]]
    assert "The last line lacks its end; it is read as it stands." in log.meta["notes"]
    tail = rv.read_log(path, follow=True)
    assert len(tail.log) == 1
    with path.open("a") as file:
        file.write("\n")
    assert tail.poll() and len(tail.log) == 2
    path.write_text("\n".join(rows)[:-half])
    log = rv.read_log(path)
    assert (
        log.steps.tolist() == [1] and "The last line is cut off, and left out." in log.meta["notes"]
    )


def test_following_a_table_reads_only_what_is_new(tmp_path):
    path = tmp_path / "metrics.csv"
    tail = rv.read_log(path, follow=True)
    assert len(tail.log) == 0 and not tail.poll()
    path.write_text("step,loss/web,loss/code\n1,3,2\n2,2.5,")
    assert tail.poll() and tail.log.steps.tolist() == [1]
    with path.open("a") as file:
        file.write("1.5\n3,2,1\n")
    assert (
        tail.poll()
        and tail.log["loss"].tolist() == [[3, 2], [2.5, 1.5], [2, 1]]
        and not tail.poll()
    )
    path.unlink()
    assert not tail.poll() and not tail.live and len(tail.log) == 3


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.jsonl", '{"step": 1, "loss": {"web": 3.0, "code": 2.0}}\n', "rows"),
        ("a.jsonl", '{"_step": 1, "loss/web": 3.0, "loss/code": 2.0}\n', "wandb"),
        ("a.jsonl", '{"domains": ["web", "code"]}\n{"step": 1, "loss": [3.0, 2.0]}\n', "jsonl"),
        ("a.json", '[{"step": 1, "loss/web": 3.0, "loss/code": 2.0}]', "list"),
        ("a.csv", "step,loss/web,loss/code\n1,3,2\n", "csv"),
        ("a.log", "banner\n iteration 1/ 2 | web loss: 3.0 | code loss: 2.0 |\n", "megatron"),
    ],
)
def test_the_first_lines_tell_the_format_of_a_run_that_is_awaited(
    name, text, kind, is_there, tmp_path
):
    path = tmp_path / name
    if is_there:
        path.touch()
    tail = rv.read_log(path, follow=True)
    for end in range(1, len(text) + 1):
        path.write_text(text[:end])
        tail.poll()
    assert tail.log["loss"].tolist() == [[3.0, 2.0]] and tail.log.meta["format"] == kind


@pytest.mark.parametrize(("last", "ended"), [(2, True), (3, False)])
def test_a_run_that_reached_its_last_step_has_ended(last, ended, tmp_path):
    history = [{"step": step, "loss_web": 3.0, "loss_code": 2.0} for step in (1, 2)]
    state = {"global_step": 2, "max_steps": last, "log_history": history}
    (tmp_path / "trainer_state.json").write_text(json.dumps(state))
    rows = [{"current_steps": step, "total_steps": last, "loss": 2.0} for step in (1, 2)]
    jsonl(tmp_path / "trainer_log.jsonl", *rows)
    for name in ("trainer_state.json", "trainer_log.jsonl"):
        assert rv.read_log(tmp_path / name, follow=True).ended is ended


def test_half_a_trainer_state_is_refused(tmp_path):
    (tmp_path / "trainer_state.json").write_text('{"log_history": [{"step": 1')
    with pytest.raises(rv.ReweightvizError, match="cannot read .* as Hugging Face trainer_state"):
        rv.read_log(tmp_path / "trainer_state.json")
    assert len(rv.read_log(tmp_path / "trainer_state.json", follow=True).log) == 0


def test_a_trainer_state_that_is_written_again(tmp_path):
    def state(steps, folder):
        history = [{"step": step, "loss_web": float(step), "loss_code": 1.0} for step in steps]
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "trainer_state.json").write_text(
            json.dumps({"global_step": steps[-1], "log_history": history})
        )

    state([1, 2], "checkpoint-2")
    tail = rv.read_log(tmp_path, follow=True)
    assert tail.log.steps.tolist() == [1, 2]
    state([1, 2, 3, 4], "checkpoint-4")
    assert tail.poll() and tail.log["loss"][:, 0].tolist() == [1, 2, 3, 4] and not tail.poll()
    assert rv.read_log(tmp_path).steps.tolist() == [1, 2, 3, 4]


# ---- what is no log


def test_no_series_by_domain(tmp_path):
    path = csv(tmp_path / "plain.csv", "step,loss,lr", "1,3.0,0.1")
    with pytest.warns(
        ReweightvizWarning, match=r"plain.csv has no series by domain; it has 'loss', 'lr'"
    ):
        log = rv.read_log(path)
    assert (
        log.domains == () and log.scalars["loss"].tolist() == [3.0] and log.weights.shape == (1, 0)
    )


def test_columns_with_nothing_but_the_names_of_domains(tmp_path):
    path = csv(tmp_path / "bare.csv", "step,web,code", "1,0.6,0.4")
    with pytest.warns(
        ReweightvizWarning,
        match=r"bare.csv has no series by domain; .* pattern='\{domain\}' takes each for a domain's loss",
    ):
        rv.read_log(path)
    assert rv.read_log(path, pattern="{domain}")["loss"].tolist() == [[0.6, 0.4]]
    assert rv.read_log(path, pattern={"weights": "{domain}"}).weights.tolist() == [[0.6, 0.4]]


@pytest.mark.parametrize("follow", [False, True])
def test_a_table_in_memory_is_no_path(follow):
    for table in (pd.DataFrame({"step": [1]}), {"step": [1]}):
        with pytest.raises(
            rv.ReweightvizError,
            match=rf"the path of a file or folder; got {type(table).__name__}: DataFrame.to_csv",
        ):
            rv.read_log(table, follow=follow)


def test_the_notes_of_a_log_show(tmp_path):
    log = rv.read_log(csv(tmp_path / "a.csv", "step,loss/web,loss/code", "1,3,2"))
    assert repr(log).startswith(
        "RunLog('a', 1 steps, 2 domains, signals: loss, 1 note: \"loss is read from 'loss/{domain}', as the names"
    )
    assert len(repr(log)) < 150 and "note" not in repr(rv.RunLog(("web",), [1], [[1.0]]))


def test_files_that_are_no_log(tmp_path):
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "notes.md").write_text("# notes\n")
    (tmp_path / "picture.bin").write_bytes(bytes(range(256)))
    (tmp_path / "nothing").mkdir()
    for name, said in (
        ("empty.jsonl", "is empty: no run log yet"),
        ("absent.jsonl", "there is no run log"),
        ("nothing", "it holds nothing; known are"),
        (
            "notes.md",
            r"begins with '# notes\\n'; known are 'reweightviz JSON lines', 'TensorBoard event files'",
        ),
        ("picture.bin", "is no run log that is known"),
    ):
        with pytest.raises(rv.ReweightvizError, match=said):
            rv.read_log(tmp_path / name)
    with pytest.raises(
        rv.ReweightvizError, match="no format of run logs 'tensorbord'; did you mean 'tensorboard'"
    ):
        rv.read_log(tmp_path / "notes.md", format="tensorbord")
    with pytest.raises(rv.ReweightvizError, match="notes.md holds no CSV"):
        rv.read_log(tmp_path / "notes.md", format="csv")
    assert len(rv.read_log(tmp_path / "empty.jsonl", follow=True).log) == 0


def test_our_own_logs_and_a_run_of_no_steps(tmp_path, root):
    rv.RunLog((A, B), [], np.empty((0, 2))).save(tmp_path / "none.jsonl")
    assert len(rv.read_log(tmp_path / "none.jsonl")) == 0 and rv.read_log(
        tmp_path / "none.jsonl"
    ).domains == (A, B)
    one = rv.RunLog((A, B), [7], [[0.5, 0.5]], {"loss": [[3.0, 2.0]]}, name="one")
    one.save(tmp_path / "one.jsonl")
    log = rv.read_log(tmp_path / "one.jsonl")
    assert (
        log.name == "one" and log["loss"].tolist() == [[3.0, 2.0]] and log.meta["format"] == "jsonl"
    )
    with pytest.raises(rv.ReweightvizError, match="holds 2 runs: there is 'none', 'one'"):
        rv.read_log(tmp_path)
    assert len(rv.read_log(tmp_path, name="one")) == 1
    for path in sorted((root / "data" / "logs").glob("*.jsonl")):
        assert recognise(path) == "jsonl" and len(rv.read_log(path)) > 0
