"""loss: the mean loss of every document under a model."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.cache import compute_once
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import MissingPackage, ReweightvizError, UnmetNeed

__all__ = ["losses"]


_ENDINGS = (".npz", ".pt", ".pth", ".bin", ".safetensors")
"""Of files of models, which are no part of their names."""


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
        from reweightviz.models.device import choose_device
        from reweightviz.models.sequence_losses import sequence_losses, weights_digest
    except ImportError:
        raise MissingPackage(package="torch", extra="torch", who="rv.losses") from None
    if isinstance(model, str | os.PathLike):
        label = label or _label_of(Path(model))
        model = _load(Path(model))
    if not hasattr(model, "token_losses"):
        raise UnmetNeed(
            name="rv.losses",
            value=model,
            expected="a model with token_losses, such as rv.training.ByteTransformer",
            got=type(model).__name__,
        )
    place = choose_device(device)

    def compute() -> dict[str, NDArray[np.float32]]:
        cut = _cut(corpus, model.config.context + 1, longest)
        return {"loss": _mean_losses(cut, sequence_losses(model, cut.sequences, place))}

    key = (corpus.digest("text"), weights_digest(model), longest)
    column = compute_once("losses", key, compute)["loss"]
    return corpus.with_column(f"loss:{label or 'proxy'}", column)


def _label_of(path: Path) -> str:
    """Return the name of a file without its ending: "proxy-1.7b" is a name with a dot."""
    if path.suffix in _ENDINGS:
        return path.stem
    return path.name


def _load(path: Path) -> Any:
    from reweightviz.models.byte_transformer import ByteTransformer

    if not path.exists():
        raise ReweightvizError(
            f"rv.losses found no model at {path}; 'proxy' is the demo's, a "
            "ByteTransformer can be passed itself."
        )
    return ByteTransformer.load(path)


class _Cut(NamedTuple):
    """Documents cut into sequences.

    Attributes:
        sequences: (S, length) bytes, zeros behind the last.
        owners: (S,) the row of each one's document.
        counts: (S,) how many next bytes each has.
        documents: N.
    """

    sequences: NDArray[np.uint8]
    owners: NDArray[np.int64]
    counts: NDArray[np.int64]
    documents: int


def _cut(corpus: Corpus, length: int, longest: int) -> _Cut:
    """Cut documents so that every byte but the first of a document is predicted once."""
    parts: list[bytes] = []
    owners: list[int] = []
    for row, text in enumerate(corpus.text(np.arange(len(corpus)))):
        data = text.encode("utf-8", "replace")[:longest]
        # Sequences overlap by one byte: the last of one is the first of the next.
        for start in range(0, len(data) - 1, length - 1):
            parts.append(data[start : start + length])
            owners.append(row)
    padded = b"".join(part.ljust(length, b"\0") for part in parts)
    return _Cut(
        np.frombuffer(padded, np.uint8).reshape(-1, length),
        np.array(owners, np.int64),
        np.array([len(part) - 1 for part in parts], np.int64),
        len(corpus),
    )


def _mean_losses(
    cut: _Cut, batches: Iterable[tuple[slice, NDArray[np.float32]]]
) -> NDArray[np.float32]:
    """Return the mean loss of every document (N,), NaN for an empty one."""
    sums = np.zeros(cut.documents)
    for rows, found in batches:
        # The padding after a sequence has losses too, which count for nothing.
        is_real = np.arange(found.shape[1]) < cut.counts[rows, None]
        np.add.at(sums, cut.owners[rows], (found * is_real).sum(1))
    counts = np.bincount(cut.owners, cut.counts, cut.documents)
    mean = np.full(cut.documents, np.nan)
    np.divide(sums, counts, out=mean, where=counts > 0)
    return mean.astype(np.float32)
