"""The lines of a run's log, collected while it trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reweightviz.core.runlog import RunLog
from reweightviz.core.types import LOG_SIGNALS, Array
from reweightviz.models.byte_transformer import ByteTransformer
from reweightviz.training.domain_stream import Blocks
from reweightviz.training.measurements import mean_losses
from reweightviz.training.train_config import TrainConfig

__all__ = ["RunRecord"]


class RunRecord:
    """Signals averaged since the last line, and held-out losses where they were measured.

    Args:
        domains: of the data (K,).
        blocks: sequences of each domain that are evaluated.
        config: of the training.
    """

    def __init__(self, domains: tuple[str, ...], blocks: Blocks, config: TrainConfig) -> None:
        self.held_out = np.full(len(domains), np.nan)
        self._domains = domains
        self._blocks = blocks
        self._config = config
        self._steps: list[int] = []
        self._weights: list[Array] = []
        self._rows: list[dict[str, Array]] = []
        self._pending: list[Mapping[str, Array]] = []

    def add(
        self, step: int, weights: Array, signals: Mapping[str, Array], model: ByteTransformer
    ) -> None:
        """Add the signals of a step, each (K,); every ``log_every`` steps this is a line."""
        # The log's held_out_loss is its own evaluation; what a mixer saw is a probe.
        signals = dict(signals)
        if "held_out_loss" in signals:
            signals["probe_loss"] = signals.pop("held_out_loss")
        self._pending.append(signals)
        is_last = step == self._config.steps
        if step % self._config.log_every and not is_last:
            return
        row = _merge(self._pending)
        if is_last or step % self._config.evaluate_every == 0:
            self.held_out = mean_losses(model, self._blocks)
            row["held_out_loss"] = self.held_out
        self._steps.append(step)
        self._weights.append(weights)
        self._rows.append(row)
        self._pending = []

    def make_log(self, name: str, meta: Mapping[str, Any]) -> RunLog:
        """Return the log of the lines so far."""
        nothing = np.full(len(self._domains), np.nan)
        signals = {
            key: np.stack([row.get(key, nothing) for row in self._rows])
            for key in LOG_SIGNALS
            if any(key in row for row in self._rows)
        }
        return RunLog(
            self._domains,
            np.array(self._steps, np.int64),
            np.stack(self._weights),
            signals,
            name,
            meta,
        )


def _merge(steps: list[Mapping[str, Array]]) -> dict[str, Array]:
    """Return one row of several steps: of tokens the sum, of anything else the mean of what is."""
    row = {}
    for name in LOG_SIGNALS:
        values = [signals[name] for signals in steps if name in signals]
        if not values:
            continue
        if name == "drawn_tokens":
            row[name] = np.asarray(np.sum(values, axis=0), np.float64)
        else:
            row[name] = _average(np.stack(values))
    return row


def _average(values: Array) -> Array:
    """Return the mean (K,) of values (T, K) without NaN; NaN where there is nothing else."""
    # Not np.nanmean, which warns where a domain was never seen.
    seen = np.isfinite(values)
    mean = np.divide(
        np.where(seen, values, 0).sum(0),
        seen.sum(0),
        out=np.full(values.shape[1], np.nan),
        where=seen.any(0),
    )
    return np.asarray(mean, np.float64)
