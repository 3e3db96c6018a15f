"""Losses of a byte-level model on many sequences: batch by batch, without gradients."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reweightviz.core.progress import tqdm

__all__ = ["ROWS", "sequence_losses", "weights_digest"]


ROWS = 512  # sequences a forward pass


def sequence_losses(
    model: Any, sequences: NDArray[np.uint8], device: torch.device
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield the loss of every next byte of (S, L) sequences, in nats.

    Args:
        model: such as :class:`reweightviz.models.byte_transformer.ByteTransformer`.
        sequences: (S, L) bytes.
        device: where the model runs; it stays there.

    Yields:
        Which sequences, and their losses (B, L - 1).
    """
    model.to(device)
    for start in tqdm(range(0, len(sequences), ROWS), desc="losses", delay=1, leave=False):
        rows = slice(start, start + ROWS)
        batch = torch.from_numpy(sequences[rows].astype(np.int64)).to(device)
        # Around the pass alone: a generator that waits must not switch its caller's gradients off.
        with torch.no_grad():
            losses = model.token_losses(batch)
        yield rows, losses.cpu().numpy()


def weights_digest(model: Any) -> str:
    """Return a short hash of a model's weights, by which results of it are cached."""
    total = hashlib.blake2b(digest_size=12)
    for value in model.state_dict().values():
        total.update(value.detach().cpu().numpy().tobytes())
    return total.hexdigest()
