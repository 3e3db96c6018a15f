"""Show hostile text in every place of a page, and look whether any of it did something.

    .venv/bin/python benchmarks/hostile_pages.py

A real JupyterLab in Chromium draws an Explorer, a Monitor that steers, editors, a map, a front and
tables, all of them named by pieces of HTML, script, CSS, SVG, Markdown, LaTeX, templates and of
plotly's own markup: domains, ids, texts, columns, targets, runs, scalars, presets, authors, notes,
titles, files and errors. Then every file that leaves a notebook is opened: the saved page and
picture of a monitor, a decision record (its Markdown rendered), the HTML and SVG that stand in for
widgets, figures of plotly, the notebook itself and what nbconvert makes of it.

Nothing may run, no element may be made of a name, no host but the lab's own may be asked, and
neither token nor folder of this machine may stand in what was saved.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["PAYLOADS", "attack", "run"]

ROOT = Path(__file__).parents[1]
EVIL = "evil.invalid"
PAYLOADS = (
    "<img class=rvhit src=x onerror=window.__hit=1>",
    "<script class=rvhit>window.__hit=2</script>",
    '"><svg class=rvhit onload=window.__hit=3>',
    "</script><script class=rvhit>window.__hit=4</script>",
    "</style></title></textarea><img class=rvhit src=x onerror=window.__hit=5>",
    '<a class=rvhit href="javascript:window.__hit=6">go</a><br>second',
    "{{constructor.constructor('window.__hit=7')()}}",
    "`${window.__hit=8}`",
    "' autofocus onfocus=window.__hit=9 onmouseover=window.__hit=9 x='",
    f"[go](javascript:window.__hit=10) ![i](http://{EVIL}/m.png)",
    r"$\href{javascript:window.__hit=11}{x}$ \(\require{html}\)",
    "%{customdata[0]}<extra>%{y}</extra>",
    '<iframe class=rvhit srcdoc="<script>parent.__hit=12</script>"></iframe>',
    f"<style>@import 'http://{EVIL}/s.css';</style>",
    f"red;background:url(http://{EVIL}/u)",
    "<![CDATA[<x/>]]>&lt;b class=rvhit&gt;&#60;i&#62;",
    "__proto__",
    "constructor",
    "$& $1 \\u003cimg\\u003e",
    "a\u2028b\u2029c\u202ed",
    "=HYPERLINK(0)\\\"'",
    "<math><mtext><img class=rvhit src=x onerror=window.__hit=13></mtext></math>",
)
"""Each tries one language; what it makes has the class rvhit, what it runs sets window.__hit."""

SETUP = f"""
import html, os, warnings
import numpy as np
import reweightviz as rv
from reweightviz.core.live import LiveMixture
from reweightviz.laws._log_linear_law import LogLinearLaw

