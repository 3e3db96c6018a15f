"""What repeated data is worth: the numbers of the authors' public code, and the laws made of it."""

import json

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.laws import repetition
from reweightviz.laws.bimix import BiMix
from reweightviz.laws.olmix import Olmix
from reweightviz.laws.repetition import Repeated, RepeatedLaw
from reweightviz.laws.scaling_mixtures import ScalingMixtures
from reweightviz.numerics.effective_data import (
    data_constrained_loss,
    effective_tokens,
    halving_samples,
    utility_loss,
    worn_log,
)

NAMES = ("web", "code", "math")


# ---- effective tokens


@pytest.mark.golden("Repeated", "effective epochs and the parametric fit of datablations")
def test_effective_epochs_are_those_of_the_published_constant():
    epochs = np.array([1, 2, 4, 10, 16, 44, 1e12])
    expected = [1, 1.968199, 3.725673, 7.814123, 10.582457, 15.446799, 16.387756]
    np.testing.assert_allclose(effective_tokens(epochs * 3e9, 3e9) / 3e9, expected, atol=1e-6)
    assert effective_tokens(4.0, 1.0) / 4 == pytest.approx(
        0.93, abs=0.005
    )  # the rule of four epochs


@pytest.mark.golden("Repeated", "effective epochs and the parametric fit of datablations")
@pytest.mark.parametrize(
    ("size", "tokens", "unique", "loss"),
    [(6.34e9, 242e9, 25e9, 2.2256440889984477), (8.67e9, 178e9, 25e9, 2.2269634075087867)],
)
def test_the_data_constrained_law_gives_the_published_losses(size, tokens, unique, loss):
    assert float(data_constrained_loss(size, tokens, unique)) == pytest.approx(loss, abs=1e-12)


def test_effective_tokens_at_the_edges():
    assert (
        effective_tokens(0.0, 0.0) == 0
        and effective_tokens(5.0, 0.0) == 0
        and effective_tokens(2.0, 5.0) == 2
    )
    np.testing.assert_allclose(effective_tokens(1 + 1e-12, 1.0), 1, rtol=1e-9)
    values = effective_tokens(np.linspace(0, 50, 500), 1.0)
    assert (np.diff(values) > 0).all() and (np.diff(values, 2) < 1e-12).all()
    assert effective_tokens([[1.0, 8.0]], [2.0, 2.0]).shape == (1, 2)


# ---- utility that halves by the epoch


@pytest.mark.golden("DataFiltering", "utility, effective data and best pool of the authors' code")
def test_utility_over_epochs_is_that_of_the_authors():
    options = {"rate": 0.02 / 100_000, "floor": 0.1}
    seen = 12.8e6 * np.array([1, 2, 4, 10])
    inside = [
        utility_loss(samples, 12.8e6, [-0.15], [3.0], floor_decays=True, **options)
        for samples in seen
    ]
    np.testing.assert_allclose(inside, [0.968488, 0.891775, 0.839934, 0.809902], atol=1e-6)
    worth = [halving_samples(samples, 12.8e6, 3.0) * options["rate"] for samples in seen]
    np.testing.assert_allclose(worth, [2.56, 4.591873, 7.484572, 11.178002], atol=1e-6)
    np.testing.assert_allclose(
        0.1 + np.array(worth) ** -0.15, [0.968488, 0.895612, 0.839392, 0.796218], atol=1e-6
    )
    outside = [utility_loss(samples, 12.8e6, [-0.15], [3.0], **options) for samples in seen]
    assert outside[0] == pytest.approx(inside[0]) and (np.array(outside[1:]) > inside[1:]).all()


@pytest.mark.golden("DataFiltering", "utility, effective data and best pool of the authors' code")
@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (32e6, [0.833935, 0.828688, 0.843038, 0.856960]),
        (64e6, None),
        (128e6, [0.761962, 0.685474, 0.689293, 0.706989]),
        (640e6, [0.757063, 0.623478, 0.584770, 0.584079]),
    ],
)
def test_the_best_pool_depends_on_how_long_one_trains(samples, expected):
    utilities, half_lives = [-0.18, -0.16, -0.14, -0.12], [3, 4, 5, 6]
    losses = [
        utility_loss(
            samples,
            12.8e6 * pools,
            utilities[:pools],
            half_lives[:pools],
            rate=2e-7,
            floor=0.1,
            floor_decays=True,
        )
        for pools in (1, 2, 3, 4)
    ]
    if expected is not None:
        np.testing.assert_allclose(losses, expected, atol=1e-6)
    assert int(np.argmin(losses)) + 1 == (4 if samples == 640e6 else 2)


def test_wear_in_the_logarithm_is_the_product_over_epochs():
    epochs, half_life = np.array([[0.5, 1.0, 2.5, 7.0]]), 3.0
    value, _ = worn_log(epochs, np.full((1, 4), np.log(2) / half_life))
    for i, passes in enumerate(epochs[0]):
        direct = utility_loss(passes * 100, 100, [-0.15], [half_life], rate=1.0, floor=0.0)
        first = min(passes, 1) * 100
        assert np.exp(-0.15 * (np.log(first) + value[0, i])) == pytest.approx(direct, rel=1e-12)


def test_many_epochs_are_integrated_closely_and_slopes_agree():
    epochs, wear = (
        np.array([[63.5, 64.5, 300.0, 5000.0]]),
        np.array([0.0, 1e-4, 0.003, 0.02, 0.3])[:, None, None] * np.ones((1, 1, 4)),
    )
    value, slope = worn_log(epochs, wear)
    for w in range(5):
        for i, passes in enumerate(epochs[0]):
            ends = np.minimum(np.arange(1, int(np.ceil(passes)) + 1), passes)
            exact = (
                np.exp(-np.arange(1, len(ends)) * wear[w, 0, i]) * np.log(ends[1:] / ends[:-1])
            ).sum()
            assert value[w, 0, i] == pytest.approx(exact, abs=2e-4)
    step = 1e-6
    up, down = worn_log(epochs, wear[1:] + step)[0], worn_log(epochs, wear[1:] - step)[0]
    np.testing.assert_allclose(slope[1:], (up - down) / (2 * step), rtol=1e-4, atol=1e-4)


# ---- any law over effective weights


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


def fitted(given, spec=None, names=NAMES):
    return (spec or Repeated(Olmix(draws=20))).fit(domains=names, targets=("a", "b"), **given)


def test_without_repetition_it_is_the_law_itself():
    given = runs(available=(1e15,) * 3, noise=0.01)
    law, plain = (
        fitted(given),
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
    law, new = fitted(given), runs(200, seed=1)
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
    law = fitted(
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
    law, new = fitted(runs(100, 0.02), Repeated()), runs(400, 0.02, seed=2)
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
        fitted(permuted, names=tuple(NAMES[i] for i in order)).predict(permuted["mixtures"]),
        fitted(given).predict(given["mixtures"]),
        atol=1e-4,
    )


def test_record_comes_back_with_the_law_within_by_its_kind_alone():
    law = fitted(runs())
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
        fitted({**given, "available": [1e9, 1e9]})
    with pytest.raises(ReweightvizError, match="available must be finite numbers above 0"):
        fitted({**given, "available": [1e9, 0, 1e9]})
    law = fitted(given)
    with pytest.raises(
        ReweightvizError, match="takes 'run_tokens', 'available' beside the weights; got 'size'"
    ):
        law.predict(given["mixtures"], size=1e9)
    with pytest.raises(ReweightvizError, match="is not among the domains"):
        fitted(given, Repeated(BiMix()))
    assert repetition.LEAST_WASTED < 1
