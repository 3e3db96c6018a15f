"""cluster: k-means over the embedding, each cluster named by its most telling words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from reweightviz.core.cache import cached
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import InvalidValue, MissingPackage
from reweightviz.features._vectors import Matrix, checked

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
    vectors = checked(corpus[embedding], len(corpus))
    stored = cached(
        "cluster",
        (corpus.digest(embedding), corpus.digest("text"), k, seed),
        lambda: _compute(corpus, k, seed, vectors),
    )
    return corpus.with_column("cluster", stored["cluster"], cluster_names=stored["names"].tolist())


def _compute(corpus: Corpus, k: int, seed: int, vectors: Matrix) -> dict[str, NDArray[np.generic]]:
    try:
        from sklearn.cluster import MiniBatchKMeans
    except ImportError:
        raise MissingPackage(package="scikit-learn", extra="features", who="rv.cluster") from None
    with tqdm(total=2, desc="cluster: k-means, names", unit="stage", delay=1, leave=False) as bar:
        found = MiniBatchKMeans(k, random_state=seed, n_init=3, batch_size=4096).fit_predict(
            vectors
        )
        bar.update()
        sizes = np.bincount(found, minlength=k)
        order = np.argsort(-sizes, kind="stable")
        labels = np.argsort(order).astype(np.int32)[found]
        names = np.array(_names(corpus, labels, int((sizes > 0).sum()), seed))
        bar.update()
    return {"cluster": labels, "names": names}


def _names(corpus: Corpus, labels: NDArray[np.int32], k: int, seed: int) -> list[str]:
    """The words that most of a cluster's documents hold and few of the others': smoothed log odds of document shares."""
    from sklearn.feature_extraction.text import CountVectorizer

    rng = np.random.default_rng(seed)
    rows = np.concatenate([_some(np.flatnonzero(labels == label), rng) for label in range(k)])
    counter = CountVectorizer(
        token_pattern=r"(?u)\b[^\W\d_]{3,}\b",
        stop_words="english",
        binary=True,
        min_df=2 if len(rows) > 50 else 1,
        max_features=20_000,
    )
    try:
        present = counter.fit_transform(corpus.text(rows)).tocsr()
    except ValueError:  # no words at all
        return [f"cluster {label + 1}" for label in range(k)]
    words = counter.get_feature_names_out()
    held = np.stack(
        [np.asarray(present[labels[rows] == label].mean(0)).ravel() for label in range(k)]
    )
    others = (held.sum(0) - held) / max(k - 1, 1)
    telling = held * np.log((held + 0.01) / (others + 0.01))
    return [" · ".join(words[np.argsort(-row, kind="stable")[:WORDS]]) for row in telling]


def _some(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    return rows if len(rows) <= READ else rng.choice(rows, READ, replace=False)
