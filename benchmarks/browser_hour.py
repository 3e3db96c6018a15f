"""Use JupyterLab for an hour by script: the memory of kernel and page must stay flat.

    .venv/bin/python benchmarks/browser_hour.py               an hour
    .venv/bin/python benchmarks/browser_hour.py --minutes 3   a try, which keeps nothing

Writes benchmarks/results/browser_hour.json, and browser_hour.svg drawn from it. A notebook holds an
Explorer of the demo corpus (a law, two logs, autosave), a Monitor that follows and steers a run
which another process writes, and an editor. Round after round, about one a minute, the mouse drags
weights, lassoes, hides, colours, looks at every view, steers, undoes and redoes; cells run again
and make new widgets, views are drawn twice and cleared, the notebook is closed and opened, the page
is reloaded.

After every round, behind a collection of garbage: resident memory of the kernel (what malloc holds
back is given to the system first), its live widgets and comms; JavaScript heap, nodes and listeners
of the page; resident memory of Chromium's renderers; errors in the console. A slope is fitted to
the second half: of the kernel a line, of the page a line with an offset of its own for each life
between two reloads, every fifth round.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "browser_hour.json"
sys.path.insert(0, str(ROOT / "tests" / "browser"))

SETUP = """
import reweightviz as rv
from reweightviz.core.live import LiveMixture

corpus = rv.losses(rv.cluster(rv.project(rv.embed(rv.demo_corpus()))))
law = rv.fit(rv.demo_swarm(), rv.laws.Olmix(draws=100))
logs = [rv.demo_log("natural"), rv.demo_log("doremi")]
"""
EXPLORE = "x = rv.Explorer(corpus, law=law, logs=logs, autosave='hour.explorer')\nx"
WATCH = """
sources = dict.fromkeys(["web", "code", "math", "books"], 4e8)
monitor = rv.Monitor("run.jsonl", live="mix.json", sources=sources, max_epochs=4)
monitor
"""
EDIT = "editor = rv.MixtureEditor(corpus, law=law, budget=1e8)\neditor"
AGAIN = "x"
CELLS = (SETUP, EXPLORE, WATCH, EDIT, AGAIN)
CANVAS = "[data-rv=map-canvas]"
VIEWS = ("Weights", "Realised shares", "Epochs", "Loss by weight", "Scalars", "Loss")

MEASURE = """
def _measure():
    import ctypes, gc, resource
    from pathlib import Path
    from comm import get_comm_manager
    from ipywidgets.widgets.widget import _instances

    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    resident = pages * resource.getpagesize() / 1e6
    return round(resident, 1), len(_instances), len(get_comm_manager().comms)
