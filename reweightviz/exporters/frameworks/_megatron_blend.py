"""What megatron-core makes of prefixes and weights, whoever hands them to it.

A prefix that stands several times is drawn from at each place; without weights every dataset is
passed over once at most, so that its share goes by its size. Checked with megatron-core 0.16.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from reweightviz.core.errors import list_names
from reweightviz.exporters.frameworks._weights import add_up, mention_again
from reweightviz.exporters.plan import Config, Numbers
from reweightviz.exporters.units import COPIES

__all__ = [
    "UNWEIGHTED",
    "Blend",
    "blend",
    "blend_words",
    "is_prefix",
    "read_weight",
]


UNWEIGHTED = (
    "there are no weights: Megatron passes over each dataset once at most, so that its share goes "
    "by its size."
)


class Blend(NamedTuple):
    """The numbers of a blend by prefix, the key of their unit, faults, and what to know."""

    numbers: Numbers
    unit: str | None = None
    refused: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()

    def to_config(self) -> Config:
        """Return the blend as a config of one stage."""
        return Config({0: self.numbers}, unit=self.unit, refused=self.refused, traps=self.traps)


def blend(prefixes: Sequence[str], weights: Sequence[object] | None) -> Blend:
    """Return the blend of prefixes and their weights, None for none."""
    traps = mention_again(prefixes, "Megatron")
    if weights is None:
        numbers = add_up((prefix, 1.0) for prefix in prefixes)
        # One dataset alone is the whole mixture, whatever its size.
        if len(prefixes) == 1:
            return Blend(numbers)
        return Blend(numbers, COPIES.key, traps=(UNWEIGHTED, *traps))
    found = [read_weight(weight) for weight in weights]
    values = [math.nan if value is None else value for value in found]
    numbers = add_up(zip(prefixes, values, strict=False))
    if len(values) != len(prefixes):
        fault = f"each prefix needs one weight; there are {len(values)} for {len(prefixes)}."
        return Blend(numbers, refused=(fault,))
    # Megatron stops at a 0 and at nan without a message.
    bad = [
        prefix for prefix, value in zip(prefixes, values, strict=True) if not 0 < value < math.inf
    ]
    if bad:
        names = list_names(list(dict.fromkeys(bad)))
        fault = f"each prefix needs a finite weight above 0; that of {names} is not."
        return Blend(numbers, refused=(fault,))
    return Blend(numbers, traps=traps)


def blend_words(words: Sequence[object]) -> Blend:
    """Return the blend of a list, as ``get_blend_from_list`` of megatron-core reads it.

    Args:
        words: weights and prefixes in turn, or prefixes alone.
    """
    weights = [read_weight(word) for word in words]
    # Any words would do for Megatron, but a text of words is no blend.
    if words and all(isinstance(word, str) and is_prefix(word) for word in words):
        return blend([str(word).strip() for word in words], None)
    if not words or len(words) % 2 or None in weights[::2]:
        fault = (
            "weights and prefixes must stand in turn; as it is, Megatron would take every word for "
            "a dataset."
        )
        return Blend({}, refused=(fault,))
    return blend([str(word).strip() for word in words[1::2]], words[::2])


def is_prefix(word: str) -> bool:
    """Return whether a word is a path, rather than any word."""
    return read_weight(word) is None and ("/" in word or word.endswith("_document"))


def read_weight(word: object) -> float | None:
    """Return the number that Megatron takes a word for, None where it takes it for a prefix."""
    try:
        # Python's float as in Megatron, which takes 1e-05 and nan too.
        return float(word) if isinstance(word, str | int | float) else None
    except (OverflowError, ValueError):
        return None
