"""The front in a real JupyterLab: a click on a point reaches Python, in both themes."""

from __future__ import annotations

from lab import Lab

CELL = """
import numpy as np
from reweightviz.proposals.pareto import pareto
from reweightviz.laws._log_linear_law import LogLinearLaw
from reweightviz.widgets.front.pareto import ParetoFront

rng = np.random.default_rng(0)
coef = np.column_stack([np.zeros(3), rng.normal(-0.6, 0.9, (3, 4))])
law = LogLinearLaw(("web", "code", "math", "books"), ("chat", "python", "proofs"), np.ones(3, bool), coef,
                   coef + rng.normal(0, 0.03, (40, 3, 5)), rng.normal(0, 0.01, (40, 3)))
got = []
p = ParetoFront(pareto(law, ["chat", "python"], points=9), got.append)
p
"""


def test_a_click_on_a_point_takes_its_mixture(lab: Lab):
    page = lab.open([CELL])
    page.run_all()
    points = page.locator(".rv-pareto .scatterlayer .trace").nth(1).locator(".point")
    points.nth(4).wait_for()
    page.until("True")
    plot, cell = (
        page.locator(".rv-pareto .js-plotly-plot .main-svg").first,
        page.locator(".rv-pareto"),
    )
    page.page.wait_for_function(
        "([plot, cell]) => Math.abs(plot.clientWidth - cell.clientWidth) < 4",
        arg=[plot.element_handle(), cell.element_handle()],
    )
    box = points.nth(4).bounding_box()
    page.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.until("p.picked == 4")
    assert page.python("len(got)") == 1
    assert page.python("dict(got[0]) == dict(p.mixture)")
    page.locator(".rv-pareto", has_text="5 of 9").wait_for()
    for theme in ("light", "dark"):
        page.theme(theme)
        assert page.shot(f"pareto-{theme}", ".rv-pareto").stat().st_size > 5_000
