"""The place of this process among those of a training."""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["find_rank", "find_worker", "is_leader"]


def find_rank() -> tuple[int, int]:
    """Return rank and number of ranks: of torch.distributed, else of the launcher, else 0 of 1."""
    # Looked up and not imported: the logger and the sampler need no torch.
    distributed: Any = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def find_worker() -> tuple[int, int]:
    """Return the number of this DataLoader worker and how many there are; 0 of 1 outside of one."""
    data: Any = sys.modules.get("torch.utils.data")
    if data is None or (info := data.get_worker_info()) is None:
        return 0, 1
    return info.id, info.num_workers


def is_leader(rank: int) -> bool:
    """Return whether this process decides for all: the first DataLoader worker of rank 0."""
    return rank == 0 and find_worker()[0] == 0
