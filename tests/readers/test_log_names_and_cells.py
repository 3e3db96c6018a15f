"""Names of any letters, rows by domain, and cells that are no plain numbers: the same in every format."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reweightviz as rv
from reweightviz.readers.logs._naming import Naming
from reweightviz.readers.logs._tags import KNOWN, words_of

FORMS = (
    "train/loss_{}",
    "train/{}/loss",
    "loss/{}",
    "train_loss_{}",
    "loss.{}",
    "loss[{}]",
    "loss ({})",
    "{}_loss",
    "eval_{}_loss",
    "eval/{}_loss",
    "val/loss/{}",
    "my_project/train/loss_{}",
    "train_loss_{}_step",
    "loss: {}",
    "domain_weights/{}",
    "lm loss validation-{}",
    "{}/loss",
)
NAMES = [
    "web",
    "code",
    "github/c++",
    "web (2023)",
    "C#",
    "日本語",
    "a.b",
    "[x]",
    "-y",
    "two words",
    "!!",
]
FORMATS = ("csv", "jsonl", "json", "state", "parquet")


def write(rows, kind, folder):
    """Write rows in a format, as its own writers do."""
    path = folder / {"state": "trainer_state.json"}.get(kind, f"log.{kind}")
    table = pd.DataFrame(rows, dtype=object)
    if kind == "csv":
        table.to_csv(path, index=False)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "json":
        path.write_text(json.dumps(rows))
    elif kind == "state":
        path.write_text(json.dumps({"log_history": rows}))
    else:
        table.infer_objects().to_parquet(path)
    return path


def all_notes(log):
    return " ".join(log.meta.get("notes", ()))


# ---- names


@pytest.mark.parametrize("form", FORMS)
def test_a_domain_is_all_that_stands_in_its_place(form):
    naming = Naming()
    naming.learn([form.format(name) for name in NAMES])
    assert [naming.place(form.format(name)).domain for name in NAMES] == NAMES
    assert list(naming.patterns.values()) == [[form.replace("{}", "{domain}")]]


@given(st.sets(st.text(min_size=1, max_size=12)), st.sampled_from(FORMS))
def test_every_name_is_read_exactly_or_listed_as_left_out(names, form):
    # Names of the words that tags are made of are ambiguous; the note on the patterns shows them.
    names = [name for name in names if KNOWN.isdisjoint(words_of(name))]
    naming = Naming()
    tags = {form.format(name): name for name in ["web", *names, "code"]}
    naming.learn(tags)
    notes = " ".join(naming.notes())
    for tag, name in tags.items():
        place = naming.place(tag)
        if place is None:
            assert "taken for no domain" in notes
        else:
            assert place.domain == name


@pytest.mark.parametrize("kind", FORMATS)
def test_names_come_through_every_format(kind, tmp_path):
    rows = [
        {"step": step, "lr": 0.1}
        | {f"loss/{name}": float(step + k) for k, name in enumerate(NAMES)}
        | {f"mix/{name}": 1 / len(NAMES) for name in NAMES}
        for step in (1, 2)
    ]
    log = rv.read_log(write(rows, kind, tmp_path))
    assert log.domains == tuple(NAMES) and list(log.scalars) == ["lr"]
    assert log["loss"].tolist() == [[step + k for k in range(len(NAMES))] for step in (1, 2)]
    np.testing.assert_allclose(log.weights, 1 / len(NAMES))


def test_what_is_like_a_pattern_and_no_domain_is_listed(tmp_path):
    rows = [{"step": 1, "loss/web": 1.0, "loss/code": 2.0, "loss/total": 3.0, "loss/z": 0.1}]
    log = rv.read_log(write(rows, "jsonl", tmp_path))
    assert log.domains == ("web", "code") and set(log.scalars) == {"loss/total", "loss/z"}
    assert "'loss/total', 'loss/z' are like 'loss/{domain}' and taken for no domain" in all_notes(
        log
    )
    asked = rv.read_log(tmp_path / "log.jsonl", pattern={"loss": "loss/{domain}"})
    assert asked.domains == ("web", "code", "total", "z")


def test_a_name_that_begins_with_a_known_word_belongs_to_the_wider_pattern():
    naming = Naming()
    naming.learn(["loss_web", "loss_code", "loss_train_a", "loss_train_b", "loss_mix"])
    assert [place and place.domain for place in map(naming.place, naming.tags)] == [
        *("web", "code", "train_a", "train_b"),
        None,
    ]
    naming = Naming()
    naming.learn(["loss/web", "loss/code", "loss/train/web", "loss/train/code"])
    assert naming.domains == ("web", "code") and naming.place("loss/train/web") is None


def test_weights_whose_sum_is_below_one_stay_as_they_are(tmp_path):
    rows = [{"step": 1, "mix/web": 0.5, "mix/code": 0.2, "mix/test": 0.3}]
    log = rv.read_log(write(rows, "jsonl", tmp_path))
    assert log.weights.tolist() == [[0.5, 0.2]]
    assert "'mix/test' is like 'mix/{domain}'" in all_notes(log)
    assert "Weights sum to 0.7, less than 1" in all_notes(log)


# ---- rows by domain


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("column", ["domain", "Dataset", "data_source"])
def test_rows_by_domain_are_read_in_every_format(kind, column, tmp_path):
    rows = [
        {"step": step, column: name, "loss": loss}
        for step, losses in ((1, (3.0, 2.0)), (2, (2.9, 1.9)))
        for name, loss in zip(("web", "github/c++"), losses, strict=True)
    ]
    log = rv.read_log(write(rows, kind, tmp_path))
    assert log.domains == ("web", "github/c++") and not log.scalars
    assert log["loss"].tolist() == [[3.0, 2.0], [2.9, 1.9]]
    assert f"Each row is of the domain in its {column!r}." in all_notes(log)


def test_rows_by_domain_beside_rows_of_the_whole_run(tmp_path):
    rows = [
        {"step": 1, "domain": "web", "loss": 3.0},
        {"step": 1, "domain": "code", "loss": 2.0},
        {"step": 1, "lr": 0.1},
    ]
    log = rv.read_log(write(rows, "jsonl", tmp_path))
    assert log["loss"].tolist() == [[3.0, 2.0]] and log.scalars["lr"].tolist() == [0.1]


def test_rows_by_domain_that_are_followed_one_by_one(tmp_path):
    path = tmp_path / "log.jsonl"
    path.touch()
    tail = rv.read_log(path, follow=True, format="rows")
    for step in (1, 2):
        for name, loss in (("web", 3.0), ("code", 2.0)):
            with path.open("a") as file:
                file.write(json.dumps({"step": step, "domain": name, "loss": loss}) + "\n")
            assert tail.poll()
    assert tail.log["loss"].tolist() == [[3.0, 2.0]] * 2


# ---- several runs in a chart


def chart(path, *columns):
    path.write_text(
        ",".join(f'"{name}"' for name in ("Step", *columns))
        + "\n"
        + ",".join(["1", *map(str, range(len(columns)))])
        + "\n"
    )
    return path


def test_the_names_of_a_chart_end_at_their_last_separator(tmp_path):
    columns = [
        f"1B - mix {run} - eval/{name}/loss{bound}"
        for run in "ab"
        for name in ("web", "code")
        for bound in ("", "__MIN", "__MAX")
    ]
    path = chart(tmp_path / "chart.csv", *columns)
    log = rv.read_log(path, name="1B - mix b")
    assert log.name == "1B - mix b" and log["held_out_loss"].tolist() == [[6.0, 9.0]]
    for name in (None, "no such run", "1B"):
        with pytest.raises(
            rv.ReweightvizError, match="there is '1B - mix a', '1B - mix b'; name= "
        ):
            rv.read_log(path, name=name)


def test_the_pattern_that_is_advised_works(tmp_path):
    path = chart(tmp_path / "chart.csv", "a - eval/web/loss", "b - eval/web/loss")
    advice = (
        r"pattern=\{'held_out_loss': 'eval/\{domain\}/loss'\} takes 'eval/web/loss' for that of"
    )
    with pytest.warns(rv.core.errors.ReweightvizWarning, match=advice):
        rv.read_log(path, name="a")
    log = rv.read_log(path, name="a", pattern={"held_out_loss": "eval/{domain}/loss"})
    assert log.domains == ("web",) and log["held_out_loss"].tolist() == [[0.0]]


def test_a_run_that_is_not_there_is_no_label(tmp_path):
    path = chart(tmp_path / "chart.csv", "only - loss/web", "only - loss/code")
    assert rv.read_log(path).name == "only"
    with pytest.raises(rv.ReweightvizError, match="holds none of 'other': there is 'only'"):
        rv.read_log(path, name="other")


# ---- cells


CELLS = {
    "plain": 2.5,
    "text": "2.5",
    "padded": " 2.5 ",
    "point": "1,234.5",
    "comma": "2,5",
    "no": "n/a",
}
READ = {"plain": 2.5, "text": 2.5, "padded": 2.5, "point": 1234.5, "comma": 2.5, "no": np.nan}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "state"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_is_the_same_number_in_every_format(kind, cell, tmp_path):
    rows = [
        {"step": 1, "loss/web": CELLS[cell], "loss/code": 1.0},
        {"step": 2, "loss/web": 2.0, "loss/code": 1.0},
    ]
    log = rv.read_log(write(rows, kind, tmp_path))
    np.testing.assert_array_equal(log["loss"][:, 0], [READ[cell], 2.0])
    assert ("loss/web: 1 cell is no plain number and left out: 'n/a'." in all_notes(log)) == (
        cell == "no"
    )


@pytest.mark.parametrize(
    ("cells", "numbers", "unread"),
    [
        (["1,234", "2,345"], [np.nan, np.nan], 2),
        (["1,234", "999.5"], [1234, 999.5], 0),
        (["1,234", "1,234,567"], [1234, 1234567], 0),
        (["1,234", "2,5"], [1.234, 2.5], 0),
        (["0,123", "1.234,5"], [0.123, 1234.5], 0),
        (["1,234.5", "2,5", "1,234"], [1234.5, 2.5, np.nan], 1),
    ],
)
def test_a_comma_is_read_where_its_column_tells_what_it_is(cells, numbers, unread, tmp_path):
    text = io.StringIO()
    table = csv.writer(text)
    table.writerows([["step", "a", "b"], *([k + 1, cell, 1] for k, cell in enumerate(cells))])
    (tmp_path / "log.csv").write_text(text.getvalue())
    with pytest.warns(rv.core.errors.ReweightvizWarning, match="no series by domain"):
        log = rv.read_log(tmp_path / "log.csv")
    np.testing.assert_array_equal(log.scalars.get("a", np.full(len(cells), np.nan)), numbers)
    assert ("a: " in all_notes(log)) == (unread > 0 and "a" in log.scalars)


STEPS = {"1,000": 1000, 1000.0: 1000, "1000": 1000, 2.7: None, "inf": None, 1e30: None, True: None}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "state"])
@pytest.mark.parametrize("step", STEPS)
def test_a_row_without_a_whole_step_is_left_out_and_counted(kind, step, tmp_path):
    rows = [
        {"step": 1, "loss/web": 3.0, "loss/code": 2.0},
        {"step": step, "loss/web": 2.0, "loss/code": 1.0},
        {"step": 2000, "loss/web": 1.0, "loss/code": 0.5},
    ]
    log = rv.read_log(write(rows, kind, tmp_path))
    whole = STEPS[step]
    assert log.steps.tolist() == [1, *([whole] if whole else []), 2000]
    assert ("1 row is left out, as its step is no whole number" in all_notes(log)) == (
        whole is None
    )


def test_a_number_beyond_floats_is_a_gap(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "loss": {"web": 1' + "0" * 400 + ', "code": 2}}\n')
    log = rv.read_log(path)
    np.testing.assert_array_equal(log["loss"], [[np.nan, 2.0]])
    assert "loss: 1 value is NaN or infinite; drawn as a gap." in all_notes(log)
