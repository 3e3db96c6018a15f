"""The table of every domain: its weights, its tokens, its gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.errors import WrongDomains
from reweightviz.core.runlog import RunLog
from reweightviz.core.sources import Sources
from reweightviz.core.types import Array
from reweightviz.diagnostics.course import Course, read_meta
from reweightviz.diagnostics.log_lines import count_steps

__all__ = ["find_budget", "find_sources", "tabulate_domains"]


def tabulate_domains(course: Course, sources: Sources | None, budget: float | None) -> pd.DataFrame:
    """Return a row a domain; see :class:`reweightviz.diagnostics.diagnosis.Diagnosis`."""
    mean = np.full(len(course.domains), np.nan)
    if course.counts is not None:
        mean = np.average(course.weights, axis=0, weights=course.counts)
    table = pd.DataFrame(
        {
            "weight": course.weights[-1],
            "mean": mean,
            "lowest": course.weights.min(0),
            "highest": course.weights.max(0),
            "drawn": np.nan,
            "epochs": np.nan,
            "absent": np.nan,
            "longest_gap": np.nan,
            "a_batch": np.nan,
        },
        index=pd.Index(course.domains, name="domain"),
    )
    if course.log is not None:
        _fill_from_log(table, course.log)
    if sources is not None and budget is not None:
        table["epochs"] = _count_epochs(table, sources, budget)
    return table


def _fill_from_log(table: pd.DataFrame, log: RunLog) -> None:
    """Fill the columns drawn, absent, longest_gap and a_batch."""
    tokens = log.signals.get("drawn_tokens")
    if tokens is not None and np.nansum(tokens) > 0:
        table["drawn"] = np.nansum(tokens, 0) / np.nansum(tokens)
    _fill_gaps(table, log, tokens)
    batch = read_meta(log, "batch", ())
    if batch is not None:
        share = table["mean"]
        if table["drawn"].notna().all():
            share = table["drawn"]
        table["a_batch"] = share * float(batch)


def _fill_gaps(table: pd.DataFrame, log: RunLog, tokens: Array | None) -> None:
    signal = tokens
    if signal is None:
        # Without counts, a domain that a batch lacks shows as a loss that is NaN.
        signal = log.signals.get("loss")
    if signal is None:
        return
    measured = np.isfinite(signal).any(1)
    if not measured.any():
        return
    rows = signal[measured]
    if tokens is None:
        gone = np.isnan(rows)
        # A loss that is never logged is no evidence of a domain's absence.
        logged = ~gone.all(0)
    else:
        gone = ~(np.nan_to_num(rows) > 0)
        logged = np.ones(rows.shape[1], bool)
    counts = count_steps(log)[measured]
    longest = [_longest_gap(column, counts) for column in gone.T]
    batches = read_meta(log, "absent", (len(log.domains),))
    # A trainer may count every batch, of which a log holds only some as lines.
    if batches is None:
        batches = np.where(logged, gone.mean(0), np.nan)
    table["absent"] = batches
    table["longest_gap"] = np.where(logged, longest, np.nan)


def _longest_gap(gone: NDArray[np.bool_], counts: NDArray[np.int64]) -> int:
    """Return the steps of the longest stretch of lines (T,) without a domain."""
    longest = now = 0
    for absent, steps in zip(gone.tolist(), counts.tolist(), strict=True):
        now += steps
        if not absent:
            now = 0
        longest = max(longest, now)
    return longest


def find_sources(course: Course, given: Any) -> Sources | None:
    """Return what there is of every domain, as given or else as the log has it.

    Raises:
        ReweightvizError: the sources lack a domain.
    """
    if given is None and course.log is not None:
        given = course.log.meta.get("sources")
    sources = Sources.of(given)
    if sources is None:
        return None
    if any(domain not in sources for domain in course.domains):
        raise WrongDomains(
            who="the sources", asked=sources, other="the mixture", there=course.domains
        )
    return sources


def find_budget(course: Course) -> float | None:
    """Return the tokens that a log's run was trained on, where it counts them."""
    if course.log is None:
        return None
    drawn = course.drawn_tokens
    if drawn is not None and np.nansum(drawn) > 0:
        return float(np.nansum(drawn))
    known = course.log.meta.get("tokens")
    if not isinstance(known, int | float):
        return None
    return float(known)


def _count_epochs(table: pd.DataFrame, sources: Sources, budget: float) -> Array:
    available = np.array([sources[domain].tokens for domain in table.index])
    # The tokens that were drawn are facts; the weights are only what was planned.
    wanted = table["drawn"].fillna(table["mean"]).to_numpy() * budget
    endless = np.where(wanted > 0, np.inf, 0.0)
    return np.asarray(np.divide(wanted, available, out=endless, where=available > 0), np.float64)
