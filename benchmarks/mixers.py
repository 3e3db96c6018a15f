"""Mixers against uniform: real trainings on groups of the demo corpus' domains, at equal tokens.

    .venv/bin/python benchmarks/mixers.py
    .venv/bin/python benchmarks/mixers.py --report

Without an option: the runs that data/mixers.jsonl lacks, seed by seed; stop and start it as you
like (40 minutes). --report: tables from the runs that are there; writes
benchmarks/results/mixers.json. --tune: the hyperparameters, on two groups with a seed that the
report does not use, on the documents that mixers may look at. --overhead: the share of the step
time of the mixers that are not compared, into the results (a minute).

Every method ends in one run of CONFIG with the same seed, so the same initial model: fixed weights
(uniform, natural, the answers of DoReMi, DoGE and the log-linear law) or weights that change as it
goes (ODM, Aioli, ADO, Skill-It). What came before that run (a reference, a proxy, a graph, a
swarm) is reported as training steps beside it. Losses are of the test half of the held-out
documents; mixers, the law and the tuning see only the other half.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import t as student

import reweightviz as rv
from reweightviz.core.corpus import Corpus
from reweightviz.core.mixture import effective_domains
from reweightviz.core.swarm import Swarm
from reweightviz.models.byte_transformer import ModelConfig
from reweightviz.training.proxy_data import ProxyData
from reweightviz.training.skills import skill_graph
from reweightviz.training.train_config import TrainConfig
from reweightviz.training.trainer import TrainingRun, evaluate, train

HERE = Path(__file__).parents[1]
ROWS = HERE / "data" / "mixers.jsonl"
RESULTS = HERE / "benchmarks" / "results" / "mixers.json"
CONFIG = TrainConfig(
    steps=500,
    batch=16,
    rate=1e-2,
    log_every=10,
    evaluate_every=50,
    gradient_batch=4,
    probe_blocks=16,
    test_only=True,
    model=ModelConfig(width=32, layers=1, heads=2, context=64),
)
GROUPS = {
    "python": ("python source", "python tests", "docstrings", "type stubs"),
    "compiled": ("cython", "c headers", "c++ headers", "c source"),
    "web": ("javascript", "web pages", "json"),
    "text": ("docstrings", "markdown", "package descriptions", "licences"),
    "all": (),
}
SEEDS = range(5)
SEED_BEFORE = 1000  # added to the seed for the runs before a main run
LEVEL = 0.9
# Dirichlet mixtures around uniform, log-spaced strengths
SWARM = {"runs_a_domain": 4, "runs_at_least": 16}
TUNING_SEED = 100
TUNING_GROUPS = ("python", "web")
OTHERS = ("ScaleBiO", "DreamPRM", "DataMixingAgent")
STRENGTHS = np.geomspace(2.0, 60.0, 6)
GRAPH_STEPS = CONFIG.steps // 10
SHORT: dict[str, dict[str, Any]] = {  # what the defaults, for long runs, become in one of 500 steps
    "DoGE": {"every": 5},
    "ODM": {"warmup": 5},
    "Aioli": {"lp_rounds": 2, "every": 100},
    "SkillIt": {"every": 50},
    "ADO": {"start": 50, "every": 50, "skip": 25, "window": 21},
}
CHOSEN: dict[str, dict[str, Any]] = {  # the settings that --tune chose
    "uniform": {},
    "natural": {},
    "DoReMi": {"eta": 0.1},
    "DoGE": {"rate": 0.002},
    "ODM": {"variant": "smoothed_mean"},
    "Aioli": {"eta": 2.0},
    "ADO": {},
    "SkillIt": {"eta": 0.8},
    "log-linear": {"kl": 0.0},
}
TRIED: dict[str, list[dict[str, Any]]] = {
    "uniform": [{}],
    "DoReMi": [{"eta": 0.02}, {"eta": 0.1}],
    "DoGE": [{"rate": 0.002}, {"rate": 0.01}, {"rate": 0.05}],
    "ODM": [{}, {"variant": "smoothed_mean"}],
    "Aioli": [{"eta": 0.2}, {"eta": 0.5}, {"eta": 2.0}],
    "ADO": [{"prior": "natural"}, {}],
    "SkillIt": [{"eta": 0.2}, {"eta": 0.8}],
    "log-linear": [{"kl": 0.0}, {"kl": 0.05}],
}
METHODS = {name: SHORT.get(name, {}) | settings for name, settings in CHOSEN.items()}
GRID = {
    name: [SHORT.get(name, {}) | settings for settings in tried] for name, tried in TRIED.items()
}


def list_methods() -> list[str]:
    """List the methods whose mixers this installation has."""
    return [
        name
        for name in METHODS
        if name in {"uniform", "natural", "log-linear"} or hasattr(rv.mixers, name)
    ]


def make_mixer(name: str, settings: Mapping[str, Any]) -> Any:
    """Make a mixer; its prior is no hyperparameter, it goes to the trainer."""
    fields = {key: value for key, value in settings.items() if key != "prior"}
    return getattr(rv.mixers, name)(**fields)


# ---- data


@cache
def corpus_of(group: str) -> Corpus:
    corpus = rv.demo_corpus()
    if not GROUPS[group]:
        return corpus
    part = corpus.take(
        np.isin(corpus.domain_codes, [corpus.domains.index(name) for name in GROUPS[group]])
    )
    return Corpus({name: part[name] for name in ("id", "text", "domain")}, domains=GROUPS[group])


@cache
def data_of(group: str) -> ProxyData:
    return ProxyData(corpus_of(group), CONFIG.model.context)


class Book:
    """The runs of this corpus and this configuration; new ones are appended at once."""

    def __init__(self) -> None:
        self.facts = {
            "corpus": rv.demo_corpus().digest("text", "domain"),
            "config": blake2b(repr(CONFIG).encode(), digest_size=6).hexdigest(),
        }
        rows = []
        if ROWS.exists():  # its last line may be half a row of a run that was stopped
            rows = [json.loads(line) for line in ROWS.read_text().splitlines() if line[-1:] == "}"]
        self.rows = [
            row
            for row in rows
            if row["corpus"] == self.facts["corpus"] and row["config"] == self.facts["config"]
        ]

    def of(self, part: str, **wanted: Any) -> list[dict[str, Any]]:
        """Return the rows of a part that are as wanted."""
        return [
            row
            for row in self.rows
            if row["part"] == part and all(row[name] == value for name, value in wanted.items())
        ]

    def add(self, part: str, **row: Any) -> dict[str, Any]:
        """Append a row."""
        row = {"part": part, **row, **self.facts}
        with ROWS.open("a") as file:
            file.write(json.dumps(row) + "\n")
        self.rows.append(row)
        return row


# ---- runs


def fixed(data: ProxyData, weights: Any, seed: int) -> TrainingRun:
    return train(
        data,
        rv.Mixture.normalized(zip(data.domains, np.asarray(weights).tolist(), strict=True)),
        seed=seed,
        config=CONFIG,
    )


@cache
def uniform(group: str, seed: int) -> TrainingRun:
    data = data_of(group)
    return fixed(data, np.ones(len(data.domains)), seed)


def play(
    book: Book, group: str, name: str, settings: dict[str, Any], seed: int
) -> tuple[TrainingRun, TrainingRun, int]:
    """Return the run to compare, the run of the mixer, and the training steps beside the first."""
    data = data_of(group)
    before = SEED_BEFORE + seed
    if name == "uniform":
        run = uniform(group, seed)
        return run, run, 0
    if name == "natural":
        run = fixed(data, data.tokens, seed)
        return run, run, 0
    if name == "log-linear":
        run = fixed(data, optimum(book, group, **settings), seed)
        return run, run, CONFIG.steps * swarm_size(group)
    mixer = make_mixer(name, settings)
    if name == "DoReMi":  # a proxy of the same size and length after the uniform run
        reference = uniform(group, seed).model
        proxy = train(data, mixer, seed=before, config=CONFIG, reference=reference)
        return fixed(data, proxy.log.meta["result"], seed), proxy, 2 * CONFIG.steps
    if name == "DoGE":
        proxy = train(data, mixer, seed=before, config=CONFIG)
        return fixed(data, proxy.log.meta["result"], seed), proxy, CONFIG.steps
    given: dict[str, Any] = {}
    besides = 0
    if settings.get("prior") == "natural":
        given["prior"] = data.tokens / data.tokens.sum()
    if name == "SkillIt":
        given["graph"] = skill_graph(data, replace(CONFIG, steps=GRAPH_STEPS), (before,))
        besides = GRAPH_STEPS * len(data.domains)
    run = train(data, mixer, seed=seed, config=CONFIG, given=given)
    return run, run, besides


def swarm_size(group: str) -> int:
    return max(SWARM["runs_at_least"], SWARM["runs_a_domain"] * len(data_of(group).domains))


def swarm(book: Book, group: str) -> list[dict[str, Any]]:
    """Return the proxy runs of a group, made where they lack; losses of the validation half."""
    data = data_of(group)
    rng = np.random.default_rng(20261121)
    for run in range(swarm_size(group)):
        K = len(data.domains)
        weights = rng.dirichlet(np.full(K, STRENGTHS[run % len(STRENGTHS)] / K))
        if not book.of("swarm", group=group, seed=5000 + run):
            trained = fixed(data, weights, 5000 + run)
            book.add(
                "swarm",
                group=group,
                seed=5000 + run,
                weights=weights.round(8).tolist(),
                validation=evaluate(trained.model, data, "validation").round(6).tolist(),
                seconds=trained.log.meta["seconds"],
            )
    return book.of("swarm", group=group)


@cache
def law_of(book: Book, group: str) -> Any:
    rows = swarm(book, group)
    data = data_of(group)
    runs = Swarm(
        data.domains,
        np.array([row["weights"] for row in rows]),
        data.domains,
        np.array([row["validation"] for row in rows]),
        pd.DataFrame({"seed": [row["seed"] for row in rows]}),
    )
    return rv.fit(runs, rv.laws.Olmix(draws=0))


def optimum(book: Book, group: str, kl: float) -> np.ndarray:
    """Return the mixture (K,) with the least mean predicted loss, held near natural by ``kl``."""
    tokens = data_of(group).tokens
    return np.asarray(law_of(book, group).minimise(kl=kl, prior=tokens / tokens.sum()))


def runs(book: Book) -> None:
    """Make the runs seed by seed, so that they are balanced at any time."""
    for seed in SEEDS:
        for group in GROUPS:
            for name in list_methods():
                settings = METHODS[name]
                if book.of("main", group=group, method=name, settings=settings, seed=seed):
                    continue
                run, worked, besides = play(book, group, name, settings, seed)
                logged = np.isfinite(run.log["held_out_loss"]).all(1)
                facts = worked.log.meta
                row = book.add(
                    "main",
                    group=group,
                    method=name,
                    settings=settings,
                    seed=seed,
                    test=run.held_out.round(6).tolist(),
                    steps=run.log.steps[logged].tolist(),
                    curve=run.log["held_out_loss"][logged].mean(1).round(6).tolist(),
                    weights=np.round(run.log.weights.mean(0), 6).tolist(),
                    result=np.round(facts["result"], 6).tolist(),
                    steps_besides=besides,
                    absent=facts["absent"],
                    seconds=run.log.meta["seconds"],
                    **{
                        f"{what}_seconds": facts[f"{what}_seconds"]
                        for what in ("mixer", "signal", "update")
                    },
                )
                print(
                    seed,
                    group,
                    name,
                    f"mean {run.held_out.mean():.4f} worst {run.held_out.max():.4f}",
                    row["seconds"],
                    flush=True,
                )


def tune(book: Book) -> None:
    """Try every setting of GRID on one seed and two groups, by the validation half."""
    known = list_methods()
    tried = [(name, settings) for name in known for settings in GRID.get(name, ())]
    for group in TUNING_GROUPS:
        for name, settings in tried:
            if not book.of("tune", group=group, method=name, settings=settings):
                run, _, _ = play(book, group, name, settings, TUNING_SEED)
                book.add(
                    "tune",
                    group=group,
                    method=name,
                    settings=settings,
                    seed=TUNING_SEED,
                    validation=evaluate(run.model, data_of(group), "validation").round(6).tolist(),
                )
        base = book.of("tune", group=group, method="uniform")[0]
        print(
            group,
            f"uniform {np.mean(base['validation']):.4f}",
            {
                f"{row['method']} {row['settings']}": round(
                    float(np.mean(row["validation"]) - np.mean(base["validation"])), 4
                )
                for row in book.of("tune", group=group)
            },
            flush=True,
        )
    table = pd.DataFrame(
        [
            {
                "method": f"{row['method']} {row['settings']}",
                "group": row["group"],
                "loss": np.mean(row["validation"]),
            }
            for row in book.of("tune")
        ]
    ).pivot_table(index="method", columns="group", values="loss")
    print(
        (table - table.loc["uniform {}"])
        .assign(mean=lambda found: found.mean(axis=1))
        .round(4)
        .to_string()
    )


# ---- the report


def interval(values: np.ndarray) -> dict[str, float]:
    """Return the mean over seeds and half the width of its 90 % interval by Student's t."""
    half = float("nan")
    if len(values) > 1:
        quantile = student.ppf((1 + LEVEL) / 2, len(values) - 1)
        half = quantile * values.std(ddof=1) / np.sqrt(len(values))
    return {"mean": round(float(values.mean()), 4), "half_width": round(float(half), 4)}


