"""Give nouns, readers and writers n, 2 n and 4 n of what they hold, and tell how their time grows.

Writes benchmarks/results/growth.json.

.venv/bin/python benchmarks/growth.py                  every case
.venv/bin/python benchmarks/growth.py sources schedule     the cases whose names hold a word

The order is the power of n by which the time of a case grew over the last doubling: 1 is linear.
A case whose order is above 1.4 is marked. Times are of the processor, and the better of two runs.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import reweightviz as rv
from reweightviz.exporters import FRAMEWORKS, find

RESULTS = Path(__file__).parent / "results" / "growth.json"
MARKED = 1.4
CASES: dict[str, tuple[int, Callable[[int, Path], Callable[[], Any]]]] = {}


def case(n: int) -> Callable[[Callable[[int, Path], Callable[[], Any]]], Any]:
    """Enter a function that prepares n and returns what is timed."""

    def enter(prepare: Callable[[int, Path], Callable[[], Any]]) -> Any:
        CASES[prepare.__name__] = (n, prepare)
        return prepare

    return enter


def _names(n: int) -> list[str]:
    return [f"domain {k}" for k in range(n)]


def _equal(n: int) -> dict[str, float]:
    return dict.fromkeys(_names(n), 1 / n)


def _write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def _lines(rows: Iterator[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _log(T: int, K: int = 20) -> rv.RunLog:
    random = np.random.default_rng(0)
    weights = random.dirichlet(np.ones(K), T)
    return rv.RunLog(tuple(_names(K)), np.arange(T), weights, {"loss": random.random((T, K))})


# ---- logs


@case(5_000)
def run_log_save(n: int, folder: Path) -> Callable[[], Any]:
    """Steps of 20 domains."""
    log = _log(n)
    return lambda: log.save(folder / "run.jsonl")


@case(5_000)
def run_log_read(n: int, folder: Path) -> Callable[[], Any]:
    """Steps of 20 domains."""
    path = _log(n).save(folder / "run.jsonl")
    return lambda: rv.read_log(path)


@case(500)
def run_log_wide(n: int, folder: Path) -> Callable[[], Any]:
    """Domains, of ten steps, written and read."""
    log = _log(10, n)
    return lambda: rv.read_log(log.save(folder / "run.jsonl"))


@case(500)
def logger_wide(n: int, folder: Path) -> Callable[[], Any]:
    """Domains, of ten steps, by the logger."""

    def write() -> None:
        with rv.training.RunLogger(folder / "run.jsonl", domains=_names(n)) as logger:
            for step in range(10):
                logger.write(step=step, losses=_equal(n))

    return write


@case(5_000)
def monitor_csv(n: int, _: Path) -> Callable[[], Any]:
    """Steps of 20 domains."""
    from reweightviz.apps.monitor.numbers_table import write_numbers

    log = _log(n)
    return lambda: sum(map(len, write_numbers([log])))


@case(5_000)
def monitor_csv_read(n: int, folder: Path) -> Callable[[], Any]:
    """Steps of 20 domains."""
    from reweightviz.apps.monitor.numbers_table import write_numbers

    path = folder / "run.csv"
    path.write_bytes(b"".join(write_numbers([_log(n)])))
    return lambda: rv.read_log(path)


@case(250)
def domains_one_by_one_own(n: int, folder: Path) -> Callable[[], Any]:
    """A new domain a step, in a log of our own."""
    rows = ({"step": k, "loss": {f"d{k}": 1.0, "a": 2.0}} for k in range(n))
    path = _write(folder / "run.jsonl", '{"domains": ["a"]}\n' + _lines(rows))
    return lambda: rv.read_log(path)


@case(250)
def domains_one_by_one_rows(n: int, folder: Path) -> Callable[[], Any]:
    """A new domain a step, in JSON lines."""
    rows = ({"step": k, "loss": {f"d{k}": 1.0, "a": 2.0}} for k in range(n))
    path = _write(folder / "run.jsonl", _lines(rows))
    return lambda: rv.read_log(path)


@case(100)
def domains_one_by_one_followed(n: int, folder: Path) -> Callable[[], Any]:
    """A new domain a poll."""
    path = _write(folder / "run.jsonl", '{"step": 0, "loss": {"a": 1.0, "b": 1.0}}\n')

    def follow() -> None:
        tail = rv.read_log(path, follow=True)
        with path.open("a") as file:
            for k in range(1, n):
                file.write(json.dumps({"step": k, "loss": {f"d{k}": 1.0, "a": 2.0}}) + "\n")
                file.flush()
                tail.poll()

    return follow


@case(2_000)
def csv_long(n: int, folder: Path) -> Callable[[], Any]:
    """Rows by step and domain."""
    rows = "".join(f"{k // 20},domain {k % 20},{k}\n" for k in range(n))
    path = _write(folder / "run.csv", "step,domain,loss\n" + rows)
    return lambda: rv.read_log(path)


@case(500)
def csv_wide(n: int, folder: Path) -> Callable[[], Any]:
    """Columns of ten rows."""
    header = ",".join(["step", *(f"loss_d{k}" for k in range(n))])
    rows = "".join(f"{step}," + ",".join(["1.5"] * n) + "\n" for step in range(10))
    path = _write(folder / "run.csv", f"{header}\n{rows}")
    return lambda: rv.read_log(path)


@case(1_000)
def restarts(n: int, folder: Path) -> Callable[[], Any]:
    """Restarts, each ten steps back after twenty."""
    steps = [10 * (k // 20) + k % 20 for k in range(20 * n)]
    rows = ({"step": step, "loss": {"a": 1.0, "b": 2.0}} for step in steps)
    path = _write(folder / "run.jsonl", _lines(rows))
    return lambda: rv.read_log(path)


@case(1_000)
def restarts_own(n: int, folder: Path) -> Callable[[], Any]:
    """Restarts, in a log of our own."""
    steps = [10 * (k // 20) + k % 20 for k in range(20 * n)]
    rows = ({"step": step, "loss": [1.0, 2.0]} for step in steps)
    path = _write(folder / "run.jsonl", '{"domains": ["a", "b"]}\n' + _lines(rows))
    return lambda: rv.read_log(path)


# ---- mixtures and their files


@case(5_000)
def mixture(n: int, folder: Path) -> Callable[[], Any]:
    """Domains: made, normalized, aligned, saved and loaded."""

    def use() -> None:
        made = rv.Mixture(_equal(n))
        rv.Mixture.normalized(dict(made))
        made.aligned(reversed(made.domains))
        made.blend(rv.Mixture.uniform(made.domains), 0.5)
        made.epochs(dict.fromkeys(made, 10), 100)
        rv.Mixture.load(made.save(folder / "a.mixture"))

    return use


@case(500)
def schedule(n: int, _: Path) -> Callable[[], Any]:
    """Stages of 20 domains, read at each step."""
    mixtures = {10 * k: rv.Mixture.uniform(_names(20)) for k in range(n)}

    def use() -> None:
        made = rv.Schedule(mixtures)
        for step in range(0, 10 * n, 10):
            made.at(step)

    return use


@case(100)
def live_history(n: int, folder: Path) -> Callable[[], Any]:
    """Changes of a live mixture, and its history."""

    def use() -> None:
        path = folder / "live.json"
        path.unlink(missing_ok=True)
        for left in folder.iterdir():
            left.unlink()
        live = rv.LiveMixture.create(path, {"a": 0.5, "b": 0.5})
        for k in range(n):
            share = 0.2 + 0.5 * (k % 100) / 100
            live.set({"a": share, "b": 1 - share}, author="growth")
        live.changes()

    return use


@case(2_500)
def sources_csv(n: int, folder: Path) -> Callable[[], Any]:
    """Rows of as many domains."""
    rows = "".join(f"domain {k},{k + 1}\n" for k in range(n))
    path = _write(folder / "sources.csv", "domain,tokens\n" + rows)
    return lambda: rv.read_sources(path)


@case(2_500)
def sources_parts(n: int, folder: Path) -> Callable[[], Any]:
    """Rows of one domain, each with its path."""
    rows = "".join(f"web,{k + 1},part-{k}\n" for k in range(n))
    path = _write(folder / "sources.csv", "domain,tokens,path\n" + rows)
    return lambda: rv.read_sources(path)


@case(2_500)
def sources_json(n: int, folder: Path) -> Callable[[], Any]:
    """Domains."""
    path = _write(folder / "sources.json", json.dumps(dict.fromkeys(_names(n), 5)))
    return lambda: rv.read_sources(path)


@case(1_000)
def sources_yaml(n: int, folder: Path) -> Callable[[], Any]:
    """Domains."""
    path = _write(folder / "sources.yaml", "".join(f"{name}: 5\n" for name in _names(n)))
    return lambda: rv.read_sources(path)


def _tables(runs: int, domains: int, folder: Path) -> tuple[Path, Path]:
    """Write the two tables of a swarm."""
    weights = np.random.default_rng(0).dirichlet(np.ones(domains), runs)
    ratios = pd.DataFrame(weights, columns=[f"train_{name}" for name in _names(domains)])
    metrics = pd.DataFrame({"metric/a_loss": np.arange(runs) / runs})
    ratios.to_csv(folder / "ratios.csv", index_label="index")
    metrics.to_csv(folder / "metrics.csv", index_label="index")
    return folder / "ratios.csv", folder / "metrics.csv"


@case(500)
def swarm(n: int, folder: Path) -> Callable[[], Any]:
    """Runs of 20 domains, from two tables."""
    ratios, metrics = _tables(n, 20, folder)
    return lambda: rv.read_swarm(ratios, metrics)


@case(250)
def swarm_wide(n: int, folder: Path) -> Callable[[], Any]:
    """Domains of 20 runs, from two tables."""
    ratios, metrics = _tables(20, n, folder)
    return lambda: rv.read_swarm(ratios, metrics)


# ---- documents


def _corpus(n: int, K: int = 20) -> rv.Corpus:
    return rv.Corpus(
        {
            "id": [f"i{k}" for k in range(n)],
            "text": [f"text {k}" for k in range(n)],
            "domain": [f"domain {k % K}" for k in range(n)],
        }
    )


@case(10_000)
def corpus(n: int, folder: Path) -> Callable[[], Any]:
    """Documents: made, looked up by id, taken, saved and opened."""

    def use() -> None:
        made = _corpus(n)
        made.rows(made.ids[::-1].tolist())
        made.take(np.arange(n)[::-1])
        made.save(folder / f"{time.time_ns()}.lance")

    return use


@case(2_000)
def corpus_domains(n: int, _: Path) -> Callable[[], Any]:
    """Domains, a document each."""
    return lambda: _corpus(n, n).sources


@case(5_000)
def corpus_jsonl(n: int, folder: Path) -> Callable[[], Any]:
    """Documents in one file."""
    path = _write(folder / "c.jsonl", _lines({"text": f"t {k}", "domain": "a"} for k in range(n)))
    return lambda: rv.read_corpus(path)


@case(100)
def corpus_files(n: int, folder: Path) -> Callable[[], Any]:
    """Files of a folder, a document each."""
    for k in range(n):
        _write(folder / f"{k}.jsonl", json.dumps({"text": f"t {k}", "domain": "a"}) + "\n")
    return lambda: rv.read_corpus(folder)


def _selection(kind: str) -> Callable[[int, Path], Callable[[], Any]]:
    def prepare(n: int, folder: Path) -> Callable[[], Any]:
        corpus = _corpus(n)
        selection = rv.Selection(np.arange(n), corpus.ids)
        path = folder / f"s.{kind}"

        def use() -> None:
            rv.export(selection, kind, path, corpus=corpus, overwrite=True)
            rv.load_selection(path, corpus)

        return use

    return prepare


for _kind in ("csv", "jsonl", "parquet"):
    CASES[f"selection_{_kind}"] = (10_000, _selection(_kind))


# ---- exports


def _export(framework: str) -> Callable[[int, Path], Callable[[], Any]]:
    def prepare(n: int, folder: Path) -> Callable[[], Any]:
        sources = {
            name: {"tokens": 10**6 + k, "documents": 1000, "paths": [f"data/{k}"]}
            for k, name in enumerate(_names(n))
        }
        file = folder / f"mixture{find(framework).suffix}"

        def use() -> None:
            mixture = rv.Mixture.normalized(dict.fromkeys(sources, 1.0))
            path = rv.export(mixture, framework, file, sources=sources, overwrite=True)
            rv.load_mixture(path)
            rv.check(path)

        return use

    return prepare


for _framework in FRAMEWORKS:
    CASES[f"export_{_framework}"] = (100, _export(_framework))


@case(20)
def decision_record(n: int, folder: Path) -> Callable[[], Any]:
    """Domains of a chosen mixture."""
    made = rv.Mixture(_equal(n))
    return lambda: rv.decision_record(made, folder / "record.md", overwrite=True)


# ---- measuring


def measure(name: str) -> dict[str, Any]:
    """Return the times of a case at n, 2 n and 4 n, and their order; or why there are none."""
    n, prepare = CASES[name]
    seconds = []
    for size in (n, 2 * n, 4 * n):
        with tempfile.TemporaryDirectory() as folder:
            try:
                do = prepare(size, Path(folder))
                if size == n:
                    do()  # what is imported at first counts as nobody's
                began = time.process_time()
                do()
                once = time.process_time()
                do()
                seconds.append(min(once - began, time.process_time() - once))
            except Exception as error:  # noqa: BLE001
                return {"refused": f"{type(error).__name__}: {error}"[:120]}
    order = math.log2(max(seconds[2], 1e-4) / max(seconds[1], 1e-4))
    return {"n": n, "seconds": [round(each, 4) for each in seconds], "order": round(order, 2)}


def main() -> None:
    """Measure the cases asked for (all when none is)."""
    warnings.simplefilter("ignore")
    words = sys.argv[1:] or [""]
    results = {}
    for name in CASES:
        if any(word in name for word in words):
            results[name] = measure(name)
            mark = "  <--" if results[name].get("order", 0) > MARKED else ""
            print(f"{name:32} {results[name]}{mark}", flush=True)
    if words == [""]:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
