"""The decision record as one HTML page: no scripts, nothing fetched, every name is text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from reweightviz.core.text import to_html
from reweightviz.core.token_counts import format_count
from reweightviz.decision.decision import (
    Decision,
    DomainRow,
    RejectedMixture,
    TargetPrediction,
    WrittenFile,
)
from reweightviz.decision.drawings import TONES, draw_bar, draw_change, measure_reach
from reweightviz.decision.html_pieces import (
    render_cell,
    render_estimate,
    render_interval,
    render_pairs,
    render_percent,
    render_section,
    render_table,
)
from reweightviz.decision.notes import note_intervals, note_weights
from reweightviz.decision.words import REJECTED_COLUMNS, sign_number, word_epochs, word_tokens

__all__ = ["POLICY", "STYLE", "render_page"]


STYLE = Path(__file__).with_name("page.css")
# Names come from corpora and configs: one that slipped through as HTML could still run nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render_page(decision: Decision) -> str:
    """Return the page."""
    title = to_html(decision.title)
    sections = "\n".join([_mixture(decision), _predictions(decision), *_other_sections(decision)])
    # The style is written into the page, so that the record can be sent around as one file.
    foot = to_html(f"{note_weights(decision)} {decision.versions}. Record {decision.mark}.")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{title}</title>
<style>
{STYLE.read_text("utf-8")}</style>
</head>
<body>
<main>
<div class="head"><span>Decision record</span><span>{to_html(decision.created)}</span></div>
<h1>{title}</h1>
{_figures(decision)}
<div class="grid">
{sections}
</div>
<p class="foot"><small>{foot}</small></p>
</main>
</body>
</html>
"""


def _figures(decision: Decision) -> str:
    """Return the few large figures at the top."""
    cells = [
        f'<li><b class="{tone}">{value}</b><span>{to_html(label, 100)}</span></li>'
        for value, label, tone in _figure_rows(decision)
    ]
    if not cells:
        return ""
    return f'<ul class="figures">{"".join(cells)}</ul>'


def _figure_rows(decision: Decision) -> Iterator[tuple[str, str, str]]:
    """Yield each figure, its label and its tone."""
    if decision.mean is not None:
        yield from _loss_figures(decision, decision.mean)
    if decision.moved is not None:
        moved = f"of the tokens move, against {decision.reference}"
        yield f"{100 * decision.moved:.3g} %", moved, ""
    if decision.budget is not None:
        yield format_count(decision.budget), "tokens to train on", ""
    most = decision.most_repeated
    if most is not None:
        label = f"epochs at most: {most.domain}"
        yield f"{most.epochs:.3g}", label, _epochs_tone(most, decision)


def _loss_figures(decision: Decision, mean: TargetPrediction) -> Iterator[tuple[str, str, str]]:
    loss = f"predicted loss, {mean.target}"
    if decision.averaged > 1:
        loss = f"predicted mean loss of {decision.averaged} targets"
    yield f"{mean.chosen.value:.3f}", loss + _bracket(render_interval(mean.chosen)), ""
    if mean.change is None:
        return
    verdict = {"noise": "within its interval", "unknown": "noise unknown"}.get(
        mean.verdict, "exceeds its interval"
    )
    interval = _bracket(render_interval(mean.change, sign=True))
    against = f"against {decision.reference}; {verdict}{interval}"
    yield sign_number(mean.change.value), against, TONES[mean.verdict]
    if len(decision.targets) > 1 and mean.verdict != "unknown":
        better = decision.count_verdicts("better")
        worse = decision.count_verdicts("worse")
        counts = {"good": better, "none": len(decision.targets) - better - worse, "bad": worse}
        parts = [f'<em class="{tone}">{count}</em>' for tone, count in counts.items()]
        yield " · ".join(parts), "targets better · within the noise · worse", ""


def _bracket(interval: str) -> str:
    if not interval:
        return ""
    return f" ({interval})"


