"""Public tables of proxy runs, two CSV files as they are -> Swarm.

RegMix (Liu et al., 2024): ``index, train_the_pile_arxiv, ...`` and
``index, metric/the_pile_arxiv_val_loss, ...``.
Olmix (Allen AI, 2026): ``run, name, index``, then domains or metrics.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.errors import (
    DuplicateName,
    InvalidValue,
    ReweightvizError,
    UnknownName,
    UnreadableFile,
    listed,
    warn,
)
from reweightviz.core.swarm import Swarm

KEYS = ("run", "name", "index")
SEPARATORS = "_/:. -"


Table: TypeAlias = str | os.PathLike[str] | pd.DataFrame


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
    if on_error not in ("raise", "skip"):
        raise InvalidValue(name="on_error", value=on_error, expected="'raise' or 'skip'")
    left, right = _table("ratios", ratios), _table("metrics", metrics)
    shared = [key for key in keys if key in left.columns and key in right.columns]
    if not shared:
        raise ReweightvizError(
            f"the two tables must share a column that names a run, one of {listed(keys)}; "
            f"got {listed(left.columns[:3])} and {listed(right.columns[:3])}."
        )
    mixtures, losses = _numbers("ratios", left, keys), _numbers("metrics", right, keys)
    skip = on_error == "skip"
    rows, partner = _joined(
        _runs("ratios", left, shared), _runs("metrics", right, shared), skip=skip
    )
    mixtures, losses = mixtures.iloc[rows], losses.iloc[partner]
    whole = _whole(mixtures, losses, left[shared].iloc[rows], skip=skip)
    skipped = len(left) - int(whole.sum())
    if skipped:
        warn(f"{skipped} of {len(left)} runs skipped, a table lacks their values.")
    domains = _stripped(mixtures.columns, strip=strip)
    targets = _stripped(losses.columns, strip=strip)
    for name in higher_is_better:
        if name not in targets:
            raise UnknownName(kind="target", name=name, known=targets)
    extra = [key for key in keys if key in right.columns and key not in shared]
    runs = left.iloc[rows][[key for key in keys if key in left.columns]].reset_index(drop=True)
    runs = pd.concat([runs, right.iloc[partner][extra].reset_index(drop=True)], axis=1)
    meta = {
        "columns": dict(
            zip((*domains, *targets), (*mixtures.columns, *losses.columns), strict=True)
        ),
        "skipped_runs": skipped,
    }
    better = np.array([name not in higher_is_better for name in targets])
    return Swarm(
        domains,
        mixtures.to_numpy(np.float64)[whole],
        targets,
        losses.to_numpy(np.float64)[whole],
        runs[whole].reset_index(drop=True),
        tokens,
        better,
        meta,
    )


def _table(role: str, source: Table) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        table = source.rename(columns=str)
    else:
        try:
            table = pd.read_csv(source, encoding="utf-8-sig")
        except FileNotFoundError:
            raise UnreadableFile(
                path=source, wanted=f"a table of {role}", reason="there is no such file"
            ) from None
        except (
            OSError,
            UnicodeDecodeError,
            pd.errors.EmptyDataError,
            pd.errors.ParserError,
        ) as error:
            raise UnreadableFile(
                path=source, wanted=f"a CSV table of {role}", reason=error
            ) from error
    table = table.drop(
        columns=[name for name in table.columns if re.fullmatch(r"Unnamed: \d+", name)]
    )
    if not len(table) or not len(table.columns):
        raise ReweightvizError(f"the table of {role} has no rows.")
    return table


def _numbers(role: str, table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The columns that are no keys, as numbers."""
    found = table[[name for name in table.columns if name not in keys]]
    if not len(found.columns):
        raise ReweightvizError(
            f"the table of {role} has no columns besides {listed(table.columns)}."
        )
    numbers = found.apply(pd.to_numeric, errors="coerce")
    bad = np.argwhere((numbers.isna() & found.notna()).to_numpy())
    if len(bad):
        row, column = bad[0]
        raise ReweightvizError(
            f"column {found.columns[column]!r} of {role} must hold numbers; row {row + 1} "
            f"has {str(found.iat[row, column])[:40]!r} (keys= names columns of text)."
        )
    return numbers


def _runs(role: str, table: pd.DataFrame, shared: Sequence[str]) -> pd.Index:
    index = pd.MultiIndex.from_frame(table[list(shared)].astype(str))
    twice = index[index.duplicated()]
    if len(twice):
        raise DuplicateName(kind="run", names=twice[:1], where=role)
    return index


def _joined(
    left: pd.Index, right: pd.Index, *, skip: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the runs that both tables have, in the order of the left."""
    partner = right.get_indexer(left)
    alone = [*left[partner < 0], *right[~right.isin(left)]]
    if alone and (not skip or (partner < 0).all()):
        raise ReweightvizError(
            f"{len(alone)} runs stand in one of the two tables only, {listed(alone, 3)}; "
            "on_error='skip' leaves them out."
        )
    rows = np.flatnonzero(partner >= 0)
    return rows, partner[rows].astype(np.int64)


def _whole(
    mixtures: pd.DataFrame, losses: pd.DataFrame, runs: pd.DataFrame, *, skip: bool
) -> NDArray[np.bool_]:
    """Which runs (R,) have every weight and every loss."""
    gaps = np.hstack(
        [~np.isfinite(mixtures.to_numpy(np.float64)), ~np.isfinite(losses.to_numpy(np.float64))]
    )
    if gaps.any() and (not skip or gaps.any(axis=1).all()):
        row, column = np.argwhere(gaps)[0]
        name = [*mixtures.columns, *losses.columns][column]
        raise ReweightvizError(
            f"run {tuple(runs.iloc[row].tolist())} has no number in {name!r} "
            f"({gaps.any(1).sum()} such runs); on_error='skip' leaves them out."
        )
    return np.asarray(~gaps.any(axis=1))


def _stripped(columns: Sequence[str], *, strip: bool) -> tuple[str, ...]:
    """Names without what they all begin or end with, cut at separators."""
    names = [str(column) for column in columns]
    if not strip or len(names) < 2:
        return tuple(names)
    begin = _to_separator(_common_start(names))
    rest = [name[begin:] for name in names]
    end = _to_separator(_common_start([name[::-1] for name in rest]))
    short = [name[: len(name) - end] for name in rest]
    return tuple(short if all(short) else names)


def _common_start(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    differ = (at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(differ, min(len(first), len(last)))]


def _to_separator(common: str) -> int:
    return max((at + 1 for at, letter in enumerate(common) if letter in SEPARATORS), default=0)
