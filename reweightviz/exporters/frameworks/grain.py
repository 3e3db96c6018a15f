"""Grain: a Python module that mixes datasets with ``MapDataset.mix(weights=)``.

A weight is a share of elements, documents or with ``unit="tokens"`` rows that are packed to one
length, on any scale, and above 0. Grain scales the weights until the smallest is 100 and drops what
is behind the point. The mix ends with the first dataset that is used up; each is shuffled before
it, since a shuffle after it undoes the order of the mix. Checked with grain 0.2.18.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from reweightviz.core.errors import WrongContent, list_names
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.epochs import Stop
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._weights import add_up, find_not_positive
from reweightviz.exporters.plan import Config, Numbers, Plan, read_rows, to_number
from reweightviz.exporters.text import python_file, python_module
from reweightviz.exporters.text.python_file import PythonFile
from reweightviz.exporters.units import EXAMPLES, TOKENS

__all__ = ["DATASETS", "SCRIPT", "STOP", "Grain"]


DATASETS = ("MapDataset", "IterDataset")
"""The classes of Grain whose ``mix`` takes weights."""
STOP = Stop("Grain's mix", "repeat() of each dataset before the mix repeats it")
SCRIPT = '''

def dataset(datasets=None, *, prepare=lambda part: part, repeat=REPEAT, seed=SEED):
    """One mixed MapDataset. `datasets` maps names to MapDatasets that are at hand already; others are read from ArrayRecord files."""
    import grain

    ready = datasets or {}
    parts = []
    for source in SOURCES:
        part = ready[source["name"]] if source["name"] in ready else grain.MapDataset.source(grain.sources.ArrayRecordDataSource(source["paths"]))
        part = prepare(part).shuffle(seed=seed)
        parts.append(part.repeat() if repeat else part)
    return grain.MapDataset.mix(parts, weights=[source["weight"] for source in SOURCES])
'''  # noqa: E501  the written module has a width of its own


class Grain(Exporter):
    """Grain: a Python module whose `dataset()` is a `MapDataset.mix` with weights of elements."""

    name = "grain"
    aliases = ("pygrain", "google-grain")
    title = "Grain"
    units = (EXAMPLES, TOKENS)
    suffix = ".py"
    prepared_data = "ArrayRecord files"

    def render(
        self, plan: Plan, old: Document | None, *, repeat: bool = False, seed: int = 42
    ) -> dict[str, str]:
        """Return the module.

        Args:
            plan: what to write.
            old: not used; a module is written whole.
            repeat: go round every dataset for ever, instead of ending with the first.
            seed: of the shuffle of each dataset.
        """
        rows = []
        for name, value in plan.numbers.items():
            row: dict[str, Any] = {"name": name, "weight": value}
            if plan.entries[name].paths:
                row["paths"] = list(plan.entries[name].paths)
            rows.append(row)
        constants = {
            "SEED": whole_number("seed", seed),
            "REPEAT": bool(repeat),
            "SOURCES": rows,
        }
        return {
            "": python_module.render(plan.comment("Training mixture for Grain"), constants, SCRIPT)
        }

    def parse(self, document: Document) -> Config:
        """Read ``SOURCES`` of our module, or the first ``MapDataset.mix([a, b], weights=...)``."""
        python = document.python
        rows = python.constant("SOURCES")
        if isinstance(rows, list):
            numbers = read_rows(document.path, rows, "name", "weight")
            paths = {str(row["name"]): tuple(map(str, row.get("paths", ()))) for row in rows}
            stop = None if python.constant("REPEAT") else STOP
            return _make_config(numbers, paths=paths, stop=stop)
        calls = list(_mix_calls(python))
        for call in python.outermost(calls):
            given = python.arguments(call)
            found = _read_call(python, given)
            if found is None:
                continue
            traps = list(python_file.mention_others(calls, call, "mix(...)"))
            if "weights" not in given and 1 not in given:
                traps.append("without weights Grain gives every dataset the same share.")
            # Which of the datasets repeats is not followed: with any, nothing is said of the end.
            stop = None if python.calls("repeat") else STOP
            return _make_config(found, stop=stop, traps=tuple(traps))
        why = python.explain_calls(calls, "datasets", "weights", 0, 1, table="SOURCES")
        raise WrongContent(
            path=document.path,
            reason="has no SOURCES and no MapDataset.mix([a, b], weights=[...]) that can be read "
            f"without running it{why}",
        )

    def recognises(self, document: Document) -> bool:
        """Return whether it is a Python file that imports grain and mixes its datasets."""
        return document.python.imports("grain") and any(_mix_calls(document.python))


def _mix_calls(python: PythonFile) -> Iterator[ast.Call]:
    """Return each call of ``mix`` on a class of Grain's."""
    for call in python.calls("mix"):
        match call.func:
            case ast.Attribute(value=ast.Attribute(attr=name) | ast.Name(id=name)):
                if name in DATASETS:
                    yield call


def _read_call(python: PythonFile, given: Mapping[str | int, Any]) -> Numbers | None:
    """Return the numbers of a mix by the code of its datasets; None where not all are written."""
    held = python.resolve(given.get("datasets", given.get(0)))
    weights = given.get("weights", given.get(1))
    if isinstance(held, ast.Dict):
        # Mappings are mixed by their keys.
        names = [python.value(key) for key in held.keys]
        table = weights if isinstance(weights, dict) else dict.fromkeys(names, 1.0)
        if set(table) != set(names) or (weights is not None and table is not weights):
            return None
        return {str(name): to_number(table[name]) for name in names}
    names = [python_file.to_text(item) for item in python.items(held)]
    values = [1.0] * len(names) if weights is None else python.weights(weights)
    if not names or len(values) != len(names):
        return None
    return add_up(zip(names, map(to_number, values), strict=True))


def _make_config(
    numbers: Numbers,
    *,
    stop: Stop | None,
    paths: Mapping[str, tuple[str, ...]] | None = None,
    traps: tuple[str, ...] = (),
) -> Config:
    refused = []
    bad = find_not_positive(numbers)
    if bad:
        refused.append(f"Grain needs weights above 0; that of {list_names(bad)} is not.")
    return Config({0: numbers}, paths=paths or {}, stop=stop, refused=tuple(refused), traps=traps)
