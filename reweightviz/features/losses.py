"""loss: how surprised a language model is by every document, and by every token of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reweightviz.core.cache import Arrays
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import MissingPackage, ReweightvizError, UnknownName, warn
from reweightviz.core.types import Single
from reweightviz.core.validation import whole_number
from reweightviz.features._parts import compute_in_parts, plan_parts

if TYPE_CHECKING:
    from reweightviz.models.language_model import LanguageModel

__all__ = ["LONG", "WINDOW", "losses"]


LONG = ("truncate", "chunk", "refuse")
"""What may be done with a document of more tokens than ``longest``."""
WINDOW = 2048
"""Tokens that a model reads at once, at most."""
SHORT = 256
"""Bytes of a document that a byte model reads when nothing is said."""
PART = {"cuda": 2e16}
"""Operations on a device that make a part of a minute or two; elsewhere ``PART_CPU``."""
PART_CPU = 2e13


def losses(
    corpus: Corpus,
    model: Any,
    *,
    label: str | None = None,
    tokens: bool = False,
    longest: int | None = None,
    long: str = "truncate",
    tokenizer: Any = None,
    device: str = "auto",
    dtype: str = "auto",
    remote_code: bool = False,
) -> Corpus:
    """Add column ``loss:<label>`` (N,): mean loss in nats per token under a language model.

    The mean is over the document's tokens but the first. A document with fewer than two has NaN. A
    long run is kept part by part: one that was cut short goes on where it was.

    Args:
        corpus: documents.
        model: the file of a :class:`reweightviz.training.ByteTransformer`, or one itself; a path or
            name of Hugging Face (safetensors); or a causal model of transformers with
            ``tokenizer``.
        label: what the column is called after the colon; the model's name when not given.
        tokens: also add ``token_loss:<label>`` (N,), the lists of all tokens' losses.
        longest: tokens of a document that are read, from its beginning; as many as the model reads
            at once when not given, 256 bytes of a byte model.
        long: what is done with a longer one: "truncate" reads its beginning, "chunk" reads all of
            it, in pieces as long as the model reads at once, "refuse" raises an error. How many
            were truncated stands in ``corpus.recipes``.
        tokenizer: of a model of transformers; its own when not given.
        device: torch device; "auto" takes CUDA where there is one.
        dtype: of the weights; "auto" is bfloat16 on CUDA and float32 elsewhere. Losses are
            computed in float32 from the logits in any case.
        remote_code: whether code that comes with a model may run here.

    Raises:
        ReweightvizError: no such model or device, or a document is too long.
    """
    if long not in LONG:
        raise UnknownName(kind="long of rv.losses", name=str(long), known=LONG)
    if longest is not None:
        longest = whole_number("longest", longest, 2)
    try:
        from reweightviz.models.load_model import load_language_model, name_model
    except ImportError:
        raise MissingPackage(package="torch", extra="torch", who="rv.losses") from None
    loaded = load_language_model(
        model, tokenizer=tokenizer, device=device, dtype=dtype, remote_code=remote_code
    )
    cut = _Cut(loaded, longest, long)
    key = (corpus.digest("text"), loaded.stamp, dtype, cut.most, long, tokens)
    parts = plan_parts(corpus, cut.most_bytes, _part_bytes(loaded))
    found = compute_in_parts(
        "losses", key, parts, lambda rows: _compute_part(corpus, rows, loaded, cut, tokens)
    )
    name = label or name_model(model)
    recipe = {
        "verb": "losses",
        "model": os.fspath(model) if isinstance(model, str | os.PathLike) else None,
        "stamp": loaded.stamp,
        "tokenizer": loaded.tokenizer,
        "options": {"longest": longest, "long": long, "tokens": tokens, "dtype": dtype},
        "truncated": int(found["truncated"].sum()),
        "missing": int(np.isnan(found["loss"]).sum()),
    }
    _tell_bad(found, name)
    scored = corpus.with_column(f"loss:{name}", found["loss"], recipe=recipe)
    if tokens:
        lists = _make_lists(found["values"], found["counts"])
        scored = scored.with_column(f"token_loss:{name}", lists, recipe=recipe)
    return scored


class _Cut:
    """How documents are cut into the sequences that a model reads."""

    def __init__(self, model: LanguageModel, longest: int | None, long: str) -> None:
        self.long = long
        # One more than is predicted: the first token is only read.
        self.window = min(model.context, WINDOW) + 1
        self._is_bytes = model.is_bytes
        self.most = longest or (SHORT if self._is_bytes else self.window - 1)

    @property
    def most_bytes(self) -> int:
        """Bytes of a document that are read, by a usual length of a token."""
        if self.long == "chunk":
            return 1 << 62
        return self.most if self._is_bytes else 4 * self.most

    def cut(self, documents: Sequence[NDArray[np.int64]]) -> Iterator[_Piece]:
        """Yield sequences so that every token but a document's first is predicted once."""
        for row, ids in enumerate(documents):
            if len(ids) > self.most and self.long == "refuse":
                raise ReweightvizError(
                    f"a document has {len(ids):,} tokens, more than {self.most:,}: long='chunk' "
                    "reads all of it, long='truncate' its beginning."
                )
            kept = ids if self.long == "chunk" else ids[: self.most]
            for start in range(0, len(kept) - 1, self.window - 1):
                yield _Piece(row, start, kept[start : start + self.window])


