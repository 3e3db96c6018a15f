"""Weights as papers publish them: DoReMi, RegMix, and flat tables; and what is none."""

from __future__ import annotations

import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters.recognise import recognise

# From sail-sg/regmix, mixture_config/config_1b/human.yaml, and sangmichaelxie/doremi,
# configs/rp_baseline.json; both under the MIT licence.
HUMAN = """train:
  train_the_pile_arxiv: 0.1052
  train_the_pile_freelaw: 0.0386
  train_the_pile_wikipedia_en: 0.0919
valid:
  valid_the_pile_pile_cc: 1.0
model_name: tinyllama_1_1b
"""
REDPAJAMA = """{"train_domain_weights": {"common_crawl": 0.7256, "c4": 0.1446, "github": 0.0488,
"wikipedia": 0.0198, "book": 0.0215, "arxiv": 0.0231, "stackexchange": 0.0165},
"eval_domain_weights": {"common_crawl": 0.5, "c4": 0.5}}"""


@pytest.mark.parametrize(
    ("name", "text", "framework", "weights"),
    [
        ("w.yaml", HUMAN, "yaml", {"arxiv": 0.1052, "freelaw": 0.0386, "wikipedia_en": 0.0919}),
        ("w.yaml", "train: {train_the_pile_cc: 1.0}\nvalid: {v: 1}\n", "yaml", {"cc": 1.0}),
        ("w.yaml", "train: {train_a: 3, b: 1}\nvalid: {v: 1}\n", "yaml", {"train_a": 3, "b": 1}),
        ("w.json", '{"web": 0.7, "code": 0.3}', "json", {"web": 0.7, "code": 0.3}),
        ("w.yaml", "web: 0.7\ncode: 0.3\n", "yaml", {"web": 0.7, "code": 0.3}),
        ("w.json", '{"web": 0.70, "code": 0.301}', "json", {"web": 0.70, "code": 0.301}),
        ("w.json", '{"web": 1, "code": 0}', "json", {"web": 1, "code": 0}),
    ],
)
def test_published_weights_are_read_and_scaled_to_1(tmp_path, name, text, framework, weights):
    (tmp_path / name).write_text(text)
    assert recognise(tmp_path / name).name == framework
    total = sum(weights.values())
    assert dict(rv.load_mixture(tmp_path / name)) == pytest.approx(
        {domain: weight / total for domain, weight in weights.items()}
    )


def test_doremis_weights_are_those_of_training(tmp_path):
    (tmp_path / "w.json").write_text(REDPAJAMA)
    mixture = rv.load_mixture(tmp_path / "w.json")
    # They sum to 0.9999 there, and DoReMi's trainer scales them.
    assert mixture["common_crawl"] == pytest.approx(0.7256 / 0.9999)
    assert len(mixture) == 7
    (tmp_path / "w.json").write_text('{"train_domain_weights": {"web": 0.5, "code": "many"}}')
    with pytest.raises(ReweightvizError, match="weights in train_domain_weights .* 'code' is not"):
        rv.load_mixture(tmp_path / "w.json")


def test_a_sum_that_is_not_quite_1_is_said(tmp_path):
    (tmp_path / "w.json").write_text('{"web": 0.7, "code": 0.301}')
    assert rv.check(tmp_path / "w.json").traps == ("the shares sum to 1.001 and are scaled to 1.",)


@pytest.mark.parametrize(
    "text",
    [
        "lr: 0.3\nbeta: 0.9\n",
        "web: 0.7\ncode: '0.3'\n",
        "web: 1.2\ncode: -0.2\n",
        "web: true\ncode: 0\n",
        "alone: 1.0\n",
        "pass@1: 0.2\npass@10: 0.795\n",
        "train: {lr: 0.1}\n",
        "train: {a: 1}\nvalid: {batch: big}\n",
        "web: .nan\ncode: 1.0\n",
    ],
)
def test_other_tables_of_numbers_are_no_mixtures(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ReweightvizError, match="is no config that is known here"):
        rv.check(tmp_path / "c.yaml")


def test_a_published_form_is_not_merged_into(tmp_path):
    (tmp_path / "w.yaml").write_text(HUMAN)
    mixture = rv.load_mixture(tmp_path / "w.yaml")
    with pytest.raises(ReweightvizError, match="weights in train, a form that is read but not"):
        rv.export(mixture, "yaml", tmp_path / "w.yaml", merge=True)
    assert (tmp_path / "w.yaml").read_text() == HUMAN


@pytest.mark.checkout("doremi")
def test_every_config_of_doremi_is_read(checkouts):
    files = sorted((checkouts / "doremi" / "configs").glob("*.json"))
    assert {len(rv.load_mixture(file)) for file in files} == {7, 22} and len(files) >= 8


@pytest.mark.checkout("regmix")
def test_every_mixture_of_regmix_is_read(checkouts):
    folder = checkouts / "regmix" / "mixture_config" / "config_1b"
    found = {file.stem: rv.load_mixture(file) for file in folder.glob("*.yaml")}
    assert found["regmix"]["pile_cc"] == pytest.approx(0.870, abs=1e-3)
    assert set(found["human"]) == set(found["regmix"]) == set(found["doremi"])
    assert dict(found["pile_cc_only"]) == {"pile_cc": 1.0}


def test_other_published_weights_that_are_scaled_are_said_to_be_too(tmp_path):
    (tmp_path / "w.yaml").write_text("train: {train_a: 0.5, train_b: 0.25}\nvalid: {valid_a: 1}\n")
    assert rv.check(tmp_path / "w.yaml").traps == ("the shares sum to 0.75 and are scaled to 1.",)
