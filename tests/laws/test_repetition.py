"""Repeated: any law over effective weights."""

import json

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.laws._repeated_law import RepeatedLaw
from reweightviz.laws.bimix import BiMix
from reweightviz.laws.olmix import Olmix
from reweightviz.laws.repetition import Repeated
from reweightviz.laws.scaling_mixtures import ScalingMixtures
from reweightviz.numerics.effective_data import effective_tokens

NAMES = ("web", "code", "math")


def runs(count=60, noise=0.0, tokens=1e9, available=(1e9, 6e7, 4e7), seed=0):
    rng = np.random.default_rng(seed)
    mixtures = rng.dirichlet(np.ones(3), count)
    tokens = np.broadcast_to(np.asarray(tokens, float), (count,))
    worth = effective_tokens(mixtures * tokens[:, None], np.array(available))
    slopes = np.array([[-1.0, 0.2], [-2.0, -0.5], [-0.5, -1.5]])
    shares = worth / tokens[:, None]
    lost = 1 - shares.sum(1, keepdims=True)
    losses = (
        np.array([1.5, 2.0])
        + np.exp(shares @ slopes + lost * [0.3, 0.5])
        + rng.normal(0, noise, (count, 2))
    )
    return {"mixtures": mixtures, "losses": losses, "run_tokens": tokens, "available": available}


def fit_law(given, spec=None, names=NAMES):
    return (spec or Repeated(Olmix(draws=20))).fit(domains=names, targets=("a", "b"), **given)


def test_without_repetition_it_is_the_law_itself():
    given = runs(available=(1e15,) * 3, noise=0.01)
    law, plain = (
        fit_law(given),
        Olmix(draws=20).fit(
            domains=NAMES, targets=("a", "b"), mixtures=given["mixtures"], losses=given["losses"]
        ),
    )
    new = np.random.default_rng(1).dirichlet(np.ones(3), 20)
    np.testing.assert_allclose(law.predict(new), plain.predict(new), rtol=1e-9)
    np.testing.assert_allclose(law.samples(new), plain.samples(new), rtol=1e-5)
    assert law.given == () and law.takes == ("run_tokens", "available") and not law.wasteful


def test_what_repetition_costs_is_learned_where_runs_repeat():
    given = runs()
    law, new = fit_law(given), runs(200, seed=1)
    assert law.wasteful
    np.testing.assert_allclose(law.predict(new["mixtures"]), new["losses"], atol=1e-3)
    plain = Olmix(draws=0).fit(
        domains=NAMES, targets=("a", "b"), mixtures=given["mixtures"], losses=given["losses"]
    )
    assert (
        np.abs(plain.predict(new["mixtures"]) - new["losses"]).mean()
        > 10 * np.abs(law.predict(new["mixtures"]) - new["losses"]).mean()
    )
    richer = runs(200, available=(1e9, 3e8, 1e8), seed=1)
    np.testing.assert_allclose(
        law.predict(richer["mixtures"], available=(1e9, 3e8, 1e8)), richer["losses"], atol=1e-3
    )


def test_a_law_over_tokens_is_told_the_effective_ones():
    rng = np.random.default_rng(0)
    mixtures, tokens = rng.dirichlet(np.ones(3), 150), rng.choice([1e9, 2e9, 4e9, 8e9], 150)
    worth = effective_tokens(mixtures * tokens[:, None], [1e12, 5e8, 2e8])
    shares = worth / worth.sum(1, keepdims=True)
    losses = (1.5 + 1 / (shares**0.5 @ [2.0, 1.0, 1.5]) + 0.5 * (worth.sum(1) / 1e9) ** -0.4)[
        :, None
    ] * [1.0, 1.2]
    law = fit_law(
        {
            "mixtures": mixtures,
            "losses": losses,
            "run_tokens": tokens,
            "available": [1e12, 5e8, 2e8],
        },
        Repeated(ScalingMixtures(draws=5)),
    )
    assert law.given == ("run_tokens",) and not law.wasteful
    np.testing.assert_allclose(law.predict(mixtures, run_tokens=tokens), losses, atol=2e-3)
    np.testing.assert_allclose(
        law.at(run_tokens=4e9).predict(mixtures), law.predict(mixtures, run_tokens=4e9)
    )


def test_intervals_hold_new_runs():
    law, new = fit_law(runs(100, 0.02), Repeated()), runs(400, 0.02, seed=2)
    low, high = law.interval(new["mixtures"], 0.9)
    assert 0.85 <= ((low <= new["losses"]) & (new["losses"] <= high)).mean() <= 0.95


def test_domains_in_another_order_give_the_same_law():
    given, order = runs(noise=0.01), [2, 0, 1]
    permuted = {
        **given,
        "mixtures": given["mixtures"][:, order],
        "available": tuple(given["available"][i] for i in order),
    }
    np.testing.assert_allclose(
        fit_law(permuted, names=tuple(NAMES[i] for i in order)).predict(permuted["mixtures"]),
        fit_law(given).predict(given["mixtures"]),
        atol=1e-4,
    )


def test_record_comes_back_with_the_law_within_by_its_kind_alone():
    law = fit_law(runs())
    record = json.loads(json.dumps(law.to_dict()))
    again = RepeatedLaw.from_dict(record)
    new = np.random.default_rng(1).dirichlet(np.ones(3), 5)
    np.testing.assert_array_equal(
        again.interval(new, run_tokens=1e11), law.interval(new, run_tokens=1e11)
    )
    # 0.3.0 named a class; nothing is imported by a name in a file.
    record["law"]["class"] = "os:system"
    np.testing.assert_array_equal(RepeatedLaw.from_dict(record).predict(new), law.predict(new))
    record["law"]["record"]["kind"] = "os:system"
    with pytest.raises(ReweightvizError, match="no kind of law 'os:system'"):
        RepeatedLaw.from_dict(record)


def test_wrong_settings_are_one_sentence():
    for wrong, sentence in (
        ({"law": Olmix}, "takes a law's settings"),
        ({"law": Repeated()}, "takes a law's settings"),
        ({"decay": 0}, "decay above 0"),
    ):
        with pytest.raises(ReweightvizError, match=sentence):
            Repeated(**wrong)
    given = runs()
    with pytest.raises(
        ReweightvizError,
        match=r"Repeated\(Olmix\) needs available as \(3,\) or \(60, 3\); got shape \(2,\)",
    ):
        fit_law({**given, "available": [1e9, 1e9]})
    with pytest.raises(ReweightvizError, match="available must be finite numbers above 0"):
        fit_law({**given, "available": [1e9, 0, 1e9]})
    law = fit_law(given)
    with pytest.raises(
        ReweightvizError, match="takes 'run_tokens', 'available' beside the weights; got 'size'"
    ):
        law.predict(given["mixtures"], size=1e9)
    with pytest.raises(ReweightvizError, match="is not among the domains"):
        fit_law(given, Repeated(BiMix()))
