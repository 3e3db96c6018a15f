"""The growing table of one run: every reader of logs fills it, and a RunLog is a view of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import InvalidValue, UnknownName, UnmetNeed, listed
from reweightviz.core.types import LOG_SIGNALS, Array

Cells: TypeAlias = Mapping[str, float | None] | Sequence[float | None] | Array


class Records:
    """Rows of a run in the order in which they were logged.

    What runs do to their logs is settled here, once for all formats: the same step again merges
    into its row, a smaller step is a restart that drops the rows at and after it, a domain that
    appears late has NaN before, what is no finite number is a gap. Each is counted, and said in
    ``meta["notes"]`` of the run. A row costs the same however many came before.

    Args:
        domains: names (K,) that are known from the start; others are appended as they come.
        name: what the run is called.
        meta: how it was made; ``notes`` in it stay the first ones.

    Raises:
        ReweightvizError: a signal outside :data:`reweightviz.core.types.LOG_SIGNALS`, or a row
            that is not (K,).

    Example:
        >>> records = Records(name="demo")
        >>> records.add(10, signals={"loss": {"web": 3.0}}, weights={"web": 1.0})
        >>> records.add(20, signals={"loss": {"web": 2.5, "code": float("inf")}}, scalars={"lr": 1e-3})
        >>> from reweightviz.core.runlog import RunLog
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
        """The writer said that the run is over."""
        self.generation = 0
        """Counts how often rows before the last one changed: restarts, late domains."""
        self._domains: dict[str, int] = {}
        self._meta = dict(meta or {})
        self._first_notes: list[str] = list(self._meta.pop("notes", ()))
        self._told: dict[str, list[str]] = {"late": [], "restart": []}  # the first three of each
        self._untold = dict.fromkeys(self._told, 0)
        self._again = 0
        self._again_step: int | None = None
        self._gaps: dict[str, int] = {}
        self._n, self._room = 0, 0
        self._handed = False  # whether a log was handed out that shows these arrays
        self._steps = np.empty(0, np.int64)
        self._columns: dict[str, Array] = {"time": np.empty(0), "tokens": np.empty(0)}
        self._scalars: dict[str, Array] = {}
        self._tables: dict[str, Array] = {"weights": np.empty((0, 0))}
        self.add_domains(domains)

    def __len__(self) -> int:
        return self._n

    @property
    def domains(self) -> tuple[str, ...]:
        """Names (K,) in order of first appearance."""
        return tuple(self._domains)

    @property
    def last_step(self) -> int | None:
        """The step of the last row."""
        return int(self._steps[self._n - 1]) if self._n else None

    def extend_meta(self, **facts: Any) -> None:
        """Facts about the run; ``notes`` are appended, everything else replaces what was there."""
        self._first_notes += facts.pop("notes", ())
        self._meta |= facts

    def add_domains(self, names: Iterable[str], *, step: int | None = None) -> None:
        """Append the domains that are not known yet; earlier rows have NaN there. ``step``: of the row that brings them."""
        new = [name for name in dict.fromkeys(map(str, names)) if name not in self._domains]
        if not new:
            return
        self._domains |= {name: len(self._domains) + k for k, name in enumerate(new)}
        self._tables = {name: self._widened(table) for name, table in self._tables.items()}
        self.generation += 1
        before = self._n and (step is None or step > self._steps[0])
        if before:
            verb = "is" if len(new) == 1 else "are"
            self._tell(
                "late", f"{listed(new)} {verb} first seen after step {self._steps[self._n - 1]:,}."
            )

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
        """One line of a log.

        Args:
            step: of the optimizer.
            weights: domain to share of training tokens, or (K,) in the order of :attr:`domains`.
                None is "not measured", in an array NaN.
            signals: name to the same.
            scalars: name to a number for the whole run: learning rate, length of the gradient.
            time: Unix seconds.
            tokens: trained so far.
        """
        if not abs(step) < 2**63:
            raise InvalidValue(
                name="a step", value=step, expected="a whole number of at most 63 bits"
            )
        given = {
            name: cells
            for name, cells in {"weights": weights, **(signals or {})}.items()
            if cells is not None
        }
        for cells in given.values():
            if isinstance(cells, Mapping):
                self.add_domains(cells, step=step)
        rows = {name: self._row(name, cells) for name, cells in given.items()}
        numbers = {name: self._number(name, value) for name, value in (scalars or {}).items()}
        for name in rows:
            self._table(name)
        self._add_scalars(numbers)
        n = self._place(int(step))
        cells_again = [self._merged(self._tables[name][n], row) for name, row in rows.items()]
        for name, value in numbers.items():
            self._scalars[name][n] = self._scalars[name][n] if np.isnan(value) else value
        for name, clock in (("time", time), ("tokens", tokens)):
            if clock is not None and np.isfinite(clock):
                self._columns[name][n] = clock
        if any(cells_again) and self._again_step != step:
            self._again, self._again_step = self._again + 1, step
        self._n = n + 1

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
        """Many lines at once: as :meth:`add` of each, with steps (n,), tables (n, K) and columns (n,); NaN is "not measured"."""
        tables = {
            name: values
            for name, values in {"weights": weights, **(signals or {})}.items()
            if values is not None
        }
        columns = {
            name: values
            for name, values in (("time", time), ("tokens", tokens))
            if values is not None
        }
        ends = [0, *(np.flatnonzero(np.diff(steps) <= 0) + 1).tolist(), len(steps)]
        for start, end in pairwise(ends):
            first = start
            if start < end and self._n and steps[start] <= self._steps[self._n - 1]:
                self.add(
                    int(steps[start]),
                    weights=None if weights is None else weights[start],
                    signals={
                        name: values[start] for name, values in tables.items() if name != "weights"
                    },
                    scalars={name: values[start] for name, values in (scalars or {}).items()},
                    **{name: float(values[start]) for name, values in columns.items()},
                )
                first += 1
            self._append(slice(first, end), steps, tables, scalars or {}, columns)

    def columns(self) -> dict[str, Any]:
        """Return the fields of a :class:`reweightviz.core.runlog.RunLog` as read-only views (T, ...)."""
        n, self._handed = self._n, True
        tables = {name: _view(table, n) for name, table in self._tables.items()}
        return {
            "domains": self.domains,
            "steps": _view(self._steps, n),
            "weights": tables.pop("weights"),
            "signals": tables,
            "name": self.name,
            "meta": self._meta | ({"notes": self.notes} if self.notes else {}),
            "scalars": {name: _view(values, n) for name, values in self._scalars.items()},
            "times": _view(self._columns["time"], n),
            "tokens": _view(self._columns["tokens"], n),
        }

    @property
    def notes(self) -> list[str]:
        """What was found, in plain sentences."""
        found = [*self._first_notes]
        for kind, sentences in self._told.items():
            found += sentences + (
                [f"{self._untold[kind]:,} more such {kind} changes."] if self._untold[kind] else []
            )
        if self._again:
            found.append(
                f"{self._again:,} {'step was' if self._again == 1 else 'steps were'} "
                "logged again; the last value stands."
            )
        for name, count in self._gaps.items():
            found.append(
                f"{name}: {count:,} "
                + (
                    "value is NaN or infinite; drawn as a gap."
                    if count == 1
                    else "values are NaN or infinite; drawn as gaps."
                )
            )
        return list(dict.fromkeys(found))

    # ---- one row

    def _row(self, name: str, cells: Cells) -> Array:
        """Cells as (K,), NaN where there is none."""
        if name != "weights" and name not in LOG_SIGNALS:
            raise UnknownName(kind="signal of a run", name=name, known=LOG_SIGNALS)
        K = len(self._domains)
        try:
            if isinstance(cells, Mapping):
                row = np.full(K, np.nan)
                row[[self._domains[str(key)] for key in cells]] = np.array(
                    list(cells.values()), np.float64
                )
            else:
                row = np.array(cells, np.float64)
        except (TypeError, ValueError) as error:
            raise UnmetNeed(name=name, value=cells, expected="a number a domain") from error
        if row.shape != (K,):
            raise UnmetNeed(name=name, value=row.shape, expected=f"{K} numbers, one a domain")
        bad = ~np.isfinite(row)
        if bad.any():
            measured = (
                K
                if isinstance(cells, np.ndarray)
                else sum(value is not None for value in _values(cells))
            )
            absent = int(np.isnan(row).sum()) if isinstance(cells, np.ndarray) else K - measured
            self._count(name, int(bad.sum()) - absent)
            row[bad] = np.nan
        return row

    def _number(self, name: str, value: float | None) -> float:
        try:
            number = np.nan if value is None else float(value)
        except (TypeError, ValueError) as error:
            raise UnmetNeed(name=name, value=value, expected="a number") from error
        if not np.isfinite(number):
            absent = value is None or (
                isinstance(value, np.floating) and np.isnan(value)
            )  # as in an array
            self._count(name, int(not absent))
            return np.nan
        return number

    def _tell(self, kind: str, sentence: str) -> None:
        if len(self._told[kind]) < 3:
            self._told[kind].append(sentence)
        else:
            self._untold[kind] += 1

    def _count(self, name: str, gaps: int) -> None:
        if gaps:
            self._gaps[name] = self._gaps.get(name, 0) + gaps

    def _place(self, step: int) -> int:
        """The row of a step: the last one again, a new one, or, where the steps go back, the one that it takes over."""
        last = self.last_step
        if last is not None and step < last:
            keep = int(np.searchsorted(self._steps[: self._n], step))
            dropped = _count(self._n - keep, "row")
            self._tell(
                "restart",
                f"The steps went back from {last:,} to {step:,}: a restart; {dropped} dropped.",
            )
            self._n, self.generation = keep, self.generation + 1
            if self._handed:
                self._move(self._room)  # logs that were handed out keep the rows that are dropped
        elif step == last:
            return self._n - 1
        self._reserve(1)
        self._steps[self._n] = step
        for values in self._all():
            values[self._n] = np.nan
        return self._n

    def _merged(self, into: Array, row: Array) -> bool:
        """Fill in; whether cells that were measured came again, as another number."""
        new = ~np.isnan(row)
        again = bool((new & ~np.isnan(into) & (into != row)).any())
        into[new] = row[new]
        return again

    def _append(
        self,
        rows: slice,
        steps: NDArray[np.int64],
        tables: Mapping[str, Array],
        scalars: Mapping[str, Array],
        columns: Mapping[str, Array],
    ) -> None:
        """Rows whose steps go on from the last one."""
        count = rows.stop - rows.start
        if not count:
            return
        self._reserve(count)
        self._add_scalars(scalars)
        here = slice(self._n, self._n + count)
        self._steps[here] = steps[rows]
        for values in self._all():
            values[here] = np.nan
        given = [
            *((name, self._table(name), values) for name, values in tables.items()),
            *((name, self._scalars[name], values) for name, values in scalars.items()),
            *((name, self._columns[name], values) for name, values in columns.items()),
        ]
        for name, target, values in given:
            infinite = np.isinf(values[rows])
            self._count(name, int(infinite.sum()))
            target[here] = np.where(infinite, np.nan, values[rows])
        self._n += count

    # ---- room

    def _all(self) -> Iterable[Array]:
        return (*self._columns.values(), *self._scalars.values(), *self._tables.values())

    def _table(self, name: str) -> Array:
        if name not in self._tables:
            if name not in LOG_SIGNALS:
                raise UnknownName(kind="signal of a run", name=name, known=LOG_SIGNALS)
            self._tables[name] = np.full((self._room, len(self._domains)), np.nan)
        return self._tables[name]

    def _add_scalars(self, names: Iterable[str]) -> None:
        self._scalars |= {
            name: np.full(self._room, np.nan) for name in names if name not in self._scalars
        }

    def _reserve(self, more: int) -> None:
        if self._n + more > self._room:
            self._move(max(self._n + more, 2 * self._room, 256))

    def _move(self, room: int) -> None:
        """Into new arrays of that many rows."""

        def moved(values: NDArray[Any]) -> NDArray[Any]:
            wider = np.empty((room, *values.shape[1:]), values.dtype)
            wider[: self._n] = values[: self._n]
            return wider

        self._room, self._steps, self._handed = room, moved(self._steps), False
        for columns in (self._columns, self._scalars, self._tables):
            columns.update({name: moved(values) for name, values in columns.items()})

    def _widened(self, table: Array) -> Array:
        wider = np.full((self._room, len(self._domains)), np.nan)
        wider[: self._n, : table.shape[1]] = table[: self._n]
        return wider


def _view(values: NDArray[Any], n: int) -> NDArray[Any]:
    view = values[:n]
    view.flags.writeable = False
    return view


def _values(cells: Mapping[str, float | None] | Sequence[float | None]) -> Iterable[float | None]:
    return cells.values() if isinstance(cells, Mapping) else cells


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
