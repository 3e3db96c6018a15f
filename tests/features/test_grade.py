"""rv.grade by functions and by hand, and rv.distil over the rest."""

import functools
import warnings

import numpy as np
import pytest
from scipy.stats import spearmanr

import reweightviz as rv
from reweightviz.core.errors import ReweightvizWarning
from reweightviz.features._kept_answers import identify

rng = np.random.default_rng(0)
N = 600
E = rng.normal(size=(N, 12))
TRUTH = E @ rng.normal(size=12) + 2
TEXTS = [f"{row} {value:.6f}" for row, value in enumerate(TRUTH)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def corpus():
    return rv.Corpus({"text": TEXTS, "domain": ["x"] * N, "embedding": E})


def choose(corpus, rows):
    rows = np.asarray(rows, np.int64)
    return rv.Selection(rows, corpus.ids[rows])


def truth(text):
    return float(text.split()[1])


# ---- functions


def test_a_function_grades_a_sample(corpus):
    graded = rv.grade(corpus, truth, documents=50)
    found = graded["grade:truth"]
    known = np.isfinite(found)
    assert known.sum() == 50
    np.testing.assert_allclose(found[known], TRUTH[known], atol=1e-6)
    np.testing.assert_array_equal(rv.grade(corpus, truth, documents=50)["grade:truth"], found)
    rows = [5, 3, 9]
    chosen = rv.grade(corpus, truth, documents=choose(corpus, rows))["grade:truth"]
    assert np.flatnonzero(np.isfinite(chosen)).tolist() == [3, 5, 9]
    assert graded.recipes["grade:truth"]["graded"] == 50


def test_a_function_may_take_many_texts_at_once(corpus):
    sizes = []

    def many(texts):
        sizes.append(len(texts))
        return np.array([truth(text) for text in texts])

    found = rv.grade(corpus, many, documents=50, batch=16)["grade:many"]
    np.testing.assert_array_equal(found, rv.grade(corpus, truth, documents=50)["grade:truth"])
    assert sizes == [16, 16, 16, 2]
    with pytest.raises(rv.ReweightvizError, match="returned 1 grades for 8 texts"):
        rv.grade(corpus, lambda texts: [float(len(texts))], documents=8, batch=8)


def test_texts_without_letters_are_not_graded():
    corpus = rv.Corpus({"text": ["", "a", ""], "domain": ["x"] * 3})
    assert np.isnan(rv.grade(corpus, len, label="n")["grade:n"]).tolist() == [True, False, True]
    with pytest.raises(rv.ReweightvizError, match="no document with text"):
        rv.grade(corpus.take([0, 2]), len)


def test_a_function_that_fails_on_a_text_goes_on_with_the_next(corpus):
    def picky(text):
        if text.startswith("7"):
            raise KeyError(text)
        return 1.0

    rows = choose(corpus, [1, 7, 2, 3])
    with pytest.warns(ReweightvizWarning, match="1 of 4 documents have no grade: .*KeyError"):
        found = rv.grade(corpus, picky, documents=rows)["grade:picky"]
    assert np.flatnonzero(np.isfinite(found)).tolist() == [1, 2, 3]


def test_a_function_that_fails_half_way_goes_on_where_it_was(corpus, tmp_path):
    counter = tmp_path / "calls"
    broken = tmp_path / "broken"
    broken.touch()

    # What a function calls is no part of it, so it stays the same when that is mended.
    def fragile(text, counter=str(counter), broken=str(broken)):
        import pathlib

        calls = pathlib.Path(counter)
        count = len(calls.read_text()) if calls.exists() else 0
        if count >= 17 and pathlib.Path(broken).exists():
            raise ConnectionError("the line is dead")
        calls.write_text("." * (count + 1))
        return float(text.split()[1])

    with pytest.warns(
        ReweightvizWarning,
        match=r"stopped with 17 of 40 grades, which are kept: it raised ConnectionError: the line "
        r"is dead, 3 times in a row; the same call goes on",
    ):
        part = rv.grade(corpus, fragile, documents=40)["grade:fragile"]
    assert np.isfinite(part).sum() == 17
    broken.unlink()
    whole = rv.grade(corpus, fragile, documents=40)["grade:fragile"]
    assert np.isfinite(whole).sum() == 40
    assert counter.read_text() == "." * 40


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("no idea", "'no idea' has no grade"),
        (float("nan"), "'nan' has no grade"),
        (float("inf"), "'inf' has no grade"),
        (None, "None has no grade"),
        ([1, 2], r"'\[1, 2\]' has no grade"),
        (6, "6 is not within 0 to 5"),
        (-0.5, "-0.5 is not within 0 to 5"),
    ],
)
def test_an_answer_that_is_no_grade_is_said(corpus, answer, words):
    def grader(text, answer=answer):
        return answer if text.startswith("7") else 3

    rows = choose(corpus, [1, 7, 2])
    with pytest.warns(ReweightvizWarning, match=f"1 of 3 documents have no grade: .*{words}"):
        found = rv.grade(corpus, grader, documents=rows, within=(0, 5))["grade:grader"]
    assert np.nansum(found) == 6
    with pytest.raises(rv.ReweightvizError, match=f"no grade of 1 documents: .*{words}"):
        rv.grade(corpus, grader, documents=choose(corpus, [7]), within=(0, 5))


