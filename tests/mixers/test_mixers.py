"""The mathematics of each mixer; what all mixers share is in test_mixers_common.py."""

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.mixers import DoReMi, Natural, Temperature, Uniform, UniMax

COUNTS = [1000, 100, 10, 1]


def answer(mixer, **signals):
    return mixer.result(mixer.init(**signals))


@pytest.mark.golden("Natural", "golden numbers")
def test_natural():
    np.testing.assert_allclose(
        answer(Natural(), tokens=COUNTS), [0.90009, 0.090009, 0.009001, 0.0009], atol=1e-6
    )
    budget = 5000
    epochs = budget * answer(Natural(), tokens=COUNTS) / np.array(COUNTS)
    np.testing.assert_allclose(epochs, epochs[0])


@pytest.mark.golden("Uniform", "full entropy")
def test_uniform_has_full_entropy():
    w = answer(Uniform(), prior=[0.7, 0.2, 0.1])
    assert -(w * np.log(w)).sum() == pytest.approx(np.log(3))
    with pytest.raises(ReweightvizError, match="one entry a domain"):
        Uniform().init(prior=[])


@pytest.mark.golden("Temperature", "golden numbers at four temperatures")
@pytest.mark.parametrize(
    ("temperature", "weights"),
    [
        (1, [0.90009, 0.090009, 0.009001, 0.0009]),
        (2, [0.690679, 0.218412, 0.069068, 0.021841]),
        (3.33, [0.532676, 0.266786, 0.133617, 0.066921]),
        (5, [0.438548, 0.276705, 0.174589, 0.110158]),
    ],
)
def test_temperature(temperature, weights):
    np.testing.assert_allclose(answer(Temperature(temperature), tokens=COUNTS), weights, atol=1e-6)


def test_temperature_keeps_ratios_and_flattens():
    tokens, entropy = np.array([1e12, 3e10, 5e3]), []
    for temperature in (0.5, 1, 1.5, 4, 100):
        w = answer(Temperature(temperature), tokens=tokens)
        np.testing.assert_allclose(
            w[0] / w[1], (tokens[0] / tokens[1]) ** (1 / temperature), rtol=1e-9
        )
        entropy.append(-(w * np.log(w)).sum())
    assert entropy == sorted(entropy)


def test_temperature_limits():
    np.testing.assert_allclose(answer(Temperature(float("inf")), tokens=[9, 0, 1]), [0.5, 0, 0.5])
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ReweightvizError, match="temperature must be above 0"):
            Temperature(wrong)
    with pytest.raises(ReweightvizError, match="at least one above 0"):
        Temperature().init(tokens=[0, 0])


@pytest.mark.golden("UniMax", "golden numbers at four budgets")
@pytest.mark.parametrize(
    ("budget", "epochs", "weights"),
    [
        (400, 1, [0.7225, 0.25, 0.025, 0.0025]),
        (400, 4, [0.445, 0.445, 0.1, 0.01]),
        (1111, 1, [0.90009, 0.090009, 0.009001, 0.0009]),
    ],
)
def test_unimax(budget, epochs, weights):
    np.testing.assert_allclose(answer(UniMax(budget, epochs), tokens=COUNTS), weights, atol=1e-6)


def test_unimax_says_what_stays_unused():
    with pytest.warns(
        ReweightvizWarning,
        match=r"3556 of the budget of 8000 stay unused and the weights are natural",
    ):
        weights = answer(UniMax(8000, 4), tokens=COUNTS)
    np.testing.assert_allclose(weights, answer(Natural(), tokens=COUNTS))


def test_unimax_limits_and_empty_domains():
    np.testing.assert_allclose(answer(UniMax(400, float("inf")), tokens=COUNTS), np.full(4, 0.25))
    np.testing.assert_allclose(answer(UniMax(10, float("inf")), tokens=[5, 0]), [1, 0])
    with pytest.raises(ReweightvizError, match="the budget of UniMax must be a number above 0"):
        UniMax(0)


@pytest.mark.golden("DoReMi", "golden updates of the public code")
def test_doremi():
    mixer = DoReMi()
    state = mixer.init(prior=np.full(3, 1 / 3))
    expected = [
        (0.439097, 0.266457, 0.294446),
        (0.525145, 0.213811, 0.261044),
        (0.574364, 0.191682, 0.233954),
    ]
    for excess, weights in zip(
        [[0.5, -0.2, 0.1], [0.4, 0, 0.1], [0.3, 0.1, 0.1]], expected, strict=True
    ):
        state = mixer.update(state, excess_loss=excess)
        np.testing.assert_allclose(mixer.weights(state), weights, atol=1e-6)
    np.testing.assert_allclose(mixer.result(state), [0.512869, 0.223983, 0.263148], atol=1e-6)


def test_doremi_without_smoothing_has_a_closed_form():
    rng, mixer = np.random.default_rng(0), DoReMi(eta=0.3, smoothing=0)
    prior, losses = rng.dirichlet(np.ones(5)), rng.random((50, 5))
    state = mixer.init(prior=prior)
    for excess in losses:
        state = mixer.update(state, excess_loss=excess)
    expected = prior * np.exp(0.3 * losses.sum(0))
    np.testing.assert_allclose(mixer.weights(state), expected / expected.sum(), rtol=1e-10)


