"""torchtune's printed log and ``log_*.txt``: ``Step 1 | loss:2.3 lr:2e-05``, or its progress bar.

torchtune maintainers and contributors, "torchtune: PyTorch's finetuning library", 2024,
https://github.com/pytorch/torchtune; ``DiskLogger`` and ``StdoutLogger`` of
``torchtune/training/metric_logging.py``, the bar of ``recipes/`` (commit bd2a0fc).
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
)

__all__ = ["TorchtuneLog"]


LINE = re.compile(rf"\bStep {STEP} \| (.*)")
PAIR = re.compile(r"(\S.*?):(tensor\([^)]*\)|[^\s:]+)(?=\s|$)")
VALUE = re.compile(rf"(?:tensor\()?{NUMBER}")
BAR = re.compile(rf"^\d+\|{STEP}\|Loss: {NUMBER}: ")


class TorchtuneLog(PrintedLog):
    """What torchtune prints, or its DiskLogger writes."""

    name = "torchtune"
    title = "torchtune's printed log"
    marks: ClassVar[tuple[bytes, ...]] = (b"Step ", b"|Loss: ")

    def read(self, text: str) -> Iterator[Entry]:
        """Yield the numbers of a step.

        >>> from pathlib import Path
        >>> reader = TorchtuneLog(Path("log_1.txt"))
        >>> list(reader.read("Step 5 | loss:2.25 lr:2e-05 grad_norm:tensor(0.5) "))
        [Entry(step=5, numbers={'loss': 2.25, 'lr': 2e-05, 'grad_norm': 0.5})]
        >>> list(reader.read("1|6|Loss: 2.125: 12%|#2        | 6/50 [00:01<00:09]"))
        [Entry(step=6, numbers={'loss': 2.125})]
        """
        found = LINE.search(text)
        if found:
            values = {name: VALUE.match(value) for name, value in PAIR.findall(found[2])}
            numbers = {name: read_number(value[1]) for name, value in values.items() if value}
            yield Entry(int(found[1]), numbers)
            return
        bar = BAR.search(text)
        if bar:
            yield Entry(int(bar[1]), {"loss": read_number(bar[2])})
