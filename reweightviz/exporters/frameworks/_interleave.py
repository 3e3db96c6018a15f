"""Datasets drawn by ``interleave_datasets`` of Hugging Face, in whichever framework calls it.

Checked with datasets 5.2.0 and 4.0.0: with ``all_exhausted`` and a probability of 0 the newer one
raises a ValueError in memory and never ends streamed, the older one never ends; with
``first_exhausted`` both simply never draw that dataset.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reweightviz.core.errors import list_names
from reweightviz.exporters.epochs import Stop
from reweightviz.exporters.plan import Numbers, Plan

__all__ = [
    "LOSES",
    "ONCE",
    "ROUNDING",
    "STRATEGIES",
    "choose_strategy",
    "find_never_drawn",
    "find_stop",
]


STRATEGIES = ("first_exhausted", "all_exhausted")
"""The first ends with the dataset that is used up first, the second repeats it until all were."""
LOSES = "all_exhausted_without_replacement"
"""A strategy under which the probabilities are lost."""
ONCE = "puts the datasets one after another, each once: their shares are those of their sizes."
"""What a framework does that is given no weights."""
ROUNDING = 2**-26
"""How far from 1 numpy lets probabilities sum."""


def choose_strategy(plan: Plan) -> str:
    """Return the strategy under which the budget of a plan lasts."""
    return STRATEGIES[1] if plan.has_repeats else STRATEGIES[0]


def find_stop(strategy: object, setting: str, other: str) -> Stop | None:
    """Return what ends the data early, where the strategy does.

    Args:
        strategy: as ``interleave_datasets`` takes it.
        setting: the strategy as the config writes it.
        other: the value that repeats instead, as the config writes it.
    """
    if strategy != STRATEGIES[0]:
        return None
    return Stop(setting, f"{other!r} repeats it")


def find_never_drawn(
    numbers: Mapping[str, float] | Numbers, strategy: object, setting: str
) -> Iterator[str]:
    """Return a sentence where the strategy waits for a dataset that is never drawn.

    Args:
        numbers: name to probability.
        strategy: as ``interleave_datasets`` takes it.
        setting: the strategy as the config writes it.
    """
    never = [name for name, value in numbers.items() if value == 0]
    if never and strategy in (STRATEGIES[1], LOSES):
        yield (
            f"{setting} waits until every dataset is used up, which one of probability 0 never "
            "is: datasets 5 raises a ValueError, an older one or a stream never ends. Take "
            f"{list_names(never)} out."
        )
