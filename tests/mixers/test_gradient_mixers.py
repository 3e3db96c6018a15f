"""The mathematics of the mixers that are driven by gradients: DoGE, ScaleBiO, DreamPRM; what all mixers share is in test_mixers_common.py."""

import numpy as np
import pytest
import torch

from reweightviz.core.errors import ReweightvizError
from reweightviz.mixers import DoGE, DreamPRM, ScaleBiO
from reweightviz.mixers.dreamprm import _differentiate_by_table
from reweightviz.mixers.scalebio import _differentiate_by_logits

THIRDS = np.full(3, 1 / 3)
NAN = float("nan")


def doge(mixer, products, norms=None, prior=THIRDS):
    """The state after an update a row of products."""
    state = mixer.init(prior=prior)
    for n, row in enumerate(products):
        state = mixer.update(
            state,
            gradient_products=row,
            gradient_norm=np.ones(len(row)) if norms is None else norms[n],
        )
    return state


# ---- DoGE


@pytest.mark.golden("DoGE", "the update of the public code, ten steps")
def test_doge_is_the_public_update():
    rng, lr, mu = np.random.default_rng(0), 0.03, 0.05
    products, norms = rng.normal(0, 2, (10, 4)), rng.random((10, 4)) + 0.5
    weights, total = (
        torch.full((4,), 0.25, dtype=torch.float64),
        torch.zeros(4, dtype=torch.float64),
    )
    for row, lengths in zip(torch.from_numpy(products), torch.from_numpy(norms), strict=True):
        scores = torch.clip(lr * row / (lengths.mean() + 1e-6), min=lr * 0.0, max=lr * 5.0)
        weights = torch.softmax(torch.log(weights) + scores / mu, -1)
        total += weights
    mixer = DoGE(mu=mu, rate=lr)
    state = doge(mixer, products, norms, np.full(4, 0.25))
    np.testing.assert_allclose(mixer.weights(state), weights, atol=1e-6)
    np.testing.assert_allclose(mixer.result(state), total / 10, atol=1e-6)


@pytest.mark.golden("DoGE", "two domains by hand, both scales")
def test_doge_has_two_scales():
    one = DoGE(mu=0.05, rate=0.01, normalise=False, clip=None)
    assert one.weights(doge(one, [[5.0, 0.0]], prior=[0.5, 0.5]))[0] == pytest.approx(
        np.e / (1 + np.e), abs=1e-6
    )
    grape = DoGE(mu=1.5, scale="mu", normalise=False, clip=None, every=10)
    assert grape.weights(doge(grape, [[2 / 3, 0.0]], prior=[0.5, 0.5]))[0] == pytest.approx(
        np.e / (1 + np.e), abs=1e-6
    )


def test_doge_on_orthogonal_and_on_one_helpful_gradient():
    mixer = DoGE(rate=0.05)
    prior = np.array([0.2, 0.3, 0.5])
    gradients, target = np.eye(4)[:3], np.eye(4)[3]
    np.testing.assert_allclose(
        mixer.weights(doge(mixer, [gradients @ target] * 50, prior=prior)), prior, atol=1e-12
    )
    np.testing.assert_allclose(
        mixer.weights(doge(mixer, [gradients @ gradients[1]] * 50)), [0, 1, 0], atol=1e-9
    )


def test_doge_on_a_quadratic():
    """L_i = |theta - c_i|^2 / 2, so the product is (theta - c_i).(theta - mean c), and at one theta the weights are a softmax."""
    rng = np.random.default_rng(1)
    centres, theta = rng.normal(size=(3, 5)), rng.normal(size=5)
    products = (theta - centres) @ (theta - centres.mean(0))
    mixer = DoGE(rate=0.01, mu=0.5, normalise=False, clip=None)
    expected = np.exp(0.02 * 7 * products)
    np.testing.assert_allclose(
        mixer.weights(doge(mixer, [products] * 7)), expected / expected.sum(), atol=1e-12
    )


