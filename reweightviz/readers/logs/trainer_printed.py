"""What Hugging Face's Trainer prints: ``{'loss': '2.41', 'grad_norm': '1.25', 'epoch': '0.1'}``.

Thomas Wolf et al., "Transformers: State-of-the-Art Natural Language Processing", EMNLP 2020
demonstrations, https://aclanthology.org/2020.emnlp-demos.6; ``ProgressCallback`` of transformers
5.23.0, used also by TRL, Axolotl, LLaMA-Factory and ms-swift. Several evaluation sets give
``eval_{domain}_loss``. ``trainer_state.json`` has the same with all digits and steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from reweightviz.readers.logs._printed_log import NUMBER, STEP, Entry, PrintedLog, read_number

__all__ = ["TrainerPrinted"]


LOGGED = re.compile(r"""\{['"].*['"]epoch['"]: .*\}""")
PAIR = re.compile(rf"""(['"])((?:(?!\1).)+)\1: ['"]?{NUMBER}['"]?(?=[,}}])""")
OWN_STEP = re.compile(rf"""['"](?:global_step/max_steps|global_step|step)['"]: ['"]?{STEP}""")
"""As ms-swift adds it, and some callbacks do."""
BAR = re.compile(rf"^\s*(?:Train: *)?\d+%\|[^|]*\| {STEP}/{STEP} \[")
EVERY = re.compile(r"""\blogging_steps["']?\s*[:=]\s*([1-9]\d{0,8})\b(?!\.)""")
AT_FIRST = re.compile(r"""\blogging_first_step["']?\s*[:=]\s*[Tt]rue\b""")
BY_BAR = (
    "The Trainer prints no steps: they are read from the progress bar behind a line, and counted "
    "on where there is none."
)
COUNTED = (
    "The Trainer prints no steps, and no progress bar stands behind its lines: the steps count the "
    "lines with a loss, "
)
UNKNOWN = "each as one; how many one is, the logging_steps of the training, does not stand in it."
KNOWN = "each as the {} logging_steps that this log prints."


class TrainerPrinted(PrintedLog):
    """The dictionaries among the progress bars."""

    name = "trainer_printed"
    title = "Hugging Face Trainer's printed log"
    marks: ClassVar[tuple[bytes, ...]] = (b"'epoch': ",)
    _has_bar: bool | None = None

    def begin(self) -> None:
        """Forget the steps so far."""
        self._waiting: dict[str, float] = {}
        self._step = 0
        self._stride = 1
        self._every = 0
        self._logs_first = False
        self._epoch = 0.0
        self._total = 0

    def is_whole(self, line: bytes) -> bool:
        """Return whether a dictionary has its end."""
        return b"{'" not in line or line.rstrip().endswith(b"}")

    def read(self, text: str) -> Iterator[Entry]:
        """Yield the dictionary before this line: the bar in this line tells its step.

        >>> from pathlib import Path
        >>> reader = TrainerPrinted(Path("x.log"))
        >>> list(reader.read("{'loss': '2.5', 'epoch': '0.5'}"))
        []
        >>> list(reader.read(" 50%|#####     | 10/20 [00:01<00:01, 9.5it/s]"))
        [Entry(step=10, numbers={'loss': 2.5, 'epoch': 0.5})]
        """
        logged = LOGGED.search(text) if "epoch" in text else None
        if logged:
            yield from self.finish()
            own_step = OWN_STEP.search(text)
            self._waiting = {tag: read_number(value) for _, tag, value in PAIR.findall(logged[0])}
            if own_step:
                self._step = int(own_step[1])
                yield from self._take()
            elif self._has_bar is False:
                yield from self.finish()
            return
        if "logging_" in text:
            self._look_for_settings(text)
        if not self._waiting or not text.strip():
            return
        if BAR.match(text):
            yield from self.peek(text)
        else:
            yield from self.finish()

    def peek(self, rest: str) -> Iterator[Entry]:
        """Yield the dictionary that waits, where this is the bar of the training behind it."""
        bar = BAR.match(rest)
        if bar is None or not self._waiting or self._has_bar is False:
            return
        done, total = (int(number) for number in bar.groups())
        if "loss" in self._waiting:
            # Only the training prints these, and draws its own bar behind them.
            self._total = total
            self._has_bar = True
            self.notes = (BY_BAR,)
        if total == self._total:
            self._stride = max(done - self._step, 1)
            self._step = done
            yield from self._take()

    def finish(self) -> Iterator[Entry]:
        """Yield the dictionary that waits, with no bar behind it."""
        if not self._waiting:
            return
        if "loss" in self._waiting:
            if self._has_bar is None:
                self._has_bar = False
                self._stride = self._every or 1
                how = KNOWN.format(self._every) if self._every else UNKNOWN
                self.notes = (COUNTED + how,)
            self._count_on()
        yield from self._take()

    def _count_on(self) -> None:
        epoch = self._waiting.get("epoch", self._epoch)
        if epoch < self._epoch:
            # A run that went back to a checkpoint.
            self._step = max(round(self._step * epoch / self._epoch) - self._stride, 0)
        if self._step == 0 and self._logs_first:
            self._step = 1
            return
        # It logs at the multiples of logging_steps.
        self._step += self._stride - self._step % self._stride

    def _look_for_settings(self, text: str) -> None:
        every = EVERY.search(text)
        if every:
            self._every = int(every[1])
        if AT_FIRST.search(text):
            self._logs_first = True

    def _take(self) -> Iterator[Entry]:
        numbers = self._waiting
        self._waiting = {}
        if "loss" in numbers:
            self._epoch = numbers.get("epoch", self._epoch)
        yield Entry(self._step, numbers)
