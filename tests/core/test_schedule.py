"""Schedule: a mixture by step."""

from __future__ import annotations

import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule

EARLY, LATE = Mixture({"web": 0.9, "math": 0.1}), Mixture({"math": 0.5, "web": 0.5})


def test_a_stage_holds_until_the_next_begins():
    schedule = Schedule({8000: LATE, 0: EARLY}, steps=10_000)
    assert list(schedule) == [0, 8000]
    assert [schedule.at(step) for step in (0, 7999, 8000, 10**9)] == [EARLY, EARLY, LATE, LATE]
    assert schedule.domains == ("web", "math")
    assert dict(schedule.mean()) == pytest.approx({"web": 0.82, "math": 0.18})


def test_it_comes_back_from_disk_as_it_was(tmp_path):
    schedule = Schedule({0: EARLY, 8000: LATE}, steps=10_000, source={"method": "cooldown"})
    back = Schedule.load(schedule.save(tmp_path / "s.json"))
    assert (dict(back), back.steps, back.source) == (dict(schedule), 10_000, {"method": "cooldown"})


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Schedule({}), "takes a mapping of first step to mixture"),
        (lambda: Schedule([EARLY]), "takes a mapping of first step to mixture"),
        (lambda: Schedule({10: EARLY}), r"begins at step 0, .* got \[10\]"),
        (
            lambda: Schedule({0: EARLY, 1.5: LATE}),
            "a step must be a whole number of at least 0; got 1.5",
        ),
        (
            lambda: Schedule({0: EARLY, 10: LATE}, steps=10),
            "more than the last stage's first step 10; got 10",
        ),
        (
            lambda: Schedule({0: EARLY, 10: {"web": 1.0}}),
            "name different domains: only in the data 'math'",
        ),
        (
            lambda: Schedule({0: EARLY, 10: LATE}).mean(),
            "needs the length of the run: Schedule\\(stages, steps=...\\)",
        ),
    ],
)
def test_what_a_schedule_refuses(make, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        make()


def test_a_single_stage_is_the_mean_of_a_run_of_any_length():
    assert Schedule({0: EARLY}).mean() == EARLY
    assert Schedule({0: EARLY}, steps=10).mean() == EARLY


def test_a_file_that_is_no_schedule(tmp_path):
    for text in ("", "[]", "{}", '{"stages": [{"step": 0}]}', '{"stages": 3}'):
        (tmp_path / "s.json").write_text(text)
        with pytest.raises(
            ReweightvizError, match=r"s\.json is no schedule file \(JSON with 'stages'\): "
        ):
            Schedule.load(tmp_path / "s.json")


@pytest.mark.parametrize("steps", [2**63, 10**400])
def test_a_step_that_no_run_reaches_is_refused(steps):
    stages = {0: {"a": 1.0}, 10: {"a": 1.0}}
    for given in ({"stages": stages, "steps": steps}, {"stages": stages | {steps: {"a": 1.0}}}):
        with pytest.raises(
            ReweightvizError, match=r"^a step must be .* of at most 63 bits; got \d"
        ):
            Schedule(**given)
