"""All rows: every store, format and writer that the attacks iterate over.

A feature that writes adds its rows to one of these lists, or a list of its own here.
"""

from __future__ import annotations

import codecs
import importlib.util
from collections.abc import Sequence

import numpy as np

from attacks.app_rows import APP_ROWS
from attacks.export_rows import EXPORT_ROWS
from attacks.noun_rows import NOUN_ROWS
from attacks.row import Row
from attacks.writers import Shared

__all__ = ["ROWS", "SHORT", "can_run", "import_all"]

ROWS: dict[str, Row] = {row.name: row for row in (*NOUN_ROWS, *EXPORT_ROWS, *APP_ROWS)}

SHORT_FORMATS = ("json", "csv", "huggingface", "levanter", "megatron", "torchtitan", "trl")
SHORT = [
    name
    for name, row in ROWS.items()
    if row.kind != "format" or name.split(",")[0].removeprefix("export ") in SHORT_FORMATS
]
"""Rows of a short run: of the formats, which share their writing, a few."""


def can_run(row: Row | Shared) -> bool:
    """Return whether what the row needs is installed."""
    return not row.needs or importlib.util.find_spec(row.needs) is not None


def import_all(rows: Sequence[Row | Shared]) -> None:
    """Import what the rows use, and open nothing, so that forked children begin at once."""
    import reweightviz.cli.commands
    import reweightviz.decision.decision_record

    for module in {row.needs for row in rows if row.needs and can_run(row)}:
        importlib.import_module(module)
    import reweightviz as rv

    for verb in ("Explorer", "Monitor", "decision_record", "check", "fit", "embed", "laws"):
        getattr(rv, verb)
    assert rv.training.MixtureSampler
    # A user without rights may not read the interpreter's own folder.
    for encoding in ("utf-8-sig", "utf-16", "latin-1", "ascii", "idna", "cp437"):
        codecs.lookup(encoding)
    if any(row in APP_ROWS for row in rows):
        # The first figure of a process takes seconds; a monitor in memory opens no file.
        table = np.full((2, 2), 0.5)
        log = rv.RunLog(("a", "b"), [1, 2], table, {"loss": table})
        rv.Monitor([log])._repr_mimebundle_()
