"""The thread that looks for news of a run, one a run, however many widgets draw it."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import ClassVar

from reweightviz.core.errors import warn
from reweightviz.core.protocols import FollowedRun

__all__ = ["EVERY", "STATES", "Listener", "Pulse", "find_state"]


EVERY = 1.0
"""Seconds between two looks; more where a look and its drawing take long."""
STATES = ("live", "late", "gone", "ended")
"""How a run may stand; of several runs the first of these counts."""
_AFTER_THE_END = 10.0  # seconds between two looks at a run that ended: it may go on all the same
_REST = 4  # times as long as a look took is waited after it

Listener = Callable[[], None]


class Pulse:
    """Looks for news of a run, in a thread of its own, while there are listeners.

    It looks seldom when the run has ended.

    A thread, not a task on the kernel's loop: a training loop in a cell keeps that loop busy, and
    the curves move all the same. What a person does in the page still waits for the cell.
    Listeners are bound methods, held weakly.

    Args:
        run: the run.
        every: seconds between two looks.
    """

    _all: ClassVar[weakref.WeakKeyDictionary[FollowedRun, Pulse]] = weakref.WeakKeyDictionary()

    def __init__(self, run: FollowedRun, every: float = EVERY) -> None:
        self._run = weakref.ref(run)
        self._every = every
        self._listeners: list[weakref.WeakMethod[Listener]] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def of(cls, run: FollowedRun, every: float = EVERY) -> Pulse:
        """Return the one pulse of that run; ``every`` is that of the first caller."""
        return cls._all.setdefault(run, cls(run, every))

    @property
    def beating(self) -> bool:
        """True while it looks for news."""
        return self._thread is not None and self._thread.is_alive()

    def listen(self, listener: Listener) -> None:
        """Call a method after every look that found new rows or another state of the run."""
        with self._lock:
            self._remove(listener)
            self._listeners.append(weakref.WeakMethod(listener))
            self._wake.set()
            if not self.beating:
                self._thread = threading.Thread(
                    target=self._loop, name="reweightviz follows a run", daemon=True
                )
                self._thread.start()

    def leave(self, listener: Listener) -> None:
        """Call it no more; without listeners the thread ends."""
        with self._lock:
            self._remove(listener)
            self._wake.set()

    def _remove(self, listener: Listener) -> None:
        self._listeners = [each for each in self._listeners if each() not in (None, listener)]

    def _loop(self) -> None:
        state = ""
        cost = 0.0
        ended = False
        while True:
            time.sleep(max(self._every, _REST * cost))
            if ended:
                self._wake.wait(_AFTER_THE_END)
            began = time.perf_counter()
            with self._lock:
                self._wake.clear()
                run = self._run()
                listeners = [listener for each in self._listeners if (listener := each())]
                if run is None or not listeners:
                    self._thread = None
                    return
            state = _look(run, listeners, state)
            ended = run.ended
            cost = time.perf_counter() - began
            # Nothing is kept alive by sleeping.
            del run, listeners


def find_state(run: FollowedRun) -> str:
    """Return ``"ended"``, ``"gone"``, ``"late"`` or ``"live"``; the page goes on measuring."""
    if run.ended:
        return "ended"
    if run.gone:
        return "gone"
    return "live" if run.live else "late"


def _look(run: FollowedRun, listeners: Sequence[Listener], before: str) -> str:
    """Read what is new, call the listeners where it changes the picture, return the state."""
    news = False
    # The run keeps what was wrong, and the listeners show it.
    with suppress(Exception):
        news = run.poll()
    state = f"{find_state(run)} {run.problem}"
    if news or state != before:
        for listener in listeners:
            try:
                listener()
            except Exception as error:  # noqa: BLE001  the others draw on
                warn(f"a drawing of {run.path} failed: {type(error).__name__}: {error}")
    return state
