import sys

import numpy as np
import pytest
from tqdm import tqdm

from reweightviz import features
from reweightviz.core import store
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import MissingPackage, ReweightvizError
from reweightviz.features import cluster, embed, losses, project
from reweightviz.training import ByteTransformer, ModelConfig, train

TOPICS = {
    "cooking": "salt pepper onion garlic soup butter flour oven",
    "sailing": "mast rudder harbour anchor tide wind knot keel",
    "chess": "rook bishop pawn castle mate gambit queen board",
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def corpus():
    rng = np.random.default_rng(0)
    rows = [
        (topic, " ".join(rng.choice(words.split(), 30)))
        for topic, words in TOPICS.items()
        for _ in range(40)
    ]
    return Corpus({"text": [text for _, text in rows], "domain": [topic for topic, _ in rows]})


def nearest_share(vectors, codes):
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -9)
    return (codes[similarity.argmax(1)] == codes).mean()


def test_ngrams_put_a_topic_together(corpus):
    vectors = embed(corpus, dimensions=8)["embedding"]
    assert vectors.shape == (120, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert nearest_share(vectors, corpus.domain_codes) == 1


def test_a_column_is_computed_once(corpus, monkeypatch):
    first = embed(corpus)
    monkeypatch.setattr(
        sys.modules["reweightviz.features.embed"],
        "_embed_by_ngrams",
        lambda *_: pytest.fail("computed again"),
    )
    np.testing.assert_array_equal(embed(corpus)["embedding"], first["embedding"])
    with pytest.raises(pytest.fail.Exception, match="computed again"):
        embed(corpus.take(np.arange(50)))  # other data is another digest


def test_a_callable_and_an_array_embed(corpus):
    by_call = embed(corpus, lambda texts: [[len(text), 1.0] for text in texts])
    assert by_call["embedding"].shape == (120, 2)
    labelled = embed(corpus, np.eye(120), label="eye")
    assert "embedding:eye" in labelled


def test_nan_in_an_embedding_names_the_row(corpus):
    matrix = np.ones((120, 3))
    matrix[7, 1] = np.nan
    with pytest.raises(ReweightvizError, match="NaN or inf in 1 of 120 rows, the first is row 7"):
        embed(corpus, matrix)
    with pytest.raises(
        ReweightvizError, match=r"\(N, D\) with a row a document, N = 120; got \(3, 3\)"
    ):
        embed(corpus, np.eye(3))


def test_an_embedding_from_elsewhere_is_checked_by_every_verb(corpus):
    matrix = np.ones((120, 3), np.float32)
    matrix[7, 1] = np.nan
    foreign = corpus.with_column("embedding", matrix)
    for verb in (project, cluster):
        with pytest.raises(
            ReweightvizError, match="NaN or inf in 1 of 120 rows, the first is row 7"
        ):
            verb(foreign)


@pytest.mark.parametrize(
    "model", [[["a", "b"]] * 120, [[1.0], [1.0, 2.0]] * 60, lambda texts: [["a"] for _ in texts]]
)
def test_what_is_no_table_of_numbers_is_one_sentence(corpus, model):
    with pytest.raises(
        ReweightvizError,
        match=r"an embedding must be \(N, D\) numbers, rows of one length; got list",
    ):
        embed(corpus, model)


def test_a_function_must_keep_to_one_width(corpus, monkeypatch):
    monkeypatch.setattr(sys.modules["reweightviz.features.embed"], "CHUNK", 60)
    widths = iter([2, 3])
    with pytest.raises(
        ReweightvizError, match=r"must return \(n, D\) with one D; got \[\(60, 2\), \(60, 3\)\]"
    ):
        embed(corpus, lambda texts: np.ones((len(texts), next(widths))))


def test_a_local_encoder_that_was_trained_again_is_run_again(corpus, tmp_path, monkeypatch):
    weights = tmp_path / "model" / "weights.bin"
    weights.parent.mkdir()
    calls = []
    monkeypatch.setattr(
        sys.modules["reweightviz.features.embed"],
        "_embed_by_encoder",
        lambda *_: calls.append(1) or np.ones((120, 2), np.float32),
    )
    for content, runs in (("old", 1), ("old", 1), ("newer", 2)):
        if not weights.exists() or weights.read_text() != content:
            weights.write_text(content)
        embed(corpus, str(weights.parent))
        assert len(calls) == runs


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "mps"])
def test_a_device_that_is_not_there_is_one_sentence(corpus, device):
    model = ByteTransformer(ModelConfig(width=16, layers=1, heads=2, context=8))
    verbs = (
        lambda: losses(corpus, model, device=device),
        lambda: embed(corpus, "minilm", device=device),
        lambda: train(corpus, corpus.natural, device=device),
    )
    for call in verbs:
        with pytest.raises(
            ReweightvizError, match=f"this machine has no torch device '{device}'; 'auto', 'cpu' or"
        ):
            call()


