"""The files that were written of a decision, read back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.sources import Sources
from reweightviz.decision.decision import WrittenFile
from reweightviz.decision.labels import word_value
from reweightviz.exporters.check import check
from reweightviz.exporters.reading_back import recall
from reweightviz.exporters.recognise import find_exporter

__all__ = ["read_written"]


def read_written(
    path: str | os.PathLike[str], sources: Sources | None, tokens: float | None
) -> WrittenFile:
    """Return a file as its framework would read it; its path alone where none does."""
    # A record may name any file: one that no framework reads is no reason to refuse the record.
    try:
        report = check(path, sources=sources, tokens=tokens)
    except ReweightvizError:
        return WrittenFile(str(path), "", "", ())
    exporter = find_exporter(path, report.framework)
    record = recall(exporter, exporter.open(path))
    return WrittenFile(str(path), report.title, report.unit, tuple(_facts(record, report)))


def _facts(record: Any, report: Any) -> Iterator[str]:
    if record.get("created"):
        yield f"written by {record['written_by']} at {record['created']}"
    if record.get("options"):
        yield f"options: {word_value(record['options'])}"
    rows = report.table.to_dict("records")
    dropped = [row["domain"] for row in rows if not isinstance(row["name"], str)]
    if dropped:
        yield f"left out, weight 0: {list_names(dropped)}"
    if report.refused:
        yield f"{report.title} would refuse: {report.refused[0]}"
    else:
        yield "read back, nothing that would be refused"
    yield from (note for note in report.notes if "edited since" in note)
