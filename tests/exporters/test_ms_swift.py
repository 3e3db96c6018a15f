"""ms-swift: shares of documents, rows behind a #, what it refuses, and the real package loading the YAML."""

from __future__ import annotations

import json
import math

import pytest
import yaml

import reweightviz as rv
from reweightviz import exporters
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source

SWIFT = exporters.find("ms-swift")
DRAWS = 2000
MIXTURE = Mixture({"web": 0.7, "code": 0.2, "math": 0.1})
WORDS = {"web": 10, "code": 40, "math": 100}


def word_sources(folder):
    rows = {}
    for name, size in WORDS.items():
        turns = [
            {"role": "user", "content": "?"},
            {"role": "assistant", "content": f"{name} " * size},
        ]
        path = folder / f"{name}.jsonl"
        path.write_text((json.dumps({"messages": turns}) + "\n") * (DRAWS + 500))
        rows[name] = Source(size * (DRAWS + 500), DRAWS + 500, (str(path),))
    return rows


@pytest.mark.framework("swift")
@pytest.mark.golden(
    "ms-swift", "the real ms-swift 4.6.0: load_dataset of the YAML, 2,000 documents"
)
def test_ms_swift_draws_the_asked_share_of_tokens(tmp_path, load_with, check_order):
    file = SWIFT.write(MIXTURE, tmp_path / "mix.yaml", sources=word_sources(tmp_path))
    drawn = load_with("ms_swift_load.py", config=file, draws=DRAWS)
    found = drawn["documents"]
    asked = yaml.safe_load(file.read_text())["interleave_prob"]
    check_order(drawn["order"], dict(zip(WORDS, asked, strict=True)))
    assert sum(found.values()) == DRAWS
    for name, p in zip(WORDS, asked, strict=True):
        assert abs(found[name] / DRAWS - p) < 4 * math.sqrt(p * (1 - p) / DRAWS)
    words = {name: count * WORDS[name] for name, count in found.items()}
    for name, count in words.items():
        assert count / sum(words.values()) == pytest.approx(MIXTURE[name], abs=0.05)


@pytest.mark.framework("swift")
@pytest.mark.golden("ms-swift", "the real ms-swift 4.6.0: rows, a name twice, refusals")
def test_ms_swift_reads_what_is_read(tmp_path, load_with):
    sources = word_sources(tmp_path)
    web, code = (str(tmp_path / f"{name}.jsonl") for name in ("web", "code"))
    file = tmp_path / "sft.yaml"
    counted = {"dataset": [f"{web}#300", f"{code}#100", f"{web}#3000"], "split_dataset_ratio": 0}
    file.write_text(yaml.safe_dump(counted))
    found = load_with("ms_swift_load.py", config=file, draws=9999)["documents"]
    assert found == {"web": 3300, "code": 100}
    assert SWIFT.parse(SWIFT.open(file)).stages[0] == {web: 3300.0, code: 100.0}
    mixed = rv.load_mixture(file, sources=sources)
    assert dict(mixed) == pytest.approx({"web": 33000 / 37000, "code": 4000 / 37000})
    for shares in ([0.5, 0.25, 0.25], [0.5, 0.5], [0.5, 0.4, 0.3]):
        content = {"dataset": [web, code, web], "interleave_prob": shares}
        file.write_text(yaml.safe_dump(content))
        refused = load_with("ms_swift_load.py", config=file, draws=10).get("refused")
        assert bool(rv.check(file).refused) == bool(refused), (shares, refused)


def test_rows_are_shares_of_examples_and_no_passes():
    report = rv.check(
        "swift sft --model Qwen/Qwen3-8B --dataset 'hf::org/web:en#500' 'swift/self-cognition#1500'"
    )
    assert (report.framework, report.ok) == ("ms-swift", True)
    assert report.table["domain"].tolist() == ["web:en", "self-cognition"]
    assert report.table["share_of_examples"].tolist() == [0.25, 0.75]
    assert report.table["epochs"].isna().all()
    assert "one after another" in report.traps[0]
    assert not any("exhausted" in trap for trap in report.traps)


def test_rows_beside_whole_datasets_need_sizes(tmp_path):
    file = tmp_path / "sft.yaml"
    file.write_text("model: x\ndataset: [org/web, org/code#500]\ntuner_type: lora\n")
    report = rv.check(file)
    assert any("500 of 'org/code'" in trap for trap in report.traps)
    with pytest.raises(ReweightvizError, match="rows of 'org/code' stand beside passes of others"):
        rv.load_mixture(file)
    sources = {"web": Source(1e6, 1e3), "code": Source(1e6, 1e3)}
    assert dict(rv.load_mixture(file, sources=sources)) == pytest.approx(
        {"web": 2 / 3, "code": 1 / 3}
    )


def test_it_says_where_the_data_end(tmp_path):
    sources = {
        "web": Source(8e9, 1e7, ("org/web",)),
        "code": Source(1e9, 1e7, ("org/code",)),
    }
    with pytest.warns(ReweightvizWarning, match="first_exhausted ends when 'code' is used up"):
        file = SWIFT.write(
            Mixture({"web": 0.75, "code": 0.25}),
            tmp_path / "mix.yaml",
            sources=sources,
            tokens=8e9,
            stopping_strategy="first_exhausted",
        )
    assert rv.check(file).table["epochs"].max() == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--interleave_prob 0.5 0.5", "has 2 probabilities for 3 datasets"),
        ("--interleave_prob 0.5 0.4 0.3", "numbers >= 0 that sum to 1"),
        ("--interleave_prob 0.5 0.5 0 --stopping_strategy all_exhausted", "Take 'c' out"),
        ("--interleave_prob 0.5 0.3 0.2 --stopping_strategy once", "no stopping_strategy 'once'"),
        ("--interleave_prob 0.5 0.3 0.2 --val_dataset x y", "for its 2 datasets"),
    ],
)
def test_what_ms_swift_would_refuse(options, sentence):
    report = rv.check(f"swift sft --dataset a b c {options}")
    assert report.framework == "ms-swift"
    assert any(sentence in one for one in report.refused)


def test_a_merge_keeps_the_order_and_the_counts(tmp_path):
    file = tmp_path / "sft.yaml"
    file.write_text(
        "# mine\nmodel: x\ndataset:\n  - org/code#500\n  - org/web\ninterleave_prob: [0.5, 0.5]\n"
        "stopping_strategy: all_exhausted\n"
    )
    sources = {name: Source(1e6, 1e3, (f"org/{name}",)) for name in ("web", "code")}
    SWIFT.write(Mixture({"web": 0.75, "code": 0.25}), file, sources=sources, merge=True)
    assert yaml.safe_load(file.read_text()) == {
        "model": "x",
        "dataset": ["org/code#500", "org/web"],
        "interleave_prob": [0.25, 0.75],
        "stopping_strategy": "all_exhausted",
    }


@pytest.mark.parametrize("paths", [("a.jsonl", "b.jsonl"), ("org/a::test",), ("org/a#5",)])
def test_what_a_name_cannot_hold(tmp_path, paths):
    with pytest.raises(ReweightvizError, match="one file, folder or 'owner/name:subset'"):
        SWIFT.write(
            Mixture({"web": 1.0}), tmp_path / "a.yaml", sources={"web": Source(1, 1, paths)}
        )


def test_a_tuner_of_ms_swift_is_not_dataflex(tmp_path):
    file = tmp_path / "sft.yaml"
    file.write_text("model: x\ndataset: [org/a, org/b]\ntrain_type: lora\ntemplate: qwen\n")
    assert rv.check(file).framework == "ms-swift"
