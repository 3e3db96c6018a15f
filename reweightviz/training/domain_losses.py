"""The loss of each domain from those of tokens, by sums and counts: never a mean of means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reweightviz.core.errors import InvalidValue, ReweightvizError

__all__ = ["DomainLosses", "DomainSums", "domain_loss"]


class DomainSums(NamedTuple):
    """Summed loss in nats and number of tokens, each (K,) float64."""

    loss: Tensor
    tokens: Tensor


@torch.no_grad()
def domain_loss(
    token_losses: Tensor, domain_ids: Tensor, domains: int, mask: Tensor | None = None
) -> DomainSums:
    """Sum the losses of the tokens of each domain; ``loss / tokens`` is the mean.

    Args:
        token_losses: (B, L) in nats; or (B,) or any shape that domain_ids begins.
        domain_ids: whole numbers below ``domains``, a sequence's (B,) or a token's (B, L).
        domains: number of domains, K.
        mask: true for each token that counts, as token_losses; all when not given.

    Raises:
        ReweightvizError: shapes that do not agree, or an id of no domain.

    Example:
        >>> losses, ids = torch.tensor([[1.0, 3.0], [5.0, 9.0]]), torch.tensor([0, 1])
        >>> sums = domain_loss(losses, ids, 2, mask=torch.tensor([[1, 1], [1, 0]]))
        >>> (sums.loss / sums.tokens).tolist()
        [2.0, 5.0]
    """
    _check_shapes(token_losses, domain_ids, mask)
    missing = token_losses.ndim - domain_ids.ndim
    ids = domain_ids.to(token_losses.device).long().reshape(*domain_ids.shape, *[1] * missing)
    ids = ids.expand(token_losses.shape).reshape(-1)
    if len(ids):
        # Unchecked, a wrong id on a GPU is a device-side assertion, after which no call works.
        _check_ids(int(ids.min()), int(ids.max()), domains)
    # Apple's GPU has no float64.
    exact = torch.float32 if token_losses.device.type == "mps" else torch.float64
    counted = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.reshape(-1).bool()
    # By where, not by a product: a masked loss may be NaN.
    losses = torch.where(counted, token_losses.reshape(-1).to(exact), 0)
    empty = torch.zeros(domains, dtype=exact, device=token_losses.device)
    return DomainSums(empty.index_add(0, ids, losses), empty.index_add(0, ids, counted.to(exact)))


class DomainLosses:
    """Losses added up over batches and steps; ``take`` reduces over all ranks and begins anew.

    Args:
        domains: names (K,).

    Example:
        >>> losses = DomainLosses(["web", "code"])
        >>> for batch in ([[1.0, 2.0]], [[6.0]]):
        ...     losses.add(torch.tensor(batch), torch.tensor([0]))
        >>> taken = losses.take()
        >>> taken["loss"].tolist(), taken["drawn_tokens"].tolist()
        ([3.0, nan], [3.0, 0.0])
    """

    def __init__(self, domains: Sequence[str]) -> None:
        self.domains = tuple(domains)
        self._sums: Tensor | None = None

    def add(self, token_losses: Tensor, domain_ids: Tensor, mask: Tensor | None = None) -> None:
        """Count a batch; the arguments are those of :func:`domain_loss`."""
        sums = torch.stack(domain_loss(token_losses, domain_ids, len(self.domains), mask))
        if self._sums is not None:
            sums = sums + self._sums
        self._sums = sums

    def take(self) -> dict[str, NDArray[np.float64]]:
        """Return ``loss`` and ``drawn_tokens``, (K,) each, over all ranks since the last time.

        The loss is a mean in nats per token, NaN where nothing was seen. Every rank must call it,
        as often as the others.
        """
        sums = self._sums
        if sums is None:
            # A rank that has seen nothing must take part in the reduction all the same.
            sums = torch.zeros(2, len(self.domains), dtype=torch.float64)
        self._sums = None
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            if torch.distributed.get_backend() == "nccl" and sums.device.type == "cpu":
                sums = sums.to("cuda")  # of a rank that has seen nothing; nccl reduces no other
            torch.distributed.all_reduce(sums)
        loss, tokens = sums.cpu().double().numpy()
        return {
            "loss": np.divide(loss, tokens, out=np.full(len(tokens), np.nan), where=tokens > 0),
            "drawn_tokens": tokens,
        }


def _check_shapes(token_losses: Tensor, domain_ids: Tensor, mask: Tensor | None) -> None:
    begins = token_losses.shape[: domain_ids.ndim] == domain_ids.shape
    if not begins or (mask is not None and mask.shape != token_losses.shape):
        shape_of_mask = None if mask is None else tuple(mask.shape)
        raise ReweightvizError(
            "domain_ids are one a sequence or one a token, and a mask is one a token; got losses "
            f"{tuple(token_losses.shape)}, ids {tuple(domain_ids.shape)}, mask {shape_of_mask}."
        )


def _check_ids(least: int, most: int, domains: int) -> None:
    if least < 0 or most >= domains:
        raise InvalidValue(
            name="domain_ids",
            value=(least, most),
            expected=f"0 to {domains - 1}",
            got=f"{least} to {most}",
        )
