"""LiveMixture: versions, guards, two writers, kills, and the journal of what took effect."""

from __future__ import annotations

import copy
import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.guards import Guards
from reweightviz.core.lines import LineWriter
from reweightviz.core.live import LiveMixture
from reweightviz.core.live_journal import Journal
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule

START = {"web": 0.7, "code": 0.2, "math": 0.1}
LATER = {"web": 0.5, "code": 0.3, "math": 0.2}


@pytest.fixture
def live(tmp_path):
    return LiveMixture.create(tmp_path / "mix.json", START, author="ann")


def test_a_change_is_seen_by_all_who_have_it_open(live):
    other = LiveMixture(live.path)
    assert (other.version, other.mixture) == (1, START)
    assert live.set(LATER, author="ben", note="why not") == 2
    assert (other.version, other.mixture, other.read().author, other.read().note) == (
        2,
        LATER,
        "ben",
        "why not",
    )
    assert copy.deepcopy(other).mixture == LATER


def test_order_of_the_names_does_not_matter_and_precision_is_kept(live):
    third = Mixture.normalized({"math": 1, "code": 1, "web": 1})
    live.set(third, author="ann")
    again = LiveMixture(live.path).mixture
    assert again.domains == tuple(START) and again == third


def test_a_second_writer_with_a_stale_version_is_one_sentence(live):
    live.set(LATER, author="ann", after=1)
    with pytest.raises(
        ReweightvizError,
        match=r"mix\.json is at version 2 by 'ann', not at 1: read it again, then set\.",
    ):
        live.set(START, author="ben", after=1)
    assert live.mixture == LATER


def _writes(path, author, rounds):
    live = LiveMixture(path)
    for _ in range(rounds):
        while True:
            try:
                live.set(LATER, author=author, after=live.version)
                break
            except ReweightvizError as error:
                if "read it again" not in str(error):
                    raise


def test_writers_at_the_same_time_lose_nothing(live):
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_writes, args=(live.path, name, 20)) for name in ("ann", "ben")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    changes = live.changes()
    assert changes.index.tolist() == list(range(1, 42))
    assert changes["author"][1:].value_counts().to_dict() == {"ann": 20, "ben": 20}
    assert changes["step"].isna().all()


@pytest.mark.parametrize(
    ("mixture", "sentence"),
    [
        ({"web": 0.7, "code": 0.3}, "name different domains"),
        ({**START, "poetry": 0.0}, "only in the mixture 'poetry'"),
        (
            {"web": 0.2, "code": 0.7, "math": 0.1},
            "the weight of 'code' must be between 0.1 and 0.6; got 0.7",
        ),
        ({"web": 0.6, "code": 0.2, "math": 0.2}, "'math' is locked"),
        ({"web": 0.7, "code": 0.7, "math": 0.1}, "must sum to 1"),
    ],
)
def test_what_a_guard_or_the_domains_refuse(live, mixture, sentence):
    live.guard(bounds={"code": (0.1, 0.6)}, locked=["math"], author="ann")
    with pytest.raises(ReweightvizError, match=sentence):
        live.set(mixture, author="ben")
    assert (live.version, live.mixture) == (2, START)


def test_a_locked_file_unlocks(live):
    live.guard(locked=True, author="ann")
    with pytest.raises(ReweightvizError, match="'web', 'code', 'math' are locked"):
        live.set(LATER, author="ben")
    live.guard(locked=False, author="ann")
    assert live.set(LATER, author="ben") == 4


@pytest.mark.parametrize(
    ("guards", "sentence"),
    [
        ({"bounds": {"web": (0.9, 0.2)}}, "0 <= lowest <= highest <= 1"),
        (
            {"bounds": {"poems": (0, 1)}},
            "the guards must name domains of the mixture, .*; got 'poems'",
        ),
        ({"bounds": {"web": 0.3}}, "guards must be bounds="),
        ({"max_change": 0}, "max_change must be a share of the tokens"),
        ({"locked": "web"}, "locked must be True, False or a list"),
        ({"bounds": {"web": (0.0, 0.5)}}, "the weight of 'web' must be between 0 and 0.5"),
    ],
)
def test_bad_guards_are_one_sentence(tmp_path, guards, sentence):
    with pytest.raises(ReweightvizError, match=sentence) as caught:
        LiveMixture.create(tmp_path / "mix.json", START, **guards)
    assert "\n" not in str(caught.value) and not (tmp_path / "mix.json").exists()


