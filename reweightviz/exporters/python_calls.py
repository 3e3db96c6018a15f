"""Calls in somebody's Python config, followed through the names of the file and never run."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any, TypeVar

from reweightviz.exporters.document import Document

Node = TypeVar("Node", bound=ast.expr)


def imports(document: Document, package: str) -> bool:
    """Whether a Python file imports a package, or part of it."""
    found = (node.module or "" if isinstance(node, ast.ImportFrom) else name.name
             for node in ast.walk(document.tree) if isinstance(node, ast.Import | ast.ImportFrom) for name in node.names)
    return any(name.split(".")[0] == package for name in found)


def calls(document: Document, name: str) -> list[ast.Call]:
    """Every call of a function or method of that name, in the order of the file."""
    return in_order(node for node in ast.walk(document.tree) if isinstance(node, ast.Call) and called(node) == name)


def in_order(nodes: Iterable[Node]) -> list[Node]:
    """Nodes as they follow one another in the file, which is not the order that a walk meets them in."""
    return sorted(nodes, key=lambda node: (node.lineno, node.col_offset))


def called(node: ast.AST) -> str:
    """The last name of what a call calls; "" for anything else."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""


def arguments(document: Document, call: ast.Call) -> dict[str | int, Any]:
    """The arguments of a call by place and by keyword, as :meth:`Document.calls` gives them."""
    return ({place: document.value(node) for place, node in enumerate(call.args)}
            | {keyword.arg: document.value(keyword.value) for keyword in call.keywords if keyword.arg})


def followed(document: Document, value: Any) -> Any:
    """What a name was bound to last, anywhere in the file; anything else as it is."""
    if not isinstance(value, ast.Name):
        return value
    bound = [node.value for node in ast.walk(document.tree) if isinstance(node, ast.Assign)
             for target in node.targets if isinstance(target, ast.Name) and target.id == value.id]
    return bound[-1] if bound else value


def items(document: Document, value: Any) -> list[Any]:
    """What is in a list or tuple, written there or bound to a name: literals as values, else nodes; [] where it is none."""
    node = followed(document, value)
    if isinstance(node, ast.List | ast.Tuple):
        return [document.value(item) for item in node.elts]
    return list(node) if isinstance(node, list | tuple) else []


def said(value: Any) -> str:
    """How a person would name a value: text as it is, code as it is written."""
    return value if isinstance(value, str) else ast.unparse(value) if isinstance(value, ast.AST) else str(value)
