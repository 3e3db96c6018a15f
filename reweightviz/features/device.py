"""Which device a torch model runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reweightviz.core.errors import ReweightvizError

if TYPE_CHECKING:
    import torch


def torch_device(name: str) -> torch.device:
    """The torch device ``name``; "auto" is CUDA where there is one.

    Raises:
        ReweightvizError: this machine has no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device  # a name alone does not say that the device is there
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ReweightvizError(f"this machine has no torch device {name!r}; 'auto', 'cpu' or, with a GPU, 'cuda' would do.") from error
