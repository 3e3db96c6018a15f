"""Units: shares of tokens into what a framework counts, and shares that sum to exactly one."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters import units

SOURCES = Sources({"web": Source(1000, 100), "books": Source(1000, 10), "code": Source(500, 50)})
WEIGHTS = {"web": 0.5, "books": 0.25, "code": 0.25}


@pytest.mark.parametrize(
    ("unit", "tokens", "expected"),
    [
        (units.TOKENS, None, [0.5, 0.25, 0.25]),
        (
            units.EXAMPLES,
            None,
            [0.625, 0.03125, 0.3125],
        ),  # over 10, 100 and 10 tokens a document, times 12.5
        (units.FRACTION, None, [1.0, 0.5, 1.0]),  # 1,000 tokens of web are half of 2,000
        (units.COPIES, 4000, [2.0, 1.0, 2.0]),
    ],
)
def test_numbers_in_each_unit(unit, tokens, expected):
    sizes = unit.sizes(WEIGHTS, SOURCES, "X")
    numbers = unit.numbers(WEIGHTS, sizes, tokens)
    total = sum(expected) if not unit.passes else 1.0
    assert list(numbers.values()) == pytest.approx([value / total for value in expected])
    back = {domain: number * sizes[domain] for domain, number in numbers.items()}
    assert {domain: share / sum(back.values()) for domain, share in back.items()} == pytest.approx(
        WEIGHTS
    )


def test_a_unit_names_what_the_sources_lack():
    with pytest.raises(
        ReweightvizError,
        match="in X a weight is a share of examples .* tokens and documents of 'books'; unit='tokens'",
    ):
        units.EXAMPLES.sizes(
            WEIGHTS, Sources({"web": Source(1, 1), "books": 5.0, "code": Source(1, 1)}), "X"
        )
    with pytest.raises(ReweightvizError, match="must give tokens of 'web', 'books', 'code'"):
        units.COPIES.sizes(WEIGHTS, None, "X")


@given(st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 1e3)), min_size=1, max_size=40).filter(any))
def test_exact_shares_sum_to_one_and_keep_what_is_above_zero(ratio):
    ratio = np.array(ratio)
    shares = units.exact_shares(ratio)
    assert sum(shares) == sum(reversed(shares)) == math.fsum(shares) == 1
    assert ((shares > 0) == (ratio > 0)).all()
    np.testing.assert_allclose(shares, ratio / ratio.sum(), rtol=0, atol=2**-40 * len(ratio))
    assert (shares * 2**40 % 1 == 0).all()


@pytest.mark.parametrize(
    "ratio", [[0.7, 0.2, 0.1], [1 / 3] * 3, [0.6, 0.4 - 1e-9, 1e-9, 1e-15], [1e-300, 1.0, 0.0]]
)
def test_exact_shares_sum_to_one_in_every_order(ratio):
    shares = units.exact_shares(np.array(ratio)).tolist()
    assert {sum(order) for order in permutations(shares)} == {1.0}
    assert {math.fsum(order) for order in permutations(shares)} == {1.0}


def test_exact_shares_of_documents_keep_the_shares_of_tokens_where_lengths_differ_widely():
    """Half of the tokens in documents a thousand times as long are one document in a thousand."""
    lengths, weights = np.array([100.0, 1e5, 3e3]), np.array([0.4, 0.5, 0.1])
    tokens = units.exact_shares(weights / lengths) * lengths
    np.testing.assert_allclose(tokens / tokens.sum(), weights, rtol=1e-8)
