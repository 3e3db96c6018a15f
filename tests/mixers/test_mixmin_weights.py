"""MixMin's weights: the optimum of one convex program."""

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.mixers import (
    MixMinWeights,
)


def answer(mixer, **signals):
    return mixer.result(mixer.init(**signals))


@pytest.mark.golden("MixMinWeights", "expectation maximisation for mixture weights")
def test_mixmin_has_the_optimum_of_expectation_maximisation():
    rng = np.random.default_rng(0)
    logs = (
        rng.normal(-1000, 3, size=(300, 1))
        + rng.normal(0, 1, size=(300, 5))
        + rng.normal(0, 0.5, size=5)
    )
    p, likely = np.full(5, 0.2), np.exp(logs - logs.max(1, keepdims=True))
    for _ in range(20_000):
        p = p * (likely / (likely @ p)[:, None]).mean(0)
    np.testing.assert_allclose(answer(MixMinWeights(), log_probs=logs), p, atol=1e-6)
    law = rv.laws.MixMin(draws=0).fit(domains=tuple("abcde"), targets=("loss",), log_probs=logs)
    np.testing.assert_allclose(answer(MixMinWeights(), log_probs=logs), law.minimise(), atol=1e-4)


def test_mixmin_weighs_documents_by_their_length_and_pulls_to_the_prior():
    logs = np.log([[0.9, 0.1], [0.1, 0.9]])
    assert answer(MixMinWeights(), log_probs=logs).tolist() == pytest.approx([0.5, 0.5])
    assert answer(MixMinWeights(), log_probs=logs, lengths=[1, 4])[0] > 0.7
    assert answer(MixMinWeights(kl=100), log_probs=logs, prior=[0.9, 0.1])[0] == pytest.approx(
        0.9, abs=0.01
    )
    assert answer(MixMinWeights(kl=0.1), log_probs=logs, prior=[1, 0]).tolist() == [1, 0]
    assert answer(MixMinWeights(), log_probs=[[-3.0], [-9]]).tolist() == [1.0]
    for wrong in ([[np.nan, 0]], [[np.inf, 0]], [1, 2]):
        with pytest.raises(ReweightvizError, match=r"log_probs \(X, K\)"):
            MixMinWeights().init(log_probs=wrong)
    with pytest.raises(ReweightvizError, match="document 0 has"):
        MixMinWeights().init(log_probs=[[-np.inf, -np.inf]])
    with pytest.raises(ReweightvizError, match="kl of at least 0"):
        MixMinWeights(kl=-1)
