"""The boundary round files that others wrote: whatever fails inside ends in one sentence."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from reweightviz.core.errors import ReweightvizError, UnreadableFile, WrongContent

__all__ = ["NO_RECORD", "guard_reading"]


NO_RECORD = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""Errors of a record that has another form than the one that is read."""
MOST_LETTERS = 200
"""Of what another library says about a file."""


@contextmanager
def guard_reading(path: object, wanted: str = "") -> Iterator[None]:
    """Raise one sentence that names the file and its format, whatever reading it raises.

    Args:
        path: of the file or folder.
        wanted: the format that it is read as, such as "MLflow's local store".

    Raises:
        ReweightvizError: as it is raised inside, or for any other exception.

    Example:
        >>> with guard_reading("run.csv", "CSV"):
        ...     int("three")
        Traceback (most recent call last):
        reweightviz.core.errors.UnreadableFile: cannot read run.csv as CSV: ...
    """
    _check_ends(path)
    try:
        yield
    except ReweightvizError:
        raise
    except OSError as error:
        reason = error.strerror or _first_line(error)
        raise UnreadableFile(path=path, wanted=wanted, reason=reason) from error
    except UnicodeDecodeError as error:
        raise WrongContent(path=path, reason=f"is no text in UTF-8: {error}") from error
    except (MemoryError, RecursionError) as error:
        reason = "it is nested too deeply, or larger than the memory"
        raise UnreadableFile(path=path, wanted=wanted, reason=reason) from error
    # A foreign file reaches code of other libraries, which raises what it will.
    except Exception as error:
        raise UnreadableFile(path=path, wanted=wanted, reason=_first_line(error)) from error


def _check_ends(path: object) -> None:
    """Refuse a device, such as /dev/zero, which may be read without end."""
    try:
        mode = os.stat(path).st_mode  # type: ignore[arg-type]  # noqa: PTH116
    except (OSError, TypeError, ValueError):
        return
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise UnreadableFile(path=path, reason="it is no regular file")


def _first_line(error: Exception) -> str:
    """Return what an exception says, in one line that names its kind."""
    text = " ".join(str(error).split())
    kind = type(error).__name__
    return f"{kind}: {text[:MOST_LETTERS]}" if text else kind
