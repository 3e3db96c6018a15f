"""What every hyperparameter must be before a mixer looks at its range: of the kind that its field says."""

from __future__ import annotations

import math
from dataclasses import fields
from numbers import Integral, Real
from typing import Any

from reweightviz.core.errors import UnmetNeed

KINDS: dict[str, tuple[type, str]] = {
    "int": (Integral, "a whole number"), "float": (Real, "a finite number"), "bool": (bool, "True or False"), "str": (str, "text")}


def check_fields(mixer: Any, *endless: str) -> None:
    """Fields written ``int``, ``float``, ``bool`` or ``str`` hold that, or None where they say so.

    A float is finite, but for those that are named ``endless``.

    Raises:
        ReweightvizError: names the mixer, the field and what it holds.
    """
    for field in fields(mixer):
        name, *none = str(field.type).split(" | ")
        value = getattr(mixer, field.name)
        if name not in KINDS or (none and value is None):
            continue
        kind, what = KINDS[name]
        right = isinstance(value, kind) and (name == "bool" or not isinstance(value, bool))
        if right and name == "float" and field.name not in endless:
            right = math.isfinite(value)
        if not right:
            raise UnmetNeed(
                name=type(mixer).__name__, value=value, expected=f"{field.name} as {what}"
            )
