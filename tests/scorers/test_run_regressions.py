"""Scorers that regress what runs reached: planted truths, and scikit-learn beside them."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from reweightviz import mixers, scorers
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.numerics import run_regression
from reweightviz.numerics.run_regression import datamodel_score, fit_ridge


def make_runs(R, N, *, matter, noise, seed=0):
    """Return runs on random halves, their losses, and the effects that were planted."""
    rng = np.random.default_rng(seed)
    effects = np.zeros(N)
    effects[rng.permutation(N)[:matter]] = rng.choice([-1.0, 1.0], matter)
    runs = rng.random((R, N)) < 0.5
    return runs, runs @ effects + 3 + noise * rng.normal(size=R), effects


@pytest.mark.optional("sklearn")
@pytest.mark.golden("DsDm", "an additive truth of 5 documents in 60; scikit-learn's LassoCV")
def test_dsdm_recovers_a_planted_truth():
    from sklearn.linear_model import LassoCV

    runs, losses, effects = make_runs(1500, 60, matter=5, noise=0.5)
    lasso = scorers.DsDm("lasso").score(runs=runs, run_losses=losses)
    assert np.abs(lasso - effects).max() < 0.08
    np.testing.assert_array_equal(lasso, LassoCV(cv=5).fit(runs, losses).coef_)
    ridge = scorers.DsDm().score(runs=runs, run_losses=losses)
    assert np.abs(ridge - effects).max() < 0.12
    assert scorers.DsDm.higher_is_better is False
    assert set(np.argsort(ridge)[: (effects < 0).sum()]) == set(np.flatnonzero(effects < 0))
    with pytest.raises(ReweightvizError, match="no estimator of DsDm 'lass'; did you mean 'lasso'"):
        scorers.DsDm("lass")


def test_dsdm_keeps_its_effects_when_all_losses_move():
    runs, losses, _ = make_runs(80, 20, matter=20, noise=0.1)
    found = scorers.DsDm().score(runs=runs, run_losses=losses)
    moved = scorers.DsDm().score(runs=runs.astype(float), run_losses=losses + 100)
    np.testing.assert_allclose(moved, found, atol=1e-10)


def test_a_datamodel_foretells_runs_that_it_never_saw():
    runs, losses, effects = make_runs(400, 100, matter=100, noise=1.0)
    found = scorers.DsDm().score(runs=runs[:300], run_losses=losses[:300])
    score = datamodel_score(found, runs[300:], losses[300:])
    assert score > 0.85
    expected = spearmanr(runs[300:] @ found, losses[300:]).statistic
    assert score == pytest.approx(expected, rel=1e-12)
    assert datamodel_score(-found, runs[300:], losses[300:]) == pytest.approx(-score)
    holes = np.where(effects > 0, found, np.nan)
    assert 0 < datamodel_score(holes, runs[300:], losses[300:]) < score
    with pytest.raises(ReweightvizError, match=r"for 99 losses and 100 effects"):
        datamodel_score(found, runs[300:], losses[301:])


def test_too_few_runs_are_said_and_bounded():
    runs, losses, effects = make_runs(50, 400, matter=400, noise=0.0)
    with pytest.warns(ReweightvizWarning, match=r"50 runs for 400 documents.* at 0\.35 or less"):
        found = scorers.DsDm().score(runs=runs, run_losses=losses)
    assert abs(np.corrcoef(found, effects)[0, 1] - 0.35) < 0.1
    with pytest.raises(ReweightvizError, match="at least 3 are finite"):
        scorers.DsDm().score(runs=runs[:3], run_losses=[1.0, np.nan, 2.0])
    with pytest.raises(ReweightvizError, match=r"shapes \(50, 400\) and \(49,\)"):
        scorers.DsDm().score(runs=runs, run_losses=losses[1:])


def test_a_document_of_every_run_or_none_is_not_known():
    runs, losses, _ = make_runs(60, 20, matter=5, noise=0.1)
    runs[:, 3] = True
    runs[:, 7] = False
    for estimator in ("ridge", "lasso"):
        found = scorers.DsDm(estimator).score(runs=runs, run_losses=losses)
        assert np.flatnonzero(np.isnan(found)).tolist() == [3, 7]


def test_a_run_that_diverged_is_left_out():
    runs, losses, _ = make_runs(60, 20, matter=5, noise=0.1)
    bad = np.where(np.arange(60) < 2, np.nan, losses)
    with pytest.warns(ReweightvizWarning, match="leaves out 2 of 60 runs"):
        found = scorers.DsDm().score(runs=runs, run_losses=bad)
    np.testing.assert_array_equal(found, scorers.DsDm().score(runs=runs[2:], run_losses=losses[2:]))


@pytest.mark.optional("sklearn")
@pytest.mark.parametrize("shape", [(40, 7), (20, 70), (30, 30)])
def test_ridge_is_scikit_learns_and_leaves_out_one_by_one(shape, monkeypatch):
    from sklearn.linear_model import Ridge

    monkeypatch.setattr(run_regression, "_BLOCK", 64)
    rng = np.random.default_rng(1)
    X = rng.normal(size=shape)
    y = X @ rng.normal(size=shape[1]) + rng.normal(size=shape[0]) + 4
    for penalty in (None, 0.5):
        found = fit_ridge(X, y, penalty)
        model = Ridge(alpha=found.penalty)
        errors = [
            (y[row] - model.fit(np.delete(X, row, 0), np.delete(y, row)).predict(X[[row]])[0]) ** 2
            for row in range(len(y))
        ]
        assert found.error == pytest.approx(np.mean(errors) ** 0.5, rel=1e-6)
        model.fit(X, y)
        np.testing.assert_allclose(found.coefficients, model.coef_, atol=1e-9)
        np.testing.assert_allclose(found.predict(X), model.predict(X), atol=1e-9)
    assert fit_ridge(X, np.ones(len(y))).coefficients.any() == False  # noqa: E712
    assert not fit_ridge(np.ones((5, 2)), np.arange(5.0)).coefficients.any()
    with pytest.raises(ReweightvizError, match="at least 3 runs"):
        fit_ridge(X[:2], y[:2])
    with pytest.raises(ReweightvizError, match="NaN or inf among them"):
        fit_ridge(X, np.full(len(y), np.nan))


@pytest.mark.golden("MetaRater", "runs whose best rater weights are planted")
def test_meta_rater_finds_the_planted_weights():
    rng = np.random.default_rng(0)
    best = np.array([0.5, 0.3, 0.2, 0.0])
    weights = rng.dirichlet(np.ones(4), 256)
    losses = 2.5 + ((weights - best) ** 2).sum(1) + 0.01 * rng.normal(size=256)
    scorer = scorers.MetaRater()
    found = scorer.find_weights(weights, losses)
    assert np.abs(found - best).max() < 0.05
    ratings = rng.normal(size=(50, 4)) * [1, 10, 100, 1000]
    scores = scorer.score(ratings=ratings, rater_weights=weights, run_losses=losses)
    expected = (ratings - ratings.mean(0)) / ratings.std(0) @ found
    np.testing.assert_allclose(scores, expected)
    # The mixer of the same paper searches the true law instead of a regression.
    law = type("Law", (), {"domains": "abcd", "targets": ("loss",)})()
    law.lower_is_better = np.array([True])
    law.predict = lambda drawn: ((drawn - best) ** 2).sum(1, keepdims=True)
    mixer = mixers.MetaRater(draws=20_000)
    assert np.abs(mixer.result(mixer.init(law=law)) - found).max() < 0.05


def test_meta_rater_leaves_documents_without_all_ratings_out():
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(3), 60)
    ratings = rng.normal(size=(9, 3))
    given = {"rater_weights": weights, "run_losses": weights[:, 0]}
    scorer = scorers.MetaRater(draws=1000)
    holes = np.vstack([ratings, [np.nan, 1, 1]])
    found = scorer.score(ratings=holes, **given)
    np.testing.assert_array_equal(found[:9], scorer.score(ratings=ratings, **given))
    assert np.isnan(found[9])
    with pytest.raises(ReweightvizError, match=r"shapes \(9, 2\) and \(60, 3\)"):
        scorer.score(ratings=ratings[:, :2], **given)
    with pytest.raises(ReweightvizError, match="that sum to 1 in each run; got sums from 2 to 2"):
        scorer.score(ratings=ratings, rater_weights=2 * weights, run_losses=weights[:, 0])
    with pytest.raises(ReweightvizError, match="top of at least 1"):
        scorers.MetaRater(draws=10, top=11)
