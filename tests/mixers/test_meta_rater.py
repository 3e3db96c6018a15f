"""Meta-rater: the search of a law, and ratings on one scale."""

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.mixers import (
    MetaRater,
)
from reweightviz.numerics.ratings import standardise, variance_inflation


def answer(mixer, **signals):
    return mixer.result(mixer.init(**signals))


class Bowl:
    """A law with its optimum at ``best``."""

    targets, lower_is_better = ("loss",), np.array([True])

    def __init__(self, best, sign=1):
        self.best, self.domains, self.sign, self.lower_is_better = (
            np.array(best),
            tuple(map(str, range(len(best)))),
            sign,
            np.array([sign > 0]),
        )

    def predict(self, weights):
        return self.sign * (2 + ((weights - self.best) ** 2).sum(1, keepdims=True))


@pytest.mark.golden("MetaRater", "a law whose optimum is known")
def test_meta_rater_finds_the_optimum_of_its_law():
    best = [0.6, 0.3, 0.1, 0.0]
    for sign in (1, -1):
        found = answer(MetaRater(draws=150_000), law=Bowl(best, sign))
        np.testing.assert_allclose(found, best, atol=0.03)
    assert answer(MetaRater(draws=200, top=5), law=Bowl([0.5, 0.5]), prior=[1, 0]).tolist() == [
        1,
        0,
    ]
    assert answer(MetaRater(draws=200, top=5), law=Bowl([1])).tolist() == [1.0]


def test_meta_rater_searches_a_fitted_law():
    law = rv.fit(rv.demo_swarm(), rv.laws.RegMix(model="linear", folds=0))
    ours = MetaRater(draws=100_000)
    found = ours.result(ours.init(law=law))
    drawn = np.random.default_rng(0).dirichlet(np.ones(len(law.domains)), 10_000)
    assert law.predict(found[None]).mean() < np.quantile(law.predict(drawn).mean(1), 0.005)
    mixture = rv.mix({"prior": dict.fromkeys(law.domains, 1 / len(law.domains))}, ours, law=law)
    assert mixture.array.tolist() == found.tolist()
    with pytest.raises(
        ReweightvizError, match="the signals and the law name different domains: .* in that order"
    ):
        rv.mix({"prior": dict.fromkeys(law.domains[::-1], 1 / len(law.domains))}, ours, law=law)


def test_ratings_are_put_on_one_scale_and_added_up():
    ratings = np.random.default_rng(0).normal(size=(500, 3)) * [1, 100, 0.01] + [0, 5, 7]
    z = standardise(ratings)
    np.testing.assert_allclose([z.mean(0), z.std(0)], [[0] * 3, [1] * 3], atol=1e-12)
    mixer = MetaRater(draws=100, top=5)
    state = mixer.init(law=Bowl([0.5, 0.3, 0.2]))
    np.testing.assert_allclose(mixer.combine(state, ratings), z @ state.weights)
    assert standardise([[1, 2], [1, 4]]).tolist() == [[0, -1], [0, 1]]
    with pytest.raises(ReweightvizError, match="with 1 that are not finite"):
        mixer.combine(state, [[1, 2, float("nan")]])
    with pytest.raises(ReweightvizError, match="a column for each of 3 raters; got 2"):
        mixer.combine(state, ratings[:, :2])


def test_variance_inflation_is_the_diagonal_of_the_inverse_correlation():
    rng = np.random.default_rng(0)
    ratings = rng.normal(size=(2000, 4)) @ rng.normal(size=(4, 4))
    np.testing.assert_allclose(
        variance_inflation(ratings), np.diag(np.linalg.inv(np.corrcoef(ratings.T))), rtol=1e-9
    )


def test_collinear_raters_are_named():
    rng = np.random.default_rng(0)
    ratings = rng.normal(size=(500, 3))
    ratings[:, 2] = ratings[:, 0] + 0.1 * rng.normal(size=500)
    mixer = MetaRater(draws=100, top=5)
    with pytest.warns(
        ReweightvizWarning, match="the ratings of column 0, 2, so their weights mean little"
    ):
        mixer.combine(mixer.init(law=Bowl([0.5, 0.3, 0.2])), ratings)


def test_what_meta_rater_refuses():
    with pytest.raises(ReweightvizError, match="top of at least 1"):
        MetaRater(draws=10, top=20)
    with pytest.raises(ReweightvizError, match="a prior for each of 2 raters"):
        MetaRater().init(law=Bowl([0.5, 0.5]), prior=[1.0])
    with pytest.raises(
        ReweightvizError, match="no weights for which the law predicts a finite loss"
    ):
        MetaRater(draws=200).init(law=Bowl([np.nan, 0.5]))
