"""Loss-to-loss: known curves come back, directions flip, and both laws' uncertainty is in the interval."""

import json

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.laws._loss_to_loss_law import LossToLossLaw
from reweightviz.laws.loss_to_loss import LossToLoss
from reweightviz.laws.olmix import Olmix
from reweightviz.laws.regmix import RegMix
from reweightviz.numerics.shifted_power import evaluate, fit_line, fit_shifted_power, slopes

NAMES, SMALL = ("web", "code", "math"), ("x", "y")
SLOPES = np.array([[1.0, -1.0], [-0.5, 0.8], [0.2, -0.3]])


def truth(mixtures):
    return 2 + np.exp(mixtures @ SLOPES)


def proxy(count=60, noise=0.0, seed=0, draws=100):
    rng = np.random.default_rng(seed)
    mixtures = rng.dirichlet(np.ones(3), count)
    losses = truth(mixtures) + rng.normal(0, noise, (count, 2))
    return Olmix(draws=draws, seed=seed).fit(
        domains=NAMES, targets=SMALL, mixtures=mixtures, losses=losses
    )


def big(count=20, seed=5, noise=0.0, curve=lambda x: 1.5 + 0.4 * (x - 1) ** 1.5):
    rng = np.random.default_rng(seed)
    mixtures = rng.dirichlet(np.ones(3), count)
    return {
        "domains": NAMES,
        "targets": SMALL,
        "mixtures": mixtures,
        "losses": curve(truth(mixtures)) + rng.normal(0, noise, (count, 2)),
    }


@pytest.mark.golden(
    "LossToLoss", "curves of the form in the authors' notebooks, with known constants"
)
@pytest.mark.parametrize(
    "known", [(1.0, 1.4, 0.8, 1.5), (1.9, 0.5, 2.0, 0.0), (1.5, 0.8, -1.0, 5.0)]
)
def test_a_shifted_power_law_comes_back(known):
    x = np.random.default_rng(0).uniform(2, 4, 40)
    counts = np.vstack(
        [np.ones(40), np.random.default_rng(1).multinomial(40, np.full(40, 1 / 40), 3)]
    )
    theta, cost = fit_shifted_power(x, evaluate(np.array(known), x), counts, np.sign(known[2]))
    np.testing.assert_allclose(theta[0], known, atol=5e-3)
    np.testing.assert_allclose(cost, 0, atol=1e-6)
    np.testing.assert_allclose(
        evaluate(theta[:, None], x[None])[3], evaluate(np.array(known), x), atol=1e-3
    )


def test_a_line_is_least_squares_and_keeps_its_sign():
    rng = np.random.default_rng(0)
    x = rng.uniform(2, 4, 12)
    y = 1 + 0.5 * x + rng.normal(0, 0.1, 12)
    theta, cost = fit_line(x, y, np.ones((1, 12)), 1)
    slope, level = np.polyfit(x, y, 1)
    np.testing.assert_allclose(evaluate(theta[0], x), level + slope * x)
    assert cost[0] == pytest.approx(((y - level - slope * x) ** 2).sum())
    flat, _ = fit_line(x, y, np.ones((1, 12)), -1)
    np.testing.assert_allclose(evaluate(flat[0], x), y.mean())


def test_the_slopes_are_those_of_the_curve():
    theta, x, step = np.array([1.0, 1.4, 0.8, 1.5]), np.linspace(2, 4, 5), 1e-6
    for i, move in enumerate(step * np.eye(4)):
        np.testing.assert_allclose(
            slopes(theta, x)[:, i],
            (evaluate(theta + move, x) - evaluate(theta - move, x)) / (2 * step),
            atol=1e-6,
        )


def test_a_bent_curve_over_a_known_law_is_followed():
    law = LossToLoss().fit(**big(40), law=proxy())
    new = np.random.default_rng(7).dirichlet(np.ones(3), 30)
    np.testing.assert_allclose(law.predict(new), 1.5 + 0.4 * (truth(new) - 1) ** 1.5, atol=2e-3)
    assert law.diagnostics["form"] == ["power", "power"]
    assert law.diagnostics["source"] == ["x", "y"]


def test_few_or_straight_runs_make_a_line():
    for count in (3, 6, 30):
        law = LossToLoss().fit(**big(count, noise=0.01, curve=lambda x: 1 + 0.5 * x), law=proxy())
        assert law.diagnostics["form"] == ["linear", "linear"]
    assert LossToLoss(form="power").fit(**big(6), law=proxy()).diagnostics["form"] == [
        "power",
        "power",
    ]


def test_a_metric_follows_what_it_agrees_with_and_may_fall():
    given = big(30)
    given |= {
        "targets": ("accuracy", "perplexity"),
        "losses": np.column_stack(
            [1 - 0.1 * truth(given["mixtures"])[:, 1], truth(given["mixtures"]).mean(1)]
        ),
    }
    law = LossToLoss().fit(**given, law=proxy(), lower_is_better=[False, True])
    assert law.diagnostics["source"] == ["y", "mean"]
    np.testing.assert_allclose(law.predict(given["mixtures"]), given["losses"], atol=1e-3)
    assert (law.theta[:, 2] * [-1, 1] > 0).all()
    chosen = LossToLoss(source="x").fit(**given, law=proxy(), lower_is_better=[False, True])
    assert chosen.diagnostics["source"] == ["x", "x"]
    wrong = LossToLoss(source="y").fit(**given, law=proxy())
    assert wrong.diagnostics["degenerate"][0]  # it falls where it should rise


