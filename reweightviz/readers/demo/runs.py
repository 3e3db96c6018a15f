"""The demo's own training runs, made by data/make_runs.py from the demo corpus: a swarm, run logs, the proxy model."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from reweightviz.core.errors import ReweightvizError, UnknownName
from reweightviz.core.runlog import RunLog
from reweightviz.core.swarm import Swarm


def folder(part: str) -> Path:
    """Where the demo's runs lie: in the installed package, or in data/ of a source tree."""
    installed = Path(str(files("reweightviz"))) / "data" / part
    source = Path(str(files("reweightviz"))).parent / "data" / part
    for place in (installed, source):
        if place.is_dir():
            return place
    raise ReweightvizError(
        f"the demo's {part} is not in this installation; install a "
        "wheel, or run from a whole source tree."
    )


def read_swarm() -> Swarm:
    """The proxy runs; targets are the domains' held-out losses in nats per byte."""
    place = folder("swarm")
    facts = json.loads((place / "meta.json").read_text("utf-8"))
    rows = [json.loads(line) for line in (place / "runs.jsonl").read_text("utf-8").splitlines()]
    domains = tuple(facts["domains"])
    runs = pd.DataFrame(
        {
            name: [row[name] for row in rows]
            for name in ("run", "kind", "strength", "seed", "seconds")
        }
    )
    return Swarm(
        domains,
        np.array([row["weights"] for row in rows]),
        domains,
        np.array([row["losses"] for row in rows]),
        runs,
        tokens=facts["tokens"],
        meta=facts,
    )


def log_names() -> list[str]:
    """The logs that are there."""
    return sorted(path.stem for path in folder("logs").glob("*.jsonl"))


def read_log(name: str = "doremi") -> RunLog:
    """A run log by name."""
    if name not in log_names():
        raise UnknownName(kind="demo log", name=name, known=log_names())
    return RunLog.load(folder("logs") / f"{name}.jsonl")


def proxy_path() -> Path:
    """The proxy model that the natural run left."""
    return folder("proxy") / "natural.npz"
