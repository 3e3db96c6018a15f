"""BiMix: known coefficients, its closed-form optimum, weights of 0, and what it refuses."""

import numpy as np
import pytest
from scipy.optimize import minimize

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.protocols import ConvexLaw
from reweightviz.laws._curves import CURVES
from reweightviz.laws._inputs import Inputs
from reweightviz.laws.bimix import BiMix
from reweightviz.numerics.separable import minimise_powers

NAMES = ("web", "code", "math")
A, ALPHA = np.array([2.0, 1.5, 1.0]), np.array([0.1, 0.25, 0.15])
B, BETA, C = np.array([0.8, 1.2, 0.5]), np.array([0.4, 0.3, 0.6]), np.array([1.0, 0.7, 0.9])


def truth(mixtures, tokens=None):
    base = A if tokens is None else B * (np.asarray(tokens)[:, None] / 1e9) ** -BETA + C
    return mixtures**-ALPHA * base


def swarm(runs=40, seed=0, noise=0.0, over_tokens=False):
    rng = np.random.default_rng(seed)
    mixtures = rng.dirichlet(np.ones(3), runs)
    tokens = rng.choice([5e8, 1e9, 2e9, 4e9, 8e9], runs) if over_tokens else None
    losses = truth(mixtures, tokens)
    return mixtures, losses + rng.normal(0, noise, losses.shape), tokens


def fit_law(mixtures, losses, tokens=None, *, spec=None, targets=NAMES, **extra):
    return (spec or BiMix(draws=20)).fit(
        domains=NAMES, targets=targets, mixtures=mixtures, losses=losses, run_tokens=tokens, **extra
    )


def test_known_coefficients_are_recovered():
    law = fit_law(*swarm())
    np.testing.assert_allclose(law.theta, np.column_stack([A, ALPHA]), atol=1e-5)
    assert law.given == () and isinstance(law, ConvexLaw) and not any(law.diagnostics["degenerate"])
    mixtures, losses, tokens = swarm(120, over_tokens=True)
    law = fit_law(mixtures, losses, tokens)
    assert law.given == ("run_tokens",)
    factor, exponent, floor, beta = law.theta.T
    unit = float(law.fixed["unit"]) / 1e9
    np.testing.assert_allclose(exponent, ALPHA, atol=1e-5)
    np.testing.assert_allclose(beta, BETA, atol=1e-4)
    np.testing.assert_allclose(factor * floor, C, atol=1e-4)
    np.testing.assert_allclose(factor * (1 - floor) * unit**beta, B, atol=1e-4)
    new = np.random.default_rng(5).dirichlet(np.ones(3), 20)
    np.testing.assert_allclose(
        law.predict(new, run_tokens=1e12), truth(new, np.full(20, 1e12)), rtol=1e-3
    )


def test_a_target_is_found_by_its_name():
    mixtures, losses, _ = swarm()
    law = fit_law(mixtures, losses[:, [2, 0]], targets=("math", "web"))
    np.testing.assert_allclose(law.theta[:, 1], ALPHA[[2, 0]], atol=1e-5)


@pytest.mark.parametrize("over_tokens", [False, True])
@pytest.mark.parametrize("every", [False, True])
def test_slopes_are_those_of_the_values(over_tokens, every):
    rng = np.random.default_rng(0)
    kind = f"bimix{'-every-domain' if every else ''}{'-tokens' if over_tokens else ''}"
    theta = rng.uniform(0.1, 0.9, (4, (6 if every else 2) + 2 * over_tokens))
    fixed = {"least": np.array(1e-4), "unit": np.array(1e9), "own": np.array([0, 2, 1, 0.0])}
    points = Inputs(
        rng.dirichlet(np.ones(3), 9),
        {"run_tokens": rng.uniform(1e8, 1e10, 9)} if over_tokens else {},
        fixed,
    )
    slopes = CURVES[kind].jacobian(theta, points)
    for p in range(theta.shape[1]):
        step = np.zeros_like(theta)
        step[:, p] = 1e-6
        there, here = (CURVES[kind].value(theta + sign * step, points) for sign in (1, -1))
        np.testing.assert_allclose(slopes[:, :, p], (there - here) / 2e-6, atol=1e-6)


