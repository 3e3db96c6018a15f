"""The callback of Lightning: the sampler's place in its checkpoints, and the run's log."""
# ruff: noqa: ARG002  hooks are called with more than they need

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reweightviz.core.errors import MissingPackage
from reweightviz.training.costly_signals import Measure, require_measure
from reweightviz.training.domain_losses import DomainLosses
from reweightviz.training.mixture_sampler import MixtureSampler
from reweightviz.training.run_logger import RunLogger

__all__ = ["LightningSteering"]


try:
    from lightning.pytorch import Callback
except ModuleNotFoundError:
    Callback = object


class LightningSteering(Callback):  # type: ignore[misc]
    """Each domain's loss in a log, the signals of the sampler's mixer, and the sampler's place.

    The module's ``training_step`` calls ``callback.losses.add(token_losses, domain_ids, mask)``.

    Args:
        sampler: that the training draws by, as ``DataLoader(..., batch_sampler=sampler)``.
        logger: of the run.
        measure: called after a step with the names of the costly signals that the sampler's mixer
            needs, returns each (K,), the same on every rank; Lightning draws a batch ahead, so
            what the mixer sets holds a step later.

    Raises:
        ReweightvizError: the mixer needs costly signals, and there is no ``measure``; or the log
            has other domains.
    """

    def __init__(
        self,
        sampler: MixtureSampler,
        logger: RunLogger | None = None,
        measure: Measure | None = None,
    ) -> None:
        if Callback is object:
            raise MissingPackage(package="lightning", who="LightningSteering")
        self._sampler = sampler
        self._logger = logger
        self._measure = require_measure(sampler, measure)
        if logger is not None:
            logger.expect(sampler.domains)
        self.losses = DomainLosses(sampler.domains)
        self._step = 0
        self._tokens = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return what Lightning puts into its checkpoint."""
        return {"sampler": self._sampler.state_dict(self._step), "tokens": self._tokens}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._sampler.load_state_dict(state_dict["sampler"])
        self._step = int(state_dict["sampler"]["step"])
        self._tokens = float(state_dict["tokens"])

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """After the last batch of a step, reduce over the ranks, update the mixer, write a line."""
        if trainer.global_step == self._step:  # a batch that is accumulated
            return
        self._step = trainer.global_step
        signals = self.losses.take()
        self._tokens += float(signals["drawn_tokens"].sum())
        if self._sampler.has_mixer:
            self._sampler.update({**signals, **self._measure(self._sampler.measures)})
        if self._logger is not None:
            rates = {
                f"lr{n or ''}": optimiser.param_groups[0]["lr"]
                for n, optimiser in enumerate(trainer.optimizers)
            }
            self._logger.write(
                step=self._step,
                losses=signals["loss"],
                drawn_tokens=signals["drawn_tokens"],
                scalars=rates,
                weights=self._sampler.weights(self._step - 1),
                tokens=self._tokens,
            )
