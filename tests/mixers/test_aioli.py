"""Aioli: the published numbers, and the probes in simulated worlds."""

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.mixers import Aioli
from reweightviz.mixers.aioli import solve_mixing_law

GAINS = np.array([[0.30, 0.10, 0.12], [0.05, 0.25, 0.06], [0.11, 0.09, 0.28]])
NAN = float("nan")


def world(mixer, law, steps, prior=None, noise=0.0, hide=None):
    """Train in a world whose losses fall by ``law @ weights`` a step; every state, every mixture, every question."""
    rng, K = np.random.default_rng(0), len(law)
    state, losses = mixer.init(prior=np.full(K, 1 / K) if prior is None else prior), np.full(K, 5.0)
    states, trained, asked = [state], [], []
    for step in range(steps):
        trained.append(mixer.weights(state))
        asked.append(bool(mixer.measures(state)))
        losses = losses - law @ trained[-1]
        told = losses + rng.normal(0, noise, K) if asked[-1] else np.full(K, NAN)
        state = mixer.update(state, probe_loss=told if hide is None else hide(step, told))
        states.append(state)
    return states, np.array(trained), np.array(asked)


@pytest.mark.golden("Aioli", "LearnParams and the update of the public code on three domains")
@pytest.mark.parametrize(
    ("eta", "weights"), [(0.2, [0.333923, 0.332153, 0.333923]), (5, [0.347758, 0.304484, 0.347758])]
)
def test_public_update(eta, weights):
    law = solve_mixing_law(GAINS, 0.625)
    np.testing.assert_allclose(
        law,
        [[0.462857, 0.005714, 0.051429], [-0.04, 0.417143, -0.017143], [0.045714, 0, 0.434286]],
        atol=1e-6,
    )
    mixer = Aioli(eta=eta, lp_rounds=2, lp_steps=1)
    states, _, _ = world(mixer, law, 1 + 6)
    np.testing.assert_allclose(states[-1].gains, GAINS, atol=1e-12)
    np.testing.assert_allclose(
        np.nansum(states[-1].law, 0), [0.342193, 0.315615, 0.342193], atol=1e-6
    )
    np.testing.assert_allclose(mixer.weights(states[-1]), weights, atol=1e-6)


def test_probes_come_in_their_order_and_losses_are_measured_around_them():
    mixer = Aioli(lp_rounds=2, lp_steps=3, every=5, prior_steps=4, one_hot=0.7)
    states, trained, asked = world(
        mixer, np.eye(3) * 0.01, 4 + 2 * (18 + 5) - 1, prior=[0.6, 0.3, 0.1]
    )
    np.testing.assert_allclose(trained[:4], [[0.6, 0.3, 0.1]] * 4)
    around = [3 + 3 * n for n in range(7)]
    assert np.flatnonzero(asked).tolist() == [*around, *[23 + step for step in around]]
    for first in (4, 27):
        probes = trained[first : first + 18].reshape(2, 3, 3, 3)
        assert (probes.max(-1) == 0.7).all()
        np.testing.assert_allclose(np.sort(probes.argmax(-1)[:, :, 0], axis=1), [[0, 1, 2]] * 2)
        np.testing.assert_allclose(
            trained[first + 18 : first + 22], [mixer.result(states[first + 18])] * 4
        )


def test_the_order_is_seeded_and_changes_between_rounds():
    orders = [
        world(Aioli(lp_rounds=1, lp_steps=1, every=1, seed=seed), np.eye(6), 28)[1].argmax(1)
        for seed in (0, 0, 1)
    ]
    assert orders[0].tolist() == orders[1].tolist() != orders[2].tolist()
    assert len({tuple(orders[0][start : start + 6]) for start in (1, 8, 15, 22)}) > 1


@pytest.mark.parametrize("ema", [None, 0.1])
def test_it_finds_the_law_of_its_world(ema):
    rng = np.random.default_rng(3)
    law = rng.uniform(0, 0.02, (5, 5))
    law[:, 2] += 0.03
    mixer = Aioli(eta=0.5, every=20, ema=ema)
    states, _, _ = world(mixer, law, 1 + 3 * (80 + 20), noise=1e-4)
    np.testing.assert_allclose(np.nansum(states[-1].law, 0), law.sum(0) / law.sum(), atol=0.01)
    assert np.argsort(mixer.result(states[-1])).tolist() == np.argsort(law.sum(0)).tolist()


def test_the_average_keeps_its_share_of_the_past_where_the_world_changes():
    mixer = Aioli(lp_rounds=1, lp_steps=1, every=1, one_hot=1.0, ema=0.3)
    laws = [np.array([[0.4, 0.1], [0.2, 0.3]]), np.array([[0.1, 0.1], [0.0, 0.8]])]
    state, losses = mixer.init(prior=[0.5, 0.5]), np.full(2, 5.0)
    for step in range(1 + 2 + 1 + 2):
        losses = losses - laws[step > 3] @ mixer.weights(state)
        state = mixer.update(state, probe_loss=losses if mixer.measures(state) else [NAN, NAN])
    np.testing.assert_allclose(
        state.law, 0.3 * laws[0] / laws[0].sum() + 0.7 * laws[1] / laws[1].sum(), atol=1e-12
    )