@pytest.mark.golden("BiMix", "closed form of the optimum of known coefficients")
def test_the_optimum_is_the_closed_form():
    law = fit_law(*swarm())
    best = law.minimise(kl=0)
    price = (A * ALPHA * best ** (-ALPHA - 1)) / 3
    np.testing.assert_allclose(price, price[0], rtol=1e-4)
    assert best.sum() == pytest.approx(1, abs=1e-12)
    factors = np.array([0.3, 1.0, 2.0, 4.0])
    for exponent in (0.05, 0.4, 2.0):
        shares = factors ** (1 / (1 + exponent))
        found = minimise_powers(factors[:, None], np.full((4, 1), exponent))
        np.testing.assert_allclose(found.x, shares / shares.sum(), atol=1e-9)
        assert found.gap < 1e-9


@pytest.mark.parametrize(
    "options",
    [
        {"kl": 0.0},
        {"kl": 0.3},
        {"kl": 0.0, "upper": [0.3, 0.4, 0.6]},
        {"kl": 0.1, "lower": [0.2, 0.1, 0], "upper": [0.5, 0.3, 1], "prior": [0.1, 0.6, 0.3]},
    ],
)
def test_the_optimum_is_that_of_a_general_solver(options):
    mixtures, losses, tokens = swarm(120, over_tokens=True)
    law = fit_law(mixtures, losses, tokens, spec=BiMix(draws=0))
    prior = np.array(options.get("prior", np.full(3, 1 / 3)))
    low, high = (
        np.maximum(options.get("lower", np.zeros(3)), 1e-6),
        options.get("upper", np.ones(3)),
    )

    def cost(w):
        return (
            law.predict(w, run_tokens=3e10)[0] @ [0.5, 0.25, 0.25]
            + options["kl"] * (w * np.log(w / prior)).sum()
        )

    general = minimize(
        cost,
        np.full(3, 1 / 3),
        bounds=list(zip(low, high, strict=True)),
        method="SLSQP",
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-13},
    )
    best = law.minimise([2, 1, 1], run_tokens=3e10, **options)
    assert cost(best) <= general.fun + 1e-9
    np.testing.assert_allclose(best, general.x, atol=1e-4)
    np.testing.assert_allclose(law.at(run_tokens=3e10).minimise([2, 1, 1], **options), best)


def test_more_tokens_change_the_optimum_only_if_they_change_the_ratio_of_losses():
    mixtures, losses, tokens = swarm(120, over_tokens=True)
    law = fit_law(mixtures, losses, tokens, spec=BiMix(draws=0))
    assert (
        np.abs(law.minimise(kl=0, run_tokens=1e9) - law.minimise(kl=0, run_tokens=1e12)).max()
        > 1e-3
    )


def test_domains_in_another_order_give_the_same_law():
    mixtures, losses, _ = swarm(noise=0.01)
    order = [2, 0, 1]
    straight = fit_law(mixtures, losses)
    permuted = BiMix(draws=20).fit(
        domains=tuple(NAMES[i] for i in order),
        targets=NAMES,
        mixtures=mixtures[:, order],
        losses=losses,
    )
    np.testing.assert_allclose(
        permuted.predict(mixtures[:, order]), straight.predict(mixtures), rtol=1e-6
    )


def test_convex_along_chords():
    law, rng = fit_law(*swarm(noise=0.01)), np.random.default_rng(5)
    a, b, part = (
        rng.dirichlet(np.ones(3), 200),
        rng.dirichlet(np.ones(3), 200),
        rng.random((200, 1)),
    )
    chord = part * law.predict(a) + (1 - part) * law.predict(b)
    assert (law.predict(part * a + (1 - part) * b) <= chord + 1e-9).all()


