"""Python modules as configs: tables of literals that are read without running the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pprint import pformat
from typing import Any

from reweightviz.core.errors import UnreadableFile
from reweightviz.exporters.document import Document
from reweightviz.exporters.plan import Numbers, number


def module(comment: str, constants: Mapping[str, Any], script: str) -> str:
    r"""The text of a module: what it says of itself, its constants as literals, and the code that uses them.

    >>> print(module("# a mixture\n", {"WEIGHTS": {"web": 1.0}}, "\nprint(WEIGHTS)\n"), end="")
    # a mixture
    WEIGHTS = {'web': 1.0}
    <BLANKLINE>
    print(WEIGHTS)
    """
    lines = [f"{name} = {_literal(value)}\n" for name, value in constants.items()]
    return comment + "".join(lines) + script


def table(document: Document, rows: Sequence[Any], name: str, weight: str) -> Numbers:
    """Name to number of a list of dictionaries."""
    try:
        numbers = {str(row[name]): number(row[weight]) for row in rows}
    except (KeyError, TypeError) as error:
        raise UnreadableFile(
            path=document.path,
            reason=f"each row of its table needs {name!r} and {weight!r}: {error}",
        ) from error
    if len(numbers) < len(rows):
        raise UnreadableFile(path=document.path, reason=f"each {name} may stand once in its table")
    return numbers


def _literal(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(row, dict) for row in value):
        return "[\n" + "".join(f"    {row!r},\n" for row in value) + "]"
    return pformat(value, width=120, sort_dicts=False)
