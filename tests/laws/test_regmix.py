"""RegMix against known models, against LightGBM as the authors call it, and against their figures on the public swarm."""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from reweightviz.core.errors import ReweightvizError
from reweightviz.laws._diagnostics import assign_folds
from reweightviz.laws._ensemble_law import EnsembleLaw
from reweightviz.laws._regressors import TreeRegressor
from reweightviz.laws.regmix import RegMix

needs_lightgbm = pytest.mark.optional("lightgbm")
NAMES = ("web", "code", "math")
LINEAR = RegMix(model="linear")


def runs(count=60, noise=0.01, targets=2, seed=0):
    rng = np.random.default_rng(seed)
    mixtures = rng.dirichlet(np.ones(3), count)
    losses = (
        3
        + mixtures @ np.random.default_rng(9).normal(0, 1, (3, targets))
        + rng.normal(0, noise, (count, targets))
    )
    return {
        "domains": NAMES,
        "targets": tuple(f"loss {m}" for m in range(targets)),
        "mixtures": mixtures,
        "losses": losses,
    }


def test_linear_recovers_a_plane():
    given = runs(noise=0)
    law = LINEAR.fit(**given)
    weights = np.random.default_rng(1).dirichlet(np.ones(3), 9)
    truth = 3 + weights @ np.random.default_rng(9).normal(0, 1, (3, 2))
    np.testing.assert_allclose(law.predict(weights), truth, atol=1e-9)
    low, high = law.interval(weights)
    np.testing.assert_allclose(high - low, 0, atol=1e-9)
    assert law.diagnostics["held_out_r2"] == pytest.approx([1, 1])


@needs_lightgbm
def test_trees_are_those_of_lightgbm():
    import lightgbm

    given = runs(600)
    theirs = lightgbm.LGBMRegressor(
        n_estimators=30, learning_rate=0.1, seed=42, verbosity=-1, n_jobs=1
    )
    theirs.fit(given["mixtures"], given["losses"][:, 1])
    law = RegMix(trees=30, rate=0.1, folds=0).fit(**given)
    np.testing.assert_allclose(
        law.predict(given["mixtures"])[:, 1], theirs.predict(given["mixtures"]), rtol=1e-9
    )


@needs_lightgbm
def test_many_rows_are_predicted_as_few_are():
    law = RegMix(trees=100, folds=0).fit(**runs(200))
    weights = np.random.default_rng(2).dirichlet(np.ones(3), 2000)
    alone = np.concatenate([law.predict(part) for part in np.split(weights, 8)])
    np.testing.assert_allclose(law.predict(weights), alone, rtol=1e-12)


@needs_lightgbm
@pytest.mark.parametrize("importance", [None, [1, 0], [0, 1], [0.2, 0.8]])
def test_the_search_finds_what_predicting_every_mixture_finds(importance):
    law = RegMix(trees=400, folds=0).fit(**runs(300), lower_is_better=[True, False])
    best, value = law.candidates(importance, draws=4000, top=50, seed=7)
    mixtures = np.random.RandomState(7).dirichlet(np.full(3, 1 / 3), 4000)
    shares = np.array([0.5, 0.5] if importance is None else importance) * [1, -1]
    everywhere = law.predict(mixtures) @ shares
    np.testing.assert_allclose(value, np.sort(everywhere)[:50], atol=1e-9)
    np.testing.assert_allclose(law.predict(best) @ shares, value, atol=1e-9)
    proposed = law.propose(importance, draws=4000, top=50, seed=7)
    np.testing.assert_allclose(proposed, best.mean(0), atol=1e-12)


def test_a_prior_of_zero_keeps_a_domain_out():
    law = LINEAR.fit(**runs())
    best, _ = law.candidates(prior=[0.5, 0, 0.5], draws=500, top=500)
    assert (best[:, 1] == 0).all()
    np.testing.assert_allclose(best.sum(1), 1)


