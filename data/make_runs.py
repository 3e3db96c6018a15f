"""Make the demo's training runs: a swarm of proxy runs, logs, and trials of the laws' proposals.

    python data/make_runs.py swarm
    python data/make_runs.py logs

swarm: 96 mixtures and 6 repeats of one; appends run by run, resumes where it stopped. logs:
natural, uniform and DoReMi, and the proxy model that `rv.losses` uses. signals: one uniform run
with every signal measured, on which rv.replay tries the mixers. validation: the proposals of three
laws against natural, uniform and the best observed mixture, 5 seeds each.

Every run is real training of the reference trainer (a byte-level transformer) on one CPU thread.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import reweightviz as rv
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.temperature import temperature_weights
from reweightviz.models.byte_transformer import ModelConfig
from reweightviz.readers.demo import corpus as demo
from reweightviz.training import ProxyData, TrainConfig, train
from reweightviz.training.skills import skill_graph

HERE = Path(__file__).parent
CONFIG = TrainConfig(
    steps=1500,
    batch=16,
    rate=1e-2,
    log_every=10,
    evaluate_every=250,
    model=ModelConfig(width=64, layers=2, heads=4, context=64),
)
RUNS = 96
REPEATS = 6
SEEDS = 5
SEED = 20261121
# The paper's 1 is for batches of 512 sequences; on 16 the weights jump from domain to domain.
DOREMI_ETA = 0.02
STRENGTHS = np.geomspace(1.0, 60.0, 12)  # total concentration: from a few domains to nearly even


def design(corpus: Corpus) -> Iterator[tuple[str, float, np.ndarray]]:
    """Yield kind, strength and weights of every run: Dirichlet around the prior, then repeats."""
    rng = np.random.default_rng(SEED)
    prior = temperature_weights(corpus.sources.tokens, 0.5)
    for run in range(RUNS):
        strength = float(STRENGTHS[run % len(STRENGTHS)])
        yield "dirichlet", strength, rng.dirichlet(strength * prior)
    for _ in range(REPEATS):
        yield "repeat", float("nan"), np.full(len(prior), 1 / len(prior))


def provenance(corpus: Corpus) -> dict[str, object]:
    """Return the data, the settings and the versions of the runs."""
    return {
        "domains": list(corpus.domains),
        "tokens": dict(corpus.sources.token_table),
        "documents": len(corpus),
        "corpus_digest": corpus.digest("text", "domain"),
        "tokenizer": corpus.tokenizer,
        "unit": "nats per byte, held-out documents",
        "config": repr(CONFIG),
        "tokens_a_run": CONFIG.tokens,
        "seed": SEED,
        "versions": {name: version(name) for name in ("torch", "numpy")}
        | {"python": platform.python_version()},
        "machine": f"{platform.machine()}, one CPU thread",
    }


def swarm(corpus: Corpus) -> None:
    """Append the runs that are not there yet."""
    folder = HERE / "swarm"
    folder.mkdir(exist_ok=True)
    meta = folder / "meta.json"
    lines = folder / "runs.jsonl"
    facts = provenance(corpus)
    before = json.loads(meta.read_text()) if meta.exists() else facts
    changed = [name for name in ("corpus_digest", "config", "seed") if before[name] != facts[name]]
    if changed:
        raise ReweightvizError(
            f"{folder} was made with another {' and '.join(changed)}: move it away to start anew."
        )
    meta.write_text(json.dumps(facts, indent=1) + "\n")
    done = set()
    if lines.exists():
        done = {json.loads(line)["run"] for line in lines.read_text().splitlines()}
    data = ProxyData(corpus, CONFIG.model.context)
    for run, (kind, strength, weights) in enumerate(design(corpus)):
        if run in done:
            continue
        result = train(
            data,
            Mixture(zip(corpus.domains, weights.tolist(), strict=True)),
            seed=1000 + run,
            config=CONFIG,
        )
        record = {
            "run": run,
            "kind": kind,
            "strength": strength,
            "seed": 1000 + run,
            "weights": weights.round(8).tolist(),
            "losses": result.held_out.round(6).tolist(),
            "seconds": result.log.meta["seconds"],
        }
        with lines.open("a") as file:
            file.write(json.dumps(record) + "\n")
        print(run, record["seconds"], f"{result.held_out.mean():.4f}", flush=True)


def logs(corpus: Corpus) -> None:
    """Train natural and uniform, then DoReMi against uniform; keep the natural model as proxy."""
    data = ProxyData(corpus, CONFIG.model.context)
    facts = {
        "corpus_digest": corpus.digest("text", "domain"),
        "versions": provenance(corpus)["versions"],
    }
    runs = {
        "natural": train(data, corpus.natural, seed=1, config=CONFIG, name="natural"),
        "uniform": train(
            data, Mixture.uniform(corpus.domains), seed=1, config=CONFIG, name="uniform"
        ),
    }
    runs["doremi"] = train(
        data,
        rv.mixers.DoReMi(eta=DOREMI_ETA),
        seed=1,
        config=CONFIG,
        reference=runs["uniform"].model,
        name="doremi",
    )
    for folder in ("logs", "proxy"):
        (HERE / folder).mkdir(exist_ok=True)
    for name, run in runs.items():
        replace(run.log, meta=dict(run.log.meta) | facts).save(HERE / "logs" / f"{name}.jsonl")
        print(name, run.log.meta["seconds"], f"{run.held_out.mean():.4f}", flush=True)
    runs["natural"].model.save(HERE / "proxy" / "natural.npz")


class Seen(NamedTuple):
    """The prior (K,) and the steps so far."""

    weights: np.ndarray
    step: int


@dataclass(frozen=True)
class Recorder:
    """Uniform with every signal measured that a run of one model has.

    A second model, for penalty_gap, would change the run.

    Args:
        every: steps between measurements of the costly ones.
    """

    every: int = 10

    applies_to = "sampling"

    def init(self, *, prior: np.ndarray) -> Seen:
        """Start at the prior."""
        return Seen(prior, 0)

    def measures(self, state: Seen) -> tuple[str, ...]:
        """Return the signals to measure right after the coming step."""
        if (state.step + 1) % self.every:
            return ()
        return ("held_out_loss", "gradient_products", "gradient_norm", "hypergradient")

    def update(
        self,
        state: Seen,
        *,
        held_out_loss: np.ndarray,  # noqa: ARG002
        gradient_products: np.ndarray,  # noqa: ARG002  they go to the log
        gradient_norm: np.ndarray,  # noqa: ARG002
        hypergradient: np.ndarray,  # noqa: ARG002
    ) -> Seen:
        """Count one step more."""
        return Seen(state.weights, state.step + 1)

    def weights(self, state: Seen) -> np.ndarray:
        """Return the prior (K,)."""
        return state.weights

    result = weights


def signals(corpus: Corpus) -> None:
    """Train uniform twice, the first as the reference of the second; learn the skills graph."""
    data = ProxyData(corpus, CONFIG.model.context)
    reference = train(data, Mixture.uniform(corpus.domains), seed=1, config=CONFIG).model
    run = train(data, Recorder(), seed=2, config=CONFIG, reference=reference, name="signals")
    graph = skill_graph(data, replace(CONFIG, steps=CONFIG.steps // 10))
    facts = {
        "corpus_digest": corpus.digest("text", "domain"),
        "versions": provenance(corpus)["versions"],
        "sources": dict(corpus.sources.token_table),
        "graph": graph.round(6).tolist(),
    }
    replace(run.log, meta=dict(run.log.meta) | facts).save(HERE / "logs" / "signals.jsonl")
    print(run.log, run.log.meta["seconds"], f"{run.held_out.mean():.4f}", flush=True)


def validation(corpus: Corpus) -> None:
    """Train the laws' proposals, DoReMi's weights and what they must beat; append seed by seed."""
    observed = rv.demo_swarm()
    dirichlet = observed.take(np.flatnonzero(observed.runs.kind == "dirichlet"))
    best = int(dirichlet.losses.mean(1).argmin())
    laws = {
        "Olmix": rv.fit(dirichlet, rv.laws.Olmix()),
        "ScalingMixtures": rv.fit(dirichlet, rv.laws.ScalingMixtures()),
        "GaussianProcess": rv.fit(dirichlet, rv.laws.GaussianProcess()),
    }
    doremi = rv.demo_log("doremi").meta["result"]
    mixtures = {
        "natural": corpus.natural,
        "uniform": Mixture.uniform(corpus.domains),
        "doremi": Mixture.normalized(zip(corpus.domains, doremi, strict=True)),
        "best observed": Mixture.normalized(
            zip(corpus.domains, dirichlet.mixtures[best].tolist(), strict=True)
        ),
    } | {
        f"{name}, kl {kl:g}": rv.optimize(
            laws[name], tokens=CONFIG.tokens, sources=observed.tokens, max_epochs=4, kl=kl
        )
        for name, kl in (
            ("Olmix", 0.0),
            ("Olmix", 0.05),
            ("ScalingMixtures", 0.0),
            ("ScalingMixtures", 0.05),
            ("GaussianProcess", 0.0),
        )
    }
    path = HERE / "validation.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    digest = corpus.digest("text", "domain")
    done = {(row["mixture"], row["seed"], row["corpus"]) for row in rows}
    data = ProxyData(corpus, CONFIG.model.context)
    for seed in range(SEEDS):
        for name, mixture in mixtures.items():
            if (name, seed, digest) in done:
                continue
            run = train(data, mixture, seed=5000 + seed, config=CONFIG)
            weights = mixture.aligned(observed.domains)[None]
            predicted = {
                law: round(float(fitted.predict(weights).mean()), 6) for law, fitted in laws.items()
            }
            record = {
                "mixture": name,
                "seed": seed,
                "losses": run.held_out.round(6).tolist(),
                "predicted": predicted,
                "weights": mixture.aligned(corpus.domains).round(6).tolist(),
                "seconds": run.log.meta["seconds"],
                "corpus": digest,
            }
            with path.open("a") as file:
                file.write(json.dumps(record) + "\n")
            print(name, seed, f"{run.held_out.mean():.4f}", predicted, flush=True)


PARTS: dict[str, Callable[[Corpus], None]] = {
    "swarm": swarm,
    "logs": logs,
    "signals": signals,
    "validation": validation,
}


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=PARTS)
    part = parser.parse_args().part
    torch.set_num_threads(1)
    corpus = demo.read()
    print(corpus, file=sys.stderr)
    PARTS[part](corpus)


if __name__ == "__main__":
    main()
