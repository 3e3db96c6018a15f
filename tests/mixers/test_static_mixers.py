"""The mathematics of the mixers that decide before training; what all mixers share is in test_mixers_common.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.temperature import temperature_weights
from reweightviz.mixers import (
    ActiveMultiTask,
    Cooldown,
    DifficultyFlip,
    DoReMi,
    EquitableAllocation,
    MaxCap,
    MetaRater,
    MixMinWeights,
    Natural,
    Temperature,
    TwoPhase,
)
from reweightviz.numerics.allocation import (
    LearningCurves,
    fit_learning_curves,
    spread_for_mean,
    spread_for_worst,
)
from reweightviz.numerics.gradient_variance import gradient_variance, least_variance_sampling
from reweightviz.numerics.lasso import lasso, least_absolute
from reweightviz.numerics.ratings import standardise, variance_inflation
from reweightviz.numerics.simplex import lift_to_floor

COUNTS = [1000, 100, 10, 1]


def answer(mixer, **signals):
    return mixer.result(mixer.init(**signals))


# ---- temperature


def test_both_conventions_of_the_exponent_are_one_mixer():
    assert Temperature.from_exponent(0.5) == Temperature(2)
    assert Temperature(4).exponent == 0.25
    assert Temperature.from_exponent(0) == Temperature(float("inf"))
    np.testing.assert_allclose(
        answer(Temperature.from_exponent(0.2), tokens=COUNTS),
        [0.438548, 0.276705, 0.174589, 0.110158],
        atol=1e-6,
    )
    for wrong in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ReweightvizError, match="exponent must be at least 0"):
            Temperature.from_exponent(wrong)


# ---- max-cap


@pytest.mark.golden("MaxCap", "golden numbers at two caps")
@pytest.mark.parametrize(
    ("cap", "weights"),
    [
        (50, [0.450450, 0.450450, 0.090090, 0.009009]),
        (500, [0.818331, 0.163666, 0.016367, 0.001637]),
        (1000, [0.900090, 0.090009, 0.009001, 0.000900]),
        (1, [0.25, 0.25, 0.25, 0.25]),
    ],
)
def test_max_cap(cap, weights):
    np.testing.assert_allclose(answer(MaxCap(cap), documents=COUNTS), weights, atol=1e-6)


def test_max_cap_takes_the_temperature_after_the_cap():
    np.testing.assert_allclose(
        answer(MaxCap(100, temperature=2), documents=COUNTS),
        np.array([10, 10, 10**0.5, 1]) / (21 + 10**0.5),
    )


def test_max_cap_answers_in_tokens_when_it_knows_them():
    documents, tokens = np.array([1000, 100, 0]), np.array([5e5, 2e5, 0])
    weights = answer(MaxCap(200), documents=documents, tokens=tokens)
    drawn = weights[:2] / (tokens / np.where(documents, documents, 1))[:2]
    np.testing.assert_allclose(drawn / drawn.sum(), [200 / 300, 100 / 300])
    assert weights[2] == 0
    np.testing.assert_allclose(
        answer(MaxCap(), documents=documents, tokens=tokens), answer(Natural(), tokens=tokens)
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: MaxCap(0), "a cap, in documents, and a temperature above 0; got 0"),
        (lambda: MaxCap(float("nan")), "a cap, in documents"),
        (lambda: MaxCap().init(documents=[0, 0]), "documents must be .* at least one above 0"),
        (lambda: MaxCap().init(documents=[1, float("nan")]), "documents must be"),
        (lambda: MaxCap().init(documents=[1, 2], tokens=[5]), r"tokens must be \(2,\) numbers"),
        (
            lambda: MaxCap().init(documents=[1, 0], tokens=[5, 5]),
            "tokens without documents in domain 1",
        ),
    ],
)
def test_what_max_cap_refuses(make, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        make()


# ---- schedules


@pytest.mark.golden("Cooldown", "golden numbers of temperature sampling at 5 and 1")
def test_cooldown_has_the_weights_of_each_temperature():
    mixer = Cooldown(((0, 5), (80, 1)), steps=100)
    state = mixer.init(tokens=COUNTS)
    for step in range(100):
        np.testing.assert_allclose(
            mixer.weights(state),
            answer(Temperature(5 if step < 80 else 1), tokens=COUNTS),
            atol=1e-12,
        )
        state = mixer.update(state)
    np.testing.assert_allclose(
        mixer.stages(state)[0], [0.438548, 0.276705, 0.174589, 0.110158], atol=1e-6
    )
    hot, cold = mixer.stages(state).values()
    np.testing.assert_allclose(mixer.result(state), 0.8 * hot + 0.2 * cold)


@pytest.mark.parametrize("path", ["step", "linear", "cosine"])
def test_a_constant_temperature_is_temperature_sampling(path):
    mixer = Cooldown(((0, 3), (500, 3)), steps=1000, path=path)
    np.testing.assert_allclose(
        answer(mixer, tokens=COUNTS), answer(Temperature(3), tokens=COUNTS), atol=1e-12
    )


@pytest.mark.parametrize("path", ["linear", "cosine"])
def test_a_path_is_smooth_in_the_exponent_and_its_mean_is_the_exposure(path):
    mixer = Cooldown(((0, 5), (800, 1)), steps=1000, path=path, every=1)
    state = mixer.init(tokens=COUNTS)
    table = np.array([mixer.stages(state)[min(step, 800)] for step in range(1000)])
    exponent = np.log(table[:, 0] / table[:, 3]) / np.log(1000)
    done = np.minimum(np.arange(1000) / 800, 1)
    np.testing.assert_allclose(
        exponent,
        0.2 + 0.8 * (done if path == "linear" else (1 - np.cos(np.pi * done)) / 2),
        atol=1e-12,
    )
    np.testing.assert_allclose(mixer.result(state), table.mean(0), atol=1e-12)
    coarse = Cooldown(((0, 5), (800, 1)), steps=1000, path=path, every=20)
    np.testing.assert_allclose(answer(coarse, tokens=COUNTS), table.mean(0), atol=0.01)


def test_rv_mix_returns_the_schedule_of_a_cooldown():
    tokens = {"en": 1e9, "is": 1e6}
    schedule = rv.mix({"tokens": tokens}, Cooldown(((0, 5), (8000, 1)), steps=10_000))
    assert isinstance(schedule, Schedule)
    by_hand = Schedule.cooldown(tokens, ((0, 5), (8000, 1)), steps=10_000)
    assert dict(schedule) == dict(by_hand)
    assert schedule.steps == by_hand.steps == 10_000
    assert schedule.source["method"] == "Cooldown"
    share = 0.8 / (1 + 1000**0.2) + 0.2 / 1001
    assert schedule.epochs(tokens, budget=1e9)["is"] == pytest.approx(1000 * share)


@pytest.mark.golden("TwoPhase", "three domains by hand")
def test_two_phases_are_the_large_domains_and_then_the_mixture():
    tokens, second = {"en": 8e9, "de": 4e9, "is": 1e6}, {"en": 0.5, "de": 0.3, "is": 0.2}
    schedule = rv.mix({"tokens": tokens, "prior": second}, TwoPhase(switch=900, steps=1000))
    assert dict(schedule[0]) == pytest.approx({"en": 2 / 3, "de": 1 / 3, "is": 0})
    assert dict(schedule[900]) == pytest.approx(second)
    assert dict(schedule) == dict(
        Schedule.two_phase(schedule[0], Mixture(second), switch=900, steps=1000)
    )
    assert dict(rv.mix({"tokens": tokens}, TwoPhase(900, steps=1000, large=1))[0]) == {
        "en": 1,
        "de": 0,
        "is": 0,
    }


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Cooldown((), steps=10), "begin at step 0"),
        (lambda: Cooldown(((5, 1),), steps=10), "begin at step 0"),
        (lambda: Cooldown(((0, 5), (0, 1)), steps=10), "each later than the one before"),
        (lambda: Cooldown(((0, 5), (5, 0)), steps=10), "every temperature must be above 0"),
        (lambda: Cooldown((5, 1), steps=10), r"\(step, temperature\) pairs"),
        (lambda: Cooldown(((0, 5), (10, 1)), steps=10), "Cooldown needs steps, .* above 10"),
        (lambda: Cooldown(((0, 5), (5, 1)), steps=10, path="sqrt"), "no path of Cooldown 'sqrt'"),
        (lambda: Cooldown(((0, 5), (5, 1)), steps=10, every=0), "every of at least 1"),
        (lambda: Cooldown(((0, 5), (5, 1)), steps=10).init(tokens=[0, 0]), "at least one above 0"),
        (
            lambda: Schedule.cooldown({"a": 1}, [(0, 1)], steps=5, path="curve"),
            "no path of a cooldown",
        ),
        (lambda: Schedule.cooldown({"a": 1}, [(0, 1)], steps=5, every=0), "at least 1; got 0"),
        (lambda: TwoPhase(0, 10), "a switch at a whole step of at least 1"),
        (lambda: TwoPhase(10, 10), "TwoPhase needs steps, .* above 10"),
        (lambda: TwoPhase(5, 10, large=0), "large above 0"),
        (lambda: TwoPhase(5, 10).init(tokens=[1, 2], prior=[1.0]), "a prior for each of 2 domains"),
    ],
)
def test_what_schedules_refuse(make, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        make()


# ---- variance of drawing and weighing


def test_gradient_variance_is_what_monte_carlo_finds():
    rng = np.random.default_rng(0)
    means, spread = rng.normal(size=(3, 5)), np.array([0.5, 1.0, 2.0])
    target, sampling = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.3, 0.5])
    squared = (means**2).sum(1) + 5 * spread**2
    domain = rng.choice(3, 400_000, p=sampling)
    drawn = (target / sampling)[domain, None] * (
        means[domain] + spread[domain, None] * rng.normal(size=(400_000, 5))
    )
    np.testing.assert_allclose(drawn.mean(0), target @ means, atol=0.02)
    expected = gradient_variance(target, sampling, squared, float(((target @ means) ** 2).sum()))
    assert drawn.var(0).sum() == pytest.approx(expected, rel=0.02)


@given(
    st.lists(
        st.tuples(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.1, 10)),
        min_size=1,
        max_size=6,
    )
)
def test_no_sampler_beats_the_least_variance_one(rows):
    target, other, squared = (np.array(column) for column in zip(*rows, strict=True))
    target, other = target / target.sum(), other / other.sum()
    best = least_variance_sampling(target, squared)
    assert gradient_variance(target, best, squared) <= gradient_variance(target, other, squared) * (
        1 + 1e-9
    )


def test_drawing_beats_weighing_where_gradients_are_alike():
    target, natural = np.array([0.5, 0.5]), np.array([0.99, 0.01])
    assert (
        gradient_variance(target, target, [1, 1]) < gradient_variance(target, natural, [1, 1]) / 10
    )
    assert gradient_variance([1, 0], [1, 0], [1, 1]) == 1
    assert least_variance_sampling([0.4, 0.6], [0, 0]).tolist() == [0.4, 0.6]
    with pytest.raises(
        ReweightvizError, match="domain 1 has a weight in the target and is never drawn"
    ):
        gradient_variance(target, [1, 0], [1, 1])
    with pytest.raises(ReweightvizError, match="squared_norms must be"):
        gradient_variance(target, natural, [1, -1])


# ---- equitable allocation


def measured(curves, sizes=(1e3, 1e4, 1e5, 1e6)):
    n = np.repeat(np.array(sizes)[:, None], len(curves.floor), 1)
    return {"sizes": n, "size_losses": curves.at(n)}


def curves_of(*rows):
    return LearningCurves(*np.array(rows, float).T)


def test_learning_curves_are_recovered():
    curves = curves_of((1.5, 8, 0.3), (0, 20, 0.5), (2.2, 3, 0.15))
    found = fit_learning_curves(*measured(curves).values())
    for fitted, true in zip(found, curves, strict=True):
        np.testing.assert_allclose(fitted, true, rtol=1e-3, atol=1e-5)


@pytest.mark.golden("EquitableAllocation", "closed form for one exponent")
def test_equal_groups_get_equal_shares_and_one_exponent_has_a_closed_form():
    same = curves_of(*[(1, 5, 0.4)] * 3)
    for objective in ("mean", "worst"):
        np.testing.assert_allclose(
            answer(EquitableAllocation(1e6, objective), **measured(same)),
            np.full(3, 1 / 3),
            atol=1e-6,
        )
    curves, cost, prior = (
        curves_of((0, 4, 0.5), (0, 9, 0.5), (0, 2, 0.5)),
        np.array([1, 2, 5]),
        np.array([0.2, 0.5, 0.3]),
    )
    expected = (prior * curves.scale / cost) ** (1 / 1.5)
    state = EquitableAllocation(3e5).init(**measured(curves), cost=cost, prior=prior)
    np.testing.assert_allclose(state.weights, expected / expected.sum(), rtol=1e-4)
    assert cost @ state.sizes == pytest.approx(3e5)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.floats(0.5, 20), st.floats(0.1, 1), st.floats(0.2, 5)),
        min_size=2,
        max_size=4,
    ),
    st.floats(0, 0.6),
)
def test_no_other_allocation_has_a_lower_mean(rows, explore):
    *shape, cost = np.array(rows).T
    curves, budget, domains = LearningCurves(*shape), 1e4, len(rows)
    least = explore * budget / domains / cost
    found = spread_for_mean(curves, np.full(domains, 1 / domains), cost, budget, least)
    assert cost @ found == pytest.approx(budget)
    assert (found >= least * (1 - 1e-12)).all()
    rng = np.random.default_rng(0)
    money = np.concatenate([rng.dirichlet(np.full(domains, a), 3000) for a in (0.5, 2, 20)])
    tried = least + (1 - explore) * budget * money / cost
    near = np.maximum(
        found * np.exp(0.05 * rng.normal(size=(3000, domains))), np.maximum(least, 1e-300)
    )
    near *= budget / (near @ cost)[:, None]
    near = near[(near >= least).all(1)]
    assert curves.at(found).mean() <= curves.at(np.concatenate([tried, near])).mean(1).min() + 1e-9


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.floats(0.5, 20), st.floats(0.1, 1), st.floats(0.2, 5)),
        min_size=2,
        max_size=4,
    )
)
def test_no_other_allocation_has_a_lower_worst_loss(rows):
    *shape, cost = np.array(rows).T
    curves, budget, domains = LearningCurves(*shape), 1e4, len(rows)
    found = spread_for_worst(curves, cost, budget, np.zeros(domains))
    assert cost @ found == pytest.approx(budget)
    money = np.concatenate(
        [np.random.default_rng(0).dirichlet(np.full(domains, a), 3000) for a in (0.5, 2, 20)]
    )
    worst = curves.at(found).max()
    assert worst <= curves.at(np.maximum(budget * money / cost, 1e-300)).max(1).min() + 1e-9
    np.testing.assert_allclose(curves.at(found)[found > 1e-2], worst, rtol=1e-6)


@pytest.mark.golden("EquitableAllocation", "brute force")
def test_brute_force_agrees_with_the_closed_form():
    curves, cost, budget = (
        curves_of((1.5, 8, 0.3), (1.0, 20, 0.5), (2.2, 3, 0.15)),
        np.array([1, 3, 0.5]),
        2e4,
    )

    def loss(logits):
        shares = np.exp(logits - logits.max())
        return curves.at(budget * shares / shares.sum() / cost).mean()

    brute = minimize(
        loss,
        np.zeros(3),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 5000},
    )
    found = spread_for_mean(curves, np.full(3, 1 / 3), cost, budget, np.zeros(3))
    assert curves.at(found).mean() == pytest.approx(brute.fun, rel=1e-9)
    assert curves.at(found).mean() <= brute.fun + 1e-12


def test_a_second_round_with_more_sizes_moves_the_allocation():
    true = curves_of((1, 8, 0.3), (1, 8, 0.6))
    rng = np.random.default_rng(1)
    first = measured(true, (100, 200, 400))
    noisy = first | {"size_losses": first["size_losses"] * (1 + 0.02 * rng.normal(size=(3, 2)))}
    more = measured(true, (1e4, 1e5))
    second = {name: np.concatenate([noisy[name], more[name]]) for name in noisy}
    exact = answer(EquitableAllocation(1e6), **measured(true))
    off = [
        np.abs(answer(EquitableAllocation(1e6), **data) - exact).sum() for data in (noisy, second)
    ]
    assert off[1] < off[0]


def test_what_was_not_measured_is_left_out_and_flat_curves_get_their_exploration():
    curves = curves_of((1, 8, 0.4), (2, 0, 0.4))
    data = measured(curves)
    data["sizes"][0, 0] = data["size_losses"][0, 0] = np.nan
    state = EquitableAllocation(1000, explore=0.2).init(**data)
    np.testing.assert_allclose(state.sizes, [900, 100])
    flat = measured(curves_of((1, 0, 0.4), (2, 0, 0.4)))
    with pytest.warns(ReweightvizWarning, match="no loss that counts falls"):
        assert answer(EquitableAllocation(1000), **flat, cost=[1, 3]).tolist() == pytest.approx(
            [0.75, 0.25]
        )
    assert answer(EquitableAllocation("1K", explore=1), **data).tolist() == [0.5, 0.5]
    assert answer(
        EquitableAllocation(10), sizes=[[1], [2], [3]], size_losses=[[3], [2], [1]]
    ).tolist() == [1.0]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: EquitableAllocation(0),
            "the budget of EquitableAllocation must be a number above 0",
        ),
        (lambda: EquitableAllocation(10, explore=2), "explore between 0 and 1"),
        (lambda: EquitableAllocation(10, "median"), "no objective of EquitableAllocation 'median'"),
        (
            lambda: EquitableAllocation(10).init(
                sizes=[[1, 1], [2, 2]], size_losses=[[3, 3], [2, 2]]
            ),
            "three different sizes or more; domain 0 has 2",
        ),
        (
            lambda: EquitableAllocation(10).init(sizes=[[1, 1]], size_losses=[[3]]),
            "sizes and size_losses",
        ),
        (
            lambda: EquitableAllocation(10).init(
                sizes=[[0.0], [1], [2]], size_losses=[[3], [2], [1]]
            ),
            "above 0, finite or NaN",
        ),
        (
            lambda: EquitableAllocation(10).init(
                sizes=[[1], [2], [3]], size_losses=[[3], [2], [1]], cost=[0]
            ),
            "the cost must be",
        ),
        (
            lambda: EquitableAllocation(10).init(
                sizes=[[1], [2], [3]], size_losses=[[3], [2], [1]], prior=[0.5, 0.5]
            ),
            "a prior for each of 1 domains",
        ),
    ],
)
def test_what_equitable_allocation_refuses(make, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        make()


# ---- L1 A-MTRL


@pytest.mark.golden("ActiveMultiTask", "closed forms: a target that is one head, orthogonal heads")
def test_relevance_in_closed_form():
    rng = np.random.default_rng(0)
    heads = rng.normal(size=(4, 6))
    heads /= np.linalg.norm(heads, axis=0)
    state = ActiveMultiTask().init(task_heads=heads, target_head=heads[:, 2])
    np.testing.assert_allclose(state.relevance, np.eye(6)[2], atol=1e-9)
    np.testing.assert_allclose(state.weights, np.eye(6)[2], atol=1e-9)
    orthogonal, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    wanted = rng.normal(size=5)
    product = orthogonal.T @ wanted
    state = ActiveMultiTask(penalty=0.3).init(task_heads=orthogonal, target_head=wanted)
    np.testing.assert_allclose(
        state.relevance, np.sign(product) * np.maximum(np.abs(product) - 0.3, 0), atol=1e-9
    )


def test_the_lasso_meets_its_conditions_and_ends_in_the_linear_program():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        heads, wanted, penalty = (
            rng.normal(size=(4, 3 + seed)),
            rng.normal(size=4),
            rng.uniform(0.01, 0.5, 3 + seed),
        )
        nu = lasso(heads, wanted, penalty)
        slope = heads.T @ (wanted - heads @ nu)
        np.testing.assert_allclose(slope[nu != 0], (np.sign(nu) * penalty)[nu != 0], atol=1e-8)
        assert (np.abs(slope) <= penalty + 1e-8).all()
    heads, wanted = rng.normal(size=(4, 9)), rng.normal(size=4)
    exact = least_absolute(heads, wanted, np.ones(9))
    np.testing.assert_allclose(heads @ exact, wanted, atol=1e-9)
    np.testing.assert_allclose(lasso(heads, wanted, np.full(9, 1e-7)), exact, atol=1e-5)
    other = np.linalg.pinv(heads) @ wanted
    assert np.abs(exact).sum() <= np.abs(other).sum()


def test_few_heads_that_cannot_make_the_target_come_as_near_as_they_can():
    heads, wanted = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([2.0, 5.0])
    np.testing.assert_allclose(least_absolute(heads, wanted, np.ones(2)), [0, 1], atol=1e-12)
    np.testing.assert_allclose(
        least_absolute(heads, wanted, np.array([1.0, 4.0])), [2, 0], atol=1e-12
    )


def test_the_l2_baseline_spreads_what_l1_concentrates():
    heads, wanted = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), np.array([1.0, 1.0])
    assert answer(ActiveMultiTask(), task_heads=heads, target_head=wanted).round(9).tolist() == [
        0,
        0,
        1,
    ]
    nu = np.linalg.pinv(heads) @ wanted
    np.testing.assert_allclose(
        answer(ActiveMultiTask(power=2), task_heads=heads, target_head=wanted),
        nu**2 / (nu**2).sum(),
    )
    dear = answer(ActiveMultiTask(), task_heads=heads, target_head=wanted, cost=[1, 1, 3])
    np.testing.assert_allclose(dear, [0.5, 0.5, 0], atol=1e-9)


def test_a_penalty_that_leaves_nothing_falls_back_to_uniform():
    data = {"task_heads": np.eye(3), "target_head": [1, 2, 3]}
    with pytest.warns(
        ReweightvizWarning, match="no domain is relevant .* so the weights are uniform"
    ):
        assert answer(ActiveMultiTask(penalty=3), **data).tolist() == pytest.approx([1 / 3] * 3)
    assert answer(ActiveMultiTask(penalty=2.9), **data).tolist() == pytest.approx([0, 0, 1])


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=8).filter(lambda w: sum(w) > 1e-6),
    st.floats(0, 1),
)
def test_a_floor_is_kept_and_proportions_stay(weights, part):
    weights = np.array(weights) / sum(weights)
    floor = part / weights.size
    found = lift_to_floor(weights, floor)
    assert abs(found.sum() - 1) < 1e-12
    assert (found >= floor * (1 - 1e-9)).all()
    above = found > floor * (1 + 1e-6) + 1e-12
    if above.sum() > 1:
        np.testing.assert_allclose(
            found[above] / found[above].sum(), weights[above] / weights[above].sum(), rtol=1e-6
        )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: ActiveMultiTask(power=3), "a power of 1 or 2"),
        (lambda: ActiveMultiTask(penalty=-1), "a penalty of at least 0"),
        (
            lambda: ActiveMultiTask(floor=0.6).init(task_heads=np.eye(2), target_head=[1, 2]),
            "a floor of 0.6 for each of 2 domains",
        ),
        (
            lambda: ActiveMultiTask().init(task_heads=np.eye(2), target_head=[1, 2, 3]),
            r"shapes \(2, 2\) and \(3,\)",
        ),
        (
            lambda: ActiveMultiTask().init(task_heads=[[float("nan")]], target_head=[1]),
            "finite task_heads",
        ),
        (
            lambda: ActiveMultiTask().init(task_heads=np.eye(2), target_head=[1, 2], cost=[1, -1]),
            "the cost must be",
        ),
        (
            lambda: ActiveMultiTask(power=2).init(
                task_heads=np.eye(2), target_head=[1, 2], cost=[1, 1]
            ),
            "a cost with power=1 alone",
        ),
    ],
)
def test_what_active_multi_task_refuses(make, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        make()


def test_rv_mix_takes_what_is_not_one_number_a_domain_by_keyword():
    mixture = rv.mix(
        {"task_heads": {"web": [1, 0], "code": [0, 1]}}, ActiveMultiTask(), target_head=[1, 3]
    )
    assert dict(mixture) == pytest.approx({"web": 0.25, "code": 0.75})
    with pytest.raises(ReweightvizError, match="ActiveMultiTask needs 'target_head'"):
        rv.mix({"task_heads": {"web": [1, 0], "code": [0, 1]}}, ActiveMultiTask())


# ---- meta-rater


class Bowl:
    """A law with its optimum at ``best``."""

    targets, lower_is_better = ("loss",), np.array([True])

    def __init__(self, best, sign=1):
        self.best, self.domains, self.sign, self.lower_is_better = (
            np.array(best),
            tuple(map(str, range(len(best)))),
            sign,
            np.array([sign > 0]),
        )

    def predict(self, weights):
        return self.sign * (2 + ((weights - self.best) ** 2).sum(1, keepdims=True))


@pytest.mark.golden("MetaRater", "a law whose optimum is known")
def test_meta_rater_finds_the_optimum_of_its_law():
    best = [0.6, 0.3, 0.1, 0.0]
    for sign in (1, -1):
        found = answer(MetaRater(draws=150_000), law=Bowl(best, sign))
        np.testing.assert_allclose(found, best, atol=0.03)
    assert answer(MetaRater(draws=200, top=5), law=Bowl([0.5, 0.5]), prior=[1, 0]).tolist() == [
        1,
        0,
    ]
    assert answer(MetaRater(draws=200, top=5), law=Bowl([1])).tolist() == [1.0]


def test_meta_rater_searches_a_fitted_law():
    law = rv.fit(rv.demo_swarm(), rv.laws.RegMix(model="linear", folds=0))
    ours = MetaRater(draws=100_000)
    found = ours.result(ours.init(law=law))
    drawn = np.random.default_rng(0).dirichlet(np.ones(len(law.domains)), 10_000)
    assert law.predict(found[None]).mean() < np.quantile(law.predict(drawn).mean(1), 0.005)
    mixture = rv.mix({"prior": dict.fromkeys(law.domains, 1 / len(law.domains))}, ours, law=law)
    assert mixture.array.tolist() == found.tolist()
    with pytest.raises(
        ReweightvizError, match="the signals and the law name different domains: .* in that order"
    ):
        rv.mix({"prior": dict.fromkeys(law.domains[::-1], 1 / len(law.domains))}, ours, law=law)


def test_ratings_are_put_on_one_scale_and_added_up():
    ratings = np.random.default_rng(0).normal(size=(500, 3)) * [1, 100, 0.01] + [0, 5, 7]
    z = standardise(ratings)
    np.testing.assert_allclose([z.mean(0), z.std(0)], [[0] * 3, [1] * 3], atol=1e-12)
    mixer = MetaRater(draws=100, top=5)
    state = mixer.init(law=Bowl([0.5, 0.3, 0.2]))
    np.testing.assert_allclose(mixer.combine(state, ratings), z @ state.weights)
    assert standardise([[1, 2], [1, 4]]).tolist() == [[0, -1], [0, 1]]
    with pytest.raises(ReweightvizError, match="with 1 that are not finite"):
        mixer.combine(state, [[1, 2, float("nan")]])
    with pytest.raises(ReweightvizError, match="a column for each of 3 raters; got 2"):
        mixer.combine(state, ratings[:, :2])


def test_variance_inflation_is_the_diagonal_of_the_inverse_correlation():
    rng = np.random.default_rng(0)
    ratings = rng.normal(size=(2000, 4)) @ rng.normal(size=(4, 4))
    np.testing.assert_allclose(
        variance_inflation(ratings), np.diag(np.linalg.inv(np.corrcoef(ratings.T))), rtol=1e-9
    )


def test_collinear_raters_are_named():
    rng = np.random.default_rng(0)
    ratings = rng.normal(size=(500, 3))
    ratings[:, 2] = ratings[:, 0] + 0.1 * rng.normal(size=500)
    mixer = MetaRater(draws=100, top=5)
    with pytest.warns(
        ReweightvizWarning, match="the ratings of column 0, 2, so their weights mean little"
    ):
        mixer.combine(mixer.init(law=Bowl([0.5, 0.3, 0.2])), ratings)


def test_what_meta_rater_refuses():
    with pytest.raises(ReweightvizError, match="top of at least 1"):
        MetaRater(draws=10, top=20)
    with pytest.raises(ReweightvizError, match="a prior for each of 2 raters"):
        MetaRater().init(law=Bowl([0.5, 0.5]), prior=[1.0])
    with pytest.raises(
        ReweightvizError, match="no weights for which the law predicts a finite loss"
    ):
        MetaRater(draws=200).init(law=Bowl([np.nan, 0.5]))


# ---- difficulty flip


@pytest.mark.golden("DifficultyFlip", "four groups by hand, after the paper's abstract")
def test_the_flip_gives_hard_math_and_easy_code_the_larger_share():
    prior = {"easy math": 0.4, "hard math": 0.1, "easy code": 0.2, "hard code": 0.3}
    signals = {
        "prior": prior,
        "influence": dict(zip(prior, [-2, 3, 0.5, -0.1], strict=True)),
        "task": dict(zip(prior, [0, 0, 1, 1], strict=True)),
    }
    flipped = {"easy math": 0.1, "hard math": 0.4, "easy code": 0.3, "hard code": 0.2}
    assert dict(rv.mix(signals, DifficultyFlip())) == pytest.approx(flipped)
    assert dict(rv.mix(signals | {"prior": flipped}, DifficultyFlip())) == pytest.approx(flipped)


@given(
    st.lists(
        st.tuples(st.floats(0.01, 1), st.integers(-3, 3), st.booleans(), st.integers(0, 2)),
        min_size=1,
        max_size=9,
    ),
    st.floats(0, 2),
)
def test_every_task_keeps_its_share_and_no_order_is_against_the_influence(rows, strength):
    prior, influence, unknown, task = (np.array(column) for column in zip(*rows, strict=True))
    prior, helps = prior / prior.sum(), np.where(unknown, np.nan, influence)
    found = answer(DifficultyFlip(strength), influence=helps, prior=prior, task=task)
    for one in np.unique(task):
        known = (task == one) & ~unknown
        assert found[task == one].sum() == pytest.approx(prior[task == one].sum())
        order = np.argsort(influence[known], kind="stable")
        different = np.diff(influence[known][order]) > 0
        assert (np.diff(found[known][order])[different] >= -1e-12).all()
    np.testing.assert_allclose(found[unknown], prior[unknown])


def test_a_strength_tilts_by_the_size_of_the_influence():
    found = answer(DifficultyFlip(strength=1), influence=[2, 1, -2], prior=[1 / 3] * 3)
    np.testing.assert_allclose(found[:2] / found[2], np.exp([2, 1.5]), rtol=1e-9)
    assert answer(
        DifficultyFlip(strength=1e6), influence=[2, 1, -2], prior=[0.2, 0.3, 0.5]
    ).tolist() == [1, 0, 0]
    assert answer(DifficultyFlip(strength=5), influence=[4], prior=[1.0]).tolist() == [1.0]
    for wrong in (
        {"influence": [1, float("inf")]},
        {"influence": [1]},
        {"influence": [1, 2], "task": [0, float("nan")]},
    ):
        with pytest.raises(ReweightvizError, match="an influence, finite or NaN, and a task"):
            DifficultyFlip().init(prior=[0.5, 0.5], **wrong)
    with pytest.raises(ReweightvizError, match="a strength of at least 0"):
        DifficultyFlip(-1)


# ---- MixMin


@pytest.mark.golden("MixMinWeights", "expectation maximisation for mixture weights")
def test_mixmin_has_the_optimum_of_expectation_maximisation():
    rng = np.random.default_rng(0)
    logs = (
        rng.normal(-1000, 3, size=(300, 1))
        + rng.normal(0, 1, size=(300, 5))
        + rng.normal(0, 0.5, size=5)
    )
    p, likely = np.full(5, 0.2), np.exp(logs - logs.max(1, keepdims=True))
    for _ in range(20_000):
        p = p * (likely / (likely @ p)[:, None]).mean(0)
    np.testing.assert_allclose(answer(MixMinWeights(), log_probs=logs), p, atol=1e-6)
    law = rv.laws.MixMin(draws=0).fit(domains=tuple("abcde"), targets=("loss",), log_probs=logs)
    np.testing.assert_allclose(answer(MixMinWeights(), log_probs=logs), law.minimise(), atol=1e-4)


def test_mixmin_weighs_documents_by_their_length_and_pulls_to_the_prior():
    logs = np.log([[0.9, 0.1], [0.1, 0.9]])
    assert answer(MixMinWeights(), log_probs=logs).tolist() == pytest.approx([0.5, 0.5])
    assert answer(MixMinWeights(), log_probs=logs, lengths=[1, 4])[0] > 0.7
    assert answer(MixMinWeights(kl=100), log_probs=logs, prior=[0.9, 0.1])[0] == pytest.approx(
        0.9, abs=0.01
    )
    assert answer(MixMinWeights(kl=0.1), log_probs=logs, prior=[1, 0]).tolist() == [1, 0]
    assert answer(MixMinWeights(), log_probs=[[-3.0], [-9]]).tolist() == [1.0]
    for wrong in ([[np.nan, 0]], [[np.inf, 0]], [1, 2]):
        with pytest.raises(ReweightvizError, match=r"log_probs \(X, K\)"):
            MixMinWeights().init(log_probs=wrong)
    with pytest.raises(ReweightvizError, match="document 0 has"):
        MixMinWeights().init(log_probs=[[-np.inf, -np.inf]])
    with pytest.raises(ReweightvizError, match="kl of at least 0"):
        MixMinWeights(kl=-1)


def test_temperature_weights_of_a_domain_with_nothing():
    assert temperature_weights([5, 0], 0.2).tolist() == [1, 0]


def test_heads_that_are_the_same_do_not_stop_the_lasso():
    heads, wanted = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), np.array([3.0, 2.0])
    nu = lasso(heads, wanted, np.full(3, 0.5))
    assert (nu[0] + nu[1], nu[2]) == pytest.approx((2.5, 1.5))
    assert lasso(heads, wanted, np.full(3, 5.0)).tolist() == [0, 0, 0]
    assert lasso(np.zeros((2, 2)), wanted, np.ones(2)).tolist() == [0, 0]


def test_what_explores_costs_every_domain_the_same():
    sizes = [[100, 100], [200, 200], [400, 400]]
    state = EquitableAllocation(budget=900, explore=0.5).init(
        sizes=sizes, size_losses=[[1 / n, 2.0] for n, _ in sizes], cost=[1, 4]
    )
    assert state.sizes[1] == pytest.approx(
        0.5 * 900 / 2 / 4
    )  # a flat domain gets its part of explore alone
    assert state.sizes @ [1, 4] == pytest.approx(900)


def test_costs_have_no_unit():
    heads, target = (
        np.array([[1.0, 0.4, 0.1], [0.2, 1.0, 0.3], [0.0, 0.5, 1.0]]),
        np.array([1.0, 0.7, 0.4]),
    )
    one, other = (
        ActiveMultiTask(penalty=0.1).init(
            task_heads=heads, target_head=target, cost=scale * np.array([1.0, 2, 3])
        )
        for scale in (1, 10)
    )
    np.testing.assert_allclose(one.relevance, other.relevance, atol=1e-9)
    assert np.abs(one.relevance).max() > 0.1


def test_a_schedule_refuses_the_state_of_another_method():
    for mixer in (Cooldown(((0, 5), (8, 1)), steps=12), TwoPhase(switch=3, steps=10)):
        with pytest.raises(
            ReweightvizError,
            match="takes a state that its init or update returned; got reweightviz.mixers.doremi.State",
        ):
            mixer.update(DoReMi().init(prior=[0.5, 0.5]))
