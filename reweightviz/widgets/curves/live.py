"""The line over the curves on the state of the followed runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import traitlets as t

from reweightviz.core.protocols import FollowedRun
from reweightviz.widgets.common.shared_module import SharedModule, read_style
from reweightviz.widgets.curves.pulse import find_state

__all__ = ["LiveStatus"]


_HERE = Path(__file__).parent


class LiveStatus(SharedModule):
    """A dot and a few words for each followed run; a click stops the curves, another resumes them.

    Args:
        followed: the runs.

    Example:
        >>> LiveStatus([]).runs
        []
    """

    _path = _HERE / "live.js"
    _css = read_style(_HERE / "live.css")

    runs = t.List(
        t.Dict(),
        help="of each run: name, state, step, when the last news came (Unix seconds), how many "
        "seconds there usually are between two and after how many it is late, what went wrong",
    ).tag(sync=True)
    paused = t.Bool(help="the curves stay as they are").tag(sync=True)
    seen = t.Int(help="how many views there are on the page; the page counts").tag(sync=True)

    def __init__(self, followed: Sequence[FollowedRun] = (), **traits: Any) -> None:
        super().__init__(**traits)
        self.shown = False
        """True once it has been on a page."""
        self.observe(self._note_view, "seen")
        self.show(followed)

    def show(self, followed: Sequence[FollowedRun]) -> None:
        """Show the state of the runs now."""
        self.runs = [
            {
                "name": run.log.name,
                "state": find_state(run),
                "step": run.last_step,
                "heard": run.last_update,
                "quiet": run.quiet,
                "usual": run.usual,
                "file": run.path.name,
                "problem": run.problem,
            }
            for run in followed
        ]

    def _note_view(self, _: t.Bunch) -> None:
        self.shown = True