P = {list(PAYLOADS)!r}
K, n, rng = len(P), 40 * len(P), np.random.default_rng(0)
codes = np.repeat(np.arange(K), 40)
xy = np.stack([codes % 6, codes // 6], 1) + rng.normal(0, 0.1, (n, 2))
columns = {{"id": [f"{{P[k]}} {{i}}" for i, k in enumerate(codes)], "text": [P[k] for k in codes],
            "domain": [P[k] for k in codes], "tokens": np.full(n, 100), "xy": xy}}
corpus = rv.Corpus(columns | {{f"loss:{{name}}": rng.random(n) for name in P[:3]}})
targets = tuple(f"{{name}} of targets" for name in P)
coef = np.column_stack([np.zeros(K), rng.normal(-0.6, 0.9, (K, K))])
law = LogLinearLaw(tuple(P), targets, np.ones(K, bool), coef,
                   coef + rng.normal(0, 0.03, (10, K, K + 1)), rng.normal(0, 0.01, (10, K)))
even = dict.fromkeys(P, 1 / K)


def log(name, shift):
    steps = np.arange(10, 210, 10)
    losses = 2 + shift + rng.random((20, K)) / 5 + 30 / (steps[:, None] + 10)
    scalars = {{each: rng.random(20) for each in P[:3]}}
    signals = {{"loss": losses, "drawn_tokens": rng.integers(1, 99, (20, K))}}
    return rv.RunLog(tuple(P), steps, rng.dirichlet(np.ones(K), 20), signals, name,
                     meta={{"notes": [f"{{each}} in a note" for each in P]}}, scalars=scalars)


logs = [log(P[0], 0), log(P[5], 1)]
"""
EXPLORE = """
odd = rv.Mixture(even, source={"method": P[1], "warnings": [f"{name} warns" for name in P]})
front = rv.pareto(law, list(targets[:2]), points=5)
x = rv.Explorer(corpus, law=law, logs=logs, presets={name: odd for name in P}, front=front)
x
"""
WATCH = """
live = LiveMixture.create("mix.json", even, author=P[0], note=P[1])
for place, name in enumerate(P[2:6]):
    live.set(dict(even) | {P[0]: 1 / K - 0.001 * (place + 1), P[1]: 1 / K + 0.001 * (place + 1)},
             author=name, note=P[place + 6])
m = rv.Monitor(logs, live=live, reference=logs[0], sources=dict.fromkeys(P, 1e5), max_epochs=4)
m
"""
REST = """
editor = rv.MixtureEditor(dict.fromkeys(P, 1e9), colors=P, reference=even, law=law)
map_ = rv.Map(xy, domains=[P[k] for k in codes], columns={name: rng.random(n) for name in P[:3]})
editor.error = "; ".join(P)
map_.error = "; ".join(P)
display(editor, map_)
"""
SAVE = """
os.makedirs("saved", exist_ok=True)
m.save("saved/monitor.html")
m.save("saved/monitor.svg")
rejected = {name: (rv.Mixture(even), f"{name} is why") for name in P}
rv.decision_record(odd, "saved/record", law=law, sources=dict.fromkeys(P, 1e5), tokens=1e6,
                   rejected=rejected, title=P[3])
shown = {"explorer": x, "map": map_, "editor": editor, "monitor": m, "losses": x.losses,
         "weights": x.weights, "front": x.front}
for name, widget in shown.items():
    bundle = widget._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    for kind, ending in (("text/html", "html"), ("image/svg+xml", "svg")):
        if kind in data:
            open(f"saved/{name}-static.{ending}", "w").write(data[kind])
charts = {"losses": x.losses.figure, "front": x.front._chart, "scalars": m.shown.figure}
for name, figure in charts.items():
    open(f"saved/{name}-plotly.html", "w").write(figure.to_html())
"""
TABLES = """
from IPython.display import display
display(rv.diagnose(logs[0]))
display(live.changes())
"""
CELLS = (SETUP, EXPLORE, WATCH, REST, SAVE, TABLES)
VIEWS = ("Excess loss", "Weights", "Realised shares", "Epochs", "Loss by weight", "Scalars")

_FOUND = """() => {
  const all = [];
  const bad = ({ name, value }) =>
    (name.startsWith("on") && value.includes("__hit")) ||
    (["href", "src", "xlink:href"].includes(name) &&
      /javascript:.*__hit|evil[.]invalid/.test(value));
  const walk = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) walk(node.shadowRoot);
      if (node.classList?.contains("rvhit") || [...node.attributes].some(bad))
        all.push(node.outerHTML.slice(0, 200));
    }
  };
  walk(document);
  const drawn = [...document.querySelectorAll("svg text, svg tspan")].map((t) => t.textContent);
  return {
    elements: all,
    hit: window.__hit ?? null,
    polluted: ["__hit", "rvhit"].filter((name) => name in {}),
    text: document.body?.innerText ?? "",
    drawn: drawn.join("\\n"),
  };
}"""


class Witness:
    """Notes what a page does that it should not: dialogs, and requests to other hosts."""

    def __init__(self, own: str) -> None:
        self.own = own
        self.dialogs: list[str] = []
        self.requests: list[str] = []

    def watch(self, page: Any) -> None:
        """Listen to a page, and let nothing out."""
        page.on("dialog", self._dismiss)
        page.route("**/*", self._route)

    def _dismiss(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _route(self, route: Any) -> None:
        url = route.request.url
        if url.startswith((self.own, "data:", "blob:", "file:", "about:")):
            route.continue_()
            return
        self.requests.append(url)
        route.abort()


def attack(lab: Any) -> dict[str, Any]:
    """Show the payloads in a running JupyterLab; return what they did, and what was seen of them.

    Returns:
        ``ran``, ``elements``, ``requests``, ``dialogs``, ``secrets``: all empty where nothing got
        through; ``shown``: by page the payloads that stand there as text; ``errors`` of the pages.
    """
    found: dict[str, Any] = {
        "payloads": len(PAYLOADS),
        "ran": [],
        "elements": [],
        "requests": [],
        "dialogs": [],
        "shown": {},
    }
    notebook = _use_notebook(lab, found)
    folder = lab.root / "saved"
    (folder / "notebook.html").write_text(_convert(notebook), "utf-8")
    (folder / "record-markdown.html").write_text(_render(folder / "record.md"), "utf-8")
    for file in sorted(folder.iterdir()):
        if file.suffix in (".html", ".svg"):
            _open_file(lab, file, found)
    found["secrets"] = list(_find_secrets(lab, [notebook, *folder.iterdir()]))
    return found


def _use_notebook(lab: Any, found: dict[str, Any]) -> Path:
    """Run the cells, point at everything, and save the notebook."""
    page = lab.open(CELLS, size=(1700, 1400))
    with _witness(lab.url, page.page, found, "JupyterLab"):
        for cell in range(len(CELLS)):
            page.run(cell, timeout=180)
        page.locator("[data-rv=map-canvas]").first.wait_for()
        _point_at_everything(page)
        page.shot("hostile", ".rv-explorer")
        page.shot("hostile-monitor", ".rv-monitor")
        page.save()
    return Path(page.path)


def _point_at_everything(page: Any) -> None:
    """Hover, choose and click, so that what shows late shows too."""
    tools = page.page
    for selector in ("[data-rv=map-canvas]", ".rv-curves-plot .nsewdrag"):
        box = page.locator(selector).first.bounding_box()
        for across in (0.2, 0.4, 0.6, 0.8):
            for down in (0.3, 0.6):
                tools.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
                tools.wait_for_timeout(120)
    chooser = page.locator("[data-rv=color-by]").first
    for option in chooser.locator("option").all()[:4]:
        chooser.select_option(option.get_attribute("value"))
        tools.wait_for_timeout(200)
    page.locator("[data-rv=preset]").first.click()
    page.locator("[data-preset]").nth(4).wait_for()
    tools.keyboard.press("Escape")
    bar = page.locator(".rv-export")
    for payload in PAYLOADS[:3]:
        bar.locator("input").first.fill(payload)
        bar.locator("input").first.press("Tab")
        bar.locator("button", has_text="Preview").click()
        tools.wait_for_timeout(300)
    page.execute("m.steering.outcome.value = ''\nm.steering._written = live.version")
    for view in VIEWS:
        tools.get_by_role("button", name=view, exact=True).first.click()
        page.until(f"m._tabs.label == {view!r}", timeout=30)
        tools.wait_for_timeout(500)


@contextmanager
def _witness(own: str, page: Any, found: dict[str, Any], name: str) -> Iterator[None]:
    """Watch a page while it is used, and take down at its end what is there."""
    witness = Witness(own)
    witness.watch(page)
    yield
    seen = page.evaluate(_FOUND)
    if seen["hit"] is not None or seen["polluted"]:
        found["ran"].append(f"{name}: {seen['hit']} {seen['polluted']}")
    found["elements"] += [f"{name}: {each}" for each in seen["elements"]]
    found["dialogs"] += [f"{name}: {each}" for each in witness.dialogs]
    # nbconvert's own template loads MathJax and require.js from a public host.
    foreign = [url for url in witness.requests if name != "notebook.html" or EVIL in url]
    found["requests"] += [f"{name}: {url}" for url in foreign]
    found["shown"][name] = sum(_stands_in(each, seen) for each in PAYLOADS)


def _stands_in(payload: str, seen: dict[str, str]) -> bool:
    """Return whether the start of a payload is there as text; plotly cuts what is long."""
    start = " ".join(payload.split())[:16]
    return any(start in " ".join(seen[where].split()) for where in ("text", "drawn"))


def _open_file(lab: Any, file: Path, found: dict[str, Any]) -> None:
    context = lab._browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    with _witness("file:", page, found, file.name):
        page.goto(file.as_uri())
        page.wait_for_timeout(300)
        for link in page.locator("a[href^=javascript]").all()[:5]:
            link.click(timeout=1000)
        if file.name in ("record.html", "monitor.html"):
            page.screenshot(path=lab.shots / f"hostile-{file.stem}.png")
    context.close()


def _convert(notebook: Path) -> str:
    """Return the notebook as nbconvert makes a page of it."""
    from nbconvert import HTMLExporter

    page, _ = HTMLExporter().from_filename(str(notebook))
    return str(page)


def _render(markdown: Path) -> str:
    """Return Markdown as the renderer of nbconvert shows it."""
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    body = markdown2html_mistune(markdown.read_text("utf-8"))
    return f'<!doctype html><meta charset="utf-8"><body>{body}</body>'


def _find_secrets(lab: Any, files: list[Path]) -> Iterator[str]:
    """Yield where the token or a folder of this machine stands in what was saved."""
    secrets = {
        "token": lab.token,
        "runtime folder": str(lab.runtime),
        "folder": str(lab.root),
        "home": f"{Path.home()}/",
    }
    for file in files:
        text = file.read_text("utf-8", errors="replace")
        for name, secret in secrets.items():
            if secret in text:
                yield f"{file.name}: {name}"


def run() -> dict[str, Any]:
    """Attack a JupyterLab of its own; ``passed`` where nothing got through."""
    sys.path.insert(0, str(ROOT / "tests" / "browser"))
    import chromium
    from lab import Lab

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with Lab(folder, chromium=str(chromium.find()), shots=folder / "shots") as lab:
            found = attack(lab)
            found["errors"] = lab.close_pages()
    held = ("ran", "elements", "requests", "dialogs", "secrets")
    return found | {
        "passed": not any(found[each] for each in held) and all(found["shown"].values())
    }


def main() -> None:
    """Print what came."""
    print(json.dumps(run(), indent=1))


if __name__ == "__main__":
    main()
