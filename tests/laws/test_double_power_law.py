"""Double power law: a gain from a domain's weight, and a loss where its data is too small."""

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.laws._curves import CURVES
from reweightviz.laws._inputs import Inputs
from reweightviz.laws.double_power_law import DoublePowerLaw

NAMES = ("web", "code", "math")


def sweep(count=40, noise=0.0, available=None, seed=0):
    rng = np.random.default_rng(seed)
    mixtures = rng.dirichlet(np.ones(3), count)
    amounts = (
        rng.choice([1e6, 1e7, 1e8], (count, 3))
        if available == "varied"
        else np.full((count, 3), 1e7)
    )
    factor = 0.05 + 0.5 * (amounts / 1e7) ** -0.4
    losses = (
        [1.0, 1.2, 0.9] + [0.3, 0.2, 0.25] * mixtures**-0.3 + factor * mixtures ** [1.5, 1.2, 2.0]
    )
    return mixtures, losses + rng.normal(0, noise, losses.shape), amounts


def fit_law(mixtures, losses, amounts=None, targets=NAMES, draws=20):
    return DoublePowerLaw(draws=draws).fit(
        domains=NAMES, targets=targets, mixtures=mixtures, losses=losses, available=amounts
    )


@pytest.mark.parametrize("over_data", [False, True])
def test_double_power_slopes_are_those_of_the_values(over_data):
    rng = np.random.default_rng(0)
    kind = "double-power-law-data" if over_data else "double-power-law"
    theta = rng.uniform(0.2, 0.9, (3, 7 if over_data else 5))
    points = Inputs(
        rng.dirichlet(np.ones(3), 9),
        {"available": rng.uniform(1e6, 1e8, (9, 3))} if over_data else {},
        {"least": np.array(1e-4), "own": np.array([2.0, 0, 1]), "unit": np.array(1e7)},
    )
    slopes = CURVES[kind].jacobian(theta, points)
    for p in range(theta.shape[1]):
        step = np.zeros_like(theta)
        step[:, p] = 1e-6
        there, here = (CURVES[kind].value(theta + sign * step, points) for sign in (1, -1))
        np.testing.assert_allclose(slopes[:, :, p], (there - here) / 2e-6, atol=1e-6)


def test_the_loss_turns_up_again_where_data_is_small():
    mixtures, losses, _ = sweep()
    law = fit_law(mixtures, losses)
    np.testing.assert_allclose(law.predict(mixtures), losses, atol=2e-3)
    share = np.linspace(0.001, 0.999, 2000)
    curve = law.predict(np.column_stack([share, 1 - share, np.zeros(2000)]))[:, 0]
    turn = share[curve.argmin()]
    assert law.diagnostics["lowest_at"][0] == pytest.approx(turn, abs=2e-3)
    assert 0.05 < turn < 0.9
    assert (np.diff(np.sign(np.diff(curve))) != 0).sum() == 1  # it turns once


@pytest.mark.golden("DoublePowerLaw", "limit of much data, a power law alone")
def test_more_data_takes_the_second_term_away():
    mixtures, losses, amounts = sweep(120, available="varied")
    law = fit_law(mixtures, losses, amounts)
    assert law.given == ("available",)
    new, expected, other = sweep(60, available="varied", seed=4)
    np.testing.assert_allclose(law.predict(new, available=other), expected, atol=5e-3)
    lone = np.array([[0.9, 0.05, 0.05]])
    few, many = (law.predict(lone, available=[amount] * 3)[0, 0] for amount in (1e6, 1e15))
    assert many < few
    power = law.theta[0, 0] + law.theta[0, 1] * 0.9 ** -law.theta[0, 2]
    assert many == pytest.approx(power + law.theta[0, 5] * 0.9 ** law.theta[0, 3], abs=2e-3)


def test_double_power_intervals_hold_new_runs():
    mixtures, losses, _ = sweep(500, noise=0.02)
    law = fit_law(mixtures[:100], losses[:100], draws=200)
    low, high = law.interval(mixtures[100:], 0.9)
    assert 0.85 <= ((low <= losses[100:]) & (losses[100:] <= high)).mean() <= 0.95


def test_double_power_needs_domains_for_targets_and_enough_runs():
    mixtures, losses, amounts = sweep()
    with pytest.raises(ReweightvizError, match="'bench' is not among the domains"):
        fit_law(mixtures, losses, targets=("web", "bench", "math"))
    with pytest.raises(ReweightvizError, match="needs at least 5 runs; got 4"):
        fit_law(mixtures[:4], losses[:4])
    assert fit_law(mixtures, losses, amounts).given == ()
    with pytest.raises(ReweightvizError, match="least between 0 and 1"):
        DoublePowerLaw(least=2)
