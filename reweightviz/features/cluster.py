"""cluster: k-means over the embedding, each cluster named by the words that set it apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.cache import compute_once
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import InvalidValue, MissingPackage
from reweightviz.core.progress import tqdm
from reweightviz.features._vectors import Matrix, as_embedding

__all__ = ["READ", "WORDS", "cluster"]


WORDS = 3
READ = 200  # documents a cluster whose words are counted


def cluster(corpus: Corpus, k: int = 24, *, seed: int = 0, embedding: str = "embedding") -> Corpus:
    """Add column ``cluster`` (N,), numbered by size, and their names in ``meta["cluster_names"]``.

    Args:
        corpus: documents with an embedding.
        k: how many clusters.
        seed: of k-means.
        embedding: which embedding column.
    """
    if not 1 <= k <= len(corpus):
        raise InvalidValue(name="k", value=k, expected=f"between 1 and the {len(corpus)} documents")
    vectors = as_embedding(corpus[embedding], len(corpus))
    stored = compute_once(
        "cluster",
        (corpus.digest(embedding), corpus.digest("text"), k, seed),
        lambda: _compute(corpus, k, seed, vectors),
    )
    recipe = {
        "verb": "cluster",
        "from": [embedding],
        "options": {"k": k, "seed": seed},
        "rows": len(corpus),
    }
    names = stored["names"].tolist()
    return corpus.with_column("cluster", stored["cluster"], recipe=recipe, cluster_names=names)


def _compute(corpus: Corpus, k: int, seed: int, vectors: Matrix) -> dict[str, NDArray[np.generic]]:
    try:
        from sklearn.cluster import MiniBatchKMeans
    except ImportError:
        raise MissingPackage(package="scikit-learn", extra="features", who="rv.cluster") from None
    with tqdm(total=2, desc="cluster: k-means, names", unit="stage", delay=1, leave=False) as bar:
        means = MiniBatchKMeans(k, random_state=seed, n_init=3, batch_size=4096)
        found = means.fit_predict(vectors)
        bar.update()
        sizes = np.bincount(found, minlength=k)
        # k-means numbers its clusters by chance; by size, the largest has the first colour.
        order = np.argsort(-sizes, kind="stable")
        labels = np.argsort(order).astype(np.int32)[found]
        names = np.array(_names(corpus, labels, int((sizes > 0).sum()), seed))
        bar.update()
    return {"cluster": labels, "names": names}


def _names(corpus: Corpus, labels: NDArray[np.int32], k: int, seed: int) -> list[str]:
    """Return each cluster's name: words of most of its documents and of few of the others'.

    The words are ranked by share * log(share / others' share), smoothed.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    rng = np.random.default_rng(seed)
    rows = np.concatenate([_draw(np.flatnonzero(labels == label), rng) for label in range(k)])
    counter = CountVectorizer(
        token_pattern=r"(?u)\b[^\W\d_]{3,}\b",
        stop_words="english",
        binary=True,
        min_df=1 + (len(rows) > 50),  # a word of one document names no cluster
        max_features=20_000,
    )
    try:
        present = counter.fit_transform(corpus.text(rows)).tocsr()
    except ValueError:  # no words at all
        return [f"cluster {label + 1}" for label in range(k)]
    words = counter.get_feature_names_out()
    shares = [np.asarray(present[labels[rows] == label].mean(0)).ravel() for label in range(k)]
    share = np.stack(shares)
    others = (share.sum(0) - share) / max(k - 1, 1)
    contrast = share * np.log((share + 0.01) / (others + 0.01))
    return [" · ".join(words[np.argsort(-row, kind="stable")[:WORDS]]) for row in contrast]


def _draw(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    if len(rows) <= READ:
        return rows
    return rng.choice(rows, READ, replace=False)
