"""Weights in a table of runs, found by what its columns hold.

They are a group of columns with a common prefix, or else a common end, whose rows sum to 1, or one
column with a mapping of domain to weight in every cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from reweightviz.core.errors import MissingColumn, ReweightvizError, list_names, warn
from reweightviz.core.swarm import SUM_SLACK
from reweightviz.core.types import Array
from reweightviz.readers.swarms._mappings import parse_mixtures
from reweightviz.readers.swarms._names import SEPARATORS
from reweightviz.readers.swarms._numbers import Cells, read_cells

__all__ = ["choose_columns", "choose_weights", "find_weights"]


_COUNT = re.compile(
    r"(^|[_/:. -])(epochs?|passes|repetitions|tokens?|counts?|steps?)$", re.IGNORECASE
)
"""Ends of columns that count something of a domain, beside its weight."""


def choose_columns(table: pd.DataFrame, what: str, asked: str | Sequence[str]) -> list[str]:
    """Return columns by prefix, pattern or name.

    Args:
        table: of the runs.
        what: the columns hold, in a sentence: "weights", "metrics".
        asked: a prefix, a pattern such as ``eval/*``, or names.
    """
    if not isinstance(asked, str):
        absent = [column for column in asked if column not in table]
        if absent:
            raise MissingColumn(
                column=absent[0], available=table.columns, who=f"the {what} of the runs"
            )
        return list(asked)
    found = [column for column in table if fnmatchcase(column, asked) or column.startswith(asked)]
    if not found:
        raise ReweightvizError(
            f"no column begins with, or is like, {asked!r} for the {what}; there is "
            f"{list_names(table.columns, 20)}."
        )
    return found


def choose_weights(table: pd.DataFrame, asked: str | Sequence[str]) -> Cells:
    """Return the weights of the columns asked for, a column a domain; an empty cell is 0."""
    named = [asked] if isinstance(asked, str) else list(asked)
    if len(named) == 1 and named[0] in table:
        mapped = parse_mixtures(table[named[0]])
        if mapped is not None:
            return read_cells(mapped)
    columns = choose_columns(table, "weights", asked)
    counts = [column for column in columns if _COUNT.search(column)]
    if isinstance(asked, str) and 0 < len(counts) < len(columns):
        columns = [column for column in columns if column not in counts]
        warn(f"{list_names(counts)} left out of the weights, as they count something else.")
    cells = read_cells(table[columns])
    return cells._replace(numbers=cells.numbers.fillna(0.0))


def find_weights(table: pd.DataFrame) -> pd.DataFrame | None:
    """Return the weights of a table (R, K), None where no columns hold some.

    Raises:
        ReweightvizError: several groups of columns may be the weights.
    """
    shares = _shares(table)
    prefixes = _places_by_prefix(shares.columns)
    candidates = [*_mapped_columns(table), *_best_groups(shares, prefixes, of_rounding=True)]
    if not candidates:
        candidates = [*_best_groups(shares, prefixes, of_rounding=False)]
    if not candidates:
        # Of two phases of two domains, the shares of one domain may sum to 1 as well.
        ends = _places_by_end(shares.columns)
        candidates = [*_best_groups(shares, ends, of_rounding=True)]
    found: dict[str, pd.DataFrame] = {}
    for name, weights in candidates:
        values = weights.to_numpy()
        # The same mixture may be written in two ways, in the config of a run and in its name.
        if not any(np.array_equal(values, other.to_numpy()) for other in found.values()):
            found[name] = weights
    if len(found) > 1:
        names = list(found)
        raise ReweightvizError(
            f"several groups of columns sum to 1, those like {list_names(names)}, "
            f"phases of one run perhaps: weights={names[-1]!r} takes those alone."
        )
    return next(iter(found.values()), None)


def _mapped_columns(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for column in table:
        mapped = parse_mixtures(table[column])
        if mapped is not None:
            yield column, mapped


def _shares(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of numbers between 0 and 1 (R, C), without those that count something."""
    cells = read_cells(table)
    values = cells.numbers.to_numpy()
    is_share = ~((values < 0) | (values > 1) | cells.is_other).any(axis=0)
    is_share &= np.isfinite(values).any(axis=0)
    is_share &= np.array([_COUNT.search(name) is None for name in table], bool)
    return cells.numbers.loc[:, is_share].fillna(0.0)


def _best_groups(
    shares: pd.DataFrame, places_by_name: Mapping[str, list[int]], *, of_rounding: bool
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the name of a group and its columns, where every row sums to 1.

    Args:
        shares: columns that may be weights (R, C).
        places_by_name: what columns have in common, as ``weights=`` takes it, to their places.
        of_rounding: take no sum that is off by more than the decimals of its weights explain.
    """
    values = shares.to_numpy()
    groups: dict[frozenset[int], str] = {}
    misses: dict[frozenset[int], float] = {}
    for name, places in places_by_name.items():
        taken = _drop_settings(values, places)
        group = values[:, taken]
        off = np.abs(group.sum(axis=1) - 1)
        # A single column of ones is no mixture.
        if len(taken) < 2 or off.max() > SUM_SLACK:
            continue
        if of_rounding and off.max() > _slack_of_rounding(group):
            continue
        groups[frozenset(taken)] = name
        misses[frozenset(taken)] = float(off.mean())
    for members, name in groups.items():
        if not any(_is_better(other, members, misses) for other in groups):
            yield name, shares.iloc[:, sorted(members)]


def _places_by_prefix(names: Iterable[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        for at, letter in enumerate(name):
            if letter in SEPARATORS:
                places.setdefault(name[: at + 1], []).append(place)
    return places


def _places_by_end(names: Iterable[str]) -> dict[str, list[int]]:
    """Return the places of columns such as ``web_ratio`` by ``*_ratio``."""
    backwards = _places_by_prefix(name[::-1] for name in names)
    return {f"*{end[::-1]}": places for end, places in backwards.items()}


def _is_better(
    ours: frozenset[int], theirs: frozenset[int], misses: Mapping[frozenset[int], float]
) -> bool:
    """Return whether one of two groups, of which one holds the other, is more of a mixture.

    What it has more is either a domain of weight 0 throughout, or a setting such as a learning
    rate, which is hidden in the slack of the sums.
    """
    more = misses[ours] - misses[theirs]
    return (ours > theirs and more < 1e-9) or (ours < theirs and more < -1e-9)


def _drop_settings(values: Array, places: list[int]) -> list[int]:
    """Return the columns without those that never change, where the others sum to 1 exactly.

    A learning rate of 3e-4 beside weights would pass for a domain, within the slack of the sums.
    """
    group = values[:, places]
    is_moving = (group != group[:1]).any(axis=0)
    moving = [place for place, moves in zip(places, is_moving, strict=True) if moves]
    is_exact = (np.abs(values[:, moving].sum(axis=1) - 1) < 1e-6).all()
    if moving and is_exact and group[:, ~is_moving].any():
        return moving
    return places


def _slack_of_rounding(weights: Array) -> float:
    """Return by how much sums of weights (R, K) may miss 1, from the decimals that they have."""
    for decimals in (2, 3, 4, 5):
        if np.allclose(weights, weights.round(decimals), rtol=0, atol=1e-9):
            return float(min(SUM_SLACK, 0.5 * weights.shape[1] * 10.0**-decimals))
    return 1e-5