"""
READY = """() => {
    const session = jupyterapp.shell.currentWidget?.sessionContext;
    return session?.isReady && session.session?.kernel?.connectionStatus === "connected";
}"""
SLOPES = ("kernel_mb", "kernel_widgets", "heap_mb", "nodes", "listeners", "renderers_mb")
PANELS = {
    "kernel_mb": "kernel, MB resident",
    "heap_mb": "page, MB of JavaScript",
    "renderers_mb": "Chromium's renderers, MB resident",
    "kernel_widgets": "live widgets of the kernel",
}


def write_run(folder: Path) -> None:
    """Write four records a second, by the weights of the live mixture, until killed."""
    from reweightviz.core.live import LiveMixture
    from reweightviz.training.run_logger import RunLogger

    live = LiveMixture(folder / "mix.json")
    rng = np.random.default_rng(0)
    seen = np.zeros(4)
    with RunLogger(folder / "run.jsonl", domains=list(live.domains), name="hour") as log:
        for step in range(10, 1_000_000, 10):
            weights = live.read().mixture.array
            drawn = rng.multinomial(4096, weights)
            seen += drawn
            log.write(
                step=step,
                losses=np.array([2.6, 1.4, 1.9, 2.9]) + 60 / np.sqrt(400 + seen),
                weights=weights,
                drawn_tokens=drawn,
                tokens=float(seen.sum()),
                scalars={"grad_norm": float(1 + rng.gamma(3) / 6)},
            )
            time.sleep(0.25)


class Hour:
    """A person's hour at one notebook; what was done is counted."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []
        self.life = 0
        self._rng = np.random.default_rng(0)
        self._listen()

    def play(self, round_: int) -> None:
        """Use everything once, and by turns make things anew."""
        for act in (self.drag, self.lasso, self.hide, self.color, self.step, self.look, self.steer):
            self._do(act)
        if round_ % 2:
            self._do(self.explore_again)
        else:
            self._do(self.watch_again)
        if round_ % 4 == 1:
            self._do(self.draw_twice)
        if round_ % 5 == 2:
            self._do(self.close_and_open)
        if round_ % 5 == 4:
            self._do(self.reload)

    def measure(self) -> dict[str, Any]:
        """Collect the garbage on both sides, and read what is left."""
        resident, widgets, comms = self.page.python("_measure()")
        self._devtools.send("HeapProfiler.collectGarbage")
        found = {
            m["name"]: m["value"] for m in self._devtools.send("Performance.getMetrics")["metrics"]
        }
        renderers = [
            process.memory_info().rss
            for process in psutil.Process().children(recursive=True)
            if "--type=renderer" in process.cmdline()
        ]
        return {
            "kernel_mb": resident,
            "kernel_widgets": widgets,
            "kernel_comms": comms,
            "heap_mb": round(found["JSHeapUsedSize"] / 1e6, 2),
            "nodes": int(found["Nodes"]),
            "listeners": int(found["JSEventListeners"]),
            "renderers_mb": round(sum(renderers) / 1e6, 1),
            "console_errors": len(self.page.errors),
            "life": self.life,
        }

    # ---- what a person does

    def drag(self) -> None:
        """Drag six weights, in the explorer and in the editor of its own."""
        bars = self.page.locator("[data-rv=bar]:visible")
        for place in self._rng.choice(bars.count(), 6, replace=False):
            bar = bars.nth(int(place))
            bar.scroll_into_view_if_needed()
            box = bar.bounding_box()
            assert box
            middle = box["y"] + box["height"] / 2
            self.page.page.mouse.move(box["x"] + box["width"] / 2, middle)
            self.page.page.mouse.down()
            for share in self._rng.uniform(0.05, 0.6, 3):
                self.page.page.mouse.move(box["x"] + share * box["width"], middle, steps=6)
            self.page.page.mouse.up()

    def lasso(self) -> None:
        """Draw a lasso on the map; the selection arrives in the kernel."""
        self.page.locator(CANVAS).first.scroll_into_view_if_needed()
        self.page.locator("[data-tool=lasso]").first.click()
        left, top = self._rng.uniform(0.1, 0.4, 2)
        corners = [(left, top), (left + 0.4, top), (left + 0.4, top + 0.4), (left, top + 0.4)]
        self.page.drag(CANVAS, [*corners, (left, top + 0.05)])
        self.page.until("len(x.selection) > 0", timeout=30)

    def hide(self) -> None:
        """Hide a domain in the legend, and show it again."""
        entry = self.page.locator("[data-rv=legend-item]").nth(int(self._rng.integers(5)))
        for _ in range(2):
            entry.click()
            self.page.page.wait_for_timeout(400)

    def color(self) -> None:
        """Colour the map by its other columns."""
        chooser = self.page.locator("[data-rv=color-by]").first
        for name in ("cluster", "proxy loss", "domain"):
            known = chooser.locator("option").all_inner_texts()
            chooser.select_option(name if name in known else known[-1])
            self.page.page.wait_for_timeout(300)

    def step(self) -> None:
        """Undo four changes and do two of them again, in the page."""
        for name, times in (("undo", 4), ("redo", 2)):
            button = self.page.locator(f"[data-rv={name}]").first
            for _ in range(times):
                if button.is_enabled():
                    button.click()
                    self.page.page.wait_for_timeout(150)

    def look(self) -> None:
        """Look at every view of the monitor."""
        for title in VIEWS:
            button = self.page.locator(".rv-monitor .widget-toggle-button", has_text=title)
            button.or_(self.page.page.get_by_role("button", name=title, exact=True)).first.click()
            self.page.until(f"monitor._tabs.label == {title!r}", timeout=30)
            self.page.page.wait_for_timeout(700)

    def steer(self) -> None:
        """Move a weight of the run, and write it to the live file."""
        before = self.page.python("monitor.live.version")
        slider = self.page.locator(".rv-steering [role=slider]").nth(int(self._rng.integers(4)))
        slider.focus()
        for key in ("PageUp", "PageUp", "PageDown", "ArrowUp"):
            slider.press(key)
        button = self.page.locator(".rv-steering button", has_text="Steer the run").first
        self.page.until("not monitor.steering.button.disabled", timeout=30)
        button.click()
        self.page.until(f"monitor.live.version > {before}", timeout=30)

    def explore_again(self) -> None:
        """Run the explorer's cell again."""
        self.page.run(1, timeout=180)
        self.page.locator(CANVAS).first.wait_for()

    def watch_again(self) -> None:
        """Run the cells of the monitor and the editor again."""
        self.page.run(2, timeout=180)
        self.page.run(3, timeout=60)
        self.page.locator(".rv-monitor .js-plotly-plot").first.wait_for()

    def draw_twice(self) -> None:
        """Draw the explorer in a second cell, and clear that output."""
        self.page.run(4, timeout=60)
        self.page.page.wait_for_timeout(1500)
        self.page.page.evaluate("jupyterapp.commands.execute('notebook:clear-cell-output')")

    def close_and_open(self) -> None:
        """Close the notebook and open it; its kernel goes on, its widgets are there again."""
        self.page.save()
        self.page.page.evaluate("jupyterapp.commands.execute('application:close')")
        self.page.page.wait_for_function("() => !jupyterapp.shell.currentWidget?.sessionContext")
        self.page.page.evaluate(
            "path => jupyterapp.commands.execute('docmanager:open', {path})", self.page.name
        )
        self.page.page.wait_for_function(READY, timeout=120_000)
        self.page.locator(CANVAS).first.wait_for(timeout=60_000)

    def reload(self) -> None:
        """Press F5."""
        self.page.save()
        self.page.reload()
        self.life += 1
        self._listen()
        self.page.locator(CANVAS).first.wait_for(timeout=60_000)

    def _listen(self) -> None:
        self._devtools = self.page.page.context.new_cdp_session(self.page.page)
        self._devtools.send("HeapProfiler.enable")
        self._devtools.send("Performance.enable")

    def _do(self, act: Callable[[], None]) -> None:
        try:
            act()
            self.done[act.__name__] += 1
        except Exception as problem:  # noqa: BLE001  the hour goes on, and says so
            self.failed.append(f"{act.__name__}: {problem}"[:300])