def test_requests_bound_the_calls_of_a_function(corpus):
    with pytest.warns(ReweightvizWarning, match="stopped with 8 of 50 .*the 8 requests are made"):
        found = rv.grade(corpus, truth, documents=50, requests=8)["grade:truth"]
    assert np.isfinite(found).sum() == 8
    assert np.isfinite(rv.grade(corpus, truth, documents=50)["grade:truth"]).sum() == 50


def test_a_function_is_known_by_what_it_does():
    def make(limit):
        return lambda text: len(text) > limit

    assert identify(make(3)) == identify(make(3))
    assert identify(make(3)) != identify(make(4))
    assert identify(make([3])) is None
    assert identify(functools.partial(truth)) is None
    assert identify(len) is None
    assert identify(lambda text: (text, 1)) != identify(lambda text: (text, 2))
    assert identify(lambda text, n=1: text * n) != identify(lambda text, n=2: text * n)
    assert identify(lambda text: text.upper()) != identify(lambda text: text.lower())

    class Judge:
        digest = "judge 1"

        def __call__(self, text):
            return float(len(text))

    assert identify(Judge()) == "judge 1"


def test_an_edited_function_grades_anew(corpus):
    one = rv.grade(corpus, lambda text: len(text) * 0 + 1, documents=9)["grade:lambda"]
    two = rv.grade(corpus, lambda text: len(text) * 0 + 2, documents=9)["grade:lambda"]
    assert (np.nansum(one), np.nansum(two)) == (9, 18)


def test_without_a_cache_grades_are_kept_nowhere(corpus, monkeypatch, tmp_path):
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", "off")
    assert np.isfinite(rv.grade(corpus, truth, documents=9)["grade:truth"]).sum() == 9
    folder = tmp_path / "full"
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", str(folder))
    rv.grade(corpus, truth, documents=1)
    (kept,) = folder.glob("grades-*")
    kept.unlink()
    kept.mkdir()
    with pytest.warns(ReweightvizWarning, match="answers are kept in memory alone"):
        found = rv.grade(corpus, truth, documents=9)["grade:truth"]
    assert np.isfinite(found).sum() == 9


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"grader": 3}, "rv.grade takes a function of a text"),
        ({"grader": dict}, "got the class dict"),
        ({"documents": 0}, "documents must be a whole number of at least 1"),
        ({"within": (5, 0)}, "within must be the lowest and the highest grade"),
        ({"within": 5}, "within must be the lowest and the highest grade"),
        ({"batch": 0}, "batch must be a whole number of at least 1"),
        ({"budget": 100}, "bounded by requests=, how often it is called"),
        ({"requests": 0}, "requests must be a whole number of at least 1"),
    ],
)
def test_what_is_asked_is_checked(corpus, given, words):
    given = {"grader": truth} | given
    with pytest.raises(rv.ReweightvizError, match=words):
        rv.grade(corpus, given.pop("grader"), **given)


