"""What the mixture editor accepts, from Python and from the browser alike: one sentence otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from reweightviz.core.errors import ReweightvizError

SUM_TOLERANCE = 1e-6


def checked_weights(name: str, value: Any, count: int) -> Any:
    """Weights (K,): finite, >= 0, sum 1; None passes for a draft."""
    if value is None and name == "draft":
        return None
    if not isinstance(value, list | tuple) or len(value) != count:
        got = f"{len(value)} of them" if isinstance(value, list | tuple) else type(value).__name__
        raise ReweightvizError(f"{name} must be a list of {count} numbers, one a domain; got {got}.")
    for weight in value:
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not np.isfinite(weight) or weight < 0:
            raise ReweightvizError(f"{name} must be finite and >= 0; got {weight!r:.40}.")
    if abs(sum(value) - 1) > SUM_TOLERANCE:
        raise ReweightvizError(f"{name} must sum to 1; got a sum of {sum(value):.6g}.")
    return value


def checked_locks(value: Any, count: int) -> Any:
    """Booleans (K,)."""
    is_list = isinstance(value, list | tuple) and len(value) == count
    if not is_list or not all(isinstance(each, bool) for each in value):
        raise ReweightvizError(f"locked must be a list of {count} booleans, one a domain; got {value!r:.80}.")
    return value


def checked_positive(name: str, value: Any) -> Any:
    """A finite number above 0; None passes for a budget."""
    if value is None and name == "budget":
        return None
    if not isinstance(value, int | float) or not np.isfinite(value) or value <= 0:
        raise ReweightvizError(f"{name} must be a number above 0; got {value!r:.40}.")
    return value


def checked_journal(value: Any, count: int) -> Any:
    """{entries: [{weights (K,)}], at}."""
    try:
        entries, at = value["entries"], value["at"]
        inside = isinstance(at, int) and 0 <= at < len(entries)
        for entry in entries:
            checked_weights("weights", entry["weights"], count)
    except (KeyError, TypeError):
        inside = False
    if not inside:
        raise ReweightvizError("journal must be {entries: [{weights}], at} with at inside the entries.")
    return value
