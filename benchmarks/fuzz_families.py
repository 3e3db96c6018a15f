"""Families of files to fuzz: what writes the examples, below a folder each, and what reads one."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

import reweightviz as rv
from reweightviz import exporters
from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters.document import Document

ROOT = Path(__file__).parents[1]
DOMAINS = ("web", "code", "math")


class RecogniserRaised(ReweightvizError):
    """A recogniser raised what is no error of ours; reading goes on without it."""


def write_configs(folder: Path) -> None:
    """Export a mixture, and a schedule where it is taken, as every framework's config."""
    mixture = rv.Mixture({"web": 0.5, "code": 0.25, "math": 0.25})
    late = rv.Mixture({"web": 0.25, "code": 0.5, "math": 0.25})
    sources = rv.Sources(
        {name: {"tokens": 1e9, "documents": 1e6, "paths": f"data/{name}.jsonl"} for name in mixture}
    )
    prepared = sources.with_paths({name: f"data/{name}_text_document" for name in mixture})
    for framework, exporter in exporters.FRAMEWORKS.items():
        known = prepared if exporter.prepared_data else sources
        stages: dict[str, Any] = {"mixture": mixture}
        if exporter.takes_schedules:
            stages["schedule"] = rv.Schedule({0: mixture, 1000: late})
        for name, one in stages.items():
            place = folder / f"{framework}-{name}"
            place.mkdir()
            options = {"batch_size": 32} if framework == "levanter" and name == "schedule" else {}
            try:
                rv.export(one, framework, place / f"out{exporter.suffix}", sources=known, **options)
            except ReweightvizError:
                # It wants options or sources of its own; others of its kind stand for it.
                shutil.rmtree(place)
                continue
            bare = shutil.copytree(place, folder / f"{place.name}-bare")
            for sidecar in bare.rglob("*provenance.json"):
                sidecar.unlink()


def read_config(example: Path) -> None:
    """Ask every recogniser, then check and load."""
    parts = sorted(example.iterdir())
    path = next((one for one in parts if one.name.startswith("out")), parts[0])
    raised: list[Exception] = []
    try:
        files = [path] if path.is_file() else [one for one in path.iterdir() if one.is_file()]
        documents = [Document.open(one) for one in files]
    except ReweightvizError:
        documents = []
    for document in documents:
        for exporter in exporters.FRAMEWORKS.values():
            try:
                exporter.recognises(document)
            except ReweightvizError:
                pass
            except Exception as error:  # noqa: BLE001  what is counted here
                raised.append(error)
    if raised:
        raise RecogniserRaised("a recogniser raised") from raised[0]
    names = [*DOMAINS, *(f"{name}.jsonl" for name in DOMAINS)]
    sources = {name: {"tokens": 1e9, "documents": 1e6} for name in names}
    str(rv.check(path, sources=sources, tokens=1e9))
    rv.load_schedule(path, sources=sources)


def write_sources(folder: Path) -> None:
    """Write the tables that people have of their domains."""
    rows = [
        {"domain": name, "tokens": "1.2T", "documents": "1e6", "path": f"s3://b/{name}"}
        for name in DOMAINS
    ]
    table = pd.DataFrame(rows)
    texts = {
        "a.yaml": "tokenizer: gpt2\ndomains:\n  web: {tokens: 1.2T, paths: [a, b]}\n  code: 300B\n",
        "b.yml": "web: &x {tokens: 1_000_000}\ncode: *x\n'no': 5\n",
        "c.json": json.dumps({name: {"tokens": 1e9, "documents": 10} for name in DOMAINS}),
        "d.csv": table.to_csv(index=False),
        "e.tsv": table.to_csv(index=False, sep="\t"),
    }
    for name, text in texts.items():
        _write(folder / name / name, text)
    (folder / "f.parquet").mkdir()
    table.to_parquet(folder / "f.parquet" / "f.parquet", index=False)


