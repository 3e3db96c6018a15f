"""Every law by its signature: a new one is tested by being listed in its family."""

import json
import re
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from reweightviz import laws
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.protocols import BrowserForm, ConvexLaw, Law, LawSpec, needs
from reweightviz.core.types import SIGNALS
from reweightviz.laws._restore import restore_law

SPECS = [getattr(laws, name)() for name in laws.__all__]
DOMAINS = ('a "quoted"', "b <b>", "c é🙂")
TARGETS = DOMAINS[:2]
SCALED = {"BiMix", "DataFiltering", "ScalingMixtures"}
"""Laws over training tokens: their runs differ in them."""
every_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda s: type(s).__name__)


def runs(spec, count=40, seed=0):
    """Runs in which a target's loss falls mostly with its own domain's weight, and what else the law names."""
    rng = np.random.default_rng(seed)
    mixtures = rng.dirichlet(np.ones(3), count)
    losses = 1 + (mixtures[:, :2] + 0.1) ** -0.3 + 0.05 * mixtures[:, [1, 0]]
    wanted, given = needs(spec.fit), {"domains": DOMAINS, "targets": TARGETS, "mixtures": mixtures}
    tokens = np.full(count, 1e9)
    if type(spec).__name__ in SCALED:
        tokens = rng.choice([1e9, 2e9, 4e9, 8e9], count)
        losses = losses + 0.3 * (tokens[:, None] / 1e9) ** -0.5
    likely = rng.normal(-3, 0.3, (2, 30, 3)) + 2 * np.eye(3)[:2, None]
    signals = {
        "run_tokens": tokens,
        "size": np.full(count, 1e8),
        "available": np.full(3, 1e11),
        "log_probs": likely,
        "domain_distances": 1 - 0.8 * np.eye(3)[:2],
        "losses": losses + rng.normal(0, 0.01, losses.shape),
    }
    if "law" in wanted:
        small = losses * 1.3 + rng.normal(0, 0.01, losses.shape)
        signals["law"] = laws.Olmix(draws=50).fit(
            domains=DOMAINS, targets=TARGETS, mixtures=mixtures, losses=small
        )
    return given | {name: value for name, value in signals.items() if name in wanted}


def law_inputs(law, count=1):
    """Inputs that the law takes beside the weights."""
    return {
        name: np.full(count, value)
        for name, value in {"run_tokens": 3e9, "size": 1e8}.items()
        if name in getattr(law, "given", ())
    }


@pytest.fixture(scope="module", params=SPECS, ids=lambda s: type(s).__name__)
def fit(request):
    """A spec and the law that it fits."""
    return request.param, request.param.fit(**runs(request.param))


@pytest.fixture(scope="module")
def law(fit):
    return fit[1]


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
    together = law.predict(weights, **law_inputs(law, 7))
    assert isinstance(law, Law)
    assert (together.shape, together.dtype) == ((7, 2), np.float64)
    for row, alone in zip(together, weights, strict=True):
        np.testing.assert_allclose(law.predict(alone[None], **law_inputs(law))[0], row, rtol=1e-9)
    with pytest.raises(ReweightvizError, match="shape"):
        law.predict(np.ones((2, 5)), **law_inputs(law, 2))


def test_follows_the_losses(fit):
    spec, law = fit
    given = runs(spec)
    extra = {name: given[name] for name in getattr(law, "given", ())}
    missed = np.abs(law.predict(given["mixtures"], **extra) - given["losses"]).mean(0)
    assert (missed < 0.35 * given["losses"].std(0)).all()


def test_intervals_hold_the_prediction_and_nest(law):
    weights = np.random.default_rng(2).dirichlet(np.ones(3), 30)
    extra = law_inputs(law, 30)
    predicted, (low, high), (lower, higher) = (
        law.predict(weights, **extra),
        law.interval(weights, 0.5, **extra),
        law.interval(weights, 0.95, **extra),
    )
    assert low.shape == high.shape == predicted.shape
    assert ((lower <= low) & (low <= high) & (high <= higher)).all()
    assert ((lower < predicted) & (predicted < higher)).all()


def test_samples_are_what_the_interval_is_made_of(law):
    weights = np.random.default_rng(2).dirichlet(np.ones(3), 5)
    samples, (low, high) = (
        law.samples(weights, **law_inputs(law, 5)),
        law.interval(weights, 0.5, **law_inputs(law, 5)),
    )
    assert samples.shape[1:] == (5, 2)
    middle = np.median(samples, axis=0)
    assert ((low <= middle) & (middle <= high)).all()
    with pytest.raises(ReweightvizError, match="level must be a probability"):
        law.interval(weights, 90, **law_inputs(law, 5))


def test_same_runs_same_law_and_arguments_untouched(fit):
    spec, law = fit
    given = runs(spec)
    kept = {name: np.copy(value) for name, value in given.items()}
    again = spec.fit(**given)
    weights = np.random.default_rng(3).dirichlet(np.ones(3), 5)
    np.testing.assert_array_equal(
        again.predict(weights, **law_inputs(law, 5)), law.predict(weights, **law_inputs(law, 5))
    )
    np.testing.assert_array_equal(
        again.interval(weights, **law_inputs(law, 5)), law.interval(weights, **law_inputs(law, 5))
    )
    for name, value in given.items():
        np.testing.assert_array_equal(value, kept[name])