def test_doge_measures_every_so_often_and_learns_only_then():
    mixer = DoGE(rate=0.05, every=3)
    state, asked = mixer.init(prior=THIRDS), []
    for _ in range(6):
        asked.append(bool(mixer.measures(state)))
        row = [1.0, 0.0, 0.0] if asked[-1] else [NAN] * 3
        state = mixer.update(state, gradient_products=row, gradient_norm=row)
    assert asked == [False, False, True] * 2
    assert (state.step, state.learned) == (6, 2)
    assert mixer.measures(DoGE(normalise=False).init(prior=THIRDS)) == ()
    assert DoGE(normalise=False).measures(state) == ("gradient_products",)


def test_doge_keeps_the_score_of_a_domain_without_a_product():
    mixer = DoGE(rate=0.05)
    absent, known = (
        doge(mixer, [[0.4, 0.2, 0.1], [0.4, NAN, 0.1]]),
        doge(mixer, [[0.4, 0.2, 0.1], [0.4, 0.2, 0.1]]),
    )
    np.testing.assert_array_equal(absent.log_weights, known.log_weights)


def test_doge_comes_back_from_a_million_steps_one_way():
    mixer = DoGE(rate=1.0, mu=1.0, normalise=False, clip=None)
    state = doge(mixer, [[1e3, 0.0]] * 1000, prior=[0.5, 0.5])
    np.testing.assert_allclose(state.log_weights, [0, -1e6])
    for _ in range(1000):
        state = mixer.update(state, gradient_products=[0.0, 1e3], gradient_norm=[1.0, 1.0])
    np.testing.assert_allclose(mixer.weights(state), [0.5, 0.5])


# ---- ScaleBiO


@pytest.mark.golden(
    "ScaleBiO", "the Jacobian of the public code, against automatic differentiation"
)
def test_scalebio_follows_the_gradient_of_the_penalty():
    rng = np.random.default_rng(0)
    prior, gap = rng.dirichlet(np.ones(4)), rng.normal(size=4)
    logits = torch.from_numpy(np.log(prior)).requires_grad_()
    (torch.softmax(logits, 0) @ torch.from_numpy(gap)).backward()
    np.testing.assert_allclose(_differentiate_by_logits(prior, gap), logits.grad, atol=1e-12)
    assert _differentiate_by_logits(prior, gap).sum() == pytest.approx(0, abs=1e-12)
    mixer = ScaleBiO(alpha=7, rate=0.3)
    moved = torch.softmax(logits.detach() - 0.3 * 7 * logits.grad, 0)
    np.testing.assert_allclose(
        mixer.weights(mixer.update(mixer.init(prior=prior), penalty_gap=gap)), moved, atol=1e-6
    )


def test_scalebio_stays_where_the_model_is_its_follower():
    mixer, prior = ScaleBiO(rate=1.0), [0.2, 0.3, 0.5]
    for gap in ([0.0, 0.0, 0.0], [0.7, 0.7, 0.7], [NAN, NAN, NAN], [NAN, 0.4, NAN]):
        np.testing.assert_allclose(
            mixer.weights(mixer.update(mixer.init(prior=prior), penalty_gap=gap)), prior, atol=1e-12
        )


def test_scalebio_leaves_an_absent_domain_out_of_the_mean():
    assert _differentiate_by_logits(
        np.array([0.25, 0.25, 0.5]), np.array([0.2, -0.2, NAN])
    ).tolist() == [
        0.1,
        -0.1,
        0.0,
    ]


