"""Ray Data: a Python module that mixes datasets with ``Dataset.mix``.

A weight is a share of rows, on any scale, and above 0. Ray takes whole blocks, always of the
dataset that is furthest behind, so the mix is exact over many blocks only: the module cuts them
small. Where every row is packed to one length, ``unit="tokens"`` writes the weights as they are.
Checked with ray 2.60.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from reweightviz.core.errors import RefusedByFramework, WrongContent, listed
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._hub import find_builder
from reweightviz.exporters.plan import Config, Numbers, Plan, read_rows, to_number
from reweightviz.exporters.text import python_file, python_module
from reweightviz.exporters.units import EXAMPLES, TOKENS

SHORTEST = "STOP_ON_SHORTEST"
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
'''


class RayData(Exporter):
    """Ray Data: a Python module whose `dataset()` is a `Dataset.mix` with weights of rows."""

    name = "ray"
    aliases = ("ray-data",)
    title = "Ray Data"
    units = (EXAMPLES, TOKENS)
    suffix = ".py"
    traps = (
        "Dataset.mix takes whole blocks, so the mix is right over many blocks only.",
        f"{SHORTEST} ends with the first dataset that is used up.",
    )

    def render(self, plan: Plan, old: Document | None) -> dict[str, str]:
        """The module.

        Args:
            plan: what to write.
            old: not used; a module is written whole.
        """
        rows = [
            {
                "name": name,
                **_read(plan.entries[name].domain, plan.entries[name].paths),
                "weight": value,
            }
            for name, value in plan.numbers.items()
        ]
        return {
            "": python_module.render(
                plan.comment("Training mixture for Ray Data"), {"SOURCES": rows}, SCRIPT
            )
        }

    def parse(self, document: Document) -> Config:
        """``SOURCES`` of our module, or the first ``a.mix(b, weights=[...])`` that can be read without running it."""
        rows = document.python.constant("SOURCES")
        if isinstance(rows, list):
            numbers = read_rows(document.path, rows, "name", "weight")
            paths = {str(row["name"]): tuple(map(str, row.get("paths", ()))) for row in rows}
            return Config({0: numbers}, paths=paths, refused=_faults(numbers))
        found = _mixes(document)
        for call in found:
            if any(isinstance(node, ast.Starred) for node in call.args):
                continue
            names = [python_file.to_text(node) for node in (call.func.value, *call.args)]  # type: ignore[attr-defined]
            given = document.python.arguments(call)
            even = "weights" not in given and not python_file.has_spread(call)
            weights = [1.0] * len(names) if even else document.python.items(given.get("weights"))
            if len(weights) == len(names):
                numbers = dict(zip(names, map(to_number, weights), strict=True))
                stop = given.get("stopping_condition")
                late = f"without {SHORTEST} the mix goes on after the first dataset is used up, without it, so it ends at their sizes."
                return Config(
                    {0: numbers},
                    refused=_faults(numbers),
                    traps=(
                        *python_file.mention_others(found, call, "mix(...)"),
                        *(() if SHORTEST in python_file.to_text(stop) else (late,)),
                    ),
                )
        why = document.python.explain_calls(found, "weights", table="SOURCES")
        raise WrongContent(
            path=document.path,
            reason="has no SOURCES and no a.mix(b, weights=[...]) that can be read "
            f"without running it{why}",
        )

    def recognises(self, document: Document) -> bool:
        """A Python file that imports ray and calls ``mix`` on a dataset."""
        return document.python.imports("ray") and bool(_mixes(document))


def _mixes(document: Document) -> list[ast.Call]:
    return [call for call in document.python.calls("mix") if isinstance(call.func, ast.Attribute)]


def _read(domain: str, paths: Sequence[str]) -> dict[str, object]:
    if not paths:
        return {}
    kinds = {READERS.get(find_builder(path) or "") for path in paths}
    if len(kinds) > 1 or None in kinds:
        raise RefusedByFramework(
            framework="Ray Data",
            reason=f"reads files of one kind ({listed(READERS)}); those of {domain[:60]!r} "
            f"are {listed(paths, 4)}: leave them out, and hand the dataset over",
        )
    return {"read": kinds.pop(), "paths": list(paths)}


def _faults(numbers: Numbers) -> tuple[str, ...]:
    bad = [name for name, value in numbers.items() if not value > 0]
    return (f"Ray needs weights above 0; that of {listed(bad)} is not.",) if bad else ()
