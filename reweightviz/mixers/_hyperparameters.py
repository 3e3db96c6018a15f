"""Checks of a mixer's fields by their types, before the mixer looks at their ranges."""

from __future__ import annotations

import math
from dataclasses import fields
from numbers import Real
from typing import Any

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.token_counts import parse_count
from reweightviz.core.validation import whole_number

__all__ = ["KINDS", "check_fields", "read_budget"]


KINDS: dict[str, tuple[type, str]] = {
    "float": (Real, "a finite number"),
    "bool": (bool, "True or False"),
    "str": (str, "text"),
}


def check_fields(mixer: Any, *endless: str) -> None:
    """Check that fields annotated ``int``, ``float``, ``bool`` or ``str`` hold that.

    A field with ``| None`` may hold None. A whole number such as 8.0 becomes an int; a float is
    finite, but for those that are named ``endless``.

    Raises:
        ReweightvizError: names the mixer, the field and its value.
    """
    for field in fields(mixer):
        # With `from __future__ import annotations` a field's type is the text of its annotation.
        name, *none = str(field.type).split(" | ")
        value = getattr(mixer, field.name)
        if none and value is None:
            continue
        if name == "int":
            whole = whole_number(f"{field.name} of {type(mixer).__name__}", value, None)
            # Mixers are frozen dataclasses, which refuse a plain assignment.
            object.__setattr__(mixer, field.name, whole)
        if name in KINDS and not _is_of_kind(value, name, endless=field.name in endless):
            raise UnmetNeed(
                name=type(mixer).__name__, value=value, expected=f"{field.name} as {KINDS[name][1]}"
            )


def read_budget(mixer: Any) -> None:
    """Replace a field ``budget`` that is text, such as "300B", by its number of tokens."""
    budget = parse_count(mixer.budget, f"the budget of {type(mixer).__name__}", positive=True)
    if isinstance(mixer.budget, str):
        object.__setattr__(mixer, "budget", budget)


def _is_of_kind(value: Any, name: str, *, endless: bool) -> bool:
    if isinstance(value, bool):  # a bool is a Real too, but no float field means one
        return name == "bool"
    if name == "float":
        return isinstance(value, Real) and (endless or math.isfinite(value))
    return isinstance(value, KINDS[name][0])
