"""The trace that a notebook shows for an error of ours: its sentence, and the caller's own line."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

__all__ = ["SWITCH", "traceback_lines"]


SWITCH = "REWEIGHTVIZ_TRACEBACK"
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def traceback_lines(error: BaseException) -> list[str]:
    """Return what IPython shows for ``error``, by its protocol of ``_render_traceback_``.

    The whole trace comes where ``REWEIGHTVIZ_TRACEBACK`` is "full", and for ``%tb``, which
    comes back to an error that is no longer being handled.
    """
    shell = _shell()
    if os.environ.get(SWITCH) == "full" or sys.exc_info()[1] is not error:
        return _full(error, shell)
    lines = [f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]
    place = _callers_line(error.__traceback__)
    if place is not None:
        frame, number = place
        summary = traceback.FrameSummary(frame.f_code.co_filename, number, frame.f_code.co_name)
        lines += [f"{_title(summary.filename, shell)}, line {number}", f"----> {summary.line}"]
    return [*lines, f"(%tb shows the whole trace, {SWITCH}=full always.)"]


def _callers_line(trace: TracebackType | None) -> tuple[FrameType, int] | None:
    """Return the last line before this package: the one that called it, or raised the error.

    A line of an installed package between the two, such as of traitlets where a trait is set, is
    not the caller's own.
    """
    found = None
    for frame, number in _steps(trace):
        if str(frame.f_globals.get("__name__")).partition(".")[0] == "reweightviz":
            break
        if found is None or not frame.f_code.co_filename.startswith(_INSTALLED):
            found = (frame, number)
    return found


def _steps(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def _shell() -> Any:
    ipython = sys.modules.get("IPython")  # not imported for this: outside of it there is none
    return ipython and ipython.get_ipython()


def _full(error: BaseException, shell: Any) -> list[str]:
    if shell is None:
        return "".join(traceback.format_exception(error)).splitlines()
    lines: list[str] = shell.InteractiveTB.structured_traceback(
        type(error), error, error.__traceback__
    )
    return lines


def _title(filename: str, shell: Any) -> str:
    """Return "Cell In[3]" for a cell, which has no file of its own, else the name of the file."""
    name_code = getattr(getattr(shell, "compile", None), "format_code_name", None)
    label = name_code and name_code(filename)
    return " ".join(label or ("File", filename))
