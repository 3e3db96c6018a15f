"""The demo's own training runs, made by data/make_runs.py: a swarm, run logs, the proxy model."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from reweightviz.core.errors import ReweightvizError, UnknownName
from reweightviz.core.runlog import RunLog
from reweightviz.core.swarm import Swarm

__all__ = ["FACTS", "folder", "log_names", "proxy_path", "read_log", "read_swarm"]


FACTS = ("run", "kind", "strength", "seed", "seconds")
"""Columns of the swarm's runs."""


def folder(part: str) -> Path:
    """Return the folder of the demo's runs: in the installed package, or data/ of a source tree."""
    package = Path(str(files("reweightviz")))
    for place in (package / "data" / part, package.parent / "data" / part):
        if place.is_dir():
            return place
    raise ReweightvizError(
        f"the demo's {part} is not in this installation; install a "
        "wheel, or run from a whole source tree."
    )


def read_swarm() -> Swarm:
    """Read the proxy runs; targets are the domains' held-out losses in nats per byte."""
    place = folder("swarm")
    meta = json.loads((place / "meta.json").read_text("utf-8"))
    rows = [json.loads(line) for line in (place / "runs.jsonl").read_text("utf-8").splitlines()]
    domains = tuple(meta["domains"])
    return Swarm(
        domains,
        np.array([row["weights"] for row in rows]),
        domains,
        np.array([row["losses"] for row in rows]),
        pd.DataFrame({name: [row[name] for row in rows] for name in FACTS}),
        tokens=meta["tokens"],
        meta=meta,
    )


def log_names() -> list[str]:
    """Return the names of the run logs."""
    return sorted(path.stem for path in folder("logs").glob("*.jsonl"))


def read_log(name: str = "doremi") -> RunLog:
    """Read a run log by name."""
    if name not in log_names():
        raise UnknownName(kind="demo log", name=name, known=log_names())
    return RunLog.load(folder("logs") / f"{name}.jsonl")


def proxy_path() -> Path:
    """Return the path of the proxy model, which the natural run left."""
    return folder("proxy") / "natural.npz"
