"""Scorers by what somebody judged: comparisons, and the probabilities of ratings."""

import math

import numpy as np
import pytest
from scipy.sparse import identity

from reweightviz import scorers
from reweightviz.core.errors import ReweightvizError
from reweightviz.numerics.expected_answer import expected_answer
from reweightviz.numerics.logistic import fit_bradley_terry, fit_logistic


def compare(ability, count, seed=0):
    """Return comparisons (P, 2) and which of the two was preferred (P,), 1 or 0."""
    rng = np.random.default_rng(seed)
    pairs = np.array([rng.permutation(len(ability))[:2] for _ in range(count)])
    margins = ability[pairs[:, 0]] - ability[pairs[:, 1]]
    return pairs, (rng.random(count) < 1 / (1 + np.exp(-margins))).astype(float)


@pytest.mark.optional("sklearn")
@pytest.mark.golden("QuRating", "planted abilities; scikit-learn's LogisticRegression on +-1 rows")
def test_qurating_is_bradley_terry_by_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    ability = np.random.default_rng(1).normal(size=30)
    pairs, won = compare(ability, 6000)
    found = scorers.QuRating().score(
        embedding=identity(30).tocsr(), comparisons=pairs, preference=won
    )
    assert np.corrcoef(found, ability)[0, 1] > 0.99
    rows = np.eye(30)[pairs[:, 0]] - np.eye(30)[pairs[:, 1]]
    model = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10, max_iter=10_000)
    reference = model.fit(rows, won).coef_[0]
    np.testing.assert_allclose(found, reference - reference.mean(), atol=1e-5)
    dense = scorers.QuRating().score(embedding=np.eye(30), comparisons=pairs, preference=won)
    np.testing.assert_allclose(dense, found, atol=1e-9)
    # Who is first in a pair is chance.
    turned = scorers.QuRating().score(
        embedding=np.eye(30), comparisons=pairs[:, ::-1], preference=1 - won
    )
    np.testing.assert_allclose(turned, found, atol=1e-6)
    ordered = np.where(won[:, None] == 1, pairs, pairs[:, ::-1])
    winners = scorers.QuRating().score(embedding=np.eye(30), comparisons=ordered)
    np.testing.assert_allclose(winners, found, atol=1e-6)


def test_qurating_scores_documents_that_nobody_compared():
    rng = np.random.default_rng(2)
    embedding = rng.normal(size=(500, 8))
    ability = embedding @ rng.normal(size=8)
    pairs, won = compare(ability[:100], 2000)
    found = scorers.QuRating().score(embedding=embedding, comparisons=pairs, preference=won)
    assert np.corrcoef(found[100:], ability[100:])[0, 1] > 0.99
    holes = embedding.copy()
    holes[5, 2] = np.nan
    holed = scorers.QuRating().score(embedding=holes, comparisons=pairs, preference=won)
    assert np.flatnonzero(np.isnan(holed)).tolist() == [5]
    rest = (pairs != 5).all(1)
    without = scorers.QuRating().score(
        embedding=embedding, comparisons=pairs[rest], preference=won[rest]
    )
    np.testing.assert_allclose(np.diff(np.delete(holed, 5)), np.diff(np.delete(without, 5)))


def test_one_that_always_wins_has_a_finite_ability():
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    found = scorers.QuRating().score(embedding=np.eye(3), comparisons=pairs)
    assert np.isfinite(found).all()
    assert found[0] > found[1] > found[2]
    even = scorers.QuRating().score(
        embedding=np.eye(3), comparisons=pairs, preference=np.full(3, 0.5)
    )
    np.testing.assert_allclose(even, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"comparisons": [[0, 9]]}, r"rows \(P, 2\) of 3 documents, .*got a row beyond them"),
        ({"comparisons": [[0, -1]]}, "a row beyond them"),
        ({"comparisons": np.empty((0, 2), int)}, "at least one pair"),
        ({"comparisons": [[0.0, 1.0]]}, "of float64"),
        ({"comparisons": [[0, 1]], "preference": [1.5]}, "between 0 and 1"),
        ({"comparisons": [[0, 1]], "preference": [np.nan]}, "between 0 and 1"),
        ({"comparisons": [[0, 1]], "preference": [1, 0]}, r"for each of 1; got shape \(2,\)"),
    ],
)
def test_comparisons_are_checked(given, words):
    with pytest.raises(ReweightvizError, match=words):
        scorers.QuRating().score(embedding=np.eye(3), **given)


def test_a_penalty_is_needed():
    with pytest.raises(ReweightvizError, match="a penalty above 0"):
        scorers.QuRating(penalty=0.0)


@pytest.mark.optional("sklearn")
def test_logistic_regression_is_scikit_learns():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5)) + 3
    y = (X @ rng.normal(size=5) + rng.normal(size=200) > 0).astype(float)
    intercept, weights = fit_logistic(X, y, 2.0)
    model = LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(weights, model.coef_[0], atol=1e-5)
    assert intercept == pytest.approx(model.intercept_[0], abs=1e-4)
    head = fit_bradley_terry([[0, 1]] * 3 + [[1, 0]], np.ones(4), np.eye(2), 1e-9)
    assert head[0] - head[1] == pytest.approx(math.log(3), abs=1e-5)


@pytest.mark.golden("Select2Reason", "Select2Reason, selection.py: .832018 and 0")
def test_difficulty_is_the_probability_of_one_beside_zero():
    none = -np.inf
    log_probs = [[-1.8, -0.2], [-0.1, none], [none, none], [np.nan, -1.0], [none, -3.0]]
    found = scorers.Select2Reason().score(answer_log_probs=log_probs)
    np.testing.assert_allclose(found, [0.832018, 0, np.nan, np.nan, 1], atol=1e-6)
    with pytest.raises(ReweightvizError, match=r"\(N, 2\) below inf, .*got shape \(1, 3\)"):
        scorers.Select2Reason().score(answer_log_probs=[[1, 2, 3]])
    with pytest.raises(ReweightvizError, match="got inf"):
        expected_answer([[0, np.inf]], [0, 1])


@pytest.mark.golden("DEITA", "deita, scorer/base.py: the ratings by the softmax of their tokens")
def test_deita_is_the_mean_rating_and_never_a_silent_three():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(9, 2, 6)) * 5 + 700
    share = np.exp(logits - logits.max(-1, keepdims=True))
    means = (share / share.sum(-1, keepdims=True)) @ np.arange(1, 7)
    one = scorers.DEITA().score(answer_log_probs=logits[:, 0])
    np.testing.assert_allclose(one, means[:, 0])
    both = scorers.DEITA().score(answer_log_probs=logits)
    np.testing.assert_allclose(both, means[:, 0] * means[:, 1])
    logits[3] = np.nan
    assert np.flatnonzero(np.isnan(scorers.DEITA().score(answer_log_probs=logits))).tolist() == [3]
    for missing in (-np.inf, np.nan):
        logits[5, 1, 3] = missing
        with pytest.raises(ReweightvizError, match="tokens '1' to '6'; got none of '4' in 1 doc"):
            scorers.DEITA().score(answer_log_probs=logits)
    with pytest.raises(ReweightvizError, match=r"got shape \(2, 5\)"):
        scorers.DEITA().score(answer_log_probs=np.zeros((2, 5)))
