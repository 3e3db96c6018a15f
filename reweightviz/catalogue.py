"""Every method in one table, read from the methods themselves."""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from reweightviz.core.errors import UnknownName
from reweightviz.core.protocols import needs
from reweightviz.core.types import LOG_SIGNALS

if TYPE_CHECKING:
    from reweightviz.exporters import Exporter

VERBS = {
    "laws": ("fit",),
    "mixers": ("init", "update"),
    "scorers": ("score",),
    "selectors": ("select",),
}
TABLE_BEGINS, TABLE_ENDS = "<!-- exporters: written by make methods -->", "<!-- end -->"
COUNTS = {
    "tokens": "sequences of one length (tokens)",
    "examples": "documents",
    "fraction": "the fraction of a dataset that is kept",
    "copies": "copies of each document",
}
KINDS = ("law", "mixer", "scorer", "selector", "reader", "exporter")
TRAINER_KNOWS = ("prior", "tokens", "documents")
"""What the reference trainer hands to a mixer's start by itself."""
OUR_OWN = ("json", "yaml", "csv")
"""Formats that no framework but reweightviz reads."""


def table(kind: str | None = None) -> pd.DataFrame:
    """Methods indexed by name: kind, needs, defaults, paper, verified; all, or one kind ("law", "mixer", ...)."""
    if kind is not None and kind not in KINDS:
        raise UnknownName(kind="kind of method", name=kind, known=KINDS)
    rows = [row for row in _rows() if kind in (None, row["kind"])]
    return pd.DataFrame(rows).set_index("name").sort_values(["kind", "name"])


def _rows() -> Iterator[dict[str, Any]]:
    for family, verbs in VERBS.items():
        module = import_module(f"reweightviz.{family}")
        for name in module.__all__:
            method = getattr(module, name)
            wanted = dict.fromkeys(
                n for verb in verbs if hasattr(method, verb) for n in needs(getattr(method, verb))
            )
            yield {
                "name": name,
                "kind": family.removesuffix("s"),
                "summary": _first_line(method),
                "needs": ", ".join(wanted),
                "defaults": ", ".join(map(_default, fields(method))),
                "paper": getattr(method, "paper", ""),
                "verified": getattr(method, "verified", ""),
            }
    from reweightviz import exporters
    from reweightviz.readers.read_log import FORMATS

    for name, reader in FORMATS.items():
        yield {
            "name": name,
            "kind": "reader",
            "summary": _first_line(sys.modules[reader.__module__]),
            "needs": reader.needs,
            "defaults": "",
            "paper": "",
            "verified": "",
        }
    for name, exporter in exporters.FRAMEWORKS.items():
        options = [
            f"{option}={value!r}"
            for option, value in (exporter.render.__kwdefaults__ or {}).items()
        ]
        required = [
            f"{option} (required)" for option, needed in needs(exporter.render).items() if needed
        ]
        yield {
            "name": name,
            "kind": "exporter",
            "summary": _first_line(exporter),
            "needs": ", ".join(_wanted(exporter)),
            "defaults": ", ".join([*required, *options]),
            "paper": "; or ".join(unit.sentence for unit in exporter.units),
            "verified": "",
        }


SIZES = {"mean_tokens": "tokens and documents of each domain", "tokens": "tokens of each domain"}
"""What the sources must say for a unit of that size."""


def _wanted(exporter: Exporter) -> Iterator[str]:
    """What an export needs beside the framework's options."""
    yield "mixture or schedule" if exporter.takes_schedules else "mixture"
    if exporter.by_path:
        yield "a path for each domain"
    for size, what in SIZES.items():
        keys = [unit.key for unit in exporter.units if unit.size == size]
        if keys:
            yield f"{what} (unit {' or '.join(keys)})" if len(exporter.units) > 1 else what


def _first_line(thing: Any) -> str:
    return (
        (inspect.getdoc(thing) or "").splitlines()[0].rstrip(".") if inspect.getdoc(thing) else ""
    )


def _default(field: Field[Any]) -> str:
    if field.default is MISSING:
        return f"{field.name} (required)"
    return (
        f"{field.name}={field.default:.6g}"
        if isinstance(field.default, float)
        else f"{field.name}={field.default!r}"
    )


def checks(tests: Path) -> dict[str, list[str]]:
    """Method to what its tests check it against, read from the markers ``golden(method, source)``."""
    found: dict[str, list[str]] = {}
    for path in sorted(tests.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "golden"
            ):
                method, source = (
                    argument.value for argument in node.args if isinstance(argument, ast.Constant)
                )
                if source not in found.setdefault(str(method), []):
                    found[str(method)].append(str(source))
    return found


def _shown(name: str, sources: list[str]) -> str:
    """How it is known that a framework takes the file, in a few words."""
    if name in OUR_OWN:
        return "read by reweightviz itself"
    if not sources:
        return "source only: read, not run"
    real = any(source.startswith("the real ") for source in sources)
    return "loaded by the real package" if real else "loaded by the framework's own source"


