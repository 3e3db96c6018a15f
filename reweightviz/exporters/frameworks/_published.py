"""Weights as papers publish them, in files of no framework that is exported for.

* DoReMi: JSON with ``train_domain_weights``, which its trainer scales to 1
  (sangmichaelxie/doremi 7cde52d, doremi/train.py).
* RegMix: YAML with ``train`` and ``valid``, prefixes of files to weights, which its trainer scales
  to 1 (sail-sg/regmix b004d3a, model_training/pretrain/tinyllama.py).
* Flat: JSON or YAML with nothing but names and shares, such as DoReMi's ``avg_domain_weights.json``
  and the tables of many a script.

All three count blocks of one length, or do not say what they count, and are read as shares of
tokens. Read from the sources; neither trainer was run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from reweightviz.core.mixture import SUM_TOLERANCE
from reweightviz.exporters.frameworks._foreign import as_mapping
from reweightviz.exporters.frameworks._weights import find_invalid, is_mixture
from reweightviz.exporters.plan import Numbers, to_number

__all__ = ["NEAR", "PREFIXES", "Published", "find_published"]


NEAR = 0.002
"""How far the sum of flat shares may be from 1: published ones are rounded."""
PREFIXES = ("train_", "the_pile_")
"""Beginnings of RegMix's names that say nothing of the domain."""


class Published(NamedTuple):
    """Weights on any scale, where they stand in the file, and what to know of them."""

    numbers: Numbers
    place: str
    traps: tuple[str, ...] = ()


def find_published(content: Mapping[str, Any]) -> Published | None:
    """Return the weights of a file in one of the published forms; None for another file."""
    doremi = as_mapping(content.get("train_domain_weights"))
    if doremi:
        return _scale(_read(doremi), "train_domain_weights")
    train = as_mapping(content.get("train"))
    if _is_table(train) and _is_table(as_mapping(content.get("valid"))):
        return _scale(_strip(_read(train)), "train")
    if _is_table(content) and len(content) > 1:
        return _read_flat(_read(content))
    return None


def _read_flat(numbers: Numbers) -> Published | None:
    total = math.fsum(numbers.values())
    if abs(total - 1) > NEAR or not is_mixture(numbers):
        return None
    return _scale(numbers, "the file itself")


def _scale(numbers: Numbers, place: str) -> Published:
    """Return weights on any scale, and say it where they are none that sum to 1."""
    total = math.fsum(numbers.values())
    if not is_mixture(numbers) or abs(total - 1) <= SUM_TOLERANCE:
        return Published(numbers, place)
    return Published(numbers, place, (f"the shares sum to {total:.6g} and are scaled to 1.",))


def _read(table: Mapping[Any, Any]) -> Numbers:
    return {str(name): to_number(value) for name, value in table.items()}


def _is_table(table: Mapping[Any, Any]) -> bool:
    """Return whether a mapping holds nothing but names and numbers >= 0."""
    named = all(isinstance(name, str) for name in table)
    written = all(isinstance(value, int | float) for value in table.values())
    return bool(table) and named and written and not find_invalid(_read(table))


def _strip(numbers: Numbers) -> Numbers:
    """Return the numbers by domain: RegMix's names begin the names of files."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) and name != prefix for name in numbers):
            numbers = {name.removeprefix(prefix): value for name, value in numbers.items()}
    return numbers
