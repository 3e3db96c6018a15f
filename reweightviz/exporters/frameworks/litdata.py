"""litdata and LitGPT: a Python module with a ``CombinedStreamingDataset``.

With ``TokensLoader`` blocks a weight is a share of tokens. litdata needs
``iterate_over_all=False`` beside weights, and ends with the first dataset that is used up. LitGPT
has no key for weights in its YAML: its data modules build this object. Checked with litdata
0.2.76.
"""

from __future__ import annotations

import ast
import math
from typing import Any

from reweightviz.core.errors import WrongContent
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.plan import Config, Plan, read_rows, to_number
from reweightviz.exporters.text import python_file, python_module

SCRIPT = '''

def dataset(block_size, *, shuffle=True, **options):
    """One CombinedStreamingDataset over blocks of `block_size` tokens (for a model that sees L: L + 1)."""
    from litdata import CombinedStreamingDataset, StreamingDataset, TokensLoader

    parts = [StreamingDataset(source["path"], item_loader=TokensLoader(block_size=block_size), shuffle=shuffle, drop_last=True, **options)
             for source in SOURCES]
    return CombinedStreamingDataset(parts, seed=SEED, weights=[source["weight"] for source in SOURCES], iterate_over_all=False)
'''


class LitData(Exporter):
    """litdata, LitGPT: a Python module whose `dataset(block_size)` is a `CombinedStreamingDataset` with weights."""

    name = "litdata"
    aliases = ("litgpt", "lightning")
    title = "litdata"
    suffix = ".py"
    by_path = True
    prepared_data = "folders of tokenised chunks"
    traps = ("litdata ends with the first dataset that is used up.",)

    def render(self, plan: Plan, old: Document | None, *, seed: int = 42) -> dict[str, str]:
        """The module.

        Args:
            plan: what to write.
            old: not used; a module is written whole.
            seed: of the draws.
        """
        rows = [{"path": name, "weight": value} for name, value in plan.numbers.items()]
        constants = {"SEED": whole_number("seed", seed), "SOURCES": rows}
        return {
            "": python_module.render(
                plan.comment("Training mixture for litdata"), constants, SCRIPT
            )
        }

    def parse(self, document: Document) -> Config:
        """``SOURCES`` of our module, or the first ``CombinedStreamingDataset(...)`` whose weights are written out."""
        rows = document.python.constant("SOURCES")
        if isinstance(rows, list):
            numbers = read_rows(document.path, rows, "path", "weight")
            return Config({0: numbers}, refused=_faults(numbers))
        found = document.python.calls("CombinedStreamingDataset")
        for call in found:
            given = document.python.arguments(call)
            names = [
                _path(document, item)
                for item in document.python.items(given.get("datasets", given.get(0)))
            ]
            weights = document.python.items(given.get("weights", given.get(2)))
            if len(weights) == len(names) > 0:
                numbers = dict(zip(names, map(to_number, weights), strict=True))
                refused = (
                    _faults(numbers)
                    if len(numbers) == len(names)
                    else ("each dataset may stand once.",)
                )
                if given.get(
                    "iterate_over_all", given.get(3, True)
                ) is not False and not python_file.has_spread(call):
                    refused = ("litdata takes weights only with iterate_over_all=False.", *refused)
                if "per_stream" in str(given.get("batching_method", given.get(4))):
                    refused = (
                        "batching_method='per_stream' never draws one dataset twice in a "
                        "row, which loses the weights.",
                        *refused,
                    )
                return Config(
                    {0: numbers},
                    refused=refused,
                    traps=python_file.mention_others(found, call, "CombinedStreamingDataset"),
                )
        why = document.python.explain_calls(found, "datasets", "weights", 0, 2, table="SOURCES")
        raise WrongContent(
            path=document.path,
            reason="has no SOURCES and no CombinedStreamingDataset with weights that can "
            f"be read without running it{why}",
        )

    def recognises(self, document: Document) -> bool:
        """A Python file that calls CombinedStreamingDataset."""
        return bool(document.python.calls("CombinedStreamingDataset"))

    def guess_domain(self, name: str) -> str:
        """The last part of a path, or of an attribute such as ``self.starcoder``."""
        return (
            name.removeprefix("self.") if name.startswith("self.") else super().guess_domain(name)
        )


def _path(document: Document, item: Any) -> str:
    """The place of one dataset, as it is written."""
    made = document.python.resolve(item)
    if isinstance(made, ast.Call):
        given = document.python.arguments(made)
        made = given.get("input_dir", given.get(0, made))
    return python_file.to_text(made)


def _faults(numbers: dict[str, float]) -> tuple[str, ...]:
    good = numbers and not any(map(math.isnan, numbers.values())) and sum(numbers.values()) > 0
    return () if good else ("the weights must be numbers >= 0, one of them above 0.",)
