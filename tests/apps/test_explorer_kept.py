"""An explorer's folder under kills, second writers, full disks and other people's files."""

from __future__ import annotations

import errno
import json
import os
import shutil
import warnings
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning

GOLDEN = Path(__file__).parents[1] / "golden"
TOKENS = {"web": 3e9, "code": 1e9}
A, B, C = ({"web": share, "code": 1 - share} for share in (0.6, 0.3, 0.1))
NATURAL = {"web": 0.75, "code": 0.25}


def make_log(name, domains):
    K = len(domains)
    signals = {"loss": np.full((2, K), 1.0)}
    return rv.RunLog(tuple(domains), [1, 2], np.full((2, K), 1 / K), signals, name=name)


def make_corpus(letters="ab"):
    texts = [f"{letter} {number}" for number in range(4) for letter in letters]
    xy = np.arange(2.0 * len(texts)).reshape(-1, 2)
    return rv.Corpus({"text": texts, "domain": ["web", "code"] * 4, "xy": xy})


@pytest.fixture
def kill_at_each_rename(tmp_path, is_killed_at):
    """Yields a folder for each rename of ``act(folder)``, killed before it."""

    def run(prepare, act):
        for number in count():
            place = tmp_path / str(number)
            given = prepare(place)
            if not is_killed_at(number, lambda: act(place, given)):  # noqa: B023
                return
            yield place

    return run


def shown(x):
    """Return what all parts show, which is one mixture."""
    weights = dict(zip(x.editor.domains, x.editor.weights, strict=True))
    parts = [dict(x.mixture), dict(x.editor.mixture), weights]
    if x.map is not None:
        parts.append(dict(x.map.mixture))
    assert all(part == parts[0] for part in parts)
    return parts[0]


def steps(x):
    """Return the web weight of every entry of the journal."""
    return [entry["weights"][0] for entry in x.editor.journal["entries"] if "weights" in entry]


# ---- kills


@pytest.mark.parametrize("with_corpus", [False, True])
def test_a_first_save_cut_short_leaves_a_folder_that_is_ours(
    tmp_path, with_corpus, kill_at_each_rename
):
    parts = {"tokens": TOKENS, "logs": [make_log("run", TOKENS)]}
    if with_corpus:
        pytest.importorskip("lance")
        # Lance runs threads, which a fork does not take along: its part is written before.
        parts["corpus"] = make_corpus()

    def prepare(place):
        place.mkdir()
        if with_corpus:
            (place / "explorer.json").write_text('{"begun": true}')
            parts["corpus"].save(place / "corpus.lance")
            (place / "corpus.lance" / "_versions").rename(place / "gone")
            shutil.rmtree(place / "gone")

    def act(place, _):
        rv.Explorer(**parts | {"corpus": None}, autosave=place)

    seen = 0
    for place in kill_at_each_rename(prepare, act):
        seen += 1
        with pytest.raises(ReweightvizError, match=r"there is none|cut short; save it there again"):
            rv.Explorer.load(place)
        saved = shutil.copytree(place, tmp_path / f"saved{place.name}")
        rv.Explorer(**parts).save(saved)
        assert shown(rv.Explorer.load(saved)) == NATURAL
        x = rv.Explorer(**parts, autosave=place)
        x.mixture = A
        assert shown(rv.Explorer.load(place)) == A
        assert not [path for path in place.iterdir() if path.name.endswith((".draft", ".tmp"))]
    assert seen >= 3


def test_a_change_that_is_killed_is_whole_or_not_there(tmp_path, kill_at_each_rename):
    def prepare(place):
        x = rv.Explorer(tokens=TOKENS, autosave=place)
        x.mixture = A
        x.editor.lock("web")
        return x

    def act(_, x):
        with x.editor.hold_sync():
            x.mixture = B

    seen = 0
    for place in kill_at_each_rename(prepare, act):
        seen += 1
        assert shown(rv.Explorer.load(place)) == A
        again = rv.Explorer(tokens=TOKENS, autosave=place)
        assert shown(again) == A
        assert again.editor.locked == [True, False]
    assert seen == 1, "one rename a change"


def test_another_explorer_over_it_is_whole_or_not_there(tmp_path, kill_at_each_rename):
    other = {"a": 1e9, "b": 2e9, "c": 3e9}

    def prepare(place):
        x = rv.Explorer(tokens=TOKENS, logs=[make_log("old", TOKENS)], autosave=place)
        x.mixture = A

    def act(place, _):
        rv.Explorer(tokens=other, logs=[make_log("new", other)]).save(place, overwrite=True)

    seen = 0
    for place in kill_at_each_rename(prepare, act):
        seen += 1
        x = rv.Explorer.load(place)
        assert (shown(x), [log.name for log in x.logs]) == (A, ["old"])
        assert x.logs[0].domains == tuple(TOKENS)
    assert seen >= 3
    place = tmp_path / "0"
    act(place, None)
    assert [log.name for log in rv.Explorer.load(place).logs] == ["new"]
    kinds = sorted(path.suffix for path in place.iterdir())
    assert kinds == [".json", ".json", ".jsonl", ".lock"], "what it no longer names is swept"


