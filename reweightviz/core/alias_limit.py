"""The limit on the aliases of a YAML text: a few hundred bytes may stand for billions of entries.

Loading shares what an alias stands for, so the text is small until somebody writes it out, as a
repr or a merge key does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reweightviz.core.errors import ReweightvizError

__all__ = ["MOST_NODES", "check_aliases", "children_of"]


MOST_NODES = 1_000_000
"""A file with more entries, its aliases written out, is none that a person wrote."""


def check_aliases(root: Any) -> None:
    """Refuse a composed YAML node that holds itself, or is too large once written out.

    The nodes are counted without writing anything out: children first, by a stack of our own,
    since a text may nest deeper than Python recurses.

    Args:
        root: a node of ruamel.yaml, before it is constructed.

    Raises:
        ReweightvizError: part of a sentence, with its line.
    """
    sizes: dict[int, int] = {}
    opened: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting[-1]
        if id(node) in sizes:
            waiting.pop()
        elif id(node) in opened:
            waiting.pop()
            opened.remove(id(node))
            size = 1 + sum(sizes[id(child)] for child in children_of(node))
            sizes[id(node)] = size
            if size > MOST_NODES:
                raise ReweightvizError(
                    f"its aliases, written out, make more than {MOST_NODES:,} entries "
                    f"{_place(node)}"
                )
        else:
            opened.add(id(node))
            for child in children_of(node):
                if id(child) in opened:
                    raise ReweightvizError(f"&{child.anchor} holds itself {_place(child)}")
                waiting.append(child)


def children_of(node: Any) -> Iterator[Any]:
    """Generate the nodes right below a composed YAML node."""
    # The value of a scalar is text; that of a mapping is pairs of nodes.
    if isinstance(node.value, str):
        return
    for part in node.value:
        yield from part if isinstance(part, tuple) else (part,)


def _place(node: Any) -> str:
    return f"(line {node.start_mark.line + 1}, column {node.start_mark.column + 1})"
