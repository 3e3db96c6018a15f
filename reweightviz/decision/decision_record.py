"""The decision record: one page on which mixture was chosen, beside what, and why; Markdown and HTML."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reweightviz.core.errors import InvalidArgument
from reweightviz.core.files import write_all
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Law
from reweightviz.core.sources import Sources
from reweightviz.core.text import to_markdown
from reweightviz.core.token_counts import format_count, parse_budget
from reweightviz.decision import page as decision_page
from reweightviz.decision.facts import Decision, Estimate, facts, signed

WORDS = {
    "better": "better",
    "better on average": "better on average",
    "noise": "within the noise",
    "worse on average": "worse on average",
    "worse": "worse",
    "unknown": "no interval",
}
TEXTS = ("domain", "target", "mixture", "why", "verdict")
ENDINGS = (".md", ".markdown", ".html", ".htm")


def decision_record(
    mixture: Mapping[str, float],
    path: str | os.PathLike[str],
    *,
    reference: Mapping[str, float] | None = None,
    law: Law | None = None,
    sources: Sources | Mapping[str, Any] | None = None,
    tokens: float | str | None = None,
    given: Mapping[str, Any] | None = None,
    rejected: Mapping[str, Any] | None = None,
    files: Sequence[str | os.PathLike[str]] = (),
    title: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write one page on a decision: ``<path>.md``, and the same with pictures, standalone, in ``<path>.html``.

    Args:
        mixture: what was chosen; its ``source`` says by which method and constraints.
        path: of the Markdown; the HTML lies beside it under the same name.
        reference: what it is compared with; the natural mixture of ``sources`` when not given.
        law: predicts every target under both, with 90 % intervals and whether the difference
            exceeds its own.
        sources: what there is of each domain, for natural weights and epochs; those of a corpus
            know which domains were split, and from which of the law's.
        tokens: budget of the run; the one in the mixture's source when not given.
        given: what else the law predicts from, such as ``{"size": 1e9}``; what the mixture was
            proposed with when not given.
        rejected: name to (mixture, reason) of what was not chosen.
        files: what was exported; each is read back and its unit and provenance are stated.
        title: of the page.
        overwrite: replace a record that is there.

    Returns:
        The path of the Markdown.
    """
    if not isinstance(mixture, Mapping):
        raise InvalidArgument(
            name="rv.decision_record",
            value=mixture,
            expected="a mixture, a mapping of domain to weight",
            got=type(mixture).__name__,
        )
    chosen = mixture if isinstance(mixture, Mixture) else Mixture(mixture)
    table = Sources.of(sources)
    found = facts(
        chosen,
        reference=reference,
        law=law,
        sources=table,
        tokens=parse_budget(tokens),
        rejected=rejected,
        files=[files] if isinstance(files, str | os.PathLike) else files,
        title=title,
        given=given,
    )
    given = Path(path)
    base = given.with_suffix("") if given.suffix.lower() in ENDINGS else given
    page, text = base.with_name(base.name + ".html"), base.with_name(base.name + ".md")
    write_all(
        {page: decision_page.html(found), text: "\n".join(_lines(found)) + "\n"},
        overwrite=overwrite,
    )
    return text


def _lines(found: Decision) -> Iterator[str]:
    yield from (
        f"# {to_markdown(found.title)}",
        "",
        f"Decision record, {found.created}, {found.versions}.",
        "",
    )
    yield from (f"- {to_markdown(sentence)}" for sentence in found.highlights())
    by = f", as counted by {to_markdown(found.tokenizer)}" if found.tokenizer else ""
    beside = f" Compared with {to_markdown(found.reference)}." if found.reference else ""
    yield from ("", "## Mixture", "", f"A weight is a share of training tokens{by}.{beside}", "")
    yield from _table(
        ["domain", "weight", "reference", "change (points)", "available", "drawn", "epochs"],
        [
            [
                row.domain,
                _percent(row.weight),
                _percent(row.reference),
                _points(row.weight, row.reference),
                _tokens(row.available),
                _tokens(row.drawn),
                ""
                if row.epochs is None
                else f"{row.epochs:.3g}" + (" !" if row.epochs > found.limit * (1 + 1e-6) else ""),
            ]
            for row in found.rows
        ],
    )
    yield from ("", "## Predicted losses", "")
    if found.mean is None:
        yield "No law was given, so nothing is predicted."
    else:
        both = (
            [found.mean, *found.targets]
            if found.averaged > 1 or len(found.targets) > 1
            else [*found.targets]
        )
        yield from _table(
            ["target", "chosen", "reference", "difference", "verdict"],
            [
                [
                    one.target + ("" if one.lower_is_better else " (higher is better)"),
                    _estimate(one.chosen),
                    _estimate(one.reference),
                    _estimate(one.change, sign=True),
                    WORDS[one.verdict] if one.change else "",
                ]
                for one in both
            ],
        )
        yield from ("", decision_page.footnote(found))
        yield from ("", "## The law", "", *_pairs(found.law))
    if found.constraints:
        yield from ("", "## Where the mixture came from", "", *_pairs(found.constraints))
    if found.rejected:
        yield from ("", "## Rejected", "")
        yield from _table(
            [
                "mixture",
                "why",
                "predicted mean",
                "against the chosen",
                "tokens that differ",
                "most epochs",
            ],
            [
                [
                    one.name,
                    one.reason,
                    _estimate(one.mean),
                    _estimate(one.change, sign=True)
                    + (f", {WORDS[one.verdict]}" if one.change else ""),
                    _percent(one.moved),
                    "" if one.epochs is None else f"{one.epochs:.3g}",
                ]
                for one in found.rejected
            ],
        )
    if found.files:
        yield from ("", "## Files", "")
        for file in found.files:
            said = "; ".join(map(to_markdown, (f"{file.title}, {file.unit}", *file.facts)))
            yield (
                f"- {to_markdown(file.path)}: {said}"
                if file.title
                else f"- {to_markdown(file.path)}"
            )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table without the columns that are empty."""
    kept = [place for place in range(len(head)) if any(row[place] for row in rows)]
    yield "| " + " | ".join(head[place] for place in kept) + " |"
    yield "| " + " | ".join("---" if head[place] in TEXTS else "---:" for place in kept) + " |"
    for row in rows:
        yield "| " + " | ".join(to_markdown(row[place]) for place in kept) + " |"


def _pairs(pairs: Sequence[tuple[str, str]]) -> list[str]:
    return [f"- {to_markdown(label)}: {to_markdown(value)}" for label, value in pairs]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f} %"


def _points(share: float, before: float | None) -> str:
    return "" if before is None else signed(100 * (share - before), 2)


def _tokens(value: float | None) -> str:
    return "" if value is None else format_count(value)


def _estimate(one: Estimate | None, *, sign: bool = False) -> str:
    if one is None:
        return ""
    shown = signed if sign else "{:.3f}".format
    return shown(one.value) + (
        "" if math.isnan(one.low) else f" ({shown(one.low)} to {shown(one.high)})"
    )
