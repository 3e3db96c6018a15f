"""Somebody else's YAML or JSON: a value where it has the kind that is needed, else an empty one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Item", "as_entries", "as_list", "as_mapping", "mappings_in", "walk"]


Item = Mapping[str, Any]
"""One entry of a list in a config, such as a dataset with its weight."""


def as_list(value: object) -> list[Any]:
    """Return a list as it is, and [] for anything else."""
    return list(value) if isinstance(value, list) else []


def as_mapping(value: object) -> Mapping[str, Any]:
    """Return a mapping as it is, and an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def as_entries(value: object) -> list[Item]:
    """Return a list of nothing but mappings, and [] for anything else.

    >>> as_entries([{"path": "a"}]), as_entries([{"path": "a"}, "b"]), as_entries(None)
    ([{'path': 'a'}], [], [])
    """
    found = mappings_in(value)
    return found if len(found) == len(as_list(value)) else []


def mappings_in(value: object) -> list[Item]:
    """Return those items of a list that are mappings; [] for what is no list."""
    return [item for item in as_list(value) if isinstance(item, Mapping)]


def walk(node: object, keys: Iterable[str]) -> Any:
    """Return what stands at a path of keys, None where nothing does.

    >>> walk({"data": {"sources": 1}}, ["data", "sources"]), walk({}, ["data", "sources"])
    (1, None)
    """
    for key in keys:
        node = as_mapping(node).get(key)
    return node