class _Piece(NamedTuple):
    """A sequence of a document: its row, where it begins there, and its tokens."""

    row: int
    start: int
    ids: NDArray[np.int64]


def _part_bytes(model: LanguageModel) -> float:
    """Return bytes of text a part: its work takes a minute or two."""
    tokens = PART.get(model.device.type, PART_CPU) / (2 * model.parameters_count)
    return tokens if model.is_bytes else 4 * tokens


def _compute_part(
    corpus: Corpus, rows: NDArray[np.int64], model: LanguageModel, cut: _Cut, tokens: bool
) -> Arrays:
    """Return the losses of some documents, and with ``tokens`` those of their tokens."""
    documents = model.encode(corpus.text(rows))
    lengths = np.array([len(ids) for ids in documents], np.int64)
    pieces = list(cut.cut(documents))
    counts = np.zeros(len(rows), np.int64)
    for piece in pieces:
        counts[piece.row] += len(piece.ids) - 1
    values = _read_pieces(model, pieces, counts)
    owners = np.repeat(np.arange(len(rows)), counts)
    sums = np.bincount(owners, values, len(rows))
    mean = np.full(len(rows), np.nan)
    np.divide(sums, counts, out=mean, where=counts > 0)
    found: Arrays = {
        "loss": mean.astype(np.float32),
        "counts": counts,
        "truncated": (lengths > cut.most) & (cut.long == "truncate"),
    }
    if tokens:
        found["values"] = values
    return found


def _read_pieces(model: LanguageModel, pieces: list[_Piece], counts: NDArray[np.int64]) -> Single:
    """Return the losses of all predicted tokens, document after document."""
    from reweightviz.models.batches import choose_budget, run_batches

    firsts = np.cumsum(counts) - counts
    values = np.zeros(int(counts.sum()), np.float32)

    def read(batch: NDArray[np.int64]) -> NDArray[np.float32]:
        return model.measure_losses([pieces[number].ids for number in batch])

    budget = choose_budget(model.device, model.width)
    lengths = [len(piece.ids) for piece in pieces]
    for batch, found in run_batches(lengths, budget, read, what=f"losses {model.name}"):
        for number, row in zip(batch, found, strict=True):
            piece = pieces[number]
            place = firsts[piece.row] + piece.start
            values[place : place + len(piece.ids) - 1] = row[: len(piece.ids) - 1]
    return values


def _tell_bad(found: Arrays, name: str) -> None:
    """Warn of documents that have tokens, and no finite loss."""
    bad = ~np.isfinite(found["loss"]) & (found["counts"] > 0)
    if bad.any():
        warn(
            f"the model {name!r} has no finite loss of {int(bad.sum()):,} of {len(bad):,} "
            "documents, which come last in every ranking; dtype='float32' often mends that."
        )


def _make_lists(values: Single, counts: NDArray[np.int64]) -> pa.ChunkedArray:
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return pa.chunked_array([pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))])
