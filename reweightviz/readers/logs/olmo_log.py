"""OLMo's and OLMo-core's printed log: ``[step=1/100,epoch=1]`` and a line a metric under it.

OLMo Team, "2 OLMo 2 Furious", 2024, https://arxiv.org/abs/2501.00656;
``src/olmo_core/train/callbacks/console_logger.py`` and ``evaluator_callback.py`` of
https://github.com/allenai/OLMo-core (commit fa6c501), which print the losses of each evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from reweightviz.readers.logs._printed_log import (
    NUMBER,
    STEP,
    Entry,
    PrintedLog,
    read_number,
    text_of,
)

__all__ = ["OlmoLog"]


HEADER = re.compile(rf"\[step={STEP}/[\d?]+[,\]]")
EVALUATION = re.compile(r"\bFinished (\S+).* evals in .* Metrics:$")
METRIC = re.compile(rf"^    (\S.*/.*)={NUMBER}$")
NAMES = {"throughput/total tokens": "throughput/total_tokens"}


class OlmoLog(PrintedLog):
    """What OLMo prints."""

    name = "olmo"
    title = "OLMo's printed log"
    marks: ClassVar[tuple[bytes, ...]] = (b"[step=",)
    notes = ("An evaluation stands at the last step that was printed before it.",)

    def begin(self) -> None:
        """Forget the last header."""
        self._step: int | None = None
        self._prefix = ""

    def is_whole(self, line: bytes) -> bool:
        """Return whether it is no metric, the last digits of which may lack."""
        return METRIC.match(text_of(line).text) is None

    def read(self, text: str) -> Iterator[Entry]:
        """Yield a metric of the last header's step.

        >>> from pathlib import Path
        >>> reader = OlmoLog(Path("x.log"))
        >>> list(reader.read("INFO [step=10/???,epoch=1,eta=1d]"))
        []
        >>> list(reader.read("    train/CE loss=9.125"))
        [Entry(step=10, numbers={'train/CE loss': 9.125})]
        >>> list(reader.read("Finished lm evals in 2.0 seconds. Metrics:"))
        []
        >>> list(reader.read("    c4_en-validation/CE loss=8.5"))
        [Entry(step=10, numbers={'eval/lm/c4_en-validation/CE loss': 8.5})]
        """
        metric = METRIC.match(text)
        if metric:
            tag, number = metric.groups()
            if self._step is not None:
                tag = f"{self._prefix}{NAMES.get(tag, tag)}"
                yield Entry(self._step, {tag: read_number(number)})
            return
        if not text.startswith(" "):
            self._prefix = ""
        header = HEADER.search(text)
        if header:
            self._step = int(header[1])
        evaluation = EVALUATION.search(text)
        if evaluation:
            self._prefix = f"eval/{evaluation[1]}/"
