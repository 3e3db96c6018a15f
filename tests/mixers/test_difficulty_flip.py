"""Difficulty flip: weights within a task by their influence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.mixers import (
    DifficultyFlip,
)


def answer(mixer, **signals):
    return mixer.result(mixer.init(**signals))


@pytest.mark.golden("DifficultyFlip", "four groups by hand, after the paper's abstract")
def test_the_flip_gives_hard_math_and_easy_code_the_larger_share():
    prior = {"easy math": 0.4, "hard math": 0.1, "easy code": 0.2, "hard code": 0.3}
    signals = {
        "prior": prior,
        "influence": dict(zip(prior, [-2, 3, 0.5, -0.1], strict=True)),
        "task": dict(zip(prior, [0, 0, 1, 1], strict=True)),
    }
    flipped = {"easy math": 0.1, "hard math": 0.4, "easy code": 0.3, "hard code": 0.2}
    assert dict(rv.mix(signals, DifficultyFlip())) == pytest.approx(flipped)
    assert dict(rv.mix(signals | {"prior": flipped}, DifficultyFlip())) == pytest.approx(flipped)


@given(
    st.lists(
        st.tuples(st.floats(0.01, 1), st.integers(-3, 3), st.booleans(), st.integers(0, 2)),
        min_size=1,
        max_size=9,
    ),
    st.floats(0, 2),
)
def test_every_task_keeps_its_share_and_no_order_is_against_the_influence(rows, strength):
    prior, influence, unknown, task = (np.array(column) for column in zip(*rows, strict=True))
    prior, helps = prior / prior.sum(), np.where(unknown, np.nan, influence)
    found = answer(DifficultyFlip(strength), influence=helps, prior=prior, task=task)
    for one in np.unique(task):
        known = (task == one) & ~unknown
        assert found[task == one].sum() == pytest.approx(prior[task == one].sum())
        order = np.argsort(influence[known], kind="stable")
        different = np.diff(influence[known][order]) > 0
        assert (np.diff(found[known][order])[different] >= -1e-12).all()
    np.testing.assert_allclose(found[unknown], prior[unknown])


def test_a_strength_tilts_by_the_size_of_the_influence():
    found = answer(DifficultyFlip(strength=1), influence=[2, 1, -2], prior=[1 / 3] * 3)
    np.testing.assert_allclose(found[:2] / found[2], np.exp([2, 1.5]), rtol=1e-9)
    assert answer(
        DifficultyFlip(strength=1e6), influence=[2, 1, -2], prior=[0.2, 0.3, 0.5]
    ).tolist() == [1, 0, 0]
    assert answer(DifficultyFlip(strength=5), influence=[4], prior=[1.0]).tolist() == [1.0]
    for wrong in (
        {"influence": [1, float("inf")]},
        {"influence": [1]},
        {"influence": [1, 2], "task": [0, float("nan")]},
    ):
        with pytest.raises(ReweightvizError, match="an influence, finite or NaN, and a task"):
            DifficultyFlip().init(prior=[0.5, 0.5], **wrong)
    with pytest.raises(ReweightvizError, match="a strength of at least 0"):
        DifficultyFlip(-1)
