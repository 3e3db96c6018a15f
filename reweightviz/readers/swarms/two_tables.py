"""Public tables of proxy runs, two CSV files as they are -> Swarm.

RegMix (Liu et al., 2024): ``index, train_the_pile_arxiv, ...`` and
``index, metric/the_pile_arxiv_val_loss, ...``.
Olmix (Allen AI, 2026): ``run, name, index``, then domains or metrics.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.errors import DuplicateName, ReweightvizError, UnknownName, list_names, warn
from reweightviz.core.swarm import Swarm
from reweightviz.readers._on_error import is_skipping
from reweightviz.readers.swarms._names import strip_common
from reweightviz.readers.swarms._table import Table, read_table

__all__ = ["KEYS", "read"]


KEYS = ("run", "name", "index")


def read(
    ratios: Table,
    metrics: Table,
    *,
    keys: Sequence[str] = KEYS,
    strip: bool = True,
    tokens: Mapping[str, float] | None = None,
    higher_is_better: Collection[str] = (),
    on_error: str = "raise",
) -> Swarm:
    """Read proxy runs.

    Args:
        ratios: CSV file or table with a row a run: key columns, then a column a domain (its
            weight).
        metrics: the same with a column a target (the loss reached).
        keys: columns that name a run; the two tables are joined on those that both have. Every
            other column must hold numbers.
        strip: leave out what the names of all domains, or of all targets, begin or end with, up to
            a separator: ``train_the_pile_arxiv`` and ``metric/the_pile_arxiv_val_loss`` are both
            ``arxiv``.
        tokens: domain to tokens available to the runs.
        higher_is_better: targets (names after stripping) that are no losses.
        on_error: "raise", or "skip" to leave out, count and warn of runs that stand in one table
            only or lack a value.

    Returns:
        A Swarm of R runs in the order of ``ratios``, weights as read: rows of 3 decimals that sum
        to nearly 1 stay so. ``runs`` holds the key columns, ``meta["columns"]`` the names as read.

    Raises:
        ReweightvizError: one sentence naming the table and the column or run.
    """
    skip = is_skipping(on_error)
    left = _rows("ratios", ratios)
    right = _rows("metrics", metrics)
    shared = _shared_keys(left, right, keys)
    mixtures = _numbers("ratios", left, keys)
    losses = _numbers("metrics", right, keys)
    rows, partners = _join(
        _index("ratios", left, shared), _index("metrics", right, shared), skip=skip
    )
    mixtures = mixtures.iloc[rows]
    losses = losses.iloc[partners]
    is_whole = _find_whole(mixtures, losses, left[shared].iloc[rows], skip=skip)
    skipped = len(left) - int(is_whole.sum())
    if skipped:
        warn(f"{skipped} of {len(left)} runs skipped, a table lacks their values.")
    columns = (*mixtures.columns, *losses.columns)
    domains = tuple(mixtures.columns)
    targets = tuple(losses.columns)
    if strip:
        domains = strip_common(domains)
        targets = strip_common(targets)
    for name in higher_is_better:
        if name not in targets:
            raise UnknownName(kind="target", name=name, known=targets)
    runs = _key_columns(left.iloc[rows], right.iloc[partners], keys, shared)
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


def _rows(role: str, source: Table) -> pd.DataFrame:
    table = read_table(role, source)
    # An index that pandas wrote along comes back as a column without a name.
    unnamed = [name for name in table.columns if re.fullmatch(r"Unnamed: \d+", name)]
    table = table.drop(columns=unnamed)
    if not len(table) or not len(table.columns):
        raise ReweightvizError(f"the table of {role} has no rows.")
    return table


def _shared_keys(left: pd.DataFrame, right: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    shared = [key for key in keys if key in left.columns and key in right.columns]
    if not shared:
        raise ReweightvizError(
            f"the two tables must share a column that names a run, one of {list_names(keys)}; "
            f"got {list_names(left.columns[:3])} and {list_names(right.columns[:3])}."
        )
    return shared


def _numbers(role: str, table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return the columns that are no keys, as numbers."""
    found = table[[name for name in table.columns if name not in keys]]
    if not len(found.columns):
        raise ReweightvizError(
            f"the table of {role} has no columns besides {list_names(table.columns)}."
        )
    numbers = found.apply(pd.to_numeric, errors="coerce")
    # Only text is a mistake here; an empty cell is a run without a value, dealt with later.
    bad = np.argwhere((numbers.isna() & found.notna()).to_numpy())
    if len(bad):
        row, column = bad[0]
        raise ReweightvizError(
            f"column {found.columns[column]!r} of {role} must hold numbers; row {row + 1} "
            f"has {str(found.iat[row, column])[:40]!r} (keys= names columns of text)."
        )
    return numbers


def _index(role: str, table: pd.DataFrame, shared: Sequence[str]) -> pd.Index:
    """Return the runs of a table by the keys that both have."""
    # As text, for one table may hold 1 where the other holds "1".
    index = pd.MultiIndex.from_frame(table[list(shared)].astype(str))
    twice = index[index.duplicated()]
    if len(twice):
        raise DuplicateName(kind="run", names=twice[:1], where=role)
    return index


def _join(
    left: pd.Index, right: pd.Index, *, skip: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of the runs that both tables have, in the order of the left."""
    partners = right.get_indexer(left)
    alone = [*left[partners < 0], *right[~right.isin(left)]]
    if alone and (not skip or (partners < 0).all()):
        raise ReweightvizError(
            f"{len(alone)} runs stand in one of the two tables only, {list_names(alone, 3)}; "
            "on_error='skip' leaves them out."
        )
    rows = np.flatnonzero(partners >= 0)
    return rows, partners[rows].astype(np.int64)


def _find_whole(
    mixtures: pd.DataFrame, losses: pd.DataFrame, runs: pd.DataFrame, *, skip: bool
) -> NDArray[np.bool_]:
    """Return (R,), true for the runs with every weight and every loss."""
    gaps = ~np.isfinite(np.hstack([mixtures.to_numpy(np.float64), losses.to_numpy(np.float64)]))
    has_gap = gaps.any(axis=1)
    if has_gap.any() and (not skip or has_gap.all()):
        row, column = np.argwhere(gaps)[0]
        name = [*mixtures.columns, *losses.columns][column]
        raise ReweightvizError(
            f"run {tuple(runs.iloc[row].tolist())} has no number in {name!r} "
            f"({has_gap.sum()} such runs); on_error='skip' leaves them out."
        )
    return np.asarray(~has_gap)


def _key_columns(
    left: pd.DataFrame, right: pd.DataFrame, keys: Sequence[str], shared: Sequence[str]
) -> pd.DataFrame:
    """Return the keys of the same runs in both tables beside each other."""
    ours = [key for key in keys if key in left.columns]
    theirs = [key for key in keys if key in right.columns and key not in shared]
    return pd.concat(
        [left[ours].reset_index(drop=True), right[theirs].reset_index(drop=True)], axis=1
    )
