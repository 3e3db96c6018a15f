"""Numbers by name: what is invalid in them, their sums and their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reweightviz.core.errors import list_names
from reweightviz.core.validation import find_repeated
from reweightviz.exporters.frameworks._foreign import as_mapping
from reweightviz.exporters.plan import Numbers, Plan, to_number

__all__ = [
    "add_up",
    "find_idle",
    "find_invalid",
    "find_not_positive",
    "is_mixture",
    "mention_again",
    "order_like",
]


def find_invalid(numbers: Mapping[str, float]) -> list[str]:
    """Return the names whose number is below 0, or nan for what could not be read."""
    # A comparison with nan is false, so "not >=" is meant and "<" would let it through.
    return [name for name, value in numbers.items() if not value >= 0]


def find_not_positive(numbers: Mapping[str, float]) -> list[str]:
    """Return the names whose number is 0, below, or nan."""
    return [name for name, value in numbers.items() if not value > 0]


def is_mixture(numbers: Mapping[str, float]) -> bool:
    """Return whether numbers on any scale are a mixture: all >= 0, and one above 0."""
    return not find_invalid(numbers) and sum(numbers.values()) > 0


def add_up(pairs: Iterable[tuple[str, float]]) -> Numbers:
    """Return name to number, where what comes under one name several times adds up.

    >>> add_up([("web", 1.0), ("code", 2.0), ("web", 0.5)])
    {'web': 1.5, 'code': 2.0}
    """
    numbers: Numbers = {}
    for name, value in pairs:
        numbers[name] = numbers.get(name, 0.0) + value
    return numbers


def mention_again(names: Iterable[str], framework: str) -> tuple[str, ...]:
    """Return a sentence on the names that stand several times; none where none does."""
    again = find_repeated(names)
    if not again:
        return ()
    return (
        f"{list_names(again)} stands several times: {framework} draws from it at each place, and "
        "the numbers add up.",
    )


def order_like(numbers: Mapping[str, float], there: Iterable[object]) -> Numbers:
    """Return the numbers in the order of the names that a config has already, new ones last.

    >>> order_like({"web": 0.7, "code": 0.3}, ["code", "math"])
    {'code': 0.3, 'web': 0.7}
    """
    known = [name for name in map(str, there) if name in numbers]
    return {name: numbers[name] for name in dict.fromkeys([*known, *numbers])}


def find_idle(before: object, plan: Plan) -> dict[str, Any]:
    """Return the entries of weight 0 that a merge leaves alone: the mixture does not name them."""
    return {
        str(name): value
        for name, value in as_mapping(before).items()
        if to_number(value) == 0 and str(name) not in {*plan.entries, *plan.dropped_names}
    }
