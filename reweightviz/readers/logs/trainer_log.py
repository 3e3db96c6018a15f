"""LLaMA-Factory's ``trainer_log.jsonl``: loss, progress and time of the whole run, a line a step.

Yaowei Zheng et al., "LlamaFactory: Unified Efficient Fine-Tuning of 100+ Language Models", ACL
2024 demonstrations, https://arxiv.org/abs/2403.13372; written by
``llamafactory/train/callbacks.py``. It holds no series by domain; the ``trainer_state.json``
beside it does, where the evaluation had several sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from reweightviz.core.records import Records
from reweightviz.readers.logs.json_rows import JsonRows

__all__ = ["TrainerLog"]


class TrainerLog(JsonRows):
    """LLaMA-Factory's log."""

    name = "llamafactory"
    title = "LLaMA-Factory trainer_log.jsonl"
    files: ClassVar[tuple[str, ...]] = ("trainer_log.jsonl",)
    steps: ClassVar[tuple[str, ...]] = ("current_steps",)

    @classmethod
    def fits(cls, row: Mapping[str, Any]) -> bool:
        """Return whether it is one of its lines."""
        return {"current_steps", "total_steps"} <= row.keys()

    def feed(self, records: Records, rows: list[Mapping[str, Any]]) -> None:
        """Feed rows; that of the last step ends the run."""
        super().feed(records, rows)
        records.ended = rows[-1]["current_steps"] == rows[-1]["total_steps"]