def test_a_ramp_moves_no_more_than_allowed_and_arrives():
    guards, now, target = (
        Guards(max_change=0.03),
        np.array([0.7, 0.2, 0.1]),
        np.array([0.1, 0.2, 0.7]),
    )
    steps = 0
    while (now != target).any():
        new = guards.step(now, target)
        assert np.abs(new - now).sum() / 2 <= 0.03 * (1 + 1e-6) and new.sum() == pytest.approx(1)
        now, steps = new, steps + 1
    assert steps == 20


def test_beginning_anew_is_asked_for(live):
    with pytest.raises(
        ReweightvizError,
        match=r"exists already: LiveMixture\('.*mix.json'\) goes on with it, overwrite=True begins anew",
    ):
        LiveMixture.create(live.path, START)
    live.set(LATER, author="ann")
    assert len(LiveMixture.create(live.path, START, overwrite=True).changes()) == 1


def test_a_file_that_disappears_is_said_once_and_its_weights_stay(live):
    live.set(LATER, author="ann")
    live.path.unlink()
    with pytest.warns(
        ReweightvizWarning,
        match=r"cannot read .*mix\.json: No such file.*; version 2 stays in force",
    ):
        assert live.mixture == LATER
    assert live.mixture == LATER  # a second warning would be an error
    with pytest.raises(ReweightvizError, match=r"LiveMixture\.create\(\.\.\.\) makes it anew"):
        live.set(START, author="ann")
    live.path.write_text(json.dumps({"weights": START}))
    assert live.mixture == START


@pytest.mark.parametrize(
    "content",
    [
        '{"weights": {"web": 0.9, "code": 0.05, "math"',
        "",
        "[]",
        '{"weights": {"web": 1}}',
        '{"weights": {"web": 0.9}}',
    ],
)
def test_a_spoilt_file_keeps_the_last_weights(live, content):
    live.path.write_text(content)
    with pytest.warns(ReweightvizWarning, match=r"mix\.json.*; version 1 stays in force"):
        assert live.mixture == START
    with pytest.raises(ReweightvizError, match=r"mix\.json"):
        live.set(LATER, author="ann")


def test_a_file_written_by_hand_needs_only_weights(live):
    live.path.write_text(json.dumps({"weights": LATER}))
    assert live.mixture == LATER and live.guards == Guards()


@pytest.mark.parametrize("keeps_the_rest", [False, True])
def test_a_change_by_hand_is_a_version_in_the_old_order_under_the_old_guards(live, keeps_the_rest):
    live.guard(locked=["math"], max_change=0.05, author="ann", note="careful")
    live.journal.decide(10, [(0, np.array([0.7, 0.2, 0.1]))], version=2, author="ann")
    wanted = {"math": 0.1, "code": 0.4, "web": 0.5}
    rest = json.loads(live.path.read_text()) if keeps_the_rest else {}
    live.path.write_text(json.dumps(rest | {"weights": wanted}))
    for reader in (LiveMixture(live.path), live, LiveMixture(live.path)):
        assert (reader.version, reader.domains, reader.mixture) == (
            3,
            tuple(START),
            Mixture(wanted),
        )
        assert (reader.guards, reader.read().author, reader.read().note) == (
            Guards(max_change=0.05, locked=("math",)),
            "",
            "written by hand",
        )
    assert LiveMixture(live.path).history() == Schedule({0: START})
    with pytest.raises(ReweightvizError, match="is at version 3 by '', not at 2"):
        live.set(START, author="ben", after=2)
    live.path.write_text(json.dumps(rest | {"weights": START}))
    assert live.set(START, author="ben") == 5
    assert live.changes()["weight"]["code"].tolist() == [0.2, 0.2, 0.4, 0.2, 0.2]
    live.path.write_text(json.dumps({"weights": LATER}))
    with pytest.warns(ReweightvizWarning, match="'math' is locked; .*; version 5 stays in force"):
        assert live.mixture == START


def test_a_journal_is_read_in_the_order_of_the_mixture(live):
    live.journal.decide(10, [(0, np.array([0.7, 0.2, 0.1]))], version=1, author="ann")
    turned = Journal(live.journal.path, ("math", "code", "web"))
    turned.poll()
    turned.decide(20, [(10, np.array([0.2, 0.3, 0.5]))], version=2, author="ann")
    assert turned.at(0).tolist() == [
        0.1,
        0.2,
        0.7,
    ] and live.history() == turned.schedule() == Schedule({0: START, 10: LATER})


