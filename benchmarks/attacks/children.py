"""Run something in a forked process that has imported all and opened nothing.

Lance and its threads must not be used in the process that forks; everything that opens, writes or
reads runs in a child.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning

__all__ = ["Outcome", "catch", "run_child", "start_child", "wait_for", "wait_for_go"]

PATIENCE = 60.0
"""Seconds after which a child hangs."""


@dataclass(frozen=True)
class Outcome:
    """How a child ended.

    Attributes:
        how: "value", "sentence" (an error of ours), "raised" (any other), "killed" or "hangs".
        value: what it returned, or the words of what it raised.
        said: what it warned of.
        seconds: from the child's own start of the work to its end, where it says.
    """

    how: str
    value: Any = None
    said: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass
class Child:
    """A process that was started, and the end of its pipe."""

    number: int
    pipe: BinaryIO


def start_child(work: Callable[[Callable[[], None]], Any]) -> Child:
    """Start a child that calls ``work(go)``; ``go()`` tells the parent that it begins to write."""
    ours, theirs = os.pipe()
    sys.stdout.flush()
    gc.freeze()  # so that a child's collector touches no page of the parent's
    number = os.fork()
    if number:
        os.close(theirs)
        return Child(number, os.fdopen(ours, "rb"))
    os.close(ours)
    try:
        _work_in_child(work, theirs)
    finally:
        os._exit(0)


def _work_in_child(work: Callable[[Callable[[], None]], Any], pipe: int) -> None:
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    began = [time.perf_counter()]

    def go() -> None:
        os.write(pipe, b"G")
        began[0] = time.perf_counter()

    found = catch(lambda: work(go))
    seconds = time.perf_counter() - began[0]
    data = pickle.dumps((found.how, found.value, found.said, seconds))
    while data:
        data = data[os.write(pipe, data) :]


def catch(work: Callable[[], Any]) -> Outcome:
    """Return what the work gives, raises and warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            how, value = "value", work()
        except ReweightvizError as error:
            how, value = "sentence", str(error)
        except BaseException as error:  # noqa: BLE001  what is looked for
            last = traceback.extract_tb(error.__traceback__)[-1]
            how = "raised"
            value = f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
    said = [one for one in caught if issubclass(one.category, ReweightvizWarning)]
    return Outcome(how, value, tuple(str(one.message) for one in said))


def wait_for(child: Child, *, kill_after: float | None = None) -> Outcome:
    """Wait until a child ends; kill it so many seconds after it began to write."""
    data = b""
    deadline = time.monotonic() + PATIENCE
    moment: float | None = None
    how = ""
    while True:
        until = deadline if moment is None else min(moment, deadline)
        left = max(0.0, until - time.monotonic())
        ready, _, _ = select.select([child.pipe], [], [], left)
        if ready:
            part = os.read(child.pipe.fileno(), 1 << 20)
            if not part:
                break
            if part.startswith(b"G") and not data:
                part = part[1:]
                if kill_after is not None:
                    moment = time.monotonic() + kill_after
            data += part
        else:
            os.kill(child.number, signal.SIGKILL)
            if moment is None or time.monotonic() >= deadline:
                how = "hangs"
            break
    _, status = os.waitpid(child.number, 0)
    data += child.pipe.read()  # of one that ended just before it was killed
    child.pipe.close()
    if how:
        return Outcome(how)
    if os.WIFSIGNALED(status):
        return Outcome("killed")
    return Outcome(*pickle.loads(data))  # noqa: S301  of our own child


def wait_for_go(child: Child) -> None:
    """Wait until a child says that it is ready to write."""
    os.read(child.pipe.fileno(), 1)


def run_child(
    work: Callable[[Callable[[], None]], Any], *, kill_after: float | None = None
) -> Outcome:
    """Start a child and wait for it."""
    return wait_for(start_child(work), kill_after=kill_after)
