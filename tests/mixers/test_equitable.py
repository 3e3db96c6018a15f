"""Equitable allocation: learning curves and the budget over them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.mixers import (
    ActiveMultiTask,
    EquitableAllocation,
)
from reweightviz.numerics.allocation import (
    LearningCurves,
    fit_learning_curves,
    spread_for_mean,
    spread_for_worst,
)


def answer(mixer, **signals):
    return mixer.result(mixer.init(**signals))


def measured(curves, sizes=(1e3, 1e4, 1e5, 1e6)):
    n = np.repeat(np.array(sizes)[:, None], len(curves.floor), 1)
    return {"sizes": n, "size_losses": curves.at(n)}


def curves_of(*rows):
    return LearningCurves(*np.array(rows, float).T)


def test_learning_curves_are_recovered():
    curves = curves_of((1.5, 8, 0.3), (0, 20, 0.5), (2.2, 3, 0.15))
    found = fit_learning_curves(*measured(curves).values())
    for fitted, true in zip(found, curves, strict=True):
        np.testing.assert_allclose(fitted, true, rtol=1e-3, atol=1e-5)


@pytest.mark.golden("EquitableAllocation", "closed form for one exponent")
def test_equal_groups_get_equal_shares_and_one_exponent_has_a_closed_form():
    same = curves_of(*[(1, 5, 0.4)] * 3)
    for objective in ("mean", "worst"):
        np.testing.assert_allclose(
            answer(EquitableAllocation(1e6, objective), **measured(same)),
            np.full(3, 1 / 3),
            atol=1e-6,
        )
    curves, cost, prior = (
        curves_of((0, 4, 0.5), (0, 9, 0.5), (0, 2, 0.5)),
        np.array([1, 2, 5]),
        np.array([0.2, 0.5, 0.3]),
    )
    expected = (prior * curves.scale / cost) ** (1 / 1.5)
    state = EquitableAllocation(3e5).init(**measured(curves), cost=cost, prior=prior)
    np.testing.assert_allclose(state.weights, expected / expected.sum(), rtol=1e-4)
    assert cost @ state.sizes == pytest.approx(3e5)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.floats(0.5, 20), st.floats(0.1, 1), st.floats(0.2, 5)),
        min_size=2,
        max_size=4,
    ),
    st.floats(0, 0.6),
)
def test_no_other_allocation_has_a_lower_mean(rows, explore):
    *shape, cost = np.array(rows).T
    curves, budget, domains = LearningCurves(*shape), 1e4, len(rows)
    least = explore * budget / domains / cost
    found = spread_for_mean(curves, np.full(domains, 1 / domains), cost, budget, least)
    assert cost @ found == pytest.approx(budget)
    assert (found >= least * (1 - 1e-12)).all()
    rng = np.random.default_rng(0)
    money = np.concatenate([rng.dirichlet(np.full(domains, a), 3000) for a in (0.5, 2, 20)])
    tried = least + (1 - explore) * budget * money / cost
    near = np.maximum(
        found * np.exp(0.05 * rng.normal(size=(3000, domains))), np.maximum(least, 1e-300)
    )
    near *= budget / (near @ cost)[:, None]
    near = near[(near >= least).all(1)]
    assert curves.at(found).mean() <= curves.at(np.concatenate([tried, near])).mean(1).min() + 1e-9


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.floats(0.5, 20), st.floats(0.1, 1), st.floats(0.2, 5)),
        min_size=2,
        max_size=4,
    )
)
def test_no_other_allocation_has_a_lower_worst_loss(rows):
    *shape, cost = np.array(rows).T
    curves, budget, domains = LearningCurves(*shape), 1e4, len(rows)
    found = spread_for_worst(curves, cost, budget, np.zeros(domains))
    assert cost @ found == pytest.approx(budget)
    money = np.concatenate(
        [np.random.default_rng(0).dirichlet(np.full(domains, a), 3000) for a in (0.5, 2, 20)]
    )
    worst = curves.at(found).max()
    assert worst <= curves.at(np.maximum(budget * money / cost, 1e-300)).max(1).min() + 1e-9
    np.testing.assert_allclose(curves.at(found)[found > 1e-2], worst, rtol=1e-6)


@pytest.mark.golden("EquitableAllocation", "brute force")
def test_brute_force_agrees_with_the_closed_form():
    curves, cost, budget = (
        curves_of((1.5, 8, 0.3), (1.0, 20, 0.5), (2.2, 3, 0.15)),
        np.array([1, 3, 0.5]),
        2e4,
    )

    def loss(logits):
        shares = np.exp(logits - logits.max())
        return curves.at(budget * shares / shares.sum() / cost).mean()

    brute = minimize(
        loss,
        np.zeros(3),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 5000},
    )
    found = spread_for_mean(curves, np.full(3, 1 / 3), cost, budget, np.zeros(3))
    assert curves.at(found).mean() == pytest.approx(brute.fun, rel=1e-9)
    assert curves.at(found).mean() <= brute.fun + 1e-12


def test_a_second_round_with_more_sizes_moves_the_allocation():
    true = curves_of((1, 8, 0.3), (1, 8, 0.6))
    rng = np.random.default_rng(1)
    first = measured(true, (100, 200, 400))
    noisy = first | {"size_losses": first["size_losses"] * (1 + 0.02 * rng.normal(size=(3, 2)))}
    more = measured(true, (1e4, 1e5))
    second = {name: np.concatenate([noisy[name], more[name]]) for name in noisy}
    exact = answer(EquitableAllocation(1e6), **measured(true))
    off = [
        np.abs(answer(EquitableAllocation(1e6), **data) - exact).sum() for data in (noisy, second)
    ]
    assert off[1] < off[0]


def test_what_was_not_measured_is_left_out_and_flat_curves_get_their_exploration():
    curves = curves_of((1, 8, 0.4), (2, 0, 0.4))
    data = measured(curves)
    data["sizes"][0, 0] = data["size_losses"][0, 0] = np.nan
    state = EquitableAllocation(1000, explore=0.2).init(**data)
    np.testing.assert_allclose(state.sizes, [900, 100])
    flat = measured(curves_of((1, 0, 0.4), (2, 0, 0.4)))
    with pytest.warns(ReweightvizWarning, match="no loss that counts falls"):
        assert answer(EquitableAllocation(1000), **flat, cost=[1, 3]).tolist() == pytest.approx(
            [0.75, 0.25]
        )
    assert answer(EquitableAllocation("1K", explore=1), **data).tolist() == [0.5, 0.5]
    assert answer(
        EquitableAllocation(10), sizes=[[1], [2], [3]], size_losses=[[3], [2], [1]]
    ).tolist() == [1.0]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: EquitableAllocation(0),
            "the budget of EquitableAllocation must be a number above 0",
        ),
        (lambda: EquitableAllocation(10, explore=2), "explore between 0 and 1"),
        (lambda: EquitableAllocation(10, "median"), "no objective of EquitableAllocation 'median'"),
        (
            lambda: EquitableAllocation(10).init(
                sizes=[[1, 1], [2, 2]], size_losses=[[3, 3], [2, 2]]
            ),
            "three different sizes or more; domain 0 has 2",
        ),
        (
            lambda: EquitableAllocation(10).init(sizes=[[1, 1]], size_losses=[[3]]),
            "sizes and size_losses",
        ),
        (
            lambda: EquitableAllocation(10).init(
                sizes=[[0.0], [1], [2]], size_losses=[[3], [2], [1]]
            ),
            "above 0, finite or NaN",
        ),
        (
            lambda: EquitableAllocation(10).init(
                sizes=[[1], [2], [3]], size_losses=[[3], [2], [1]], cost=[0]
            ),
            "the cost must be",
        ),
        (
            lambda: EquitableAllocation(10).init(
                sizes=[[1], [2], [3]], size_losses=[[3], [2], [1]], prior=[0.5, 0.5]
            ),
            "a prior for each of 1 domains",
        ),
    ],
)
def test_what_equitable_allocation_refuses(make, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        make()


def test_what_explores_costs_every_domain_the_same():
    sizes = [[100, 100], [200, 200], [400, 400]]
    state = EquitableAllocation(budget=900, explore=0.5).init(
        sizes=sizes, size_losses=[[1 / n, 2.0] for n, _ in sizes], cost=[1, 4]
    )
    assert state.sizes[1] == pytest.approx(
        0.5 * 900 / 2 / 4
    )  # a flat domain gets its part of explore alone
    assert state.sizes @ [1, 4] == pytest.approx(900)


def test_costs_have_no_unit():
    heads, target = (
        np.array([[1.0, 0.4, 0.1], [0.2, 1.0, 0.3], [0.0, 0.5, 1.0]]),
        np.array([1.0, 0.7, 0.4]),
    )
    one, other = (
        ActiveMultiTask(penalty=0.1).init(
            task_heads=heads, target_head=target, cost=scale * np.array([1.0, 2, 3])
        )
        for scale in (1, 10)
    )
    np.testing.assert_allclose(one.relevance, other.relevance, atol=1e-9)
    assert np.abs(one.relevance).max() > 0.1
