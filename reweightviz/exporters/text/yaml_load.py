"""The content of a text of YAML or JSON.

Unknown tags are passed over, nothing grows without end, and a fault is one sentence. Of a key
that stands twice in one mapping the last value is taken, as json and PyYAML do; it is noted, since
other loaders refuse it.
"""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.constructor import RoundTripConstructor, SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from reweightviz.core.alias_limit import check_aliases, children_of
from reweightviz.core.errors import WrongContent

__all__ = [
    "YAML_ERRORS",
    "Include",
    "Loaded",
    "Repeat",
    "check_depth",
    "load",
    "load_with_comments",
    "read",
]


_BRACKET = re.compile(r"[\[\]{}]")
_DEEPEST = 200  # brackets in brackets
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


class Repeat(NamedTuple):
    """A key that came before in its mapping, and its line; 0 in JSON, which notes no lines."""

    key: str
    line: int

    def __str__(self) -> str:
        place = f" (line {self.line})" if self.line else ""
        return f"{self.key[:60]!r}{place}"


class Include(str):
    """What ``!include path`` marks: the path of a file that a loader may put in its place."""

    __slots__ = ()


class Loaded(NamedTuple):
    """The content of a text, and the keys that stand twice in it."""

    content: Any
    repeats: tuple[Repeat, ...] = ()


class _Constructor(SafeConstructor):
    """Plain values; a tag of somebody's own, such as ``!include x``, leaves what it marks."""

    repeats: tuple[Repeat, ...] = ()

    def construct_document(self, node: Node) -> Any:
        check_aliases(node)
        # Before merge keys are written out, whose values a key may well override.
        self.repeats = tuple(sorted(_find_repeats(node), key=lambda repeat: repeat.line))
        return super().construct_document(node)

    def check_mapping_key(
        self, node: Any, key_node: Any, mapping: Any, key: Any, value: Any
    ) -> bool:
        # Of a key that stands twice, the last value replaces the one before.
        return True

    def construct_unknown(self, node: Node) -> Any:
        if isinstance(node, ScalarNode):
            if str(node.tag) == "!include":
                return Include(node.value)
            return node.value
        if isinstance(node, MappingNode):
            return self.construct_yaml_map(node)
        return self.construct_yaml_seq(node)


_Constructor.add_constructor(None, _Constructor.construct_unknown)


class _CommentedConstructor(RoundTripConstructor):
    """The same of a key that stands twice, for content that keeps its comments."""

    def check_mapping_key(
        self, node: Any, key_node: Any, mapping: Any, key: Any, value: Any
    ) -> bool:
        return True


def load_with_comments(text: str) -> Any:
    """Return the content of a text that :func:`read` took, each value with its comments."""
    yaml = YAML(pure=True)
    yaml.Constructor = _CommentedConstructor
    return yaml.load(text)


def load(text: str, path: object) -> Any:
    """Return the content of a text; see :func:`read`."""
    return read(text, path).content


def read(text: str, path: object) -> Loaded:
    """Return the content of a text of YAML or JSON, and its repeated keys.

    Args:
        text: of the file.
        path: of the file, for the error.

    Raises:
        WrongContent: it is neither, it holds itself, or its aliases make it grow without end.
    """
    kind = "JSON" if str(path).lower().endswith(".json") else "YAML"
    repeats: list[Repeat] = []
    # JSON first: it is much faster, and its faults have places of their own.
    try:
        content = json.loads(text, object_pairs_hook=lambda pairs: _to_mapping(pairs, repeats))
        return Loaded(content, tuple(repeats))
    except (RecursionError, ValueError) as error:
        fault: Exception = error
    try:
        check_depth(text)
        yaml = YAML(typ="safe", pure=True)
        yaml.Constructor = _Constructor
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor that is set again is good YAML
            content = yaml.load(text)
            return Loaded(content, yaml.constructor.repeats)
    except (RecursionError, *YAML_ERRORS) as error:
        if kind == "YAML":
            fault = error
    raise WrongContent(path=path, reason=f"is no {kind} file: {_explain(fault)}") from fault


def check_depth(text: str) -> None:
    """Refuse brackets in brackets that ruamel.yaml would take seconds for, and fail on.

    Those in quotes and comments count, too: hundreds that nothing closes stand in no config.
    """
    depth = 0
    for bracket in _BRACKET.findall(text):
        depth = depth + 1 if bracket in "[{" else max(depth - 1, 0)
        if depth > _DEEPEST:
            raise RecursionError


def _to_mapping(pairs: list[tuple[str, Any]], repeats: list[Repeat]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        repeats += [Repeat(name, 0) for name, times in counts.items() if times > 1]
    return found


def _find_repeats(root: Node) -> Iterator[Repeat]:
    """Generate the keys that came before in their mapping, in no order of the file."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        waiting += children_of(node)
        if not isinstance(node, MappingNode):
            continue
        keys: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, ScalarNode) and (str(key.tag), key.value) in keys:
                yield Repeat(str(key.value), key.start_mark.line + 1)
            elif isinstance(key, ScalarNode):
                keys.add((str(key.tag), key.value))


def _explain(error: Exception) -> str:
    """Return an error as part of a sentence, with its place."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (line {error.lineno}, column {error.colno})"
    problem = getattr(error, "problem", None)
    if not problem:
        return " ".join(str(error).partition(";")[0].split())[:200] or type(error).__name__
    sentence = ", ".join(filter(None, (getattr(error, "context", None), problem)))
    sentence = " ".join(sentence.split())[:200]
    mark = getattr(error, "problem_mark", None)
    if mark:
        sentence += f" (line {mark.line + 1}, column {mark.column + 1})"
    return sentence
