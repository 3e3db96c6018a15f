"""A log that is followed in parts of any size ends as the log that is read whole."""

from __future__ import annotations

import csv
import io
import json
import random

import numpy as np
import pytest

import reweightviz as rv

NAMES = ("web", "code", "github/c++", "web (2023)", "C#", "日本語", "a.b", "x y", "50%", "news-en")
FORMS = ("loss/{}", "train/{}/loss", "eval_{}_loss", "loss_{}", "{}_loss")
FILES = {
    "csv": "m.csv",
    "jsonl": "m.jsonl",
    "long csv": "l.csv",
    "long jsonl": "l.jsonl",
    "printed": "m.log",
    "megatron": "g.log",
    "trainer": "t.log",
    "list": "l.json",
    "state": "trainer_state.json",
}


def wide_row(rng, step, domains, form, total):
    row = {"step": step, "lr": round(rng.random(), 4)}
    if rng.random() < 0.75:
        losses = {form.format(name): round(3 * rng.random(), 3) for name in domains}
        row |= {
            tag: rng.choice([loss] * 9 + [float("nan")])
            for tag, loss in losses.items()
            if rng.random() < 0.9
        }
    if total:
        row |= {f"mix/{name}": total / len(domains) for name in domains}
    if rng.random() < 0.3:
        row["tokens"] = 1000 * step
    return row


def make_rows(rng, *, is_long):
    """Rows with gaps, repeated steps, restarts and perhaps a late domain."""
    names = rng.sample(NAMES, rng.randint(2, 5))
    form = rng.choice(FORMS)
    total = rng.choice([0, 1, 100, 7])
    late = rng.choice([0, 5])
    step = 0
    rows = []
    for at in range(rng.randint(3, 14)):
        step = max(1, step + rng.choice([1, 1, 10, 10, 10, 0, -15 if at > 3 else 1]))
        domains = names[:-1] if at < late else names
        if not is_long:
            rows.append(wide_row(rng, step, domains, form, total))
            continue
        weight = {"weight": total / len(domains)} if total else {}
        rows += [{"step": step, "domain": name, "loss": 2.5} | weight for name in domains]
    return rows


def write(rows, kind):
    if kind.endswith("jsonl"):
        return "".join(json.dumps(row) + "\n" for row in rows)
    if kind == "list":
        return json.dumps(rows)
    if kind == "state":
        return json.dumps({"global_step": 1, "log_history": rows})
    if kind.endswith("csv"):
        file = io.StringIO()
        table = csv.DictWriter(file, list(dict.fromkeys(tag for row in rows for tag in row)))
        table.writeheader()
        table.writerows(rows)
        return file.getvalue()
    lines = []
    for row in rows:
        values = {tag: value for tag, value in row.items() if tag != "step"}
        pairs = " | ".join(f"{tag}: {value}" for tag, value in values.items())
        lines.append(
            {
                "printed": f"step {row['step']} | {pairs} | loss: 2.5",
                "megatron": f" iteration {row['step']:8d}/ 100 | {pairs} |",
                "trainer": str(values | {"loss": 1.0, "epoch": 0.1, "step": row["step"]}),
            }[kind]
        )
    return "".join(line + "\n" for line in lines)


def follow(path, rows, kind, rng):
    """Write a log in parts, and poll after each."""
    whole = write(rows, kind).encode()
    cuts = sorted(rng.sample(range(1, len(whole)), min(5, len(whole) - 1)))
    parts = [whole[:cut] for cut in [*cuts, len(whole)]]
    if kind in ("list", "state"):  # which are written anew each time
        parts = [write(rows[:count], kind).encode() for count in (1, 2, len(rows))]
    path.write_bytes(parts[0])
    tail = rv.read_log(path, follow=True)
    for part in parts[1:]:
        with path.open("r+b") as file:
            file.write(part)
        tail.poll()
    return tail.log


