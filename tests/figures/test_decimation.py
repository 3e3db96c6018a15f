"""Decimation: no extreme is lost, and what grows step by step is what is made at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reweightviz.core.runlog import RunLog
from reweightviz.figures.curves import loss_figure, weight_figure
from reweightviz.figures.decimation import LIMIT, Decimation
from reweightviz.figures.drawing_cache import DrawingCache
from reweightviz.figures.smoothing import Ema


def noisy(T, K=2, seed=0, holes=0.0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(T, K))
    values[rng.random((T, K)) < holes] = np.nan
    return values


def at_once(values, **settings):
    lines = Decimation(**settings)
    lines.grow(values)
    return lines


@pytest.mark.parametrize("T", [0, 1, 2, 500, LIMIT, LIMIT + 1, 12_345, 200_000])
@pytest.mark.parametrize("holes", [0.0, 0.01, 0.6, 1.0])
def test_every_extreme_is_there_in_at_most_the_points_promised(T, holes):
    values = noisy(T, holes=holes)
    for k in range(2):
        rows, y = at_once(values).points(k)
        assert len(rows) <= LIMIT + 2
        assert (np.diff(rows) > 0).all()
        np.testing.assert_array_equal(y, values[rows, k])
        if T <= LIMIT:
            assert rows.tolist() == list(range(T))
        elif np.isfinite(values).any():
            assert rows[0] == 0 and rows[-1] == T - 1
            assert (
                np.isfinite(values).any(0)[k]
                and np.isin([np.nanargmin(values[:, k]), np.nanargmax(values[:, k])], rows).all()
            )
            # No pixel of 300 columns loses its lowest or its highest point.
            for column in np.array_split(np.arange(T), 300):
                if np.isfinite(values[column, k]).any() and T > 300 * 200:
                    near = np.isin(rows, np.arange(column[0] - T // 300, column[-1] + T // 300))
                    assert np.nanmax(y[near]) >= np.nanmax(values[column, k])
                    assert np.nanmin(y[near]) <= np.nanmin(values[column, k])


def test_gaps_stay_gaps_and_a_line_without_them_is_its_measured_points():
    values = noisy(100_000)
    values[40_000:60_000] = np.nan
    rows, y = at_once(values).points(0)
    gap = (rows >= 40_000) & (rows < 60_000)
    assert gap.any() and np.isnan(y[gap]).all() and np.isfinite(y[~gap]).all()
    rows, y = at_once(values).points(0, gaps=False)
    assert np.isfinite(y).all()
    values[::2] = np.nan
    rows, y = at_once(values).points(0)
    # Measured every second row: no two points are joined, as in the raw line, but for a bucket's gap that is drawn beside it.
    assert np.isnan(y).sum() > len(y) / 4


def test_infinite_values_are_gaps():
    values = noisy(10_000)
    values[[100, 5000, 9999]] = [[np.inf], [-np.inf], [np.inf]]
    assert np.isfinite(at_once(values).points(0, gaps=False)[1]).all()
    log = RunLog(("a", "b"), np.arange(10_000), np.full((10_000, 2), 0.5), {"loss": values})
    assert not np.isinf(loss_figure(log).data[0].y).any()


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.lists(st.integers(0, 3000), min_size=1, max_size=12),
    st.sampled_from([0, 5]),
    st.sampled_from([0.0, 0.3]),
    st.sampled_from([0, 1700]),
)
def test_grown_bit_by_bit_it_keeps_the_extremes_too(seed, growth, smooth, holes, start):
    values = noisy(sum(growth), seed=seed, holes=holes)
    lines, T = Decimation(smooth, start), 0
    for more in growth:
        T += more
        lines.grow(values[:T])
    expected = Ema(smooth).push(values) if smooth else values
    for k in range(2):
        rows, y = lines.points(k)
        np.testing.assert_allclose(y, expected[rows, k], rtol=1e-9)
        shown = expected[start:, k]
        if np.isfinite(shown).any():
            assert np.nanmax(y) == pytest.approx(np.nanmax(shown), rel=1e-9)
            assert np.nanmin(y) == pytest.approx(np.nanmin(shown), rel=1e-9)


def test_the_last_row_may_still_be_filled_in():
    values = noisy(5000)
    values[-1] = np.nan
    lines = Decimation(3)
    lines.grow(values)
    values[-1] = 50.0
    lines.grow(values)
    np.testing.assert_allclose(lines.points(0)[1][-1], Ema(3).push(values)[-1, 0])


def test_smoothing_in_pieces_is_smoothing_at_once():
    values, one = noisy(1000, holes=0.2), Ema(7)
    pieces = [one.push(values[start : start + 130]) for start in range(0, 1000, 130)]
    np.testing.assert_allclose(np.concatenate(pieces), Ema(7).push(values))


def long_log(T=50_000):
    loss = 2 + 0.1 * noisy(T, 3)
    loss[31_415:31_416, 1] = 9.0
    weights = np.abs(noisy(T, 3, seed=1)) + 0.1
    return RunLog(
        ("web", "code", "math"),
        np.arange(1, T + 1),
        weights / weights.sum(1, keepdims=True),
        {"loss": loss},
        times=np.arange(T) * 1.0,
    )


def test_a_figure_says_what_it_leaves_out():
    figure = loss_figure(long_log(), smooth=5)
    raw = figure.data[1]
    assert len(raw.x) <= LIMIT + 2
    assert raw.x[np.nanargmax(raw.y)] == 31_416
    assert (
        figure.layout.annotations[0].text
        == "nats per token · EMA of 5 points over raw · every extreme of 50,000 points, drawn as 2,000"
    )
    assert loss_figure(long_log(LIMIT)).layout.annotations[0].text == "nats per token"
    stacked = weight_figure(long_log(), stacked=True)
    np.testing.assert_allclose(sum(trace.y for trace in stacked.data), 100)
    assert len(stacked.data[0].x) <= LIMIT + 2
    assert stacked.layout.annotations[0].text == "% of training tokens · 2,000 of 50,000 points"


@pytest.mark.parametrize(
    ("x", "within", "each"),
    [("step", (20_000, 21_000), 1), ("time", (20_000 / 3600, 21_000 / 3600), 1 / 3600)],
)
@pytest.mark.parametrize("smooth", [0, 9])
def test_zooming_in_brings_every_point_back(x, within, each, smooth):
    log, cache = long_log(), DrawingCache()
    loss_figure(log, x=x, smooth=smooth, cache=cache)
    line = loss_figure(log, x=x, smooth=smooth, within=within, cache=cache).data[3 if smooth else 0]
    inside = (line.x >= within[0]) & (line.x <= within[1])
    assert inside.sum() == 1001
    np.testing.assert_allclose(np.diff(line.x[inside]), each)
    expected = Ema(smooth).push(log["loss"])[:, 0] if smooth else log["loss"][:, 0]
    rows = np.rint(line.x[inside] / each).astype(int) - (x == "step")
    np.testing.assert_allclose(line.y[inside], expected[rows])
