"""Load: the mixture or the schedule of a framework's config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.exporters.document import Given, name_given
from reweightviz.exporters.recognise import find_exporter

__all__ = ["load_mixture", "load_schedule"]


def load_mixture(
    path: Given,
    framework: str | None = None,
    *,
    sources: Sources | Mapping[str, Any] | None = None,
) -> Mixture:
    """Read a mixture back from a framework's config, in shares of training tokens.

    Args:
        path: the config, as it is now; the provenance beside it gives names and sizes. Or the
            command line of a training, as text or as a list of words.
        framework: whose config it is; found from the file when not given.
        sources: tokens and documents of each domain, for a file that counts something else and has
            no provenance.
    """
    known = Sources.of(sources)
    with guard_reading(name_given(path)):
        return find_exporter(path, framework).read(path, sources=known)


def load_schedule(
    path: Given,
    framework: str | None = None,
    *,
    sources: Sources | Mapping[str, Any] | None = None,
) -> Schedule:
    """Read a schedule back from a framework's config; a config of one mixture has one stage.

    The arguments are those of :func:`load_mixture`.
    """
    known = Sources.of(sources)
    with guard_reading(name_given(path)):
        return find_exporter(path, framework).read_schedule(path, sources=known)
