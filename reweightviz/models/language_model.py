"""A causal language model, whatever it is made of: token ids, hidden states, and token losses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

__all__ = ["BYTES", "LOGITS", "LanguageModel", "Tokens", "pad", "weights_digest"]


BYTES = "utf-8 bytes"
"""What the tokens of a byte model are called."""
LOGITS = 64 << 20
"""Bytes of logits that are held at once; with their softmax it is three times as many."""

Tokens = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A model on its device, in evaluation mode.

    Attributes:
        name: what it is called in labels.
        module: the torch module.
        tokenizer: what counts its tokens, in words.
        context: tokens that it reads at once, at most.
        width: D, of its hidden states.
        vocabulary: V, how many tokens there are.
        stamp: changes when the weights or the tokenizer do; results are cached by it.
        encode: texts to token ids, special tokens as the tokenizer adds them.
        hidden: ids (B, L), padded on the right, to last hidden states (B, L, D); what a causal
            model makes of a token does not depend on what stands behind it.
        head: hidden states (n, D) to logits (n, V).
    """

    name: str
    module: nn.Module
    tokenizer: str
    context: int
    width: int
    vocabulary: int
    stamp: str
    encode: Callable[[Sequence[str]], list[Tokens]]
    hidden: Callable[[Tensor], Tensor]
    head: Callable[[Tensor], Tensor]

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.module.parameters()).device

    @property
    def is_bytes(self) -> bool:
        """Whether its tokens are the bytes of a text."""
        return self.tokenizer == BYTES

    @property
    def parameters_count(self) -> int:
        """Number of parameters."""
        return sum(p.numel() for p in self.module.parameters())

    def token_losses(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the loss (B, L-1) of every next token in nats, float32; 0 where there is none.

        Logits are made for real tokens alone, ``LOGITS`` bytes at a time, forwards and backwards.

        Args:
            ids: (B, L) tokens, padded on the right with any.
            mask: (B, L) bool, true for tokens.
        """
        real = mask[:, 1:]
        if not real.any():
            return torch.zeros(real.shape, device=ids.device)
        states = self.hidden(ids[:, :-1])[real]
        found = self._cross_entropy(states, ids[:, 1:][real])
        return torch.zeros(real.shape, device=ids.device).masked_scatter(real, found)

    @torch.no_grad()
    def measure_losses(self, rows: Sequence[Tokens]) -> NDArray[np.float32]:
        """Return the losses (B, L-1) of sequences of tokens as an array."""
        ids, mask = pad(rows, self.device)
        return np.asarray(self.token_losses(ids, mask).cpu(), np.float32)

    def _cross_entropy(self, states: Tensor, targets: Tensor) -> Tensor:
        """Return the loss (n,) of every target, chunk by chunk."""
        rows = max(1, LOGITS // (4 * self.vocabulary))
        parts = []
        chunks = zip(torch.split(states, rows), torch.split(targets, rows), strict=True)
        for some, aims in chunks:
            if torch.is_grad_enabled() and some.requires_grad:
                # The logits are made again on the way back instead of being kept.
                parts.append(checkpoint(self._chunk_losses, some, aims, use_reentrant=False))
            else:
                parts.append(self._chunk_losses(some, aims))
        return torch.cat(parts)

    def _chunk_losses(self, states: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(self.head(states).float(), targets, reduction="none")


def pad(rows: Sequence[Tokens], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return ids (B, L), padded with zeros on the right, and their mask (B, L)."""
    length = max(map(len, rows), default=0)
    ids = np.zeros((len(rows), length), np.int64)
    mask = np.zeros((len(rows), length), bool)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = True
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)


def weights_digest(module: Any) -> str:
    """Return a short hash of a module's weights."""
    total = hashlib.blake2b(digest_size=12)
    for value in module.state_dict().values():
        total.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
