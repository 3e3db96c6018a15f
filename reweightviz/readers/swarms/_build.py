"""Mixtures and losses of the same runs -> Swarm, with names cut and runs with gaps named."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, UnknownName, warn
from reweightviz.core.swarm import Swarm
from reweightviz.readers.swarms._names import strip_common

__all__ = ["build_swarm"]


def build_swarm(
    mixtures: pd.DataFrame,
    losses: pd.DataFrame,
    runs: pd.DataFrame,
    keys: Sequence[str],
    *,
    left_out: int = 0,
    strip: bool = True,
    strip_domains: bool = True,
    tokens: Mapping[str, float] | None = None,
    higher_is_better: Collection[str] = (),
    skip: bool = False,
) -> Swarm:
    """Return a Swarm of the runs that have every number.

    Args:
        mixtures: weights (R, K), NaN where there is none.
        losses: of the same runs (R, M).
        runs: what is known of them (R, ...).
        keys: the columns of ``runs`` that name one.
        left_out: runs that were left out before.
        strip: leave out what the names of all domains, or of all targets, begin or end with.
        strip_domains: those of the domains, too.
        tokens: domain to tokens available to the runs.
        higher_is_better: targets (names after stripping) that are no losses.
        skip: leave out runs that lack a number.
    """
    is_whole = _find_whole(mixtures, losses, runs[list(keys)], skip=skip)
    total = len(runs) + left_out
    skipped = total - int(is_whole.sum())
    if skipped:
        warn(f"{skipped} of {total} runs skipped, a table lacks their values.")
    columns = (*mixtures.columns, *losses.columns)
    domains = tuple(mixtures.columns)
    targets = tuple(losses.columns)
    if strip and strip_domains:
        domains = strip_common(domains)
    if strip:
        targets = strip_common(targets)
    for name in higher_is_better:
        if name not in targets:
            raise UnknownName(kind="target", name=name, known=targets)
    return Swarm(
        domains,
        mixtures.to_numpy(np.float64)[is_whole],
        targets,
        losses.to_numpy(np.float64)[is_whole],
        runs[is_whole].reset_index(drop=True),
        tokens,
        np.array([name not in higher_is_better for name in targets]),
        {
            "columns": dict(zip((*domains, *targets), columns, strict=True)),
            "skipped_runs": skipped,
        },
    )


def _find_whole(
    mixtures: pd.DataFrame, losses: pd.DataFrame, runs: pd.DataFrame, *, skip: bool
) -> NDArray[np.bool_]:
    """Return (R,), true for the runs with every weight and every loss."""
    gaps = ~np.isfinite(np.hstack([mixtures.to_numpy(np.float64), losses.to_numpy(np.float64)]))
    has_gap = gaps.any(axis=1)
    if has_gap.any() and (not skip or has_gap.all()):
        row, column = np.argwhere(gaps)[0]
        name = [*mixtures.columns, *losses.columns][column]
        advice = "; on_error='skip' leaves them out"
        if has_gap.all():  # which would leave none
            advice = ""
        raise ReweightvizError(
            f"run {tuple(runs.iloc[row].tolist())} has no number in {name!r} "
            f"({has_gap.sum()} such runs){advice}."
        )
    return np.asarray(~has_gap)
