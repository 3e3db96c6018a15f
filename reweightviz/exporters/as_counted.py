"""A config read for an export that counts the same: then the sizes of the domains cancel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.exporters import find
from reweightviz.exporters.document import PathLike
from reweightviz.exporters.reading_back import (
    find_record,
    find_unit_key,
    read_accepted,
    to_schedule,
)
from reweightviz.exporters.recognise import find_exporter
from reweightviz.exporters.units import Unit

__all__ = ["Counted", "read_for"]


class Counted(NamedTuple):
    """A schedule, and whether its shares are those of a config's own unit instead of tokens."""

    schedule: Schedule
    as_counted: bool


def read_for(
    path: PathLike,
    framework: str | None,
    to: str,
    *,
    unit: str | None = None,
    sources: Sources | Mapping[str, Any] | None = None,
) -> Counted:
    """Read a config for an export: in shares of tokens, or as counted where sizes are not needed.

    Both files may count documents, say: then shares of documents go from one to the other, and
    need the sizes of no domain.

    Args:
        path: the config that is read.
        framework: whose config it is; found from the file when not given.
        to: the framework that is written for.
        unit: of the numbers that are written; that framework's default when not given.
        sources: tokens and documents of each domain; where they are known, shares are of tokens.
    """
    exporter = find_exporter(path, framework)
    document, config = read_accepted(exporter, path)
    record = find_record(document, config)
    read = exporter.find_unit(find_unit_key(config, record), reading=True)
    written = find(to).find_unit(unit)
    domains = set(exporter.find_domains(config, record).values())
    alike = bool(read.size) and (read.size, read.passes) == (written.size, written.passes)
    if alike and not _are_known(domains, written, Sources.of(sources)):
        return Counted(to_schedule(exporter, config, document, None, as_counted=True), True)
    return Counted(exporter.to_schedule(config, document, sources), False)


def _are_known(domains: Iterable[str], unit: Unit, sources: Sources | None) -> bool:
    if sources is None:
        return False
    return all(domain in sources and getattr(sources[domain], unit.size) for domain in domains)
