"""rv.score: where each input comes from, and targets of every kind."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.features import embed, score
from reweightviz.training import ByteTransformer, ModelConfig


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", str(tmp_path / "cache"))


@dataclass(frozen=True)
class Like:
    """The greatest cosine with a document of the target."""

    higher_is_better: ClassVar[bool] = True

    def score(self, *, embedding, query_embedding, query_group=None):
        found = np.asarray(embedding, float) @ np.asarray(query_embedding, float).T
        if query_group is not None:
            found = np.stack(
                [found[:, query_group == g].mean(1) for g in np.unique(query_group)], 1
            )
        return found.max(1)


@dataclass(frozen=True)
class Longer:
    higher_is_better: ClassVar[bool] = False

    def score(self, *, text, target_text, rng, tokens, loss=None):
        assert loss is None or loss.shape == tokens.shape
        return [len(one) + 0 * rng.random() + 0 * len(target_text) for one in text]


TEXTS = ["salt pepper onion soup", "rook bishop pawn mate", "salt garlic butter oven"] * 6


@pytest.fixture
def corpus():
    texts = [f"{text} {row}" for row, text in enumerate(TEXTS)]
    return rv.Corpus({"text": texts, "domain": ["a", "b", "a"] * 6})


def test_a_target_is_a_corpus_texts_one_text_a_selection_or_tasks(corpus):
    corpus = embed(corpus, dimensions=8)
    texts = ["garlic soup with onion", "butter and oven"]
    several = score(corpus, Like(), texts)["score:like"]
    assert several[corpus.domain_codes == 0].min() > several[corpus.domain_codes == 1].max()
    other = rv.Corpus({"text": texts, "domain": ["t", "t"]})
    np.testing.assert_array_equal(score(corpus, Like(), other)["score:like"], several)
    one = score(corpus, Like(), texts[0], label="one")
    assert one.recipes["score:one"]["columns"] == {"embedding": "embedding"}
    assert (
        one.recipes["score:one"]["target"]
        != score(corpus, Like(), "x").recipes["score:like"]["target"]
    )
    chosen = rv.Selection(np.array([1]), corpus.ids[[1]], {})
    found = score(corpus, Like(), chosen)["score:like"]
    np.testing.assert_allclose(found, corpus["embedding"] @ corpus["embedding"][1], atol=1e-6)
    tasks = score(corpus, Like(), {"cook": texts, "chess": "rook and pawn"})["score:like"]
    assert tasks.min() > 0.3


def test_texts_are_embedded_as_the_corpus_was(corpus, monkeypatch):
    corpus = embed(corpus, dimensions=8)
    texts = corpus.text(np.arange(len(corpus)))
    query = {}

    @dataclass(frozen=True)
    class Look(Like):
        def score(self, *, embedding, query_embedding):
            query["found"] = query_embedding
            return embedding[:, 0]

    score(corpus, Look(), texts)
    np.testing.assert_allclose(query["found"], corpus["embedding"], atol=1e-5)
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", "off")
    score(corpus, Look(), texts)
    np.testing.assert_allclose(query["found"], corpus["embedding"], atol=1e-5)


def test_gradients_of_a_target_are_made_under_the_same_model(corpus, tmp_path):
    path = ByteTransformer(ModelConfig(width=8, layers=1, heads=2, context=16)).save(
        tmp_path / "small.npz"
    )
    scored = rv.gradients(corpus, path, dimensions=64, layers=1)
    rows = np.array([0, 2])
    by_text = score(scored, rv.scorers.LESS(), corpus.text(rows))["score:less"]
    by_rows = score(scored, rv.scorers.LESS(), rv.Selection(rows, corpus.ids[rows], {}))
    np.testing.assert_allclose(by_text, by_rows["score:less"], atol=1e-4)


def test_what_is_given_is_a_column_or_an_array(corpus):
    scored = corpus.with_column("loss:a", np.ones(18)).with_column("loss:b", np.zeros(18))
    low = rv.scorers.Loss()
    assert score(scored, low, loss="loss:b", label="b")["score:b"].max() == 0
    assert score(scored, low, loss=np.full(18, 2.0))["score:loss"].max() == -2
    longer = score(corpus, Longer(), "x")["score:longer"]
    assert longer.tolist() == [-len(text) for text in corpus.text(np.arange(18))]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda c: score(c, Like()), "target"),
        (lambda c: score(c, Like(), 7), "at least one document"),
        (lambda c: score(c, Like(), []), "at least one document"),
        (lambda c: score(c, Like(), "x", embeding=1), "embedding"),
        (
            lambda c: score(c.with_column("embedding", np.ones((18, 2))), Like(), "x"),
            "query_embedding=",
        ),
        (
            lambda c: score(
                c.with_column("loss:a", np.ones(18)).with_column("loss:b", np.ones(18)),
                rv.scorers.Loss(),
            ),
            "loss='loss:a'",
        ),
    ],
)
def test_what_is_missing_is_a_sentence(corpus, call, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        call(embed(corpus, dimensions=4))


def test_missing_scores_are_counted(corpus):
    loss = np.ones(18)
    loss[3] = np.nan
    found = score(corpus.with_column("loss", loss), rv.scorers.Loss())
    assert found.recipes["score:loss"]["missing"] == 1