# ---- several explorers on one folder


def test_two_explorers_both_keep_their_steps(tmp_path):
    mine = rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
    yours = rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
    yours.mixture = A
    yours.editor.lock("code")
    with pytest.warns(ReweightvizWarning, match="changed by another explorer since; its steps are"):
        mine.mixture = B
    assert shown(mine) == B and steps(mine) == [0.75, 0.6, 0.3]
    assert mine.editor.locked == [False, True]
    mine.undo()
    assert shown(mine) == A
    with pytest.warns(ReweightvizWarning, match="changed by another explorer"):
        yours.mixture = C
    # What one has undone is forgotten by one's own next change only.
    assert steps(yours) == [0.75, 0.6, 0.1, 0.3]
    loaded = rv.Explorer.load(tmp_path / "x")
    assert steps(loaded) == [0.75, 0.6, 0.1, 0.3]
    assert shown(loaded) == C
    loaded.redo()
    assert shown(loaded) == B


def test_an_undo_beside_anothers_change_takes_ones_own_step_back(tmp_path):
    mine = rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
    mine.mixture = A
    yours = rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
    yours.mixture = B
    with pytest.warns(ReweightvizWarning, match="changed by another explorer"):
        mine.undo()
    assert shown(mine) == B and steps(mine) == [0.75, 0.3, 0.6]
    mine.redo()
    assert shown(mine) == A == shown(rv.Explorer.load(tmp_path / "x"))


def test_settings_that_only_one_changed_are_both_kept(tmp_path):
    mine = rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
    yours = rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
    yours.editor.budget = 1e9
    yours.editor.lock("web")
    with pytest.warns(ReweightvizWarning, match="changed by another explorer"):
        mine.editor.max_epochs = 2.0
    mine.editor.lock("code")
    again = rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
    for x in (mine, again, rv.Explorer.load(tmp_path / "x")):
        assert (x.editor.budget, x.editor.max_epochs, x.editor.locked) == (1e9, 2.0, [True, True])
    given = rv.Explorer(tokens=TOKENS, budget=5e8, autosave=tmp_path / "x")
    assert (given.editor.budget, given.editor.max_epochs) == (5e8, 2.0)


def test_processes_that_change_at_once_lose_no_step(tmp_path):
    rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
    children = []
    for part in range(3):
        child = os.fork()
        if not child:
            warnings.simplefilter("ignore")
            try:
                x = rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
                for step in range(8):
                    share = (1 + part + 3 * step) / 32
                    x.mixture = {"web": share, "code": 1 - share}
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    loaded = rv.Explorer.load(tmp_path / "x")
    assert sorted(steps(loaded)[1:]) == [number / 32 for number in range(1, 25)]


def test_one_that_was_saved_over_stops_and_keeps_its_own(tmp_path):
    mine = rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
    mine.mixture = A
    other = rv.Explorer(tokens={"a": 1, "b": 3})
    other.save(tmp_path / "x", overwrite=True)
    with pytest.warns(ReweightvizWarning, match=r"no longer.*save\(path\) with a new folder"):
        mine.mixture = B
    mine.mixture = C
    assert dict(rv.Explorer.load(tmp_path / "x").mixture) == {"a": 0.25, "b": 0.75}
    with pytest.raises(ReweightvizError, match="holds an explorer; Explorer.load opens it"):
        mine.save(tmp_path / "x")
    mine.save(tmp_path / "y")
    assert steps(rv.Explorer.load(tmp_path / "y")) == [0.75, 0.6, 0.3, 0.1]
    shutil.rmtree(tmp_path / "y")
    with pytest.warns(ReweightvizWarning, match="no longer"):
        mine.undo()
    assert not (tmp_path / "y").exists()
    mine.save(tmp_path / "y")
    assert shown(rv.Explorer.load(tmp_path / "y")) == B


def test_what_is_not_given_again_stays_saved(tmp_path):
    rv.Explorer(
        tokens=TOKENS, logs=[make_log("run", TOKENS)], presets={"mine": A}, autosave=tmp_path / "x"
    )
    rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x").mixture = B
    loaded = rv.Explorer.load(tmp_path / "x")
    assert [log.name for log in loaded.logs] == ["run"]
    assert "mine" in [preset["name"] for preset in loaded.editor.presets]
    assert shown(loaded) == B


