"""What Megatron-LM prints, and what descends from it (GPT-NeoX, Megatron-Bridge, ...): ``iteration 10/ 100 | lm loss: 6.1E+00 |``.

Mohammad Shoeybi et al., "Megatron-LM: Training Multi-Billion Parameter Language Models Using Model
Parallelism", 2019,
https://arxiv.org/abs/1909.08053; ``training_log`` and ``evaluate_and_print_results`` of
    ``megatron/training/training.py``. With
``--multiple-validation-sets`` each set has a loss of its own, under its number or, with
``--validation-set-names``, its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from reweightviz.core.lines import LineTail
from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader, files_of, head_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._series import number_of

ITERATION = re.compile(
    r"(?:\[([\d\-: .,/]+)\].*?)?\biteration\s+(\d+)\s*/\s*(?:\d+|infinity)\s*\|(.*)"
)
VALIDATION = re.compile(r"\bvalidation(-[^|]+?)? (?:loss|results) at iteration (\d+)(.*?)\|(.*)")
PAIR = re.compile(
    r"([^|:]*[^|:\s])\s*:\s*([-+]?(?:\d[\d.]*(?:[eE][-+]?\d+)?|nan|inf))\s*(?=\||$)", re.IGNORECASE
)
NAMES = {"consumed tokens": "consumed_tokens"}


class MegatronLog(LogReader):
    """The standard output of a run, redirected to a file."""

    name = "megatron"
    title = "Megatron-LM's printed log"
    files: ClassVar[tuple[str, ...]] = ("*.log", "*.out", "*.txt")

    def __init__(self, where: Path, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._lines = LineTail(where)

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Every text with such a line near its beginning or its end."""
        return {
            name: file
            for name, file in files_of(path, *cls.files).items()
            if any(map(_entry, (head_of(file) + _tail_of(file)).split(b"\n")))
        }

    def poll(self, records: Records) -> bool:
        """Feed the lines that speak of an iteration; all others are somebody else's output."""
        news = False
        for block in self.blocks(self._lines, records):
            for entry in filter(None, map(_entry, block.splitlines())):
                step, time, numbers = entry
                for tag, value in numbers.items():
                    self.series.point(tag, step, value, time)
                news = True
        return self.series.flush(records) and news

    def is_whole(self, line: bytes) -> bool:
        """Nothing of ours, or closed by its last bar."""
        return _entry(line) is None or line.rstrip().endswith(b"|")


def _entry(line: bytes) -> tuple[int, float, Mapping[str, float]] | None:
    r"""Iteration, Unix seconds or NaN, and the numbers of a line.

    >>> _entry(b" iteration       10/     100 | learning rate: 1.0E-04 | lm loss: 6.1E+00 | grad norm: nan |")
    (10, nan, {'learning rate': 0.0001, 'lm loss': 6.1, 'grad norm': inf})
    >>> _entry(b" validation-1 loss at iteration 10 on validation set | lm loss value: 5.0E+00 | lm loss PPL: 1.5E+02 |")
    (10, nan, {'lm loss validation-1': 5.0})
    """
    if b"iteration" not in line:
        return None
    text = line.decode("utf-8", "replace")
    if found := ITERATION.search(text):
        return int(found[2]), _clock(found[1]), dict(_pairs(found[3]))
    if found := VALIDATION.search(text):
        where = f" {'test' if 'test' in found[3] else 'validation'}{found[1] or ''}"
        return (
            int(found[2]),
            float("nan"),
            {
                tag.removesuffix(" value") + where: value
                for tag, value in _pairs(found[4])
                if "ppl" not in tag.lower()
            },
        )
    return None


def _pairs(text: str) -> Iterator[tuple[str, float]]:
    for name, value in PAIR.findall(text):
        number = number_of(float(value))
        if number is not None:
            yield NAMES.get(name.strip(), name.strip()), number


def _clock(text: str | None) -> float:
    """Local time, as it was printed; the time zone is that of the reader."""
    try:
        return datetime.fromisoformat((text or "").strip()).timestamp()
    except ValueError:
        return float("nan")


def _tail_of(file: Path, size: int = 1 << 16) -> bytes:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - size))
        return b"\n" + stream.read()
