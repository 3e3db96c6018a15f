"""What the mixture editor accepts, from Python and from the browser alike: one sentence otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import traitlets as t

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.mixture import SUM_TOLERANCE

JOURNAL_LENGTH = 50
_COUNT = re.compile(r"([0-9.]+(?:e\+?[0-9]+)?)([kmbgt]?)", re.IGNORECASE)
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}


class Positive(t.Float):
    """A number above 0; text such as "2T" passes for a budget."""

    def validate(self, obj: Any, value: Any) -> float | None:  # noqa: ARG002
        """Refused with one sentence, where traitlets would write a paragraph."""
        return checked_positive(str(self.name), value)


class Level(t.Float):
    """A number between 0 and 1, both excluded."""

    def validate(self, obj: Any, value: Any) -> float:  # noqa: ARG002
        """Refused with one sentence, where traitlets would write a paragraph."""
        if not _is_number(value) or not 0 < value < 1:
            raise InvalidValue(name=self.name, value=value, expected="between 0 and 1, such as 0.9")
        return float(value)


def checked_weights(name: str, value: Any, count: int) -> Any:
    """Weights (K,): finite, >= 0, sum 1; None passes for a draft."""
    if value is None and name == "draft":
        return None
    if not isinstance(value, list | tuple) or len(value) != count:
        got = f"{len(value)} of them" if isinstance(value, list | tuple) else type(value).__name__
        raise InvalidValue(
            name=name, value=got, expected=f"a list of {count} numbers, one a domain", got=got
        )
    for weight in value:
        if not _is_number(weight) or not np.isfinite(weight) or weight < 0:
            raise InvalidValue(name=name, value=weight, expected="finite and >= 0")
    if abs(sum(value) - 1) > SUM_TOLERANCE:
        raise ReweightvizError(f"{name} must sum to 1; got a sum of {sum(value):.6g}.")
    return value


def checked_locks(value: Any, count: int) -> Any:
    """Booleans (K,)."""
    is_list = isinstance(value, list | tuple) and len(value) == count
    if not is_list or not all(isinstance(each, bool) for each in value):
        raise InvalidValue(
            name="locked", value=value, expected=f"a list of {count} booleans, one a domain"
        )
    return value


def checked_positive(name: str, value: Any) -> float | None:
    """A finite number above 0; for a budget also text such as "2T", and None."""
    is_budget = name == "budget"
    if value is None and is_budget:
        return None
    number = token_count(value) if is_budget and isinstance(value, str) else value
    if not _is_number(number) or not np.isfinite(number) or number <= 0:
        hint = ", or text such as '2T' or '300B'" if is_budget else ""
        raise InvalidValue(name=name, value=value, expected=f"a number above 0{hint}")
    return float(number)


def token_count(text: str) -> float | None:
    """Tokens as people write them, read as the budget field of the page does; None where the text is no such number.

    >>> token_count("1.5B"), token_count("300 b"), token_count("two")
    (1500000000.0, 300000000000.0, None)
    """
    match = _COUNT.fullmatch(re.sub(r"[,_\s]", "", text))
    try:
        return float(match[1]) * _UNITS[match[2].lower()] if match else None
    except ValueError:
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def checked_journal(value: Any, count: int) -> Any:
    """{entries: [{weights (K,), source}], at}; the source may be left out."""
    try:
        entries, at = value["entries"], value["at"]
        fits = isinstance(at, int) and 0 <= at < len(entries)
        for entry in entries:
            checked_weights("weights", entry["weights"], count)
            fits &= isinstance(entry.get("source"), Mapping | None)
    except (KeyError, TypeError, AttributeError):
        fits = False
    if not fits:
        raise ReweightvizError("journal must be {entries: [{weights, source}], at} with at inside the entries.")
    return value
