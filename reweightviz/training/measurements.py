"""The costly signals: held-out losses, gradients and hypergradients, measured right after an update."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reweightviz.core.types import Array
from reweightviz.models.byte_transformer import ByteTransformer
from reweightviz.training.domain_stream import DomainStream
from reweightviz.training.proxy_data import Blocks, ProxyData, spread

RADIUS = 3e-3  # how far the finite difference goes; Betty's "darts" goes 0.01, whose error is ten times larger


class Update(NamedTuple):
    """An update that was made: its (B, L) sequences, their domains (B,), its learning rate, the parameters from before it."""

    sequences: Tensor
    domains: NDArray[np.int64]
    rate: float
    before: list[Tensor]


class Measurements:
    """Measures a model on training sequences in an order of their own and on the validation half of the held-out documents.

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
        self._model, self._batch, self._K = model, gradient_batch, len(data.domains)
        self._place = next(model.parameters()).device
        self._parameters = model.last_parameters(layers)
        self._probes = spread(data.validation, probe_blocks)
        # An order of their own: with the trainer's seed they would be the sequences that were just
        # trained on.
        self._training, self._validation = (
            DomainStream(data.training, (seed, 1)),
            DomainStream(data.validation, (seed, 2)),
        )

    def validation(self, batch: int) -> Tensor:
        """A fresh batch of validation sequences, the domains evenly."""
        return self._tensor(self._validation.draw(np.full(self._K, 1 / self._K), batch)[0])

    def parameters(self) -> list[Tensor]:
        """A copy of the parameters that gradients are taken of."""
        return [value.detach().clone() for value in self._parameters]

    def take(self, names: Collection[str], update: Update) -> dict[str, Array]:
        """The signals ``names``, each (K,), as they are after an update."""
        found: dict[str, Array] = {}
        if "held_out_loss" in names or "probe_loss" in names:
            found["held_out_loss"] = found["probe_loss"] = mean_losses(self._model, self._probes)
        if "gradient_products" in names or "gradient_norm" in names:
            found["gradient_products"], found["gradient_norm"] = self._gradients()
        if "hypergradient" in names:
            found["hypergradient"] = self._hypergradient(update)
        return {name: found[name] for name in names if name in found}

    def _gradients(self) -> tuple[Array, Array]:
        target = _flat(self._of_validation())
        own = [
            _flat(self._gradient(self._tensor(self._training.of(k, self._batch))))
            for k in range(self._K)
        ]
        return np.array([float(g @ target) for g in own]), np.array([float(g.norm()) for g in own])

    def _hypergradient(self, update: Update) -> Array:
        """-rate d/de loss_k(w + e v): v is the validation gradient where the update led to, w where it came from."""
        ahead = self._of_validation()
        length = float(_flat(ahead).norm())
        step, after = RADIUS / length if length > 0 else 1.0, self.parameters()
        losses = [self._losses_at(update, ahead, sign * step) for sign in (1, -1)]
        _put(self._parameters, after)
        return np.asarray(-update.rate * (losses[0] - losses[1]) / (2 * step), np.float64)

    @torch.no_grad()
    def _losses_at(self, update: Update, direction: tuple[Tensor, ...], step: float) -> Array:
        _put(
            self._parameters, [w + step * v for w, v in zip(update.before, direction, strict=True)]
        )
        return by_domain(
            self._model.token_losses(update.sequences).mean(1), update.domains, self._K
        )

    def _of_validation(self) -> tuple[Tensor, ...]:
        return self._gradient(self.validation(self._batch * self._K))

    def _gradient(self, sequences: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(self._model.token_losses(sequences).mean(), self._parameters)

    def _tensor(self, block: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(block.astype(np.int64)).to(self._place)


def by_domain(per_sequence: Tensor, domains: NDArray[np.int64], K: int) -> Array:
    """Mean (K,) of values (B,) over the sequences of each domain; NaN for a domain that has none."""
    counts = np.bincount(domains, minlength=K)
    sums = np.bincount(domains, per_sequence.double().cpu().numpy(), K)
    return np.asarray(np.divide(sums, counts, out=np.full(K, np.nan), where=counts > 0), np.float64)


@torch.no_grad()
def mean_losses(model: ByteTransformer, blocks: Blocks) -> Array:
    """Loss (K,) of a model on the sequences of each domain, in nats per byte."""
    place = next(model.parameters()).device
    was_training = model.training
    model.eval()
    losses = [
        float(model.token_losses(torch.from_numpy(block.astype(np.int64)).to(place)).mean())
        for block in blocks
    ]
    model.train(was_training)
    return np.array(losses)


def _flat(gradients: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([g.flatten() for g in gradients])


@torch.no_grad()
def _put(parameters: list[Tensor], values: list[Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)
