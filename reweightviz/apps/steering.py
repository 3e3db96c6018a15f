"""Steering: an editor whose mixture a person writes to the file that a training follows."""

from __future__ import annotations

import getpass
import html
import threading
from collections.abc import Callable, Mapping, Sequence

import ipywidgets as w
import numpy as np

from reweightviz.apps.history import draw_history
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.guards import Guards
from reweightviz.core.live import LiveMixture
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Law
from reweightviz.widgets.common.status_line import draw_status
from reweightviz.widgets.curves.run_view import Mark
from reweightviz.widgets.editor.mixture_editor import MixtureEditor

__all__ = ["NOW", "Steering"]


NOW = "the run now"
_SAME = 1e-9
_STANDINGS = {
    "ended": "run has ended",
    "late": "run is late",
    "gone": "run's log is gone",
}
"""A run that takes up no change now, behind the article."""


class Steering(w.VBox):
    """The editor, the button that steers, and the history of changes.

    Dragging alone changes nothing in the run.

    Args:
        live: the file.
        tokens: domain to tokens available; without it the editor shows no epochs.
        law: predicts the losses of the mixture in the editor.
        max_epochs: passes over a domain past which the editor warns.
        link: of the widgets that show the same domains.
        on_change: called after every change that is new here, whoever made it.
        budget: tokens of the whole run, for the editor's epochs.
        find_state: returns how the run stands, "live", "late", "gone" or "ended"; "" where none is
            followed.
    """

    def __init__(
        self,
        live: LiveMixture,
        *,
        tokens: Mapping[str, float] | None = None,
        law: Law | None = None,
        max_epochs: float = 4.0,
        link: str | None = None,
        on_change: Callable[[], None] = lambda: None,
        budget: float | str | None = None,
        find_state: Callable[[], str] = lambda: "",
    ) -> None:
        self.live = live
        self._on_change = on_change
        self._find_state = find_state
        self._written: int | None = None  # the version that was steered to from here
        # A click steers from the page, news come from the thread that follows the run.
        self._lock = threading.RLock()
        self._seen = live.read()
        self._seen_state: tuple[str, int, int, str] | None = None
        self._table = live.changes()
        domains = live.domains
        self.editor = MixtureEditor(
            {name: (tokens or {}).get(name, 0.0) for name in domains},
            mixture=self._seen.mixture,
            law=law,
            max_epochs=max_epochs,
            link=link,
            budget=budget,
        )
        self._make_controls()
        super().__init__(self._stack_rows(), layout=w.Layout(width="100%"))
        self.add_class("rv-steering")
        self.button.on_click(lambda _: self._on_click())
        self.back.on_click(lambda _: self._take_live_mixture())
        self.editor.observe(lambda _: self._on_edit(), "mixture")
        self.editor.add_preset(NOW, self._seen.mixture)
        self.editor.reference = self._seen.mixture.array.tolist()
        self.editor.reference_name = NOW
        self.poll()

    def steer(
        self,
        mixture: Mapping[str, float] | None = None,
        *,
        author: str | None = None,
        note: str | None = None,
    ) -> int:
        """Write a mixture to the live file, the editor's by default; return the new version.

        Raises:
            ReweightvizError: a guard, or a change by another since this widget last showed one.
        """
        with self._lock:
            version = self.live.set(
                self.editor.mixture if mixture is None else mixture,
                author=(self.author.value or "somebody") if author is None else author,
                note=note,
                after=self._seen.version,
            )
            self.note.value = ""
            self._written = version
            self.poll()
            return version

    def poll(self) -> bool:
        """Read the changes of others, and the steps from which they hold; True when any is new."""
        with self._lock:
            version = self.live.read()
            self.live.journal.poll()
            standing = self._find_state()
            state = (version.made, version.version, len(self.live.journal.effects), standing)
            if state == self._seen_state:
                return False
            self._seen_state = state
            # What a person is just dragging is not taken away from under the hand.
            untouched = _is_same(self.editor.mixture, self._seen.mixture)
            self._seen = version
            self._table = self.live.changes()
            self.editor.add_preset(NOW, version.mixture)
            if self.editor.reference_name == NOW:
                self.editor.reference = version.mixture.array.tolist()
            self.editor.locked = _list_locks(version.guards, self.live.domains)
            written = self._written
            if untouched and not _is_same(self.editor.mixture, version.mixture):
                self._take_live_mixture()
            self._written = written  # which a person's own edit forgets
            self._show_guards(version.guards, standing)
            if self._written is not None:
                self._show_outcome(standing)
            self.changes.value = draw_history(self._table)
            self._show_buttons()
        self._on_change()
        return True

    def marks(self) -> Sequence[Mark]:
        """Return the changes after the first one, at the steps where their effect began."""
        begun = self._table["step"].dropna()
        return [Mark(int(step), f"v{version}") for version, step in begun.items() if version > 1]

    # ---- controls

    def _make_controls(self) -> None:
        self.author = w.Text(
            value=_read_user(),
            placeholder="who",
            layout=w.Layout(width="130px"),
            tooltip="author of the change",
        )
        self.note = w.Text(
            placeholder="why (kept with the change)",
            layout=w.Layout(flex="1 1 200px", width="auto"),
        )
        self.button = w.Button(
            description="Steer the run", button_style="primary", layout=w.Layout(width="130px")
        )
        self.back = w.Button(
            description="Back to the run's",
            tooltip="the weights that are wanted now",
            layout=w.Layout(width="140px"),
        )
        self.outcome = w.HTML()
        self.guards = w.HTML()
        self.changes = w.HTML()

    def _stack_rows(self) -> list[w.Widget]:
        bar = w.Box(
            [self.author, self.note, self.button, self.back],
            layout=w.Layout(
                display="flex",
                flex_flow="row wrap",
                align_items="center",
                grid_gap="6px",
                width="100%",
            ),
        )
        return [self.editor, bar, self.outcome, self.guards, self.changes]

    def _on_click(self) -> None:
        try:
            self.steer(note=self.note.value.strip() or None)
        except (ReweightvizError, OSError) as refusal:
            self.poll()
            self.outcome.value = draw_status(str(refusal), wrong=True)

    def _on_edit(self) -> None:
        self._written = None
        self.outcome.value = ""
        self._show_buttons()

    def _take_live_mixture(self) -> None:
        source = {"method": "live", "version": self._seen.version}
        self.editor.mixture = Mixture(dict(self._seen.mixture), source=source)

    def _show_buttons(self) -> None:
        unchanged = _is_same(self.editor.mixture, self._seen.mixture)
        self.button.disabled = unchanged
        self.back.disabled = unchanged

    def _show_outcome(self, standing: str) -> None:
        """Say what became of the version that was steered to from here."""
        effects = {effect["version"]: effect["first"] for effect in self.live.journal.effects}
        if self._written in effects:
            when = f"the run took it up at step {effects[self._written]:,}"
        elif self._written != self._seen.version:
            when = f"version {self._seen.version} by {self._seen.author!r} came in its place"
        elif standing in _STANDINGS:
            when = f"the {_STANDINGS[standing]}: it takes it up when it goes on"
        else:
            when = "the run takes it up at its next look"
        self.outcome.value = draw_status(f"Version {self._written} is written; {when}.")

    def _show_guards(self, guards: Guards, standing: str) -> None:
        sentence = _describe_guards(guards)
        if standing in _STANDINGS:
            sentence = f"The {_STANDINGS[standing]}: a change waits until it goes on. {sentence}"
        style = "font-size:12px;line-height:1.5;color:var(--jp-ui-font-color2,#666)"
        escaped = html.escape(sentence.strip())
        self.guards.value = f'<div style="{style}">{escaped}</div>' if sentence else ""


def _is_same(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    weights = [one[name] for name in other]
    return bool(np.allclose(weights, list(other.values()), rtol=0, atol=_SAME))


def _read_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _list_locks(guards: Guards, domains: Sequence[str]) -> list[bool]:
    if guards.locked is True:
        return [True] * len(domains)
    locked = guards.locked or ()
    return [name in locked for name in domains]


def _describe_guards(guards: Guards) -> str:
    clauses = [
        f"{name} stays between {100 * low:g} and {100 * high:g} %"
        for name, (low, high) in guards.bounds.items()
    ]
    if guards.max_change < 1:
        share = f"{100 * guards.max_change:g} %"
        clauses.append(f"at most {share} of the tokens move from one step to the next")
    if guards.locked is True:
        clauses.append("everything is locked")
    elif guards.locked:
        clauses.append(f"{', '.join(guards.locked)} locked")
    return f"Guards: {'; '.join(clauses)}." if clauses else ""
