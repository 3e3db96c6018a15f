"""Drives a real JupyterLab in headless Chromium, and reads the same kernel from the side.

page = lab.open(["import reweightviz as rv", "m = rv.Map(rv.demo_corpus()); m"])
page.run_all()
page.locator(".rv-map canvas").hover()
assert page.python("len(m.selection)") == 12
"""

from __future__ import annotations

import ast
import base64
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from jupyter_client import BlockingKernelClient
from numpy.typing import NDArray
from playwright.sync_api import ConsoleMessage, Locator, Page, sync_playwright

# WebGL in software; and no request of Chromium's own, which a closed network would refuse many times over.
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    "@jupyterlab/notebook-extension:tracker": {
        "windowingMode": "none"
    },  # outputs outside the window stay in the page
}
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
# Errors of JupyterLab itself that say nothing about a widget: (pattern, why it is harmless).
HARMLESS = (
    (
        "Could not restore the debugger state: Canceled future",
        "the debugger's panel asks a kernel that was just restarted",
    ),
)

RGBA = NDArray[np.uint8]


class CellError(AssertionError):
    """A cell raised; the message is the cell and its traceback."""


class Lab:
    """One server and one browser; pages are opened one a notebook."""

    def __init__(self, folder: Path, *, chromium: str, shots: Path) -> None:
        self.root, self.runtime, self.shots = folder / "notebooks", folder / "runtime", shots
        self.token, self.log = secrets.token_hex(16), folder / "server.log"
        self._folder, self._chromium, self._pages = folder, chromium, list[NotebookPage]()

    def __enter__(self) -> Lab:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        for made in (self.root, self.runtime, self.shots, self._folder / "config" / "labconfig"):
            made.mkdir(parents=True, exist_ok=True)
        (self._folder / "config" / "labconfig" / "default_setting_overrides.json").write_text(
            json.dumps(SETTINGS)
        )
        # Nothing of the person's own JupyterLab: neither settings nor workspaces nor extensions.
        places = {
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        env = (
            os.environ
            | {name: str(self._folder / place) for name, place in places.items()}
            | {"HF_HUB_OFFLINE": "1"}
        )
        command = [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            f"--port={port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={self.root}",
            f"--IdentityProvider.token={self.token}",
            "--LabApp.expose_app_in_browser=True",
        ]
        with self.log.open("wb") as log:
            self._server = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=self.root)
        try:
            self._wait_for_server()
            self._playwright = sync_playwright().start()
            self._browser = self._playwright.chromium.launch(
                executable_path=self._chromium, headless=True, args=FLAGS
            )
        except BaseException:
            self._server.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close_pages()
        self._browser.close()
        self._playwright.stop()
        self._server.terminate()
        try:
            self._server.wait(20)
        except subprocess.TimeoutExpired:
            self._server.kill()

    def open(
        self, notebook: Sequence[str] | Path, *, size: tuple[int, int] = (1400, 900)
    ) -> NotebookPage:
        """A page on a new notebook of these code cells, or on a copy of the notebook at a path; its kernel runs."""
        name = f"test{len(list(self.root.glob('*.ipynb')))}.ipynb"
        if isinstance(notebook, Path):
            shutil.copy(notebook, self.root / name)
        else:
            spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
            content = nbformat.v4.new_notebook(
                cells=[nbformat.v4.new_code_cell(cell) for cell in notebook],
                metadata={"kernelspec": spec},
            )
            nbformat.write(content, self.root / name)
        context = self._browser.new_context(viewport={"width": size[0], "height": size[1]})
        page = NotebookPage(self, context.new_page(), name)
        self._pages.append(page)
        page.reload()
        return page

    def close_pages(self) -> list[str]:
        """Close every page and end its kernel; returns the errors that their consoles showed."""
        errors = [error for page in self._pages for error in page.errors]
        for page in self._pages:
            page.close()
        for session in self.ask("/api/sessions"):
            self.ask(f"/api/sessions/{session['id']}", "DELETE")
        self._pages.clear()
        return errors

    def ask(self, path: str, method: str = "GET") -> Any:
        """The JSON answer of the Jupyter server's REST interface."""
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def _wait_for_server(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                self.ask("/api/status")
            except OSError:
                if self._server.poll() is not None:
                    break
                time.sleep(0.2)
            else:
                return
        raise RuntimeError(f"JupyterLab did not start: {self.log.read_text()[-2000:]}")


class NotebookPage:
    """One notebook in the browser. ``page`` is Playwright's; cells are counted from 0, Markdown cells included."""

    def __init__(self, lab: Lab, page: Page, name: str) -> None:
        self.lab, self.page, self.name, self.path = lab, page, name, lab.root / name
        self.errors: list[str] = []
        # A thread of its own, for the kernel's client and Playwright both want this thread's event loop.
        self._aside, self._client = ThreadPoolExecutor(1), None
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error.stack or error}"))

    def reload(self, timeout: float = 120) -> None:
        """Load the page afresh, as a person who presses F5; the kernel goes on."""
        self.page.goto(f"{self.lab.url}/lab/tree/{self.name}?token={self.lab.token}&reset")
        # Not kernel.status === "idle", which some pages never report.
        self.page.wait_for_function(
            """() => {
            const session = window.jupyterapp?.shell?.currentWidget?.sessionContext;
            return session?.isReady && session.session?.kernel?.connectionStatus === "connected";
        }""",
            timeout=timeout * 1000,
        )
        self.page.evaluate("jupyterapp.restored")

    # Cells

    def run(self, cell: int, timeout: float = 60) -> list[dict[str, Any]]:
        """Run a cell to its end; returns its outputs, raises CellError with the traceback."""
        self.start(cell)
        return self.wait(cell, timeout)

    def run_all(self, timeout: float = 180) -> None:
        """Run the code cells one after another, ``timeout`` seconds in all."""
        deadline = time.monotonic() + timeout
        for cell, kind in enumerate(
            self.page.evaluate(
                "jupyterapp.shell.currentWidget.content.widgets.map(c => c.model.type)"
            )
        ):
            if kind == "code":
                self.run(cell, max(deadline - time.monotonic(), 0.1))

    def start(self, cell: int) -> None:
        """Run a cell and do not wait for it."""
        self.page.evaluate(
            """async (cell) => {
            const notebook = jupyterapp.shell.currentWidget.content;
            notebook.activeCellIndex = cell;
            notebook.deselectAll();
            const runs = (window.rvRuns ??= {});
            runs[cell] = false;
            jupyterapp.commands.execute("notebook:run-cell").finally(() => { runs[cell] = true; });
        }""",
            cell,
        )

    def wait(self, cell: int, timeout: float = 60) -> list[dict[str, Any]]:
        """Wait until a started cell has ended."""
        self.page.wait_for_function("cell => window.rvRuns[cell]", arg=cell, timeout=timeout * 1000)
        source, outputs = self.page.evaluate(
            """cell => {
            const model = jupyterapp.shell.currentWidget.content.widgets[cell].model;
            return [model.sharedModel.getSource(), model.outputs.toJSON()];
        }""",
            cell,
        )
        for output in outputs:
            if output["output_type"] == "error":
                traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output["traceback"]))
                raise CellError(f"cell {cell} raised:\n{source}\n{traceback}")
        return outputs

    def output(self, cell: int) -> Locator:
        """The output area of a cell."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".jp-OutputArea-output")

    def locator(self, selector: str, **narrowed: Any) -> Locator:
        """Playwright's locator in this page."""
        return self.page.locator(selector, **narrowed)

    # The kernel

    def python(self, expression: str, timeout: float = 60) -> Any:
        """The value of an expression in this notebook's kernel (anything that ``repr`` writes and Python reads back)."""
        answer = self._ask_kernel("", timeout, {"value": f"repr({expression})"})[
            "user_expressions"
        ]["value"]
        if answer["status"] != "ok":
            raise CellError(f"{expression} raised {answer['ename']}: {answer['evalue']}")
        return ast.literal_eval(ast.literal_eval(answer["data"]["text/plain"]))

    def execute(self, code: str, timeout: float = 60) -> None:
        """Run statements in this notebook's kernel, without a cell."""
        answer = self._ask_kernel(code, timeout, {})
        if answer["status"] != "ok":
            raise CellError(f"{code} raised {answer['ename']}: {answer['evalue']}")

    def until(self, expression: str, timeout: float = 10) -> None:
        """Wait until an expression is true in the kernel."""
        deadline = time.monotonic() + timeout
        while not self.python(f"bool({expression})"):
            assert time.monotonic() < deadline, f"{expression} was not true in {timeout} s"
            self.page.wait_for_timeout(50)

    def restart_kernel(self) -> None:
        """Restart it as the menu does, without the question; widgets that were drawn lose their models."""
        self._aside.submit(self._disconnect).result(60)
        self.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        self.python("None")

    def save(self) -> nbformat.NotebookNode:
        """Save the notebook; returns it as it lies on disk."""
        self.page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        return nbformat.read(self.path, as_version=4)

    # What is seen

    def theme(self, name: str) -> None:
        """Switch to the "light" or the "dark" theme."""
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", THEMES[name]
        )
        self.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light",
            arg=str(name == "light").lower(),
        )
        self.page.wait_for_timeout(300)  # style sheets are swapped a moment after the attribute

    def shot(self, name: str, selector: str | None = None) -> Path:
        """A screenshot, kept as tests/shots/NAME.png: of the page, or of the first match."""
        path = self.lab.shots / f"{name}.png"
        (self.page.locator(selector).first if selector else self.page).screenshot(path=path)
        return path

    def pixels(self, selector: str) -> RGBA:
        """A canvas's own pixels, (height, width, 4). WebGL canvases may read empty after their frame: see ``seen``."""
        return _decoded(self.page.locator(selector).first.evaluate(_READ, None))

    def seen(self, selector: str) -> RGBA:
        """The pixels of an element as the screen shows them, whatever drew it, (height, width, 4)."""
        png = base64.b64encode(self.page.locator(selector).first.screenshot()).decode()
        return _decoded(self.page.locator("body").evaluate(_READ, png))

    def drag(self, selector: str, points: Sequence[tuple[float, float]], steps: int = 8) -> None:
        """Press, move and release the mouse along points given as shares of the element's width and height."""
        box = self.page.locator(selector).first.bounding_box()
        assert box, f"{selector} is not visible"
        path = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.page.mouse.move(*path[0])
        self.page.mouse.down()
        for x, y in path[1:]:
            self.page.mouse.move(x, y, steps=steps)
        self.page.mouse.up()

    # Inside

    def close(self) -> None:
        self._aside.submit(self._disconnect).result(60)
        self._aside.shutdown()
        self.page.context.close()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(
            re.search(pattern, message.text) for pattern, _ in HARMLESS
        ):
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _ask_kernel(self, code: str, timeout: float, expressions: dict[str, str]) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            client = self._client or self._connect()
            reply = client.execute(
                code, store_history=False, user_expressions=expressions, reply=True, timeout=timeout
            )
            return reply["content"]

        return self._aside.submit(ask).result(timeout + 60)

    def _connect(self) -> BlockingKernelClient:
        kernel = next(
            s["kernel"]["id"] for s in self.lab.ask("/api/sessions") if s["path"] == self.name
        )
        client = BlockingKernelClient(
            connection_file=str(self.lab.runtime / f"kernel-{kernel}.json")
        )
        client.load_connection_file()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        self._client = client
        return client

    def _disconnect(self) -> None:
        if self._client:
            self._client.stop_channels()
        self._client = None


# Copies a canvas, or a PNG in base64, to a 2D canvas and reads it: [width, height, RGBA in base64].
_READ = """async (element, png) => {
    const source = png === null ? element : await createImageBitmap(await (await fetch("data:image/png;base64," + png)).blob());
    const copy = new OffscreenCanvas(source.width, source.height);
    const pen = copy.getContext("2d", {willReadFrequently: true});
    pen.drawImage(source, 0, 0);
    const data = pen.getImageData(0, 0, copy.width, copy.height).data;
    let text = "";
    for (let i = 0; i < data.length; i += 32768) text += String.fromCharCode(...data.subarray(i, i + 32768));
    return [copy.width, copy.height, btoa(text)];
}"""


def _decoded(read: tuple[int, int, str]) -> RGBA:
    width, height, data = read
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)
