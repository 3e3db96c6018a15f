"""The data-mixing agent: both policies against the greedy optimum of a simulated training with linear dynamics."""

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.mixers import DataMixingAgent
from reweightviz.mixers._mixing_policy import LinearDynamics, fit_linear_dynamics, move_towards

ROUNDS, K = 30, 5


class World:
    """A round at weights w takes ``A w`` off the losses; in a fading world in proportion to what is left to learn."""

    def __init__(self, seed, *, fading=False):
        rng = np.random.default_rng(seed)
        self.A = np.diag(rng.uniform(0.02, 0.35, K)) + rng.uniform(0, 0.015, (K, K))
        self.floor, self.start, self.fading = rng.uniform(1, 2, K), rng.uniform(3, 5, K), fading

    def after(self, losses, weights):
        return losses - self.A @ weights * ((losses - self.floor) if self.fading else 1)

    def run(self, mixer=None, policy=None, noise=0.0, weights=None):
        """Weights (T, K) and losses (T, K) of a training under a mixer, or under given weights."""
        rng, losses, used, seen = np.random.default_rng(0), self.start, [], []
        state = mixer.init(prior=np.full(K, 1 / K), policy=policy) if mixer else None
        for t in range(ROUNDS):
            used.append(mixer.weights(state) if mixer else weights[t])
            losses = self.after(losses, used[-1])
            seen.append(losses)
            if mixer:
                state = mixer.update(state, held_out_loss=losses + rng.normal(0, noise, K))
        return np.array(used), np.array(seen)

    def greedy(self):
        """The best vertex every round, knowing the true dynamics: the optimum of linear mixing, one round ahead."""
        losses = self.start
        for _ in range(ROUNDS):
            losses = min((self.after(losses, corner) for corner in np.eye(K)), key=np.mean)
        return losses.mean()

    def uniform(self):
        return self.run(weights=np.full((ROUNDS, K), 1 / K))[1][-1].mean()


def gap_closed(world, **how):
    """1 at the greedy optimum, 0 at uniform."""
    uniform, greedy = world.uniform(), world.greedy()
    return (uniform - world.run(DataMixingAgent(every=1), **how)[1][-1].mean()) / (uniform - greedy)