def test_a_weight_of_zero_counts_as_the_least():
    law = fit_law(*swarm())
    low, zero = law.predict([[1e-4, 0.5, 0.4999], [0.0, 0.5, 0.5]])
    assert np.isfinite(zero).all()
    assert zero[0] == pytest.approx(low[0])
    assert law.minimise(kl=0, upper=[0.0, 1, 1])[0] == 0


@pytest.mark.parametrize("over_tokens", [False, True])
def test_intervals_hold_new_runs(over_tokens):
    mixtures, losses, tokens = swarm(500, noise=0.02, over_tokens=over_tokens)
    law = fit_law(
        mixtures[:100], losses[:100], tokens if tokens is None else tokens[:100], spec=BiMix()
    )
    given = {"run_tokens": tokens[100:]} if over_tokens else {}
    low, high = law.interval(mixtures[100:], 0.9, **given)
    assert 0.85 <= ((low <= losses[100:]) & (losses[100:] <= high)).mean() <= 0.95


def test_targets_that_are_no_domains_need_every_domain():
    mixtures, losses, _ = swarm()
    with pytest.raises(
        ReweightvizError, match=r"'bench' is not among the domains .*BiMix\(every_domain=True\)"
    ):
        fit_law(mixtures, losses, targets=("web", "bench", "math"))
    combined = (losses @ [[0.5], [0.3], [0.2]]) @ np.ones((1, 2))
    law = fit_law(
        mixtures, combined, targets=("bench", "web"), spec=BiMix(every_domain=True, draws=0)
    )
    np.testing.assert_allclose(law.predict(mixtures), combined, atol=1e-3)
    best = law.minimise(kl=0)
    others = np.random.default_rng(0).dirichlet(np.ones(3), 5000)
    assert law.predict(best).mean() <= law.predict(others).mean(1).min() + 1e-9


def test_no_effect_of_the_weight_is_degenerate():
    mixtures, losses, _ = swarm()
    law = fit_law(mixtures, np.column_stack([losses[:, 0], mixtures[:, 1] + 1, losses[:, 2]]))
    assert law.diagnostics["degenerate"] == [False, True, False]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "takes 'run_tokens' beside the weights; got none"),
        (
            {"run_tokens": 1e9, "size": 1e6},
            "takes 'run_tokens' beside the weights; got 'run_tokens', 'size'",
        ),
        ({"run_tokens": [1e9, 1e9, 1e9]}, r"run_tokens as one number or \(2,\)"),
        ({"run_tokens": -1}, "run_tokens must be finite numbers above 0"),
    ],
)
def test_what_is_given_is_checked(given, sentence):
    law = fit_law(*swarm(over_tokens=True))
    for verb in (law.predict, law.samples, law.interval):
        with pytest.raises(ReweightvizError, match=sentence):
            verb(np.full((2, 3), 1 / 3), **given)


def test_runs_of_one_length_need_no_tokens():
    mixtures, losses, _ = swarm()
    assert fit_law(mixtures, losses, np.full(40, 1e9)).given == ()
    with pytest.raises(ReweightvizError, match="takes the weights alone"):
        fit_law(mixtures, losses).predict(mixtures, run_tokens=1e9)
    with pytest.raises(ReweightvizError, match="all runs have the same mixture"):
        fit_law(np.full((40, 3), 1 / 3), losses)
    with pytest.raises(ReweightvizError, match="least between 0 and 1"):
        BiMix(least=0)


def test_a_domain_with_nothing_to_gain_goes_to_its_floor():
    factors = np.array([[0.0], [1.0], [2.0]])
    assert minimise_powers(factors, np.full((3, 1), 0.4)).x[0] == 0
    np.testing.assert_allclose(
        minimise_powers(factors, np.full((3, 1), 0.4), upper=[1, 0.2, 0.2]).x, [0.6, 0.2, 0.2]
    )
    assert minimise_powers(factors + 1, np.full((3, 1), 0.4), kl=0.1, prior=[0, 0.5, 0.5]).x[0] == 0
    with pytest.raises(ReweightvizError, match="sum to 0.6"):
        minimise_powers(factors, np.full((3, 1), 0.4), upper=np.full(3, 0.2))
