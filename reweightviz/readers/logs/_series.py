"""Tagged numbers, as loggers write them, on their way into the records of a run.

Settled here for all formats: restarts, and tags that share a step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.records import Records
from reweightviz.core.types import Array
from reweightviz.readers.logs._naming import Naming, Pattern, Place
from reweightviz.readers.logs._numbers import LARGEST_STEP
from reweightviz.readers.logs._tags import RUN_TOKENS
from reweightviz.readers.logs._units import Units

__all__ = ["Point", "Series"]


_BEFORE_ALL = np.iinfo(np.int64).min


class Point(NamedTuple):
    """One logged value; ``time`` is in Unix seconds, NaN where unknown."""

    tag: str
    step: int
    value: float
    time: float


class Series:
    """Feeds tags into records, by their :class:`Naming`.

    A value that was logged and is no finite number comes as infinite: in a table NaN stands where
    there was no value.

    Args:
        pattern: see :class:`Naming`.

    Example:
        >>> from reweightviz.core.runlog import RunLog
        >>> records, series = Records(), Series()
        >>> for step in (1, 2):
        ...     series.add_point("loss/web", step, 3.0 / step)
        ...     series.add_point("loss/code", step, 2.0 / step)
        >>> series.flush(records), RunLog.of_records(records)["loss"].tolist()
        (True, [[3.0, 2.0], [1.5, 1.0]])
    """

    is_over = True
    """No more values of the last step come."""

    def __init__(self, pattern: Pattern | None = None) -> None:
        self.naming = Naming(pattern)
        self._points: list[Point] = []
        self._last_steps: dict[str, int] = {}
        self._units = Units()
        self._scalars: set[str] = set()
        self._noted: dict[str, None] = {}

    # ---- tables: a row a step

    def feed_table(
        self,
        records: Records,
        steps: NDArray[np.int64],
        columns: Mapping[str, Array],
        times: Array | None = None,
    ) -> None:
        """Feed a column (n,) a tag, with its steps (n,) and times (n,)."""
        naming = self.naming
        naming.learn(columns)
        first_step = int(steps[0]) if len(steps) else None
        late = self._find_late()
        records.add_domains([place.domain for place in late.values()], step=_BEFORE_ALL)
        records.add_domains(naming.domains, step=first_step)
        earlier = self._take_late(records, late)
        if naming.patterns:
            records.extend_meta(
                pattern={signal: list(patterns) for signal, patterns in naming.patterns.items()}
            )
            self.note(records, *naming.notes())
        column_of = {domain: k for k, domain in enumerate(records.domains)}
        tables: dict[str, Array] = {}
        scalars: dict[str, Array] = {}
        tokens = None
        for tag, values in columns.items():
            place = naming.place(tag)
            if place is not None:
                if place.signal not in tables:
                    tables[place.signal] = np.full((len(steps), len(column_of)), np.nan)
                scaled = self._units.rescale(tag, values, place.scale)
                tables[place.signal][:, column_of[place.domain]] = scaled
            elif self._counts_run_tokens(tag):
                tokens = values
            else:
                scalars[tag] = values
        for each in (tables, earlier):
            if "weights" in each:
                each["weights"] = self._units.normalise(each["weights"])
        self.note(records, *self._units.notes)
        self._scalars |= scalars.keys()
        records.fill(earlier)
        records.extend(
            steps,
            weights=tables.pop("weights", None),
            signals=tables,
            scalars=scalars,
            time=times,
            tokens=tokens,
        )

    def _find_late(self) -> dict[str, Place]:
        """Return the places of tags that were fed as scalars of the run.

        Until a second domain came, the tag of the first named none.
        """
        places = {tag: self.naming.place(tag) for tag in self.naming.tags if tag in self._scalars}
        return {tag: place for tag, place in places.items() if place is not None}

    def _take_late(self, records: Records, late: Mapping[str, Place]) -> dict[str, Array]:
        """Return the signals (T, K) of earlier rows that stand among the scalars."""
        column_of = {domain: k for k, domain in enumerate(records.domains)}
        tables: dict[str, Array] = {}
        for tag, place in late.items():
            values = self._units.rescale(tag, records.take_scalar(tag), place.scale)
            if place.signal not in tables:
                tables[place.signal] = np.full((len(values), len(column_of)), np.nan)
            tables[place.signal][:, column_of[place.domain]] = values
        self._scalars -= late.keys()
        return tables

    def _counts_run_tokens(self, tag: str) -> bool:
        if "tokens" in self.naming.extras:
            return tag == self.naming.extras["tokens"]
        return tag.rpartition("/")[2] in RUN_TOKENS

    # ---- points: a tag, a step, a number

    def __len__(self) -> int:
        """Return the number of values that wait."""
        return len(self._points)

    def add_point(self, tag: str, step: int, value: float, time: float = np.nan) -> None:
        """Add one value, in the order in which it was logged; it waits for :meth:`flush`."""
        self._points.append(Point(tag, step, value, time))

    def flush(self, records: Records) -> bool:
        """Feed the values that wait; return whether there were some.

        A tag whose own steps go back began anew; another tag may come late.
        """
        points = [point for point in self._points if abs(point.step) <= LARGEST_STEP]
        if len(points) < len(self._points):
            bad = [point.step for point in self._points if abs(point.step) > LARGEST_STEP]
            records.count_bad_steps(map(str, bad))
        self._points = []
        if points and not self.is_over:
            points = self._hold_back(points)
        if not points:
            return False
        tags = list(dict.fromkeys(point.tag for point in points))
        code_of = {tag: code for code, tag in enumerate(tags)}
        codes = np.array([code_of[point.tag] for point in points])
        steps = np.array([point.step for point in points], np.int64)
        values = np.array([point.value for point in points], np.float64)
        times = np.array([point.time for point in points], np.float64)
        values[np.isnan(values)] = np.inf
        last = np.array([self._last_steps.get(tag, _BEFORE_ALL) for tag in tags])
        start = 0
        is_restart = False
        while start < len(points):
            end = start + _find_restart(codes[start:], steps[start:], last)
            here = slice(start, end)
            self._feed_segment(
                records,
                tags,
                codes[here],
                steps[here],
                values[here],
                times[here],
                is_restart=is_restart,
            )
            last[codes[here]] = steps[here]
            if end < len(points):
                # A run that was started again may log every tag from the beginning.
                is_restart = True
                last[:] = _BEFORE_ALL
                # Also of tags that these points do not hold.
                self._last_steps.clear()
            start = end
        self._last_steps |= {tag: int(step) for tag, step in zip(tags, last, strict=True)}
        return True

    def _hold_back(self, points: list[Point]) -> list[Point]:
        """Let weights of the last step wait where others of it may come; return all other points.

        Part of a row has another sum than the row, by which its weights would be divided.
        """
        if self._units.is_sum_known:
            return points
        self.naming.learn(dict.fromkeys(point.tag for point in points))
        last = points[-1].step
        waiting = [point for point in points if point.step == last and self._is_weight(point.tag)]
        if self._units.is_whole(sum({point.tag: point.value for point in waiting}.values())):
            return points
        self._points = waiting
        return [point for point in points if point.step != last or not self._is_weight(point.tag)]

    def _is_weight(self, tag: str) -> bool:
        place = self.naming.place(tag)
        return place is not None and place.signal == "weights"

    def _feed_segment(
        self,
        records: Records,
        tags: Sequence[str],
        codes: NDArray[np.intp],
        steps: NDArray[np.int64],
        values: Array,
        times: Array,
        *,
        is_restart: bool,
    ) -> None:
        """Feed the points between two restarts, one row a step."""
        in_time = np.full(len(steps), fill_value=True)
        if records.last_step is not None and not is_restart:
            in_time = steps >= records.last_step
        if not in_time.all():
            self.note(
                records,
                "Some values came after later steps had been read, and are left out; "
                "reading the log again shows them.",
            )
        if not in_time.any():
            return
        rows, row = np.unique(steps[in_time], return_inverse=True)
        table = np.full((len(tags), len(rows)), np.nan)
        # A gap takes no number away that came for the same step, as in records.
        for kept in (np.isinf(values[in_time]), np.isfinite(values[in_time])):
            table[codes[in_time][kept], row[kept]] = values[in_time][kept]
        clock = np.full(len(rows), np.nan)
        clock[row] = times[in_time]
        columns = {tags[code]: table[code] for code in np.unique(codes[in_time])}
        self.feed_table(records, rows, columns, clock)

    def note(self, records: Records, *sentences: str) -> None:
        """Add notes that are not there yet."""
        new = [sentence for sentence in sentences if sentence not in self._noted]
        self._noted |= dict.fromkeys(new)
        if new:
            records.extend_meta(notes=new)


def _find_restart(
    codes: NDArray[np.intp], steps: NDArray[np.int64], last: NDArray[np.int64]
) -> int:
    """Return where a tag's steps first go back; the number of points where they never do.

    Args:
        codes: (n,) of the tags.
        steps: (n,).
        last: the step of each tag before, (tags,).
    """
    # Stable, so that the points of a tag stay in the order in which they were logged.
    order = np.argsort(codes, kind="stable")
    sorted_codes = codes[order]
    sorted_steps = steps[order]
    before = np.concatenate([[0], sorted_steps[:-1]])
    first = np.concatenate([[True], sorted_codes[1:] != sorted_codes[:-1]])
    before[first] = last[sorted_codes[first]]
    back = order[sorted_steps < before]
    return int(back.min(initial=len(codes)))
