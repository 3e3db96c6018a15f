"""Python modules as configs: tables of literals, which are read back without running the file."""

from __future__ import annotations

from collections.abc import Mapping
from pprint import pformat
from typing import Any

__all__ = ["render"]


def render(comment: str, constants: Mapping[str, Any], script: str) -> str:
    r"""Return the text of a module.

    Args:
        comment: ``#`` lines that the module begins with.
        constants: name to a value that is written as a literal.
        script: the code that uses them.

    >>> print(render("# a mixture\n", {"WEIGHTS": {"web": 1.0}}, "\nprint(WEIGHTS)\n"), end="")
    # a mixture
    WEIGHTS = {'web': 1.0}
    <BLANKLINE>
    print(WEIGHTS)
    """
    lines = [f"{name} = {_literal(value)}\n" for name, value in constants.items()]
    return comment + "".join(lines) + script


def _literal(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(row, dict) for row in value):
        return "[\n" + "".join(f"    {row!r},\n" for row in value) + "]"
    return pformat(value, width=120, sort_dicts=False)
