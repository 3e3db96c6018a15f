"""The whole journey in a real JupyterLab: what a person does with the mouse arrives in Python, and the other way round."""

from __future__ import annotations

import json

import numpy as np
import pytest
from lab import Lab, NotebookPage

# Six domains, each a disc of its own in a 3 x 2 grid, so that every pixel of the map belongs to one domain;
# and a law made by hand: a domain's loss falls with its own weight.
SIX = """
import numpy as np, time
from pathlib import Path
import reweightviz as rv
from reweightviz.laws._log_linear_law import LogLinearLaw

rng = np.random.default_rng(0)
names = ["web", "code", "math", "news", "law", "chat"]
codes = np.repeat(np.arange(6), 400)
angle, radius = rng.random(2400) * 2 * np.pi, np.sqrt(rng.random(2400))
centres = np.array([[0, 0], [4, 0], [8, 0], [0, 4], [4, 4], [8, 4]])
xy = centres[codes] + np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
corpus = rv.Corpus({"id": [f"d{i}" for i in range(2400)], "text": [f"document {i}" for i in range(2400)],
                    "domain": [names[k] for k in codes], "tokens": np.full(2400, 100), "xy": xy})
swarm_weights = rng.dirichlet(np.ones(6), 60)
swarm_losses = 1 + np.exp(0.5 - swarm_weights @ (2 * np.eye(6))) + 0.01 * rng.standard_normal((60, 6))
law = rv.laws.Olmix(draws=50).fit(domains=tuple(names), targets=tuple(names), mixtures=swarm_weights, losses=swarm_losses)
x = rv.Explorer(corpus, law=law, budget=240_000)
x
"""
CANVAS = "[data-rv=map-canvas]"


def row(domain: str, part: str = "") -> str:
    return f'[data-rv=row][data-domain="{domain}"] ' + (f"[data-rv={part}]" if part else "")


def drawn(page: NotebookPage) -> np.ndarray:
    """The map's pixels, once they rest, with the mouse elsewhere: a row or point under it is picked out."""
    page.locator(CANVAS).first.wait_for()
    page.page.mouse.move(2, 2)
    before = page.pixels(CANVAS)
    for _ in range(80):
        page.page.wait_for_timeout(250)
        after = page.pixels(CANVAS)
        if after.shape == before.shape and (after == before).all() and ink(after).any():
            return after
        before = after
    raise AssertionError("the map never came to rest with something drawn on it")


def ink(pixels: np.ndarray) -> np.ndarray:
    background = np.median(pixels.reshape(-1, 4), axis=0)
    return (np.abs(pixels.astype(int) - background) > 8).any(2)


