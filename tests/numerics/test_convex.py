"""The convex program with limits and ceilings, the search without convexity, hulls and contradictions."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, NonlinearConstraint, minimize

from reweightviz.core.errors import ReweightvizError
from reweightviz.numerics.convex import Ceilings, minimise_exponentials
from reweightviz.numerics.hull import distance_outside
from reweightviz.numerics.linear_constraints import (
    Conflict,
    Limits,
    conflict,
    interior,
    least_value,
)
from reweightviz.numerics.region import region
from reweightviz.numerics.simplex_search import first_draws, is_smooth, search, tangent_gap


def program(seed):
    """A random feasible program: bounds, limits of both signs, and every third with the worst of M, or a ceiling on two."""
    rng = np.random.default_rng(seed)
    domains, targets = int(rng.integers(2, 13)), int(rng.integers(1, 9))
    rates, kl, prior = (
        rng.normal(0, rng.choice([0.3, 2, 5]), (targets, domains)),
        float(rng.choice([0, 0.01, 0.05, 1])),
        rng.dirichlet(np.ones(domains)),
    )
    inside = rng.dirichlet(np.ones(domains))
    upper = (
        np.maximum(np.minimum(1, rng.random(domains) + 1.2 / domains), inside)
        if seed % 2
        else np.ones(domains)
    )
    rows = (rng.random((int(rng.integers(0, 4)), domains)) < 0.5) * rng.choice([-1.0, 1.0])
    if seed % 5 == 0:
        rows = np.vstack([rows, rates[:1]])
    limits = Limits(rows, rows @ inside + rng.choice([0.005, 0.02, 0.1], len(rows)))
    shares, ceilings = rng.random(targets), None
    if seed % 3 == 1:
        shares, ceilings = (
            np.zeros(targets),
            Ceilings(np.eye(targets), rng.uniform(0, 2, targets), np.ones(targets, bool)),
        )
    elif seed % 3 == 2 and targets > 2:
        both = np.zeros((1, targets))
        both[0, :2] = 0.5
        ceilings = Ceilings(both, -1.02 * both @ np.exp(rates @ inside), np.zeros(1, bool))
    return rates, shares, kl, prior, upper, limits, ceilings, inside


def theirs(rates, shares, kl, prior, upper, limits, ceilings, inside, method):
    """The same program, written for scipy; the worst target as one more variable."""
    worst, domains = ceilings is not None and ceilings.worst.any(), len(prior)

    def split(z):
        return z[:domains], z[-1] if worst else 0.0

    def cost(z):
        x, top = split(z)
        return (
            shares @ np.exp(rates @ x)
            + kl * (x * np.log(np.maximum(x, 1e-300) / prior)).sum()
            + top
        )

    def over(z):
        x, top = split(z)
        return ceilings.offset + ceilings.shares @ np.exp(rates @ x) - top * worst

    start = np.append(inside, (ceilings.offset + np.exp(rates @ inside)).max()) if worst else inside
    bounds = [(1e-12, cap) for cap in upper] + ([(None, None)] if worst else [])
    pad = np.zeros((len(limits.most), 1 if worst else 0))
    one = np.append(np.ones(domains), np.zeros(pad.shape[1]))
    if method == "SLSQP":
        rules = [{"type": "eq", "fun": lambda z: one @ z - 1}]
        rules += (
            [{"type": "ineq", "fun": lambda z: limits.most - np.hstack([limits.rows, pad]) @ z}]
            if len(limits.most)
            else []
        )
        rules += [{"type": "ineq", "fun": lambda z: -over(z)}] if ceilings is not None else []
        options = {"maxiter": 500, "ftol": 1e-12}
    else:
        rules = [LinearConstraint(one[None], 1, 1)]
        rules += (
            [LinearConstraint(np.hstack([limits.rows, pad]), -np.inf, limits.most)]
            if len(limits.most)
            else []
        )
        rules += [NonlinearConstraint(over, -np.inf, 0)] if ceilings is not None else []
        options = {"maxiter": 400, "gtol": 1e-8}
    return minimize(cost, start, method=method, bounds=bounds, constraints=rules, options=options)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("seed", "method"),
    [*[(seed, "SLSQP") for seed in range(45)], *[(seed, "trust-constr") for seed in (1, 2, 3, 10)]],
)
def test_optimum_meets_every_limit_and_is_as_low_as_scipy_finds(seed, method):
    rates, shares, kl, prior, upper, limits, ceilings, inside = program(seed)
    found = minimise_exponentials(
        rates, shares, kl=kl, prior=prior, upper=upper, limits=limits, ceilings=ceilings
    )
    assert abs(found.x.sum() - 1) < 1e-12
    assert (found.x >= 0).all() and (found.x <= upper + 1e-15).all()
    assert (limits.rows @ found.x <= limits.most + 1e-8).all()
    assert found.excess <= 1e-8
    assert found.gap <= 1e-7 * (abs(found.value) + kl + 1)
    other = theirs(rates, shares, kl, prior, upper, limits, ceilings, inside, method)
    if other.success and (limits.rows @ other.x[: len(prior)] <= limits.most + 1e-9).all():
        assert found.value <= other.fun + 1e-6 * (abs(other.fun) + 1)


@pytest.mark.parametrize("seed", [0, 1, 2, 4, 16, 28, 35])
def test_the_value_is_that_of_the_interior_point_before(seed):
    rates, shares, kl, prior, upper, limits, ceilings, _ = program(seed)
    found = minimise_exponentials(
        rates, shares, kl=kl, prior=prior, upper=upper, limits=limits, ceilings=ceilings
    )
    golden = json.loads((Path(__file__).parents[1] / "golden" / "programs.json").read_text("utf-8"))
    assert found.value == pytest.approx(golden[f"program {seed}"], rel=1e-8)


def test_the_gap_bounds_every_mixture_within_the_limits():
    for seed in (3, 4, 6, 7):
        rates, shares, kl, prior, upper, limits, ceilings, _ = program(seed)
        found = minimise_exponentials(
            rates, shares, kl=kl, prior=prior, upper=upper, limits=limits, ceilings=ceilings
        )
        others = region(np.zeros(len(prior)), upper, limits).within(
            np.random.default_rng(0).dirichlet(np.full(len(prior), 0.5), 2000)
        )
        assert len(others) > 100
        for x in others:
            value = (
                shares @ np.exp(rates @ x) + kl * (x * np.log(np.maximum(x, 1e-300) / prior)).sum()
            )
            if ceilings is not None:
                value += (ceilings.offset + ceilings.shares @ np.exp(rates @ x)).max()
            assert value >= found.value - found.gap - 1e-9


def test_a_limit_without_room_still_has_its_optimum():
    rates = np.array([[-1.0, -2, 0.5, 0], [0.3, 0, -1, 2]])
    thin = Limits(np.array([[1.0, 1, 0, 0], [-1.0, -1, 0, 0]]), np.array([0.4, -0.4]))
    found = minimise_exponentials(rates, np.ones(2), kl=0.05, limits=thin)
    assert found.x[:2].sum() == pytest.approx(0.4, abs=1e-8)
    assert found.gap < 1e-8
    halves = minimise_exponentials(
        rates, np.ones(2), kl=0.05, upper=[0.4, 0.4, 0.6, 0.6], limits=thin
    )
    np.testing.assert_allclose(halves.x, found.x, atol=1e-6)


@pytest.mark.parametrize("kl", [0.0, 1.0])
@pytest.mark.parametrize("worst", [False, True])
def test_steep_rates_are_solved(worst, kl):
    first = np.linspace(0, 1, 200_001)
    grid = np.column_stack([first, 1 - first])
    with np.errstate(divide="ignore", invalid="ignore"):
        pulls = kl * np.where(grid > 0, grid * np.log(2 * grid), 0.0).sum(1)
    for seed in range(20):
        rates = np.random.default_rng(seed).normal(0, 100, (3, 2))
        with np.errstate(over="ignore"):
            terms = np.exp(grid @ rates.T)
        shares = np.zeros(3) if worst else np.full(3, 1 / 3)
        ceilings = Ceilings(np.eye(3), np.ones(3), np.ones(3, bool)) if worst else None
        losses = 1 + terms.max(1) if worst else terms.mean(1)
        lowest = float((losses + pulls).min())
        if lowest > 1e12:
            continue  # no loss is that large
        found = minimise_exponentials(rates, shares, kl=kl, ceilings=ceilings)
        assert found.value <= lowest + 1e-9 * (lowest + kl)
        assert found.value - found.gap <= lowest
        assert found.gap <= 1e-6 * (found.value + kl)


def test_terms_too_large_for_the_solver_are_refused_as_such():
    with pytest.raises(ReweightvizError, match="some predicted losses are too large for it"):
        minimise_exponentials(np.full((2, 2), 2000.0) + np.eye(2), np.ones(2), kl=1.0)


def test_one_exponential_under_limits_is_a_vertex():
    limits = Limits(np.array([[0.0, 1, 1]]), np.array([0.25]))
    assert minimise_exponentials(
        np.array([[0.3, -2.0, -1.0]]), np.ones(1), limits=limits
    ).x.tolist() == [0.75, 0.25, 0]
    with pytest.raises(ReweightvizError, match="no weights meet every limit"):
        minimise_exponentials(
            np.array([[0.3, -2.0, -1.0]]),
            np.ones(1),
            limits=Limits(np.array([[0.0, 1, 1], [1, 0, 0]]), np.array([0.25, 0.5])),
        )


def test_limits_that_leave_nothing_are_refused():
    with pytest.raises(ReweightvizError, match="no weights meet every limit"):
        minimise_exponentials(
            np.eye(3),
            np.ones(3),
            kl=0.1,
            limits=Limits(np.array([[1.0, 1, 0], [-1, 0, 0]]), np.array([0.2, -0.3])),
        )
    with pytest.raises(ReweightvizError, match="the same for every domain"):
        minimise_exponentials(
            np.eye(3), np.ones(3), limits=Limits(np.ones((1, 3)), np.array([0.9]))
        )
    floor = Ceilings(np.ones((1, 3)), np.array([-1.0]), np.zeros(1, bool))
    with pytest.raises(ReweightvizError, match="no weights meet every limit|stopped up to"):
        minimise_exponentials(np.eye(3), np.ones(3), kl=0.1, ceilings=floor)


# ---- contradictions


def test_a_contradiction_is_a_smallest_one():
    rows = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [-1, -1, 0, 0]])
    found = conflict(Limits(rows, np.array([0.1, 0.2, 0.9, -0.5])))
    assert found == Conflict(asked=3, others=(0, 1), reach=pytest.approx(-0.3))
    assert conflict(Limits(rows[:3], np.array([0.1, 0.2, 0.9]))) is None
    assert least_value(np.array([1.0, 2, 3]), np.empty((0, 3)), np.empty(0)) == 1


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_contradictions_are_exactly_where_nothing_is_inside(seed):
    rng = np.random.default_rng(seed)
    rows, most = rng.choice([-1.0, 0, 1], (4, 4)), rng.uniform(-0.8, 0.8, 4)
    limits = Limits(rows[np.ptp(rows, axis=1) > 0], most[np.ptp(rows, axis=1) > 0])
    found, (x, room) = conflict(limits), interior(limits, np.zeros(4), np.ones(4))
    if found is None:
        assert (limits.rows @ x <= limits.most + 1e-7).all()
    else:
        assert room < 1e-9
        kept = [*found.others, found.asked]
        for each in kept:
            rest = [other for other in kept if other != each]
            assert np.isfinite(least_value(np.zeros(4), limits.rows[rest], limits.most[rest]))


# ---- hull


def test_distance_outside_the_hull():
    corners = np.array([[1.0, 0, 0], [0, 1, 0], [0.5, 0, 0.5]])
    inside = np.random.default_rng(0).dirichlet(np.ones(3), 20) @ corners
    assert distance_outside(inside, corners).max() == 0
    np.testing.assert_allclose(distance_outside([[0, 0, 1.0], [0, 0.5, 0.5]], corners), [0.5, 0.25])
    np.testing.assert_allclose(distance_outside([0, 0, 1.003], 0.998 * corners), [0.5])
    with pytest.raises(ReweightvizError, match="of the same domains"):
        distance_outside([[0.5, 0.5]], corners)


# ---- search


def test_a_region_keeps_what_is_drawn_within_it():
    limits = Limits(
        np.array([[1.0, 1, 0, 0], [-1.0, -1, 0, 0], [0, 1, 1, 0]]), np.array([0.4, -0.4, 0.5])
    )
    where = region(np.array([0, 0.05, 0, 0]), np.array([1, 1, 0.4, 1]), limits)
    drawn = where.within(first_draws(np.full(4, 0.25), 500, np.random.default_rng(0), None))
    np.testing.assert_allclose(drawn.sum(1), 1)
    np.testing.assert_allclose(drawn[:, :2].sum(1), 0.4)
    assert (
        (drawn[:, 1] >= 0.05 - 1e-9).all()
        and (drawn[:, 2] <= 0.4 + 1e-9).all()
        and (drawn[:, 1:3].sum(1) <= 0.5 + 1e-9).all()
    )
    assert np.ptp(drawn, axis=0).min() > 0.1  # although the region is flat
    with pytest.raises(ReweightvizError, match="no weights meet every limit"):
        region(np.zeros(4), np.full(4, 0.2), limits)


@pytest.mark.parametrize("seed", range(6))
def test_the_search_finds_what_the_convex_program_proves(seed):
    rates, shares, kl, prior, upper, limits, _, _ = program(3 * seed)
    found = minimise_exponentials(rates, shares, kl=kl, prior=prior, upper=upper, limits=limits)

    def score(w):
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.exp(w @ rates.T) @ shares + kl * np.where(
                w > 0, w * np.log(w / prior), 0
            ).sum(1)

    where = region(np.zeros(len(prior)), upper, limits)
    best = search(score, where, prior=prior, seed=seed, evaluations=6000)
    assert best.smooth
    assert best.value <= found.value + 1e-4 * (abs(found.value) + kl)
    assert tangent_gap(score, best.x, where) < 1e-2 * (abs(found.value) + kl)
    again = search(score, where, prior=prior, seed=seed, evaluations=6000)
    np.testing.assert_array_equal(best.x, again.x)


def test_the_search_crosses_valleys_and_steps():
    centre = np.array([0.1, 0.8, 0.1])

    def valleys(w):
        far = ((w - centre) ** 2).sum(1)
        return -np.exp(-60 * far) - 0.6 * np.exp(-20 * ((w - [0.7, 0.1, 0.2]) ** 2).sum(1))

    where = region(np.zeros(3), np.ones(3), Limits(np.empty((0, 3)), np.empty(0)))
    np.testing.assert_allclose(
        search(valleys, where, prior=np.full(3, 1 / 3), evaluations=4000).x, centre, atol=0.01
    )

    def steps(w):
        return np.floor(20 * ((w - centre) ** 2).sum(1))

    best = search(steps, where, prior=np.full(3, 1 / 3), evaluations=2000)
    assert not best.smooth and not is_smooth(steps, centre)
    assert best.value == 0
    with pytest.raises(ReweightvizError, match="not finite anywhere"):
        search(lambda w: np.full(len(w), np.nan), where, prior=np.full(3, 1 / 3), evaluations=200)
