"""Views of runs as files: a page that needs no network, a picture, a long table."""

from __future__ import annotations

import html
import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from reweightviz.apps.monitor.numbers_table import write_numbers
from reweightviz.core.errors import InvalidValue, MissingPackage, ReweightvizError
from reweightviz.core.files import inside_folder, write_atomically
from reweightviz.core.runlog import RunLog
from reweightviz.figures import svg_plane
from reweightviz.figures.run_svg import draw_run_svg
from reweightviz.figures.runs import name_runs
from reweightviz.figures.theme import CLEAR, MUTED

__all__ = ["ENDINGS", "collect_notes", "save_views"]


ENDINGS = (".html", ".svg", ".csv", ".png")
_HEIGHT = 380  # pixels of a figure of the page, at least
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>:root {{ color-scheme: light dark }}
body {{ font: 14px system-ui, sans-serif; margin: 24px auto; max-width: 1100px; padding: 0 16px }}
h2 {{ font-size: 15px; margin: 28px 0 4px }} li {{ margin: 2px 0 }}
.js-plotly-plot text {{ fill: light-dark(#444, #bbb) !important }}</style>
<script>{script}</script></head><body><h1>{title}</h1>{body}</body></html>
"""


def save_views(
    path: str | os.PathLike[str],
    *,
    title: str,
    figures: Mapping[str, go.Figure],
    shown: str,
    logs: Sequence[RunLog],
    notes: Sequence[str] = (),
) -> Path:
    """Write views of runs to a file, in the form that its ending names.

    Args:
        path: ``.html`` for all figures and notes, ``.svg`` or ``.png`` for the figure on the page,
            ``.csv`` for the numbers.
        title: of the page.
        figures: by their titles.
        shown: title of the figure on the page.
        logs: the runs.
        notes: on the logs.

    Raises:
        ReweightvizError: another ending, or .png without the package that draws it.
    """
    target = inside_folder(path)
    if target.suffix == ".html":
        return write_atomically(target, _draw_page(title, figures, notes))
    if target.suffix == ".svg":
        return write_atomically(target, draw_run_svg(figures[shown]))
    if target.suffix == ".csv":
        return write_atomically(target, write_numbers(logs))
    if target.suffix == ".png":
        return write_atomically(target, _draw_png(draw_run_svg(figures[shown]), target.name))
    raise InvalidValue(
        name="a monitor", value=target.name, expected=f"saved as {', '.join(ENDINGS)}"
    )


def collect_notes(logs: Sequence[RunLog]) -> list[str]:
    """Return the notes on the logs, each with the name of its run."""
    return [
        f"{name}: {note}"
        for name, log in zip(name_runs(logs), logs, strict=True)
        for note in log.meta.get("notes", ())
    ]


# ---- the picture


def _draw_png(svg: str, name: str) -> bytes:
    """Draw the picture on white, two pixels for one."""
    if importlib.util.find_spec("resvg_py") is None:
        raise MissingPackage(
            package="resvg_py",
            extra="png",
            who=name,
            hint="Without it: .svg, .html, or the camera above the picture.",
        )
    # Without a font of ours, resvg leaves all words out and reports nothing.
    empty = _rasterise(svg_plane.assemble_svg(20, 20, []))
    letter = _rasterise(svg_plane.assemble_svg(20, 20, [svg_plane.draw_text(0, 15, "x")]))
    if letter == empty:
        raise ReweightvizError(
            f"{name} would have no words: no font of "
            f"{svg_plane.FONTS.replace(', sans-serif', '')} is installed here. "
            "Install one (fonts-dejavu-core), or save .svg or .html."
        )
    return _rasterise(svg)


def _rasterise(svg: str) -> bytes:
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=2, background="white"))


# ---- the page


def _draw_page(title: str, figures: Mapping[str, go.Figure], notes: Sequence[str]) -> str:
    parts = [_draw_section(name, figure) for name, figure in figures.items()]
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    if items:
        parts.append(f"<h2>Notes</h2><ul>{items}</ul>")
    return _PAGE.format(title=html.escape(title), script=get_plotlyjs(), body="".join(parts))


def _draw_section(name: str, figure: go.Figure) -> str:
    height = max(int(figure.layout.height or 0), _HEIGHT)
    figure = _add_legend(figure).update_layout(height=height, modebar={"bgcolor": CLEAR})
    config = {"displaylogo": False, "responsive": True}
    chart = figure.to_html(full_html=False, include_plotlyjs=False, config=config)
    return f"<h2>{html.escape(name)}</h2>{chart}"


def _add_legend(figure: go.Figure) -> go.Figure:
    """Return the figure with a legend of domains and runs.

    A domain is there by its strongest line, where no title of a panel names it; runs are there
    where there are several.
    """
    figure = go.Figure(figure)
    named = _choose_strongest(figure)
    for trace in figure.data:
        trace.showlegend = trace is named.get(trace.name)
    runs = {trace.meta[3]: trace.line for trace in figure.data if trace.visible}
    if len(runs) > 1:
        _add_runs(figure, runs)
    return figure.update_layout(showlegend=True)


def _choose_strongest(figure: go.Figure) -> dict[str, go.Scatter]:
    """Return the strongest line of every domain; of equal ones the first."""
    # The unit and the note alone: every panel has one annotation more.
    if len(figure.layout.annotations) != 2:
        return {}
    strongest: dict[str, go.Scatter] = {}
    for trace in figure.data:
        if not trace.visible or "lines" not in trace.mode or trace.meta[2] == "ahead":
            continue
        other = strongest.get(trace.name)
        if other is None or trace.opacity > other.opacity:
            strongest[trace.name] = trace
    return strongest


def _add_runs(figure: go.Figure, runs: Mapping[str, Any]) -> None:
    """Add an empty line a run, by its dash, or by its colour where dashes repeat."""
    by_color = len({line.dash for line in runs.values()}) < len(runs)
    for run, line in runs.items():
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="lines",
            name=run,
            line={"color": line.color if by_color else MUTED, "dash": line.dash},
        )
