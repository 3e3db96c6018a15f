"""The Gaussian process against scikit-learn, against leaving runs out one by one, and on the public RegMix swarm."""

import json

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import spearmanr

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.laws._gaussian_process_law import GaussianProcessLaw
from reweightviz.laws.gaussian_process import GaussianProcess
from reweightviz.numerics.gaussian_process import Kernel, fit_kernel, log_likelihood, posterior
from reweightviz.readers.swarms import two_tables as swarms

NAMES = ("web", "code", "math")


def runs(count=60, noise=0.01, targets=2, seed=0):
    rng = np.random.default_rng(seed)
    mixtures = rng.dirichlet(np.ones(3), count)
    losses = (
        2
        + np.exp(mixtures @ np.random.default_rng(9).normal(0, 1, (3, targets)))
        + rng.normal(0, noise, (count, targets))
    )
    return {
        "domains": NAMES,
        "targets": tuple(f"loss {m}" for m in range(targets)),
        "mixtures": mixtures,
        "losses": losses,
    }


def data(count=30, seed=0):
    rng = np.random.default_rng(seed)
    inputs = rng.random((count, 3))
    y = np.sin(3 * inputs[:, 0]) + inputs[:, 1] ** 2 + rng.normal(0, 0.1, count)
    return inputs, (y - y.mean()) / y.std()


@pytest.mark.optional("sklearn")
@pytest.mark.golden("GaussianProcess", "scikit-learn's GaussianProcessRegressor")
def test_posterior_and_likelihood_are_those_of_scikit_learn():
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    inputs, y = data()
    kernel = Kernel(0.3, -2.0, np.array([-0.2, 0.1, 0.5]))
    theirs = GaussianProcessRegressor(
        ConstantKernel(np.exp(0.3)) * RBF(np.exp(kernel.lengths)) + WhiteKernel(np.exp(-2.0)),
        optimizer=None,
        alpha=1e-10,
    ).fit(inputs, y)
    value, slope = theirs.log_marginal_likelihood(theirs.kernel_.theta, eval_gradient=True)
    ours, ours_slope = log_likelihood(inputs, y, kernel)
    assert ours == pytest.approx(value, abs=1e-6)
    np.testing.assert_allclose(ours_slope, slope[[0, 4, 1, 2, 3]], atol=1e-5)
    new = np.random.default_rng(1).random((5, 3))
    mean, covariance = theirs.predict(new, return_cov=True)
    known = posterior(inputs, y, kernel)
    np.testing.assert_allclose(known.mean(new), mean, atol=1e-7)
    np.testing.assert_allclose(known.variance(new) + np.exp(-2.0), np.diag(covariance), atol=1e-7)

    rng = np.random.default_rng(2)
    drawn = known.deviations(
        rng.standard_normal((2000, 3)),
        rng.standard_normal((4000, 20_000)),
        rng.standard_normal((len(y), 20_000)),
    )(new)
    np.testing.assert_allclose(np.cov(drawn) + np.exp(-2.0) * np.eye(5), covariance, atol=0.01)


def test_the_gradient_is_that_of_the_likelihood():
    inputs, y = data()
    at = np.array([0.2, -1.5, -0.4, 0.3, 1.0])
    wrong = check_grad(
        lambda t: log_likelihood(inputs, y, Kernel(t[0], t[1], t[2:]))[0],
        lambda t: log_likelihood(inputs, y, Kernel(t[0], t[1], t[2:]))[1],
        at,
    )
    assert wrong < 1e-4


def test_the_likelihood_rises_and_one_length_stays_one():
    inputs, y = data()
    start = Kernel(0.0, -3.0, np.zeros(3))
    one, height = fit_kernel(inputs, y, start, isotropic=True)
    assert len(set(one.lengths)) == 1
    many, higher = fit_kernel(inputs, y, one, isotropic=False)
    assert higher > height > log_likelihood(inputs, y, start)[0]
    np.testing.assert_allclose(log_likelihood(inputs, y, many)[1], 0, atol=0.05)


def test_leaving_one_out_at_once_is_leaving_one_out():
    inputs, y = data(12)
    kernel = Kernel(0.0, -2.0, np.zeros(3))
    missed, spread = posterior(inputs, y, kernel).leave_one_out()
    for run in range(12):
        others = np.arange(12) != run
        known = posterior(inputs[others], y[others], kernel)
        np.testing.assert_allclose(missed[run], y[run] - known.mean(inputs[[run]])[0], atol=1e-7)
        np.testing.assert_allclose(
            spread[run] ** 2, known.variance(inputs[[run]])[0] + np.exp(-2.0), atol=1e-7
        )


def test_smooth_losses_are_met_and_powers_chosen():
    law = GaussianProcess().fit(**runs(80, noise=0))
    new = np.random.default_rng(1).dirichlet(np.ones(3), 200)
    truth = 2 + np.exp(new @ np.random.default_rng(9).normal(0, 1, (3, 2)))
    np.testing.assert_allclose(law.predict(new), truth, atol=0.03)
    assert set(law.diagnostics["power"]) == {1.0}
    sharp = runs(80)
    sharp["losses"][:, 0] = 3 - 2 * sharp["mixtures"][:, 0] ** 0.25
    law = GaussianProcess().fit(**sharp)
    assert law.diagnostics["power"][0] == 0.25
    assert GaussianProcess(power=0.5).fit(**sharp).diagnostics["power"] == [0.5, 0.5]


