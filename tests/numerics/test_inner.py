import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.numerics import inner as module
from reweightviz.numerics.inner import (
    damped_inverse,
    group_means,
    inner,
    precondition,
    self_inner,
    unit_rows,
)

rng = np.random.default_rng(0)
G = rng.normal(size=(50, 12))
V = rng.normal(size=(3, 12))


def test_products_do_not_depend_on_the_blocks_or_the_precision(monkeypatch):
    whole = inner(G, V)
    np.testing.assert_allclose(whole, G @ V.T)
    monkeypatch.setattr(module, "_BLOCK", 12 * 7)
    np.testing.assert_allclose(inner(G, V), whole)
    np.testing.assert_allclose(inner(G.astype(np.float16), V[0]), whole[:, 0], atol=0.02)
    np.testing.assert_allclose(self_inner(G), np.diag(G @ G.T))
    for kind in ("exact", "datainf"):
        blocked = damped_inverse(G, V, kind=kind)
        monkeypatch.undo()
        np.testing.assert_allclose(blocked, damped_inverse(G, V, kind=kind))


def test_units_of_zero_rows_are_zero():
    rows = np.vstack([G[:2], np.zeros((1, 12))])
    np.testing.assert_allclose(np.linalg.norm(unit_rows(rows), axis=1), [1, 1, 0])
    np.testing.assert_allclose(inner(rows, V, unit=True), unit_rows(rows) @ V.T)


def test_groups_may_have_any_size():
    means = group_means(G[:4], ["b", "a", "b", "b"])
    np.testing.assert_allclose(means, [G[1], G[[0, 2, 3]].mean(0)])
    np.testing.assert_allclose(group_means(G), [G.mean(0)])


def test_the_direction_of_adam_is_that_of_less():
    m = rng.normal(size=12)
    v = rng.random(12)
    expected = (0.9 * m + 0.1 * G) / np.sqrt(0.999 * v + 0.001 * G**2 + 1e-8)
    np.testing.assert_allclose(precondition(G, m, v), expected)


@pytest.mark.parametrize("rows", [5, 50])
@pytest.mark.parametrize("damping", [0.1, 1.0])
def test_the_exact_inverse_is_that_of_the_matrix(rows, damping):
    part = G[:rows]
    strength = damping * (part**2).mean()
    matrix = part.T @ part / rows + strength * np.eye(12)
    expected = np.linalg.solve(matrix, V.T).T
    np.testing.assert_allclose(
        damped_inverse(part, V, kind="exact", damping=damping), expected, rtol=1e-9
    )
    np.testing.assert_allclose(
        inner(part, V, inverse="exact", damping=damping), part @ expected.T, rtol=1e-9
    )


def test_datainf_is_the_mean_of_inverses_and_exact_for_one():
    strength = 0.1 * (G**2).mean()
    inverses = [np.linalg.inv(np.outer(g, g) + strength * np.eye(12)) for g in G]
    np.testing.assert_allclose(damped_inverse(G, V), V @ np.mean(inverses, axis=0))
    one = G[:1]
    np.testing.assert_allclose(damped_inverse(one, V), damped_inverse(one, V, kind="exact"))


def test_unit_rows_have_an_inverse_of_their_own():
    units = unit_rows(G)
    for kind in ("datainf", "exact"):
        np.testing.assert_allclose(
            inner(G, V, unit=True, inverse=kind), inner(units, V, inverse=kind)
        )


@pytest.mark.parametrize("kind", ["datainf", "exact"])
def test_rows_of_nan_have_no_part_in_an_inverse(kind):
    holes = G.copy()
    holes[[3, 7]] = np.nan
    kept = np.delete(G, [3, 7], 0)
    np.testing.assert_allclose(
        damped_inverse(holes, V, kind=kind), damped_inverse(kept, V, kind=kind)
    )
    found = inner(holes, V, inverse=kind)
    assert np.isnan(found[[3, 7]]).all() and np.isfinite(np.delete(found, [3, 7], 0)).all()
    assert (damped_inverse(np.zeros((4, 12)), V, kind=kind) == 0).all()


def test_sizes_that_do_not_fit_are_refused(monkeypatch):
    with pytest.raises(ReweightvizError, match="as many numbers a row"):
        inner(G, np.ones(5))
    monkeypatch.setattr(module, "_LARGEST", 10)
    with pytest.raises(ReweightvizError, match="12 x 12"):
        inner(G, V, inverse="exact")
    assert np.isfinite(inner(G, V, inverse="datainf")).all()
