"""What holds for every mixer, by its signature: a new one is tested by being listed in its family."""

import doctest
import re
import sys
from dataclasses import FrozenInstanceError, fields
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reweightviz import mixers
from reweightviz.core.protocols import Mixer, needs
from reweightviz.core.types import SIGNALS

BUDGET = 1e3
MIXERS = [getattr(mixers, name)(**{"budget": BUDGET} if name == "UniMax" else {}) for name in mixers.__all__]
every_mixer = pytest.mark.parametrize("mixer", MIXERS, ids=lambda m: type(m).__name__)
domains = st.lists(st.tuples(st.floats(BUDGET, 1e13), st.floats(-1, 20), st.booleans()), min_size=1, max_size=12)


def signals(rows):
    """Every signal that a mixer may name, for K drawn domains; some are absent from the batch."""
    tokens, loss, absent = (np.array(column) for column in zip(*rows, strict=True))
    told = np.where(absent, np.nan, loss)
    return {"tokens": tokens, "prior": tokens / tokens.sum(), "excess_loss": told, "loss": told, "reference_loss": 0 * told}


def run(mixer, given, updates=3):
    """Init and some updates; returns every state."""
    states = [mixer.init(**{name: given[name] for name in needs(mixer.init)})]
    for _ in range(updates if hasattr(mixer, "update") else 0):
        states.append(mixer.update(states[-1], **{name: given[name] for name in needs(mixer.update)}))
    return states


def test_the_family_is_sorted():
    assert mixers.__all__ == sorted(mixers.__all__)


@every_mixer
def test_is_frozen_and_written_as_it_is_made(mixer):
    assert isinstance(mixer, Mixer)
    assert eval(repr(mixer), vars(mixers)) == mixer  # noqa: S307
    assert hash(mixer) == hash(eval(repr(mixer), vars(mixers)))  # noqa: S307
    with pytest.raises((FrozenInstanceError, AttributeError)):
        setattr(mixer, fields(mixer)[0].name if fields(mixer) else "budget", 2.0)


@every_mixer
def test_names_its_paper_signals_and_use(mixer):
    module = __import__(type(mixer).__module__, fromlist=["State"])
    assert re.search(r"https://\S+", module.__doc__)
    assert mixer.paper in module.__doc__
    assert mixer.verified
    assert mixer.applies_to in {"sampling", "loss"}
    assert "Example:" in type(mixer).__doc__
    named = {name for verb in ("init", "update") if hasattr(mixer, verb) for name in needs(getattr(mixer, verb))}
    assert named <= SIGNALS.keys()


@every_mixer
@settings(deadline=None)
@given(rows=domains)
def test_weights_are_on_the_simplex(mixer, rows):
    for state in run(mixer, signals(rows)):
        for weights in (mixer.weights(state), mixer.result(state)):
            assert weights.shape == (len(rows),)
            assert weights.dtype == np.float64
            assert (weights >= 0).all()
            assert abs(weights.sum() - 1) < 1e-12


@every_mixer
@settings(deadline=None)
@given(rows=domains, seed=st.integers(0, 1000))
def test_permuting_domains_permutes_weights(mixer, rows, seed):
    order = np.random.default_rng(seed).permutation(len(rows))
    given = signals(rows)
    straight = run(mixer, given)[-1]
    permuted = run(mixer, {name: values[order] for name, values in given.items()})[-1]
    np.testing.assert_allclose(mixer.weights(permuted), mixer.weights(straight)[order], atol=1e-12)
    np.testing.assert_allclose(mixer.result(permuted), mixer.result(straight)[order], atol=1e-12)


@every_mixer
def test_old_states_and_signals_are_untouched_and_answers_repeat(mixer):
    given = signals([(5e3, 0.5, False), (2e3, 0.1, True), (9e4, -0.2, False)])
    kept = {name: values.copy() for name, values in given.items()}
    states = run(mixer, given)
    before = [[np.copy(part) for part in state] for state in states]
    again = run(mixer, given)
    for state, copies, other in zip(states, before, again, strict=True):
        mixer.weights(state), mixer.result(state)
        for part, copy, same in zip(state, copies, other, strict=True):
            np.testing.assert_array_equal(part, copy)
            np.testing.assert_array_equal(part, same)
    for name, values in given.items():
        np.testing.assert_array_equal(values, kept[name])


@every_mixer
def test_one_domain_gets_everything(mixer):
    state = run(mixer, signals([(5e3, 0.5, False)]))[-1]
    assert mixer.weights(state).tolist() == mixer.result(state).tolist() == [1.0]


def test_the_example_of_contributing_is_a_mixer(root, monkeypatch):
    code = re.search(r"```python\n(.*?)```", (root / "CONTRIBUTING.md").read_text("utf-8"), re.DOTALL)[1]
    module = ModuleType("reweightviz.mixers.max_cap")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(code, vars(module))  # noqa: S102
    monkeypatch.setattr(mixers, "MaxCap", module.MaxCap, raising=False)
    assert doctest.testmod(module) == (0, 2)
    for check in (test_is_frozen_and_written_as_it_is_made, test_names_its_paper_signals_and_use, test_weights_are_on_the_simplex,
                  test_permuting_domains_permutes_weights, test_old_states_and_signals_are_untouched_and_answers_repeat,
                  test_one_domain_gets_everything):
        check(mixer=module.MaxCap())
