"""Printed lines of any make with a step and a loss: ``step 250: train loss 2.1, val loss 2.2``.

So print loops of one's own, nanoGPT, nanochat, llm.c, verl, NeMo and NeMo Automodel, whose lines
were read in public logs. What a line calls its numbers is their name.
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
    read_pairs,
)

__all__ = ["PrintedSteps"]


STEPS = tuple(
    re.compile(
        rf"""(?:^|[\s|\[(\{{,;:"'-]){name}s?(?:\(train\))?["']?"""
        rf"""(?: *[:=#] *| +|(?= *\[))\[? *{STEP}""",
        re.IGNORECASE,
    )
    for name in ("global[_ ](?:step|iter(?:ation)?)", "step", "iter(?:ation)?")
)
"""Of several, the first that stands in a line: others begin anew with each epoch."""
EPOCH = re.compile(r"""\bepoch["']?[ :=\[]+(\d{1,9})\b""", re.IGNORECASE)
_BRACKETS = r"\[[^\[\]|:=]*\]|\([^\s()|]*\)"
_INSIDE = rf"""(?:[^\s:=|,;"'{{}}\[\]()<>]|'(?=\w)|{_BRACKETS})"""
WORD = rf"(?:[^\W\d]|(?:{_BRACKETS})(?=\S)){_INSIDE}*"
_IS = rf"""(?: *[:=] *| +)["']?(?![\d.,]*:\d){NUMBER}"""
PAIR = re.compile(
    rf"""(?<![\w.#&@%+/$*!?~^-])({WORD}(?: {WORD}){{0,2}}|\d{_INSIDE}*[^\W\d]{_INSIDE}*(?=[:=]))"""
    rf"""["']?{_IS}"""
)
QUOTED = re.compile(rf"""(["'])((?:(?!\1).)+)\1 *[:=] *["']?{NUMBER}""")
WHOLE = re.compile(rf"\s*((?!\[[^\]]*\]\s)(?:[^\W\d]|[(\[#@&<])(?:(?! - |  )[^:=])*?){_IS}")
"""What stands between two bars or commas: all before the number is its name."""
EPOCHS = "The steps begin anew with each epoch here; they are counted on."


class PrintedSteps(PrintedLog):
    """Lines with a step and a loss."""

    name = "printed"
    title = "two printed lines or more with a step and a loss"
    marks: ClassVar[tuple[bytes, ...]] = (b"loss", b"Loss")
    fewest: ClassVar[int] = 2

    def begin(self) -> None:
        """Forget the steps so far."""
        self._epoch = 0
        self._step = 0
        self._before = 0

    def read(self, text: str) -> Iterator[Entry]:
        """Yield the numbers of a step.

        >>> from pathlib import Path
        >>> reader = PrintedSteps(Path("x.log"))
        >>> list(reader.read("step 250: train loss 2.1075, val loss 2.2"))
        [Entry(step=250, numbers={'train loss': 2.1075, 'val loss': 2.2})]
        >>> list(reader.read("iter 300/900 | loss/web: 2.5 | lr 1e-4 | 12 ms"))
        [Entry(step=300, numbers={'loss/web': 2.5, 'lr': 0.0001})]
        """
        if "loss" not in text.lower():
            return
        found = next((match for pattern in STEPS if (match := pattern.search(text))), None)
        if found is None:
            return
        numbers = read_pairs(PAIR, text[: found.start()]) | _read_rest(text[found.end() :])
        if any("loss" in name.lower() for name in numbers):
            yield Entry(self._step_of(int(found[1]), EPOCH.search(text)), numbers)

    def _step_of(self, step: int, found: re.Match[str] | None) -> int:
        """Return the step, and those of the epochs before where it is of the epoch alone."""
        epoch = self._epoch
        if found:
            epoch = int(found[1])
        if epoch > self._epoch and step < self._step:
            self._before += self._step
            self.notes = (EPOCHS,)
        self._epoch = epoch
        self._step = step
        return self._before + step


def _read_rest(text: str) -> dict[str, float]:
    """Return the numbers behind the step by name, whatever the letters of the names.

    >>> _read_rest(" | loss/C#: 2.5 | loss/the new web: 3, lr=0.1 x=2")
    {'loss/C#': 2.5, 'loss/the new web': 3.0, 'lr': 0.1, 'x': 2.0}
    """
    numbers = {name: read_number(number) for _, name, number in QUOTED.findall(text)}
    for part in re.split(r"[|\n]|,(?!\d)", QUOTED.sub("\n", text)):
        whole = WHOLE.match(part)
        start = 0
        if whole:
            numbers[whole[1]] = read_number(whole[2])
            start = whole.end()
        numbers |= read_pairs(PAIR, part[start:])
    return numbers