def test_it_is_kept_where_it_was_whatever_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = rv.Explorer(tokens=TOKENS, autosave="x")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    x.mixture = A
    assert shown(rv.Explorer.load(tmp_path / "x")) == A


# ---- disks


@pytest.fixture
def full(monkeypatch):
    """Return a switch: when it is set, every write says that the disk is full."""
    switch = {"full": False}

    def guard(real):
        def write(*parts, **options):
            if switch["full"]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*parts, **options)

        return write

    for name in ("replace", "fsync"):
        monkeypatch.setattr(os, name, guard(getattr(os, name)))
    return switch


def test_on_a_full_disk_a_change_stays_in_memory_and_the_next_one_saves(tmp_path, full):
    x = rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
    x.mixture = A
    full["full"] = True
    with pytest.warns(ReweightvizWarning, match="not saved yet.*No space left"):
        x.editor.weights = [0.3, 0.7]
    with warnings.catch_warnings(action="error"):  # said once
        x.mixture = C
        x.editor.lock("web")
    assert "No space left" in x.editor.error
    assert shown(x) == C
    assert shown(rv.Explorer.load(tmp_path / "x")) == A
    full["full"] = False
    x.undo()
    assert x.editor.error == ""
    loaded = rv.Explorer.load(tmp_path / "x")
    assert shown(loaded) == B and loaded.editor.locked == [True, False]
    loaded.redo()
    assert shown(loaded) == C


def test_steps_of_a_full_disk_and_of_another_explorer_are_both_kept(tmp_path, full):
    mine = rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
    yours = rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
    full["full"] = True
    with pytest.warns(ReweightvizWarning, match="not saved yet"):
        mine.mixture = A
    mine.mixture = B
    mine.undo()
    full["full"] = False
    yours.mixture = C
    with pytest.warns(ReweightvizWarning, match="changed by another explorer"):
        mine.editor.lock("web")
    assert shown(mine) == A and steps(mine) == [0.75, 0.1, 0.6, 0.3]
    mine.redo()
    assert shown(rv.Explorer.load(tmp_path / "x")) == B


def test_a_callback_that_fails_leaves_all_parts_alike(tmp_path):
    x = rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")

    def fail(_):
        raise RuntimeError("mine")

    x.editor.observe(fail, ["weights", "journal"])
    with pytest.raises(RuntimeError, match="mine"):
        x.mixture = A
    assert shown(x) == A == shown(rv.Explorer.load(tmp_path / "x"))


# ---- what others wrote


@pytest.mark.parametrize("content", ["", "{}", '{"format": "reweightviz.explorer/9"}', "[]"])
def test_a_damaged_state_is_one_sentence_and_nothing_is_overwritten(tmp_path, content):
    folder = tmp_path / "x"
    x = rv.Explorer(tokens=TOKENS, autosave=folder)
    x.mixture = A
    (state,) = folder.glob("state-*.json")
    state.write_text(content)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for open_it in (rv.Explorer.load, lambda path: rv.Explorer(tokens=TOKENS, autosave=path)):
        with pytest.raises(ReweightvizError, match="cannot read .*state-|of a later version"):
            open_it(folder)
    with pytest.warns(ReweightvizWarning, match="not saved yet"):
        x.mixture = B
    assert shown(x) == B
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_files_of_others_are_never_taken_for_ours(tmp_path):
    for name, text in (("explorer.json", '{"browser": "mine"}'), ("corpus.lance", "mine")):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_text(text)
        for overwrite in (False, True):
            with pytest.raises(ReweightvizError, match="holds something else"):
                rv.Explorer(tokens=TOKENS).save(folder, overwrite=overwrite)
        with pytest.raises(ReweightvizError, match="holds something else"):
            rv.Explorer(tokens=TOKENS, autosave=folder)
        with pytest.raises(ReweightvizError, match="as a saved explorer|holds something else"):
            rv.Explorer.load(folder)
        assert [path.read_text() for path in folder.iterdir()] == [text]


def test_damaged_settings_are_replaced_where_that_is_asked_for(tmp_path):
    rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
    (tmp_path / "x" / "explorer.json").write_text('{"sources": {"we')
    x = rv.Explorer(tokens=TOKENS)
    for act in (lambda: x.save(tmp_path / "x"), lambda: rv.Explorer.load(tmp_path / "x")):
        with pytest.raises(ReweightvizError, match="cannot read .*explorer.json as a saved"):
            act()
    with pytest.raises(ReweightvizError, match="cannot read .*explorer.json as a saved"):
        rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x")
    x.save(tmp_path / "x", overwrite=True)
    assert shown(rv.Explorer.load(tmp_path / "x")) == NATURAL


