"""Names that are pieces of HTML, script, CSS and templates stand on every page as text, and do nothing."""

from __future__ import annotations

import hostile_pages
from lab import Lab


def test_hostile_text_stays_text_in_every_place(lab: Lab):
    found = hostile_pages.attack(lab)
    for what in ("ran", "elements", "requests", "dialogs"):
        assert found[what] == [], what
    assert found["secrets"] == [], "token or folders of this machine in what was saved"
    shown = found["shown"]
    assert shown["JupyterLab"] == shown["notebook.html"] == shown["monitor.html"]
    # What plotly draws, and what ends a line, may be cut or be two pieces.
    few = {name: count for name, count in shown.items() if count < found["payloads"] - 2}
    assert set(few) <= {"front-plotly.html", "front-static.svg"}, few
    assert all(shown.values()), shown
