"""The palette: apart for every eye, legible on both grounds; the ramp even."""

from __future__ import annotations

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.figures.palette import build_ramp, choose_colors, parse_hex

# Machado, Oliveira, Fernandes (2009), severity 1.0, on linear RGB.
SIGHTS = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(table):
    c = np.asarray(table) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def oklab(light):
    return np.cbrt(np.clip(light, 0, 1) @ LMS.T) @ LAB.T


def nearest_pair(k, sight):
    lab = oklab(linear([parse_hex(color) for color in choose_colors(k)]) @ SIGHTS[sight].T)
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    return distance[np.triu_indices(k, 1)].min()


@pytest.mark.parametrize(
    ("sight", "least"), [("normal", 0.15), ("protan", 0.09), ("deutan", 0.09), ("tritan", 0.09)]
)
def test_first_eight_stay_apart(sight, least):
    assert nearest_pair(8, sight) >= least


def test_sixty_distinct():
    assert len(set(choose_colors(60))) == 60
    assert nearest_pair(20, "normal") > 0.11
    assert nearest_pair(60, "normal") > 0.065


def test_legible_on_white_and_on_111():
    light = linear([parse_hex(color) for color in choose_colors(60)]) @ [0.2126, 0.7152, 0.0722]
    dark = linear([[0x11] * 3]) @ [0.2126, 0.7152, 0.0722]
    assert (1.05 / (light + 0.05)).min() > 2.1
    assert ((light + 0.05) / (dark + 0.05)).min() > 3


def test_a_domain_keeps_its_colour():
    assert choose_colors(60)[:7] == choose_colors(7)
    assert choose_colors(61)[60] == choose_colors(1)[0]
    assert choose_colors(0) == []
    with pytest.raises(ReweightvizError, match="count of 0 or more; got -1"):
        choose_colors(-1)


@pytest.mark.parametrize("sight", SIGHTS)
def test_ramp_keeps_its_order(sight):
    table = build_ramp()
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    lightness = oklab(linear(table) @ SIGHTS[sight].T)[:, 0]
    assert (np.diff(lightness[::8]) > 0).all()


def test_ramp_is_even():
    lab = oklab(linear(build_ramp()))
    step = np.linalg.norm(np.diff(lab[::15], axis=0), axis=1)
    assert step.max() / step.min() < 1.8
