"""What holds for every mixer, by its signature: a new one is tested by being listed in its family.

A mixer that names a signal which :func:`signals` does not supply, or has a field without a default that ARGS does not
fill, fails here with a sentence that says so.
"""

import doctest
import json
import pickle
import re
import sys
from dataclasses import MISSING, FrozenInstanceError, fields, replace
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reweightviz import mixers
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.protocols import Mixer, needs
from reweightviz.core.types import COSTLY_SIGNALS, SIGNALS
from reweightviz.mixers import _fixed as fixed

BUDGET = 1e3
ARGS = {  # fields without a default, and intervals so short that a test sees every phase
    "ADO": {"start": 10, "every": 10, "skip": 0, "window": 5},
    "Aioli": {"lp_rounds": 1, "lp_steps": 1, "every": 2, "one_hot": 1.0},
    "Cooldown": {"temperatures": ((0, 5), (8, 1)), "steps": 12, "path": "linear", "every": 2},
    "DataMixingAgent": {"every": 1},
    "DoGE": {"every": 2},
    "EquitableAllocation": {"budget": BUDGET},
    "MetaRater": {"draws": 4000, "top": 64},
    "SkillIt": {"every": 2},
    "TwoPhase": {"switch": 6, "steps": 12},
    "UniMax": {"budget": BUDGET},
}
LONG = {
    "ADO": {"every": 5000},
    "DataMixingAgent": {"every": 20},
    "Aioli": {"one_hot": 0.9},
}  # 20,000 updates in seconds, no probe with a 0
BARE = [
    ("DoReMi", {"smoothing": 0}),
    ("Aioli", {"one_hot": 0.9, "ema": None}),
    ("DoGE", {"every": 1, "scale": "mu", "mu": 1e3}),
]
"""Where nothing holds a weight up: no smoothing, no average, steps that take all."""
AXES = {
    "graph": (0, 1),
    "sizes": (1,),
    "size_losses": (1,),
    "log_probs": (1,),
    "task_heads": (1,),
    "target_head": (),
    "lengths": (),
}
"""Which axes of a signal are domains; the first one if not said."""
TOLERANCE = {
    "MetaRater": 0.25,
    "ADO": 1e-6,
    "EquitableAllocation": 1e-6,
    "MixMinWeights": 1e-5,
    "ActiveMultiTask": 1e-8,
}
"""How far the order of the domains may be seen: where weights are drawn, or found by iteration."""
SEEDED = {"Aioli"}  # tries domains in an order of its own, so only its result does not see theirs
UNMOVED_BY_A_CONSTANT = [
    ("DoReMi", {}),
    ("Aioli", ARGS["Aioli"]),
    ("DataMixingAgent", {"every": 1}),
    ("ODM", {"variant": "smoothed_mean"}),
    ("ScaleBiO", {}),
    ("DreamPRM", {}),
]


def made(name, **more):
    """The mixer, with the arguments that it needs."""
    kind, args = getattr(mixers, name), ARGS.get(name, {}) | more
    lacking = [
        f.name
        for f in fields(kind)
        if f.default is MISSING and f.default_factory is MISSING and f.name not in args
    ]
    return lambda: (
        pytest.fail(f"{name} has no default for {lacking}: add them to ARGS in {__file__}")
        if lacking
        else kind(**args)
    )


every_mixer = pytest.mark.parametrize(
    "make", [pytest.param(made(name), id=name) for name in mixers.__all__]
)
LEARNING = [
    name
    for name in mixers.__all__
    if hasattr(getattr(mixers, name), "update") and needs(getattr(mixers, name).update)
]
every_learner = pytest.mark.parametrize(
    "make", [pytest.param(made(name), id=name) for name in LEARNING]
)
domains = st.lists(
    st.tuples(st.floats(BUDGET, 1e13), st.floats(-1, 20), st.booleans()), min_size=1, max_size=12
)
THREE = [(5e3, 0.5, False), (2e3, 0.1, True), (9e4, -0.2, False)]


