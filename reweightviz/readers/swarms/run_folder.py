"""A folder of run logs, one JSON-lines file a run -> Swarm.

Each log is what :class:`reweightviz.core.runlog.RunLog` writes: the weights that were drawn by,
and the losses on the way.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from reweightviz.core.errors import InvalidValue, ReweightvizError, WrongContent, listed, warn
from reweightviz.core.runlog import RunLog
from reweightviz.core.swarm import Swarm
from reweightviz.core.types import Array
from reweightviz.core.validation import whole_number

Row: TypeAlias = tuple[Path, RunLog, Array, Array]
MOVED = 0.01
"""Share of tokens by which weights may change within a run that counts as one mixture."""


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
        folder: where the logs lie, in subfolders too.
        signal: what a run reached: the last measured value of each domain.
        pattern: of the files.
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
    if on_error not in ("raise", "skip"):
        raise InvalidValue(name="on_error", value=on_error, expected="'raise' or 'skip'")
    last = whole_number("last", last, 1)
    rows, left = _usable(Path(folder), pattern, signal, last, skip=on_error == "skip")
    domains = rows[0][1].domains
    strange = [str(path) for path, log, _, _ in rows if set(log.domains) != set(domains)]
    if strange:
        raise ReweightvizError(
            f"the logs must have the same domains; {listed(strange, 3)} differ from {rows[0][0]}."
        )
    if left:
        warn(f"{len(left)} of {len(rows) + len(left)} logs skipped: {left[0]}")
    moved = [
        log.name
        for _, log, mixture, _ in rows
        if (np.abs(log.weights - mixture).sum(1) / 2).max() > MOVED
    ]
    if moved:
        warn(
            f"the weights of {listed(moved, 3)} changed within the run; the mean over its "
            "steps is taken as its mixture."
        )
    order = [[log.domains.index(domain) for domain in domains] for _, log, _, _ in rows]
    mixtures = np.array(
        [mixture[places] for (_, _, mixture, _), places in zip(rows, order, strict=True)]
    )
    losses = np.array(
        [reached[places] for (_, _, _, reached), places in zip(rows, order, strict=True)]
    )
    return Swarm(
        domains,
        mixtures,
        domains,
        losses,
        pd.DataFrame([_facts(path, log) for path, log, _, _ in rows]),
        tokens,
        meta={"signal": signal, "skipped_runs": len(left)},
    )


def _usable(
    folder: Path, pattern: str, signal: str, last: int, *, skip: bool
) -> tuple[list[Row], list[str]]:
    """The logs with their mixtures and what they reached, and why the others are left out."""
    paths = sorted(folder.rglob(pattern))
    if not paths:
        raise ReweightvizError(f"there is no file like {pattern!r} in {folder}.")
    rows, left = [], []
    for path in paths:
        try:
            log = RunLog.load(path)
            rows.append((path, log, _mixture(log), _reached(path, log, signal, last)))
        except ReweightvizError as reason:
            if not skip:
                raise
            left.append(str(reason))
    if not rows:
        raise ReweightvizError(f"none of {len(paths)} logs in {folder} can be used: {left[0]}")
    return rows, left


def _mixture(log: RunLog) -> Array:
    """The mean of the weights; a weight holds from the step before to its own."""
    if not len(log):
        raise ReweightvizError(f"the log {log.name!r} has no step.")
    share = np.diff(log.steps, prepend=0).astype(np.float64)
    mean = share @ log.weights / share.sum()
    return np.asarray(mean / mean.sum(), np.float64)


def _reached(path: Path, log: RunLog, signal: str, last: int) -> Array:
    values = log.signals.get(signal)
    if values is None:
        raise WrongContent(
            path=path, reason=f"has no {signal!r}; it has {listed(log.signals) or 'no signals'}"
        )
    columns = [column[np.isfinite(column)][-last:] for column in values.T]
    never = [domain for domain, column in zip(log.domains, columns, strict=True) if not len(column)]
    if never:
        raise WrongContent(path=path, reason=f"never measured {signal!r} of {listed(never)}")
    return np.array([column.mean() for column in columns])


def _facts(path: Path, log: RunLog) -> dict[str, object]:
    known = {
        "size": log.meta.get("parameters"),
        "run_tokens": log.meta.get("tokens"),
        "seed": log.meta.get("seed"),
    }
    told = {name: value for name, value in known.items() if value is not None}
    return {"run": log.name, "file": str(path), "steps": int(log.steps[-1])} | told
