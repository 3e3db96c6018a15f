"""One answer to one question: is a mixture better than another under a law, in every place."""

from __future__ import annotations

import base64
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reweightviz.core.mixture import Mixture
from reweightviz.decision.gather_decision import gather_decision
from reweightviz.figures.consequence import MEAN, consequences
from reweightviz.laws import GaussianProcess, Olmix, RegMix
from reweightviz.laws._log_linear_law import LogLinearLaw
from reweightviz.numerics.contrast import contrast_figure, forecast_mixtures, weigh_targets
from reweightviz.proposals.aim import build_aim
from reweightviz.proposals.evidence import gather_evidence
from reweightviz.proposals.task import build_task
from reweightviz.widgets.editor.mixture_editor import MixtureEditor
from reweightviz.widgets.editor.predictions import predict_pair

GOLDEN = Path(__file__).parents[1] / "golden"
DOMAINS = ("web", "code", "math", "books")
TARGETS = ("chat", "python", "proofs")
CHOSEN = {"web": 0.4, "code": 0.3, "math": 0.2, "books": 0.1}
UNIFORM = dict.fromkeys(DOMAINS, 0.25)


def contrast_mixtures(law, pair, **options):
    return forecast_mixtures(law, pair, **options).contrast(0, 1)


def golden_law(lower_is_better=(True, True, True)):
    """Return the law of the form that Python and the browser share."""
    form = json.loads((GOLDEN / "law_form.json").read_text("utf-8"))
    header = form["header"]
    numbers = np.frombuffer(base64.b64decode(form["data"]), "<f4")
    many, width = len(header["targets"]), 1 + len(header["domains"])
    coef, draws, noise = np.split(numbers, [many * width, many * width * (1 + header["draws"])])
    return LogLinearLaw(
        tuple(header["domains"]),
        tuple(header["targets"]),
        np.array(lower_is_better),
        coef.reshape(many, width),
        draws.reshape(-1, many, width),
        noise.reshape(-1, many),
    )


def noisy_law(better=(True, True, True)):
    """Return a law that knows the difference of two mixtures far better than the loss of a run."""
    rng = np.random.default_rng(3)
    coef = np.column_stack([np.log(rng.uniform(1, 2, 3)), rng.normal(-0.6, 0.9, (3, 4))])
    return LogLinearLaw(
        DOMAINS,
        TARGETS,
        np.array(better),
        coef,
        coef + rng.normal(0, 0.02, (200, 3, 5)),
        rng.normal(0, 0.3, (200, 3)),
    )


class Silent:
    """A law that gives intervals and no draws."""

    def __init__(self, law, known=True):
        self.law, self.known = law, known
        self.domains, self.targets, self.lower_is_better = (
            law.domains,
            law.targets,
            law.lower_is_better,
        )

    def predict(self, weights):
        return self.law.predict(weights)

    def interval(self, weights, level=0.9):
        low, high = self.law.interval(weights, level)
        return (
            (low, high) if self.known else (np.full_like(low, np.nan), np.full_like(high, np.nan))
        )

    def browser_form(self):
        return None


class Opaque(Silent):
    """A law with draws that the browser cannot evaluate by itself."""

    def samples(self, weights):
        return self.law.samples(weights)


def pair_of(chosen, reference):
    return np.array([list(chosen.values()), list(reference.values())])


def ends(contrast):
    return contrast.change, contrast.low, contrast.high


# ---- one answer


def everywhere(law):
    """Return place to (change, low, high, verdict) of the mean and the targets, chosen against uniform."""
    record = gather_decision(
        Mixture(CHOSEN),
        reference=UNIFORM,
        law=law,
        sources=None,
        tokens=None,
        rejected=None,
        files=(),
        title=None,
    )
    ordered = {one.target: one for one in record.targets}
    recorded = [record.mean, *(ordered[name] for name in law.targets)]
    table = consequences(law, {"chosen": CHOSEN, "uniform": UNIFORM}, "uniform").loc["chosen"]
    editor = MixtureEditor(UNIFORM, law=Opaque(law))
    replies = []
    editor.send = replies.append
    weighed = {"weights": list(CHOSEN.values()), "reference": list(UNIFORM.values())}
    editor._answer(editor, {"id": 1, "type": "predict", **weighed}, [])
    change = replies[0]["change"]
    return {
        "record": [(*one.change, one.verdict.removesuffix(" on average")) for one in recorded],
        "replay": [
            tuple(table.loc[name, ["change", "low", "high", "verdict"]])
            for name in (MEAN, *law.targets)
        ],
        "editor": [
            tuple(one[part] for part in ("change", "low", "high", "verdict"))
            for one in (change["mean"], *change["targets"])
        ],
    }


