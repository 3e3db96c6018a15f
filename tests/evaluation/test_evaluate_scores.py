"""Scores on trial: known truths, references, and real trainings."""

import numpy as np
import pytest
from scipy.stats import kruskal, mannwhitneyu

from reweightviz.core.corpus import Corpus, open_corpus
from reweightviz.core.errors import MissingColumn, ReweightvizError, UnknownName
from reweightviz.core.selection import Selection
from reweightviz.evaluation.evaluate_scores import evaluate_scores
from reweightviz.models.byte_transformer import ModelConfig
from reweightviz.numerics.ranking import area_under_curve, grouped_share, recall_at
from reweightviz.training.document_subsets import cut_documents, train_on_documents
from reweightviz.training.train_config import TrainConfig

N = 60
TINY = TrainConfig(steps=30, batch=16, model=ModelConfig(width=32, layers=1, heads=2, context=32))


@pytest.fixture
def corpus():
    rng = np.random.default_rng(0)
    is_good = np.arange(N) % 3 == 0
    words = np.where(is_good[:, None], rng.choice(["abc ", "abd "], (N, 40)), "")
    noise = rng.integers(97, 123, (N, 160)).astype(np.uint8)
    texts = [
        "".join(row) if good else bytes(other).decode()
        for row, good, other in zip(words, is_good, noise, strict=True)
    ]
    made = Corpus({"text": texts, "domain": np.where(is_good, "good", "noise")})
    return made.with_column("score:right", is_good + rng.normal(0, 0.1, N)).with_column(
        "score:random", rng.random(N)
    )


@pytest.mark.golden("evaluate_scores", "scipy.stats.mannwhitneyu, kruskal")
def test_area_and_domain_share_are_those_of_the_tests_of_ranks():
    rng = np.random.default_rng(1)
    score = rng.integers(0, 20, 300).astype(float)
    found = rng.random(300) < 0.3
    statistic = mannwhitneyu(score[found], score[~found]).statistic
    assert area_under_curve(score, found).area == pytest.approx(
        statistic / (found.sum() * (~found).sum())
    )
    groups = rng.integers(0, 4, 300)
    score += groups
    H = kruskal(*(score[groups == g] for g in range(4))).statistic
    assert grouped_share(score, groups) == pytest.approx((H - 3) / (300 - 4))


def test_the_standard_error_is_that_of_many_samples():
    rng = np.random.default_rng(0)
    found = np.arange(80) < 30
    areas = [area_under_curve(rng.normal(size=80) + found, found) for _ in range(400)]
    spread = np.std([one.area for one in areas])
    assert np.mean([one.error for one in areas]) == pytest.approx(spread, rel=0.1)


def test_a_missing_score_is_last_and_counted(corpus):
    score = np.array(corpus["score:right"])
    score[:3] = [np.nan, np.inf, -np.inf]
    table = evaluate_scores(corpus.with_column("score:x", score), "score:x", planted="good").table
    assert table.loc["score:x", ["documents", "missing"]].tolist() == [N - 3, 3]
    assert area_under_curve([np.nan, 1.0], [True, False]).area == 0
    assert recall_at([np.nan, 1.0, 0.5], [True, False, True], 2) == 0.5


def test_planted_documents_are_told_in_four_ways(corpus):
    rows = np.flatnonzero(corpus.domain_codes == corpus.domains.index("good"))
    for planted in ("good", rows, corpus.domain_codes == corpus.domain_codes[rows[0]]):
        assert evaluate_scores(corpus, planted=planted).table["planted"].tolist() == [20, 20]
    chosen = Selection(rows, corpus.ids[rows])
    table = evaluate_scores(corpus, "score:right", planted=chosen).table
    assert table["auc"].tolist() == [1.0]
    assert table["recall"].tolist() == [1.0]
    assert table["domain_share"].item() > 0.6


@pytest.mark.parametrize("planted", [[N], [-1], [0.5], np.ones(N, bool), [], "absent"])
def test_what_cannot_be_planted_is_a_sentence(corpus, planted):
    with pytest.raises(ReweightvizError):
        evaluate_scores(corpus, planted=planted)


def test_what_is_no_score_is_a_sentence(corpus):
    with pytest.raises(MissingColumn, match="rv.score"):
        evaluate_scores(Corpus({"text": ["a"], "domain": ["b"]}))
    with pytest.raises(UnknownName, match="score:right"):
        evaluate_scores(corpus, "score:rihgt")
    with pytest.raises(ReweightvizError, match="pass target="):
        evaluate_scores(corpus, seeds=1)
    with pytest.raises(ReweightvizError, match="at least 33 bytes"):
        evaluate_scores(corpus, seeds=1, target=["short"], config=TINY)


def test_the_corpus_carries_the_figures_and_keeps_them(corpus, tmp_path):
    first = evaluate_scores(corpus, "score:right", planted="good").corpus
    both = evaluate_scores(first, "score:random", planted="good").corpus
    assert both.score_figures["score:right"].startswith("AUC 1.00")
    assert set(both.score_figures) == {"score:right", "score:random"}
    assert corpus.score_figures == {}
    both.save(tmp_path / "corpus.lance")
    assert open_corpus(tmp_path / "corpus.lance").score_figures == both.score_figures


def test_trainings_tell_a_right_score_from_a_random_one(corpus):
    target = ["abc abd " * 30]
    calls = {"target": target, "config": TINY, "share": 0.2}
    trial = evaluate_scores(corpus, seeds=2, subsets=8, left_out=2, **calls)
    right, drawn = (trial.table.loc[name] for name in ("score:right", "score:random"))
    assert right["gain"] - 3 * right["gain_error"] > 0
    assert right["gain"] > drawn["gain"]
    assert right["lds"] > 0.5
    assert right["left_out"] > 0, "a good document is missed"
    titles = [note.text for note in trial.figure().layout.annotations]
    assert "gain, nats per byte" in titles
    assert "agreement of ranks" in titles
    assert "score:right: gain +" in trial._repr_html_()


def test_masked_runs_differ_by_their_documents_alone(corpus):
    sequences = cut_documents(corpus, 33)
    target = sequences.blocks[sequences.owners == 0]
    everything = np.ones(N, bool)
    without = everything.copy()
    without[0] = False
    runs = [everything, without, everything]
    losses = train_on_documents(sequences, runs, target, TINY, seeds=[0], masked=True)
    assert losses[0] == losses[2]
    assert losses[0] < losses[1], "a document that was seen is less of a surprise"
    with pytest.raises(ReweightvizError, match="no text to learn from"):
        train_on_documents(sequences, [~everything], target, TINY, seeds=[0])
