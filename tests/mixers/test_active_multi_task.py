"""L1 A-MTRL: the relevance of tasks by a lasso, and its limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.mixers import (
    ActiveMultiTask,
)
from reweightviz.numerics.lasso import lasso, least_absolute
from reweightviz.numerics.simplex import lift_to_floor


def answer(mixer, **signals):
    return mixer.result(mixer.init(**signals))


@pytest.mark.golden("ActiveMultiTask", "closed forms: a target that is one head, orthogonal heads")
def test_relevance_in_closed_form():
    rng = np.random.default_rng(0)
    heads = rng.normal(size=(4, 6))
    heads /= np.linalg.norm(heads, axis=0)
    state = ActiveMultiTask().init(task_heads=heads, target_head=heads[:, 2])
    np.testing.assert_allclose(state.relevance, np.eye(6)[2], atol=1e-9)
    np.testing.assert_allclose(state.weights, np.eye(6)[2], atol=1e-9)
    orthogonal, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    wanted = rng.normal(size=5)
    product = orthogonal.T @ wanted
    state = ActiveMultiTask(penalty=0.3).init(task_heads=orthogonal, target_head=wanted)
    np.testing.assert_allclose(
        state.relevance, np.sign(product) * np.maximum(np.abs(product) - 0.3, 0), atol=1e-9
    )


def test_the_lasso_meets_its_conditions_and_ends_in_the_linear_program():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        heads, wanted, penalty = (
            rng.normal(size=(4, 3 + seed)),
            rng.normal(size=4),
            rng.uniform(0.01, 0.5, 3 + seed),
        )
        nu = lasso(heads, wanted, penalty)
        slope = heads.T @ (wanted - heads @ nu)
        np.testing.assert_allclose(slope[nu != 0], (np.sign(nu) * penalty)[nu != 0], atol=1e-8)
        assert (np.abs(slope) <= penalty + 1e-8).all()
    heads, wanted = rng.normal(size=(4, 9)), rng.normal(size=4)
    exact = least_absolute(heads, wanted, np.ones(9))
    np.testing.assert_allclose(heads @ exact, wanted, atol=1e-9)
    np.testing.assert_allclose(lasso(heads, wanted, np.full(9, 1e-7)), exact, atol=1e-5)
    other = np.linalg.pinv(heads) @ wanted
    assert np.abs(exact).sum() <= np.abs(other).sum()


def test_few_heads_that_cannot_make_the_target_come_as_near_as_they_can():
    heads, wanted = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([2.0, 5.0])
    np.testing.assert_allclose(least_absolute(heads, wanted, np.ones(2)), [0, 1], atol=1e-12)
    np.testing.assert_allclose(
        least_absolute(heads, wanted, np.array([1.0, 4.0])), [2, 0], atol=1e-12
    )


def test_the_l2_baseline_spreads_what_l1_concentrates():
    heads, wanted = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), np.array([1.0, 1.0])
    assert answer(ActiveMultiTask(), task_heads=heads, target_head=wanted).round(9).tolist() == [
        0,
        0,
        1,
    ]
    nu = np.linalg.pinv(heads) @ wanted
    np.testing.assert_allclose(
        answer(ActiveMultiTask(power=2), task_heads=heads, target_head=wanted),
        nu**2 / (nu**2).sum(),
    )
    dear = answer(ActiveMultiTask(), task_heads=heads, target_head=wanted, cost=[1, 1, 3])
    np.testing.assert_allclose(dear, [0.5, 0.5, 0], atol=1e-9)


def test_a_penalty_that_leaves_nothing_falls_back_to_uniform():
    data = {"task_heads": np.eye(3), "target_head": [1, 2, 3]}
    with pytest.warns(
        ReweightvizWarning, match="no domain is relevant .* so the weights are uniform"
    ):
        assert answer(ActiveMultiTask(penalty=3), **data).tolist() == pytest.approx([1 / 3] * 3)
    assert answer(ActiveMultiTask(penalty=2.9), **data).tolist() == pytest.approx([0, 0, 1])


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=8).filter(lambda w: sum(w) > 1e-6),
    st.floats(0, 1),
)
def test_a_floor_is_kept_and_proportions_stay(weights, part):
    weights = np.array(weights) / sum(weights)
    floor = part / weights.size
    found = lift_to_floor(weights, floor)
    assert abs(found.sum() - 1) < 1e-12
    assert (found >= floor * (1 - 1e-9)).all()
    above = found > floor * (1 + 1e-6) + 1e-12
    if above.sum() > 1:
        np.testing.assert_allclose(
            found[above] / found[above].sum(), weights[above] / weights[above].sum(), rtol=1e-6
        )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: ActiveMultiTask(power=3), "a power of 1 or 2"),
        (lambda: ActiveMultiTask(penalty=-1), "a penalty of at least 0"),
        (
            lambda: ActiveMultiTask(floor=0.6).init(task_heads=np.eye(2), target_head=[1, 2]),
            "a floor of 0.6 for each of 2 domains",
        ),
        (
            lambda: ActiveMultiTask().init(task_heads=np.eye(2), target_head=[1, 2, 3]),
            r"shapes \(2, 2\) and \(3,\)",
        ),
        (
            lambda: ActiveMultiTask().init(task_heads=[[float("nan")]], target_head=[1]),
            "finite task_heads",
        ),
        (
            lambda: ActiveMultiTask().init(task_heads=np.eye(2), target_head=[1, 2], cost=[1, -1]),
            "the cost must be",
        ),
        (
            lambda: ActiveMultiTask(power=2).init(
                task_heads=np.eye(2), target_head=[1, 2], cost=[1, 1]
            ),
            "a cost with power=1 alone",
        ),
    ],
)
def test_what_active_multi_task_refuses(make, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        make()


def test_rv_mix_takes_what_is_not_one_number_a_domain_by_keyword():
    mixture = rv.mix(
        {"task_heads": {"web": [1, 0], "code": [0, 1]}}, ActiveMultiTask(), target_head=[1, 3]
    )
    assert dict(mixture) == pytest.approx({"web": 0.25, "code": 0.75})
    with pytest.raises(ReweightvizError, match="ActiveMultiTask needs 'target_head'"):
        rv.mix({"task_heads": {"web": [1, 0], "code": [0, 1]}}, ActiveMultiTask())


def test_heads_that_are_the_same_do_not_stop_the_lasso():
    heads, wanted = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), np.array([3.0, 2.0])
    nu = lasso(heads, wanted, np.full(3, 0.5))
    assert (nu[0] + nu[1], nu[2]) == pytest.approx((2.5, 1.5))
    assert lasso(heads, wanted, np.full(3, 5.0)).tolist() == [0, 0, 0]
    assert lasso(np.zeros((2, 2)), wanted, np.ones(2)).tolist() == [0, 0]
