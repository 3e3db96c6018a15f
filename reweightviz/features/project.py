"""xy: the place of every document on the map."""

from __future__ import annotations

import warnings

import numpy as np

from reweightviz.core.cache import compute_once
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import MissingPackage, ReweightvizError, UnknownName
from reweightviz.core.progress import tqdm
from reweightviz.features._vectors import Matrix, as_embedding

__all__ = ["METHODS", "PART", "project"]


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
    vectors = as_embedding(corpus[embedding], len(corpus))
    key = (corpus.digest(embedding), method, neighbours, spread, epochs, seed)

    def compute() -> dict[str, Matrix]:
        flat = _principal(vectors, min(50, vectors.shape[1]))
        # A handful of documents has too few neighbours for UMAP.
        if method == "umap" and len(vectors) > neighbours + 1:
            xy = _project_by_umap(flat, neighbours, spread, epochs, seed)
        else:
            xy = _two_columns(flat)
        return {"xy": np.asarray(xy, np.float32)}

    recipe = {
        "verb": "project",
        "from": [embedding],
        "options": {"method": method, "neighbours": neighbours, "spread": spread, "epochs": epochs}
        | {"seed": seed},
        "rows": len(corpus),
    }
    return corpus.with_column("xy", compute_once("project", key, compute)["xy"], recipe=recipe)


def _principal(vectors: Matrix, dimensions: int) -> Matrix:
    """Return the first principal components (N, dimensions)."""
    centred = vectors - vectors.mean(0)
    parts = np.array_split(centred, len(centred) // PART + 1)
    products = (part.T @ part for part in tqdm(parts, desc="components", delay=1, leave=False))
    values, axes = np.linalg.eigh(sum(products))
    axes = axes[:, np.argsort(values)[::-1][:dimensions]]
    # An axis may point either way, as LAPACK likes: its largest entry is made positive.
    largest = axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])]
    axes *= np.where(largest < 0, -1, 1)
    return np.ascontiguousarray(centred @ axes, np.float32)


def _two_columns(flat: Matrix) -> Matrix:
    if flat.shape[1] >= 2:
        return flat[:, :2]
    return np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))


def _project_by_umap(
    flat: Matrix, neighbours: int, spread: float, epochs: int | None, seed: int
) -> Matrix:
    try:
        import faiss
        import umap
    except ImportError:
        raise MissingPackage(
            package="umap-learn and faiss-cpu", extra="features", who="rv.project"
        ) from None
    start = _two_columns(flat)
    if np.abs(start).max() == 0:
        raise ReweightvizError(
            "every document has the same embedding; there is nothing to project."
        )
    index = faiss.IndexFlatL2(flat.shape[1])
    index.add(flat)
    parts = tqdm(
        np.array_split(flat, len(flat) // PART + 1), desc="neighbours", delay=1, leave=False
    )
    found = [index.search(part, neighbours) for part in parts]
    squared = np.concatenate([distances for distances, _ in found])
    nearest = np.concatenate([rows for _, rows in found])
    reducer = umap.UMAP(
        n_neighbors=neighbours,
        min_dist=spread,
        n_epochs=epochs,
        # UMAP scales starts of its own to 10 too.
        init=np.asarray(10 * start / np.abs(start).max(), np.float32),
        random_state=seed,
        n_jobs=1,  # a seeded UMAP runs on one thread, and would warn of any other number
        precomputed_knn=(nearest, np.sqrt(np.maximum(squared, 0))),
        verbose=False,
        tqdm_kwds={"desc": "project: UMAP", "disable": False, "delay": 1},
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*precomputed_knn.*|.*n_jobs.*|.*search index.*")
        return np.asarray(reducer.fit_transform(flat), np.float32)
