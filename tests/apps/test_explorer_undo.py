"""Undo over the editor, the map, their page and Python: one line of states, whoever steps."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import reweightviz as rv

NAMES = ("web", "code")
SHARES = st.sampled_from([0.25, 0.5, 0.75])  # few, so that equal values come again
SIDES = st.sampled_from(["python", "editor", "page"])


class Undoing(RuleBasedStateMachine):
    @initialize()
    def open(self):
        xy = np.random.default_rng(0).standard_normal((8, 2))
        columns = {
            "id": list("abcdefgh"),
            "text": list("abcdefgh"),
            "domain": NAMES * 4,
            "tokens": [1] * 8,
            "xy": xy,
        }
        self.x = rv.Explorer(rv.Corpus(columns))
        self.numbers = itertools.count(1)
        self.states = [(0.5, (), ())]
        self.place = 0

    def change(self, **parts):
        share, rows, hidden = self.states[self.place]
        now = (parts.get("share", share), parts.get("rows", rows), parts.get("hidden", hidden))
        if now != self.states[self.place]:
            self.states = [*self.states[: self.place + 1], now]
            self.place += 1

    def step_in_page(self, by, **step):
        journal = self.x.editor.journal
        place = [entry["id"] for entry in journal["entries"]].index(journal["at"]) + by
        if 0 <= place < len(journal["entries"]):
            at = journal["entries"][place]["id"]
            sent = {"id": f"page-1:{next(self.numbers)}", "at": at, "seen": journal["version"]}
            self.x.editor.set_state({"page_steps": [sent | step]})

    @rule(share=SHARES, side=SIDES)
    def mix(self, share, side):
        if side == "python":
            self.x.mixture = {"web": share, "code": 1 - share}
        elif side == "editor":
            self.x.editor.weights = [share, 1 - share]
        elif share != self.x.mixture["web"]:  # the page sends no step that changes nothing
            self.step_in_page(0, weights=[share, 1 - share], source={})
        self.change(share=share)

    @rule(rows=st.sampled_from([(), (1,), (2, 5)]))
    def select(self, rows):
        self.x.selection = list(rows)
        self.change(rows=rows)

    @rule(hidden=st.sampled_from([(), ("web",)]))
    def hide(self, hidden):
        self.x.map.set_state({"hidden": list(hidden)})
        self.change(hidden=hidden)

    @rule(by=st.sampled_from([-1, -1, 1]), side=SIDES)
    def travel(self, by, side):
        host = self.x if side == "python" else self.x.editor
        if side == "page":
            self.step_in_page(by)
        elif by < 0:
            host.undo()
        else:
            host.redo()
        self.place = min(max(self.place + by, 0), len(self.states) - 1)

    @invariant()
    def every_widget_shows_the_state(self):
        share, rows, hidden = self.states[self.place]
        assert (
            self.x.mixture["web"] == self.x.editor.weights[0] == self.x.map.mixture["web"] == share
        )
        assert tuple(self.x.state.selection) == tuple(self.x.map.selected_rows) == rows
        assert self.x.state.hidden == tuple(self.x.map.hidden) == hidden


TestUndoing = Undoing.TestCase
TestUndoing.settings = settings(max_examples=15, stateful_step_count=20)
