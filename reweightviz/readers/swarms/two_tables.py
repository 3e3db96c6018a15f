"""Public tables of proxy runs, two files as they are -> Swarm.

RegMix (Liu et al., 2024): ``index, train_the_pile_arxiv, ...`` and
``index, metric/the_pile_arxiv_val_loss, ...``.
Olmix (Allen AI, 2026): ``run, name, index``, then domains or metrics.
Either may be long, with a row a run and domain, or a row a run and target.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.errors import DuplicateName, ReweightvizError, list_names
from reweightviz.core.swarm import Swarm
from reweightviz.readers._on_error import is_skipping
from reweightviz.readers.swarms._build import build_swarm
from reweightviz.readers.swarms._numbers import check_cells, read_cells
from reweightviz.readers.swarms._run_names import read_mixtures
from reweightviz.readers.swarms._spread import find_long, spread
from reweightviz.readers.swarms._table import Table, read_table

__all__ = ["KEYS", "SEED", "read"]


KEYS = ("run", "name", "index", "run_name", "run_id", "id", "Name")
SEED = "seed"
"""The column that tells runs of one name apart: a number, but no domain or target."""


def read(
    ratios: Table,
    metrics: Table,
    *,
    keys: Sequence[str] = KEYS,
    domains: Sequence[str] | None = None,
    step: float | None = None,
    strip: bool = True,
    tokens: Mapping[str, float] | None = None,
    higher_is_better: Collection[str] = (),
    on_error: str = "raise",
) -> Swarm:
    """Read proxy runs.

    Args:
        ratios: file or table with a row a run: key columns, then a column a domain (its weight);
            or with a row a run and domain, which has columns such as ``run``, ``domain`` and
            ``weight``.
        metrics: the same with a column a target (the loss reached), or with a row a run and
            target, ``run``, ``target`` and ``loss``.
        keys: columns that name a run; the two tables are joined on those that both have, and on
            ``seed``. Every other column must hold numbers.
        domains: their names, where ``ratios`` is a list of mixtures such as ``0.25-0.75``, in which
            the names of the runs of ``metrics`` end.
        step: with several steps a run, the one to take; the last when not given.
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
    keys = [keys] if isinstance(keys, str) else list(keys)
    if SEED not in keys:
        keys.append(SEED)
    left = _rows("ratios", ratios, None)
    right = _rows("metrics", metrics, step)
    is_list = list(left) == ["run"] and "run" in right
    if is_list:
        left, right = _match_mixtures(left, right, domains)
    shared = _shared_keys(left, right, keys)
    mixtures = _numbers("ratios", left, keys, skip=skip)
    losses = _numbers("metrics", right, keys, skip=skip)
    rows, partners = _join(
        _index("ratios", left, shared), _index("metrics", right, shared), skip=skip
    )
    return build_swarm(
        mixtures.iloc[rows],
        losses.iloc[partners],
        _key_columns(left.iloc[rows], right.iloc[partners], keys, shared),
        shared,
        left_out=len(left) - len(rows),
        strip=strip,
        strip_domains=domains is None,
        tokens=tokens,
        higher_is_better=higher_is_better,
        skip=skip,
    )


def _rows(role: str, source: Table, step: float | None) -> pd.DataFrame:
    """Return a table with a row a run."""
    table = read_table(role, source)
    # An index that pandas wrote along comes back as a column without a name.
    unnamed = [name for name in table.columns if re.fullmatch(r"Unnamed: \d+", name)]
    table = table.drop(columns=unnamed)
    if not len(table) or not len(table.columns):
        raise ReweightvizError(f"the table of {role} has no rows.")
    long = find_long(table)
    if long is None:
        return table
    found = spread(table, long, step)
    # A domain that is not listed for a run is not part of its mixture.
    values = found.values.fillna(0.0) if role == "ratios" else found.values
    # The other table, with a row a run, may call the column as this one did.
    return found.facts[["run"]].assign(**{long.run: found.facts["run"]}).join(values)


def _match_mixtures(
    left: pd.DataFrame, right: pd.DataFrame, domains: Sequence[str] | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a list of mixtures as a table of ratios, and the metrics with those as their runs."""
    listed = left["run"].map(str)
    mixtures = read_mixtures(listed, domains)
    if mixtures is None:
        return left, right
    ends = {text: tuple(mark + text for mark in "-_/") for text in listed}
    names = [
        next((text for text in listed if run == text or run.endswith(ends[text])), run)
        for run in right["run"].map(str)
    ]
    return mixtures.assign(run=listed), right.assign(run=names)


def _shared_keys(left: pd.DataFrame, right: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    shared = [key for key in keys if key in left.columns and key in right.columns]
    if shared in ([], [SEED]):
        raise ReweightvizError(
            f"the two tables must share a column that names a run, one of {list_names(keys)}, or "
            f"one that keys= names; got {list_names(left.columns[:3])} and "
            f"{list_names(right.columns[:3])}."
        )
    return shared


def _numbers(role: str, table: pd.DataFrame, keys: Sequence[str], *, skip: bool) -> pd.DataFrame:
    """Return the columns that are no keys, as numbers; NaN where there is none."""
    found = table[[name for name in table.columns if name not in keys]]
    if not len(found.columns):
        raise ReweightvizError(
            f"the table of {role} has no columns besides {list_names(table.columns)}."
        )
    cells = read_cells(found)
    # Only text is a mistake here; an empty cell is a run without a value, dealt with later.
    if not skip:
        hint = "keys= names columns of text, on_error='skip' leaves such runs out"
        check_cells(role, cells, hint)
    return cells.numbers


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
    if (partners < 0).all():
        raise ReweightvizError(
            f"no run stands in both tables; one has {list_names(left[:3], 3)}, the other "
            f"{list_names(right[:3], 3)}."
        )
    if alone and not skip:
        raise ReweightvizError(
            f"{len(alone)} runs stand in one of the two tables only, {list_names(alone, 3)}; "
            "on_error='skip' leaves them out."
        )
    rows = np.flatnonzero(partners >= 0)
    return rows, partners[rows].astype(np.int64)


def _key_columns(
    left: pd.DataFrame, right: pd.DataFrame, keys: Sequence[str], shared: Sequence[str]
) -> pd.DataFrame:
    """Return the keys of the same runs in both tables beside each other."""
    ours = [key for key in keys if key in left.columns]
    theirs = [key for key in keys if key in right.columns and key not in shared]
    return pd.concat(
        [left[ours].reset_index(drop=True), right[theirs].reset_index(drop=True)], axis=1
    )
