"""ADO: its laws against known ones, its preference against the formula, its long and its short runs."""

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.mixers import ADO, ado
from reweightviz.numerics.loss_curves import evaluate, fit_loss_curves, slope, smooth

NAN = float("nan")
SHORT = ADO(start=40, every=20, skip=5, window=11)


def world(theta, n):
    """Losses (T, K) of domains with laws (K, 3)."""
    return np.stack([evaluate(np.asarray(law, np.float64), n) for law in theta], axis=1)


def driven(mixer, losses, prior=None):
    losses = np.asarray(losses, np.float64)
    states = [
        mixer.init(prior=np.full(losses.shape[1], 1 / losses.shape[1]) if prior is None else prior)
    ]
    for row in losses:
        drawn = np.where(np.isnan(row), 0, 4096 * mixer.weights(states[-1]))
        states.append(mixer.update(states[-1], loss=row, drawn_tokens=drawn))
    return states


@pytest.mark.parametrize("exponent", [0.02, 0.1, 0.35, 0.6])
@pytest.mark.parametrize("floor", [0.6, 1.2])
def test_it_recovers_the_law_of_synthetic_losses(exponent, floor):
    n = np.arange(1.0, 3001, 5)
    law = np.array([1.5, floor, exponent])
    found = fit_loss_curves(n, world([law], n))[0]
    assert found[2] == pytest.approx(exponent, abs=1e-3)
    np.testing.assert_allclose(evaluate(found, [10.0, 1e4]), evaluate(law, [10.0, 1e4]), rtol=1e-3)


def test_it_recovers_how_fast_losses_fall_under_noise():
    rng, n = np.random.default_rng(0), np.arange(1.0, 3001)
    laws = np.array([[1.5, 0.6, 0.3], [1.0, 1.0, 0.5], [0.5, 1.2, 0.2]])
    losses = world(laws, n) * np.exp(rng.normal(0, 0.01, (3000, 3)))
    found = fit_loss_curves(n, smooth(losses, 101))
    np.testing.assert_allclose(slope(found, 3000.0), slope(laws, 3000.0), rtol=0.3)


def test_the_slope_is_the_derivative():
    theta = np.array([[1.5, 0.6, 0.3], [0.2, -1.0, 0.7]])
    ahead, behind = evaluate(theta, 500.5), evaluate(theta, 499.5)
    np.testing.assert_allclose(slope(theta, 500.0), behind - ahead, rtol=1e-5)
    np.testing.assert_allclose(
        slope(theta, 500.0),
        theta[:, 2] * (evaluate(theta, 500.0) - np.exp(theta[:, 1])) / 500,
        rtol=1e-12,
    )


def test_losses_below_the_least_floor_free_it():
    n = np.arange(1.0, 400)
    bytes_law = np.array([0.5, -0.1, 0.4])  # as for bytes, below 1.65 nats
    assert fit_loss_curves(n, world([bytes_law], n))[0] == pytest.approx(bytes_law, abs=2e-3)


def test_identical_domains_stay_at_a_uniform_prior():
    n = np.arange(1.0, 201)
    np.testing.assert_allclose(
        driven(SHORT, world([[1.0, 0.7, 0.3]] * 4, n))[-1].policy, np.full(4, 0.25), atol=1e-12
    )


def test_identical_domains_lean_towards_the_prior_and_its_root():
    prior, n = np.array([0.6, 0.3, 0.1]), np.arange(1.0, 61)
    mixer = ADO(start=60, every=60, skip=5, window=11, memory=0.0, fresh=1.0)
    expected = prior * np.sqrt(prior)
    np.testing.assert_allclose(
        driven(mixer, world([[1.0, 0.7, 0.3]] * 3, n), prior)[-1].policy,
        expected / expected.sum(),
        rtol=1e-6,
    )


@pytest.mark.golden("ADO", "the public class AdoSelector, given its laws")
def test_the_policy_of_the_public_code():
    laws = np.array([[1.5, 0.6, 0.3], [1.0, 1.0, 0.5], [0.5, 1.2, 0.03]])  # over samples, 8 a step
    laws[:, 0] -= laws[:, 2] * np.log(8)
    mixer, batch = ADO(), {"loss": [3.0, 3.0, 3.0], "drawn_tokens": [5, 2, 1]}
    state = mixer.init(prior=[0.5, 0.3, 0.2])
    for _ in range(2):
        state = mixer.update(state, **batch)
        assert mixer.weights(state).tolist() == [0.5, 0.3, 0.2]
    state = state._replace(laws=laws)
    for drawn, policy, mean in [
        (
            [0.533875, 0.28645, 0.179675],
            [0.52881126, 0.288544, 0.18264474],
            [0.57202814, 0.27136, 0.15661186],
        ),
        (
            [0.5429875, 0.282805, 0.1742075],
            [0.59455273, 0.26167334, 0.14377393],
            [0.61707732, 0.25198668, 0.13093601],
        ),
    ]:
        state = mixer.update(state, **batch)
        np.testing.assert_allclose(state.drawn, drawn, atol=1e-7)
        np.testing.assert_allclose(mixer.weights(state), policy, atol=1e-7)
        np.testing.assert_allclose(state.mean, mean, atol=1e-7)


def test_with_one_law_the_policy_tends_to_the_square_of_the_prior():
    prior = np.array([0.2, 0.3, 0.5])
    for power, mixer in (
        (2, ADO(every=10**9, memory=0.0, fresh=1.0)),
        (4, ADO(every=10**9, memory=0.0, fresh=1.0, power=0.75)),
    ):
        state = mixer.init(prior=prior)._replace(laws=np.tile([0.68, 1.09, 0.29], (3, 1)))
        for _ in range(300):
            state = mixer.update(state, loss=[NAN] * 3, drawn_tokens=mixer.weights(state))
        np.testing.assert_allclose(
            mixer.weights(state), prior**power / (prior**power).sum(), atol=1e-6
        )


