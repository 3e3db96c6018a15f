"""Configs with a list of datasets, each entry with its weight: reading and merging."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ruamel.yaml.comments import CommentedMap

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.validation import find_repeated
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._foreign import Item, as_entries, mappings_in, walk
from reweightviz.exporters.frameworks._hub import list_files
from reweightviz.exporters.frameworks._weights import add_up, find_invalid
from reweightviz.exporters.plan import Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit

__all__ = ["NameOf", "collect_files", "find_faults", "merge_entries", "read_entries", "sum_numbers"]


NameOf = Callable[[Item], str]
"""The name of an entry, by which a plan knows it."""


def read_entries(document: Document, *keys: str) -> list[Item]:
    """Return the entries of a list in a config, [] where it is no list of mappings."""
    return as_entries(walk(document.mapping, keys))


def merge_entries(
    root: CommentedMap, keys: Sequence[str], plan: Plan, name_of: NameOf
) -> Iterator[tuple[str, CommentedMap]]:
    """Return each name of a plan with its entry, as :func:`yaml_edit.rows` finds or makes it.

    Raises:
        ReweightvizError: an entry that is to change stands there twice.
    """
    names = [name_of(entry) for entry in mappings_in(walk(root, keys))]
    several = find_repeated(names)
    twice = [name for name in several if name in plan.numbers]
    if twice:
        raise ReweightvizError(
            f"{'.'.join(keys)} of this config has {list_names(twice)} more than once: keep "
            "one entry of each."
        )
    return yaml_edit.match_entries(root, keys, plan.numbers, name_of, dropped=plan.dropped_names)


def collect_files(entries: Iterable[Item], name_of: NameOf) -> dict[str, tuple[str, ...]]:
    """Return name to files, of the entries that have any."""
    found = {name_of(entry): list_files(entry.get("data_files")) for entry in entries}
    return {name: files for name, files in found.items() if files}


def sum_numbers(entries: Iterable[Item], name_of: NameOf, key: str) -> Numbers:
    """Return name to the number under a key; entries of one name add up."""
    return add_up((name_of(entry), to_number(entry.get(key))) for entry in entries)


def find_faults(numbers: Mapping[str, float], noun: str) -> tuple[str, ...]:
    """Return a sentence where numbers on any scale are no mixture; ``noun`` is "a weight"."""
    bad = find_invalid(numbers)
    if bad:
        return (f"each dataset needs {noun}, a number >= 0; that of {list_names(bad)} is none.",)
    if not sum(numbers.values()) > 0:
        return (f"one dataset at least needs {noun} above 0.",)
    return ()
