"""The tokens of a run: as its weights planned them, as they were drawn, and all together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reweightviz.core.runlog import RunLog
from reweightviz.core.types import Array
from reweightviz.figures.axes import read_tokens_per_step
from reweightviz.figures.run_cache import RunCache

__all__ = ["fill_weights", "has_drawn_tokens", "read_run_tokens", "sum_drawn", "sum_planned"]


def read_run_tokens(log: RunLog) -> float | None:
    """Return the tokens that the whole run is to have, by its meta; None where it has them not.

    >>> meta = {"steps": 100, "batch": 8, "context": 64}
    >>> read_run_tokens(RunLog((), [], np.empty((0, 0)), meta=meta))
    51200.0
    """
    try:
        tokens = float(log.meta.get("tokens") or 0)
        if not tokens:
            tokens = float(log.meta.get("steps") or 0) * (read_tokens_per_step(log) or 0)
    except (TypeError, ValueError):  # such as "all"
        return None
    return tokens if 0 < tokens < float("inf") else None


def has_drawn_tokens(log: RunLog, cache: RunCache, r: int = 0) -> bool:
    """Return whether the tokens of each domain were counted as they were drawn."""
    signal = log.signals.get("drawn_tokens")
    return signal is not None and cache.has_values((r, "drawn_tokens"), signal)


def sum_drawn(log: RunLog, cache: RunCache, r: int = 0) -> Array:
    """Return the tokens drawn of each domain up to each record (T, K), as they were counted."""
    return _cumulate(
        log, cache, (r, "drawn"), lambda start: np.nan_to_num(log.signals["drawn_tokens"][start:])
    )


def sum_planned(log: RunLog, cache: RunCache, r: int = 0) -> Array:
    """Return the tokens of each domain up to each record (T, K), as the weights planned them."""
    weights = fill_weights(log, cache, r)

    def compute(start: int) -> Array:
        return np.nan_to_num(weights[start:]) * _count_new_tokens(log, start)[:, None]

    return _cumulate(log, cache, (r, "planned"), compute)


def fill_weights(log: RunLog, cache: RunCache, r: int = 0) -> Array:
    """Return the weights (T, K) without gaps: in an unknown row those before it hold.

    Before the first known row they are NaN.
    """

    def compute(start: int, before: Array) -> Array:
        last = before[-1:]
        rows = np.concatenate([last, log.weights[start:]])
        known = np.isfinite(rows).any(axis=1)
        rows[known] = np.nan_to_num(rows[known])
        latest = np.maximum.accumulate(np.where(known, np.arange(len(rows)), 0))
        return rows[latest][len(last) :]

    return cache.extend((r, "known weights"), len(log), len(log.domains), compute)


def _cumulate(log: RunLog, cache: RunCache, key: object, compute: Callable[[int], Array]) -> Array:
    def extend(start: int, before: Array) -> Array:
        sums = np.cumsum(compute(start), axis=0)
        return np.asarray(sums + before[-1] if len(before) else sums, np.float64)

    return cache.extend(key, len(log), len(log.domains), extend)


def _count_new_tokens(log: RunLog, start: int) -> Array:
    """Return the tokens between each record and the one before, from a row on."""
    if "drawn_tokens" in log.signals:
        drawn: Array = np.nan_to_num(log.signals["drawn_tokens"][start:]).sum(axis=1)
        return drawn
    rows = slice(max(start - 1, 0), None)
    if len(log) and np.isfinite(log.tokens[-1]):
        total = np.nan_to_num(log.tokens[rows])
    else:
        total = np.asarray(log.steps[rows] * (read_tokens_per_step(log) or 0.0), np.float64)
    new = np.diff(total, prepend=0.0) if start == 0 else np.diff(total)
    # A restart may step back.
    return np.maximum(new, 0.0)
