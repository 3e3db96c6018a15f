"""Pictures of several mixers: what is drawn is what the logs, the law and the replays say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.figures.consequence import MEAN, consequence_figure, consequences
from reweightviz.figures.replay import replay_figure
from reweightviz.figures.theme import BETTER, WORSE
from reweightviz.laws._log_linear_law import LogLinearLaw

DOMAINS = ("web", "code", "<math>", "json")


@pytest.fixture
def logs():
    rng = np.random.default_rng(0)
    tables = {
        name: rng.dirichlet([strength] * 4, 12)
        for name, strength in (("steady", 500.0), ("wild", 1.0), ("calm", 50.0), ("last", 5.0))
    }
    return [rv.RunLog(DOMAINS, range(12), weights, {}, name) for name, weights in tables.items()]


@pytest.fixture
def law():
    coef = np.array([[0.0, -1.0, -3.0, -1.0, -0.5], [0.5, -2.0, -0.1, -1.0, -0.5]])
    rng = np.random.default_rng(1)
    draws = coef + 0.02 * rng.normal(size=(200, 2, 5))
    return LogLinearLaw(
        DOMAINS,
        ("loss a", "loss b"),
        np.array([True, True]),
        coef,
        draws,
        0.01 * rng.normal(size=(200, 2)),
    )


MIXTURES = {
    "uniform": dict.fromkeys(DOMAINS, 0.25),
    "code": {"web": 0, "code": 0.7, "<math>": 0.3, "json": 0},
    "near": {"web": 0.26, "code": 0.24, "<math>": 0.25, "json": 0.25},
}


def test_areas_of_every_panel_add_up_and_the_loudest_have_a_colour(logs):
    figure = replay_figure(logs, most=2)
    assert len(figure.data) == 4 * 3 and {trace.name for trace in figure.data} >= {"2 others"}
    for panel in range(4):
        heights = np.sum([trace.y for trace in figure.data[3 * panel : 3 * panel + 3]], axis=0)
        np.testing.assert_allclose(heights, 100)
    everything = np.concatenate([log.weights for log in logs])
    loudest = np.argsort(everything.min(0) - everything.max(0))[:2]
    assert figure.data[0].name in {
        DOMAINS[k].replace("<", "&lt;").replace(">", "&gt;") for k in loudest
    }
    assert [trace.showlegend for trace in figure.data[:4]] == [True, True, True, False]
    assert [note.text for note in figure.layout.annotations[:4]] == [
        "steady",
        "wild",
        "calm",
        "last",
    ]
    assert len(replay_figure(logs[:1], most=9).data) == 4


def test_logs_of_other_domains_are_refused(logs):
    with pytest.raises(
        rv.ReweightvizError, match="have the same domains in the same order; 'b' has others"
    ):
        replay_figure([logs[0], rv.RunLog(("web",), [1], [[1.0]], name="b")])


def test_consequences_are_the_laws_own_numbers(law):
    table = consequences(law, MIXTURES, "uniform")
    weights = np.array([list(mixture.values()) for mixture in MIXTURES.values()])
    predicted, drawn = law.predict(weights), law.samples(weights)
    low, high = np.quantile(drawn[:, 1] - drawn[:, 0], [0.05, 0.95], axis=0, method="weibull")
    np.testing.assert_allclose(
        table.loc["code"].loc[["loss a", "loss b"], "predicted"], predicted[1]
    )
    np.testing.assert_allclose(
        table.loc["code"].loc[["loss a", "loss b"], "change"], predicted[1] - predicted[0]
    )
    interval = table.loc["code"].loc[["loss a", "loss b"], ["low", "high"]]
    np.testing.assert_allclose(interval.astype(float), np.stack([low, high], 1))
    assert table.loc[("code", MEAN), "change"] == pytest.approx(
        (predicted[1] - predicted[0]).mean()
    )
    assert (table["low"] <= table["change"] + 0.05).all() and (
        table["high"] >= table["change"] - 0.05
    ).all()
    assert (table.loc["uniform", ["change", "low", "high"]] == 0).all(axis=None)
    assert set(table.loc["uniform", "verdict"]) == {"noise"}


def test_a_dot_is_full_only_where_the_bar_leaves_zero(law):
    # Loss a falls by web and math alike, so that moving weight between them changes nothing in it.
    mixtures = MIXTURES | {"near": {"web": 0.2, "code": 0.25, "<math>": 0.3, "json": 0.25}}
    figure = consequence_figure(law, mixtures, "uniform")
    code, near = figure.data
    table = consequences(law, mixtures, "uniform")
    leaves = (table["low"] > 0) | (table["high"] < 0)
    assert set(leaves.drop("uniform")) == {True, False}
    for name, trace in (("code", code), ("near", near)):
        symbols = ["circle" if each else "circle-open" for each in leaves.loc[name]]
        assert list(trace.marker.symbol) == symbols
        ends = trace.x + trace.error_x.array
        np.testing.assert_allclose(ends, table.loc[name, "high"].astype(float))
    assert code.x[1] < 0 < code.x[2] and code.marker.color[1] != code.marker.color[2]
    assert list(code.y) == ["<b>mean of targets</b>", "loss a", "loss b"]
    assert list(consequence_figure(law, MIXTURES, "uniform", most=1).data[0].y) == [
        "<b>mean of targets</b>",
        "loss b",
    ]
    with pytest.raises(
        rv.ReweightvizError,
        match="compared with one of them, 'natural'; got 'uniform', 'code', 'near'",
    ):
        consequence_figure(law, MIXTURES, "natural")


def test_where_higher_is_better_a_rise_has_the_colour_of_the_better(law):
    turned = replace(law, lower_is_better=np.array([True, False]))
    laws = law, turned
    plain, other = (consequence_figure(each, MIXTURES, "uniform").data[0] for each in laws)
    assert plain.marker.color[1] == other.marker.color[1]
    assert {plain.marker.color[2], other.marker.color[2]} == {BETTER, WORSE}
    table = consequences(turned, MIXTURES, "uniform")["change"]
    assert table["code", MEAN] == pytest.approx(table["code", "loss a"]), "the mean is of losses"
