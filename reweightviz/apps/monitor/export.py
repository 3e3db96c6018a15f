"""Views of runs as files: a page that needs nothing, a picture, a long table."""

from __future__ import annotations

import html
import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from reweightviz.core.errors import InvalidValue, MissingPackage, ReweightvizError, UnwritableFile
from reweightviz.core.files import inside_folder, write_atomically
from reweightviz.core.runlog import RunLog
from reweightviz.figures import svg_plane
from reweightviz.figures.run_svg import draw_run_svg
from reweightviz.figures.runs import name_runs
from reweightviz.figures.theme import CLEAR, MUTED

ENDINGS = (".html", ".svg", ".csv", ".png")
_ROWS = 20_000  # of a log, written at once
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>:root {{ color-scheme: light dark }}
body {{ font: 14px system-ui, sans-serif; margin: 24px auto; max-width: 1100px; padding: 0 16px }}
h2 {{ font-size: 15px; margin: 28px 0 4px }} li {{ margin: 2px 0 }}
.js-plotly-plot text {{ fill: light-dark(#444, #bbb) !important }}</style>
<script>{script}</script></head><body><h1>{title}</h1>{body}</body></html>
"""


def save(
    path: str | os.PathLike[str],
    *,
    title: str,
    figures: Mapping[str, go.Figure],
    shown: str,
    logs: Sequence[RunLog],
    notes: Sequence[str] = (),
) -> Path:
    """Write a file; its ending says what: all figures and notes as .html, the one that is shown as .svg or .png, the numbers as .csv.

    Raises:
        ReweightvizError: another ending, or .png without the package that draws it.
    """
    target = inside_folder(path)
    if target.suffix == ".html":
        return write_atomically(target, _page(title, figures, notes))
    if target.suffix == ".svg":
        return write_atomically(target, draw_run_svg(figures[shown]))
    if target.suffix == ".csv":
        return _write_table(target, logs)
    if target.suffix == ".png":
        return write_atomically(target, _png(draw_run_svg(figures[shown]), target.name))
    raise InvalidValue(
        name="a monitor", value=target.name, expected=f"saved as {', '.join(ENDINGS)}"
    )


def long_table(log: RunLog, name: str, rows: slice = slice(None)) -> pd.DataFrame:
    """What was measured, a row a number: run, step, tokens, time, domain, signal, value; a scalar has no domain.

    Example:
        >>> log = RunLog(("web",), [10], [[1.0]], {"loss": [[3.0]]}, scalars={"lr": [0.1]})
        >>> long_table(log, "run")[["step", "domain", "signal", "value"]].values.tolist()
        [[10, 'web', 'weight', 1.0], [10, 'web', 'loss', 3.0], [10, '', 'lr', 0.1]]
    """
    tables = {
        "weight": (log.domains, log.weights[rows]),
        **{signal: (log.domains, values[rows]) for signal, values in log.signals.items()},
        **{scalar: (("",), values[rows, None]) for scalar, values in log.scalars.items()},
    }
    parts = []
    for signal, (domains, values) in tables.items():
        t, k = np.nonzero(np.isfinite(values))
        parts.append(
            pd.DataFrame(
                {
                    "run": name,
                    "step": log.steps[rows][t],
                    "tokens": log.tokens[rows][t],
                    "time": log.times[rows][t],
                    "domain": np.array(domains, object)[k],
                    "signal": signal,
                    "value": values[t, k],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _write_table(path: Path, logs: Sequence[RunLog]) -> Path:
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            _write_rows(file, logs)
        draft.replace(path)
    except OSError as error:
        raise UnwritableFile(path=path, reason=error.strerror or error) from error
    finally:
        draft.unlink(missing_ok=True)
    return path


def _write_rows(file: TextIO, logs: Sequence[RunLog]) -> None:
    file.write("run,step,tokens,time,domain,signal,value\n")
    for name, log in zip(name_runs(logs), logs, strict=True):
        for start in range(0, len(log), _ROWS):
            long_table(log, name, slice(start, start + _ROWS)).to_csv(
                file, header=False, index=False
            )


def _png(svg: str, name: str) -> bytes:
    """The picture on white, two pixels for one."""
    if importlib.util.find_spec("resvg_py") is None:
        raise MissingPackage(
            package="resvg_py",
            extra="png",
            who=name,
            hint="Without it: .svg, .html, or the camera above the picture.",
        )
    import resvg_py

    def drawn(text: str) -> bytes:
        return bytes(resvg_py.svg_to_bytes(svg_string=text, zoom=2, background="white"))

    if drawn(svg_plane.assemble_svg(20, 20, [svg_plane.draw_text(0, 15, "x")])) == drawn(
        svg_plane.assemble_svg(20, 20, [])
    ):
        raise ReweightvizError(
            f"{name} would have no words: no font of "
            f"{svg_plane.FONTS.replace(', sans-serif', '')} is installed here. "
            "Install one (fonts-dejavu-core), or save .svg or .html."
        )
    return drawn(svg)


def _page(title: str, figures: Mapping[str, go.Figure], notes: Sequence[str]) -> str:
    parts = []
    for name, figure in figures.items():
        drawn = _keyed(figure).update_layout(
            height=max(int(figure.layout.height or 0), 380), modebar={"bgcolor": CLEAR}
        )
        config = {"displaylogo": False, "responsive": True}
        parts.append(
            f"<h2>{html.escape(name)}</h2>{drawn.to_html(full_html=False, include_plotlyjs=False, config=config)}"
        )
    told = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    body = "".join(parts) + (f"<h2>Notes</h2><ul>{told}</ul>" if told else "")
    return _PAGE.format(title=html.escape(title), script=get_plotlyjs(), body=body)


def _keyed(figure: go.Figure) -> go.Figure:
    """With a legend: every domain by its strongest line, where no titles name them, and every run where there are several."""
    made, strongest = go.Figure(figure), {}
    if len(figure.layout.annotations) == 2:  # no panels
        lines = [
            trace
            for trace in reversed(made.data)
            if trace.visible and "lines" in trace.mode and trace.meta[2] != "ahead"
        ]
        strongest = {trace.name: trace for trace in sorted(lines, key=lambda trace: trace.opacity)}
    for trace in made.data:
        trace.showlegend = trace is strongest.get(trace.name)
    runs = {trace.meta[3]: trace.line for trace in made.data if trace.visible}
    by_color = len({line.dash for line in runs.values()}) < len(runs)
    for run, line in runs.items() if len(runs) > 1 else ():
        made.add_scatter(
            x=[None],
            y=[None],
            mode="lines",
            name=run,
            line={"color": line.color if by_color else MUTED, "dash": line.dash},
        )
    return made.update_layout(showlegend=True)


def notes_of(logs: Sequence[RunLog]) -> list[str]:
    """What was found in the logs, each with the name of its run."""
    return [
        f"{name}: {note}"
        for name, log in zip(name_runs(logs), logs, strict=True)
        for note in log.meta.get("notes", ())
    ]
