"""A folder of run logs, one file a run -> Swarm.

Each log is one that ``rv.read_log`` reads, with the weights that were drawn by, and the losses on
the way.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from reweightviz.core.errors import ReweightvizError, WrongContent, list_names, warn
from reweightviz.core.runlog import RunLog
from reweightviz.core.swarm import Swarm
from reweightviz.core.types import Array
from reweightviz.core.validation import whole_number
from reweightviz.readers._on_error import is_skipping
from reweightviz.readers.read_log import read_log

__all__ = ["FACTS", "MOST_CHANGE", "ProxyRun", "read"]


MOST_CHANGE = 0.01
"""Share of tokens by which weights may change within a run that counts as one mixture."""
FACTS = {"size": "parameters", "run_tokens": "tokens", "seed": "seed"}
"""Columns of the swarm's runs to their names in the meta of a log."""


class ProxyRun(NamedTuple):
    """One log with its mean weights (K,) and the losses (K,) that it reached."""

    path: Path
    log: RunLog
    mixture: Array
    losses: Array


def read(
    folder: str | os.PathLike[str],
    *,
    signal: str = "held_out_loss",
    pattern: str = "*.jsonl",
    last: int = 1,
    tokens: Mapping[str, float] | None = None,
    on_error: str = "raise",
) -> Swarm:
    """Read every log of a folder as one proxy run.

    Args:
        folder: of the logs, which may lie in subfolders too.
        signal: what a run reached: the last measured value of each domain.
        pattern: of the files' names, such as ``*.csv``.
        last: mean of that many last measurements.
        tokens: domain to tokens available to the runs.
        on_error: "raise", or "skip" to leave out, count and warn of logs that cannot be read or
            lack the signal.

    Returns:
        A Swarm whose targets are the domains. A mixture is the mean of a run's weights over its
        steps: what was trained on.

    Raises:
        ReweightvizError: one sentence naming the file.
    """
    skip = is_skipping(on_error)
    last = whole_number("last", last, 1)
    runs, reasons = _read_runs(Path(folder), pattern, signal, last, skip=skip)
    domains = runs[0].log.domains
    strange = [str(run.path) for run in runs if set(run.log.domains) != set(domains)]
    if strange:
        raise ReweightvizError(
            f"the logs must have the same domains; {list_names(strange, 3)} differ from "
            f"{runs[0].path}."
        )
    if reasons:
        warn(f"{len(reasons)} of {len(runs) + len(reasons)} logs skipped: {reasons[0]}")
    names = _name_runs(runs, Path(folder))
    changed = [name for name, run in zip(names, runs, strict=True) if _change(run) > MOST_CHANGE]
    if changed:
        warn(
            f"the weights of {list_names(changed, 3)} changed within the run; the mean over its "
            "steps is taken as its mixture."
        )
    orders = [[run.log.domains.index(domain) for domain in domains] for run in runs]
    return Swarm(
        domains,
        np.array([run.mixture[order] for run, order in zip(runs, orders, strict=True)]),
        domains,
        np.array([run.losses[order] for run, order in zip(runs, orders, strict=True)]),
        pd.DataFrame([_facts(name, run) for name, run in zip(names, runs, strict=True)]),
        tokens,
        meta={"signal": signal, "skipped_runs": len(reasons)},
    )


def _read_runs(
    folder: Path, pattern: str, signal: str, last: int, *, skip: bool
) -> tuple[list[ProxyRun], list[str]]:
    """Return the runs, and the reasons for which others are left out."""
    paths = sorted(folder.rglob(pattern))
    if not paths:
        others = sorted({f"*{path.suffix}" for path in folder.rglob("*") if path.suffix})
        hint = f"; pattern= reads {list_names(others)}" if others else ""
        raise ReweightvizError(f"there is no file like {pattern!r} in {folder}{hint}.")
    runs = []
    reasons = []
    for path in paths:
        try:
            log = read_log(path)
            mixture = _mean_weights(path, log)
            runs.append(ProxyRun(path, log, mixture, _last_values(path, log, signal, last)))
        except ReweightvizError as reason:
            if not skip:
                raise
            reasons.append(str(reason))
    if not runs:
        raise ReweightvizError(f"none of {len(paths)} logs in {folder} can be used: {reasons[0]}")
    return runs, reasons


def _mean_weights(path: Path, log: RunLog) -> Array:
    """Return the mean of the weights; a weight holds from the step before to its own."""
    if not len(log):
        raise ReweightvizError(f"the log {log.name!r} has no step.")
    is_known = np.isfinite(log.weights).all(axis=1)
    if not log.domains or not is_known.any():
        raise WrongContent(path=path, reason="holds no weights, so its mixture is not known")
    # Lines stand some steps apart, and not always equally many.
    share = np.diff(log.steps[is_known], prepend=0).astype(np.float64)
    if not share.any():  # one line, at step 0
        share[:] = 1.0
    mean = share @ log.weights[is_known] / share.sum()
    # A log holds weights rounded to a few digits.
    return np.asarray(mean / mean.sum(), np.float64)


def _last_values(path: Path, log: RunLog, signal: str, last: int) -> Array:
    """Return the mean of the last measured values (K,)."""
    values = log.signals.get(signal)
    if values is None:
        raise WrongContent(
            path=path,
            reason=f"has no {signal!r}; it has {list_names(log.signals) or 'no signals'}: "
            "signal= names what a run reached",
        )
    columns = [column[np.isfinite(column)][-last:] for column in values.T]
    never = [domain for domain, column in zip(log.domains, columns, strict=True) if not len(column)]
    if never:
        raise WrongContent(path=path, reason=f"never measured {signal!r} of {list_names(never)}")
    return np.array([column.mean() for column in columns])


def _change(run: ProxyRun) -> float:
    """Return the largest share of tokens by which a step differs from the mixture."""
    return float(np.nanmax(np.abs(run.log.weights - run.mixture).sum(1) / 2))


def _name_runs(runs: Sequence[ProxyRun], folder: Path) -> list[str]:
    """Return the names of the logs; their places where two have one name, as a/log and b/log."""
    names = [run.log.name for run in runs]
    if len(set(names)) < len(names):
        names = [run.path.relative_to(folder).with_suffix("").as_posix() for run in runs]
    return names


def _facts(name: str, run: ProxyRun) -> dict[str, object]:
    facts: dict[str, object] = {
        "run": name,
        "file": str(run.path),
        "steps": int(run.log.steps[-1]),
    }
    for column, key in FACTS.items():
        if run.log.meta.get(key) is not None:
            facts[column] = run.log.meta[key]
    return facts