class TinyLaw:
    """A law over K domains, convex in the weights."""

    def __init__(self, best):
        self.best = np.asarray(best)
        self.domains, self.targets, self.lower_is_better = (
            tuple(map(str, range(len(best)))),
            ("loss",),
            np.array([True]),
        )

    def predict(self, weights):
        return 2 + ((np.asarray(weights) - self.best) ** 2).sum(1, keepdims=True)

    def permuted(self, order):
        return TinyLaw(self.best[order])


def signals(rows):
    """Every signal that a mixer may name, for K drawn domains; some are absent from the batch."""
    tokens, loss, absent = (np.array(column) for column in zip(*rows, strict=True))
    K, rng = len(rows), np.random.default_rng(len(rows))
    told, share, sizes = (
        np.where(absent, np.nan, loss),
        tokens / tokens.sum(),
        np.outer([1.0, 3.0, 10.0, 30.0, 100.0], np.ones(K)) * 1e3,
    )
    return {
        "tokens": tokens,
        "documents": np.ceil(tokens / 500),
        "prior": share,
        "available": tokens,
        "cost": 1 + share,
        "loss": told,
        "reference_loss": 0 * told,
        "excess_loss": told,
        "drawn_tokens": np.where(absent, 0.0, 4096.0),
        "held_out_loss": told,
        "probe_loss": told,
        "gradient_products": told - 3,
        "gradient_norm": np.abs(told) + 0.1,
        "hypergradient": -told,
        "penalty_gap": told - 3,
        "graph": np.outer(np.abs(loss), share) + np.eye(K),
        "influence": np.where(absent, np.nan, rng.normal(size=K)),
        "task": np.arange(K) % 2,
        "sizes": sizes,
        "size_losses": 1 + (1 + np.abs(loss)) * sizes**-0.3,
        "task_heads": rng.normal(size=(4, K)),
        "target_head": rng.normal(size=4),
        "log_probs": rng.normal(-3, 1, (40, K)),
        "lengths": rng.integers(1, 50, 40).astype(np.float64),
        "law": TinyLaw(rng.dirichlet(np.ones(K))),
    }


def permuted(given, order):
    """The same signals with the domains in another order."""

    def turned(name, values):
        if hasattr(values, "permuted"):
            return values.permuted(order)
        for axis in AXES.get(name, (0,)):
            values = np.take(values, order, axis)
        return values

    return {name: turned(name, values) for name, values in given.items()}


def asked(mixer, verb, given):
    """What a verb names, of what there is."""
    lacking = [name for name, required in needs(verb).items() if required and name not in given]
    if lacking:
        pytest.fail(
            f"{type(mixer).__name__} names {lacking}, which this test cannot supply: add them to signals() in {__file__}"
        )
    return {name: given[name] for name in needs(verb) if name in given}


def step(mixer, state, given):
    """One update; a costly signal that was not asked for is NaN."""
    measured = mixer.measures(state) if hasattr(mixer, "measures") else ()
    told = asked(mixer, mixer.update, given)
    return mixer.update(
        state,
        **{
            name: np.full_like(value, np.nan)
            if name in COSTLY_SIGNALS and name not in measured
            else value
            for name, value in told.items()
        },
    )


def started(mixer, given):
    return mixer.init(**asked(mixer, mixer.init, given))


def run(mixer, given, updates=12):
    """Init and some updates, with losses that change; returns every state."""
    states = [started(mixer, given)]
    for t in range(updates if hasattr(mixer, "update") else 0):
        now = {
            name: values * (1 - 0.05 * t) if "loss" in name else values
            for name, values in given.items()
        }
        states.append(step(mixer, states[-1], now))
    return states


def on_the_simplex(weights, K):
    assert weights.shape == (K,)
    assert weights.dtype == np.float64
    assert (weights >= 0).all()
    assert abs(weights.sum() - 1) < 1e-12


