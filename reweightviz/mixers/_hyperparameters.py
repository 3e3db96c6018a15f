"""What every hyperparameter must be before a mixer looks at its range: of the kind that its field says."""

from __future__ import annotations

import math
from dataclasses import fields
from numbers import Real
from typing import Any

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.validation import whole_number

KINDS: dict[str, tuple[type, str]] = {
    "float": (Real, "a finite number"),
    "bool": (bool, "True or False"),
    "str": (str, "text"),
}


def check_fields(mixer: Any, *endless: str) -> None:
    """Check that fields written ``int``, ``float``, ``bool`` or ``str`` hold that, or None where they say so.

    A whole number such as 8.0 becomes an int; a float is finite, but for those that are named
    ``endless``.

    Raises:
        ReweightvizError: names the mixer, the field and what it holds.
    """
    for field in fields(mixer):
        name, *none = str(field.type).split(" | ")
        value = getattr(mixer, field.name)
        if none and value is None:
            continue
        if name == "int":
            whole = whole_number(f"{field.name} of {type(mixer).__name__}", value, None)
            object.__setattr__(mixer, field.name, whole)
        if name not in KINDS:
            continue
        kind, what = KINDS[name]
        right = isinstance(value, kind) and (name == "bool" or not isinstance(value, bool))
        if right and name == "float" and field.name not in endless:
            right = math.isfinite(value)
        if not right:
            raise UnmetNeed(
                name=type(mixer).__name__, value=value, expected=f"{field.name} as {what}"
            )