def test_a_corpus_without_text_cannot_be_graded():
    with pytest.raises(rv.ReweightvizError, match="rv.grade needs column 'text'"):
        rv.grade(rv.Corpus({"domain": ["x"]}), truth)


# ---- by hand


def test_a_selection_is_good_beside_others_drawn_at_random(corpus):
    good = choose(corpus, np.flatnonzero(TRUTH > 5))
    graded = rv.grade(corpus, good, documents=200)
    found = graded["grade:selected"]
    assert (found[good.rows] == 1).all()
    assert np.isfinite(found).sum() == 200
    assert (found == 0).sum() == 200 - len(good)
    large = choose(corpus, np.arange(200))
    found = rv.grade(corpus, large, documents=50)["grade:selected"]
    assert ((found == 1).sum(), (found == 0).sum()) == (200, 200)
    most = choose(corpus, np.arange(500))
    found = rv.grade(corpus, most)["grade:selected"]
    assert ((found == 1).sum(), (found == 0).sum()) == (500, 100)


def test_two_selections_are_good_and_bad(corpus):
    good = choose(corpus, [1, 2])
    bad = choose(corpus, [3])
    found = rv.grade(corpus, (good, bad), label="mine")["grade:mine"]
    assert (np.flatnonzero(found == 1).tolist(), np.flatnonzero(found == 0).tolist()) == (
        [1, 2],
        [3],
    )
    beside = rv.grade(corpus, good, documents=bad)["grade:selected"]
    np.testing.assert_array_equal(beside, found)
    with pytest.raises(rv.ReweightvizError, match="both good and bad"):
        rv.grade(corpus, (good, choose(corpus, [2, 3])))
    with pytest.raises(rv.ReweightvizError, match="got 600 good and 0 others"):
        rv.grade(corpus, choose(corpus, np.arange(N)))
    with pytest.raises(rv.ReweightvizError, match="one selection, or two"):
        rv.grade(corpus, (good, truth))


# ---- spread over the rest


def test_a_linear_grade_is_recovered_and_its_trial_told(corpus):
    spread = rv.distil(rv.grade(corpus, truth, documents=100))
    scores = spread["score:truth"]
    assert (scores.shape, scores.dtype) == ((N,), np.float64)
    rest = np.isnan(spread["grade:truth"])
    error = ((scores - TRUTH)[rest] ** 2).mean() / TRUTH[rest].var()
    assert 1 - error > 0.95
    assert spread.score_figures["score:truth"].startswith("held-out rank correlation 1.00 (")
    assert spread.score_figures["score:truth"].endswith(" over 100 grades")
    recipe = spread.recipes["score:truth"]
    assert (recipe["verb"], recipe["grade"], recipe["from"]) == (
        "distil",
        "grade:truth",
        ["embedding"],
    )


def test_the_held_out_figure_is_that_of_documents_never_seen(corpus):
    noisy = TRUTH + 3 * TRUTH.std() * rng.normal(size=N)
    graded = np.where(np.arange(N) < 300, noisy, np.nan)
    spread = rv.distil(corpus.with_column("grade:noisy", graded))
    trial = spread.recipes["score:noisy"]["held_out"]
    unseen = spearmanr(spread["score:noisy"][300:], noisy[300:]).statistic
    seen = spearmanr(spread["score:noisy"][:300], noisy[:300]).statistic
    assert trial["low"] < unseen < trial["high"]
    assert trial["rank_correlation"] < seen


