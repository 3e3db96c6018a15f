"""litdata and LitGPT: a Python module with a ``CombinedStreamingDataset``.

With ``TokensLoader`` blocks a weight is a share of tokens. litdata needs ``iterate_over_all=False`` beside weights, and
ends with the first dataset that is used up. LitGPT has no key for weights in its YAML: its data modules build this
object. Checked with litdata 0.2.76.
"""

from __future__ import annotations

import math

from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters import python_text
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Config, Exporter, Plan, number

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
    traps = ("litdata ends with the first dataset that is used up.",)

    def render(self, plan: Plan, old: Document | None, *, seed: int = 42) -> dict[str, str]:
        """The module.

        Args:
            plan: what to write.
            old: not used; a module is written whole.
            seed: of the draws.
        """
        rows = [{"path": name, "weight": value} for name, value in plan.numbers.items()]
        return {"": python_text.module(plan.comment("Training mixture for litdata"), {"SEED": int(seed), "SOURCES": rows}, SCRIPT)}

    def parse(self, document: Document) -> Config:
        """``SOURCES`` of our module, or the first ``CombinedStreamingDataset(...)`` whose weights are written out."""
        rows = document.constants.get("SOURCES")
        if isinstance(rows, list):
            numbers = python_text.table(document, rows, "path", "weight")
            return Config({0: numbers}, refused=_faults(numbers))
        for call in document.calls("CombinedStreamingDataset"):
            weights, names = call.get("weights", call.get(2)), document.names(call.get("datasets", call.get(0)))
            if isinstance(weights, list | tuple) and len(weights) == len(names):
                numbers = dict(zip(names, map(number, weights), strict=True))
                mixed = call.get("iterate_over_all", call.get(3)) is False
                refused = () if mixed else ("litdata takes weights only with iterate_over_all=False.",)
                return Config({0: numbers}, refused=refused + _faults(numbers))
        raise ReweightvizError(f"{document.path} has no SOURCES and no CombinedStreamingDataset with weights that can be read "
                               "without running it.")

    def recognises(self, document: Document) -> bool:
        """A Python file that calls CombinedStreamingDataset."""
        return any(document.calls("CombinedStreamingDataset"))


def _faults(numbers: dict[str, float]) -> tuple[str, ...]:
    good = numbers and not any(map(math.isnan, numbers.values())) and sum(numbers.values()) > 0
    return () if good else ("the weights must be numbers >= 0, one of them above 0.",)
