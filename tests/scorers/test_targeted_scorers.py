"""Scorers by losses, texts and embeddings: their invariants, closed forms and references."""

import zlib

import numpy as np
import pytest
from scipy.stats import kendalltau

from reweightviz import scorers
from reweightviz.core.errors import ReweightvizError
from reweightviz.numerics import ngrams, similar

RNG = np.random.default_rng(0)
LOSS = RNG.random(30) + 1
OTHER = RNG.random(30) + 1
GAPS = [scorers.CoLoR(), scorers.RHO(), scorers.IFD(keep_misaligned=True)]


@pytest.mark.parametrize("scorer", GAPS, ids=lambda s: type(s).__name__)
def test_gaps_of_losses(scorer):
    found = scorer.score(loss=LOSS, reference_loss=OTHER)
    shifted = scorer.score(loss=LOSS + 5, reference_loss=OTHER + 5)
    np.testing.assert_allclose(shifted, found, rtol=1e-9)
    same = scorer.score(loss=LOSS, reference_loss=LOSS)
    assert set(same.tolist()) == {float(isinstance(scorer, scorers.IFD))}
    turned = scorer.score(loss=OTHER, reference_loss=LOSS)
    if isinstance(scorer, scorers.IFD):
        np.testing.assert_allclose(turned, 1 / found)
    else:
        np.testing.assert_array_equal(turned, -found)
    bad = scorer.score(loss=[1.0, np.nan, 2.0], reference_loss=[1.0, 1.0, np.inf])
    assert np.isnan(bad).tolist() == [False, True, True]
    with pytest.raises(ReweightvizError, match="two losses a document.* loss .*, reference_loss "):
        scorer.score(loss=LOSS, reference_loss=OTHER[:-1])


@pytest.mark.golden("IFD", "closed form: exp(l(answer | question) - l(answer))")
def test_an_answer_that_its_question_does_not_help_has_no_ifd():
    ratio = np.array([0.5, 0.95, 1.2, 0.8])
    found = scorers.IFD().score(loss=np.log(ratio), reference_loss=np.zeros(4))
    np.testing.assert_allclose(found, [0.5, 0.95, np.nan, 0.8])


@pytest.mark.golden("RDS", "sklearn cosine_similarity")
def test_rds_is_the_greatest_cosine(monkeypatch):
    from sklearn.metrics.pairwise import cosine_similarity

    E = RNG.normal(size=(200, 8))
    Q = RNG.normal(size=(7, 8))
    E[3] = 0
    expected = cosine_similarity(E, Q).max(1)
    np.testing.assert_allclose(scorers.RDS().score(embedding=E, query_embedding=Q), expected)
    monkeypatch.setattr(similar, "_BLOCK", 64)
    np.testing.assert_allclose(scorers.RDS().score(embedding=E, query_embedding=Q), expected)
    twice = scorers.RDS().score(embedding=3 * E, query_embedding=np.vstack([Q, 5 * Q]))
    np.testing.assert_allclose(twice, expected, rtol=1e-12)
    assert expected[3] == 0
    tasks = similar.greatest_cosines("RDS", E, Q, list("aabbbcc"))
    np.testing.assert_allclose(tasks[:, 1], cosine_similarity(E, Q[2:5]).max(1))
    with pytest.raises(ReweightvizError, match="at least one"):
        scorers.RDS().score(embedding=E, query_embedding=Q[:0])
    with pytest.raises(ReweightvizError, match="embeddings"):
        scorers.RDS().score(embedding=E, query_embedding=Q[:, :3])


