"""Hugging Face datasets: units, refusals, edits, and the real library drawing from the exported folder."""

from __future__ import annotations

import inspect
import json
import math
import sys
import warnings
from pathlib import Path

import pytest
import yaml

from reweightviz import exporters
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources

HUGGINGFACE = exporters.find("huggingface")
MIXTURE = Mixture(
    {"web": 0.7, 'co"de: no': 0.2, "🦜 math": 0.1, "spam": 0.0}, source={"method": "test"}
)
DRAWS = 2000
WORDS = {"web": 10, 'co"de: no': 40, "🦜 math": 100, "spam": 10}


def word_sources(folder: Path) -> Sources:
    """Real JSON lines of DRAWS documents a domain, all documents of a domain of one length in words."""
    rows = {}
    for place, (name, size) in enumerate(WORDS.items()):
        line = json.dumps({"text": "w " * size, "source": name}) + "\n"
        (folder / f"{place}.jsonl").write_text(line * DRAWS, "utf-8")
        rows[name] = Source(size * DRAWS, DRAWS, (str(folder / f"{place}.jsonl"),))
    return Sources(rows)


@pytest.mark.golden("huggingface", "the real datasets library: 2,000 draws")
@pytest.mark.optional("datasets")
def test_hugging_face_draws_the_asked_share_of_tokens(tmp_path, load_with, check_order):
    folder = HUGGINGFACE.write(MIXTURE, tmp_path / "mix", sources=word_sources(tmp_path), seed=3)
    found = load_with("huggingface_load.py", folder=folder, draws=DRAWS)
    entries = yaml.safe_load((folder / "mixture.yaml").read_text("utf-8"))["datasets"]
    for order in found["order"]:
        check_order(order, {entry["name"]: entry["probability"] for entry in entries})
    for counts in (found["streamed"], found["in_memory"]):
        assert sum(counts.values()) == DRAWS
        assert set(counts) == {"web", 'co"de: no', "🦜 math"}
        for entry in entries:
            share, p = counts[entry["name"]] / DRAWS, entry["probability"]
            assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / DRAWS)
        words = {name: count * WORDS[name] for name, count in counts.items()}
        for name, count in words.items():
            assert count / sum(words.values()) == pytest.approx(MIXTURE[name], abs=0.05)


def test_hugging_face_probabilities_are_shares_of_documents_and_come_back_as_tokens(tmp_path):
    sources = {"web": Source(1e9, 1e7), "books": Source(1e9, 1e3)}
    folder = HUGGINGFACE.write(
        Mixture({"web": 0.5, "books": 0.5}), tmp_path / "mix", sources=sources
    )
    web, books = yaml.safe_load((folder / "mixture.yaml").read_text("utf-8"))["datasets"]
    assert web["probability"] / books["probability"] == pytest.approx(1e4, rel=1e-3)
    assert (web["mean_tokens"], books["mean_tokens"]) == (100, 1e6)
    assert HUGGINGFACE.read(folder).array == pytest.approx([0.5, 0.5], rel=1e-6)


