"""rv.score: where each need of a scorer comes from, and what is refused."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    MissingColumn,
    MissingSignal,
    ReweightvizError,
    UnknownName,
)
from reweightviz.features import embed, score
from reweightviz.features.embed import embed_texts
from reweightviz.features.target import Target
from reweightviz.scorers import LESS, Infra, Loss, SelfInfluence

TOPICS = {
    "cooking": "salt pepper onion garlic soup butter flour oven",
    "sailing": "mast rudder harbour anchor tide wind knot keel",
    "chess": "rook bishop pawn castle mate gambit queen board",
}
rng = np.random.default_rng(0)
TEXTS = [" ".join(rng.choice(words.split(), 30)) for words in TOPICS.values() for _ in range(20)]
DOMAINS = np.repeat(list(TOPICS), 20)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REWEIGHTVIZ_CACHE", str(tmp_path_factory.mktemp("cache")))
        return embed(Corpus({"text": TEXTS, "domain": DOMAINS}), dimensions=8)


@dataclass(frozen=True)
class Nearest:
    """Mean similarity to the documents of the nearest task."""

    higher_is_better: ClassVar[bool] = True

    def score(self, *, embedding, query_embedding, query_group=None):
        groups = np.zeros(len(query_embedding), int) if query_group is None else query_group
        near = embedding @ query_embedding.T
        return np.stack([near[:, groups == g].mean(1) for g in np.unique(groups)], 1).max(1)


@dataclass(frozen=True)
class Texts:
    """How many words a document shares with the target; empty ones have no score."""

    higher_is_better: ClassVar[bool] = True

    def score(self, *, text, target_text, tokens, rng):
        words = {word for each in target_text for word in each.split()}
        shared = [len(words & set(each.split())) for each in text]
        return np.where(np.asarray(tokens) > 0, shared, np.nan) + 0 * rng.random()


@dataclass(frozen=True)
class Several:
    """Sum of what it gets."""

    higher_is_better: ClassVar[bool] = False

    def score(self, *, loss, reference_loss, ratings=None):
        found = np.asarray(loss) - np.asarray(reference_loss)
        return found if ratings is None else found + np.asarray(ratings).sum(1)


def best_domain(scored, name):
    return {DOMAINS[row] for row in np.argsort(-scored[name])[:20]}


def test_every_kind_of_target_finds_its_topic(corpus):
    rows = np.flatnonzero(DOMAINS == "sailing")[:5]
    selection = rv.Selection(rows, corpus.ids[rows])
    targets = [
        "mast and rudder in the wind of the harbour",
        ["mast rudder", "harbour tide"],
        selection,
        Corpus({"text": ["anchor tide wind", "keel knot"], "domain": ["a", "b"]}),
        corpus.take(rows),
    ]
    for target in targets:
        scored = score(corpus, Nearest(), target, label="near")
        assert best_domain(scored, "score:near") == {"sailing"}
        assert scored["score:near"].dtype == np.float64
    by_rows, by_corpus = (score(corpus, Nearest(), one)["score:nearest"] for one in targets[2::2])
    np.testing.assert_array_equal(by_rows, by_corpus)


def test_tasks_are_groups(corpus):
    tasks = {"sea": ["mast rudder", "harbour tide"], "food": "garlic soup"}
    found = Target(corpus, tasks)
    assert found.groups.tolist() == [0, 0, 1]
    assert found.texts == ["mast rudder", "harbour tide", "garlic soup"]
    scored = score(corpus, Nearest(), tasks)
    alone = np.stack(
        [score(corpus, Nearest(), part)["score:nearest"] for part in tasks.values()], 1
    )
    np.testing.assert_allclose(scored["score:nearest"], alone.max(1), atol=1e-6)
    record = scored.recipes["score:nearest"]["target"]
    assert record["tasks"]["food"]["texts"] == ["garlic soup"]
    again = Target.of_record(corpus, record)
    assert (again.texts, again.tasks) == (found.texts, ("sea", "food"))


def test_texts_go_through_the_vectors_own_fit(corpus, monkeypatch):
    vectors = corpus["embedding"]
    np.testing.assert_allclose(embed_texts(corpus, "embedding", TEXTS[:7]), vectors[:7], atol=1e-6)
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", "off")
    # Fitted again, from the corpus' own rows.
    np.testing.assert_allclose(embed_texts(corpus, "embedding", TEXTS[:7]), vectors[:7], atol=1e-5)
    few = corpus.take(np.arange(9))
    with pytest.raises(ReweightvizError, match="fitted on other documents than are here"):
        embed_texts(few, "embedding", ["a"])
    assert embed(few, dimensions=8).recipes["embedding"]["rows"] == 9


def test_the_fit_outlives_the_rows_in_the_cache(corpus):
    whole = embed_texts(corpus, "embedding", TEXTS[50:])
    few = corpus.take(np.arange(10))
    np.testing.assert_array_equal(embed_texts(few, "embedding", TEXTS[50:]), whole)


def test_needs_come_from_columns_and_arrays_by_name(corpus):
    two = corpus.with_column("loss:a", np.arange(60.0)).with_column("loss:b", np.ones(60))
    scored = score(two, Several(), loss="loss:a", reference_loss="loss:b")
    np.testing.assert_array_equal(scored["score:several"], 1 - np.arange(60.0))
    recipe = scored.recipes["score:several"]
    assert recipe["columns"] == {"loss": "loss:a", "reference_loss": "loss:b"}
    assert (recipe["from"], recipe["given"]) == (["loss:a", "loss:b"], [])
    more = score(two, Several(), loss="loss:a", reference_loss=np.zeros(60), ratings=["loss:b"] * 2)
    np.testing.assert_array_equal(more["score:several"], -2 - np.arange(60.0))
    assert more.recipes["score:several"]["given"] == ["reference_loss"]
    assert more.recipes["score:several"]["columns"]["ratings"] == ["loss:b", "loss:b"]


def test_texts_tokens_and_a_seed_are_given_to_those_who_ask(corpus):
    empty = Corpus({"text": ["mast keel", "", "soup"], "domain": ["a"] * 3})
    scored = score(empty, Texts(), "mast and keel", label="words")
    np.testing.assert_array_equal(scored["score:words"], [2, np.nan, 0])
    assert scored.recipes["score:words"]["missing"] == 1
    assert scored.score_figures == {"score:words": "no score for 1 of 3"}
    # Scores without a gap take the note away again.
    full = scored.take([0, 2])
    assert score(full, Texts(), "mast", label="words").score_figures == {}


def test_domains_come_as_strings(corpus):
    G = rng.normal(size=(60, 4))
    graded = corpus.with_column("gradient", G)
    scored = score(graded, Infra(by="domain"), query_gradient=G[:3])
    assert len(set(scored["score:infra"].round(9))) == 3


class TestRefusals:
    def test_a_misspelt_need(self, corpus):
        with pytest.raises(UnknownName, match="did you mean 'reference_loss'"):
            score(corpus, Several(), referenz_loss="a")

    def test_what_is_missing(self, corpus):
        with pytest.raises(MissingSignal, match=r"target=, a corpus or texts, gives it"):
            score(corpus, Nearest())
        with pytest.raises(MissingColumn, match=r"rv.losses\(corpus\) makes it"):
            score(corpus, Loss())
        one = corpus.with_column("loss:a", np.ones(60))
        with pytest.raises(MissingSignal, match="pass reference_loss=, an array"):
            score(one, Several())
        two = one.with_column("loss:b", np.ones(60))
        with pytest.raises(ReweightvizError, match="name one, loss='loss:a'"):
            score(two, Loss())
        assert "score:loss" in score(two, Loss(), loss="loss:a")
        with pytest.raises(MissingColumn, match="loss:c"):
            score(two, Loss(), loss="loss:c")

    def test_a_target_that_nobody_asked_for(self, corpus):
        with pytest.raises(InvalidArgument, match="Loss takes no target"):
            score(corpus.with_column("loss:a", np.ones(60)), Loss(), "query")

    @pytest.mark.parametrize("target", [[], {}, 3, [1, 2], {"a": []}, b"text"])
    def test_what_is_no_target(self, corpus, target):
        with pytest.raises(InvalidArgument, match="target= takes"):
            score(corpus, Nearest(), target)

    def test_a_column_of_unknown_making(self, corpus):
        ready = embed(corpus, np.asarray(corpus["embedding"]))
        assert "embedding" not in ready.recipes
        with pytest.raises(ReweightvizError, match="which has no recipe: pass query_embedding="):
            score(ready, Nearest(), "mast")
        with_array = score(ready, Nearest(), query_embedding=ready["embedding"][20:25])
        assert best_domain(with_array, "score:nearest") == {"sailing"}
        # Ready arrays on both sides are the caller's to compare.
        both = score(ready, Nearest(), ready.take(np.arange(20, 25)))
        np.testing.assert_allclose(both["score:nearest"], with_array["score:nearest"])
        with pytest.raises(ReweightvizError, match="pass query_embedding= too"):
            score(ready, Nearest(), "mast", embedding=np.ones((60, 8)))

    def test_a_target_made_by_another_model(self, corpus):
        other = embed(corpus.take(np.arange(9)), dimensions=4)
        no_text = Corpus(
            {"domain": ["a"] * 9, "tokens": np.ones(9, int), "embedding": other["embedding"]},
            meta=other.meta,
        )
        with pytest.raises(ReweightvizError, match="must be made as column 'embedding'"):
            score(corpus, Nearest(), no_text)
        with pytest.raises(ReweightvizError, match="the target's 'embedding' was made otherwise"):
            score(corpus, Nearest(), other, query_embedding="embedding")
        # With texts the target goes through the same recipe, whatever its own columns are.
        found = score(corpus, Nearest(), other)["score:nearest"]
        np.testing.assert_allclose(
            found, score(corpus, Nearest(), TEXTS[:9])["score:nearest"], atol=1e-6
        )

    def test_arrays_and_scores_of_another_length(self, corpus):
        with pytest.raises(InvalidValue, match="a row a document, 60"):
            score(corpus, Loss(), loss=np.ones(3))

        @dataclass(frozen=True)
        class Short:
            higher_is_better: ClassVar[bool] = True

            def score(self, *, tokens):
                return tokens[:3]

        with pytest.raises(InvalidValue, match="what Short returns must be a score a document"):
            score(corpus, Short())


@pytest.mark.optional("torch")
def test_a_target_of_texts_gets_gradients_of_the_same_model(tmp_path):
    import torch

    from reweightviz.features import gradients
    from reweightviz.training import ByteTransformer, ModelConfig

    def write(seed):
        torch.manual_seed(seed)
        return ByteTransformer(ModelConfig(width=16, layers=1, heads=2, context=32)).save(
            tmp_path / "m.npz"
        )

    write(0)
    small = Corpus({"text": TEXTS[::10], "domain": DOMAINS[::10]})
    graded = gradients(small, tmp_path / "m.npz", dimensions=32, layers=1)
    by_text = score(graded, LESS(), TEXTS[:20:10])["score:less"]
    by_rows = score(graded, LESS(), rv.Selection(np.arange(2), graded.ids[:2]))["score:less"]
    np.testing.assert_allclose(by_text, by_rows, rtol=1e-4)
    write(1)
    with pytest.raises(ReweightvizError, match="when another model lay there"):
        score(graded, LESS(), TEXTS[:1])
    assert "score:selfinfluence" in score(graded, SelfInfluence())


def test_recipes_stay_with_their_columns(corpus, tmp_path):
    placed = rv.cluster(rv.project(corpus, "pca"), 3)
    recipes = placed.recipes
    assert [recipes[name]["verb"] for name in ("embedding", "xy", "cluster")] == [
        "embed",
        "project",
        "cluster",
    ]
    pytest.importorskip("lance")
    placed.save(tmp_path / "c.lance")
    assert rv.open_corpus(tmp_path / "c.lance").recipes == recipes
    assert rv.split_domain(placed, [0, 1], "mine").recipes == recipes
    assert placed.take(np.arange(5)).recipes["xy"]["rows"] == 5
    by_hand = placed.with_column("xy", np.zeros((60, 2)))
    assert "xy" not in by_hand.recipes and "cluster" in by_hand.recipes
