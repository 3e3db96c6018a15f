"""Max-cap: limits, temperatures, and shares of tokens."""

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.mixers import (
    MaxCap,
    Natural,
)

COUNTS = [1000, 100, 10, 1]


def answer(mixer, **signals):
    return mixer.result(mixer.init(**signals))


@pytest.mark.golden("MaxCap", "golden numbers at two caps")
@pytest.mark.parametrize(
    ("cap", "weights"),
    [
        (50, [0.450450, 0.450450, 0.090090, 0.009009]),
        (500, [0.818331, 0.163666, 0.016367, 0.001637]),
        (1000, [0.900090, 0.090009, 0.009001, 0.000900]),
        (1, [0.25, 0.25, 0.25, 0.25]),
    ],
)
def test_max_cap(cap, weights):
    np.testing.assert_allclose(answer(MaxCap(cap), documents=COUNTS), weights, atol=1e-6)


def test_max_cap_takes_the_temperature_after_the_cap():
    np.testing.assert_allclose(
        answer(MaxCap(100, temperature=2), documents=COUNTS),
        np.array([10, 10, 10**0.5, 1]) / (21 + 10**0.5),
    )


def test_max_cap_answers_in_tokens_when_it_knows_them():
    documents, tokens = np.array([1000, 100, 0]), np.array([5e5, 2e5, 0])
    weights = answer(MaxCap(200), documents=documents, tokens=tokens)
    drawn = weights[:2] / (tokens / np.where(documents, documents, 1))[:2]
    np.testing.assert_allclose(drawn / drawn.sum(), [200 / 300, 100 / 300])
    assert weights[2] == 0
    np.testing.assert_allclose(
        answer(MaxCap(), documents=documents, tokens=tokens), answer(Natural(), tokens=tokens)
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: MaxCap(0), "a cap, in documents, and a temperature above 0; got 0"),
        (lambda: MaxCap(float("nan")), "a cap, in documents"),
        (lambda: MaxCap().init(documents=[0, 0]), "documents must be .* at least one above 0"),
        (lambda: MaxCap().init(documents=[1, float("nan")]), "documents must be"),
        (lambda: MaxCap().init(documents=[1, 2], tokens=[5]), r"tokens must be \(2,\) numbers"),
        (
            lambda: MaxCap().init(documents=[1, 0], tokens=[5, 5]),
            "tokens without documents in domain 1",
        ),
    ],
)
def test_what_max_cap_refuses(make, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        make()
