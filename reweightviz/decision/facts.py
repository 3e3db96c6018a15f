"""What a decision record says, worked out: weights, epochs, predictions with their noise, what was rejected, what was written."""

from __future__ import annotations

import datetime as dt
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from reweightviz.core.errors import ReweightvizError, listed
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.lineage import Lineage
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Law
from reweightviz.core.sources import Sources
from reweightviz.core.token_counts import format_count
from reweightviz.core.validation import mapping
from reweightviz.core.version import VERSION
from reweightviz.evaluation.law_inputs import law_inputs
from reweightviz.exporters.check import check
from reweightviz.exporters.epochs import MAX_EPOCHS
from reweightviz.exporters.recognise import find_exporter
from reweightviz.figures.palette import choose_colors
from reweightviz.numerics.contrast import (
    Contrast,
    bound_runs,
    contrast_mixtures,
    directions,
    draw_losses,
    prepend_mean,
    weigh_targets,
)

LEVEL = 0.9
LABELS = {
    "kl": "pull towards the prior (KL)",
    "near": "prior",
    "max_epochs": "most epochs",
    "read_from": "read from",
}
OUT_OF_SAMPLE = ("cv", "cross", "held", "out_of", "oos", "loo", "test")
"""What the name of a diagnostic begins with where it was measured on runs that the law was not fitted to."""
FIT = {
    "r2": "R² in sample",
    "mae": "mean absolute error in sample",
    "held_out_r2": "R² out of sample",
    "held_out_mae": "mean absolute error out of sample",
    "runs": "proxy runs",
}


class Estimate(NamedTuple):
    """A number and its 90 % interval; NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Row:
    """One domain: weights, tokens available, tokens drawn and epochs at the budget; None where not known."""

    domain: str
    color: str
    weight: float
    reference: float | None
    available: float | None
    drawn: float | None
    epochs: float | None


@dataclass(frozen=True)
class Comparison:
    """One target under the chosen and the reference mixture.

    ``change`` and ``verdict`` are those of :mod:`reweightviz.numerics.contrast`: "better", "worse",
    "noise" (the interval of the change holds 0) or "unknown" (there is no interval, or no
    reference). " on average" follows "better" and "worse" where the change is less than half the
    interval of one new run, so that one run may not show it.
    """

    target: str
    lower_is_better: bool
    chosen: Estimate
    reference: Estimate | None
    change: Estimate | None
    verdict: str


@dataclass(frozen=True)
class Rejected:
    """A mixture that was not chosen: why, how far it is, its predicted mean and the difference to the chosen one's."""

    name: str
    reason: str
    moved: float
    epochs: float | None
    mean: Estimate | None
    change: Estimate | None
    verdict: str


@dataclass(frozen=True)
class Written:
    """A file that was written: whose it is, what its numbers count, and facts as sentences."""

    path: str
    title: str
    unit: str
    facts: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """Everything that a decision record says."""

    title: str
    created: str
    versions: str
    reference: str
    rows: tuple[Row, ...]
    moved: float | None
    budget: float | None
    tokenizer: str | None
    limit: float
    mean: Comparison | None
    targets: tuple[Comparison, ...]
    averaged: int
    law: tuple[tuple[str, str], ...]
    paired: int
    constraints: tuple[tuple[str, str], ...]
    rejected: tuple[Rejected, ...]
    files: tuple[Written, ...]

    def highlights(self) -> list[str]:
        """The decision in a few sentences."""
        found = []
        if self.mean is not None:
            found.append(_of_mean(self.mean, self.reference, self.averaged))
        if self.targets and self.mean is not None and self.mean.change is not None:
            counts = {
                word: sum(one.verdict.startswith(word) for one in self.targets)
                for word in ("better", "worse", "noise", "unknown")
            }
            words = {
                "better": "better",
                "worse": "worse",
                "noise": "within the noise",
                "unknown": "without an interval",
            }
            parts = [f"{count} {words[word]}" for word, count in counts.items() if count]
            found.append(f"Of {len(self.targets)} targets: {', '.join(parts)}.")
        if self.moved is not None:
            found.append(
                f"{100 * self.moved:.3g} % of the training tokens move, against {self.reference}."
            )
        most = max(
            (row for row in self.rows if row.epochs is not None),
            key=lambda row: row.epochs or 0.0,
            default=None,
        )
        if most is not None and self.budget is not None:
            often = [row.domain for row in self.rows if (row.epochs or 0) > self.limit * (1 + 1e-6)]
            over = f"; above {self.limit:g}: {listed(often)}" if often else ""
            found.append(
                f"At {format_count(self.budget)} tokens the most repeated domain is "
                f"{most.domain[:60]!r}, "
                f"{most.epochs:.3g} epochs{over}."
            )
        return found