def test_every_place_gives_the_same_interval():
    """Replay's interval was that of one run, which here holds 0, where the record's left it out."""
    law = noisy_law()
    expected = contrast_mixtures(law, pair_of(CHOSEN, UNIFORM))
    one_run = law.interval([list(CHOSEN.values())])
    assert (one_run[1] - one_run[0]).min() > 5 * max(
        each.high - each.low for each in expected.targets
    )
    assert expected.mean.verdict == "better"
    drawn = (
        law.samples(pair_of(CHOSEN, UNIFORM))[:, 0].mean(1)
        - law.predict([list(UNIFORM.values())]).mean()
    )
    assert np.quantile(drawn, 0.05) < 0 < np.quantile(drawn, 0.95), "one run may show nothing"
    for place, answers in everywhere(law).items():
        for (*got, verdict), one in zip(answers, [expected.mean, *expected.targets], strict=True):
            assert got == pytest.approx(ends(one), abs=1e-12), place
            assert verdict == one.verdict, place


@pytest.mark.parametrize("law", [noisy_law(), Silent(noisy_law())], ids=["draws", "intervals"])
def test_the_evidence_of_a_proposal_has_that_interval(law):
    task = build_task(law)
    free = np.array(list(CHOSEN.values()))
    for objective in ("mean", {"chat": 1, "proofs": 2}):
        aim = build_aim(law, objective, task.predict(task.reference[None])[0])
        gain = gather_evidence(task, aim, free, np.empty((0, 4))).record["gain"]
        mean = contrast_mixtures(law, pair_of(CHOSEN, UNIFORM), importance=aim.importance).mean
        assert [gain["predicted"], *gain["interval_90"]] == pytest.approx(
            [-mean.change, -mean.high, -mean.low], abs=1e-12
        )


def test_the_interval_is_that_of_the_paired_draws():
    law = noisy_law()
    pair = pair_of(CHOSEN, UNIFORM)
    refits = [
        LogLinearLaw(DOMAINS, TARGETS, np.ones(3, bool), coef).predict(pair)
        for coef in law.refits.astype(float)
    ]
    differences = np.array(refits)[:, 0] - np.array(refits)[:, 1]
    found = contrast_mixtures(law, pair, level=0.8)
    expected = np.quantile(
        np.column_stack([differences.mean(1), differences]), [0.1, 0.9], axis=0, method="weibull"
    )
    got = [
        [found.mean.low, *(one.low for one in found.targets)],
        [found.mean.high, *(one.high for one in found.targets)],
    ]
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_draws_cover_the_expected_difference_as_often_as_they_should():
    """The noise of the runs is large beside the differences, and is not in the interval."""
    covered = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        rates = rng.normal(-0.6, 0.7, (2, 4))
        mixtures = rng.dirichlet(np.ones(4), 60)
        losses = 1.5 + np.exp(mixtures @ rates.T) + rng.normal(0, 0.05, (60, 2))
        law = Olmix(draws=100).fit(
            domains=DOMAINS, targets=("a", "b"), mixtures=mixtures, losses=losses
        )
        for pair in rng.dirichlet(np.ones(4), (40, 2)):
            true = np.exp(pair @ rates.T)
            covered += [
                one.low <= value <= one.high
                for one, value in zip(
                    contrast_mixtures(law, pair).targets, true[0] - true[1], strict=True
                )
            ]
    assert 0.8 < np.mean(covered) < 0.97


# ---- properties


weights = st.lists(st.floats(0.01, 1), min_size=4, max_size=4).map(
    lambda values: (np.array(values) / sum(values)).tolist()
)
better = st.lists(st.booleans(), min_size=3, max_size=3)


@settings(max_examples=40)
@given(weights)
@pytest.mark.parametrize("law", [golden_law(), noisy_law()], ids=["golden", "noisy"])
def test_a_mixture_against_itself_is_exactly_nothing(law, mixture):
    mean, targets = contrast_mixtures(law, [mixture, mixture])
    assert {(*ends(one), one.verdict) for one in (mean, *targets)} == {(0, 0, 0, "noise")}


@settings(max_examples=40)
@given(weights, weights, better, st.sampled_from([0.5, 0.9]))
def test_swapping_mirrors_the_interval(chosen, reference, lower_is_better, level):
    law = noisy_law(lower_is_better)
    for one, back in zip(
        flat(law, [chosen, reference], level), flat(law, [reference, chosen], level), strict=True
    ):
        assert ends(back) == pytest.approx((-one.change, -one.high, -one.low), abs=1e-12)
        assert back.verdict == {"better": "worse", "worse": "better"}.get(one.verdict, one.verdict)


@settings(max_examples=40)
@given(weights, weights)
def test_where_higher_is_better_the_verdict_flips(chosen, reference):
    falls = flat(noisy_law(), [chosen, reference], 0.9)
    rises = flat(noisy_law((False, False, False)), [chosen, reference], 0.9)
    for one, other in zip(falls, rises, strict=True):
        assert ends(one) == ends(other)
        assert other.verdict == {"better": "worse", "worse": "better"}.get(one.verdict, one.verdict)


def flat(law, pair, level):
    mean, targets = contrast_mixtures(law, pair, level=level)
    return [mean, *targets]


