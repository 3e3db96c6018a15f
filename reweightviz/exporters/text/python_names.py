"""The names of a Python file, as far as its syntax tree shows what they stand for.

That is so for a name that is bound once and never changed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple, TypeGuard

__all__ = ["CHANGING", "COMPREHENSIONS", "FUNCTIONS", "Binding", "Names"]


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
    """One place where a name is bound or changed; the value is None where it is not written out."""

    line: int
    value: ast.expr | None


class Names:
    """Every name of a file by the scope that binds it.

    A scope is the file, a function, a class or a comprehension.

    Args:
        tree: of the file.
    """

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        # Nodes are keyed by id: two nodes of equal content are different places.
        self._outer: dict[int, ast.AST] = {}
        self._scopes: dict[int, ast.AST] = {}
        self._bindings: dict[tuple[int, str], list[Binding]] = {}
        self._values: dict[int, ast.expr] = {}
        self._only_annotated: set[int] = set()
        self._redirected: list[tuple[ast.AST, str, bool]] = []
        self._changed: list[ast.Name] = []
        # A parent comes before its children, which use what was noted of it. The stack is our own,
        # since a file may nest deeper than Python recurses.
        waiting: list[tuple[ast.AST, ast.AST]] = [(tree, tree)]
        while waiting:
            node, scope = waiting.pop()
            self._note(node, scope)
            waiting += self._children(node, scope)
        # Only now is every scope known that a global, a nonlocal or a change may refer to.
        for scope, name, is_global in self._redirected:
            self._redirect(scope, name, is_global=is_global)
        for changed in self._changed:
            self._find(changed).append(Binding(changed.lineno, None))

    def value(self, name: ast.Name) -> ast.expr | None:
        """Return what a name is bound to, where the file does so once; else None."""
        return _only_value(self._find(name))

    def module_value(self, name: str) -> ast.expr | None:
        """Return the same for a name of the file itself."""
        return _only_value(self._bindings.get((id(self._tree), name), []))

    def lines(self, name: ast.Name | str) -> list[int]:
        """Return the lines in which a name, or a name of the file itself, is bound or changed."""
        if isinstance(name, str):
            found = self._bindings.get((id(self._tree), name), [])
        else:
            found = self._find(name)
        return sorted({binding.line for binding in found})

    def _find(self, name: ast.Name) -> list[Binding]:
        """Return the bindings of a name in the innermost scope that has any."""
        used = self._scopes.get(id(name), self._tree)
        for scope in self._enclosing(used):
            # The names of a class are not seen from its methods.
            if scope is not used and isinstance(scope, ast.ClassDef):
                continue
            found = self._bindings.get((id(scope), name.id))
            if found:
                return found
        return []

    def _enclosing(self, scope: ast.AST) -> Iterator[ast.AST]:
        """Generate a scope and those that it lies in."""
        while scope is not self._tree:
            yield scope
            scope = self._outer[id(scope)]
        yield scope

    def _children(self, node: ast.AST, scope: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """Generate the children of a node, each with its scope."""
        opens = isinstance(node, (*FUNCTIONS, *COMPREHENSIONS, ast.ClassDef))
        if opens:
            self._outer[id(node)] = scope
        for field, value in ast.iter_fields(node):
            # Defaults, decorators and bases belong to the scope around; the body is inside.
            inside = opens and (field == "body" or isinstance(node, COMPREHENSIONS))
            parts = value if isinstance(value, list) else [value]
            for part in parts:
                if isinstance(part, ast.AST):
                    yield part, node if inside else scope

    def _note(self, node: ast.AST, scope: ast.AST) -> None:
        """Note the names that a node binds, uses or changes."""
        for name, line in _bound_names(node):
            self._bind(scope, name, line)
        for argument in _parameters(node):
            self._bind(node, argument.arg, argument.lineno)
        match node:
            case ast.Name(ctx=ast.Load()):
                self._scopes[id(node)] = scope
            case ast.Name() if id(node) not in self._only_annotated:
                self._bind(scope, node.id, node.lineno, self._values.get(id(node)))
            case ast.Assign():
                for target in node.targets:
                    self._pair(target, node.value)
            case ast.AnnAssign(value=ast.expr() as value) | ast.NamedExpr(value=value):
                self._pair(node.target, value)
            case ast.AnnAssign():
                # `x: int` without a value binds nothing.
                self._only_annotated.add(id(node.target))
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                is_global = isinstance(node, ast.Global)
                self._redirected += [(scope, name, is_global) for name in names]
        self._changed += _changed_names(node)

    def _redirect(self, scope: ast.AST, name: str, *, is_global: bool) -> None:
        """Move what a scope binds by ``global`` or ``nonlocal`` to the scope that it means."""
        moved = self._bindings.pop((id(scope), name), [])
        home: ast.AST = self._tree
        if not is_global:
            owners = (
                outer for outer in self._enclosing(scope) if (id(outer), name) in self._bindings
            )
            home = next(owners, self._tree)
        self._bindings.setdefault((id(home), name), []).extend(moved)

    def _bind(self, scope: ast.AST, name: str, line: int, value: ast.expr | None = None) -> None:
        self._bindings.setdefault((id(scope), name), []).append(Binding(line, value))

    def _pair(self, target: ast.expr, value: ast.expr) -> None:
        """Note which value each name of a target is bound to."""
        if isinstance(target, ast.Name):
            self._values[id(target)] = value
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            # A star takes any number of values, so the places no longer correspond.
            if any(isinstance(part, ast.Starred) for part in (*target.elts, *value.elts)):
                return
            for part, its_value in zip(target.elts, value.elts, strict=False):
                self._pair(part, its_value)


def _only_value(bindings: list[Binding]) -> ast.expr | None:
    if len(bindings) != 1:
        return None
    return bindings[0].value


def _bound_names(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Generate the names that a statement binds to what is not written out, with their lines."""
    match node:
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            for alias in aliases:
                yield alias.asname or alias.name.partition(".")[0], node.lineno
        case (
            ast.FunctionDef(name=str(name))
            | ast.AsyncFunctionDef(name=str(name))
            | ast.ClassDef(name=str(name))
            | ast.ExceptHandler(name=str(name))
            | ast.MatchAs(name=str(name))
            | ast.MatchStar(name=str(name))
            | ast.MatchMapping(rest=str(name))
        ):
            yield name, node.lineno


def _parameters(node: ast.AST) -> Iterator[ast.arg]:
    if isinstance(node, FUNCTIONS):
        given = node.args
        yield from (*given.posonlyargs, *given.args, *given.kwonlyargs)
        yield from filter(None, (given.vararg, given.kwarg))


def _changed_names(node: ast.AST) -> Iterator[ast.Name]:
    """Generate the name whose list or dictionary a node changes: ``x[0] = 1``, ``x.append(1)``."""
    held: ast.AST | None = None
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        held = node.value
    elif isinstance(node, ast.Call) and _changes(node.func):
        held = node.func.value
    while isinstance(held, ast.Subscript):
        held = held.value
    if isinstance(held, ast.Name):
        yield held


def _changes(function: ast.expr) -> TypeGuard[ast.Attribute]:
    return isinstance(function, ast.Attribute) and function.attr in CHANGING
