"""The joints between an explorer's state and its widgets.

The editor needs none: it steps through the state's own journal.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import traitlets as t

from reweightviz.apps.explorer.state import ExplorerState
from reweightviz.apps.explorer.view import SAVED
from reweightviz.widgets.editor.mixture_editor import MixtureEditor
from reweightviz.widgets.map.map import Map

__all__ = ["join_map", "save_on_change"]


def join_map(shown: Map, state: ExplorerState) -> None:
    """Let a map write to the state and follow it."""

    def record_selection(_: t.Bunch) -> None:
        state.set_selection(shown.selected_rows)

    def record_hidden(change: t.Bunch) -> None:
        state.set_hidden(change["new"])

    def follow(what: str) -> None:
        if what == "mixture":
            shown.mixture = state.mixture
        elif what == "hidden":
            shown.hidden = list(state.hidden)
        elif not np.array_equal(shown.selected_rows, state.selection):
            shown.selection = state.selection

    # When the map only follows, the state holds its value already, so nothing is recorded twice.
    shown.observe(record_selection, "selection")
    shown.observe(record_hidden, "hidden")
    state.listen(follow)


def save_on_change(
    save: Callable[[], None], state: ExplorerState, editor: MixtureEditor, shown: Map | None
) -> None:
    """Call ``save`` after every change of what a saved explorer holds."""

    def save_again(_: object) -> None:
        save()

    # Once a step, whatever that changed.
    state.journal.listen(save_again)
    editor.observe(save_again, list(SAVED))
    if shown is not None:
        shown.observe(save_again, "color_by")