def test_isotropic_or_not_as_given():
    for isotropic in (True, False):
        lengths = GaussianProcess(isotropic=isotropic).fit(**runs()).diagnostics["lengths"]
        assert all((len(set(one)) == 1) is isotropic for one in lengths)


def test_intervals_hold_new_runs_as_often_as_they_say():
    inside = {0.9: [], 0.5: []}
    for seed in range(3):
        given = runs(240, noise=0.1, targets=4, seed=seed)
        law = GaussianProcess().fit(
            **given | {"mixtures": given["mixtures"][:60], "losses": given["losses"][:60]}
        )
        for level, found in inside.items():
            low, high = law.interval(given["mixtures"][60:], level)
            found.append(((low <= given["losses"][60:]) & (given["losses"][60:] <= high)).mean())
    assert 0.83 <= np.mean(inside[0.9]) <= 0.96
    assert 0.4 <= np.mean(inside[0.5]) <= 0.6


def test_draws_have_the_interval_and_move_together():
    given = runs(40, noise=0.2)
    shared = np.random.default_rng(4).normal(0, 0.2, 40)
    given["losses"] = 2 + given["mixtures"][:, :2] + shared[:, None]
    law = GaussianProcess(draws=4000).fit(**given)
    weights = np.array([[0.3, 0.3, 0.4], [0.31, 0.3, 0.39], [0.9, 0.05, 0.05]])
    drawn = law.samples(weights)
    low, high = law.interval(weights, 0.8)
    np.testing.assert_allclose(np.quantile(drawn, [0.1, 0.9], axis=0), [low, high], atol=0.03)
    apart = drawn - drawn.mean(0)
    assert (apart[:, 0] * apart[:, 1]).mean() / apart[:, 0].var() > 0.95
    assert np.corrcoef(drawn[:, 0].T)[0, 1] > 0.8
    assert (drawn[:, 0] - drawn[:, 1]).std() < 0.2 * drawn[:, 0].std()


def test_a_draw_is_the_same_function_whenever_it_is_asked():
    law = GaussianProcess().fit(**runs(40))
    weights = np.random.default_rng(5).dirichlet(np.ones(3), 3000)
    together = law.samples(weights)
    np.testing.assert_allclose(law.samples(weights[[7, 3]]), together[:, [7, 3]], rtol=1e-9)
    np.testing.assert_array_equal(law.samples(weights[:2]), law.samples(weights[:2]))


@pytest.mark.parametrize("count", [8, 12, 24])
def test_intervals_of_few_runs_are_wide_enough(count):
    """Without the fits that leave runs out they held half of the new ones."""
    inside = []
    for seed in range(8):
        given = runs(count + 100, noise=0.02, targets=2, seed=seed)
        law = GaussianProcess().fit(
            **given | {"mixtures": given["mixtures"][:count], "losses": given["losses"][:count]}
        )
        low, high = law.interval(given["mixtures"][count:])
        inside.append(((low <= given["losses"][count:]) & (given["losses"][count:] <= high)).mean())
    assert 0.82 <= np.mean(inside) <= 0.99


def test_hardly_any_runs_are_warned_of():
    with pytest.warns(
        ReweightvizWarning, match=r"is over 3 domains and has 6 runs: with fewer than 7"
    ):
        GaussianProcess().fit(**runs(6))
    GaussianProcess(draws=0).fit(**runs(6))


def test_no_draws_no_interval():
    law = GaussianProcess(draws=0).fit(**runs(20))
    low, high = law.interval([[1, 0, 0]])
    assert np.isnan(low).all() and np.isnan(high).all()
    with pytest.raises(ReweightvizError, match="level must be a probability"):
        law.interval([[1, 0, 0]], 90)


def test_equal_losses_make_a_constant_law():
    given = runs()
    given["losses"][:, 1] = 2.5
    law = GaussianProcess().fit(**given)
    np.testing.assert_allclose(law.predict(given["mixtures"])[:, 1], 2.5)
    assert law.diagnostics["constant"] == [False, True]
    low, high = law.interval(given["mixtures"][:3])
    assert (low[:, 1] == 2.5).all() and (high[:, 1] == 2.5).all() and (low[:, 0] < high[:, 0]).all()
    np.testing.assert_allclose(law.samples(given["mixtures"][:3])[:, :, 1], 2.5)


def test_survives_json():
    law = GaussianProcess(draws=7, seed=3).fit(**runs(30))
    again = GaussianProcessLaw.from_dict(json.loads(json.dumps(law.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(again.samples([[1, 0, 0]]), law.samples([[1, 0, 0]]))
    assert again.diagnostics == law.diagnostics


def test_wrong_settings_are_one_sentence():
    with pytest.raises(ReweightvizError, match="a power above 0"):
        GaussianProcess(power=0)


@pytest.mark.shared
def test_held_out_runs_of_the_public_swarm(public_tables):
    train, test = (
        swarms.read(
            public_tables / f"regmix/{part}_mixture_1m.csv",
            public_tables / f"regmix/{part}_pile_loss_1m.csv",
        )
        for part in ("train", "test")
    )
    law = GaussianProcess().fit(
        domains=train.domains, targets=train.targets, mixtures=train.mixtures, losses=train.losses
    )
    predicted, (low, high) = law.predict(test.mixtures), law.interval(test.mixtures)
    rho = [100 * spearmanr(predicted[:, m], test.losses[:, m])[0] for m in range(len(test.targets))]
    assert np.mean(rho) > 98.956  # more than LightGBM
    assert 0.85 <= ((low <= test.losses) & (test.losses <= high)).mean() <= 0.95