def test_a_version_whose_writer_was_killed_before_it_was_recorded_is_recorded(live, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(
            LineWriter, "write", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            live.set(LATER, author="ben", note="lost?")
    LiveMixture(live.path).set(START, author="ann", note=np.float32(1))
    assert live.changes()[["author", "note"]].to_numpy().tolist() == [
        ["ann", None],
        ["ben", "lost?"],
        ["ann", 1.0],
    ]


@pytest.mark.parametrize(
    "content", ["", "{}", '{"weights": 3}', '{"weights": {"a": 1}, "guards": {"speed": 3}}']
)
def test_what_is_no_live_mixture_is_one_sentence(tmp_path, content):
    path = tmp_path / "mix.json"
    path.write_text(content)
    with pytest.raises(ReweightvizError, match=r"mix\.json(: | is no live mixture)") as caught:
        LiveMixture(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ReweightvizError, match=r"cannot read .*none\.json"):
        LiveMixture(tmp_path / "none.json")


def test_quick_changes_of_one_length_are_all_seen(live):
    reader = LiveMixture(live.path)
    for turn in range(200):
        live.set(LATER if turn % 2 else START, author="ann")
        assert reader.mixture == live.mixture
    assert reader.version == 201


def test_the_history_is_the_schedule_of_what_was_decided(live):
    with pytest.raises(ReweightvizError, match="no sampler has drawn by it yet"):
        live.history()
    live.set(LATER, author="ben")
    live.journal.decide(10, [(0, np.array([0.7, 0.2, 0.1]))], version=1, author="ann", note=None)
    live.journal.decide(
        20,
        [(12, np.array([0.6, 0.25, 0.15])), (13, np.array([0.5, 0.3, 0.2]))],
        version=2,
        author="ben",
        note=None,
    )
    live.journal.decide(30, [])
    history = LiveMixture(live.path).history(steps=30)
    assert (
        history == Schedule({0: START, 12: {"web": 0.6, "code": 0.25, "math": 0.15}, 13: LATER})
        and history.steps == 30
    )
    changes = live.changes()
    assert changes[["step", "reached"]].to_numpy().tolist() == [[0, 0], [12, 13]]
    assert changes["author"][2] == "ben" and changes["weight"]["code"].tolist() == [0.2, 0.3]


def test_a_journal_cut_at_any_byte_goes_on(tmp_path):
    path, domains = tmp_path / "j.jsonl", ("web", "code")
    whole = Journal(path, domains)
    for block in range(4):
        whole.decide(
            10 * block + 10,
            [(10 * block, np.array([1 - block / 8, block / 8]))],
            version=block + 1,
            author="ann",
        )
    content = path.read_bytes()
    ends = [n for n, byte in enumerate(content) if byte == 10]
    for size in range(len(content) + 1):
        cut = tmp_path / f"{size % 2}.jsonl"
        cut.write_bytes(content[:size])
        journal = Journal(cut, domains)
        journal.poll()
        lines = sum(end < size for end in ends)
        assert journal.through == max(0, lines - 1) * 10
        start = journal.through
        journal.decide(start + 10, [(start, np.array([0.25, 0.75]))], version=9, author="ben")
        again = Journal(cut, domains)
        again.poll()
        assert again.through == start + 10 and again.at(start).tolist() == [0.25, 0.75]


def test_the_journal_of_other_domains_is_one_sentence(tmp_path, live):
    live.journal.decide(10, [(0, np.array([0.7, 0.2, 0.1]))], version=1, author="ann")
    other = Journal(live.journal.path, ("web", "prose"))
    for _ in range(2):
        with pytest.raises(
            ReweightvizError, match=r"is the journal of other domains, \['web', 'code', 'math'\]"
        ):
            other.poll()


def test_a_spoilt_line_of_a_journal_is_said_every_time(live):
    live.journal.decide(10, [(0, np.array([0.7, 0.2, 0.1]))], version=1, author="ann")
    with live.journal.path.open("a") as file:
        file.write("\0\0\0\n")
    live.journal.decide(20, [(10, np.array([0.5, 0.3, 0.2]))], version=2, author="ann")
    for reader in (LiveMixture(live.path), live):
        for _ in range(2):
            with pytest.raises(ReweightvizError, match=r"line 3, is no decision; got b'\\x00"):
                reader.history()


def test_a_writer_killed_at_work_leaves_a_whole_file(tmp_path, live, root):
    code = (
        "import sys\nfrom reweightviz.core.live import LiveMixture\nlive = LiveMixture(sys.argv[1])\nn = 0\nprint('go', flush=True)\n"
        "while True:\n    n += 1\n    live.set({'web': 0.7 - n % 7 / 10, 'code': 0.2, 'math': 0.1 + n % 7 / 10}, author='loop')\n"
    )
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", code, live.path], stdout=subprocess.PIPE, cwd=root
        )
        process.stdout.readline()
        time.sleep(0.15)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        now = LiveMixture(live.path)
        assert now.set(START, author="after", after=now.version) == now.version
        table = now.changes()
        assert table.index[-1] == now.version and table["author"].iloc[-1] == "after"
    assert live.version > 10


def lock_of(live):
    return live.path.with_name(f".{live.path.name}.lock")


def test_a_process_killed_with_the_lock_blocks_nobody(live, root):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom reweightviz.core.lock import hold_lock\n"
        "with hold_lock(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, live.path], stdout=subprocess.PIPE, cwd=root
    )
    process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    assert lock_of(live).exists()
    assert live.set(LATER, author="ann") == 2


