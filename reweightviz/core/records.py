"""The growing table of one run: every reader of logs fills it, and a RunLog is a view of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import InvalidValue, UnknownName, UnmetNeed
from reweightviz.core.run_notes import RunNotes
from reweightviz.core.types import LOG_SIGNALS, Array

__all__ = ["Cells", "Records"]


Cells: TypeAlias = Mapping[str, float | None] | Sequence[float | None] | Array
"""The values of one step by domain: by name, or (K,) in the order of the domains."""

_FEWEST_ROWS = 256  # that room is made for at once
_MORE_COLUMNS = 4  # a quarter more room where domains come one by one, so that few are moved often


class Records:
    """Rows of a run in the order in which they were logged.

    Whatever runs do to their logs is settled here, once for all formats: the same step again
    merges into its row, a smaller step is a restart that drops the rows at and after it, a domain
    that appears late has NaN before, and no finite number is a gap. Each is counted and described
    in ``meta["notes"]`` of the run. A row costs the same however many came before.

    Args:
        domains: names (K,) that are known from the start; others are appended as they come.
        name: of the run.
        meta: facts about the run; ``notes`` in it stay the first ones.

    Raises:
        ReweightvizError: a signal outside :data:`reweightviz.core.types.LOG_SIGNALS`, or a row
            that is not (K,).

    Example:
        >>> from reweightviz.core.runlog import RunLog
        >>> records = Records(name="demo")
        >>> records.add(10, signals={"loss": {"web": 3.0}}, weights={"web": 1.0})
        >>> loss = {"web": 2.5, "code": float("inf")}
        >>> records.add(20, signals={"loss": loss}, scalars={"lr": 1e-3})
        >>> log = RunLog.of_records(records)
        >>> log["loss"].tolist(), log.scalars["lr"].tolist()
        ([[3.0, nan], [2.5, nan]], [nan, 0.001])
        >>> log.meta["notes"]
        ["'code' is first seen after step 10.", 'loss: 1 value is NaN or infinite; drawn as a gap.']
    """

    def __init__(
        self, domains: Iterable[str] = (), name: str = "run", meta: Mapping[str, Any] | None = None
    ) -> None:
        self.name = name
        self.ended = False
        """Whether the writer closed the run."""
        self.generation = 0
        """Counts how often rows before the last one changed: restarts, late domains."""
        self._domains: dict[str, int] = {}
        self._meta = dict(meta or {})
        self._notes = RunNotes(self._meta.pop("notes", ()))
        self._rows = 0
        self._room = 0
        self._width = 0  # columns that there is room for
        self._has_views = False  # a log was handed out that shows these arrays
        self._steps = np.empty(0, np.int64)
        self._clocks: dict[str, Array] = {"time": np.empty(0), "tokens": np.empty(0)}
        self._scalars: dict[str, Array] = {}
        self._tables: dict[str, Array] = {"weights": np.empty((0, 0))}
        self.add_domains(domains)

    def __len__(self) -> int:
        return self._rows

    @property
    def domains(self) -> tuple[str, ...]:
        """Names (K,) in order of first appearance."""
        return tuple(self._domains)

    @property
    def last_step(self) -> int | None:
        """The step of the last row."""
        return int(self._steps[self._rows - 1]) if self._rows else None

    @property
    def times(self) -> Array:
        """The times (T,) of the rows in Unix seconds, NaN where unknown; a copy."""
        return self._clocks["time"][: self._rows].copy()

    @property
    def notes(self) -> list[str]:
        """Findings about the log, in plain sentences."""
        return self._notes.sentences()

    def extend_meta(self, **facts: Any) -> None:
        """Add facts about the run; ``notes`` are appended, others replace what was there."""
        self._notes.extend(facts.pop("notes", ()))
        self._meta |= facts

    def count_bad_steps(self, texts: Iterable[str]) -> None:
        """Count rows that a reader leaves out, by the text of what was no step."""
        self._notes.count_bad_steps(texts)

    def count_unread(self, name: str, texts: Iterable[str]) -> None:
        """Count cells of a series that a reader leaves out, by the text that is no number."""
        self._notes.count_unread(name, texts)

    def add_domains(self, names: Iterable[str], *, step: int | None = None) -> None:
        """Append the domains that are not known yet; earlier rows have NaN there.

        Args:
            names: in order.
            step: of the row that brings them.
        """
        new = [name for name in dict.fromkeys(map(str, names)) if name not in self._domains]
        if not new:
            return
        self._domains |= {name: len(self._domains) + k for k, name in enumerate(new)}
        if len(self._domains) > self._width:
            self._widen()
        self.generation += 1
        if self._rows and (step is None or step > self._steps[0]):
            self._notes.add_late_domains(new, int(self._steps[self._rows - 1]))

    def add(
        self,
        step: int,
        *,
        weights: Cells | None = None,
        signals: Mapping[str, Cells] | None = None,
        scalars: Mapping[str, float | None] | None = None,
        time: float | None = None,
        tokens: float | None = None,
    ) -> None:
        """Add one line of a log.

        Args:
            step: of the optimizer.
            weights: domain to share of training tokens, or (K,) in the order of :attr:`domains`.
                None is "not measured", in an array NaN.
            signals: name to the same.
            scalars: name to a number for the whole run: learning rate, length of the gradient.
            time: Unix seconds.
            tokens: trained so far.
        """
        # Steps are held as int64. Written so that NaN is refused too.
        if not abs(step) < 2**63:
            raise InvalidValue(
                name="a step", value=step, expected="a whole number of at most 63 bits"
            )
        given = _present(weights=weights, **(signals or {}))
        for cells in given.values():
            if isinstance(cells, Mapping):
                self.add_domains(cells, step=step)
        # All is checked before the first number is written: a bad line adds nothing.
        rows = {name: self._row(name, cells) for name, cells in given.items()}
        numbers = {name: self._number(name, value) for name, value in (scalars or {}).items()}
        self._add_tables(rows)
        self._add_scalars(numbers)
        n = self._place(int(step))
        repeats = [_merge(self._table(name)[n], row) for name, row in rows.items()]
        for name, value in numbers.items():
            if not np.isnan(value):
                self._scalars[name][n] = value
        for name, clock in _present(time=time, tokens=tokens).items():
            if np.isfinite(clock):
                self._clocks[name][n] = clock
        if any(repeats):
            self._notes.count_repeat(step)
        self._rows = n + 1

    def extend(
        self,
        steps: NDArray[np.int64],
        *,
        weights: Array | None = None,
        signals: Mapping[str, Array] | None = None,
        scalars: Mapping[str, Array] | None = None,
        time: Array | None = None,
        tokens: Array | None = None,
    ) -> None:
        """Add many lines at once, to the same effect as :meth:`add` of each.

        Args:
            steps: (n,).
            weights: (n, K), NaN is "not measured".
            signals: name to the same.
            scalars: name to (n,).
            time: (n,) Unix seconds.
            tokens: (n,) trained so far.
        """
        tables = _present(weights=weights, **(signals or {}))
        columns = dict(scalars or {})
        clocks = _present(time=time, tokens=tokens)
        ends = [0, *(np.flatnonzero(np.diff(steps) <= 0) + 1).tolist(), len(steps)]
        for first, end in pairwise(ends):
            start = first
            last = self.last_step
            if start < end and last is not None and steps[start] <= last:
                # A restart or a repeated step: only a single row merges or drops others.
                row = {name: values[start] for name, values in tables.items()}
                self.add(
                    int(steps[start]),
                    weights=row.pop("weights", None),
                    signals=row,
                    scalars={name: values[start] for name, values in columns.items()},
                    **{name: float(values[start]) for name, values in clocks.items()},
                )
                start += 1
            self._append(slice(start, end), steps, tables, columns, clocks)

    def take_scalar(self, name: str) -> Array:
        """Return a scalar (T,) of the rows so far, and hold it no more."""
        self.generation += 1
        return self._scalars.pop(name)[: self._rows].copy()

    def fill(self, tables: Mapping[str, Array]) -> None:
        """Fill in signals, or weights, of the rows so far (T, K), where nothing was measured."""
        self._add_tables(tables)
        if self._has_views:
            self._move(self._room)  # logs that were handed out keep what they show
        for name, values in tables.items():
            held = self._table(name)[: self._rows]
            is_new = np.isnan(held) & np.isfinite(values)
            held[is_new] = values[is_new]

    def columns(self) -> dict[str, Any]:
        """Return the fields of a RunLog (:mod:`reweightviz.core.runlog`), as read-only views.

        Nothing is copied, here or later: a restart moves this table into new arrays.
        """
        n = self._rows
        self._has_views = True
        tables = {name: _view(self._table(name), n) for name in self._tables}
        notes = self.notes
        return {
            "domains": self.domains,
            "steps": _view(self._steps, n),
            "weights": tables.pop("weights"),
            "signals": tables,
            "name": self.name,
            "meta": self._meta | ({"notes": notes} if notes else {}),
            "scalars": {name: _view(values, n) for name, values in self._scalars.items()},
            "times": _view(self._clocks["time"], n),
            "tokens": _view(self._clocks["tokens"], n),
        }

    # ---- one row

    def _row(self, name: str, cells: Cells) -> Array:
        """Return cells as (K,), NaN where there is none."""
        _check_signal(name)
        K = len(self._domains)
        row = np.full(K, np.nan)
        try:
            if isinstance(cells, Mapping):
                places = [self._domains[str(domain)] for domain in cells]
                row[places] = np.array(list(cells.values()), np.float64)
            else:
                row = np.array(cells, np.float64)
        except (TypeError, ValueError) as error:
            raise UnmetNeed(name=name, value=cells, expected="a number a domain") from error
        if row.shape != (K,):
            raise UnmetNeed(name=name, value=row.shape, expected=f"{K} numbers, one a domain")
        bad = ~np.isfinite(row)
        if bad.any():
            self._notes.count_gaps(name, int(bad.sum()) - _count_absent(cells, row))
            row[bad] = np.nan
        return row

    def _number(self, name: str, value: float | None) -> float:
        """Return a scalar, NaN where there is none or it is not finite."""
        if value is None:
            return np.nan
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise UnmetNeed(name=name, value=value, expected="a number") from error
        if np.isfinite(number):
            return number
        # A NaN of numpy comes from a column, where it is "not measured"; any other was logged.
        is_absent = isinstance(value, np.floating) and np.isnan(value)
        self._notes.count_gaps(name, int(not is_absent))
        return np.nan

    def _place(self, step: int) -> int:
        """Return the row of a step, the last one or a new one; a restart drops rows first."""
        last = self.last_step
        if step == last:
            return self._rows - 1
        if last is not None and step < last:
            left = int(np.searchsorted(self._steps[: self._rows], step))
            self._notes.add_restart(last, step, dropped=self._rows - left)
            self._rows = left
            self.generation += 1
            if self._has_views:
                self._move(self._room)  # logs that were handed out keep the rows that are dropped
        self._reserve(1)
        self._steps[self._rows] = step
        for values in self._all():
            values[self._rows] = np.nan
        return self._rows

    # ---- many rows

    def _append(
        self,
        rows: slice,
        steps: NDArray[np.int64],
        tables: Mapping[str, Array],
        scalars: Mapping[str, Array],
        clocks: Mapping[str, Array],
    ) -> None:
        """Append rows whose steps go on from the last one."""
        count = rows.stop - rows.start
        if not count:
            return
        self._reserve(count)
        self._add_tables(tables)
        self._add_scalars(scalars)
        here = slice(self._rows, self._rows + count)
        self._steps[here] = steps[rows]
        for values in self._all():
            values[here] = np.nan
        for held, given in (
            ({name: self._table(name) for name in tables}, tables),
            (self._scalars, scalars),
            (self._clocks, clocks),
        ):
            for name, values in given.items():
                # NaN is "not measured" in arrays; what is infinite was logged, and is a gap.
                infinite = np.isinf(values[rows])
                self._notes.count_gaps(name, int(infinite.sum()))
                held[name][here] = np.where(infinite, np.nan, values[rows])
        self._rows += count

    # ---- room

    def _all(self) -> Iterable[Array]:
        return (*self._clocks.values(), *self._scalars.values(), *self._tables.values())

    def _add_tables(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._tables:
                _check_signal(name)
                self._tables[name] = np.full((self._room, self._width), np.nan)

    def _add_scalars(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._scalars:
                self._scalars[name] = np.full(self._room, np.nan)

    def _reserve(self, more: int) -> None:
        # Twice the room each time, so that a row is moved a few times however long the run gets.
        if self._rows + more > self._room:
            self._move(max(self._rows + more, 2 * self._room, _FEWEST_ROWS))

    def _move(self, room: int) -> None:
        """Move into new arrays of that many rows."""

        def copy(values: NDArray[Any]) -> NDArray[Any]:
            wider = np.empty((room, *values.shape[1:]), values.dtype)
            wider[: self._rows] = values[: self._rows]
            return wider

        self._room = room
        self._has_views = False
        self._steps = copy(self._steps)
        for columns in (self._clocks, self._scalars, self._tables):
            columns.update({name: copy(values) for name, values in columns.items()})

    def _widen(self) -> None:
        """Move the tables into wider ones; where domains come late, with room for more of them."""
        before = self._width
        self._width = len(self._domains)
        if self._rows:
            self._width = max(self._width, before + before // _MORE_COLUMNS)
        for name, table in self._tables.items():
            self._tables[name] = np.full((self._room, self._width), np.nan)
            self._tables[name][: self._rows, :before] = table[: self._rows]

    def _table(self, name: str) -> Array:
        """Return a table (room, K) without the columns that no domain has yet."""
        return self._tables[name][:, : len(self._domains)]


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _check_signal(name: str) -> None:
    if name != "weights" and name not in LOG_SIGNALS:
        raise UnknownName(kind="signal of a run", name=name, known=LOG_SIGNALS)


def _count_absent(cells: Cells, row: Array) -> int:
    """Count the cells of a row that were not measured, as opposed to NaN that was logged."""
    if isinstance(cells, np.ndarray):
        return int(np.isnan(row).sum())
    values = cells.values() if isinstance(cells, Mapping) else cells
    return len(row) - sum(value is not None for value in values)


def _merge(into: Array, row: Array) -> bool:
    """Fill in a row (K,); return whether a cell that was measured came again as another number."""
    new = ~np.isnan(row)
    is_repeat = bool((new & ~np.isnan(into) & (into != row)).any())
    into[new] = row[new]
    return is_repeat


def _view(values: NDArray[Any], n: int) -> NDArray[Any]:
    view = values[:n]
    view.flags.writeable = False
    return view
