"""Many curves at once: known parameters, bounds, weights, outliers; and power laws with a shared exponent."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from reweightviz.numerics.levenberg_marquardt import Setting, fit_batch, leverage
from reweightviz.numerics.power_laws import fit_power_laws

X = np.linspace(0.1, 4, 30)
WIDE = np.full(3, -50.0), np.full(3, 50.0)


def curve(theta, _which):
    return theta[:, :1] + theta[:, 1:2] * np.exp(-theta[:, 2:] * X)


def jacobian(theta, _which):
    bend = np.exp(-theta[:, 2:] * X)
    return np.stack([np.ones_like(bend), bend, -theta[:, 1:2] * X * bend], axis=2)


def truths(count=12, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [rng.uniform(0.5, 2, count), rng.uniform(0.5, 3, count), rng.uniform(0.3, 2, count)]
    )


def test_known_parameters_are_recovered_in_one_batch():
    theta = truths()
    fits = fit_batch(curve, jacobian, curve(theta, None), np.ones((12, 3)), Setting(0.1, *WIDE))
    np.testing.assert_allclose(fits.theta, theta, rtol=1e-5)
    assert (fits.cost < 1e-12).all()


def test_blocks_and_problem_numbers_make_no_difference(monkeypatch):
    theta = truths()
    observed = curve(theta, None) + np.random.default_rng(1).normal(0, 0.02, (12, 30))
    whole = fit_batch(curve, jacobian, observed, np.ones((12, 3)), Setting(0.1, *WIDE))
    monkeypatch.setattr("reweightviz.numerics.levenberg_marquardt.BLOCK", 5 * 30 * 3)
    seen = []

    def watched(parameters, which):
        seen.append(which)
        return curve(parameters, which)

    parts = fit_batch(watched, jacobian, observed, np.ones((12, 3)), Setting(0.1, *WIDE))
    np.testing.assert_allclose(parts.theta, whole.theta, rtol=1e-6)
    assert set(np.concatenate(seen).tolist()) == set(range(12))


@pytest.mark.parametrize("delta", [0.01, 0.1, 10])
def test_the_robust_minimum_is_that_of_scipy(delta):
    rng = np.random.default_rng(2)
    theta = truths(4)
    observed = curve(theta, None) + rng.normal(0, 0.05, (4, 30))
    observed[:, 7] += 3
    fits = fit_batch(curve, jacobian, observed, np.ones((4, 3)), Setting(delta, *WIDE))
    for row, cost in zip(observed, fits.cost, strict=True):
        best = min(
            (
                least_squares(
                    lambda t, row=row: curve(t[None], None)[0] - row,
                    start,
                    loss="huber",
                    f_scale=delta,
                )
                for start in (np.ones(3), [1, 2, 0.5])
            ),
            key=lambda found: found.cost,
        )
        assert cost <= best.cost * (1 + 1e-4)


def test_counts_are_repeated_runs():
    rng = np.random.default_rng(3)
    observed = curve(truths(1), None) + rng.normal(0, 0.05, (1, 30))
    counts = rng.integers(0, 3, (1, 30)).astype(float)
    rows = np.repeat(np.arange(30), counts[0].astype(int))
    weighted = fit_batch(
        curve, jacobian, observed, np.ones((1, 3)), Setting(0.05, *WIDE), counts=counts
    )
    repeated = fit_batch(
        lambda t, w: curve(t, w)[:, rows],
        lambda t, w: jacobian(t, w)[:, rows],
        observed[:, rows],
        np.ones((1, 3)),
        Setting(0.05, *WIDE),
    )
    np.testing.assert_allclose(weighted.theta, repeated.theta, rtol=1e-4)


def test_bounds_are_kept_and_the_rest_is_best_on_them():
    theta = truths()
    low, high = np.array([0.0, 0.0, 0.9]), np.array([5.0, 5.0, 1.1])
    fits = fit_batch(
        curve, jacobian, curve(theta, None), np.full((12, 3), 7.0), Setting(10, low, high)
    )
    assert (fits.theta >= low).all() and (fits.theta <= high).all()
    for row, cost in zip(curve(theta, None), fits.cost, strict=True):
        best = least_squares(
            lambda t, row=row: curve(t[None], None)[0] - row, [1, 1, 1], bounds=(low, high)
        )
        assert cost <= best.cost * (1 + 1e-6) + 1e-12


def test_a_parameter_without_effect_stays_and_a_start_that_is_not_finite_is_left_alone():
    def flat(theta, which):
        return curve(theta[:, :3], which)

    def flat_jacobian(theta, which):
        return np.concatenate(
            [jacobian(theta[:, :3], which), np.zeros((len(theta), 30, 1))], axis=2
        )

    start = np.column_stack([np.ones((2, 3)), [5.0, 5.0]])
    start[1, 0] = np.nan
    setting = Setting(0.1, np.full(4, -50.0), np.full(4, 50.0))
    fits = fit_batch(flat, flat_jacobian, curve(truths(2), None), start, setting)
    assert fits.theta[0, 3] == 5 and fits.cost[0] < 1e-12
    assert np.isinf(fits.cost[1])
    assert fit_batch(
        flat, flat_jacobian, np.empty((0, 30)), np.empty((0, 4)), setting
    ).theta.shape == (0, 4)


def test_leverage_is_the_diagonal_of_the_hat_matrix_whatever_the_rank():
    slopes = np.random.default_rng(0).normal(size=(2, 20, 3))
    doubled = np.concatenate([slopes, slopes[:, :, :1] * 1e6, np.zeros((2, 20, 1))], axis=2)
    for some in (slopes, doubled):
        hat = [s @ np.linalg.pinv(s) for s in slopes]
        np.testing.assert_allclose(leverage(some), [np.diag(h) for h in hat], atol=1e-8)
    assert leverage(np.eye(3)[None]).max() == 0.9


# ---- power laws with a shared exponent


def test_shared_exponent_is_found_and_floors_stay_above_zero():
    rng = np.random.default_rng(0)
    x, group = np.tile([1e9, 2e9, 5e9, 1e10], 6), np.repeat(np.arange(6), 4)
    floor, scale = rng.uniform(1, 3, (6, 2)), rng.uniform(0.2, 2, (6, 2))
    y = floor[group] + scale[group] * (x / 1e9)[:, None] ** -0.37
    laws = fit_power_laws(x, y, group)
    assert laws.exponent == pytest.approx(0.37, abs=1e-7)
    np.testing.assert_allclose(laws.floor, floor, rtol=1e-6)
    np.testing.assert_allclose(laws.at(1e11), floor + scale * 100**-0.37, rtol=1e-6)
    np.testing.assert_allclose(laws.at(np.full(6, 1e10)), y[3::4], rtol=1e-6)
    straight = fit_power_laws(x[:4], (x[:4, None] / 1e9) ** -0.2 - 0.3, np.zeros(4, int))
    assert straight.floor.min() == 0
    rising = fit_power_laws(x[:4], np.array([[1.0], [1.1], [1.2], [1.3]]), np.zeros(4, int))
    assert rising.scale.max() == 0
