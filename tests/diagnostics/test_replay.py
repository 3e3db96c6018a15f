"""Replays: what other mixers would have weighed on one log, held against what they really weighed where that is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

import reweightviz as rv
from reweightviz.core.corpus import Corpus
from reweightviz.diagnostics.log_lines import count_steps
from reweightviz.mixers import (
    ODM,
    Aioli,
    DataMixingAgent,
    DoGE,
    DoReMi,
    Natural,
    SkillIt,
    Temperature,
    TwoPhase,
    Uniform,
)
from reweightviz.training import ModelConfig, TrainConfig, train

TINY = TrainConfig(
    steps=24,
    batch=8,
    rate=1e-2,
    log_every=1,
    probe_blocks=2,
    gradient_batch=2,
    model=ModelConfig(width=16, layers=1, heads=2, context=16),
)
DOMAINS = ("letters", "digits", "dots")
GRAPH = np.array([[0.5, 0.1, 0.0], [0.2, 0.6, 0.1], [0.0, 0.3, 0.4]])


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    words = {"letters": "abcdefgh", "digits": "0123456789", "dots": ".,;:"}
    rows = [
        (name, "".join(rng.choice(list(chars), 300)))
        for name, chars in words.items()
        for _ in range(60)
    ]
    return Corpus({"text": [text for _, text in rows], "domain": [name for name, _ in rows]})


@pytest.fixture(scope="module")
def reference(corpus):
    return train(corpus, Uniform(), config=TINY, seed=5).model


@pytest.fixture
def log():
    rng = np.random.default_rng(1)
    steps = np.arange(10, 410, 10)
    signals = {
        name: rng.uniform(0.5, 3, (40, 3))
        for name in ("loss", "excess_loss", "held_out_loss", "gradient_products", "gradient_norm")
    }
    return rv.RunLog(
        DOMAINS,
        steps,
        np.full((40, 3), 1 / 3),
        signals,
        "mine",
        {"graph": GRAPH.tolist(), "batch": 8, "context": 16},
    )


ONLINE = [DoReMi(eta=0.02), ODM(), DoGE(rate=0.01), SkillIt(every=50)]


@pytest.mark.parametrize(
    "mixer",
    [
        DoReMi(),
        ODM(),
        ODM("smoothed_mean", warmup=5),
        DoGE(rate=0.01, every=3),
        SkillIt(every=7),
        Aioli(lp_rounds=1, lp_steps=2, every=5),
        DataMixingAgent(every=3),
        Natural(),
        Uniform(),
    ],
    ids=repr,
)
def test_a_mixer_replayed_on_its_own_run_weighs_what_it_weighed(mixer, corpus, reference):
    run = train(
        corpus,
        mixer,
        config=TINY,
        reference=reference,
        given={"graph": GRAPH} if isinstance(mixer, SkillIt) else None,
    )
    replayed = rv.replay(
        run.log,
        mixer,
        sources=corpus.sources,
        **({"graph": GRAPH} if isinstance(mixer, SkillIt) else {}),
    )
    np.testing.assert_array_equal(replayed.weights, run.log.weights)
    assert replayed.meta["result"] == run.log.meta["result"]
    assert isinstance(mixer, Natural | Uniform) or len(np.unique(replayed.weights, axis=0)) > 1


def test_a_line_every_ten_steps_comes_close(corpus):
    """The mean of ten steps is told ten times, so the weights at a line are nearly those that were trained with."""
    log = rv.demo_log("doremi")
    replayed = rv.replay(log, DoReMi(eta=0.02))
    assert np.abs(replayed.weights - log.weights).sum(1).mean() < 0.003
    assert np.abs(log.weights - 1 / 15).sum(1).mean() > 0.05
    assert replayed.meta["result"] == pytest.approx(log.meta["result"], abs=1e-4)


@dataclass(frozen=True)
class Counter:
    """Weighs the second domain by the number of steps it was told of, and remembers the tokens."""

    applies_to = "sampling"

    def init(self):
        return 0, 0.0

    def update(self, state, *, drawn_tokens):
        return state[0] + 1, state[1] + drawn_tokens.sum()

    def weights(self, state):
        return np.array([1 - state[0] / 1000, state[0] / 1000])

    def result(self, state):
        return np.array([state[1], 0.0])


def test_a_line_stands_for_its_steps():
    drawn = np.array([[60.0, 40], [120, 80], [np.nan, np.nan], [100, 100]])
    log = rv.RunLog(("a", "b"), [5, 15, 20, 30], np.full((4, 2), 0.5), {"drawn_tokens": drawn})
    assert count_steps(log).tolist() == [5, 10, 5, 10]
    replayed = rv.replay(log, Counter())
    assert (1000 * replayed.weights[:, 1]).round().tolist() == [4, 14, 15, 29]
    assert replayed.meta["result"][0] == pytest.approx(500)


@pytest.mark.parametrize(
    ("steps", "lines"),
    [
        ([1, 10, 20], [1, 9, 10]),
        ([0, 1, 2], [1, 1, 1]),
        ([5000, 5010], [10, 10]),
        ([7], [1]),
        ([], []),
    ],
)
def test_the_first_line_stands_for_no_more_than_the_second(steps, lines):
    assert count_steps(rv.RunLog(("a",), steps, np.ones((len(steps), 1)))).tolist() == lines


def test_the_log_is_untouched_and_the_replay_says_what_it_is(log):
    before = {name: values.copy() for name, values in log.signals.items()}
    replayed = rv.replay(log, ODM())
    for name, values in before.items():
        np.testing.assert_array_equal(log[name], values)
    np.testing.assert_array_equal(log.weights, np.full((40, 3), 1 / 3))
    assert replayed.name == "odm on mine" and not replayed.signals and "graph" in replayed.meta
    assert replayed.meta["replayed"] == {
        "log": "mine",
        "trained_with": None,
        "read": ["loss"],
        "note": replayed.meta["replayed"]["note"],
    }
    assert "reached other losses" in replayed.meta["replayed"]["note"]
    assert rv.replay(log, ODM(), name="bandit").name == "bandit"


@pytest.mark.parametrize("mixer", ONLINE, ids=repr)
def test_permuted_domains_permute_the_weights(mixer, log):
    order = [2, 0, 1]
    other = rv.RunLog(
        tuple(DOMAINS[k] for k in order),
        log.steps,
        log.weights,
        {name: values[:, order] for name, values in log.signals.items()},
        meta={"graph": GRAPH[np.ix_(order, order)].tolist()},
    )
    np.testing.assert_allclose(
        rv.replay(other, mixer).weights, rv.replay(log, mixer).weights[:, order], atol=1e-9
    )


@pytest.mark.parametrize("mixer", ONLINE, ids=repr)
def test_weights_know_nothing_of_later_lines(mixer, log):
    short = rv.RunLog(
        DOMAINS,
        log.steps[:20],
        log.weights[:20],
        {name: values[:20] for name, values in log.signals.items()},
        meta=log.meta,
    )
    np.testing.assert_array_equal(
        rv.replay(short, mixer).weights, rv.replay(log, mixer).weights[:20]
    )


def test_a_start_comes_by_domain_or_in_order(log):
    tokens = {"dots": 1.0, "letters": 2.0, "digits": 1.0}
    for given in (
        {"tokens": tokens},
        {"tokens": [2, 1, 1]},
        {"sources": tokens},
        {"sources": rv.Sources(tokens)},
    ):
        assert rv.replay(log, Natural(), **given).weights[-1].tolist() == [0.5, 0.25, 0.25]
    known = replace(log, meta=dict(log.meta) | {"sources": tokens})
    assert rv.replay(known, Natural()).meta["result"] == [0.5, 0.25, 0.25]
    prior = rv.Mixture({"dots": 0.2, "digits": 0.3, "letters": 0.5})
    assert rv.replay(log, DoReMi(eta=0, smoothing=0), prior=prior).weights[7] == pytest.approx(
        [0.5, 0.3, 0.2]
    )
    order = ["dots", "letters", "digits"]
    table = pd.DataFrame(GRAPH, DOMAINS, DOMAINS).loc[order, order]
    right = rv.replay(log, SkillIt(), graph=GRAPH).weights
    rows = {name: GRAPH[DOMAINS.index(name)].tolist() for name in order}
    for graph in (table, table.T.to_dict(), rows, GRAPH.tolist()):
        np.testing.assert_array_equal(rv.replay(log, SkillIt(), graph=graph).weights, right)
    np.testing.assert_array_equal(
        rv.replay(replace(log, meta={"graph": rows}), SkillIt()).weights, right
    )


def test_a_schedule_goes_by_the_steps_of_the_run():
    log = rv.RunLog(("a", "b"), [5000, 5010], np.full((2, 2), 0.5))
    assert rv.replay(
        log, TwoPhase(switch=5004, steps=6000), tokens=[3, 1], prior=[0.5, 0.5]
    ).weights.tolist() == [[1, 0], [0.5, 0.5]]


def test_an_agent_is_told_the_weights_that_were_trained_with():
    class Spy:
        def next_weights(self, weights, feedback):
            told.append((weights, feedback))
            return np.full(3, 1 / 3)

    told, rng = [], np.random.default_rng(0)
    weights, losses = rng.dirichlet(np.ones(3), 6), rng.uniform(1, 3, (6, 3))
    rv.replay(
        rv.RunLog(DOMAINS, range(1, 7), weights, {"held_out_loss": losses}),
        DataMixingAgent(every=2),
        policy=Spy(),
    )
    np.testing.assert_allclose(told[-1], [weights[1::2], losses[1::2]])


def test_what_the_mixer_may_look_at_goes_before_the_final_comparison(log):
    probed = rv.RunLog(
        DOMAINS,
        log.steps,
        log.weights,
        {"probe_loss": log["held_out_loss"], "held_out_loss": log["loss"]},
        meta=log.meta,
    )
    np.testing.assert_array_equal(
        rv.replay(probed, SkillIt(every=50)).weights, rv.replay(log, SkillIt(every=50)).weights
    )


@pytest.mark.parametrize(
    ("mixer", "given", "sentence"),
    [
        (
            DoReMi(),
            {},
            "DoReMi needs 'excess_loss'; the log 'thin' holds it as NaN throughout; it has 'loss', 'held_out_loss'",
        ),
        (
            DoGE(),
            {},
            "DoGE needs 'gradient_products'; the log 'thin' has 'loss', 'held_out_loss': .* train a run that records 'gradient_products'",
        ),
        (Aioli(), {}, "Aioli needs 'probe_loss'; the log 'thin' has"),
        (
            Natural(),
            {},
            r"Natural starts from 'tokens', which the log 'thin' lacks: rv.replay\(log, mixer, tokens=...\)",
        ),
        (
            Natural(),
            {"tokens": {"letters": 1.0}},
            "'tokens' has nothing for 'digits', 'dots' of the log 'thin'",
        ),
        (
            SkillIt(every=7),
            {"graph": GRAPH},
            r"needs 'held_out_loss' at steps 7, 14, 21; the log 'thin' holds it at steps 10, 20: give the mixer",
        ),
        (ODM, {}, "rv.replay takes a mixer with its parameters, such as rv.mixers.ODM"),
        (Natural(), {"tokens": [2, 1]}, "Natural weighs 2 domains, and the log 'thin' has 3"),
        (
            Natural(),
            {"tokens": "many"},
            "'tokens' must be numbers, in rows of one length; got 'many'",
        ),
        (
            ODM(),
            {"prior": {"letters": "half", "digits": 0, "dots": 0}},
            r"'prior' must be numbers, in rows of one length; got \['half', 0, 0\]",
        ),
        (ODM(), {"loss": [[1.0]]}, "rv.replay reads 'loss' from the log"),
        (ODM(), {"tokns": 1}, "no signal 'tokns'; did you mean 'tokens'"),
    ],
)
def test_what_cannot_be_replayed_is_one_sentence(mixer, given, sentence):
    held_out = np.full((24, 3), np.nan)
    held_out[[9, 19]] = 2.0
    thin = rv.RunLog(
        DOMAINS,
        np.arange(1, 25),
        np.full((24, 3), 1 / 3),
        {
            "loss": np.ones((24, 3)),
            "excess_loss": np.full((24, 3), np.nan),
            "held_out_loss": held_out,
        },
        "thin",
    )
    with pytest.raises(rv.ReweightvizError, match=sentence) as caught:
        rv.replay(thin, mixer, **given)
    assert "\n" not in str(caught.value)


def test_a_log_that_answers_now_and_then_is_warned_about(log):
    rare = np.full((40, 3), np.nan)
    rare[9::10] = 2.0
    sparse = rv.RunLog(DOMAINS, log.steps, log.weights, {"held_out_loss": rare}, "sparse", log.meta)
    with pytest.warns(
        rv.ReweightvizWarning,
        match="'sparse' holds it at steps 100, 200, 300, ..., so it learns at 4 of the 8 steps",
    ):
        rv.replay(sparse, SkillIt(every=50))


def test_probes_are_answered_only_where_the_run_made_them(corpus):
    own = Aioli(lp_rounds=1, lp_steps=2, every=5)
    log = train(corpus, own, config=TINY).log
    other = rv.replay(log, replace(own, eta=5.0))
    assert np.abs(other.weights - log.weights).max() > 0.1
    with pytest.raises(
        rv.ReweightvizError,
        match="Aioli tries a mixture of its own by step 2, and the log 'aioli' has nothing on what came of it",
    ):
        rv.replay(log, replace(own, one_hot=0.9))
    coarse = train(corpus, own, config=replace(TINY, log_every=2)).log
    with pytest.raises(rv.ReweightvizError, match="logged at every step"):
        rv.replay(coarse, own)


def test_replays_are_drawn_beside_the_run(log):
    replays = [rv.replay(log, mixer) for mixer in ONLINE]
    assert len(rv.WeightTrajectories([log, *replays]).logs) == 5
    x = rv.Explorer(tokens=dict.fromkeys(DOMAINS, 1e6), logs=[log, *replays])
    assert {"odm on mine (log)", "doremi on mine (log)"} <= {
        preset["name"] for preset in x.editor.presets
    }


def test_a_replay_is_saved_and_read_again(log, tmp_path):
    replayed = rv.replay(log, ODM())
    again = rv.read_log(replayed.save(tmp_path / "odm.jsonl"))
    np.testing.assert_allclose(again.weights, replayed.weights, rtol=1e-6)
    assert again.meta["replayed"] == replayed.meta["replayed"]


@pytest.mark.parametrize("verb", [rv.replay, rv.sensitivity])
def test_only_a_log_and_a_mixer_are_replayed(verb, log):
    for asked, sentence in (
        ((DOMAINS, ODM()), "takes a run log, as rv.read_log returns one"),
        (
            ("my.csv", ODM()),
            r"takes a run log, .* got 'my.csv': rv.read_log\('my.csv'\) reads one.",
        ),
        ((log, "ODM"), "takes a mixer with its parameters"),
    ):
        with pytest.raises(rv.ReweightvizError, match=f"rv.{verb.__name__} {sentence}"):
            verb(*asked)


def test_an_empty_log_has_nothing_to_tell():
    assert rv.replay(rv.RunLog(("a", "b"), [], np.empty((0, 2))), Uniform()).meta["result"] == [
        0.5,
        0.5,
    ]


# ---- sensitivity


def test_sensitivity_shows_which_step_size_goes_one_hot(log):
    log = replace(log, signals={"excess_loss": np.tile([0.5, 0.4, 0.1], (40, 1))})
    found = rv.sensitivity(log, DoReMi(eta=0.1), values=[0.001, 100, -1])
    assert found.table.index.tolist() == [0.001, 0.1, 100]
    assert found.table.loc[0.1, "l1"] == 0 and found.table["effective"].is_monotonic_decreasing
    assert found.table.loc[0.001, "effective"] == pytest.approx(3, abs=0.01)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1)
    assert list(found.skipped) == [-1] and "not tried: eta=-1: DoReMi needs eta" in repr(found)
    assert {trace.name for trace in found.figure().data} >= set(DOMAINS)


def test_sensitivity_of_a_whole_number_and_of_what_is_none(log):
    found = rv.sensitivity(log, ODM(), "warmup", [0, 100.4])
    assert found.table.index.tolist() == [0, 100]
    with pytest.raises(
        rv.ReweightvizError,
        match="no number of ODM called 'eta'; .*there is 'scale', 'smoothing', 'warmup'",
    ):
        rv.sensitivity(log, ODM())
    for values in (["x"], 3, [float("nan")]):
        with pytest.raises(
            rv.ReweightvizError,
            match="the values to try must be numbers|a list of finite numbers to try",
        ):
            rv.sensitivity(log, ODM(), "scale", values)
    with pytest.raises(rv.ReweightvizError, match="warmup is 0 in this mixer"):
        rv.sensitivity(log, ODM(), "warmup")
    assert rv.sensitivity(
        log, Temperature(2.0), "temperature", [1.0], tokens=[1, 2, 3]
    ).weights.loc[1.0].tolist() == pytest.approx([1 / 6, 1 / 3, 1 / 2])
