"""What runs drew, and what follows from it: shares, epochs, when a domain is used up, excess over a reference, effective domains.

Every table is computed from its new rows alone where a :class:`RunCache` keeps what was there
before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from reweightviz.core.mixture import effective_domains
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import Array
from reweightviz.figures.runs import Axis, DrawingCache, list_axes, place_rows, read_tokens_per_step


class RunCache(DrawingCache):
    """Also keeps the tables that are computed from runs.

    Example:
        >>> cache, numbers = RunCache(), np.arange(4.0)[:, None]
        >>> for length in (2, 4):
        ...     doubled = cache.extend("doubled", length, 1, lambda start, done: 2 * numbers[start:length])
        >>> doubled.ravel().tolist()
        [0.0, 2.0, 4.0, 6.0]
    """

    def __init__(self) -> None:
        super().__init__()
        self._tables: dict[object, tuple[Array, int]] = {}

    def extend(
        self, key: object, length: int, width: int, rows: Callable[[int, Array], Array]
    ) -> Array:
        """The table (length, width) under that key; ``rows(start, done)`` gives those from ``start`` on, ``done`` are those before.

        The last row of before is asked for again: it may have been filled in since.
        """
        table, done = self._tables.get(key, (np.empty((0, width)), 0))
        start = max(min(done, length) - 1, 0)
        if len(table) < length:
            wider = np.empty((max(length, 2 * len(table)), width))
            wider[:start] = table[:start]
            table = wider
        table[start:length] = rows(start, table[:start])
        self._tables[key] = table, length
        return table[:length]

    def clear(self) -> None:
        """Forget: rows that were seen have changed."""
        super().clear()
        self._tables.clear()


def read_run_tokens(log: RunLog) -> float | None:
    """Tokens that the whole run is to have, as its meta names them; None where it does not.

    >>> read_run_tokens(RunLog((), [], np.empty((0, 0)), meta={"steps": 100, "batch": 8, "context": 64}))
    51200.0
    """
    try:
        tokens = float(log.meta.get("tokens") or 0) or float(log.meta.get("steps") or 0) * (
            read_tokens_per_step(log) or 0
        )
    except (TypeError, ValueError):  # such as "all"
        return None
    return tokens if 0 < tokens < float("inf") else None


def fill_weights(log: RunLog, cache: RunCache, r: int = 0) -> Array:
    """Weights (T, K); where a row is unknown those before it hold, before the first known one NaN."""

    def rows(start: int, done: Array) -> Array:
        new = np.concatenate([done[-1:], log.weights[start:]])
        known = np.isfinite(new).any(axis=1)
        new[known] = np.nan_to_num(new[known])
        latest = np.maximum.accumulate(np.where(known, np.arange(len(new)), 0))
        return new[latest][len(done[-1:]) :]

    return cache.extend((r, "known weights"), len(log), len(log.domains), rows)


def count_drawn(log: RunLog, cache: RunCache, r: int = 0) -> tuple[Array, bool]:
    """Tokens drawn of each domain up to each record (T, K), and whether they were measured; else they are the plan's."""
    measured = (
        cache.has_values((r, "drawn_tokens"), log.signals["drawn_tokens"])
        if "drawn_tokens" in log.signals
        else False
    )
    return (_sum_measured(log, cache, r) if measured else _sum_planned(log, cache, r)), measured


def compute_shares(
    log: RunLog, *, window: int = 0, cache: RunCache | None = None, r: int = 0
) -> tuple[Array, Array]:
    """Realised and planned share of the tokens of each domain, each (T, K).

    Both are of the same tokens: the plan counts every record's tokens by the weights that it names.

    Args:
        log: a run with drawn_tokens.
        window: records that are taken together, up to each; 0 is the whole run.
        cache: what was computed before.
        r: number of the run in ``cache``.

    Example:
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [0.9, 0.1]], {"drawn_tokens": [[60, 40], [80, 20]]})
        >>> [table.tolist() for table in compute_shares(log)]
        [[[0.6, 0.4], [0.7, 0.3]], [[0.5, 0.5], [0.7, 0.3]]]
        >>> compute_shares(log, window=1)[0].tolist()
        [[0.6, 0.4], [0.8, 0.2]]
    """
    cache = cache or RunCache()
    tables = {"realised": _sum_measured(log, cache, r), "planned": _sum_planned(log, cache, r)}
    return tuple(_normalise(name, table, window, cache, r) for name, table in tables.items())  # type: ignore[return-value]


def look_up_tokens(log: RunLog, tokens: Mapping[str, float]) -> Array:
    """Tokens that there are (K,); NaN where that is not known, or nothing."""
    return np.array([tokens.get(name) or np.nan for name in log.domains], np.float64)