def test_a_lock_that_is_not_given_back_is_one_sentence(live, monkeypatch):
    monkeypatch.setattr("reweightviz.core.lock._PATIENCE", 0.02)
    with FileLock(lock_of(live)):
        with pytest.raises(
            ReweightvizError,
            match=r"another process has held .*\.mix\.json\.lock for 0\.02 seconds; end that",
        ) as caught:
            live.set(LATER, author="ann")
        live.path.write_text(json.dumps({"weights": LATER}))
        with pytest.warns(
            ReweightvizWarning, match=r"another process has held .*; version 1 stays in force"
        ):
            assert live.mixture == START
    assert "\n" not in str(caught.value)
    assert live.mixture == LATER


@pytest.mark.skipif(sys.platform == "win32", reason="0.3.0 locked by flock where there is one")
def test_the_lock_of_0_3_0_is_the_same_and_one_that_it_left_blocks_nobody(live, monkeypatch):
    import fcntl

    lock_of(live).unlink(missing_ok=True)
    lock_of(live).touch()
    assert live.set(LATER, author="ann") == 2
    monkeypatch.setattr("reweightviz.core.lock._PATIENCE", 0.02)
    with lock_of(live).open("a+b") as older:
        fcntl.flock(older, fcntl.LOCK_EX)
        with pytest.raises(ReweightvizError, match="another process has held"):
            live.set(START, author="ben")
    assert live.set(START, author="ben") == 3


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of folders are POSIX's")
def test_a_read_only_folder_is_one_sentence():
    folder = Path(tempfile.mkdtemp())
    try:
        live = LiveMixture.create(folder / "mix.json", START)
        lock_of(live).unlink()
        folder.chmod(0o555)
        with (
            as_a_user_without_rights(),
            pytest.raises(
                ReweightvizError, match=r"lock cannot be locked, Permission denied; choose a f"
            ) as caught,
        ):
            live.set(LATER, author="ann")
        assert "\n" not in str(caught.value)
        assert live.mixture == START
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


