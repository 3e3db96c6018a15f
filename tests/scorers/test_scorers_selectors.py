import re
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reweightviz import scorers, selectors
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.protocols import Scorer, Selector, needs
from reweightviz.core.types import COLUMNS, SIGNALS

SCORERS = [getattr(scorers, name)() for name in scorers.__all__]
SELECTORS = [getattr(selectors, name)() for name in selectors.__all__]
METHODS = [(method, scorers) for method in SCORERS] + [(method, selectors) for method in SELECTORS]
every_scorer = pytest.mark.parametrize("scorer", SCORERS, ids=lambda m: type(m).__name__)
every_selector = pytest.mark.parametrize("selector", SELECTORS, ids=lambda m: type(m).__name__)
anything = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=50)


@pytest.mark.parametrize(("method", "family"), METHODS, ids=lambda m: type(m).__name__)
def test_is_frozen_documented_and_written_as_it_is_made(method, family):
    module = __import__(type(method).__module__, fromlist=["paper"])
    assert eval(repr(method), vars(family)) == method  # noqa: S307
    with pytest.raises((FrozenInstanceError, AttributeError)):
        method.anything = 1
    assert family.__all__ == sorted(family.__all__)
    assert re.search(r"https://\S+", module.__doc__)
    assert method.paper in module.__doc__
    assert method.verified
    assert "Example:" in type(method).__doc__


_RNG = np.random.default_rng(0)
PER_DOCUMENT = {
    "loss": _RNG.random(20),
    "gradient": _RNG.normal(size=(20, 6)),
    "embedding": _RNG.normal(size=(20, 4)),
    "ratings": _RNG.normal(size=(20, 3)),
    "domain": np.array(["web", "code"] * 10, object),
    "reference_loss": _RNG.random(20),
    "model_losses": _RNG.random((20, 4)),
    "answer_log_probs": None,
    "text": np.array([f"text {row} " * (row + 1) for row in range(20)], object),
}
SAMPLES = PER_DOCUMENT | {
    "query_gradient": _RNG.normal(size=(5, 6)),
    "query_group": np.array([0, 1, 1, 0, 1]),
    "query_embedding": _RNG.normal(size=(5, 4)),
    "target_text": ["a text " * 9, "another"],
    "benchmark": np.array([0.1, 0.4, 0.2, 0.9]),
    "weight_difference": _RNG.normal(size=6),
    "run_losses": _RNG.random(60),
    "rater_weights": _RNG.dirichlet(np.ones(3), 60),
    "preference": _RNG.random(50),
    "rng": np.random.default_rng(1),
}
"""Signals by name, small: 20 documents, 5 of a target, 60 runs."""
ANSWERS = {"Select2Reason": 2, "DEITA": 6}
BY_ROW = {
    "runs": (_RNG.random((60, 20)) < 0.5, lambda runs, order: runs[:, order]),
    "comparisons": (
        np.array([_RNG.permutation(20)[:2] for _ in range(50)]),
        lambda pairs, order: np.argsort(order)[pairs],
    ),
}
"""Signals that name documents by their rows, and what they are of documents in another order."""


def sample(scorer):
    """Return what a scorer needs."""
    columns = {name: value for name, (value, _) in BY_ROW.items()} | SAMPLES
    columns["answer_log_probs"] = _RNG.normal(size=(20, ANSWERS.get(type(scorer).__name__, 1)))
    return {name: columns[name] for name in needs(scorer.score)}


def turn(columns, order):
    """Return the signals of the documents in another order."""
    turned = {name: values[order] for name, values in columns.items() if name in PER_DOCUMENT}
    for name, (_, move) in BY_ROW.items():
        if name in columns:
            turned[name] = move(columns[name], order)
    return columns | turned


@every_scorer
def test_scores_are_a_number_a_document(scorer):
    rng = np.random.default_rng(0)
    columns = sample(scorer)
    assert isinstance(scorer, Scorer)
    assert columns.keys() <= COLUMNS.keys() | SIGNALS.keys()
    assert isinstance(scorer.higher_is_better, bool)
    scores = scorer.score(**columns)
    assert (scores.shape, scores.dtype) == ((20,), np.float64)
    assert not np.isinf(scores).any()
    order = rng.permutation(20)
    # A sum over documents in another order is rounded differently.
    np.testing.assert_allclose(scorer.score(**turn(columns, order)), scores[order], rtol=1e-6)


@every_scorer
def test_a_scorer_is_row_by_row_where_it_says_so(scorer):
    columns = sample(scorer)
    wanted = needs(scorer.score)
    if set(wanted) & set(BY_ROW):
        # Its runs or comparisons are of these documents and of no others.
        assert not getattr(scorer, "row_by_row", False)
        return

    def run(rows):
        own = {name: columns[name] for name in wanted}
        if "rng" in own:
            own["rng"] = np.random.default_rng(1)
        return scorer.score(**own | {name: own[name][rows] for name in own if name in PER_DOCUMENT})

    whole = run(np.arange(20))
    same = np.allclose(run(np.arange(7)), whole[:7], rtol=1e-9, equal_nan=True)
    if getattr(scorer, "row_by_row", False):
        assert same, "its score of a document depends on the others"
    else:
        assert not same or np.isnan(whole).all(), "row_by_row: ClassVar[bool] = True would do"


def test_loss_keeps_nats_and_their_direction():
    loss = np.array([2.0, np.nan, -np.inf, 1.0])
    np.testing.assert_array_equal(scorers.Loss().score(loss=loss), [2.0, np.nan, np.nan, 1.0])
    assert scorers.Loss().higher_is_better is False
    with pytest.raises(ReweightvizError, match="one loss a document"):
        scorers.Loss().score(loss=np.ones((2, 2)))


@every_selector
@given(values=anything, part=st.floats(0, 1))
def test_exactly_k_unique_rows_best_first(selector, values, part):
    score, k = np.array(values, np.float64), int(part * len(values))
    rows = selector.select(score=score, k=k)
    assert isinstance(selector, Selector)
    assert needs(selector.select).keys() <= SIGNALS.keys()
    assert (rows.dtype, rows.shape) == (np.int64, (k,))
    assert len(set(rows.tolist())) == k
    assert ((rows >= 0) & (rows < len(values))).all()
    finite = np.isfinite(score)
    assert finite[rows].sum() == min(k, finite.sum())


@every_selector
def test_ties_are_in_row_order_and_missing_scores_last(selector):
    nan, inf = float("nan"), float("inf")
    assert selector.select(score=[1.0, nan, 2.0, 1.0, inf, 2.0], k=6).tolist() == [2, 5, 0, 3, 1, 4]


@every_selector
@pytest.mark.parametrize("k", [4, -1, 1.5, True, "2"])
def test_k_is_a_number_of_documents_that_exist(selector, k):
    with pytest.raises(
        ReweightvizError, match="k must be a whole number of at least 0 and at most 3"
    ):
        selector.select(score=np.ones(3), k=k)


@given(values=st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=50))
def test_top_k_takes_the_highest(values):
    score = np.array(values)
    np.testing.assert_array_equal(
        score[selectors.TopK().select(score=score, k=len(score))], np.sort(score)[::-1]
    )
    with pytest.raises(ReweightvizError, match="one score a document"):
        selectors.TopK().select(score=np.ones((2, 2)), k=1)
