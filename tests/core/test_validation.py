"""Arguments, checked once for all verbs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.schedule import Schedule
from reweightviz.core.validation import whole_number
from reweightviz.mixers import TwoPhase
from reweightviz.selectors import TopK
from reweightviz.training import MixtureSampler, TrainConfig


@pytest.mark.parametrize(
    "value", [8, 8.0, np.int64(8), np.uint8(8), np.float32(8), np.array(8), np.array(8.0)]
)
def test_a_whole_number_is_an_int(value):
    found = whole_number("runs", value)
    assert found == 8
    assert type(found) is int


@pytest.mark.parametrize(
    "value",
    [
        True,
        np.True_,
        8.5,
        float("nan"),
        float("inf"),
        "8",
        None,
        [8],
        np.array([8]),
        1j,
        Fraction(8),
    ],
)
def test_what_is_no_whole_number_is_one_sentence(value):
    with pytest.raises(ReweightvizError, match="^runs must be a whole number of at least 2; got "):
        whole_number("runs", value, 2)


def test_limits_are_those_that_are_stated():
    assert whole_number("seed", 2**62) == 2**62
    assert whole_number("seed", 10**400) == 10**400
    assert whole_number("step", -3, None) == -3
    assert whole_number("k", 5, most=5) == 5
    with pytest.raises(
        ReweightvizError, match="k must be a whole number of at least 0 and at most 5; got 6"
    ):
        whole_number("k", 6, most=5)
    with pytest.raises(ReweightvizError, match="step must be a whole number; got 0.5"):
        whole_number("step", 0.5, None)


VERBS = {
    "MixtureSampler": lambda value: (
        MixtureSampler({"web": 90}, {"web": 1.0}, batch=value)._draws.batch
    ),
    "TrainConfig": lambda value: TrainConfig(steps=value).steps,
    "TwoPhase": lambda value: TwoPhase(switch=2, steps=value).steps,
    "Schedule": lambda value: Schedule({0: {"web": 1.0}}, steps=value).steps,
    "TopK": lambda value: len(TopK().select(score=np.zeros(9), k=value)),
}


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_agree_on_what_is_whole(verb):
    ask = VERBS[verb]
    assert [ask(value) for value in (8, 8.0, np.int32(8))] == [8] * 3
    assert {type(ask(value)) for value in (8, 8.0, np.int32(8))} == {int}
    for value in (8.5, True, "8"):
        with pytest.raises(ReweightvizError, match=f"must be a whole number.*; got {value!r}"):
            ask(value)
