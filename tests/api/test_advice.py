"""Every sentence of advice is followed to the letter: what led to the error, then what it advises.

A case is a function of a folder that returns the call that fails, and the calls that the sentence
advises. Every sentence of the table of tests/core/test_errors.py that names code has a case, or a
reason in ``WITHOUT``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import reweightviz as rv
from reweightviz import training

pytestmark = pytest.mark.filterwarnings("ignore::reweightviz.core.errors.ReweightvizWarning")

_spec = util.spec_from_file_location(
    "error_table", Path(__file__).parents[1] / "core/test_errors.py"
)
error_table = util.module_from_spec(_spec)
_spec.loader.exec_module(error_table)

CODE = re.compile(r"\b\w+=|\b(rv\.|[A-Z])\w+\(|\w\(\.\.\.|\brv\.(load|read|project)")
"""What a sentence has that names code: an option, a verb, a class."""
NO_ADVICE = "names an option or code, and advises none"
OF_A_TRAINER = "tests/steering runs it in a Trainer"
WITHOUT = {
    r"needs .*: pip install": "is followed by installing a package",
    r"cli/": "tests/cli follows it in a shell",
    r"sources= has (the file|\S+ paths|more|\{list_names)": "asks for another layout of files",
    r"\d would be|reads .*, not files of text": "asks for data that are prepared elsewhere",
    r"no domain in sources=|no (data_paths|stream)|\w\.mix\(|\[\[prefixes\]": NO_ADVICE,
    r"no interleave|Stream takes": NO_ADVICE,
    r"a sampler has no end|the sampler (makes|stands)|persistent_workers": OF_A_TRAINER,
    r"as rv.read_(log|swarm) (returns|gives)|RunLog of|x=\{x\}": "names a kind, and advises no call",
    r"(other documents|Lance itself); pass overwrite|not one that a Corpus saved": "tests/core/test_store.py",
    r"could be a config of": "no file is claimed twice; tests/exporters/test_check.py feigns one",
    r"alone does not fit into the memory": "takes a memory that is full; tests/models feigns one",
    r"is no mixture for|rejected= maps|max_epochs must|ReweightvizError: \{sentence\}": NO_ADVICE,
}
"""Sentences without a case, and why."""
CASES: list[tuple[str, Callable]] = []
START = {"web": 0.7, "code": 0.2, "math": 0.1}
SIZES = {"web": 500, "code": 40, "math": 7}
RUN = rv.RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2, {"loss": [[2.0, 1.0]] * 2})


def advice(sentence: str) -> Callable:
    """Enter a case under a regular expression of its sentence."""

    def enter(case: Callable) -> Callable:
        CASES.append((sentence, case))
        return case

    return enter


@pytest.mark.parametrize(("sentence", "case"), CASES, ids=[case.__name__ for _, case in CASES])
def test_advice_works_when_it_is_followed(sentence, case, tmp_path):
    fail, *follow = case(tmp_path)
    with pytest.raises(rv.ReweightvizError, match=sentence):
        fail()
    assert follow
    for call in follow:
        call()


def test_every_sentence_that_names_code_has_a_case():
    known = re.compile("|".join(f"(?:{text})" for text in (*WITHOUT, *(text for text, _ in CASES))))
    sentences = [line for line in error_table.table().splitlines() if CODE.search(line)]
    assert [line for line in sentences if not known.search(line)] == []


def test_every_reason_is_needed():
    sentences = error_table.table()
    assert [text for text in WITHOUT if not re.search(text, sentences)] == []


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


# ---- proxy runs


ROWS = [
    {"run": "a", "State": "crashed", "mix/web": 0.7, "mix/code": 0.3, "eval/web": 3.1, "note": "x"},
    {"run": "b", "State": "crashed", "mix/web": 0.4, "mix/code": 0.6, "eval/web": 3.3, "note": "y"},
]
DONE = [row | {"State": "finished"} for row in ROWS]


@advice("metrics= names the targets, as in metrics='eval/")
def targets_are_named(_):
    return lambda: rv.read_swarm(DONE), lambda: rv.read_swarm(DONE, metrics="eval/*")


@advice("signal= names what a run reached")
def signal_of_a_folder_is_named(path):
    for name in "ab":
        loss = np.full((1, 2), 3.0)
        rv.RunLog(("web", "code"), [10], [[0.7, 0.3]], {"loss": loss}, name=name).save(
            path / f"{name}.jsonl"
        )
    return lambda: rv.read_swarm(path), lambda: rv.read_swarm(path, signal="loss")


@advice("finished=False takes them all")
def unfinished_runs_are_taken(_):
    return (
        lambda: rv.read_swarm(ROWS, metrics="eval/"),
        lambda: rv.read_swarm(ROWS, metrics="eval/", finished=False),
    )


@advice("no name of a run ends in them; weights= names the columns")
def weights_are_named(_):
    rows = [{"run": "a", "web": 0.5, "code": 0.5, "eval/loss": 1.0}]
    return lambda: rv.read_swarm(rows), lambda: rv.read_swarm(rows, weights=["web", "code"])


@advice("several groups of columns sum to 1, .* weights=.* takes those alone")
def a_phase_is_chosen(_):
    rows = [row | {"late_web": 0.5, "late_code": 0.5, "eval/loss": 1.0} for row in DONE]
    return lambda: rv.read_swarm(rows), lambda: rv.read_swarm(rows, weights="mix/")


@advice("weights= names the columns of the weights, domains= those in the names")
def weights_or_domains(_):
    both = {"weights": "mix/", "domains": ["web", "code"]}
    rows = [row | {"run": "a-0.7-0.3"} for row in DONE[:1]]
    options = {"metrics": "eval/"}
    return (
        lambda: rv.read_swarm(rows, **both, **options),
        lambda: rv.read_swarm(rows, weights="mix/", **options),
        lambda: rv.read_swarm(rows, domains=["web", "code"], **options),
    )


@advice("names of the runs may end in mixtures of .* domains: domains= names them")
def domains_of_names_are_named(_):
    rows = [{"run": "0-0.7-0.3", "target": name, "loss": 1.0} for name in ("x", "y")]
    return lambda: rv.read_swarm(rows), lambda: rv.read_swarm(rows, domains=["web", "code"])


@advice("names of runs end in no .* weights that sum to .*on_error='skip' leaves them out|advice")
def runs_without_a_mixture_are_left_out(_):
    rows = [
        {"run": run, "target": name, "loss": 1.0} for run in ("a-0.5-0.5", "b") for name in "xy"
    ]
    options = {"domains": ["web", "code"]}
    return (
        lambda: rv.read_swarm(rows, **options),
        lambda: rv.read_swarm(rows, on_error="skip", **options),
    )


@advice("name= names the run, target= what was measured, value= what came out")
def columns_of_a_long_table_are_named(_):
    rows = [{"who": "a-0.5-0.5", "what": name, "nll": 1.0} for name in "xy"]
    named = {"name": "who", "target": "what", "value": "nll"}
    return lambda: rv.read_swarm(rows, target="what"), lambda: rv.read_swarm(rows, **named)


@advice("no run has step .*; there is .* or 'all'")
def a_step_is_chosen(_):
    rows = [row | {"step": step} for row in DONE for step in (1, 2)]
    options = {"metrics": "eval/"}
    return (
        lambda: rv.read_swarm(rows, step=3, **options),
        lambda: rv.read_swarm(rows, step=2, **options),
        lambda: rv.read_swarm(rows, step="all", **options),
    )


@advice("has no number in .*on_error='skip' leaves them out|has no number in .*advice")
def runs_without_a_loss_are_left_out(_):
    rows = [DONE[0], DONE[1] | {"eval/web": None}]
    return (
        lambda: rv.read_swarm(rows, metrics="eval/"),
        lambda: rv.read_swarm(rows, metrics="eval/", on_error="skip"),
    )


RATIOS = [{"run": "a", "web": 0.7, "code": 0.3}, {"run": "b", "web": 0.4, "code": 0.6}]
LOSSES = [{"run": "a", "web": 3.1}, {"run": "b", "web": 3.3}]


@advice("must hold numbers; row .*(keys= names columns of text, on_error='skip' leaves|hint)")
def columns_of_text_are_keys(_):
    ratios = [row | {"note": "first"} for row in RATIOS]
    return (
        lambda: rv.read_swarm(ratios, LOSSES),
        lambda: rv.read_swarm(ratios, LOSSES, keys=["run", "note"]),
    )


@advice("must share a column that names a run, .* or one that keys= names")
def another_column_names_the_runs(_):
    ratios = [{"uuid": row["run"]} | {k: row[k] for k in ("web", "code")} for row in RATIOS]
    losses = [{"uuid": row["run"], "web": row["web"]} for row in LOSSES]
    return lambda: rv.read_swarm(ratios, losses), lambda: rv.read_swarm(
        ratios, losses, keys=["uuid"]
    )


@advice("stand in one of the two tables only, .*on_error='skip' leaves them out")
def runs_of_one_table_are_left_out(_):
    return (
        lambda: rv.read_swarm(RATIOS, LOSSES[:1]),
        lambda: rv.read_swarm(RATIOS, LOSSES[:1], on_error="skip"),
    )


@advice(
    "it is a URL, and nothing is fetched here: (download it, or pass the table that pandas|{inst)"
)
def a_table_takes_the_place_of_a_url(folder):
    path = write(folder / "runs.csv", pd.DataFrame(DONE).to_csv(index=False))
    return (
        lambda: rv.read_swarm("https://example.org/runs.csv", metrics="eval/"),
        lambda: rv.read_swarm(path, metrics="eval/"),
        lambda: rv.read_swarm(pd.read_csv(path), metrics="eval/"),
    )


# ---- logs and documents


LOG = "step,train_loss_web,train_loss_code\n1,3.0,2.0\n2,2.5,1.5\n"


@advice("to_csv\\('run.csv', index=False\\) writes a table to one")
def a_table_in_memory_becomes_a_log(folder):
    frame = pd.read_csv(write(folder / "log.csv", LOG))

    def follow() -> None:
        frame.to_csv(folder / "run.csv", index=False)
        assert rv.read_log(folder / "run.csv").domains == ("web", "code")

    return lambda: rv.read_log(frame), follow


@advice("holds .*: there is .*; name= picks one")
def one_run_of_several_is_named(folder):
    header = "Step,a - eval/web/loss,a - eval/code/loss,b - eval/web/loss,b - eval/code/loss\n"
    path = write(folder / "chart.csv", header + "1,3,2,3,2\n2,2,1,2,1\n")
    return lambda: rv.read_log(path), lambda: rv.read_log(path, name="a")


@advice("reading .* needs column 'domain'.* domain= names another, domain=None takes|_HINTS")
def another_column_holds_the_domain(folder):
    path = write(folder / "a.jsonl", '{"text": "x", "kind": "web"}\n')
    return (
        lambda: rv.read_corpus(path),
        lambda: rv.read_corpus(path, domain="kind"),
        lambda: rv.read_corpus(path, domain=None),
    )


@advice("on_error='skip' leaves such rows out|SKIPPING")
def rows_that_are_broken_are_left_out(folder):
    path = write(folder / "a.jsonl", '{"text": "x", "domain": "web"}\n{"text": \n')
    return lambda: rv.read_corpus(path), lambda: rv.read_corpus(path, on_error="skip")


@advice("a Map needs column xy; .*rv.project\\(corpus\\) makes it|a Map needs column 'xy'")
def a_map_has_places(_):
    documents = rv.read_corpus(
        pd.DataFrame({"text": [f"text {n} of {n % 7}" for n in range(40)], "domain": ["web"] * 40})
    )
    embedded = rv.embed(documents)
    return lambda: rv.Map(embedded), lambda: rv.Map(rv.project(embedded, method="pca"))


# ---- mixtures, schedules, live mixtures


@advice("must sum to 1; these sum to .*: Mixture.normalized\\(...\\) rescales them")
def weights_are_rescaled(_):
    return lambda: rv.Mixture({"a": 1.0, "b": 1.0}), lambda: rv.Mixture.normalized({"a": 1, "b": 1})


@advice("needs the length of the run: Schedule\\(stages, steps=...\\)")
def a_schedule_has_a_length(_):
    stages = {0: {"a": 1.0, "b": 0.0}, 10: {"a": 0.0, "b": 1.0}}
    return lambda: rv.Schedule(stages).mean(), lambda: rv.Schedule(stages, steps=20).mean()


@advice("steps= must be the length of the run, more than the last stage's first step")
def a_schedule_is_longer_than_its_stages(_):
    stages = {0: {"a": 1.0}, 10: {"a": 1.0}}
    return lambda: rv.Schedule(stages, steps=10), lambda: rv.Schedule(stages, steps=11)


@advice('guards must be bounds={"web": \\(0.2, 0.8\\)}, max_change=0.05, locked=')
def guards_are_named(folder):
    given = {"bounds": {"web": (0.2, 0.8)}, "max_change": 0.05, "locked": ("code",)}
    return (
        lambda: rv.LiveMixture.create(folder / "a.json", START, bounds={"web": 0.3}),
        lambda: rv.LiveMixture.create(folder / "a.json", START, **given),
    )


@advice("locked; guard\\(locked=...\\) unlocks")
def a_lock_is_taken_off(folder):
    live = rv.LiveMixture.create(folder / "a.json", START)
    live.guard(locked=True, author="ann")
    later = {"web": 0.5, "code": 0.3, "math": 0.2}
    return (
        lambda: live.set(later, author="ben"),
        lambda: live.guard(locked=False, author="ann"),
        lambda: live.set(later, author="ben"),
    )


@advice("LiveMixture.create\\(...\\) makes it anew")
def a_lost_live_mixture_is_made_anew(folder):
    live = rv.LiveMixture.create(folder / "a.json", START)
    live.path.unlink()
    return (
        lambda: live.set(START, author="ann"),
        lambda: rv.LiveMixture.create(folder / "a.json", START, overwrite=True),
    )


@advice("exists already: LiveMixture\\(.* goes on with it, overwrite=True begins anew")
def a_live_mixture_goes_on(folder):
    path = rv.LiveMixture.create(folder / "a.json", START).path
    return (
        lambda: rv.LiveMixture.create(path, START),
        lambda: rv.LiveMixture(str(path)),
        lambda: rv.LiveMixture.create(path, START, overwrite=True),
    )


@advice(
    "core/files.py.* it exists already; pass overwrite=True|it exists already; .*pass overwrite"
)
def a_file_is_replaced(folder):
    path = folder / "a.yaml"
    rv.export(START, "levanter", path)
    return (
        lambda: rv.export(START, "levanter", path),
        lambda: rv.export(START, "levanter", path, overwrite=True),
        lambda: rv.export(START, "levanter", path, merge=True),
    )


@advice("steers nothing: Monitor\\(logs, live=...\\)")
def a_monitor_steers(folder):
    live = rv.LiveMixture.create(folder / "a.json", {"web": 0.5, "code": 0.5})
    return lambda: rv.Monitor(RUN).editor, lambda: rv.Monitor(RUN, live=live).editor


@advice("budget= is for the epochs of each domain, which need sources=")
def a_budget_has_sources(_):
    sources = {"web": 1e9, "code": 1e9}
    return (
        lambda: rv.Monitor(RUN, budget="2B"),
        lambda: rv.Monitor(RUN, budget="2B", sources=sources),
    )


@advice("an Explorer needs a corpus, or tokens={'web': 1.2e12")
def an_explorer_has_tokens(_):
    return rv.Explorer, lambda: rv.Explorer(tokens={"web": 1.2e12, "code": 3e11})


@advice("holds an explorer; Explorer.load opens it, save\\(path, overwrite=True\\) replaces it")
def a_saved_explorer_is_opened(folder):
    tokens = {"web": 1.2e12, "code": 3e11}
    rv.Explorer(tokens=tokens).save(folder / "x")
    other = rv.Explorer(tokens=tokens)
    return (
        lambda: other.save(folder / "x"),
        lambda: rv.Explorer.load(folder / "x"),
        lambda: other.save(folder / "x", overwrite=True),
    )


# ---- laws, proposals, decisions


def law(names: tuple[str, ...] = ("web", "code", "math"), better: tuple[bool, ...] = (True, True)):
    rng = np.random.default_rng(0)
    mixtures = rng.dirichlet(np.ones(len(names)), 30)
    losses = np.exp(mixtures @ rng.normal(0, 0.5, (len(names), 2)) + 1)
    swarm = rv.Swarm(
        names,
        mixtures,
        ("x", "y"),
        losses,
        pd.DataFrame({"run": range(30)}),
        None,
        np.array(better),
    )
    return rv.fit(swarm, rv.laws.Olmix(draws=5, starts=1))


@advice("a proposal needs a fitted law, .* as in rv.fit\\(swarm, rv.laws.")
def a_law_is_fitted_first(_):
    swarm = rv.demo_swarm()
    spec = rv.laws.Olmix(draws=5, starts=1)
    return lambda: rv.optimize(spec), lambda: rv.optimize(rv.fit(swarm, spec))


@advice("max_epochs needs tokens= \\(the budget\\) and sources=")
def epochs_have_a_budget(_):
    sources = dict.fromkeys(START, 1e9)
    return (
        lambda: rv.optimize(law(), max_epochs=4),
        lambda: rv.optimize(law(), max_epochs=4, tokens=1e9, sources=sources),
    )


@advice("near gives 0 to .* give it a small weight, set kl=0, or leave it out by bounds=")
def a_prior_without_a_domain(_):
    near = {"web": 0.5, "code": 0.5, "math": 0.0}
    small = {"web": 0.5, "code": 0.49, "math": 0.01}
    return (
        lambda: rv.optimize(law(), near=near),
        lambda: rv.optimize(law(), near=small),
        lambda: rv.optimize(law(), near=near, kl=0),
        lambda: rv.optimize(law(), near=near, bounds={"math": (0, 0)}),
    )


@advice("name the targets that count, as in objective={'a': 1, 'b': 1}")
def targets_of_one_direction_count(_):
    mixed = law(better=(True, False))
    return (
        lambda: rv.optimize(mixed, objective="worst"),
        lambda: rv.optimize(mixed, objective={"x": 1, "y": 1}),
    )


@advice("BiMix\\(every_domain=True\\) sums over all domains")
def bimix_takes_every_domain(_):
    rng = np.random.default_rng(0)
    mixtures = rng.dirichlet(np.ones(2), 30)
    losses = 2 + 1 / (0.1 + mixtures[:, :1])
    runs = pd.DataFrame({"run": range(30), "run_tokens": rng.choice([1e9, 2e9, 4e9], 30)})
    swarm = rv.Swarm(("web", "code"), mixtures, ("qa",), losses, runs)
    return (
        lambda: rv.fit(swarm, rv.laws.BiMix(draws=0)),
        lambda: rv.fit(swarm, rv.laws.BiMix(every_domain=True, draws=0)),
    )


@advice("a ParetoFront draws what rv.pareto\\(law, targets\\) gives")
def a_front_is_drawn(_):
    return (
        lambda: rv.ParetoFront(pd.DataFrame({"a": [1.0]})),
        lambda: rv.ParetoFront(rv.pareto(law(), ["x", "y"], points=3)),
    )


@advice("reference= takes another mixture to compare with")
def a_decision_has_a_reference(folder):
    mixture = {"web": 0.5, "code": 0.5}
    sources = {"web": 1e9}
    return (
        lambda: rv.decision_record(mixture, folder / "a", sources=sources),
        lambda: rv.decision_record(mixture, folder / "a", reference={"web": 0.4, "code": 0.6}),
    )


@advice("predicts from .* too: give it, as in given={.*: 1e9}, or hold it by law.at\\(")
def a_size_is_given(_):
    sized = sized_law()
    return (
        lambda: rv.optimize(sized),
        lambda: rv.optimize(sized, given={"size": 1e9}),
        lambda: rv.optimize(sized.at(size=1e9)),
    )


def sized_runs() -> rv.Swarm:
    rng = np.random.default_rng(0)
    mixtures = rng.dirichlet(np.ones(2), 40)
    runs = pd.DataFrame({"size": np.tile([1e6, 4e6, 2e7, 1e8], 10), "run_tokens": [1e9] * 40})
    losses = 2 + (1 + mixtures[:, :1]) * (1e6 / runs[["size"]].to_numpy()) ** 0.2
    return rv.Swarm(("web", "code"), mixtures, ("x",), losses, runs)


def sized_law():
    return rv.fit(sized_runs(), rv.laws.ScalingMixtures(draws=0))


@advice("a mixing law holds at one: DataMixing\\(.*=...\\) extrapolates")
def a_mixing_law_extrapolates(_):
    runs = sized_runs()
    nested = np.repeat(np.arange(10), 4)
    mixtures = runs.mixtures[nested]
    losses = 2 + (1 + mixtures[:, :1]) * (1e6 / runs.runs[["size"]].to_numpy()) ** 0.2
    swarm = rv.Swarm(runs.domains, mixtures, runs.targets, losses, runs.runs)
    options = {"draws": 0, "starts": 1}
    return (
        lambda: rv.fit(swarm, rv.laws.DataMixing(**options)),
        lambda: rv.fit(swarm, rv.laws.DataMixing(to_size=1e9, **options)),
        lambda: rv.fit(swarm.take(np.arange(0, 40, 4)), rv.laws.DataMixing(**options)),
    )


@advice("this takes .*: hold them with law.at\\(...\\)")
def a_law_beneath_holds_its_size(_):
    sized = sized_law()
    spec = rv.laws.LossToLoss(draws=0)
    swarm = sized_runs()
    return (
        lambda: rv.fit(swarm, spec, law=sized),
        lambda: rv.fit(swarm, spec, law=sized.at(size=1e6)),
    )


@advice("Repeated takes a law's settings, such as Repeated\\(Olmix\\(\\)\\)")
def a_repeated_law_has_settings(_):
    return lambda: rv.laws.Repeated(rv.laws.Olmix), lambda: rv.laws.Repeated(rv.laws.Olmix())


@advice("compare needs at least one spec, such as rv.laws.Olmix\\(\\)")
def a_comparison_has_a_law(_):
    swarm = rv.demo_swarm()
    return (
        lambda: rv.compare(swarm, []),
        lambda: rv.compare(swarm, [rv.laws.Olmix(draws=0, starts=1)], folds=2),
    )


@advice("ActiveMultiTask takes a cost with power=1 alone")
def a_cost_needs_a_power_of_one(_):
    given = {"task_heads": np.eye(2), "target_head": [1, 2], "cost": [1, 1]}
    return (
        lambda: rv.mixers.ActiveMultiTask(power=2).init(**given),
        lambda: rv.mixers.ActiveMultiTask(power=1).init(**given),
    )


# ---- replay and samplers


@advice("starts from .*, which the log .* lacks: rv.replay\\(log, mixer, ")
def what_a_mixer_starts_from_is_handed_over(_):
    return (
        lambda: rv.replay(RUN, rv.mixers.Natural()),
        lambda: rv.replay(RUN, rv.mixers.Natural(), tokens={"web": 3.0, "code": 1.0}),
    )


@advice("is 0 in this mixer, so there is nothing to multiply: name values=\\[...\\]")
def values_to_try_are_named(_):
    odm = rv.mixers.ODM()
    return (
        lambda: rv.sensitivity(RUN, odm, "warmup"),
        lambda: rv.sensitivity(RUN, odm, "warmup", values=[0, 1]),
    )


@advice("values= must be a list of finite numbers to try")
def values_to_try_are_numbers(_):
    odm = rv.mixers.ODM()
    return (
        lambda: rv.sensitivity(RUN, odm, "scale", [float("nan")]),
        lambda: rv.sensitivity(RUN, odm, "scale", [0.5, 1.0]),
    )


@advice("make one and pass it as follow")
def a_mixer_steers_a_live_mixture(folder):
    live = rv.LiveMixture.create(folder / "a.json", START)
    options = {"batch": 16, "mixer": rv.mixers.ODM()}
    return (
        lambda: training.MixtureSampler(SIZES, START, **options),
        lambda: training.MixtureSampler(SIZES, follow=live, **options),
    )


@advice("has no mixer to update: MixtureSampler\\(..., mixer=...\\)")
def a_sampler_with_a_mixer_is_updated(folder):
    live = rv.LiveMixture.create(folder / "a.json", START)
    one = training.MixtureSampler(SIZES, START, batch=16)
    two = training.MixtureSampler(SIZES, live, batch=16, mixer=rv.mixers.ODM())
    losses = {"loss": [1.0, 2.0, 3.0]}
    return lambda: one.update(losses), lambda: two.update(losses)


@advice(
    "the sampler and the log name different domains.*RunLogger\\(path, domains=sampler.domains\\)"
)
def a_logger_has_the_domains_of_the_sampler(folder):
    sampler = training.MixtureSampler(SIZES, START, batch=16)
    return (
        lambda: training.RunLogger(folder / "a.jsonl", domains=["web"]).expect(sampler.domains),
        lambda: training.RunLogger(folder / "b.jsonl", domains=sampler.domains).expect(
            sampler.domains
        ),
    )


@advice("signals that must be measured: measure=, a function of their names")
def costly_signals_are_measured(folder):
    from reweightviz.training.costly_signals import require_measure

    live = rv.LiveMixture.create(folder / "a.json", START)
    sampler = training.MixtureSampler(SIZES, live, batch=16, mixer=rv.mixers.Aioli())

    def measure(names):
        return {name: [1.0, 2.0, 3.0] for name in names}

    return (
        lambda: require_measure(sampler, None),
        lambda: require_measure(sampler, measure)(("probe_loss",)),
    )


@advice("that there are: given= must hold one number for each")
def a_mixer_is_given_every_domain(folder):
    live = rv.LiveMixture.create(folder / "a.json", START)

    def sample(tokens):
        natural = rv.mixers.Natural()
        return training.MixtureSampler(
            SIZES, live, batch=16, mixer=natural, given={"tokens": tokens}
        )

    return lambda: sample([1, 1]), lambda: sample([1, 1, 1])


@advice("make them with ProxyData\\(corpus, ")
def proxy_data_have_the_context_of_the_model(_):
    pytest.importorskip("torch")
    from reweightviz.training.proxy_data import ProxyData, cut_corpus

    text = [f"some words of document {n} " * 40 for n in range(80)]
    documents = rv.read_corpus(pd.DataFrame({"text": text, "domain": ["web", "code"] * 40}))
    return (
        lambda: cut_corpus(ProxyData(documents, 64), 128),
        lambda: cut_corpus(ProxyData(documents, 128), 128),
    )


# ---- exports


def table(*names: str, documents: float | None = 1e6, folder: str = "/d") -> rv.Sources:
    rows = {name: {"tokens": 1e9, "paths": [f"{folder}/{name}"]} for name in names}
    if documents is not None:
        rows = {name: row | {"documents": documents} for name, row in rows.items()}
    return rv.Sources(rows)


PAIR = {"web": 0.5, "code": 0.5}


def exporting(framework: str, name: str, folder: Path, mixture: dict | rv.Schedule = PAIR):
    """Return a function of options that exports a mixture to a file of the folder, whatever is there."""

    def export(**options):
        return rv.export(mixture, framework, folder / name, **({"overwrite": True} | options))

    return export


@advice(
    "needs a prefix for each indexed dataset: .*Sources.with_paths sets them, prefix_dir= makes"
)
def megatron_has_prefixes(folder):
    export = exporting("megatron", "blend.txt", folder)
    bare = rv.Sources(dict.fromkeys(PAIR, 1e9))
    return (
        lambda: export(sources=bare),
        lambda: export(sources=bare.with_paths({name: f"/d/{name}" for name in PAIR})),
        lambda: export(sources=bare, prefix_dir="/d"),
    )


@advice("needs one path for each domain; .*or Sources.with_paths")
def every_domain_has_a_path(folder):
    bare = rv.Sources(dict.fromkeys(PAIR, 1e9))
    export = exporting("litdata", "a.py", folder)
    return (
        lambda: export(sources=bare),
        lambda: export(sources=bare.with_paths({name: f"/d/{name}" for name in PAIR})),
    )


@advice("needs the files or the dataset name of each domain; .*Sources.with_paths sets them")
def every_domain_has_files(folder):
    bare = rv.Sources(dict.fromkeys(PAIR, {"tokens": 1e9, "documents": 1e6}))
    export = exporting("trl", "a.yaml", folder)
    return (
        lambda: export(sources=bare),
        lambda: export(sources=bare.with_paths({name: f"org/{name}" for name in PAIR})),
    )


@advice("has white space, where Megatron cuts; form='per_split' can hold it")
def megatron_holds_white_space(folder):
    sources = table("web", "code", folder="/my data")
    return (
        lambda: exporting("megatron", "blend.txt", folder)(sources=sources),
        lambda: exporting("megatron", "blend.json", folder)(sources=sources, form="per_split"),
    )


STAGES = rv.Schedule({0: PAIR, 1024: {"web": 0.25, "code": 0.75}}, steps=4096)


@advice("the phases of a schedule are files: form='text' or 'per_split'")
def megatron_writes_phases(folder):
    sources = table("web", "code")

    def export(name, **options):
        return rv.export(STAGES, "megatron", folder / name, sources=sources, **options)

    return (
        lambda: export("a", form="arguments"),
        lambda: export("b", form="text"),
        lambda: export("c", form="per_split"),
    )


@advice("holds a schedule of .* stages, not one mixture: rv.load_schedule reads it")
def a_schedule_is_loaded(folder):
    path = rv.export(STAGES, "levanter", folder / "a.yaml")
    return lambda: rv.load_mixture(path), lambda: rv.load_schedule(path)


@advice("needs the token files of each source; .*Sources.with_paths sets them")
def olmo_core_has_files(folder):
    export = exporting("olmo-core", "mix.yaml", folder)
    bare = rv.Sources(dict.fromkeys(PAIR, 1e9))
    return (
        lambda: export(sources=bare, tokens=1e9),
        lambda: export(
            sources=bare.with_paths({name: f"/d/{name}.npy" for name in PAIR}), tokens=1e9
        ),
    )


@advice("form='composable' is a Python module and ends in .py, the YAML of form='sources' does not")
def olmo_core_writes_a_module(folder):
    sources = table("web", "code")

    def export(name, **options):
        return rv.export(PAIR, "olmo-core", folder / name, sources=sources, tokens=1e9, **options)

    return lambda: export("a.yaml", form="composable"), lambda: export("a.py", form="composable")


@advice("merge=True changes the YAML of form='sources'; .*: leave merge out")
def olmo_core_merges_yaml_alone(folder):
    export = exporting("olmo-core", "a.py", folder)
    options = {"form": "composable", "sources": table("web", "code"), "tokens": 1e9}
    export(**options)
    return lambda: export(merge=True, overwrite=False, **options), lambda: export(**options)


@advice("merge=True changes a YAML or JSON config; .* is written whole: leave merge out")
def a_python_config_is_written_whole(folder):
    export = exporting("litdata", "a.py", folder)
    options = {"sources": table("web", "code")}
    export(**options)
    return lambda: export(merge=True, overwrite=False, **options), lambda: export(**options)


@advice(
    "merge=True changes a config that is there and overwrite=True replaces it; pass one of them"
)
def merging_or_replacing(folder):
    export = exporting("levanter", "a.yaml", folder)
    export()
    return lambda: export(merge=True), lambda: export(merge=True, overwrite=False), export


@advice("raise mixture_block_size= or the weight, or set it to 0")
def levanter_draws_a_rare_domain(folder):
    small = rv.Mixture.normalized({"web": 1.0, "rare": 1 / 5000})
    export = exporting("levanter", "a.yaml", folder, small)
    return (
        lambda: export(mixture_block_size=2048),
        lambda: export(mixture_block_size=8192),
        lambda: exporting("levanter", "a.yaml", folder, {"web": 1.0, "rare": 0.0})(
            mixture_block_size=2048
        ),
    )


@advice("open_lm takes one shard of every manifest in turn, .* Use form='frequencies'")
def dclm_takes_frequencies(folder):
    rows = {}
    for name in PAIR:
        (folder / name).mkdir()
        shards = [json.dumps({"shard": f"{n:08d}", "num_sequences": 100}) for n in range(40)]
        path = write(folder / name / "manifest.jsonl", "\n".join(shards))
        rows[name] = {"tokens": 1e9, "documents": 1e6, "paths": [str(path)]}
    export = exporting("dclm", "a.txt", folder, {"web": 0.7, "code": 0.3})
    other = exporting("dclm", "a.yaml", folder, {"web": 0.7, "code": 0.3})
    return (
        lambda: export(sources=rows, form="manifest"),
        lambda: other(sources=rows, form="frequencies"),
    )


@advice("slices .* by whole percents, .*: give sources= its documents, so that rows are counted")
def axolotl_counts_rows(folder):
    uneven = {"web": 0.01, "code": 0.09, "math": 0.9}
    rows = {name: {"tokens": 1e6, "paths": [f"org/{name}"]} for name in uneven} | {
        "web": {"tokens": 1e7, "paths": ["org/web"]}
    }
    counted = {name: row | {"documents": 1e5} for name, row in rows.items()}
    export = exporting("axolotl", "a.yml", folder, uneven)
    return lambda: export(sources=rows), lambda: export(sources=counted)


@advice(
    "does not say of how many: put '# of 41150 rows' behind it, or pass sources= with documents"
)
def axolotl_knows_the_rows(folder):
    rows = {name: {"tokens": 1e6, "documents": 1e5, "paths": [f"org/{name}"]} for name in PAIR} | {
        "math": {"tokens": 2e6, "documents": 2e5, "paths": ["org/math"]}
    }
    mixture = {"web": 0.3, "code": 0.3, "math": 0.4}
    path = rv.export(mixture, "axolotl", folder / "a.yml", sources=rows)
    whole = path.read_text("utf-8")
    assert " rows" in whole
    path.write_text(re.sub(r"  # of \d+ rows", "", whole), "utf-8")
    return (
        lambda: rv.load_mixture(path, "axolotl"),
        lambda: rv.load_mixture(path, "axolotl", sources=rows),
        lambda: rv.load_mixture(write(path, whole), "axolotl"),
    )


DYNAMIC = "stage: sft\ndataset: web,code\ntrain_type: dynamic_mix\n"


@advice("the numbers of DataFlex count .*: pass unit=")
def dataflex_counts_examples(folder):
    theirs = DYNAMIC + "static_mix: true\nmixture_sample_rule: mixture\n"
    path = write(folder / "train.yaml", theirs + "init_mixture_proportions: [0.7, 0.3]\n")

    def merge(**options):
        rv.export(PAIR, "dataflex", path, sources=table("web", "code"), merge=True, **options)

    return merge, lambda: merge(unit="examples")


@advice("goes on silently without one: pass reference_model_path=")
def dataflex_has_a_reference_model(folder):
    export = exporting("dataflex", "a", folder)
    options = {"component_name": "doremi", "sources": table("web", "code")}
    return lambda: export(**options), lambda: export(reference_model_path="ref", **options)


@advice("belong to online mixing: pass online=True too")
def fms_mixes_online(folder):
    export = exporting("fms-hf-tuning", "a.yaml", folder)
    return (
        lambda: export(unit="tokens", gamma=0.1),
        lambda: export(unit="tokens", gamma=0.1, online=True),
    )


@advice("needs one pattern of files for each domain; .*or Sources.with_paths")
def maxtext_has_patterns(folder):
    bare = rv.Sources(dict.fromkeys(PAIR, {"tokens": 1e9, "documents": 1e6}))
    export = exporting("maxtext", "a.json", folder)
    return (
        lambda: export(sources=bare),
        lambda: export(
            sources=bare.with_paths({name: f"/d/{name}/*.array_record" for name in PAIR})
        ),
    )


@advice("splits .* at , and ;, and the pattern .* has one; form='mixture' can hold it")
def maxtext_holds_a_comma(folder):
    bare = rv.Sources(dict.fromkeys(PAIR, {"tokens": 1e9, "documents": 1e6}))
    sources = bare.with_paths({name: f"/d/{name},x/*.array_record" for name in PAIR})
    return (
        lambda: exporting("maxtext", "a.yaml", folder)(sources=sources, form="files"),
        lambda: exporting("maxtext", "a.json", folder)(sources=sources, form="mixture"),
    )


@advice("stand beside passes of others in .*: pass sources= with the tokens and documents of each")
def open_instruct_knows_the_rows(folder):
    mixer = "dataset_mixer:\n  org/small: 500\n  org/half: 0.5\n"
    path = write(folder / "a.yaml", mixer + "max_seq_length: 4096\n")
    sources = {name: {"tokens": 1e9, "documents": 1e6} for name in ("small", "half")}
    return (
        lambda: rv.load_mixture(path, "open-instruct"),
        lambda: rv.load_mixture(path, "open-instruct", sources=sources),
    )


@advice("with gamma=.* the bandit draws each .* so gamma must be below")
def fms_draws_little(folder):
    mixture = {"web": 0.9, "code": 0.1}
    export = exporting("fms-hf-tuning", "a.yaml", folder, mixture)
    options = {"unit": "tokens", "online": True}
    return lambda: export(gamma=0.3, **options), lambda: export(gamma=0.19, **options)


@advice("but root_dir of this config is .*: pass root_dir=, which changes it")
def lingua_moves_its_root(folder):
    path = rv.export(PAIR, "lingua", folder / "a.yaml", sources=table("web", "code"))

    def merge(**options):
        sources = table("web", "code", folder="/else")
        rv.export(PAIR, "lingua", path, sources=sources, merge=True, **options)

    return merge, lambda: merge(root_dir="/else")


@advice("a finetuning loader draws examples, not sequences of one length: pass unit='examples'")
def foundry_finetunes_on_examples(folder):
    sources = table("web", "code")
    path = rv.export(PAIR, "llm-foundry", folder / "a.yaml", sources=sources)
    write(path, path.read_text("utf-8").replace('name: "text"', "name: finetuning"))

    def merge(**options):
        rv.export(PAIR, "llm-foundry", path, sources=sources, merge=True, **options)

    return merge, lambda: merge(unit="examples")


@advice("unit='examples' needs form='grain'")
def torchtitan_counts_examples_by_grain(folder):
    export = exporting("torchtitan", "a.py", folder)
    options = {"sources": table("web", "code"), "unit": "examples"}
    return lambda: export(**options), lambda: export(form="grain", **options)


@advice(
    "loses the weights, it ends at the sizes of the datasets: use 'first_exhausted' or 'all_exh"
)
def hugging_face_stops_otherwise(folder):
    export = exporting("huggingface", "a", folder)
    options = {"sources": table("web", "code")}
    lost = "all_exhausted_without_replacement"
    return (
        lambda: export(stopping_strategy=lost, **options),
        lambda: export(stopping_strategy="first_exhausted", **options),
        lambda: export(stopping_strategy="all_exhausted", **options),
    )


@advice("mix_strategy=.* loses the weights, it .*: use ")
def llama_factory_interleaves(folder):
    export = exporting("llama-factory", "a", folder)
    options = {"sources": table("web", "code")}
    return (
        lambda: export(mix_strategy="concat", **options),
        lambda: export(mix_strategy="interleave_under", **options),
        lambda: export(mix_strategy="interleave_over", **options),
    )


@advice("stop_criteria=.* loses the weights, it ends at the sizes of the datasets: use ")
def torchtune_cycles(folder):
    export = exporting("torchtune", "a.yaml", folder)
    options = {"sources": table("web", "code")}
    lost = "ALL_DATASETS_EXHAUSTED"
    return lambda: export(stop_criteria=lost, **options), lambda: export(
        stop_criteria="CYCLE_UNTIL_ALL_DATASETS_EXHAUSTED", **options
    )


@advice("takes numbers up to .* would be needed .* times: tokens=.* is the most")
def alignment_handbook_takes_fewer_tokens(folder):
    rows = {name: {"tokens": 1e6, "documents": 1e4, "paths": [f"org/{name}"]} for name in PAIR}
    export = exporting("alignment-handbook", "a.yaml", folder)
    return lambda: export(sources=rows, tokens=8e6), lambda: export(sources=rows, tokens=2e6)


@advice("so sources= must give .*(;|advice)")
def units_need_sources(folder):
    export = exporting("huggingface", "a", folder)
    return (
        export,
        lambda: export(sources=table("web", "code")),
        lambda: export(unit="tokens"),
    )


@advice("shares of tokens need the .* of .*: pass sources=")
def reading_back_needs_sources(folder):
    sources = table("web", "code")
    path = rv.export(PAIR, "trl", folder / "a.yaml", sources=sources)
    (folder / "a.yaml.provenance.json").unlink()
    return (
        lambda: rv.load_mixture(path, "trl"),
        lambda: rv.load_mixture(path, "trl", sources=sources),
    )


@advice("is no config that is known here, .*; name the framework with framework=")
def a_framework_is_named(folder):
    path = write(folder / "a.yaml", "blend: 1\n")
    good = rv.export(PAIR, "levanter", folder / "b.yaml")
    return lambda: rv.check(path), lambda: rv.check(good, framework="levanter")


@advice("lower (their weights or|its weight or) tokens=, or raise max_epochs")
def fewer_epochs_are_asked_for(folder):
    export = exporting("levanter", "a.yaml", folder)
    options = {"sources": table("web", "code"), "max_epochs": 1}
    return (
        lambda: export(tokens=4e9, **options),
        lambda: export(tokens=1e9, **options),
        lambda: export(tokens=4e9, **(options | {"max_epochs": 4})),
    )


@advice("epochs at a budget need sources=, the tokens of each domain")
def epochs_have_sources(folder):
    export = exporting("levanter", "a.yaml", folder)
    return (
        lambda: export(tokens=1e9, max_epochs=2),
        lambda: export(tokens=1e9, max_epochs=2, sources=table("web", "code")),
    )


# ---- warnings


WARNINGS: list[tuple[str, Callable]] = []


def told(sentence: str) -> Callable:
    """Enter a case whose first call warns."""

    def enter(case: Callable) -> Callable:
        WARNINGS.append((sentence, case))
        return case

    return enter


@told("pattern='{domain}' takes each for a domain's loss, pattern={'weights': '{domain}'}")
def tags_are_taken_for_domains(folder):
    path = write(folder / "a.csv", "step,github,arxiv\n1,3.0,2.0\n2,2.5,1.5\n")
    return (
        lambda: rv.read_log(path),
        lambda: rv.read_log(path, pattern="{domain}")["loss"],
        lambda: rv.read_log(path, pattern={"weights": "{domain}"}).weights,
    )


@told("pattern={'held_out_loss': 'eval/{domain}/loss'} takes 'eval/web/loss' for that of 'web'")
def one_tag_is_named_by_its_pattern(folder):
    path = write(folder / "a.csv", "step,eval/web/loss,lr\n1,3.0,2.0\n2,2.5,1.5\n")
    pattern = {"held_out_loss": "eval/{domain}/loss"}
    return lambda: rv.read_log(path), lambda: rv.read_log(path, pattern=pattern)["held_out_loss"]


@told("pattern= says where in a tag the name of a domain stands, if it stands in one")
def tags_are_named_by_a_pattern(folder):
    path = write(folder / "a.csv", "step,train/web/total,lr\n1,3.0,2.0\n2,2.5,1.5\n")
    return lambda: rv.read_log(path), lambda: rv.read_log(path, pattern="train/{domain}/total")


@told("each run is taken at its last step .*: step= takes another, step='all' every one")
def another_step_is_taken(_):
    rows = [row | {"step": step} for row in DONE for step in (1, 2)]
    options = {"metrics": "eval/"}
    return (
        lambda: rv.read_swarm(rows, **options),
        lambda: rv.read_swarm(rows, step=1, **options),
        lambda: rv.read_swarm(rows, step="all", **options),
    )


@told("without names of their domains: domains= takes the 2 names in that order")
def domains_are_named_in_order(_):
    rows = [{"run": "a-0.7-0.3", "target": name, "loss": 1.0} for name in "xy"]
    return lambda: rv.read_swarm(rows), lambda: rv.read_swarm(rows, domains=["web", "code"])


@pytest.mark.parametrize(("sentence", "case"), WARNINGS, ids=[one.__name__ for _, one in WARNINGS])
@pytest.mark.filterwarnings("error::reweightviz.core.errors.ReweightvizWarning")
def test_advice_of_a_warning_works_and_ends_it(sentence, case, tmp_path):
    first, *follow = case(tmp_path)
    with pytest.warns(rv.ReweightvizWarning, match=re.escape(sentence).replace(r"\.\*", ".*")):
        first()
    for call in follow:
        call()


# ---- scores


class Letters:
    """A tokenizer in memory: a token a character."""

    def __call__(self, texts, **_):
        return {"input_ids": [[ord(letter) % 90 for letter in text] for text in texts]}


def make_llama():
    transformers = pytest.importorskip("transformers")
    size = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(vocab_size=90, num_attention_heads=2, **size)
    )


ONE = rv.Corpus({"text": ["some text"], "domain": ["a"]})


@advice("a document has .* tokens, more than")
def a_long_document_is_chunked(_):
    config = training.ModelConfig(width=8, layers=1, heads=2, context=4)
    model = training.ByteTransformer(config)
    return (
        lambda: rv.losses(ONE, model, longest=4, long="refuse"),
        lambda: rv.losses(ONE, model, longest=4, long="chunk"),
        lambda: rv.losses(ONE, model, longest=4, long="truncate"),
    )


@advice("pickled weights, .* save the model as safetensors")
def weights_are_saved_as_safetensors(path):
    model = make_llama()
    (path / "model.pt").touch()
    return (
        lambda: rv.losses(ONE, path / "model.pt"),
        lambda: model.save_pretrained(path / "model"),
        lambda: rv.losses(ONE, path / "model", tokenizer=Letters()),
    )


@advice("a language model needs .* with tokenizer=")
def a_tokenizer_is_passed(_):
    model = make_llama()
    return lambda: rv.losses(ONE, model), lambda: rv.losses(ONE, model, tokenizer=Letters())


@advice("measures trainings on a target: pass target=")
def a_target_is_passed(_):
    model = training.ModelConfig(width=16, layers=1, heads=2, context=16)
    tiny = training.TrainConfig(steps=2, batch=2, model=model)
    corpus = rv.Corpus({"text": ["ab" * 40, "cd" * 40], "domain": ["a", "b"]})
    corpus = corpus.with_column("score:x", [1.0, 0.0])
    return (
        lambda: rv.evaluate_scores(corpus, seeds=1),
        lambda: rv.evaluate_scores(corpus, seeds=1, share=0.4, target=["ab" * 40], config=tiny),
    )


@advice("rv.evaluate_scores needs column .*score")
def a_score_is_made(_):
    corpus = rv.Corpus({"text": ["a", "b"], "domain": ["x", "y"], "loss:m": [1.0, 2.0]})
    return (
        lambda: rv.evaluate_scores(corpus),
        lambda: rv.evaluate_scores(rv.score(corpus, rv.scorers.Loss())),
    )


@advice("needs one column .* name one, ")
def one_of_two_columns_is_named(_):
    two = ONE.with_column("loss:a", [1.0]).with_column("loss:b", [2.0])
    loss = rv.scorers.Loss()
    return lambda: rv.score(two, loss), lambda: rv.score(two, loss, loss="loss:a")


def make_vectors():
    corpus = rv.Corpus({"text": ["a b", "c d", "a c"], "domain": ["x", "y", "x"]})
    return rv.embed(corpus, np.eye(3))


class Nearest:
    """A scorer by vectors."""

    higher_is_better = True

    def score(self, *, embedding, query_embedding):
        return embedding @ query_embedding.mean(0)


@advice("which has no recipe: pass query_embedding=|no recipe: pass .*signal")
def vectors_of_the_target_are_passed(_):
    corpus = make_vectors()
    target = rv.Corpus({"domain": ["t"], "tokens": [3], "embedding": np.ones((1, 3))})
    return (
        lambda: rv.score(corpus, Nearest(), "a"),
        lambda: rv.score(corpus, Nearest(), query_embedding=np.ones((1, 3))),
        lambda: rv.score(corpus, Nearest(), target),
    )


@advice("by which no target can be made alike: pass query_embedding= too|pass .* too")
def both_arrays_are_passed(_):
    corpus = make_vectors()
    arrays = {"embedding": np.eye(3), "query_embedding": np.ones((1, 3))}
    return (
        lambda: rv.score(corpus, Nearest(), "a", embedding=np.eye(3)),
        lambda: rv.score(corpus, Nearest(), **arrays),
    )


@advice("fitted on other documents than are here; rv.embed")
def words_are_fitted_anew(path):
    corpus = rv.embed(rv.Corpus({"text": [str(path), "c d", "a c"], "domain": ["x"] * 3}))
    few = corpus.take([1, 2])

    def lose_the_fit():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REWEIGHTVIZ_CACHE", "off")
            rv.score(few, Nearest(), "a")

    return lose_the_fit, lambda: rv.score(rv.embed(few), Nearest(), "a")


@advice("the corpus has .*: target=, a corpus or texts, gives it")
def a_target_gives_its_vectors(_):
    corpus = rv.embed(rv.Corpus({"text": ["a b", "c d", "a c"], "domain": ["x"] * 3}))
    return (
        lambda: rv.score(corpus, Nearest()),
        lambda: rv.score(corpus, Nearest(), target=corpus.take([0])),
        lambda: rv.score(corpus, Nearest(), target=["a", "b"]),
        lambda: rv.score(corpus, Nearest(), "a query"),
    )


class Worth:
    """A scorer of what is no column."""

    higher_is_better = True

    def score(self, *, benchmark):
        return np.asarray(benchmark)


@advice("Worth needs 'benchmark'; .*: pass benchmark=, an array|: pass .*=, an array or a column")
def a_need_is_passed(_):
    corpus = make_vectors().with_column("worth", np.ones(3))
    return (
        lambda: rv.score(corpus, Worth()),
        lambda: rv.score(corpus, Worth(), benchmark=np.ones(3)),
        lambda: rv.score(corpus, Worth(), benchmark="worth"),
    )


@advice("must be a column's name, or an array with a row a document")
def an_array_has_a_row_a_document(_):
    corpus = make_vectors().with_column("loss:a", np.ones(3))
    return (
        lambda: rv.score(corpus, rv.scorers.Loss(), loss=np.ones(2)),
        lambda: rv.score(corpus, rv.scorers.Loss(), loss=np.ones(3)),
        lambda: rv.score(corpus, rv.scorers.Loss(), loss="loss:a"),
    )


@advice("bounded by requests=, how often it is called")
def a_function_is_bounded_by_its_calls(_):
    corpus = rv.Corpus({"text": ["a", "b"], "domain": ["x", "x"]})
    return (
        lambda: rv.grade(corpus, len, budget=2),
        lambda: rv.grade(corpus, len, requests=2),
    )


@advice("needs key=, the name of an environment variable that holds the key")
def a_key_is_named(_):
    judge = {"url": "http://127.0.0.1:1/v1", "model": "m", "prompt": "{text}"}
    return (
        lambda: rv.graders.Endpoint(**judge, key="NO_VARIABLE_OF_THIS_NAME").find_key(),
        lambda: rv.graders.Endpoint(**judge, key="PATH").find_key(),
    )


@advice("query_embedding= takes an array, or the name|= takes an array, or the name")
def a_corpus_has_columns_of_a_name(_):
    corpus = make_vectors()
    return (
        lambda: rv.score(corpus, Nearest(), "a", query_embedding="embedding"),
        lambda: rv.score(corpus, Nearest(), query_embedding=np.ones((1, 3))),
        lambda: rv.score(corpus, Nearest(), corpus, query_embedding="embedding"),
    )


@advice("target= takes (a Corpus|at least one document)")
def a_target_is_one_of_these(_):
    corpus = rv.embed(rv.Corpus({"text": ["a b", "c d", "a c"], "domain": ["x"] * 3}))
    selection = rv.Selection(np.array([1]), corpus.ids[[1]])
    return (
        lambda: rv.score(corpus, Nearest(), 3),
        lambda: rv.score(corpus, Nearest(), corpus),
        lambda: rv.score(corpus, Nearest(), selection),
        lambda: rv.score(corpus, Nearest(), {"a task": "a query", "another": ["a", "b"]}),
    )


@advice("the target's .* was made otherwise: a target of texts")
def a_target_of_texts_goes_through_the_same(_):
    corpus = rv.embed(rv.Corpus({"text": ["a b", "c d", "a c"], "domain": ["x"] * 3}))
    other = rv.Corpus({"domain": ["t"], "tokens": [3], "embedding": np.ones((1, 2))})
    return (
        lambda: rv.score(corpus, Nearest(), other),
        lambda: rv.score(corpus, Nearest(), ["a", "b"]),
    )


@advice("whose files have changed since; rv.embed")
def a_changed_encoder_embeds_anew(path):
    transformers = pytest.importorskip("transformers")
    write(path / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\n")
    small = {"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    encoder = transformers.BertModel(transformers.BertConfig(intermediate_size=8, **small))
    transformers.BertTokenizer(str(path / "vocab.txt")).save_pretrained(path)
    encoder.save_pretrained(path)
    texts = rv.Corpus({"text": ["a b", "c d", "a c"], "domain": ["x"] * 3})
    corpus = rv.embed(texts, str(path))
    write(path / "more.txt", "another file")
    return (
        lambda: rv.score(corpus, Nearest(), "a"),
        lambda: rv.score(rv.embed(corpus, str(path)), Nearest(), "a"),
    )


@advice("when another model lay there; rv.")
def a_changed_model_grades_anew(path):
    config = training.ModelConfig(width=8, layers=1, heads=2, context=8)
    texts = rv.Corpus({"text": ["a b", "c d"], "domain": ["x"] * 2})
    training.ByteTransformer(config).save(path / "m.npz")
    corpus = rv.gradients(texts, str(path / "m.npz"), layers=1, dimensions=8)
    training.ByteTransformer(config).save(path / "m.npz")
    again = {"layers": 1, "dimensions": 8}
    return (
        lambda: rv.score(corpus, rv.scorers.LESS(), "a b"),
        lambda: rv.score(
            rv.gradients(corpus, str(path / "m.npz"), **again), rv.scorers.LESS(), "a b"
        ),
    )


@advice("was made with .*, so no other text .*; a model that is saved")
def a_saved_model_is_given_by_its_path(path):
    config = training.ModelConfig(width=8, layers=1, heads=2, context=8)
    model = training.ByteTransformer(config)
    texts = rv.Corpus({"text": ["a b", "c d"], "domain": ["x"] * 2})
    options = {"layers": 1, "dimensions": 8}
    return (
        lambda: rv.score(rv.gradients(texts, model, **options), rv.scorers.LESS(), "a b"),
        lambda: model.save(path / "m.npz"),
        lambda: rv.score(
            rv.gradients(texts, str(path / "m.npz"), **options), rv.scorers.LESS(), "a b"
        ),
    )


SCORED = rv.Corpus({"text": ["a", "b"], "domain": ["x", "y"], "score:s": [-1.0, 2.0]})


@advice("negative in a domain; how='softmax' takes any scores")
def softmax_takes_any_scores(_):
    return (
        lambda: rv.score_weights(SCORED, how="mean"),
        lambda: rv.score_weights(SCORED, how="softmax"),
    )


@advice("how='share above' needs threshold=")
def a_threshold_is_passed(_):
    return (
        lambda: rv.score_weights(SCORED, how="share above"),
        lambda: rv.score_weights(SCORED, how="share above", threshold=0),
    )


def two_openers(path):
    """Return a saved corpus, and what two processes opened."""
    pytest.importorskip("lance")
    rv.Corpus({"text": ["a", "b"], "domain": ["x", "y"]}).save(path / "c.lance")
    return path / "c.lance", *(rv.open_corpus(path / "c.lance") for _ in range(2))


MORE = {"text": ["c"], "domain": ["x"]}


@advice("saved other documents there since .*; rv.open_corpus opens theirs, append")
def theirs_are_appended_to(path):
    place, one, two = two_openers(path)
    one.append({"text": ["another"], "domain": ["x"]}).save(place)
    return (
        lambda: two.append(MORE).save(place),
        lambda: rv.open_corpus(place).append(MORE).save(place),
        lambda: two.append(MORE).save(path / "other.lance"),
    )


@advice("of which the appended documents have no value; rv.open_corpus opens it, append")
def a_column_of_theirs_is_appended_to(path):
    place, one, two = two_openers(path)
    one.with_column("score:x", [1.0, 2.0]).save(place)
    return (
        lambda: two.append(MORE).save(place),
        lambda: rv.open_corpus(place).append(MORE).save(place),
    )


@advice(
    "the documents to append need 'package', which no recipe makes: give them|no recipe makes: give"
)
def a_column_is_given(_):
    corpus = rv.Corpus({"text": ["a"], "domain": ["x"], "package": ["p"]})
    return lambda: corpus.append(MORE), lambda: corpus.append(MORE | {"package": ["q"]})


@advice("the documents to append need column 'tokens', counted by")
def tokens_are_given(_):
    corpus = rv.Corpus({"text": ["a"], "domain": ["x"], "tokens": [3]}, tokenizer="gpt2")
    return lambda: corpus.append(MORE), lambda: corpus.append(MORE | {"tokens": [5]})


@advice("so its documents need column 'former_domain:1'|so its documents need column")
def the_former_domain_is_given(_):
    corpus = rv.split_domain(rv.Corpus({"text": ["a", "b"], "domain": ["x", "y"]}), [0], "mine")
    new = {"text": ["c"], "domain": ["mine"]}
    return lambda: corpus.append(new), lambda: corpus.append(new | {"former_domain:1": ["x"]})


@advice("corpus.append takes a Corpus, a table")
def documents_come_as_a_table(path):
    corpus = rv.Corpus({"text": ["a"], "domain": ["x"]})
    return (
        lambda: corpus.append(str(path)),
        lambda: corpus.append(corpus),
        lambda: corpus.append(pd.DataFrame(MORE)),
        lambda: corpus.append([{"text": "c", "domain": "x"}]),
        lambda: corpus.append(MORE),
    )