def test_the_family_is_sorted():
    assert mixers.__all__ == sorted(mixers.__all__)


@every_mixer
def test_is_frozen_and_written_as_it_is_made(make):
    mixer = make()
    assert isinstance(mixer, Mixer)
    assert eval(repr(mixer), vars(mixers)) == mixer  # noqa: S307
    assert hash(mixer) == hash(eval(repr(mixer), vars(mixers)))  # noqa: S307
    with pytest.raises((FrozenInstanceError, AttributeError)):
        setattr(mixer, fields(mixer)[0].name if fields(mixer) else "budget", 2.0)


@every_mixer
def test_a_field_of_another_kind_is_one_sentence(make):
    mixer, wrong = (
        make(),
        {
            "int": ("x", 2.5, True, None, [1]),
            "float": ("x", float("nan"), True, [1]),
            "bool": ("x", 1, None),
            "str": (1, [1]),
        },
    )
    for field in fields(mixer):
        for value in wrong.get(str(field.type).partition(" | ")[0], ()):
            with pytest.raises(ReweightvizError, match=f"{field.name}|a count") as caught:
                replace(mixer, **{field.name: value})
            assert "\n" not in str(caught.value)


@every_mixer
def test_names_its_paper_signals_and_use(make):
    mixer = make()
    module = __import__(type(mixer).__module__, fromlist=["State"])
    assert re.search(r"https://\S+", module.__doc__)
    assert mixer.paper in module.__doc__
    assert mixer.verified
    assert mixer.applies_to in {"sampling", "loss"}
    assert "Example:" in type(mixer).__doc__
    named = {
        name
        for verb in ("init", "update")
        if hasattr(mixer, verb)
        for name in needs(getattr(mixer, verb))
    }
    assert named <= SIGNALS.keys()
    if hasattr(mixer, "update") and "prior" in needs(mixer.init):
        assert re.search(r"prior (is|of) 0|[Zz]ero", re.sub(r"\s+", " ", type(mixer).__doc__)), (
            "does a prior of 0 ever come back?"
        )


@every_mixer
def test_measures_what_its_update_is_to_get(make):
    mixer = make()
    costly = set(needs(mixer.update) if hasattr(mixer, "update") else ()) & set(COSTLY_SIGNALS)
    assert bool(costly) == hasattr(mixer, "measures")
    if costly:
        wanted = {name for state in run(mixer, signals(THREE)) for name in mixer.measures(state)}
        assert wanted
        assert wanted <= costly


@every_mixer
@settings(max_examples=40)
@given(rows=domains)
def test_weights_are_on_the_simplex(make, rows):
    mixer = make()
    for state in run(mixer, signals(rows)):
        on_the_simplex(mixer.weights(state), len(rows))
        on_the_simplex(mixer.result(state), len(rows))
    for weights in getattr(mixer, "stages", lambda _: {})(state).values():
        on_the_simplex(weights, len(rows))


@every_mixer
@settings(max_examples=40)
@given(rows=domains, seed=st.integers(0, 1000))
def test_permuting_domains_permutes_weights(make, rows, seed):
    mixer, order, given = make(), np.random.default_rng(seed).permutation(len(rows)), signals(rows)
    straight, turned = run(mixer, given)[-1], run(mixer, permuted(given, order))[-1]
    tolerance = TOLERANCE.get(type(mixer).__name__, 1e-12)
    np.testing.assert_allclose(mixer.result(turned), mixer.result(straight)[order], atol=tolerance)
    if type(mixer).__name__ not in SEEDED:
        np.testing.assert_allclose(
            mixer.weights(turned), mixer.weights(straight)[order], atol=tolerance
        )


