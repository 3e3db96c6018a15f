"""Convex programs: closed forms, the values of the method before, hard targets, and a proof that needs no trust."""

import json
from pathlib import Path

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.laws._log_linear_law import LogLinearLaw
from reweightviz.numerics import _certificate, _cone_table
from reweightviz.numerics.convex import Ceilings, minimise_exponentials
from reweightviz.numerics.convex_functions import Affine, Entropy, Exponential, InversePower, Root
from reweightviz.numerics.linear_constraints import Limits
from reweightviz.numerics.mixture_likelihood import documents, minimise_mixture_loss
from reweightviz.numerics.programs import Program
from reweightviz.numerics.separable import minimise_powers

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "programs.json").read_text("utf-8"))


def hard_coefficients(seed):
    """Five targets of five domains, whose exponentials span tens of orders of magnitude."""
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(0, 1, 5), rng.normal(0, 10, (5, 5))])


def hard_worst(seed, **options):
    coef = hard_coefficients(seed)
    ceilings = Ceilings(np.eye(5), np.exp(coef[:, 0]), np.ones(5, bool))
    return minimise_exponentials(coef[:, 1:], np.zeros(5), ceilings=ceilings, **options)


def worst_loss(coef, x):
    return (np.exp(coef[:, 0]) + np.exp(x @ coef[:, 1:].T)).max(-1)


@pytest.mark.parametrize("seed", range(40))
def test_the_worst_of_hard_targets_is_solved_and_proven(seed):
    coef, found = hard_coefficients(seed), hard_worst(seed)
    assert found.gap <= 1e-8 * found.value
    assert found.value == pytest.approx(worst_loss(coef, found.x), rel=1e-12)
    assert (found.x >= 0).all()
    assert abs(found.x.sum() - 1) < 1e-12
    rng = np.random.default_rng(seed)
    near = np.maximum(
        found.x + rng.normal(0, 1, (4000, 5)) * np.geomspace(1e-6, 0.3, 4000)[:, None], 0
    )
    others = np.concatenate(
        [near / near.sum(1, keepdims=True), rng.dirichlet(np.full(5, 0.3), 4000)]
    )
    assert worst_loss(coef, others).min() >= found.value - found.gap - 1e-12 * found.value


@pytest.mark.parametrize("seed", range(40))
def test_optimize_proposes_for_the_worst_of_hard_targets(seed):
    coef = hard_coefficients(seed)
    draws, noise = np.empty((0, 5, 6), np.float32), np.empty((0, 5), np.float32)
    diagnostics = {"r2": [1.0] * 5, "mae": [0.0] * 5, "degenerate": [False] * 5}
    law = LogLinearLaw(
        tuple("abcde"), tuple("vwxyz"), np.ones(5, bool), coef, draws, noise, diagnostics
    )
    proposal = rv.optimize(law, objective="worst", kl=0)
    weights = np.array([proposal[name] for name in "abcde"])
    assert worst_loss(coef, weights) == pytest.approx(hard_worst(seed).value, rel=1e-6)


# Values of the primal-dual interior point, the root and the barrier that Clarabel took the place of (version 0.3.0).