def project_exhaustion(
    log: RunLog,
    tokens: Mapping[str, float],
    axis: Axis,
    *,
    limit: float = 1.0,
    window: int = 50,
    cache: RunCache | None = None,
    r: int = 0,
) -> Array:
    """Where on the axis each domain will have been seen ``limit`` times (K,), at the rate of the last ``window`` records.

    Infinite where it is not drawn any more, NaN where nothing is known; a place before the last
    record where it has happened already.

    Example:
        >>> log = RunLog(("web",), [10, 20], [[1.0]] * 2, {"drawn_tokens": [[100.0], [100.0]]})
        >>> project_exhaustion(log, {"web": 1000.0}, Axis("step", "step", 1.0)).tolist()
        [100.0]
    """
    used, room = count_drawn(log, cache or RunCache(), r)[0], limit * look_up_tokens(log, tokens)
    if len(log) < 2:
        return np.full(len(log.domains), np.nan)
    first = max(len(log) - 1 - window, 0)
    since, now = place_rows(log, axis, np.array([first, len(log) - 1]))
    rate = (used[-1] - used[first]) / (now - since)
    with np.errstate(divide="ignore", invalid="ignore"):
        ahead = now + (room - used[-1]) / rate
    past = np.array(
        [
            place_rows(log, axis, np.array([(used[:, k] >= most).argmax()]))[0]
            if used[-1, k] >= most
            else np.nan
            for k, most in enumerate(room)
        ]
    )
    return np.where(np.isfinite(past), past, ahead)


def compute_excess(
    log: RunLog,
    reference: RunLog,
    signal: str,
    *,
    by: str = "step",
    cache: RunCache | None = None,
    r: int = 0,
) -> Array:
    """A signal less that of a reference run (T, K), which is interpolated between its points; NaN outside of them.

    Args:
        log: a run.
        reference: what it is compared with; domains are matched by name.
        signal: that both have.
        by: ``"step"`` or ``"tokens"``: what is alike at the points that are compared.
        cache: what was computed before.
        r: number of the run in ``cache``.

    Example:
        >>> old = RunLog(("web",), [0, 100], [[1.0]] * 2, {"loss": [[4.0], [3.0]]})
        >>> compute_excess(RunLog(("web",), [50, 200], [[1.0]] * 2, {"loss": [[3.25], [2.5]]}), old, "loss").ravel().tolist()
        [-0.25, nan]
    """
    axis = Axis(by, by, 1.0)
    there, place = reference.signals[signal], place_rows(reference, axis, slice(None))

    def rows(start: int, _: Array) -> Array:
        at = place_rows(log, axis, slice(start, None))
        baseline = np.full((len(at), len(log.domains)), np.nan)
        for k, name in enumerate(log.domains):
            if name in reference.domains:
                values = there[:, reference.domains.index(name)]
                seen = np.isfinite(values) & np.isfinite(place)
                if seen.any():
                    baseline[:, k] = np.interp(at, place[seen], values[seen], np.nan, np.nan)
        return log.signals[signal][start:] - baseline

    return (cache or RunCache()).extend((r, "excess", signal, by), len(log), len(log.domains), rows)


def choose_shared_axis(log: RunLog, reference: RunLog, x: str) -> str:
    """By what a run and its reference are compared: the axis, or for the time the tokens where both know them."""
    if x != "time":
        return x
    return "tokens" if "tokens" in list_axes([log, reference]) else "step"


def count_effective_domains(log: RunLog, *, cache: RunCache | None = None, r: int = 0) -> Array:
    """Return the effective number of domains (T, 1) of a run's weights.

    >>> count_effective_domains(RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [1.0, 0.0]])).ravel().tolist()
    [2.0, 1.0]
    """

    def rows(start: int, _: Array) -> Array:
        return effective_domains(log.weights[start:])[:, None]

    return (cache or RunCache()).extend((r, "effective domains"), len(log), 1, rows)


# ---- cumulated


def _sum_measured(log: RunLog, cache: RunCache, r: int) -> Array:
    return _cumulate(
        log, cache, (r, "drawn"), lambda start: np.nan_to_num(log.signals["drawn_tokens"][start:])
    )


def _sum_planned(log: RunLog, cache: RunCache, r: int) -> Array:
    weights = fill_weights(log, cache, r)

    def rows(start: int) -> Array:
        return np.nan_to_num(weights[start:]) * _count_new_tokens(log, start)[:, None]

    return _cumulate(log, cache, (r, "planned"), rows)


def _cumulate(log: RunLog, cache: RunCache, key: object, rows: Callable[[int], Array]) -> Array:
    def grow(start: int, done: Array) -> Array:
        new = np.cumsum(rows(start), axis=0)
        return new + done[-1] if len(done) else new

    return cache.extend(key, len(log), len(log.domains), grow)


def _count_new_tokens(log: RunLog, start: int) -> Array:
    """Tokens between each record and the one before, from that row on."""
    if "drawn_tokens" in log.signals:
        return np.nan_to_num(log.signals["drawn_tokens"][start:]).sum(axis=1)
    each = read_tokens_per_step(log)
    if len(log) and np.isfinite(log.tokens[-1]):
        counted = np.nan_to_num(log.tokens[max(start - 1, 0) :])
    else:
        counted = log.steps[max(start - 1, 0) :] * (each or 0.0)
    return np.maximum(np.diff(counted, prepend=0.0) if start == 0 else np.diff(counted), 0.0)


def _normalise(name: str, table: Array, window: int, cache: RunCache, r: int) -> Array:
    def rows(start: int, _: Array) -> Array:
        new = table[start:]
        if window:
            before = np.arange(start, len(table)) - window
            new = new - np.where(before[:, None] >= 0, table[np.maximum(before, 0)], 0.0)
        total = new.sum(axis=1, keepdims=True)
        return np.divide(new, total, out=np.full(new.shape, np.nan), where=total > 0)

    return cache.extend((r, name, window), len(table), table.shape[1], rows)
