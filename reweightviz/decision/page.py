"""The decision record as one HTML page: inline style and drawings, no scripts, nothing fetched, every name is text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from reweightviz.core.text import to_html
from reweightviz.core.token_counts import format_count
from reweightviz.decision.facts import Comparison, Decision, Estimate, Rejected, Row, signed

STYLE = Path(__file__).with_name("page.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
TONES = {
    "better": "good",
    "better on average": "good",
    "worse": "bad",
    "worse on average": "bad",
    "noise": "none",
    "unknown": "none",
}
BAR, FOREST = (64, 14), (70, 14)
"""Width and height of the drawings in the two tables."""


def html(found: Decision) -> str:
    """The page."""
    title, sections = (
        to_html(found.title),
        "\n".join([_mixture(found), _predictions(found), *_rest(found)]),
    )
    by = f", as counted by {to_html(found.tokenizer)}" if found.tokenizer else ""
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
<div class="head"><span>Decision record</span><span>{to_html(found.created)}</span></div>
<h1>{title}</h1>
{_figures(found)}
<div class="grid">
{sections}
</div>
<p class="foot"><small>A weight is a share of training tokens{by}. {to_html(found.versions)}.</small></p>
</main>
</body>
</html>
"""


def footnote(found: Decision, dots: str = "") -> str:
    """How the intervals were made, and what they do not hold, in a few sentences."""
    hopeful = (
        " The mixture was found by minimising this law, which flatters it."
        if ("method", "optimize") in found.constraints
        else ""
    )
    if found.paired:
        return (
            "Beside them 90 % intervals: for a loss, of one new run; for the difference, "
            f"of {found.paired} paired draws of the law, "
            "in which the noise that both runs share cancels. "
            f"“On average”{dots}: less than the noise of one run, which may not show it.{hopeful}"
        )
    if all(math.isnan(one.chosen.low) for one in found.targets):
        return (
            "The law gives no intervals, so it is not known whether a difference is more "
            "than noise." + hopeful
        )
    return (
        "Beside them 90 % intervals; that of a difference is as wide as the intervals of both "
        "allow, and that of a mean as if all targets erred together, since the law gives no "
        "paired draws." + hopeful
    )


def _figures(found: Decision) -> str:
    items = [*_loss_figures(found)]
    if found.moved is not None:
        items.append(
            (f"{100 * found.moved:.3g} %", f"of the tokens move, against {found.reference}", "")
        )
    if found.budget is not None:
        items.append((format_count(found.budget), "tokens to train on", ""))
    most = max(
        (row for row in found.rows if row.epochs is not None),
        key=lambda row: row.epochs or 0,
        default=None,
    )
    if most is not None and most.epochs is not None:
        items.append(
            (
                f"{most.epochs:.3g}",
                f"epochs at most: {most.domain}",
                "over" if _over(most, found) else "",
            )
        )
    cells = [
        f'<li><b class="{tone}">{value}</b><span>{to_html(label, 100)}</span></li>'
        for value, label, tone in items
    ]
    return f'<ul class="figures">{"".join(cells)}</ul>' if cells else ""


def _loss_figures(found: Decision) -> Iterator[tuple[str, str, str]]:
    mean = found.mean
    if mean is None:
        return
    what = (
        f"predicted mean loss of {found.averaged} targets"
        if found.averaged > 1
        else f"predicted loss, {mean.target}"
    )
    yield f"{mean.chosen.value:.3f}", what + _range(mean.chosen, " (", ")"), ""
    if mean.change is not None:
        said = {"noise": "within its interval", "unknown": "noise unknown"}.get(
            mean.verdict, "exceeds its interval"
        )
        against = f"against {found.reference}; {said}{_range(mean.change, ' (', ')', sign=True)}"
        yield signed(mean.change.value), against, TONES[mean.verdict]
        counts = [
            sum(one.verdict.startswith(word) for one in found.targets)
            for word in ("better", "worse")
        ]
        if len(found.targets) > 1 and mean.verdict != "unknown":
            rest = len(found.targets) - sum(counts)
            parts = zip((counts[0], rest, counts[1]), ("good", "none", "bad"), strict=True)
            yield (
                " · ".join(f'<em class="{tone}">{number}</em>' for number, tone in parts),
                "targets better · within the noise · worse",
                "",
            )