def run(minutes: float, *, keep: bool) -> dict[str, Any]:
    """Use the notebook for so long; kept are the figures after every round."""
    import chromium
    from lab import Lab

    from reweightviz.core.live import LiveMixture

    samples: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Lab(Path(folder), chromium=str(chromium.find()), shots=Path(folder)) as lab,
    ):
        even = dict.fromkeys(["web", "code", "math", "books"], 0.25)
        LiveMixture.create(lab.root / "mix.json", even, author="setup")
        writer = subprocess.Popen([sys.executable, __file__, "--write", str(lab.root)])
        try:
            page = lab.open(CELLS, size=(1700, 1200))
            for cell in range(4):
                page.run(cell, timeout=600)
            page.execute(MEASURE)
            hour = Hour(page)
            began = time.monotonic()
            while (elapsed := time.monotonic() - began) < 60 * minutes:
                hour.play(len(samples))
                now = (time.monotonic() - began) / 60
                samples.append({"minute": round(now, 2)} | hour.measure())
                print(json.dumps(samples[-1]), flush=True)
                if keep:
                    found = report(hour, samples, lab._browser.version)
                    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
                rest = 60 * (elapsed // 60 + 1) - (time.monotonic() - began)
                page.page.wait_for_timeout(1000 * max(rest, 0))
            return report(hour, samples, lab._browser.version)
        finally:
            writer.kill()
            writer.wait()


def report(hour: Hour, samples: list[dict[str, Any]], chromium: str) -> dict[str, Any]:
    """Return the samples, one a round, and the slopes of their second half."""
    page = hour.page
    return {
        "measured_on": f"{os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}, Chromium {chromium}",
        "minutes": samples[-1]["minute"],
        "done": dict(hour.done),
        "failed": hour.failed,
        "console": Counter(error.split("\n")[0][:200] for error in page.errors),
        "log_records": page.python("len(monitor.logs[0])"),
        "slopes_an_hour": fit_slopes(samples),
        "samples": samples,
    }


def draw(found: dict[str, Any]) -> str:
    """Return a picture of the measures over the minutes, a panel each."""
    from reweightviz.figures.svg_plane import assemble_svg, draw_axes, draw_text, fit_scale

    parts: list[str] = []
    minutes = np.array([sample["minute"] for sample in found["samples"]])
    for place, (name, title) in enumerate(PANELS.items()):
        top = 34 + 130 * place
        y = np.array([sample[name] for sample in found["samples"]], float)
        across = fit_scale(np.array([0.0, minutes[-1]]), 60, 700)
        down = fit_scale(np.array([0.0, y.max()]), top + 90, top)
        points = zip(across.at(minutes), down.at(y), strict=True)
        line = " ".join(f"{x:.1f},{height:.1f}" for x, height in points)
        slope = found["slopes_an_hour"][name]
        words = f"{title}; {slope['slope']:+g} ± {slope['standard_error']:g} an hour, second half"
        parts += [draw_text(60, top - 10, words), *draw_axes(across, down)]
        parts.append(f'<polyline points="{line}" fill="none" stroke="#2a6fdb" stroke-width="2"/>')
    parts.append(draw_text(700, 34 + 130 * len(PANELS), "minutes", "end"))
    return assemble_svg(720, 44 + 130 * len(PANELS), parts)


def fit_slopes(samples: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Fit a line to the second half of each measure; every life of the page has its own offset."""
    half = [s for s in samples if s["minute"] >= samples[-1]["minute"] / 2]
    if len(half) < 3:
        return {}
    lives = sorted({s["life"] for s in half})
    hours = np.array([s["minute"] / 60 for s in half])
    offsets = np.array([[s["life"] == life for life in lives] for s in half], float)
    slopes = {}
    for name in SLOPES:
        y = np.array([s[name] for s in half], float)
        # The kernel lives through every reload of the page.
        design = np.column_stack(
            [hours, offsets if not name.startswith("kernel") else np.ones(len(y))]
        )
        solution, *_ = np.linalg.lstsq(design, y, rcond=None)
        spread = y - design @ solution
        free = max(len(y) - design.shape[1], 1)
        error = np.sqrt(spread @ spread / free * np.linalg.pinv(design.T @ design)[0, 0])
        slopes[name] = {
            "slope": round(float(solution[0]), 2),
            "standard_error": round(float(error), 2),
            "mean": round(float(y.mean()), 1),
        }
    return slopes


def main() -> None:
    """Use JupyterLab for so many minutes; an hour is kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write:
        write_run(given.write)
        return
    results = run(given.minutes, keep=given.minutes >= 60)
    if given.minutes >= 60:
        RESULTS.with_suffix(".svg").write_text(draw(results))
    print(json.dumps({k: v for k, v in results.items() if k != "samples"}, indent=1))


if __name__ == "__main__":
    main()
