"""Compare what is computed again: same seed, other threads, other batches, another device.

.venv/bin/python benchmarks/reproducibility.py              all, into results/reproducibility.json
.venv/bin/python benchmarks/reproducibility.py embed laws   these alone, printed

Every computation runs in processes of its own, cache off. "again" is the same setting twice and
must be equal to the last bit. The others are the largest difference, relative to the largest
number of the reference (one thread, the CPU, batches as they are).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "reproducibility.json"
DOCUMENTS = 400
Arrays = dict[str, Any]


def _documents() -> Any:
    """Return documents that make themselves, words of five domains, the same everywhere."""
    import reweightviz as rv

    rng = np.random.default_rng(0)
    words = np.array([f"w{number:x}" for number in range(3000)], object)
    domains = np.arange(DOCUMENTS) % 5
    texts = [" ".join(words[(rng.zipf(1.3, 80) + 400 * domain) % len(words)]) for domain in domains]
    return rv.Corpus({"text": texts, "domain": [f"d{domain}" for domain in domains]})


def compute_embed(_batch: int | None, _device: str) -> Arrays:
    """Hash, weigh and reduce words."""
    import reweightviz as rv

    return {"embedding": rv.embed(_documents(), dimensions=16)["embedding"]}


def compute_minilm(batch: int | None, device: str) -> Arrays:
    """Encode texts with all-MiniLM-L6-v2."""
    from reweightviz.models.encoder import Encoder

    corpus = _documents()
    encoder = Encoder("minilm", device)
    texts = corpus.text(np.arange(128))
    size = batch or 32
    parts = [encoder.encode(texts[start : start + size]) for start in range(0, 128, size)]
    return {"vectors": np.concatenate(parts)}


def compute_map(_batch: int | None, _device: str) -> Arrays:
    """Project and cluster."""
    import reweightviz as rv

    corpus = rv.cluster(rv.project(rv.embed(_documents(), dimensions=16)), 6)
    return {"xy": corpus["xy"], "cluster": corpus["cluster"]}


def compute_losses(batch: int | None, device: str) -> Arrays:
    """Take the losses of documents under the demo's proxy model."""
    import reweightviz as rv
    from reweightviz.models import sequence_losses

    sequence_losses.ROWS = batch or sequence_losses.ROWS
    return {"loss": rv.losses(_documents(), device=device)["loss:proxy"]}


def compute_training(_batch: int | None, device: str) -> Arrays:
    """Train the reference model for a few steps under a mixer."""
    import reweightviz as rv
    from reweightviz.models.byte_transformer import ModelConfig
    from reweightviz.training.train_config import TrainConfig
    from reweightviz.training.trainer import train

    config = TrainConfig(
        steps=12, batch=8, evaluate_every=6, model=ModelConfig(width=32, layers=1, heads=2)
    )
    run = train(_documents(), rv.mixers.ODM(), config=config, device=device)
    return {"held_out": run.held_out, "weights": run.log.weights}


def compute_laws(_batch: int | None, _device: str) -> Arrays:
    """Fit every law that the demo swarm can feed, and take one optimum."""
    import reweightviz as rv

    swarm = rv.demo_swarm()
    found: Arrays = {}
    for name in rv.methods(kind="law").index:
        try:
            law = rv.fit(swarm, getattr(rv.laws, name)())
            found[name] = law.predict(swarm.mixtures[:4])
        except (rv.ReweightvizError, AttributeError, TypeError):
            continue  # it needs sizes, features or another swarm
    found["optimum"] = rv.optimize(rv.fit(swarm, rv.laws.Olmix())).array
    return found


def compute_mixers(_batch: int | None, _device: str) -> Arrays:
    """Replay every mixer that the demo log can feed."""
    import reweightviz as rv

    log = rv.demo_log("signals")
    found: Arrays = {}
    for name in rv.methods(kind="mixer").index:
        try:
            found[name] = rv.replay(log, getattr(rv.mixers, name)()).weights
        except (rv.ReweightvizError, TypeError):
            continue  # it needs what the log lacks
    return found


COMPUTATIONS: dict[str, Callable[[int | None, str], Arrays]] = {
    "embed": compute_embed,
    "minilm": compute_minilm,
    "map": compute_map,
    "losses": compute_losses,
    "training": compute_training,
    "laws": compute_laws,
    "mixers": compute_mixers,
}
TOLERANCES = {
    "embed": 1e-3,
    "minilm": 1e-4,
    "map": None,
    "losses": 1e-4,
    "training": 1e-3,
    "laws": 1e-6,
    "mixers": 1e-9,
}
"""Of another number of threads, batch or device; None: UMAP and k-means promise the same seed."""
BATCHES = {"minilm": 7, "losses": 33}
ON_DEVICE = ("minilm", "losses", "training")


def run(name: str, *, threads: int = 1, batch: int | None = None, device: str = "cpu") -> Arrays:
    """Compute in a process of its own, and return the arrays."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.npz"
        counts = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = os.environ | dict.fromkeys(counts, str(threads))
        environment |= {"REWEIGHTVIZ_CACHE": "off", "PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"}
        request = json.dumps([name, batch, device, str(out)])
        command = [sys.executable, __file__, "--child", request]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        with np.load(out) as stored:
            return dict(stored)


def find_difference(reference: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Return the largest difference, relative to the largest number of its array.

    Raises:
        ValueError: other arrays, or gaps elsewhere.
    """
    if reference.keys() != other.keys():
        raise ValueError(f"{sorted(reference)} became {sorted(other)}")
    worst = 0.0
    for name, value in reference.items():
        if not np.array_equal(np.isnan(value), np.isnan(other[name])):
            raise ValueError(f"the gaps of {name} moved")
        largest = np.nanmax(np.abs(value)) or 1.0
        worst = max(worst, float(np.nanmax(np.abs(value - other[name])) / largest))
    return worst


def compare(name: str) -> dict[str, Any]:
    """Run a computation in every setting, and return the differences.

    Raises:
        AssertionError: the same setting gave other bits, or a tolerance is exceeded.
    """
    reference = run(name)
    again = run(name)
    assert all(np.array_equal(reference[key], again[key], equal_nan=True) for key in reference), (
        f"{name}: the same seed gave other numbers"
    )
    found: dict[str, Any] = {"arrays": len(reference), "again": 0.0}
    found["2 threads"] = find_difference(reference, run(name, threads=2))
    if name in BATCHES:
        batch = BATCHES[name]
        found[f"batches of {batch}"] = find_difference(reference, run(name, batch=batch))
    if name in ON_DEVICE and _has_gpu():
        found["CUDA"] = find_difference(reference, run(name, device="cuda"))
    tolerance = TOLERANCES[name]
    found["tolerance"] = tolerance
    if tolerance is not None:
        over = {key: value for key, value in found.items() if key not in {"arrays", "tolerance"}}
        over = {key: value for key, value in over.items() if value > tolerance}
        assert not over, f"{name}: {over} exceed {tolerance}"
    return found


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def main() -> None:
    """Compare all computations, or those that are named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(COMPUTATIONS))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        name, batch, device, out = json.loads(given.child)
        np.savez(out, **COMPUTATIONS[name](batch, device))
        return
    found = {}
    for name in given.names or COMPUTATIONS:
        found[name] = compare(name)
        print(name, json.dumps(found[name]), flush=True)
    if not given.names:
        machine = {"machine": platform.processor() or platform.machine(), "cuda": _has_gpu()}
        RESULTS.write_text(json.dumps(machine | found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
