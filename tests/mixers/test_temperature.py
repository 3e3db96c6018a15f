"""Temperature: the weights of both conventions."""

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.temperature import temperature_weights
from reweightviz.mixers import (
    Temperature,
)

COUNTS = [1000, 100, 10, 1]


def answer(mixer, **signals):
    return mixer.result(mixer.init(**signals))


def test_both_conventions_of_the_exponent_are_one_mixer():
    assert Temperature.from_exponent(0.5) == Temperature(2)
    assert Temperature(4).exponent == 0.25
    assert Temperature.from_exponent(0) == Temperature(float("inf"))
    np.testing.assert_allclose(
        answer(Temperature.from_exponent(0.2), tokens=COUNTS),
        [0.438548, 0.276705, 0.174589, 0.110158],
        atol=1e-6,
    )
    for wrong in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ReweightvizError, match="exponent must be at least 0"):
            Temperature.from_exponent(wrong)


def test_temperature_weights_of_a_domain_with_nothing():
    assert temperature_weights([5, 0], 0.2).tolist() == [1, 0]
