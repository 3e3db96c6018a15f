"""Megatron-LM's printed log, and its descendants': ``iteration 10/ 100 | lm loss: 6.1E+00 |``.

Mohammad Shoeybi et al., "Megatron-LM: Training Multi-Billion Parameter Language Models Using Model
Parallelism", 2019, https://arxiv.org/abs/1909.08053; ``training_log`` and
``evaluate_and_print_results`` of ``megatron/training/training.py``. GPT-NeoX and Megatron-Bridge
print the same; NeMo does not, which counts the iterations of an epoch. With
``--multiple-validation-sets`` each set has a loss of its own, under its number or, with
``--validation-set-names``, its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from reweightviz.readers.logs._printed_log import STEP, Entry, PrintedLog, read_number, text_of

__all__ = ["ITERATION", "NAMES", "PAIR", "VALIDATION", "MegatronLog"]


ITERATION = re.compile(rf"(?<!, )\biteration\s+{STEP}\s*/\s*(?:\d+|infinity)\s*\|(.*)")
VALIDATION = re.compile(rf"\bvalidation(-[^|]+?)? (?:loss|results) at iteration {STEP}(.*?)\|(.*)")
PAIR = re.compile(
    r"([^|:]*[^|:\s])\s*:\s*([-+]?(?:\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|nan|inf))\s*(?=\||$)",
    re.IGNORECASE,
)
NAMES = {"consumed tokens": "consumed_tokens"}


class MegatronLog(PrintedLog):
    """The standard output of a run, redirected to a file."""

    name = "megatron"
    title = "Megatron-LM's printed log"
    marks: ClassVar[tuple[bytes, ...]] = (b"iteration ",)

    def is_whole(self, line: bytes) -> bool:
        """Return whether it is no entry, or closed by its last bar."""
        return line.rstrip().endswith(b"|") or not any(self.read(text_of(line).text))

    def read(self, text: str) -> Iterator[Entry]:
        """Yield the numbers of an iteration, or the losses of a validation.

        >>> from pathlib import Path
        >>> reader = MegatronLog(Path("x.log"))
        >>> line = " iteration  10/ 100 | learning rate: 1.0E-04 | lm loss: 6.1E+00 |"
        >>> list(reader.read(line))
        [Entry(step=10, numbers={'learning rate': 0.0001, 'lm loss': 6.1})]
        >>> line = " validation-1 loss at iteration 10 on | lm loss value: 5.0 | lm loss PPL: 150 |"
        >>> list(reader.read(line))
        [Entry(step=10, numbers={'lm loss validation-1': 5.0})]
        """
        iteration = ITERATION.search(text)
        if iteration:
            yield Entry(int(iteration[1]), dict(_pairs(iteration[2])))
            return
        validation = VALIDATION.search(text)
        if validation:
            name, step, where, rest = validation.groups()
            kind = "test" if "test" in where else "validation"
            # The perplexity is the same loss a second time.
            losses = {tag: value for tag, value in _pairs(rest) if "ppl" not in tag.lower()}
            numbers = {
                f"{tag.removesuffix(' value')} {kind}{name or ''}": loss
                for tag, loss in losses.items()
            }
            yield Entry(int(step), numbers)


def _pairs(text: str) -> Iterator[tuple[str, float]]:
    for name, value in PAIR.findall(text):
        yield NAMES.get(name.strip(), name.strip()), read_number(value)
