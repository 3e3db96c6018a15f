"""Recipes: how a derived column was made, so that other documents can be put through the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_alike", "take_recipe"]


MAKER = ("verb", "model", "stamp", "tokenizer", "fitted", "options")
"""What of a recipe decides which values a document gets."""


def is_alike(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Return whether two columns were made alike, so that their values can be compared.

    A model is told by its stamp, wherever it lies. Columns without a recipe are the caller's.

    >>> is_alike({"verb": "embed", "model": "a", "stamp": "1"}, {"verb": "embed", "stamp": "1"})
    True
    """
    if one is None or other is None:
        return one is None and other is None
    by_stamp = bool(one.get("stamp") and other.get("stamp"))
    asked = [key for key in MAKER if not (by_stamp and key == "model")]
    return all(one.get(key) == other.get(key) for key in asked)


def take_recipe(recipe: Mapping[str, Any], picked: NDArray[np.int64]) -> dict[str, Any]:
    """Return the recipe of a column of which some rows were taken.

    It still counts the first rows, on which the column was fitted, where those come first.

    >>> take_recipe({"verb": "cluster", "rows": 3}, np.array([2, 0, 5]))
    {'verb': 'cluster', 'rows': 2}
    """
    taken = dict(recipe)
    if "rows" in taken:
        fitted = picked < taken.pop("rows")
        if not np.any(np.diff(fitted.astype(np.int8)) > 0):
            taken["rows"] = int(fitted.sum())
    return taken
