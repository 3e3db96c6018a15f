"""What the names of a Python file stand for, where its syntax tree alone can tell: a name that is bound once and never changed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
CHANGING = {
    "append",
    "extend",
    "insert",
    "pop",
    "remove",
    "clear",
    "sort",
    "reverse",
    "update",
    "setdefault",
    "popitem",
    "__setitem__",
}
"""Methods after which a list or dictionary is another."""


class Binding(NamedTuple):
    """Where a name is bound or changed, and to what; None where that is not written out."""

    line: int
    value: ast.expr | None


class Names:
    """Every name of a file by the scope that it is bound in: the file, a function, a class, a comprehension.

    Args:
        tree: of the file.
    """

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._outer: dict[int, ast.AST] = {}
        self._scopes: dict[int, ast.AST] = {}
        self._bound: dict[tuple[int, str], list[Binding]] = {}
        self._values: dict[int, ast.expr] = {}
        self._declared: set[int] = set()
        self._shared: list[tuple[ast.AST, str, bool]] = []
        self._changed: list[ast.Name] = []
        waiting: list[tuple[ast.AST, ast.AST]] = [(tree, tree)]
        while waiting:
            node, scope = waiting.pop()
            self._note(node, scope)
            waiting += self._inside(node, scope)
        for scope, name, everywhere in self._shared:
            moved = self._bound.pop((id(scope), name), [])
            home = (
                tree
                if everywhere
                else next(
                    (outer for outer in self._around(scope) if (id(outer), name) in self._bound),
                    tree,
                )
            )
            self._bound.setdefault((id(home), name), []).extend(moved)
        for changed in self._changed:
            self._found(changed).append(Binding(changed.lineno, None))

    def value(self, name: ast.Name) -> ast.expr | None:
        """What a name is bound to, where the file does so once; else None."""
        found = self._found(name)
        return found[0].value if len(found) == 1 else None

    def module_value(self, name: str) -> ast.expr | None:
        """The same for a name of the file itself."""
        found = self._bound.get((id(self._tree), name), [])
        return found[0].value if len(found) == 1 else None

    def lines(self, name: ast.Name | str) -> list[int]:
        """Where a name, or a name of the file itself, is bound or changed."""
        found = (
            self._bound.get((id(self._tree), name), [])
            if isinstance(name, str)
            else self._found(name)
        )
        return sorted({binding.line for binding in found})

    def _found(self, name: ast.Name) -> list[Binding]:
        used = self._scopes.get(id(name), self._tree)
        seen = (
            self._bound.get((id(scope), name.id))
            for scope in self._around(used)
            if scope is used or not isinstance(scope, ast.ClassDef)
        )
        return next(filter(None, seen), [])

    def _around(self, scope: ast.AST) -> Iterator[ast.AST]:
        """A scope and those that it lies in."""
        while scope is not self._tree:
            yield scope
            scope = self._outer[id(scope)]
        yield scope

    def _inside(self, node: ast.AST, scope: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """The children of a node, each with its scope."""
        opens = isinstance(node, (*FUNCTIONS, *COMPREHENSIONS, ast.ClassDef))
        if opens:
            self._outer[id(node)] = scope
        for field, value in ast.iter_fields(node):
            within = (
                node if opens and (field == "body" or isinstance(node, COMPREHENSIONS)) else scope
            )
            yield from (
                (part, within)
                for part in (value if isinstance(value, list) else [value])
                if isinstance(part, ast.AST)
            )

    def _note(self, node: ast.AST, scope: ast.AST) -> None:
        """What a node says of names."""
        for name in _named(node):
            self._bind(scope, name, node.lineno)  # type: ignore[attr-defined]
        for argument in _parameters(node):
            self._bind(node, argument.arg, argument.lineno)
        match node:
            case ast.Name(ctx=ast.Load()):
                self._scopes[id(node)] = scope
            case ast.Name() if id(node) not in self._declared:
                self._bind(scope, node.id, node.lineno, self._values.get(id(node)))
            case ast.Assign():
                for target in node.targets:
                    self._pair(target, node.value)
            case ast.AnnAssign(value=ast.expr() as value) | ast.NamedExpr(value=value):
                self._pair(node.target, value)
            case ast.AnnAssign():
                self._declared.add(id(node.target))
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                self._shared += [(scope, name, isinstance(node, ast.Global)) for name in names]
        self._changed += _changed(node)

    def _bind(self, scope: ast.AST, name: str, line: int, value: ast.expr | None = None) -> None:
        self._bound.setdefault((id(scope), name), []).append(Binding(line, value))

    def _pair(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._values[id(target)] = value
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            starred = any(isinstance(part, ast.Starred) for part in (*target.elts, *value.elts))
            for part, its_value in (
                zip(target.elts, value.elts, strict=False) if not starred else ()
            ):
                self._pair(part, its_value)


def _named(node: ast.AST) -> Iterator[str]:
    """The names that a statement binds to what is not written out."""
    match node:
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
        case (
            ast.FunctionDef(name=str(name))
            | ast.AsyncFunctionDef(name=str(name))
            | ast.ClassDef(name=str(name))
        ):
            yield name
        case (
            ast.ExceptHandler(name=str(name))
            | ast.MatchAs(name=str(name))
            | ast.MatchStar(name=str(name))
        ):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name


def _parameters(node: ast.AST) -> Iterator[ast.arg]:
    if isinstance(node, FUNCTIONS):
        given = node.args
        yield from filter(
            None, [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        )


def _changed(node: ast.AST) -> Iterator[ast.Name]:
    """The name whose list or dictionary a node changes: ``x[0] = 1``, ``x.append(1)``."""
    held: ast.AST | None = None
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        held = node.value
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CHANGING
    ):
        held = node.func.value
    while isinstance(held, ast.Subscript):
        held = held.value
    if isinstance(held, ast.Name):
        yield held
