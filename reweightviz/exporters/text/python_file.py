"""Somebody's Python config: its calls and lists, followed through its names and never run.

A name is followed where the file binds it once: see
:mod:`reweightviz.exporters.text.python_names`.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeVar

from reweightviz.exporters.text.python_names import COMPREHENSIONS, Names
from reweightviz.exporters.text.yaml_load import Repeat

__all__ = [
    "ARITHMETIC",
    "LITERAL_ERRORS",
    "MOST_CODE",
    "MOST_LINES",
    "Node",
    "PythonFile",
    "callee",
    "has_spread",
    "mention_others",
    "sort_nodes",
    "to_text",
]


Node = TypeVar("Node", bound=ast.expr | ast.stmt | ast.keyword)
LITERAL_ERRORS = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)
"""Errors of ``ast.literal_eval`` on an expression that is no literal."""
ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
"""What is worked out between two numbers; a power may have no end."""
MOST_CODE = 60
"""Letters of code in one sentence."""
MOST_LINES = 12
"""Line numbers in one sentence."""


class PythonFile:
    r"""One Python file, parsed.

    A file that cannot be parsed has a ``fault`` and an empty ``tree``, so that every question about
    it has an answer.

    Args:
        text: of the file.

    Example:
        >>> file = PythonFile("W = [0.7, 0.3]\nmix(a, b, weights=W)")
        >>> [call] = file.calls("mix")
        >>> file.items(file.arguments(call)["weights"])
        [0.7, 0.3]
    """

    def __init__(self, text: str) -> None:
        self.tree = ast.Module([], [])
        self.fault = ""
        try:
            with warnings.catch_warnings():
                # An invalid escape in somebody's text warns; it is not ours to report.
                warnings.simplefilter("ignore")
                # Some editors begin a file with a byte order mark, which ast.parse refuses in text.
                self.tree = ast.parse(text.removeprefix("\ufeff"))
        except SyntaxError as error:
            self.fault = error.msg.partition(";")[0]
            if error.lineno:
                self.fault += f" (line {error.lineno})"
        except (MemoryError, RecursionError):
            self.fault = "it is nested too deeply"
        except ValueError as error:
            self.fault = str(error)

    @cached_property
    def _filled(self) -> dict[int, Any]:
        """Address of a list or dictionary of the tree to what it holds, or to a node."""
        return {}

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the file, in no order of it."""
        return list(ast.walk(self.tree))

    @cached_property
    def imported(self) -> set[str]:
        """The packages that the file imports, or imports parts of."""
        modules: list[str] = []
        for node in self.nodes:
            if isinstance(node, ast.ImportFrom):
                modules.append(node.module or "")
            elif isinstance(node, ast.Import):
                modules += [alias.name for alias in node.names]
        return {module.partition(".")[0] for module in modules}

    @cached_property
    def names(self) -> Names:
        """Everything that the names of the file stand for."""
        return Names(self.tree)

    @cached_property
    def calls_by_name(self) -> dict[str, list[ast.Call]]:
        """The calls of the file by what they call, each in the order of the file."""
        found: dict[str, list[ast.Call]] = {}
        every = (node for node in self.nodes if isinstance(node, ast.Call))
        for call in sort_nodes(every):
            found.setdefault(callee(call), []).append(call)
        return found

    def calls(self, name: str) -> list[ast.Call]:
        """Return every call of a function or method of that name, in the order of the file."""
        return self.calls_by_name.get(name, [])

    def call_arguments(self, name: str) -> list[dict[str | int, Any]]:
        """Return the :meth:`arguments` of every call of that name, in the order of the file."""
        return [self.arguments(call) for call in self.calls(name)]

    def arguments(self, call: ast.Call) -> dict[str | int, Any]:
        """Return the arguments of a call by place and by keyword, each its :meth:`value`.

        Those behind a ``*`` have no place.
        """
        return {key: self.value(node) for key, node in _arguments(call).items()}

    @cached_property
    def repeats(self) -> tuple[Repeat, ...]:
        """The keys that came before in their dictionary, of which Python takes the last value."""
        found = []
        for node in ast.walk(self.tree):
            keys = node.keys if isinstance(node, ast.Dict) else []
            seen: set[str] = set()
            for key in keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    if key.value in seen:
                        found.append(Repeat(key.value, key.lineno))
                    seen.add(key.value)
        return tuple(sorted(found, key=lambda repeat: repeat.line))

    def imports(self, package: str) -> bool:
        """Check whether the file imports a package, or part of it."""
        return package in self.imported

    def value(self, node: Any) -> Any:
        """Return the value of a literal, or of a name that stands for one; else the node itself.

        Names are followed inside lists, tuples and dictionaries too.
        """
        if not isinstance(node, ast.AST):
            return node
        try:
            return ast.literal_eval(self.resolve(node))
        except LITERAL_ERRORS:
            pass
        try:
            return self._fill(node)
        except RecursionError:
            return node

    def _fill(self, node: Any) -> Any:
        """Return what a list or dictionary holds by names, or a sum; the node where not known."""
        held = self.resolve(node)
        if isinstance(held, ast.BinOp):
            return self._work_out(held, node)
        if not isinstance(held, ast.List | ast.Tuple | ast.Dict):
            return node
        if id(held) not in self._filled:
            # Noted first, so that what holds itself comes to an end.
            self._filled[id(held)] = node
            self._filled[id(held)] = self._fill_parts(held, node)
        return self._filled[id(held)]

    def _work_out(self, held: ast.BinOp, node: Any) -> Any:
        """Return what two numbers make, such as ``1 / 3`` or ``1 - WEB``."""
        work = ARITHMETIC.get(type(held.op))
        sides = [self.value(held.left), self.value(held.right)]
        if work is None or not all(type(side) in (int, float) for side in sides):
            return node
        try:
            return work(*sides)
        except ArithmeticError:
            return node

    def _fill_parts(self, held: ast.List | ast.Tuple | ast.Dict, node: Any) -> Any:
        if isinstance(held, ast.Dict):
            # A key of None stands for ** in front of the value.
            if None in held.keys:
                return node
            keys = [self.value(key) for key in held.keys]
            values = [self.value(value) for value in held.values]
            if not all(isinstance(key, str | int | float) for key in keys) or _has_node(values):
                return node
            return dict(zip(keys, values, strict=True))
        parts = [self.value(item) for item in held.elts]
        if _has_node(parts):
            return node
        return tuple(parts) if isinstance(held, ast.Tuple) else parts

    def constant(self, name: str) -> Any:
        """Return the literal that a name of the file itself stands for; None where it is none."""
        found = self.value(self.names.module_value(name))
        return None if isinstance(found, ast.AST) else found

    def resolve(self, node: Any) -> Any:
        """Return what a name is bound to, where the file binds it once; anything else as it is."""
        seen: list[ast.Name] = []
        while isinstance(node, ast.Name) and node not in seen:
            seen.append(node)
            # A name that leads nowhere comes back as it was written first.
            node = self.names.value(node) or seen[0]
        return node

    def items(self, given: Any) -> list[Any]:
        """Return what is in a list or tuple, written out there or bound to a name.

        Literals are values, everything else is a node; [] where the content is not known.
        """
        node = self.resolve(given)
        if isinstance(node, list | tuple):
            return list(node)
        if not isinstance(node, ast.List | ast.Tuple) or _has_star(node.elts):
            return []
        return [self.value(item) for item in node.elts]

    def outermost(self, calls: Sequence[ast.Call]) -> list[ast.Call]:
        r"""Return calls so that one which mixes what another mixes already comes before that.

        >>> file = PythonFile("x = mix([a, b])\ny = mix([x.shuffle(), c])")
        >>> [call.lineno for call in file.outermost(file.calls("mix"))]
        [2, 1]
        """
        inner = {id(part) for call in calls for part in self._parts(call)}
        return sorted(calls, key=lambda call: id(call) in inner)

    def _parts(self, call: ast.Call) -> Iterator[ast.AST]:
        """Generate what is in the lists of a call, and what its methods are called on."""
        for given in _arguments(call).values():
            held = self.resolve(given)
            items = getattr(held, "elts", None) or getattr(held, "values", None) or []
            for item in items if isinstance(items, list) else ():
                node = self.resolve(item)
                for _ in range(MOST_LINES):
                    yield node
                    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                        break
                    node = self.resolve(node.func.value)

    def weights(self, given: Any) -> list[Any]:
        """Return the :meth:`items` of a list of weights; [] where one of them is not known."""
        found = self.items(given)
        return [] if _has_node(found) else found

    def explain_calls(self, found: Sequence[ast.Call], *keys: str | int, table: str = "") -> str:
        """Explain why arguments of calls, or a table of the file, could not be read.

        Args:
            found: the calls.
            keys: of the arguments that were wanted.
            table: name of a constant that was wanted.

        Returns:
            The reasons in brackets; "" where there is none to give.
        """
        wanted: list[ast.expr | str] = [table]
        loops = []
        for call in found:
            line = self.find_loop(call)
            if line is not None:
                loops.append(f"the loop of line {line} makes them")
            arguments = _arguments(call)
            wanted += [arguments[key] for key in keys if key in arguments]
        if any(has_spread(call) for call in found):
            return self.explain(wanted, *loops, "some of the arguments stand behind * or **")
        return self.explain(wanted, *loops)

    def find_loop(self, node: ast.AST) -> int | None:
        """Return the line of the loop or comprehension that a node stands in; None without one."""
        outer = self._parents.get(id(node))
        while outer is not None:
            if isinstance(outer, (*COMPREHENSIONS, ast.For, ast.AsyncFor, ast.While)):
                return outer.lineno
            outer = self._parents.get(id(outer))
        return None

    @cached_property
    def _parents(self) -> dict[int, ast.AST]:
        """Node to the node that it stands in, by id, since places of equal content differ."""
        return {
            id(child): node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)
        }

    def explain(self, wanted: Iterable[ast.expr | str], *more: str) -> str:
        """Explain why names and lists could not be read, in brackets; "" where nothing is known."""
        reasons = [reason for node in wanted for reason in self._reasons(node)]
        reasons += more
        if not reasons:
            return ""
        return f" ({'; '.join(dict.fromkeys(reasons))})"

    def _reasons(self, wanted: ast.expr | str) -> Iterator[str]:
        node = self.resolve(wanted)
        if isinstance(node, ast.List | ast.Tuple) and _has_star(node.elts):
            yield f"the list of line {node.lineno} has more in it than is written out"
        elif isinstance(node, ast.List | ast.Tuple):
            yield from self._unknown_weights([self.value(item) for item in node.elts])
        if isinstance(node, COMPREHENSIONS):
            yield f"the loop of line {node.lineno} makes {to_text(node)[:MOST_CODE]!r}"
        elif isinstance(node, ast.Attribute | ast.Call | ast.Subscript | ast.BinOp):
            yield f"{to_text(node)[:MOST_CODE]!r} of line {node.lineno} is not written out"
        if not isinstance(node, ast.Name | str):
            return
        name = node.id if isinstance(node, ast.Name) else node
        lines = self.names.lines(node)
        if len(lines) > 1:
            yield f"{name!r} is bound or changed in lines {_join(lines)}"
        elif lines and isinstance(node, ast.Name):
            yield f"{name!r} of line {lines[0]} is not written out"

    def _unknown_weights(self, items: Sequence[Any]) -> Iterator[str]:
        """Generate the reasons of what stands beside numbers, or is worked out of something."""
        numeric = any(isinstance(item, int | float | ast.BinOp) for item in items)
        for item in items:
            if numeric and isinstance(item, ast.expr):
                yield from self._reasons(item)