@pytest.mark.parametrize("seed", [0, 1, 3, 17, 38])
def test_the_worst_is_that_of_the_method_before(seed):
    assert hard_worst(seed).value == pytest.approx(GOLDEN[f"worst {seed}"], rel=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_powers_and_likelihoods_are_those_of_the_methods_before(seed):
    rng = np.random.default_rng(seed)
    domains, powers = int(rng.integers(3, 9)), int(rng.integers(1, 4))
    factors, exponents = (
        rng.exponential(1, (domains, powers)),
        rng.uniform(0.02, 1.5, (domains, powers)),
    )
    prior, upper = rng.dirichlet(np.ones(domains)), np.full(domains, 2.5 / domains)
    found = minimise_powers(factors, exponents, kl=0.1 * (seed % 2), prior=prior, upper=upper)
    assert found.value == pytest.approx(GOLDEN[f"powers {seed}"], rel=1e-8)
    assert found.gap <= 1e-9 * found.value
    logs, shares = rng.normal(0, 2, (300, domains)), rng.random(300) / 300
    found = minimise_mixture_loss(
        documents(logs), shares, kl=0.05 * (seed % 2), prior=prior, upper=upper
    )
    assert found.value == pytest.approx(GOLDEN[f"likelihood {seed}"], rel=1e-8)
    assert found.gap <= 1e-9


# ---- closed forms


def test_one_power_a_domain_has_a_closed_form():
    factors = np.array([0.3, 1.0, 2.0, 4.0])
    program = Program(np.zeros(4), np.ones(4))
    found = program.minimise(factors[None] @ program.inverse_power(program.weights, np.ones(4)))
    np.testing.assert_allclose(found.x, np.sqrt(factors) / np.sqrt(factors).sum(), atol=1e-7)
    assert found.gap < 1e-9 * found.value


def test_a_straight_cost_fills_the_caps():
    for bounds, best in (
        ((np.zeros(4), np.array([0.4, 0.5, 1, 1])), [0.4, 0.5, 0.1, 0]),
        ((np.array([0.1, 0.2, 0.3, 0.4]), np.ones(4)), [0.1, 0.2, 0.3, 0.4]),
    ):
        program = Program(*bounds)
        np.testing.assert_allclose(
            program.minimise(np.array([[0.3, 1.0, 2.0, 4.0]]) @ program.weights).x, best, atol=1e-8
        )


def test_roots_of_equal_factors_are_best_even():
    program = Program(np.zeros(3), np.ones(3))
    summed = np.ones((1, 3)) @ program.root(program.weights, np.full(3, 0.5))
    found = program.minimise(np.ones((1, 1)) @ program.inverse_power(summed, np.ones(1)))
    np.testing.assert_allclose(found.x, 1 / 3, atol=1e-6)
    assert found.value == pytest.approx(1 / np.sqrt(3), rel=1e-9)


def test_tiny_weights_are_those_of_gibbs():
    slopes, kl = np.array([0.0, 1.0, 2.0, 5.0]), 0.1
    program = Program(np.zeros(4), np.ones(4))
    found = program.minimise(
        slopes[None] @ program.weights + np.full((1, 1), kl) @ program.divergence(np.full(4, 0.25)),
        size=kl,
    )
    expected = np.exp(-slopes / kl)
    np.testing.assert_allclose(found.x, expected / expected.sum(), rtol=1e-4)


@pytest.mark.parametrize(
    "bounds",
    [
        {"upper": [0.5, 0.3, 0.2]},
        {"lower": [0.5, 0.3, 0.2]},
        {"lower": [0.5, 0.3, 0.2], "upper": [0.5, 0.3, 0.2]},
    ],
)
@pytest.mark.parametrize("kl", [0.0, 0.1])
def test_bounds_that_leave_one_mixture_give_it(bounds, kl):
    only, logs = [0.5, 0.3, 0.2], np.random.default_rng(0).normal(0, 1, (20, 3))
    np.testing.assert_allclose(
        minimise_mixture_loss(documents(logs), np.full(20, 0.05), kl=kl, **bounds).x, only
    )
    np.testing.assert_allclose(
        minimise_powers(np.ones((3, 2)), np.full((3, 2), 0.5), kl=kl, **bounds).x, only
    )
    np.testing.assert_allclose(minimise_exponentials(logs[:2], np.ones(2), kl=kl, **bounds).x, only)


def test_one_weight_may_be_held_while_the_others_move():
    bounds = {"lower": [0.4, 0, 0, 0], "upper": [0.4, 1, 1, 1]}
    factors = np.array([9.0, 1.0, 4.0, 1.0])
    found = minimise_powers(factors[:, None], np.ones((4, 1)), **bounds)
    np.testing.assert_allclose(found.x, [0.4, 0.15, 0.3, 0.15], atol=1e-7)
    assert found.value == pytest.approx(9 / 0.4 + 1 / 0.15 + 4 / 0.3 + 1 / 0.15)
    logs = np.random.default_rng(1).normal(0, 2, (200, 4))
    found = minimise_mixture_loss(documents(logs), np.full(200, 1 / 200), kl=0.05, **bounds)
    assert found.x[0] == 0.4
    assert found.gap < 1e-9


# ---- the proof


@pytest.mark.parametrize(
    ("kind", "parameter"), [(Exponential, 1.0), (Entropy, 0.3), (InversePower, 0.7), (Root, 0.4)]
)
def test_every_line_lies_below_its_function_and_touches_it(kind, parameter):
    rng = np.random.default_rng(0)
    weight, steep = rng.uniform(0.1, 3, 200), rng.uniform(0.01, 5, 200)
    function = kind(Affine({}, np.zeros(200)), np.full(200, parameter))
    slope = steep if kind in (Exponential, Entropy) else -steep
    lines, sign = function.intercepts(weight, slope), -1 if kind is Root else 1
    for r in np.geomspace(1e-6, 20, 60):
        assert (sign * weight * function.values(np.full(200, r)) >= slope * r + lines - 1e-9).all()
    touched = function.touching(weight, slope)
    np.testing.assert_allclose(
        sign * weight * function.values(touched), slope * touched + lines, atol=1e-9
    )


def spoilt(monkeypatch, amount):
    """Let the solver's multipliers be wrong by a share."""
    solve, rng = _cone_table.solve, np.random.default_rng(0)

    def worse(*args):
        found = solve(*args)
        wrong = [
            slopes * rng.uniform(1 - amount, 1 + amount, len(slopes)) for slopes in found.slopes
        ]
        return found._replace(
            slopes=wrong, worst=found.worst * rng.uniform(1 - amount, 1 + amount, len(found.worst))
        )

    monkeypatch.setattr(_cone_table, "solve", worse)


def test_wrong_multipliers_give_a_wider_gap_and_no_wrong_bound(monkeypatch):
    right = hard_worst(0)
    spoilt(monkeypatch, 1e-4)
    monkeypatch.setattr(_certificate, "LARGEST_GAP", 1.0)
    wrong = hard_worst(0)
    assert wrong.gap > 100 * right.gap
    assert wrong.value - wrong.gap <= right.value


def test_what_is_not_proven_is_refused_in_one_sentence(monkeypatch):
    spoilt(monkeypatch, 0.5)
    with pytest.raises(
        ReweightvizError,
        match=r"^the optimiser stopped up to .* of the objective above the minimum; a larger kl",
    ):
        hard_worst(0)


def test_an_answer_that_the_solver_calls_almost_solved_counts_when_it_is_proven(monkeypatch):
    settings = _cone_table.settings

    def unreachable():
        made = settings()
        made.tol_gap_abs = made.tol_gap_rel = made.tol_feas = 1e-30
        return made

    monkeypatch.setattr(_cone_table, "settings", unreachable)
    found = hard_worst(13, kl=0.01)
    assert found.gap <= 1e-6 * found.value


def test_limits_that_leave_nothing_are_refused_for_the_worst_too():
    limits = Limits(np.array([[1.0, 1, 0, 0, 0], [-1, 0, 0, 0, 0]]), np.array([0.2, -0.3]))
    with pytest.raises(
        ReweightvizError,
        match=r"no weights meet every limit: some limit is missed by at least .* of its span",
    ):
        hard_worst(0, limits=limits)
