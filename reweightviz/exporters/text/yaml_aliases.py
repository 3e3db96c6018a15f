"""Aliases of a loaded YAML file: a change in one place must not reach the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ruamel.yaml.anchor import Anchor
from ruamel.yaml.comments import CommentedMap, CommentedSeq

__all__ = ["merged_mappings", "unshare"]


def unshare(root: Any, parent: Any, key: Any, below: Any = None) -> Any:
    """Return a child, split from its other places first where it stands in several.

    Args:
        root: the loaded file.
        parent: the mapping or list that holds the child.
        key: of the child.
        below: the only key of the child that is to change, where it is one.
    """
    child = parent[key]
    if _has_anchor(child) and _count_places(root, child, below) > 1:
        parent[key] = _twin(child)
    return parent[key]


def merged_mappings(node: Any) -> list[Any]:
    """Return what the merge keys (<<) of a mapping bring in."""
    # ruamel.yaml holds pairs before 0.18.7, mappings since.
    return [part[1] if isinstance(part, tuple) else part for part in getattr(node, "merge", ())]


def _has_anchor(node: Any) -> bool:
    anchor = getattr(node, "anchor", None)
    return anchor is not None and bool(anchor.value)


def _twin(node: Any) -> Any:
    """Return the same content without its anchor; what is anchored inside stays shared."""
    if isinstance(node, CommentedMap):
        twin: Any = _twin_mapping(node)
    elif isinstance(node, CommentedSeq):
        twin = CommentedSeq(_share_or_twin(item) for item in node)
    else:
        return node
    node.copy_attributes(twin)
    # The copied attributes include the anchor, which may name one node only.
    setattr(twin, Anchor.attrib, Anchor())
    return twin


def _twin_mapping(node: CommentedMap) -> CommentedMap:
    twin = CommentedMap()
    own = [name for name, _ in node.non_merged_items()]
    for name in own:
        twin[name] = _share_or_twin(node[name])
    for name in node:
        if name not in own:
            # What a merge key brings in can be looked up, but is not written as the twin's own.
            super(CommentedMap, twin).__setitem__(name, node[name])
    return twin


def _share_or_twin(node: Any) -> Any:
    if _has_anchor(node):
        return node
    return _twin(node)


def _count_places(node: Any, wanted: Any, below: Any) -> int:
    """Count the places of a node below another.

    A merge (<<) into a mapping that sets ``below`` itself is none of them.
    """
    if node is wanted:
        return 1
    merges = 0
    children: list[Any] = []
    if isinstance(node, CommentedMap):
        own = dict(node.non_merged_items())
        children = list(own.values())
        if below is None or below not in own:
            merges = sum(part is wanted for part in merged_mappings(node))
    elif isinstance(node, Mapping):
        children = list(node.values())
    elif isinstance(node, list):
        children = node
    return merges + sum(_count_places(child, wanted, below) for child in children)
