"""A cell that is run again leaves nothing of what it showed before: no widget, no memory."""

from __future__ import annotations

import gc
import importlib.util
import weakref

import pytest
import tqdm.notebook
from IPython.core.interactiveshell import InteractiveShell
from ipywidgets.widgets.widget import _instances

import reweightviz as rv
from reweightviz.core import progress
from reweightviz.widgets.common import shown_widget
from reweightviz.widgets.common.shared_module import ModuleText

CELL = """
corpus = rv.Corpus({"text": ["a", "b"], "domain": ["web", "code"], "tokens": [1, 1], "xy": [[0, 0], [1, 1]]})
x = rv.Explorer(corpus, logs=[rv.demo_log("doremi")])
x
"""


@pytest.fixture
def shell(monkeypatch):
    shell = InteractiveShell()
    shell.user_ns["rv"] = rv
    monkeypatch.setattr(shown_widget, "_find_shell", lambda: shell)
    monkeypatch.setattr(shown_widget, "_by_cell", {})
    monkeypatch.setattr(shown_widget, "_now", [])
    return shell


def run(shell, code, cell):
    assert shell.run_cell(code, store_history=True, cell_id=cell).success


def live():
    return {name for name, each in _instances.items() if not isinstance(each, ModuleText)}


def test_a_cell_that_runs_again_closes_what_it_showed(shell):
    before = live()
    run(shell, CELL, "one")
    once = len(live() - before)
    first = weakref.ref(shell.user_ns["x"])
    for _ in range(3):
        run(shell, CELL, "one")
        assert len(live() - before) == once
    gc.collect()
    assert first() is None, "nothing of ours, of anywidget or of IPython's Out keeps it"
    shell.user_ns["x"].close()
    assert live() == before


def test_ipython_keeps_the_pictures_of_the_last_run_alone(shell):
    bundles = getattr(shell.history_manager, "outputs", None)
    if bundles is None:
        pytest.skip("this IPython keeps no bundles")
    run(shell, "1 + 1", "another")
    for _ in range(4):
        run(shell, CELL, "one")
    kept = [each for outputs in bundles.values() for each in outputs]
    shown = [each for each in kept if "image/png" in each.bundle]
    assert len(shown) == 1
    assert len(kept) == 2, "the output of another cell stays"


@pytest.mark.parametrize(
    ("code", "cell"),
    [
        ("kept = x", None),
        ("kept = [x]", None),
        ("kept = {'mine': x}", None),
        ("import types\nkept = types.SimpleNamespace(mine=x)", None),
        ("x", "another"),  # which shows it too
    ],
)
def test_what_a_person_holds_or_sees_elsewhere_stays(shell, code, cell):
    run(shell, "x = rv.MixtureEditor({'web': 1, 'code': 1})\nx", "one")
    first = shell.user_ns["x"]
    run(shell, code, cell)
    run(shell, "x = rv.MixtureEditor({'web': 1, 'code': 1})\nx", "one")
    assert shell.user_ns["x"] is not first
    assert first.comm is not None


def test_only_another_of_its_class_takes_its_place(shell):
    run(shell, "x = rv.MixtureEditor({'web': 1, 'code': 1})\nx", "one")
    first = weakref.proxy(shell.user_ns["x"])
    run(shell, "del x\nrv.Map([[0, 0]])", "one")
    assert first.comm is not None
    run(shell, "1 + 1", "one")
    assert first.comm is not None


def test_a_progress_bar_of_a_notebook_closes_its_parts(monkeypatch):
    # tqdm.auto is the notebook's own bar only in a notebook.
    monkeypatch.setattr("tqdm.auto.tqdm", tqdm.notebook.tqdm)
    spec = importlib.util.spec_from_file_location("in_a_notebook", progress.__file__)
    in_a_notebook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(in_a_notebook)
    before = live()
    for _ in in_a_notebook.tqdm(range(3), delay=1, leave=False):
        assert live() > before
    assert live() == before
