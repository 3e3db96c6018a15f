"""Step 5, ship: the config of the trainer, read back and checked, and the record of the choice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reweightviz.core.corpus import Corpus
from reweightviz.core.protocols import check_options, needs
from reweightviz.core.selection import Selection
from reweightviz.exporters.check import check
from reweightviz.exporters.export import export
from reweightviz.exporters.load import load_mixture, load_schedule
from reweightviz.readers.count_sources import count_sources
from reweightviz.readers.read_sources import read_sources

__all__ = [  # noqa: RUF022  in the order of the journey
    "read_sources",
    "count_sources",
    "export",
    "load_mixture",
    "load_schedule",
    "load_selection",
    "check",
    "decision_record",
    "methods",
]


def load_selection(path: str | os.PathLike[str], corpus: Corpus) -> Selection:
    """Read an exported selection as rows of a corpus that has its ids.

    Args:
        path: Parquet, JSON lines or CSV with a column ``id``.
        corpus: the documents.
    """
    from reweightviz.exporters import selected_documents

    return selected_documents.read(path, corpus)


def decision_record(
    mixture: Mapping[str, float], path: str | os.PathLike[str], **options: Any
) -> Path:
    """Write one page, Markdown and HTML, on the mixture chosen, beside what, and why.

    See :func:`reweightviz.decision.decision_record.decision_record`.
    """
    # Imported here: it brings SciPy, which an export does without.
    from reweightviz.decision import decision_record as decision

    check_options(decision_record, options, needs(decision.decision_record))
    return decision.decision_record(mixture, path, **options)


def methods(kind: str | None = None) -> pd.DataFrame:
    """Return every method, indexed by name: family, needs, defaults, paper, how it was checked."""
    from reweightviz import catalogue

    return catalogue.table(kind)
