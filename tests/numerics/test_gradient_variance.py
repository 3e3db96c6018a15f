"""The variance of drawing a domain more often and of weighing its loss more."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reweightviz.core.errors import ReweightvizError
from reweightviz.numerics.gradient_variance import gradient_variance, least_variance_sampling


def test_gradient_variance_is_what_monte_carlo_finds():
    rng = np.random.default_rng(0)
    means, spread = rng.normal(size=(3, 5)), np.array([0.5, 1.0, 2.0])
    target, sampling = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.3, 0.5])
    squared = (means**2).sum(1) + 5 * spread**2
    domain = rng.choice(3, 400_000, p=sampling)
    drawn = (target / sampling)[domain, None] * (
        means[domain] + spread[domain, None] * rng.normal(size=(400_000, 5))
    )
    np.testing.assert_allclose(drawn.mean(0), target @ means, atol=0.02)
    expected = gradient_variance(target, sampling, squared, float(((target @ means) ** 2).sum()))
    assert drawn.var(0).sum() == pytest.approx(expected, rel=0.02)


@given(
    st.lists(
        st.tuples(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.1, 10)),
        min_size=1,
        max_size=6,
    )
)
def test_no_sampler_beats_the_least_variance_one(rows):
    target, other, squared = (np.array(column) for column in zip(*rows, strict=True))
    target, other = target / target.sum(), other / other.sum()
    best = least_variance_sampling(target, squared)
    assert gradient_variance(target, best, squared) <= gradient_variance(target, other, squared) * (
        1 + 1e-9
    )


def test_drawing_beats_weighing_where_gradients_are_alike():
    target, natural = np.array([0.5, 0.5]), np.array([0.99, 0.01])
    assert (
        gradient_variance(target, target, [1, 1]) < gradient_variance(target, natural, [1, 1]) / 10
    )
    assert gradient_variance([1, 0], [1, 0], [1, 1]) == 1
    assert least_variance_sampling([0.4, 0.6], [0, 0]).tolist() == [0.4, 0.6]
    with pytest.raises(
        ReweightvizError, match="domain 1 has a weight in the target and is never drawn"
    ):
        gradient_variance(target, [1, 0], [1, 1])
    with pytest.raises(ReweightvizError, match="squared_norms must be"):
        gradient_variance(target, natural, [1, -1])
