"""From a framework's config back to shares of tokens by domain, with the provenance beside it.

The files of an export are renamed one after another, and people edit them and put old ones back.
So a provenance holds for a config whose numbers have its digest, and has within it what held for
the config that it replaced: :func:`find_record` is the one that tells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from reweightviz.core.errors import ReweightvizError, UnreadableFile, WrongContent, list_names
from reweightviz.core.mixture import SUM_TOLERANCE, Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.exporters.document import Document, Given, name_given
from reweightviz.exporters.plan import Config, Numbers, digest
from reweightviz.exporters.units import Unit

if TYPE_CHECKING:
    from reweightviz.exporters.exporter import Exporter

__all__ = [
    "Accepted",
    "find_domains",
    "find_record",
    "find_unit_key",
    "is_edited",
    "read_accepted",
    "read_mixture",
    "read_schedule",
    "recall",
    "to_schedule",
]


class Accepted(NamedTuple):
    """A file, and what its framework reads from it without a refusal."""

    document: Document
    config: Config


def read_mixture(
    exporter: Exporter, path: Given, sources: Sources | Mapping[str, Any] | None
) -> Mixture:
    """Read the one mixture of a file; refuse a schedule of several stages."""
    schedule = read_schedule(exporter, path, sources)
    if len(schedule) > 1:
        raise WrongContent(
            path=name_given(path),
            reason=f"holds a schedule of {len(schedule)} stages, not one mixture: "
            "rv.load_schedule reads it",
        )
    return schedule[0]


def read_schedule(
    exporter: Exporter, path: Given, sources: Sources | Mapping[str, Any] | None
) -> Schedule:
    """Read the stages of a file; a file without stages has one, at step 0."""
    document, config = read_accepted(exporter, path)
    return exporter.to_schedule(config, document, sources)


def read_accepted(exporter: Exporter, path: Given) -> Accepted:
    """Open and read a file; refuse one that the framework refuses, with its first reason."""
    document = exporter.open(path).for_framework(exporter.name)
    config = exporter.read_config(document)
    if config.refused:
        raise ReweightvizError(f"{document.path}: {config.refused[0]}")
    return Accepted(document, config)


def to_schedule(
    exporter: Exporter,
    config: Config,
    document: Document,
    sources: Sources | None,
    *,
    as_counted: bool = False,
) -> Schedule:
    """Convert the numbers of a config into shares of tokens by domain.

    Args:
        exporter: of the framework.
        config: what it reads from the file.
        document: the file, with its provenance.
        sources: tokens and documents of each domain, for a file that counts something else.
        as_counted: return shares of what the file counts instead, which need no sizes.

    Raises:
        ReweightvizError: no stage begins at step 0, or a size is not known.
    """
    record = find_record(document, config)
    if 0 not in config.stages:
        raise UnreadableFile(
            path=document.path,
            reason="the first stage must begin at step 0; the stages begin at "
            f"{[*config.stages][:12]}",
        )
    unit = exporter.find_unit(find_unit_key(config, record), reading=True)
    domains = exporter.find_domains(config, record)
    sizes = dict.fromkeys(domains, 1.0)
    if not as_counted:
        sizes = _find_sizes(unit, config, record, domains, sources, document)
    stages = {}
    for start, numbers in config.stages.items():
        shares: Numbers = {}
        for name, number in numbers.items():
            shares[domains[name]] = shares.get(domains[name], 0.0) + number * sizes[name]
        stages[start] = _restore(shares, record, document.path)
    # A stage leaves out what it does not draw; a schedule has every domain in every stage.
    every = list(dict.fromkeys(domain for mixture in stages.values() for domain in mixture))
    whole = {
        start: Mixture([(d, mixture.get(d, 0.0)) for d in every], source=mixture.source)
        for start, mixture in stages.items()
    }
    return Schedule(whole, steps=config.steps, source=stages[0].source)


def find_domains(exporter: Exporter, config: Config, record: Mapping[str, Any]) -> dict[str, str]:
    """Find the domain of every name in a file.

    The provenance has it, else it is the name itself, or what a path seems to hold where no other
    name seems to hold the same.
    """
    known = {str(name): str(domain) for name, domain in (record.get("names") or {}).items()}
    names = list(dict.fromkeys(name for numbers in config.stages.values() for name in numbers))
    guesses = {
        name: exporter.guess_domain(name) if exporter.by_path else name
        for name in names
        if name not in known
    }
    # Two paths may end alike, as /web/train and /code/train do: neither is then named by its end.
    claimed = [*guesses.values(), *set(known.values())]
    unique = {name: guess for name, guess in guesses.items() if claimed.count(guess) == 1}
    return {name: known.get(name, unique.get(name, name)) for name in names}


def find_record(document: Document, config: Config) -> dict[str, Any]:
    """Find what is recorded of a config as it is now.

    Returns:
        The provenance beside the file where that has the digest of its numbers, or the one before
        it; {} where there is none. Of a config with other numbers neither sizes are known nor
        names that meant another domain before, and it is :func:`is_edited`.
    """
    newest = document.record
    before = newest.get("before") or {}
    for record in (newest, before):
        if _is_of(record, config):
            return record
    if not newest:
        return {}
    earlier = before.get("names") or {}
    names = {
        name: domain
        for name, domain in (newest.get("names") or {}).items()
        if earlier.get(name, domain) == domain
    }
    return newest | {"names": names, "sizes": None, "edited": True}


def recall(exporter: Exporter, document: Document) -> dict[str, Any]:
    """Return what is recorded of a config as it is now, to be kept when that is replaced.

    Its digest is that of the config, whatever the record was written with; {} where there is no
    mixture in it.
    """
    try:
        config = exporter.read_config(document)
        record = find_record(document, config)
    except ReweightvizError:
        return {}
    return {key: fact for key, fact in record.items() if key != "before"} | {
        "digest": digest(config)
    }


def find_unit_key(config: Config, record: Mapping[str, Any]) -> str | None:
    """Find the key of what the numbers of a config count; None for the framework's default."""
    if config.unit is not None and not config.assumed:
        return config.unit
    return record.get("unit_key") or config.unit