def changed_share(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Share (3 x 2 discs, left to right, bottom row first) of each disc's part of the picture that changed."""
    seen = np.argwhere(ink(before))
    (top, left), (bottom, right) = seen.min(0), seen.max(0)
    rows, columns = (
        np.linspace(top, bottom + 1, 3).astype(int),
        np.linspace(left, right + 1, 4).astype(int),
    )
    changed = (np.abs(before.astype(int) - after.astype(int)) > 8).any(2)
    return np.array(
        [
            changed[rows[r] : rows[r + 1], columns[c] : columns[c + 1]].mean()
            for r in (1, 0)
            for c in range(3)
        ]
    )


@pytest.fixture
def six(lab: Lab, tmp_path) -> NotebookPage:
    wait = f"while not Path({str(tmp_path / 'go')!r}).exists():\n    time.sleep(0.05)"
    page = lab.open([SIX, wait], size=(1700, 1000))
    page.run(0)
    drawn(page)
    return page


def drag_weight(page: NotebookPage, domain: str, to: float) -> None:
    page.drag(row(domain, "bar"), [(0.5, 0.5), (to, 0.5)])


def test_dragging_one_weight_changes_those_two_domains_and_no_other(six: NotebookPage):
    for name in ("math", "news", "law", "chat"):
        six.locator(row(name, "lock")).click()
    before = drawn(six)
    weights = six.python("dict(x.mixture)")
    drag_weight(six, "web", 0.3)
    after = drawn(six)
    six.until("x.mixture['web'] != 1/6")
    now = six.python("dict(x.mixture)")
    assert now["web"] + now["code"] == pytest.approx(2 / 6)
    assert all(
        now[name] == pytest.approx(weights[name]) for name in ("math", "news", "law", "chat")
    )
    share = changed_share(before, after)
    assert (share[:2] > 0.05).all(), share
    assert (share[2:] == 0).all(), share


def test_everything_answers_while_the_kernel_is_busy(six: NotebookPage, tmp_path):
    before, target = drawn(six), six.locator('[data-rv=target][data-target="web"]')
    predicted = float(target.get_attribute("data-value"))
    six.start(1)
    six.page.wait_for_timeout(500)
    drag_weight(six, "web", 0.08)
    after = drawn(six)
    assert six.page.evaluate("window.rvRuns[1]") is False
    assert changed_share(before, after).max() > 0.05
    shown = float(target.get_attribute("data-value"))
    assert shown > predicted + 0.05
    (tmp_path / "go").touch()
    six.wait(1)
    weight = six.python("x.mixture['web']")
    assert weight < 0.1
    assert six.python("law.predict(x.mixture.array[None])[0, 0].item()") == pytest.approx(
        shown, abs=1e-5
    )


def test_warnings_of_a_proposal_stand_under_its_predicted_losses(six: NotebookPage):
    doubt = "the predicted gain over uniform, 0.01, may be none."
    six.execute(f"""
near = dict.fromkeys(names, 0.1) | {{"web": 0.5}}
x.editor.add_preset("doubtful", rv.Mixture(near, source={{"method": "optimize", "warnings": [{doubt!r}]}}))
""")
    shown = six.locator("[data-rv=law-warnings]")
    assert not shown.is_visible()
    six.locator("[data-rv=preset]").click()
    choice = six.locator("[data-preset=doubtful]")
    choice.wait_for()
    assert choice.get_attribute("title") == f"doubtful\n{doubt}"
    assert choice.locator("small").inner_text() == "1 warning"
    choice.click()
    shown.get_by_text(doubt).wait_for()
    six.until("x.mixture.source.get('preset') == 'doubtful'")
    six.locator("[data-rv=undo]").click()
    shown.wait_for(state="hidden")


def test_a_split_domain_counts_as_its_parents_and_a_stranger_hides_the_figures(six: NotebookPage):
    mean = six.locator("[data-rv=target-mean]")
    before = float(mean.get_attribute("data-value"))
    parts = six.lab.open(
        [
            SIX.rpartition("x = ")[0]
            + """
split = rv.split_domain(corpus, [0, 1, 2, 400], "mine")
rv.MixtureEditor(split, law=law)""",
            "rv.MixtureEditor(dict(split.sources.token_table), law=law)",
        ]
    )
    parts.run_all()
    parts.locator(
        "[data-rv=law-split]", has_text="it counts “mine” as 75 % “web” and 25 % “code”."
    ).wait_for()
    assert float(
        parts.locator("[data-rv=target-mean]").get_attribute("data-value")
    ) == pytest.approx(before, abs=1e-6)
    parts.locator(
        "[data-rv=law-problem]", has_text="fitted without “mine”, which this mixture has"
    ).wait_for()
    assert parts.locator("[data-rv=target-mean]").count() == 1


def test_undo_in_the_page_while_the_kernel_is_busy_is_pythons_undo(six: NotebookPage, tmp_path):
    def wait_until_shown(percent: float) -> None:
        six.page.wait_for_function(
            "([field, percent]) => Math.abs(document.querySelector(field).value - percent) < 0.01",
            arg=[row("web", "weight-input"), percent],
        )

    def type_weight(percent: int) -> None:
        field = six.locator(row("web", "weight-input"))
        field.fill(str(percent))
        field.press("Enter")

    type_weight(50)
    six.until("abs(x.mixture['web'] - 0.5) < 1e-9")
    six.execute("x.selection = [5, 6]")
    six.locator("[data-rv=map-status]", has_text="2 of 2,400").wait_for()
    undo = six.locator("[data-rv=undo]")
    six.start(1)
    six.page.wait_for_timeout(500)
    for percent in (20, 50, 20):  # each equal weight is a step of its own
        type_weight(percent)
    for percent in (50, 20, 50, 50, 100 / 6):  # three weights, the selection, the first weight
        undo.click()
        wait_until_shown(percent)
    assert six.page.evaluate("window.rvRuns[1]") is False, "the kernel must be busy still"
    assert undo.is_disabled()
    assert six.shot("undone-while-the-kernel-is-busy", ".rv-explorer").stat().st_size > 20_000
    (tmp_path / "go").touch()
    six.wait(1)
    six.until("abs(x.mixture['web'] - 1 / 6) < 1e-9 and len(x.selection) == 0")
    six.locator("[data-rv=map-status]", has_text="2,400 documents").wait_for()
    six.execute("x.redo(); x.redo(); x.redo()")
    assert six.python("(round(x.mixture['web'], 6), x.selection.ids.tolist())") == (
        0.2,
        ["d5", "d6"],
    )
    wait_until_shown(20)
    undo.click()
    undo.click()
    six.until("len(x.selection) == 0")
    six.locator("[data-rv=map-status]", has_text="2,400 documents").wait_for()
    assert six.python("x.mixture['web']") == pytest.approx(0.5)


def test_a_lasso_arrives_as_the_ids_inside_it(six: NotebookPage):
    seen = np.argwhere(ink(drawn(six)))
    height, width = drawn(six).shape[:2]
    (top, left), (bottom, right) = seen.min(0), seen.max(0)
    third = left + (right - left) * 0.36
    middle = (top + bottom) / 2
    corners = [
        (left - 8, middle),
        (third, middle),
        (third, bottom + 8),
        (left - 8, bottom + 8),
        (left - 8, middle + 9),
    ]
    six.locator("[data-tool=lasso]").first.click()
    six.drag(CANVAS, [(px / width, py / height) for px, py in corners])
    six.until("len(x.selection) > 0")
    assert six.python("sorted(x.selection.ids.tolist())") == sorted(f"d{i}" for i in range(400))
    six.execute("x.selection = [5, 6]")
    six.locator("[data-rv=map-status]", has_text="2 of 2,400").wait_for()
    six.execute("x.undo()")
    assert six.python("len(x.selection)") == 400


def test_a_typed_weight_reaches_python_and_the_exported_file(six: NotebookPage):
    field = six.locator(row("math", "weight-input"))
    field.fill("40")
    field.press("Enter")
    six.until("abs(x.mixture['math'] - 0.4) < 1e-9")
    six.execute("x.export('json', 'typed.json')")
    written = json.loads((six.lab.root / "typed.json").read_text())
    assert written["weights"]["math"] == pytest.approx(0.4)
    assert sum(written["weights"].values()) == pytest.approx(1)
    field.fill("much")
    field.press("Enter")
    assert six.python("x.mixture['math']") == pytest.approx(0.4)


def test_the_export_bar_previews_writes_and_says_what_is_wrong(six: NotebookPage):
    bar = six.locator(".rv-export")
    bar.locator("select").first.select_option(label="Megatron")
    bar.locator("button", has_text="Export").click()
    bar.locator(
        "[role=status]", has_text="Megatron needs a prefix for each indexed dataset"
    ).wait_for()
    bar.locator("select").first.select_option(label="Hugging Face datasets")
    bar.locator("button", has_text="Preview").click()
    bar.locator("pre", has_text="+  probability: 0.1666").wait_for()
    for theme in ("light", "dark"):
        six.theme(theme)
        six.shot(f"export-{theme}", ".rv-export")
    folder = six.lab.root / "mixture"
    assert not folder.exists()
    bar.locator("button", has_text="Export").click()
    bar.locator("[role=status]", has_text="Wrote mixture.").wait_for()
    assert "probability: 0.1666" in (folder / "mixture.yaml").read_text("utf-8")
    six.execute(
        "x.mixture = {'web': .5, 'code': .1, 'math': .1, 'news': .1, 'law': .1, 'chat': .1}"
    )
    bar.locator("button", has_text="Export").click()
    bar.locator("[role=status]", has_text="exists already").wait_for()
    bar.locator("select").nth(1).select_option("merge into it")
    bar.locator("button", has_text="Export").click()
    bar.locator("[role=status]", has_text="Wrote mixture.").wait_for()
    assert "probability: 0.5" in (folder / "mixture.yaml").read_text("utf-8")


def test_after_a_restart_load_has_everything(six: NotebookPage):
    six.execute("x.save('kept.explorer')")
    six.locator(row("chat", "lock")).click()
    field = six.locator(row("news", "weight-input"))
    field.fill("50")
    field.press("Enter")
    six.until("abs(x.mixture['news'] - 0.5) < 1e-9")
    six.execute("x.selection = [1, 2, 3]")
    kept = six.python("(dict(x.mixture), x.selection.ids.tolist(), list(x.editor.locked))")
    six.restart_kernel()
    six.execute("import reweightviz as rv; x = rv.Explorer.load('kept.explorer')")
    assert six.python("(dict(x.mixture), x.selection.ids.tolist(), list(x.editor.locked))") == kept
    assert six.python("x.law.predict(x.mixture.array[None]).shape") == (1, 6)
    six.execute("x.undo(); x.undo()")
    assert six.python("x.mixture['news']") == pytest.approx(1 / 6)


def test_the_quickstart_runs_and_every_widget_is_kept_as_a_picture(lab: Lab, root, monkeypatch):
    page = lab.open(root / "notebooks" / "quickstart.ipynb", size=(1720, 1150))
    page.run_all(timeout=240)
    drawn(page)
    assert page.python("len(x.corpus)") >= 20_000
    assert "_text_document" in (lab.root / "blend.txt").read_text()
    pictures = {
        "map": ".rv-map",
        "editor": ".rv-editor",
        "losses": ".rv-curves >> nth=0",
        "weights": ".rv-curves >> nth=1",
        "explorer": ".rv-explorer",
    }
    for theme in ("light", "dark"):
        page.theme(theme)
        drawn(page)
        for name, selector in pictures.items():
            assert page.shot(f"{name}-{theme}", selector).stat().st_size > 5_000
