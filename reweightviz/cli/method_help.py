"""What the command line says of the methods: all of them in a column, or one with its options."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

from reweightviz import catalogue
from reweightviz.core.errors import UnknownName

WIDTH = 100
TITLES = {
    "law": "Mixing laws, for rv.fit",
    "mixer": "Mixers, for rv.mix",
    "scorer": "Scorers, for rv.score",
    "selector": "Selectors, for rv.select",
    "reader": "Run logs, for rv.read_log",
    "exporter": "Exporters, for reweightviz export --to NAME",
}


def listing() -> str:
    """Every method with a line on what it does."""
    methods = catalogue.table()
    lines = []
    for kind, title in TITLES.items():
        lines += [
            title,
            *(
                line
                for name, row in methods[methods.kind == kind].iterrows()
                for line in _entry(str(name), row.summary)
            ),
            "",
        ]
    return "\n".join(
        [*lines, "reweightviz methods NAME says what one needs, and which options it takes."]
    )


def page(name: str) -> str:
    """What a method does, needs and takes; of every method that is called so, in whatever case."""
    from reweightviz import exporters

    methods = catalogue.table()
    found = [
        (known, row.to_dict())
        for known, row in methods.iterrows()
        if str(known).lower() == name.lower()
    ]
    if not found:
        try:
            exporter = exporters.find(name)
        except UnknownName:
            raise UnknownName(kind="method", name=name, known=map(str, methods.index)) from None
        found = [
            (known, row.to_dict())
            for known, row in methods.iterrows()
            if known == exporter.name and row["kind"] == "exporter"
        ]
    return "\n\n".join("\n".join(_page(str(known), row)) for known, row in found)


def _page(name: str, row: Mapping[str, Any]) -> Iterator[str]:
    from reweightviz import exporters

    yield from _wrapped(f"{name} ({row['kind']}): {row['summary']}.")
    if row["kind"] == "reader":
        yield from _facts({"needs": row["needs"]})
        return
    if row["kind"] != "exporter":
        method = getattr(import_module(f"reweightviz.{row['kind']}s"), name)
        yield from _facts(
            {"needs": row["needs"], "paper": row["paper"], "formulas": row["verified"]}
        )
        yield from _options(method)
        return
    exporter = exporters.FRAMEWORKS[name]
    units = {
        f"--unit {unit.key}": unit.sentence + (" (default)" if unit is exporter.units[0] else "")
        for unit in exporter.units
    }
    yield from _facts(
        {
            "also called": ", ".join(exporter.aliases),
            "needs": row["needs"],
            "changes a config that is there": "yes, with --merge"
            if exporter.merges
            else "no, it is written whole",
            **units,
        }
    )
    yield from _options(exporter.render, "--option KEY=VALUE, of this framework's own")
    if exporter.traps:
        yield from (
            "",
            "to know",
            *(line for trap in exporter.traps for line in _wrapped(trap, "  - ", "    ")),
        )


def _facts(facts: Mapping[str, str]) -> Iterator[str]:
    for label, value in facts.items():
        if value:
            yield from _wrapped(f"{label}: {value}", "  ", "    ")


def _options(verb: Callable[..., Any], title: str = "options") -> Iterator[str]:
    said = arguments(verb)
    defaults = {
        p.name: p.default
        for p in inspect.signature(verb).parameters.values()
        if p.name not in ("plan", "old")
    }
    if defaults:
        yield from ("", title)
    for option, default in defaults.items():
        shown = (
            f"{option} (required)"
            if default is inspect.Parameter.empty
            else f"{option}={default!r}"
        )
        yield from _entry(shown, said.get(option, ""))


def arguments(thing: Any) -> dict[str, str]:
    """Argument to what its docstring says of it, under ``Args``."""
    _, _, below = (inspect.getdoc(thing) or "").partition("\nArgs:\n")
    found: dict[str, str] = {}
    for line in below.partition("\n\n")[0].splitlines():
        start = re.match(r"    (\w+): (.*)", line)
        if start:
            found[start[1]] = start[2]
        elif found and line.startswith("     "):
            found[[*found][-1]] += f" {line.strip()}"
    return {name: said.replace("``", "").rstrip(".") for name, said in found.items()}


def _entry(name: str, said: str) -> Iterator[str]:
    """A name, and beside or below it what is said of it."""
    if len(name) < 22:
        yield from _wrapped(said, f"  {name:<22}", " " * 24)
    else:
        yield f"  {name}"
        yield from _wrapped(said, " " * 24, " " * 24)


def _wrapped(text: str, first: str = "", rest: str = "") -> list[str]:
    plain = text.replace("`", "")
    return textwrap.wrap(
        plain, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    ) or [first.rstrip()]
