"""Widgets of a kind share their module: in the kernel, in the notebook and in the page.

A page never gives back a module that it loaded, so one a widget would leave megabytes behind every
cell that is run again; and a notebook that is opened again asks the kernel for the state of every
widget at once, which fails where each of them holds a module of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import anywidget
import ipywidgets
import traitlets as t

from reweightviz.widgets.common.assemble import assemble

__all__ = ["SHARED", "ModuleText", "SharedModule", "carry", "read_style"]


SHARED = assemble(Path(__file__).parent / "shared_module.js")
"""The module of every widget: it passes on to the one that ``_module`` names."""


class ModuleText(ipywidgets.Widget):
    """The text of a module, which widgets refer to; without a view."""

    text = t.Unicode().tag(sync=True)


class SharedModule(anywidget.AnyWidget):
    """A widget whose module, with those that it imports, lies at ``_path``."""

    _path: ClassVar[Path]
    _esm = SHARED
    _module = t.Unicode(help="reference to the model with the text of the module").tag(sync=True)

    @t.default("_module")
    def _carry_module(self) -> str:
        return carry(assemble(self._path))


_carriers: dict[str, ModuleText] = {}


def carry(text: str) -> str:
    """Return the reference to the one widget of this kernel that holds the text."""
    # One that was closed, as by ipywidgets' own close_all, carries nothing any more.
    if text not in _carriers or _carriers[text].comm is None:
        _carriers[text] = ModuleText(text=text)
    return f"IPY_MODEL_{_carriers[text].model_id}"


def read_style(path: Path) -> str:
    """Return a style sheet as text: of a path anywidget keeps, with it, every widget for ever."""
    return path.read_text("utf-8")
