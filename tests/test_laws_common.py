"""What holds for every law, by its signature: a new one is tested by being listed in its family."""

import json
import re
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from reweightviz import laws
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.protocols import BrowserForm, Law, LawSpec, needs
from reweightviz.core.types import SIGNALS

SPECS = [getattr(laws, name)() for name in laws.__all__]
DOMAINS, TARGETS = ('a "quoted"', "b <b>", "c é🙂"), ("x", "y")
every_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda s: type(s).__name__)


def runs(count=40):
    rng = np.random.default_rng(0)
    mixtures = rng.dirichlet(np.ones(3), count)
    losses = 1.5 + np.exp(mixtures @ rng.normal(0, 1, (3, 2))) + rng.normal(0, 0.01, (count, 2))
    return {"domains": DOMAINS, "targets": TARGETS, "mixtures": mixtures, "losses": losses}


@pytest.fixture(scope="module", params=SPECS, ids=lambda s: type(s).__name__)
def law(request):
    return request.param.fit(**runs())


def test_the_family_is_sorted():
    assert laws.__all__ == sorted(laws.__all__)


@every_spec
def test_is_frozen_documented_and_written_as_it_is_made(spec):
    module = __import__(type(spec).__module__, fromlist=["paper"])
    assert isinstance(spec, LawSpec)
    assert eval(repr(spec), vars(laws)) == spec  # noqa: S307
    with pytest.raises(FrozenInstanceError):
        setattr(spec, fields(spec)[0].name, 1)
    assert re.search(r"https://\S+", module.__doc__)
    assert spec.paper in module.__doc__
    assert spec.verified
    assert "Example:" in type(spec).__doc__
    assert needs(spec.fit).keys() <= SIGNALS.keys() | {"domains", "targets"}


def test_predicts_each_mixture_by_itself(law):
    weights = np.random.default_rng(1).dirichlet(np.ones(3), 7)
    together = law.predict(weights)
    assert isinstance(law, Law)
    assert (together.shape, together.dtype) == ((7, 2), np.float64)
    for row, alone in zip(together, weights, strict=True):
        np.testing.assert_allclose(law.predict(alone[None])[0], row, rtol=1e-12)
    with pytest.raises(ReweightvizError, match="shape"):
        law.predict(np.ones((2, 5)))


def test_follows_the_losses(law):
    given = runs()
    missed = np.abs(law.predict(given["mixtures"]) - given["losses"]).mean()
    assert missed < 0.1 * given["losses"].std(0).min()


def test_intervals_hold_the_prediction_and_nest(law):
    weights = np.random.default_rng(2).dirichlet(np.ones(3), 30)
    predicted, (low, high), (lower, higher) = law.predict(weights), law.interval(weights, 0.5), law.interval(weights, 0.95)
    assert low.shape == high.shape == predicted.shape
    assert ((lower <= low) & (low <= high) & (high <= higher)).all()
    assert ((lower < predicted) & (predicted < higher)).all()


def test_same_runs_same_law_and_arguments_untouched(law):
    given = runs()
    kept = {name: np.copy(value) for name, value in given.items()}
    spec = next(s for s in SPECS if isinstance(law, type(s.fit(**runs()))))
    again = spec.fit(**given)
    weights = np.random.default_rng(3).dirichlet(np.ones(3), 5)
    np.testing.assert_array_equal(again.predict(weights), law.predict(weights))
    np.testing.assert_array_equal(again.interval(weights), law.interval(weights))
    for name, value in given.items():
        np.testing.assert_array_equal(value, kept[name])


def test_direction_of_the_targets_is_kept():
    for spec in SPECS:
        assert spec.fit(**runs()).lower_is_better.tolist() == [True, True]
        assert spec.fit(**runs(), lower_is_better=[True, False]).lower_is_better.tolist() == [True, False]


def test_browser_form_is_of_a_known_kind(law):
    form = law.browser_form()
    assert form is None or isinstance(form, BrowserForm)
    if form is not None:
        assert json.loads(json.dumps(form.header))["kind"] in {"log-linear", "power", "linear"}
        assert form.header["domains"] == list(DOMAINS)
        assert len(form.data) % 4 == 0


def test_survives_json(law):
    record = json.loads(json.dumps(law.to_dict(), allow_nan=False))
    again = type(law).from_dict(record)
    weights = np.random.default_rng(4).dirichlet(np.ones(3), 5)
    assert (again.domains, again.targets) == (law.domains, law.targets)
    np.testing.assert_array_equal(again.predict(weights), law.predict(weights))
    np.testing.assert_array_equal(again.interval(weights), law.interval(weights))
    assert again.browser_form().data == law.browser_form().data
    assert again.diagnostics == law.diagnostics
    with pytest.raises(ReweightvizError, match="expected a law of kind"):
        type(law).from_dict({"kind": "other"})
    with pytest.raises(ReweightvizError, match="incomplete or damaged"):
        type(law).from_dict({"kind": law.kind})
