"""Calls in somebody's Python config, followed through the names of the file and never run.

A name is followed where the file binds it once: see :mod:`reweightviz.exporters.text.python_names`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from reweightviz.exporters.document import Document

Node = TypeVar("Node", bound=ast.expr | ast.stmt | ast.keyword)
FAULTS = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)
"""What ``ast`` raises on what is no literal."""


def imports(document: Document, package: str) -> bool:
    """Whether a Python file imports a package, or part of it."""
    found = (
        node.module or "" if isinstance(node, ast.ImportFrom) else name.name
        for node in ast.walk(document.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    )
    return any(name.split(".")[0] == package for name in found)


def calls(document: Document, name: str) -> list[ast.Call]:
    """Every call of a function or method of that name, in the order of the file."""
    return document.called.get(name, [])


def by_name(tree: ast.Module) -> dict[str, list[ast.Call]]:
    """The calls of a file by what they call, each in the order of the file."""
    found: dict[str, list[ast.Call]] = {}
    for call in in_order(node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        found.setdefault(called(call), []).append(call)
    return found


def in_order(nodes: Iterable[Node]) -> list[Node]:
    """Nodes as they follow one another in the file, which is not the order that a walk meets them in."""
    return sorted(nodes, key=lambda node: (node.lineno, node.col_offset))


def called(node: ast.AST) -> str:
    """The last name of what a call calls; "" for anything else."""
    function = node.func if isinstance(node, ast.Call) else None
    return (
        function.id
        if isinstance(function, ast.Name)
        else function.attr
        if isinstance(function, ast.Attribute)
        else ""
    )


def arguments(document: Document, call: ast.Call) -> dict[str | int, Any]:
    """The arguments of a call by place and by keyword, each its :func:`value`; those behind a ``*`` have no place."""
    return {key: value(document, node) for key, node in _given(call).items()}


def spread(call: ast.Call) -> bool:
    """Whether a call has arguments that are not written out, by ``*`` or ``**``."""
    return any(isinstance(node, ast.Starred) for node in call.args) or any(
        keyword.arg is None for keyword in call.keywords
    )


def value(document: Document, node: Any) -> Any:
    """A node's value where it is a literal, or a name that stands for one; else the node itself."""
    if not isinstance(node, ast.AST):
        return node
    try:
        return ast.literal_eval(followed(document, node))
    except FAULTS:
        return node


def constant(document: Document, name: str) -> Any:
    """The literal that a name of the file itself stands for; None where it stands for none."""
    node = document.bindings.module_level(name)
    found = value(document, node)
    return None if isinstance(found, ast.AST) else found


def followed(document: Document, node: Any) -> Any:
    """What a name is bound to, where the file binds it once; anything else as it is."""
    seen = []
    while isinstance(node, ast.Name) and node not in seen:
        seen.append(node)
        node = document.bindings.bound(node) or seen[0]
    return node


def items(document: Document, given: Any) -> list[Any]:
    """What is in a list or tuple, written out there or bound to a name: literals as values, else nodes; [] where that is not known."""
    node = followed(document, given)
    if isinstance(node, ast.List | ast.Tuple):
        return (
            []
            if any(isinstance(item, ast.Starred) for item in node.elts)
            else [value(document, item) for item in node.elts]
        )
    return list(node) if isinstance(node, list | tuple) else []


def said(given: Any) -> str:
    """How a person would name a value: text as it is, code as it is written."""
    try:
        return (
            given
            if isinstance(given, str)
            else ast.unparse(given)
            if isinstance(given, ast.AST)
            else str(given)
        )
    except RecursionError:
        return f"the code in line {given.lineno}"


def others(found: Sequence[ast.AST], taken: ast.AST, what: str) -> tuple[str, ...]:
    """A sentence on what of the same kind the file has beside what was taken."""
    lines = sorted({node.lineno for node in found if node is not taken})  # type: ignore[attr-defined]
    if not lines:
        return ()
    there = f"line {lines[0]}" if len(lines) == 1 else f"lines {', '.join(map(str, lines[:12]))}"
    return (
        f"The file has more than one {what}: this is the one of line {taken.lineno}, "
        f"another is in {there}.",
    )  # type: ignore[attr-defined]


def unread(document: Document, found: Sequence[ast.Call], *keys: str | int, table: str = "") -> str:
    """Why arguments of calls, or a table of the file, could not be read, in brackets; "" where there is no more to say.

    Args:
        document: the file.
        found: the calls.
        keys: of the arguments that were wanted.
        table: name of a constant that was wanted.
    """
    wanted = [_given(call)[key] for call in found for key in keys if key in _given(call)]
    return unclear(
        document,
        [table, *wanted],
        *["some of the arguments stand behind * or **" for call in found if spread(call)][:1],
    )


def unclear(document: Document, wanted: Iterable[ast.expr | str], *more: str) -> str:
    """Why names and lists could not be read, in brackets; "" where there is no more to say."""
    whys = [why for node in wanted for why in _why(document, node)]
    return f" ({'; '.join(dict.fromkeys([*whys, *more]))})" if whys or more else ""


def _given(call: ast.Call) -> dict[str | int, ast.expr]:
    places = next(
        (place for place, node in enumerate(call.args) if isinstance(node, ast.Starred)),
        len(call.args),
    )
    return dict(enumerate(call.args[:places])) | {
        keyword.arg: keyword.value for keyword in call.keywords if keyword.arg
    }


def _why(document: Document, wanted: ast.expr | str) -> Iterator[str]:
    node = followed(document, wanted)
    if isinstance(node, ast.Name | str):
        name, lines = node.id if isinstance(node, ast.Name) else node, document.bindings.lines(node)
        if len(lines) > 1:
            yield f"{name!r} is bound or changed in lines {', '.join(map(str, lines[:12]))}"
        elif lines and isinstance(node, ast.Name):
            yield f"{name!r} of line {lines[0]} is not written out"
    elif isinstance(node, ast.List | ast.Tuple) and any(
        isinstance(item, ast.Starred) for item in node.elts
    ):
        yield f"the list of line {node.lineno} has more in it than is written out"
