"""Nanotron's printed log: ``iteration: 1 / 100 | consumed_tokens: 24.6K | lm_loss: 10.4 | ...``.

Hugging Face, "Nanotron: Minimalistic large language model 3D-parallelism training", 2024,
https://github.com/huggingface/nanotron; ``human_format`` and ``LoggerWriter`` of
``src/nanotron/logging/base.py`` (commit 2411b02).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from reweightviz.readers.logs._printed_log import NUMBER, STEP, Entry, PrintedLog, read_pairs

__all__ = ["NanotronLog"]


LINE = re.compile(rf"\biteration: {STEP} / \d+ \|(.*)")
PAIR = re.compile(rf"([^|:]*[^|:\s]): {NUMBER} *(?=\||$)")


class NanotronLog(PrintedLog):
    """Nanotron's standard output."""

    name = "nanotron"
    title = "Nanotron's printed log"
    marks: ClassVar[tuple[bytes, ...]] = (b"iteration: ",)
    notes = ("Nanotron prints three digits of a number: tokens and losses are rounded so.",)

    def read(self, text: str) -> Iterator[Entry]:
        """Yield the numbers of an iteration.

        >>> from pathlib import Path
        >>> line = "iteration: 2 / 100 | consumed_tokens: 49.2K | lm_loss: 9.8 | eta: 1:00:00"
        >>> list(NanotronLog(Path("x.log")).read(line))
        [Entry(step=2, numbers={'consumed_tokens': 49200.0, 'lm_loss': 9.8})]
        """
        found = LINE.search(text)
        if found:
            pairs = read_pairs(PAIR, found[2])
            yield Entry(int(found[1]), {tag.strip(): number for tag, number in pairs.items()})
