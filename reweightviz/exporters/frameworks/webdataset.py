"""WebDataset: a Python module with a ``RandomMix`` over endless datasets.

``RandomMix`` draws samples, each dataset by its probability, on any scale. Where every sample is
packed to one length, ``unit="tokens"`` writes the weights as they are. It ends where a dataset
ends, so the shards are resampled and the run ends by its steps. Checked with webdataset 1.0.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reweightviz.core.errors import WrongContent
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._entries import find_faults
from reweightviz.exporters.frameworks._weights import add_up
from reweightviz.exporters.plan import Config, Plan, read_rows, to_number
from reweightviz.exporters.text import python_file, python_module
from reweightviz.exporters.units import EXAMPLES, TOKENS

__all__ = ["SCRIPT", "WebDataset"]


SCRIPT = '''

def dataset(datasets=None, *, prepare=lambda part: part, shuffle=1000, **options):
    """One endless RandomMix. `prepare` adds steps to each dataset; `datasets` maps names to datasets that are at hand already."""
    from webdataset import WebDataset
    from webdataset.mix import RandomMix

    ready = datasets or {}
    parts = [ready[source["name"]] if source["name"] in ready
             else prepare(WebDataset(source["urls"], resampled=True, shardshuffle=False, **options).shuffle(shuffle)) for source in SOURCES]
    return RandomMix(parts, probs=[source["probability"] for source in SOURCES], longest=False)
'''  # noqa: E501  the written module has a width of its own


class WebDataset(Exporter):
    """WebDataset: a Python module, `dataset()` is a `RandomMix` with probabilities of samples."""

    name = "webdataset"
    aliases = ("wds",)
    title = "WebDataset"
    units = (EXAMPLES, TOKENS)
    suffix = ".py"
    traps = (
        "RandomMix draws from Python's own random module and takes no seed: call "
        "random.seed in every worker for a run that repeats.",
        "resampled=True draws shards with replacement, as often as a probability asks, "
        "and says nothing.",
    )

    def render(self, plan: Plan, old: Document | None) -> dict[str, str]:
        """Return the module.

        Args:
            plan: what to write.
            old: not used; a module is written whole.
        """
        rows = [
            {"name": name, "urls": list(plan.entries[name].paths), "probability": value}
            for name, value in plan.numbers.items()
        ]
        comment = plan.comment("Training mixture for WebDataset")
        return {"": python_module.render(comment, {"SOURCES": rows}, SCRIPT)}

    def parse(self, document: Document) -> Config:
        """Read ``SOURCES`` of our module, or the first ``RandomMix(...)`` that is written out."""
        python = document.python
        rows = python.constant("SOURCES")
        if isinstance(rows, list):
            numbers = read_rows(document.path, rows, "name", "probability")
            urls = {str(row["name"]): tuple(map(str, row.get("urls", ()))) for row in rows}
            return Config({0: numbers}, paths=urls, refused=find_faults(numbers, "a probability"))
        calls = python.calls("RandomMix")
        for call in python.outermost(calls):
            given = python.arguments(call)
            # By name, or else by its place in the signature.
            parts = python.items(given.get("datasets", given.get(0)))
            probabilities = given.get("probs", given.get(1))
            weights = python.weights(probabilities)
            # Without probs RandomMix draws all alike; behind a * they may be given.
            if probabilities is None and not python_file.has_spread(call):
                weights = [1.0] * len(parts)
            if parts and len(weights) == len(parts):
                names = map(python_file.to_text, parts)
                numbers = add_up(zip(names, map(to_number, weights), strict=True))
                return Config(
                    {0: numbers},
                    refused=(*_find_call_faults(given), *find_faults(numbers, "a probability")),
                    traps=python_file.mention_others(calls, call, "RandomMix"),
                )
        why = python.explain_calls(calls, "datasets", "probs", 0, 1, table="SOURCES")
        raise WrongContent(
            path=document.path,
            reason="has no SOURCES and no RandomMix whose datasets and probs can be read "
            f"without running it{why}",
        )

    def recognises(self, document: Document) -> bool:
        """Return whether it is a Python file that calls RandomMix."""
        return bool(document.python.calls("RandomMix"))


def _find_call_faults(given: Mapping[str | int, Any]) -> Iterator[str]:
    if given.get("longest", given.get(2)) is True:
        yield (
            "longest=True goes on without the datasets that are used up, so it ends at their sizes."
        )
