"""One training, step by step: draw by the mixer's weights, learn, measure, update the mixer."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reweightviz.core.types import Array
from reweightviz.models.byte_transformer import ByteTransformer
from reweightviz.training.domain_stream import DomainStream
from reweightviz.training.driver import Driver
from reweightviz.training.learner import Learner
from reweightviz.training.measurements import Measurements, Update, average_by_domain, move_to
from reweightviz.training.proxy_data import ProxyData
from reweightviz.training.run_record import RunRecord
from reweightviz.training.train_config import TrainConfig

__all__ = ["TrainingJob"]


class TrainingJob:
    """A model that learns under a driver, and the record of it.

    Args:
        data: sequences of K domains.
        config: of the training.
        driver: of the mixture.
        model: to train, on its device.
        reference: frozen model for reference_loss and excess_loss, on the same device.
        seed: of the order of the data.
    """

    def __init__(
        self,
        data: ProxyData,
        config: TrainConfig,
        driver: Driver,
        model: ByteTransformer,
        reference: ByteTransformer | None,
        seed: int,
    ) -> None:
        self._data = data
        self._config = config
        self._driver = driver
        self._reference = reference
        self._learner = self._make_learner(model)
        self._follower: Learner | None = None
        if driver.alpha is not None:
            # A copy: where both begin at the same parameters, a gap is due to what they follow.
            self._follower = self._make_learner(copy.deepcopy(model))
        self._stream = DomainStream(data.training, seed)
        self._measurements: Measurements | None = None
        if driver.is_costly:
            self._measurements = Measurements(
                data,
                model,
                probe_blocks=config.probe_blocks,
                gradient_batch=config.gradient_batch,
                layers=config.gradient_layers,
                seed=seed,
            )
        # A mixer that looks at one half of the held-out documents is evaluated on the other.
        self._on_test_half = driver.is_costly or config.test_only
        blocks = data.test if self._on_test_half else data.held_out
        self.record = RunRecord(data.domains, blocks, config)
        self._absent = np.zeros(len(data.domains))
        self._seconds = dict.fromkeys(("mixer", "signal", "update"), 0.0)

    @property
    def facts(self) -> dict[str, Any]:
        """The log's meta on the work: seconds, and the share of batches without each domain."""
        seconds = {f"{part}_seconds": round(took, 4) for part, took in self._seconds.items()}
        return seconds | {
            "absent": (self._absent / self._config.steps).round(6).tolist(),
            "evaluated_on": "test half" if self._on_test_half else "held-out documents",
        }

    def step(self, step: int) -> None:
        """Train one step and record it."""
        began = time.perf_counter()
        weights = self._driver.weights
        names = self._driver.measures
        decided = time.perf_counter()
        batch, domains = self._stream.draw(self._driver.sampling(weights), self._config.batch)
        sequences = move_to(self._learner.model, batch)
        before = []
        if self._measurements is not None and "hypergradient" in names:
            # A hypergradient goes through the update, so it starts from the parameters before it.
            before = self._measurements.copy_parameters()
        update = Update(sequences, domains, self._learner.rate, before)
        scales = self._driver.loss_scale(weights)[domains]
        follower_losses = self._update_follower(sequences, scales)
        losses = self._update_model(sequences, scales)
        learned = time.perf_counter()
        signals = self._compute_signals(losses, follower_losses, update)
        if self._measurements is not None:
            signals |= self._measurements.take(names, update)
        measured = time.perf_counter()
        self._driver.update(signals)
        ended = time.perf_counter()
        self._seconds["mixer"] += decided - began + ended - measured
        self._seconds["signal"] += measured - learned
        self._seconds["update"] += ended - began
        self._absent += signals["drawn_tokens"] == 0
        self.record.add(step, weights, signals, self._learner.model)

    def _make_learner(self, model: ByteTransformer) -> Learner:
        config = self._config
        return Learner(model, config.rate, config.steps, config.accumulate)

    def _update_follower(self, sequences: Tensor, scales: Array) -> Tensor | None:
        """Update the follower where there is one; return its losses (B, L-1) from before."""
        if self._follower is None:
            return None
        began = time.perf_counter()
        losses = self._follower.update(sequences, scales)
        self._seconds["signal"] += time.perf_counter() - began
        return losses

    def _update_model(self, sequences: Tensor, scales: Array) -> Tensor:
        """Update the model; return its losses (B, L-1) from before."""
        if self._measurements is None or self._driver.alpha is None:
            return self._learner.update(sequences, scales)
        validation = self._measurements.draw_validation(self._config.batch)
        return self._learner.update(
            sequences, scales, validation=validation, alpha=self._driver.alpha
        )

    @torch.no_grad()
    def _compute_signals(
        self, losses: Tensor, follower_losses: Tensor | None, update: Update
    ) -> dict[str, Array]:
        """Return means (K,) over the tokens of this batch, NaN for a domain that is not in it."""

        def average(token_values: Tensor) -> Array:
            # Sequences are of one length, so the mean of their means is that of their tokens.
            return average_by_domain(token_values.mean(1), update.domains, K)

        K = len(self._data.domains)
        counts = np.bincount(update.domains, minlength=K)
        signals = {
            "loss": average(losses),
            "drawn_tokens": np.asarray(counts * losses.shape[1], np.float64),
        }
        if self._reference is not None:
            frozen = self._reference.token_losses(update.sequences)
            signals["reference_loss"] = average(frozen)
            # Clipped token by token and then averaged, as in DoReMi.
            signals["excess_loss"] = average((losses - frozen).clamp(min=0))
        if follower_losses is not None:
            signals["penalty_gap"] = average(losses - follower_losses)
        return signals
