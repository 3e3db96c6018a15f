"""The front between targets: click a point to pick its mixture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as w
import pandas as pd
import plotly.graph_objects as go
import traitlets as t

from reweightviz.core.errors import InvalidValue
from reweightviz.core.mixture import Mixture
from reweightviz.figures.front import LEFT, draw_ring, front_figure
from reweightviz.figures.front_svg import front_svg
from reweightviz.figures.front_table import list_targets
from reweightviz.widgets.common.chart import Chart
from reweightviz.widgets.common.reported_errors import describe_problem
from reweightviz.widgets.common.shared_module import SharedModule
from reweightviz.widgets.common.shown_widget import ShownWidget
from reweightviz.widgets.common.status_line import draw_status

__all__ = ["MOST", "NOTHING", "POINTS", "RING", "FrontWidth", "ParetoFront"]


POINTS = 1
RING = 3
"""Places of the traces of the figure."""
NOTHING = -1
"""The slider's value where no row is picked."""
MOST = 8
"""Domains that are written out under the picture."""


class FrontWidth(SharedModule):
    """Sends plotly the width of its cell."""

    _path = Path(__file__).parent / "pareto.js"


class ParetoFront(ShownWidget, w.VBox):
    """Mixtures between which no target gets better without another getting worse.

    Click a point, or move the slider, to pick its mixture and see the 90 % interval of a new run;
    diamonds are the reference mixtures, hollow points lie outside the hull of the runs.

    Args:
        front: a table of ``rv.pareto(law, targets)``.
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
        self._front = front
        self.on_pick = on_pick
        self._height = height
        self._chart = Chart(front_figure(front, height=height))
        self._chart.data[POINTS].on_click(lambda _, points, __: self._on_click(points.point_inds))
        rows = [(f"{row + 1} of {len(front)}", row) for row in range(len(front))]
        self._slider = w.SelectionSlider(
            options=[("none", NOTHING), *rows],
            description="mixture",
            continuous_update=False,
            style={"description_width": "initial"},
            layout=w.Layout(width=f"min(420px, 100% - {LEFT}px)", margin=f"0 0 0 {LEFT}px"),
        )
        self._sentence = w.HTML(layout=w.Layout(width="auto", margin=f"0 0 0 {LEFT}px"))
        # A grid, because its cells fill the width and plotly takes that of its cell.
        plot = w.Box(
            [self._chart],
            layout=w.Layout(display="grid", grid_template_columns="minmax(0, 1fr)", width="100%"),
        )
        super().__init__(
            [plot, self._slider, self._sentence, FrontWidth()], layout=w.Layout(width="100%")
        )
        self.add_class("rv-pareto")
        self._slider.observe(self._on_slide, "value")
        self.observe(self._on_pick, "picked")
        self._show_pick()

    @property
    def front(self) -> pd.DataFrame:
        """The table behind the picture."""
        return self._front

    @property
    def figure(self) -> go.Figure:
        """A plotly figure of its own, as it is drawn."""
        return front_figure(self._front, picked=self.picked, height=self._height)

    @property
    def mixture(self) -> Mixture | None:
        """The mixture that is picked."""
        return None if self.picked is None else self._read_mixture(self.picked)

    def __repr__(self) -> str:
        targets = ", ".join(list_targets(self._front))
        return f"ParetoFront({len(self._front)} mixtures, targets {targets})"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        return bundle | {
            "text/plain": repr(self),
            "image/svg+xml": front_svg(self._front, self.picked),
        }

    # ---- picking

    @t.validate("picked")
    def _validate_picked(self, proposal: t.Bunch) -> int | None:
        row: int | None = proposal["value"]
        if row is not None and not 0 <= row < len(self._front):
            raise InvalidValue(
                name="picked",
                value=row,
                expected=f"a row of the front, 0 to {len(self._front) - 1}",
            )
        return row

    def _on_click(self, rows: list[int]) -> None:
        if rows:
            self.picked = int(rows[0])

    def _on_slide(self, change: t.Bunch) -> None:
        self.picked = None if change["new"] == NOTHING else change["new"]

    def _on_pick(self, _: t.Bunch) -> None:
        self._show_pick()
        if self.mixture is None or self.on_pick is None:
            return
        try:
            self.on_pick(self.mixture)
        except Exception as problem:
            self._sentence.value = draw_status(describe_problem(problem), wrong=True)
            raise

    def _show_pick(self) -> None:
        ring = draw_ring(self._front, self.picked)
        self._chart.data[RING].update(
            x=ring.x, y=ring.y, error_x=ring.error_x, error_y=ring.error_y
        )
        if self.picked is None:
            self._slider.value = NOTHING
            sentence = "click a point to take its mixture"
        else:
            self._slider.value = self.picked
            sentence = self._describe_row(self.picked)
        self._sentence.value = draw_status(sentence)

    # ---- rows of the table

    def _read_mixture(self, row: int) -> Mixture:
        line = self._front.iloc[row]
        figures = {
            part: {str(name): float(value) for name, value in line[part].items()}
            for part in ("predicted", "low", "high", "importance")
            if part in line
        }
        attributes = self._front.attrs
        names = ("law", "kl", "certificate")
        origin = {name: attributes[name] for name in names if name in attributes}
        return Mixture.normalized(
            {str(domain): float(weight) for domain, weight in line["weight"].items()},
            source={"method": "pareto", **origin, **figures},
        )

    def _describe_row(self, row: int) -> str:
        line = self._front.iloc[row]
        targets = [f"{name} {line['predicted'][name]:.3f}" for name in list_targets(self._front)]
        weights = line["weight"].sort_values(ascending=False)
        domains = [
            f"{domain} {100 * weight:.1f} %" for domain, weight in weights.head(MOST).items()
        ]
        if len(weights) > MOST:
            rest = 100 * float(weights.iloc[MOST:].sum())
            domains.append(f"{len(weights) - MOST} others {rest:.1f} %")
        return f"{', '.join(targets)}: {', '.join(domains)}"
