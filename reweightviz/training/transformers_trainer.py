"""Steering of transformers' Trainer: ``steer(trainer, sampler, logger)``, then ``train()``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from reweightviz.core.errors import ReweightvizError
from reweightviz.training.costly_signals import Measure
from reweightviz.training.domain_losses import DomainLosses
from reweightviz.training.mixture_dataset import MixtureDataset, WithDomains
from reweightviz.training.mixture_sampler import MixtureSampler
from reweightviz.training.run_logger import RunLogger
from reweightviz.training.transformers_callback import SteeringCallback

__all__ = ["IGNORED", "steer"]


IGNORED = -100
"""The label of tokens that no loss counts."""


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
    model, the mean over the tokens of a step) and one callback are set; ``max_steps`` is the length
    of the training, and ``resume_from_checkpoint`` goes on with the same rows.

    Args:
        trainer: a ``transformers.Trainer`` whose train_dataset has rows as the sampler counts them.
        sampler: its batch_size must be per_device_train_batch_size, its accumulation
            gradient_accumulation_steps.
        logger: of the run.
        measure: called after a step with the names of the costly signals that the sampler's mixer
            needs, returns each (K,), the same on every rank; the Trainer draws a batch ahead, so
            what the mixer sets holds a step later.
        streams: let the workers of the data loader draw for themselves, rather than this process
            for them.

    Raises:
        ReweightvizError: batch sizes that do not agree, no max_steps, a loss function that is set
            already, or a mixer that needs ``measure``.
    """
    _check_trainer(trainer, sampler)
    losses = DomainLosses(sampler.domains)
    callback = SteeringCallback(sampler, losses, logger, measure)
    ids = _DomainIds()
    trainer.model.register_forward_pre_hook(ids, with_kwargs=True)
    trainer.compute_loss_func = _make_loss_function(losses, ids)
    trainer.get_train_dataloader = lambda: _make_loader(trainer, sampler, streams=streams)
    trainer.args.ignore_data_skip = True  # the sampler begins where the checkpoint was by itself
    trainer.add_callback(callback)
    return callback


def _check_trainer(trainer: Any, sampler: MixtureSampler) -> None:
    batch = trainer.args.per_device_train_batch_size
    accumulation = trainer.args.gradient_accumulation_steps
    if batch != sampler.batch_size or accumulation != sampler.accumulation:
        raise ReweightvizError(
            f"the sampler makes batches of {sampler.batch_size}, {sampler.accumulation} a step; "
            f"the Trainer has per_device_train_batch_size={batch}, "
            f"gradient_accumulation_steps={accumulation}."
        )
    if trainer.args.max_steps <= 0:
        raise ReweightvizError(
            "a sampler has no end: TrainingArguments(max_steps=...) sets the length of training."
        )
    if trainer.compute_loss_func is not None:
        raise ReweightvizError(
            "the Trainer has a compute_loss_func already; steer sets one that keeps the "
            "loss of each domain."
        )


class _DomainIds:
    """A forward hook that takes ``domain_ids`` out of a batch before a model sees it."""

    def __init__(self) -> None:
        self.latest: Tensor | None = None

    def __call__(
        self, _module: Any, args: Any, kwargs: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        self.latest = kwargs.pop("domain_ids", None)
        return args, kwargs


def _make_loss_function(losses: DomainLosses, ids: _DomainIds) -> Callable[..., Tensor]:
    """Return the mean next-token loss of a step, as the model's own, that adds to ``losses``."""

    def compute_loss(
        outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        # In half precision the sum of exponentials over a vocabulary is coarse.
        logits = outputs["logits"][:, :-1].float()
        targets = labels[:, 1:].to(logits.device)
        by_token = F.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), reduction="none", ignore_index=IGNORED
        ).view(targets.shape)
        counted = targets != IGNORED
        if ids.latest is not None and torch.is_grad_enabled():  # evaluations do not count
            losses.add(by_token.detach(), ids.latest, counted)
        # Over all accumulated batches of the step, where the Trainer has counted them.
        total = counted.sum() if num_items_in_batch is None else num_items_in_batch
        return by_token.sum() / total

    return compute_loss


def _make_loader(trainer: Any, sampler: MixtureSampler, *, streams: bool) -> DataLoader[Any]:
    args = trainer.args
    how = {
        "num_workers": args.dataloader_num_workers,
        "pin_memory": args.dataloader_pin_memory,
        "prefetch_factor": args.dataloader_prefetch_factor,
        "persistent_workers": args.dataloader_persistent_workers,
    }
    own = trainer._get_collator_with_removed_columns(  # noqa: SLF001  as its own loader
        trainer.data_collator, description="training"
    )
    collate = _Collator(own)
    if streams:
        stream = MixtureDataset(trainer.train_dataset, sampler, collate)
        return DataLoader(stream, batch_size=None, **how)
    rows = WithDomains(trainer.train_dataset, sampler)
    return DataLoader(rows, batch_sampler=sampler, collate_fn=collate, **how)


class _Collator:
    """The Trainer's own collator, which sees no ``domain_ids``."""

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self._collate = collate

    def __call__(self, rows: list[dict[str, Any]]) -> Any:
        # Copies, or pop would change the rows of the user's data set.
        rows = [dict(row) for row in rows]
        ids = [row.pop("domain_ids") for row in rows]
        batch = self._collate(rows)
        batch["domain_ids"] = torch.tensor(ids)
        return batch
