"""The parts that all printed logs share: lines of a run's standard output, among anything else.

A line may hold colours, stand behind the label of its rank (torchrun, srun, mpirun, Ray) or the
time at which a container printed it, and be one of many that a progress bar drew over each other.
"""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar, NamedTuple

from reweightviz.core.lines import LineTail
from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import HEAD, LogReader, files_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._numbers import number_of

__all__ = ["NUMBER", "STEP", "Entry", "PrintedLog", "Text", "read_number", "read_pairs", "text_of"]


LOOK = 1 << 22
"""Bytes of a printed log in which its first step is looked for: other output may come before."""
STEP = r"(\d{1,15})\b"
NUMBER = (
    r"([-+]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?(?:[eE][-+]?\d+)?(?:[KMBTPE]\b)?|nan\b|inf\b))"
)
"""A number as it is printed, also 1,234 and 24.6K; see :func:`read_number`."""
_LARGE = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LABELS = re.compile(
    r"(?:\d{4}-\d\d-\d\dT[\d:.]+Z (?:std(?:out|err) [FP] )?)?"  # of a container
    r"(?:\(\w+ pid=\d+(?:, ip=[\d.]+)?\) )?"  # of Ray
    r"(?: *\[\w*?(\d+)\]:| *\[\d+,(\d+)\]<std(?:out|err)>:| *(\d+): )?"  # of the rank
)
_TIME = re.compile(
    r"(?:(\d{4}|\d\d)-(\d\d)-(\d\d)|(\d\d)/(\d\d)/(\d{4}))[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?"
)
_TIME_ENDS = 80  # characters in which a line tells its time
_RECENT = 64  # entries in which another rank may repeat one


class Text(NamedTuple):
    """A line without its colours and labels; ``rank`` is empty where the line names none."""

    rank: str
    text: str


class Entry(NamedTuple):
    """What one line says of a step."""

    step: int
    numbers: dict[str, float]


