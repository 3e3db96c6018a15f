"""Steering: an editor whose mixture a person writes to the file that a training follows, and what was written so far."""

from __future__ import annotations

import getpass
import html
import threading
from collections.abc import Callable, Mapping, Sequence

import ipywidgets as w
import numpy as np
import pandas as pd

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.guards import Guards
from reweightviz.core.live import LiveMixture
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Law
from reweightviz.widgets.curves.run_curves import Mark
from reweightviz.widgets.editor.mixture_editor import MixtureEditor

NOW = "the run now"
_SAME = 1e-9
_MOST = 200  # changes in the table
_TOLD = 3  # moves of a change that are written out
_SHORT = "text-align:left;padding:0 12px 0 0;vertical-align:top;white-space:nowrap"
_LONG = "text-align:left;padding:0 12px 0 0;vertical-align:top;min-width:160px"
_CELLS = (_SHORT, _SHORT, _SHORT, _SHORT, _LONG, _LONG)


class Steering(w.VBox):
    """The editor, the button that steers, and the history of changes. Dragging alone changes nothing in the run.

    Args:
        live: the file.
        tokens: domain to tokens available; without it the editor shows no epochs.
        law: predicts the losses of what is dragged.
        max_epochs: passes over a domain past which the editor warns.
        link: of the widgets that show the same domains.
        colors: domain to CSS colour.
        changed: called after every change that is new here, whoever made it.
        budget: tokens of the whole run, for the editor's epochs.
        ended: says whether the run is over.
    """

    def __init__(
        self,
        live: LiveMixture,
        *,
        tokens: Mapping[str, float] | None = None,
        law: Law | None = None,
        max_epochs: float = 4.0,
        link: str | None = None,
        colors: Mapping[str, str] | None = None,
        changed: Callable[[], None] = lambda: None,
        budget: float | str | None = None,
        ended: Callable[[], bool] = lambda: False,
    ) -> None:
        self.live, self._changed, self._ended, self._lock = live, changed, ended, threading.RLock()
        self._seen = live.read()
        domains = live.domains
        table = {name: (tokens or {}).get(name, 0.0) for name in domains}
        self.editor = MixtureEditor(
            table,
            mixture=self._seen.mixture,
            law=law,
            max_epochs=max_epochs,
            link=link,
            budget=budget,
            colors=None if colors is None else [colors[name] for name in domains],
        )
        self.author = w.Text(
            value=_user(),
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
        self.said, self.guarded, self.changes = w.HTML(), w.HTML(), w.HTML()
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
        super().__init__(
            [self.editor, bar, self.said, self.guarded, self.changes], layout=w.Layout(width="100%")
        )
        self.add_class("rv-steering")
        self.button.on_click(lambda _: self._press())
        self.back.on_click(lambda _: self._take())
        self.editor.observe(lambda _: self._moved(), "mixture")
        self.editor.add_preset(NOW, self._seen.mixture)
        self.editor.reference, self.editor.reference_name = self._seen.mixture.array.tolist(), NOW
        self._table, self._effects = pd.DataFrame(), -1
        self.poll()

    def steer(
        self,
        mixture: Mapping[str, float] | None = None,
        *,
        author: str | None = None,
        note: str | None = None,
    ) -> int:
        """Write a mixture to the live file, the editor's when none is given; returns the new version.

        Raises:
            ReweightvizError: a guard, or a change by another since this widget last showed one.
        """
        with self._lock:
            wanted = self.editor.mixture if mixture is None else mixture
            version = self.live.set(
                wanted,
                author=self.author.value or "somebody" if author is None else author,
                note=note,
                after=self._seen.version,
            )
            self.note.value = ""
            self.poll()
            when = (
                "the run has ended: it takes it up when it goes on"
                if self._ended()
                else "the run takes it up at its next look"
            )
            self._say(f"Version {version} is written; {when}.")
            return version

    def poll(self) -> bool:
        """See what others changed, and from which step changes hold; True when there was something new."""
        with self._lock:
            now = self.live.read()
            self.live.journal.poll()
            ended = self._ended()
            state = (now.version, len(self.live.journal.effects), ended)
            if state == self._effects:
                return False
            before, self._effects = self._seen, state
            untouched = _same(self.editor.mixture, before.mixture)
            self._seen, self._table = now, self.live.changes()
            self.editor.add_preset(NOW, now.mixture)
            if self.editor.reference_name == NOW:
                self.editor.reference = now.mixture.array.tolist()
            self.editor.locked = [
                now.guards.locked is True or name in (now.guards.locked or ())
                for name in self.live.domains
            ]
            if untouched and not _same(self.editor.mixture, now.mixture):
                self._take()
            over = "The run has ended: a change waits until it goes on. " if ended else ""
            self.guarded.value = _small(over + _guards_in_words(now.guards))
            self.changes.value = _history(self._table, self.live.domains)
            self._show_button()
        self._changed()
        return True

    def marks(self) -> Sequence[Mark]:
        """The changes after the first one, where their effect began."""
        there = (
            self._table[self._table["step"].notna() & (self._table.index > 1)]
            if len(self._table)
            else self._table
        )
        return [Mark(int(row["step"]), f"v{version}") for version, row in there.iterrows()]

    def _press(self) -> None:
        try:
            self.steer(note=self.note.value.strip() or None)
        except (ReweightvizError, OSError) as refusal:
            self.poll()
            self._say(str(refusal), wrong=True)

    def _take(self) -> None:
        self.editor.mixture = Mixture(
            dict(self._seen.mixture), source={"method": "live", "version": self._seen.version}
        )

    def _moved(self) -> None:
        self.said.value = ""
        self._show_button()

    def _show_button(self) -> None:
        changed = not _same(self.editor.mixture, self._seen.mixture)
        self.button.disabled = self.back.disabled = not changed

    def _say(self, sentence: str, *, wrong: bool = False) -> None:
        tone = "var(--jp-error-color1, #c62828)" if wrong else "var(--jp-ui-font-color1, inherit)"
        self.said.value = (
            f'<div role="status" style="color:{tone};line-height:1.5">{html.escape(sentence)}</div>'
        )


def _same(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return bool(
        np.allclose([one[name] for name in other], list(other.values()), rtol=0, atol=_SAME)
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _guards_in_words(guards: Guards) -> str:
    bounds = [
        f"{name} stays between {100 * low:g} and {100 * high:g} %"
        for name, (low, high) in guards.bounds.items()
    ]
    slow = (
        [f"at most {100 * guards.max_change:g} % of the tokens move from one step to the next"]
        if guards.max_change < 1
        else []
    )
    locked = (
        ["everything is locked"]
        if guards.locked is True
        else [f"{', '.join(guards.locked)} locked"]
        if guards.locked
        else []
    )
    told = [*bounds, *slow, *locked]
    return f"Guards: {'; '.join(told)}." if told else ""


def _small(sentence: str) -> str:
    style = "font-size:12px;line-height:1.5;color:var(--jp-ui-font-color2,#666)"
    return f'<div style="{style}">{html.escape(sentence)}</div>' if sentence else ""


def _history(table: pd.DataFrame, domains: Sequence[str]) -> str:
    """The changes, the latest first, folded."""
    rows, before = [], None
    for version, row in table.iterrows():
        weights = row[list(domains)].astype(float)
        what = _moves(before, weights) if before is not None else "start"
        at = (
            "not yet"
            if pd.isna(row["step"])
            else f"{row['step']:,}"
            + (
                f" to {row['reached']:,}"
                if pd.notna(row["reached"]) and row["reached"] > row["step"]
                else ""
            )
        )
        cells = [
            f"v{version}",
            f"{row['time']:%d %b %H:%M:%S}",
            row["author"],
            at,
            what,
            "" if pd.isna(row["note"]) else row["note"],
        ]
        rows.append(
            "".join(
                f'<td style="{style}">{html.escape(str(cell))}</td>'
                for style, cell in zip(_CELLS, cells, strict=True)
            )
        )
        before = weights
    head = "".join(
        f'<th style="{_SHORT};font-weight:600">{word}</th>'
        for word in ("version", "time (UTC)", "author", "from step", "change", "note")
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows[: -_MOST - 1 : -1])
    return (
        "<details "
        f'style="font-size:12px;line-height:1.6"{" open" if len(rows) > 1 else ""}><summary>{len(rows)} version'
        f'{"s" if len(rows) != 1 else ""} of the mixture</summary><div style="overflow-x:auto">'
        f'<table style="border-collapse:collapse"><tr>{head}</tr>{body}</table></div></details>'
    )


def _moves(before: pd.Series[float], after: pd.Series[float]) -> str:
    """The largest moves, in percent."""
    order = (after - before).abs().sort_values(ascending=False)
    told = [
        f"{name} {100 * before[name]:.1f} to {100 * after[name]:.1f} %"
        for name in order.index[:_TOLD]
        if order[name] > _SAME
    ]
    more = int((order.iloc[_TOLD:] > _SAME).sum())
    return (", ".join(told) + (f" and {more} more" if more else "")) or "guards"
