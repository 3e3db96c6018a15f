"""Where a training runs, and how its results come out the same every time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from reweightviz.core.errors import ReweightvizError


def choose(name: str) -> torch.device:
    """The torch device of a name; "auto" is CUDA where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise ReweightvizError(f"no torch device {name!r}; 'auto', 'cpu' or 'cuda' would do.") from error


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Kernels that give the same bits every time; on CUDA they are not the default, which comes back afterwards."""
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it torch refuses matrix products in this mode
    before, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warns)
