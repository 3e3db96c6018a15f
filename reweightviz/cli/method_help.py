"""The methods on the command line: all of them in a column, or one with its options."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from reweightviz import catalogue
from reweightviz.core.errors import UnknownName

if TYPE_CHECKING:
    from reweightviz.exporters import Exporter

__all__ = ["COLUMN", "TITLES", "WIDTH", "list_methods", "read_arguments", "show_method"]


WIDTH = 100
COLUMN = 24
"""Where what is written of a name begins."""
TITLES = {
    "law": "Mixing laws, for rv.fit",
    "mixer": "Mixers, for rv.mix",
    "scorer": "Scorers, for rv.score",
    "selector": "Selectors, for rv.select",
    "reader": "Run logs, for rv.read_log",
    "exporter": "Exporters, for reweightviz export --to NAME",
}


def list_methods() -> str:
    """Return every method with a line on what it does."""
    methods = catalogue.table()
    lines = []
    for kind, title in TITLES.items():
        lines.append(title)
        for name, row in methods[methods.kind == kind].iterrows():
            lines += _entry(str(name), row.summary)
        lines.append("")
    lines.append("reweightviz methods NAME shows what one needs, and which options it takes.")
    return "\n".join(lines)


def show_method(name: str) -> str:
    """Return what a method does, needs and takes; of all that are called so, in any case.

    Raises:
        ReweightvizError: no method has the name.
    """
    from reweightviz import exporters

    methods = [(str(known), row.to_dict()) for known, row in catalogue.table().iterrows()]
    found = [(known, row) for known, row in methods if known.lower() == name.lower()]
    if not found:
        try:
            exporter = exporters.find(name)
        except UnknownName:
            names = [known for known, _ in methods]
            raise UnknownName(kind="method", name=name, known=names) from None
        found = [
            (known, row)
            for known, row in methods
            if (known, row["kind"]) == (exporter.name, "exporter")
        ]
    return "\n\n".join("\n".join(_page(known, row)) for known, row in found)


def _page(name: str, row: Mapping[str, Any]) -> Iterator[str]:
    from reweightviz import exporters

    yield from _wrap(f"{name} ({row['kind']}): {row['summary']}.")
    if row["kind"] == "reader":
        yield from _facts({"needs": row["needs"]})
    elif row["kind"] == "exporter":
        yield from _exporter_page(exporters.FRAMEWORKS[name], row)
    else:
        method = getattr(import_module(f"reweightviz.{row['kind']}s"), name)
        yield from _facts(
            {"needs": row["needs"], "paper": row["paper"], "formulas": row["verified"]}
        )
        yield from _options(method)


def _exporter_page(exporter: Exporter, row: Mapping[str, Any]) -> Iterator[str]:
    units = {f"--unit {unit.key}": unit.sentence for unit in exporter.units}
    default = f"--unit {exporter.units[0].key}"
    units[default] += " (default)"
    merges = "no, it is written whole"
    if exporter.merges:
        merges = "yes, with --merge"
    yield from _facts(
        {
            "also called": ", ".join(exporter.aliases),
            "needs": row["needs"],
            "changes a config that is there": merges,
            **units,
        }
    )
    yield from _options(exporter.render, "--option KEY=VALUE, of this framework's own")
    if exporter.traps:
        yield from ("", "to know")
    for trap in exporter.traps:
        yield from _wrap(trap, "  - ", "    ")


def _facts(facts: Mapping[str, str]) -> Iterator[str]:
    for label, value in facts.items():
        if value:
            yield from _wrap(f"{label}: {value}", "  ", "    ")


def _options(verb: Callable[..., Any], title: str = "options") -> Iterator[str]:
    documented = read_arguments(verb)
    parameters = [
        parameter
        for name, parameter in inspect.signature(verb).parameters.items()
        # What every exporter's render is handed is no option.
        if name not in ("plan", "old")
    ]
    if parameters:
        yield from ("", title)
    for parameter in parameters:
        shown = f"{parameter.name}={parameter.default!r}"
        if parameter.default is inspect.Parameter.empty:
            shown = f"{parameter.name} (required)"
        yield from _entry(shown, documented.get(parameter.name, ""))


def read_arguments(documented: Any) -> dict[str, str]:
    """Return argument to what its docstring has of it, under ``Args``."""
    _, _, below = (inspect.getdoc(documented) or "").partition("\nArgs:\n")
    found: dict[str, str] = {}
    for line in below.partition("\n\n")[0].splitlines():
        start = re.match(r"    (\w+): (.*)", line)
        if start:
            found[start[1]] = start[2]
        elif found and line.startswith("     "):
            found[[*found][-1]] += f" {line.strip()}"
    return {name: text.replace("``", "").rstrip(".") for name, text in found.items()}


def _entry(name: str, text: str) -> Iterator[str]:
    """Yield a name, and beside or below it a text."""
    beside = f"  {name:<{COLUMN - 2}}"
    below = " " * COLUMN
    if len(name) < COLUMN - 2:
        yield from _wrap(text, beside, below)
    else:
        yield f"  {name}"
        yield from _wrap(text, below, below)


def _wrap(text: str, first: str = "", rest: str = "") -> list[str]:
    lines = textwrap.wrap(
        text.replace("`", ""),
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
    )
    # An empty text would wrap to no line at all, and lose what stands before it.
    return lines or [first.rstrip()]