def test_scalebio_takes_the_weight_of_a_corrupted_domain():
    """L_i = |w - c_i|^2 / 2 with the validation at c_0: the inner optimum is sum p_i c_i, the best p is domain 0 and 1 alone."""
    centres, good = np.array([[0.0, 0.0], [0.1, 0.0], [3.0, 3.0]]), np.zeros(2)
    mixer, alpha = ScaleBiO(alpha=5.0, rate=0.2), 5.0
    state, w, u = mixer.init(prior=THIRDS), np.ones(2), np.ones(2)
    np.testing.assert_array_equal(state.log_weights, np.log(THIRDS))
    for _ in range(3000):
        p = mixer.weights(state)
        u = u - 0.1 * (u - p @ centres)
        w = w - 0.1 * ((w - good) + alpha * (w - p @ centres)) / (1 + alpha)
        state = mixer.update(
            state, penalty_gap=(((w - centres) ** 2).sum(1) - ((u - centres) ** 2).sum(1)) / 2
        )
    np.testing.assert_allclose(u, mixer.weights(state) @ centres, atol=1e-3)
    np.testing.assert_allclose(w, (good + alpha * u) / (1 + alpha), atol=1e-3)
    assert mixer.weights(state)[2] < 0.01
    assert mixer.weights(state)[0] > mixer.weights(state)[1]


# ---- DreamPRM


@pytest.mark.golden("DreamPRM", "the table of the public code under torch's AdamW, 50 steps")
def test_dreamprm_is_the_public_table():
    rng = np.random.default_rng(0)
    table = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.AdamW([table], lr=1e-2, weight_decay=1e-3)
    mixer = DreamPRM(every=1)
    state = mixer.init(prior=np.full(4, 0.25))
    for row in rng.normal(size=(50, 4)):
        soft = torch.nn.functional.softplus(table)
        optimiser.zero_grad()
        (soft / soft.mean() @ torch.from_numpy(row)).backward()
        optimiser.step()
        state = mixer.update(state, hypergradient=row)
    soft = torch.nn.functional.softplus(table.detach())
    np.testing.assert_allclose(4 * mixer.weights(state), soft / soft.mean(), atol=1e-6)
    np.testing.assert_allclose(state.table, table.detach(), atol=1e-6)


def test_dreamprm_starts_at_its_prior():
    for prior in (
        [0.25] * 4,
        [0.7, 0.2, 0.1, 0.0],
        np.full(2000, 1 / 2000),
        np.r_[1 - 1e-12, np.full(999, 1e-12 / 999)],
    ):
        np.testing.assert_allclose(
            DreamPRM().weights(DreamPRM().init(prior=prior)), prior, rtol=1e-9
        )
    np.testing.assert_allclose(DreamPRM().init(prior=[0.5, 0.5]).table, 0, atol=1e-15)


def test_dreamprm_gives_a_domain_without_a_hypergradient_none():
    table = np.array([0.3, -0.2, 0.5])
    assert _differentiate_by_table(table, np.array([0.4, NAN, 0.1]))[1] == 0
    np.testing.assert_array_equal(
        _differentiate_by_table(np.array([0.0, -np.inf]), np.array([1.0, 5.0])), [0, 0]
    )


def test_dreamprm_hypergradient_on_a_regression_is_that_of_the_implicit_function():
    """Ridge regressions: the derivative of the validation loss by the domains' weights, after enough unrolled steps and exactly."""
    domains, validation, theta = regression(np.random.default_rng(0))
    counts = np.full(3, 1 / 3)
    hessians = [x.T @ x / len(x) for x, _ in domains]
    inner = sum(c * h for c, h in zip(counts, hessians, strict=True))
    optimum = np.linalg.solve(
        inner, sum(c * x.T @ y / len(x) for c, (x, y) in zip(counts, domains, strict=True))
    )
    x, y = validation
    outer = x.T @ (x @ optimum - y) / len(x)
    slopes = np.stack([a.T @ (a @ optimum - b) / len(a) for a, b in domains])
    exact = -slopes @ np.linalg.solve(inner, outer)

    def reached(weights):
        best = np.linalg.solve(
            sum(c * h for c, h in zip(weights, hessians, strict=True)),
            sum(c * a.T @ b / len(a) for c, (a, b) in zip(weights, domains, strict=True)),
        )
        return ((x @ best - y) ** 2).mean() / 2

    finite = [(reached(counts + 1e-5 * e) - reached(counts - 1e-5 * e)) / 2e-5 for e in np.eye(3)]
    np.testing.assert_allclose(exact, finite, atol=1e-4)
    assert exact.argmax() == 2  # the corrupted domain is the one that hurts
    assert theta.shape == optimum.shape