def first_step(steps: list[int], curve: np.ndarray, loss: float) -> float | None:
    """Return where a curve first comes down to a loss, by a line between two evaluations."""
    below = np.flatnonzero(curve <= loss)
    if not below.size:
        return None
    n = int(below[0])
    if n == 0:
        return float(steps[0])
    return float(np.interp(-loss, -curve[n - 1 : n + 1], steps[n - 1 : n + 1]))


def judge(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Compare the methods in one group, over the seeds that all of them have."""
    seeds = set.intersection(*({row["seed"] for row in found} for found in rows.values()))
    rows = {
        name: sorted((row for row in found if row["seed"] in seeds), key=lambda row: row["seed"])
        for name, found in rows.items()
    }
    tests = {name: np.array([row["test"] for row in found]) for name, found in rows.items()}
    curves = {
        name: np.array([row["curve"] for row in found]).mean(0) for name, found in rows.items()
    }
    steps = rows["uniform"][0]["steps"]
    order = sorted(tests, key=lambda name: tests[name].mean())
    found: dict[str, Any] = {
        "seeds": sorted(seeds),
        "best": order[0],
        "runner_up": order[1],
        "steps_of_the_best_to_the_runner_up": first_step(
            steps, curves[order[0]], curves[order[1]][-1]
        ),
        "methods": {},
    }
    costs = {name: float(np.median(list(map(share_of_mixer, mine)))) for name, mine in rows.items()}
    for name, mine in rows.items():  # uniform too pays for the sums by domain
        # The log's lines sample a policy that probes, so its answers are compared.
        answers = np.array([row["result"] for row in mine])
        found["methods"][name] = {
            "mean": interval(tests[name].mean(1)),
            "worst": interval(tests[name].max(1)),
            "mean_less_uniform": interval(tests[name].mean(1) - tests["uniform"].mean(1)),
            "mean_less_uniform_by_seed": (tests[name].mean(1) - tests["uniform"].mean(1))
            .round(4)
            .tolist(),
            "worst_less_uniform": interval(tests[name].max(1) - tests["uniform"].max(1)),
            "steps_to_uniform": first_step(steps, curves[name], curves["uniform"][-1]),
            "overhead_share": round(max(costs[name] - costs["uniform"], 0.0), 4),
            "steps_besides": mine[0]["steps_besides"],
            "absent_share": round(float(np.mean([row["absent"] for row in mine])), 4),
            "answer": answers.mean(0).round(4).tolist(),
            "effective_domains": round(float(effective_domains(answers).mean()), 2),
        }
    return found


def share_of_mixer(facts: Mapping[str, Any]) -> float:
    """Return the share of the updates' seconds that the mixer and its signals took."""
    return float((facts["mixer_seconds"] + facts["signal_seconds"]) / facts["update_seconds"])


def report(book: Book) -> None:
    groups = {}
    for group in GROUPS:
        rows = {
            name: book.of("main", group=group, method=name, settings=METHODS[name])
            for name in METHODS
        }
        rows = {name: found for name, found in rows.items() if found}
        if "uniform" in rows and len(rows) > 1:
            groups[group] = {"domains": list(data_of(group).domains)} | judge(rows)
    print("\n".join(tables(groups)))
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(
        json.dumps(
            {
                "date": datetime.now(UTC).isoformat(timespec="minutes"),
                "machine": f"{os.cpu_count()} cores, {platform.machine()}, one thread",
                "versions": {name: version(name) for name in ("torch", "numpy")},
                "config": repr(CONFIG),
                "tokens_a_run": CONFIG.tokens,
                "corpus": book.facts["corpus"],
                "unit": "nats per byte, test half of the held-out documents",
                "level": LEVEL,
                "settings": METHODS,
                "swarm": {group: swarm_size(group) for group in groups},
                "groups": groups,
                "overhead_share_of_others": before.get("overhead_share_of_others", {}),
            },
            indent=1,
        )
        + "\n"
    )


def overhead(_: Book) -> None:
    """Measure the share of mixers in a training less uniform's, one run each in one group."""
    data = data_of("python")
    shares = {}
    for name in ("Uniform", *OTHERS):
        run = train(data, getattr(rv.mixers, name)(), seed=0, config=CONFIG)
        shares[name] = share_of_mixer(run.log.meta)
    found = {name: round(shares[name] - shares["Uniform"], 4) for name in OTHERS}
    print(found)
    RESULTS.write_text(
        json.dumps(json.loads(RESULTS.read_text()) | {"overhead_share_of_others": found}, indent=1)
        + "\n"
    )


def tables(groups: dict[str, Any]) -> Iterator[str]:
    """Yield lines of Markdown: a table a group, then wins and losses against uniform."""

    def show(value: dict[str, float]) -> str:
        return f"{value['mean']:.4f} ± {value['half_width']:.4f}"

    for group, found in groups.items():
        first = found["steps_of_the_best_to_the_runner_up"]
        yield (
            f"\n**{group}** ({', '.join(found['domains'])}; {len(found['seeds'])} seeds). "
            f"Best: {found['best']}, which reaches the final loss of "
            f"{found['runner_up']} at step {first:.0f} of {CONFIG.steps}.\n"
        )
        yield (
            "| method | mean loss | worst domain | mean less uniform | worst less uniform "
            "| step at uniform's loss | overhead | steps besides |"
        )
        yield "|---|---|---|---|---|---|---|---|"
        for name, row in sorted(found["methods"].items(), key=lambda item: item[1]["mean"]["mean"]):
            reached = (
                "never" if row["steps_to_uniform"] is None else f"{row['steps_to_uniform']:.0f}"
            )
            yield (
                f"| {name} | {show(row['mean'])} | {show(row['worst'])} | "
                f"{show(row['mean_less_uniform'])} | {show(row['worst_less_uniform'])} "
                f"| {reached} | {100 * row['overhead_share']:.1f} % | {row['steps_besides']} |"
            )
    yield (
        "\n| method | less uniform, mean of the groups | groups better than uniform | worse "
        "| no difference shown | the same of the worst domain |"
    )
    yield "|---|---|---|---|---|---|"
    for name in METHODS:
        mine = [found["methods"][name] for found in groups.values() if name in found["methods"]]
        if name != "uniform" and mine:
            mean, worst = (
                verdicts([row[what] for row in mine])
                for what in ("mean_less_uniform", "worst_less_uniform")
            )
            seeds = min(len(row["mean_less_uniform_by_seed"]) for row in mine)
            overall = interval(
                np.mean([row["mean_less_uniform_by_seed"][:seeds] for row in mine], axis=0)
            )
            counts = " | ".join(map(str, mean))
            yield f"| {name} | {show(overall)} | {counts} | {', '.join(map(str, worst))} |"


def verdicts(differences: list[dict[str, float]]) -> tuple[int, int, int]:
    """Count the groups whose interval of the difference lies below 0, above, or holds it."""
    below = sum(value["mean"] + value["half_width"] < 0 for value in differences)
    above = sum(value["mean"] - value["half_width"] > 0 for value in differences)
    return below, above, len(differences) - below - above


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--report", action="store_true", help="tables from the runs that are there")
    parser.add_argument(
        "--overhead", action="store_true", help="what the mixers that are not compared cost"
    )
    parser.add_argument("--tune", action="store_true", help="try the settings of GRID")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    parts = {report: asked.report, tune: asked.tune, overhead: asked.overhead, runs: True}
    part = next(part for part, wanted in parts.items() if wanted)
    part(Book())


if __name__ == "__main__":
    main()
