"""The callback of transformers' Trainer: the sampler's place in checkpoints, and the run's log."""
# ruff: noqa: ARG002  hooks are called with more than they need

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from reweightviz.core.errors import MissingPackage, ReweightvizError
from reweightviz.training.costly_signals import Measure, require_measure
from reweightviz.training.domain_losses import DomainLosses
from reweightviz.training.mixture_sampler import MixtureSampler
from reweightviz.training.run_logger import RunLogger

__all__ = ["NAMES", "ExportableState", "SteeringCallback", "TrainerCallback"]


def _import_bases() -> tuple[Any, Any]:
    """Return the Trainer's two bases, or others: the documentation needs no transformers."""
    try:
        from transformers import trainer_callback
    except ModuleNotFoundError:
        return object, type("ExportableState", (), {})
    return trainer_callback.TrainerCallback, trainer_callback.ExportableState


_bases = _import_bases()
TrainerCallback: Any = _bases[0]
ExportableState: Any = _bases[1]
NAMES = {"learning_rate": "lr"}
"""The Trainer's scalars that our logs call otherwise."""


class SteeringCallback(TrainerCallback, ExportableState):  # type: ignore[misc]
    """The sampler's place in the Trainer's checkpoints, its mixer's signals, and the run's log.

    Args:
        sampler: that the training draws by.
        losses: of the domains, added to by the loss function.
        logger: of the run, written when the Trainer logs (``logging_steps``).
        measure: gives the costly signals (K,) that the sampler's mixer names.

    Raises:
        ReweightvizError: the mixer needs costly signals, and there is no ``measure``; or the log
            has other domains.
    """

    def __init__(
        self,
        sampler: MixtureSampler,
        losses: DomainLosses,
        logger: RunLogger | None = None,
        measure: Measure | None = None,
    ) -> None:
        if TrainerCallback is object:
            raise MissingPackage(package="transformers and accelerate", who="SteeringCallback")
        self._sampler = sampler
        self._losses = losses
        self._logger = logger
        self._measure = require_measure(sampler, measure)
        if logger is not None:
            logger.expect(sampler.domains)
        self._step = 0
        self._sums = torch.zeros(2, len(sampler.domains), dtype=torch.float64)
        self._tokens = 0.0

    def state(self) -> dict[str, Any]:
        """Return what the Trainer puts into ``trainer_state.json``."""
        return {
            "args": {},
            "attributes": {
                "sampler": self._sampler.state_dict(self._step),
                "tokens": self._tokens,
                "sums": self._sums.tolist(),
            },
        }

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Go on where the checkpoint was.

        Raises:
            ReweightvizError: the Trainer begins at 0 and the sampler does not.
        """
        self._step = state.global_step
        stored = (state.stateful_callbacks or {}).get(type(self).__name__, {}).get("attributes", {})
        if self._step and stored.get("sampler", {}).get("step") == self._step:
            self._sampler.load_state_dict(stored["sampler"])
            self._tokens = stored["tokens"]
            self._sums = torch.as_tensor(stored.get("sums", self._sums), dtype=torch.float64)
        elif self._step:  # a checkpoint of a training that was not steered yet
            self._sampler.seek(self._step)
        elif self._sampler.step:
            raise ReweightvizError(
                f"the sampler stands at step {self._sampler.step}, the Trainer begins at 0: "
                "train(resume_from_checkpoint=...) goes on, "
                "sampler.seek(0) draws the same rows again, a new run takes a new sampler."
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Reduce the losses of the step over the ranks, and update the mixer."""
        self._step = state.global_step
        signals = self._losses.take()  # on every rank, or the others wait for ever
        loss = torch.from_numpy(signals["loss"])
        tokens = torch.from_numpy(signals["drawn_tokens"])
        # By where: the loss of a domain without tokens is NaN, and so is 0 times it.
        self._sums += torch.stack([torch.where(tokens > 0, loss, 0) * tokens, tokens])
        self._tokens += float(tokens.sum())
        if self._sampler.has_mixer:
            self._sampler.update({**signals, **self._measure(self._sampler.measures)})

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        """Write the means since the last line."""
        # The Trainer logs its evaluations and its summary here too, without a training loss.
        if self._logger is None or logs is None or "loss" not in logs:
            return
        loss, tokens = self._sums.numpy()
        losses = {
            domain: loss[k] / tokens[k]
            for k, domain in enumerate(self._sampler.domains)
            if tokens[k]
        }
        scalars = {
            NAMES.get(key, key): float(value)
            for key, value in logs.items()
            if isinstance(value, int | float)
        }
        self._logger.write(
            step=state.global_step,
            losses=losses,
            # global_step counts finished steps, the sampler numbers them from 0.
            weights=self._sampler.weights(state.global_step - 1),
            scalars=scalars,
            tokens=self._tokens,
            drawn_tokens=tokens,
        )
        self._sums.zero_()
