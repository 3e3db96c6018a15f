"""Selection: which documents, with which weight, in which order, and how they were chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Selection"]


@dataclass(frozen=True, eq=False)
class Selection:
    """Documents chosen from a corpus.

    Args:
        rows: (n,) int64, in pick order, unique.
        ids: (n,) the documents' ids, the only thing that leaves.
        how: the method and its parameters.
        weight: (n,) weights, or None when all count the same.
    """

    rows: NDArray[np.int64]
    ids: NDArray[np.object_]
    how: Mapping[str, Any] = field(default_factory=dict)
    weight: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Selection({len(self):,} documents, {dict(self.how)})"
