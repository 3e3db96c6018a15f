"""Export: a mixture, a schedule or a selection as what a training framework reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reweightviz.core.errors import InvalidArgument
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import check_options, needs
from reweightviz.core.schedule import Schedule
from reweightviz.core.selection import Selection
from reweightviz.core.sources import Sources
from reweightviz.exporters import find, selected_documents

__all__ = ["export"]


def export(
    mixture: Mapping[str, float] | Schedule | Selection,
    framework: str,
    path: str | os.PathLike[str],
    *,
    sources: Sources | Mapping[str, Any] | None = None,
    tokens: float | str | None = None,
    unit: str | None = None,
    max_epochs: float | None = None,
    overwrite: bool = False,
    merge: bool = False,
    backup: bool = True,
    **options: Any,
) -> Path:
    """Write a mixture as the config of a training framework.

    Its unit and where it came from stand in the config or beside it.

    Args:
        mixture: domain weights, shares of training tokens; or a Schedule, where the framework
            takes one; or a Selection, whose documents are written as "parquet", "jsonl" or "csv"
            (``corpus=`` adds their text and domain).
        framework: a name of ``rv.methods("exporter")``.
        path: the file (or folder, for several files) to write.
        sources: files, tokens and documents of each domain, where the format or its unit needs
            them.
        tokens: training budget; epochs are computed and warned about.
        unit: what the numbers in the file count, where the framework leaves it open.
        max_epochs: refuse to pass over a domain more often; without it, more than 4 passes are
            warned about.
        overwrite: replace what is there.
        merge: change only the mixture in a config that is there; comments and all other settings
            stay.
        backup: keep what a merge changes as ``<file>.bak``.
        **options: the framework's own, such as ``stopping_strategy="all_exhausted"``.
    """
    if isinstance(mixture, Selection):
        check_options(export, options, needs(selected_documents.write))
        return selected_documents.write(mixture, framework, path, overwrite=overwrite, **options)
    return find(framework).write(
        _to_mixture(mixture),
        path,
        sources=sources,
        tokens=tokens,
        unit=unit,
        max_epochs=max_epochs,
        overwrite=overwrite,
        merge=merge,
        backup=backup,
        **options,
    )


def _to_mixture(mixture: Any) -> Mixture | Schedule:
    """Return the Mixture of domain to weight, or the Schedule of step to mixture."""
    if isinstance(mixture, Mixture | Schedule):
        return mixture
    if not isinstance(mixture, Mapping):
        raise InvalidArgument(
            name="rv.export",
            value=mixture,
            expected="a mixture, a mapping of domain to weight, a Schedule or a Selection",
            got=type(mixture).__name__,
        )
    # A mixture maps names to numbers, a schedule maps steps to mixtures.
    if mixture and all(isinstance(stage, Mapping) for stage in mixture.values()):
        return Schedule(mixture)
    return Mixture(mixture)
