"""Counts of tokens as people write them: one table for Python and the browser, and every verb that takes one."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.token_counts import POWERS, format_count, parse_budget, parse_count
from reweightviz.evaluation.swarm_cost import swarm_cost

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "token_counts.json").read_text("utf-8"))
SOURCES = {"web": "8G", "code": "1b"}
SWARM = rv.Swarm(
    ("web", "code"),
    [[0.5, 0.5], [0.6, 0.4]],
    ("loss",),
    [[1.0], [2.0]],
    pd.DataFrame({"size": [1e6, 1e6]}),
)


@pytest.mark.parametrize(("text", "value"), [*GOLDEN["read"].items(), (7, 7.0), (1.5, 1.5)])
def test_a_count_as_a_person_writes_it(text, value):
    assert parse_count(text) == parse_budget(text) == value


@pytest.mark.parametrize("text", GOLDEN["zero"])
def test_nothing_is_a_count_and_no_budget(text):
    assert parse_count(text) == 0
    with pytest.raises(ReweightvizError, match="tokens must be a number above 0, such as"):
        parse_budget(text)


@pytest.mark.parametrize(
    "text", [*GOLDEN["refused"], True, b"5", [], 10**400, -1, float("nan"), float("inf")]
)
def test_what_is_no_count_is_one_sentence(text):
    with pytest.raises(
        ReweightvizError,
        match=r"a count must be a number >= 0, such as 1.2e12 or '1.2T' \(K, M, B or G, T\); got",
    ):
        parse_count(text)


def test_no_budget_is_none():
    assert parse_budget(None) is None
    with pytest.raises(ReweightvizError, match="a count must be a number"):
        parse_count(None)


@given(st.integers(0, 10**6), st.sampled_from(["", *POWERS]))
def test_a_count_is_exact(number, letter):
    assert parse_count(f"{number}{letter}") == number * 10 ** POWERS.get(letter, 0)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [(999, "999"), (1000, "1K"), (999_700, "1M"), (1.25e9, "1.25B"), (3e15, "3e+03T"), (0, "0")],
)
def test_counts_are_short(tokens, text):
    assert format_count(tokens) == text
    assert parse_count(text) == pytest.approx(tokens, rel=5e-4)


VERBS = {
    "epochs": lambda tokens: rv.Mixture({"web": 0.5, "code": 0.5}).epochs(SOURCES, tokens),
    "diagnose": lambda tokens: (
        rv.diagnose({"web": 0.5, "code": 0.5}, sources=SOURCES, tokens=tokens)
        .table["epochs"]
        .tolist()
    ),
    "design_swarm": lambda tokens: rv.design_swarm(SOURCES, 4, tokens=tokens, max_epochs=4).attrs[
        "diagnostics"
    ]["epochs"],
    "cost": lambda tokens: swarm_cost(SWARM, tokens=tokens),
    "UniMax": lambda tokens: rv.mix({"tokens": SOURCES}, rv.mixers.UniMax(tokens)),
    "EquitableAllocation": rv.mixers.EquitableAllocation,
    "MixtureEditor": lambda tokens: rv.MixtureEditor(SOURCES, budget=tokens).epochs,
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_reads_a_budget_like_any_other(verb):
    ask = VERBS[verb]
    assert ask("2G") == ask("2 b") == ask(2e9)
    for refused in ("0", "1,2T", -1, True):
        with pytest.raises(
            ReweightvizError, match="must be a number above 0, such as 1.2e12 or '1.2T'"
        ):
            ask(refused)


@pytest.mark.parametrize("count", ["1,2T", "-1", "", True])
def test_counts_that_are_none_are_refused_by_mix_and_by_a_monitor(count):
    with pytest.raises(ReweightvizError, match="tokens must be a number >= 0"):
        rv.mix({"tokens": {"web": count, "code": 1.0}}, rv.mixers.Temperature(2))
    log = rv.demo_log("doremi")
    with pytest.raises(ReweightvizError, match="budget must be a number above 0"):
        rv.Monitor([log], budget=count, sources=dict.fromkeys(log.domains, 1e9))
