"""From a mixture to what a framework's file has to hold: names, numbers in its unit, the record."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from reweightviz.core.errors import (
    RefusedByFramework,
    ReweightvizError,
    UnknownName,
    list_names,
    warn,
)
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.exporters import provenance
from reweightviz.exporters.document import Document
from reweightviz.exporters.plan import Entry, Numbers, Plan, source_paths
from reweightviz.exporters.reading_back import recall
from reweightviz.exporters.text.encoding import check_utf8
from reweightviz.exporters.units import Unit, exact_shares

if TYPE_CHECKING:
    from reweightviz.exporters.exporter import Exporter

__all__ = ["make_plan"]


def make_plan(
    exporter: Exporter,
    mixture: Mixture | Schedule,
    *,
    sources: Sources | None,
    tokens: float | None,
    unit: Unit,
    max_epochs: float | None,
    old: Document | None,
    options: Mapping[str, Any],
    as_counted: bool = False,
) -> Plan:
    """Work out the numbers of a framework's file.

    Args:
        exporter: of the framework.
        mixture: (K,) weights, shares of training tokens; or a Schedule of them.
        sources: what there is of each domain.
        tokens: budget of the run.
        unit: of the numbers.
        max_epochs: refuse to pass over a domain more often; None warns.
        old: the file that is merged into, whose names for the domains stay.
        options: the framework's own, defaults included.
        as_counted: the weights are shares of what the unit counts instead of tokens.

    Raises:
        ReweightvizError: the framework cannot train on this mixture, or the sources lack
            something that its file needs.
    """
    if isinstance(mixture, Schedule) and not exporter.takes_schedules and len(mixture) > 1:
        raise RefusedByFramework(
            framework=exporter.title,
            reason=f"trains on one mixture, not on a schedule of {len(mixture)} stages: "
            "export schedule.mean(), or each stage to a run of its own",
        )
    stages: Mapping[int, Mixture]
    if isinstance(mixture, Schedule):
        stages = mixture
        steps = mixture.steps
    else:
        stages = {0: mixture}
        steps = None
    whole = _mean(mixture, tokens)
    for domain in whole:
        check_utf8(domain)
    drawn = [
        domain
        for domain in whole
        if exporter.writes_zeros or any(stage[domain] for stage in stages.values())
    ]
    _check_sources(exporter, drawn, whole, sources)
    # Shares of documents are numbers of documents already: what they are divided by cancels.
    divided = replace(unit, size="") if as_counted else unit
    sizes = divided.sizes(drawn, sources, exporter.title)
    names_before = _names_in(exporter, old)
    entries = exporter.make_entries(drawn, sources, options)
    # A merge keeps the names that the file has for its domains; a path is a name of its own.
    if not exporter.by_path:
        entries = {names_before.get(entry.domain, name): entry for name, entry in entries.items()}
    numbers = {
        start: _to_numbers(exporter, stage, entries, sizes, divided, tokens)
        for start, stage in stages.items()
    }
    trained = _cap_at_one_pass(exporter, whole, sources, tokens)
    record = provenance.record(
        exporter.name, unit.sentence, whole, sources=sources, tokens=trained, max_epochs=max_epochs
    )
    dropped = [domain for domain in whole if domain not in drawn]
    record |= {
        "source": to_jsonable(mixture.source),
        "dropped": dropped,
        "unit_key": unit.key,
        "names": {name: entry.domain for name, entry in entries.items() if name != entry.domain},
    }
    if divided.size:
        record["sizes"] = sizes
    return Plan(
        entries,
        numbers,
        _names_to_drop(exporter, dropped, names_before, sources, options),
        unit,
        sources,
        tokens,
        steps,
        record,
    )


def _mean(mixture: Mixture | Schedule, tokens: float | None) -> Mixture:
    """Return the mixture of the whole run, or of its start where no run is known."""
    if isinstance(mixture, Mixture):
        return mixture
    if tokens is not None or mixture.steps:
        return mixture.mean()
    return mixture[0]


def _names_in(exporter: Exporter, old: Document | None) -> dict[str, str]:
    """Return domain to name in a file that was written before."""
    if old is None:
        return {}
    names = recall(exporter, old).get("names") or {}
    return {domain: name for name, domain in names.items()}


def _check_sources(
    exporter: Exporter, drawn: Sequence[str], whole: Mixture, sources: Sources | None
) -> None:
    for domain in drawn:
        if sources is not None and domain not in sources and whole[domain]:
            raise UnknownName(kind="domain in sources=", name=domain, known=sources)
        raw = exporter.find_unprepared(source_paths(domain, sources))
        if raw:
            raise RefusedByFramework(
                framework=exporter.title,
                reason=f"reads {exporter.prepared_data}, not files of text; sources= has "
                f"{list_names(raw, 2)} for {list_names([domain])}",
            )


def _to_numbers(
    exporter: Exporter,
    stage: Mixture,
    entries: Mapping[str, Entry],
    sizes: Numbers,
    unit: Unit,
    tokens: float | None,
) -> Numbers:
    """Return name in the file to number for one stage."""
    weights = {
        domain: weight for domain, weight in stage.items() if weight or exporter.writes_zeros
    }
    numbers = unit.numbers(weights, sizes, tokens)
    if tokens is not None:
        _check_largest(exporter, numbers, tokens)
    parts = {
        name: numbers[entry.domain] * entry.part
        for name, entry in entries.items()
        if entry.domain in numbers
    }
    if not exporter.exact or unit.passes:
        return parts
    # Over the parts, since those are the numbers that the framework adds up.
    shares = exact_shares(np.array(list(parts.values())))
    return dict(zip(parts, shares.tolist(), strict=True))


def _check_largest(exporter: Exporter, numbers: Numbers, tokens: float) -> None:
    worst = max(numbers, key=lambda domain: numbers[domain])
    limit = exporter.largest_number
    if numbers[worst] > limit * (1 + 1e-9):
        raise RefusedByFramework(
            framework=exporter.title,
            reason=f"takes numbers up to {limit:g}, but at {tokens:.4g} tokens "
            f"{list_names([worst])} would be needed {numbers[worst]:.4g} times: "
            f"tokens={tokens * limit / numbers[worst]:.4g} is the most",
        )


def _cap_at_one_pass(
    exporter: Exporter, whole: Mixture, sources: Sources | None, tokens: float | None
) -> float | None:
    """Return the tokens of the run; of one pass, where the framework repeats nothing."""
    if not exporter.repeats_nothing or tokens is None or sources is None:
        return tokens
    passes = {domain: sources[domain].tokens / weight for domain, weight in whole.items() if weight}
    # Ties go by name, so that the warning does not depend on the order of the domains.
    first = min(passes, key=lambda domain: (passes[domain], domain))
    if not 0 < passes[first] < tokens * (1 - 1e-6):
        return tokens
    warn(
        f"{exporter.title} repeats nothing: this mixture holds {passes[first]:.4g} of the "
        f"{tokens:.4g} tokens, until {first[:60]!r} is used up."
    )
    return passes[first]


def _names_to_drop(
    exporter: Exporter,
    dropped: Sequence[str],
    names_before: Mapping[str, str],
    sources: Sources | None,
    options: Mapping[str, Any],
) -> tuple[str, ...]:
    """Return every name that a domain of weight 0 may have in a file that is merged into."""
    names: list[str] = []
    for domain in dropped:
        names += [domain, names_before.get(domain, domain), *source_paths(domain, sources)]
    # A domain without the path that the format needs has no entry in the file either.
    with contextlib.suppress(ReweightvizError):
        names += exporter.make_entries(dropped, sources, options)
    return tuple(dict.fromkeys(names))
