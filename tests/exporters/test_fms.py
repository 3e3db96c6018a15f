"""fms-hf-tuning: sums of exactly 1, the bandit's compensation, what is ignored or refused, and the real library drawing."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.frameworks.fms import FmsHfTuning

FMS = FmsHfTuning()
DRAWS = 2000
MIXTURE = Mixture({"web": 0.5, "code": 0.3, "a math": 0.2, "spam": 0.0}, source={"method": "test"})
WORDS = {"web": 10, "code": 20, "a math": 30, "spam": 10}

CONFIG = """\
dataprocessor:
    type: default
    sampling_stopping_strategy: first_exhausted   # or all_exhausted
    seed: 66
datasets:
  - name: web
    sampling: 0.3
    split: &split {train: 0.9, validation: 0.1}
    data_paths:
      - "web.jsonl"
    data_handlers:
      - name: tokenize
        arguments: &arguments
          remove_columns: all
          fn_kwargs: {text_column_name: text}
  - name: code
    split: *split
    sampling: 0.7   # mine
    data_paths: ["code.jsonl"]
    data_handlers:
      - name: tokenize
        arguments: *arguments
  - name: held out
    split:
      validation: 1.0
    data_paths: ["held_out.jsonl"]
"""


def word_sources(folder: Path) -> Sources:
    rows = {}
    for place, (name, size) in enumerate(WORDS.items()):
        (folder / f"{place}.jsonl").write_text(
            (json.dumps({"text": " ".join([name.replace(" ", "-")] * size)}) + "\n") * DRAWS,
            "utf-8",
        )
        rows[name] = Source(size * DRAWS, DRAWS, (str(folder / f"{place}.jsonl"),))
    return Sources(rows)


def sampled(file: Path) -> dict[str, float]:
    return {
        entry["name"]: entry.get("sampling")
        for entry in yaml.safe_load(file.read_text("utf-8"))["datasets"]
    }


@pytest.mark.framework("transformers4")
@pytest.mark.golden(
    "fms-hf-tuning", "the real fms-hf-tuning 3.2.2 and fms-acceleration-odm 0.1.6: 2,000 draws each"
)
def test_fms_hf_tuning_draws_the_asked_share_of_tokens_and_the_bandit_starts_there(
    tmp_path, load_with, check_order
):
    mixture = Mixture({name.replace(" ", "-"): weight for name, weight in MIXTURE.items()})
    sources = Sources(
        {name.replace(" ", "-"): source for name, source in word_sources(tmp_path).items()}
    )
    plain = FMS.write(mixture, tmp_path / "plain.yaml", sources=sources)
    online = FMS.write(mixture, tmp_path / "online.yaml", sources=sources, online=True, gamma=0.1)
    found = load_with("fms_load.py", config=plain, online=online, draws=DRAWS)
    asked = sampled(plain)
    assert found["categories"] == sorted(asked)
    assert found["ratio"] == pytest.approx(asked, abs=3e-6), (
        "the real ratio at the start, not the weights that are written"
    )
    assert sampled(online) != pytest.approx(asked, abs=1e-2)
    for kind in ("plain", "online"):
        documents, tokens = found[kind]["documents"], found[kind]["tokens"]
        assert sum(documents.values()) == DRAWS
        check_order(found[kind]["order"], asked)
        for name, p in asked.items():
            assert abs(documents[name] / DRAWS - p) < 4 * math.sqrt(p * (1 - p) / DRAWS), (
                kind,
                found,
            )
            assert tokens[name] / sum(tokens.values()) == pytest.approx(mixture[name], abs=0.05)


def test_a_new_config_sums_to_exactly_one_in_shares_of_documents(tmp_path):
    sources = {
        "web": Source(7e8, 1e6, ("web.jsonl", "more.jsonl")),
        "code": Source(2e8, 1e6, ("code.jsonl.zst",)),
        "math": Source(1e8, 1e6),
    }
    file = FMS.write(
        Mixture({"web": 0.49, "code": 0.2, "math": 0.31}),
        tmp_path / "mix.yaml",
        sources=sources,
        seed=7,
    )
    content = yaml.safe_load(file.read_text())
    assert content["dataprocessor"] == {
        "type": "default",
        "sampling_stopping_strategy": "first_exhausted",
        "seed": 7,
    }
    web, code, math_ = content["datasets"]
    assert web["sampling"] + code["sampling"] + math_["sampling"] == 1
    assert math_["sampling"] + code["sampling"] + web["sampling"] == 1
    assert [entry["sampling"] for entry in content["datasets"]] == pytest.approx(
        [0.7 / 4.8, 1 / 4.8, 3.1 / 4.8], rel=1e-4
    )
    assert [
        {key: entry[key] for key in entry if key not in {"name", "sampling"}}
        for entry in content["datasets"]
    ] == [
        {"data_paths": ["web.jsonl", "more.jsonl"]},
        {"data_paths": ["code.jsonl.zst"], "builder": "json"},
        {"data_paths": []},
    ]
    assert "'math' has no data_paths yet" in FMS.parse(FMS.open(file)).traps[0]
    assert FMS.read(file).array == pytest.approx([0.49, 0.2, 0.31], rel=1e-3)
    often = FMS.write(
        Mixture.uniform(sources), tmp_path / "often.yaml", sources=sources, tokens=9e8
    )
    assert (
        yaml.safe_load(often.read_text())["dataprocessor"]["sampling_stopping_strategy"]
        == "all_exhausted"
    )


def test_the_bandit_starts_at_the_mixture(tmp_path):
    mixture = Mixture({"web": 0.7, "code": 0.2, "math": 0.1})
    file = FMS.write(
        mixture,
        tmp_path / "mix.yaml",
        unit="tokens",
        online=True,
        gamma=0.12,
        eta=0.5,
        update_interval=3,
        sampling_interval=2,
        reward_type="entropy",
    )
    content = yaml.safe_load(file.read_text())
    assert content["dataprocessor"]["odm"] == {
        "update_interval": 3,
        "sampling_interval": 2,
        "reward_type": "entropy",
        "gamma": 0.12,
        "eta": 0.5,
    }
    written = sampled(file)
    assert sum(written.values()) == 1
    assert written == pytest.approx(
        {name: (weight - 0.04) / 0.88 for name, weight in mixture.items()}, abs=2e-6
    )
    assert FMS.read(file).array == pytest.approx(mixture.array, abs=2e-6)
    traps = " ".join(FMS.parse(FMS.open(file)).traps)
    assert (
        "starts with (1 - gamma) sampling" in traps
        and "measured on validation data, which no dataset here has" in traps
    )
    file.write_text(file.read_text().replace("gamma: 0.12", "gamma: 0.0"))
    assert dict(FMS.read(file)) == pytest.approx(written), (
        "without exploration the weights are the ratio"
    )


def test_a_share_below_what_the_bandit_explores_is_refused_with_the_largest_gamma(tmp_path):
    mixture = Mixture({"web": 0.9, "code": 0.07, "math": 0.03})
    with pytest.raises(
        ReweightvizError,
        match=r"each of 3 datasets more than 0.03333 of the time; 'math' is to start with 0.03, so gamma must be below 0.09\.",
    ):
        FMS.write(mixture, tmp_path / "mix.yaml", unit="tokens", online=True)
    assert list(tmp_path.iterdir()) == []
    file = FMS.write(mixture, tmp_path / "mix.yaml", unit="tokens", online=True, gamma=0.089)
    assert FMS.read(file).array == pytest.approx(mixture.array, abs=2e-6)


def test_a_merge_changes_the_sampling_only(tmp_path):
    file = tmp_path / "mix.yaml"
    file.write_text(CONFIG)
    assert dict(FMS.read(file, sources={"web": Source(7e8, 1e6), "code": Source(3e8, 1e6)})) == {
        "web": 0.5,
        "code": 0.5,
    }
    diff = FMS.draft(Mixture({"web": 0.75, "code": 0.25}), file, unit="tokens", merge=True).diff()
    assert [line for line in diff.splitlines()[2:] if line[0] in "+-"] == [
        "-    sampling: 0.3",
        "+    sampling: 0.75",
        "-    sampling: 0.7   # mine",
        "+    sampling: 0.25  # mine",
    ]
    FMS.write(
        Mixture({"web": 0.5, "code": 0.0, "math": 0.5}),
        file,
        unit="tokens",
        merge=True,
        sources={"web": 1e9, "code": 1e9, "math": Source(1e9, paths=("org/math",))},
    )
    assert sampled(file) == {"web": 0.5, "held out": None, "math": 0.5}
    assert dict(FMS.read(file)) == {"web": 0.5, "code": 0.0, "math": 0.5}


def test_a_merge_keeps_the_bandit_of_the_config_or_sets_it_up(tmp_path):
    file = tmp_path / "mix.yaml"
    file.write_text(CONFIG)
    mixture = Mixture({"web": 0.75, "code": 0.25})
    FMS.write(mixture, file, unit="tokens", merge=True, online=True, gamma=0.25)
    processor = yaml.safe_load(file.read_text())["dataprocessor"]
    assert (processor["type"], processor["seed"], processor["odm"]["gamma"]) == ("odm", 66, 0.25)
    assert sampled(file) == pytest.approx(
        {"web": 0.625 / 0.75, "code": 0.125 / 0.75, "held out": None}, abs=2e-6
    )
    FMS.write(Mixture({"web": 0.5, "code": 0.5}), file, unit="tokens", merge=True)
    assert yaml.safe_load(file.read_text())["dataprocessor"]["odm"]["gamma"] == 0.25
    assert dict(FMS.read(file)) == pytest.approx({"web": 0.5, "code": 0.5})
    FMS.write(mixture, file, unit="tokens", merge=True, online=False)
    assert yaml.safe_load(file.read_text())["dataprocessor"]["type"] == "default"
    assert sampled(file) == {"web": 0.75, "code": 0.25, "held out": None}


def entries(*shares, **more) -> str:
    return yaml.safe_dump(
        {
            "datasets": [
                {"name": name, "data_paths": ["x.json"]}
                | ({} if share is None else {"sampling": share})
                for name, share in zip("abc", shares, strict=False)
            ]
        }
        | more
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            entries(0.5, 0.5, datapreprocessor={"seed": 7}),
            "reads 'dataprocessor' only and silently ignores 'datapreprocessor'",
        ),
        (entries(0.7, 0.2, 0.1), "must sum to exactly 1, .*; the sum is 0.9999999999999999"),
        (entries(0.6, 0.3), "must sum to exactly 1"),
        (
            entries(0.5, 0.5, None),
            "for every dataset that is trained on, or for none; 'c' has none",
        ),
        (entries(0.5, 0.5, 0.0), "for every dataset that is trained on, or for none; 'c' has none"),
        (entries("0.5", 0.5), "must be a number from 0 to 1; that of 'a' is not"),
        (entries(1.5, -0.5), "must be a number from 0 to 1; that of 'a', 'b' is not"),
        (
            entries(0.5, 0.5, dataprocessor={"type": "odm", "odm": {"gamma": 0.1}}).replace(
                "name: b", "name: a"
            ),
            "the bandit knows datasets by name, and 'a' stands there twice",
        ),
        (
            entries(0.5, 0.5)
            + "- {name: c, sampling: 0.5, split: {validation: 1.0}, data_paths: []}",
            "'c' has no train split",
        ),
        (entries(0.5, 0.5, dataprocessor={"type": "odm"}), "type 'odm' needs dataprocessor.odm"),
        (
            entries(0.5, 0.5, dataprocessor={"type": "odm", "odm": {"gamma": 1.5}}),
            "from 0 to 1; got 1.5",
        ),
        (
            entries(
                0.5, 0.5, dataprocessor={"type": "odm", "odm": {"reward_type": "learnability"}}
            ),
            "has no reward_type 'learnability'",
        ),
        (
            entries(1.0, dataprocessor={"type": "odm", "odm": {"gamma": 0.1}}),
            "cuts a single dataset into clusters",
        ),
    ],
)
def test_what_fms_hf_tuning_would_refuse_or_ignore(tmp_path, content, sentence):
    (tmp_path / "mix.yaml").write_text(content)
    with pytest.raises(ReweightvizError, match=sentence):
        FMS.read(tmp_path / "mix.yaml", sources={name: Source(1e9, 1e6) for name in "abc"})


def test_defaults_are_those_of_the_framework(tmp_path):
    sources = {name: Source(1e9, 1e6) for name in "abc"}
    for content, shares in (
        (entries(None), [1.0]),
        (entries(1), [1.0]),
        (entries(0.25, 0.75), [0.25, 0.75]),
        (entries(None, None, dataprocessor={"type": "odm", "odm": {"eta": 0.2}}), [0.5, 0.5]),
        (
            entries(0.75, 0.25, dataprocessor={"type": "odm", "odm": {"eta": 0.2}}),
            [0.9 * 0.75 + 0.05, 0.9 * 0.25 + 0.05],
        ),
    ):
        (tmp_path / "mix.yaml").write_text(content)
        assert FMS.recognises(FMS.open(tmp_path / "mix.yaml"))
        assert FMS.read(tmp_path / "mix.yaml", sources=sources).array == pytest.approx(shares)
    (tmp_path / "mix.json").write_text(json.dumps(yaml.safe_load(entries(0.25, 0.75))))
    assert dict(FMS.read(tmp_path / "mix.json", sources=sources)) == {"a": 0.25, "b": 0.75}
    (tmp_path / "mix.config").write_text(entries(0.25, 0.75))
    with pytest.raises(ReweightvizError, match=r"ends in '.yaml' or '.json'; got 'mix.config'"):
        FMS.read(tmp_path / "mix.config", sources=sources)


def test_a_sum_that_holds_in_old_pythons_only_is_said(tmp_path):
    shares = (0.01, 0.29, 0.7)
    assert 0.01 + 0.29 + 0.7 == 1 != math.fsum(shares)
    (tmp_path / "mix.yaml").write_text(entries(*shares))
    config = FMS.parse(FMS.open(tmp_path / "mix.yaml"))
    assert config.refused == ()
    assert "only up to Python 3.11" in config.traps[0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "must give tokens and documents of 'web', 'code', 'a math'"),
        ({"unit": "tokens", "gamma": 0.1}, "'gamma' belong to online mixing: pass online=True too"),
        (
            {"unit": "tokens", "online": True, "reward_type": "combined"},
            "no reward_type 'combined'",
        ),
        ({"unit": "tokens", "online": True, "gamma": -0.1}, "with gamma=-0.1"),
        (
            {"unit": "tokens", "sampling_stopping_strategy": "first"},
            "did you mean 'first_exhausted'",
        ),
    ],
)
def test_what_cannot_be_written(tmp_path, options, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        FMS.write(MIXTURE, tmp_path / "mix.yaml", **options)
    with pytest.raises(ReweightvizError, match="online mixing needs two datasets or more"):
        FMS.write(Mixture({"web": 1.0}), tmp_path / "mix.yaml", unit="tokens", online=True)
    with pytest.raises(ReweightvizError, match="a file that ends in .yaml"):
        FMS.write(MIXTURE, tmp_path / "mix.txt", unit="tokens")
    assert list(tmp_path.iterdir()) == []


def test_without_sampling_each_dataset_is_taken_as_often_as_it_stands_there(tmp_path):
    (tmp_path / "mix.yaml").write_text(entries(None, None, None).replace("name: c", "name: a"))
    config = FMS.parse(FMS.open(tmp_path / "mix.yaml"))
    assert config.refused == ()
    assert "one after another, each once" in config.traps[0]
    sources = {"a": Source(300, 3), "b": Source(200, 1)}
    assert dict(FMS.read(tmp_path / "mix.yaml", sources=sources)) == {"a": 0.75, "b": 0.25}


def test_a_name_that_stands_twice_adds_up(tmp_path):
    (tmp_path / "mix.yaml").write_text(entries(0.5, 0.25, 0.25).replace("name: c", "name: a"))
    config = FMS.parse(FMS.open(tmp_path / "mix.yaml"))
    assert config.refused == ()
    assert config.stages == {0: {"a": 0.75, "b": 0.25}}
