"""MaxText's printed log: ``completed step: 1, seconds: 0.3, ..., loss: 10.4``.

Google, "MaxText", 2023, https://github.com/AI-Hypercomputer/maxtext; ``metric_logger.py`` of
``src/maxtext/common`` (commit e591f30; older ones print "eval metrics after step: 4, loss=9.8").
It prints no domains and no total of tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from reweightviz.readers.logs._printed_log import NUMBER, STEP, Entry, PrintedLog, read_pairs

__all__ = ["MaxTextLog"]


TRAINING = re.compile(rf"\bcompleted (?:profiler activation/deactivation )?step: {STEP}, (.*)")
EVALUATION = re.compile(
    rf"\b(?:Completed eval after train step|eval metrics after step:) {STEP}, (.*)"
)
PAIR = re.compile(rf"(?:^|, )([\w/ ]+)(?:: |=){NUMBER}")


class MaxTextLog(PrintedLog):
    """MaxText's standard output."""

    name = "maxtext"
    title = "MaxText's printed log"
    marks: ClassVar[tuple[bytes, ...]] = (b" step: ", b" train step ")

    def read(self, text: str) -> Iterator[Entry]:
        """Yield the numbers of a step.

        >>> from pathlib import Path
        >>> reader = MaxTextLog(Path("x.log"))
        >>> list(reader.read("completed step: 3, seconds: 0.5, Tokens/s/device: 10.5, loss: 9.7"))
        [Entry(step=3, numbers={'seconds': 0.5, 'Tokens/s/device': 10.5, 'loss': 9.7})]
        >>> list(reader.read("Completed eval after train step 4, loss=9.8, perplexity=18033.7"))
        [Entry(step=4, numbers={'eval/loss': 9.8, 'eval/perplexity': 18033.7})]
        """
        training = TRAINING.search(text)
        if training:
            yield Entry(int(training[1]), read_pairs(PAIR, training[2]))
            return
        evaluation = EVALUATION.search(text)
        if evaluation:
            pairs = read_pairs(PAIR, evaluation[2])
            yield Entry(int(evaluation[1]), {f"eval/{tag}": value for tag, value in pairs.items()})
