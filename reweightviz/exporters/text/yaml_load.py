"""The content of a text of YAML or JSON.

Unknown tags are passed over, nothing grows without end, and a fault is one sentence.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from reweightviz.core.errors import ReweightvizError, WrongContent, list_names

__all__ = ["MOST_NODES", "YAML_ERRORS", "load"]


MOST_NODES = 1_000_000
"""A config with more entries, its aliases written out, is none that a person wrote."""
YAML_ERRORS = (
    YAMLError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
)
"""Errors of ruamel.yaml on texts that are not YAML: its constructors raise more than its own."""


class _Constructor(SafeConstructor):
    """Plain values; a tag of somebody's own, such as ``!include x``, leaves what it marks."""

    def construct_document(self, node: Node) -> Any:
        _check_size(node)
        return super().construct_document(node)

    def construct_unknown(self, node: Node) -> Any:
        if isinstance(node, ScalarNode):
            return node.value
        if isinstance(node, MappingNode):
            return self.construct_yaml_map(node)
        return self.construct_yaml_seq(node)


_Constructor.add_constructor(None, _Constructor.construct_unknown)


def load(text: str, path: object) -> Any:
    """Return the content of a text of YAML or JSON.

    Args:
        text: of the file.
        path: of the file, for the error.

    Raises:
        WrongContent: it is neither, a key stands twice, it holds itself, or its aliases make it
            grow without end.
    """
    kind = "JSON" if str(path).lower().endswith(".json") else "YAML"
    # JSON first: it is much faster, and its faults have places of their own.
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _to_mapping(pairs, path))
    except ReweightvizError:
        raise
    except (RecursionError, ValueError) as error:
        fault: Exception = error
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.Constructor = _Constructor
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor that is set again is good YAML
            return yaml.load(text)
    except (RecursionError, *YAML_ERRORS) as error:
        if kind == "YAML":
            fault = error
    raise WrongContent(path=path, reason=f"is no {kind} file: {_explain(fault)}") from fault


def _to_mapping(pairs: list[tuple[str, Any]], path: object) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = [name for name, times in counts.items() if times > 1]
        raise WrongContent(
            path=path,
            reason=f"is no JSON file: the key {list_names(twice)} stands twice in one mapping",
        )
    return found


def _check_size(root: Node) -> None:
    """Refuse what holds itself, or has too many nodes once its aliases are written out.

    The nodes are counted without writing anything out: children first, by a stack of our own,
    since a text may nest deeper than Python recurses.
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
            size = 1 + sum(sizes[id(child)] for child in _children(node))
            sizes[id(node)] = size
            if size > MOST_NODES:
                raise ConstructorError(
                    None,
                    None,
                    f"its aliases, written out, make more than {MOST_NODES:,} entries",
                    node.start_mark,
                )
        else:
            opened.add(id(node))
            for child in _children(node):
                if id(child) in opened:
                    raise ConstructorError(
                        None, None, f"&{child.anchor} holds itself", child.start_mark
                    )
                waiting.append(child)


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, ScalarNode):
        return
    for part in node.value:
        yield from part if isinstance(part, tuple) else (part,)


def _explain(error: Exception) -> str:
    """Return an error as part of a sentence, with its place."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (line {error.lineno}, column {error.colno})"
    problem = getattr(error, "problem", None)
    if not problem:
        return " ".join(str(error).partition(";")[0].split())[:200] or type(error).__name__
    # ruamel.yaml follows a key that stands twice with its values and a page of advice.
    twice = problem.partition('found duplicate key "')[2].partition('" with value')[0]
    if twice:
        sentence = f"the key {twice!r} stands twice"
    else:
        sentence = ", ".join(filter(None, (getattr(error, "context", None), problem)))
    sentence = " ".join(sentence.split())[:200]
    mark = getattr(error, "problem_mark", None)
    if mark:
        sentence += f" (line {mark.line + 1}, column {mark.column + 1})"
    return sentence
