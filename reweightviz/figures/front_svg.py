"""The front between targets as a plain SVG."""

from __future__ import annotations

import html

import numpy as np
import pandas as pd

from reweightviz.figures.front import FRONT, PICKED
from reweightviz.figures.front_table import (
    describe_front,
    find_outside,
    list_targets,
    read_predictions,
    read_references,
)
from reweightviz.figures.svg_plane import assemble_svg, draw_axes, draw_text, fit_scale
from reweightviz.figures.theme import MUTED

__all__ = ["front_svg"]


_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 40, 44  # pixels around the plot


def front_svg(
    front: pd.DataFrame, picked: int | None = None, width: int = 640, height: int = 360
) -> str:
    """Draw the front as a plain SVG: transparent, grey text."""
    names = list_targets(front)
    losses = read_predictions(front)[:, :2]
    references = read_references(front, names)
    xs, ys = np.vstack([losses, references]).T
    across = fit_scale(xs, _LEFT, width - _RIGHT, room=0.04)
    down = fit_scale(ys, height - _BOTTOM, _TOP, room=0.04)
    parts = [
        draw_text(_LEFT, 14, html.escape(describe_front(front))),
        *draw_axes(across, down, title=html.escape(names[0])),
        draw_text(_LEFT, 29, html.escape(names[1])),
    ]
    lefts = across.at(losses[:, 0])
    tops = down.at(losses[:, 1])
    points = list(zip(lefts, tops, find_outside(front), strict=True))
    if len(names) == 2:
        path = "L".join(f"{left:.1f} {top:.1f}" for left, top, _ in points)
        parts.append(f'<path d="M{path}" stroke="{FRONT}" stroke-opacity=".5"/>')
    for row, (left, top, hollow) in enumerate(points):
        place = f'cx="{left:.1f}" cy="{top:.1f}"'
        fill = "none" if hollow else FRONT
        parts.append(f'<circle {place} r="4.5" stroke="{FRONT}" fill="{fill}"/>')
        if row == picked:
            parts.append(f'<circle {place} r="9" stroke="{PICKED}" stroke-width="2"/>')
    for name, (x, y) in zip(front.attrs.get("references", {}), references, strict=True):
        parts += _draw_diamond(across.at(x), down.at(y), name)
    return assemble_svg(width, height, parts)


def _draw_diamond(left: float, top: float, name: str) -> list[str]:
    return [
        f'<path d="M{left:.1f} {top - 6:.1f}l5 6l-5 6l-5 -6Z" fill="{MUTED}"/>',
        draw_text(left, top - 9, html.escape(name), "middle"),
    ]
