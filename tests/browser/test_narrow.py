"""Widgets beside each other, and maps with little room: each has its part, and nothing lies on anything."""

from __future__ import annotations

import pytest
from lab import Lab

SETUP = """
import numpy as np, ipywidgets as W, reweightviz as rv
rng = np.random.default_rng(0)
columns = {"a score with a long name": rng.normal(size=600)}
def m(**options):
    domains = ["web"] * 300 + ["code"] * 300
    return rv.Map(rng.normal(size=(600, 2)), domains=domains, columns=columns, height=160, **options)
"""
BOXES = """(tools) => {
  const box = (node) => { const b = node.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
  const shown = [...tools.children].filter((node) => !node.hidden && node.getBoundingClientRect().width);
  return { tools: box(tools), parts: shown.map(box), stage: box(tools.parentElement.querySelector(".rv-map-stage")) };
}"""


def lie_apart(one, other):
    return (
        one[2] <= other[0] + 1
        or other[2] <= one[0] + 1
        or one[3] <= other[1] + 1
        or other[3] <= one[1] + 1
    )


def test_the_toolbar_of_a_narrow_map_folds(lab: Lab):
    grid = "W.Layout(grid_template_columns='300px 300px 200px 120px')"
    page = lab.open(
        [SETUP, f"maps = [m() for _ in range(4)]; W.GridBox(maps, layout={grid})", "m()"],
        size=(1500, 1000),
    )
    page.run_all()
    page.execute("maps[1].selection = np.arange(123)")
    page.locator(".rv-map-status", has_text="123 of 600").wait_for()
    for theme in ("light", "dark"):
        page.theme(theme)
        bars = page.locator(".rv-map-tools")
        for place in range(bars.count()):
            boxes = bars.nth(place).evaluate(BOXES)
            for part in boxes["parts"]:
                assert boxes["tools"][0] - 1 <= part[0]
                assert part[2] <= boxes["tools"][2] + 1, (place, part)
                assert lie_apart(part, boxes["stage"])
                assert all(lie_apart(part, other) for other in boxes["parts"] if other != part)
        page.shot(f"narrow-{theme}")
    # With room it stays one line.
    assert bars.last.bounding_box()["height"] < 30


@pytest.mark.parametrize("row", ["W.HBox", "W.Box"])
def test_widgets_in_a_row_share_its_width(lab: Lab, row):
    page = lab.open(
        [
            SETUP,
            f"{row}([m(), W.VBox([m()])])",
            f"{row}([rv.MixtureEditor(tokens={{'web': 1e12, 'code': 3e11}}), m()])",
            f"log = rv.demo_log('natural'); {row}([rv.LossCurves(log), rv.WeightTrajectories(log)])",
            f"wide = m(); wide.layout.width = '250px'; {row}([wide, m()])",
        ],
        size=(1300, 1700),
    )
    page.run_all()
    page.locator(".rv-curves .js-plotly-plot").last.wait_for()

    def widths(cell, selector):
        found = page.output(cell).locator(selector)
        return [found.nth(i).bounding_box()["width"] for i in range(found.count())]

    across = page.output(1).locator(".widget-box").first.bounding_box()["width"]
    half = pytest.approx(across / 2, rel=0.05)
    assert widths(1, ".rv-map") == [half, half]
    assert widths(2, ".rv-editor, .rv-map") == [half, half]
    assert widths(3, ".rv-curves") == [half, half]
    given, rest = widths(4, ".rv-map")
    assert given == pytest.approx(250, abs=8)
    assert rest == pytest.approx(across - 250, rel=0.05)
