"""From scores to weights, and to buckets of quality."""

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError

K = ("web", "code", "math")


@pytest.fixture
def corpus():
    domains = np.repeat(K, [6, 3, 3])
    made = rv.Corpus(
        {"text": ["x" * (10 + row) for row in range(12)], "domain": domains}, domains=K
    )
    score = [0.0, 1, 2, 3, 4, np.nan, 2, 2, 2, 5, 7, 6]
    return made.with_column("score:x", score)


def test_factors_are_means_and_shares_over_tokens(corpus):
    tokens = corpus.tokens.astype(float)
    score = np.asarray(corpus["score:x"])
    fine = np.isfinite(score)
    natural = corpus.natural.array
    codes = corpus.domain_codes

    def factors(values):
        return [
            np.average(values[fine & (codes == k)], weights=tokens[fine & (codes == k)])
            for k in range(3)
        ]

    mean = rv.score_weights(corpus, how="mean")
    expected = np.array(factors(score)) * natural
    np.testing.assert_allclose(mean.aligned(K), expected / expected.sum())
    share = rv.score_weights(corpus, how="share above", threshold=2)
    expected = np.array(factors(score >= 2)) * natural
    np.testing.assert_allclose(share.aligned(K), expected / expected.sum())
    soft = rv.score_weights(corpus, temperature=0.5, prior=dict.fromkeys(K, 1 / 3))
    expected = np.exp(np.array(factors(score)) / score[fine].std() / 0.5)
    np.testing.assert_allclose(soft.aligned(K), expected / expected.sum())
    flat = rv.score_weights(corpus, temperature=1e9)
    np.testing.assert_allclose(flat.aligned(K), natural, atol=1e-6)
    same = rv.score_weights(corpus.with_column("score:x", np.ones(12)), how="softmax")
    np.testing.assert_allclose(same.aligned(K), natural)
    assert soft.source["score"] == "score:x"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"how": "median"}, "mean"),
        ({"how": "share above"}, "threshold="),
        ({"how": "share above", "threshold": 99}, "lower threshold"),
        ({"how": "softmax", "temperature": 0}, "above 0"),
        ({"score": "score:y"}, "score:x"),
    ],
)
def test_what_cannot_be_a_weight_is_a_sentence(corpus, options, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        rv.score_weights(corpus, **options)


def test_a_domain_without_a_score_and_negative_means_are_sentences(corpus):
    score = np.array(corpus["score:x"])
    score[6:9] = np.nan
    with pytest.raises(ReweightvizError, match="domain 'code' has a score"):
        rv.score_weights(corpus.with_column("score:x", score))
    with pytest.raises(ReweightvizError, match="how='softmax'"):
        rv.score_weights(corpus.with_column("score:x", -np.ones(12)), how="mean")


def test_buckets_hold_like_scores_and_like_tokens(corpus):
    split = rv.split_by_score(corpus, buckets=3)
    assert split.domains == tuple(f"{name}/{n}" for name in K for n in (1, 2, 3))
    names = np.array(split.domains)[split.domain_codes]
    assert names[5] == "web/1", "without a score"
    assert names[4] == "web/3"
    assert names[9:].tolist() == ["math/1", "math/3", "math/2"]
    for name in K:
        tokens = [split.sources[f"{name}/{n}"].tokens for n in (1, 2, 3)]
        assert max(tokens) - min(tokens) <= corpus.tokens.max()
    rows = split.lineage.known_shares(split.domains, K)
    assert np.allclose(rows.sum(0), 1)
    again = rv.split_by_score(corpus.take(range(7)), buckets=4)
    assert [name for name in again.domains if name.startswith("code")] == ["code/3"]
    with pytest.raises(ReweightvizError, match="web/1"):
        rv.split_by_score(rv.split_domain(split, [0], "web/1/1"), buckets=2)


def test_weights_by_score_are_a_preset_of_the_editor(corpus):
    mixture = rv.score_weights(corpus)
    editor = rv.MixtureEditor(corpus, presets={"by score": mixture})
    assert "by score" in [preset["name"] for preset in editor.presets]