def test_dreamprm_takes_weight_from_a_corrupted_domain():
    domains, (x, y), theta = regression(np.random.default_rng(0))
    mixer, w = DreamPRM(every=1), np.zeros_like(theta)
    state = mixer.init(prior=THIRDS)
    for _ in range(400):
        counts = mixer.weights(state)
        slopes = np.stack([a.T @ (a @ w - b) / len(a) for a, b in domains])
        w = w - 0.1 * counts @ slopes
        state = mixer.update(state, hypergradient=-0.1 * slopes @ (x.T @ (x @ w - y) / len(x)))
    assert mixer.weights(state).argmin() == 2
    assert 3 * mixer.weights(state)[2] < 0.5


def test_dreamprm_does_not_underflow():
    mixer = DreamPRM(rate=1e4, weight_decay=0, every=1)
    state = mixer.init(prior=[0.5, 0.5])
    for _ in range(100):
        state = mixer.update(state, hypergradient=[1.0, -1.0])
    assert (
        state.table[0] < -1e3,
        np.isfinite(state.table).all(),
        np.isfinite(mixer.weights(state)).all(),
    ) == (True, True, True)


def regression(rng):
    """Three domains (x, y) of one linear truth, the last with its signs turned; validation data; the truth."""
    theta = rng.normal(size=4)

    def drawn(count, sign):
        x = rng.normal(size=(count, 4))
        return x, sign * x @ theta + 0.1 * rng.normal(size=count)

    return [drawn(60, sign) for sign in (1, 1, -1)], drawn(60, 1), theta


# ---- all three


@pytest.mark.parametrize(
    ("mixer", "signals"),
    [
        (DoGE(rate=0.05), {"gradient_products": [0.3, 0.1, 0.0], "gradient_norm": [1.0, 1.0, 1.0]}),
        (ScaleBiO(rate=1.0), {"penalty_gap": [0.3, 0.1, 0.0]}),
        (DreamPRM(rate=0.5, every=1), {"hypergradient": [0.3, 0.1, 0.0]}),
    ],
)
def test_a_domain_without_a_prior_does_not_come_back(mixer, signals):
    state = mixer.init(prior=[0.6, 0.4, 0.0])
    for _ in range(20):
        state = mixer.update(state, **signals)
    assert mixer.weights(state)[2] == mixer.result(state)[2] == 0
    assert abs(mixer.weights(state)[0] - 0.6) > 0.01


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: DoGE(mu=0), "DoGE needs mu above 0"),
        (lambda: DoGE(scale="lr"), "scale of DoGE must be 'lr/mu' or 'mu'; got 'lr'"),
        (lambda: DoGE(clip=(5, 0)), r"clip of DoGE must be \(least, most\) or None"),
        (lambda: DoGE(every=0), "every of at least 1"),
        (lambda: ScaleBiO(alpha=0), "ScaleBiO needs alpha above 0"),
        (lambda: ScaleBiO(rate=-1), "rate of at least 0"),
        (lambda: DreamPRM(every=0), "every of at least 1"),
        (lambda: DreamPRM(rate=NAN), "DreamPRM needs rate"),
        (
            lambda: ScaleBiO().update(ScaleBiO().init(prior=THIRDS), penalty_gap=[1.0, 2.0]),
            "a penalty gap for each of 3 domains",
        ),
        (
            lambda: DreamPRM().update(DreamPRM().init(prior=THIRDS), hypergradient=[np.inf, 0, 0]),
            "finite or NaN",
        ),
        (
            lambda: doge(DoGE(), [[np.inf, 0.0, 0.0]]),
            "a gradient products? for each of 3 domains, finite or NaN",
        ),
    ],
)
def test_bad_input_is_one_sentence(make, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        make()
