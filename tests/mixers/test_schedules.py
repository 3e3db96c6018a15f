"""Cooldown and two phases: mixers whose answer is a schedule."""

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.mixers import (
    Cooldown,
    DoReMi,
    Temperature,
    TwoPhase,
)

COUNTS = [1000, 100, 10, 1]


def answer(mixer, **signals):
    return mixer.result(mixer.init(**signals))


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


def test_a_schedule_refuses_the_state_of_another_method():
    for mixer in (Cooldown(((0, 5), (8, 1)), steps=12), TwoPhase(switch=3, steps=10)):
        with pytest.raises(
            ReweightvizError,
            match="takes a state that its init or update returned; got reweightviz.mixers.doremi.State",
        ):
            mixer.update(DoReMi().init(prior=[0.5, 0.5]))
