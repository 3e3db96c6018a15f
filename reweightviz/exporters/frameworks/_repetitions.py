"""Repetitions of a source that OLMo-core allows, which refuses a budget that asks for more."""

from __future__ import annotations

import math
from typing import Any

from reweightviz.core.errors import RefusedByFramework, list_names
from reweightviz.exporters.plan import Plan, to_number

__all__ = ["MARGIN", "PREPARED", "TRAPS", "choose_repetitions"]


PREPARED = "token files (.npy)"
TRAPS = (
    "OLMo-core takes a .npy file for bare tokens: one with the header of numpy.save "
    "begins with tokens that are none.",
    "OLMo-core needs the tokenizer's EOS token at least once in every file that it reads from.",
)
MARGIN = 1.01
"""OLMo-core counts whole tokens and sequences, so an exact ratio could miss by one."""


def choose_repetitions(
    plan: Plan, name: str, title: str, *, there: Any = None, part: float = 1.0
) -> float | str:
    """Return how often a source may be passed over, so that the budget fits.

    Args:
        plan: with the budget.
        name: of the source in the file.
        title: of the framework.
        there: what the file has now, which stays where the budget fits; else the epochs count.
        part: fraction of the source that the file lets in.

    Raises:
        RefusedByFramework: ``max_epochs`` allows less than the budget needs.
    """
    if plan.tokens is None or plan.sources is None:
        return 1.0
    domain = plan.entries[name].domain
    epochs = plan.record["epochs"]
    limit = plan.record["max_epochs"]
    # More than the limit was warned of already, or is refused elsewhere.
    if max(epochs.values()) > limit * (1 + 1e-6):
        limit = math.inf
    # OLMo-core refuses such a fraction, which is reported where the file is read.
    if not 0 < part <= 1:
        part = 1.0
    size = plan.sources[domain].tokens * part
    needed = int(plan.tokens * plan.numbers[name])
    if isinstance(there, int | float | str):
        allowed = to_number(there)
        if 1 <= allowed <= limit and int(size * allowed) >= needed:
            return there
    # Two places are enough to read, and rounding up never falls short.
    ratio: float = math.ceil(epochs[domain] / part * MARGIN * 100) / 100
    ratio = max(1.0, min(ratio, limit))
    if int(size * ratio) < needed:
        share = "" if part == 1 else f"{part:g} of "
        raise RefusedByFramework(
            framework=title,
            reason=f"would refuse {list_names([domain])}: {plan.tokens:.4g} tokens ask for "
            f"{needed:,} of it, and {ratio:g} times {share}its "
            f"{plan.sources[domain].tokens:,.0f} are "
            "fewer: lower its weight or tokens=, or raise max_epochs",
        )
    return ratio
