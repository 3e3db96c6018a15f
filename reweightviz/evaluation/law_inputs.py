"""The inputs of a law beside the weights: from its caller, or from the runs of a swarm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reweightviz.core.errors import ReweightvizError, WrongDomains, list_names, warn
from reweightviz.core.protocols import Law
from reweightviz.core.sources import Sources
from reweightviz.core.swarm import Swarm
from reweightviz.core.token_counts import parse_budget, parse_count

__all__ = ["law_inputs", "law_inputs_of_runs"]


def law_inputs_of_runs(
    law: Law, swarm: Swarm, signals: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what a law predicts from beside the mixtures, from the runs or from ``signals``.

    Raises:
        ReweightvizError: neither has one of the law's inputs.
    """
    known = swarm.signals() | dict(signals or {})
    wanted = getattr(law, "given", ())
    absent = [name for name in wanted if name not in known]
    if absent:
        raise ReweightvizError(
            f"the law predicts from {absent[0]!r}, which the swarm lacks; its runs have "
            f"{list_names(swarm.runs.columns)}."
        )
    return {name: known[name] for name in wanted}


def law_inputs(
    law: Law,
    given: Mapping[str, Any],
    tokens: float | str | None,
    sources: Sources | Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what a law predicts from beside the weights.

    Args:
        law: names its inputs: ``given`` are needed, ``takes`` may be handed over.
        given: name to value; domain to number where the input is one number a domain.
        tokens: budget of the run, which is ``run_tokens`` where ``given`` has none.
        sources: what there is of each domain, which is ``available`` where ``given`` has none.

    Raises:
        ReweightvizError: an input that the law does not take, or one that it needs and lacks.

    Warns:
        ReweightvizWarning: the law is held at another run length than the budget.
    """
    needed = getattr(law, "given", ())
    taken = getattr(law, "takes", needed)
    budget = parse_budget(tokens)
    # What was given by name stands above what the budget and the sources imply.
    known = {name: _parse_input(law, name, value) for name, value in given.items()}
    if budget is not None and "run_tokens" in needed:
        known.setdefault("run_tokens", budget)
    if budget is not None and "run_tokens" not in known:
        _warn_of_other_length(law, budget)
    if sources is not None and "available" in taken:
        table = sources if isinstance(sources, Sources) else Sources(sources)
        known.setdefault("available", _available_tokens(law, table))
    strange = [name for name in known if name not in taken]
    if strange:
        raise ReweightvizError(
            f"the law does not predict from {list_names(strange)}; it takes "
            f"{list_names(taken) or 'mixtures alone'}."
        )
    absent = [name for name in needed if name not in known]
    if absent:
        raise ReweightvizError(
            f"the law predicts from {list_names(absent)} too: give it, as in "
            f"given={{{absent[0]!r}: 1e9}}, or hold it by "
            f"law.at({absent[0]}=1e9)."
        )
    return known


def _parse_input(law: Law, name: str, value: Any) -> Any:
    """Return a number that was written as "1.2T", a mapping in the law's order, else the value."""
    if isinstance(value, str):
        return parse_count(value)
    return _align_with_law(law, name, value)


def _warn_of_other_length(law: Law, budget: float) -> None:
    held = getattr(law, "held", {}).get("run_tokens")
    if held is None or np.isclose(float(held), budget, rtol=1e-6):
        return
    warn(
        f"the law holds run_tokens at {float(held):.4g}, so what it predicts is for "
        "runs of that length and not for the budget of "
        f"{budget:.4g} tokens; given={{'run_tokens': {budget:.4g}}} asks for the budget's."
    )


def _available_tokens(law: Law, sources: Sources) -> Any:
    """Return the tokens (K,) of each of the law's domains, those of its split parts together."""
    if sources.lineage:
        return sources.lineage.known_shares(sources.domains, law.domains) @ sources.tokens
    return _align_with_law(law, "available", sources.token_table)


def _align_with_law(law: Law, name: str, value: Any) -> Any:
    """Return a mapping of domain to number as an array in the law's order; else the value."""
    if not isinstance(value, Mapping):
        return value
    present = [domain for domain in law.domains if domain in value]
    if len(present) < len(law.domains):
        raise WrongDomains(who=name, asked=present, other="the law", there=law.domains)
    return np.array([parse_count(value[domain]) for domain in law.domains])
