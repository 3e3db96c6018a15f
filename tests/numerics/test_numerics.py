import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import least_squares, minimize

from reweightviz.core.errors import ReweightvizError
from reweightviz.numerics import log_linear
from reweightviz.numerics.convex import minimise_exponentials
from reweightviz.numerics.levenberg_marquardt import fit_batch, huber
from reweightviz.numerics.log_linear import Curves, fit_log_linear, log_linear_starts
from reweightviz.numerics.permutation import hash_numbers, permute
from reweightviz.numerics.separable import minimise_powers
from reweightviz.numerics.simplex import log_smooth, log_softmax, share, water_fill


def test_share_refuses_what_is_no_mixture():
    np.testing.assert_allclose(share([0.5, 0.5000001]).sum(), 1, atol=1e-15)
    with pytest.raises(ReweightvizError, match=r"must sum to 1; these sum to 1\.5"):
        share([1, 0.5])
    with pytest.raises(ReweightvizError, match="finite numbers >= 0"):
        share([1.5, -0.5])


def test_softmax_and_smoothing_do_not_underflow():
    logs = log_softmax(np.array([0.0, -1e6, 1e6]))
    np.testing.assert_array_equal(logs, [-1e6, -2e6, 0])
    np.testing.assert_allclose(np.exp(log_smooth(logs, 0.3)), [0.1, 0.1, 0.8], rtol=1e-12)
    np.testing.assert_array_equal(log_smooth(logs, 0), logs)


@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=20), st.floats(1e-3, 1e13))
def test_water_fill_is_level(caps, total):
    caps = np.array(caps)
    filled = water_fill(caps, total)
    assert (filled <= caps).all()
    np.testing.assert_allclose(filled.sum(), min(total, caps.sum()), rtol=1e-9)
    room = filled < caps
    if room.any():
        np.testing.assert_allclose(filled[room], filled.max(), rtol=1e-9)


# ---- curves


def curves(seed=0, runs=60, domains=5, targets=4):
    rng = np.random.default_rng(seed)
    floor, slopes = rng.uniform(0.5, 3, targets), rng.normal(-0.5, 1, (targets, domains))
    mixtures = rng.dirichlet(np.full(domains, 0.6), runs)
    return mixtures, floor, slopes, floor + np.exp(mixtures @ slopes.T)


def test_one_place_goes_where_it_goes_among_others():
    key = hash_numbers(3)
    every = permute(np.arange(50), 50, key)
    assert [int(permute(place, 50, key)[0]) for place in range(50)] == every.tolist()


def test_a_prior_of_other_domains_is_refused_by_powers_too():
    with pytest.raises(ReweightvizError, match="the prior has 3 weights; there are 2 domains"):
        minimise_powers(np.ones((2, 1)), np.ones((2, 1)), prior=np.full(3, 1 / 3))


def test_huber_is_quadratic_then_linear():
    r = np.array([-1.0, -0.01, 0.0, 0.02, 3.0])
    np.testing.assert_allclose(
        huber(r, 0.02), np.where(abs(r) <= 0.02, r**2 / 2, 0.02 * (abs(r) - 0.01))
    )


def test_noiseless_curves_are_recovered_from_every_start():
    mixtures, floor, slopes, losses = curves()
    start = log_linear_starts(mixtures, losses, 5)
    found = fit_log_linear(mixtures, np.repeat(losses.T, 5, 0), start)
    np.testing.assert_allclose(found.floor, np.repeat(floor, 5), atol=1e-6)
    np.testing.assert_allclose(found.slopes, np.repeat(slopes, 5, 0), atol=1e-5)
    assert found.cost.max() < 1e-15


def test_outliers_hardly_move_a_curve():
    mixtures, floor, slopes, losses = curves(runs=200)
    losses[::20] += 5
    found = fit_log_linear(mixtures, losses.T, log_linear_starts(mixtures, losses, 1))
    np.testing.assert_allclose(found.slopes, slopes, atol=0.1)
    np.testing.assert_allclose(
        found.floor + np.exp(mixtures @ found.slopes.T),
        floor + np.exp(mixtures @ slopes.T),
        atol=0.005,
    )


def test_counts_are_repeated_runs():
    mixtures, _, _, losses = curves(runs=30)
    losses += np.random.default_rng(1).normal(0, 0.02, losses.shape)
    counts = np.random.default_rng(2).integers(0, 3, 30)
    start = log_linear_starts(mixtures, losses, 1)
    weighted = fit_log_linear(
        mixtures, losses.T, start, counts=np.tile(counts.astype(float), (4, 1))
    )
    repeated = fit_log_linear(np.repeat(mixtures, counts, 0), np.repeat(losses, counts, 0).T, start)
    np.testing.assert_allclose(weighted.cost, repeated.cost, rtol=1e-9)
    np.testing.assert_allclose(weighted.slopes, repeated.slopes, atol=1e-3)