def _mixture(found: Decision) -> str:
    most = max([row.weight for row in found.rows] + [row.reference or 0.0 for row in found.rows])
    compared, tokens, epochs = (
        any(getattr(row, what) is not None for row in found.rows)
        for what in ("reference", "available", "epochs")
    )
    head = [
        "domain",
        "",
        "weight",
        *(["reference", "change"] if compared else []),
        *(["available"] if tokens else []),
        *(["epochs"] if epochs else []),
    ]
    body = []
    for row in found.rows:
        name = f'<i style="background: {row.color}"></i>{to_html(row.domain)}'
        cells = [
            _cell(name, "name", row.domain),
            _cell(_bar(row, most)),
            _cell(_percent(row.weight)),
        ]
        if compared:
            cells += [
                _cell(_percent(row.reference), "soft"),
                _cell(signed(100 * (row.weight - (row.reference or 0.0)), 1)),
            ]
        if tokens:
            cells.append(
                _cell("" if row.available is None else format_count(row.available), "soft")
            )
        if epochs:
            cells.append(
                _cell(
                    ""
                    if row.epochs is None
                    else f"{row.epochs:.2f}"
                    if row.epochs < 100
                    else f"{row.epochs:.3g}",
                    "over" if _over(row, found) else "",
                )
            )
        body.append("".join(cells))
    note = (
        f"Bar: the weight; tick: {to_html(found.reference)}; change in points. "
        if compared
        else "Bar: the weight. "
    )
    note += (
        f"Epochs at {format_count(found.budget)} tokens, red above {found.limit:g}."
        if epochs and found.budget
        else ""
    )
    return _section("Mixture", _table(head, body) + f"<small>{note}</small>")


def _predictions(found: Decision) -> str:
    if found.mean is None:
        return _section("Predicted losses", "<p>No law was given, so nothing is predicted.</p>")
    shown = [found.mean, *found.targets] if len(found.targets) > 1 else [*found.targets]
    compared = found.mean.change is not None
    head = ["target", "chosen", *(["reference", "difference", ""] if compared else [])]
    reach = _reach(shown)
    body = []
    for one in shown:
        name = to_html(one.target) + (
            "" if one.lower_is_better else ' <span class="soft">(higher is better)</span>'
        )
        cells = [_cell(name, "name", one.target), _cell(_interval(one.chosen))]
        if one.reference is not None and one.change is not None:
            cells += [
                _cell(_interval(one.reference), "soft"),
                _cell(_interval(one.change, sign=True), TONES[one.verdict]),
                _cell(_forest(one, reach)),
            ]
        body.append("".join(cells))
    first = "first" if len(shown) > 1 else ""
    return _section(
        "Predicted losses",
        _table(head, body, first) + f"<small>{to_html(footnote(found, ' (hollow dots)'))}</small>",
    )


def _rest(found: Decision) -> Iterator[str]:
    if found.rejected:
        head = [
            "mixture",
            "why",
            "predicted mean",
            "against the chosen",
            "tokens that differ",
            "most epochs",
        ]
        table = _table(head, ["".join(_rejected_cells(one)) for one in found.rejected], texts=(1,))
        yield _section("Rejected", table, wide=True)
    if found.constraints:
        yield _section("Where the mixture came from", _pairs(found.constraints))
    if found.law:
        yield _section("The law", _pairs(found.law))
    if found.files:
        items = []
        for file in found.files:
            said = (
                f"<br>{to_html(file.title)}: "
                f"{to_html(file.unit)}.<br><small>{to_html('; '.join(file.facts))}</small>"
                if file.title
                else ""
            )
            items.append(f"<li><code>{to_html(file.path)}</code>{said}</li>")
        yield _section("Files", f"<ul>{''.join(items)}</ul>", wide=True)


def _rejected_cells(one: Rejected) -> Iterator[str]:
    yield _cell(to_html(one.name), "name", one.name)
    yield _cell(to_html(one.reason), "text")
    yield _cell(_interval(one.mean) if one.mean else "")
    yield _cell(_interval(one.change, sign=True) if one.change else "", TONES[one.verdict])
    yield _cell(_percent(one.moved))
    yield _cell("" if one.epochs is None else f"{one.epochs:.3g}")