@pytest.mark.parametrize(
    "spec", [GaussianProcess(draws=60), RegMix(model="linear")], ids=["process", "regmix"]
)
def test_other_laws_pair_their_draws(spec):
    rng = np.random.default_rng(0)
    mixtures = rng.dirichlet(np.ones(4), 40)
    losses = noisy_law().predict(mixtures) + rng.normal(0, 0.02, (40, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        law = spec.fit(domains=DOMAINS, targets=TARGETS, mixtures=mixtures, losses=losses)
    same = contrast_mixtures(law, pair_of(CHOSEN, CHOSEN))
    assert {one.verdict for one in (same.mean, *same.targets)} == {"noise"}
    np.testing.assert_allclose([ends(one) for one in (same.mean, *same.targets)], 0, atol=1e-12)
    far = contrast_mixtures(law, [[1, 0, 0, 0], [0, 0, 0, 1]])
    low, high = law.interval([[1, 0, 0, 0]])
    assert all(
        one.high - one.low < 3 * width
        for one, width in zip(far.targets, (high - low)[0], strict=True)
    )


def test_the_law_is_evaluated_once_for_every_question(monkeypatch):
    law = Opaque(noisy_law())
    asked = []
    for name in ("predict", "samples", "interval"):
        verb = getattr(law, name)
        monkeypatch.setattr(
            law, name, lambda *args, verb=verb, name=name: asked.append(name) or verb(*args)
        )
    predict_pair(law, np.array(pair_of(CHOSEN, UNIFORM)), 0.9)
    assert sorted(asked) == ["predict", "samples"]


# ---- without draws


def test_without_draws_the_intervals_of_both_bound_the_change():
    law = Silent(noisy_law())
    pair = pair_of(CHOSEN, UNIFORM)
    low, high = law.interval(pair)
    found = contrast_mixtures(law, pair)
    np.testing.assert_allclose([one.low for one in found.targets], low[0] - high[1])
    np.testing.assert_allclose([one.high for one in found.targets], high[0] - low[1])
    assert (found.mean.low, found.mean.high) == pytest.approx(
        ((low[0] - high[1]).mean(), (high[0] - low[1]).mean())
    )
    drawn = contrast_mixtures(noisy_law(), pair)
    assert found.mean.low < drawn.mean.low < drawn.mean.high < found.mean.high


def test_without_anything_the_verdict_is_unknown():
    found = contrast_mixtures(Silent(noisy_law(), known=False), pair_of(CHOSEN, UNIFORM))
    assert {one.verdict for one in (found.mean, *found.targets)} == {"unknown"}
    assert np.isnan(found.mean.low)
    assert np.isfinite(found.mean.change)
    assert contrast_figure([1.0, 2.0], []).verdict == "unknown"


# ---- the mean


def test_the_mean_is_of_losses_unless_importance_is_given():
    law = noisy_law((True, False, True))
    mean, targets = contrast_mixtures(law, pair_of(CHOSEN, UNIFORM))
    assert mean.change == pytest.approx((targets[0].change + targets[2].change) / 2)
    mean, targets = contrast_mixtures(law, pair_of(CHOSEN, UNIFORM), importance=[1, 3, 0])
    assert mean.change == pytest.approx((targets[0].change - 3 * targets[1].change) / 4)
    assert weigh_targets([False, False], [1, 3]).tolist() == [0.25, 0.75]


def test_rounding_is_no_change():
    assert contrast_figure([1.0 - 1e-12, 1.0], [[1.0 - 1e-12, 1.0]] * 30).verdict == "noise"
    assert contrast_figure([1.0, 1.5], [[1.6, 1.5]] * 30).verdict == "noise", (
        "the interval does not hold the change"
    )


# ---- the file that the browser's test reads


def make_golden():
    """Return pairs of mixtures, directions and levels with the contrasts that Python gives."""
    mixtures = [[0.25] * 4, [0.7, 0.2, 0.1, 0.0], [0.1, 0.2, 0.3, 0.4], [0.24, 0.26, 0.25, 0.25]]
    cases = []
    for lower_is_better in ([True, True, True], [True, False, True], [False, False, False]):
        for first, second in ((1, 0), (0, 1), (2, 0), (3, 0), (2, 2)):
            for level in (0.9, 0.5):
                pair = [mixtures[first], mixtures[second]]
                mean, targets = contrast_mixtures(golden_law(lower_is_better), pair, level=level)
                cases.append(
                    {
                        "lower_is_better": lower_is_better,
                        "pair": pair,
                        "level": level,
                        "mean": vars(mean),
                        "targets": [vars(one) for one in targets],
                    }
                )
    return {"law": "law_form.json", "cases": cases}


def test_the_golden_file_is_what_python_gives():
    golden = json.loads((GOLDEN / "contrast.json").read_text("utf-8"))
    again = make_golden()
    assert len(golden["cases"]) == len(again["cases"]) == 30
    for one, other in zip(golden["cases"], again["cases"], strict=True):
        for figure, expected in zip(
            [one["mean"], *one["targets"]], [other["mean"], *other["targets"]], strict=True
        ):
            assert figure.pop("verdict") == expected.pop("verdict")
            assert figure == pytest.approx(expected, abs=1e-12)


if __name__ == "__main__":
    (GOLDEN / "contrast.json").write_text(json.dumps(make_golden()) + "\n", "utf-8")
