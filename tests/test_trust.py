"""A short version of every attack of benchmarks/trust.py: nothing lost, nothing half.

Each test starts the script itself, for its workers must have opened nothing before they fork.
"""

import json
import os
import subprocess
import sys

import pytest
from attacks import watch

STRUCK = [
    *("RunLog.save", "RunLogger: write", "LiveMixture.create over another", "LiveMixture.set"),
    *("Corpus.save, a column replaced", "cache of results", "export huggingface, overwrite"),
    *("export levanter, merge", "decision_record", "Explorer, the mixture set"),
    "Explorer.save over another",
]
"""Parts of the names of rows: one of each way to write; the script itself has them all."""
FAILED = [*STRUCK[1:2], *STRUCK[3:6], *STRUCK[7:10]]
"""Those whose every call is failed, too, twice."""

ALONE = ("--processes", "1")
"""Options where imports take longer than the attacks."""

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked, as on Linux")
watched = pytest.mark.skipif(bool(watch.why_not()), reason=watch.why_not() or "they can be")


@pytest.fixture
def attack(root, tmp_path):
    """Run a part of the script, and return what was wrong by row, and what was skipped."""

    def run(part, *options):
        results = tmp_path / "results.json"
        command = [sys.executable, root / "benchmarks" / "trust.py", "--short", part]
        done = subprocess.run(
            [*command, "--results", results, *options],
            capture_output=True,
            text=True,
            timeout=900,
            env=os.environ | {"PYTHONPATH": str(root)},
        )
        assert results.exists(), done.stdout[-2000:] + done.stderr[-4000:]
        rows = json.loads(results.read_text("utf-8"))[part]["rows"]
        assert rows, done.stdout[-2000:]
        if all("skipped" in row for row in rows.values()):
            pytest.skip(next(iter(rows.values()))["skipped"])
        return {name: row["faults"] for name, row in rows.items() if row.get("faults")}

    return run


@on_linux
@watched
def test_a_kill_before_any_call_leaves_the_old_or_the_new(attack):
    assert attack("kills", "--moments", "1", "--rows", *STRUCK) == {}


@on_linux
@watched
def test_a_call_that_fails_ends_in_a_sentence_and_leaves_the_old_or_the_new(attack):
    assert attack("calls", "--rows", *FAILED) == {}


@on_linux
def test_a_disk_that_is_full_ends_in_a_sentence(attack):
    assert attack("disk", *ALONE, "--rows", *STRUCK) == {}


@on_linux
def test_a_read_only_folder_is_read_and_never_half_written(attack):
    assert attack("readonly", *ALONE, "--rows", *STRUCK) == {}


@on_linux
def test_several_processes_lose_nothing_without_a_sentence(attack):
    assert attack("writers", *ALONE) == {}
