"""The front between targets: click a point, and whoever listens takes its mixture."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as w
import pandas as pd
import plotly.graph_objects as go
import traitlets as t

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.figures.front import LEFT, draw_ring, front_figure, front_svg, list_targets
from reweightviz.widgets.common.assemble import assemble

POINTS, RING, NOTHING = 1, 3, -1
_CONFIG = {
    "displaylogo": False,
    "displayModeBar": "hover",
    "typesetMath": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "sendChartToCloud"],
}
MOST = 8
"""Domains that are written out under the picture."""


class FrontRoom(anywidget.AnyWidget):
    """Tells plotly how wide its cell is."""

    _esm = assemble(Path(__file__).parent / "pareto.js")


class ParetoFront(w.VBox):
    """Mixtures between which no target gets better without another getting worse.

    Click a point, or move the slider, to pick its mixture and see the 90 % interval of a new run;
    diamonds are the reference mixtures, hollow points lie outside the hull of the runs.

    Args:
        front: what ``rv.pareto(law, targets)`` gave.
        on_pick: called with the Mixture that was picked.
        height: of the picture, in pixels.

    Raises:
        ReweightvizError: a table that ``rv.pareto`` did not give.
    """

    picked = t.Int(None, allow_none=True, help="the row that is picked; observe it, or set it")

    def __init__(
        self,
        front: pd.DataFrame,
        on_pick: Callable[[Mixture], Any] | None = None,
        *,
        height: int = 380,
    ) -> None:
        self._front, self.on_pick, self._height = front, on_pick, height
        self._chart = go.FigureWidget(front_figure(front, height=height))
        # plotly's FigureWidget has no other door to the modebar's settings.
        self._chart._config = self._chart._config | _CONFIG  # noqa: SLF001
        self._chart.data[POINTS].on_click(lambda _, points, __: self._clicked(points.point_inds))
        rows = [(f"{row + 1} of {len(front)}", row) for row in range(len(front))]
        self._slider = w.SelectionSlider(
            options=[("none", NOTHING), *rows],
            description="mixture",
            continuous_update=False,
            style={"description_width": "initial"},
            layout=w.Layout(width=f"min(420px, 100% - {LEFT}px)", margin=f"0 0 0 {LEFT}px"),
        )
        self._said = w.HTML(layout=w.Layout(width="auto", margin=f"0 0 0 {LEFT}px"))
        # A grid, because its cells fill the width and plotly asks its cell.
        plot = w.Box(
            [self._chart],
            layout=w.Layout(display="grid", grid_template_columns="minmax(0, 1fr)", width="100%"),
        )
        super().__init__(
            [plot, self._slider, self._said, FrontRoom()], layout=w.Layout(width="100%")
        )
        self.add_class("rv-pareto")
        self._slider.observe(
            lambda change: setattr(
                self, "picked", None if change["new"] == NOTHING else change["new"]
            ),
            "value",
        )
        self.observe(self._show, "picked")
        self._show()

    @property
    def front(self) -> pd.DataFrame:
        """The table behind the picture."""
        return self._front

    @property
    def figure(self) -> go.Figure:
        """What is drawn, as a plotly figure of its own."""
        return front_figure(self._front, picked=self.picked, height=self._height)

    @property
    def mixture(self) -> Mixture | None:
        """The mixture that is picked."""
        return None if self.picked is None else self._mixture(self.picked)

    def __repr__(self) -> str:
        return f"ParetoFront({len(self._front)} mixtures, targets {', '.join(list_targets(self._front))})"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        return bundle | {
            "text/plain": repr(self),
            "image/svg+xml": front_svg(self._front, self.picked),
        }

    @t.validate("picked")
    def _checked(self, proposal: t.Bunch) -> int | None:
        row = proposal["value"]
        if row is not None and not 0 <= row < len(self._front):
            raise InvalidValue(
                name="picked",
                value=row,
                expected=f"a row of the front, 0 to {len(self._front) - 1}",
            )
        return row

    def _clicked(self, rows: list[int]) -> None:
        if rows:
            self.picked = int(rows[0])

    def _mixture(self, row: int) -> Mixture:
        line = self._front.iloc[row]
        facts = {
            part: {str(name): float(value) for name, value in line[part].items()}
            for part in ("predicted", "low", "high", "importance")
            if part in line
        }
        about = {
            name: self._front.attrs[name]
            for name in ("law", "kl", "certificate")
            if name in self._front.attrs
        }
        return Mixture.normalized(
            {str(d): float(x) for d, x in line["weight"].items()},
            source={"method": "pareto", **about, **facts},
        )

    def _show(self, change: Any = None) -> None:
        ring = draw_ring(self._front, self.picked)
        self._chart.data[RING].update(
            x=ring.x, y=ring.y, error_x=ring.error_x, error_y=ring.error_y
        )
        self._slider.value = NOTHING if self.picked is None else self.picked
        self._say(
            "click a point to take its mixture" if self.picked is None else self._words(self.picked)
        )
        if change is None or self.picked is None or self.on_pick is None:
            return
        try:
            self.on_pick(self._mixture(self.picked))
        except Exception as problem:
            refused = isinstance(problem, ReweightvizError)
            self._say(
                str(problem)
                if refused
                else f"{type(problem).__name__} in a Python callback: {problem}",
                wrong=True,
            )
            raise

    def _words(self, row: int) -> str:
        line = self._front.iloc[row]
        weights = line["weight"].sort_values(ascending=False)
        named = [f"{domain} {100 * weight:.1f} %" for domain, weight in weights.head(MOST).items()]
        rest = 100 * float(weights.iloc[MOST:].sum())
        named += [f"{len(weights) - MOST} others {rest:.1f} %"] if len(weights) > MOST else []
        told = [f"{name} {line['predicted'][name]:.3f}" for name in list_targets(self._front)]
        return f"{', '.join(told)}: {', '.join(named)}"

    def _say(self, sentence: str, *, wrong: bool = False) -> None:
        tone = "var(--jp-error-color1, #c62828)" if wrong else "var(--jp-ui-font-color1, inherit)"
        self._said.value = (
            f'<div role="status" style="color:{tone};line-height:1.5">{html.escape(sentence)}</div>'
        )