def test_the_fit_is_no_worse_than_scipy():
    mixtures, _, _, losses = curves(seed=3, targets=2)
    losses += np.random.default_rng(3).standard_t(2, losses.shape) * 0.03
    found = fit_log_linear(mixtures, losses.T, log_linear_starts(mixtures, losses, 1))
    for m in range(2):

        def cost(theta, y=losses[:, m]):
            return huber(np.exp(theta[0]) + np.exp(mixtures @ theta[1:]) - y, 0.02).sum()

        theirs = minimize(cost, [np.log(found.floor[m]), *found.slopes[m]], method="L-BFGS-B")
        assert found.cost[m] <= theirs.fun * (1 + 1e-6)


def test_the_quick_equations_are_those_of_the_jacobian(monkeypatch):
    mixtures, _, _, losses = curves(seed=4)
    losses += np.random.default_rng(4).normal(0, 0.02, losses.shape)
    start = log_linear_starts(mixtures, losses, 3)
    observed = np.repeat(losses.T, 3, 0)
    quick = fit_log_linear(mixtures, observed, start)

    def fit_through_the_jacobian(*parts, **options):
        return fit_batch(*parts, **(options | {"equations": None}))

    monkeypatch.setattr(log_linear, "fit_batch", fit_through_the_jacobian)
    through_jacobian = fit_log_linear(mixtures, observed, start)
    np.testing.assert_allclose(quick.cost, through_jacobian.cost, rtol=1e-9)
    np.testing.assert_allclose(quick.at(mixtures), through_jacobian.at(mixtures), atol=1e-6)


def test_a_floor_pushed_below_zero_stays_there_and_the_slopes_are_best_for_it():
    mixtures, _, _, losses = curves(seed=5, runs=80, targets=3)
    below = losses - losses.min(0) * 0.9 - 0.4 * np.ptp(losses, 0) * mixtures[:, :1]
    below = np.maximum(below, 0.01)
    found = fit_log_linear(mixtures, below.T, log_linear_starts(mixtures, below, 1))
    assert (found.floor == 0).any()
    for floor, slopes, cost, y in zip(*found, below.T, strict=True):
        assert floor >= 0
        theirs = least_squares(
            lambda theta, y=y: theta[0] + np.exp(mixtures @ theta[1:]) - y,
            [floor + 1e-9, *slopes],
            bounds=([0, *[-1000] * 5], [np.inf, *[50] * 5]),
            loss="huber",
            f_scale=0.02,
        )
        assert cost <= theirs.cost * (1 + 1e-6)


def test_slopes_stay_within_their_bounds():
    mixtures = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.2, 0.8]])
    falling = np.array([[3.0, 1.0, 1.0, 1.0]])
    start = Curves(np.array([0.9]), np.array([[0.0, log_linear.SLOPES[0] * 2]]), np.full(1, np.nan))
    found = fit_log_linear(mixtures, falling, start)
    assert (found.slopes >= log_linear.SLOPES[0]).all()
    assert (found.slopes <= log_linear.SLOPES[1]).all()
    np.testing.assert_allclose(found.at(mixtures), falling, atol=1e-6)


def test_no_problems_need_no_work():
    nothing = Curves(np.empty(0), np.empty((0, 2)), np.empty(0))
    found = fit_log_linear(np.eye(2), np.empty((0, 2)), nothing)
    assert [column.shape for column in found] == [column.shape for column in nothing]


# ---- the convex program


def program(seed):
    """A random program of each kind: with and without KL, caps and floors."""
    rng = np.random.default_rng(seed)
    domains, targets = int(rng.integers(2, 13)), int(rng.integers(1, 8))
    rates, shares = rng.normal(0, rng.choice([0.3, 2, 6]), (targets, domains)), rng.random(targets)
    kl, prior = float(rng.choice([0, 0.01, 0.05, 1])), rng.dirichlet(np.ones(domains))
    upper = np.minimum(1, rng.random(domains) + 1.2 / domains) if seed % 2 else np.ones(domains)
    lower = (
        np.minimum(rng.random(domains) * 0.3 / domains, upper)
        if seed % 3 == 0
        else np.zeros(domains)
    )
    return rates, shares, kl, prior, lower, upper


def objective(x, rates, shares, kl, prior):
    return shares @ np.exp(rates @ x) + kl * (x * np.log(np.maximum(x, 1e-300) / prior)).sum()


