"""The static picture: real PNGs whose pixels follow the weights; the formulas that the page shares."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from reweightviz.figures.map_picture import (
    choose_dot_diameter,
    draw_map,
    encode_png,
    fit_to_picture,
)
from reweightviz.figures.palette import choose_colors, parse_hex
from reweightviz.numerics.grids import density_grids, emphasis, opacity, quantise, size_factor

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "scales.json").read_text("utf-8"))


def decoded(png):
    """RGBA of a PNG as encode_png writes it; every checksum is looked at."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, parts = 8, {}
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(
            kind + data
        )
        parts[kind], at = data, at + 12 + length
    width, height, depth, colour = struct.unpack(">IIBB", parts[b"IHDR"][:10])
    assert (depth, colour) == (8, 6)
    lines = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, 1 + 4 * width)
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape(height, width, 4)


def test_golden_emphasis_size_opacity():
    e = emphasis(GOLDEN["weights"], GOLDEN["natural"])
    np.testing.assert_allclose(e, GOLDEN["emphasis"], rtol=1e-12)
    np.testing.assert_allclose(size_factor(e), GOLDEN["size"], rtol=1e-12)
    np.testing.assert_allclose(opacity(e, GOLDEN["neutral"]), GOLDEN["opacity"], rtol=1e-12)


def test_golden_places_and_dots():
    fit = GOLDEN["fit"]
    np.testing.assert_allclose(
        fit_to_picture(np.array(fit["places"], np.uint16), fit["width"], fit["height"]),
        fit["pixels"],
        rtol=1e-12,
    )
    for n, width, height, dot in GOLDEN["dots"]:
        assert choose_dot_diameter(n, width, height) == pytest.approx(dot, rel=1e-12)


def test_ink_is_linear_below_neutral():
    e = np.linspace(0, 1, 50)
    np.testing.assert_allclose(size_factor(e) ** 2 * opacity(e, 0.7), 0.7 * e, atol=1e-14)


def test_grids_count_every_document_once():
    rng = np.random.default_rng(0)
    pixels, codes = rng.uniform(0, 1, (500, 2)) * [30, 20], rng.integers(0, 3, 500)
    grids = density_grids(pixels, codes, 3, (20, 30))
    assert grids.shape == (3, 20, 30)
    assert grids.sum(axis=(1, 2)).tolist() == np.bincount(codes).tolist()
    x, y = pixels[7].astype(int)
    assert grids[codes[7], y, x] >= 1
    assert density_grids([[-1, 0], [30, 5], [5, 20]], [0, 0, 0], 3, (20, 30)).sum() == 0


@pytest.mark.parametrize("xy", [[[5.0, 5.0]], [[1e300, 0], [-1e300, 0]], [[0, 0], [1e-300, 0]]])
def test_any_finite_places(xy):
    q = quantise(xy)
    assert q.dtype == np.uint16
    assert np.isfinite(fit_to_picture(q, 50, 40)).all()


def two_domains(weights, **keywords):
    xy = np.array([[10_000, 30_000]] * 40 + [[50_000, 30_000]] * 40, np.uint16)
    codes = np.repeat([0, 1], 40).astype(np.int32)
    options = {"natural": np.array([0.5, 0.5]), "width": 80, "height": 40} | keywords
    return decoded(
        draw_map(xy, codes, choose_colors(2), weights=np.array(weights, float), **options)
    )


def test_picture_shows_both_in_their_colours():
    image = two_domains([0.5, 0.5])
    assert image.shape == (40, 80, 4)
    left, right = image[:, :40], image[:, 40:]
    for half, color in zip((left, right), choose_colors(2), strict=True):
        inked = half[half[..., 3] > 200]
        assert len(inked)
        assert (np.abs(inked[:, :3].astype(int) - parse_hex(color)) <= 1).all()


def test_a_domain_without_weight_is_gone():
    image = two_domains([0.0, 1.0])
    assert not image[:, :40].any()
    assert image[:, 40:, 3].max() > 200


def test_ink_grows_with_weight_and_leaves_the_other_alone():
    faint, strong = two_domains([0.01, 0.5]), two_domains([0.02, 0.5])
    assert strong[:, :40, 3].sum() > faint[:, :40, 3].sum() > 0
    np.testing.assert_array_equal(strong[:, 40:], faint[:, 40:])


def test_encode_round_trip():
    rng = np.random.default_rng(1)
    image = rng.integers(1, 256, (7, 5, 4)).astype(np.uint8)
    np.testing.assert_array_equal(decoded(encode_png(image)), image)
