"""Oumi: shares of documents, sample counts, what it refuses, and the real package loading the YAML."""

from __future__ import annotations

import json
import math

import pytest
import yaml

import reweightviz as rv
from reweightviz import exporters
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source

OUMI = exporters.find("oumi")
DRAWS = 2000
MIXTURE = Mixture({"web": 0.7, "code": 0.2, "math": 0.1})
WORDS = {"web": 10, "code": 40, "math": 100}


def word_sources(folder):
    rows = {}
    for name, size in WORDS.items():
        path = folder / f"{name}.jsonl"
        path.write_text((json.dumps({"text": f"{name} " * size}) + "\n") * (DRAWS + 500))
        rows[name] = Source(size * (DRAWS + 500), DRAWS + 500, (str(path),))
    return rows


def config(*entries: str, **train: object) -> str:
    datasets = [yaml.safe_load("{" + entry + "}") for entry in entries]
    return yaml.safe_dump({"data": {"train": {"datasets": datasets} | train}})


@pytest.mark.framework("oumi")
@pytest.mark.golden("oumi", "the real oumi 0.9: build_dataset_mixture of the YAML, 2,000 documents")
def test_oumi_draws_the_asked_share_of_tokens(tmp_path, load_with, check_order):
    file = OUMI.write(
        MIXTURE, tmp_path / "mix.yaml", sources=word_sources(tmp_path), dataset_name="words"
    )
    drawn = load_with("oumi_load.py", config=file, draws=DRAWS)
    found = drawn["documents"]
    entries = yaml.safe_load(file.read_text())["data"]["train"]["datasets"]
    asked = [entry["mixture_proportion"] for entry in entries]
    check_order(drawn["order"], dict(zip(WORDS, asked, strict=True)))
    assert sum(found.values()) == DRAWS
    for name, entry in zip(WORDS, entries, strict=True):
        p = entry["mixture_proportion"]
        assert abs(found[name] / DRAWS - p) < 4 * math.sqrt(p * (1 - p) / DRAWS)


@pytest.mark.framework("oumi")
@pytest.mark.golden("oumi", "the real oumi 0.9: sample counts, a name twice, refusals")
def test_oumi_reads_what_is_read(tmp_path, load_with):
    word_sources(tmp_path)
    web, code = (
        f"dataset_name: words, dataset_path: {tmp_path / name}.jsonl" for name in ("web", "code")
    )
    file = tmp_path / "train.yaml"
    file.write_text(config(f"{web}, sample_count: 300", f"{code}, sample_count: 3000", web))
    found = load_with("oumi_load.py", config=file, draws=99999)["documents"]
    assert found == {"web": DRAWS + 800, "code": 3000}
    sources = {name: Source(size * 2500, 2500) for name, size in WORDS.items()}
    mixed = rv.load_mixture(file, sources=sources)
    assert mixed["web"] / mixed["code"] == pytest.approx(2800 * 10 / (3000 * 40))
    for shares in ([0.5, 0.25, 0.25], [0.5, 0.4, 0.3]):
        parts = [
            f"{one}, mixture_proportion: {share}"
            for one, share in zip((web, code, web), shares, strict=True)
        ]
        file.write_text(config(*parts))
        refused = load_with("oumi_load.py", config=file, draws=10).get("refused")
        assert bool(rv.check(file).refused) == bool(refused), refused


@pytest.mark.parametrize(
    ("entries", "train", "sentence"),
    [
        (("dataset_name: a, mixture_proportion: 0.5", "dataset_name: b"), {}, "'b' has none"),
        (
            ("dataset_name: a, mixture_proportion: 1.5", "dataset_name: b, mixture_proportion: -1"),
            {},
            "must be a number from 0 to 1",
        ),
        (
            (
                "dataset_name: a, mixture_proportion: 0.5",
                "dataset_name: b, mixture_proportion: 0.4",
            ),
            {},
            "must sum to 1; the sum is 0.9",
        ),
        (
            (
                "dataset_name: a, mixture_proportion: 1.0",
                "dataset_name: b, mixture_proportion: 0.0",
            ),
            {"mixture_strategy": "all_exhausted"},
            "Take 'b' out",
        ),
        (
            ("dataset_name: a, mixture_proportion: 1.0",),
            {"mixture_strategy": "once"},
            "no mixture_strategy 'once'",
        ),
    ],
)
def test_what_oumi_would_refuse(tmp_path, entries, train, sentence):
    (tmp_path / "train.yaml").write_text(config(*entries, **train))
    report = rv.check(tmp_path / "train.yaml")
    assert report.framework == "oumi"
    assert any(sentence in one for one in report.refused)


def test_without_proportions_each_dataset_is_taken_once(tmp_path):
    (tmp_path / "train.yaml").write_text(config("dataset_name: org/a", "dataset_name: org/b"))
    report = rv.check(tmp_path / "train.yaml")
    assert report.ok
    assert "one after another, each once" in report.traps[0]
    sources = {"a": Source(300, 3), "b": Source(100, 1)}
    assert dict(rv.load_mixture(tmp_path / "train.yaml", sources=sources)) == {"a": 0.75, "b": 0.25}


def test_entries_are_files_or_datasets_of_the_hub(tmp_path):
    sources = {
        "web": Source(1e6, 1e3, ("web.jsonl",)),
        "code": Source(1e6, 1e3, ("org/code:en:test",)),
    }
    file = OUMI.write(Mixture({"web": 0.75, "code": 0.25}), tmp_path / "a.yaml", sources=sources)
    train = yaml.safe_load(file.read_text())["data"]["train"]
    assert train == {
        "datasets": [
            {
                "dataset_name": "text_sft_jsonl",
                "dataset_path": "web.jsonl",
                "mixture_proportion": 0.75,
            },
            {
                "dataset_name": "org/code",
                "subset": "en",
                "split": "test",
                "mixture_proportion": 0.25,
            },
        ],
        "mixture_strategy": "first_exhausted",
        "seed": 42,
    }
    with pytest.raises(ReweightvizError, match="reads one file for a dataset"):
        OUMI.write(
            Mixture({"web": 1.0}),
            tmp_path / "b.yaml",
            sources={"web": Source(1, 1, ("a.jsonl", "b.jsonl"))},
        )