def test_slow_work_shows_a_bar(corpus, tmp_path, monkeypatch):
    shown = []

    class Bar(tqdm):
        def __init__(self, *args, **settings):
            shown.append(settings["desc"])
            super().__init__(*args, **settings | {"disable": True})

    for module in (
        sys.modules["reweightviz.features.embed"],
        sys.modules["reweightviz.features.project"],
        sys.modules["reweightviz.features.cluster"],
        store,
    ):
        monkeypatch.setattr(module, "tqdm", Bar)
    cluster(project(embed(corpus), epochs=11)).save(tmp_path / "c.lance")
    assert shown == [
        "embed: words, TF-IDF, SVD",
        "embed",
        "components",
        "neighbours",
        "cluster: k-means, names",
        "saving",
    ]


def test_the_shipped_encoder_loads_offline(corpus, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    few = Corpus({"text": ["a cat", "a kitten", "stock market prices"], "domain": ["x"] * 3})
    cat, kitten, stocks = embed(few, "minilm")["embedding"]
    assert cat @ kitten > 0.5
    assert cat @ stocks < 0.3


def test_an_unknown_encoder_is_one_sentence(corpus, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ReweightvizError, match="no encoder '/nowhere/model'"):
        embed(corpus, "/nowhere/model")


def test_a_missing_package_says_what_to_install(corpus, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    with pytest.raises(
        MissingPackage, match=r'rv\.embed needs scikit-learn: pip install "reweightviz\[features\]"'
    ):
        embed(corpus)


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_projection_is_seeded_and_keeps_topics_apart(corpus, method, monkeypatch):
    embedded = embed(corpus, dimensions=8)
    xy = project(embedded, method, epochs=50)["xy"]
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", "off")
    np.testing.assert_array_equal(project(embedded, method, epochs=50)["xy"], xy)
    centres = np.stack([xy[corpus.domain_codes == k].mean(0) for k in range(3)])
    nearest = np.linalg.norm(xy[:, None] - centres, axis=2).argmin(1)
    assert (nearest == corpus.domain_codes).mean() > 0.95
    with pytest.raises(ReweightvizError, match="no projection 'tsne'"):
        project(embedded, "tsne")


def test_a_handful_of_documents_still_projects():
    few = Corpus({"text": ["a b", "b c", "c d"], "domain": ["x", "x", "y"]})
    assert np.isfinite(project(embed(few))["xy"]).all()


def test_clusters_are_the_topics_and_named_by_their_words(corpus):
    found = cluster(embed(corpus, dimensions=8), 3)
    assert len({(a, b) for a, b in zip(found["cluster"], corpus.domain_codes, strict=True)}) == 3
    for code, name in enumerate(found.meta["cluster_names"]):
        topic = corpus.domains[
            int(np.bincount(corpus.domain_codes[found["cluster"] == code]).argmax())
        ]
        assert set(name.split(" · ")) <= set(TOPICS[topic].split())
    with pytest.raises(ReweightvizError, match="k must be between 1 and the 120 documents"):
        cluster(embed(corpus), 121)


def test_losses_equal_a_plain_sum_and_skip_empty_documents():
    model = ByteTransformer(ModelConfig(width=16, layers=1, heads=2, context=8)).eval()
    corpus = Corpus({"text": ["hello world, this is text", "ab", ""], "domain": ["x"] * 3})
    found = losses(corpus, model)["loss:proxy"]
    import torch

    sequence = torch.tensor([list(b"ab")])
    assert found[1] == pytest.approx(model.token_losses(sequence).item(), abs=1e-5)
    data = torch.tensor(list(b"hello world, this is text"))
    parts = [model.token_losses(data[None, start : start + 9]).sum().item() for start in (0, 8, 16)]
    assert found[0] == pytest.approx(sum(parts) / 24, abs=1e-5)
    assert np.isnan(found[2])


def test_score_and_select_through_the_verbs(corpus):
    from reweightviz.scorers import Loss
    from reweightviz.selectors import TopK

    values = np.arange(120.0)
    values[3] = np.nan
    scored = features.score(corpus.with_column("loss:m", values), Loss())
    chosen = features.select(scored, TopK(), k=5)
    hardest_or_easiest = values[chosen.rows]
    assert len(set(chosen.rows.tolist())) == 5
    assert np.isfinite(hardest_or_easiest).all()
    assert chosen.ids.tolist() == corpus.ids[chosen.rows].tolist()


def test_a_selection_becomes_a_domain(corpus):
    split = features.split_domain(corpus, [0, 1, 50], "mine")
    assert split.domains == (*corpus.domains, "mine")
    assert split.sources["mine"].documents == 3
    with pytest.raises(ReweightvizError, match="there is a domain 'chess' already"):
        features.split_domain(corpus, [0], "chess")
