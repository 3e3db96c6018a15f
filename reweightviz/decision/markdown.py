"""The decision record in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reweightviz.core.text import to_markdown
from reweightviz.decision.decision import Decision, DomainRow, RejectedMixture, TargetPrediction
from reweightviz.decision.highlights import highlights
from reweightviz.decision.notes import note_intervals, note_weights
from reweightviz.decision.words import (
    REJECTED_COLUMNS,
    sign_number,
    word_epochs,
    word_estimate,
    word_tokens,
)

__all__ = ["TEXTS", "VERDICTS", "render_markdown"]


VERDICTS = {
    "better": "better",
    "better on average": "better on average",
    "noise": "within the noise",
    "worse on average": "worse on average",
    "worse": "worse",
    "unknown": "no interval",
}
TEXTS = ("domain", "target", "mixture", "why", "verdict")
"""Columns of text; all others are numbers."""


def render_markdown(decision: Decision) -> str:
    """Return the record as Markdown; every name in it is text."""
    return "\n".join(_lines(decision)) + "\n"


def _lines(decision: Decision) -> Iterator[str]:
    yield from (f"# {to_markdown(decision.title)}", "")
    yield from (f"Decision record, {decision.created}, {decision.versions}.", "")
    yield from (f"- {to_markdown(sentence)}" for sentence in highlights(decision))
    weights = note_weights(decision)
    if decision.reference:
        weights += f" Compared with {decision.reference}."
    yield from ("", "## Mixture", "", to_markdown(weights), "", *_mixture_table(decision))
    yield from ("", "## Predicted losses", "", *_predictions(decision))
    if decision.constraints:
        yield from ("", "## Where the mixture came from", "", *_items(decision.constraints))
    if decision.rejected:
        rejected = map(_cells_of_rejected, decision.rejected)
        yield from ("", "## Rejected", "", *_table(REJECTED_COLUMNS, rejected))
    if decision.files:
        yield from ("", "## Files", "", *_file_items(decision))
    # A kill while both are replaced may leave one of them old.
    yield from ("", f"Record {decision.mark}; the HTML of the same decision ends with it too.")


def _mixture_table(decision: Decision) -> Iterator[str]:
    return _table(
        ["domain", "weight", "reference", "change (points)", "available", "drawn", "epochs"],
        [_domain_cells(row, decision) for row in decision.rows],
    )


def _domain_cells(row: DomainRow, decision: Decision) -> list[str]:
    reference = change = ""
    if row.reference is not None:
        reference = _percent(row.reference)
        change = sign_number(100 * (row.weight - row.reference), 2)
    epochs = word_epochs(row.epochs)
    if decision.exceeds_limit(row):
        epochs += " !"
    available = word_tokens(row.available)
    drawn = word_tokens(row.drawn)
    return [row.domain, _percent(row.weight), reference, change, available, drawn, epochs]


def _predictions(decision: Decision) -> Iterator[str]:
    if decision.mean is None:
        yield "No law was given, so nothing is predicted."
        return
    yield from _table(
        ["target", "chosen", "reference", "difference", "verdict"],
        map(_target_cells, decision.predictions),
    )
    yield from ("", note_intervals(decision))
    yield from ("", "## The law", "", *_items(decision.law))


def _target_cells(one: TargetPrediction) -> list[str]:
    target = one.target
    if not one.lower_is_better:
        target += " (higher is better)"
    verdict = ""
    if one.change is not None:
        verdict = VERDICTS[one.verdict]
    return [
        target,
        word_estimate(one.chosen),
        word_estimate(one.reference),
        word_estimate(one.change, sign=True),
        verdict,
    ]


def _cells_of_rejected(one: RejectedMixture) -> list[str]:
    change = ""
    if one.change is not None:
        change = f"{word_estimate(one.change, sign=True)}, {VERDICTS[one.verdict]}"
    return [
        one.name,
        one.reason,
        word_estimate(one.mean),
        change,
        _percent(one.moved),
        word_epochs(one.epochs),
    ]


def _file_items(decision: Decision) -> Iterator[str]:
    for file in decision.files:
        item = f"- {to_markdown(file.path)}"
        if file.title:
            facts = (f"{file.title}, {file.unit}", *file.facts)
            item += f": {'; '.join(map(to_markdown, facts))}"
        yield item


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table without the columns that are empty."""
    body = list(rows)
    # Without sources or a reference half of the columns would be blank.
    columns = [place for place in range(len(head)) if any(row[place] for row in body)]
    yield _row([head[place] for place in columns])
    yield _row(["---" if head[place] in TEXTS else "---:" for place in columns])
    for row in body:
        yield _row([to_markdown(row[place]) for place in columns])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _items(pairs: Sequence[tuple[str, str]]) -> list[str]:
    return [f"- {to_markdown(label)}: {to_markdown(text)}" for label, text in pairs]


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
