"""Data Mixing Laws: coefficients of the authors' notebook, hidden domains, and nested laws over tokens and size."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import spearmanr

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.protocols import ConvexLaw
from reweightviz.laws._curve_law import ConvexCurveLaw, CurveLaw
from reweightviz.laws._log_linear_law import LogLinearLaw
from reweightviz.laws._nested import extrapolate
from reweightviz.laws.data_mixing import DataMixing
from reweightviz.readers.swarms import two_tables as swarms

NAMES = ("web", "code", "math", "books")


def hidden_truth(seed=0, targets=3, hidden=2):
    rng = np.random.default_rng(seed)
    floor, slopes = rng.uniform(0.8, 2, targets), rng.normal(-1, 1.5, (targets, hidden, len(NAMES)))
    return lambda w: floor + np.exp(np.einsum("mjk,nk->nmj", slopes, w)).sum(2)


def swarm(runs, seed=0, noise=0.0):
    rng = np.random.default_rng(seed + 50)
    mixtures = rng.dirichlet(np.full(4, 0.7), runs)
    losses = hidden_truth(seed)(mixtures)
    return mixtures, losses + rng.normal(0, noise, losses.shape)


def fit_law(mixtures, losses, spec, names=NAMES, **extra):
    targets = tuple(f"loss {m}" for m in range(losses.shape[1]))
    return spec.fit(domains=names, targets=targets, mixtures=mixtures, losses=losses, **extra)


# ---- one domain a target


@pytest.mark.golden(
    "DataMixing", "two-domain coefficients (c, k, b) of the authors' notebook, 70M on Github"
)
@pytest.mark.parametrize(
    ("c", "k", "b"),
    [(1.3235, -2.4385, -0.5977), (1.1297, -1.5476, -0.6505), (1.1096, -1.6406, -0.6819)],
)
def test_two_domains_give_back_the_published_coefficients(c, k, b):
    share = np.array([0.25, 0.375, 0.5, 0.625, 0.75])  # the mixtures that were trained
    losses = c + np.exp(k * share + b)
    law = fit_law(
        np.column_stack([share, 1 - share]),
        losses[:, None],
        DataMixing(draws=0),
        ("github", "pile_cc"),
    )
    assert isinstance(law, LogLinearLaw)
    floor, github, other = np.exp(law.coef[0, 0]), *law.coef[0, 1:]
    # As the shares sum to 1, b joins both slopes: k is their difference.
    np.testing.assert_allclose([floor, github - other, other], [c, k, b], atol=1e-3)
    assert law.diagnostics["degenerate"] == [False]


def test_a_factor_before_the_exponential_changes_nothing():
    mixtures, _ = swarm(40)
    slopes = np.array([-1.0, 0.5, -2.0, 0.1])
    plain, scaled = (
        fit_law(mixtures, (1.5 + k * np.exp(mixtures @ t))[:, None], DataMixing(draws=0))
        for k, t in ((1.0, slopes), (3.0, slopes - np.log(3)))
    )
    np.testing.assert_allclose(scaled.coef, plain.coef, atol=1e-6)


def test_a_floor_that_runs_to_zero_is_said_beside_its_r2():
    share = np.linspace(0.2, 0.8, 7)
    losses = 2 - 0.4 * share - 0.5 * share**2  # bends the wrong way, so that no floor is left
    law = fit_law(
        np.column_stack([share, 1 - share]), losses[:, None], DataMixing(draws=0), ("a", "b")
    )
    assert law.diagnostics["degenerate"] == [True]
    assert 0.5 < law.diagnostics["r2"][0] < 1


# ---- hidden domains


def test_hidden_domains_are_fitted_where_one_exponential_cannot():
    mixtures, losses = swarm(60)
    one, two = (fit_law(mixtures, losses, DataMixing(implicit=j, draws=0)) for j in (1, 2))
    new = np.random.default_rng(9).dirichlet(np.ones(4), 200)
    expected = hidden_truth()(new)
    assert (
        isinstance(one, LogLinearLaw)
        and isinstance(two, ConvexCurveLaw)
        and isinstance(two, ConvexLaw)
    )
    np.testing.assert_allclose(two.predict(new), expected, atol=2e-3)
    assert np.abs(one.predict(new) - expected).max() > 0.02


def test_hidden_domains_may_come_in_any_order_and_so_may_domains():
    mixtures, losses = swarm(60, noise=0.005)
    order = [2, 0, 3, 1]
    straight = fit_law(mixtures, losses, DataMixing(implicit=2, draws=0))
    permuted = fit_law(
        mixtures[:, order], losses, DataMixing(implicit=2, draws=0), tuple(NAMES[i] for i in order)
    )
    np.testing.assert_allclose(
        permuted.predict(mixtures[:, order]), straight.predict(mixtures), atol=1e-4
    )


def test_hidden_domains_are_convex_and_minimised_exactly():
    law, rng = (
        fit_law(*swarm(80, noise=0.01), DataMixing(implicit=2, draws=5)),
        np.random.default_rng(5),
    )
    a, b, part = (
        rng.dirichlet(np.ones(4), 200),
        rng.dirichlet(np.ones(4), 200),
        rng.random((200, 1)),
    )
    chord = part * law.predict(a) + (1 - part) * law.predict(b)
    assert (law.predict(part * a + (1 - part) * b) <= chord + 1e-10).all()
    upper = np.array([0.4, 0.5, 0.6, 1.0])
    best = law.minimise([1, 0, 2], kl=0, upper=upper)
    assert (best <= upper + 1e-12).all() and best.sum() == pytest.approx(1)
    general = minimize(
        lambda w: law.predict(w)[0] @ [1, 0, 2] / 3,
        np.full(4, 0.25),
        bounds=[(0, u) for u in upper],
        method="SLSQP",
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-12},
    )
    assert law.predict(best)[0] @ [1, 0, 2] / 3 <= general.fun + 1e-8


def test_intervals_of_hidden_domains_hold_new_runs():
    mixtures, losses = swarm(400, noise=0.02)
    law = fit_law(mixtures[:100], losses[:100], DataMixing(implicit=2))
    low, high = law.interval(mixtures[100:], 0.9)
    assert 0.85 <= ((low <= losses[100:]) & (losses[100:] <= high)).mean() <= 0.95


def test_record_of_a_convex_law_comes_back_convex():
    law = fit_law(*swarm(40), DataMixing(implicit=2, draws=3))
    with pytest.warns(
        ReweightvizWarning,
        match=r"fits 9 numbers a target to 30 runs; below some 36 runs it may miss new ones",
    ):
        fit_law(*swarm(30), DataMixing(implicit=2, draws=3))
    again = CurveLaw.from_dict(law.to_dict())
    assert isinstance(again, ConvexCurveLaw)
    np.testing.assert_array_equal(again.minimise(kl=0.1), law.minimise(kl=0.1))


# ---- nested laws


def nested_runs(noise=0.0, mixtures=12):
    rng = np.random.default_rng(0)
    w = rng.dirichlet(np.ones(4), mixtures)
    tokens, sizes = np.array([1e9, 2e9, 4e9, 8e9]), np.array([1e7, 4e7, 1.6e8])
    rows = [(i, t, n) for n in sizes for i in range(mixtures) for t in tokens]
    which, length, size = (np.array(column) for column in zip(*rows, strict=True))
    which = which.astype(int)
    base = 1.2 + np.exp(w @ rng.normal(-0.5, 0.8, (4, 2)))
    losses = (
        base[which]
        + (0.3 * base[which]) * (length[:, None] / 1e9) ** -0.4
        + (size[:, None] / 1e7) ** -0.3
    )
    return w, w[which], losses + rng.normal(0, noise, losses.shape), length, size, base


def test_nested_laws_reach_the_loss_at_more_tokens_and_a_larger_model():
    w, rows, losses, tokens, size, base = nested_runs()
    found = extrapolate(rows, losses, run_tokens=tokens, tokens=1e12, size=size, to_size=1e10)
    expected = base + 0.3 * base * 1000**-0.4 + 1000**-0.3
    np.testing.assert_allclose(found.mixtures, w)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-6)
    assert found.exponents["tokens"] == pytest.approx([0.4] * 3, abs=1e-6) and found.exponents[
        "size"
    ] == pytest.approx([0.3], abs=1e-6)
    law = fit_law(
        rows,
        losses,
        DataMixing(to_tokens=1e12, to_size=1e10, draws=5),
        run_tokens=tokens,
        size=size,
    )
    np.testing.assert_allclose(law.predict(w), expected, rtol=1e-5)
    assert law.diagnostics["runs"] == [12, 12]
    assert law.diagnostics["tokens_exponent"] == pytest.approx([0.4, 0.4])


def test_nested_laws_over_tokens_alone_and_with_noise():
    w, rows, losses, tokens, size, base = nested_runs(noise=0.003)
    one = size == 1e7
    law = fit_law(
        rows[one], losses[one], DataMixing(to_tokens=64e9, draws=0), run_tokens=tokens[one]
    )
    np.testing.assert_allclose(law.predict(w), base + 0.3 * base * 64**-0.4 + 1, rtol=0.03)


@pytest.mark.parametrize(
    ("spec", "given", "sentence"),
    [
        (
            DataMixing(),
            {"run_tokens": [1e9, 2e9] * 20},
            r"2 different run_tokens .*DataMixing\(to_tokens=...\)",
        ),
        (DataMixing(), {"size": [1e9, 2e9] * 20}, r"2 different sizes .*DataMixing\(to_size=...\)"),
        (DataMixing(to_tokens=1e10), {}, "run_tokens must hold how long"),
        (DataMixing(to_size=1e10), {}, "size must hold how many parameters"),
        (
            DataMixing(to_tokens=1e10),
            {"run_tokens": [1e9] * 40},
            "at least two of them for every mixture",
        ),
        (
            DataMixing(to_tokens=1e10),
            {"run_tokens": [0] * 40},
            "run_tokens must be finite numbers above 0",
        ),
        (
            DataMixing(to_tokens=1e10),
            {"run_tokens": [1e9] * 3},
            r"run_tokens as one number or \(40,\)",
        ),
        (
            DataMixing(implicit=10),
            {},
            "fits 41 numbers a target for 4 domains and needs at least 41 runs; got 40",
        ),
    ],
)
def test_runs_that_cannot_be_fitted_are_one_sentence(spec, given, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        fit_law(*swarm(40), spec, **given)


def test_wrong_settings_are_one_sentence():
    for wrong, sentence in (
        ({"implicit": -1}, "implicit of at least 0"),
        ({"to_tokens": 0}, "finite and above 0"),
    ):
        with pytest.raises(ReweightvizError, match=sentence):
            DataMixing(**wrong)


# ---- the public RegMix swarm


@pytest.mark.shared
@pytest.mark.golden(
    "DataMixing",
    "held-out Spearman on the public RegMix swarm, of the log-linear law and beyond it",
)
@pytest.mark.parametrize(("hidden", "least"), [(0, 97.0), (3, 98.4)])
def test_rank_correlation_and_intervals_on_held_out_runs(public_tables, hidden, least):
    train, test = (
        swarms.read(
            public_tables / f"regmix/{part}_mixture_1m.csv",
            public_tables / f"regmix/{part}_pile_loss_1m.csv",
        )
        for part in ("train", "test")
    )
    law = DataMixing(implicit=hidden, draws=60).fit(
        domains=train.domains, targets=train.targets, mixtures=train.mixtures, losses=train.losses
    )
    predicted, (low, high) = law.predict(test.mixtures), law.interval(test.mixtures, 0.9)
    rho = np.mean(
        [spearmanr(predicted[:, m], test.losses[:, m])[0] for m in range(len(test.targets))]
    )
    assert 100 * rho > least
    if not hidden:
        assert 100 * rho == pytest.approx(97.295, abs=0.3)
    assert 0.85 <= ((low <= test.losses) & (test.losses <= high)).mean() <= 0.97