def test_with_an_average_it_never_leaves_uniform_by_more_than_its_step():
    law = np.zeros((3, 3))
    law[:, 0] = 1.0
    for ema, spread in ((0.1, 0.5), (None, 0.5 * 8)):
        mixer = Aioli(eta=0.5, every=1, lp_rounds=1, lp_steps=1, ema=ema, one_hot=1.0)
        weights = mixer.result(world(mixer, law, 1 + 8 * 4 - 1)[0][-1])
        assert np.log(weights.max() / weights.min()) == pytest.approx(spread)


def test_a_constant_on_all_losses_changes_nothing():
    law, mixer = np.random.default_rng(1).uniform(0, 0.1, (4, 4)), Aioli(every=2, lp_steps=2)
    plain, shifted = (
        world(mixer, law, 80, hide=lambda _, told, by=by: told + by)[0][-1] for by in (0.0, 9.0)
    )
    np.testing.assert_allclose(plain.main, shifted.main, atol=1e-12)


def test_the_prior_comes_first_and_its_zeros_come_back():
    mixer = Aioli(lp_rounds=1, lp_steps=1, prior_steps=10, every=3)
    states, trained, _ = world(mixer, np.eye(2), 13, prior=[1.0, 0.0])
    assert trained[:10].tolist() == [[1.0, 0.0]] * 10
    np.testing.assert_allclose(mixer.result(states[-1]), [0.5, 0.5])


def test_an_unmeasured_domain_leaves_its_row_and_an_unmeasured_probe_its_round():
    law = np.array([[0.3, 0.1], [0.0, 0.1]])
    mixer = Aioli(lp_rounds=1, lp_steps=1, one_hot=1.0, eta=1.0, every=5)
    full, _, _ = world(mixer, law, 3)
    no_row, _, _ = world(mixer, law, 3, hide=lambda _, told: np.array([NAN, told[1]]))
    expected = np.exp([0, 1.0])
    np.testing.assert_allclose(mixer.result(no_row[-1]), expected / expected.sum())
    assert np.abs(full[-1].main - no_row[-1].main).max() > 0.1
    no_probe, _, _ = world(
        mixer,
        law,
        8,
        prior=[0.6, 0.4],
        hide=lambda step, told: np.full(2, NAN) if step == 1 else told,
    )
    assert mixer.result(no_probe[-1]).tolist() == [0.6, 0.4]


def test_rounding_alone_tells_no_domains_apart():
    mixer = Aioli(lp_rounds=1, lp_steps=1, every=3, eta=5)
    state, losses = mixer.init(prior=np.full(3, 1 / 3)), np.full(3, 3.0)
    for _ in range(40):
        losses = (
            losses + 0.1
        )  # all alike, whatever is trained on, and upwards: the shift leaves the rounding
        state = mixer.update(state, probe_loss=losses if mixer.measures(state) else np.full(3, NAN))
    np.testing.assert_allclose(mixer.result(state), np.full(3, 1 / 3), rtol=1e-12)


def test_aioli_refuses():
    with pytest.raises(
        ReweightvizError, match="one_hot above 1 / 4 to tell 4 domains apart; got 0.25"
    ):
        Aioli(one_hot=0.25).init(prior=np.full(4, 0.25))
    with pytest.raises(
        ReweightvizError, match="prior_steps of at least 1 and a seed of at least 0"
    ):
        Aioli(prior_steps=0)
    with pytest.raises(ReweightvizError, match="a seed of at least 0; got 4, 4, 250, 1 and -1"):
        Aioli(seed=-1)
    with pytest.raises(ReweightvizError, match="ema None or from 0 to below 1"):
        Aioli(ema=1)


@pytest.mark.golden(
    "Aioli", "closed form of the static law of two domains (analysis/2_static_law.ipynb)"
)
def test_two_domains_have_a_closed_form():
    """The mixture that minimises both losses ``c + exp(k p + b)``; the law in laws/ is another way to the same."""
    c, k, b = (
        np.array([2.63558, 3.03323]),
        np.array([-2.99978, -2.64617]),
        np.array([-0.61924, -0.12864]),
    )
    p = (k[1] + b[1] - b[0] + np.log(k[1] / k[0])) / k.sum()
    assert p == pytest.approx(0.404006, abs=1e-6)
    losses = c + np.exp(k * np.array([p, 1 - p]) + b)
    assert losses.mean() == pytest.approx(3.005337, abs=1e-6)
