"""What a person asked for, checked: whole numbers and mappings, or one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reweightviz.core.errors import ReweightvizError


def whole(name: str, value: Any, least: int = 0) -> int:
    """A whole number of at least ``least``.

    >>> whole("runs", 12.0, 2)
    12
    """
    fits = isinstance(value, int | np.integer) or (isinstance(value, float | np.floating) and float(value).is_integer())
    if isinstance(value, bool) or not fits or value < least:
        raise ReweightvizError(f"{name} must be a whole number of at least {least}; got {value!r:.80}.")
    return int(value)


def mapping(name: str, value: Any, form: str) -> dict[Any, Any]:
    """A mapping as a dict, empty for None; ``form`` says what it should look like.

    >>> mapping("caps", None, "target to the worst value")
    {}
    """
    if value is not None and not isinstance(value, Mapping):
        raise ReweightvizError(f"{name} must be a mapping of {form}; got {value!r:.80}.")
    return dict(value or {})
