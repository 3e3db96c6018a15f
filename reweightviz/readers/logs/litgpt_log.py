"""LitGPT's printed log: ``Epoch 1 | iter 10 step 1 | loss train: 10.9, val: n/a | ...``.

Lightning AI, "LitGPT", 2023, https://github.com/Lightning-AI/litgpt; ``litgpt/pretrain.py`` and
``litgpt/finetune/`` (commit 2685705). It prints no domains and no tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from reweightviz.readers.logs._printed_log import NUMBER, STEP, Entry, PrintedLog, read_number

__all__ = ["LitgptLog"]


TRAINING = re.compile(
    rf"\bEpoch \d+ \| iter {STEP} step {STEP} \| loss train: {NUMBER}, val: .*?iter time: {NUMBER}"
)
VALIDATION = re.compile(rf"\biter {STEP}: val loss {NUMBER}")


class LitgptLog(PrintedLog):
    """LitGPT's standard output."""

    name = "litgpt"
    title = "LitGPT's printed log"
    marks: ClassVar[tuple[bytes, ...]] = (b"iter ",)
    notes = ("Steps are LitGPT's iterations (micro-batches); its optimizer steps stand in 'step'.",)

    def read(self, text: str) -> Iterator[Entry]:
        """Yield the numbers of an iteration.

        >>> from pathlib import Path
        >>> reader = LitgptLog(Path("x.log"))
        >>> line = "Epoch 1 | iter 8 step 2 | loss train: 10.9, val: n/a | iter time: 1.5 ms"
        >>> list(reader.read(line))
        [Entry(step=8, numbers={'loss': 10.9, 'step': 2.0, 'iter time': 1.5})]
        >>> list(reader.read("iter 8: val loss 9.5, val time: 20.00 ms"))
        [Entry(step=8, numbers={'val_loss': 9.5})]
        """
        training = TRAINING.search(text)
        if training:
            iteration, step, loss, time = training.groups()
            # Its "val:" is the last validation once more.
            numbers = {
                "loss": read_number(loss),
                "step": float(step),
                "iter time": read_number(time),
            }
            yield Entry(int(iteration), numbers)
            return
        validation = VALIDATION.search(text)
        if validation:
            yield Entry(int(validation[1]), {"val_loss": read_number(validation[2])})
