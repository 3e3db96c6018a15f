"""RunLogger: a run's log, written while it trains; it can be followed, and survives any kill."""

from __future__ import annotations

import json
import os
import time as clock
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from reweightviz.core.errors import (
    InvalidValue,
    UnknownName,
    UnmetNeed,
    UnwritableFile,
    WrongDomains,
    list_names,
)
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.lines import LineWriter
from reweightviz.core.runlog import BEGINNING, FORMAT
from reweightviz.core.types import LOG_SIGNALS, SIGNALS
from reweightviz.core.validation import whole_number
from reweightviz.core.written_numbers import round_to_write
from reweightviz.training.ranks import find_rank

__all__ = ["Row", "RunLogger", "Values"]


Values = Mapping[str, float] | ArrayLike
Row = list[float | str | None]


class RunLogger:
    """A line a step, each in one write; ``rv.read_log(path)`` reads it, also while it grows.

    A file that is there already is gone on with: half a line that a killed run left is taken away,
    and steps that are trained again after a restart replace the ones from before when it is read.
    On other ranks than 0 nothing is written. Of two processes on one file the second is refused.

    Args:
        path: of the log, JSON lines.
        domains: names (K,).
        name: of the run in legends; the file's name when not given.
        meta: anything on how the run is made.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "run.jsonl"
        >>> losses = {"web": 3.1, "code": 2.5}
        >>> with RunLogger(path, domains=["web", "code"]) as log:
        ...     log.write(step=1, losses=losses, weights=[0.7, 0.3], scalars={"lr": 0.001})
        >>> from reweightviz.core.runlog import RunLog
        >>> RunLog.load(path)["loss"].tolist()
        [[3.1, 2.5]]
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        domains: Sequence[str],
        name: str | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        self.domains = tuple(map(str, domains))
        if not self.domains or len(set(self.domains)) < len(self.domains):
            raise InvalidValue(
                name="domains",
                value=self.domains,
                expected="names, each once, at least one",
                got=list_names(self.domains) or "none",
            )
        self._file: LineWriter | None = None
        if find_rank()[0] == 0:
            self._file = LineWriter(path, alone=True)
            has_header = self._has_header(self._file.read_first())
            self._file.write()  # takes away half a line that a killed run left
            if not has_header:
                self._file.write(self._make_header(name, meta or {}))

    def write(
        self,
        *,
        step: int,
        losses: Values | None = None,
        weights: Values | None = None,
        scalars: Mapping[str, float] | None = None,
        tokens: float | None = None,
        time: float | None = None,
        **signals: Values,
    ) -> None:
        """Append a step.

        Args:
            step: of the training.
            losses: training loss of each domain, nats per token: domain to number, or (K,); None,
                and a domain that is not there, was not measured. A NaN in a mapping is a loss that
                was NaN, a gap that readers count; in an array it is one where ``drawn_tokens`` are.
            weights: that the step was drawn by.
            scalars: any other numbers by name, such as lr or grad_norm.
            tokens: trained so far.
            time: Unix seconds; now when not given.
            **signals: more of :data:`reweightviz.core.types.LOG_SIGNALS`, as the losses.

        Raises:
            ReweightvizError: what is no number or no signal, other domains, or a disk that is full.
        """
        if self._file is None:
            return
        line: dict[str, Any] = {"step": whole_number("step", step, None)}
        moments = {"time": clock.time() if time is None else time, "tokens": tokens}
        for name, value in moments.items():
            if value is not None and isinstance(_to_number(name, value), float):
                line[name] = round(float(value), 3)
        line["weights"] = self._make_row("weights", weights)
        if losses is not None:
            line["loss"] = self._make_row("loss", losses)
        for name, values in signals.items():
            if name not in LOG_SIGNALS:
                raise UnknownName(kind="signal of a run", name=name, known=LOG_SIGNALS)
            line[name] = self._make_row(name, values)
        if "loss" in line and "drawn_tokens" in line and not isinstance(losses, Mapping):
            line["loss"] = _mark_gaps(line["loss"], line["drawn_tokens"])
        if scalars:
            line["scalars"] = {
                str(name): _to_number(str(name), value) for name, value in scalars.items()
            }
        self._file.write(line)

    def expect(self, domains: Sequence[str]) -> None:
        """Refuse a training of other domains, or of the same in another order.

        Numbers without names would change places.

        Raises:
            ReweightvizError: the domains are not those of the log.
        """
        if tuple(domains) != self.domains:
            raise WrongDomains(
                who="the sampler",
                asked=domains,
                other="the log",
                there=self.domains,
                hint="RunLogger(path, domains=sampler.domains)",
            )

    def close(self) -> None:
        """Write that the run has ended; one that goes on later just writes on."""
        if self._file is not None:
            self._file.write({"ended": True})
            self._file.close()

    def __enter__(self) -> RunLogger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make_header(self, name: str | None, meta: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "name": name or self.path.stem,
            "domains": list(self.domains),
            "units": {signal: SIGNALS[signal].unit for signal in LOG_SIGNALS},
            "meta": to_jsonable(meta),
        }

    def _has_header(self, first: bytes) -> bool:
        """Return whether the first line is a header, which must be of the same domains."""
        # Half a header is what a killed run of ours left; what is not ours is left as it is.
        if not first.endswith(b"\n") and BEGINNING.startswith(first[: len(BEGINNING)]):
            return False
        try:
            domains = tuple(json.loads(first)["domains"])
        except (ValueError, KeyError, TypeError) as error:
            raise UnwritableFile(
                path=self.path, reason="it exists and is no run log; name another file"
            ) from error
        if domains != self.domains:
            raise WrongDomains(
                who="this run",
                asked=self.domains,
                other="the log there",
                there=domains,
                hint=f"name another file than {self.path}",
            )
        return True

    def _make_row(self, name: str, values: Values | None) -> Row:
        if values is None:
            return [None] * len(self.domains)
        if isinstance(values, Mapping):
            return self._order_by_domain(name, values)
        # Of a tensor too, whatever its type and its gradient.
        numbers = values.tolist() if hasattr(values, "tolist") else values
        if not isinstance(numbers, list | tuple) or len(numbers) != len(self.domains):
            raise InvalidValue(
                name=name,
                value=numbers,
                expected=f"{len(self.domains)} numbers, one a domain, or a mapping",
            )
        row = [_to_number(name, number) for number in numbers]
        # An array has no other way to leave a domain out.
        return [None if number == "nan" else number for number in row]

    def _order_by_domain(self, name: str, values: Mapping[str, float]) -> Row:
        known = set(self.domains)
        strange = [domain for domain in values if domain not in known]
        if strange:
            raise WrongDomains(
                who=name, asked=strange, other="the log", there=self.domains, part=True
            )
        return [_to_number(name, values.get(domain)) for domain in self.domains]


def _mark_gaps(losses: Row, drawn: Row) -> Row:
    """Return the losses with "nan" where tokens were drawn: there a loss was, and it was NaN."""
    return [
        "nan" if loss is None and tokens else loss
        for loss, tokens in zip(losses, drawn, strict=True)
    ]


def _to_number(name: str, value: Any) -> float | str | None:
    """Return seven digits, or "nan", "inf", "-inf"; None was not measured."""
    if value is None:
        return None
    try:
        # A tensor that has a gradient converts by item alone.
        number = float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise UnmetNeed(name=name, value=value, expected="numbers") from error
    # JSON has no number for NaN or infinity.
    return round_to_write(number) if isfinite(number) else str(number)
