"""No name of a user's meets one of ours: the whole journey under odd names is that under plain ones.

Each leg returns numbers in the order of the names, never the names themselves, so that both
journeys must be equal.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import reweightviz as rv
from reweightviz.figures.consequence import consequences
from reweightviz.figures.runs import name_runs

PLAIN = (("A", "B", "C", "D", "E", "F"), ("T", "U"))
ODD = {
    "columns": (("step", "time", "tokens", "domain", "weight", "run"), ("author", "note")),
    "keys": (("name", "index", "level", "loss", "", "0"), ("mean", "worst")),
    "words of JavaScript": (
        ("__proto__", "constructor", "toString", "hasOwnProperty", "true", "length"),
        ("__proto__", "valueOf"),
    ),
    "words for nothing": (("nan", "None", "null", "NaN", "~", "no"), ("nan", "None")),
    "our rows": (
        ("mean of the runs", "natural", "uniform", "near", "weights", "domains"),
        ("natural", "uniform"),
    ),
    "alike": (("e\u0301", "\u00e9", "web", "web.1", "1", "1.0"), ("\ufb01", "fi")),
    "long": (
        ("x" * 5000, "x" * 4999 + "y", "z" * 300, "a,b", 'a"b', "a\\b"),
        ("t" * 5000, "t" * 4999 + "u"),
    ),
    "a domain and a target": (("T", "U", "A", "B", "C", "D"), ("T", "A")),
}
WEIGHTS = np.array([0.3, 0.2, 0.2, 0.1, 0.1, 0.1])
LATER = WEIGHTS[::-1]
TOKENS = np.arange(6.0, 0, -1) * 1e9
RUNS = 20


class Journey:
    """The things of a journey under names, each made when it is first asked for."""

    def __init__(self, names, targets, folder):
        self.names = list(names)
        self.targets = list(targets)
        self.folder = Path(folder)

    def table(self, values):
        return dict(zip(self.names, map(float, values), strict=True))

    def row(self, table):
        return [table[name] for name in self.names]

    @functools.cached_property
    def mixture(self):
        return rv.Mixture(self.table(WEIGHTS))

    @functools.cached_property
    def later(self):
        return rv.Mixture(self.table(LATER))

    @functools.cached_property
    def tokens(self):
        return self.table(TOKENS)

    @functools.cached_property
    def log(self):
        steps = np.arange(1, 5)
        signals = {
            "loss": 3 - np.outer(steps, WEIGHTS),
            "excess_loss": np.outer(1 / steps, LATER),
            "drawn_tokens": np.outer(steps, WEIGHTS) * 100,
        }
        facts = {"sources": self.tokens, "tokens": 1e6}
        scalars = {"lr": 1 / steps, "loss": 2.0 / steps}
        weights = [WEIGHTS] * len(steps)
        names = tuple(self.names)
        return rv.RunLog(names, steps, weights, signals, "run", facts, scalars=scalars)

    @functools.cached_property
    def swarm(self):
        rng = np.random.default_rng(0)
        mixtures = rng.dirichlet([2] * len(self.names), RUNS)
        slopes = rng.normal(1, 1, size=(len(self.names), 2))
        losses = 1 + np.exp(-mixtures @ slopes) + rng.normal(0, 0.01, (RUNS, 2))
        runs = pd.DataFrame({"run": range(RUNS)})
        names = tuple(self.names)
        return rv.Swarm(names, mixtures, tuple(self.targets), losses, runs, tokens=self.tokens)

    @functools.cached_property
    def law(self):
        return rv.fit(self.swarm, rv.laws.Olmix(draws=20))

    @functools.cached_property
    def live(self):
        bounds = {self.names[0]: (0, 0.9)}
        live = rv.LiveMixture.create(self.folder / "live.json", self.mixture, bounds=bounds)
        live.set(self.later, author="ann", note="more")
        data = dict.fromkeys(self.names, 10)
        batches = iter(rv.training.MixtureSampler(data, live, batch=4))
        for _ in range(3):
            next(batches)
        return live


def keep_mixtures(journey):
    path = journey.mixture.save(journey.folder / "mixture.json")
    found = (rv.Mixture.load(path), rv.load_mixture(path))
    return [journey.row(each) for each in found]


def keep_schedules(journey):
    schedule = rv.Schedule({0: journey.mixture, 5: journey.later}, steps=10)
    path = schedule.save(journey.folder / "schedule.json")
    found = (*rv.Schedule.load(path).values(), *rv.load_schedule(path).values())
    return [journey.row(each) for each in found]


def keep_sources(journey):
    table = {
        name: {"tokens": count, "documents": count / 100, "paths": [f"/data/{place}"]}
        for place, (name, count) in enumerate(journey.tokens.items())
    }
    path = rv.Sources(table).save(journey.folder / "sources.json")
    flat = journey.folder / "flat.json"
    flat.write_text(json.dumps(journey.tokens))
    found = rv.read_sources(path)
    paths = [found[name].paths for name in journey.names]
    return journey.row(found.token_table), paths, journey.row(rv.read_sources(flat).token_table)


def keep_logs(journey):
    journey.log.save(journey.folder / "log.jsonl")
    loaded = rv.RunLog.load(journey.folder / "log.jsonl")
    read = rv.read_log(journey.folder / "log.jsonl")
    scalars = loaded.scalars["loss"].tolist()
    return (
        loaded["loss"].tolist(),
        read["loss"].tolist(),
        scalars,
        journey.row(read.meta["sources"]),
    )


def write_logs(journey):
    logger = rv.training.RunLogger(journey.folder / "own.jsonl", domains=journey.names)
    logger.write(step=1, losses=journey.table(LATER), weights=journey.mixture, scalars={"lr": 0.1})
    logger.close()
    log = rv.read_log(journey.folder / "own.jsonl")
    return log["loss"].tolist(), log.weights.tolist()


def steer(journey):
    live = journey.live
    monitor = rv.Monitor([journey.log], live=live)
    monitor.steer(journey.mixture, author="ben")
    monitor.save(journey.folder / "monitor.svg")
    table = live.changes()
    weights = table["weight"][journey.names].to_numpy().tolist()
    taken = [journey.row(stage) for stage in live.history().values()]
    facts = (
        table["author"].tolist(),
        table["step"].dropna().tolist(),
        table["note"].dropna().tolist(),
    )
    return weights, taken, facts, live.guards.bounds[journey.names[0]]


def watch(journey):
    log = journey.log
    found = rv.diagnose(log).table.loc[journey.names].select_dtypes("number").fillna(-1.0)
    replayed = rv.replay(log, rv.mixers.DoReMi()).weights
    tried = rv.sensitivity(log, rv.mixers.DoReMi(), values=[0.5, 2.0])
    top = [journey.names.index(name) for name in tried.table["top"]]
    mixed = rv.mix({"tokens": journey.tokens}, rv.mixers.Natural())
    weights = tried.weights[journey.names].to_numpy()
    return found.to_numpy().tolist(), replayed.tolist(), weights.tolist(), top, journey.row(mixed)


def optimize(journey):
    names = journey.names
    first, second = journey.targets
    asked = [
        {},
        {"objective": first, "bounds": {names[0]: (0.2, 0.6)}},
        {"objective": {first: 0.3, second: 0.7}, "groups": {"two": (names[:2], 0, 0.5)}},
        {"sources": journey.tokens, "tokens": 1e10, "max_epochs": dict.fromkeys(names, 3)},
    ]
    return [journey.row(rv.optimize(journey.law, draws=0, **each)) for each in asked]


def find_front(journey):
    front = rv.pareto(journey.law, journey.targets, points=3)
    rv.ParetoFront(front)._repr_mimebundle_()
    parts = [front["weight"][journey.names], front["predicted"][journey.targets]]
    return [part.to_numpy().tolist() for part in parts]


def compare(journey):
    table = rv.compare(journey.swarm, [rv.laws.Olmix(draws=5)], folds=3).table
    mixtures = {"one": journey.mixture, "other": journey.later}
    change = consequences(journey.law, mixtures, "one").loc["other"]["change"]
    errors = [table.loc[("Olmix", target), "mae"] for target in journey.targets]
    return errors, [change[target] for target in journey.targets]


def design(journey):
    return rv.design_swarm(journey.tokens, runs=7)[journey.names].to_numpy().tolist()


def read_runs(journey):
    ratios = pd.DataFrame(journey.swarm.mixtures, columns=journey.names)
    ratios.insert(0, "the run", range(RUNS))
    metrics = pd.DataFrame(journey.swarm.losses, columns=journey.targets)
    metrics.insert(0, "the run", range(RUNS))
    swarm = rv.read_swarm(ratios, metrics, keys=["the run"], domains=journey.names, strip=False)
    columns = [swarm.targets.index(target) for target in journey.targets]
    return swarm.mixtures.tolist(), swarm.losses[:, columns].tolist()


def decide(journey):
    exported = journey.mixture.save(journey.folder / "chosen.json")
    path = rv.decision_record(
        journey.mixture,
        journey.folder / "why",
        law=journey.law,
        sources=journey.tokens,
        tokens=1e9,
        rejected={"natural": (journey.later, "not enough")},
        files=[exported],
    )
    return path.exists(), path.with_suffix(".html").exists()


def export(journey):
    found = []
    for framework, ending in (("json", "json"), ("yaml", "yaml"), ("csv", "csv"), ("python", "py")):
        path = journey.folder / f"exported.{ending}"
        rv.export(journey.mixture, framework, path, sources=journey.tokens, tokens=1e9)
        rv.check(path)
        found.append(journey.row(rv.load_mixture(path)))
    return found


def edit(journey):
    editor = rv.MixtureEditor(journey.tokens, mixture=journey.mixture, law=journey.law, budget=1e9)
    editor.add_preset("mine", journey.later)
    editor.mixture = journey.later
    editor._repr_mimebundle_()
    editor.undo()
    return journey.row(editor.mixture)


def explore(journey):
    explorer = rv.Explorer(tokens=journey.tokens, law=journey.law, logs=[journey.log])
    explorer.mixture = journey.mixture
    explorer.mixture = journey.later
    explorer.undo()
    explorer.save(journey.folder / "explorer")
    again = rv.Explorer.load(journey.folder / "explorer", law=journey.law)
    again.redo()
    return journey.row(explorer.mixture), journey.row(again.mixture)


def draw(journey):
    curves = (rv.LossCurves([journey.log]), rv.WeightTrajectories([journey.log]))
    return [len(each.figure.data) for each in curves]


LEGS = (
    keep_mixtures,
    keep_schedules,
    keep_sources,
    keep_logs,
    write_logs,
    steer,
    watch,
    optimize,
    find_front,
    compare,
    design,
    read_runs,
    decide,
    export,
    edit,
    explore,
    draw,
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    journey = Journey(*PLAIN, tmp_path_factory.mktemp("plain"))
    return functools.cache(lambda leg: leg(journey))


@pytest.fixture(scope="module", params=ODD)
def odd(request, tmp_path_factory):
    return Journey(*ODD[request.param], tmp_path_factory.mktemp("odd"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("leg", LEGS, ids=lambda leg: leg.__name__)
def test_a_journey_under_odd_names_is_that_under_plain_ones(odd, plain, leg):
    assert repr(leg(odd)) == repr(plain(leg))


def test_a_target_of_the_name_of_our_row_is_one_sentence(plain):
    swarm = plain(lambda journey: journey.swarm)
    renamed = rv.Swarm(
        swarm.domains, swarm.mixtures, ("a", "mean of targets"), swarm.losses, swarm.runs
    )
    with pytest.raises(rv.ReweightvizError, match="is the name of the row of their mean"):
        rv.compare(renamed, [rv.laws.Olmix(draws=5)])


@pytest.mark.parametrize("weights", ['1: 0.5, "1": 0.25', "1.5: 0.5, '1.5': 0.25"])
def test_a_number_and_its_text_are_no_two_domains(tmp_path, weights):
    path = tmp_path / "mixture.yaml"
    path.write_text(f"weights: {{{weights}, b: 0.75}}")
    with pytest.raises(rv.ReweightvizError, match="twice, as text and as no text"):
        rv.load_mixture(path)


def test_logs_of_one_folder_that_differ_in_their_ending_are_two(tmp_path):
    header = "step,loss_web,loss_code\n"
    (tmp_path / "run.csv").write_text(header + "1,3,2\n2,2,1\n")
    (tmp_path / "run.tsv").write_text(header.replace(",", "\t") + "1\t9\t8\n2\t8\t7\n")
    with pytest.raises(rv.ReweightvizError, match=r"run\.csv"):
        rv.read_log(tmp_path)
    assert rv.read_log(tmp_path, name="run.csv")["loss"].tolist() == [[3, 2], [2, 1]]
    assert rv.read_log(tmp_path, name="run")["loss"].tolist() == [[9, 8], [8, 7]]


def test_runs_are_told_apart_whatever_they_are_called():
    names = ["a", "a (2)", "a", "a", "a (2)"]
    logs = [rv.RunLog(("web",), [1], [[1.0]], name=name) for name in names]
    assert name_runs(logs) == ["a", "a (2)", "a (3)", "a (4)", "a (2) (2)"]
