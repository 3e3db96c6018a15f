import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.numerics.joint_sampling import conditional_logits, sample_in_chunks

PAIRS = np.array(
    [[1, 0.2, -0.1, 0], [0.3, 0.5, 0.4, 0.1], [0, 0.6, 0.8, -0.2], [0.1, -0.3, 0.2, 0.4]]
)


def test_joint_logits_are_those_of_the_closed_form():
    for chosen, logits in (
        ([], [1, 0.5, 0.8, 0.4]),
        ([0], [3, 1, 0.7, 0.5]),
        ([0, 2], [2.9, 2, 2.3, 0.5]),
    ):
        np.testing.assert_allclose(conditional_logits(PAIRS, chosen), logits)


def test_joint_logits_of_sums_keep_the_order_and_sharpen():
    learner = np.array([3, 2.5, 2, 4])
    reference = np.array([2, 2.4, 1, 3.9])
    s = learner[:, None] - reference
    d = learner - reference
    np.testing.assert_allclose(conditional_logits(s, [0]), 2 * d + 1)
    np.testing.assert_allclose(conditional_logits(s, [0, 2]), 3 * d + 2)


def test_chunks_are_drawn_by_the_softmax_of_the_logits():
    rng = np.random.default_rng(1)
    draws = np.array([sample_in_chunks(PAIRS, 2, chunks=2, rng=rng) for _ in range(20_000)])
    first = np.bincount(draws[:, 0], minlength=4) / len(draws)
    np.testing.assert_allclose(first, [0.336239, 0.203939, 0.275289, 0.184532], atol=0.01)
    after_0 = draws[draws[:, 0] == 0, 1]
    second = np.bincount(after_0, minlength=4) / len(after_0)
    np.testing.assert_allclose(second, [0, 0.426013, 0.315598, 0.258390], atol=0.02)


def test_chunks_give_k_different_rows_of_any_learnability():
    for k in (0, 1, 3, 4):
        rows = sample_in_chunks(PAIRS - 100, k, chunks=3, rng=np.random.default_rng(k))
        assert (rows.dtype, len(set(rows.tolist()))) == (np.int64, k)
    with pytest.raises(ReweightvizError, match="k must be a whole number of .* at most 4"):
        sample_in_chunks(PAIRS, 5, rng=np.random.default_rng(0))
    with pytest.raises(ReweightvizError, match=r"learnability must be \(B, B\) finite numbers"):
        conditional_logits(PAIRS[:2])
