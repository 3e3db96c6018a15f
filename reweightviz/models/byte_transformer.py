"""The proxy model: a small byte-level transformer."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reweightviz.core.array_file import read_arrays
from reweightviz.core.errors import UnreadableFile, WrongContent
from reweightviz.core.files import write_atomically

__all__ = ["VOCABULARY", "ByteTransformer", "ModelConfig"]


VOCABULARY = 256


@dataclass(frozen=True)
class ModelConfig:
    """Size of a proxy model; the default has 0.4M parameters.

    Args:
        width: size of the residual stream.
        layers: number of blocks.
        heads: attention heads a block.
        context: bytes a sequence.
    """

    width: int = 96
    layers: int = 3
    heads: int = 4
    context: int = 128


class ByteTransformer(nn.Module):
    """Pre-norm decoder over bytes with learned positions and tied embeddings.

    ``forward`` takes (B, L) int64 bytes and returns (B, L, 256) logits of the next byte.
    """

    def __init__(self, config: ModelConfig = ModelConfig()) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(VOCABULARY, config.width)
        self.place = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        # As in GPT-2: tied to the output, torch's N(0, 1) would make the first logits huge.
        for table in (self.embed, self.place):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits of the next byte."""
        return F.linear(self.hidden(tokens), self.embed.weight)

    def hidden(self, tokens: Tensor) -> Tensor:
        """Return the last hidden states (B, L, width) of (B, L) bytes."""
        x = self.embed(tokens) + self.place.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        normed: Tensor = self.norm(x)
        return normed

    def token_losses(self, sequences: Tensor) -> Tensor:
        """Return the loss (B, L-1) of every next byte of (B, L) sequences, in nats."""
        logits = self(sequences[:, :-1]).flatten(0, 1)
        found = F.cross_entropy(logits, sequences[:, 1:].flatten(), reduction="none")
        return found.view(len(sequences), -1)

    @property
    def parameters_count(self) -> int:
        """Number of trained parameters."""
        return sum(p.numel() for p in self.parameters())

    def last_parameters(self, layers: int | None = None) -> list[Tensor]:
        """Return the parameters of the last ``layers`` blocks and the final norm, or all."""
        if layers is None:
            return list(self.parameters())
        last = [*self.blocks[max(len(self.blocks) - layers, 0) :], self.norm]
        return [parameter for part in last for parameter in part.parameters()]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write weights as float16 in an .npz file, whole or not at all."""
        arrays: dict[str, Any] = {
            name: value.detach().cpu().numpy().astype(np.float16)
            for name, value in self.state_dict().items()
        }
        for name, value in asdict(self.config).items():
            arrays[f"config.{name}"] = np.int64(value)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        return write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ByteTransformer:
        """Read what :meth:`save` wrote.

        Raises:
            ReweightvizError: there is no such file, or something else is in it.
        """
        try:
            arrays = read_arrays(path)
            settings: dict[str, int] = {}
            weights = {}
            for name, values in arrays.items():
                part, _, field = name.partition(".")
                if part == "config":
                    settings[field] = int(values)
                else:
                    weights[name] = torch.from_numpy(values.astype(np.float32))
            model = cls(ModelConfig(**settings))
            model.load_state_dict(weights)
        except OSError as error:
            raise UnreadableFile(path=path, reason=error.strerror or error) from error
        except _OTHER_CONTENT as error:
            raise WrongContent(
                path=path, reason="is no proxy model; a model is what ByteTransformer.save writes"
            ) from error
        return model.eval()


_OTHER_CONTENT = (
    ValueError,
    TypeError,
    AttributeError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Errors of NumPy and torch over a file that holds something else than a model."""


class _Block(nn.Module):
    """Attention and a perceptron, each added to the residual stream (B, L, width)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)
        self.mlp_norm = nn.LayerNorm(config.width)
        self.up = nn.Linear(config.width, 4 * config.width)
        self.down = nn.Linear(4 * config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        heads = self.qkv(self.attention_norm(x)).view(batch, length, 3, self.heads, -1)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # (3, B, heads, L, width of a head)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        out: Tensor = x + self.down(F.gelu(self.up(self.mlp_norm(x))))
        return out