def sort_nodes(nodes: Iterable[Node]) -> list[Node]:
    """Sort nodes as they follow one another in the file; a walk meets them in another order."""
    return sorted(nodes, key=lambda node: (node.lineno, node.col_offset))


def callee(node: ast.AST) -> str:
    """Return the last name of what a call calls; "" for anything else."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name
    return ""


def has_spread(call: ast.Call) -> bool:
    """Check whether a call has arguments that are not written out, by ``*`` or ``**``."""
    return _has_star(call.args) or any(keyword.arg is None for keyword in call.keywords)


def to_text(given: Any) -> str:
    """Return a value as a person would name it: text as it is, code as it is written."""
    if not isinstance(given, ast.AST):
        return str(given)
    try:
        return ast.unparse(given)
    except RecursionError:
        return f"the code in line {getattr(given, 'lineno', '?')}"


def mention_others(
    found: Sequence[ast.expr | ast.stmt], taken: ast.expr | ast.stmt, kind: str
) -> tuple[str, ...]:
    """Return a sentence on what else of that kind the file has; no sentence where it has none.

    Args:
        found: every node of the kind.
        taken: the one that was read.
        kind: for the sentence.
    """
    lines = sorted({node.lineno for node in found if node is not taken})
    if not lines:
        return ()
    places = f"line {lines[0]}" if len(lines) == 1 else f"lines {_join(lines)}"
    return (
        f"The file has more than one {kind}: this is the one of line {taken.lineno}, "
        f"another is in {places}.",
    )


def _arguments(call: ast.Call) -> dict[str | int, ast.expr]:
    found: dict[str | int, ast.expr] = {}
    for place, node in enumerate(call.args):
        if isinstance(node, ast.Starred):
            break
        found[place] = node
    return found | {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def _has_node(values: Iterable[Any]) -> bool:
    return any(isinstance(value, ast.AST) for value in values)


def _has_star(nodes: Iterable[ast.expr]) -> bool:
    return any(isinstance(node, ast.Starred) for node in nodes)


def _join(lines: Sequence[int]) -> str:
    return ", ".join(map(str, lines[:MOST_LINES]))
