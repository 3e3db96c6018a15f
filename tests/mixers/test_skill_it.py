"""Skill-It: golden weights of the public graphs, and which way round a graph is."""

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.mixers import SkillIt

SLIMPAJAMA = [
    [0.75759289, 0.42830124, 0.52223843],
    [0.42260828, 0.64163514, 0.47969377],
    [0.67128876, 0.49853851, 0.72143638],
]
FOUR = [
    [0.44526, 0.07692367, 0.12117052, 0.02576991],
    [0, 0.68370986, 0, 0.45911205],
    [0.08830632, 0.04657436, 0.50009012, 0.07984545],
    [0, 0.36102529, 0, 0.45529002],
]
NAN = float("nan")


def started(mixer, graph, prior=None):
    K = len(graph)
    return mixer.init(graph=graph, prior=np.full(K, 1 / K) if prior is None else prior)


@pytest.mark.golden(
    "SkillIt", "two public skills graphs (slimpj_arxiv_book_stackexchange and a 4 x 4 one)"
)
def test_public_graphs():
    mixer = SkillIt(eta=0.2, every=1)
    state = started(mixer, SLIMPAJAMA)
    np.testing.assert_allclose(mixer.weights(state), [0.332779, 0.322028, 0.345193], atol=1e-6)
    state = mixer.update(state, held_out_loss=[3.1, 4.0, 3.3])
    np.testing.assert_allclose(mixer.weights(state), [0.324619, 0.304158, 0.371223], atol=1e-6)
    np.testing.assert_allclose(
        mixer.weights(started(SkillIt(eta=0.8), FOUR)),
        [0.216312, 0.315980, 0.224365, 0.243343],
        atol=1e-6,
    )


def test_rows_are_trained_on_and_columns_are_measured():
    helps = np.array([[0.0, 1.0], [0.0, 0.0]])  # training on the first helps the second
    mixer = SkillIt(eta=1, every=1)
    assert mixer.weights(started(mixer, helps))[0] > 0.7
    assert mixer.weights(started(mixer, helps.T))[1] > 0.7
    for graph in (SLIMPAJAMA, FOUR):
        straight, turned = started(mixer, graph), started(mixer, np.transpose(graph))
        assert np.abs(straight.weights - turned.weights).max() > 0.01


def test_it_follows_the_losses_and_restarts_from_the_prior():
    mixer, prior = SkillIt(eta=0.5, every=1, window=1), np.array([0.5, 0.3, 0.2])
    state = mixer.update(started(mixer, np.eye(3), prior), held_out_loss=[9, 1, 1])
    state = mixer.update(state, held_out_loss=[1, 3, 2])
    expected = prior * np.exp(0.5 * np.array([1, 3, 2]))
    np.testing.assert_allclose(mixer.weights(state), expected / expected.sum(), rtol=1e-12)


def test_the_window_sums_and_forgets():
    losses = np.random.default_rng(0).uniform(2, 4, (6, 3))
    for window in (1, 2, 3):
        mixer = SkillIt(window=window, every=1)
        state = started(mixer, SLIMPAJAMA)
        for row in losses:
            state = mixer.update(state, held_out_loss=row)
        expected = np.exp(0.2 * np.array(SLIMPAJAMA) @ losses[-window:].sum(0))
        np.testing.assert_allclose(mixer.weights(state), expected / expected.sum(), rtol=1e-10)


def test_a_round_is_measured_at_its_end_and_not_between():
    mixer = SkillIt(every=3)
    state, asked = started(mixer, SLIMPAJAMA), []
    for _ in range(9):
        asked.append(bool(mixer.measures(state)))
        state = mixer.update(state, held_out_loss=[3, 4, 5] if asked[-1] else [NAN] * 3)
    assert asked == [False, False, True] * 3
    assert (state.step, len(state.recent)) == (9, 3)


def test_options_of_the_public_code():
    losses = np.array([[4.0, 2.0, 3.0], [2.0, 2.0, 2.0]])
    for options, eta, counted in [
        ({"normalize_loss": True}, 0.2, losses / losses[0]),
        ({"eta_schedule": True}, 0.2 * 9 / 6, losses),
    ]:
        mixer = SkillIt(every=1, window=1, **options)
        state = started(mixer, SLIMPAJAMA)
        for row in losses:
            state = mixer.update(state, held_out_loss=row)
        expected = np.exp(eta * np.array(SLIMPAJAMA) @ counted[-1])
        np.testing.assert_allclose(mixer.weights(state), expected / expected.sum(), rtol=1e-12)


def test_lone_domains_keep_their_prior():
    graph = np.array([[1, 0.5, 0], [0, 1, 0], [0, 0, 1.0]])
    mixer = SkillIt(eta=2, every=1, keep_lone=True)
    state = mixer.update(started(mixer, graph), held_out_loss=[3, 4, 9])
    assert mixer.weights(state)[2] == pytest.approx(1 / 3)
    joined = np.exp(2 * graph[:2, :2] @ [3, 4])
    np.testing.assert_allclose(mixer.weights(state)[:2], 2 / 3 * joined / joined.sum())
    for alone in (np.eye(3), np.diag([1.0, 2.0, 3.0])):
        np.testing.assert_allclose(started(mixer, alone, [0.5, 0.3, 0.2]).weights, [0.5, 0.3, 0.2])


def test_a_domain_whose_first_loss_is_0_does_not_count_beside_the_first_round():
    mixer = SkillIt(eta=1.0, every=1, window=1, normalize_loss=True)
    state = mixer.update(started(mixer, np.eye(3)), held_out_loss=[0.0, 2.0, 2.0])
    state = mixer.update(state, held_out_loss=[1.0, 1.0, 2.0])
    np.testing.assert_allclose(
        mixer.weights(state), np.exp([0, 0.5, 1]) / np.exp([0, 0.5, 1]).sum()
    )


def test_a_domain_without_a_measurement_is_not_average():
    mixer = SkillIt(eta=1, every=1, window=1)
    state = mixer.update(started(mixer, np.eye(3)), held_out_loss=[1.0, NAN, 3.0])
    np.testing.assert_allclose(mixer.weights(state), np.exp([1, 0, 3]) / np.exp([1, 0, 3]).sum())
    state = mixer.update(state, held_out_loss=[NAN, 2.0, 2.0])
    np.testing.assert_allclose(mixer.weights(state), np.exp([1, 2, 2]) / np.exp([1, 2, 2]).sum())


def test_an_empty_graph_is_the_prior_and_a_prior_of_zero_stays():
    mixer = SkillIt(every=1)
    state = mixer.update(started(mixer, np.zeros((2, 2)), [0.9, 0.1]), held_out_loss=[3, 1])
    np.testing.assert_allclose(mixer.weights(state), [0.9, 0.1])
    assert mixer.update(
        started(mixer, np.eye(2), [1.0, 0.0]), held_out_loss=[3, 9]
    ).weights.tolist() == [1.0, 0.0]


def test_large_losses_do_not_overflow():
    mixer = SkillIt(every=1)
    assert mixer.update(
        started(mixer, SLIMPAJAMA), held_out_loss=[1e6, 1.0, 1e5]
    ).weights.tolist() == [1.0, 1e-30, 1e-30]


def test_skill_it_refuses():
    with pytest.raises(
        ReweightvizError,
        match=r"a graph of 3 x 3 finite numbers, a row for each domain trained on; got \(3, 2\)",
    ):
        SkillIt().init(graph=np.ones((3, 2)), prior=np.full(3, 1 / 3))
    with pytest.raises(ReweightvizError, match="every and window of at least 1"):
        SkillIt(every=0)
