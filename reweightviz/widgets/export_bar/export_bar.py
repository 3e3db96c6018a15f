"""The export bar: choose a framework, see what would be written, write it."""

from __future__ import annotations

import html
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as w

from reweightviz.core.errors import ReweightvizError

THERE = {"keep what is there": "keep", "merge into it": "merge", "replace it": "overwrite"}
TONES = {
    "+": "var(--jp-success-color1, #2e7d32)",
    "-": "var(--jp-error-color1, #c62828)",
    "@": "var(--jp-ui-font-color2, #757575)",
}
MOST_LINES = 400


class ExportBar(w.VBox):
    """One row of controls and what came of it.

    Args:
        frameworks: name to title, and the sentence that says what a number in its file counts.
        draft: called with (framework, path, keep | merge | overwrite), returns what has ``diff()``
            and ``save()``.
        framework: the first choice.
    """

    def __init__(
        self,
        frameworks: Mapping[str, tuple[str, str]],
        draft: Callable[[str, str, str], Any],
        *,
        framework: str = "huggingface",
    ) -> None:
        self._frameworks, self._draft = dict(frameworks), draft
        choices = sorted(
            ((title, name) for name, (title, _) in frameworks.items()),
            key=lambda choice: choice[0].lower(),
        )
        self.framework = w.Dropdown(
            options=choices,
            value=framework,
            layout=w.Layout(width="190px"),
            tooltip="training framework",
        )
        self.path = w.Text(
            value="mixture",
            placeholder="file or folder to write",
            layout=w.Layout(flex="1 1 180px", width="auto"),
        )
        self.there = w.Dropdown(
            options=THERE, layout=w.Layout(width="165px"), tooltip="if the path exists"
        )
        self.preview = w.Button(
            description="Preview",
            tooltip="show what would change, write nothing",
            layout=w.Layout(width="90px"),
        )
        self.write = w.Button(
            description="Export", button_style="primary", layout=w.Layout(width="90px")
        )
        self.said = w.HTML(layout=w.Layout(width="auto", margin="0"))
        self.preview.on_click(lambda _: self._run(save=False))
        self.write.on_click(lambda _: self._run(save=True))
        self.framework.observe(lambda _: self._say(self._unit()), "value")
        label = w.Label("Export as", layout=w.Layout(width="auto"))
        row = w.Box(
            [label, self.framework, self.path, self.there, self.preview, self.write],
            layout=w.Layout(
                display="flex", flex_flow="row wrap", align_items="center", grid_gap="4px"
            ),
        )
        super().__init__([row, self.said], layout=w.Layout(width="100%"))
        self.add_class("rv-export")
        self._say(self._unit())

    def _unit(self) -> str:
        return f"In this format {self._frameworks[self.framework.value][1]}."

    def _run(self, *, save: bool) -> None:
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                draft = self._draft(self.framework.value, self.path.value.strip(), self.there.value)
                done = f"Wrote {draft.save()}." if save else ""
            said = " ".join(
                [
                    done,
                    *(f"Note: {warning.message}" for warning in told),
                    "" if save else self._unit(),
                ]
            )
            self._say(said, "" if save else draft.diff() or "Nothing would change.")
        except (ReweightvizError, OSError) as error:
            self._say(str(error), wrong=True)

    def _say(self, sentence: str, text: str = "", *, wrong: bool = False) -> None:
        tone = TONES["-"] if wrong else "var(--jp-ui-font-color1, inherit)"
        body = f'<div role="status" style="color:{tone};line-height:1.5">{html.escape(sentence.strip())}</div>'
        if text:
            lines = text.splitlines()
            rest = [f"... {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
            shown = "\n".join([*map(_toned, lines[:MOST_LINES]), *rest])
            body += f'<pre style="max-height:260px;overflow:auto;margin:4px 0 0;font-size:12px;line-height:1.35">{shown}</pre>'
        self.said.value = body


def _toned(line: str) -> str:
    tone = TONES.get(line[:1])
    return f'<span style="color:{tone}">{html.escape(line)}</span>' if tone else html.escape(line)
