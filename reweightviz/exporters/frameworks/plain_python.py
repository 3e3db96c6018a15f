"""Python for no framework in particular: a module-level dictionary of weights by domain.

Scripts of one's own, and the tables of many repositories (``COMMA_MAIN_MIXTURE_WEIGHTS`` of
marin-community/marin), hold a mixture so. The file is parsed and never run. Its numbers are on any
scale, and are read as shares of tokens.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping

from reweightviz.core.errors import WrongContent, list_names
from reweightviz.core.mixture import SUM_TOLERANCE
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._weights import find_invalid, is_mixture
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import python_module
from reweightviz.exporters.units import SHARES

__all__ = ["CONSTANT", "NAME", "PlainPython"]


CONSTANT = "MIXTURE_WEIGHTS"
"""The name of the dictionary that is written."""
NAME = re.compile(
    r"(?i)(\w*_)?(mix\w*|sampling|datasets?|train\w*|data)_(weights?|ratios?|prob\w*|proportions?|shares?)"
)
"""Names of dictionaries that are mixtures; ``DOMAIN_WEIGHTS`` seldom is one."""


class PlainPython(Exporter):
    """Python: a module with a dictionary of weights by domain, for scripts of one's own."""

    name = "python"
    aliases = ("py", "dict")
    title = "Python"
    units = (SHARES,)
    suffix = ".py"
    writes_zeros = True
    is_last_resort = True

    def render(self, plan: Plan, old: Document | None) -> dict[str, str]:
        """Return the module, without options."""
        comment = plan.comment("Training mixture in shares of tokens")
        return {"": python_module.render(comment, {CONSTANT: dict(plan.numbers)}, "")}

    def parse(self, document: Document) -> Config:
        """Read the only dictionary of the file whose name is that of a mixture."""
        found = _find_tables(document)
        if len(found) != 1:
            several = f"several, {list_names(found)}: keep one" if found else "none"
            raise WrongContent(
                path=document.path,
                reason="must hold one dictionary of weights at its top, with a name such as "
                f"{CONSTANT} and numbers that are written out; it has {several}",
            )
        ((name, numbers),) = found.items()
        bad = find_invalid(numbers)
        refused = []
        if bad:
            refused.append(f"{name} must hold numbers >= 0; that of {list_names(bad)} is not.")
        elif not is_mixture(numbers):
            refused.append(f"{name} needs a number above 0.")
        total = math.fsum(numbers.values())
        traps = []
        if not refused and abs(total - 1) > SUM_TOLERANCE:
            traps.append(f"the numbers of {name} sum to {total:.6g} and are scaled to 1.")
        return Config({0: numbers}, refused=tuple(refused), traps=tuple(traps))

    def recognises(self, document: Document) -> bool:
        """Return whether a Python file has a dictionary of numbers with the name of a mixture."""
        return bool(_find_tables(document))


def _find_tables(document: Document) -> dict[str, Numbers]:
    """Return the dictionaries of numbers at the top of a file, by the names of mixtures."""
    python = document.python
    found: dict[str, Numbers] = {}
    for statement in python.tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                table = python.constant(name) if NAME.fullmatch(name) else None
                if isinstance(table, Mapping) and _is_table(table):
                    found[name] = {key: to_number(value) for key, value in table.items()}
    return found


def _is_table(table: Mapping[object, object]) -> bool:
    named = all(isinstance(key, str) for key in table)
    return bool(table) and named and all(isinstance(value, int | float) for value in table.values())