# ---- drawings


def _bar(row: Row, most: float) -> str:
    width, height = BAR
    scale = width / most if most else 0.0
    tick = (
        ""
        if row.reference is None
        else _rect(max(min(row.reference * scale, width) - 1, 0), 0, 2, height, "var(--ink)")
    )
    return _svg(
        BAR,
        _rect(0, 0.5, width, height - 1, "var(--band)")
        + _rect(0, 3, row.weight * scale, height - 6, row.color)
        + tick,
    )


def _forest(one: Comparison, reach: float) -> str:
    """The interval of the difference around 0: to the left is lower."""
    width, height = FOREST
    change = one.change or Estimate(math.nan)
    at = [
        width / 2 * (1 + max(-1.0, min(1.0, value / reach)))
        for value in change
        if math.isfinite(value)
    ]
    color = {"good": "var(--good)", "bad": "var(--bad)"}.get(TONES[one.verdict], "var(--faint)")
    zero = _rect(width / 2 - 0.5, 0, 1, height, "var(--faint)")
    line = (
        _rect(min(at[1:]), height / 2 - 1.5, max(max(at[1:]) - min(at[1:]), 1), 3, color)
        if len(at) == len(change)
        else ""
    )
    solid = one.verdict in ("better", "worse")
    dot = (
        (
            f'<circle cx="{at[0]:.1f}" cy="{height / 2:g}" r="2.5" '
            f'fill="{color if solid else "var(--paper)"}" stroke="{color}" '
            'stroke-width="1.3"/>'
        )
        if at
        else ""
    )
    return _svg(FOREST, zero + line + dot)


def _reach(shown: Sequence[Comparison]) -> float:
    """Half the width of the shared axis."""
    ends = [
        abs(value)
        for one in shown
        if one.change is not None
        for value in one.change
        if math.isfinite(value)
    ]
    return 1.08 * max(ends, default=1.0) or 1.0


def _svg(size: tuple[int, int], content: str) -> str:
    width, height = size
    return f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" aria-hidden="true">{content}</svg>'


def _rect(x: float, y: float, width: float, height: float, color: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{height:g}" rx="1" style="fill: {color}"/>'


# ---- pieces


def _section(title: str, content: str, *, wide: bool = False) -> str:
    return f"<section{' class=wide' if wide else ''}>\n<h2>{title}</h2>\n{content}\n</section>"


def _table(
    head: Sequence[str], body: Sequence[str], first: str = "", texts: Sequence[int] = ()
) -> str:
    heads = "".join(
        f"<th{' class=text' if place in texts else ''}>{cell}</th>"
        for place, cell in enumerate(head)
    )
    rows = [
        f"<tr{f' class={first}' if first and not place else ''}>{row}</tr>"
        for place, row in enumerate(body)
    ]
    return f"<table>\n<tr>{heads}</tr>\n" + "\n".join(rows) + "\n</table>"


def _cell(content: str, kind: str = "", title: str = "") -> str:
    return f"<td{f' class={kind}' if kind else ''}{f' title={chr(34)}{to_html(title)}{chr(34)}' if title else ''}>{content}</td>"


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return (
        "<dl>"
        + "".join(f"<dt>{to_html(label)}</dt><dd>{to_html(value)}</dd>" for label, value in pairs)
        + "</dl>"
    )


def _interval(one: Estimate, *, sign: bool = False) -> str:
    shown = signed if sign else "{:.3f}".format
    return f"{shown(one.value)}{_range(one, ' <small>', '</small>', sign=sign)}"


def _range(one: Estimate, before: str, after: str, *, sign: bool = False) -> str:
    if math.isnan(one.low):
        return ""
    return (
        f"{before}{signed(one.low)} to {signed(one.high)}{after}"
        if sign
        else f"{before}{one.low:.3f}–{one.high:.3f}{after}"
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _over(row: Row, found: Decision) -> bool:
    return row.epochs is not None and row.epochs > found.limit * (1 + 1e-6)