@pytest.mark.parametrize(
    "spec",
    [pytest.param(RegMix(trees=200, rate=0.05), marks=needs_lightgbm), LINEAR],
    ids=["lightgbm", "linear"],
)
def test_intervals_hold_new_runs_as_often_as_they_say(spec):
    inside = {0.9: [], 0.5: []}
    for seed in range(4):
        given = runs(260, noise=0.1, targets=6, seed=seed)
        law = spec.fit(
            **given | {"mixtures": given["mixtures"][:80], "losses": given["losses"][:80]}
        )
        for level, found in inside.items():
            low, high = law.interval(given["mixtures"][80:], level)
            found.append(((low <= given["losses"][80:]) & (given["losses"][80:] <= high)).mean())
    assert 0.82 <= np.mean(inside[0.9]) <= 0.97
    assert 0.42 <= np.mean(inside[0.5]) <= 0.65


def test_a_draw_is_one_model_and_one_run():
    given = runs(40, noise=0.1)
    law = LINEAR.fit(**given)
    weights = np.random.default_rng(3).dirichlet(np.ones(3), 4)
    drawn = law.samples(weights)
    assert drawn.shape == (40, 4, 2)
    for run in (0, 11, 39):
        unseeing = law.folds[law.fold[run]]
        missed = given["losses"][run] - unseeing.predict(given["mixtures"][run : run + 1])[0]
        np.testing.assert_allclose(drawn[run], unseeing.predict(weights) + missed)


def test_repeats_of_a_mixture_stay_in_one_fold():
    mixtures = np.repeat(np.random.default_rng(0).dirichlet(np.ones(3), 11), 3, axis=0)
    fold = assign_folds(mixtures, 4, 0)
    assert set(fold) == {0, 1, 2, 3}
    assert (fold.reshape(11, 3) == fold[::3, None]).all()
    assert set(assign_folds(mixtures[:6], 5, 0)) == {0, 1}


@needs_lightgbm
def test_trees_survive_json_and_threads():
    from concurrent.futures import ThreadPoolExecutor

    given = runs(100)
    law = RegMix(trees=50, folds=2).fit(**given)
    record = json.loads(json.dumps(law.to_dict(), allow_nan=False))
    again = EnsembleLaw.from_dict(record)
    assert isinstance(again.model, TreeRegressor)
    weights = np.random.default_rng(3).dirichlet(np.ones(3), 700)
    np.testing.assert_array_equal(again.predict(weights), law.predict(weights))
    np.testing.assert_array_equal(again.interval(weights[:5]), law.interval(weights[:5]))
    with ThreadPoolExecutor(4) as pool:
        for values in pool.map(law.predict, [weights, weights[:9], weights, weights[:9]]):
            np.testing.assert_allclose(values, law.predict(weights)[: len(values)], rtol=1e-12)


@needs_lightgbm
def test_equal_losses_make_a_constant_law():
    given = runs()
    given["losses"][:, 1] = 2.5
    law = RegMix(trees=20).fit(**given)
    np.testing.assert_allclose(law.predict(given["mixtures"])[:, 1], 2.5)
    assert law.diagnostics["constant"] == [False, True]
    assert law.diagnostics["r2"][1] is None


def test_one_domain_is_one_sentence():
    given = {
        "domains": ("web",),
        "targets": ("loss",),
        "mixtures": np.ones((8, 1)),
        "losses": np.linspace(2, 3, 8)[:, None],
    }
    for spec in (RegMix(), LINEAR):
        with pytest.raises(
            ReweightvizError,
            match="needs 2 domains or more, as it learns what the weights do; got 1",
        ):
            spec.fit(**given)


