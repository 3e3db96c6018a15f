"""A limit on a proposed mixture, and the sentence for limits that contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.types import Array
from reweightviz.numerics.linear_constraints import Limits, conflict

__all__ = ["AT_LEAST", "AT_MOST", "CAPS", "KINDS", "Limit", "refuse_conflict", "stack_limits"]


AT_LEAST = "at least"
AT_MOST = "at most"
CAPS = ("usage cap", "upper bound", "epoch cap")
KINDS = (*CAPS, "lower bound", "upper limit of group", "lower limit of group", "cap on target")
"""Kinds of limit, from the one that is blamed last to the one that is blamed first."""


@dataclass(frozen=True)
class Limit:
    """Hold one limit: ``row . z <= most`` over the free weights z (Z,), with its words.

    ``kind`` and ``name`` are what was asked for; ``display`` turns a value of the row into the
    number that a person wrote.
    """

    kind: str
    name: str
    row: Array
    most: float
    display: Callable[[float], float] = float

    @property
    def side(self) -> str:
        """AT_LEAST or AT_MOST, as the person asked."""
        if self.kind.startswith("lower"):
            return AT_LEAST
        return AT_MOST


def stack_limits(limits: Sequence[Limit], width: int) -> Limits:
    """Return limits as one table, over ``width`` free weights."""
    rows = np.array([limit.row for limit in limits]).reshape(-1, width)
    return Limits(rows, np.array([limit.most for limit in limits]))


def refuse_conflict(limits: Sequence[Limit], width: int) -> None:
    """Raise a sentence that names a smallest set of limits which contradict each other."""
    order = sorted(range(len(limits)), key=lambda i: KINDS.index(limits[i].kind))
    # The order decides whom the sentence blames where several sets contradict each other.
    found = conflict(stack_limits(limits, width), order)
    if found is None:
        return
    asked = limits[found.asked]
    others = [limits[i] for i in found.others]
    both = [*others, asked]
    total = sum(limit.most for limit in both)
    # The two usual conflicts have sentences with what to change: their numbers are plain sums.
    if others and all(limit.kind in CAPS for limit in both):
        raise ReweightvizError(
            f"{_name_all(both)} sum to {total:.4g}, so no weights can sum to 1: allow "
            "more epochs, fewer tokens, "
            "or add domains."
        )
    if others and all(limit.kind == "lower bound" for limit in both):
        raise ReweightvizError(
            f"{_name_all(both)} sum to {-total:.4g}, more than 1: lower some of them."
        )
    if not np.isfinite(found.reach):
        raise ReweightvizError(f"no weights meet {_name_all(both)} together.")
    beside = "by itself"
    if others:
        beside = f"with {_name_all(others)}"
    raise ReweightvizError(_word_conflict(asked, beside, found.reach))


def _word_conflict(asked: Limit, beside: str, reach: float) -> str:
    wanted = asked.display(asked.most)
    if asked.kind == "cap on target":
        worst = "highest"
        if asked.display(reach) > wanted:
            worst = "lowest"
        return (
            f"no mixture meets all constraints: {beside}, the {worst} predicted "
            f"{asked.name!r} is {asked.display(reach):.4g} and its cap is {wanted:.4g}."
        )
    who = repr(asked.name)
    if asked.kind.endswith("group"):
        who = f"group {who}"
    reached = round(asked.display(reach), 12) + 0.0  # never "-0"
    other_side = AT_MOST if asked.side == AT_LEAST else AT_LEAST
    return (
        f"no mixture meets all constraints: {beside}, {who} gets {other_side} {reached:.4g}; "
        f"{asked.side} {wanted:.4g} was asked for ({asked.kind.removesuffix(' of group')})."
    )


def _name_all(limits: Sequence[Limit]) -> str:
    """Return limits by kind: ``the epoch caps of 'a', 'b' and the lower limit of group 'code'``."""
    kinds: dict[str, list[str]] = {}
    for limit in limits:
        kinds.setdefault(limit.kind, []).append(limit.name)
    return " and ".join(_name_kind(kind, names) for kind, names in kinds.items())


def _name_kind(kind: str, names: Sequence[str]) -> str:
    if kind.endswith("group") or kind.startswith("cap on"):
        return f"the {kind} {list_names(names)}"
    if len(names) > 1:
        kind += "s"
    return f"the {kind} of {list_names(names)}"