@every_spec
def test_direction_of_the_targets_is_kept(spec):
    assert spec.fit(**runs(spec)).lower_is_better.tolist() == [True, True]
    assert spec.fit(**runs(spec), lower_is_better=[True, False]).lower_is_better.tolist() == [
        True,
        False,
    ]
    with pytest.raises(ReweightvizError, match=r"lower_is_better must be \(2,\)"):
        spec.fit(**runs(spec), lower_is_better=[True])


def test_says_how_well_it_fits(law):
    said = law.diagnostics
    assert {
        "r2",
        "mae",
        "held_out_r2",
        "held_out_mae",
        "runs",
        "degenerate",
        "constant",
    } <= said.keys()
    assert all(len(values) == 2 for values in said.values())
    assert min(said["r2"]) > 0.5 and max(said["mae"]) < 0.2
    assert (
        min(said["held_out_r2"]) > 0
        and (np.array(said["held_out_mae"]) >= 0.8 * np.array(said["mae"])).all()
    )


@every_spec
@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda given: {
                "losses": np.where(np.arange(40)[:, None] == 7, np.nan, given["losses"])
            },
            r"is nan in run 7 \(1 such runs\)",
        ),
        (
            lambda given: {"mixtures": np.tile(given["mixtures"][:1], (40, 1))},
            "differ in only 1 of 3 directions",
        ),
        (lambda given: {"mixtures": given["mixtures"][:, :2]}, r"needs mixtures \(R, 3\)"),
        (
            lambda given: {
                "mixtures": np.where(np.arange(40)[:, None] == 7, np.nan, given["mixtures"])
            },
            "mixtures must be finite",
        ),
        (
            lambda given: {
                name: value[:1]
                for name, value in given.items()
                if np.ndim(value) and len(value) == 40
            },
            "needs at least",
        ),
    ],
    ids=["missing losses", "one mixture", "too few domains", "missing weights", "one run"],
)
def test_runs_that_cannot_be_fitted_are_one_sentence(spec, spoil, sentence):
    given = runs(spec)
    with pytest.raises(ReweightvizError, match=sentence):
        spec.fit(**given | spoil(given))


def test_browser_form_is_of_a_known_kind(law):
    form = law.browser_form()
    assert form is None or isinstance(form, BrowserForm)
    if form is not None:
        assert json.loads(json.dumps(form.header))["kind"] in {"log-linear", "power", "linear"}
        assert form.header["domains"] == list(DOMAINS)
        assert len(form.data) % 4 == 0


def test_any_law_is_restored_by_its_kind(law):
    again = restore_law(json.loads(json.dumps(law.to_dict(), allow_nan=False)))
    weights = np.random.default_rng(4).dirichlet(np.ones(3), 5)
    assert type(again) is type(law)
    np.testing.assert_array_equal(
        again.predict(weights, **law_inputs(law, 5)), law.predict(weights, **law_inputs(law, 5))
    )


def test_survives_json(law):
    record = json.loads(json.dumps(law.to_dict(), allow_nan=False))
    again = type(law).from_dict(record)
    weights = np.random.default_rng(4).dirichlet(np.ones(3), 5)
    assert type(again) is type(law)
    assert (again.domains, again.targets) == (law.domains, law.targets)
    np.testing.assert_array_equal(
        again.predict(weights, **law_inputs(law, 5)), law.predict(weights, **law_inputs(law, 5))
    )
    np.testing.assert_array_equal(
        again.interval(weights, **law_inputs(law, 5)), law.interval(weights, **law_inputs(law, 5))
    )
    assert getattr(again.browser_form(), "data", None) == getattr(law.browser_form(), "data", None)
    assert again.diagnostics == law.diagnostics
    with pytest.raises(ReweightvizError, match="the kind of the law must be"):
        type(law).from_dict({"kind": "other"})
    with pytest.raises(ReweightvizError, match="incomplete or damaged"):
        type(law).from_dict({"kind": law.kind})


def test_a_convex_law_finds_its_own_minimum_and_no_other_claims_to(law):
    assert isinstance(law, ConvexLaw) == hasattr(law, "minimise")
    if not isinstance(law, ConvexLaw):
        return
    best = law.minimise(
        [2, 1],
        kl=0,
        upper=[0.5, 1, 1],
        **{name: value[0] for name, value in law_inputs(law).items()},
    )
    others = np.random.default_rng(6).dirichlet(np.ones(3), 3000)
    others = others[others[:, 0] <= 0.5]
    assert best.sum() == pytest.approx(1) and best.min() >= 0 and best[0] <= 0.5 + 1e-9
    assert (
        law.predict(best[None], **law_inputs(law))[0] @ [2, 1]
        <= (law.predict(others, **law_inputs(law, len(others))) @ [2, 1]).min() + 1e-7
    )
