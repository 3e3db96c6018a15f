"""The export bar: choose a framework, preview its file, write it."""

from __future__ import annotations

import html
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import ipywidgets as w

from reweightviz.core.errors import ReweightvizError
from reweightviz.widgets.common.status_line import WRONG, draw_status

__all__ = ["MOST_LINES", "THERE", "TONES", "Draft", "ExportBar"]


THERE = {"keep what is there": "keep", "merge into it": "merge", "replace it": "overwrite"}
TONES = {
    "+": "var(--jp-success-color1, #2e7d32)",
    "-": WRONG,
    "@": "var(--jp-ui-font-color2, #757575)",
}
MOST_LINES = 400


class Draft(Protocol):
    """A file that is not written yet."""

    def diff(self) -> str:
        """Return what saving would change, as a unified diff."""
        ...

    def save(self) -> Any:
        """Write it; return its path."""
        ...


class ExportBar(w.VBox):
    """One row of controls and the outcome of the last click.

    Args:
        frameworks: name to title, and the sentence on what a number in its file counts.
        draft: called with (framework, path, keep | merge | overwrite).
        framework: the first choice.
    """

    def __init__(
        self,
        frameworks: Mapping[str, tuple[str, str]],
        draft: Callable[[str, str, str], Draft],
        *,
        framework: str = "huggingface",
    ) -> None:
        self._frameworks = dict(frameworks)
        self._draft = draft
        titles = sorted(
            ((title, name) for name, (title, _) in frameworks.items()),
            key=lambda choice: choice[0].lower(),
        )
        self.framework = w.Dropdown(
            options=titles,
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
        self.outcome = w.HTML(layout=w.Layout(width="auto", margin="0"))
        self.preview.on_click(lambda _: self._run(self._preview))
        self.write.on_click(lambda _: self._run(self._write))
        self.framework.observe(lambda _: self._show_unit(), "value")
        label = w.Label("Export as", layout=w.Layout(width="auto"))
        row = w.Box(
            [label, self.framework, self.path, self.there, self.preview, self.write],
            layout=w.Layout(
                display="flex", flex_flow="row wrap", align_items="center", grid_gap="4px"
            ),
        )
        super().__init__([row, self.outcome], layout=w.Layout(width="100%"))
        self.add_class("rv-export")
        self._show_unit()

    def _show_unit(self) -> None:
        self.outcome.value = draw_status(self._describe_unit())

    def _describe_unit(self) -> str:
        _, counts = self._frameworks[self.framework.value]
        return f"In this format {counts}."

    def _run(self, act: Callable[[], str]) -> None:
        """Show the outcome of a click, or the error."""
        try:
            self.outcome.value = act()
        except (ReweightvizError, OSError) as error:
            self.outcome.value = draw_status(str(error), wrong=True)

    def _preview(self) -> str:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            draft = self._make_draft()
        sentence = " ".join([*_list_notes(caught), self._describe_unit()])
        return draw_status(sentence) + _draw_diff(draft.diff() or "Nothing would change.")

    def _write(self) -> str:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            path = self._make_draft().save()
        return draw_status(" ".join([f"Wrote {path}.", *_list_notes(caught)]))

    def _make_draft(self) -> Draft:
        return self._draft(self.framework.value, self.path.value.strip(), self.there.value)


def _list_notes(caught: list[warnings.WarningMessage]) -> list[str]:
    return [f"Note: {warning.message}" for warning in caught]


def _draw_diff(text: str) -> str:
    """Return a diff as coloured HTML."""
    lines = text.splitlines()
    parts = [_color_line(line) for line in lines[:MOST_LINES]]
    if len(lines) > MOST_LINES:
        parts.append(f"... {len(lines) - MOST_LINES} more lines")
    style = "max-height:260px;overflow:auto;margin:4px 0 0;font-size:12px;line-height:1.35"
    body = "\n".join(parts)
    return f'<pre style="{style}">{body}</pre>'


def _color_line(line: str) -> str:
    tone = TONES.get(line[:1])
    escaped = html.escape(line)
    return f'<span style="color:{tone}">{escaped}</span>' if tone else escaped