def _row(*cells: str) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def frameworks() -> str:
    """The README's table of exporters: what each framework counts, and how it is known that it takes the file."""
    from reweightviz import exporters

    checked = checks(Path(__file__).parents[1] / "tests")
    rows = []
    for exporter in sorted(
        exporters.FRAMEWORKS.values(),
        key=lambda exporter: (exporter.name in OUR_OWN, exporter.title.lower()),
    ):
        counts = (
            "tokens"
            if exporter.name in OUR_OWN
            else ", or ".join(COUNTS[unit.key] for unit in exporter.units)
        )
        shown = _shown(exporter.name, checked.get(exporter.name, []))
        rows.append(
            _row(
                exporter.title,
                f"`{exporter.name}`",
                counts,
                "yes" if exporter.takes_schedules else "",
                shown,
            )
        )
    return "\n".join(
        [
            _row("framework", "name", "its numbers count", "schedule", "how shown"),
            _row(*["---"] * 5),
            *rows,
        ]
    )


def filled(readme: str) -> str:
    """The README with that table between its markers."""
    head, _, rest = readme.partition(TABLE_BEGINS)
    return f"{head}{TABLE_BEGINS}\n{frameworks()}\n{TABLE_ENDS}{rest.partition(TABLE_ENDS)[2]}"


def driven(name: str) -> str:
    """How the reference trainer drives a mixer, in a few words."""
    mixer = getattr(import_module("reweightviz.mixers"), name)
    given = [
        wanted
        for wanted, required in needs(mixer.init).items()
        if required and wanted not in TRAINER_KNOWS
    ]
    handed = f", given {' and '.join(given)}" if given else ""
    if not hasattr(mixer, "update"):
        return f"weights once, before training{handed}"
    told = list(needs(mixer.update))
    unmeasured = [signal for signal in told if signal not in LOG_SIGNALS]
    if unmeasured:
        return f"no: nothing measures {' and '.join(unmeasured)}"
    return (
        f"yes, told {', '.join(told)} while training{handed}"
        if told
        else f"yes, by the step{handed}"
    )


def against_uniform(results: Path) -> dict[str, str]:
    """Mixer to its held-out loss less that of uniform weights, in the groups of domains that benchmarks/mixers.py really trained on."""
    found: dict[str, list[tuple[float, float]]] = {}
    for group in json.loads(results.read_text("utf-8"))["groups"].values():
        for name, row in group["methods"].items():
            less = row["mean_less_uniform"]
            found.setdefault(name.lower(), []).append((less["mean"], less["half_width"]))
    del found["uniform"]
    return {
        name: f"{min(rows)[0]:+.3f} to {max(rows)[0]:+.3f} nats a byte; better in "
        f"{sum(mean < -half for mean, half in rows)}, "
        f"worse in {sum(mean > half for mean, half in rows)} of {len(rows)} groups"
        for name, rows in found.items()
    }


def markdown() -> str:
    """METHODS.md."""
    lines = [
        "# Methods",
        "",
        "Generated by `make methods` from the methods themselves and the markers of "
        "their tests; do not edit.",
        "",
    ]
    root = Path(__file__).parents[1]
    methods, checked = table(), checks(root / "tests")
    results = against_uniform(root / "benchmarks" / "results" / "mixers.json")
    titles = {
        "law": "Mixing laws: `rv.fit(swarm, rv.laws.X())`",
        "mixer": "Mixers: `rv.mix(signals, rv.mixers.X())`",
        "scorer": "Scorers: `rv.score(corpus, rv.scorers.X())`",
        "selector": "Selectors: `rv.select(corpus, rv.selectors.X(), k=)`",
        "reader": "Readers of run logs: `rv.read_log(path)`",
        "exporter": 'Exporters: `rv.export(mixture, "x", path)`',
    }
    for kind in KINDS:
        if kind == "reader":
            rows = [
                _row(f"`{name}`", row.summary, row.needs)
                for name, row in methods[methods.kind == kind].iterrows()
            ]
            lines += [
                f"## {titles[kind]}",
                "",
                _row("name", "what it reads", "package"),
                _row(*["---"] * 3),
                *rows,
                "",
            ]
            continue
        heads = (
            ("options", "unit of the numbers", "checked against", "how shown")
            if kind == "exporter"
            else ("defaults", "paper", "checked against", "formulas")
        )
        heads += (
            (
                "driven by the reference trainer",
                "trained: loss less uniform's (benchmarks/mixers.py)",
            )
            if kind == "mixer"
            else ()
        )
        lines += [
            f"## {titles[kind]}",
            "",
            _row("name", "what it does", "needs", *heads),
            _row(*["---"] * (3 + len(heads))),
        ]
        for name, row in methods[methods.kind == kind].iterrows():
            found = checked.get(str(name), [])
            last = _shown(str(name), found) if kind == "exporter" else row.verified
            more = (
                [driven(str(name)), results.get(str(name).lower(), "")] if kind == "mixer" else []
            )
            lines.append(
                _row(
                    f"`{name}`",
                    row.summary,
                    row.needs,
                    row.defaults,
                    row.paper,
                    "; ".join(found),
                    last,
                    *more,
                )
            )
        lines.append("")
    return "\n".join(lines)
