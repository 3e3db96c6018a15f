"""Which targeted scorers find the documents of a domain, given a few of it.

    .venv/bin/python benchmarks/score_recovery.py

Real text: a sample of the demo corpus, as many documents of each domain. Of one domain after
another some documents are the target and leave the corpus; the others of that domain are what a
scorer should put first. Reported is the area under the ROC curve of each domain, and their mean.
CoLoR's conditional model is the proxy, trained for a little on the target. Writes
benchmarks/results/score_recovery.json.
"""

from __future__ import annotations

import copy
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import reweightviz as rv
from reweightviz.readers.demo.runs import proxy_path
from reweightviz.training.domain_stream import DomainStream, cut_blocks
from reweightviz.training.learner import Learner
from reweightviz.training.measurements import move_to

RESULTS = Path(__file__).parent / "results" / "score_recovery.json"
DOCUMENTS = 60
"""Of each domain; a third of them is the target in turn."""
STEPS = 40


def sample() -> Any:
    """Return as many documents of each domain of the demo corpus."""
    corpus = rv.demo_corpus()
    rng = np.random.default_rng(0)
    is_long = corpus.tokens >= 400
    rows = [
        rng.permutation(np.flatnonzero(is_long & (corpus.domain_codes == k)))[:DOCUMENTS]
        for k in range(len(corpus.domains))
    ]
    corpus = corpus.take(np.sort(np.concatenate(rows)))
    corpus = rv.embed(rv.embed(corpus), "minilm", label="minilm")
    corpus = rv.losses(corpus, longest=512, label="prior")
    return rv.gradients(corpus, longest=256)


def fine_tune(texts: list[str]) -> Any:
    """Return the proxy after a few steps on the target."""
    torch.manual_seed(0)
    model = copy.deepcopy(rv.training.ByteTransformer.load(proxy_path())).train()
    joined = rv.Corpus({"text": texts, "domain": ["target"] * len(texts)})
    blocks = cut_blocks(joined, np.ones(len(texts), bool), model.config.context + 1)
    stream = DomainStream(blocks, 0)
    learner = Learner(model, 1e-3, STEPS)
    for _ in range(STEPS):
        learner.update(move_to(model, stream.take(0, 16)), np.ones(16))
    return model.eval()


def score_all(corpus: Any, target: list[str]) -> Any:
    """Return the corpus with a score of every method for one target."""
    corpus = rv.losses(corpus, fine_tune(target), longest=512, label="conditional")
    pair = {"loss": "loss:prior", "reference_loss": "loss:conditional"}
    calls: dict[str, tuple[Any, dict[str, Any]]] = {
        "CoLoR, the proxy": (rv.scorers.CoLoR(), pair),
        "DSIR": (rv.scorers.DSIR(fewest=0), {}),
        "ZIPFIT": (rv.scorers.ZIPFIT(), {}),
        "RDS, n-grams": (rv.scorers.RDS(), {"embedding": "embedding"}),
        "RDS, MiniLM": (rv.scorers.RDS(), {"embedding": "embedding:minilm"}),
        "LESS, the proxy": (rv.scorers.LESS(), {}),
        "TracIn, the proxy": (rv.scorers.TracIn(), {}),
        "Loss, no target": (rv.scorers.Loss(), {"loss": "loss:prior"}),
    }
    for name, (scorer, given) in calls.items():
        began = time.perf_counter()
        aim = None if isinstance(scorer, rv.scorers.CoLoR | rv.scorers.Loss) else target
        corpus = rv.score(corpus, scorer, aim, label=name, **given)
        SECONDS[name] = SECONDS.get(name, 0) + time.perf_counter() - began
    return corpus


SECONDS: dict[str, float] = {}


def main() -> None:
    """Score for every domain and write the areas."""
    corpus = sample()
    rng = np.random.default_rng(1)
    areas: dict[str, dict[str, float]] = {}
    for k, domain in enumerate(corpus.domains):
        rows = rng.permutation(np.flatnonzero(corpus.domain_codes == k))[: DOCUMENTS // 3]
        target = corpus.text(rows)
        rest = corpus.take(np.setdiff1d(np.arange(len(corpus)), rows))
        trial = rv.evaluate_scores(score_all(rest, target), planted=domain)
        areas[domain] = trial.table["auc"].round(3).to_dict()
        print(domain, areas[domain], flush=True)
    names = list(next(iter(areas.values())))
    mean = {name: round(float(np.mean([one[name] for one in areas.values()])), 3) for name in names}
    found = {
        "measured_on": f"{os.cpu_count()} cores, {platform.machine()}, CPU, torch "
        f"{torch.__version__}, reweightviz {rv.__version__}",
        "documents": len(corpus),
        "target": DOCUMENTS // 3,
        "mean": mean,
        "areas": areas,
        "seconds": {name: round(seconds, 1) for name, seconds in SECONDS.items()},
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(json.dumps(mean, indent=1))


if __name__ == "__main__":
    main()
