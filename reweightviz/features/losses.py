"""loss: how surprised a model is by every document."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from reweightviz.core.cache import cached
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import MissingPackage, ReweightvizError, UnmetNeed
from reweightviz.models.device import choose_device

ROWS = 512  # sequences a forward pass


def losses(
    corpus: Corpus,
    model: Any,
    *,
    label: str | None = None,
    longest: int = 256,
    device: str = "auto",
) -> Corpus:
    """Add column ``loss:<label>`` (N,): mean loss in nats per token under a byte-level model.

    An empty document gets NaN.

    Args:
        corpus: documents.
        model: the file of a :class:`reweightviz.training.ByteTransformer`; or a torch module with
            ``token_losses((B, L) bytes) -> (B, L-1)`` and ``config.context``, whose
            ``state_dict()`` is part of the cache's key.
        label: what the column is called after the colon; the name of the file, else "proxy".
        longest: bytes of a document that are read, from its beginning.
        device: torch device; "auto" takes CUDA where there is one.
    """
    try:
        import torch
    except ImportError:
        raise MissingPackage(package="torch", extra="torch", who="rv.losses") from None
    if isinstance(model, str | os.PathLike):
        label = label or Path(model).stem
        model = _load(Path(model))
    if not hasattr(model, "token_losses"):
        raise UnmetNeed(
            name="rv.losses",
            value=model,
            expected="a model with token_losses, such as rv.training.ByteTransformer",
            got=type(model).__name__,
        )
    weights = b"".join(
        value.detach().cpu().numpy().tobytes() for value in model.state_dict().values()
    )
    key = (corpus.digest("text"), hashlib.blake2b(weights, digest_size=12).hexdigest(), longest)
    place = choose_device(device)

    def compute() -> dict[str, NDArray[np.float32]]:
        sequences, owners, counts = _windows(corpus, model.config.context + 1, longest)
        sums = np.zeros(len(corpus))
        model.to(place)
        with torch.no_grad():
            for start in tqdm(range(0, len(sequences), ROWS), desc="losses", delay=1, leave=False):
                part = slice(start, start + ROWS)
                found = (
                    model.token_losses(torch.from_numpy(sequences[part].astype(np.int64)).to(place))
                    .cpu()
                    .numpy()
                )
                seen = np.arange(found.shape[1]) < counts[part, None]
                np.add.at(sums, owners[part], (found * seen).sum(1))
        total = np.bincount(owners, counts, len(corpus))
        mean = np.divide(sums, total, out=np.full(len(corpus), np.nan), where=total > 0)
        return {"loss": mean.astype(np.float32)}

    return corpus.with_column(f"loss:{label or 'proxy'}", cached("losses", key, compute)["loss"])


def _load(path: Path) -> Any:
    from reweightviz.models.byte_transformer import ByteTransformer

    if not path.exists():
        raise ReweightvizError(
            f"rv.losses found no model at {path}; 'proxy' is the demo's, a "
            "ByteTransformer can be passed itself."
        )
    return ByteTransformer.load(path)


def _windows(
    corpus: Corpus, length: int, longest: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Zero-padded sequences (S, length), the document of each, and how many next-byte losses of each count."""
    parts: list[bytes] = []
    owners: list[int] = []
    for row, text in enumerate(corpus.text(np.arange(len(corpus)))):
        data = text.encode("utf-8", "replace")[:longest]
        pieces = [data[start : start + length] for start in range(0, len(data), length - 1)]
        for piece in pieces:
            if len(piece) > 1:
                parts.append(piece)
                owners.append(row)
    counts = np.array([len(piece) - 1 for piece in parts], np.int64)
    padded = np.frombuffer(
        b"".join(piece.ljust(length, b"\0") for piece in parts), np.uint8
    ).reshape(-1, length)
    return padded, np.array(owners, np.int64), counts
