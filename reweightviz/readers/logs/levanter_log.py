"""Levanter's printed log: ``Progress on:train 9.00it/100it ... postfix:loss=8.1``.

Stanford CRFM, "Levanter", 2023, https://github.com/stanford-crfm/levanter; ``pbar_logger`` of
``src/levanter/callbacks/_metrics.py``, which prints once a minute through tqdm-loggable, and
``src/levanter/eval.py`` (commit 9263f81), which prints the loss of each evaluation set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from reweightviz.readers.logs._printed_log import NUMBER, Entry, PrintedLog, read_number

__all__ = ["LevanterLog"]


PROGRESS = re.compile(
    rf"Progress on:train (?P<done>[\d.]+)(?P<scale>[kMG]?)it/.* postfix:loss={NUMBER}"
)
BAR = re.compile(rf"^train: +\d+%\|.*\| (?P<done>\d+)(?P<scale>)/\d+ \[.*, loss={NUMBER}\]")
EVALUATION = re.compile(rf" - levanter\.eval - .* INFO :: (\S.*?)( micro| macro)? loss: {NUMBER}$")
_SCALES = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}


class LevanterLog(PrintedLog):
    """Levanter's standard output, or the log in its folder of logs."""

    name = "levanter"
    title = "Levanter's printed log"
    marks: ClassVar[tuple[bytes, ...]] = (b"loss=", b" - levanter.eval - ")
    notes = (
        "Levanter prints three digits of a step and of a loss: of several lines with one step the "
        "last stands, and an evaluation stands at the last step that was printed before it.",
    )

    def begin(self) -> None:
        """Forget the last step."""
        self._step = 0

    def read(self, text: str) -> Iterator[Entry]:
        """Yield the loss of a step, or of an evaluation.

        >>> from pathlib import Path
        >>> reader = LevanterLog(Path("x.log"))
        >>> line = "Progress on:train 1.25kit/10.0kit rate:1.0s/it remaining:- elapsed:- postfix:"
        >>> list(reader.read(line + "loss=8.12"))
        [Entry(step=1250, numbers={'train/loss': 8.12})]
        >>> line = "2026-01-15T10:00:00 - 0 - levanter.eval - eval.py:260 - INFO :: "
        >>> list(reader.read(line + "paloma/c4_en loss: 3.125"))
        [Entry(step=1250, numbers={'eval/paloma/c4_en/loss': 3.125})]
        """
        progress = PROGRESS.search(text) or BAR.search(text)
        if progress:
            done, scale, loss = progress.groups()
            self._step = round(float(done) * _SCALES[scale])
            yield Entry(self._step, {"train/loss": read_number(loss)})
            return
        evaluation = EVALUATION.search(text)
        if evaluation:
            name, mean, loss = evaluation.groups()
            # Of all sets together it says "eval loss".
            name = "eval" if name == "eval" else f"eval/{name}"
            kind = f"{(mean or '').strip()}_loss".lstrip("_")
            yield Entry(self._step, {f"{name}/{kind}": read_number(loss)})
