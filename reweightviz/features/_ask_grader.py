"""A grader is asked text after text, within a budget; what it answers is kept as it comes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from reweightviz.core.progress import tqdm
from reweightviz.core.types import Array
from reweightviz.features._kept_answers import KeptAnswers, identify
from reweightviz.features._read_grade import read_grade
from reweightviz.features.graders import Endpoint, Refusal, Reply

__all__ = ["Asking"]


IN_A_ROW = 3
"""Failures after which it is the grader and not the text."""


class Asking:
    """Grades of texts, and what became of those without one.

    Args:
        grader: an Endpoint, or a function of a text, or of a list of them with ``batch``.
        label: names it in sentences.
        batch: texts that a function takes at once; None for one text, not a list.
        within: lowest and highest grade; None for any number.
        budget: tokens that may be spent; None for any.
        requests: requests, or calls of a function; None for any.

    Attributes:
        grades: (n,) of the texts asked for, NaN where none.
        tokens: spent now; what was kept before costs nothing.
        stopped: why not all were asked, "" where they were.
        ungraded: what came instead of a grade, the first and how many.
    """

    def __init__(
        self,
        grader: Any,
        label: str,
        *,
        batch: int | None = None,
        within: tuple[float, float] | None = None,
        budget: int | None = None,
        requests: int | None = None,
    ) -> None:
        self._grader = grader
        self._is_endpoint = isinstance(grader, Endpoint)
        self._label = label
        self._batch = batch
        self._within = within or (-math.inf, math.inf)
        self._allowance = _Allowance(budget, requests)
        self._stop = threading.Event()
        self.grades: Array = np.empty(0)
        self.stopped = ""
        self.ungraded: list[str] = []
        self._failures = 0

    @property
    def tokens(self) -> int:
        """Tokens spent now."""
        return self._allowance.tokens

    def run(self, texts: Sequence[str]) -> Array:
        """Return grades (n,); a failure ends the asking, and keeps what there is."""
        self.grades = np.full(len(texts), np.nan)
        kept = KeptAnswers(identify(self._grader))
        with tqdm(
            total=len(texts), desc=f"grade {self._label}", unit="doc", delay=1, leave=False
        ) as bar:
            rest = []
            for place, text in enumerate(texts):
                known = kept.find(text)
                if known is None:
                    rest.append(place)
                else:
                    self._take(place, known["answer"])
                    bar.update()
            try:
                for places, found in self._each(texts, rest, kept):
                    self._note(places, found)
                    bar.update(len(places))
            finally:
                self._stop.set()
                kept.close()
        return self.grades

    # ---- asking

    def _each(
        self, texts: Sequence[str], rest: list[int], kept: KeptAnswers
    ) -> Iterator[tuple[list[int], Any]]:
        """Yield places with their answers, or with what was raised instead."""
        size = self._batch or 1
        chunks = [rest[start : start + size] for start in range(0, len(rest), size)]

        def ask(places: list[int]) -> list[Any]:
            some = [texts[place] for place in places]
            replies = self._ask(some)
            # In the thread that asked: an answer is kept even where nobody waits any more.
            for text, reply in zip(some, replies, strict=True):
                kept.keep(text, reply.answer, reply.tokens)
            return [reply.answer for reply in replies]

        at_once = self._grader.at_once if self._is_endpoint else 1
        if at_once == 1:
            for places in chunks:
                if not self._may_go_on(0):
                    return
                yield places, _outcome(ask, places)
            return
        yield from self._each_at_once(chunks, ask, at_once)

    def _each_at_once(
        self, chunks: list[list[int]], ask: Callable[[list[int]], list[Any]], at_once: int
    ) -> Iterator[tuple[list[int], Any]]:
        waiting: dict[Future[Any], list[int]] = {}
        left = iter(chunks)
        ended = False
        with ThreadPoolExecutor(at_once) as pool:
            try:
                while True:
                    while not ended and len(waiting) < at_once and self._may_go_on(len(waiting)):
                        places = next(left, None)
                        ended = places is None
                        if places is not None:
                            waiting[pool.submit(_outcome, ask, places)] = places
                    if not waiting:
                        return
                    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield waiting.pop(future), future.result()
            finally:
                self._stop.set()

    def _may_go_on(self, waiting: int) -> bool:
        if self.stopped:
            return False
        may, self.stopped = self._allowance.look(waiting)
        return may

    def _ask(self, texts: list[str]) -> list[Reply]:
        if self._is_endpoint:
            reply = self._grader.ask(texts[0], stop=self._stop, allow=self._allowance.take_request)
            self._allowance.add_tokens(reply.tokens)
            return [reply]
        self._allowance.take_request()
        if self._batch is None:
            return [Reply(_plain(self._grader(texts[0])), 0)]
        found = list(self._grader(texts))
        if len(found) != len(texts):
            raise Refusal(f"returned {len(found)} grades for {len(texts)} texts", is_final=True)
        return [Reply(_plain(one), 0) for one in found]

    # ---- what came

    def _note(self, places: list[int], found: Any) -> None:
        if not isinstance(found, Exception):
            self._failures = 0
            for place, answer in zip(places, found, strict=True):
                self._take(place, answer)
            return
        self._failures += 1
        reason = str(found) if isinstance(found, Refusal) else _say(found)
        self.ungraded += [reason] * len(places)
        is_final = isinstance(found, Refusal) and found.is_final
        if (is_final or self._failures >= IN_A_ROW) and not self.stopped:
            self.stopped = reason
            if not is_final:
                self.stopped = f"{reason}, {self._failures} times in a row"

    def _take(self, place: int, answer: Any) -> None:
        read = self._grader.read if self._is_endpoint else read_grade
        grade = read(answer)
        low, high = self._within
        if math.isnan(grade):
            self.ungraded.append(f"{answer!r:.80} has no grade")
        elif not low <= grade <= high:
            self.ungraded.append(f"{grade:g} is not within {low:g} to {high:g}")
        else:
            self.grades[place] = grade


class _Allowance:
    """What may still be spent; threads take of it at once."""

    def __init__(self, budget: int | None, requests: int | None) -> None:
        self._budget = budget
        self._requests = requests
        self._lock = threading.Lock()
        self._asked = 0
        self._largest = 0
        self.tokens = 0

    def look(self, waiting: int) -> tuple[bool, str]:
        """Return whether another may be asked beside those that wait, and why never again."""
        with self._lock:
            # Of those that wait, some may not have been counted yet.
            if self._requests is not None and self._asked + waiting >= self._requests:
                return False, "" if waiting else f"the {self._requests:,} requests are made"
            if self._budget is None:
                return True, ""
            # The first shows how much one takes; the next may take as much as the largest did.
            if not self._largest:
                return waiting == 0, ""
            foreseen = self.tokens + (waiting + 1) * self._largest
            if foreseen <= self._budget:
                return True, ""
            if waiting:
                return False, ""
            return False, (
                f"another answer may take more than the budget of {self._budget:,} tokens, of "
                f"which {self.tokens:,} are spent"
            )

    def take_request(self) -> bool:
        """Count a request; return whether it may be made."""
        with self._lock:
            if self._requests is not None and self._asked >= self._requests:
                return False
            self._asked += 1
            return True

    def add_tokens(self, tokens: int) -> None:
        """Count what an answer took."""
        with self._lock:
            self.tokens += tokens
            self._largest = max(self._largest, tokens)


def _outcome(ask: Callable[[list[int]], list[Any]], places: list[int]) -> Any:
    """Return answers, or what a grader raised: it is another's code, and may raise anything."""
    try:
        return ask(places)
    except Exception as error:  # noqa: BLE001
        return error


def _say(error: Exception) -> str:
    return f"it raised {type(error).__name__}: {error!s:.100}".rstrip(": ")


def _plain(answer: Any) -> Any:
    """Return a function's answer as JSON holds it, so that it is read alike when it was kept."""
    if isinstance(answer, np.ndarray | np.generic) and np.ndim(answer) == 0:
        answer = answer.item()
    if isinstance(answer, float) and not math.isfinite(answer):
        return str(answer)
    if answer is None or isinstance(answer, bool | int | float):
        return answer
    return str(answer).encode("utf-8", "replace").decode()
