"""Arguments, checked: whole numbers, mappings and names, or one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeGuard, TypeVar

import numpy as np

from reweightviz.core.errors import DuplicateName, ReweightvizError

__all__ = ["check_unique", "find_repeated", "is_number", "mapping", "whole_number"]


Name = TypeVar("Name", bound=Hashable)


def find_repeated(names: Iterable[Name]) -> list[Name]:
    """Return the names that stand more than once, in the order of their first places.

    >>> find_repeated(["web", "code", "web"])
    ['web']
    """
    return [name for name, count in Counter(names).items() if count > 1]


def check_unique(kind: str, names: Iterable[Hashable], where: str) -> None:
    """Refuse names of which one stands more than once.

    Args:
        kind: what they are names of, such as "domain".
        names: all of them.
        where: what holds them, such as "a Mixture".

    Raises:
        DuplicateName: which ones.
    """
    twice = find_repeated(names)
    if twice:
        raise DuplicateName(kind=kind, names=twice, where=where)


def whole_number(name: str, value: Any, least: int | None = 0, most: int | None = None) -> int:
    """Return a whole number within its limits as an int; 8.0 is one, True is none.

    Args:
        name: stands in the sentence.
        value: what came.
        least: the smallest that will do; None sets no limit.
        most: the largest that will do; None sets no limit.

    Raises:
        ReweightvizError: it is no whole number, or beyond a limit.

    Example:
        >>> whole_number("runs", 12.0, 2)
        12
    """
    number = _as_int(value)
    is_low = number is not None and least is not None and number < least
    is_high = number is not None and most is not None and number > most
    if number is None or is_low or is_high:
        raise ReweightvizError(
            f"{name} must be a whole number{_limits(least, most)}; got {value!r:.80}."
        )
    return number


def _as_int(value: Any) -> int | None:
    # A number of numpy, or an array or tensor without a shape, is the number that it holds.
    number = value.item() if getattr(value, "shape", None) == () else value
    if isinstance(number, bool):
        return None
    if isinstance(number, int) or (isinstance(number, float) and number.is_integer()):
        return int(number)
    return None


def _limits(least: int | None, most: int | None) -> str:
    parts = []
    if least is not None:
        parts.append(f"at least {least}")
    if most is not None:
        parts.append(f"at most {most}")
    return f" of {' and '.join(parts)}" if parts else ""


def mapping(name: str, value: Any, form: str) -> dict[Any, Any]:
    """Return a mapping as a dict, empty for None; ``form`` describes it in the sentence.

    >>> mapping("caps", None, "target to the worst value")
    {}
    """
    if value is not None and not isinstance(value, Mapping):
        raise ReweightvizError(f"{name} must be a mapping of {form}; got {value!r:.80}.")
    return dict(value or {})


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is one number, of Python or numpy; True and False are none.

    >>> [is_number(value) for value in (3, np.float32(0.5), True, "3")]
    [True, True, False, False]
    """
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
