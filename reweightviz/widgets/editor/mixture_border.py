"""The checks at the editor's border, of what comes from Python and from the page alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import traitlets as t

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.mixture import SUM_TOLERANCE
from reweightviz.core.token_counts import parse_budget

__all__ = [
    "Level",
    "Positive",
    "check_locks",
    "check_positive",
    "check_steps",
    "check_weights",
    "read_journal",
]


class Positive(t.Float[float | None, Any]):
    """A number above 0; text such as "2T" passes for a budget."""

    def validate(self, obj: Any, value: Any) -> float | None:  # noqa: ARG002
        """Check a value; the error is one sentence, where that of traitlets is a paragraph."""
        return check_positive(str(self.name), value)


class Level(t.Float[float, Any]):
    """A number between 0 and 1, both excluded."""

    def validate(self, obj: Any, value: Any) -> float:  # noqa: ARG002
        """Check a value; the error is one sentence, where that of traitlets is a paragraph."""
        if not _is_number(value) or not 0 < value < 1:
            raise InvalidValue(
                name=str(self.name), value=value, expected="between 0 and 1, such as 0.9"
            )
        return float(value)


def check_weights(name: str, value: Any, count: int) -> Any:
    """Check weights (K,): finite, >= 0, sum 1; None passes for a draft."""
    if value is None and name == "draft":
        return None
    is_list = isinstance(value, list | tuple)
    if not is_list or len(value) != count:
        got = f"{len(value)} of them" if is_list else type(value).__name__
        raise InvalidValue(
            name=name, value=got, expected=f"a list of {count} numbers, one a domain", got=got
        )
    for weight in value:
        if not _is_number(weight) or not np.isfinite(weight) or weight < 0:
            raise InvalidValue(name=name, value=weight, expected="finite and >= 0")
    if abs(sum(value) - 1) > SUM_TOLERANCE:
        raise ReweightvizError(f"{name} must sum to 1; got a sum of {sum(value):.6g}.")
    return value


def check_locks(value: Any, count: int) -> Any:
    """Check booleans (K,)."""
    is_list = isinstance(value, list | tuple) and len(value) == count
    if not is_list or not all(isinstance(each, bool) for each in value):
        raise InvalidValue(
            name="locked", value=value, expected=f"a list of {count} booleans, one a domain"
        )
    return value


def check_positive(name: str, value: Any) -> float | None:
    """Check a finite number above 0; a budget may also be text such as "2T", or None."""
    if name == "budget":
        return parse_budget(value, name)
    if not _is_number(value) or not np.isfinite(value) or value <= 0:
        raise InvalidValue(name=name, value=value, expected="a number above 0")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def check_steps(value: Any, count: int) -> Any:
    """Check [{id, at, seen}], each with or without weights (K,) and a source."""
    fits = isinstance(value, list | tuple)
    for step in value if fits else ():
        fits &= isinstance(step, Mapping) and _is_step(step)
        if fits and "weights" in step:
            check_weights("weights", step["weights"], count)
    if not fits:
        raise ReweightvizError(
            f"page_steps must be [{{id, at, seen, weights, source}}]; got {value!r:.80}."
        )
    return value


def _is_step(step: Mapping[str, Any]) -> bool:
    named = all(isinstance(step.get(name), str) for name in ("id", "at"))
    return (
        named
        and isinstance(step.get("seen"), int)
        and isinstance(step.get("source"), Mapping | None)
    )


def read_journal(value: Any, count: int) -> tuple[list[Mapping[str, Any]], int]:
    """Return the entries of a journal with weights, and the place of the present one among them.

    The place is given by id; by number in a journal of version 0.3, whose entries have no id.
    """
    try:
        entries = value["entries"]
        at = value["at"]
        place = at if isinstance(at, int) else [entry["id"] for entry in entries].index(at)
        with_weights = [entry for entry in entries if "weights" in entry]
        passed = sum("weights" in entry for entry in entries[: place + 1])
        fits = 0 <= place < len(entries) and passed > 0
        for entry in with_weights:
            check_weights("weights", entry["weights"], count)
            fits &= isinstance(entry.get("source"), Mapping | None)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, ReweightvizError):
            raise
        fits = False
    if not fits:
        raise ReweightvizError(
            "journal must be {entries: [{id, weights, source}], at} with at the id of an entry."
        )
    return with_weights, passed - 1
