"""The boundary round foreign files: every exception becomes one sentence that names the file."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

import reweightviz as rv
from reweightviz.apps.explorer.state import FORMAT, ExplorerState
from reweightviz.core.errors import MissingColumn, ReweightvizError, UnreadableFile
from reweightviz.core.foreign_file import guard_reading


@pytest.mark.parametrize(
    "raised",
    [
        TypeError("unhashable type: 'dict'"),
        KeyError("x"),
        OverflowError(),
        RecursionError("maximum recursion depth exceeded"),
        MemoryError(),
        OSError(36, "File name too long"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ],
)
def test_any_exception_becomes_one_sentence_that_names_the_file(raised: Exception) -> None:
    with (
        pytest.raises(UnreadableFile, match=r"^[^\n]*a\.log[^\n]*\.$"),
        guard_reading("a.log", "CSV"),
    ):
        raise raised


def test_errors_of_ours_pass_as_they_are() -> None:
    error = MissingColumn(column="a", available=["b"], who="x")
    with pytest.raises(MissingColumn) as caught, guard_reading("a.log"):
        raise error
    assert caught.value is error


def test_an_interrupt_is_no_fault_of_the_file() -> None:
    with pytest.raises(KeyboardInterrupt), guard_reading("a.log"):
        raise KeyboardInterrupt


NESTED = '{"weights": ' + "[" * 100_000
HUGE = "1" + "0" * 400
SPOILT = [
    NESTED,
    '{"a": ' * 900 + "1" + "}" * 900,
    f'{{"weights": {{"web": {HUGE}}}}}',
    f'{{"stages": [{{"step": {HUGE}, "weights": {{"web": 1}}}}]}}',
    f'{{"stages": [{{"step": 1e999, "weights": {{"web": 1}}}}], "steps": {HUGE}}}',
    f'{{"domains": ["web"]}}\n{{"step": {HUGE}, "weights": [1]}}\n',
    '{"domains": ["web"]}\n{"step": 1, "weights": [' + "[" * 900 + "]" * 901 + "}\n",
    f'{{"version": {HUGE}, "weights": {{"web": 2}}, "time": {HUGE}}}',
    "\0",
    "[]",
]


@pytest.mark.parametrize("text", SPOILT, ids=lambda text: text[:30])
@pytest.mark.parametrize(
    "load",
    [rv.Mixture.load, rv.Schedule.load, rv.RunLog.load, lambda path: rv.LiveMixture(path).mixture],
)
def test_a_spoilt_file_of_ours_is_one_sentence(
    load: Callable[[Path], object], text: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ReweightvizError, match=r"^[^\n]+\.$"):
        load(path)


def test_a_packed_selection_is_unpacked_no_further_than_it_needs(tmp_path: Path) -> None:
    packed = base64.b64encode(zlib.compress(bytes(10**8), 9)).decode()
    values = {"mixture": {"weights": {"web": 1.0}, "source": {}}, "selection": packed}
    entry = {"id": "step 0", "values": values}
    record = {"format": FORMAT, "documents": 8, "entries": [entry], "at": "step 0"}
    path = tmp_path / "state.json"
    path.write_text(json.dumps(record))
    tracemalloc.start()
    ExplorerState.load(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10**7


@pytest.mark.parametrize(
    "load", [rv.Mixture.load, rv.Schedule.load, rv.RunLog.load, rv.read_sources, rv.read_log]
)
def test_a_device_without_end_is_not_read(load: Callable[[str], object]) -> None:
    with pytest.raises(UnreadableFile, match="/dev/zero"):
        load("/dev/zero")
