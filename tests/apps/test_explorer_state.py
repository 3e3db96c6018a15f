import json

import numpy as np
import pytest

from reweightviz.apps.explorer.state import ExplorerState
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture

A, B, C = (Mixture({"x": share, "y": 1 - share}) for share in (0.5, 0.25, 0.75))


@pytest.fixture
def state():
    return ExplorerState(A, documents=20)


def test_one_journal_for_every_change(state):
    state.set_mixture(B)
    state.set_selection([3, 1])
    state.set_hidden(["x"])
    assert (state.mixture, state.selection.tolist(), state.hidden) == (B, [1, 3], ("x",))
    for _ in range(2):
        state.undo()
    assert (state.mixture, state.selection.tolist(), state.hidden) == (B, [], ())
    state.undo()
    assert state.mixture == A
    assert not state.undo()
    for _ in range(3):
        state.redo()
    assert (state.mixture, state.selection.tolist(), state.hidden) == (B, [1, 3], ("x",))


def test_a_new_change_forgets_what_was_undone(state):
    state.set_mixture(B)
    state.undo()
    state.set_selection([1])
    assert not state.redo()
    assert state.mixture == A


def test_equal_values_are_visited_step_by_step(state):
    for mixture in (B, A, B, C, B, A):
        state.set_mixture(mixture)
    seen = [state.mixture for _ in range(7) if state.undo()]
    assert seen == [B, C, B, A, B, A]
    seen = [state.mixture for _ in range(7) if state.redo()]
    assert seen == [B, A, B, C, B, A]


def test_selection_and_mixture_are_undone_in_the_order_of_the_changes(state):
    state.set_mixture(B)
    state.set_selection([1])
    state.set_mixture(A)
    state.set_selection([])
    places = [(state.mixture, state.selection.tolist())]
    while state.undo():
        places.append((state.mixture, state.selection.tolist()))
    assert places == [(A, []), (A, [1]), (B, [1]), (B, []), (A, [])]


def test_fifty_changes_are_kept_and_the_rest_stays_done(state):
    state.set_hidden(["x"])
    for step in range(60):
        state.set_selection([step % 20])
    undone = 0
    while state.undo():
        undone += 1
    assert undone == 50
    assert (state.hidden, state.selection.tolist()) == (("x",), [9])


def test_listeners_hear_what_changed_and_only_changes(state):
    heard = []
    state.listen(heard.append)
    state.set_mixture(A)
    state.set_mixture(B)
    state.set_selection([])
    state.undo()
    assert heard == ["mixture", "mixture"]


def test_bad_input_changes_nothing(state):
    with pytest.raises(ReweightvizError, match="rows must be between 0 and 19; got 1 to 20"):
        state.set_selection([1, 20])
    with pytest.raises(ReweightvizError, match="name different domains"):
        state.set_mixture(Mixture({"z": 1.0}))
    assert not state.undo()


def test_saved_and_loaded_with_its_journal(state, tmp_path):
    state.set_mixture(B)
    state.set_selection(np.array([0, 7, 19]))
    state.undo()
    (tmp_path / "s.json").write_text(json.dumps(state.to_jsonable()))
    again = ExplorerState.load(tmp_path / "s.json")
    assert again.mixture == B
    again.redo()
    assert again.selection.tolist() == [0, 7, 19]
    assert again.undo()
    assert again.undo()
    assert again.mixture == A
    (tmp_path / "s.json").write_text(json.dumps({"values": 1}))
    with pytest.raises(ReweightvizError, match="as a saved explorer"):
        ExplorerState.load(tmp_path / "s.json")
