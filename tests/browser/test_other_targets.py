"""A law whose targets are not its domains, from tables laid out as RegMix', in a real JupyterLab: what it predicts shows and moves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lab import Lab

DOMAINS = (
    "arxiv",
    "freelaw",
    "nih_exporter",
    "pubmed_central",
    "wikipedia_en",
    "dm_mathematics",
    "github",
    "philpapers",
    "stackexchange",
    "enron_emails",
    "gutenberg_pg_19",
    "pile_cc",
    "ubuntu_irc",
    "europarl",
    "hackernews",
    "pubmed_abstracts",
    "uspto_backgrounds",
)
TARGETS = (*DOMAINS[:9], "pile_cc", "hackernews", "lambada", "wikitext <b>")
CELL = """
import numpy as np
import reweightviz as rv

swarm = rv.read_swarm("{ratios}", "{metrics}")
law = rv.fit(swarm, rv.laws.Olmix(draws=50))
tokens = {{name: 1e9 * (1 + i) for i, name in enumerate(law.domains)}}
front = rv.pareto(law, ["lambada", "github"], points=7, swarm=swarm)
x = rv.Explorer(tokens=tokens, law=law, front=front)
x
"""


def tables(folder):
    """512 runs of a log-linear law with little noise, as two CSV files; and its slopes (13, 17)."""
    rng = np.random.default_rng(0)
    slopes = rng.normal(0, 0.4, (13, 17))
    slopes[np.arange(9), np.arange(9)] -= 2
    slopes[11, 11] -= 2.5
    mixtures = rng.dirichlet(np.full(17, 0.6), 512)
    losses = 2 + np.exp(mixtures @ slopes.T) + rng.normal(0, 0.005, (512, 13))
    shares = pd.DataFrame(
        mixtures, columns=[f"train_the_pile_{name}" for name in DOMAINS]
    ).rename_axis("index")
    reached = pd.DataFrame(
        losses, columns=[f"metric/the_pile_{name}_val_loss" for name in TARGETS]
    ).rename_axis("index")
    shares.to_csv(folder / "ratios.csv")
    reached.to_csv(folder / "metrics.csv")
    return slopes


def test_targets_that_are_no_domains_show_and_move(lab: Lab, tmp_path):
    slopes = tables(tmp_path)
    page = lab.open(
        [CELL.format(ratios=tmp_path / "ratios.csv", metrics=tmp_path / "metrics.csv")],
        size=(1700, 1100),
    )
    page.run_all()
    rows = page.locator("[data-rv=target]")
    rows.first.wait_for()

    def shown() -> dict[str, float]:
        return {
            row.get_attribute("data-target"): float(row.get_attribute("data-value"))
            for row in rows.all()
        }

    before = shown()
    assert set(before) == set(TARGETS) == set(page.python("law.targets"))
    weights = page.python("x.mixture.array.tolist()")
    truth = 2 + np.exp(slopes @ weights)
    np.testing.assert_allclose([before[name] for name in TARGETS], truth, atol=0.02)
    assert before == pytest.approx(
        page.python("dict(zip(law.targets, law.predict(x.mixture.array[None])[0].tolist()))"),
        abs=1e-5,
    )
    pile_cc = '[data-rv=row][data-domain="pile_cc"] [data-rv=bar]'
    page.locator(pile_cc).scroll_into_view_if_needed()
    page.page.wait_for_timeout(300)
    page.drag(pile_cc, [(0.5, 0.5), (0.98, 0.5)])
    page.until(f"x.mixture['pile_cc'] > {1.7 * weights[11]}")
    after = shown()
    assert after["lambada"] < before["lambada"] - 0.03, (
        "its loss falls with pile_cc, though it is no domain"
    )
    assert after["github"] > before["github"]
    assert after == pytest.approx(
        page.python("dict(zip(law.targets, law.predict(x.mixture.array[None])[0].tolist()))"),
        abs=1e-5,
    )
    assert page.shot("other-targets", ".rv-explorer").stat().st_size > 20_000

    dragged = page.python("x.mixture.array.tolist()")
    points = page.locator(".rv-pareto .scatterlayer .trace").nth(1).locator(".point")
    points.nth(3).wait_for()
    points.nth(3).scroll_into_view_if_needed()
    page.page.wait_for_timeout(500)
    box = points.nth(3).bounding_box()
    page.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.until("x.front.picked == 3")
    picked = page.python("front['weight'].iloc[3].tolist()")
    assert page.python("x.mixture.array.tolist()") == pytest.approx(picked, abs=1e-6)
    page.page.wait_for_function(
        "value => Math.abs(document.querySelector('[data-rv=target][data-target=lambada]').dataset.value - value) < 1e-4",
        arg=page.python("float(front['predicted']['lambada'].iloc[3])"),
    )
    assert page.shot("other-targets-front", ".rv-explorer").stat().st_size > 20_000
    page.execute("x.undo()")
    assert page.python("x.mixture.array.tolist()") == pytest.approx(dragged, abs=1e-6)
