"""Every method in one table, read from the methods themselves."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pandas as pd

from reweightviz.core.errors import UnknownName
from reweightviz.core.protocols import needs

if TYPE_CHECKING:
    from reweightviz.exporters import Exporter

__all__ = ["KINDS", "SIZES", "VERBS", "table"]


VERBS = {
    "laws": ("fit",),
    "mixers": ("init", "update"),
    "scorers": ("score",),
    "selectors": ("select",),
}
"""Family of methods to the verbs whose keyword-only parameters are what a method needs."""
KINDS = ("law", "mixer", "scorer", "selector", "reader", "exporter")
SIZES = {"mean_tokens": "tokens and documents of each domain", "tokens": "tokens of each domain"}
"""What the sources must hold for a unit of that size."""


def table(kind: str | None = None) -> pd.DataFrame:
    """Return methods indexed by name: kind, summary, needs, defaults, paper, verified.

    Args:
        kind: "law", "mixer", "scorer", "selector", "reader" or "exporter"; all when not given.

    Raises:
        ReweightvizError: there is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownName(kind="kind of method", name=kind, known=KINDS)
    rows = [*_method_rows(), *_reader_rows(), *_exporter_rows()]
    wanted = [row for row in rows if kind in (None, row["kind"])]
    return pd.DataFrame(wanted).set_index("name").sort_values(["kind", "name"])


def _method_rows() -> Iterator[dict[str, Any]]:
    for family, verbs in VERBS.items():
        module = import_module(f"reweightviz.{family}")
        for name in module.__all__:
            method = getattr(module, name)
            yield {
                "name": name,
                "kind": family.removesuffix("s"),
                "summary": _first_line(method),
                "needs": ", ".join(_needs_of_verbs(method, verbs)),
                "defaults": ", ".join(map(_describe_default, fields(method))),
                "paper": getattr(method, "paper", ""),
                "verified": getattr(method, "verified", ""),
            }


def _needs_of_verbs(method: Any, verbs: tuple[str, ...]) -> list[str]:
    found: dict[str, bool] = {}
    for verb in verbs:
        if hasattr(method, verb):
            found |= needs(getattr(method, verb))
    return list(found)


def _reader_rows() -> Iterator[dict[str, Any]]:
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


def _exporter_rows() -> Iterator[dict[str, Any]]:
    from reweightviz.exporters import FRAMEWORKS

    for name, exporter in FRAMEWORKS.items():
        yield {
            "name": name,
            "kind": "exporter",
            "summary": _first_line(exporter),
            "needs": ", ".join(_needs_of_exporter(exporter)),
            "defaults": ", ".join(_options_of_exporter(exporter)),
            "paper": "; or ".join(unit.sentence for unit in exporter.units),
            "verified": "",
        }


def _options_of_exporter(exporter: Exporter) -> Iterator[str]:
    for option, required in needs(exporter.render).items():
        if required:
            yield f"{option} (required)"
    for option, value in (exporter.render.__kwdefaults__ or {}).items():
        yield f"{option}={value!r}"


def _needs_of_exporter(exporter: Exporter) -> Iterator[str]:
    """Yield what an export needs beside the framework's options."""
    yield "mixture or schedule" if exporter.takes_schedules else "mixture"
    if exporter.by_path:
        yield "a path for each domain"
    several = len(exporter.units) > 1
    for size, words in SIZES.items():
        keys = [unit.key for unit in exporter.units if unit.size == size]
        if keys:
            yield f"{words} (unit {' or '.join(keys)})" if several else words


def _first_line(documented: Any) -> str:
    first, _, _ = (inspect.getdoc(documented) or "").partition("\n")
    return first.rstrip(".")


def _describe_default(field: Field[Any]) -> str:
    if field.default is MISSING:
        return f"{field.name} (required)"
    if isinstance(field.default, float):
        return f"{field.name}={field.default:.6g}"
    return f"{field.name}={field.default!r}"
