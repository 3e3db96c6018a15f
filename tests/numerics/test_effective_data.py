"""The worth of repeated data: the numbers of the authors' public code."""

import numpy as np
import pytest

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