@contextmanager
def as_a_user_without_rights():
    """Root may write to any folder, so it becomes nobody for a moment."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks everywhere")
def test_a_file_system_that_cannot_lock_is_one_sentence(live, monkeypatch):
    import fcntl

    def missing(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", missing)
    with pytest.raises(ReweightvizError, match="lock cannot be locked, Function not implemented"):
        live.set(LATER, author="ann")
    assert live.version == 1


def test_threads_of_one_process_lose_nothing(live):
    writers = [
        threading.Thread(target=_writes, args=(live.path, name, 10))
        for name in ("ann", "ben", "eve")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert live.changes()["author"][1:].value_counts().to_dict() == {
        "ann": 10,
        "ben": 10,
        "eve": 10,
    }


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    writer = LineWriter(path)
    writer.write({"step": 1})
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:4]))
    with pytest.raises(ReweightvizError, match="the disk is full"):
        writer.write({"step": 2})
    monkeypatch.undo()
    writer.write({"step": 3})
    assert path.read_text() == '{"step": 1}\n{"step": 3}\n'


def test_what_json_cannot_hold_is_one_sentence(tmp_path):
    writer = LineWriter(tmp_path / "log.jsonl")
    for record in ({"step": float("nan")}, {"name": "\ud800"}, {"step": {1}}):
        with pytest.raises(ReweightvizError, match="JSON in UTF-8 cannot hold"):
            writer.write(record)


def test_no_such_folder_is_one_sentence(tmp_path):
    with pytest.raises(ReweightvizError, match="the folder .* does not exist"):
        LiveMixture.create(Path(tmp_path / "none" / "mix.json"), START)


SAME_STEM = ("run.1", "run.2", "run", "run.json", "run.1.json", "RUN.x", "run.1.changes", "run.")


def test_live_mixtures_of_one_folder_share_no_history(tmp_path):
    made = {}
    for number, name in enumerate(SAME_STEM):
        made[name] = LiveMixture.create(tmp_path / name, {f"{number}": 0.5, "b": 0.5}, author=name)
        made[name].journal.decide(10, [(0, np.array([0.5, 0.5]))], version=1)
    for number, name in enumerate(SAME_STEM):
        LiveMixture(tmp_path / name).set({f"{number}": 0.25, "b": 0.75}, author="ann")
    LiveMixture.create(tmp_path / "run.2", {"other": 1.0}, author="new", overwrite=True)
    for number, name in enumerate(SAME_STEM):
        if name != "run.2":
            again = LiveMixture(tmp_path / name)
            assert again.changes()["author"].tolist() == [name, "ann"]
            assert again.changes()["weight"][f"{number}"].tolist() == [0.5, 0.25]
            assert again.history() == Schedule({0: {f"{number}": 0.5, "b": 0.5}})
    assert LiveMixture(tmp_path / "run.2").changes()["author"].tolist() == ["new"]


@pytest.mark.parametrize(
    "name",
    ["mix.changes.jsonl", "mix.journal.jsonl", "run.1-changes.jsonl", "run.1-journal.jsonl"],
)
def test_the_name_of_a_history_is_no_name_of_a_mixture(tmp_path, name):
    with pytest.raises(ReweightvizError, match="ends as the history of a live mixture does"):
        LiveMixture.create(tmp_path / name, START, overwrite=True)


def rename_as_0_5_did(path):
    for kind in ("changes", "journal"):
        new = path.with_name(f"{path.name}-{kind}.jsonl")
        records = [json.loads(line) for line in new.read_text().splitlines()]
        for record in records:
            record.pop("made", None)
        lines = "".join(json.dumps(record) + "\n" for record in records)
        path.with_suffix(f".{kind}.jsonl").write_text(lines)
        new.unlink()
    record = json.loads(path.read_text())
    del record["made"]
    path.write_text(json.dumps(record))


@pytest.mark.parametrize("name", ["run.1", "mix"])
def test_a_history_where_0_5_placed_it_goes_on(tmp_path, name):
    live = LiveMixture.create(tmp_path / name, START, author="ann")
    live.journal.decide(10, [(0, np.array([0.7, 0.2, 0.1]))], version=1)
    rename_as_0_5_did(live.path)
    again = LiveMixture(live.path)
    assert again.set(LATER, author="ben") == 2
    LiveMixture.create(tmp_path / "run.2", {"x": 1.0})
    for reader in (again, LiveMixture(live.path)):
        assert reader.changes()["author"].tolist() == ["ann", "ben"]
        assert reader.history() == Schedule({0: START})
    anew = LiveMixture.create(live.path, {"z": 1.0}, author="cem", overwrite=True)
    assert anew.changes()["author"].tolist() == ["cem"] and anew.journal.poll() is False


def test_a_history_that_another_mixture_claims_is_not_taken(tmp_path):
    LiveMixture.create(tmp_path / "run.json", START, author="ann")
    (tmp_path / "run.1").write_text(json.dumps({"weights": START}))
    assert LiveMixture(tmp_path / "run.1").changes()["author"].tolist() == [""]


def test_a_link_is_the_mixture_that_it_leads_to(live):
    link = live.path.with_name("latest.json")
    link.symlink_to(live.path)
    assert LiveMixture(link).set(LATER, author="ben", after=1) == 2
    assert live.set(START, author="ann", after=2) == 3
    assert LiveMixture(link).changes()["author"].tolist() == ["ann", "ben", "ann"]
    assert LiveMixture.create(link, LATER, overwrite=True).path == link
    assert link.is_symlink() and len(LiveMixture(live.path).changes()) == 1


@pytest.mark.parametrize("renamed", [False, True])
def test_a_beginning_anew_that_was_cut_short_mixes_nothing(live, monkeypatch, renamed):
    """Stopped at the rename the old one is whole; behind it the new one is, whoever opens it."""
    for step in range(3):
        live.set(START if step % 2 else LATER, author=f"p{step}")
    live.journal.decide(10, [(0, np.array([0.7, 0.2, 0.1]))], version=1)
    stop = Path.unlink if renamed else Path.replace
    with monkeypatch.context() as killed:
        killed.setattr(Path, stop.__name__, lambda *_, **__: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            LiveMixture.create(live.path, {"a": 1.0, "b": 0.0}, author="new", overwrite=True)
    again = LiveMixture(live.path)
    if not renamed:
        assert again.changes()["author"].tolist() == ["ann", "p0", "p1", "p2"]
        assert again.history() == Schedule({0: START})
        return
    assert again.changes()["author"].tolist() == ["new"] and again.journal.poll() is False
    assert again.set({"a": 0.5, "b": 0.5}, author="eve") == 2
    again.journal.decide(10, [(0, np.array([0.5, 0.5]))], version=2)
    for reader in (again, LiveMixture(live.path)):
        assert reader.changes()["author"].tolist() == ["new", "eve"]
        assert reader.history() == Schedule({0: {"a": 0.5, "b": 0.5}})


def test_a_clock_that_goes_back_changes_nothing(live, monkeypatch):
    reader = LiveMixture(live.path)
    now = time.time()
    for step in range(1, 5):
        monkeypatch.setattr(time, "time", lambda step=step: now - 1000 * step)
        live.set(LATER if step % 2 else START, author=f"p{step}")
        assert (reader.version, reader.mixture) == (step + 1, live.mixture)
    LiveMixture.create(live.path, LATER, author="new", overwrite=True)
    assert (reader.version, reader.mixture, reader.read().author) == (1, LATER, "new")
    assert reader.changes()["author"].tolist() == ["new"]
    live.path.write_text(json.dumps({"weights": START}))
    assert (reader.version, reader.read().note) == (2, "written by hand")


FACTS = ("step", "time", "author", "note", "reached", "version", "weight", "", "made")


@pytest.mark.parametrize("name", FACTS)
def test_a_domain_may_be_called_as_our_columns_are(tmp_path, name):
    live = LiveMixture.create(tmp_path / "mix.json", {name: 0.5, "web": 0.5}, author="ann")
    live.set({name: 0.25, "web": 0.75}, author="ben", note="more")
    live.journal.decide(10, [(0, np.array([0.25, 0.75]))], version=2)
    table = live.changes()
    assert table.index.tolist() == [1, 2]
    assert table["author"].tolist() == ["ann", "ben"]
    assert table["step"].dropna().tolist() == [0]
    assert table["weight"][name].tolist() == [0.5, 0.25]
    assert (table["time"].dt.year > 2000).all()


@pytest.mark.parametrize("name", ["x" * 245, "x" * 300, "a\0b", "loop.json", "folder.json"])
def test_a_name_without_room_is_one_sentence_and_writes_nothing(tmp_path, name):
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    (tmp_path / "folder.changes.jsonl").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ReweightvizError, match="cannot write") as caught:
        LiveMixture.create(tmp_path / name, START, overwrite=True)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before
    if name != "folder.json":
        with pytest.raises(ReweightvizError, match="cannot read"):
            LiveMixture(tmp_path / name)


def test_a_full_disk_after_the_rename_keeps_the_change_and_says_so(live, monkeypatch):
    real = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, data: real(file, data[:0]))
        with pytest.warns(ReweightvizWarning, match="version 2 is in force, and the next change"):
            assert live.set(LATER, author="ben") == 2
        with pytest.raises(ReweightvizError, match="the disk is full"):
            live.set(START, author="cem")
        assert live.mixture == LATER
    assert live.set(START, author="ann") == 3
    assert LiveMixture(live.path).changes()["author"].tolist() == ["ann", "ben", "ann"]