def write_logs(folder: Path) -> None:
    """Write runs in the formats of text."""
    log = rv.demo_log("doremi")
    (folder / "run").mkdir()
    log.save(folder / "run" / "run.jsonl")
    steps = range(10, 60, 10)
    rows = [
        {"step": step, "loss": 2.5, **{f"eval/{name}/loss": 3 - step / 100 for name in DOMAINS}}
        for step in steps
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    by_domain = "".join(
        json.dumps({"step": step, "domain": name, "loss": 2.0}) + "\n"
        for step in steps
        for name in DOMAINS
    )
    _write(folder / "rows" / "metrics.jsonl", lines)
    _write(folder / "by_domain" / "metrics.jsonl", by_domain)
    _write(folder / "csv" / "metrics.csv", pd.DataFrame(rows).to_csv(index=False))
    state = {"global_step": 50, "log_history": rows}
    _write(folder / "state" / "trainer_state.json", json.dumps(state, indent=2))
    trainer = [{"current_steps": step, "total_steps": 60, "loss": 2.5} for step in steps]
    text = "".join(json.dumps(row) + "\n" for row in trainer)
    _write(folder / "trainer_log" / "trainer_log.jsonl", text)
    megatron = "".join(
        f" [2026-01-01 00:00:{step}] iteration {step:8d}/     100 | consumed samples: {step * 8} | "
        f"learning rate: 1.0E-04 | global batch size: 8 | lm loss: 9.{step}E+00 |\n"
        for step in steps
    )
    _write(folder / "megatron" / "train.log", megatron)
    printed = "".join(
        f"{{'loss': 2.{step}, 'epoch': 0.{step}, 'step': {step}}}\n" for step in steps
    )
    _write(folder / "printed" / "train.log", printed)


def write_swarms(folder: Path) -> None:
    """Write tables of proxy runs: two tables, one, and an export of a tracker."""
    runs = range(8)
    weights = [{"index": run, "train_web": run / 8, "train_code": 1 - run / 8} for run in runs]
    losses = [
        {"index": run, "eval/web/loss": 3 - run / 9, "eval/code/loss": 2 + run / 9} for run in runs
    ]
    both = [{**one, **other} for one, other in zip(weights, losses, strict=True)]
    _write(folder / "two" / "ratios.csv", pd.DataFrame(weights).to_csv(index=False))
    _write(folder / "two" / "metrics.csv", pd.DataFrame(losses).to_csv(index=False))
    _write(folder / "one" / "runs.csv", pd.DataFrame(both).to_csv(index=False))
    text = "".join(json.dumps(row) + "\n" for row in both)
    _write(folder / "lines" / "runs.jsonl", text)
    tracker = [
        {"Name": f"run {run}", "train_web": run / 8, "train_code": 1 - run / 8, **losses[run]}
        for run in runs
    ]
    _write(folder / "tracker" / "runs.csv", pd.DataFrame(tracker).to_csv(index=False))


def read_swarm(example: Path) -> None:
    """Read two tables, or one."""
    rv.read_swarm(*sorted(example.iterdir(), reverse=True))


def write_corpora(folder: Path) -> None:
    """Write documents as JSON lines, plain and packed, and as Parquet."""
    rows = [{"text": f"text {row}", "domain": DOMAINS[row % 3], "id": row} for row in range(30)]
    table = pd.DataFrame(rows)
    lines = table.to_json(orient="records", lines=True)
    _write(folder / "lines" / "a.jsonl", lines)
    for name in ("a.jsonl.gz", "a.parquet"):
        (folder / name).mkdir()
    table.to_json(folder / "a.jsonl.gz" / "a.jsonl.gz", orient="records", lines=True)
    table.to_parquet(folder / "a.parquet" / "a.parquet")


def read_corpus(example: Path) -> None:
    """Read the documents, and the text of the first."""
    corpus = rv.read_corpus(next(example.iterdir()), text="text", domain="domain")
    corpus.text([0])


def write_saved(folder: Path) -> None:
    """Copy what version 0.3 saved."""
    saved = ROOT / "tests" / "golden" / "saved_0.3.0"
    for name in ("mixture.json", "schedule.json", "log.jsonl"):
        _write(folder / name / name, (saved / name).read_text("utf-8"))
    (folder / "live").mkdir()
    for path in saved.glob("live.*"):
        shutil.copy(path, folder / "live")
    (folder / "state").mkdir()
    shutil.copy(saved / "explorer" / "state.json", folder / "state")


def read_saved(example: Path) -> None:
    """Open it as what it was."""
    from reweightviz.apps.explorer.state import ExplorerState

    readers: dict[str, Callable[[Path], Any]] = {
        "mixture.json": rv.Mixture.load,
        "schedule.json": rv.Schedule.load,
        "log.jsonl": rv.RunLog.load,
        "live": lambda path: rv.LiveMixture(path / "live.json").changes(),
        "state": lambda path: ExplorerState.load(path / "state.json"),
    }
    kind = example.name
    readers[kind](example if kind in {"live", "state"} else example / kind)


def write_trackers(folder: Path) -> None:
    """Write runs as trackers keep them: SQLite, an archive, Parquet."""
    rows = [{"step": step, "loss/web": 3.0, "loss/code": 2.0} for step in range(10)]
    for name in ("trackio.db", "mlflow.db", "comet.zip", "history.parquet"):
        (folder / name).mkdir()
    with sqlite3.connect(folder / "trackio.db" / "trackio.db") as store:
        store.execute(
            "CREATE TABLE metrics (id INTEGER PRIMARY KEY, "
            "timestamp TEXT, run_name TEXT, step INT, metrics TEXT)"
        )
        store.executemany(
            "INSERT INTO metrics (timestamp, run_name, step, metrics) "
            "VALUES ('2026-01-01T00:00:00', 'run', ?, ?)",
            [(row["step"], json.dumps(row)) for row in rows],
        )
    with sqlite3.connect(folder / "mlflow.db" / "mlflow.db") as store:
        store.execute(
            "CREATE TABLE metrics "
            "(key TEXT, value REAL, timestamp INT, run_uuid TEXT, step INT, is_nan INT)"
        )
        store.execute(
            "CREATE TABLE runs (run_uuid TEXT, name TEXT, lifecycle_stage TEXT, start_time INT)"
        )
        store.execute("INSERT INTO runs VALUES ('u1', 'first', 'active', 1)")
        store.executemany(
            "INSERT INTO metrics VALUES (?, ?, 1700000000000, 'u1', ?, 0)",
            [(tag, 2.5, row["step"]) for row in rows for tag in ("loss/web", "loss/code")],
        )
    messages = [
        {
            "type": "metric_msg",
            "payload": {"metric": {"metricName": "loss/web", "metricValue": 2, "step": step}},
        }
        for step in range(10)
    ]
    with zipfile.ZipFile(folder / "comet.zip" / "comet.zip", "w") as archive:
        archive.writestr("messages.json", "\n".join(map(json.dumps, messages)))
        archive.writestr("experiment.json", "{}")
    table = pd.DataFrame(rows).rename(columns={"step": "_step"})
    table.to_parquet(folder / "history.parquet" / "history.parquet")


def write_selections(folder: Path) -> None:
    """Write the same selection in every format."""
    table = pd.DataFrame({"id": ["0", "2"], "weight": [0.5, 0.5]})
    _write(folder / "csv" / "a.csv", table.to_csv(index=False))
    _write(folder / "lines" / "a.jsonl", table.to_json(orient="records", lines=True))
    (folder / "parquet").mkdir()
    table.to_parquet(folder / "parquet" / "a.parquet", index=False)


def read_selection(example: Path) -> None:
    """Read it as one of three documents."""
    corpus = rv.Corpus({"text": list("abc"), "domain": list(DOMAINS), "id": list("012")})
    rv.load_selection(next(example.iterdir()), corpus)


def write_commands(folder: Path) -> None:
    """Write command lines and a script."""
    lines = {
        "megatron": "python pretrain_gpt.py --data-path 0.5 d/web 0.5 d/code --lr 1",
        "nemo": "python a.py 'model.data.data_prefix=[0.5,d/web,0.5,d/code]' trainer.max_steps=10",
        "swift": "swift sft --dataset a/web#100 a/code#200 --interleave_prob 0.5 0.5",
        "script": 'A="0.5 d/web"\nA="$A 0.5 d/code"\ntrain --data-path $A \\\n --lr 1\n',
    }
    for name, line in lines.items():
        _write(folder / name / "a.sh", line)


def read_command(example: Path) -> None:
    """Check it as a script, and as text that is given itself."""
    file = next(example.iterdir())
    text = file.read_bytes().decode("utf-8", "replace")
    for given in (text, text.split()):
        with suppress(ReweightvizError):
            str(rv.check(given))
    str(rv.check(file))


def _read_first(read: Callable[[Path], Any]) -> Callable[[Path], None]:
    return lambda example: read(next(example.iterdir()))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")


FAMILIES: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "configs": (write_configs, read_config),
    "sources": (write_sources, _read_first(rv.read_sources)),
    "logs": (write_logs, _read_first(rv.read_log)),
    "swarms": (write_swarms, read_swarm),
    "corpora": (write_corpora, read_corpus),
    "saved": (write_saved, read_saved),
    "trackers": (write_trackers, _read_first(rv.read_log)),
    "selections": (write_selections, read_selection),
    "commands": (write_commands, read_command),
}
