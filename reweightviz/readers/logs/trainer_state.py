"""``trainer_state.json`` of Hugging Face's Trainer: its history, written with every checkpoint.

Thomas Wolf et al., "Transformers: State-of-the-Art Natural Language Processing", EMNLP 2020
demonstrations, https://aclanthology.org/2020.emnlp-demos.6; ``TrainerState.log_history``. Several
evaluation sets give ``eval_{domain}_loss``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader, head_of, stamp_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._numbers import number_of
from reweightviz.readers.logs._table import feed_rows

__all__ = ["FILE", "TrainerState"]


FILE = "trainer_state.json"


class TrainerState(LogReader):
    """The newest state of a file, a checkpoint, or an output folder with checkpoints."""

    name = "trainer_state"
    title = "Hugging Face trainer_state.json"
    files: ClassVar[tuple[str, ...]] = (FILE,)

    def __init__(self, where: Path, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._history: list[dict[str, Any]] = []
        self._stamp: tuple[Path, int, int] | None = None

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Return one run of a folder with checkpoints, several of a folder with such folders."""
        if path.is_file():
            if b'"log_history"' not in head_of(path):
                return {}
            return {path.parent.name or path.stem: path}
        if _states_of(path):
            return {path.resolve().name: path}
        return {folder.name: folder for folder in sorted(path.glob("*/")) if _states_of(folder)}

    def poll(self, records: Records) -> bool:
        """Feed the entries that the newest state has beyond those that were fed."""
        states = [self.where] if self.where.is_file() else _states_of(self.where)
        if not states:
            return False
        # By time: a run that went back to a checkpoint writes smaller numbers than before.
        newest = max(states, key=lambda file: file.stat().st_mtime_ns)
        stamp = (newest, *stamp_of(newest))
        if stamp == self._stamp:
            return False
        try:
            state = json.loads(newest.read_bytes())
        except ValueError:
            if self.is_over:
                raise
            return False  # half written: the next poll finds it whole
        self._stamp = stamp
        history = state["log_history"]
        last = number_of(state.get("max_steps"))
        records.ended = last is not None and 0 < last <= (number_of(state.get("global_step")) or 0)
        # A run that went back to a checkpoint has another history from there on.
        same = 0
        while same < min(len(self._history), len(history)) and self._history[same] == history[same]:
            same += 1
        self._history = history
        new = history[same:]
        if new:
            feed_rows(self.series, records, new)
        return bool(new)


def _states_of(folder: Path) -> list[Path]:
    """Return the folder's own state and those of its checkpoints."""
    return [*folder.glob(FILE), *folder.glob(f"checkpoint-*/{FILE}")]