def test_hugging_face_says_when_it_would_end_before_the_budget(tmp_path):
    sources = {"web": Source(8e9, 1e7), "code": Source(1e9, 1e7)}
    mixture = Mixture({"web": 0.75, "code": 0.25})
    with pytest.warns(
        ReweightvizWarning,
        match="ends when 'code' is used up, at 4e\\+09 of 8e\\+09 tokens; 'all_exhausted'",
    ):
        HUGGINGFACE.write(
            mixture,
            tmp_path / "mix",
            sources=sources,
            tokens=8e9,
            stopping_strategy="first_exhausted",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        repeated = HUGGINGFACE.write(mixture, tmp_path / "all", sources=sources, tokens=8e9)
        once = HUGGINGFACE.write(mixture, tmp_path / "less", sources=sources, tokens=4e9)
    for folder, strategy in ((repeated, "all_exhausted"), (once, "first_exhausted")):
        assert (
            yaml.safe_load((folder / "mixture.yaml").read_text("utf-8"))["stopping_strategy"]
            == strategy
        )


def test_an_edit_of_the_yaml_is_followed_and_said(tmp_path):
    sources = {"web": Source(1e9, 1e7), "books": Source(1e9, 1e6), "spam": Source(1e9, 1e6)}
    mixture = Mixture({"web": 0.5, "spam": 0.0, "books": 0.5}, source={"method": "olmix"})
    file = HUGGINGFACE.write(mixture, tmp_path / "mix", sources=sources) / "mixture.yaml"
    assert HUGGINGFACE.read(file).source["method"] == "olmix"
    text = file.read_text("utf-8")
    web, books = (entry["probability"] for entry in yaml.safe_load(text)["datasets"])
    file.write_text(text.replace(repr(web), "0.5").replace(repr(books), "0.5"), "utf-8")
    edited = HUGGINGFACE.read(file)
    assert dict(edited) == pytest.approx({"web": 1 / 11, "spam": 0.0, "books": 10 / 11})
    assert edited.source["method"] == "edited by hand"
    assert edited.source["before"] == {"method": "olmix"}
    file.write_text(text.replace(repr(web), "0.9"), "utf-8")
    with pytest.raises(
        ReweightvizError,
        match=r"must be >= 0 and sum to 1, or datasets refuses them; they sum to 0\.99",
    ):
        HUGGINGFACE.read(file)


def test_the_yaml_means_the_same_to_a_reader_of_yaml_1_1(tmp_path):
    names = ["no", "on", "1.5", "2024-01-01", "a: b\n# c", "🦜", "x" * 300, "\x85\u2028\ufeff"]
    folder = HUGGINGFACE.write(Mixture.uniform(names), tmp_path / "mix", unit="tokens")
    content = yaml.safe_load((folder / "mixture.yaml").read_text("utf-8"))
    assert [entry["name"] for entry in content["datasets"]] == names
    assert sum(entry["probability"] for entry in content["datasets"]) == 1
    assert json.loads((folder / "provenance.json").read_text("utf-8"))["domains"] == names
    assert (content["seed"], content["stopping_strategy"], content["unit"]) == (
        42,
        "first_exhausted",
        "tokens",
    )


@pytest.mark.parametrize(
    ("paths", "place"),
    [
        (
            ("a.jsonl.gz", "b.json"),
            {"path": "json", "data_files": ["a.jsonl.gz", "b.json"], "split": "train"},
        ),
        (("x/*.parquet",), {"path": "parquet", "data_files": ["x/*.parquet"], "split": "train"}),
        (("org/name.v2",), {"path": "org/name.v2", "split": "train"}),
        ((), {}),
    ],
)
def test_hugging_face_paths(tmp_path, paths, place):
    folder = HUGGINGFACE.write(
        Mixture({"web": 1.0}), tmp_path / "mix", sources={"web": Source(1e9, 1e6, paths)}
    )
    (entry,) = yaml.safe_load((folder / "mixture.yaml").read_text("utf-8"))["datasets"]
    assert {key: entry[key] for key in ("path", "data_files", "split") if key in entry} == place


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "sources= must give tokens and documents of 'web', 'code'; unit='tokens' is for"),
        ({"sources": {"web": Source(1e9, 1e6), "code": 1e9}}, "tokens and documents of 'code'"),
        (
            {"sources": {"web": Source(1e9, 1e6), "code": Source(0, 1e6)}},
            "tokens and documents of 'code'",
        ),
        ({"unit": "token"}, "did you mean 'tokens'"),
        (
            {"unit": "tokens", "stopping_strategy": "all_exhausted_without_replacement"},
            "loses the weights",
        ),
        ({"unit": "tokens", "stopping_strategy": "all_exausted"}, "did you mean 'all_exhausted'"),
        ({"unit": "tokens", "seed": 1.5}, "seed must be a whole number of at least 0; got 1.5"),
        (
            {
                "unit": "tokens",
                "sources": {"web": Source(1e9, 1e6, ("a.json", "b.csv")), "code": 1},
            },
            "files of one kind",
        ),
        (
            {"unit": "tokens", "sources": {"web": Source(1e9, 1e6, ("a/b", "c/d")), "code": 1}},
            "or one dataset name; got 'a/b', 'c/d'",
        ),
    ],
)
def test_what_hugging_face_refuses(tmp_path, options, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        HUGGINGFACE.write(Mixture({"web": 0.5, "code": 0.5}), tmp_path / "mix", **options)
    assert list(tmp_path.iterdir()) == []


def test_somebody_s_own_python_is_read_without_running_it(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("""
from datasets import interleave_datasets, load_dataset
open(__file__ + ".ran", "w")
PROBABILITIES = [0.75, 0.25]
web, code = load_dataset("web"), load_dataset("code")
train = interleave_datasets([web, code], probabilities=PROBABILITIES, seed=0, stopping_strategy="all_exhausted_without_replacement")
""")
    sources = {"web": Source(1e9, 1e6), "code": Source(3e9, 1e6)}
    assert dict(HUGGINGFACE.read(script, sources=sources)) == {"web": 0.5, "code": 0.5}
    with pytest.raises(
        ReweightvizError,
        match="shares of tokens need the tokens and documents of 'web', 'code': pass sources=",
    ):
        HUGGINGFACE.read(script)
    (trap,) = HUGGINGFACE.parse(HUGGINGFACE.open(script)).traps
    assert "ends at the sizes of the datasets, whatever the probabilities" in trap
    assert not script.with_name("train.py.ran").exists()


def test_a_dataset_that_stands_twice_adds_up_and_bad_numbers_are_named(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("interleave_datasets([a, b, a], probabilities=[0.25, 0.5, 0.25])")
    assert HUGGINGFACE.parse(HUGGINGFACE.open(script)).stages[0] == {"a": 0.5, "b": 0.5}
    script.write_text("interleave_datasets([a, b], probabilities=[-1, 2])")
    assert HUGGINGFACE.parse(HUGGINGFACE.open(script)).refused == (
        "the probabilities must be numbers >= 0, or datasets refuses them; that of 'a' is not.",
    )


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("teknium/OpenHermes-2.5", "OpenHermes-2.5"),
        ("org/c4:en", "c4:en"),
        ("data/web.v2.jsonl.gz", "web.v2"),
        ("data/web-0.jsonl,data/web-1.jsonl", "web"),
        ("/d/code/*.parquet", "code"),
    ],
)
def test_a_version_in_a_name_is_no_ending(name, domain):
    assert exporters.find("trl").guess_domain(name) == domain


@pytest.mark.golden("huggingface", "the real datasets library: a probability of 0")
@pytest.mark.optional("datasets")
@pytest.mark.parametrize("strategy", ["first_exhausted", "all_exhausted"])
def test_a_dataset_that_is_never_drawn_is_never_used_up(tmp_path, strategy):
    """huggingface/datasets#7147."""
    from datasets import Dataset, interleave_datasets

    file = tmp_path / "mix.py"
    file.write_text(f"interleave_datasets([web, code], [1.0, 0.0], stopping_strategy={strategy!r})")
    refused = HUGGINGFACE.parse(HUGGINGFACE.open(file)).refused
    parts = [Dataset.from_dict({"x": [0] * rows}) for rows in (5, 2)]
    if strategy == "first_exhausted":
        assert refused == ()
        assert len(interleave_datasets(parts, [1.0, 0.0], seed=0, stopping_strategy=strategy)) == 5
    else:
        assert "which one of probability 0 never is" in refused[0]
        assert "Take 'code' out" in refused[0]
        # Old versions have no such sentence, and never end.
        if "never sampled" not in inspect.getsource(sys.modules[Dataset.__module__]):
            return
        with pytest.raises(ValueError, match="cannot exhaust a dataset that is never sampled"):
            interleave_datasets(parts, [1.0, 0.0], seed=0, stopping_strategy=strategy)


@pytest.mark.optional("datasets")
def test_without_probabilities_datasets_take_turns_and_a_name_twice_adds_up(tmp_path):
    from datasets import Dataset, interleave_datasets

    file = tmp_path / "mix.py"
    file.write_text("interleave_datasets([web, code, web])")
    config = HUGGINGFACE.parse(HUGGINGFACE.open(file))
    assert config.stages[0] == pytest.approx({"web": 2 / 3, "code": 1 / 3})
    assert "take turns" in config.traps[0]
    web = Dataset.from_dict({"x": [0] * 4})
    code = Dataset.from_dict({"x": [1] * 4})
    assert interleave_datasets([web, code, web])["x"][:6] == [0, 1, 0] * 2
