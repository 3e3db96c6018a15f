"""Meta Lingua's printed log: ``step: 10  acc: 0  loss:  9.1  grad: 1.00e+00 ...``.

Mathurin Videau et al., "Meta Lingua: A minimal PyTorch LLM training library", 2024,
https://github.com/facebookresearch/lingua; ``apps/main/train.py`` (commit 437d680). The
``metrics.jsonl`` beside it has more digits, the tokens and the losses of the evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from reweightviz.readers.logs._printed_log import NUMBER, STEP, Entry, PrintedLog, read_pairs

__all__ = ["LinguaLog"]


LINE = re.compile(rf"\bstep: {STEP}  acc: \d+  (loss: .*)")
PAIR = re.compile(rf"(\w+): *{NUMBER}")


class LinguaLog(PrintedLog):
    """Lingua's standard output, or its train.log."""

    name = "lingua"
    title = "Lingua's printed log"
    marks: ClassVar[tuple[bytes, ...]] = (b"  acc: ",)

    def read(self, text: str) -> Iterator[Entry]:
        """Yield the numbers of a step.

        >>> from pathlib import Path
        >>> list(LinguaLog(Path("train.log")).read("step: 10  acc: 0  loss:  9.1  mem: 12%"))
        [Entry(step=10, numbers={'loss': 9.1, 'mem': 12.0})]
        """
        found = LINE.search(text)
        if found:
            yield Entry(int(found[1]), read_pairs(PAIR, found[2]))