@every_mixer
def test_old_states_and_signals_are_untouched_and_answers_repeat(make):
    mixer, given = make(), signals(THREE)
    kept = {name: np.copy(values) for name, values in given.items() if name != "law"}
    states = run(mixer, given)
    before = [[np.copy(part) for part in state] for state in states]
    again = run(mixer, given)
    for state, copies, other in zip(states, before, again, strict=True):
        mixer.weights(state), mixer.result(state)
        for part, copy, same in zip(state, copies, other, strict=True):
            np.testing.assert_array_equal(part, copy)
            np.testing.assert_array_equal(part, same)
    for name, values in kept.items():
        np.testing.assert_array_equal(given[name], values)


@every_mixer
def test_one_domain_gets_everything(make):
    mixer = make()
    for state in run(mixer, signals([(5e3, 0.5, False)])):
        assert mixer.weights(state).tolist() == mixer.result(state).tolist() == [1.0]


@every_mixer
def test_a_saved_state_goes_on_as_if_never_saved(make):
    mixer, given = make(), signals(THREE)
    state = run(mixer, given)[-1]
    revived = [pickle.loads(pickle.dumps(state))]  # noqa: S301
    if not any(part is not None and np.asarray(part).dtype == object for part in state):
        parts = json.loads(json.dumps(to_jsonable(state._asdict())))  # NaN is text in it
        revived.append(
            type(state)(
                *(
                    np.asarray(parts[name], part.dtype).reshape(part.shape)
                    if isinstance(part, np.ndarray)
                    else None
                    if part is None
                    else type(part)(parts[name])
                    for name, part in state._asdict().items()
                )
            )
        )
    for other in revived:
        if hasattr(mixer, "update"):
            state_next, other = step(mixer, state, given), step(mixer, other, given)  # noqa: PLW2901
            np.testing.assert_array_equal(mixer.weights(other), mixer.weights(state_next))
        else:
            np.testing.assert_array_equal(mixer.result(other), mixer.result(state))


@every_learner
def test_another_methods_state_is_one_sentence(make):
    mixer, given = make(), signals(THREE)
    other = fixed.State(np.full(3, 1 / 3))
    with pytest.raises(
        ReweightvizError,
        match=r"takes a state that its init or update returned; got reweightviz.mixers._fixed.State",
    ):
        mixer.update(other, **asked(mixer, mixer.update, given))


@every_learner
def test_other_domains_and_infinite_signals_are_one_sentence(make):
    mixer, given = make(), signals(THREE)
    state = started(mixer, given)
    four = signals([*THREE, (3e3, 1.0, False)])
    with pytest.raises(ReweightvizError, match="for each of 3 domains, finite or NaN; got"):
        mixer.update(state, **asked(mixer, mixer.update, four))
    infinite = {name: np.array([np.inf, 1.0, 1.0]) for name in needs(mixer.update)}
    with pytest.raises(ReweightvizError, match="for each of 3 domains, finite or NaN; got"):
        mixer.update(state, **infinite)


@every_learner
def test_signals_that_overflow_are_one_sentence_or_weights(make):
    mixer, given = make(), signals(THREE)
    state = started(mixer, given)
    for t in range(12):
        huge = np.array([1.7e308, 1.0, -1.7e308])[:: 1 if t % 2 else -1]
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                state = step(
                    mixer,
                    state,
                    {
                        name: values if name in needs(mixer.init) else huge
                        for name, values in given.items()
                    },
                )
        except ReweightvizError as error:
            assert "too large" in str(error)  # noqa: PT017
            return
        on_the_simplex(mixer.weights(state), 3)
        on_the_simplex(mixer.result(state), 3)


@every_learner
def test_updates_without_any_measurement_teach_nothing(make):
    mixer, given = make(), signals(THREE)
    state = learned = started(mixer, given)
    nothing = {name: np.full(3, np.nan) for name in needs(mixer.update)}
    for _ in range(40):
        state = mixer.update(state, **nothing)
    np.testing.assert_allclose(mixer.result(state), mixer.result(learned), atol=1e-15)


