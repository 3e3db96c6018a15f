"""The Olmix law against known coefficients, closed forms and the public RegMix swarm."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.laws import Olmix
from reweightviz.laws._diagnostics import assign_folds
from reweightviz.laws._log_linear_law import LogLinearLaw

NAMES = ("web", "code", "math", "books")


def truth(seed=0, targets=3):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.8, 3, targets), rng.normal(-0.6, 0.8, (targets, len(NAMES)))


def swarm(seed=0, runs=60, noise=0.0, targets=3):
    rng = np.random.default_rng(seed + 100)
    floor, slopes = truth(seed, targets)
    mixtures = rng.dirichlet(np.full(len(NAMES), 0.7), runs)
    return mixtures, floor + np.exp(mixtures @ slopes.T) + rng.normal(0, noise, (runs, targets))


def fit_law(mixtures, losses, names=NAMES, spec=None, **options):
    targets = tuple(f"loss {m}" for m in range(losses.shape[1]))
    return (spec or Olmix(draws=20)).fit(
        domains=names, targets=targets, mixtures=mixtures, losses=losses, **options
    )


def test_known_coefficients_are_recovered():
    floor, slopes = truth()
    law = fit_law(*swarm())
    np.testing.assert_allclose(law.coef, np.column_stack([np.log(floor), slopes]), atol=1e-4)
    np.testing.assert_allclose(law.refits, np.broadcast_to(law.coef, law.refits.shape), atol=1e-3)
    np.testing.assert_allclose(law.diagnostics["r2"], 1)
    assert not any(law.diagnostics["degenerate"])


def test_permuting_domains_permutes_coefficients():
    mixtures, losses = swarm(noise=0.01)
    order = [2, 0, 3, 1]
    straight = fit_law(mixtures, losses)
    permuted = fit_law(mixtures[:, order], losses, tuple(NAMES[i] for i in order))
    np.testing.assert_allclose(permuted.coef[:, 1:], straight.coef[:, 1:][:, order], atol=1e-5)
    np.testing.assert_allclose(permuted.coef[:, 0], straight.coef[:, 0], atol=1e-5)


def test_the_law_is_convex_along_random_chords():
    law, rng = fit_law(*swarm(noise=0.02)), np.random.default_rng(5)
    a, b = rng.dirichlet(np.ones(4), 200), rng.dirichlet(np.ones(4), 200)
    share = rng.random((200, 1))
    chord = share * law.predict(a) + (1 - share) * law.predict(b)
    assert (law.predict(share * a + (1 - share) * b) <= chord + 1e-12).all()


def test_seeds_repeat_and_differ():
    mixtures, losses = swarm(noise=0.02)
    first, again, other = (
        fit_law(mixtures, losses, spec=Olmix(draws=10, seed=seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.refits, again.refits)
    np.testing.assert_array_equal(first.noise, again.noise)
    assert (first.refits != other.refits).any()


@pytest.mark.parametrize("noise", [0.005, 0.05])
def test_intervals_hold_new_runs_as_often_as_they_say(noise):
    mixtures, losses = swarm(runs=360, noise=noise, targets=8)
    law = fit_law(mixtures[:60], losses[:60], spec=Olmix())
    for level, least, most in ((0.9, 0.85, 0.95), (0.5, 0.42, 0.6)):
        low, high = law.interval(mixtures[60:], level)
        assert least <= ((low <= losses[60:]) & (losses[60:] <= high)).mean() <= most


@pytest.mark.filterwarnings("ignore:the law fits 5 numbers")
@pytest.mark.parametrize("count", [5, 6, 8, 12, 20])
def test_intervals_of_few_runs_are_wide_enough(count):
    """Five numbers a target: with 5 runs nothing is left over, and resampled runs held a seventh of the new ones."""
    inside = []
    for seed in range(10):
        mixtures, losses = swarm(seed, runs=count + 100, noise=0.02)
        low, high = fit_law(mixtures[:count], losses[:count], spec=Olmix(draws=100)).interval(
            mixtures[count:]
        )
        inside.append(((low <= losses[count:]) & (losses[count:] <= high)).mean())
    assert 0.82 <= np.mean(inside) <= (1 if count < 8 else 0.98)


def test_hardly_more_runs_than_numbers_are_warned_of():
    mixtures, losses = swarm(runs=7)
    with pytest.warns(
        ReweightvizWarning,
        match="fits 5 numbers a target and has 7 runs: with fewer than 8 they hardly tell",
    ):
        fit_law(mixtures, losses)
    fit_law(mixtures, losses, spec=Olmix(draws=0))
    fit_law(*swarm(runs=8))


def test_the_error_on_runs_left_out_is_that_of_fitting_without_them():
    mixtures, losses = swarm(runs=50, noise=0.02)
    said, fold = fit_law(mixtures, losses).diagnostics, assign_folds(mixtures, 5, 0)
    missed = np.empty_like(losses)
    for part in range(5):
        out = fold == part
        missed[out] = losses[out] - fit_law(
            mixtures[~out], losses[~out], spec=Olmix(draws=0)
        ).predict(mixtures[out])
    np.testing.assert_allclose(said["held_out_mae"], np.abs(missed).mean(0), rtol=0.02)
    assert "held_out_mae" not in fit_law(mixtures, losses, spec=Olmix(draws=0)).diagnostics


def test_two_domains_have_a_closed_form():
    # Aioli's static law: L_i = c_i + exp(k_i p_i + b_i); as the weights sum to 1, b_i joins every slope.
    c1, k1, b1, c2, k2, b2 = 2.63558, -2.99978, -0.61924, 3.03323, -2.64617, -0.12864
    coef = [[np.log(c1), k1 + b1, b1], [np.log(c2), b2, k2 + b2]]
    law = LogLinearLaw(("a", "b"), ("a", "b"), np.ones(2, bool), np.array(coef))
    weights = law.minimise(kl=0)
    np.testing.assert_allclose(weights, [0.404006, 1 - 0.404006], atol=2e-6)
    np.testing.assert_allclose(weights[0], (k2 + b2 - b1 + np.log(k2 / k1)) / (k1 + k2), atol=2e-6)
    np.testing.assert_allclose(law.predict(weights).mean(), 3.005337, atol=1e-6)


def test_minimise_weighs_targets_and_obeys_caps():
    law = fit_law(*swarm())
    assert law.minimise([0, 1, 0], kl=0).max() == 1
    np.testing.assert_allclose(law.minimise([0, 2, 0]), law.minimise([0, 1, 0]))
    prior = np.array([0.4, 0.3, 0.2, 0.1])
    np.testing.assert_allclose(law.minimise(kl=1e9, prior=prior), prior, atol=1e-8)
    capped = law.minimise(kl=0.01, upper=np.full(4, 0.3))
    assert capped.max() <= 0.3
    others = np.random.default_rng(0).dirichlet(np.ones(4), 3000)
    best = law.predict(law.minimise(kl=0)).mean()
    assert best <= law.predict(others).mean(1).min() + 1e-9
    with pytest.raises(ReweightvizError, match="importance must be 3 numbers >= 0"):
        law.minimise([0, 0, 0])
    with pytest.raises(ReweightvizError, match=r"upper bounds \(caps\) sum to 0.8"):
        law.minimise(upper=np.full(4, 0.2))


def test_targets_where_higher_is_better_are_refused_by_the_optimiser_only():
    law = fit_law(*swarm(), lower_is_better=[True, False, True])
    assert law.lower_is_better.tolist() == [True, False, True]
    with pytest.raises(ReweightvizError, match="higher is better for 'loss 1'"):
        law.minimise()
    assert law.minimise([1, 0, 1]).sum() == pytest.approx(1)


def test_equal_losses_make_a_constant_law():
    mixtures, losses = swarm()
    losses[:, 1] = 2.5
    law = fit_law(mixtures, losses)
    np.testing.assert_allclose(law.predict(mixtures)[:, 1], 2.5, atol=1e-6)
    assert law.diagnostics["constant"] == [False, True, False]
    assert law.diagnostics["r2"][1] is None


def test_a_floor_that_runs_to_zero_is_flagged_and_stays_finite():
    mixtures, _ = swarm()
    losses = np.exp(mixtures @ [[1.0], [0.5], [0.2], [-0.4]]) - 0.3
    law = fit_law(mixtures, losses)
    assert law.diagnostics["degenerate"] == [True]
    assert np.isfinite(law.coef).all()
    assert np.isfinite(law.refits).all()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda w, y: (w[:4], y[:4]),
            "fits 5 numbers a target for 4 domains and needs at least 5 runs; got 4",
        ),
        (lambda w, y: (np.tile(w[:1], (60, 1)), y), "differ in only 1 of 4 directions"),
        (lambda w, y: (w * [1, 1, 0, 1], y), "no run has any of 'math'"),
        (
            lambda w, y: (w, np.where(np.arange(60)[:, None] == 7, np.nan, y)),
            r"'loss 0' is nan in run 7 \(1 such runs\)",
        ),
        (lambda w, y: (w, y - 10), "losses must be numbers above 0"),
        (lambda w, y: (w[:, :3], y), r"needs mixtures \(R, 4\)"),
        (lambda w, y: (np.where(w > 0.99 * w.max(), np.nan, w), y), "mixtures must be finite"),
    ],
)
def test_runs_that_cannot_be_fitted_are_one_sentence(spoil, sentence):
    mixtures, losses = spoil(*swarm())
    with pytest.raises(ReweightvizError, match=sentence):
        fit_law(mixtures, losses)


def test_wrong_settings_are_one_sentence():
    with pytest.raises(ReweightvizError, match="huber above 0"):
        Olmix(huber=0)
    with pytest.raises(ReweightvizError, match="level must be a probability"):
        fit_law(*swarm()).interval(np.full((1, 4), 0.25), 90)


def test_no_draws_no_interval():
    law = fit_law(*swarm(), spec=Olmix(draws=0))
    low, high = law.interval([[0.25] * 4])
    assert np.isnan(low).all()
    assert np.isnan(high).all()
    assert law.browser_form().header["draws"] == 0


# ---- the form that a browser evaluates


def test_the_browser_form_is_the_law():
    law = fit_law(*swarm(noise=0.02))
    form = law.browser_form()
    numbers = np.frombuffer(form.data, "<f4").astype(np.float64)
    M, K, B = 3, 4, 20
    assert json.loads(json.dumps(form.header)) == {
        "kind": "log-linear",
        "domains": list(NAMES),
        "draws": B,
        "lower_is_better": [True] * 3,
        "targets": ["loss 0", "loss 1", "loss 2"],
    }
    coef, draws, noise = np.split(numbers, np.cumsum([M * (1 + K), B * M * (1 + K)]))
    w = np.array([0.1, 0.2, 0.3, 0.4])
    rows = coef.reshape(M, 1 + K)
    np.testing.assert_allclose(
        np.exp(rows[:, 0]) + np.exp(rows[:, 1:] @ w), law.predict(w)[0], rtol=1e-6
    )
    rows = draws.reshape(B, M, 1 + K)
    drawn = np.exp(rows[..., 0]) + np.exp(rows[..., 1:] @ w) + noise.reshape(B, M)
    low, high = law.interval(w, 0.8)
    np.testing.assert_allclose(
        np.quantile(drawn, [0.1, 0.9], axis=0, method="weibull"), [low[0], high[0]], rtol=1e-12
    )


def test_the_golden_form_gives_the_golden_numbers():
    golden = json.loads((Path(__file__).parents[1] / "golden" / "law_form.json").read_text("utf-8"))
    header, numbers = golden["header"], np.frombuffer(base64.b64decode(golden["data"]), "<f4")
    M, K, B = len(header["targets"]), len(header["domains"]), header["draws"]
    coef, draws, noise = np.split(numbers, np.cumsum([M * (1 + K), B * M * (1 + K)]))
    law = LogLinearLaw(
        tuple(header["domains"]),
        tuple(header["targets"]),
        np.array(header["lower_is_better"]),
        coef,
        draws,
        noise,
    )
    low, high = law.interval(golden["weights"], golden["level"])
    for name, values in (
        ("predictions", law.predict(golden["weights"])),
        ("low", low),
        ("high", high),
    ):
        np.testing.assert_allclose(values, golden[name], rtol=1e-12)
    assert law.browser_form().data == base64.b64decode(golden["data"])


# ---- the public RegMix swarm


@pytest.mark.shared
@pytest.mark.golden("Olmix", "held-out Spearman and optima on the public RegMix swarm")
def test_rank_correlation_on_held_out_runs(regmix, pile_law):
    test = regmix["test"]
    predicted = pile_law.predict(test.mixtures)
    rho = {
        name: 100 * spearmanr(predicted[:, m], test.losses[:, m])[0]
        for m, name in enumerate(test.targets)
    }
    assert np.mean(list(rho.values())) == pytest.approx(97.295, abs=0.3)
    for name, expected in {
        "arxiv": 97.82,
        "freelaw": 98.55,
        "github": 97.71,
        "pile_cc": 96.15,
    }.items():
        assert rho[name] == pytest.approx(expected, abs=0.3), name


@pytest.mark.shared
@pytest.mark.golden("Olmix", "held-out Spearman and optima on the public RegMix swarm")
@pytest.mark.parametrize(
    ("kl", "weight"), [(0.01, 0.7470), (0.05, 0.5807), (0.1, 0.5130), (0.3, 0.4156)]
)
def test_optimum_for_pile_cc_under_kl(pile_law, token_prior, kl, weight):
    importance = np.array(pile_law.targets) == "pile_cc"
    optimum = pile_law.minimise(importance, kl=kl, prior=token_prior / token_prior.sum())
    assert optimum[pile_law.domains.index("pile_cc")] == pytest.approx(weight, abs=0.02)


@pytest.mark.shared
@pytest.mark.golden("Olmix", "held-out Spearman and optima on the public RegMix swarm")
def test_one_target_without_kl_collapses_onto_one_domain(pile_law):
    for m, importance in enumerate(np.eye(len(pile_law.targets))):
        optimum = pile_law.minimise(importance, kl=0)
        assert optimum.max() == 1
        assert optimum.argmax() == pile_law.coef[m, 1:].argmin()


@pytest.mark.shared
@pytest.mark.golden("Olmix", "held-out Spearman and optima on the public RegMix swarm")
def test_intervals_on_held_out_runs(regmix, pile_law):
    test = regmix["test"]
    low, high = pile_law.interval(test.mixtures, 0.9)
    inside = (low <= test.losses) & (test.losses <= high)
    assert 0.80 <= inside.mean() <= 0.98
