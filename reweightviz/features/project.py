"""xy: the place of every document on the map."""

from __future__ import annotations

import warnings

import numpy as np
from tqdm.auto import tqdm

from reweightviz.core.cache import cached
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import MissingPackage, ReweightvizError, UnknownName
from reweightviz.features._vectors import Matrix, checked

METHODS = ("pca", "umap")
PART = 4096  # documents between two steps of a progress bar


def project(
    corpus: Corpus,
    method: str = "umap",
    *,
    neighbours: int = 15,
    spread: float = 0.1,
    epochs: int | None = None,
    seed: int = 0,
    embedding: str = "embedding",
) -> Corpus:
    """Add column ``xy`` (N, 2).

    Args:
        corpus: documents with an embedding.
        method: "umap" (PCA start, exact neighbours from faiss, seeded) or "pca" (the first two
            components).
        neighbours: size of UMAP's neighbourhoods.
        spread: UMAP's min_dist.
        epochs: UMAP's epochs; its own default when not given.
        seed: same seed, same map.
        embedding: which embedding column.

    Reference:
        McInnes, Healy, Melville, "UMAP: Uniform Manifold Approximation and Projection", 2018,
        https://arxiv.org/abs/1802.03426
    """
    if method not in METHODS:
        raise UnknownName(kind="projection", name=method, known=METHODS)
    vectors = checked(corpus[embedding], len(corpus))
    key = (corpus.digest(embedding), method, neighbours, spread, epochs, seed)

    def compute() -> dict[str, Matrix]:
        flat = _principal(vectors, min(50, vectors.shape[1]))
        enough = len(vectors) > neighbours + 1
        xy = (
            _umap(flat, neighbours, spread, epochs, seed)
            if method == "umap" and enough
            else _two_columns(flat)
        )
        return {"xy": np.asarray(xy, np.float32)}

    return corpus.with_column("xy", cached("project", key, compute)["xy"])


def _principal(vectors: Matrix, dimensions: int) -> Matrix:
    centred = vectors - vectors.mean(0)
    parts = np.array_split(centred, len(centred) // PART + 1)
    values, axes = np.linalg.eigh(
        sum(part.T @ part for part in tqdm(parts, desc="components", delay=1, leave=False))
    )
    axes = axes[:, np.argsort(values)[::-1][:dimensions]]
    axes *= np.where(
        axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])] < 0, -1, 1
    )  # a sign that does not depend on LAPACK
    return np.ascontiguousarray(centred @ axes, np.float32)


def _two_columns(flat: Matrix) -> Matrix:
    return flat[:, :2] if flat.shape[1] >= 2 else np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))


def _umap(flat: Matrix, neighbours: int, spread: float, epochs: int | None, seed: int) -> Matrix:
    try:
        import faiss
        import umap
    except ImportError:
        raise MissingPackage(
            package="umap-learn and faiss-cpu", extra="features", who="rv.project"
        ) from None
    index = faiss.IndexFlatL2(flat.shape[1])
    index.add(flat)
    parts = np.array_split(flat, len(flat) // PART + 1)
    found = [
        index.search(part, neighbours)
        for part in tqdm(parts, desc="neighbours", delay=1, leave=False)
    ]
    squared, nearest = (np.concatenate(part) for part in zip(*found, strict=True))
    start = _two_columns(flat)
    start = (
        np.asarray(10 * start / np.abs(start).max(), np.float32)
        if np.abs(start).max() > 0
        else None
    )
    if start is None:
        raise ReweightvizError(
            "every document has the same embedding; there is nothing to project."
        )
    reducer = umap.UMAP(
        n_neighbors=neighbours,
        min_dist=spread,
        n_epochs=epochs,
        init=start,
        random_state=seed,
        n_jobs=1,
        precomputed_knn=(nearest, np.sqrt(np.maximum(squared, 0))),
        verbose=False,
        tqdm_kwds={"desc": "project: UMAP", "disable": False, "delay": 1},
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*precomputed_knn.*|.*n_jobs.*|.*search index.*")
        return np.asarray(reducer.fit_transform(flat), np.float32)