@every_learner
def test_a_prior_that_is_none_is_one_sentence(make):
    mixer, given = make(), signals(THREE)
    for wrong in ([0.5, 0.6, 0.2], [np.nan, 0.5, 0.5], [-0.5, 1, 0.5], []):
        with pytest.raises(ReweightvizError, match="the prior must"):
            mixer.init(**asked(mixer, mixer.init, given | {"prior": wrong}))


@pytest.mark.parametrize(
    ("name", "args"),
    [
        pytest.param(name, args, id=f"{name}{args or ''}")
        for name, args in [*((name, LONG.get(name, {})) for name in LEARNING), *BARE]
    ],
)
def test_extreme_losses_for_long_keep_states_finite_and_weights_above_0(name, args):
    """20,000 updates one way and the other, the last as if after a million."""
    mixer, rng = made(name, **args)(), np.random.default_rng(0)
    given = signals([(5e3, 1.0, False), (2e3, 1.0, False), (9e4, 1.0, False), (1e4, 1.0, False)])
    state = started(mixer, given)
    for t in range(20_000):
        if t == 19_000 and "step" in state._fields:
            state = state._replace(step=10**6)
        loss = np.array([1e6, 3.0, 1e-6, 0.0])[:: 1 if t < 12_000 else -1] * rng.uniform(0.5, 1, 4)
        loss[rng.random(4) < 0.2] = np.nan
        now = {
            name: (loss if name in SIGNALS and name.endswith("loss") else value)
            for name, value in given.items()
        }
        now |= {
            "gradient_products": loss - 1e3,
            "gradient_norm": loss + 1,
            "hypergradient": -loss,
            "penalty_gap": loss - 1e5,
            "drawn_tokens": np.where(np.isnan(loss), 0.0, 1e4),
        }
        state = step(mixer, state, now)
        if t % 1000 == 0:
            for weights in (mixer.weights(state), mixer.result(state)):
                on_the_simplex(weights, 4)
                assert (weights.astype(np.float32) > 0).all()
    for part in state:
        assert part is None or not np.isinf(part).any()


@pytest.mark.parametrize(
    ("name", "args"),
    [
        pytest.param(*case, id=case[0])
        for case in UNMOVED_BY_A_CONSTANT
        if case[0] in mixers.__all__
    ],
)
def test_a_constant_on_all_losses_moves_nothing(name, args):
    mixer, rng = made(name, **args)(), np.random.default_rng(0)
    told = rng.uniform(1, 5, (60, 4))
    plain_state = shifted = started(mixer, signals([(5e3, 1.0, False)] * 4))
    for row in told:
        every = set(needs(mixer.update))
        plain_state = step(mixer, plain_state, dict.fromkeys(every, row))
        shifted = step(mixer, shifted, dict.fromkeys(every, row + 0.75))
    assert np.abs(mixer.weights(plain_state) - 0.25).max() > 1e-4
    np.testing.assert_allclose(mixer.weights(shifted), mixer.weights(plain_state), atol=1e-9)
    np.testing.assert_allclose(mixer.result(shifted), mixer.result(plain_state), atol=1e-9)


def test_the_example_of_contributing_is_a_mixer(root, monkeypatch):
    code = re.search(
        r"```python\n(.*?)```", (root / "CONTRIBUTING.md").read_text("utf-8"), re.DOTALL
    )[1]
    module = ModuleType("reweightviz.mixers.blend")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(code, vars(module))  # noqa: S102
    monkeypatch.setattr(mixers, "Blend", module.Blend, raising=False)
    assert doctest.testmod(module) == (0, 2)
    for check in (
        test_is_frozen_and_written_as_it_is_made,
        test_names_its_paper_signals_and_use,
        test_weights_are_on_the_simplex,
        test_permuting_domains_permutes_weights,
        test_old_states_and_signals_are_untouched_and_answers_repeat,
        test_one_domain_gets_everything,
    ):
        check(make=module.Blend)
