"""Designs of swarms: every row a mixture that meets what was asked, and each method better at what it is for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Sources
from reweightviz.laws import Olmix
from reweightviz.laws._log_linear_law import LogLinearLaw
from reweightviz.numerics.designs import information, log_linear_features, meets, optimal_design
from reweightviz.numerics.linear_constraints import Limits
from reweightviz.numerics.region import region
from reweightviz.proposals.design_swarm import METHODS, design_swarm

TOKENS = {"web": 6e11, "code": 2e11, "books": 5e10, "math": 1e10, "wiki": 4e9}


@settings(max_examples=25)
@given(
    st.integers(2, 9),
    st.integers(0, 10_000),
    st.sampled_from(METHODS),
    st.floats(1.5, 40),
    st.floats(0, 0.02),
)
def test_every_row_is_a_mixture_within_the_caps_after_normalisation(
    domains, seed, method, loose, least
):
    rng = np.random.default_rng(seed)
    names = [f"d{i}" for i in range(domains)]
    sources = dict(zip(names, rng.lognormal(20, 2, domains), strict=True))
    inside = rng.dirichlet(np.ones(domains))
    bounds = {names[0]: (0.3 * inside[0], min(1, 3 * inside[0] + 0.2))}
    tokens = sum(sources.values())
    needed = max(inside[i] * tokens / sources[name] for i, name in enumerate(names))
    design = design_swarm(
        sources,
        12 + domains,
        method=method,
        seed=seed,
        bounds=bounds,
        tokens=tokens,
        max_epochs=needed * loose,
        usage=None,
        least=least,
    )
    assert design.shape == (12 + domains, domains)
    assert design.columns.tolist() == names
    weights = design.to_numpy()
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-12)
    assert (weights >= 0).all()
    assert (weights[:, 0] >= bounds[names[0]][0] - 1e-8).all() and (
        weights[:, 0] <= bounds[names[0]][1] + 1e-8
    ).all()
    passes = weights * tokens / np.array(list(sources.values()))
    assert passes.max() <= needed * loose * (1 + 1e-7)
    assert len(np.unique(weights.round(5), axis=0)) == len(weights)
    facts = design.attrs["diagnostics"]
    np.testing.assert_allclose(list(facts["epochs"].values()), passes.max(0))
    if not facts["pulled"]:
        assert ((weights == 0) | (weights >= least - 1e-12) | (weights <= 1e-12))[:, 1:].all()


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_design_and_domains_keep_their_names(method):
    one, again, other = (design_swarm(TOKENS, 20, method=method, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert (one.to_numpy() != other.to_numpy()).any()
    assert one.attrs["diagnostics"]["method"] == method
    sources = design_swarm(Sources(TOKENS), 20, method=method, seed=3)
    np.testing.assert_array_equal(one, sources)


def test_dirichlet_draws_are_of_every_density_around_the_tempered_mixture():
    design = design_swarm(TOKENS, 400, usage=None)
    largest = design.max(axis=1)
    assert largest.quantile(0.1) < 0.55
    assert largest.quantile(0.9) > 0.95
    tempered = Mixture.temper(TOKENS, 0.5)
    np.testing.assert_allclose(design.mean(), tempered.array, atol=0.06)
    near = design_swarm({"web": 0.7, "code": 0.2, "math": 0.1}, 400, strengths=(50, 50))
    np.testing.assert_allclose(near.mean(), [0.7, 0.2, 0.1], atol=0.02)
    assert near.to_numpy().std(0).max() < 0.1


def test_no_domain_is_used_more_than_fifteen_times_its_share():
    natural = Mixture.natural(TOKENS).array
    design = design_swarm(TOKENS, 200)
    assert (design.to_numpy() <= 15 * natural + 1e-9).all()
    assert (design.to_numpy().max(0) > 5 * natural)[-1]
    assert design_swarm(TOKENS, 200, usage=None)["wiki"].max() > 15 * natural[-1]


def test_space_filling_points_are_further_apart_and_optimal_ones_tell_more():
    names = ["a", "b", "c", "d", "e"]
    designs = {method: design_swarm(names, 30, method=method) for method in METHODS}
    apart = {
        method: design.attrs["diagnostics"]["nearest_pair"] for method, design in designs.items()
    }
    assert apart["space-filling"] > 2 * max(apart["dirichlet"], apart["optimal"])
    slopes = np.random.default_rng(9).normal(0, 1, (12, 5))
    features = log_linear_features(
        np.concatenate([design.to_numpy() for design in designs.values()]), slopes
    )
    told = {
        method: information(features[:, 30 * i : 30 * (i + 1)]).mean()
        for i, method in enumerate(designs)
    }
    assert told["optimal"] > max(told["dirichlet"], told["space-filling"])
    assert designs["optimal"].attrs["diagnostics"]["information_against_dirichlet"] > 1.1


def test_an_optimal_design_tells_a_known_law_better():
    rng = np.random.default_rng(0)
    slopes = rng.normal(-0.5, 1, (3, 4))
    law = LogLinearLaw(
        ("a", "b", "c", "d"),
        ("x", "y", "z"),
        np.ones(3, bool),
        np.column_stack([np.zeros(3), slopes]),
    )

    def error(design):
        mixtures, missed = design.to_numpy(), []
        for seed in range(12):
            losses = law.predict(mixtures) + np.random.default_rng(seed).normal(
                0, 0.02, (len(mixtures), 3)
            )
            fitted = Olmix(draws=0).fit(
                domains=law.domains, targets=law.targets, mixtures=mixtures, losses=losses
            )
            missed.append(np.abs(fitted.predict(asked) - law.predict(asked)).mean())
        return np.mean(missed)

    asked = rng.dirichlet(np.ones(4), 300)
    optimal = design_swarm(list(law.domains), 14, method="optimal", law=law)
    plain = [design_swarm(list(law.domains), 14, seed=seed) for seed in range(4)]
    assert error(optimal) < np.mean([error(each) for each in plain])


def test_exchange_finds_the_corners_of_a_line():
    pool = np.column_stack([np.linspace(0, 1, 101), 1 - np.linspace(0, 1, 101)])
    chosen = optimal_design(pool, np.zeros((1, 2)), 4, rng=np.random.default_rng(0))
    assert sorted(chosen.tolist()) == [0, 1, 99, 100]
    with pytest.raises(ReweightvizError, match="needs at least as many candidates"):
        optimal_design(pool, np.zeros((1, 2)), 400, rng=np.random.default_rng(0))


def test_tight_caps_pull_draws_within_and_say_so():
    bounds = dict.fromkeys(TOKENS, (0, 0.24))
    for method in ("dirichlet", "space-filling"):
        design = design_swarm(TOKENS, 40, method=method, bounds=bounds, usage=None, least=0)
        weights = design.to_numpy()
        assert weights.max() <= 0.24 + 1e-9
        assert len(np.unique(weights.round(5), axis=0)) == 40
    assert (
        design_swarm(TOKENS, 40, bounds=bounds, usage=None, strengths=(0.1, 0.1)).attrs[
            "diagnostics"
        ]["pulled"]
        > 0
    )
    with pytest.raises(
        ReweightvizError, match=r"leave only \d+ different mixtures; 20 runs were asked for"
    ):
        design_swarm(["a", "b"], 20, bounds={"a": (0.4, 0.4)})


def test_diagnostics_say_what_the_design_is_good_for():
    facts = design_swarm(TOKENS, 60, method="space-filling", tokens=1e9, max_epochs=2).attrs[
        "diagnostics"
    ]
    assert facts["condition_number"] < 100
    assert 0 <= facts["natural_outside_hull"] < 0.3
    assert max(facts["epochs"].values()) <= 2 + 1e-9
    assert design_swarm(["a", "b", "c"], 10).attrs["diagnostics"]["epochs"] is None


@pytest.mark.filterwarnings("ignore::reweightviz.core.errors.ReweightvizWarning")
@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"method": "sobol"}, "no method of a design 'sobol'"),
        ({"runs": 1}, "runs must be a whole number of at least 2; got 1"),
        ({"strengths": (0, 1)}, "strengths must be .least, largest. above 0"),
        ({"usage": 0}, "usage must be a number above 0"),
        ({"max_epochs": 1}, "max_epochs needs tokens="),
        ({"bounds": {"wbe": (0, 1)}}, "did you mean 'web'"),
        (
            {"tokens": 1e12, "max_epochs": 0.5},
            "the epoch caps of .* sum to 0.432, so no weights can sum to 1",
        ),
        (
            {"bounds": {"wiki": (0.5, 1)}},
            r"'wiki' gets at most 0\.06944; at least 0\.5 was asked for .lower bound.",
        ),
        (
            {"groups": {"g": (["web", "code"], 0, 0.1)}, "usage": 2},
            "with the usage caps of 'books', 'math', 'wiki', group 'g' gets at least",
        ),
        (
            {"law": "x", "method": "optimal"},
            "made around a log-linear law of the same domains, 'web'",
        ),
        ({"runs": 10.5}, "runs must be a whole number of at least 2; got 10.5"),
        ({"sources": "web"}, "or a list of domains; got 'web'"),
    ],
)
def test_wrong_questions_are_one_sentence(asked, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        design_swarm(**({"sources": TOKENS, "runs": 20} | asked))


def test_too_few_runs_are_warned_of():
    with pytest.warns(
        ReweightvizWarning,
        match="4 runs are too few for a law: a log-linear one needs at least 6 for 5 domains",
    ):
        design_swarm(TOKENS, 4)


def test_meeting_a_region_is_checked_by_every_rule():
    where = region(
        np.array([0.1, 0, 0]),
        np.array([1, 0.5, 1]),
        Limits(np.array([[0, 1.0, 1]]), np.array([0.6])),
    )
    assert meets(
        np.array([[0.5, 0.3, 0.2], [0.05, 0.5, 0.45], [0.4, 0.6, 0], [0.3, 0.4, 0.3]]), where
    ).tolist() == [True, False, False, False]
