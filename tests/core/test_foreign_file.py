"""The boundary round foreign files: every exception becomes one sentence that names the file."""

from __future__ import annotations

import pytest

from reweightviz.core.errors import MissingColumn, UnreadableFile
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
