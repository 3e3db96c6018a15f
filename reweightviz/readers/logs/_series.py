"""Tagged numbers, as loggers write them, on their way into the records of a run: units, restarts, tags that share a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.records import Records
from reweightviz.core.types import Array
from reweightviz.readers.logs._naming import TOKENS, Naming, Pattern

WHOLE = 0.02
"""How far weights that are rounded may sum from 1."""


class Series:
    """Feeds tags into records, by their :class:`Naming`.

    A value that was logged and is no finite number comes as infinite: in a table NaN says that
    there was no value.

    Args:
        pattern: see :class:`Naming`.

    Example:
        >>> from reweightviz.core.runlog import RunLog
        >>> records, series = Records(), Series()
        >>> for step in (1, 2):
        ...     series.point("loss/web", step, 3.0 / step)
        ...     series.point("loss/code", step, 2.0 / step)
        >>> series.flush(records), RunLog.of_records(records)["loss"].tolist()
        (True, [[3.0, 2.0], [1.5, 1.0]])
    """

    def __init__(self, pattern: Pattern | None = None) -> None:
        self.naming = Naming(pattern)
        self._points: list[tuple[str, int, float, float]] = []
        self._last: dict[str, int] = {}
        self._totals: dict[str, float] = {}
        self._unit: float | None = None
        self._told: dict[str, None] = {}

    # ---- tables: a row a step

    def rows(
        self,
        records: Records,
        rows: Sequence[Mapping[str, Any]],
        steps: Sequence[int],
        times: Sequence[float | None] | None = None,
    ) -> None:
        """Rows of one number or text a tag, nested or not, as JSON gives them; what is no number is left out."""
        columns: dict[str, Array] = {}
        for n, row in enumerate(rows):
            for tag, value in flat(row):
                if tag not in columns:
                    columns[tag] = np.full(len(rows), np.nan)
                columns[tag][n] = value
        clock = (
            None
            if times is None
            else np.array([np.nan if time is None else time for time in times], np.float64)
        )
        self.table(records, np.asarray(steps, np.int64), columns, clock)

    def table(
        self,
        records: Records,
        steps: NDArray[np.int64],
        columns: Mapping[str, Array],
        times: Array | None = None,
    ) -> None:
        """Steps (n,) and a column (n,) a tag."""
        naming = self.naming
        naming.learn(columns)
        records.add_domains(naming.domains, step=int(steps[0]) if len(steps) else None)
        if naming.patterns:
            records.extend_meta(
                pattern={signal: list(patterns) for signal, patterns in naming.patterns.items()}
            )
            self._tell(records, *naming.notes())
        place_of = {domain: k for k, domain in enumerate(records.domains)}
        tables: dict[str, Array] = {}
        scalars, tokens = {}, None
        for tag, values in columns.items():
            place = naming.place(tag)
            if place is not None:
                table = tables.setdefault(
                    place.signal, np.full((len(steps), len(place_of)), np.nan)
                )
                table[:, place_of[place.domain]] = self._scaled(records, tag, values, place.scale)
            elif tag == naming.extras.get("tokens") or (
                "tokens" not in naming.extras and tag.rpartition("/")[2] in TOKENS
            ):
                tokens = values
            else:
                scalars[tag] = values
        weights = tables.pop("weights", None)
        records.extend(
            steps,
            weights=None if weights is None else self._shares(records, weights),
            signals=tables,
            scalars=scalars,
            time=times,
            tokens=tokens,
        )

    # ---- points: a tag, a step, a number

    def __len__(self) -> int:
        """How many values wait."""
        return len(self._points)

    def point(self, tag: str, step: int, value: float, time: float = np.nan) -> None:
        """One value, in the order in which it was logged; it waits for :meth:`flush`."""
        self._points.append((tag, step, value, time))

    def flush(self, records: Records) -> bool:
        """Feed what waits; True when there was something. A tag whose own steps go back began anew; another tag may come late."""
        points, self._points = self._points, []
        if not points:
            return False
        tags = list(dict.fromkeys(point[0] for point in points))
        code_of = {tag: code for code, tag in enumerate(tags)}
        codes = np.array([code_of[point[0]] for point in points])
        steps = np.array([point[1] for point in points], np.int64)
        numbers = np.array([point[2:] for point in points], np.float64)
        numbers[:, 0] = np.where(np.isnan(numbers[:, 0]), np.inf, numbers[:, 0])
        last = np.array([self._last.get(tag, np.iinfo(np.int64).min) for tag in tags])
        start, anew = 0, False
        while start < len(points):
            end = start + _restart(codes[start:], steps[start:], last)
            self._segment(
                records, tags, codes[start:end], steps[start:end], numbers[start:end], anew=anew
            )
            last[codes[start:end]] = steps[start:end]
            if end < len(points):
                last[:], anew = np.iinfo(np.int64).min, True
                self._last.clear()
            start = end
        self._last |= {tag: int(step) for tag, step in zip(tags, last, strict=True)}
        return True

    def _segment(
        self,
        records: Records,
        tags: Sequence[str],
        codes: NDArray[np.intp],
        steps: NDArray[np.int64],
        numbers: Array,
        *,
        anew: bool,
    ) -> None:
        """Points between two restarts, one row a step."""
        kept = np.full(len(steps), fill_value=True)
        if records.last_step is not None and not anew:
            kept = steps >= records.last_step
            if not kept.all():
                self._tell(
                    records,
                    "Some values came after later steps had been read, and are left out; "
                    "reading the log again shows them.",
                )
        if not kept.any():
            return
        rows, row = np.unique(steps[kept], return_inverse=True)
        table, times = np.full((len(tags), len(rows)), np.nan), np.full(len(rows), np.nan)
        table[codes[kept], row] = numbers[kept, 0]
        times[row] = numbers[kept, 1]
        self.table(
            records,
            rows,
            {tag: table[code] for code, tag in enumerate(tags) if not np.isnan(table[code]).all()},
            times,
        )

    # ---- units

    def _scaled(self, records: Records, tag: str, values: Array, scale: str) -> Array:
        if scale == "log":
            self._tell(records, "Perplexities are shown as losses, by their logarithm.")
            return np.log(
                np.where(values > 0, values, np.inf),
                where=~np.isnan(values),
                out=np.full(len(values), np.nan),
            )
        if scale == "difference":
            self._tell(
                records, "Running totals of tokens are shown as the tokens since the record before."
            )
            there = np.flatnonzero(np.isfinite(values))
            drawn = np.full(len(values), np.nan)
            drawn[there] = np.diff(values[there], prepend=self._totals.get(tag, 0.0))
            drawn[drawn < 0] = np.nan  # a restart
            if len(there):
                self._totals[tag] = float(values[there[-1]])
            return drawn
        return values

    def _shares(self, records: Records, weights: Array) -> Array:
        """Weights (n, K) as shares: 1 in sum, 100 in sum, or whatever else, each row divided by its sum."""
        sums = weights.sum(axis=1)
        whole = sums[np.isfinite(sums)]
        if self._unit is None and len(whole):
            median = float(np.median(whole))
            self._unit = next(
                (unit for unit in (1.0, 100.0) if abs(median / unit - 1) <= WHOLE), 0.0
            )
            if self._unit == 100.0:
                self._tell(records, "Weights sum to 100: read as percent.")
            elif not self._unit:
                self._tell(
                    records,
                    f"Weights sum to {median:.4g}, not to 1: each row is divided by its sum.",
                )
        if self._unit:
            return weights / self._unit
        return weights / sums[:, None] if self._unit == 0.0 else weights

    def _tell(self, records: Records, *sentences: str) -> None:
        """A note, once."""
        new = [sentence for sentence in sentences if sentence not in self._told]
        self._told |= dict.fromkeys(new)
        if new:
            records.extend_meta(notes=new)


def flat(row: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """The numbers of a row, with the names of nested ones joined; logged NaN and infinite ones as infinite.

    >>> flat({"step": 1, "loss": {"web": 2.5, "code": "NaN"}, "note": "ok", "lr": None})
    [('step', 1.0), ('loss/web', 2.5), ('loss/code', inf)]
    """
    found = []
    for name, value in row.items():
        if isinstance(value, Mapping):
            found += flat(value, f"{prefix}{name}/")
        elif (number := number_of(value)) is not None:
            found.append((f"{prefix}{name}", number))
    return found


def number_of(value: Any) -> float | None:
    """A number; JSON writers that keep to the standard write NaN as text."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str) and value not in ("NaN", "Infinity", "-Infinity"):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else np.inf


def _restart(codes: NDArray[np.intp], steps: NDArray[np.int64], last: NDArray[np.int64]) -> int:
    """Where a tag's steps first go back; their number where they never do. ``last``: step of each tag before, (tags,)."""
    order = np.argsort(codes, kind="stable")
    sorted_codes, sorted_steps = codes[order], steps[order]
    before = np.concatenate([[0], sorted_steps[:-1]])
    first = np.concatenate([[True], sorted_codes[1:] != sorted_codes[:-1]])
    before[first] = last[sorted_codes[first]]
    back = order[sorted_steps < before]
    return int(back.min()) if len(back) else len(codes)
