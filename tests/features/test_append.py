"""Corpus.append: each column computed for the new documents alone, the old ones as they were."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reweightviz as rv
from reweightviz.api.append import find_scorer
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import (
    DuplicateName,
    InvalidArgument,
    MissingColumn,
    ReweightvizError,
    ReweightvizWarning,
)
from reweightviz.numerics.nearest import nearest_rows, weighted_places

TOPICS = {
    "cooking": "salt pepper onion garlic soup butter flour oven",
    "sailing": "mast rudder harbour anchor tide wind knot keel",
    "chess": "rook bishop pawn castle mate gambit queen board",
}
rng = np.random.default_rng(0)


def write(count):
    """Return documents, so many of each topic."""
    rows = [
        (topic, " ".join(rng.choice(words.split(), 30)))
        for topic, words in TOPICS.items()
        for _ in range(count)
    ]
    return pd.DataFrame(rows, columns=["domain", "text"])


OLD = write(20).assign(id=[f"old{row}" for row in range(60)])
NEW = write(4).assign(id=[f"new{row}" for row in range(12)])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch = pytest.importorskip("torch")
    from reweightviz.training import ByteTransformer, ModelConfig

    torch.manual_seed(0)
    config = ModelConfig(width=16, layers=1, heads=2, context=32)
    return ByteTransformer(config).save(tmp_path_factory.mktemp("m") / "m.npz")


@pytest.fixture(scope="module")
def corpus(model):
    corpus = rv.embed(Corpus({name: OLD[name] for name in OLD}), dimensions=8)
    corpus = rv.losses(rv.cluster(rv.project(corpus, epochs=20), 3), model, label="m")
    corpus = rv.gradients(corpus, model, label="m", dimensions=16, layers=1)
    corpus = rv.score(corpus, rv.scorers.Loss())
    corpus = rv.score(corpus, rv.scorers.LESS(), ["mast rudder", "harbour tide"])
    return corpus.with_column("former", corpus["domain"])


@pytest.fixture(scope="module")
def more(corpus):
    return corpus.append(NEW.assign(former="x"))


@pytest.mark.optional("torch", "sklearn", "umap", "faiss")
class TestEveryColumn:
    def test_the_old_rows_are_as_they_were(self, corpus, more):
        assert len(more) == 72
        assert more.columns == corpus.columns
        first = more.take(np.arange(60))
        for name in corpus.columns:
            assert first.digest(name) == corpus.digest(name), name
        assert more.domains == corpus.domains
        assert more.recipes == corpus.recipes

    def test_new_rows_are_as_their_text_is(self, more, model):
        alone = rv.losses(Corpus({name: NEW[name] for name in NEW}), model, label="m")
        np.testing.assert_allclose(more["loss:m"][60:], alone["loss:m"], rtol=1e-4)
        np.testing.assert_allclose(more["score:loss"][60:], -alone["loss:m"], rtol=1e-4)
        assert more["former"].to_pylist()[60:] == ["x"] * 12
        whole = rv.gradients(more, model, label="m", dimensions=16, layers=1)
        np.testing.assert_allclose(more["gradient:m"][60:], whole["gradient:m"][60:], atol=1e-4)
        less = rv.score(whole, rv.scorers.LESS(), ["mast rudder", "harbour tide"])
        np.testing.assert_allclose(more["score:less"], less["score:less"], atol=1e-3)

    def test_they_join_their_cluster_on_the_old_map(self, corpus, more):
        for code in range(3):
            of_topic = more.domain_codes[60:] == code
            old = corpus.domain_codes == code
            labels = set(np.asarray(corpus["cluster"])[old])
            assert set(np.asarray(more["cluster"])[60:][of_topic]) <= labels
            centre = corpus["xy"][old].mean(0)
            spread = np.linalg.norm(corpus["xy"][old] - centre, axis=1).max()
            placed = more["xy"][60:][of_topic]
            assert (np.linalg.norm(placed - centre, axis=1) <= spread).all()
        assert more.meta["cluster_names"] == corpus.meta["cluster_names"]

    def test_two_halves_are_as_one(self, corpus, more):
        twice = corpus.append(NEW[:5].assign(former="x")).append(NEW[5:].assign(former="x"))
        for name in more.columns:
            if isinstance(more[name], np.ndarray) and more[name].dtype.kind == "f":
                np.testing.assert_allclose(twice[name], more[name], atol=1e-4, err_msg=name)
            else:
                assert twice.digest(name) == more.digest(name), name
        assert twice.recipes == more.recipes


@settings(max_examples=15)
@given(cut=st.integers(1, 11), seed=st.integers(0, 99))
def test_in_two_parts_or_at_once(cut, seed):
    """Of columns that are made row by row, to the last bit."""
    order = np.random.default_rng(seed).permutation(12)
    new = NEW.iloc[order]
    corpus = _small()
    once = corpus.append(new)
    twice = corpus.append(new[:cut]).append(new[cut:])
    assert once.columns == twice.columns
    for name in once.columns:
        assert once.digest(name) == twice.digest(name), name
    assert once.meta == twice.meta


SMALL = []


def _small():
    if not SMALL:
        corpus = rv.embed(Corpus({name: OLD[name] for name in OLD}), dimensions=8)
        SMALL.append(rv.cluster(rv.project(corpus, "pca"), 3))
    return SMALL[0]


def test_documents_come_in_any_table():
    plain = Corpus({"id": ["a"], "text": ["x y"], "domain": ["web"], "embedding": [[1.0, 2.0]]})
    rows = [
        {"id": "b", "text": "z", "domain": "code", "embedding": [0.0, 1.0], "left": 3},
        {"id": "c", "text": "w", "domain": "web", "embedding": [2.0, 1.0], "left": 4},
    ]
    table = pa.Table.from_pylist(rows)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for documents in (rows, table, columns, pd.DataFrame(rows), Corpus(columns)):
        more = plain.append(documents)
        assert more.ids.tolist() == ["a", "b", "c"]
        assert more["embedding"].tolist() == [[1, 2], [0, 1], [2, 1]]
        assert more.domains == ("web", "code")
        assert more.columns == plain.columns
    for wrong in (3, "file.jsonl", [1, 2]):
        with pytest.raises(InvalidArgument, match=r"corpus\.append takes a Corpus, a table"):
            plain.append(wrong)


def test_ids_are_unique_and_new():
    with_ids = Corpus({"id": ["a", "b"], "text": ["x", "y"], "domain": ["web"] * 2})
    new = {"text": ["z", "w"], "domain": ["web"] * 2}
    with pytest.raises(MissingColumn, match="needs column 'id'"):
        with_ids.append(new)
    for ids, repeated in ((["c", "c"], "c"), (["c", "b"], "b")):
        with pytest.raises(DuplicateName, match=f"'{repeated}' came more often"):
            with_ids.append(new | {"id": ids})
    # A corpus whose own ids stand twice is no worse for what is appended.
    twice = Corpus({"id": ["a", "a"], "text": ["x", "y"], "domain": ["web"] * 2})
    assert len(twice.append(new | {"id": ["b", "c"]})) == 4
    no_ids = Corpus({"text": ["x", "y"], "domain": ["web"] * 2})
    assert no_ids.append(new | {"id": ["x", "x"]}).ids.tolist() == ["0", "1", "2", "3"]


def test_what_no_recipe_makes_is_given_or_said():
    corpus = Corpus({"text": ["x", "y"], "domain": ["web"] * 2, "score:mine": [1.0, 2.0]})
    new = {"text": ["z"], "domain": ["web"]}
    with pytest.warns(ReweightvizWarning, match="1 documents appended have no value of 'score:mi"):
        more = corpus.append(new)
    np.testing.assert_array_equal(more["score:mine"], [1, 2, np.nan])
    assert corpus.append(new | {"score:mine": [5.0]})["score:mine"].tolist() == [1, 2, 5]
    packed = corpus.with_column("package", ["p", "q"]).with_column("xy", np.zeros((2, 2)))
    with pytest.raises(ReweightvizError, match="need 'package', 'xy', which no recipe makes"):
        packed.append(new | {"score:mine": [5.0]})


def test_scores_that_depend_on_others_are_nan_and_said():
    vectors = rng.normal(size=(6, 3))
    corpus = Corpus({"text": list("abcdef"), "domain": ["web"] * 6, "gradient": vectors})
    scored = rv.score(corpus, rv.scorers.DataInf(), query_gradient=vectors[:1])
    scored = rv.score(scored, rv.scorers.SelfInfluence())
    selected = rv.score(scored, rv.scorers.TracIn(), rv.Selection(np.arange(2), corpus.ids[:2]))
    new = {"text": ["z"], "domain": ["web"], "gradient": vectors[:1]}
    with pytest.warns(ReweightvizWarning, match="no value of 'score:datainf', which"):
        more = selected.append(new)
    assert np.isnan(more["score:datainf"][6])
    assert more["score:selfinfluence"][6] == more["score:selfinfluence"][0]
    assert more["score:tracin"][6] == pytest.approx(more["score:tracin"][0])
    assert more.recipes["score:datainf"]["missing"] == 1
    assert more.score_figures == {"score:datainf": "no score for 1 of 7"}


def test_documents_of_a_split_domain_say_where_they_lay():
    corpus = Corpus({"text": ["x", "y", "z"], "domain": ["web", "web", "code"]})
    split = rv.split_domain(corpus, [1], "mine")
    more = split.append({"text": ["v"], "domain": ["web"]})
    assert more["former_domain:1"].to_pylist() == ["web", "web", "code", "web"]
    new = {"text": ["v"], "domain": ["mine"]}
    with pytest.raises(ReweightvizError, match="'mine', so its documents need column 'former_dom"):
        split.append(new)
    told = split.append(new | {"former_domain:1": ["code"]})
    assert told.lineage.former["mine"] == {("web",): 0.5, ("code",): 0.5}


def test_lengths_are_counted_alike(tmp_path):
    pytest.importorskip("tokenizers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({"x": 0, "?": 1}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(str(tmp_path / "tokenizer.json"))
    table = pd.DataFrame({"id": ["a"], "text": ["x y z"], "domain": ["web"]})
    counted = rv.read_corpus(table, id="id", tokenizer=str(tmp_path / "tokenizer.json"))
    more = counted.append({"id": ["b"], "text": ["long words"], "domain": ["web"]})
    assert more.tokens.tolist() == [3, 2]
    by_hand = Corpus({"text": ["x"], "domain": ["web"], "tokens": [4]}, tokenizer="gpt2")
    with pytest.raises(ReweightvizError, match="need column 'tokens', counted by 'gpt2'"):
        by_hand.append({"text": ["v"], "domain": ["web"]})
    assert by_hand.append({"text": ["v"], "domain": ["web"], "tokens": [9]}).tokens.sum() == 13


def test_a_representation_is_read_and_never_run():
    less = find_scorer("LESS()")
    assert less == rv.scorers.LESS()
    for name in rv.scorers.__all__:
        scorer = getattr(rv.scorers, name)()
        assert find_scorer(repr(scorer)) == scorer
    for text in ("Loss", "exec('1')", "Loss(*[1])", "Loss(a=1)", "Loss(", "os.system('x')", "3"):
        assert find_scorer(text) is None


def test_nearest_rows_are_those_of_the_whole_table(monkeypatch):
    monkeypatch.setattr("reweightviz.numerics.nearest.BLOCK", 100)
    rows, queries = rng.normal(size=(50, 4)), rng.normal(size=(9, 4))
    distances = np.linalg.norm(queries[:, None] - rows, axis=2)
    near, found = nearest_rows(queries, rows, 5)
    np.testing.assert_array_equal(near, np.argsort(distances, axis=1)[:, :5])
    np.testing.assert_allclose(found, np.sort(distances, axis=1)[:, :5])
    places = rng.normal(size=(50, 2))
    np.testing.assert_allclose(weighted_places(rows, rows, places, 5), places)
    between = weighted_places(queries, rows, places, 3)
    chosen = places[near[:, :3]]
    assert (between <= chosen.max(1) + 1e-12).all() and (between >= chosen.min(1) - 1e-12).all()