def test_domains_come_in_any_order():
    given, order = big(), [2, 0, 1]
    turned = given | {
        "domains": tuple(NAMES[i] for i in order),
        "mixtures": given["mixtures"][:, order],
    }
    law = LossToLoss().fit(**turned, law=proxy())
    assert law.domains == NAMES
    np.testing.assert_array_equal(law.theta, LossToLoss().fit(**given, law=proxy()).theta)


@pytest.mark.parametrize("measured", [True, False])
def test_intervals_hold_new_runs_as_often_as_they_say(measured):
    inside = []
    for seed in range(12):
        beneath, given = proxy(50, noise=0.05, seed=seed), big(224, seed=100 + seed, noise=0.03)
        few = given | {name: given[name][:24] for name in ("mixtures", "losses")}
        small = truth(few["mixtures"]) + np.random.default_rng(seed).normal(0, 0.05, (24, 2))
        if measured:  # a bigger run errs with the small one at the same mixture
            few["losses"] = few["losses"] + (small - truth(few["mixtures"]))
            given["losses"] = given["losses"] + np.random.default_rng(200 + seed).normal(
                0, 0.05, (224, 2)
            )
        law = LossToLoss(seed=seed).fit(
            **few, law=beneath, proxy_losses=small if measured else None
        )
        low, high = law.interval(given["mixtures"][24:])
        inside.append(((low <= given["losses"][24:]) & (given["losses"][24:] <= high)).mean())
    assert 0.84 <= np.mean(inside) <= 0.97


def test_far_from_the_pairs_the_law_beneath_adds_its_doubt():
    near = np.array([0.1, 0.8, 0.1]) + 0.02 * np.random.default_rng(0).normal(size=(20, 3))
    near /= near.sum(1, keepdims=True)
    rng = np.random.default_rng(1)
    mixtures = np.concatenate([near, rng.dirichlet([1, 20, 1], 30)])
    beneath = Olmix(draws=100).fit(
        domains=NAMES,
        targets=SMALL,
        mixtures=mixtures,
        losses=truth(mixtures) + rng.normal(0, 0.02, (50, 2)),
    )
    given = {
        "domains": NAMES,
        "targets": SMALL,
        "mixtures": near,
        "losses": 1 + 0.5 * truth(near) + rng.normal(0, 0.01, (20, 2)),
    }
    law = LossToLoss(form="linear").fit(**given, law=beneath)
    low, high = law.interval([[0.1, 0.8, 0.1], [0.05, 0.05, 0.9]])
    assert ((high - low)[1] > 3 * (high - low)[0]).all()


def test_a_law_without_draws_gives_the_curves_own_interval():
    law = LossToLoss().fit(**big(noise=0.02), law=RegMix(model="linear", folds=0).fit(**big(40)))
    low, high = law.interval([[0.3, 0.3, 0.4]])
    assert np.isfinite(high - low).all()
    low, _ = LossToLoss(draws=0).fit(**big(), law=proxy()).interval([[0.3, 0.3, 0.4]])
    assert np.isnan(low).all()


def test_survives_json():
    law = LossToLoss(draws=5).fit(**big(), law=proxy(noise=0.1))
    again = LossToLossLaw.from_dict(json.loads(json.dumps(law.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(again.samples(np.eye(3)), law.samples(np.eye(3)))
    record = law.to_dict()
    record["law"]["kind"] = "os:system"
    with pytest.raises(ReweightvizError, match="no kind of law 'os:system'"):
        LossToLossLaw.from_dict(record)


class Scaled:
    """A law that takes the tokens."""

    domains, targets, lower_is_better, given = NAMES, SMALL, np.ones(2, bool), ("run_tokens",)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            {"domains": ("web", "code", "maths")},
            "the runs and the law beneath name different domains",
        ),
        ({"law": Scaled()}, r"takes 'run_tokens': hold them with law.at\(...\)"),
        ({"proxy_losses": np.ones((20, 3))}, r"proxy_losses must be \(20, 2\) finite numbers"),
        ({"mixtures": np.eye(3)[:2], "losses": np.ones((2, 2))}, "needs at least 3 runs; got 2"),
    ],
)
def test_what_cannot_be_fitted_is_one_sentence(wrong, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        LossToLoss().fit(**{"law": proxy(draws=0)} | big() | wrong)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"form": "cubic"}, "no form of LossToLoss 'cubic'"), ({"draws": -1}, "draws of at least 0")],
)
def test_wrong_settings_are_one_sentence(wrong, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        LossToLoss(**wrong)
    with pytest.raises(ReweightvizError, match="no target of the law beneath 'z'"):
        LossToLoss(source="z").fit(**big(), law=proxy(draws=0))
