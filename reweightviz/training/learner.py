"""A model that learns: its optimiser, its learning rate, and one update."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reweightviz.core.errors import ReweightvizError
from reweightviz.models.byte_transformer import ByteTransformer

__all__ = ["Learner"]


class Learner:
    """AdamW on a proxy model; its rate warms up, then falls as a cosine to a tenth.

    Args:
        model: to train.
        rate: peak learning rate.
        steps: updates in all.
        accumulate: parts that a batch is split into to save memory; the update is that of the
            whole batch.
    """

    def __init__(
        self, model: ByteTransformer, rate: float, steps: int, accumulate: int = 1
    ) -> None:
        self.model = model
        self._accumulate = accumulate
        self._optimiser = torch.optim.AdamW(
            model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.1
        )
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimiser, lambda step: _share_of_peak(step, steps)
        )

    @property
    def rate(self) -> float:
        """Learning rate of the coming update."""
        return float(self._schedule.get_last_lr()[0])

    def update(
        self,
        sequences: Tensor,
        scales: NDArray[np.float64],
        *,
        validation: Tensor | None = None,
        alpha: float = 0.0,
    ) -> Tensor:
        """Update the model once; return its losses (B, L-1) from before.

        A batch in which every sequence counts 0 teaches nothing.

        Args:
            sequences: (B, L) to train on.
            scales: (B,) factors of the sequences in the loss.
            validation: (B, L) sequences; with them the objective is (L_validation + alpha
                L_training) / (1 + alpha). AdamW does not see the constant, clipping does.
            alpha: of that objective.

        Raises:
            ReweightvizError: a loss is not finite; the model stays as it was.
        """
        scale = torch.as_tensor(scales, dtype=torch.float32, device=sequences.device)
        total = float(scale.sum())
        share = 1.0 if validation is None else alpha / (1 + alpha)
        self._optimiser.zero_grad(set_to_none=True)
        parts = []
        for part, counts in zip(
            sequences.chunk(self._accumulate), scale.chunk(self._accumulate), strict=True
        ):
            losses = self.model.token_losses(part)
            if total > 0:
                # Divided by the total of the whole batch, so that its parts add up to its gradient.
                torch.autograd.backward((losses.mean(1) * counts).sum() / total * share)
            parts.append(losses.detach())
        if validation is not None:
            torch.autograd.backward(self.model.token_losses(validation).mean() / (1 + alpha))
        losses = torch.cat(parts)
        # Before the step: a NaN would stay in the parameters and in AdamW's moments.
        if not bool(torch.isfinite(losses).all()):
            raise ReweightvizError(
                f"the loss is no longer finite, at a learning rate of {self.rate:.3g}; "
                "take a lower rate."
            )
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimiser.step()
        self._schedule.step()
        return losses


def _share_of_peak(step: int, steps: int) -> float:
    """Return the learning rate of a step over its peak: a tenth of the steps is warm-up."""
    warm = max(steps // 10, 1)
    if step < warm:
        return (step + 1) / warm
    return 0.1 + 0.45 * (1 + float(np.cos(np.pi * (step - warm) / max(steps - warm, 1))))
