"""Datasets of which a config takes so many rows, or so many passes, one after another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._hub import HubExporter
from reweightviz.exporters.frameworks._weights import add_up
from reweightviz.exporters.plan import Config, Numbers, find_documents
from reweightviz.exporters.reading_back import find_record
from reweightviz.exporters.units import Unit

__all__ = ["ROWS", "Amount", "AmountExporter", "count_amounts", "mention_rows"]


ROWS = Unit("rows", "a number is how many rows of a dataset are taken", size="mean_tokens")


class Amount(NamedTuple):
    """One dataset of a config, and rows or passes of it."""

    name: str
    value: float
    is_rows: bool


class AmountExporter(HubExporter):
    """A framework whose config may take rows of one dataset and passes over another."""

    def read_amounts(self, document: Document) -> list[Amount]:
        """Return the datasets with their amounts."""
        raise NotImplementedError

    def to_schedule(
        self, config: Config, document: Document, sources: Sources | Mapping[str, Any] | None = None
    ) -> Schedule:
        """Return the mixture; documents of ``sources`` turn rows into passes where both stand."""
        if any(map(math.isnan, config.stages[0].values())):
            table = Sources.of(sources)
            domains = self.find_domains(config, find_record(document, config))
            rows = {name: find_documents(domain, table) for name, domain in domains.items()}
            passes = _count_passes(self.read_amounts(document), rows)
            config = replace(config, stages={0: passes})
        unknown = [name for name, passes in config.stages[0].items() if math.isnan(passes)]
        if unknown:
            raise ReweightvizError(
                f"rows of {list_names(unknown)} stand beside passes of others in {document.path}: "
                "pass sources= with the tokens and documents of each."
            )
        return super().to_schedule(config, document, sources)


def count_amounts(amounts: Sequence[Amount], passes: Unit) -> tuple[Numbers, str]:
    """Return name to number, and the key of what the numbers count.

    They are rows where all are, and else passes, nan for rows of a dataset of unknown size.

    Args:
        amounts: of a config.
        passes: the unit of passes.
    """
    if all(amount.is_rows for amount in amounts):
        return add_up((amount.name, amount.value) for amount in amounts), ROWS.key
    return _count_passes(amounts, {}), passes.key


def mention_rows(amounts: Sequence[Amount]) -> Iterator[str]:
    """Return a sentence on the rows that stand beside passes."""
    rows = [amount for amount in amounts if amount.is_rows]
    if rows and len(rows) < len(amounts):
        counts = ", ".join(f"{amount.value:g} of {amount.name[:60]!r}" for amount in rows[:12])
        yield f"these amounts are rows, whose number tells no passes without documents: {counts}."


def _count_passes(amounts: Sequence[Amount], rows: Mapping[str, float | None]) -> Numbers:
    return add_up(
        (one.name, one.value / (rows.get(one.name) or math.nan) if one.is_rows else one.value)
        for one in amounts
    )
