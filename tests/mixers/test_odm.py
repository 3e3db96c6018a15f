"""ODM: both public variants, and the defects of public ports that it must not have."""

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.mixers import ODM

NAN = float("nan")


def after(mixer, losses, start=None):
    losses = np.asarray(losses, np.float64)
    state = mixer.init(
        prior=np.full(losses.shape[1], 1 / losses.shape[1]) if start is None else start
    )
    states = [state]
    for row in losses:
        states.append(mixer.update(states[-1], loss=row))
    return states


@pytest.mark.golden("ODM", "the public class Exp3WeightUpdater, told whole batches")
def test_exp3_of_whole_batches():
    states = after(ODM(), [[3, 2, 4]] * 1000)
    np.testing.assert_allclose(states[1].policy, np.full(3, 1 / 3))
    for step, policy in {
        4: [0.331756, 0.322135, 0.346109],
        10: [0.327532, 0.271756, 0.400712],
        100: [0.334332, 0.231123, 0.434545],
        1000: [0.333679, 0.225099, 0.441222],
    }.items():
        np.testing.assert_allclose(states[step].policy, policy, atol=1e-6)


@pytest.mark.golden("ODM", "the public class Exp3WeightUpdater, told batches 1, 10 and 100 alone")
def test_exp3_of_few_batches():
    told = np.full((100, 3), NAN)
    told[[0, 9, 99]] = 3, 2, 4
    states = after(ODM(), told)
    assert [states[t].rate for t in (10, 100)] == pytest.approx([0.191365, 0.060515], abs=1e-6)
    np.testing.assert_allclose(states[10].policy, [0.331459, 0.306064, 0.362476], atol=1e-6)
    np.testing.assert_allclose(states[100].policy, [0.332003, 0.291175, 0.376821], atol=1e-6)


@pytest.mark.golden("ODM", "the public class Exp3WeightUpdater, told one domain at a time")
def test_exp3_of_one_domain_at_a_time():
    told = [[3.0, NAN, NAN], [NAN, 2.0, NAN], [NAN, NAN, 4.0], [2.9, NAN, NAN], [NAN, 1.9, NAN]]
    states = after(ODM(), told)
    np.testing.assert_allclose(states[4].policy, [0.339426, 0.327525, 0.333049], atol=1e-6)
    np.testing.assert_allclose(states[5].policy, [0.340869, 0.329388, 0.329743], atol=1e-6)


@pytest.mark.golden("ODM", "the public class SmoothedMeanWeightUpdater, told whole batches")
def test_smoothed_mean_of_whole_batches():
    states = after(ODM("smoothed_mean"), [[3, 2, 4]] * 1000)
    np.testing.assert_allclose(states[10].policy, [0.295596, 0.229709, 0.474695], atol=1e-6)
    np.testing.assert_allclose(states[100].policy, [0.260814, 0.134201, 0.604985], atol=1e-6)
    np.testing.assert_allclose(states[1000].policy, [0.249815, 0.103998, 0.646186], atol=1e-6)


@pytest.mark.parametrize("variant", ["exp3", "smoothed_mean"])
def test_more_than_33_domains_leave_uniform(variant):
    K = 40  # with a floor of 0.03 a domain, K * 0.03 > 1 and the policy stays uniform forever
    states = after(ODM(variant), np.tile(np.linspace(2, 4, K), (400, 1)))
    assert np.ptp(states[int(K * np.log(K))].policy) < 1e-12
    assert states[-1].policy[-1] > 1.1 / K > 0.9 / K > states[-1].policy[0]
    assert all((state.policy >= state.rate - 1e-15).all() for state in states[1:])


@pytest.mark.parametrize("variant", ["exp3", "smoothed_mean"])
def test_large_losses_do_not_overflow(variant):
    states = after(ODM(variant), [[1e4, 1.0, 2e4]] * 3000)
    assert np.isfinite(states[-1].policy).all()
    assert states[-1].policy[2] == pytest.approx(1 - 2 * states[-1].rate, abs=1e-9)
    back = after(ODM(variant), [[3e4, 1.0, 1.0]] * 3000, start=states[-1].policy)
    assert back[-1].policy[0] > 0.9


@pytest.mark.parametrize("variant", ["exp3", "smoothed_mean"])
def test_an_absent_domain_keeps_its_reward_and_is_not_average(variant):
    states = after(ODM(variant), [[3, 2, 9]] * 20 + [[3, 2, NAN]])
    assert states[-1].reward[2] == states[-2].reward[2]
    assert states[-1].policy[2] > states[-1].policy[0]
    never = after(ODM(variant), [[3, 2, NAN]] * 50)[-1]
    np.testing.assert_allclose(
        never.policy[2], never.rate, rtol=1e-9 if variant == "smoothed_mean" else 0.5
    )
    assert never.policy[2] < min(never.policy[:2])


def test_smoothed_mean_does_not_see_a_constant():
    rng = np.random.default_rng(0)
    losses = rng.normal(3, 1, (50, 4))
    np.testing.assert_allclose(
        after(ODM("smoothed_mean"), losses)[-1].policy,
        after(ODM("smoothed_mean"), losses + 7)[-1].policy,
        rtol=1e-10,
    )


def test_a_prior_of_zero_comes_back_after_the_warm_up():
    states = after(ODM(warmup=5), [[3, 2, NAN]] * 6, start=[0.7, 0.3, 0.0])
    assert states[5].policy.tolist() == [0.7, 0.3, 0.0]
    assert states[6].policy[2] >= states[6].rate > 0


def test_a_tiny_prior_does_not_win_by_its_first_loss():
    assert after(ODM(), [[3, 3]] * 50, start=[1 - 1e-12, 1e-12])[-1].policy == pytest.approx(
        [0.5, 0.5], abs=0.01
    )


def test_the_bandit_finds_the_hard_domain():
    rng, mixer = np.random.default_rng(1), ODM()
    state, difficulty = mixer.init(prior=np.full(4, 0.25)), np.array([0.2, 0.5, 0.3, 0.9])
    for _ in range(3000):
        drawn = rng.choice(4, p=mixer.weights(state))
        loss = np.full(4, NAN)
        loss[drawn] = 10 * difficulty[drawn] + rng.normal(0, 0.5)
        state = mixer.update(state, loss=loss)
    assert np.argmax(mixer.result(state)) == 3
    assert mixer.result(state)[3] > 0.6


def test_odm_refuses():
    with pytest.raises(
        ReweightvizError, match="no variant of ODM 'ucb'; there is 'exp3', 'smoothed_mean'"
    ):
        ODM("ucb")
    with pytest.raises(ReweightvizError, match="smoothing from 0 to below 1; got 0, 10.0 and 1"):
        ODM(smoothing=1)


def test_the_state_of_the_other_variant_is_refused():
    for one, other in (("exp3", "smoothed_mean"), ("smoothed_mean", "exp3")):
        with pytest.raises(
            ReweightvizError,
            match=r"ODM takes a state that its init or update returned; got reweightviz.mixers.odm",
        ):
            ODM(one).update(ODM(other).init(prior=[0.5, 0.5]), loss=[3.0, 2.0])
