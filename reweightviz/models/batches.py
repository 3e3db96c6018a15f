"""Batches of sequences of like length, as large as the memory and the cache like them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, warn
from reweightviz.core.progress import tqdm

__all__ = ["Rows", "choose_budget", "plan_batches", "run_batches"]


Rows = NDArray[np.int64]
T = TypeVar("T")

CACHE = 16 << 20
"""Bytes of activations in a batch on a CPU: more do not stay in its cache."""
FEWEST = 2048
"""Tokens a batch at least: with fewer, reading the weights takes longer than using them."""
GPU_SHARE = 0.25
"""Share of a GPU's memory for the activations of a batch."""
LIVE = 24
"""Values a token and unit of width that a forward pass holds at once: attention and perceptron."""
FULL_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def choose_budget(device: torch.device, width: int, *, item: int = 4) -> int:
    """Return how many tokens a batch may have, padding counted.

    It depends on the device and the model alone, so that the same run makes the same batches.

    Args:
        device: where the model runs.
        width: of its hidden states.
        item: bytes of a value.
    """
    room = float(CACHE)
    if device.type == "cuda":
        room = GPU_SHARE * torch.cuda.get_device_properties(device).total_memory
    return int(np.clip(room // (LIVE * item * width), FEWEST, 1 << 17))


def plan_batches(lengths: Sequence[int] | Rows, budget: int) -> list[Rows]:
    """Return batches of rows, the longest first, each within so many tokens with its padding.

    A batch of rows of one length has no padding; the first batch needs the most memory, so that
    what does not fit fails at once.

    >>> [batch.tolist() for batch in plan_batches([5, 2, 9, 2, 4], 10)]
    [[2], [0, 4], [1, 3]]
    """
    sizes = np.asarray(lengths, np.int64)
    order = np.argsort(-sizes, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        longest = max(1, int(sizes[order[start]]))
        stop = start + max(1, budget // longest)
        batches.append(order[start:stop])
        start = stop
    return batches


def run_batches(
    lengths: Sequence[int] | Rows,
    budget: int,
    work: Callable[[Rows], T],
    *,
    what: str,
) -> Iterator[tuple[Rows, T]]:
    """Yield the rows of every batch and what ``work`` made of them.

    Where the memory does not suffice, the batch is halved, and the batches behind it too. A bar
    counts tokens.

    Args:
        lengths: (S,) tokens of each sequence.
        budget: tokens a batch, padding counted.
        work: rows of a batch to a result.
        what: is done, for the bar.

    Raises:
        ReweightvizError: one sequence alone does not fit.
    """
    sizes = np.asarray(lengths, np.int64)
    waiting = plan_batches(sizes, budget)[::-1]
    total = int(sizes.sum())
    with tqdm(total=total, desc=what, unit="token", unit_scale=True, delay=1, leave=False) as bar:
        while waiting:
            rows = waiting.pop()
            try:
                found = work(rows)
            except (RuntimeError, MemoryError) as error:
                if not _is_full(error):
                    raise
                waiting = _halve(rows, waiting, sizes, error)
                continue
            bar.update(int(sizes[rows].sum()))
            yield rows, found


def _is_full(error: Exception) -> bool:
    words = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        part in words for part in FULL_MEMORY
    )


def _halve(rows: Rows, waiting: list[Rows], sizes: Rows, error: Exception) -> list[Rows]:
    """Return the batches that are left, this one first, each at most half as large as it was."""
    if len(rows) == 1:
        raise ReweightvizError(
            f"a sequence of {int(sizes[rows[0]]):,} tokens alone does not fit into the memory; "
            "read less of a document at once, longest=."
        ) from error
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    smaller = max(1, len(rows) // 2) * int(sizes[rows].max())
    warn(
        f"the memory is full with {len(rows)} sequences a batch: it goes on with at most "
        f"{smaller:,} tokens a batch."
    )
    left = np.concatenate([rows, *waiting[::-1]])
    return [left[batch] for batch in plan_batches(sizes[left], smaller)][::-1]
