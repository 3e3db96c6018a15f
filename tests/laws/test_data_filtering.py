"""The data-filtering law: known parameters, slopes, repetition."""

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.laws._curves import CURVES
from reweightviz.laws._inputs import Inputs
from reweightviz.laws.data_filtering import DataFiltering
from reweightviz.numerics.effective_data import utility_loss

NAMES = ("web", "code", "math")
UTILITY, HALF_LIFE = (
    np.array([[-0.20, -0.12, -0.16], [-0.10, -0.18, -0.14]]),
    np.array([[4.0, 3.0, 6.0], [5.0, 2.0, 4.0]]),
)
FLOOR, FACTOR = np.array([1.0, 1.4]), np.array([2.0, 2.5])


def truth(mixtures, tokens, available):
    theta = np.column_stack([FLOOR, np.log(FACTOR), [np.log(1e-3)] * 2, UTILITY, 1 / HALF_LIFE])
    points = Inputs(
        mixtures,
        {"run_tokens": tokens, "available": np.broadcast_to(available, mixtures.shape)},
        {"unit": np.array(1e9)},
    )
    return CURVES["data-filtering"].value(theta, points).T


def runs(count=150, noise=0.0, available=(1e12, 4e8, 3e8), seed=0):
    rng = np.random.default_rng(seed)
    mixtures, tokens = (
        rng.dirichlet(np.ones(3), count),
        rng.choice([5e8, 1e9, 2e9, 4e9, 8e9], count),
    )
    losses = truth(mixtures, tokens, np.array(available))
    return {
        "mixtures": mixtures,
        "losses": losses + rng.normal(0, noise, losses.shape),
        "run_tokens": tokens,
        "available": available,
    }


def fit_law(given, draws=10, names=NAMES):
    return DataFiltering(draws=draws).fit(domains=names, targets=("a", "b"), **given)


def test_pools_of_one_size_mixed_evenly_are_those_of_the_paper():
    utilities, half_lives, each = [-0.18, -0.16, -0.14], [3.0, 4.0, 5.0], 100.0
    for pools in (1, 2, 3):
        theta = np.array([[0.1, 0.0, 0.0, *utilities[:pools], *(1 / np.array(half_lives[:pools]))]])
        for samples in (30.0, 100.0, 350.0, 2000.0):
            points = Inputs(
                np.full((1, pools), 1 / pools),
                {"run_tokens": np.array([samples]), "available": np.full((1, pools), each)},
                {"unit": np.array(1.0)},
            )
            direct = utility_loss(
                samples, each * pools, utilities[:pools], half_lives[:pools], rate=1.0, floor=0.1
            )
            assert CURVES["data-filtering"].value(theta, points).item() == pytest.approx(
                direct, rel=1e-12
            )


def test_slopes_are_those_of_the_values():
    rng = np.random.default_rng(0)
    theta = np.column_stack([FLOOR, np.log(FACTOR), [-5.0, -3.0], UTILITY, 1 / HALF_LIFE])
    points = Inputs(
        rng.dirichlet(np.ones(3), 9),
        {"run_tokens": rng.uniform(5e8, 8e9, 9), "available": np.full((9, 3), 3e8)},
        {"unit": np.array(1e9)},
    )
    slopes = CURVES["data-filtering"].jacobian(theta, points)
    for p in range(theta.shape[1]):
        step = np.zeros_like(theta)
        step[:, p] = 1e-6
        there, here = (
            CURVES["data-filtering"].value(theta + sign * step, points) for sign in (1, -1)
        )
        np.testing.assert_allclose(slopes[:, :, p], (there - here) / 2e-6, atol=1e-6)


def test_losses_and_their_wear_are_recovered_and_carried_to_other_amounts():
    given = runs()
    law = fit_law(given)
    assert law.given == ("run_tokens",) and law.takes == ("run_tokens", "available")
    np.testing.assert_allclose(
        law.predict(given["mixtures"], run_tokens=given["run_tokens"]), given["losses"], atol=1e-4
    )
    new = runs(100, available=(1e10, 1e9, 2e8), seed=3)
    np.testing.assert_allclose(
        law.predict(new["mixtures"], run_tokens=new["run_tokens"], available=new["available"]),
        new["losses"],
        atol=5e-3,
    )
    np.testing.assert_allclose(law.theta[:, 0], FLOOR, atol=0.02)


def test_repeating_a_domain_without_end_gains_nothing():
    law = fit_law(runs())
    tokens = np.array([1e9, 1e10, 1e11, 1e12, 1e13])
    code = law.predict(np.tile([0.0, 1, 0], (5, 1)), run_tokens=tokens)
    web = law.predict(np.tile([1.0, 0, 0], (5, 1)), run_tokens=tokens)
    assert (np.diff(code[:, 0]) <= 1e-9).all()
    assert code[3, 0] - code[4, 0] < 0.01 * (code[0, 0] - code[4, 0])
    assert web[3, 0] - web[4, 0] > 0.01


def test_runs_of_one_length_are_taken_for_granted_and_the_order_of_domains_is_not_seen():
    given = runs()
    given = {
        **given,
        "run_tokens": np.full(150, 2e9),
        "losses": truth(given["mixtures"], np.full(150, 2e9), np.array(given["available"])),
    }
    law, order = fit_law(given), [1, 2, 0]
    assert law.given == ()
    np.testing.assert_allclose(law.predict(given["mixtures"]), given["losses"], atol=2e-3)
    permuted = {
        **given,
        "mixtures": given["mixtures"][:, order],
        "available": tuple(given["available"][i] for i in order),
    }
    np.testing.assert_allclose(
        fit_law(permuted, names=tuple(NAMES[i] for i in order)).predict(permuted["mixtures"]),
        law.predict(given["mixtures"]),
        atol=2e-3,
    )


def test_intervals_hold_new_runs():
    law, new = fit_law(runs(noise=0.02), draws=150), runs(400, 0.02, seed=2)
    low, high = law.interval(new["mixtures"], 0.9, run_tokens=new["run_tokens"])
    assert 0.85 <= ((low <= new["losses"]) & (new["losses"] <= high)).mean() <= 0.95


def test_record_keeps_what_is_taken_for_granted():
    given = runs()
    law = fit_law(given)
    again = type(law).from_dict(law.to_dict())
    np.testing.assert_array_equal(
        again.predict(given["mixtures"], run_tokens=1e10),
        law.predict(given["mixtures"], run_tokens=1e10),
    )
    with pytest.raises(
        ReweightvizError, match="takes 'run_tokens', 'available' beside the weights; got none"
    ):
        law.predict(given["mixtures"])
    with pytest.raises(
        ReweightvizError,
        match="fits 9 numbers a target for 3 domains and needs at least 9 runs; got 5",
    ):
        fit_law(
            {name: value if name == "available" else value[:5] for name, value in given.items()}
        )
