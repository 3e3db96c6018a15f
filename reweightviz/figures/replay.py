"""Several mixers side by side, as plotly figures: their weights, what a law predicts of them, how a step size changes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from reweightviz.core.errors import ReweightvizError, listed
from reweightviz.core.lineage import Lineage
from reweightviz.core.protocols import Law
from reweightviz.core.runlog import RunLog
from reweightviz.figures.curves import escape_plotly
from reweightviz.figures.runs import Colors, check_logs, color_domains, name_runs
from reweightviz.figures.theme import (
    BETTER,
    MUTED,
    REST,
    SMALL,
    WORSE,
    dress_panels,
    style_axis,
    style_title,
    tint,
)
from reweightviz.numerics.contrast import contrast_mixtures, directions, prepend_mean, weigh_targets

MEAN = "mean of targets"
HOVER = (
    "%{y}<br>predicted %{customdata[0]:.4f}<br>"
    "change %{x:+.4f} (%{customdata[1]:+.4f} to %{customdata[2]:+.4f}): "
    "%{customdata[3]}<extra></extra>"
)
LEGEND = {"font": SMALL, "itemsizing": "constant", "traceorder": "reversed"}


def replay_figure(
    logs: Sequence[RunLog],
    *,
    most: int = 6,
    across: int = 3,
    colors: Colors = None,
    height: int = 230,
) -> go.Figure:
    """Weights of several runs or replays over the steps: a panel each, stacked areas that add up to 100 %.

    With many domains the lines of several runs are a thicket; here only those domains have a
    colour whose weight differs most, over the steps and between the panels, in the same order in
    every panel. The others are one grey area.

    Args:
        logs: runs and replays of the same domains.
        most: domains with a colour.
        across: panels in a row.
        colors: domain to CSS colour, or one a domain in their order.
        height: pixels of a row.

    Raises:
        ReweightvizError: no log, or logs of different domains.

    Example:
        >>> log = RunLog(("web", "code", "math"), [1, 2], [[0.5, 0.3, 0.2], [0.3, 0.4, 0.3]])
        >>> [trace.name for trace in replay_figure([log], most=1).data]
        ['web', '2 others']
    """
    logs = check_logs(logs)
    domains = logs[0].domains
    strangers = [log.name for log in logs if log.domains != domains]
    if strangers:
        raise ReweightvizError(
            "logs side by side have the same domains in the same order; "
            f"{listed(strangers)} has others."
        )
    paint, everything = color_domains(logs, colors), np.concatenate([log.weights for log in logs])
    spread = np.nanmax(everything, axis=0) - np.nanmin(everything, axis=0)
    shown = sorted(np.argsort(-spread, kind="stable")[:most].tolist())
    rest = [k for k in range(len(domains)) if k not in shown]
    across = min(across, len(logs))
    figure, places = _make_panels([escape_plotly(name, 34) for name in name_runs(logs)], across)
    for log, place in zip(logs, places, strict=True):
        for k in shown:
            figure.add_trace(
                _draw_area(
                    log, log.weights[:, k], domains[k], paint[domains[k]], first=place == places[0]
                ),
                **place,
            )
        if rest:
            others = f"{len(rest)} others" if len(rest) > 1 else domains[rest[0]]
            figure.add_trace(
                _draw_area(
                    log, log.weights[:, rest].sum(1), others, REST, first=place == places[0]
                ),
                **place,
            )
    figure.update_xaxes(style_axis(showgrid=False))
    figure.update_yaxes(style_axis(range=[0, 100], ticksuffix=" %"))
    figure.update_xaxes(title=style_title("step"), row=-(-len(logs) // across))
    return dress_panels(
        figure, height * -(-len(logs) // across) + 60, top=40, bottom=46, legend=LEGEND
    )


def consequence_figure(
    law: Law,
    mixtures: Mapping[str, Mapping[str, float]],
    baseline: str,
    *,
    level: float = 0.9,
    most: int | None = None,
    height: int | None = None,
) -> go.Figure:
    """What a fitted law predicts under each mixture: the change to a baseline, a panel a mixture, a row a target.

    The bar is the interval of the change (:mod:`reweightviz.numerics.contrast`): the expected loss
    changes by that much with probability ``level``, as far as the law's draws can be trusted; the
    noise of one run is not in it. A dot is full where the change and its whole bar lie on one side
    of 0, and coloured by whether that side is the better one.

    Args:
        law: fitted to runs of the same domains.
        mixtures: name to domain weights, the baseline among them.
        baseline: name of the mixture that the others are compared with.
        level: probability of the bars.
        most: targets with a row, those that change most; all when not given.
        height: pixels; by the number of targets when not given.

    Raises:
        ReweightvizError: the baseline is not among the mixtures, or there is no other.
    """
    others = [name for name in mixtures if name != baseline]
    if baseline not in mixtures or not others:
        raise ReweightvizError(
            f"mixtures are compared with one of them, {baseline!r}; got {listed(mixtures)}."
        )
    table = consequences(law, mixtures, baseline, level=level)
    rows = list(table.loc[others[0]].index)
    change = table["change"].abs().groupby(level="target").max()
    kept = set(change.drop(MEAN).nlargest(most or len(rows)).index)
    rows = [MEAN, *(row for row in rows if row in kept)]
    figure, places = _make_panels(
        [escape_plotly(name, 24) for name in others], len(others), shared_y=True
    )
    for name, place in zip(others, places, strict=True):
        part = table.loc[name].loc[rows]
        known = part["verdict"].isin(["better", "worse"])
        good = (part["change"] < 0) == part["lower_is_better"]
        paint = [BETTER if each else WORSE for each in good]
        symbols = ["circle" if each else "circle-open" for each in known]
        figure.add_trace(
            go.Scatter(
                x=part["change"],
                y=[f"<b>{row}</b>" if row == MEAN else escape_plotly(row, 28) for row in rows],
                mode="markers",
                showlegend=False,
                marker={"size": 8, "color": paint, "symbol": symbols, "line": {"width": 1.5}},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": part["high"] - part["change"],
                    "arrayminus": part["change"] - part["low"],
                    "color": MUTED,
                    "thickness": 1,
                    "width": 0,
                },
                customdata=part[["predicted", "low", "high", "verdict"]],
                hovertemplate=HOVER,
            ),
            **place,
        )
        figure.add_vline(x=0, line={"color": MUTED, "width": 1, "dash": "dot"}, **place)
    reach = float(
        np.nanmax(
            np.abs(table.loc[others].loc[(slice(None), rows), ["low", "high", "change"]].to_numpy())
        )
    )
    figure.update_xaxes(style_axis(range=[-1.08 * reach, 1.08 * reach], nticks=4))
    figure.update_yaxes(
        style_axis(autorange="reversed", type="category", nticks=0, dtick=1, automargin=True)
    )
    figure.update_xaxes(
        title=style_title(f"predicted change to {escape_plotly(baseline, 20)}"),
        col=(len(others) + 1) // 2,
    )
    return dress_panels(figure, height or 110 + 20 * len(rows), top=40, bottom=46, legend=LEGEND)


def consequences(
    law: Law, mixtures: Mapping[str, Mapping[str, float]], baseline: str, *, level: float = 0.9
) -> pd.DataFrame:
    """Return what a law predicts: a row a mixture and target, and one of their mean.

    ``predicted`` is the loss, ``change`` its difference to the baseline's, ``low`` and ``high`` the
    interval of that change and ``verdict`` what it amounts to, as
    :mod:`reweightviz.numerics.contrast` has them. Where targets differ in direction, the mean is
    that of the losses; ``lower_is_better`` is each row's direction.
    """
    weights = np.array(
        [Lineage().mixture_onto(mixture, law.domains).array for mixture in mixtures.values()]
    )
    lower = directions(law)
    shares = weigh_targets(lower)
    predicted = prepend_mean(np.asarray(law.predict(weights), np.float64), shares)
    start = weights[list(mixtures).index(baseline)]
    tables = {}
    for r, name in enumerate(mixtures):
        mean, targets = contrast_mixtures(law, np.stack([weights[r], start]), level=level)
        rows = pd.DataFrame([mean, *targets], index=pd.Index([MEAN, *law.targets], name="target"))
        rows.insert(0, "predicted", predicted[r])
        rows["lower_is_better"] = [bool(lower.any()), *lower.tolist()]
        tables[name] = rows
    return pd.concat(tables, names=["mixture"])


def sensitivity_figure(
    weights: pd.DataFrame,
    effective: pd.Series[float],
    *,
    parameter: str,
    own: float,
    most: int = 6,
    height: int = 420,
) -> go.Figure:
    """A mixer's answer by the value of one of its numbers: the weights above, how even they are below.

    Args:
        weights: a row a value, a column a domain.
        effective: number of domains (rows,).
        parameter: name of the number.
        own: the value that the mixer has; it is marked.
        most: domains with a colour and a name, those that move most; the others are grey lines.
        height: pixels.
    """
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.72, 0.28], vertical_spacing=0.07)
    paint = color_domains(
        [
            RunLog(
                tuple(map(str, weights.columns)),
                np.zeros(0, np.int64),
                np.empty((0, weights.shape[1])),
            )
        ]
    )
    named = set((weights.max() - weights.min()).nlargest(most).index)
    for domain in sorted(weights.columns, key=lambda name: name in named):
        told, title = domain in named, escape_plotly(str(domain), 28)
        figure.add_trace(
            go.Scatter(
                x=weights.index,
                y=100 * weights[domain],
                name=title,
                mode="lines+markers" if told else "lines",
                showlegend=told,
                line={"color": paint[str(domain)] if told else REST, "width": 2 if told else 1},
                marker={"size": 5},
                hovertemplate=f"{title}<br>{parameter} %{{x:.3g}} · %{{y:.3~f}} %<extra></extra>",
            ),
            row=1,
            col=1,
        )
    figure.add_trace(
        go.Scatter(
            x=effective.index,
            y=effective,
            mode="lines+markers",
            showlegend=False,
            line={"color": MUTED, "width": 2},
            hovertemplate=f"{parameter} %{{x:.3g}} · %{{y:.1f}} domains<extra></extra>",
        ),
        row=2,
        col=1,
    )
    for row in (1, 2):
        figure.add_vline(x=own, line={"color": MUTED, "width": 1, "dash": "dash"}, row=row, col=1)
    ratio = bool(weights.index.min() > 0) and len(weights) > 1
    figure.update_xaxes(style_axis(type="log" if ratio else "linear", dtick=1 if ratio else None))
    figure.update_xaxes(title=style_title(f"{parameter} (dashed: {own:g}, the mixer's own)"), row=2)
    figure.update_yaxes(style_axis(rangemode="tozero"))
    figure.update_yaxes(ticksuffix=" %", title=style_title("weight in the answer"), row=1)
    figure.update_yaxes(
        title=style_title("effective<br>domains"), range=[0, 1.08 * weights.shape[1]], row=2
    )
    return dress_panels(figure, height, top=40, bottom=46, legend=LEGEND)


# ---- the drawing


def _make_panels(
    titles: Sequence[str], across: int, *, shared_y: bool = True
) -> tuple[go.Figure, list[dict[str, int]]]:
    down = -(-len(titles) // across)
    figure = make_subplots(
        down,
        across,
        subplot_titles=titles,
        shared_xaxes=True,
        shared_yaxes=shared_y,
        horizontal_spacing=0.03,
        vertical_spacing=min(0.14, 0.5 / down) if down > 1 else 0,
    )
    return figure, [
        {"row": place // across + 1, "col": place % across + 1} for place in range(len(titles))
    ]


def _draw_area(
    log: RunLog, weights: NDArray[np.float64], name: str, color: str, *, first: bool
) -> go.Scatter:
    opacity = 0.75 if color.startswith("#") else 0.2
    return go.Scatter(
        x=log.steps,
        y=100 * weights,
        name=escape_plotly(name, 28),
        legendgroup=name,
        showlegend=first,
        stackgroup="weights",
        mode="lines",
        line={"width": 0.6, "color": tint(color, 1)},
        fillcolor=tint(color, opacity),
        hovertemplate=f"<b>{escape_plotly(name, 28)}</b><br>step %{{x:,}} · %{{y:.3~f}} %<extra></extra>",
    )
