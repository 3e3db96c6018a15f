"""The law and the origin of a mixture, as pairs of label and text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.protocols import Law
from reweightviz.core.token_counts import format_count
from reweightviz.core.validation import is_number

__all__ = [
    "FIT",
    "LABELS",
    "MOST_SHOWN",
    "NOT_KNOWN",
    "OUT_OF_SAMPLE",
    "Pairs",
    "describe_law",
    "describe_origin",
    "is_finite",
    "word_value",
]


Pairs = tuple[tuple[str, str], ...]

LABELS = {
    "kl": "pull towards the prior (KL)",
    "near": "prior",
    "max_epochs": "most epochs",
    "read_from": "read from",
}
OUT_OF_SAMPLE = ("cv", "cross", "held", "out_of", "oos", "loo", "test")
"""Beginnings of the names of diagnostics that were measured on runs held out of the fit."""
FIT = {
    "r2": "R² in sample",
    "mae": "mean absolute error in sample",
    "held_out_r2": "R² out of sample",
    "held_out_mae": "mean absolute error out of sample",
    "runs": "proxy runs",
}
NOT_KNOWN = (
    "not known: the law has no error on runs that it was not fitted to; rv.compare measures it"
)
MOST_SHOWN = 24
"""Entries of a mapping or list that are shown."""


def describe_law(law: Law | None) -> Pairs:
    """Return a law and its diagnostics; nothing for None."""
    if law is None:
        return ()
    inside = [("law", repr(law))]
    outside: list[tuple[str, str]] = []
    for name, values in (getattr(law, "diagnostics", {}) or {}).items():
        numbers = _finite_numbers(values)
        if not numbers:
            continue
        label = FIT.get(str(name), str(name).replace("_", " "))
        if str(name).lower().startswith(OUT_OF_SAMPLE):
            outside.append((label, _spread(numbers)))
        else:
            inside.append((label, _spread(numbers)))
    return (*inside, *(outside or [("out of sample", NOT_KNOWN)]))


def _finite_numbers(values: Any) -> list[float]:
    flat = np.atleast_1d(np.asarray(values, object)).tolist()
    return [float(value) for value in flat if is_finite(value)]


def _spread(numbers: Sequence[float]) -> str:
    low = min(numbers)
    high = max(numbers)
    middle = float(np.median(numbers))
    if low == high:
        return f"{middle:.4g}"
    return f"{middle:.3g} (median over targets; {low:.3g} to {high:.3g})"


def describe_origin(source: Mapping[str, Any]) -> Pairs:
    """Return where a mixture came from: the entries of its source that are not empty."""
    pairs = []
    for key, value in source.items():
        if key == "predicted_interval_90":
            continue  # the table of predictions has it, by the law that was handed over
        text = word_value(to_jsonable(value), str(key))
        if text:
            pairs.append((LABELS.get(str(key), str(key).replace("_", " ")), text))
    return tuple(pairs)


def word_value(value: Any, key: str = "") -> str:
    """Return a value of JSON in words, as short as a line; empty for None.

    >>> word_value({"web": 0.5, "code": [0.1, 0.2]})
    'web 0.5, code 0.1 to 0.2'
    """
    if key == "budget" and is_finite(value):
        return f"{format_count(float(value))} tokens"
    if isinstance(value, Mapping):
        return _word_mapping(value)
    if isinstance(value, list):
        return ", ".join(word_value(one) for one in value[:MOST_SHOWN])
    return _word_scalar(value)


def _word_scalar(value: Any) -> str:
    if value is None:
        return ""
    # Before the numbers: True is an int to Python.
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:.4g}"
    return str(value)


def _word_mapping(table: Mapping[str, Any]) -> str:
    values = list(table.values())
    # A cap on epochs is often one number for every domain.
    if len(values) > 2 and all(is_finite(value) and value == values[0] for value in values):
        return f"all {len(values)} alike, {float(values[0]):.4g}"
    parts = [f"{name} {_word_entry(entry)}" for name, entry in [*table.items()][:MOST_SHOWN]]
    shown = ", ".join(parts)
    if len(table) > MOST_SHOWN:
        shown += f" and {len(table) - MOST_SHOWN} more"
    return shown


def _word_entry(entry: Any) -> str:
    if isinstance(entry, list):
        return " to ".join(word_value(one) for one in entry)
    return word_value(entry)


def is_finite(value: object) -> bool:
    """Return whether a value is a finite number."""
    return is_number(value) and math.isfinite(value)
