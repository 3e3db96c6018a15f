"""Every option of a reader or method behind a verb can be passed, and a wrong one is a sentence."""

import inspect

import numpy as np
import pandas as pd
import pytest

import reweightviz as rv
from reweightviz import catalogue, features
from reweightviz.core.protocols import needs
from reweightviz.decision import decision_record
from reweightviz.exporters import FRAMEWORKS
from reweightviz.readers import read_log, read_swarm
from reweightviz.readers.swarms import run_folder, tracker_table, two_tables

METHODS = catalogue.table()
LAWS = [getattr(rv.laws, name) for name in METHODS.index[METHODS.kind == "law"]]
MIXERS = [getattr(rv.mixers, name) for name in METHODS.index[METHODS.kind == "mixer"]]
STARTS = [verb for mixer in MIXERS for verb in (mixer.init, getattr(mixer, "update", mixer.init))]
BEHIND = {
    "read_swarm": read_swarm.LAYOUTS.values(),
    "read_log": [read_log.read_log, read_log.follow_log],
    "gradients": [features.gradients],
    "losses": [features.losses],
    "decision_record": [decision_record.decision_record],
    "export": [exporter.render for exporter in FRAMEWORKS.values()],
    "fit": [law.fit for law in LAWS],
    "compare": [law.fit for law in LAWS],
    "mix": STARTS,
    "replay": STARTS,
    "sensitivity": STARTS,
    "pareto": [rv.optimize],
    "score": [getattr(rv.scorers, name).score for name in rv.scorers.__all__],
}
"""Verbs that hand what is named on, to what takes it."""
ITS_OWN = {"pareto": {"kl", "seed"}}
"""What a verb and what is behind it both take, in one sense."""
READ_HERE = {"metrics"}
"""A parameter of rv.read_swarm that it hands on as the option of its name."""


def parameters(verb) -> dict:
    """Return the parameters of a verb by name, and under ** the one that takes any other."""
    found = inspect.signature(verb).parameters.values()
    return {"**" if one.kind is one.VAR_KEYWORD else one.name: one for one in found}


def test_every_verb_that_hands_options_on_is_here():
    verbs = {name: getattr(rv, name) for name in rv.__all__}
    functions = {name: verb for name, verb in verbs.items() if inspect.isfunction(verb)}
    assert {name for name, verb in functions.items() if "**" in parameters(verb)} == set(BEHIND)


@pytest.mark.parametrize("verb", BEHIND)
def test_no_option_is_shadowed_by_a_parameter_of_the_verb(verb):
    own = set(parameters(getattr(rv, verb))) - READ_HERE
    assert BEHIND[verb]
    for taker in BEHIND[verb]:
        assert own & set(needs(taker)) <= ITS_OWN.get(verb, set()), taker


TWO = ([{"run": "a", "web": 0.5, "code": 0.5}], [{"run": "a", "loss": 1.0}])
ONE = ([{"run": "a", "mix/web": 0.5, "mix/code": 0.5, "eval/loss": 1.0, "step": 3}],)
LONG = ([{"run": "a-0.5-0.5", "target": "web", "loss": 2.0}],)
TAKEN = {
    "two tables": {
        "keys": ["run"],
        "domains": None,
        "step": None,
        "strip": False,
        "tokens": {"web": 1.0, "code": 2.0},
        "higher_is_better": ["loss"],
        "on_error": "skip",
    },
    "one table": {
        "weights": "mix/",
        "metrics": "eval/*",
        "domains": None,
        "name": "run",
        "target": None,
        "value": None,
        "step": 3,
        "size": "step",
        "run_tokens": "step",
        "finished": False,
        "strip": False,
        "tokens": {"mix/web": 1.0},
        "higher_is_better": ["eval/loss"],
        "on_error": "skip",
    },
    "a folder of run logs": {
        "signal": "loss",
        "pattern": "*.jsonl",
        "last": 1,
        "tokens": {"web": 1.0},
        "on_error": "skip",
    },
}


@pytest.fixture
def folder(tmp_path):
    rv.RunLog(("web", "code"), [1], [[0.5, 0.5]], {"loss": [[2.0, 1.0]]}).save(tmp_path / "a.jsonl")
    return (tmp_path,)


