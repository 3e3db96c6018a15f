import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.numerics import projection
from reweightviz.numerics.projection import check_projection, draw_words, project

every_kind = pytest.mark.parametrize("kind", ["sparse", "rademacher"])


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((2**32 - 1,) * 4, (2**32 - 1,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_the_generator_gives_the_known_answers_of_random123(counter, key, words):
    found = draw_words(tuple(np.array([one], np.int64) for one in counter), key)
    assert " ".join(f"{int(word[0]):08x}" for word in found) == words


@every_kind
@pytest.mark.parametrize("dimensions", [1, 100, 512])
def test_lengths_and_products_are_kept(kind, dimensions):
    G = np.random.default_rng(0).normal(size=(40, 3000)).astype(np.float32)
    Z = project(G, dimensions, kind=kind)
    ratio = (Z**2).sum() / (G**2).sum()
    assert abs(ratio - 1) < 3 * (2 / dimensions) ** 0.5
    # An inner product errs with the variance that the docstring states; G's is near 1 / k.
    gaps = ((Z @ Z.T - G @ G.T) / 3000)[np.triu_indices(40, 1)]
    assert abs(gaps.std() * dimensions**0.5 - 1) < 0.2


@every_kind
def test_it_is_linear_whatever_the_blocks(kind):
    rng = np.random.default_rng(1)
    a = rng.normal(size=(3, 500))
    b = rng.normal(size=(3, 500))
    whole = project(a, 64, kind=kind)
    np.testing.assert_allclose(project(a + b, 64, kind=kind), whole + project(b, 64, kind=kind))
    for block in (1, 7, 500):
        np.testing.assert_allclose(project(a, 64, kind=kind, block=block), whole)
    parts = [project(a[:, :123], 64, kind=kind), project(a[:, 123:], 64, kind=kind, start=123)]
    np.testing.assert_allclose(sum(parts), whole)
    assert not np.allclose(project(a, 64, kind=kind, seed=1), whole)


@every_kind
def test_places_beyond_32_bits_have_entries_of_their_own(kind):
    row = np.ones((1, 300))
    here = project(row, 256, kind=kind)
    assert not np.allclose(project(row, 256, kind=kind, start=2**32), here)


def test_every_entry_of_a_dense_matrix_is_a_sign():
    matrix = project(np.eye(50), 200, kind="rademacher") * 200**0.5
    assert set(np.unique(matrix.round(9))) == {-1, 1}
    sparse = project(np.eye(50), 200)
    assert (np.abs(sparse).sum(1) == 1).all()


@every_kind
def test_a_row_of_nan_leaves_the_others_alone(kind):
    G = np.random.default_rng(2).normal(size=(4, 300))
    clean = project(G, 32, kind=kind)
    G[1, 5] = np.nan
    Z = project(G, 32, kind=kind)
    np.testing.assert_array_equal(Z[[0, 2, 3]], clean[[0, 2, 3]])
    assert np.isnan(Z[1]).any()


@every_kind
@pytest.mark.optional("torch")
def test_torch_has_the_same_matrix(kind):
    import torch

    G = np.random.default_rng(3).normal(size=(5, 1000)).astype(np.float32)
    expected = project(G, 130, kind=kind, start=2**31)
    found = project(torch.from_numpy(G), 130, kind=kind, start=2**31)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    halves = project(torch.from_numpy(G).bfloat16(), 130, kind="sparse")
    assert halves.dtype == torch.float32


@every_kind
@pytest.mark.gpu
@pytest.mark.optional("torch")
def test_cuda_has_the_same_matrix(kind):
    import torch

    G = np.random.default_rng(3).normal(size=(5, 1000)).astype(np.float32)
    found = project(torch.from_numpy(G).cuda(), 512, kind=kind)
    np.testing.assert_allclose(found.cpu().numpy(), project(G, 512, kind=kind), atol=1e-4)


def test_a_device_whose_kernels_give_zeros_is_refused(monkeypatch):
    check_projection(np.zeros(1), 64, seed=1, kind="sparse")
    monkeypatch.setattr(projection, "project", lambda values, k, **_: np.zeros((len(values), k)))
    with pytest.raises(ReweightvizError, match="keeps 0 of the squared length"):
        check_projection(np.zeros(1), 64, seed=2, kind="sparse")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "dense"}, "'sparse' or 'rademacher'"),
        ({"dimensions": 0}, "from 1 to"),
        ({"seed": -1}, "from 0 to"),
        ({"values": np.ones(3)}, "an array"),
    ],
)
def test_what_cannot_be_projected_is_refused(changes, said):
    given = {"values": np.ones((1, 3)), "dimensions": 4} | changes
    with pytest.raises(ReweightvizError, match=said):
        project(given.pop("values"), given.pop("dimensions"), **given)
