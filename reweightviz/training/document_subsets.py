"""Training on chosen documents: what a model that saw these, and no others, loses on a target."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array
from reweightviz.models.byte_transformer import ByteTransformer
from reweightviz.models.device import choose_device, repeatable
from reweightviz.training.domain_stream import SEPARATOR
from reweightviz.training.learner import Learner
from reweightviz.training.measurements import mean_losses
from reweightviz.training.train_config import TrainConfig

__all__ = ["DocumentSequences", "cut_documents", "train_on_documents"]


class DocumentSequences(NamedTuple):
    """Sequences of bytes, each of one document alone.

    Attributes:
        blocks: (S, length) bytes; the last of a document is filled up with zeros.
        owners: (S,) the row of each one's document.
    """

    blocks: NDArray[np.uint8]
    owners: NDArray[np.int64]


def cut_documents(corpus: Corpus, length: int, *, most: int = 8) -> DocumentSequences:
    """Cut every document into sequences of its own, at most ``most``, from its beginning."""
    parts: list[bytes] = []
    owners: list[int] = []
    for row, text in enumerate(corpus.text(np.arange(len(corpus)))):
        # A lone surrogate has no UTF-8.
        data = text.encode("utf-8", "replace")[: most * length]
        for start in range(0, len(data), length):
            parts.append(data[start : start + length].ljust(length, SEPARATOR))
            owners.append(row)
    blocks = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, length)
    return DocumentSequences(blocks, np.array(owners, np.int64))


def train_on_documents(
    sequences: DocumentSequences,
    subsets: Iterable[NDArray[np.bool_]],
    target: NDArray[np.uint8],
    config: TrainConfig,
    *,
    seeds: Iterable[int],
    masked: bool = False,
    device: str = "auto",
    progress: Callable[[], None] | None = None,
) -> Array:
    """Return the loss on the target (runs, seeds), nats per byte, of models trained on subsets.

    All runs take the steps of ``config``, so a smaller subset is seen more often.

    Args:
        sequences: of the corpus' N documents.
        subsets: of each run the documents (N,) that it may learn from.
        target: sequences (n, length) of bytes that no run learns from.
        config: of the training.
        seeds: of initial weights and order; each subset is trained once with each.
        masked: all runs see the same batches in the same order, and what is not in the subset
            counts nothing in the loss. Runs then differ by their documents alone, not by the order
            too, which is what small differences need.
        device: "auto" takes CUDA where there is one.
        progress: called after every run.

    Raises:
        ReweightvizError: a subset has no text to learn from.
    """
    place = choose_device(device)
    numbers = list(seeds)
    found = []
    for subset in subsets:
        chosen = subset[sequences.owners]
        if not chosen.any():
            raise ReweightvizError(
                "a run has no text to learn from; choose more documents, or longer ones."
            )
        row = []
        for seed in numbers:
            row.append(_train_once(sequences, chosen, target, config, seed, masked, place))
            if progress is not None:
                progress()
        found.append(row)
    return np.array(found, np.float64).reshape(-1, len(numbers))


def _train_once(
    sequences: DocumentSequences,
    chosen: NDArray[np.bool_],
    target: NDArray[np.uint8],
    config: TrainConfig,
    seed: int,
    masked: bool,
    place: torch.device,
) -> float:
    torch.manual_seed(seed)
    # Made on the CPU, so that a seed gives the same parameters on every device.
    model = ByteTransformer(config.model).to(place)
    learner = Learner(model, config.rate, config.steps, config.accumulate)
    rows = np.arange(len(chosen))
    if not masked:
        rows = np.flatnonzero(chosen)
    with repeatable(place):
        for batch in _draw(rows, config, seed):
            drawn = torch.from_numpy(sequences.blocks[batch].astype(np.int64)).to(place)
            learner.update(drawn, chosen[batch].astype(np.float64))
    return float(mean_losses(model.eval(), [target])[0])


def _draw(rows: NDArray[np.int64], config: TrainConfig, seed: int) -> NDArray[np.int64]:
    """Return the rows (steps, batch) of every step, each row once before any twice."""
    rng = np.random.default_rng(seed)
    needed = config.steps * config.batch
    epochs = -(-needed // len(rows))
    order = np.concatenate([rng.permutation(rows) for _ in range(epochs)])
    return order[:needed].reshape(config.steps, config.batch)
