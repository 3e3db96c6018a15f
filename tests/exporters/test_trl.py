"""TRL: fractions of examples, merges into training YAMLs, what it would refuse, and the real get_dataset."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.frameworks.trl import Trl

TRL = Trl()
MIXTURE = Mixture({"web": 0.5, "code": 0.3, "math": 0.2, "spam": 0.0})
WORDS = {"web": 10, "code": 40, "math": 100}
ROWS = {"web": 1500, "code": 600, "math": 300}
SOURCES = Sources(
    {
        "web": Source(1e6, 1e5, ("web-0.jsonl", "web-1.jsonl")),
        "code": Source(1e6, 1e4, ("org/code:python",)),
        "math": Source(1e6, 1e3, ("org/math::validation",)),
        "spam": Source(1e6, 1e4, ("org/spam",)),
    }
)
TRAINING = """\
# trl sft --config this.yaml
model_name_or_path: Qwen/Qwen3-0.6B   # any
learning_rate: 2.0e-5

datasets:
  # chat first
  - path: trl-lib/tldr
    columns: [prompt, completion]
    fraction: 0.5   # half
  - path: stanfordnlp/imdb
    name: plain_text
    split: train
    fraction: 0.5
packing: true
"""


def changed(diff: str) -> list[str]:
    return [
        line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}
    ]


def test_entries_are_files_or_hub_names_and_fractions_are_shares_of_examples(tmp_path):
    path = TRL.write(MIXTURE, tmp_path / "mix.yaml", sources=SOURCES, columns=["text"])
    web, code, math = yaml.safe_load(path.read_text("utf-8"))["datasets"]
    assert web == {
        "path": "json",
        "data_files": ["web-0.jsonl", "web-1.jsonl"],
        "split": "train",
        "columns": ["text"],
        "fraction": pytest.approx(0.05 / 0.0532),
    }
    assert code == {
        "path": "org/code",
        "name": "python",
        "split": "train",
        "columns": ["text"],
        "fraction": pytest.approx(0.003 / 0.0532),
    }
    assert (math["path"], math["split"], math["fraction"]) == (
        "org/math",
        "validation",
        pytest.approx(0.0002 / 0.0532),
    )
    assert dict(TRL.read(path)) == pytest.approx(dict(MIXTURE))
    assert TRL.recognises(TRL.open(path))


def test_without_provenance_names_are_guessed_and_packed_examples_are_tokens(tmp_path):
    path = TRL.write(MIXTURE, tmp_path / "mix.yaml", sources=SOURCES, unit="tokens")
    (tmp_path / "mix.yaml.provenance.json").unlink()
    with pytest.raises(
        ReweightvizError,
        match="share of examples .documents., so shares of tokens need the tokens and documents of 'web'",
    ):
        TRL.read(path)
    found = TRL.find_domains(TRL.parse(TRL.open(path)), {})
    assert list(found.values()) == ["web", "code:python", "math::validation"]
    assert list(TRL.parse(TRL.open(path)).stages[0].values()) == pytest.approx([0.5, 0.3, 0.2])
    assert TRL.parse(TRL.open(path)).paths == {
        "web-0.jsonl,web-1.jsonl": ("web-0.jsonl", "web-1.jsonl")
    }


def test_an_edit_is_followed_on_any_scale(tmp_path):
    path = TRL.write(MIXTURE, tmp_path / "mix.yaml", sources=SOURCES, unit="tokens")
    path.write_text(
        path.read_text("utf-8")
        .replace("fraction: 0.5", "fraction: 7")
        .replace("fraction: 0.3", "fraction: 2")
        .replace("fraction: 0.2", "fraction: 1"),
        "utf-8",
    )
    back = TRL.read(path)
    assert dict(back) == pytest.approx({"web": 0.7, "code": 0.2, "math": 0.1, "spam": 0.0})
    assert back.source["method"] == "edited by hand"


def test_a_merge_changes_the_fractions_only_and_adds_entries(tmp_path):
    (tmp_path / "sft.yaml").write_text(TRAINING)
    sources = {
        "tldr": Source(1e6, 1e4, ("trl-lib/tldr",)),
        "imdb": Source(1e6, 1e4, ("stanfordnlp/imdb:plain_text",)),
    }
    draft = TRL.draft(
        Mixture({"tldr": 0.75, "imdb": 0.25}), tmp_path / "sft.yaml", sources=sources, merge=True
    )
    assert changed(draft.diff()) == [
        "-    fraction: 0.5   # half",
        "+    fraction: 0.75  # half",
        "-    fraction: 0.5",
        "+    fraction: 0.25",
    ]
    more = sources | {"web": Source(1e6, 1e4, ("web.jsonl",))}
    draft = TRL.draft(
        Mixture({"tldr": 0.5, "imdb": 0.25, "web": 0.25}),
        tmp_path / "sft.yaml",
        sources=more,
        merge=True,
    )
    assert [line for line in changed(draft.diff()) if line.startswith("-")] == [
        "-    fraction: 0.5"
    ]
    draft.save()
    assert dict(TRL.read(tmp_path / "sft.yaml")) == pytest.approx(
        {"tldr": 0.5, "imdb": 0.25, "web": 0.25}
    )
    assert TRL.recognises(TRL.open(tmp_path / "sft.yaml"))


def test_a_merge_refuses_an_entry_that_stands_twice(tmp_path):
    (tmp_path / "sft.yaml").write_text(
        TRAINING.replace("stanfordnlp/imdb\n    name: plain_text\n    split: train", "trl-lib/tldr")
    )
    with pytest.raises(
        ReweightvizError, match="'trl-lib/tldr' more than once: keep one entry of each"
    ):
        TRL.draft(
            Mixture({"tldr": 1.0}),
            tmp_path / "sft.yaml",
            sources={"tldr": Source(1e6, 1e4, ("trl-lib/tldr",))},
            merge=True,
        )


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (
            ("fraction: 0.5   # half", "# none"),
            "all datasets need a fraction or none; 'trl-lib/tldr' have none",
        ),
        (("packing: true", "streaming: true"), "no fractions with streaming"),
        (
            ("fraction: 0.5   #", "fraction: -0.5   #"),
            "each dataset needs a fraction, a number >= 0; that of 'trl-lib/tldr'",
        ),
        (("fraction: 0.5", "fraction: 0"), "one dataset at least needs a fraction above 0"),
    ],
)
def test_what_trl_would_refuse_or_lose(tmp_path, edit, sentence):
    (tmp_path / "sft.yaml").write_text(TRAINING.replace(*edit))
    assert sentence in " ".join(TRL.parse(TRL.open(tmp_path / "sft.yaml")).refused)
    with pytest.raises(ReweightvizError, match=sentence.split(";")[0]):
        TRL.read(tmp_path / "sft.yaml")


def test_an_entry_that_is_a_name_alone_is_said(tmp_path):
    (tmp_path / "sft.yaml").write_text("model_name_or_path: x\ndatasets: [org/spam]\n")
    with pytest.raises(
        ReweightvizError,
        match="datasets of this config must list mappings to take weights; it has 'org/spam'",
    ):
        TRL.write(MIXTURE, tmp_path / "sft.yaml", sources=SOURCES, merge=True)


def test_a_budget_above_one_pass_is_said_and_the_epochs_are_those_of_one_pass(tmp_path):
    sources = {"web": Source(8e6, 1e5, ("org/web",)), "code": Source(1e6, 1e4, ("org/code",))}
    with pytest.warns(
        ReweightvizWarning,
        match="TRL repeats nothing: this mixture holds 4e\\+06 of the 8e\\+06 tokens, until 'code' is used up",
    ):
        TRL.write(
            Mixture({"web": 0.75, "code": 0.25}),
            tmp_path / "mix.yaml",
            sources=sources,
            tokens="8M",
        )
    assert TRL.open(tmp_path / "mix.yaml").record["epochs"] == {"web": 0.375, "code": 1.0}


def test_streaming_is_not_merged_into(tmp_path):
    (tmp_path / "sft.yaml").write_text(TRAINING + "streaming: true\n")
    sources = {
        "tldr": Source(1e6, 1e4, ("trl-lib/tldr",)),
        "imdb": Source(1e6, 1e4, ("stanfordnlp/imdb:plain_text",)),
    }
    with pytest.raises(
        ReweightvizError,
        match="TRL would not take what was to be written: TRL takes no fractions with streaming",
    ):
        TRL.draft(
            Mixture({"tldr": 0.75, "imdb": 0.25}),
            tmp_path / "sft.yaml",
            sources=sources,
            merge=True,
        )


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        (
            (),
            "TRL needs the files or the dataset name of each domain; sources= has no path for 'web'",
        ),
        (("a.jsonl", "b.csv"), "must be files of one kind"),
    ],
)
def test_paths_are_needed_and_of_one_kind(tmp_path, paths, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        TRL.write(
            Mixture({"web": 1.0}), tmp_path / "mix.yaml", sources={"web": Source(1e6, 1e4, paths)}
        )


@pytest.mark.framework("core")
@pytest.mark.golden("trl", "the real trl 1.16.0: every row of get_dataset")
def test_trl_keeps_the_asked_share_of_tokens(tmp_path, load_with, check_order):
    table = {}
    for name, size in WORDS.items():
        (tmp_path / f"{name}.jsonl").write_text(
            (json.dumps({"text": " ".join([name] * size), "id": 1}) + "\n") * ROWS[name], "utf-8"
        )
        table[name] = Source(size * ROWS[name], ROWS[name], (str(tmp_path / f"{name}.jsonl"),))
    mixture = Mixture({name: MIXTURE[name] for name in WORDS})
    path = TRL.write(mixture, tmp_path / "mix.yaml", sources=Sources(table), columns=["text"])
    found = load_with("trl_load.py", config=path)
    fractions = [
        entry["fraction"] for entry in yaml.safe_load(Path(path).read_text("utf-8"))["datasets"]
    ]
    whole = sum(found["examples"].values())
    for name, fraction in zip(WORDS, fractions, strict=True):
        assert abs(found["examples"][name] - fraction * whole) <= 1
        assert found["tokens"][name] / sum(found["tokens"].values()) == pytest.approx(
            mixture[name], abs=2e-3
        )
    assert found["examples"]["web"] == ROWS["web"], (
        "as large as the first dataset that is used up allows"
    )
    assert found["changes"] == 2, "one dataset after the other"
    # TRL hands the datasets on one after the other, and its trainer draws from them at random.
    check_order(found["order"], found["examples"])
    assert not any("sequential" in trap for trap in TRL.parse(TRL.open(path)).traps)
    path.write_text(path.read_text() + "train_sampling_strategy: sequential\n")
    assert any("one dataset after the other" in trap for trap in TRL.parse(TRL.open(path)).traps)
    with pytest.raises(AssertionError):
        check_order(load_with("trl_load.py", config=path)["order"], found["examples"])


def test_without_fractions_each_dataset_is_taken_once(tmp_path):
    path = tmp_path / "sft.yaml"
    path.write_text(TRAINING.replace("    fraction: 0.5\n", "").replace("fraction: 0.5   #", "#"))
    config = TRL.parse(TRL.open(path))
    assert config.refused == ()
    assert "without fractions TRL puts the datasets one after another" in config.traps[0]
    traps = " ".join(rv.check(path).traps)
    assert "unshuffled" in traps
    # Nothing is cut where there are no fractions.
    assert "used up" not in traps
    sources = {"tldr": Source(300, 3), "imdb:plain_text": Source(100, 1)}
    found = TRL.read(path, sources=sources)
    assert dict(found) == {"tldr": 0.75, "imdb:plain_text": 0.25}


def test_what_repeats_nothing_is_not_shown_with_more_than_one_pass(tmp_path):
    (tmp_path / "sft.yaml").write_text(TRAINING)
    sources = {"tldr": Source(1e6, 1e3), "imdb:plain_text": Source(4e6, 4e3)}
    report = rv.check(tmp_path / "sft.yaml", sources=sources, tokens=4e6)
    assert list(report.table["epochs"]) == [1.0, 0.25]
    assert any("TRL, which repeats nothing, ends when 'tldr' is used up" in t for t in report.traps)
