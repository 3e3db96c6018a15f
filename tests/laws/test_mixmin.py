"""MixMin's optimum against expectation maximisation, exponentiated gradient and closed forms."""

import json

import numpy as np
import pytest
from scipy.optimize import minimize

from reweightviz.core.errors import ReweightvizError
from reweightviz.laws._mixmin_law import MixMinLaw
from reweightviz.laws.mixmin import MixMin
from reweightviz.numerics.mixture_likelihood import documents, minimise_mixture_loss

NAMES = ("web", "code", "math", "books")


def texts(count=400, seed=0, spread=1.0, domains=4):
    """Log probabilities of documents far below what a float64 holds."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, spread, (count, domains)) - rng.uniform(500, 5000, (count, 1))


def expectation_maximisation(logs, shares, steps=20_000):
    ratios, p = documents(logs).ratios, np.full(logs.shape[1], 1 / logs.shape[1])
    for _ in range(steps):
        posterior = ratios * p
        p = shares / shares.sum() @ (posterior / posterior.sum(1, keepdims=True))
    return p


def exponentiated_gradient(logs, shares, rate=1.0, steps=40_000):
    ratios, p = documents(logs).ratios, np.full(logs.shape[1], 1 / logs.shape[1])
    for _ in range(steps):
        p = p * np.exp(rate * (shares / (ratios @ p)) @ ratios)
        p /= p.sum()
    return p


@pytest.mark.parametrize("spread", [0.3, 1, 5, 50])
@pytest.mark.golden(
    "MixMin",
    "expectation maximisation and the authors' exponentiated gradient reach the same weights",
)
def test_the_optimum_is_that_of_both_slow_methods(spread):
    logs, shares = texts(spread=spread), np.full(400, 1 / 400)
    found = minimise_mixture_loss(documents(logs), shares)
    assert found.gap < 1e-9
    np.testing.assert_allclose(found.x, expectation_maximisation(logs, shares), atol=1e-6)
    np.testing.assert_allclose(found.x, exponentiated_gradient(logs, shares), atol=1e-5)
    assert found.value == pytest.approx(documents(logs).loss(found.x[None], shares)[0])


def test_two_kinds_of_documents_have_a_closed_form():
    # a share s of documents is e^g times likelier under the first: s a / (1 + a p) = (1 - s) a / (1 + a (1 - p)) with a = e^g - 1
    g, s = 2.0, 0.7
    logs = np.array([[g, 0.0]] * 7 + [[0.0, g]] * 3)
    a = np.expm1(g)
    np.testing.assert_allclose(
        minimise_mixture_loss(documents(logs), np.full(10, 0.1)).x[0],
        (s * (2 + a) - 1) / a,
        atol=1e-9,
    )


def test_a_domain_that_explains_all_takes_all():
    logs = texts()
    logs[:, 2] = logs.max(1) + 0.1
    law = MixMin().fit(domains=NAMES, targets=("t",), log_probs=logs)
    assert law.minimise().tolist() == [0, 0, 1, 0]


def test_documents_of_one_domain_each_give_their_shares():
    logs = np.where(
        np.arange(4) == np.repeat(np.arange(4), [10, 20, 30, 40])[:, None], -100.0, -np.inf
    )
    law = MixMin().fit(domains=NAMES, targets=("t",), log_probs=logs)
    np.testing.assert_allclose(law.minimise(), [0.1, 0.2, 0.3, 0.4], atol=1e-9)
    assert law.predict([[1, 0, 0, 0]])[0, 0] == np.inf


def test_lengths_divide_each_documents_loss():
    logs, tokens = texts(60), np.random.default_rng(1).integers(10, 2000, 60)
    law = MixMin().fit(domains=NAMES, targets=("t",), log_probs=logs, lengths=tokens)
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    by_hand = np.mean(
        [
            -(np.logaddexp.reduce(row + np.log(weights))) / n
            for row, n in zip(logs, tokens, strict=True)
        ]
    )
    np.testing.assert_allclose(law.predict(weights)[0, 0], by_hand, rtol=1e-6)
    shares = 1 / (60 * tokens)
    np.testing.assert_allclose(
        law.minimise(),
        expectation_maximisation(logs.astype(np.float32).astype(float), shares),
        atol=1e-6,
    )


def test_bounds_and_a_prior_against_a_general_solver():
    logs, prior = texts(), np.array([0.4, 0.3, 0.2, 0.1])
    law = MixMin().fit(domains=NAMES, targets=("t",), log_probs=logs)
    upper, lower = np.array([0.5, 0.2, 1, 1]), np.array([0, 0, 0.05, 0])

    def objective(p):
        return law.predict(p)[0, 0] + 0.02 * (p * np.log(np.maximum(p, 1e-300) / prior)).sum()

    found = law.minimise(kl=0.02, prior=prior, lower=lower, upper=upper)
    general = minimize(
        objective,
        prior,
        method="SLSQP",
        bounds=list(zip(lower, upper, strict=True)),
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert objective(found) <= objective(general.x) + 1e-9
    np.testing.assert_allclose(found, general.x, atol=1e-4)
    assert (found >= lower).all() and (found <= upper).all()
    with pytest.raises(ReweightvizError, match=r"upper bounds \(caps\) sum to 0.4"):
        law.minimise(upper=np.full(4, 0.1))


def test_several_targets_weigh_as_told():
    logs = {"a": texts(seed=1), "b": texts(seed=2, spread=3)}
    law = MixMin().fit(domains=NAMES, targets=("a", "b"), log_probs=logs)
    alone = MixMin().fit(domains=NAMES, targets=("b",), log_probs=logs["b"])
    np.testing.assert_allclose(law.minimise([0, 3]), alone.minimise(), atol=1e-9)
    both = law.minimise([1, 3])
    others = np.random.default_rng(0).dirichlet(np.ones(4), 3000)
    assert law.predict(both) @ [1, 3] <= (law.predict(others) @ [1, 3]).min() + 1e-9
    np.testing.assert_allclose(
        MixMin()
        .fit(domains=NAMES, targets=("a", "b"), log_probs=[logs["a"], logs["b"]])
        .predict(others[:4]),
        law.predict(others[:4]),
    )


def test_the_law_is_convex_along_random_chords():
    law, rng = (
        MixMin().fit(domains=NAMES, targets=("t",), log_probs=texts(spread=4)),
        np.random.default_rng(5),
    )
    a, b, share = (
        rng.dirichlet(np.ones(4), 200),
        rng.dirichlet(np.ones(4), 200),
        rng.random((200, 1)),
    )
    chord = share * law.predict(a) + (1 - share) * law.predict(b)
    assert (law.predict(share * a + (1 - share) * b) <= chord + 1e-9).all()


def swarm(law, runs, seed=0, noise=0.05):
    rng = np.random.default_rng(seed)
    mixtures = rng.dirichlet(np.ones(4), runs)
    return mixtures, 1 + 2 * law.predict(mixtures) + rng.normal(0, noise, (runs, 1))


def test_runs_put_the_objective_on_a_line():
    logs = texts() / 1000
    plain = MixMin().fit(domains=NAMES, targets=("t",), log_probs=logs)
    mixtures, losses = swarm(plain, 60, noise=0)
    law = MixMin().fit(
        domains=NAMES, targets=("t",), log_probs=logs, mixtures=mixtures, losses=losses
    )
    np.testing.assert_allclose(law.line, [[1, 2]], atol=1e-4)
    np.testing.assert_allclose(law.minimise(), plain.minimise(), atol=1e-6)
    accuracy = MixMin().fit(
        domains=NAMES,
        targets=("t",),
        log_probs=logs,
        mixtures=mixtures,
        losses=9 - losses,
        lower_is_better=[False],
    )
    np.testing.assert_allclose(accuracy.minimise(), plain.minimise(), atol=1e-6)
    unrelated = MixMin().fit(
        domains=NAMES, targets=("t",), log_probs=logs, mixtures=mixtures, losses=9 - losses
    )
    assert unrelated.diagnostics["degenerate"] == [True]
    with pytest.raises(ReweightvizError, match="does not show the best mixture"):
        unrelated.minimise()


def test_intervals_hold_new_runs_as_often_as_they_say():
    logs = texts(spread=3) / 100
    plain, inside = MixMin().fit(domains=NAMES, targets=("t",), log_probs=logs), []
    for seed in range(8):
        mixtures, losses = swarm(plain, 340, seed)
        law = MixMin(seed=seed).fit(
            domains=NAMES,
            targets=("t",),
            log_probs=logs,
            mixtures=mixtures[:40],
            losses=losses[:40],
        )
        low, high = law.interval(mixtures[40:])
        inside.append(((low <= losses[40:]) & (losses[40:] <= high)).mean())
    assert 0.85 <= np.mean(inside) <= 0.95


def test_without_runs_the_interval_is_that_of_other_documents():
    every = texts(4000, spread=2) + 3000
    truth = MixMin().fit(domains=NAMES, targets=("t",), log_probs=every).predict([[0.25] * 4])
    inside = 0
    for part in np.split(every, 40):
        low, high = (
            MixMin().fit(domains=NAMES, targets=("t",), log_probs=part).interval([[0.25] * 4])
        )
        inside += bool(low <= truth <= high)
    assert 31 <= inside <= 40
    law = MixMin(draws=2000).fit(domains=NAMES, targets=("t",), log_probs=every[:100])
    assert law.samples([[0.25] * 4])[:, 0, 0].std() == pytest.approx(
        documents(every[:100]).each(np.full((1, 4), 0.25)).std() / 10, rel=0.1
    )


def test_survives_json():
    mixtures, losses = swarm(MixMin().fit(domains=NAMES, targets=("t",), log_probs=texts()), 20)
    for given in ({}, {"mixtures": mixtures, "losses": losses}):
        law = MixMin(draws=5).fit(domains=NAMES, targets=("t",), log_probs=texts(), **given)
        again = MixMinLaw.from_dict(json.loads(json.dumps(law.to_dict(), allow_nan=False)))
        np.testing.assert_array_equal(again.samples(mixtures[:2]), law.samples(mixtures[:2]))
        assert again.diagnostics == law.diagnostics
        np.testing.assert_array_equal(again.minimise(), law.minimise())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"log_probs": texts(domains=3)}, r"log_probs \(X, 4\)"),
        (
            {"log_probs": np.full((3, 4), -np.inf)},
            "finite log probability under one domain at least; document 0",
        ),
        ({"log_probs": np.full((3, 4), np.nan)}, "must be numbers; 12 are not"),
        (
            {"log_probs": texts(3), "lengths": [1, 2]},
            r"lengths must be \(3,\) numbers of tokens above 0",
        ),
        ({"log_probs": {"u": texts(3)}}, "an array for each of 't'; got 'u'"),
        ({"log_probs": [texts(3), texts(3)]}, "an array for each of 1 targets"),
    ],
)
def test_documents_that_cannot_be_used_are_one_sentence(wrong, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        MixMin().fit(domains=NAMES, targets=("t",), **wrong).predict([[0.25] * 4])