def test_a_folder_that_names_files_elsewhere_is_refused(tmp_path):
    x = rv.Explorer(tokens=TOKENS, logs=[make_log("run", TOKENS)], autosave=tmp_path / "x")
    path = tmp_path / "x" / "explorer.json"
    settings = json.loads(path.read_text())
    for changed in ({"id": "../../y"}, {"logs": ["../log-1.jsonl"]}):
        path.write_text(json.dumps(settings | changed))
        with pytest.raises(ReweightvizError, match="which is none of it"):
            rv.Explorer.load(tmp_path / "x")
    assert x.mixture


def test_a_state_of_other_documents_or_domains_is_refused(tmp_path):
    pytest.importorskip("lance")
    rv.Explorer(make_corpus(), autosave=tmp_path / "x").selection = [1, 2]
    for wrong in (
        {"tokens": TOKENS},
        {"corpus": make_corpus("cd")},
        {"tokens": {"web": 1, "math": 1}},
    ):
        with pytest.raises(ReweightvizError, match="holds an explorer of other documents"):
            rv.Explorer(**wrong, autosave=tmp_path / "x")
    loaded = rv.Explorer.load(tmp_path / "x")
    assert loaded.selection.rows.tolist() == [1, 2]


def test_documents_that_were_replaced_are_refused(tmp_path):
    pytest.importorskip("lance")
    x = rv.Explorer(make_corpus(), autosave=tmp_path / "x")
    x.selection = [1, 2]
    x.corpus.with_column("score:mine", np.arange(8.0)).save(tmp_path / "x" / "corpus.lance")
    loaded = rv.Explorer.load(tmp_path / "x")
    assert "score:mine" not in loaded.corpus, "the version that it was saved with"
    assert loaded.selection.rows.tolist() == [1, 2]
    shutil.rmtree(tmp_path / "x" / "corpus.lance")
    make_corpus("cd").save(tmp_path / "x" / "corpus.lance")
    with pytest.raises(ReweightvizError, match="holds other documents than the explorer beside"):
        rv.Explorer.load(tmp_path / "x")


def test_locks_follow_their_domains_where_the_order_is_another(tmp_path):
    rv.Explorer(tokens=TOKENS, autosave=tmp_path / "x").editor.lock("web")
    turned = dict(reversed(TOKENS.items()))
    x = rv.Explorer(tokens=turned, autosave=tmp_path / "x")
    assert dict(zip(x.editor.domains, x.editor.locked, strict=True)) == {"web": True, "code": False}
    assert list(x.mixture) == list(turned)


# ---- files of version 0.5


def test_an_explorer_of_0_5_opens_and_becomes_one_of_today(tmp_path):
    folder = shutil.copytree(GOLDEN / "explorer_0.5", tmp_path / "x")
    first = rv.Explorer.load(folder)
    second = rv.Explorer.load(folder)
    assert [round(weight, 3) for weight in first.mixture.values()] == [0.2, 0.3, 0.5]
    assert (first.editor.budget, first.editor.locked) == (1e9, [False, True, False])
    assert [log.name for log in first.logs] == ["doremi"]
    first.redo()
    assert first.mixture["web"] == 0.1
    with pytest.warns(ReweightvizWarning, match="changed by another explorer"):
        second.editor.lock("web")
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".json", ".jsonl", ".lock"]
    loaded = rv.Explorer.load(folder)
    assert loaded.mixture["web"] == 0.1 and loaded.editor.locked == [True, True, False]
    assert [log.name for log in loaded.logs] == ["doremi"]
    loaded.undo(), loaded.undo()
    assert loaded.mixture["web"] == 0.5


def test_the_cell_is_run_again_on_an_explorer_of_0_5(tmp_path):
    folder = shutil.copytree(GOLDEN / "explorer_0.5", tmp_path / "x")
    tokens = {"web": 3e9, "code": 1e9, "math": 5e8}
    x = rv.Explorer(tokens=tokens, autosave=folder)
    assert x.editor.locked == [False, True, False]
    x.redo()
    for again in (rv.Explorer.load(folder), rv.Explorer(tokens=tokens, autosave=folder)):
        assert again.mixture["web"] == 0.1
    assert [log.name for log in rv.Explorer.load(folder).logs] == ["doremi"]


@pytest.mark.parametrize("lacking", ["state.json", "view.json"])
def test_a_first_save_that_0_5_did_not_end_is_taken_up(tmp_path, lacking):
    folder = shutil.copytree(GOLDEN / "explorer_0.5", tmp_path / "x")
    (folder / "state.json").unlink()
    (folder / lacking).unlink(missing_ok=True)
    tokens = {"web": 3e9, "code": 1e9, "math": 5e8}
    with pytest.raises(ReweightvizError, match="cut short"):
        rv.Explorer.load(folder)
    x = rv.Explorer(tokens=tokens, autosave=folder)
    assert rv.Explorer.load(folder).mixture == x.mixture