@pytest.mark.parametrize("smoothing", [0.0, 1e-3])
def test_doremi_comes_back_from_a_million_steps_one_way(smoothing):
    mixer, each = (
        DoReMi(smoothing=smoothing),
        1000.0,
    )  # a thousand steps, each a thousand steps' excess
    state = mixer.init(prior=[0.5, 0.5])
    for _ in range(1000):
        state = mixer.update(state, excess_loss=[each, 0.0])
    np.testing.assert_allclose(mixer.weights(state), [1 - smoothing / 2, smoothing / 2], atol=1e-12)
    if smoothing == 0:
        np.testing.assert_allclose(state.log_weights[1], -1e6, rtol=1e-12)
    for _ in range(1000):
        state = mixer.update(state, excess_loss=[0.0, each])
    end = [0.5, 0.5] if smoothing == 0 else [smoothing / 2, 1 - smoothing / 2]
    np.testing.assert_allclose(mixer.weights(state), end, atol=1e-9)
    assert np.isfinite(mixer.result(state)).all()


def test_doremi_keeps_the_excess_of_an_absent_domain():
    mixer, nan = DoReMi(), float("nan")
    start = mixer.init(prior=[0.5, 0.5])
    np.testing.assert_allclose(
        mixer.weights(mixer.update(start, excess_loss=[nan, nan])), [0.5, 0.5]
    )
    first = mixer.update(start, excess_loss=[0.4, 0.2])
    np.testing.assert_array_equal(
        mixer.update(first, excess_loss=[nan, 0.1]).log_weights,
        mixer.update(first, excess_loss=[0.4, 0.1]).log_weights,
    )


def test_doremi_without_excess_drifts_to_uniform_at_its_smoothing():
    mixer = DoReMi(smoothing=0.01)
    state = mixer.update(mixer.init(prior=[0.9, 0.1, 0.0]), excess_loss=np.zeros(3))
    np.testing.assert_allclose(mixer.weights(state), 0.99 * np.array([0.9, 0.1, 0]) + 0.01 / 3)


def test_doremi_never_falls_below_its_floor():
    mixer, rng = DoReMi(smoothing=0.02), np.random.default_rng(0)
    state = mixer.init(prior=[0.997, 0.001, 0.001, 0.001])
    for _ in range(300):
        state = mixer.update(state, excess_loss=rng.exponential(2, 4) * [9, 1, 0, 0])
        assert mixer.weights(state).min() >= 0.02 / 4 - 1e-15
    np.testing.assert_allclose(mixer.weights(state).min(), 0.02 / 4, rtol=1e-3)


def test_doremi_does_not_see_a_constant_and_clips_what_it_is_handed():
    mixer, prior = DoReMi(eta=0.5), np.array([0.5, 0.3, 0.2])
    plain, shifted, clipped = (
        mixer.update(mixer.init(prior=prior), excess_loss=excess)
        for excess in ([0.4, 0.0, 0.1], [1.4, 1.0, 1.1], [0.4, -3.0, 0.1])
    )
    np.testing.assert_allclose(mixer.weights(shifted), mixer.weights(plain), rtol=1e-12)
    np.testing.assert_array_equal(mixer.weights(clipped), mixer.weights(plain))


def test_doremi_clips_tokens_and_not_the_mean():
    """The two public versions differ where some tokens of a domain are better than the reference and some are worse."""
    tokens = np.array([[1.0, -0.6], [0.2, 0.2]])  # both domains: a mean of 0.2
    mixer, start = DoReMi(), DoReMi().init(prior=[0.5, 0.5])
    by_token = mixer.update(start, excess_loss=np.maximum(tokens, 0).mean(1))
    by_mean = mixer.update(start, excess_loss=np.maximum(tokens.mean(1), 0))
    assert mixer.weights(by_token)[0] > 0.55
    np.testing.assert_allclose(mixer.weights(by_mean), [0.5, 0.5])


def test_doremi_gives_an_absent_domain_no_average():
    mixer, nan = DoReMi(smoothing=0), float("nan")
    state = mixer.update(mixer.init(prior=np.full(3, 1 / 3)), excess_loss=[0.9, 0.1, nan])
    ratios = mixer.weights(state) / mixer.weights(state)[2]
    np.testing.assert_allclose(
        ratios, np.exp([0.9, 0.1, 0])
    )  # centred on the mean of the present it would be exp(0.4), exp(-0.4), 1
    assert mixer.update(state, excess_loss=[nan] * 3) is state


def test_doremi_refuses_wrong_signals():
    mixer = DoReMi()
    with pytest.raises(ReweightvizError, match="an excess loss for each of 2 domains"):
        mixer.update(mixer.init(prior=[0.5, 0.5]), excess_loss=[1.0, 2.0, 3.0])
    with pytest.raises(ReweightvizError, match="finite or NaN"):
        mixer.update(mixer.init(prior=[0.5, 0.5]), excess_loss=[1.0, float("inf")])
    with pytest.raises(ReweightvizError, match="smoothing between 0 and 1"):
        DoReMi(smoothing=2)


def test_a_budget_may_be_written_as_people_write_it():
    assert UniMax(budget="300B") == UniMax(budget=3e11)
    assert eval(repr(UniMax(budget="300B"))) == UniMax(budget="300B")  # noqa: S307
    for budget in ("many", "0", None, [1], float("inf")):
        with pytest.raises(
            ReweightvizError,
            match="the budget of UniMax must be a number above 0, such as 1.2e12 or '1.2T'",
        ):
            UniMax(budget)
    with pytest.raises(
        ReweightvizError, match="UniMax needs max_epochs as a finite number; got '2'"
    ):
        UniMax(5, max_epochs="2")


def test_mixers_take_sources():
    sources = rv.Sources({"web": "900B", "code": {"tokens": "100B", "documents": "1M"}})
    for signals in (
        sources,
        {"tokens": sources},
        {"tokens": dict(sources)},
        {"tokens": {"web": sources["web"], "code": 1e11}},
    ):
        assert dict(rv.mix(signals, Natural())) == pytest.approx({"web": 0.9, "code": 0.1})
        assert dict(rv.mix(signals, UniMax(budget="400B"))) == pytest.approx(
            {"web": 0.75, "code": 0.25}
        )
