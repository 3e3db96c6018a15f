"""The start of a mixer on a log: its first state, from what the log and the caller know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from reweightviz.core.errors import ReweightvizError, UnknownName, list_names
from reweightviz.core.protocols import Mixer, needs, supply
from reweightviz.core.runlog import RunLog
from reweightviz.core.sources import Source, Sources
from reweightviz.core.types import LOG_SIGNALS, SIGNALS
from reweightviz.numerics.simplex import numbers

__all__ = ["start_mixer"]


def start_mixer(
    log: RunLog, mixer: Mixer, *, sources: Sources | Mapping[str, Any] | None = None, **given: Any
) -> Any:
    """Return a mixer's state before the first line of a log.

    Args:
        log: names the domains.
        mixer: with its hyperparameters.
        sources: tokens and documents of each domain; ``log.meta["sources"]`` when not given.
        **given: what else the mixer's start needs, by domain or in the order of the log's domains.

    Raises:
        ReweightvizError: something that the start needs is not known, or is of other domains.
    """
    who = type(mixer).__name__
    facts = _facts(log, sources, given)
    required = [name for name, needed in needs(mixer.init).items() if needed]
    lacking = [name for name in required if name not in facts]
    if lacking:
        raise ReweightvizError(
            f"{who} starts from {list_names(lacking)}, which the log {log.name!r} lacks: "
            f"rv.replay(log, mixer, {'=..., '.join(lacking)}=...)."
        )
    state = mixer.init(**supply(who, mixer.init, facts))
    weights = mixer.weights(state)
    if weights.shape != (len(log.domains),):
        raise ReweightvizError(
            f"{who} weighs {weights.size} domains, and the log {log.name!r} "
            f"has {len(log.domains)}: "
            "what is handed over must hold one number for each."
        )
    return state


def _facts(
    log: RunLog, sources: Sources | Mapping[str, Any] | None, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all that a mixer's ``init`` may name, arrays in the order of the log's domains."""
    for name in given:
        if name in LOG_SIGNALS:
            raise ReweightvizError(
                f"rv.replay reads {name!r} from the log; only what a mixer starts from "
                "can be handed over."
            )
        if name not in SIGNALS:
            known = {*SIGNALS, "sources", "name"} - {*LOG_SIGNALS}
            raise UnknownName(kind="signal", name=name, known=known)
    facts: dict[str, Any] = {"prior": np.full(len(log.domains), 1 / len(log.domains))}
    # What the caller hands over stands above what the log has.
    if sources is None:
        sources = log.meta.get("sources")
    there = Sources.of(sources)
    if there is not None:
        facts["tokens"] = _align("tokens", there.token_table, log)
        if all(source.documents for source in there.values()):
            documents = {domain: source.documents for domain, source in there.items()}
            facts["documents"] = _align("documents", documents, log)
    if "graph" in log.meta:
        facts["graph"] = _align("graph", log.meta["graph"], log)
    return facts | {name: _align(name, value, log) for name, value in given.items()}


def _align(name: str, value: Any, log: RunLog) -> Any:
    """Return a table by domain in the order of the log's domains; anything else as it is."""
    if isinstance(value, pd.DataFrame):
        rows = zip(value.index, value.to_numpy(), strict=True)
        value = {row: dict(zip(value.columns, edges, strict=True)) for row, edges in rows}
    if isinstance(value, list | tuple | str | int | float):
        return numbers(value, repr(name))
    if not isinstance(value, Mapping):
        return value
    absent = [domain for domain in log.domains if domain not in value]
    if absent:
        raise ReweightvizError(
            f"{name!r} has nothing for {list_names(absent)} of the log {log.name!r}; it names "
            f"{list_names(value)}."
        )
    entries = [value[domain] for domain in log.domains]
    if all(isinstance(entry, Mapping) for entry in entries):
        return np.stack([_align(name, entry, log) for entry in entries])
    table = numbers(list(map(_count_tokens, entries)), repr(name))
    # A graph has a row a domain, as the domain gave it; all else a column a domain.
    if name == "graph":
        return table
    return table.T


def _count_tokens(entry: Any) -> Any:
    """Return the tokens of a source; anything else as it is."""
    if isinstance(entry, Source):
        return entry.tokens
    return entry
