"""Following runs on a page: one thread a run that reads what is new, and the line that says how the runs stand."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets as t

from reweightviz.core.errors import warn
from reweightviz.core.protocols import FollowedRun
from reweightviz.widgets.common.assemble import assemble

EVERY = 1.0
"""Seconds between two looks; more where a look and what it draws take long."""
_AGAIN = (
    10.0  # seconds between two looks at a run that said that it ended, and may go on all the same
)
_SHARE = 4  # at most this fraction of the time goes into looking
_HERE = Path(__file__).parent

Listener = Callable[[], None]


class Pulse:
    """Looks for news of a run, in a thread of its own, while somebody listens; seldom when the run has ended.

    A thread, not a task on the kernel's loop: a training loop in a cell keeps that loop busy, and
    the curves move all the same. What the page says (a click, a choice) still waits for the cell.
    Listeners are bound methods, held weakly.

    Args:
        tail: the run.
        every: seconds between two looks.
    """

    _all: ClassVar[weakref.WeakKeyDictionary[FollowedRun, Pulse]] = weakref.WeakKeyDictionary()

    def __init__(self, tail: FollowedRun, every: float = EVERY) -> None:
        self._tail, self._every = weakref.ref(tail), every
        self._listeners: list[weakref.WeakMethod[Listener]] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def of(cls, tail: FollowedRun, every: float = EVERY) -> Pulse:
        """The one pulse of that run, however many widgets draw it; ``every`` is that of the first."""
        return cls._all.setdefault(tail, cls(tail, every))

    @property
    def beating(self) -> bool:
        """Whether it still looks for news."""
        return self._thread is not None and self._thread.is_alive()

    def listen(self, listener: Listener) -> None:
        """Call it after every look that brought something, or after which the run stands differently."""
        with self._lock:
            self._listeners = [
                each for each in self._listeners if each() not in (None, listener)
            ] + [weakref.WeakMethod(listener)]
            self._wake.set()
            if not self.beating:
                self._thread = threading.Thread(
                    target=self._run, name="reweightviz follows a run", daemon=True
                )
                self._thread.start()

    def leave(self, listener: Listener) -> None:
        """Call it no more; without listeners the thread ends."""
        with self._lock:
            self._listeners = [each for each in self._listeners if each() not in (None, listener)]
            self._wake.set()

    def _run(self) -> None:
        said, cost, ended = "", 0.0, False
        while True:
            time.sleep(max(self._every, _SHARE * cost))
            if ended:
                self._wake.wait(_AGAIN)
            began = time.perf_counter()
            with self._lock:
                self._wake.clear()
                tail, listeners = (
                    self._tail(),
                    [listener for each in self._listeners if (listener := each())],
                )
                if tail is None or not listeners:
                    self._thread = None
                    return
            said, ended = _look(tail, listeners, said), tail.ended
            cost = time.perf_counter() - began
            del tail, listeners  # nothing is kept alive by sleeping


def _look(tail: FollowedRun, listeners: Sequence[Listener], said: str) -> str:
    """Read what is new and tell the listeners, if it is worth telling; returns how the run stands."""
    news = False
    with suppress(Exception):  # the tail keeps what was wrong, the listeners show it
        news = tail.poll()
    stands = f"{state_of(tail)} {tail.problem}"
    if news or stands != said:
        for listener in listeners:
            try:
                listener()
            except Exception as error:  # noqa: BLE001  the others draw on
                warn(f"a drawing of {tail.path} failed: {type(error).__name__}: {error}")
    return stands


class LiveStatus(anywidget.AnyWidget):
    """How the followed runs stand: a dot and a few words for each. A click stops the curves, another lets them go on.

    Args:
        tails: the runs that are followed.

    Example:
        >>> LiveStatus([]).runs
        []
    """

    _esm = assemble(_HERE / "live.js")
    _css = _HERE / "live.css"

    runs = t.List(
        t.Dict(),
        help="of each run: name, state, step, when the last news came (Unix seconds), "
        "what went wrong",
    ).tag(sync=True)
    paused = t.Bool(help="the curves stay as they are").tag(sync=True)
    seen = t.Int(help="how many views there are on the page; the page counts").tag(sync=True)

    def __init__(self, tails: Sequence[FollowedRun] = (), **traits: Any) -> None:
        super().__init__(**traits)
        self.shown = False  # it was on a page once
        self.observe(lambda _: setattr(self, "shown", True), "seen")
        self.show(tails)

    def show(self, tails: Sequence[FollowedRun]) -> None:
        """How the runs stand now."""
        self.runs = [
            {
                "name": tail.log.name,
                "state": state_of(tail),
                "step": tail.last_step,
                "heard": tail.last_update,
                "quiet": tail.quiet,
                "file": tail.path.name,
                "problem": tail.problem,
            }
            for tail in tails
        ]


def state_of(tail: FollowedRun) -> str:
    """``"ended"``, ``"gone"``, or ``"live"``; the page itself sees when a live run has become quiet."""
    return "ended" if tail.ended else "gone" if tail.gone else "live"
