"""The highlights of a decision, in a few sentences."""

from __future__ import annotations

from collections.abc import Iterator

from reweightviz.core.errors import list_names
from reweightviz.core.token_counts import format_count
from reweightviz.decision.decision import Decision, TargetPrediction
from reweightviz.decision.words import sign_number, word_interval

__all__ = ["VERDICTS", "highlights"]


VERDICTS = {
    "better": "better",
    "worse": "worse",
    "noise": "within the noise",
    "unknown": "without an interval",
}


def highlights(decision: Decision) -> Iterator[str]:
    """Yield the decision's sentences."""
    mean = decision.mean
    if mean is not None:
        yield _word_mean(mean, decision.reference, decision.averaged)
    if decision.targets and mean is not None and mean.change is not None:
        counts = {words: decision.count_verdicts(verdict) for verdict, words in VERDICTS.items()}
        parts = [f"{count} {words}" for words, count in counts.items() if count]
        yield f"Of {len(decision.targets)} targets: {', '.join(parts)}."
    if decision.moved is not None:
        yield (
            f"{100 * decision.moved:.3g} % of the training tokens move, "
            f"against {decision.reference}."
        )
    most = decision.most_repeated
    if most is not None and decision.budget is not None:
        often = [row.domain for row in decision.rows if decision.exceeds_limit(row)]
        above = ""
        if often:
            above = f"; above {decision.limit:g}: {list_names(often)}"
        yield (
            f"At {format_count(decision.budget)} tokens the most repeated domain is "
            f"{most.domain[:60]!r}, {most.epochs:.3g} epochs{above}."
        )


def _word_mean(mean: TargetPrediction, reference: str, averaged: int) -> str:
    named = f"loss on {mean.target[:60]!r}"
    if averaged > 1:
        named = f"mean over {averaged} targets"
    predicted = f"Predicted {named}: {mean.chosen.value:.3f}{word_interval(mean.chosen)}"
    if mean.change is None or mean.reference is None:
        return f"{predicted}."
    verdict = {
        "noise": "the difference is within its 90 % interval",
        "unknown": "how large the noise is, is not known",
    }.get(mean.verdict, "the difference exceeds its 90 % interval")
    before = f"{sign_number(mean.change.value)} against {mean.reference.value:.3f} of {reference}"
    return f"{predicted}, {before}; {verdict}{word_interval(mean.change, sign=True)}."
