"""The Trainer of transformers, steered and logged: ``steer(trainer, sampler, logger)`` before ``trainer.train()``."""
# ruff: noqa: ARG002  hooks are called with more than they need

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from reweightviz.core.errors import MissingPackage, ReweightvizError
from reweightviz.training.domain_losses import DomainLosses
from reweightviz.training.live_driver import Measure, measuring
from reweightviz.training.mixture_dataset import MixtureDataset, WithDomains
from reweightviz.training.mixture_sampler import MixtureSampler
from reweightviz.training.run_logger import RunLogger

try:
    from transformers.trainer_callback import ExportableState, TrainerCallback
except ModuleNotFoundError:
    TrainerCallback, ExportableState = object, type("ExportableState", (), {})

IGNORED = -100


class SteeringCallback(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Keeps the sampler's place in the Trainer's checkpoints, feeds its mixer, and writes the run's log.

    Args:
        sampler: that the training draws by.
        losses: of the domains, added to by the loss function.
        logger: of the run, written when the Trainer logs (``logging_steps``).
        measure: gives the costly signals (K,) that a mixer asks for, by name.

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
        self._sampler, self._losses, self._logger, self._measure = (
            sampler,
            losses,
            logger,
            measuring(sampler, measure),
        )
        if logger is not None:
            logger.expect(sampler.domains)
        self._step = 0
        self._sums = torch.zeros(2, len(sampler.domains), dtype=torch.float64)
        self._tokens = 0.0

    def state(self) -> dict[str, Any]:
        """What the Trainer puts into ``trainer_state.json``."""
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
        kept = (state.stateful_callbacks or {}).get(type(self).__name__, {}).get("attributes", {})
        if kept.get("sampler", {}).get("step") == self._step and self._step:
            self._sampler.load_state_dict(kept["sampler"])
            self._tokens, self._sums = (
                kept["tokens"],
                torch.as_tensor(kept.get("sums", self._sums), dtype=torch.float64),
            )
        elif self._step:
            self._sampler.seek(self._step)
        elif self._sampler.step:
            raise ReweightvizError(
                f"the sampler stands at step {self._sampler.step}, the Trainer begins at 0: "
                "train(resume_from_checkpoint=...) goes on, "
                "sampler.seek(0) draws the same rows again, a new run takes a new sampler."
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Reduce the losses of the step over the ranks, and tell the mixer."""
        self._step = state.global_step
        signals = self._losses.take()  # on every rank, whatever each is to do with it
        loss, tokens = (torch.from_numpy(signals[name]) for name in ("loss", "drawn_tokens"))
        self._sums += torch.stack([torch.where(tokens > 0, loss, 0) * tokens, tokens])
        self._tokens += float(tokens.sum())
        if self._sampler.has_mixer:
            self._sampler.update({**signals, **self._measure(self._sampler.measures)})

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        """Write the means since the last line."""
        if self._logger is None or logs is None or "loss" not in logs:
            return
        loss, tokens = self._sums.numpy()
        weights = self._sampler.weights(state.global_step - 1)
        names = {"learning_rate": "lr"}
        scalars = {
            names.get(key, key): float(value)
            for key, value in logs.items()
            if isinstance(value, int | float)
        }
        with_loss = {
            domain: loss[k] / tokens[k]
            for k, domain in enumerate(self._sampler.domains)
            if tokens[k]
        }
        self._logger.write(
            step=state.global_step,
            losses=with_loss,
            weights=weights,
            scalars=scalars,
            tokens=self._tokens,
            drawn_tokens=tokens,
        )
        self._sums.zero_()


def steer(
    trainer: Any,
    sampler: MixtureSampler,
    logger: RunLogger | None = None,
    *,
    measure: Measure | None = None,
    streams: bool = False,
) -> SteeringCallback:
    """Make a Trainer draw its batches by ``sampler``, and log the loss of each domain.

    The Trainer keeps its class. Its data loader, its loss function (next-token loss of a causal
    model, the mean over the tokens of a step) and one callback are set; ``max_steps`` says how
    long it trains, and ``resume_from_checkpoint`` goes on with the same rows.

    Args:
        trainer: a ``transformers.Trainer`` whose train_dataset has rows as the sampler counts them.
        sampler: its batch_size must be per_device_train_batch_size, its accumulation
            gradient_accumulation_steps.
        logger: of the run.
        measure: called with the names of the costly signals that the sampler's mixer asks for
            after a step, returns each (K,), the same on every rank; the Trainer draws a batch
            ahead, so what the mixer sets holds a step later.
        streams: let the workers of the data loader draw for themselves, rather than this process
            for them.

    Raises:
        ReweightvizError: batch sizes that do not agree, no max_steps, a loss function that is set
            already, or a mixer that needs ``measure``.
    """
    args = trainer.args
    if (args.per_device_train_batch_size, args.gradient_accumulation_steps) != (
        sampler.batch_size,
        sampler.accumulation,
    ):
        raise ReweightvizError(
            f"the sampler makes batches of {sampler.batch_size}, {sampler.accumulation} a "
            "step; the Trainer has "
            f"per_device_train_batch_size={args.per_device_train_batch_size}, "
            f"gradient_accumulation_steps={args.gradient_accumulation_steps}."
        )
    if args.max_steps <= 0:
        raise ReweightvizError(
            "a sampler has no end: TrainingArguments(max_steps=...) says how long to train."
        )
    if trainer.compute_loss_func is not None:
        raise ReweightvizError(
            "the Trainer has a compute_loss_func already; steer sets one that keeps the "
            "loss of each domain."
        )
    losses = DomainLosses(sampler.domains)
    callback = SteeringCallback(sampler, losses, logger, measure)
    ids = _DomainIds()
    trainer.model.register_forward_pre_hook(ids, with_kwargs=True)
    trainer.compute_loss_func = _loss_function(losses, ids)
    trainer.get_train_dataloader = lambda: _loader(trainer, sampler, streams=streams)
    args.ignore_data_skip = True  # the sampler begins where the checkpoint was by itself
    trainer.add_callback(callback)
    return callback


class _DomainIds:
    """Takes ``domain_ids`` out of a batch before a model sees it."""

    def __init__(self) -> None:
        self.latest: Tensor | None = None

    def __call__(
        self, module: Any, args: Any, kwargs: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        self.latest = kwargs.pop("domain_ids", None)
        return args, kwargs


def _loss_function(losses: DomainLosses, ids: _DomainIds) -> Callable[..., Tensor]:
    """The mean next-token loss over the whole step, as the model would return it, computed once for both uses."""

    def loss(
        outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        logits = outputs["logits"][:, :-1].float()
        targets = labels[:, 1:].to(logits.device)
        by_token = F.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), reduction="none", ignore_index=IGNORED
        ).view(targets.shape)
        if ids.latest is not None and torch.is_grad_enabled():
            losses.add(by_token.detach(), ids.latest, targets != IGNORED)
        return by_token.sum() / (
            num_items_in_batch if num_items_in_batch is not None else (targets != IGNORED).sum()
        )

    return loss


def _loader(trainer: Any, sampler: MixtureSampler, *, streams: bool) -> DataLoader[Any]:
    args = trainer.args
    how = {
        "num_workers": args.dataloader_num_workers,
        "pin_memory": args.dataloader_pin_memory,
        "prefetch_factor": args.dataloader_prefetch_factor,
        "persistent_workers": args.dataloader_persistent_workers,
    }
    collate = _Collator(
        trainer._get_collator_with_removed_columns(trainer.data_collator, description="training")  # noqa: SLF001
    )
    if streams:
        return DataLoader(
            MixtureDataset(trainer.train_dataset, sampler, collate), batch_size=None, **how
        )
    return DataLoader(
        WithDomains(trainer.train_dataset, sampler),
        batch_sampler=sampler,
        collate_fn=collate,
        **how,
    )


class _Collator:
    """The Trainer's own collator, which sees no ``domain_ids``."""

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self._collate = collate

    def __call__(self, rows: list[dict[str, Any]]) -> Any:
        batch = self._collate(
            [{name: value for name, value in row.items() if name != "domain_ids"} for row in rows]
        )
        batch["domain_ids"] = torch.tensor([row["domain_ids"] for row in rows])
        return batch
