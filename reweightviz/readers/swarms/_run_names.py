"""What the names of runs tell: the mixture at their end, and the step of a checkpoint.

``ckpts/70M_1-0.25-0.75/27000`` is run ``70M_1-0.25-0.75``, a mixture of two domains, at step 27000
(yegcjs/mixinglaws). Such a name holds no names of domains.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from reweightviz.core.errors import ReweightvizError, list_names, warn
from reweightviz.core.swarm import SUM_SLACK
from reweightviz.core.types import Array

__all__ = ["Checkpoints", "ends_in_mixture", "read_mixtures", "split_steps"]


_WORD_AND_STEP = re.compile(r"(.*?)[/_.-]*(?:step|iter|checkpoint)[_=-]?([0-9]+)/*", re.DOTALL)
_SLASH_AND_STEP = re.compile(r"(.*?)/+([0-9]+)/*", re.DOTALL)
_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e-?[0-9]+)?"
_MIXTURE = re.compile(
    rf"(?:^|.*?[^0-9.])(?P<numbers>{_NUMBER}(?:(?P<mark>[-_,:]){_NUMBER}(?:(?P=mark){_NUMBER})*)?)",
    re.DOTALL,
)
MOST_LETTERS = 1000
"""At the end of a name, where a mixture may stand."""


class Checkpoints(NamedTuple):
    """Names of the runs (R,) of checkpoints, and their steps (R,), NaN where none is told."""

    runs: pd.Series
    steps: pd.Series


def split_steps(names: pd.Series) -> Checkpoints:
    """Take the step off the names of checkpoints, and the folders that tell nothing.

    >>> runs, steps = split_steps(pd.Series(["ckpts/a-0.5-0.5/200", "b/checkpoint-10", "c"]))
    >>> runs.tolist(), steps.tolist()
    (['a-0.5-0.5', 'b', 'c'], [200.0, 10.0, nan])
    """
    found = [_split_step(name) for name in names]
    runs = pd.Series([run for run, _ in found], names.index, dtype=object)
    steps = pd.Series([step for _, step in found], names.index, dtype=np.float64)
    # One folder, or one run of a name, needs no path before it.
    short = runs.str.rpartition("/")[2]
    if short.nunique() == runs.nunique():
        runs = short
    return Checkpoints(runs, steps)


def _split_step(name: str) -> tuple[str, float]:
    match = _WORD_AND_STEP.fullmatch(name)
    if match is None:
        match = _SLASH_AND_STEP.fullmatch(name)
        # A number alone may as well be that of the run.
        if match is not None and len(_end_numbers(match[1])) < 2:
            match = None
    if match is None:
        return name.rstrip("/"), np.nan
    return match[1].rstrip("/"), float(match[2])


def ends_in_mixture(name: str) -> bool:
    """Return whether a name ends in weights that sum to 1.

    >>> ends_in_mixture("70M_1-0.25-0.75"), ends_in_mixture("run-2024-11")
    (True, False)
    """
    return bool(_count_sizes([_end_numbers(name)]))


def read_mixtures(
    names: pd.Series, domains: Sequence[str] | None, *, skip: bool = False
) -> pd.DataFrame | None:
    """Return the mixtures (R, K) that stand at the end of the names of runs.

    Args:
        names: of the runs (R,), such as ``70M_1-0.25-0.75``, where 1 is the number of the run.
        domains: their names in that order (K,); by their place, with a warning, when not given.
        skip: give NaN for a name without a mixture.

    Returns:
        A column a domain; None where no domains are given and no name ends in a mixture.
    """
    rows = [_end_numbers(name) for name in names]
    sizes = _count_sizes(rows)
    if domains is None and not sizes:
        return None
    count = _most_common(sizes) if domains is None else len(domains)
    without = [name for name, row in zip(names, rows, strict=True) if not _ends_in(row, count)]
    if len(without) == len(rows) or (without and not skip):
        advice = "" if len(without) == len(rows) else "; on_error='skip' leaves them out"
        raise ReweightvizError(
            f"{len(without)} of {len(rows)} names of runs end in no {count} weights that sum to "
            f"1, {list_names(without, 3)}{advice}."
        )
    if domains is None:
        domains = [f"domain{place}" for place in range(1, count + 1)]
        warn(
            f"the mixtures stand in the names of the runs, as in {names.iloc[0]!r}, without names "
            f"of their domains: domains= takes the {count} names in that order."
        )
    table = [row[-count:] if _ends_in(row, count) else [np.nan] * count for row in rows]
    return pd.DataFrame(table, index=names.index, columns=list(domains), dtype=np.float64)


def _end_numbers(name: str) -> Array:
    if not name.endswith(tuple("0123456789.")):  # which the pattern finds out slowly
        return np.array([])
    match = _MIXTURE.fullmatch(name[-MOST_LETTERS:])
    if match is None:
        return np.array([])
    return np.array([float(text) for text in match["numbers"].split(match["mark"])])


def _ends_in(row: Array, count: int) -> bool:
    """Return whether the last ``count`` of some numbers are a mixture, one before them its run."""
    return len(row) in (count, count + 1) and abs(row[-count:].sum() - 1) <= SUM_SLACK


def _count_sizes(rows: Sequence[Array]) -> dict[int, int]:
    """Return number of domains to the runs whose names end in so many weights."""
    lengths = {len(row) for row in rows}
    sizes = {count for length in lengths for count in (length, length - 1) if count > 1}
    counted = {count: sum(_ends_in(row, count) for row in rows) for count in sorted(sizes)}
    return {count: runs for count, runs in counted.items() if runs}


def _most_common(sizes: dict[int, int]) -> int:
    """Return the number of domains that most names have.

    Raises:
        ReweightvizError: two are as common, for a first number 0 may be a weight or a run's.
    """
    most = max(sizes.values())
    best = [count for count, runs in sizes.items() if runs == most]
    if len(best) > 1:
        raise ReweightvizError(
            f"the names of the runs may end in mixtures of {' or '.join(map(str, best))} domains: "
            "domains= names them."
        )
    return best[0]
