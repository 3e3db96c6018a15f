"""torchtitan's printed log: ``step:  1  loss:  8.10  grad_norm: ...``, in colours or not.

Wanchao Liang et al., "TorchTitan: One-stop PyTorch native solution for production ready LLM
pretraining", ICLR 2025, https://arxiv.org/abs/2410.06511; ``log`` and ``log_validation`` of
``torchtitan/components/metrics.py`` (commit b5bcd76). It prints no domains and no total of tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from reweightviz.readers.logs._printed_log import NUMBER, STEP, Entry, PrintedLog, read_pairs

__all__ = ["TorchtitanLog"]


LINE = re.compile(rf"(validate )?step: +{STEP}  (loss: .*)")
PAIR = re.compile(rf"(\w+): *{NUMBER}")
NO_LOSS = -1.0
"""Printed by the ranks of a pipeline's first stages, which know no loss."""


class TorchtitanLog(PrintedLog):
    """torchtitan's standard output."""

    name = "torchtitan"
    title = "torchtitan's printed log"
    marks: ClassVar[tuple[bytes, ...]] = (b"step: ",)

    def read(self, text: str) -> Iterator[Entry]:
        """Yield the numbers of a step.

        >>> from pathlib import Path
        >>> list(TorchtitanLog(Path("x.log")).read("step: 10  loss:  8.1  memory:  9.5GiB(10.00%)"))
        [Entry(step=10, numbers={'loss': 8.1, 'memory': 9.5})]
        """
        found = LINE.search(text)
        if found is None:
            return
        validation, step, rest = found.groups()
        numbers = read_pairs(PAIR, rest)
        if numbers.get("loss") == NO_LOSS:
            return
        if validation:
            numbers = {f"validation/{tag}": number for tag, number in numbers.items()}
        yield Entry(int(step), numbers)
