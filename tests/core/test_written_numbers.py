"""The seven digits of a log: a table rounds as each number by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reweightviz.core.written_numbers import round_table, round_to_write


@given(st.lists(st.floats(), max_size=50))
def test_a_table_rounds_as_each_number_does(values):
    expected = [round_to_write(value) if np.isfinite(value) else None for value in values]
    assert list(map(repr, round_table(np.array(values)))) == list(map(repr, expected))


@pytest.mark.parametrize("around", [0, -np.inf, np.inf])
def test_powers_of_ten_and_middles_of_two_numbers_round_alike(around):
    powers = 10.0 ** np.arange(-320, 308)
    middles = (np.random.default_rng(0).integers(10**6, 10**7, 5_000) + 0.5) / 10.0 ** np.arange(
        10
    )[:, None]
    for values in (powers, middles.ravel()):
        near = np.nextafter(values, around)
        assert list(map(repr, round_table(near))) == [
            repr(round_to_write(v)) for v in near.tolist()
        ]