def test_noise_is_told_for_what_it_is(corpus):
    figures = []
    for seed in range(8):
        noise = np.random.default_rng(seed).normal(size=N)
        graded = np.where(np.arange(N) < 60, noise, np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReweightvizWarning)
            spread = rv.distil(corpus.with_column("grade:noise", graded))
        figures.append(spread.recipes["score:noise"]["held_out"]["rank_correlation"])
    assert abs(np.mean(figures)) < 0.1
    with pytest.warns(ReweightvizWarning, match="no better than chance, held-out rank"):
        rv.distil(corpus.with_column("grade:noise", np.where(np.arange(N) < 20, noise, np.nan)))


def test_good_and_bad_are_spread_by_log_odds(corpus):
    good = choose(corpus, np.flatnonzero(np.quantile(TRUTH, 0.9) < TRUTH))
    spread = rv.distil(rv.grade(corpus, good, documents=300))
    scores = spread["score:selected"]
    assert spearmanr(scores, TRUTH).statistic > 0.9
    trial = spread.recipes["score:selected"]["held_out"]
    assert trial["auc"] > 0.95
    assert spread.score_figures["score:selected"].startswith("held-out AUC ")
    odds = corpus.with_column("grade:odds", np.where(TRUTH > 2, 7.0, 3.0))
    assert spearmanr(rv.distil(odds)["score:odds"], TRUTH).statistic > 0.95


def test_copies_of_a_text_do_not_foretell_each_other():
    half = 150
    noise = rng.normal(size=half)
    vectors = rng.normal(size=(half, 200))
    corpus = rv.Corpus(
        {
            "text": [f"text {row}" for row in range(half)] * 2,
            "domain": ["x"] * 2 * half,
            "embedding": np.vstack([vectors, vectors]),
            "grade:noise": np.tile(noise, 2),
        }
    )
    with pytest.warns(ReweightvizWarning, match="no better than chance"):
        rv.distil(corpus)


def test_documents_appended_later_are_scored_by_the_same_head(corpus):
    spread = rv.distil(rv.grade(corpus.take(np.arange(400)), truth, documents=100))
    more = {"text": TEXTS[400:], "domain": ["x"] * 200, "embedding": E[400:]}
    with pytest.warns(ReweightvizWarning, match="no value of 'grade:truth'"):
        grown = spread.append(more)
    np.testing.assert_allclose(grown["score:truth"][400:], TRUTH[400:], atol=0.01)
    np.testing.assert_array_equal(grown["score:truth"][:400], spread["score:truth"])
    assert np.isnan(grown["grade:truth"][400:]).all()


def test_a_distilled_score_is_saved_with_its_figure(corpus, tmp_path):
    spread = rv.distil(rv.grade(corpus, truth, documents=100))
    spread.save(tmp_path / "corpus")
    opened = rv.open_corpus(tmp_path / "corpus")
    assert opened.score_figures == spread.score_figures
    assert opened.recipes["score:truth"] == spread.recipes["score:truth"]
    again = rv.grade(opened, truth, documents=100, label="again")
    np.testing.assert_array_equal(again["grade:again"], spread["grade:truth"])


def test_what_cannot_be_spread_is_said(corpus):
    with pytest.raises(rv.ReweightvizError, match="needs column 'grade'"):
        rv.distil(corpus)
    few = corpus.with_column("grade:few", np.where(np.arange(N) < 9, TRUTH, np.nan))
    with pytest.raises(rv.ReweightvizError, match="at least 10 grades, .*'grade:few' has 9, of 9"):
        rv.distil(few)
    with pytest.raises(rv.ReweightvizError, match="has 600, of 1 values"):
        rv.distil(corpus.with_column("grade:same", np.ones(N)))
    two = few.with_column("grade:b", TRUTH)
    with pytest.raises(rv.ReweightvizError, match="name one, grade='grade:few'"):
        rv.distil(two)
    assert "score:b" in rv.distil(two, grade="grade:b").columns
    assert "score:c" in rv.distil(two, "grade:b", label="c").columns