def same(one, two):
    return np.allclose(one, two, rtol=1e-12, equal_nan=True)


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.filterwarnings("ignore:.*has no series by domain")
def test_a_followed_log_ends_as_the_whole_one(kind, seed, tmp_path):
    rng = random.Random(f"{kind} {seed}")
    rows = make_rows(rng, is_long=kind.startswith("long"))
    path = tmp_path / FILES[kind]
    followed = follow(path, rows, kind, rng)
    whole = rv.read_log(path)
    assert followed.domains == whole.domains and followed.steps.tolist() == whole.steps.tolist()
    assert followed.signals.keys() == whole.signals.keys()
    assert followed.scalars.keys() == whole.scalars.keys()
    assert same(followed.weights[:-1], whole.weights[:-1]) and same(followed.tokens, whole.tokens)
    # Those of the last step may still wait for others of it.
    waits = np.isnan(followed.weights[-1:])
    assert same(followed.weights[-1:], np.where(waits, np.nan, whole.weights[-1:]))
    assert all(same(followed[name], whole[name]) for name in whole.signals)
    assert all(same(followed.scalars[name], whole.scalars[name]) for name in whole.scalars)


def append(path, *rows):
    with path.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def test_the_first_domain_keeps_what_came_before_the_second(tmp_path):
    path = tmp_path / "run.jsonl"
    append(path, {"step": 1, "loss/web": 3.0, "lr": 0.1})
    tail = rv.read_log(path, follow=True)
    before = tail.log
    assert (before.domains, list(before.scalars)) == ((), ["loss/web", "lr"])
    append(path, {"step": 2, "loss/code": 2.0, "lr": 0.1})
    tail.poll()
    log = tail.log
    assert (log.domains, list(log.scalars)) == (("web", "code"), ["lr"])
    np.testing.assert_array_equal(log["loss"], [[3.0, np.nan], [np.nan, 2.0]])
    assert "'code' is first seen after step 1." in log.meta["notes"]
    # What was handed out before stays as it was.
    assert before.scalars["loss/web"].tolist() == [3.0]


def test_totals_of_tokens_that_came_before_the_losses_are_differences_too(tmp_path):
    path = tmp_path / "run.jsonl"
    totals = [{"step": k, "tokens_seen/web": 10 * k, "tokens_seen/code": k} for k in (1, 2, 3)]
    append(path, *totals[:2])
    tail = rv.read_log(path, follow=True)
    append(path, totals[2] | {"loss/web": 3.0, "loss/code": 2.0})
    tail.poll()
    assert tail.log["drawn_tokens"].tolist() == [[10, 1]] * 3
    assert rv.read_log(path)["drawn_tokens"].tolist() == [[10, 1]] * 3


def test_weights_wait_for_the_others_of_their_row(tmp_path):
    path = tmp_path / "run.jsonl"
    rows = [{"step": k, "domain": name, "weight": 50} for k in (1, 2) for name in ("web", "code")]
    append(path, rows[0])
    tail = rv.read_log(path, follow=True)
    assert not np.isfinite(tail.log.weights).any()
    append(path, rows[1])
    tail.poll()
    assert tail.log.weights.tolist() == [[0.5, 0.5]]
    append(path, rows[2])
    tail.poll()
    np.testing.assert_array_equal(tail.log.weights, [[0.5, 0.5], [0.5, np.nan]])


def test_counts_are_shares_of_the_domains_that_are_there(tmp_path):
    path = tmp_path / "run.jsonl"
    append(path, {"step": 1, "mix/web": 300, "mix/code": 100})
    append(path, {"step": 2, "mix/web": 200, "mix/code": 100, "mix/math": 100})
    append(path, {"step": 3, "mix/web": float("nan"), "mix/code": 100, "mix/math": 100})
    nan = np.nan
    weights = rv.read_log(path).weights
    np.testing.assert_array_equal(weights, [[0.75, 0.25, nan], [0.5, 0.25, 0.25], [nan] * 3])


@pytest.mark.parametrize("name", ["run.csv", "run.jsonl"])
def test_half_a_first_line_is_waited_for(name, tmp_path):
    path = tmp_path / name
    rows = [{"step": 1, "loss/web": 3.0, "loss/code": 2.0}]
    text = write(rows, path.suffix[1:])
    path.write_text(text[:9])
    tail = rv.read_log(path, follow=True)
    assert len(tail.log) == 0
    path.write_text(text)
    tail.poll()
    assert tail.log.domains == ("web", "code")
    (tmp_path / f"whole_{name}").write_text("no log\n")
    with pytest.raises(rv.ReweightvizError, match="is no run log"):
        rv.read_log(tmp_path / f"whole_{name}", follow=True)
