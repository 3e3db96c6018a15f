"""Megatron-LM's printed log, and its descendants': ``iteration 10/ 100 | lm loss: 6.1E+00 |``.

Mohammad Shoeybi et al., "Megatron-LM: Training Multi-Billion Parameter Language Models Using Model
Parallelism", 2019, https://arxiv.org/abs/1909.08053; ``training_log`` and
``evaluate_and_print_results`` of ``megatron/training/training.py``. GPT-NeoX and Megatron-Bridge
print the same; NeMo does not, which counts the iterations of an epoch. With
``--multiple-validation-sets`` each set has a loss of its own, under its number or, with
``--validation-set-names``, its name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import ClassVar, NamedTuple

from reweightviz.core.lines import LineTail
from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import HEAD, LogReader, files_of, head_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._numbers import number_of

__all__ = ["ITERATION", "NAMES", "PAIR", "VALIDATION", "Entry", "MegatronLog"]


ITERATION = re.compile(
    r"(?:\[([\d\-: .,/]+)\].*?)?(?<!, )\biteration\s+(\d+)\s*/\s*(?:\d+|infinity)\s*\|(.*)"
)
VALIDATION = re.compile(r"\bvalidation(-[^|]+?)? (?:loss|results) at iteration (\d+)(.*?)\|(.*)")
PAIR = re.compile(
    r"([^|:]*[^|:\s])\s*:\s*([-+]?(?:\d[\d.]*(?:[eE][-+]?\d+)?|nan|inf))\s*(?=\||$)", re.IGNORECASE
)
NAMES = {"consumed tokens": "consumed_tokens"}


class Entry(NamedTuple):
    """One line of the log; ``time`` is in Unix seconds, NaN where it has none."""

    step: int
    time: float
    numbers: dict[str, float]


class MegatronLog(LogReader):
    """The standard output of a run, redirected to a file."""

    name = "megatron"
    title = "Megatron-LM's printed log"
    files: ClassVar[tuple[str, ...]] = ("*.log", "*.out", "*.txt")
    begins_late = True

    def __init__(self, where: Path, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._lines = LineTail(where)

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Return every text with such a line near its beginning or its end."""
        files = files_of(path, *cls.files)
        return {name: file for name, file in files.items() if _has_entry(file)}

    def poll(self, records: Records) -> bool:
        """Feed the lines of iterations; all others are output of something else."""
        for block in self.blocks(self._lines, records):
            for line in block.splitlines():
                entry = _parse(line)
                if entry is None:
                    continue
                for tag, value in entry.numbers.items():
                    self.series.add_point(tag, entry.step, value, entry.time)
        return self.series.flush(records)

    def is_whole(self, line: bytes) -> bool:
        """Return whether it is no entry, or closed by its last bar."""
        return _parse(line) is None or line.rstrip().endswith(b"|")


def _parse(line: bytes) -> Entry | None:
    """Return the entry of a line, None where it is none.

    >>> _parse(b" iteration  10/ 100 | learning rate: 1.0E-04 | lm loss: 6.1E+00 |")
    Entry(step=10, time=nan, numbers={'learning rate': 0.0001, 'lm loss': 6.1})
    >>> _parse(b" validation-1 loss at iteration 10 on | lm loss value: 5.0 | lm loss PPL: 150 |")
    Entry(step=10, time=nan, numbers={'lm loss validation-1': 5.0})
    """
    if b"iteration" not in line:
        return None
    text = line.decode("utf-8", "replace")
    iteration = ITERATION.search(text)
    if iteration:
        time, step, rest = iteration.groups()
        return Entry(int(step), _local_time(time or ""), dict(_pairs(rest)))
    validation = VALIDATION.search(text)
    if validation:
        name, step, where, rest = validation.groups()
        kind = "test" if "test" in where else "validation"
        # The perplexity is the same loss a second time.
        losses = {tag: value for tag, value in _pairs(rest) if "ppl" not in tag.lower()}
        numbers = {
            f"{tag.removesuffix(' value')} {kind}{name or ''}": loss for tag, loss in losses.items()
        }
        return Entry(int(step), math.nan, numbers)
    return None


def _pairs(text: str) -> Iterator[tuple[str, float]]:
    for name, value in PAIR.findall(text):
        number = number_of(float(value))
        if number is not None:
            yield NAMES.get(name.strip(), name.strip()), number


def _local_time(text: str) -> float:
    """Return Unix seconds of a time as it was printed; the time zone is that of the reader."""
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except ValueError:
        return math.nan


def _has_entry(file: Path) -> bool:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - HEAD))
        end = stream.read()
    return any(_parse(line) for line in (head_of(file) + b"\n" + end).split(b"\n"))