def facts(
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
    """Work a decision out; arguments as :func:`reweightviz.decision.decision_record.decision_record`."""
    budget = tokens if tokens is not None else _number(mixture.source.get("budget"))
    base, called = _reference(mixture, reference, sources)
    domains = tuple(dict.fromkeys([*mixture, *(base or ())]))
    told = _told(law, mixture, given, tokens, budget, sources)
    asked = [_as_the_law_knows(law, one, sources) for one in (mixture, base) if one is not None]
    comparisons, averaged, paired = _compared(law, asked, told)
    limit = _number(mixture.source.get("max_epochs")) or MAX_EPOCHS
    others = {str(name): _rejected(str(name), entry) for name, entry in (rejected or {}).items()}
    epochs = _epochs(mixture, sources, budget)
    rows = [
        Row(
            domain,
            color,
            mixture.get(domain, 0.0),
            None if base is None else base.get(domain, 0.0),
            sources[domain].tokens if sources is not None and domain in sources else None,
            None if budget is None else budget * mixture.get(domain, 0.0),
            epochs.get(domain),
        )
        for domain, color in zip(domains, choose_colors(len(domains)), strict=True)
    ]
    return Decision(
        title or "Training mixture",
        dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        f"reweightviz {VERSION}, Python {platform.python_version()}, NumPy {np.__version__}",
        called,
        tuple(sorted(rows, key=lambda row: -row.weight)),
        None if base is None else _moved(mixture, base),
        budget,
        sources.tokenizer if sources is not None else None,
        limit,
        comparisons[0] if comparisons else None,
        tuple(sorted(comparisons[1:], key=_gain)),
        averaged,
        _law(law),
        paired,
        _constraints(mixture.source),
        tuple(
            _judged(name, other, reason, mixture, law, sources, budget, told)
            for name, (other, reason) in others.items()
        ),
        tuple(_written(path, sources, tokens) for path in files),
    )


def _reference(
    mixture: Mixture, reference: Mapping[str, float] | None, sources: Sources | None
) -> tuple[Mixture | None, str]:
    if reference is not None:
        given = reference if isinstance(reference, Mixture) else Mixture(reference)
        return given, f"the reference ({given.source['method']})" if given.source.get(
            "method"
        ) else "the reference"
    if sources is None:
        return None, ""
    absent = [domain for domain in mixture if domain not in sources]
    if absent:
        raise ReweightvizError(
            f"the natural mixture needs the tokens of {listed(absent)}, which sources= lacks; "
            "reference= takes another mixture to compare with."
        )
    return Mixture.natural(
        {domain: sources[domain].tokens for domain in mixture}
    ), "the natural mixture"


def _epochs(mixture: Mixture, sources: Sources | None, budget: float | None) -> dict[str, float]:
    return {} if sources is None or budget is None else mixture.epochs(sources.token_table, budget)


def _moved(one: Mixture, other: Mixture) -> float:
    return sum(abs(one.get(domain, 0.0) - other.get(domain, 0.0)) for domain in {*one, *other}) / 2


# ---- predictions


def _told(
    law: Law | None,
    mixture: Mixture,
    given: Mapping[str, Any] | None,
    tokens: float | None,
    budget: float | None,
    sources: Sources | None,
) -> dict[str, Any]:
    """What the law predicts from beside the weights: as given, else as it was when the mixture was proposed, else budget and sources."""
    if law is None:
        return {}
    takes, asked = getattr(law, "takes", getattr(law, "given", ())), mixture.source.get("given")
    known = {
        name: value
        for name, value in (asked if isinstance(asked, Mapping) else {}).items()
        if name in takes
    }
    if tokens is not None:
        known.pop("run_tokens", None)
    return law_inputs(
        law, known | mapping("given", given, "name to what the law takes"), budget, sources
    )


def _compared(
    law: Law | None, mixtures: Sequence[Mixture], told: Mapping[str, Any]
) -> tuple[list[Comparison], int, int]:
    """The mean and every target under the first mixture beside the second; how many are averaged; how many draws are paired."""
    if law is None:
        return [], 0, 0
    weights = np.stack([mixture.aligned(law.domains) for mixture in mixtures])
    lower_is_better = directions(law)
    shares = weigh_targets(lower_is_better)
    averaged = int((shares > 0).sum())
    values = prepend_mean(np.asarray(law.predict(weights, **told), np.float64), shares)
    low, high = bound_runs(law, weights, shares, LEVEL, told)
    first = int(np.argmax(shares))
    names = [f"mean of {averaged}" if averaged > 1 else law.targets[first], *law.targets]
    downwards = [bool(lower_is_better[first]), *lower_is_better.tolist()]
    changes: Sequence[Contrast | None] = [None] * len(names)
    if len(mixtures) > 1:
        contrasts = contrast_mixtures(law, weights, level=LEVEL, given=told)
        changes = [contrasts.mean, *contrasts.targets]
    found = []
    for m, (name, lower, contrast) in enumerate(zip(names, downwards, changes, strict=True)):
        chosen, *rest = (
            Estimate(float(values[i, m]), float(low[i, m]), float(high[i, m]))
            for i in range(len(mixtures))
        )
        reference = rest[0] if rest else None
        change = Estimate(contrast.change, contrast.low, contrast.high) if contrast else None
        verdict = _verdict(chosen, contrast)
        found.append(Comparison(name, lower, chosen, reference, change, verdict))
    return found, averaged, len(draw_losses(law, weights[:1], told))


def _as_the_law_knows(law: Law | None, mixture: Mixture, sources: Sources | None) -> Mixture:
    """Return the mixture as one of the law's domains: what was split off counts as what it was split from."""
    if law is None:
        return mixture
    lineage = Lineage() if sources is None else sources.lineage
    return lineage.mixture_onto(mixture, law.domains)


def _verdict(chosen: Estimate, contrast: Contrast | None) -> str:
    if contrast is None:
        return "unknown"
    one_run = (chosen.high - chosen.low) / 2
    if contrast.verdict in ("better", "worse") and abs(contrast.change) <= one_run:
        return f"{contrast.verdict} on average"
    return contrast.verdict


def _gain(one: Comparison) -> float:
    change = one.change.value if one.change is not None else 0.0
    return change if one.lower_is_better else -change


def _of_mean(mean: Comparison, reference: str, averaged: int) -> str:
    named = f"mean over {averaged} targets" if averaged > 1 else f"loss on {mean.target[:60]!r}"
    what = f"Predicted {named}: {mean.chosen.value:.3f}{_bracket(mean.chosen)}"
    if mean.change is None or mean.reference is None:
        return f"{what}."
    said = {
        "noise": "the difference is within its 90 % interval",
        "unknown": "how large the noise is, is not known",
    }.get(mean.verdict, "the difference exceeds its 90 % interval")
    before = f"{signed(mean.change.value)} against {mean.reference.value:.3f} of {reference}"
    return f"{what}, {before}; {said}{_bracket(mean.change, sign=True)}."


def signed(value: float, digits: int = 3) -> str:
    """A number with its sign, the minus as typographers write it."""
    return f"{value:+.{digits}f}".replace("-", "−")


def _bracket(one: Estimate, *, sign: bool = False) -> str:
    if math.isnan(one.low):
        return ""
    return (
        f" ({signed(one.low)} to {signed(one.high)})"
        if sign
        else f" ({one.low:.3f} to {one.high:.3f})"
    )


# ---- the law, the constraints, the others, the files


def _law(law: Law | None) -> tuple[tuple[str, str], ...]:
    """What the law says of itself: label to text."""
    if law is None:
        return ()
    diagnostics = getattr(law, "diagnostics", {}) or {}
    outside: list[tuple[str, str]] = []
    found = [("law", repr(law))]
    for name, values in diagnostics.items():
        numbers = [
            float(value)
            for value in np.atleast_1d(np.asarray(values, object))
            if _number(value) is not None
        ]
        if not numbers or all(
            isinstance(value, bool) for value in np.atleast_1d(np.asarray(values, object))
        ):
            continue
        beyond = str(name).lower().startswith(OUT_OF_SAMPLE)
        (outside if beyond else found).append(
            (FIT.get(str(name), str(name).replace("_", " ")), _spread(numbers))
        )
    absent = "not known: the law does not say its error on runs that it was not fitted to; rv.compare measures it"
    found += outside or [("out of sample", absent)]
    return tuple(found)


def _spread(numbers: Sequence[float]) -> str:
    low, middle, high = min(numbers), float(np.median(numbers)), max(numbers)
    return (
        f"{middle:.4g}"
        if low == high
        else f"{middle:.3g} (median over targets; {low:.3g} to {high:.3g})"
    )


def _constraints(source: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Where the mixture came from: label to text."""
    shown = {
        str(key): _said(str(key), to_jsonable(value))
        for key, value in source.items()
        if key != "predicted_interval_90"
    }
    return tuple(
        (LABELS.get(key, key.replace("_", " ")), value) for key, value in shown.items() if value
    )


def _said(key: str, value: Any) -> str:
    if key == "budget" and _number(value) is not None:
        return f"{format_count(float(value))} tokens"
    if isinstance(value, Mapping):
        numbers = set(map(_number, value.values()))
        if len(value) > 2 and len(numbers) == 1 and None not in numbers:
            return f"all {len(value)} alike, {numbers.pop():.4g}"
        parts = [
            f"{name} "
            f"{' to '.join(_said('', one) for one in item) if isinstance(item, list) else _said('', item)}"
            for name, item in value.items()
        ]
        return ", ".join(parts[:24]) + (f" and {len(parts) - 24} more" if len(parts) > 24 else "")
    if isinstance(value, list):
        return ", ".join(_said("", one) for one in value[:24])
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _rejected(name: str, entry: Any) -> tuple[Mixture, str]:
    pair = entry if isinstance(entry, tuple | list) else (entry, "")
    if len(pair) != 2 or not isinstance(pair[0], Mapping):
        raise ReweightvizError(
            f"rejected= maps a name to (mixture, reason); that of {name[:60]!r} is "
            f"{type(entry).__name__}."
        )
    return pair[0] if isinstance(pair[0], Mixture) else Mixture(pair[0]), str(pair[1])


def _judged(
    name: str,
    other: Mixture,
    reason: str,
    chosen: Mixture,
    law: Law | None,
    sources: Sources | None,
    budget: float | None,
    told: Mapping[str, Any],
) -> Rejected:
    asked = [_as_the_law_knows(law, one, sources) for one in (other, chosen)]
    mean = _compared(law, asked, told)[0][:1]
    epochs = max(_epochs(other, sources, budget).values(), default=None)
    return Rejected(
        name,
        reason,
        _moved(chosen, other),
        epochs,
        mean[0].chosen if mean else None,
        mean[0].change if mean else None,
        mean[0].verdict if mean else "unknown",
    )


def _written(
    path: str | os.PathLike[str], sources: Sources | None, tokens: float | None
) -> Written:
    try:
        report = check(path, sources=sources, tokens=tokens)
    except ReweightvizError:
        return Written(str(path), "", "", ())
    record = find_exporter(path).open(path).record
    written = (
        (f"written by {record['written_by']} at {record['created']}",)
        if record.get("created")
        else ()
    )
    options = (f"options: {_said('', record['options'])}",) if record.get("options") else ()
    state = (
        f"{report.title} would refuse: {report.refused[0]}"
        if report.refused
        else "read back, nothing that would be refused"
    )
    dropped = [
        row["domain"] for row in report.table.to_dict("records") if not isinstance(row["name"], str)
    ]
    left_out = (f"left out, weight 0: {listed(dropped)}",) if dropped else ()
    edited = tuple(note for note in report.notes if "edited since" in note)
    return Written(
        str(path), report.title, report.unit, (*written, *options, *left_out, state, *edited)
    )


def _number(value: object) -> float | None:
    return (
        float(value)
        if isinstance(value, int | float | np.number)
        and not isinstance(value, bool)
        and math.isfinite(value)
        else None
    )
