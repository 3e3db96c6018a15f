"""Drafts: what would change, all files or none, and a backup that is never overwritten."""

from __future__ import annotations

import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters.draft import Draft


def test_a_diff_shows_the_lines_and_writes_nothing(tmp_path):
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("a: 1\nb: 2\n")
    draft = Draft(
        old, {tmp_path / "old.yaml.provenance.json": "{}", old: "a: 1\nb: 3\n", new: "c: 4"}
    )
    lines = draft.diff().splitlines()
    assert [line for line in lines if line[0] in "+-" and line[:3] not in {"+++", "---"}] == [
        "+c: 4",
        "-b: 2",
        "+b: 3",
    ]
    assert f"--- {old}" in lines and "--- /dev/null" in lines
    assert old.read_text() == "a: 1\nb: 2\n" and not new.exists()


def test_all_files_are_written_or_none(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    two.chmod(0o444)
    with pytest.raises(ReweightvizError, match="two: it is read-only"):
        Draft(one, {one: "new", two: "new"}).save()
    assert (one.read_text(), two.read_text()) == ("1", "2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    two.chmod(0o600)
    assert Draft(one, {one: "new", two: "new"}).save() == one
    assert two.stat().st_mode & 0o777 == 0o600


def test_the_first_backup_stays(tmp_path):
    file = tmp_path / "a.yaml"
    for text in ("first", "second", "second", "third"):
        Draft(file, {file: text}, backup=True).save()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.yaml": "third",
        "a.yaml.bak": "first",
        "a.yaml.bak2": "second",
    }


def test_a_folder_is_made_one_level_deep_only(tmp_path):
    folder = tmp_path / "new"
    assert Draft(folder, {folder / "a": "1"}).save() == folder
    with pytest.raises(
        ReweightvizError, match="the folder .*absent does not exist; create it first"
    ):
        Draft(tmp_path / "absent" / "new", {tmp_path / "absent" / "new" / "a": "1"}).save()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ReweightvizError, match="a file of that name is there"):
        Draft(tmp_path / "file", {tmp_path / "file" / "a": "1"}).save()
