"""The costly signals: held-out losses, gradients and hypergradients, right after an update."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reweightviz.core.types import Array
from reweightviz.models.byte_transformer import ByteTransformer
from reweightviz.training.domain_stream import Blocks, DomainStream
from reweightviz.training.proxy_data import ProxyData, thin_out

__all__ = ["RADIUS", "Measurements", "Update", "average_by_domain", "mean_losses", "move_to"]


RADIUS = 3e-3
"""Length of a finite difference; Betty's "darts" goes 0.01, whose error is ten times larger."""


class Update(NamedTuple):
    """An update: its (B, L) sequences, their domains (B,), its rate, the parameters before it."""

    sequences: Tensor
    domains: NDArray[np.int64]
    rate: float
    before: list[Tensor]


class Measurements:
    """The costly signals of a model.

    Gradients of the domains are taken on training sequences in an order of their own, all else is
    measured on the validation half of the held-out documents.

    Args:
        data: sequences of K domains.
        model: to measure; its parameters are the same before and after.
        probe_blocks: validation sequences a domain for its loss, the same ones every time.
        gradient_batch: sequences a domain for a gradient, other ones every time.
        layers: gradients of the last so many blocks and the final norm only, which is cheaper;
            None means all parameters.
        seed: of what is drawn.
    """

    def __init__(
        self,
        data: ProxyData,
        model: ByteTransformer,
        *,
        probe_blocks: int,
        gradient_batch: int,
        layers: int | None,
        seed: int,
    ) -> None:
        self._model = model
        self._batch = gradient_batch
        self._K = len(data.domains)
        self._parameters = model.last_parameters(layers)
        self._probes = thin_out(data.validation, probe_blocks)
        # With the trainer's seed they would be the sequences that were just trained on.
        self._training = DomainStream(data.training, (seed, 1))
        self._validation = DomainStream(data.validation, (seed, 2))

    def draw_validation(self, batch: int) -> Tensor:
        """Draw a fresh batch of validation sequences, the domains evenly."""
        block, _ = self._validation.draw(np.full(self._K, 1 / self._K), batch)
        return move_to(self._model, block)

    def copy_parameters(self) -> list[Tensor]:
        """Copy the parameters that gradients are taken of."""
        return [value.detach().clone() for value in self._parameters]

    def take(self, names: Collection[str], update: Update) -> dict[str, Array]:
        """Measure the signals ``names``, each (K,), as they are after an update."""
        found: dict[str, Array] = {}
        if "held_out_loss" in names or "probe_loss" in names:
            # One measurement, under the two names that mixers have for it.
            found["held_out_loss"] = found["probe_loss"] = mean_losses(self._model, self._probes)
        if "gradient_products" in names or "gradient_norm" in names:
            found["gradient_products"], found["gradient_norm"] = self._compare_gradients()
        if "hypergradient" in names:
            found["hypergradient"] = self._differentiate_through(update)
        return {name: found[name] for name in names if name in found}

    def _compare_gradients(self) -> tuple[Array, Array]:
        """Return each domain's product with the validation gradient (K,), and its length (K,)."""
        target = _flatten(self._take_validation_gradient())
        own = []
        for k in range(self._K):
            sequences = move_to(self._model, self._training.take(k, self._batch))
            own.append(_flatten(self._take_gradient(sequences)))
        products = np.array([float(gradient @ target) for gradient in own])
        return products, np.array([float(gradient.norm()) for gradient in own])

    def _differentiate_through(self, update: Update) -> Array:
        """Return ``-rate d/de loss_k(w + e v)``, (K,).

        w are the parameters from before the update, v the validation gradient after it.
        """
        ahead = self._take_validation_gradient()
        length = float(_flatten(ahead).norm())
        # The radius is a distance among the parameters, so a longer gradient takes a smaller step.
        step = RADIUS / length if length > 0 else 1.0
        after = self.copy_parameters()
        # A central difference, whose error is of second order.
        up = self._measure_losses(update, ahead, step)
        down = self._measure_losses(update, ahead, -step)
        _put(self._parameters, after)
        return np.asarray(-update.rate * (up - down) / (2 * step), np.float64)

    @torch.no_grad()
    def _measure_losses(self, update: Update, direction: tuple[Tensor, ...], step: float) -> Array:
        moved = [w + step * v for w, v in zip(update.before, direction, strict=True)]
        _put(self._parameters, moved)
        losses = self._model.token_losses(update.sequences).mean(1)
        return average_by_domain(losses, update.domains, self._K)

    def _take_validation_gradient(self) -> tuple[Tensor, ...]:
        return self._take_gradient(self.draw_validation(self._batch * self._K))

    def _take_gradient(self, sequences: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(self._model.token_losses(sequences).mean(), self._parameters)


def average_by_domain(per_sequence: Tensor, domains: NDArray[np.int64], K: int) -> Array:
    """Return the mean (K,) of values (B,) over the sequences of each domain, NaN without any."""
    counts = np.bincount(domains, minlength=K)
    sums = np.bincount(domains, per_sequence.double().cpu().numpy(), K)
    return np.asarray(np.divide(sums, counts, out=np.full(K, np.nan), where=counts > 0), np.float64)


@torch.no_grad()
def mean_losses(model: ByteTransformer, blocks: Blocks) -> Array:
    """Return the loss (K,) of a model on the sequences of each domain, in nats per byte."""
    was_training = model.training
    model.eval()
    losses = [float(model.token_losses(move_to(model, block)).mean()) for block in blocks]
    model.train(was_training)
    return np.array(losses)


def move_to(model: ByteTransformer, block: NDArray[np.uint8]) -> Tensor:
    """Return sequences of bytes as whole numbers on the model's device."""
    return torch.from_numpy(block.astype(np.int64)).to(next(model.parameters()).device)


def _flatten(gradients: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([gradient.flatten() for gradient in gradients])


@torch.no_grad()
def _put(parameters: list[Tensor], values: list[Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)