def test_the_first_steps_are_left_out_of_the_fit():
    n = np.arange(1.0, 201)
    law = np.array([1.5, 0.6, 0.3])
    losses = world([law, law], n)
    losses[:60, 1] = 20.0
    skipped, used = (
        driven(ADO(start=200, every=200, skip=skip, window=1), losses)[-1].laws for skip in (60, 0)
    )
    np.testing.assert_allclose(skipped, [law, law], atol=1e-2)
    assert np.abs(used[1] - law).max() > 0.1


def test_the_window_is_in_steps_however_many_a_point_stands_for(monkeypatch):
    windows = []
    monkeypatch.setattr(ado, "smooth", lambda losses, window: windows.append(window) or losses)
    mixer, points = (
        ADO(window=101),
        np.column_stack([np.arange(1.0, 1001), world([[1.5, 0.6, 0.3]], np.arange(1.0, 1001))]),
    )
    for stride in (1, 4):
        mixer._fit_laws(mixer.init(prior=[1.0])._replace(points=points, stride=stride))
    assert windows == [101, 25]


def test_no_exponent_is_above_the_public_bound():
    n = np.arange(1.0, 400)
    assert fit_loss_curves(n, world([[1.5, 0.7, 1.6]], n))[0, 2] == pytest.approx(0.8, abs=1e-9)


def test_the_law_of_a_domain_does_not_depend_on_the_others():
    n = np.arange(1.0, 400)
    losses = world([[1.0, 0.2, 0.4], [0.5, -0.4, 0.3], [3.0, 1.0, 0.5]], n)
    losses[:, 0] = np.maximum(
        losses[:, 0], 1.66
    )  # above the least floor of 1.65, below which its law would go if it could
    together = fit_loss_curves(n, losses)
    for k in range(3):
        np.testing.assert_array_equal(together[k], fit_loss_curves(n, losses[:, [k]])[0])
    assert together[0, 1] >= 0.5 > together[1, 1]


def test_the_smallest_preference_can_be_below_least():
    n = np.arange(1.0, 61)
    mixer = ADO(start=60, every=60, skip=0, window=1, fresh=1.0, least=0.1)
    policy = driven(mixer, world([[3.0, 0.6, 0.5], [-3.0, 0.6, 0.02], [-3.0, 0.6, 0.02]], n))[
        -1
    ].policy
    assert 0.08 < policy.min() < 0.1


def test_a_domain_that_still_learns_gains():
    n = np.arange(1.0, 401)
    policy = driven(SHORT, world([[2.0, 0.6, 0.2], [2.0, 0.6, 0.7]], n))[-1].policy
    assert policy[0] > 0.6


def test_an_absent_domain_counts_with_its_last_loss_and_one_that_never_came_keeps_its_share():
    n, rng = np.arange(1.0, 201), np.random.default_rng(0)
    losses = world([[1.5, 0.6, 0.3], [1.0, 1.0, 0.5], [0.5, 1.2, 0.2]], n)
    gaps = losses.copy()
    gaps[rng.random(losses.shape) < 0.3] = NAN
    np.testing.assert_allclose(
        driven(SHORT, gaps)[-1].policy, driven(SHORT, losses)[-1].policy, atol=0.1
    )
    gaps[:, 2] = NAN
    states = driven(SHORT, gaps, prior=[0.4, 0.4, 0.2])
    assert states[-1].policy[2] == pytest.approx(0.2, abs=1e-9)
    assert np.isnan(states[-1].laws[2]).all()


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_a_prior_of_zero_comes_back(power):
    losses = world([[1.5, 0.6, 0.3], [1.0, 1.0, 0.5], [0.5, 1.2, 0.2]], np.arange(1.0, 101))
    losses[:, 2] = NAN
    mixer = ADO(start=40, every=20, skip=5, window=11, power=power)
    assert driven(mixer, losses, prior=[0.5, 0.5, 0.0])[-1].policy[2] > 0.0005


def test_a_long_run_stays_small():
    rng = np.random.default_rng(0)
    mixer = ADO(start=500, every=5000, skip=100)
    state = mixer.init(prior=np.full(3, 1 / 3))
    for n in range(1, 20_001):
        state = mixer.update(
            state,
            loss=evaluate(np.array([[1.5, 0.6, 0.3], [1, 1, 0.5], [0.5, 1.2, 0.2]]), float(n))
            + rng.normal(0, 0.05, 3),
            drawn_tokens=[1, 1, 1],
        )
    assert len(state.points) <= 1024
    assert state.stride == 32
    np.testing.assert_allclose(state.points[:, 0], np.arange(len(state.points)) * 32 + 16.5)
    assert np.isfinite(state.laws).all()


def test_ado_refuses():
    with pytest.raises(
        ReweightvizError,
        match=r"cannot give each of 150 domains a preference of 0.01; take least of at most 0.00667",
    ):
        ADO().init(prior=np.full(150, 1 / 150))
    with pytest.raises(ReweightvizError, match="window of at least 1 step"):
        ADO(window=0)
    with pytest.raises(ReweightvizError, match="memory from 0 to below 1"):
        ADO(memory=1)
    with pytest.raises(ReweightvizError, match="ADO needs least_floor as a finite number; got nan"):
        ADO(least_floor=NAN)
