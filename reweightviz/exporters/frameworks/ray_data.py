"""Ray Data: a Python module that mixes datasets with ``Dataset.mix``.

A weight is a share of rows, on any scale, and above 0. Ray takes whole blocks, always of the
dataset that is furthest behind, so the mix is exact over many blocks only: the module cuts them
small. Where every row is packed to one length, ``unit="tokens"`` writes the weights as they are.
Checked with ray 2.60.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reweightviz.core.errors import RefusedByFramework, WrongContent, list_names
from reweightviz.exporters.document import Document
from reweightviz.exporters.epochs import Stop
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._hub import find_builder
from reweightviz.exporters.frameworks._weights import add_up, find_not_positive
from reweightviz.exporters.plan import Config, Numbers, Plan, read_rows, to_number
from reweightviz.exporters.text import python_file, python_module
from reweightviz.exporters.units import EXAMPLES, TOKENS

__all__ = ["READERS", "SCRIPT", "SHORTEST", "STOP", "RayData"]


SHORTEST = "STOP_ON_SHORTEST"
STOP = Stop(SHORTEST)
READERS = {"json": "read_json", "parquet": "read_parquet", "csv": "read_csv", "text": "read_text"}
SCRIPT = '''

def dataset(datasets=None, *, prepare=lambda part: part, block_rows=256):
    """One mixed dataset in blocks of `block_rows` rows. `datasets` maps names to datasets that are at hand already."""
    import ray

    ready = datasets or {}
    parts = [ready[source["name"]] if source["name"] in ready else getattr(ray.data, source["read"])(source["paths"]) for source in SOURCES]
    first, *others = [prepare(part).repartition(target_num_rows_per_block=block_rows) for part in parts]
    return first.mix(*others, weights=[source["weight"] for source in SOURCES],
                     stopping_condition=ray.data.MixStoppingCondition.STOP_ON_SHORTEST)
'''  # noqa: E501  the written module has a width of its own


class RayData(Exporter):
    """Ray Data: a Python module whose `dataset()` is a `Dataset.mix` with weights of rows."""

    name = "ray"
    aliases = ("ray-data",)
    title = "Ray Data"
    units = (EXAMPLES, TOKENS)
    suffix = ".py"
    repeats_nothing = True
    traps = (
        "Dataset.mix takes whole blocks, so the mix is right over many blocks only.",
        f"{SHORTEST} ends with the first dataset that is used up.",
    )

    def render(self, plan: Plan, old: Document | None) -> dict[str, str]:
        """Return the module.

        Args:
            plan: what to write.
            old: not used; a module is written whole.
        """
        rows = []
        for name, value in plan.numbers.items():
            domain, _, paths = plan.entries[name]
            rows.append({"name": name, **_find_reader(domain, paths), "weight": value})
        comment = plan.comment("Training mixture for Ray Data")
        return {"": python_module.render(comment, {"SOURCES": rows}, SCRIPT)}

    def parse(self, document: Document) -> Config:
        """Read ``SOURCES`` of our module, or the first ``a.mix(b, weights=[...])``."""
        python = document.python
        rows = python.constant("SOURCES")
        if isinstance(rows, list):
            numbers = read_rows(document.path, rows, "name", "weight")
            paths = {str(row["name"]): tuple(map(str, row.get("paths", ()))) for row in rows}
            return Config(
                {0: numbers}, paths=paths, stop=STOP, refused=tuple(_find_faults(numbers))
            )
        calls = dict(_mix_calls(document))
        for call, first in calls.items():
            # What stands behind a * is not written out, so its weights belong to no names.
            if any(isinstance(node, ast.Starred) for node in call.args):
                continue
            names = [python_file.to_text(node) for node in (first, *call.args)]
            given = python.arguments(call)
            weights = python.weights(given.get("weights"))
            # Without weights Ray draws all alike; behind ** they may be given.
            if "weights" not in given and not python_file.has_spread(call):
                weights = [1.0] * len(names)
            if len(weights) == len(names):
                numbers = add_up(zip(names, map(to_number, weights), strict=True))
                others = python_file.mention_others(list(calls), call, "mix(...)")
                return Config(
                    {0: numbers},
                    stop=STOP if _ends(given) else None,
                    refused=tuple(_find_faults(numbers)),
                    traps=(*others, *_find_traps(given)),
                )
        why = python.explain_calls(list(calls), "weights", table="SOURCES")
        raise WrongContent(
            path=document.path,
            reason="has no SOURCES and no a.mix(b, weights=[...]) that can be read "
            f"without running it{why}",
        )

    def recognises(self, document: Document) -> bool:
        """Return whether it is a Python file that imports ray and calls ``mix`` on a dataset."""
        return document.python.imports("ray") and any(_mix_calls(document))


def _mix_calls(document: Document) -> Iterator[tuple[ast.Call, ast.expr]]:
    """Return each call of a method ``mix``, with what it is called on."""
    for call in document.python.calls("mix"):
        if isinstance(call.func, ast.Attribute):
            yield call, call.func.value


def _find_reader(domain: str, paths: Sequence[str]) -> dict[str, object]:
    if not paths:
        return {}
    kinds = {READERS.get(find_builder(path) or "") for path in paths}
    if len(kinds) > 1 or None in kinds:
        raise RefusedByFramework(
            framework="Ray Data",
            reason=f"reads files of one kind ({list_names(READERS)}); those of {domain[:60]!r} "
            f"are {list_names(paths, 4)}: leave them out, and hand the dataset over",
        )
    return {"read": kinds.pop(), "paths": list(paths)}


def _find_faults(numbers: Numbers) -> Iterator[str]:
    bad = find_not_positive(numbers)
    if bad:
        yield f"Ray needs weights above 0; that of {list_names(bad)} is not."


def _ends(given: Mapping[str | int, Any]) -> bool:
    return SHORTEST in python_file.to_text(given.get("stopping_condition"))


def _find_traps(given: Mapping[str | int, Any]) -> Iterator[str]:
    if not _ends(given):
        yield (
            f"without {SHORTEST} the mix goes on after the first dataset is used up, without it, "
            "so it ends at their sizes."
        )
