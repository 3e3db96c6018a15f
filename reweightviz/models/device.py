"""The torch device that a model runs on, and results that are the same every time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reweightviz.core.errors import ReweightvizError

if TYPE_CHECKING:
    import torch

__all__ = ["choose_device", "repeatable"]


def choose_device(name: str | torch.device) -> torch.device:
    """Return the torch device of a name; "auto" is CUDA where there is one.

    Raises:
        ReweightvizError: this machine has no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        # A name alone is no proof that the device is there: an array on it is.
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ReweightvizError(
            f"this machine has no torch device {str(name)!r:.60}; "
            "'auto', 'cpu' or, with a GPU, 'cuda' would do."
        ) from error


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Run with kernels that give the same bits every time.

    On CUDA they are not the default, which comes back afterwards.
    """
    import torch

    if device.type != "cuda":
        yield
        return
    # Without it torch refuses matrix products in this mode.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warns)
