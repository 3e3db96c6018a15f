"""Composer's and LLM Foundry's printed log: ``[batch=1/100]:`` and a line a metric under it.

The Mosaic ML Team, "composer", 2021, https://github.com/mosaicml/composer; ``ConsoleLogger`` of
``composer/loggers/console_logger.py`` (commit 6405188). Losses have four decimals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from reweightviz.readers.logs._printed_log import NUMBER, STEP, Entry, PrintedLog, read_number

__all__ = ["ComposerLog"]


HEADER = re.compile(rf"^(?:\[epoch={STEP}\])?\[(\w+)={STEP}(?:/{STEP})?\]:?$")
METRIC = re.compile(rf"^\s+(?:Train|Eval) (\S.*): {NUMBER}\s*$")
BATCHES = "time/batch"
"""The metric that counts the batches before this one."""
NAMES = {"time/token": "time/total_tokens"}


class ComposerLog(PrintedLog):
    """What Composer prints where it draws no progress bar."""

    name = "composer"
    title = "Composer's printed log"
    marks: ClassVar[tuple[bytes, ...]] = (b" Train ", b" Eval ")

    def begin(self) -> None:
        """Forget the batch of the last header."""
        self._step: int | None = None
        self._waiting: dict[str, float] = {}

    def read(self, text: str) -> Iterator[Entry]:
        r"""Yield a metric of the last header's batch; an evaluation's is that of the training.

        >>> from pathlib import Path
        >>> reader = ComposerLog(Path("x.log"))
        >>> list(reader.read("[epoch=2][batch=3/10]:"))
        []
        >>> list(reader.read("\t Train loss/train/total: 11.9900"))
        [Entry(step=13, numbers={'loss/train/total': 11.99})]
        """
        metric = METRIC.match(text)
        if metric:
            tag, number = metric.groups()
            yield from self._take(NAMES.get(tag, tag), read_number(number))
            return
        header = HEADER.match(text)
        if header:
            self._waiting = {}
            self._step = _step_of(*header.groups())

    def _take(self, tag: str, value: float) -> Iterator[Entry]:
        if self._step is not None:
            yield Entry(self._step, {tag: value})
            return
        self._waiting[tag] = value
        if tag == BATCHES:
            self._step = int(value) + 1
            yield Entry(self._step, self._waiting)


def _step_of(epoch: str | None, unit: str, done: str, total: str | None) -> int | None:
    """Return the batch that a header names; None where it counts tokens, samples or seconds."""
    if unit != "batch":
        return None
    if epoch is None:
        return int(done)
    if total is None:
        return None
    return (int(epoch) - 1) * int(total) + int(done)
