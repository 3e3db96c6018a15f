"""The notebooks run from top to bottom, as a reader runs them."""

from __future__ import annotations

import os
import shutil
import subprocess

import nbformat
import pytest
from nbclient import NotebookClient


@pytest.fixture
def run(root, tmp_path):
    """Runs a notebook in a folder of its own and returns what its cells show."""

    def execute(name: str) -> str:
        notebook = nbformat.read(root / "notebooks" / f"{name}.ipynb", as_version=4)
        assert not any(cell.get("outputs") for cell in notebook.cells), (
            "outputs do not belong into git"
        )
        NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(tmp_path)}},
        ).execute()
        return "".join(
            str(output.get("text") or output.get("data", {}).get("text/plain"))
            for cell in notebook.cells
            for output in cell.get("outputs", [])
        )

    return execute


def test_the_demo_opens_copies_and_keeps_what_was_changed_in_them(root, tmp_path):
    shutil.copy(root / "Makefile", tmp_path)
    (tmp_path / "notebooks").mkdir()
    ours, copy = tmp_path / "notebooks" / "quickstart.ipynb", tmp_path / "demo" / "quickstart.ipynb"

    def make(text: str, time: int) -> None:
        ours.write_text(text)
        os.utime(ours, (time, time))
        subprocess.run(
            ["make", "demo/quickstart.ipynb"], cwd=tmp_path, check=True, capture_output=True
        )

    make("first", 1)
    assert copy.read_text() == "first"
    copy.write_text("with outputs")
    os.utime(copy, (5, 5))
    make("first", 1)
    assert copy.read_text() == "with outputs"
    make("second", 9)
    assert sorted(path.read_text() for path in copy.parent.iterdir()) == ["second", "with outputs"]
    assert copy.read_text() == "second"
    assert ours.read_text() == "second"


def test_ship_changes_only_the_weights_and_writes_the_record(run, tmp_path):
    assert "+    web: 0.6" in run("ship")
    assert (tmp_path / "shipped" / "demo.html").stat().st_size > 10_000
    assert "# hand-tuned in March" in (tmp_path / "shipped" / "train.yaml").read_text("utf-8")


def test_mix_compares_proposes_and_warns(run):
    shown = run("mix")
    assert "predicts runs it has not seen best" in shown
    assert "gain smaller than noise" in shown
    assert "json alone, kl 0 " in shown and "ParetoFront(15 mixtures, targets code, prose)" in shown


def test_mixers_replays_five_methods_and_shows_where_they_lead(run):
    shown = run("mixers")
    assert (
        "Aioli tries a mixture of its own by step 10" in shown
        and "DoReMi needs 'excess_loss'; the log 'natural'" in shown
    )
    assert all(
        f"\n{name}: as even as" in shown for name in ("DoReMi", "ODM", "SkillIt", "ADO", "DoGE")
    )
    assert "eta from 0.002 to 2 (own value 0.02)" in shown


def test_watch_steers_a_run_and_ends_it(run, tmp_path):
    shown = run("watch")
    assert "the weight of 'code' must be between 0.05 and 0.6; got 0.01." in shown
    assert "of the last 20 records: {'code': 0." in shown
    assert (tmp_path / "watched" / "run.html").stat().st_size > 1_000_000
