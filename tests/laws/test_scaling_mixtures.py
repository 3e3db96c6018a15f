"""Scaling laws for optimal data mixtures: known parameters, what is invariant, and extrapolation."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import spearmanr

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.protocols import ConvexLaw
from reweightviz.laws._curves import CURVES
from reweightviz.laws._inputs import Inputs
from reweightviz.laws.scaling_mixtures import ScalingMixtures
from reweightviz.readers.swarms import two_tables as swarms

NAMES = ("web", "code", "math")


def world(joint, seed=1):
    rng = np.random.default_rng(seed)
    floor, factors, gamma = (
        rng.uniform(1, 2, 2),
        np.exp(rng.normal(0.5, 0.8, (2, 3))),
        rng.uniform(0.1, 0.9, (2, 3)),
    )
    alpha, beta = rng.uniform(0.2, 0.5, (2, 2))
    by_size, by_tokens = np.exp(rng.normal(-0.5, 0.5, (2, 2, 3)))
    bent_size, bent_tokens = rng.uniform(0.5, 1.5, (2, 2))

    def losses(weights, size, tokens):
        bias = 1 / np.einsum("mk,nmk->nm", factors, weights[:, None] ** gamma)
        at_size = (weights @ by_size.T) ** bent_size if joint else np.array([0.4, 0.3])
        at_tokens = (weights @ by_tokens.T) ** bent_tokens if joint else np.array([0.2, 0.5])
        return (
            floor
            + bias
            + at_size * (size[:, None] / 1e8) ** -alpha
            + at_tokens * (tokens[:, None] / 1e9) ** -beta
        )

    return losses


def swarm(
    runs=120, joint=False, noise=0.0, seed=2, sizes=(3e7, 1e8, 3e8), lengths=(1e9, 2e9, 4e9, 8e9)
):
    rng = np.random.default_rng(seed)
    mixtures, size, tokens = (
        rng.dirichlet(np.ones(3), runs),
        rng.choice(sizes, runs),
        rng.choice(lengths, runs),
    )
    losses = world(joint)(mixtures, size, tokens)
    return {
        "mixtures": mixtures,
        "losses": losses + rng.normal(0, noise, losses.shape),
        "size": size,
        "run_tokens": tokens,
    }


def fit_law(runs, joint=False, draws=10, names=NAMES):
    return ScalingMixtures(joint=joint, draws=draws).fit(domains=names, targets=("a", "b"), **runs)


@pytest.mark.parametrize("joint", [False, True])
def test_larger_models_and_longer_training_are_extrapolated(joint):
    law = fit_law(swarm(joint=joint), joint)
    large = swarm(200, joint, seed=3, sizes=(3e9, 1e10), lengths=(1e11, 1e12))
    assert law.given == ("size", "run_tokens") and isinstance(law, ConvexLaw) == (not joint)
    np.testing.assert_allclose(
        law.predict(large["mixtures"], size=large["size"], run_tokens=large["run_tokens"]),
        large["losses"],
        rtol=2e-3,
    )
    np.testing.assert_allclose(law.diagnostics["r2"], 1, atol=1e-6)


def test_the_joint_law_holds_the_additive_one():
    runs = swarm()
    additive, joint = fit_law(runs, draws=0), fit_law(runs, joint=True, draws=0)
    new = swarm(50, seed=9)
    given = {"size": new["size"], "run_tokens": new["run_tokens"]}
    np.testing.assert_allclose(
        joint.predict(new["mixtures"], **given),
        additive.predict(new["mixtures"], **given),
        atol=2e-3,
    )


def test_where_the_optimum_depends_on_scale():
    grid = np.random.default_rng(0).dirichlet(np.ones(3), 4000)
    places = {}
    for joint in (False, True):
        law = fit_law(swarm(200, joint), joint, draws=0)
        places[joint] = {
            int(law.at(size=size, run_tokens=tokens).predict(grid).mean(1).argmin())
            for size in (1e7, 1e10)
            for tokens in (1e9, 1e13)
        }
        change = [
            law.predict(grid, size=size, run_tokens=1e10)
            - law.predict(grid, size=1e8, run_tokens=1e9)
            for size in (1e7, 1e10)
        ]
        assert (np.ptp(change[0], axis=0) < 1e-9).all() == (not joint)
    assert len(places[False]) == 1
    assert len(places[True]) > 1


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("scales", [(), ("size",), ("run_tokens",), ("size", "run_tokens")])
def test_slopes_are_those_of_the_values(joint, scales):
    rng = np.random.default_rng(0)
    kind = "-".join(("scaling-mixtures", "joint" if joint else "additive", *scales))
    theta = rng.uniform(0.2, 0.9, (4, 7 + len(scales) * (5 if joint else 2)))
    weights = rng.dirichlet(np.ones(3), 9)
    weights[0] = [0, 0.5, 0.5]
    fixed = {f"unit_{name}": np.array(1e9) for name in scales} | {"least_sum": np.array(1e-9)}
    points = Inputs(weights, {name: rng.uniform(1e8, 1e10, 9) for name in scales}, fixed)
    slopes = CURVES[kind].jacobian(theta, points)
    for p in range(theta.shape[1]):
        step = np.zeros_like(theta)
        step[:, p] = 1e-6
        there, here = (CURVES[kind].value(theta + sign * step, points) for sign in (1, -1))
        np.testing.assert_allclose(slopes[:, :, p], (there - here) / 2e-6, atol=1e-5)


@pytest.mark.golden(
    "ScalingMixtures",
    "a general solver finds no better optimum; the additive law's is the same at every scale",
)
def test_the_additive_law_is_convex_and_its_optimum_exact():
    law, rng = fit_law(swarm(200, noise=0.01), draws=0), np.random.default_rng(5)
    held = law.at(size=1e9, run_tokens=1e11)
    a, b, part = (
        rng.dirichlet(np.ones(3), 300),
        rng.dirichlet(np.ones(3), 300),
        rng.random((300, 1)),
    )
    chord = part * held.predict(a) + (1 - part) * held.predict(b)
    assert (held.predict(part * a + (1 - part) * b) <= chord + 1e-10).all()
    prior = np.array([0.5, 0.3, 0.2])
    for options in (
        {"kl": 0.0},
        {"kl": 0.0, "upper": [0.3, 0.3, 1.0]},
        {"kl": 0.05, "prior": prior, "lower": [0.1, 0.2, 0.0]},
    ):

        def cost(w, options=options):
            return held.predict(w)[0] @ [0.75, 0.25] + options["kl"] * (w * np.log(w / prior)).sum()

        bounds = list(
            zip(
                np.maximum(options.get("lower", np.zeros(3)), 1e-9),
                options.get("upper", np.ones(3)),
                strict=True,
            )
        )
        general = minimize(
            cost,
            prior,
            bounds=bounds,
            method="SLSQP",
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-13},
        )
        best = held.minimise([3, 1], **options)
        assert cost(best) <= general.fun + 1e-8
        assert best.sum() == pytest.approx(1, abs=1e-12)
        np.testing.assert_allclose(
            law.minimise([3, 1], size=1e6, run_tokens=1e15, **options), best, atol=1e-9
        )
    assert held.minimise(kl=0.1, prior=[0.0, 0.5, 0.5])[0] == 0
    with pytest.raises(ReweightvizError, match="sum to 0.6"):
        held.minimise(upper=np.full(3, 0.2))
    np.testing.assert_allclose(held.minimise(upper=[0.2, 0.3, 0.5]), [0.2, 0.3, 0.5])


@pytest.mark.golden("ScalingMixtures", "closed form: equal domains are best mixed evenly")
def test_equal_domains_are_best_mixed_evenly():
    rng = np.random.default_rng(0)
    mixtures = rng.dirichlet(np.ones(3), 80)
    losses = 1 + 1 / (2 * mixtures**0.5).sum(1, keepdims=True) @ np.ones((1, 2))
    law = fit_law({"mixtures": mixtures, "losses": losses}, draws=0)
    grid = np.concatenate([rng.dirichlet(np.ones(3), 3000), [np.full(3, 1 / 3)]])
    assert law.given == () and np.isfinite(law.predict(np.eye(3))).all()
    assert law.predict(grid)[:, 0].argmin() == 3000
    np.testing.assert_allclose(law.minimise(kl=0), 1 / 3, atol=1e-3)


def test_domains_in_another_order_give_the_same_law():
    runs, order = swarm(noise=0.005), [2, 0, 1]
    straight = fit_law(runs)
    permuted = fit_law(
        {**runs, "mixtures": runs["mixtures"][:, order]}, names=tuple(NAMES[i] for i in order)
    )
    given = {"size": 1e9, "run_tokens": 1e10}
    np.testing.assert_allclose(
        permuted.predict(runs["mixtures"][:, order], **given),
        straight.predict(runs["mixtures"], **given),
        atol=2e-3,
    )


@pytest.mark.parametrize("joint", [False, True])
def test_intervals_hold_new_runs(joint):
    law = fit_law(swarm(200, joint, 0.01), joint, draws=200)
    new = swarm(400, joint, 0.01, seed=4)
    low, high = law.interval(new["mixtures"], 0.9, size=new["size"], run_tokens=new["run_tokens"])
    assert 0.85 <= ((low <= new["losses"]) & (new["losses"] <= high)).mean() <= 0.95


def test_scales_that_all_runs_share_are_left_out():
    runs = swarm()
    law = fit_law(
        {
            **runs,
            "size": np.full(120, 1e8),
            "losses": world(False)(runs["mixtures"], np.full(120, 1e8), runs["run_tokens"]),
        }
    )
    assert law.given == ("run_tokens",)
    held = law.at(run_tokens=1e12)
    assert held.given == ()
    np.testing.assert_array_equal(
        held.predict(runs["mixtures"]), law.predict(runs["mixtures"], run_tokens=1e12)
    )
    np.testing.assert_array_equal(
        held.interval(runs["mixtures"]),
        law.interval(runs["mixtures"], run_tokens=np.full(120, 1e12)),
    )
    again = type(held).from_dict(held.to_dict())
    np.testing.assert_array_equal(again.predict(runs["mixtures"]), held.predict(runs["mixtures"]))
    assert "run_tokens=1e+12" in repr(again)
    np.testing.assert_array_equal(
        held.predict(runs["mixtures"], run_tokens=1e9),
        law.predict(runs["mixtures"], run_tokens=1e9),
    )
    with pytest.raises(ReweightvizError, match="takes 'run_tokens' beside the weights; got 'size'"):
        held.at(size=1e9)


def test_a_domain_that_no_run_lives_on_does_not_explode():
    runs = swarm(16, noise=0.05)
    law = fit_law({name: runs[name] for name in ("mixtures", "losses")}, draws=100)
    assert law.interval(np.eye(3))[1].max() < 12 * runs["losses"].max()


def test_too_few_runs_are_one_sentence():
    few = {name: value[:16] for name, value in swarm().items()}
    with pytest.raises(
        ReweightvizError,
        match="fits 17 numbers a target for 3 domains and needs at least 17 runs; got 16",
    ):
        fit_law(few, joint=True)
    with pytest.raises(ReweightvizError, match="huber above 0"):
        ScalingMixtures(huber=0)


@pytest.mark.shared
def test_rank_correlation_and_intervals_on_the_public_regmix_swarm(public_tables):
    train, test = (
        swarms.read(
            public_tables / f"regmix/{part}_mixture_1m.csv",
            public_tables / f"regmix/{part}_pile_loss_1m.csv",
        )
        for part in ("train", "test")
    )
    law = ScalingMixtures(draws=60).fit(
        domains=train.domains, targets=train.targets, mixtures=train.mixtures, losses=train.losses
    )
    predicted, (low, high) = law.predict(test.mixtures), law.interval(test.mixtures, 0.9)
    rho = np.mean(
        [spearmanr(predicted[:, m], test.losses[:, m])[0] for m in range(len(test.targets))]
    )
    assert 100 * rho > 99.0  # boosted trees reach 98.95
    assert 0.85 <= ((low <= test.losses) & (test.losses <= high)).mean() <= 0.97
