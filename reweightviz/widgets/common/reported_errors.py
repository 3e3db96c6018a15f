"""Errors in Python at a change in the page: shown in the widget, not only in the kernel's log."""

from __future__ import annotations

from typing import Any

import ipywidgets
import traitlets as t

from reweightviz.core.errors import ReweightvizError

__all__ = ["ReportedErrors", "describe_problem"]


class ReportedErrors(ipywidgets.Widget):
    """Mixin of a widget, named before ``anywidget.AnyWidget``: errors stand in ``error``."""

    error = t.Unicode("", help="a sentence that is shown until it is dismissed").tag(sync=True)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take over what the page sent.

        All of it is refused where any of it is wrong. An error of a person's own callback is shown
        and raised.
        """
        try:
            for name, value in sync_data.items():
                self._admit(name, value)
        except (ReweightvizError, t.TraitError) as refusal:
            self.send_state([name for name in sync_data if name in self.keys])
            self.error = str(refusal)
            return
        try:
            super().set_state(sync_data)
        except Exception as problem:
            self.error = describe_problem(problem)
            raise

    def _admit(self, name: str, value: Any) -> None:
        # Before anything is set: while a message is applied, traitlets takes back only what a
        # TraitError refuses.
        if name in self.keys:
            read = self.trait_metadata(name, "from_json", self._trait_from_json)
            self.traits()[name]._validate(self, read(value, self))  # noqa: SLF001


def describe_problem(problem: Exception) -> str:
    """Return an error of a callback in words: our own sentence, or the kind of another error."""
    if isinstance(problem, ReweightvizError):
        return str(problem)
    return f"{type(problem).__name__} in a Python callback: {problem}"