@pytest.mark.parametrize("layout", TAKEN)
def test_every_option_of_every_layout_of_runs_is_reachable(layout, folder):
    readers = {
        "two tables": two_tables.read,
        "one table": tracker_table.read,
        "a folder of run logs": run_folder.read,
    }
    assert readers == read_swarm.LAYOUTS
    assert set(TAKEN[layout]) == set(needs(readers[layout]))
    given = {"two tables": TWO, "one table": ONE}.get(layout, folder)
    assert len(rv.read_swarm(*given, **TAKEN[layout])) == 1
    for name, value in TAKEN[layout].items():
        needed = {"signal": "loss"} if given is folder else {}
        assert len(rv.read_swarm(*given, **(needed | {name: value}))) == 1
    assert len(rv.read_swarm(*LONG, target="target", value="loss", domains=["web", "code"])) == 1


@pytest.mark.parametrize("layout", TAKEN)
def test_a_wrong_option_is_one_sentence(layout, folder):
    given = {"two tables": TWO, "one table": ONE}.get(layout, folder)
    with pytest.raises(rv.ReweightvizError, match=f"no option to read {layout} 'wieghts'"):
        rv.read_swarm(*given, wieghts="mix/")


def test_metrics_is_a_second_table_or_names_columns(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("run,loss\na,1.0\n")
    for second in (path, str(path), TWO[1], {"run": ["a"], "loss": [1.0]}):
        assert rv.read_swarm(TWO[0], second).losses.tolist() == [[1.0]]
        assert rv.read_swarm(ratios=TWO[0], metrics=second).losses.tolist() == [[1.0]]
    for columns in ("eval/*", "eval/", ["eval/loss"]):
        assert rv.read_swarm(*ONE, metrics=columns).losses.tolist() == [[1.0]]
        assert rv.read_swarm(*ONE, columns).losses.tolist() == [[1.0]]
    with pytest.raises(rv.ReweightvizError, match=r"evl.csv as a table of metrics: there is no"):
        rv.read_swarm(TWO[0], "evl.csv")


WEIGHTS = np.random.default_rng(0).dirichlet([1, 1], 8)
SWARM = rv.Swarm(("web", "code"), WEIGHTS, ("a", "b"), 1 + WEIGHTS, pd.DataFrame({"run": range(8)}))
LOG = rv.RunLog(("web", "code"), [1], [[0.5, 0.5]], {"excess_loss": [[2.0, 1.0]]})
SELECTION = rv.Selection(np.array([0]), np.array(["a"], object))
ONE_DOCUMENT = rv.Corpus({"text": ["a"], "domain": ["b"], "loss": [1.0]})
MISSPELT = {
    "fit": (lambda: rv.fit(SWARM, rv.laws.Olmix(), lower_is_beter=1), "lower_is_better"),
    "compare": (lambda: rv.compare(SWARM, [rv.laws.Olmix()], fold=3), "folds"),
    "mix": (lambda: rv.mix({"tokens": {"web": 1}}, rv.mixers.Natural(), lw=1), "law"),
    "replay": (lambda: rv.replay(LOG, rv.mixers.DoReMi(), sorces={}), "sources"),
    "sensitivity": (lambda: rv.sensitivity(LOG, rv.mixers.DoReMi(), value=[1]), "values"),
    "pareto": (lambda: rv.pareto(None, ["a", "b"], cap={}), "caps"),
    "read_log": (lambda: rv.read_log("a.jsonl", patern="x"), "pattern"),
    "read_swarm": (lambda: rv.read_swarm(*TWO, tokns={}), "tokens"),
    "gradients": (lambda: rv.gradients(None, layer=1), "layers"),
    "score": (lambda: rv.score(ONE_DOCUMENT, rv.scorers.Loss(), los="loss"), "loss"),
    "losses": (lambda: rv.losses(None, labl="x"), "label"),
    "decision_record": (lambda: rv.decision_record({"web": 1.0}, "d", titel="x"), "title"),
    "export": (lambda: rv.export(SELECTION, "csv", "s.csv", corps=1), "corpus"),
}


def test_every_verb_that_hands_options_on_is_misspelt_here():
    assert set(MISSPELT) == set(BEHIND)


@pytest.mark.parametrize("verb", MISSPELT)
def test_a_misspelt_option_is_refused_with_the_nearest_name(verb):
    call, nearest = MISSPELT[verb]
    with pytest.raises(rv.errors.UnknownName, match=f"did you mean '{nearest}'") as caught:
        call()
    assert "\n" not in str(caught.value)
