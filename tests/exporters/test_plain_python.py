"""Dictionaries of weights in Python files: which are mixtures, and which are left alone."""

from __future__ import annotations

import runpy

import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.plain_python import PlainPython
from reweightviz.exporters.recognise import recognise

# The form of marin-community/marin, experiments/common_pile/tokenize_common_pile.py.
COMMA = """from dataclasses import dataclass

# Effective token counts (in teratokens).
COMMA_MAIN_MIXTURE_WEIGHTS = {
    "common_pile/arxiv": 0.036,
    "common_pile/cccc": 0.0912,
}
LR = {"peak": 0.1}
"""


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        (COMMA, {"common_pile/arxiv": 0.036, "common_pile/cccc": 0.0912}),
        ("C = 3\nmixture_weights: dict = {'web': 7, 'code': C}", {"web": 0.7, "code": 0.3}),
        ("sampling_probs = {'web': 0.7, 'code': 0.3}", {"web": 0.7, "code": 0.3}),
    ],
)
def test_a_dictionary_with_the_name_of_a_mixture_is_read(tmp_path, text, weights):
    (tmp_path / "c.py").write_text(text)
    assert recognise(tmp_path / "c.py").name == "python"
    total = sum(weights.values())
    assert dict(rv.load_mixture(tmp_path / "c.py")) == pytest.approx(
        {name: weight / total for name, weight in weights.items()}
    )
    if text == COMMA:
        assert rv.check(tmp_path / "c.py").traps == (
            "the numbers of COMMA_MAIN_MIXTURE_WEIGHTS sum to 0.1272 and are scaled to 1.",
        )


@pytest.mark.parametrize(
    "text",
    [
        "DOMAIN_WEIGHTS = {'HEALTH': 10, 'SAFETY': 9}",
        "mixture_weights = {'web': w}",
        "mixture_weights = {}",
        "mixture_weights = {1: 0.5}",
        "def f():\n    mixture_weights = {'web': 1}",
        "mixture_weights = {'web': 1}\nmixture_weights['web'] = 2",
        "train_weights = {'web': {'a': 1}}",
    ],
)
def test_other_dictionaries_are_no_mixtures(tmp_path, text):
    assert not PlainPython().recognises(Document(tmp_path / "c.py", text))


def test_several_mixtures_are_named_and_a_framework_goes_first(tmp_path):
    (tmp_path / "c.py").write_text("a_mix_weights = {'x': 1}\nb_mix_weights = {'y': 1}\n")
    with pytest.raises(ReweightvizError, match="several, 'a_mix_weights', 'b_mix_weights': keep"):
        rv.load_mixture(tmp_path / "c.py")
    (tmp_path / "c.py").write_text("mix_weights = {'x': -1, 'y': 2}\n")
    with pytest.raises(ReweightvizError, match="mix_weights must hold numbers >= 0; that of 'x'"):
        rv.load_mixture(tmp_path / "c.py")
    (tmp_path / "c.py").write_text(
        "train_weights = {'x': 1, 'y': 1}\nlm_mixture_data_config(components=c, weights=train_weights)"
    )
    assert recognise(tmp_path / "c.py").name == "levanter"


def test_what_is_written_is_python_that_gives_the_weights(tmp_path):
    mixture = rv.Mixture({"web": 0.7, "it's": 0.3, "spam": 0.0})
    path = rv.export(mixture, "python", tmp_path / "m.py")
    names = runpy.run_path(str(path))
    assert names["MIXTURE_WEIGHTS"] == dict(mixture)
    assert rv.load_mixture(path) == mixture