def is_edited(record: Mapping[str, Any]) -> bool:
    """Check whether a config has other numbers than its provenance was written with."""
    return bool(record.get("edited"))


def _is_of(record: Mapping[str, Any], config: Config) -> bool:
    # reweightviz 0.5 hashed an assumed unit too.
    return record.get("digest") in (digest(config), digest(replace(config, assumed=False)))


def _restore(shares: Mapping[str, float], record: Mapping[str, Any], path: Path) -> Mixture:
    """Return the mixture of a stage, in the order of the record, with its dropped domains at 0.

    Args:
        shares: domain to share of tokens, on any scale.
        record: the provenance; may be empty.
        path: the file, for the source of the mixture.
    """
    dropped = [str(name) for name in record.get("dropped", ()) if name not in shares]
    order = [str(name) for name in record.get("domains", ()) if name in shares or name in dropped]
    weights = dict.fromkeys(order, 0.0) | dict.fromkeys(dropped, 0.0) | dict(shares)
    source = dict(record.get("source") or {})
    if is_edited(record):
        source = {"method": "edited by hand", "before": source}
    source |= {"read_from": str(path)}
    # Weights that sum to 1 already are kept to the bit.
    if abs(math.fsum(weights.values()) - 1) <= SUM_TOLERANCE:
        return Mixture(weights, source=source)
    return Mixture.normalized(weights, source=source)


def _find_sizes(
    unit: Unit,
    config: Config,
    record: Mapping[str, Any],
    domains: Mapping[str, str],
    sources: Sources | None,
    document: Document,
) -> Numbers:
    """Return name to what its share of tokens was divided by: from sources, file or record."""
    # The size of a single domain cancels.
    if not unit.size or len(set(domains.values())) == 1:
        return dict.fromkeys(domains, 1.0)
    recorded = record.get("sizes") or {}
    found: Numbers = {}
    absent: list[str] = []
    for name, domain in domains.items():
        candidates = [config.sizes.get(name), recorded.get(domain)]
        # Sources are given for this very call, so they come before the file and the record.
        if sources is not None and domain in sources:
            candidates.insert(0, getattr(sources[domain], unit.size))
        positive = [float(size) for size in candidates if _is_positive(size)]
        if positive:
            found[name] = positive[0]
        else:
            absent.append(domain)
    if absent:
        wanted = "tokens and documents" if unit.size == "mean_tokens" else "tokens"
        unused = ""
        if is_edited(record):
            unused = f" (the sizes in {document.sidecar.name} are of other numbers)"
        raise ReweightvizError(
            f"in {document.path} {unit.sentence}, so shares of tokens need the {wanted} of "
            f"{list_names(absent)}{unused}: pass sources=."
        )
    return found


def _is_positive(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0