@pytest.mark.parametrize("seed", range(24))
def test_optimum_is_feasible_and_as_low_as_scipy_finds(seed):
    rates, shares, kl, prior, lower, upper = program(seed)
    found = minimise_exponentials(rates, shares, kl=kl, prior=prior, lower=lower, upper=upper)
    assert abs(found.x.sum() - 1) < 1e-12
    assert (found.x >= lower - 1e-15).all()
    assert (found.x <= upper + 1e-15).all()
    assert found.gap <= 1e-8 * (abs(found.value) + kl)
    np.testing.assert_allclose(found.value, objective(found.x, rates, shares, kl, prior), rtol=1e-9)
    theirs = minimize(
        objective,
        lower + (upper - lower) * (1 - lower.sum()) / (upper - lower).sum(),
        (rates, shares, kl, prior),
        bounds=list(zip(np.maximum(lower, 1e-12), upper, strict=True)),
        method="SLSQP",
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
        options={"maxiter": 500, "ftol": 1e-12},
    )
    if theirs.success:
        assert found.value <= theirs.fun + 1e-8 * (abs(theirs.fun) + 1)


def test_the_gap_bounds_every_other_mixture():
    rates, shares, kl, prior, _, _ = program(4)
    found = minimise_exponentials(rates, shares, kl=kl, prior=prior)
    others = np.random.default_rng(0).dirichlet(np.full(len(prior), 0.5), 2000)
    assert min(objective(x, rates, shares, kl, prior) for x in others) >= found.value - found.gap


def test_one_exponential_without_kl_gives_the_vertex_or_the_caps_exactly():
    rates = np.array([[0.3, -2.0, -1.0, 0.5]])
    assert minimise_exponentials(rates, np.ones(1)).x.tolist() == [0, 1, 0, 0]
    assert minimise_exponentials(rates, np.ones(1), upper=[1, 0.25, 0.5, 1]).x.tolist() == [
        0.25,
        0.25,
        0.5,
        0,
    ]
    assert minimise_exponentials(rates, np.ones(1), lower=[0.25, 0, 0, 0.25]).x.tolist() == [
        0.25,
        0.5,
        0,
        0.25,
    ]


def test_strong_kl_gives_the_prior_and_weak_kl_of_two_targets_the_free_optimum():
    rates, prior = np.array([[-1.0, -3.0, 0.5], [-2.0, 0.0, 0.5]]), np.array([0.5, 0.3, 0.2])
    np.testing.assert_allclose(
        minimise_exponentials(rates, np.ones(2), kl=1e9, prior=prior).x, prior, atol=1e-8
    )
    np.testing.assert_allclose(
        minimise_exponentials(rates, np.ones(2)).x, [0.75, 0.25, 0], atol=1e-7
    )


def test_kl_has_the_gibbs_form_when_the_objective_is_nearly_linear():
    slopes, prior, tiny = np.array([[1.0, 0.0, -1.0]]), np.array([0.2, 0.5, 0.3]), 1e-6
    expected = prior * np.exp(-slopes[0])
    found = minimise_exponentials(slopes * tiny, np.ones(1), kl=tiny, prior=prior)
    # A weight that is off by 1e-5 changes this objective by less than its rounding.
    np.testing.assert_allclose(found.x, expected / expected.sum(), atol=5e-5)


def test_a_prior_of_zero_keeps_its_domain_at_zero():
    found = minimise_exponentials(
        np.array([[-5.0, 0.0, 1.0]]), np.ones(1), kl=0.1, prior=[0, 0.5, 0.5]
    )
    assert found.x[0] == 0


def test_caps_that_sum_to_one_are_the_answer():
    np.testing.assert_allclose(
        minimise_exponentials(np.ones((2, 3)), np.ones(2), kl=0.1, upper=[0.5, 0.3, 0.2]).x,
        [0.5, 0.3, 0.2],
    )


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        ({"upper": [0.5, 0.3]}, r"upper bounds \(caps\) sum to 0\.8"),
        ({"lower": [0.8, 0.3]}, r"lower bounds sum to 1\.1"),
        ({"lower": [0, 0.3], "upper": [1, 0.2]}, r"above the upper bound \(cap\) for 'code'"),
        ({"upper": [1, float("nan")]}, "that of 'code' is NaN"),
        ({"kl": 0.1, "prior": [1, 0], "lower": [0, 0.1]}, "lower bound of 'code' is above 0"),
        ({"kl": 0.1, "prior": [1, 0, 0]}, "the prior has 3 weights; there are 2"),
        ({"kl": -1}, "kl is -1"),
    ],
)
def test_impossible_programs_are_one_sentence(bounds, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        minimise_exponentials(np.array([[-1.0, -2.0]]), np.ones(1), names=["web", "code"], **bounds)
    with pytest.raises(ReweightvizError, match="nothing to minimise"):
        minimise_exponentials(np.ones((1, 2)), np.zeros(1))
