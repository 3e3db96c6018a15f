"""litdata and LitGPT: a Python module with a ``CombinedStreamingDataset``.

With ``TokensLoader`` blocks a weight is a share of tokens. litdata needs
``iterate_over_all=False`` beside weights, and ends with the first dataset that is used up. LitGPT
has no key for weights in its YAML: its data modules build this object. Checked with litdata
0.2.76.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from reweightviz.core.errors import WrongContent
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.epochs import Stop
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._weights import add_up, is_mixture
from reweightviz.exporters.plan import Config, Numbers, Plan, read_rows, to_number
from reweightviz.exporters.text import python_file, python_module
from reweightviz.exporters.text.python_file import PythonFile

__all__ = ["SCRIPT", "STOP", "LitData"]


STOP = Stop("litdata")
SCRIPT = '''

def dataset(block_size, *, shuffle=True, **options):
    """One CombinedStreamingDataset over blocks of `block_size` tokens (for a model that sees L: L + 1)."""
    from litdata import CombinedStreamingDataset, StreamingDataset, TokensLoader

    parts = [StreamingDataset(source["path"], item_loader=TokensLoader(block_size=block_size), shuffle=shuffle, drop_last=True, **options)
             for source in SOURCES]
    return CombinedStreamingDataset(parts, seed=SEED, weights=[source["weight"] for source in SOURCES], iterate_over_all=False)
'''  # noqa: E501  the written module has a width of its own


class LitData(Exporter):
    """litdata, LitGPT: a Python module, `dataset(block_size)` is a `CombinedStreamingDataset`."""

    name = "litdata"
    aliases = ("litgpt", "lightning")
    title = "litdata"
    suffix = ".py"
    by_path = True
    prepared_data = "folders of tokenised chunks"
    repeats_nothing = True
    traps = ("litdata ends with the first dataset that is used up.",)

    def render(self, plan: Plan, old: Document | None, *, seed: int = 42) -> dict[str, str]:
        """Return the module.

        Args:
            plan: what to write.
            old: not used; a module is written whole.
            seed: of the draws.
        """
        rows = [{"path": name, "weight": value} for name, value in plan.numbers.items()]
        constants = {"SEED": whole_number("seed", seed), "SOURCES": rows}
        comment = plan.comment("Training mixture for litdata")
        return {"": python_module.render(comment, constants, SCRIPT)}

    def parse(self, document: Document) -> Config:
        """Read ``SOURCES`` of our module, or the first ``CombinedStreamingDataset(...)``."""
        python = document.python
        rows = python.constant("SOURCES")
        if isinstance(rows, list):
            numbers = read_rows(document.path, rows, "path", "weight")
            return Config({0: numbers}, stop=STOP, refused=tuple(_find_faults(numbers)))
        calls = python.calls("CombinedStreamingDataset")
        for call in python.outermost(calls):
            given = python.arguments(call)
            # By name, or by place: datasets, seed, weights, iterate_over_all, batching_method.
            datasets = python.items(given.get("datasets", given.get(0)))
            weights = python.weights(given.get("weights", given.get(2)))
            if len(weights) == len(datasets) > 0:
                names = [_find_path(python, item) for item in datasets]
                numbers = add_up(zip(names, map(to_number, weights), strict=True))
                return Config(
                    {0: numbers},
                    stop=STOP,
                    refused=(*_find_call_faults(call, given), *_find_faults(numbers)),
                    traps=python_file.mention_others(calls, call, "CombinedStreamingDataset"),
                )
        why = python.explain_calls(calls, "datasets", "weights", 0, 2, table="SOURCES")
        raise WrongContent(
            path=document.path,
            reason="has no SOURCES and no CombinedStreamingDataset with weights that can "
            f"be read without running it{why}",
        )

    def recognises(self, document: Document) -> bool:
        """Return whether it is a Python file that calls CombinedStreamingDataset."""
        return bool(document.python.calls("CombinedStreamingDataset"))

    def guess_domain(self, name: str) -> str:
        """Return the last part of a path, or of an attribute such as ``self.starcoder``."""
        if name.startswith("self."):
            return name.removeprefix("self.")
        return super().guess_domain(name)


def _find_path(python: PythonFile, item: Any) -> str:
    """Return the place of one dataset, as it is written."""
    made = python.resolve(item)
    if isinstance(made, ast.Call):
        is_method = isinstance(made.func, ast.Attribute) and python_file.callee(made).islower()
        if is_method or python_file.callee(made) == "CombinedStreamingDataset":
            return python_file.to_text(item)
        given = python.arguments(made)
        made = given.get("input_dir", given.get(0, made))
    return python_file.to_text(made)


def _find_faults(numbers: Numbers) -> Iterator[str]:
    if not is_mixture(numbers):
        yield "the weights must be numbers >= 0, one of them above 0."


def _find_call_faults(call: ast.Call, given: Mapping[str | int, Any]) -> Iterator[str]:
    if "per_stream" in str(given.get("batching_method", given.get(4))):
        yield (
            "batching_method='per_stream' never draws one dataset twice in a "
            "row, which loses the weights."
        )
    # It is True where nothing is written; behind ** it may be written.
    over_all = given.get("iterate_over_all", given.get(3, True))
    if over_all is not False and not python_file.has_spread(call):
        yield "litdata takes weights only with iterate_over_all=False."
