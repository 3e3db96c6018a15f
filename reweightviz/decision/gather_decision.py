"""Gather a decision: weights, epochs, predictions, what was rejected, what was written."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Law
from reweightviz.core.sources import Sources
from reweightviz.core.version import VERSION
from reweightviz.decision.decision import (
    Decision,
    DomainRow,
    RejectedMixture,
)
from reweightviz.decision.labels import describe_law, describe_origin, is_finite
from reweightviz.decision.predictions import Predictions, Predictor, build_predictor
from reweightviz.decision.written_files import read_written
from reweightviz.exporters.epochs import MAX_EPOCHS
from reweightviz.figures.domain_colors import color_names

__all__ = ["gather_decision"]


def gather_decision(
    mixture: Mixture,
    *,
    reference: Mapping[str, float] | None,
    law: Law | None,
    sources: Sources | None,
    tokens: float | None,
    rejected: Mapping[str, Any] | None,
    files: Sequence[str | os.PathLike[str]],
    title: str | None,
    given: Mapping[str, Any] | None = None,
) -> Decision:
    """Return a decision, from the arguments of ``rv.decision_record``."""
    proposed = mixture.source
    budget = _find_budget(proposed, tokens)
    base, base_name = _find_reference(mixture, reference, sources)
    moved = None
    if base is not None:
        moved = _share_moved(mixture, base)
    tokenizer = None
    if sources is not None:
        tokenizer = sources.tokenizer
    predictor = None
    predicted = Predictions()
    if law is not None:
        predictor = build_predictor(
            law, mixture, given=given, tokens=tokens, budget=budget, sources=sources
        )
        predicted = predictor.predict(mixture, base)
    others = []
    for name, (other, reason) in _parse_all_rejected(rejected or {}).items():
        most = max(_epochs(other, sources, budget).values(), default=None)
        others.append(_judge_rejected(name, other, reason, mixture, predictor, most))
    return Decision(
        title=title or "Training mixture",
        created=dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        versions=_name_versions(),
        reference=base_name,
        rows=_domain_rows(mixture, base, sources, budget),
        moved=moved,
        budget=budget,
        tokenizer=tokenizer,
        limit=_finite_or_none(proposed.get("max_epochs")) or MAX_EPOCHS,
        mean=predicted.mean,
        targets=tuple(sorted(predicted.targets, key=lambda one: one.gain)),
        averaged=predicted.averaged,
        law=describe_law(law),
        paired=predicted.draws,
        constraints=describe_origin(proposed),
        rejected=tuple(others),
        # By the budget asked for, if any: a file that was written has its own in its provenance.
        files=tuple(read_written(path, sources, tokens) for path in files),
    )


def _find_budget(proposed: Mapping[str, Any], tokens: float | None) -> float | None:
    if tokens is not None:
        return tokens
    return _finite_or_none(proposed.get("budget"))


def _name_versions() -> str:
    return f"reweightviz {VERSION}, Python {platform.python_version()}, NumPy {np.__version__}"


def _finite_or_none(value: Any) -> float | None:
    if not is_finite(value):
        return None
    return float(value)


def _find_reference(
    mixture: Mixture, reference: Mapping[str, float] | None, sources: Sources | None
) -> tuple[Mixture | None, str]:
    """Return what the mixture is compared with, and its name; the natural mixture if not given."""
    if reference is not None:
        given = Mixture.of(reference)
        name = "the reference"
        if given.source.get("method"):
            name += f" ({given.source['method']})"
        return given, name
    if sources is None:
        return None, ""
    absent = [domain for domain in mixture if domain not in sources]
    if absent:
        raise ReweightvizError(
            f"the natural mixture needs the tokens of {list_names(absent)}, which sources= lacks; "
            "reference= takes another mixture to compare with."
        )
    available = {domain: sources[domain].tokens for domain in mixture}
    return Mixture.natural(available), "the natural mixture"


def _domain_rows(
    mixture: Mixture, base: Mixture | None, sources: Sources | None, budget: float | None
) -> tuple[DomainRow, ...]:
    domains = tuple(dict.fromkeys([*mixture, *(base or ())]))
    epochs = _epochs(mixture, sources, budget)
    available: Mapping[str, float] = {}
    if sources is not None:
        available = sources.token_table
    rows = []
    for domain, color in color_names(domains).items():
        weight = mixture.get(domain, 0.0)
        before = drawn = None
        if base is not None:
            before = base.get(domain, 0.0)
        if budget is not None:
            drawn = budget * weight
        rows.append(
            DomainRow(
                domain=domain,
                color=color,
                weight=weight,
                reference=before,
                available=available.get(domain),
                drawn=drawn,
                epochs=epochs.get(domain),
            )
        )
    return tuple(sorted(rows, key=lambda row: -row.weight))


def _epochs(mixture: Mixture, sources: Sources | None, budget: float | None) -> dict[str, float]:
    if sources is None or budget is None:
        return {}
    return mixture.epochs(sources.token_table, budget)


def _share_moved(one: Mixture, other: Mixture) -> float:
    """Return the share of the tokens that differ between two mixtures."""
    return sum(abs(one.get(domain, 0.0) - other.get(domain, 0.0)) for domain in {*one, *other}) / 2


def _parse_all_rejected(rejected: Mapping[str, Any]) -> dict[str, tuple[Mixture, str]]:
    return {str(name): _parse_rejected(str(name), entry) for name, entry in rejected.items()}


def _parse_rejected(name: str, entry: Any) -> tuple[Mixture, str]:
    pair = entry
    if not isinstance(pair, tuple | list):
        pair = (entry, "")
    if len(pair) != 2 or not isinstance(pair[0], Mapping):
        raise ReweightvizError(
            f"rejected= maps a name to (mixture, reason); that of {name[:60]!r} is "
            f"{type(entry).__name__}."
        )
    mixture, reason = pair
    return Mixture.of(mixture), str(reason)


def _judge_rejected(
    name: str,
    other: Mixture,
    reason: str,
    chosen: Mixture,
    predictor: Predictor | None,
    epochs: float | None,
) -> RejectedMixture:
    moved = _share_moved(chosen, other)
    mean = None
    if predictor is not None:
        # The rejected one stands first: its change is what choosing it would have brought.
        mean = predictor.predict(other, chosen).mean
    if mean is None:
        return RejectedMixture(name, reason, moved, epochs, None, None, "unknown")
    return RejectedMixture(name, reason, moved, epochs, mean.chosen, mean.change, mean.verdict)