def test_noise_alone_is_flagged():
    given = runs(80)
    given["losses"][:, 0] = np.random.default_rng(6).normal(3, 1, 80)
    assert LINEAR.fit(**given).diagnostics["degenerate"] == [True, False]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"model": "xgboost"}, "no model of RegMix 'xgboost'"),
        ({"folds": 1}, "folds of at least 2, or 0"),
        ({"rate": 0}, "a rate above 0"),
    ],
)
def test_wrong_settings_are_one_sentence(wrong, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        RegMix(**wrong)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda law: law.propose([1, 1, 1]), "importance must be 2 numbers"),
        (
            lambda law: law.propose(draws=10, top=11),
            "top must be between 1 and the number of draws",
        ),
        (lambda law: law.propose(prior=[0.5, 0.5]), "the prior has 2 weights; there are 3 domains"),
        (lambda law: law.interval([[1, 0, 0]], 90), "level must be a probability"),
    ],
)
def test_wrong_questions_are_one_sentence(call, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        call(LINEAR.fit(**runs()))


# ---- the public RegMix swarm

on_the_swarm = pytest.mark.golden(
    "RegMix", "the authors' notebook on the public RegMix swarm: Spearman, proposal for Pile-CC"
)


@pytest.fixture(scope="module")
def pile_law(regmix):
    return fit_law(RegMix(), regmix["train"])


def fit_law(spec, swarm):
    return spec.fit(
        domains=swarm.domains, targets=swarm.targets, mixtures=swarm.mixtures, losses=swarm.losses
    )


def spearman(law, swarm):
    predicted = law.predict(swarm.mixtures)
    return {
        name: 100 * spearmanr(predicted[:, m], swarm.losses[:, m])[0]
        for m, name in enumerate(swarm.targets)
    }


def coverage(law, swarm, level=0.9):
    low, high = law.interval(swarm.mixtures, level)
    return ((low <= swarm.losses) & (swarm.losses <= high)).mean()


@pytest.mark.shared
@on_the_swarm
@needs_lightgbm
def test_rank_correlation_of_trees(regmix, pile_law):
    rho = spearman(pile_law, regmix["test"])
    assert np.mean(list(rho.values())) == pytest.approx(98.956, abs=0.3)
    for name, expected in {
        "arxiv": 99.66,
        "freelaw": 99.70,
        "github": 99.74,
        "pile_cc": 99.04,
    }.items():
        assert rho[name] == pytest.approx(expected, abs=0.3), name


@pytest.mark.shared
@on_the_swarm
def test_rank_correlation_of_least_squares(regmix):
    law = fit_law(LINEAR, regmix["train"])
    rho = spearman(law, regmix["test"])
    assert np.mean(list(rho.values())) == pytest.approx(83.110, abs=0.01)
    for name, expected in {
        "arxiv": 73.71,
        "freelaw": 77.47,
        "github": 83.58,
        "pile_cc": 90.21,
    }.items():
        assert rho[name] == pytest.approx(expected, abs=0.01), name
    assert 0.85 <= coverage(law, regmix["test"]) <= 0.95


@pytest.mark.shared
@on_the_swarm
@needs_lightgbm
def test_proposal_for_pile_cc(regmix, pile_law, token_prior):
    importance = np.array(pile_law.targets) == "pile_cc"
    best, value = pile_law.candidates(importance, prior=token_prior, top=1024)
    weights = dict(zip(pile_law.domains, best[:128].mean(0), strict=True))
    assert weights["pile_cc"] == pytest.approx(0.890924, abs=0.02)
    assert sorted(weights, key=weights.get, reverse=True)[:3] == [
        "pile_cc",
        "ubuntu_irc",
        "pubmed_abstracts",
    ]
    assert value[:128].mean() == pytest.approx(5.129203, abs=0.02)
    assert best.mean(0)[pile_law.domains.index("pile_cc")] == pytest.approx(
        0.915, abs=0.02
    )  # the best 1,024
    assert value[-1] - value[0] < 0.05
    # what is best for Pile-CC is worse than uniform weights on the mean of all targets
    assert (
        pile_law.predict(best[:128].mean(0)).mean() > pile_law.predict(np.full(17, 1 / 17)).mean()
    )


@pytest.mark.shared
@on_the_swarm
@needs_lightgbm
def test_intervals_of_trees_on_held_out_runs(regmix, pile_law):
    assert 0.85 <= coverage(pile_law, regmix["test"]) <= 0.96