@pytest.mark.golden("ZIPFIT", "closed form of the normalised compression distance")
def test_zip_fit_is_one_less_the_mean_distance():
    food = ["salt", "pepper", "onion", "garlic", "soup", "butter", "flour", "oven"]
    board = ["rook", "bishop", "pawn", "castle", "mate", "gambit", "queen", "king"]
    cooks = [" ".join(RNG.choice(food, 80)) for _ in range(2)]
    players = [" ".join(RNG.choice(board, 80)) for _ in range(2)]
    target = [" ".join(RNG.choice(food, 80))]

    def distance(x, y):
        sizes = [len(zlib.compress(part.encode(), 6)) for part in (x, y, x + y)]
        return (sizes[2] - min(sizes[:2])) / max(sizes[:2])

    found = scorers.ZIPFIT().score(text=[*cooks, *players, ""], target_text=target)
    expected = [1 - distance(text, target[0]) for text in [*cooks, *players, ""]]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[:2].min() > found[2:4].max()
    for name in ("bz2", "lzma"):
        assert len(scorers.ZIPFIT(name).score(text=cooks, target_text=target)) == 2
    with pytest.raises(ReweightvizError, match="gzip"):
        scorers.ZIPFIT("gzp")


@pytest.mark.golden("PreSelect", "scipy.stats.kendalltau")
def test_preselect_is_kendalls_concordance():
    losses = RNG.random((40, 6))
    marks = RNG.random(6)
    found = scorers.PreSelect().score(model_losses=losses, benchmark=marks)
    tau = [kendalltau(-row, marks).statistic for row in losses]
    np.testing.assert_allclose(found, (np.array(tau) + 1) / 2)
    np.testing.assert_array_equal(
        scorers.PreSelect().score(model_losses=np.exp(losses), benchmark=marks**3), found
    )
    losses[0, 2] = np.nan
    assert np.isnan(scorers.PreSelect().score(model_losses=losses, benchmark=marks)[0])
    ties = scorers.PreSelect().score(model_losses=[[1.0, 1.0, 0.5]], benchmark=[1, 2, 3])
    assert ties.tolist() == [2 / 3]
    with pytest.raises(ReweightvizError, match="at least two models"):
        scorers.PreSelect().score(model_losses=losses[:, :1], benchmark=marks[:1])


@pytest.mark.golden("DSIR", "the package data-selection 1.0.3: its tests' buckets and counts")
def test_dsir_hashes_and_counts_as_the_authors_package():
    assert ngrams.hash_sha256("alice", 10_000) == 6720
    assert ngrams.hash_sha256("alice went", 10_000) == 114
    counts = ngrams.count_hashed(["Alice went to the store"], 2, 10_000, ngrams.hash_sha256)
    assert counts.sum() == 9
    assert counts[0, 6720] == 1


@pytest.mark.golden("DSIR", "closed form of the log importance weight")
@pytest.mark.parametrize("sha256", [True, False])
def test_dsir_weighs_by_the_ratio_of_frequencies(sha256):
    letters = np.array(list("abcdefgh"))
    texts = [" ".join(RNG.choice(letters, 120)) for _ in range(6)]
    scorer = scorers.DSIR(n=1, sha256=sha256)
    assert not scorer.score(text=texts, target_text=texts).any(), "the target is the corpus"
    target = ["a a b c", "a d"]
    words = " ".join(texts).split()
    aims = " ".join(target).split()
    expected = [
        sum(
            np.log(aims.count(w) / len(aims) + 1e-8) - np.log(words.count(w) / len(words) + 1e-8)
            for w in text.split()
        )
        for text in texts
    ]
    found = scorer.score(text=[*texts, "a b"], target_text=target)
    assert np.isnan(found[-1]), "a short document"
    found = scorers.DSIR(n=1, sha256=sha256).score(text=texts, target_text=target)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.golden("Contamination", "counted by hand")
def test_contamination_is_the_share_of_runs_of_words():
    scorer = scorers.Contamination(n=3)
    document = "The cat sat on the mat and slept."
    assert scorer.score(text=[document], target_text=["a cat sat on the mat"]).tolist() == [0.5]
    assert scorer.score(text=[document, "the cat"], target_text=[document]).tolist() == [1, 0]
    assert scorer.score(text=[document], target_text=["nothing of that kind"]).tolist() == [0]
    hits = [
        scorers.Contamination(n=n).score(text=[document], target_text=["a cat sat on the mat"])[0]
        for n in range(1, 7)
    ]
    assert hits == sorted(hits, reverse=True)