class PrintedLog(LogReader):
    """The standard output of a run, redirected to a file.

    A subclass reads a line; it may keep what earlier lines said.
    """

    files: ClassVar[tuple[str, ...]] = (
        *("*.log", "*.out", "*.err", "*.txt", "*.stdout", "*.stderr", "stdout", "stderr"),
        *("*.o[0-9]*", "*.e[0-9]*"),  # of PBS and SGE
    )
    marks: ClassVar[tuple[bytes, ...]]
    """Each line of a step holds one of these."""
    fewest: ClassVar[int] = 1
    """Number of steps by which it is known."""
    begins_late = True
    notes: tuple[str, ...] = ()
    """Sentences on the steps and numbers of this format, or of this run."""

    def __init__(self, where: Path, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._lines = LineTail(where)
        self._rank: str | None = None
        self._recent: deque[tuple[int, tuple[tuple[str, float], ...]]] = deque(maxlen=_RECENT)
        self.begin()

    @abstractmethod
    def read(self, text: str) -> Iterator[Entry]:
        """Yield what a line says; nothing where it is another output."""

    def finish(self) -> Iterator[Entry]:
        """Yield what still waited for a further line, of a log that is over."""
        yield from ()

    def peek(self, rest: str) -> Iterator[Entry]:
        """Yield what waited for this line, which lacks its end and will come again."""
        del rest
        yield from ()

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Return every text with such a line near its beginning or its end."""
        files = files_of(path, *cls.files)
        return {name: file for name, file in files.items() if cls._is_in(file)}

    def poll(self, records: Records) -> bool:
        """Feed the lines of steps; all others are output of something else."""
        for block in self.blocks(self._lines, records):
            self._feed(block, records)
        for part in self._lines.rest.splitlines():
            self._add(self.peek(text_of(part).text))
        if self.is_over:
            self._add(self.finish())
        if not self.series.flush(records):
            return False
        self.series.note(records, *self.notes)
        return True

    def is_whole(self, line: bytes) -> bool:
        """Return whether it says nothing of a step: its last number may be cut."""
        return not any(mark in line for mark in self.marks)

    def _feed(self, block: bytes, records: Records) -> None:
        # Also at the carriage returns of a progress bar.
        for line in block.splitlines():
            rank, text = text_of(line)
            if self._rank is not None and rank != self._rank:
                if rank:
                    self.series.note(records, _only_one_rank(self._rank))
                continue
            if self._add(self.read(text), line):
                self._rank = rank

    def _add(self, entries: Iterable[Entry], line: bytes = b"") -> bool:
        """Add what is not the repetition of another rank; return whether there was anything."""
        is_entry = False
        for entry in entries:
            if not entry.numbers:
                continue
            is_entry = True
            losses = tuple(pair for pair in entry.numbers.items() if "loss" in pair[0].lower())
            if losses and (entry.step, losses) in self._recent:
                continue
            self._recent.append((entry.step, losses))
            time = _time_of(line)
            for tag, value in entry.numbers.items():
                self.series.add_point(tag, entry.step, value, time)
        return is_entry

    @classmethod
    def _is_in(cls, file: Path) -> bool:
        is_named_so = any(fnmatchcase(file.name, pattern) for pattern in cls.files)
        with file.open("rb") as stream:
            head = stream.read(LOOK if is_named_so else HEAD)
            stream.seek(max(len(head), file.stat().st_size - HEAD))
            end = stream.read()
        is_text = b"\0" not in head[:HEAD]
        return is_text and any(cls._has_entry(file, part) for part in (head, end))

    @classmethod
    def _has_entry(cls, file: Path, part: bytes) -> bool:
        if not any(mark in part for mark in cls.marks):
            return False
        reader = cls(file)
        steps: set[int] = set()
        for line in part.splitlines():
            steps.update(entry.step for entry in reader.read(text_of(line).text) if entry.numbers)
            if len(steps) >= cls.fewest:
                return True
        steps.update(entry.step for entry in reader.finish() if entry.numbers)
        return len(steps) >= cls.fewest


def text_of(line: bytes) -> Text:
    r"""Return a line without its colours and labels.

    >>> text_of(b"[default3]:\x1b[31mstep:  1\x1b[0m")
    Text(rank='3', text='step:  1')
    >>> text_of(b"0: INFO    26-01-15 10:00:00.5 - step: 1").rank
    '0'
    """
    text = line.decode("utf-8", "replace")
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    labels = _LABELS.match(text)
    if labels is None or not labels.end():
        return Text("", text)
    rank = next((number for number in labels.groups() if number), "")
    return Text(rank, text[labels.end() :])


def read_number(text: str) -> float:
    """Return a printed number, infinite where it is not finite.

    >>> read_number("1,234"), read_number("24.6K"), read_number("8.1e-05"), read_number("nan")
    (1234.0, 24600.0, 8.1e-05, inf)
    """
    digits = text.replace(",", "")
    if digits[-1:] in _LARGE:
        # Rounded, for 24.6 * 1000 is 24600.000000000004 to a computer.
        digits = f"{float(digits[:-1]) * _LARGE[digits[-1]]:.15g}"
    number = number_of(float(digits))
    if number is None:
        return math.inf
    return number


def read_pairs(pattern: re.Pattern[str], text: str) -> dict[str, float]:
    """Return the numbers of a line by name; the pattern has a group for each."""
    return {name: read_number(number) for name, number in pattern.findall(text)}


def _time_of(line: bytes) -> float:
    """Return Unix seconds of a time as it was printed; the time zone is that of the reader."""
    found = _TIME.search(line[:_TIME_ENDS].decode("utf-8", "replace"))
    if found is None:
        return math.nan
    year, month, day, month_first, day_second, year_last, clock, fraction = found.groups()
    date = f"{(year or year_last).rjust(4, '0')}-{month or month_first}-{day or day_second}"
    if date.startswith("00"):
        date = f"20{date[2:]}"
    try:
        return datetime.fromisoformat(
            f"{date}T{clock}.{(fraction or '0').ljust(6, '0')}"
        ).timestamp()
    except (ValueError, OverflowError):
        return math.nan


def _only_one_rank(rank: str) -> str:
    label = f"of rank {rank}" if rank else "without a rank"
    return (
        f"Several ranks print here; the lines {label} are read, which were the first with a step."
    )
