"""What a fit says against itself: constant losses, pure noise, a form that has no effect."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizWarning

DOMAINS = tuple("abcd")


def swarm(losses):
    mixtures = np.random.default_rng(0).dirichlet(np.ones(4), 60)
    return rv.Swarm(
        DOMAINS, mixtures, ("chat", "code"), losses(mixtures), pd.DataFrame(index=range(60))
    )


@pytest.mark.parametrize(
    "spec",
    [rv.laws.Olmix(draws=20), rv.laws.ScalingMixtures(draws=20), rv.laws.RegMix(model="linear")],
    ids=repr,
)
def test_noise_and_constants_are_said_with_r2_and_again_of_a_proposal(spec):
    runs = swarm(
        lambda mixtures: np.stack(
            [np.full(len(mixtures), 2.0), 2 + 0.1 * np.random.default_rng(4).normal(size=60)],
            axis=1,
        )
    )
    name = type(spec).__name__
    with pytest.warns(ReweightvizWarning) as caught:
        law = rv.fit(runs, spec)
    said = [str(warning.message) for warning in caught]
    assert said[0] == "'chat': every run has the same loss, so there is nothing to learn."
    assert (
        said[1].startswith(f"{name} learnt nothing of 'code', R² 0.")
        and ", of runs left out -" in said[1]
        and len(said) == 2
    )
    with pytest.warns(ReweightvizWarning):
        proposal = rv.optimize(law)
    assert any(
        "the law learnt nothing of 'code'" in sentence for sentence in proposal.source["warnings"]
    )


def test_what_was_learnt_is_not_doubted():
    noise = 0.01 * np.random.default_rng(2).normal(size=(60, 2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rv.fit(swarm(lambda w: 2 + np.exp(-2 * w[:, :2]) + noise), rv.laws.Olmix(draws=20))
    assert [str(warning.message) for warning in caught] == []


def test_a_degenerate_fit_is_said_though_it_predicts():
    with pytest.warns(
        ReweightvizWarning,
        match=r"the fit of DoublePowerLaw is degenerate for 'python source', .* R² 0\.\d+ to 0\.\d+, of runs",
    ):
        rv.fit(rv.demo_swarm(), rv.laws.DoublePowerLaw(draws=5))