def logged_runs(world, seed):
    """Eight runs at random weights that change every few rounds."""
    rng = np.random.default_rng(100 + seed)
    return [
        world.run(weights=rng.dirichlet(np.ones(K), ROUNDS).repeat(3, axis=0)[:ROUNDS])
        for _ in range(8)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_the_rule_beats_uniform(seed):
    assert 0.45 < gap_closed(World(seed)) <= 1
    assert gap_closed(World(seed), noise=0.003) > 0.4
    assert gap_closed(World(seed, fading=True)) > 0.05


@pytest.mark.golden(
    "DataMixingAgent", "an oracle: greedy weights in worlds of known linear dynamics"
)
@pytest.mark.parametrize("seed", range(6))
def test_the_fitted_policy_comes_within_15_percent_of_greedy(seed):
    world = World(seed)
    policy = fit_linear_dynamics(logged_runs(world, seed))
    gains = world.A.sum(0)
    np.testing.assert_allclose(policy.predict_gains(world.start), gains, rtol=1e-3)
    assert gap_closed(world, policy=policy) > 0.85
    goal = np.exp(policy.eta * gains / gains.max())  # linear mixing's answer with an entropy term
    np.testing.assert_allclose(
        world.run(DataMixingAgent(every=1), policy=policy)[0][-1], goal / goal.sum(), rtol=0.02
    )


@pytest.mark.parametrize("seed", range(6))
def test_the_fitted_policy_in_a_world_that_fades_and_under_noise(seed):
    world, rng = World(seed, fading=True), np.random.default_rng(seed)
    logged = logged_runs(world, seed)
    policy = fit_linear_dynamics(logged)
    np.testing.assert_allclose(
        policy.predict_gains(world.start),
        (world.A * (world.start - world.floor)[:, None]).sum(0),
        rtol=0.05,
    )
    assert gap_closed(world, policy=policy) > max(0.25, gap_closed(world))
    rough = fit_linear_dynamics(
        [(weights, losses + rng.normal(0, 0.003, losses.shape)) for weights, losses in logged]
    )
    assert gap_closed(world, policy=rough, noise=0.003) > 0.2


def test_no_round_leaves_the_trust_region():
    for trust in (0.01, 0.1):
        used, _ = World(0).run(DataMixingAgent(every=1, eta=50, trust=trust))
        divergence = (used[1:] * np.log(used[1:] / used[:-1])).sum(1)
        assert divergence.max() == pytest.approx(trust, rel=1e-6)


def test_the_rule_does_not_see_a_constant_or_the_unit():
    world = World(1)
    feedback = world.run(weights=np.full((ROUNDS, K), 1 / K))[1]
    mixer, answers = DataMixingAgent(every=1), []
    for told in (feedback, feedback + 3, feedback * 100):
        state = mixer.init(prior=np.full(K, 1 / K))
        for row in told:
            state = mixer.update(state, held_out_loss=row)
        answers.append(mixer.result(state))
    np.testing.assert_allclose(answers[1:], [answers[0]] * 2, atol=1e-9)


def test_a_domain_without_measurements_is_not_average():
    mixer = DataMixingAgent(every=1)
    state = mixer.init(prior=np.full(3, 1 / 3))
    for t in range(4):
        state = mixer.update(state, held_out_loss=[4 - 0.5 * t, 4 - 0.1 * t, float("nan")])
    weights = mixer.weights(state)
    assert weights[0] > weights[1] == pytest.approx(weights[2])


def test_history_is_bounded_and_measured_once_a_round():
    mixer = DataMixingAgent(every=10, history=5)
    state, asked = mixer.init(prior=[0.5, 0.5]), 0
    for t in range(200):
        now = bool(mixer.measures(state))
        asked += now
        state = mixer.update(state, held_out_loss=[4 - t / 100, 3.0] if now else [float("nan")] * 2)
    assert (asked, state.past_weights.shape, state.step) == (20, (5, 2), 200)


def test_a_policy_of_ones_own():
    class Alternate:
        def next_weights(self, weights, feedback):
            assert weights.shape == feedback.shape
            return np.roll([0.7, 0.2, 0.1], len(weights))

    mixer = DataMixingAgent(every=1)
    state = mixer.update(
        mixer.init(prior=np.full(3, 1 / 3), policy=Alternate()), held_out_loss=[3, 3, 3]
    )
    assert mixer.weights(state).tolist() == pytest.approx([0.1, 0.7, 0.2])

    class Wrong:
        def next_weights(self, *_):
            return [0.9, 0.3, 0.2]

    with pytest.raises(ReweightvizError, match="the weights of the policy Wrong must sum to 1"):
        mixer.update(mixer.init(prior=np.full(3, 1 / 3), policy=Wrong()), held_out_loss=[3, 3, 3])
    with pytest.raises(
        ReweightvizError,
        match=r"a policy has next_weights\(weights, feedback\), both \(H, K\); got str",
    ):
        mixer.init(prior=[1.0], policy="greedy")


def test_a_move_keeps_zeros_and_without_a_difference_leads_to_uniform():
    assert move_towards(
        np.array([0.5, 0.5, 0.0]), np.array([0.0, 1.0, 9.0]), 1e9, np.inf
    ).tolist() == pytest.approx([0, 1, 0])
    assert move_towards(
        np.array([0.3, 0.7]), np.array([0.0, 0.0]), 1.0, 1.0
    ).tolist() == pytest.approx([0.5, 0.5])
    assert move_towards(
        np.array([0.3, 0.7]), np.array([1.0, 0.0]), 1.0, 0.0
    ).tolist() == pytest.approx([0.3, 0.7])


def test_a_fitted_policy_refuses():
    with pytest.raises(ReweightvizError, match="of the same K domains and H of at least 2; got"):
        fit_linear_dynamics([(np.ones((1, 2)), np.ones((1, 2)))])
    assert isinstance(
        LinearDynamics(np.eye(2), np.eye(2)).next_weights(
            np.full((1, 2), 0.5), np.array([[2.0, np.nan]])
        ),
        np.ndarray,
    )
    with pytest.raises(ReweightvizError, match="memory from 0 to below 1"):
        DataMixingAgent(memory=1)
