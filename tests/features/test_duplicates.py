"""How often a document is in the corpus."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.errors import InvalidValue, UnknownName
from reweightviz.numerics.minhash import group_alike, hash_ngrams, jaccard


def write_texts(count: int, words: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{number}" for number in rng.integers(0, 500, words)) for _ in range(count)]


def make_corpus(texts: list[str]) -> rv.Corpus:
    return rv.Corpus({"text": texts, "domain": ["a"] * len(texts)})


def test_planted_copies_are_counted() -> None:
    texts = write_texts(20, 60)
    texts += [texts[3], texts[3].upper() + " !", texts[7], "", "", "!"]
    copies = rv.duplicates(make_corpus(texts))["copies"]
    assert copies.dtype == np.int64
    assert copies[[3, 20, 21]].tolist() == [3, 3, 3]
    assert copies[[7, 22]].tolist() == [2, 2]
    assert copies[23:].tolist() == [2, 2, 1]
    assert copies.sum() == 19 - 1 + 9 + 4 + 4 + 1


def test_near_copies_are_found_and_others_are_not() -> None:
    texts = write_texts(20, 200)
    changed = texts[5].split()
    changed[100] = "another"
    half = " ".join(texts[6].split()[:100] + texts[8].split()[:100])
    corpus = make_corpus([*texts, " ".join(changed), half])
    copies = rv.duplicates(corpus, "minhash")["copies:minhash"]
    assert np.flatnonzero(copies > 1).tolist() == [5, 20]
    assert rv.duplicates(corpus)["copies"].max() == 1


def test_minhash_finds_what_all_pairs_find() -> None:
    rng = np.random.default_rng(1)
    texts = write_texts(60, 150)
    for text in texts[:40]:
        words = np.array(text.split(), "U9")
        words[rng.integers(0, 150, rng.integers(1, 8))] = "x"
        texts.append(" ".join(words))
    sets = [hash_ngrams(text, 5) for text in texts]
    found = group_alike(sets, 0.8, 32, 4, 0)
    for one in range(len(sets)):
        for other in range(one):
            alike = jaccard(sets[one], sets[other]) >= 0.8
            assert alike == (found[one] == found[other])
    assert 60 < len(np.unique(found)) < 100


def test_copies_of_copies_are_one_group() -> None:
    # The last overlaps both others by 0.89, and they each other by 0.79: only it joins them.
    sets = [np.arange(start, start + 170, dtype=np.uint64) for start in (0, 20, 10)]
    assert jaccard(sets[0], sets[2]) > 0.8 > jaccard(sets[0], sets[1])
    # One band of one hash: what is not joined in it is not joined at all.
    found = [group_alike(sets, 0.8, 1, 1, seed).tolist() for seed in range(20)]
    assert [0, 0, 0] in found


def test_near_embeddings_are_copies_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("reweightviz.features.duplicates")
    monkeypatch.setattr(module, "BLOCK", 4)
    vectors = np.random.default_rng(0).standard_normal((20, 16)).astype(np.float32)
    vectors[17] = 3 * vectors[2]
    vectors[[9, 10]] = 0
    corpus = make_corpus(write_texts(20, 5)).with_column("embedding", vectors)
    copies = rv.duplicates(corpus, "semantic")["copies:semantic"]
    assert np.flatnonzero(copies > 1).tolist() == [2, 17]


def test_what_cannot_be_is_refused() -> None:
    corpus = make_corpus(["a", "b"])
    with pytest.raises(UnknownName, match="minhash"):
        rv.duplicates(corpus, "fuzzy")
    with pytest.raises(InvalidValue, match="threshold"):
        rv.duplicates(corpus, "minhash", threshold=2)
    with pytest.raises(InvalidValue, match="n must"):
        rv.duplicates(corpus, "minhash", n=0)
