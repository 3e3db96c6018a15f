"""Which process of a training this is."""

from __future__ import annotations

import os
import sys
from typing import Any


def here() -> tuple[int, int]:
    """Rank and number of ranks: of torch.distributed where it runs, else what the launcher set, else 0 of 1."""
    distributed: Any = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def worker() -> tuple[int, int]:
    """Number of this DataLoader worker and how many there are; 0 of 1 outside of one."""
    data: Any = sys.modules.get("torch.utils.data")
    info = data.get_worker_info() if data is not None else None
    return (info.id, info.num_workers) if info is not None else (0, 1)
