"""What is proposed, how sure it says it is, and which constraints it names when there is nothing to propose."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Sources
from reweightviz.core.swarm import Swarm
from reweightviz.laws import Olmix, Repeated, ScalingMixtures
from reweightviz.laws._log_linear_law import LogLinearLaw
from reweightviz.proposals.design_swarm import design_swarm
from reweightviz.proposals.optimize import optimize
from reweightviz.proposals.pareto import pareto

pytestmark = pytest.mark.filterwarnings("ignore::reweightviz.core.errors.ReweightvizWarning")
DOMAINS, TARGETS = ("web", "code", "math", "books"), ("chat", "python", "proofs")


def law(seed=0, draws=40, better=(True, True, True), noise=0.02):
    rng = np.random.default_rng(seed)
    coef = np.column_stack([np.log(rng.uniform(0.8, 2, 3)), rng.normal(-0.6, 0.9, (3, 4))])
    return LogLinearLaw(
        DOMAINS,
        TARGETS,
        np.array(better),
        coef,
        coef + rng.normal(0, 0.05, (draws, 3, 5)),
        rng.normal(0, noise, (draws, 3)),
    )


class Plain:
    """A law that is only asked: no form, no ``minimise``."""

    def __init__(self, inner, given=()):
        self.inner, self.given = inner, given
        self.domains, self.targets, self.lower_is_better = (
            inner.domains,
            inner.targets,
            inner.lower_is_better,
        )

    def predict(self, weights, **given):
        return self.inner.predict(weights) * given.get("size", 1.0)

    def samples(self, weights, **given):
        return self.inner.samples(weights) * given.get("size", 1.0)

    def interval(self, weights, level=0.9, **_):
        return self.inner.interval(weights, level)

    def browser_form(self):
        return None


class Itself(Plain):
    """A convex law of another form, which minimises itself."""

    def minimise(self, importance=None, **asked):
        return self.inner.minimise(importance, **asked)


def swarm(mixtures=None, repeats=5, noise=0.01, seed=0):
    rng = np.random.default_rng(seed)
    mixtures = rng.dirichlet(np.ones(4), 40) if mixtures is None else mixtures
    mixtures = np.vstack([mixtures, np.tile(mixtures[:1], (repeats, 1))])
    losses = law().predict(mixtures) + rng.normal(0, noise, (len(mixtures), 3))
    return Swarm(DOMAINS, mixtures, TARGETS, losses, pd.DataFrame({"run": range(len(mixtures))}))


def mean(fitted, mixture):
    return fitted.predict(mixture.array).mean()


# ---- the optimum


def test_a_log_linear_law_is_minimised_to_a_certificate():
    best = optimize(law(), kl=0)
    assert best.source["certificate"]["method"] == "convex program"
    assert best.source["certificate"]["gap"] < 1e-9
    others = np.random.default_rng(0).dirichlet(np.ones(4), 5000)
    assert mean(law(), best) <= law().predict(others).mean(1).min() + 1e-9
    np.testing.assert_allclose(best.array, law().minimise(kl=0), atol=1e-9)


def test_limits_of_the_prior():
    near = Mixture({"web": 0.4, "code": 0.3, "math": 0.2, "books": 0.1})
    assert optimize(law(), near=near, kl=np.inf) == pytest.approx(near, abs=1e-9)
    assert optimize(law(), near=near, kl=1e9).distance(near) < 1e-7
    for m, target in enumerate(TARGETS):
        vertex = optimize(law(), objective=target, kl=0)
        assert max(vertex.values()) == 1
        assert vertex.array.argmax() == law().coef[m, 1:].argmin()
    pulled = [optimize(law(), near=near, kl=kl).distance(near) for kl in (0.01, 0.1, 1)]
    assert pulled == sorted(pulled, reverse=True)


def test_caps_on_targets_are_met_with_equality_where_they_bind():
    free = optimize(law(), objective="chat", kl=0.01)
    worst = free.source["predicted"]["python"]
    held = optimize(law(), objective="chat", kl=0.01, caps={"python": worst - 0.1, "proofs": 99})
    assert held.source["predicted"]["python"] == pytest.approx(worst - 0.1, abs=1e-7)
    assert held.source["predicted"]["chat"] > free.source["predicted"]["chat"]
    assert held.source["certificate"]["gap"] < 1e-8
    assert optimize(
        law(), objective="chat", kl=0.01, caps={"python": worst + 0.1}
    ) == pytest.approx(free, abs=1e-7)


def test_the_worst_target_is_the_best_of_its_kind():
    best = optimize(law(), objective="worst", kl=0)
    others = np.random.default_rng(0).dirichlet(np.full(4, 0.7), 20_000)
    assert max(best.source["predicted"].values()) <= law().predict(others).max(1).min() + 1e-9
    ratio = optimize(law(), objective="worst ratio", kl=0)
    even = law().predict(np.full(4, 0.25))[0]
    assert (law().predict(ratio.array)[0] / even).max() <= (law().predict(others) / even).max(
        1
    ).min() + 1e-9
    assert ratio.source["predicted_objective"] <= 1
    assert ratio.source["certificate"]["gap"] < 1e-8


def test_bounds_groups_and_epochs_hold_together():
    sources = Sources({"web": 1e9, "code": 1e8, "math": 5e7, "books": 2e8})
    groups = {"text": (["web", "books"], 0.3, 0.5), "rest": (("code", "math"), 0.5, 1)}
    best = optimize(
        law(),
        kl=0.01,
        tokens=1e9,
        sources=sources,
        max_epochs=6,
        bounds={"code": (0.1, 0.45)},
        groups=groups,
    )
    assert max(best.epochs(sources.token_table, 1e9).values()) <= 6 + 1e-6
    assert 0.1 - 1e-9 <= best["code"] <= 0.45 + 1e-9
    assert 0.3 - 1e-7 <= best["web"] + best["books"] <= 0.5 + 1e-7
    assert best.source["certificate"]["gap"] < 1e-8
    assert json.loads(json.dumps(best.source))["groups"]["text"] == [["web", "books"], 0.3, 0.5]


# ---- fixed parts


def test_a_part_fixed_at_the_optimum_changes_nothing():
    near = Mixture({"web": 0.4, "code": 0.3, "math": 0.2, "books": 0.1})
    free = optimize(law(), near=near)
    inner = Mixture.normalized({d: free[d] for d in ("code", "books")})
    again = optimize(law(), near=near, fixed={"old": inner})
    assert again == pytest.approx(free, abs=1e-6)
    whole = optimize(law(), near=near, fixed={"all": free})
    assert whole == pytest.approx(free, abs=1e-12)


def test_a_fixed_part_keeps_its_ratios_and_takes_bounds():
    inner = {"web": 0.75, "books": 0.25}
    best = optimize(
        law(), fixed={"text": inner}, bounds={"text": (0.2, 0.4), "code": (0, 0.3)}, kl=0
    )
    assert best.domains == DOMAINS
    assert best["web"] == pytest.approx(3 * best["books"])
    assert best["web"] + best["books"] <= 0.4 + 1e-9
    grid = np.array(
        [
            [t * 0.75, c, 1 - t - c, t * 0.25]
            for t in np.linspace(0.2, 0.4, 60)
            for c in np.linspace(0, 0.3, 60)
        ]
    )
    assert mean(law(), best) <= law().predict(grid).mean(1).min() + 1e-9


def test_a_law_fitted_with_the_part_as_one_domain_gives_the_same_mixture():
    inner = Mixture({"web": 0.6, "books": 0.4})
    full = law()
    joined = np.column_stack(
        [full.coef[:, 0], full.coef[:, 1:] @ [0.6, 0, 0, 0.4], full.coef[:, 2:4]]
    )
    reuse = LogLinearLaw(("old", "code", "math"), TARGETS, full.lower_is_better, joined)
    sources = {"web": 1e9, "books": 1e7, "code": 1e8, "math": 1e8}
    near = {"web": 0.4, "code": 0.3, "math": 0.2, "books": 0.1}
    for asked in ({}, {"near": near}, {"tokens": 1e8, "sources": sources, "max_epochs": 2}):
        spread = optimize(reuse, fixed={"old": inner}, **asked)
        frozen = optimize(full, fixed={"part": inner}, **asked)
        assert spread.domains == ("web", "books", "code", "math")
        assert dict(spread) == pytest.approx(dict(frozen), abs=1e-6)
    assert (
        optimize(reuse, fixed={"old": inner}, tokens=1e8, sources=sources, max_epochs=1)["books"]
        <= 0.1 + 1e-9
    )


@pytest.mark.parametrize(
    ("fixed", "sentence"),
    [
        (
            {"a": {"web": 1}, "b": {"web": 0.5, "code": 0.5}},
            "'web' is in two fixed parts, 'a' and 'b'",
        ),
        ({"a": {"wbe": 1}}, "holds 'wbe', which is no domain of the law"),
        (
            {"web": {"code": 1}},
            "'web' is a domain of the law, so its fixed parts must not be: 'code'",
        ),
        ({"a": {"web": 0.5}}, "must sum to 1"),
    ],
)
def test_wrong_fixed_parts_are_one_sentence(fixed, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        optimize(law(), fixed=fixed)


# ---- without convexity


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"objective": "worst", "kl": 0.0},
        {"caps": {"python": 2.2}, "objective": "chat"},
        {"groups": {"g": (["web", "code"], 0.1, 0.2)}},
        {"kl": 0.0, "bounds": {"math": (0, 0.3)}},
        {"fixed": {"text": {"web": 0.75, "books": 0.25}}},
    ],
)
def test_a_global_search_says_so_and_comes_to_the_same(asked):
    exact, found = optimize(law(), **asked), optimize(Plain(law()), **asked)
    assert found.source["certificate"]["method"] == "global search"
    assert "nothing proves" in found.source["certificate"]["note"]
    assert found.source["certificate"]["seed"] == 0
    assert found.source["predicted_objective"] == pytest.approx(
        exact.source["predicted_objective"], abs=2e-3
    )
    assert found.distance(exact) < 0.02
    assert optimize(Plain(law()), **asked) == found


def test_a_law_that_minimises_itself_is_asked_and_checked():
    near = {"web": 0.4, "code": 0.3, "math": 0.2, "books": 0.1}
    own, exact = optimize(Itself(law()), near=near), optimize(law(), near=near)
    assert own.source["certificate"]["method"] == "Itself.minimise"
    assert own.source["certificate"]["gap"] < 1e-4
    assert own == pytest.approx(exact, abs=1e-9)
    assert (
        optimize(Itself(law()), caps={"chat": 9}).source["certificate"]["method"] == "global search"
    )


def test_targets_where_higher_is_better_rise():
    score = law(better=(True, False, True))
    best = optimize(score, objective="python", kl=0)
    assert best.array.argmax() == score.coef[1, 1:].argmax()
    assert best.source["certificate"]["method"] == "convex program"
    assert best.source["predicted_objective"] == pytest.approx(best.source["predicted"]["python"])
    assert best.source["gain"]["predicted"] > 0
    mixed = optimize(score, objective={"chat": 1, "python": 1}, kl=0.02)
    assert mixed.source["certificate"]["method"] == "global search"
    others = np.random.default_rng(0).dirichlet(np.ones(4), 4000)
    gain = score.predict(others) @ [0.5, -0.5, 0] + 0.02 * (others * np.log(others * 4)).sum(1)
    pull = 0.02 * (mixed.array * np.log(np.maximum(mixed.array, 1e-300) * 4)).sum()
    assert score.predict(mixed.array)[0] @ [0.5, -0.5, 0] + pull <= gain.min() + 1e-6
    held = optimize(
        score, objective="chat", kl=0, caps={"python": best.source["predicted"]["python"] - 0.1}
    )
    assert held.source["predicted"]["python"] >= best.source["predicted"]["python"] - 0.1 - 1e-7
    with pytest.raises(ReweightvizError, match="higher is better for 'python'"):
        optimize(score, objective="worst")


def test_what_else_a_law_predicts_from_is_asked_for():
    sized = Plain(law(), given=("size",))
    assert optimize(sized, given={"size": 2.0}).source["predicted"]["chat"] == pytest.approx(
        2 * sized.inner.predict(optimize(sized, given={"size": 2.0}).array)[0, 0]
    )
    assert optimize(sized, given={"size": "2K"}).source["given"] == {"size": 2000.0}
    with pytest.raises(ReweightvizError, match="predicts from 'size' too: give it, as in given="):
        optimize(sized)
    with pytest.raises(
        ReweightvizError, match="does not predict from 'size'; it takes mixtures alone"
    ):
        optimize(law(), given={"size": 1})


# ---- what cannot be


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            {"tokens": 1e9, "sources": dict.fromkeys(DOMAINS, 100000000.0), "max_epochs": 2},
            "the epoch caps of 'web', 'code', 'math', 'books' sum to 0.8, so no weights can sum to 1: allow more epochs",
        ),
        (
            {"bounds": {"web": (0.6, 1), "code": (0.7, 1)}},
            "the lower bounds of 'web', 'code' sum to 1.3, more than 1",
        ),
        (
            {
                "bounds": {"web": (0, 0.1), "code": (0, 0.2)},
                "groups": {"g": (["web", "code"], 0.5, 1)},
            },
            r"with the upper bounds of 'web', 'code', group 'g' gets at most 0\.3; at least 0\.5 was asked for \(lower limit\)",
        ),
        (
            {"groups": {"a": (["web", "code"], 0, 0.3), "b": (["math", "books"], 0, 0.4)}},
            r"with the upper limit of group 'a', group 'b' gets at least 0\.7; at most 0\.4",
        ),
        (
            {
                "tokens": 1e9,
                "sources": {"web": 1e9, "code": 1e7, "math": 1e9, "books": 1e9},
                "max_epochs": 4,
                "bounds": {"code": (0.2, 0.5)},
            },
            r"with the epoch cap of 'code', 'code' gets at most 0\.04; at least 0\.2",
        ),
        ({"caps": {"chat": 0.1}}, "the cap on 'chat', 0.1, is not above the law's floor"),
        (
            {"near": {"web": 0.5, "code": 0.5, "math": 0, "books": 0}},
            "near gives 0 to 'math', 'books', so no proposal could use what the runs did",
        ),
        ({"near": {"web": 0.5, "code": 0.5}}, "name different domains"),
        ({"objective": "pyton"}, "no target of the law 'pyton'; did you mean 'python'"),
        ({"objective": {"chat": -1}}, "importance must be numbers >= 0"),
        ({"objective": 3}, "objective must be 'mean'"),
        ({"caps": {"chat": "low"}}, "cap on 'chat' must be a number"),
        ({"bounds": {"wbe": (0, 1)}}, "no domain of the law 'wbe'; did you mean 'web'"),
        (
            {"bounds": {"web": (0.5, 0.1)}},
            "must be .lowest, highest. with 0 <= lowest <= highest <= 1",
        ),
        ({"groups": {"g": ("web", 0, 1)}}, "group 'g' must be .domains, lowest, highest."),
        ({"max_epochs": 4}, "max_epochs needs tokens="),
        ({"kl": -1}, "kl must be a number >= 0"),
        ({"kl": "x"}, "kl must be a number >= 0; got 'x'"),
        ({"draws": -1}, "draws must be a whole number of at least 0; got -1"),
        ({"near": 3}, "near must be a mixture, a mapping of domain to weight; got 3"),
        ({"bounds": ["web"]}, r"bounds must be a mapping of domain to \(lowest, highest\) weight"),
        ({"objective": {"chat": "x"}}, "importance of 'chat' must be a number >= 0; got 'x'"),
        ({"swarm": 3}, "swarm must be the Swarm behind the law; got 3"),
    ],
)
@pytest.mark.parametrize("kind", [lambda inner: inner, Plain], ids=["convex", "searched"])
def test_what_cannot_be_is_named(kind, asked, sentence):
    if kind is Plain and "caps" in asked and asked["caps"] == {"chat": 0.1}:
        sentence = (
            r"none of [\d,]+ mixtures tried meets all caps; the nearest misses that on 'chat'"
        )
    with pytest.raises(ReweightvizError, match=sentence):
        optimize(kind(law()), **asked)


def test_caps_on_targets_that_no_mixture_meets_are_named_with_what_it_reaches():
    lowest = optimize(
        law(), objective="python", kl=0, bounds={"code": (0, 0.2), "web": (0.3, 1)}
    ).source["predicted"]["python"]
    with pytest.raises(
        ReweightvizError,
        match=f"the lowest predicted 'python' is {lowest:.4g} and its cap is {lowest - 0.05:.4g}",
    ):
        optimize(law(), bounds={"code": (0, 0.2), "web": (0.3, 1)}, caps={"python": lowest - 0.05})
    floors = {
        target: optimize(law(), objective=target, kl=0).source["predicted"][target]
        for target in TARGETS
    }
    with pytest.raises(ReweightvizError, match="with the cap on target '.*', the lowest predicted"):
        optimize(law(), caps={target: value + 1e-3 for target, value in floors.items()})


# ---- how sure


def test_the_source_says_how_sure():
    best = optimize(law(), swarm=swarm())
    low, high = best.source["predicted_interval_90"]
    assert low < best.source["predicted_objective"] < high
    for target, value in best.source["predicted"].items():
        low, high = best.source["predicted_intervals_90"][target]
        assert low < value < high
    for domain, weight in best.items():
        low, high = best.source["weights_interval_90"][domain]
        assert 0 <= low <= high <= 1
        assert low - 0.1 < weight < high + 0.1
    assert best.source["refits"] == 40
    assert best.source["gain"]["over"] == "uniform"
    assert best.source["gain"]["noise"] == pytest.approx(0.01 / np.sqrt(3), rel=0.8)
    assert json.loads(json.dumps(best.source)) == best.source


def test_the_weights_interval_is_that_of_the_refits():
    fitted = law(draws=60)
    best = optimize(fitted, draws=1000)
    by_hand = np.array(
        [
            LogLinearLaw(DOMAINS, TARGETS, np.ones(3, bool), draw.astype(float)).minimise()
            for draw in fitted.refits
        ]
    )
    low, high = np.quantile(by_hand, [0.05, 0.95], axis=0, method="weibull")
    np.testing.assert_allclose(
        list(best.source["weights_interval_90"].values()), np.column_stack([low, high]), atol=1e-6
    )
    searched = optimize(Plain(fitted)).source["weights_interval_90"]
    np.testing.assert_allclose(list(searched.values()), np.column_stack([low, high]), atol=0.08)
    assert optimize(fitted, draws=0).source["weights_interval_90"] is None
    assert optimize(law(draws=0)).source["predicted_interval_90"] is None


@pytest.mark.filterwarnings("error::reweightviz.core.errors.ReweightvizWarning")
def test_a_proposal_outside_the_runs_says_how_far():
    around = np.random.default_rng(1).dirichlet(np.full(4, 200), 40)
    with pytest.warns(
        ReweightvizWarning,
        match=r"outside the hull of the runs: \d+\.\d % of its tokens would have to move",
    ):
        away = optimize(law(), objective="chat", kl=0, swarm=swarm(around))
    assert away.source["outside_hull"] > 0.5
    assert len(away.source["warnings"]) == 1
    corners = np.vstack([np.eye(4), around])
    inside = optimize(law(), objective="chat", kl=0, swarm=swarm(corners))
    assert inside.source["outside_hull"] == 0
    assert inside.source["warnings"] == []


@pytest.mark.filterwarnings("error::reweightviz.core.errors.ReweightvizWarning")
def test_a_gain_smaller_than_noise_is_said_plainly():
    fitted = law(draws=0)
    near = optimize(fitted)
    with pytest.warns(
        ReweightvizWarning, match="gain smaller than noise: the predicted gain over near is"
    ):
        optimize(fitted, near=near, swarm=swarm(np.vstack([np.eye(4), np.full((30, 4), 0.25)])))
    shaky = law(draws=40, noise=0)
    wild = LogLinearLaw(
        DOMAINS,
        TARGETS,
        shaky.lower_is_better,
        shaky.coef,
        shaky.coef + np.random.default_rng(0).normal(0, 2, (40, 3, 5)),
        np.zeros((40, 3)),
    )
    with pytest.warns(ReweightvizWarning, match="may be none: its 90 % interval is"):
        optimize(wild)


@pytest.mark.filterwarnings("error::reweightviz.core.errors.ReweightvizWarning")
def test_warnings_point_at_the_line_that_asked():
    around = np.random.default_rng(1).dirichlet(np.full(4, 200), 40)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        optimize(law(), objective="chat", kl=0, swarm=swarm(around))
    assert {each.filename for each in said} == {__file__}


def test_a_swarm_of_other_domains_is_refused_and_another_order_is_understood():
    order = [2, 0, 3, 1]
    one = swarm()
    turned = Swarm(
        tuple(DOMAINS[i] for i in order), one.mixtures[:, order], TARGETS, one.losses, one.runs
    )
    assert (
        optimize(law(), swarm=turned).source["outside_hull"]
        == optimize(law(), swarm=one).source["outside_hull"]
    )
    with pytest.raises(ReweightvizError, match="the swarm and the law name different domains"):
        optimize(
            law(),
            swarm=Swarm(
                ("a",), np.ones((2, 1)), TARGETS, np.ones((2, 3)), pd.DataFrame(index=range(2))
            ),
        )


# ---- the front


def dominated(values):
    return ((values[None] <= values[:, None] - 1e-9).all(2)).any(1)


@pytest.mark.parametrize("kind", [lambda inner: inner, Plain], ids=["convex", "searched"])
def test_the_front_of_two_targets(kind):
    fitted = law()
    front = pareto(kind(fitted), ["chat", "python"], points=15, kl=0)
    values = front["predicted"].to_numpy()
    assert 8 <= len(front) <= 15
    assert not dominated(values).any()
    assert (np.diff(values[:, 0]) > 0).all() and (np.diff(values[:, 1]) < 0).all()
    others = fitted.predict(np.random.default_rng(0).dirichlet(np.full(4, 0.6), 20_000))[:, :2]
    beaten = (others[None] < values[:, None] - 1e-3).all(2).any(1)
    assert not beaten.any()
    np.testing.assert_allclose(fitted.predict(front["weight"].to_numpy())[:, :2], values, atol=1e-9)
    assert (front["low"].to_numpy() < values).all() and (values < front["high"].to_numpy()).all()
    gaps = np.linalg.norm(np.diff(values / np.ptp(values, axis=0), axis=0), axis=1)
    assert gaps.max() < 0.35
    assert Mixture(front["weight"].iloc[3].to_dict()).domains == DOMAINS


def test_the_front_holds_the_proposals_and_obeys_the_constraints():
    asked = {
        "bounds": {"web": (0.1, 0.4)},
        "groups": {"g": (["code", "math"], 0.2, 0.6)},
        "swarm": swarm(),
    }
    front = pareto(law(), ["chat", "python"], points=9, **asked)
    for _, row in front.iterrows():
        best = optimize(law(), objective=row["importance"].to_dict(), **asked)
        np.testing.assert_allclose(row["weight"].to_numpy(), best.array, atol=1e-5)
    assert (front["weight"]["web"] <= 0.4 + 1e-8).all()
    assert (front["outside"]["hull"] >= 0).all()
    assert set(front.attrs["references"]) == {"uniform"}


def test_the_front_of_groups_of_three_and_of_scores():
    three = pareto(
        law(),
        TARGETS,
        points=20,
        kl=0,
        references={"natural": {"web": 0.7, "code": 0.1, "math": 0.1, "books": 0.1}},
    )
    assert not dominated(three["predicted"].to_numpy()).any()
    assert 10 <= len(three) <= 20
    assert set(three.attrs["references"]) == {"uniform", "natural"}
    groups = pareto(law(), {"code": ["python", "proofs"], "chat": {"chat": 2.0}}, points=6)
    predicted = law().predict(groups["weight"].to_numpy())
    np.testing.assert_allclose(groups["predicted"]["code"], predicted[:, 1:].mean(1))
    rising = pareto(law(better=(True, False, True)), ["chat", "python"], points=6, kl=0.01)
    assert rising.attrs["higher_is_better"] == ["python"]
    values = rising["predicted"].to_numpy()
    assert (np.diff(values[:, 0]) > 0).all() and (np.diff(values[:, 1]) > 0).all()


def test_a_front_that_bends_inwards_is_searched_as_a_whole():
    """Scores that rise with an exponential of the weights: every weighted mean of them is best at an end point."""
    coef = np.array([[-1.0, 1.2, -0.5, 0.2, -1.0], [-1.0, -0.7, 1.3, 0.1, -1.0]])
    scores = LogLinearLaw(DOMAINS, ("chat", "python"), np.zeros(2, bool), coef)
    found = pareto(scores, ["chat", "python"], points=15, kl=0)
    values = found["predicted"].to_numpy()
    assert len(found) == 15 and not dominated(-values).any()
    line = np.interp(values[:, 0], values[[0, -1], 0], values[[0, -1], 1])
    assert (values[1:-1, 1] < line[1:-1] - 0.05).all(), (
        "between the ends it lies below their blends"
    )
    assert np.diff(values[:, 0]).max() < 0.3 * np.ptp(values[:, 0])
    share = np.linspace(0, 1, 2001)[:, None]
    edge = scores.predict(share * [1, 0, 0, 0] + (1 - share) * [0, 1, 0, 0])
    reached = np.array([edge[edge[:, 0] >= value[0] - 1e-9, 1].max() for value in values])
    assert (values[:, 1] >= reached - 0.01).all(), "blends of the two best domains are not better"


def test_what_is_no_fitted_law_is_said():
    for call in (optimize, lambda law: pareto(law, ["chat", "python"])):
        with pytest.raises(
            ReweightvizError,
            match=r"Olmix is only its settings: fit it first, as in rv.fit\(swarm, rv.laws.Olmix\(\)\)",
        ):
            call(Olmix())
        with pytest.raises(ReweightvizError, match="needs a law, which rv.fit gives; got None"):
            call(None)
    with pytest.raises(
        ReweightvizError, match="rv.pareto takes no 'objective': the targets are the objective"
    ):
        pareto(law(), ["chat", "python"], objective="mean")
    with pytest.raises(
        ReweightvizError,
        match="points of a front of 2 targets must be a whole number of at least 2; got 2.5",
    ):
        pareto(law(), ["chat", "python"], points=2.5)


def test_nothing_is_at_most_minus_zero():
    with pytest.raises(ReweightvizError, match=r"'code' gets at most 0; at least 0\.1"):
        optimize(
            law(),
            bounds={"code": (0.1, 1)},
            tokens=1e9,
            sources={"web": 1e9, "code": 0, "math": 1e9, "books": 1e9},
            max_epochs=1,
        )


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        (3, "needs two or three targets"),
        (["chat"], "needs two or three targets"),
        ("chat", "needs two or three targets"),
        (["chat", "pyton"], "did you mean 'python'"),
        (["chat", "chat"], "must differ"),
    ],
)
def test_wrong_targets_of_a_front_are_one_sentence(targets, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        pareto(law(), targets)


# ---- the public RegMix swarm


@pytest.mark.shared
@pytest.mark.golden(
    "Olmix", "weight of Pile-CC in the optimum under KL .01 to .3 on the public RegMix swarm"
)
@pytest.mark.parametrize(
    ("kl", "weight"), [(0.01, 0.7470), (0.05, 0.5807), (0.1, 0.5130), (0.3, 0.4156)]
)
def test_optimum_for_pile_cc_under_kl(regmix, pile_law, token_prior, kl, weight):
    near = Mixture.normalized(zip(pile_law.domains, token_prior, strict=True))
    best = optimize(pile_law, objective="pile_cc", near=near, kl=kl, draws=0)
    assert best["pile_cc"] == pytest.approx(weight, abs=0.02)
    assert best.source["certificate"]["gap"] < 1e-9


@pytest.mark.shared
def test_the_best_for_pile_cc_is_worse_than_uniform_for_the_mean_and_says_it_is_outside(
    regmix, pile_law, token_prior
):
    alone = optimize(pile_law, objective="pile_cc", kl=0, swarm=regmix["train"])
    assert max(alone.values()) == 1
    even = pile_law.predict(np.full(17, 1 / 17)).mean()
    assert pile_law.predict(alone.array).mean() > even
    assert (
        alone.source["outside_hull"] < 0.01
    )  # one of the runs is nearly that vertex; the dense mixtures are what none is near
    dense = optimize(pile_law, kl=np.inf, swarm=regmix["train"])
    assert dense.source["outside_hull"] > 0.05
    assert any("outside the hull" in sentence for sentence in dense.source["warnings"])
    pulled = optimize(
        pile_law,
        objective="pile_cc",
        kl=0.01,
        near=Mixture.normalized(zip(pile_law.domains, token_prior, strict=True)),
    )
    low, high = pulled.source["weights_interval_90"]["pile_cc"]
    assert low < pulled["pile_cc"] < high
    assert 0.02 < high - low < 0.3


@pytest.mark.shared
def test_coverage_within_and_outside_the_hull_of_the_runs(regmix, pile_law):
    from reweightviz.numerics.hull import distance_outside

    test = regmix["test"]
    away = distance_outside(test.mixtures, regmix["train"].mixtures)
    low, high = pile_law.interval(test.mixtures, 0.9)
    inside = (low <= test.losses) & (test.losses <= high)
    assert 0.85 <= inside.mean() <= 0.95
    near, far = inside[away <= 0.02].mean(), inside[away > 0.1].mean()
    assert 0.85 <= near <= 0.96
    assert 0.80 <= far <= near + 0.02


def test_a_convex_law_of_another_form_is_certain_under_groups_too():
    asked = {"groups": {"g": (["web", "code"], 0.1, 0.2)}}
    found, exact = optimize(Itself(law()), **asked), optimize(law(), **asked)
    assert (
        "the law is convex, so no mixture is better by more than"
        in found.source["certificate"]["note"]
    )
    assert found.source["certificate"]["gap"] < 1e-3
    assert found == pytest.approx(exact, abs=2e-3)


class Steps(Plain):
    """A law of steps, as trees are."""

    def predict(self, weights):
        return np.round(self.inner.predict(weights), 2)

    def samples(self, weights):
        return np.round(self.inner.samples(weights), 2)


def test_a_law_of_steps_is_searched_without_slopes():
    exact, found = optimize(law()), optimize(Steps(law()))
    assert found.source["certificate"]["gap"] is None
    assert found.source["certificate"]["starts"] == 0
    assert found.source["predicted_objective"] == pytest.approx(
        exact.source["predicted_objective"], abs=0.02
    )
    front = pareto(Steps(law()), ["chat", "python"], points=10)
    values = front["predicted"].to_numpy()
    assert 6 <= len(front) <= 10
    assert front["importance"].isna().all(axis=None)
    smooth = pareto(law(), ["chat", "python"], points=10)["predicted"].to_numpy()
    np.testing.assert_allclose(
        [values.min(0), values.max(0)], [smooth.min(0), smooth.max(0)], atol=0.15
    )


def test_what_there_is_reaches_a_law_that_takes_it_whatever_the_order_or_form():
    rng = np.random.default_rng(0)
    names, mixtures = ("web", "code"), rng.dirichlet(np.ones(2), 30)
    losses = 1 + np.exp(-mixtures @ np.array([[0.5, 1.0], [1.0, 0.5]]))
    law = Repeated(law=Olmix(draws=5)).fit(
        domains=names,
        targets=("a", "b"),
        mixtures=mixtures,
        losses=losses,
        run_tokens=np.full(30, 1e9),
        available=np.full(2, 1e8),
    )
    plenty, scarce = ({"code": code, "web": "1B"} for code in ("1B", 1e6))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rich, poor = (
            optimize(law, objective="a", tokens="1B", sources=sources, kl=0.01, draws=0)
            for sources in (plenty, scarce)
        )
    assert poor["code"] < rich["code"]


def test_a_held_budget_beside_another_is_said():
    rng = np.random.default_rng(0)
    mixtures, tokens = rng.dirichlet(np.ones(2), 40), rng.choice([1e8, 1e9], 40)
    losses = (
        1 + np.exp(-mixtures @ np.array([[0.5, 1.0], [1.0, 0.5]])) + (tokens[:, None] / 1e8) ** -0.3
    )
    law = ScalingMixtures(draws=5).fit(
        domains=("web", "code"),
        targets=("a", "b"),
        mixtures=mixtures,
        losses=losses,
        run_tokens=tokens,
        size=np.full(40, 1e8),
    )
    held = law.at(**dict.fromkeys(law.given, 1e9))
    with pytest.warns(
        ReweightvizWarning,
        match="the law holds run_tokens at 1e\\+09, so what it predicts is for runs of that length",
    ):
        optimize(held, tokens=2e9, draws=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ReweightvizWarning)
        optimize(held, tokens=1e9, draws=0)
        told = optimize(held, tokens=2e9, given={"run_tokens": 2e9}, draws=0)
    assert told.source["given"]["run_tokens"] == 2e9


def test_counts_are_taken_as_text_and_a_wrong_cap_is_a_sentence():
    law = LogLinearLaw(("web", "code"), ("a",), np.ones(1, bool), np.array([[0, -1.0, -3.0]]))
    mixture = optimize(
        law, kl=0, tokens="2B", sources={"code": "0.5B", "web": "9B"}, max_epochs=2, draws=0
    )
    assert mixture["code"] == pytest.approx(0.5, abs=1e-6)
    each = optimize(
        law,
        kl=0,
        tokens="2B",
        sources={"code": "0.5B", "web": "9B"},
        max_epochs={"code": 1},
        draws=0,
    )
    assert each["code"] == pytest.approx(0.25, abs=1e-6) and each.source["max_epochs"] == {
        "code": 1
    }
    with pytest.raises(ReweightvizError, match="no domain 'cod'; did you mean 'code'"):
        optimize(law, tokens="2B", sources={"code": "0.5B", "web": "9B"}, max_epochs={"cod": 1})
    with pytest.raises(
        ReweightvizError,
        match="max_epochs must be a number of passes above 0, or one for each domain; got '4'",
    ):
        optimize(law, tokens="2B", sources={"code": "0.5B", "web": "9B"}, max_epochs="4")


@pytest.mark.parametrize("pair", [(-0.1, 0.5), (0, 2), (0.9, 0.2), (np.nan, 1), ("a", 1)])
def test_bounds_lie_between_0_and_1(pair):
    for limits in ({"bounds": {"code": pair}}, {"groups": {"all": (["code"], *pair)}}):
        with pytest.raises(ReweightvizError, match=r"must be (\(lowest|two numbers, \(lowest)"):
            optimize(law(), **limits)
        with pytest.raises(ReweightvizError, match=r"must be (\(lowest|two numbers, \(lowest)"):
            design_swarm({"web": 1e9, "code": 1e9}, runs=3, **limits)