def _mixture(decision: Decision) -> str:
    rows = decision.rows
    head = ["domain", "", "weight"]
    columns: list[Callable[[DomainRow, Decision], str]] = []
    if any(row.reference is not None for row in rows):
        head += ["reference", "change"]
        columns.append(_reference_cells)
        note = f"Bar: the weight; tick: {to_html(decision.reference)}; change in points. "
    else:
        note = "Bar: the weight. "
    if any(row.available is not None for row in rows):
        head.append("available")
        columns.append(_available_cell)
    if any(row.epochs is not None for row in rows):
        head.append("epochs")
        columns.append(_epochs_cell)
        if decision.budget:
            budget = format_count(decision.budget)
            note += f"Epochs at {budget} tokens, red above {decision.limit:g}."
    most = max(max(row.weight, row.reference or 0.0) for row in rows)
    body = []
    for row in rows:
        name = f'<i style="background: {row.color}"></i>{to_html(row.domain)}'
        cells = [
            render_cell(name, "name", row.domain),
            render_cell(draw_bar(row, most)),
            render_cell(render_percent(row.weight)),
            *(column(row, decision) for column in columns),
        ]
        body.append("".join(cells))
    return render_section("Mixture", render_table(head, body) + f"<small>{note}</small>")


def _reference_cells(row: DomainRow, _: Decision) -> str:
    change = sign_number(100 * (row.weight - (row.reference or 0.0)), 1)
    return render_cell(render_percent(row.reference), "soft") + render_cell(change)


def _available_cell(row: DomainRow, _: Decision) -> str:
    return render_cell(word_tokens(row.available), "soft")


def _epochs_cell(row: DomainRow, decision: Decision) -> str:
    if row.epochs is None:
        return render_cell("")
    epochs = f"{row.epochs:.2f}" if row.epochs < 100 else f"{row.epochs:.3g}"
    return render_cell(epochs, _epochs_tone(row, decision))


def _epochs_tone(row: DomainRow, decision: Decision) -> str:
    if decision.exceeds_limit(row):
        return "over"
    return ""


def _predictions(decision: Decision) -> str:
    if decision.mean is None:
        return render_section(
            "Predicted losses", "<p>No law was given, so nothing is predicted.</p>"
        )
    rows = decision.predictions
    first = "first" if len(rows) > 1 else ""
    head = ["target", "chosen"]
    if decision.mean.change is not None:
        head += ["reference", "difference", ""]
    reach = measure_reach(rows)
    table = render_table(head, [_target_row(one, reach) for one in rows], first)
    note = to_html(note_intervals(decision, " (hollow dots)"))
    return render_section("Predicted losses", f"{table}<small>{note}</small>")


def _target_row(one: TargetPrediction, reach: float) -> str:
    name = to_html(one.target)
    if not one.lower_is_better:
        name += ' <span class="soft">(higher is better)</span>'
    cells = [
        render_cell(name, "name", one.target),
        render_cell(render_estimate(one.chosen)),
    ]
    if one.reference is not None and one.change is not None:
        cells += [
            render_cell(render_estimate(one.reference), "soft"),
            render_cell(render_estimate(one.change, sign=True), TONES[one.verdict]),
            render_cell(draw_change(one, reach)),
        ]
    return "".join(cells)


def _other_sections(decision: Decision) -> Iterator[str]:
    if decision.rejected:
        rejected = [_row_of_rejected(one) for one in decision.rejected]
        table = render_table(REJECTED_COLUMNS, rejected, texts=(1,))
        yield render_section("Rejected", table, wide=True)
    if decision.constraints:
        yield render_section("Where the mixture came from", render_pairs(decision.constraints))
    if decision.law:
        yield render_section("The law", render_pairs(decision.law))
    if decision.files:
        items = "".join(map(_file_item, decision.files))
        yield render_section("Files", f"<ul>{items}</ul>", wide=True)


def _row_of_rejected(one: RejectedMixture) -> str:
    tone = ""
    if one.change is not None:
        tone = TONES[one.verdict]
    cells = [
        render_cell(to_html(one.name), "name", one.name),
        render_cell(to_html(one.reason), "text"),
        render_cell(render_estimate(one.mean)),
        render_cell(render_estimate(one.change, sign=True), tone),
        render_cell(render_percent(one.moved)),
        render_cell(word_epochs(one.epochs)),
    ]
    return "".join(cells)


def _file_item(file: WrittenFile) -> str:
    facts = ""
    if file.title:
        facts = (
            f"<br>{to_html(file.title)}: {to_html(file.unit)}.<br>"
            f"<small>{to_html('; '.join(file.facts))}</small>"
        )
    return f"<li><code>{to_html(file.path)}</code>{facts}</li>"
