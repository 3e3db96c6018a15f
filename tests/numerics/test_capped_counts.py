import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reweightviz.core.errors import ReweightvizError
from reweightviz.numerics.capped_counts import draw_hard_cap, draw_soft_cap, soft_cap_counts

S = [0, 0.3, 0.6, 0.9, -1]


def test_counts_are_the_closed_form_and_the_authors_loop_tends_to_them():
    counts = soft_cap_counts(S, 400)
    np.testing.assert_allclose(counts, [78.93, 80.93, 82.93, 84.93, 72.27], atol=0.005)
    rng = np.random.default_rng(0)
    means = np.mean([draw_soft_cap(S, 400, rng) for _ in range(40)], axis=0)
    np.testing.assert_allclose(means, [79.38, 80.70, 83.22, 85.05, 71.65], atol=1.5)
    np.testing.assert_allclose(means, counts, atol=1.5)


def test_hard_caps_are_those_of_the_authors_loop():
    rng = np.random.default_rng(0)
    drawn = np.array([draw_hard_cap(S, 300, rng, limit=100) for _ in range(60)])
    assert (drawn.sum(1) == 300).all() and drawn.max() <= 100
    np.testing.assert_allclose(drawn.mean(0), [45.6, 59.9, 80.5, 98.5, 15.6], atol=2.5)


@given(
    scores=st.lists(st.floats(-50, 50) | st.just(float("nan")), min_size=1, max_size=30),
    draws=st.integers(0, 300),
)
def test_soft_counts_are_a_water_level(scores, draws):
    values = np.array(scores)
    counts = soft_cap_counts(values, draws)
    known = np.isfinite(values)
    assert (counts >= 0).all() and (counts[~known] == 0).all()
    if not known.any():
        return
    np.testing.assert_allclose(counts.sum(), draws, atol=1e-6)
    level = (values - 0.15 * counts)[counts > 0]
    if len(level):
        np.testing.assert_allclose(level, level[0], atol=1e-9)
        assert (values[known & (counts == 0)] <= level[0] + 1e-9).all()


def test_a_batch_near_all_rows_draws_them_alike():
    rng = np.random.default_rng(0)
    assert draw_soft_cap(S, 100, rng, batch=5).tolist() == [20] * 5
    assert draw_soft_cap([*S, np.nan], 7, rng, batch=5).sum() == 7


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda rng: draw_soft_cap(S, 10, rng, batch=6), "from 1 to the 5 rows"),
        (lambda rng: draw_hard_cap(S, 76, rng), "at most 75 draws"),
        (lambda _: soft_cap_counts(S, -1), "draws must be"),
        (lambda _: soft_cap_counts(S, 5, penalty=0), "penalty must be"),
        (lambda _: soft_cap_counts([S], 5), "one a row"),
    ],
)
def test_what_would_never_end_is_refused(draw, said):
    with pytest.raises(ReweightvizError, match=said):
        draw(np.random.default_rng(0))


def test_chances_below_the_smallest_number_are_drawn_all_the_same():
    rng = np.random.default_rng(0)
    assert draw_hard_cap([0, -1e6, -1e6], 31, rng).tolist()[0] == 15
