"""Diagnoses: each trouble is planted in a log, found by name, and absent from a log without it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reweightviz as rv

DOMAINS = ("web", "code", "math")
TOKENS = {"web": 1e6, "code": 1e5, "math": 1e4}


def log_of(weights, drawn=None, loss=None, **meta):
    """A line every ten steps."""
    weights = np.asarray(weights, float)
    signals = {
        name: values
        for name, values in (("drawn_tokens", drawn), ("loss", loss))
        if values is not None
    }
    return rv.RunLog(
        DOMAINS,
        10 * np.arange(1, len(weights) + 1),
        weights,
        signals,
        "run",
        {"mixer": "ODM()"} | meta,
    )


def moving(end, lines=40):
    """From uniform to ``end`` in the first half, then there."""
    path = np.clip(np.linspace(0, 2, lines), 0, 1)[:, None]
    return (1 - path) / 3 + path * np.asarray(end)


def found(diagnosis, start):
    return [finding for finding in diagnosis.findings if finding.startswith(start)]


def test_a_sound_run_has_no_finding():
    weights = moving([0.4, 0.35, 0.25])
    diagnosis = rv.diagnose(log_of(weights, 1000 * weights), TOKENS)
    assert diagnosis.findings == () and diagnosis.settled is True
    assert "nothing stands out" in repr(diagnosis) and "The weights have settled" in repr(diagnosis)
    assert diagnosis.table.loc["math", "epochs"] == pytest.approx(
        (1000 * weights[:, 2]).sum() / 1e4
    )


def test_one_hot_says_who_and_when():
    weights = moving([0.98, 0.01, 0.01])
    (sentence,) = found(rv.diagnose(log_of(weights)), "One-hot")
    first = 10 * (1 + int((weights[:, 0] >= 0.9).argmax()))
    assert f"from step {first} to the end, 'web' first" in sentence
    assert (
        "smaller step size" in sentence
        and "natural weights" in sentence
        and "every domain in every batch" in sentence
    )
    assert found(rv.diagnose({"web": 0.95, "code": 0.05}), "One-hot: 'web' has 95 %")
    assert not rv.diagnose({"web": 1.0}).findings


def test_unsettled_weights_say_by_how_much():
    weights = np.stack([np.linspace(0.2, 0.6, 40), np.linspace(0.5, 0.1, 40), np.full(40, 0.3)], 1)
    diagnosis = rv.diagnose(log_of(weights))
    (sentence,) = found(diagnosis, "Not settled")
    tenths = weights.reshape(10, 4, 3).mean(1)
    assert diagnosis.rounds["l1"].iloc[-1] == pytest.approx(np.abs(tenths[-1] - tenths[-2]).sum())
    assert diagnosis.rounds["kl"].iloc[-1] == pytest.approx(
        (tenths[-1] * np.log(tenths[-1] / tenths[-2])).sum()
    )
    assert "under 0.02 they count as settled" in sentence and diagnosis.settled is False


def test_a_round_is_the_mean_over_steps_and_not_over_lines():
    steps = np.cumsum(np.where(np.arange(20) % 2, 9, 1))
    weights = np.tile([[0.8, 0.1, 0.1], [0.2, 0.4, 0.4]], (10, 1))
    weights[-2:] = [[0.2, 0.4, 0.4], [0.8, 0.1, 0.1]]
    diagnosis = rv.diagnose(rv.RunLog(DOMAINS, steps, weights))
    means = np.array(
        [[0.1 * a + 0.9 * b for a, b in zip(*weights[t : t + 2], strict=True)] for t in (16, 18)]
    )
    assert diagnosis.rounds["l1"].iloc[-1] == pytest.approx(np.abs(means[1] - means[0]).sum())
    assert diagnosis.table.loc["web", "mean"] == pytest.approx(0.9 * 0.26 + 0.1 * 0.74)


def test_a_slow_and_steady_drift_has_not_settled():
    web = 0.3 + 0.008 * np.arange(10).repeat(4)
    diagnosis = rv.diagnose(log_of(np.stack([web, 0.4 * np.ones(40), 0.6 - web], 1)))
    (sentence,) = found(
        diagnosis,
        "Not settled: the last tenth of the run changed the weights little, but they drift",
    )
    assert diagnosis.rounds["l1"].iloc[-1] == pytest.approx(0.016) and diagnosis.settled is False
    assert "by 0.048 in L1 over the 3 before it, 'web' most" in sentence
    few = rv.diagnose(log_of([[0.3, 0.4, 0.3], [0.308, 0.4, 0.292], [0.316, 0.4, 0.284]]))
    assert (
        "the last line changed the weights little, but they drift, by 0.032 in L1 over the 2 before it"
        in found(few, "Not settled")[0]
    )
    (two,) = found(rv.diagnose(log_of([[0.3, 0.4, 0.3], [0.5, 0.2, 0.3]])), "Not settled")
    assert "the last line changed the weights by 0.4" in two


def test_the_probes_of_a_mixer_are_not_its_weights():
    probes = np.tile(np.repeat(0.98 * np.eye(3) + 0.01 * (1 - np.eye(3)), 2, axis=0), (5, 1))
    drawn = 100 * np.roll(probes, 1, axis=0) * (np.roll(probes, 1, axis=0) > 0.5)
    meta = {"mixer": "Aioli(eta=0.2)", "result": [0.4, 0.3, 0.3]}
    diagnosis = rv.diagnose(log_of(probes, drawn, **meta))
    assert diagnosis.findings == () and diagnosis.settled is None
    assert len(rv.diagnose(log_of(probes, drawn)).findings) >= 3
    sure = rv.diagnose(log_of(probes, drawn, **meta | {"result": [0.96, 0.02, 0.02]}), TOKENS, 1e6)
    assert found(sure, "One-hot: 'web' has 96 %") and found(
        sure, "Repeated more than 4 times: 'math'"
    )


def test_lines_without_weights_and_weights_that_do_not_sum_to_1():
    weights = np.tile([0.6, 0.3, 0.1], (40, 1))
    drawn = 1000 * weights
    weights[:10], drawn[:10] = np.nan, [1, 1, 998]
    diagnosis = rv.diagnose(log_of(weights, drawn))
    assert diagnosis.findings == () and diagnosis.table["mean"].tolist() == pytest.approx(
        [0.6, 0.3, 0.1]
    )
    assert rv.diagnose(log_of(7 * weights, drawn)).table["mean"].tolist() == pytest.approx(
        [0.6, 0.3, 0.1]
    )


def test_rounds_of_doremi_are_compared():
    rounds = [
        {"web": 0.5, "code": 0.5},
        {"code": 0.4, "web": 0.6},
        rv.Mixture({"web": 0.603, "code": 0.397}),
    ]
    assert rv.diagnose(rounds).settled is True and rv.diagnose(rounds[:2]).settled is False
    assert rv.diagnose(rounds).by_step["l1"].tolist()[1:] == pytest.approx([0.2, 0.006])
    logs = [
        rv.RunLog(("web", "code"), [1], [[0.9, 0.1]], meta={"result": [0.5, 0.5]}),
        rv.RunLog(("web", "code"), [1], [[0.9, 0.1]]),
    ]
    assert rv.diagnose(logs).by_step["l1"].iloc[1] == pytest.approx(0.8)


@pytest.mark.parametrize("signal", ["drawn_tokens", "loss"])
def test_a_domain_absent_from_batches_is_named(signal):
    there = np.ones((40, 3))
    there[5:12, 1] = there[20, 1] = 0
    values = 100 * there if signal == "drawn_tokens" else np.where(there > 0, 2.0, np.nan)
    diagnosis = rv.diagnose(
        log_of(np.full((40, 3), 1 / 3), **{"drawn" if signal == "drawn_tokens" else "loss": values})
    )
    assert diagnosis.table["absent"].tolist() == [0, 0.2, 0] and diagnosis.table[
        "longest_gap"
    ].tolist() == [0, 70, 0]
    assert (
        "'code' (20 %); the lines of the log lack one for up to 70 steps"
        in found(diagnosis, "Absent")[0]
    )
    never = rv.diagnose(log_of(np.tile([0.5, 0.5, 0], (4, 1)), np.tile([5.0, 5, 0], (4, 1))))
    assert found(never, "Never trained: 'math'")


def test_absence_in_batches_comes_from_the_trainers_own_count():
    diagnosis = rv.diagnose(
        log_of(np.full((4, 3), 1 / 3), np.ones((4, 3)), absent=[0.0, 0.0, 0.6], batch=2)
    )
    assert (
        "'math' (60 %). Its loss is not measured there" in found(diagnosis, "Absent")[0]
    )  # and no "up to 0 steps": every line has it
    assert diagnosis.table["a_batch"].tolist() == pytest.approx([2 / 3] * 3)


def test_a_loss_that_is_never_logged_says_nothing_of_absence():
    loss = np.tile([2.0, 2.0, np.nan], (10, 1))
    diagnosis = rv.diagnose(log_of(np.full((10, 3), 1 / 3), loss=loss))
    assert (
        diagnosis.findings == ()
        and np.isnan(diagnosis.table.loc["math", ["absent", "longest_gap"]].to_numpy(float)).all()
    )


def test_realised_shares_are_held_against_the_plan_where_the_weights_draw():
    drawn = np.tile([60.0, 30, 10], (40, 1))
    planned = np.full((40, 3), 1 / 3)
    (sentence,) = found(rv.diagnose(log_of(planned, drawn)), "Off plan")
    assert (
        "26.7 % of the tokens" in sentence
        and "'web' most (60.0 % drawn, 33.3 % planned)" in sentence
    )
    assert not found(rv.diagnose(log_of(planned, drawn, mixer="DoReMi(eta=1.0)")), "Off plan")
    assert not found(rv.diagnose(log_of(planned, drawn, applies_to="loss")), "Off plan")


def test_what_was_drawn_in_another_order_of_the_domains_is_said():
    planned, drawn = np.tile([0.6, 0.3, 0.1], (40, 1)), np.tile([11.0, 59, 30], (40, 1))
    (sentence,) = found(rv.diagnose(log_of(planned, drawn)), "Off plan")
    assert (
        "'web' most (11.0 % drawn, 60.0 % planned). What was drawn is what the weights give to other domains: are the weights"
        in sentence
    )
    (sentence,) = found(rv.diagnose(log_of(planned, np.tile([50.0, 45, 5], (40, 1)))), "Off plan")
    assert "ran out" in sentence and "order" not in sentence


@pytest.mark.parametrize("mixer", [None, "Mixture({'web': 1.0})", "Schedule({})"])
def test_a_run_without_a_mixer_gets_no_advice_for_one(mixer):
    weights = moving([0.998, 0.001, 0.001])
    weights[-4:, :2] = np.stack([web := np.array([0.95, 0.9, 0.8, 0.7]), 0.999 - web], 1)
    gone = np.where(np.arange(40)[:, None] % 5 == [9, 9, 0], np.nan, 2.0)
    with_mixer, without = (
        repr(rv.diagnose(log_of(weights, loss=gone, mixer=name))) for name in ("ODM()", mixer)
    )
    for kind in ("One-hot", "Not settled", "Absent", "On the floor"):
        assert kind in with_mixer and kind in without
    for advice in ("step size", "A mixer learns", "The signal alone"):
        assert advice in with_mixer and advice not in without
    assert "Bound it" in without and "take their mean" in without and "Give them more" in without


def test_epochs_that_cannot_be_known_are_said():
    log = log_of(np.tile([0.6, 0.3, 0.1], (40, 1)))
    for course, told, said in (
        (log, {"sources": TOKENS}, "the log counts no tokens; pass tokens=."),
        (log, {"tokens": 1e6}, "nothing says what there is of each domain; pass sources=."),
        (
            {"web": 0.5, "code": 0.5},
            {"sources": TOKENS},
            "nothing says how many tokens are trained on; pass tokens=.",
        ),
        (
            rv.Schedule({0: {"web": 1.0}, 9: {"web": 1.0}}),
            {"sources": TOKENS, "tokens": 1e6},
            "how long each stage lasts is not said.",
        ),
    ):
        assert rv.diagnose(course, **told).findings[-1:] == (f"Epochs are not known: {said}",)
    assert not found(rv.diagnose(log), "Epochs") and not found(
        rv.diagnose(log, TOKENS, 1e6), "Epochs"
    )
    with pytest.raises(
        rv.ReweightvizError,
        match="the sources and the mixture name different domains: only in the sources 'Web'; only in the mixture 'web', 'code', 'math'",
    ):
        rv.diagnose(log, {"Web": 1e6})


def test_the_floor_and_the_epochs_are_named():
    weights = moving([0.6, 0.399, 0.001])
    assert not found(rv.diagnose(log_of(weights)), "On the floor")
    assert (
        "'code', 'math' ended at 0.1 %"
        in found(rv.diagnose(log_of(moving([0.998, 0.001, 0.001]))), "On the floor")[0]
    )
    weights += np.linspace(-0.1, 0.1, 40)[:, None] * np.array([1, -1, 0])
    diagnosis = rv.diagnose(log_of(weights, tokens=4e6), TOKENS)
    assert "'math' ended at 0.1 %" in found(diagnosis, "On the floor")[0]
    mean = weights.mean(0)
    assert diagnosis.table["epochs"].tolist() == pytest.approx(
        (4e6 * mean / [1e6, 1e5, 1e4]).tolist()
    )
    assert (
        f"'math' {4e6 * mean[2] / 1e4:.1f} times"
        in found(diagnosis, "Repeated more than 4 times")[0]
    )
    assert rv.diagnose(log_of(weights), TOKENS, "8M").table["epochs"].iloc[0] == pytest.approx(
        8 * mean[0]
    )
    assert rv.diagnose(log_of(weights, sources=TOKENS), tokens=1e6).table["epochs"].notna().all()


def test_a_schedule_changes_on_purpose():
    early, late = {"web": 0.9, "code": 0.1}, {"web": 0.5, "code": 0.5}
    diagnosis = rv.diagnose(
        rv.Schedule({0: early, 75: late}, steps=100), {"web": 1e3, "code": 1e3}, 1e3
    )
    assert diagnosis.settled is None and not found(diagnosis, "Not settled")
    assert diagnosis.table["mean"].tolist() == pytest.approx([0.8, 0.2]) and diagnosis.table[
        "epochs"
    ].tolist() == pytest.approx([0.8, 0.2])
    unknown = rv.diagnose(rv.Schedule({0: early, 75: late}), {"web": 1e3, "code": 1e3}, 1e3)
    assert unknown.table[["mean", "epochs"]].isna().all(axis=None)


def test_the_demo_runs_are_what_they_are():
    doremi, natural = (
        rv.diagnose(rv.demo_log(name), rv.demo_swarm().tokens) for name in ("doremi", "natural")
    )
    assert not found(doremi, "Off plan") and doremi.settled is False
    assert found(natural, "Absent from batches: 'build scripts'") and natural.settled is True
    assert natural.table["drawn"].sum() == pytest.approx(1) and not found(natural, "Off plan")
    assert "<li>" in natural._repr_html_() and "round by round" in natural._repr_html_()


def test_names_are_text_in_html():
    assert "&lt;b&gt;" in rv.diagnose({"<b>": 0.95, "code": 0.05})._repr_html_()


@given(
    st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=2, max_size=30),
    st.permutations(range(3)),
)
def test_permuted_domains_permute_the_table(rows, order):
    weights = np.array(rows) / np.sum(rows, axis=1, keepdims=True)
    log = log_of(weights, 100 * weights)
    other = rv.RunLog(
        tuple(DOMAINS[k] for k in order),
        log.steps,
        weights[:, order],
        {"drawn_tokens": 100 * weights[:, order]},
        "run",
        log.meta,
    )
    one, two = rv.diagnose(log, TOKENS), rv.diagnose(other, TOKENS)
    np.testing.assert_allclose(
        two.table.loc[list(DOMAINS)].to_numpy(float), one.table.to_numpy(float), atol=1e-12
    )
    np.testing.assert_allclose(
        two.rounds[["effective", "l1", "kl"]], one.rounds[["effective", "l1", "kl"]], atol=1e-9
    )
    assert len(two.findings) == len(one.findings)
    assert (
        (one.by_step["effective"] + 1e-9 >= 1) & (one.by_step["effective"] <= 3 + 1e-9)
    ).all() and (one.rounds["kl"].dropna() >= -1e-12).all()


@pytest.mark.parametrize(
    ("course", "sentence"),
    [
        (3, "rv.diagnose takes a mixture, a schedule, a run log or a list of them; got 3"),
        ([], "rv.diagnose takes a mixture"),
        ("my.csv", r"list of them; got 'my.csv': rv.read_log\('my.csv'\) reads one."),
        (rv.RunLog(("a",), [1], [[np.nan]], name="bare"), "the log 'bare' has no weights"),
        ([{"a": 1.0}, {"b": 1.0}], "name different domains"),
        (
            log_of(np.ones((2, 3)), batch="many"),
            r"meta\['batch'\] of the log 'run' must be numbers, in rows of one length; got 'many'",
        ),
        (
            log_of(np.ones((2, 3)), batch=[8, 8]),
            r"meta\['batch'\] of the log 'run' must be one number; got \[8, 8\]",
        ),
        (
            log_of(np.ones((2, 3)), np.ones((2, 3)), absent=[0, 1]),
            r"meta\['absent'\] of the log 'run' must be 3 numbers, one a domain",
        ),
        (
            [log_of(np.ones((2, 3)), result=[0.5, 0.5])],
            r"meta\['result'\] of the log 'run' must be 3 numbers, one a domain",
        ),
    ],
)
def test_what_cannot_be_diagnosed_is_one_sentence(course, sentence):
    with pytest.raises(rv.ReweightvizError, match=sentence):
        rv.diagnose(course)


def test_sources_that_lack_a_domain_are_refused():
    with pytest.raises(
        rv.ReweightvizError,
        match="the sources and the mixture name different domains: only in the mixture 'math'",
    ):
        rv.diagnose(log_of(np.full((2, 3), 1 / 3)), {"web": 1, "code": 1}, 10)
