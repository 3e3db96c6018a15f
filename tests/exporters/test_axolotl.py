"""Axolotl: passes as entries and slices, merges, what it ignores or undoes, and its own schema and loading."""

from __future__ import annotations

import json

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.frameworks import _slices as slices
from reweightviz.exporters.frameworks.axolotl import Axolotl

AXOLOTL = Axolotl()
WORDS = {"web": 10, "code": 40, "math": 100}
ROWS = {"web": 1500, "code": 600, "math": 300}
MIXTURE = Mixture({"web": 0.5, "code": 0.3, "math": 0.2})
SOURCES = Sources(
    {
        "web": Source(1e6, 1e5, ("data/web-0.parquet", "data/web-1.parquet")),
        "code": Source(4e5, 1e4, ("org/code:python",)),
        "math": Source(1e5, 1e3, ("math.jsonl",)),
    }
)
QLORA = """\
base_model: NousResearch/Meta-Llama-3-8B
# optionally might have model_type or tokenizer_type
load_in_4bit: true

datasets:
  - path: tatsu-lab/alpaca   # instructions
    type: alpaca
  - path: teknium/GPT4-LLM-Cleaned
    type: alpaca
    split: train[:20%]
    field: &field text

dataset_prepared_path:
val_set_size: 0
special_tokens: {pad_token: *field}
sequence_len: 4096
"""


def changed(diff: str) -> list[str]:
    return [
        line.replace("  #", " #")
        for line in diff.splitlines()
        if line[:1] in "+-" and line[:3] not in {"+++", "---"}
    ]


def parsed(tmp_path, text):
    (tmp_path / "config.yml").write_text(text)
    return AXOLOTL.parse(AXOLOTL.open(tmp_path / "config.yml"))


def test_passes_are_whole_entries_and_a_slice_in_rows(tmp_path):
    path = AXOLOTL.write(MIXTURE, tmp_path / "mix.yml", sources=SOURCES, tokens=1.15e6)
    content = yaml.safe_load(path.read_text("utf-8"))
    assert content["shuffle_merged_datasets"] is True
    assert content["datasets"] == [
        {
            "path": "data",
            "data_files": ["data/web-0.parquet", "data/web-1.parquet"],
            "ds_type": "parquet",
            "split": "train[:57500]",
            "type": "completion",
        },
        {"path": "org/code", "name": "python", "split": "train[:8625]", "type": "completion"},
        *[{"path": "math.jsonl", "ds_type": "json", "split": "train", "type": "completion"}] * 2,
        {"path": "math.jsonl", "ds_type": "json", "split": "train[:300]", "type": "completion"},
    ]
    assert 'train[:300]"  # of 1000 rows' in path.read_text("utf-8")
    assert AXOLOTL.parse(AXOLOTL.open(path)).stages[0] == pytest.approx(
        {
            "data/web-0.parquet,data/web-1.parquet": 0.575,
            "org/code:python": 0.8625,
            "math.jsonl": 2.3,
        }
    )
    assert dict(AXOLOTL.read(path)) == pytest.approx(dict(MIXTURE), rel=1e-9)


def test_without_a_budget_nothing_is_taken_twice_and_without_documents_by_percent(tmp_path):
    bare = {name: Source(source.tokens, None, source.paths) for name, source in SOURCES.items()}
    path = AXOLOTL.write(
        Mixture({"web": 0.7, "code": 0.2, "math": 0.1}), tmp_path / "mix.yml", sources=bare
    )
    assert [entry["split"] for entry in yaml.safe_load(path.read_text("utf-8"))["datasets"]] == [
        "train[:70%]",
        "train[:50%]",
        "train",
    ]
    with pytest.warns(ReweightvizWarning, match="'code' is taken 0.04 times instead of 0.035"):
        AXOLOTL.write(
            Mixture({"web": 0.93, "code": 0.014, "math": 0.056}),
            tmp_path / "more.yml",
            sources=bare,
            tokens=1e6,
        )
    with pytest.raises(
        ReweightvizError, match="slices 'web' by whole percents, of which it needs 0.11"
    ):
        AXOLOTL.write(
            Mixture({"web": 0.01, "code": 0.09, "math": 0.9}), tmp_path / "few.yml", sources=bare
        )


@pytest.mark.parametrize(
    ("split", "rows", "passes"),
    [
        (None, None, 1),
        ("train", None, 1),
        ("train[:20%]", None, 0.2),
        ("train[20%:]", None, 0.8),
        ("train[-10%:]", None, 0.1),
        ("train[10%:-10%](pct1_dropremainder)", None, 0.8),
        ("train+train[:30%]", None, 1.3),
        ("train+test", None, 2),
        ("train[:1_000]", 4000, 0.25),
        ("train[3000:]", 4000, 0.25),
        ("train[:9000]", 4000, 1),
        ("train[:]", None, 1),
    ],
)
def test_splits_are_read_as_datasets_reads_them(split, rows, passes):
    assert slices.count_passes(split, rows) == pytest.approx(passes)


def test_an_edit_of_a_slice_is_followed(tmp_path):
    path = AXOLOTL.write(MIXTURE, tmp_path / "mix.yml", sources=SOURCES, tokens=1e6)
    text = path.read_text("utf-8")
    path.write_text(text.replace("train[:50000]", "train"), "utf-8")
    with pytest.raises(ReweightvizError, match="the sizes in .* are of other numbers.: pass sour"):
        AXOLOTL.read(path)
    edited = AXOLOTL.read(path, sources=SOURCES)
    assert dict(edited) == pytest.approx({"web": 2 / 3, "code": 0.2, "math": 0.4 / 3})
    path.write_text(text.replace("  # of 100000 rows", ""), "utf-8")
    with pytest.raises(
        ReweightvizError,
        match="counts rows, and .* does not say of how many: put '# of 41150 rows' behind it, or pass sources=",
    ):
        AXOLOTL.read(path)
    assert dict(AXOLOTL.read(path, sources=SOURCES)) == pytest.approx(dict(MIXTURE))


def test_a_config_of_somebody_is_read_and_known(tmp_path):
    config = parsed(tmp_path, QLORA)
    assert AXOLOTL.recognises(AXOLOTL.open(tmp_path / "config.yml"))
    assert config.stages[0] == {"tatsu-lab/alpaca": 1.0, "teknium/GPT4-LLM-Cleaned": 0.2}
    assert not config.refused and not config.traps
    several = parsed(
        tmp_path, QLORA.replace("train[:20%]", "train\n    shards: 4\n    name: [a, b]")
    )
    assert several.stages[0] == {
        "tatsu-lab/alpaca": 1.0,
        "teknium/GPT4-LLM-Cleaned:a": 0.25,
        "teknium/GPT4-LLM-Cleaned:b": 0.25,
    }


def test_a_merge_adds_and_takes_out_entries_and_leaves_the_rest(tmp_path):
    (tmp_path / "config.yml").write_text(QLORA)
    sources = {
        "alpaca": Source(1e6, 50000, ("tatsu-lab/alpaca",)),
        "gpt4": Source(1e6, 40000, ("teknium/GPT4-LLM-Cleaned",)),
    }
    draft = AXOLOTL.draft(
        Mixture({"alpaca": 0.75, "gpt4": 0.25}),
        tmp_path / "config.yml",
        sources=sources,
        tokens=3e6,
        merge=True,
    )
    assert changed(draft.diff()) == [
        "+  - path: tatsu-lab/alpaca",
        "+    type: alpaca",
        "+  - path: tatsu-lab/alpaca",
        "+    type: alpaca",
        '+    split: "train[:12500]" # of 50000 rows',
        "-    split: train[:20%]",
        '+    split: "train[:30000]" # of 40000 rows',
    ]
    draft.save()
    assert dict(AXOLOTL.read(tmp_path / "config.yml")) == pytest.approx(
        {"alpaca": 0.75, "gpt4": 0.25}
    )
    again = AXOLOTL.draft(
        Mixture({"alpaca": 0.25, "gpt4": 0.75}),
        tmp_path / "config.yml",
        sources=sources,
        tokens=1e6,
        merge=True,
    )
    again.save()
    content = yaml.safe_load((tmp_path / "config.yml").read_text("utf-8"))
    assert [entry.get("split") for entry in content["datasets"]] == [
        "train[:12500]",
        "train[:30000]",
    ]
    assert content["special_tokens"] == {"pad_token": "text"}
    assert dict(AXOLOTL.read(tmp_path / "config.yml")) == pytest.approx(
        {"alpaca": 0.25, "gpt4": 0.75}
    )


def test_an_anchor_in_an_entry_that_is_repeated_stays_one(tmp_path):
    (tmp_path / "config.yml").write_text(
        QLORA.replace(
            "    field:", "    shards: &four 4\n    roles: {user: &who [human]}\n    field:"
        )
        + "micro_batch_size: *four\nroles: *who\n"
    )
    sources = {
        "alpaca": Source(1e6, 50000, ("tatsu-lab/alpaca",)),
        "gpt4": Source(1e6, 40000, ("teknium/GPT4-LLM-Cleaned",)),
    }
    AXOLOTL.write(
        Mixture({"alpaca": 0.25, "gpt4": 0.75}),
        tmp_path / "config.yml",
        sources=sources,
        tokens=4e6,
        merge=True,
    )
    content = yaml.safe_load((tmp_path / "config.yml").read_text("utf-8"))
    assert [entry.get("split") for entry in content["datasets"]] == [
        None,
        "train",
        "train",
        "train",
    ]
    assert (content["special_tokens"], content["micro_batch_size"], content["roles"]) == (
        {"pad_token": "text"},
        4,
        ["human"],
    )
    assert (
        content["datasets"][1:]
        == [
            {
                "path": "teknium/GPT4-LLM-Cleaned",
                "type": "alpaca",
                "split": "train",
                "shards": 1,
                "roles": {"user": ["human"]},
                "field": "text",
            }
        ]
        * 3
    )


@pytest.mark.parametrize("edit", ["split: train+test", "name: [a, b]"])
def test_a_merge_refuses_an_entry_that_stands_for_several(tmp_path, edit):
    (tmp_path / "config.yml").write_text(QLORA.replace("split: train[:20%]", edit))
    sources = {
        str(name): Source(1e6, 50000, (path,))
        for name, path in enumerate(AXOLOTL.parse(AXOLOTL.open(tmp_path / "config.yml")).stages[0])
    }
    with pytest.raises(
        ReweightvizError,
        match="an entry of 'teknium/GPT4-LLM-Cleaned' stands for several configurations or splits",
    ):
        AXOLOTL.draft(
            Mixture.uniform(sources), tmp_path / "config.yml", sources=sources, merge=True
        )


def test_a_whole_entry_loses_the_rows_that_were_said_of_its_slice(tmp_path):
    path = AXOLOTL.write(MIXTURE, tmp_path / "mix.yml", sources=SOURCES, tokens=1e6)
    path.write_text(
        path.read_text("utf-8").replace(
            "  # of 10000 rows\n", "  # of 10000 rows\n  # python only\n"
        ),
        "utf-8",
    )
    AXOLOTL.write(
        Mixture({"web": 0.5, "code": 0.4, "math": 0.1}),
        path,
        sources=SOURCES,
        tokens=1e6,
        merge=True,
    )
    text = path.read_text("utf-8")
    assert "of 10000 rows" not in text
    assert "  # python only\n" in text
    assert dict(AXOLOTL.read(path)) == pytest.approx({"web": 0.5, "code": 0.4, "math": 0.1})


def test_a_comment_on_the_split_stays_beside_the_rows(tmp_path):
    (tmp_path / "config.yml").write_text(
        QLORA.replace("split: train[:20%]", "split: train[:20%]   # as in the paper\n    # below")
    )
    names = list(AXOLOTL.parse(AXOLOTL.open(tmp_path / "config.yml")).stages[0])
    sources = {name: Source(1e6 * place, 50000, (name,)) for place, name in enumerate(names, 1)}
    passes = [
        {name: (0.4 if name == names[-1] else 1.0) * share for name in names}
        for share in (0.5, 0.75, 1.0, 2.5)
    ]
    said = []
    for wanted in passes:
        mixture = Mixture.normalized({name: wanted[name] * sources[name].tokens for name in names})
        tokens = sum(wanted[name] * sources[name].tokens for name in names)
        AXOLOTL.write(mixture, tmp_path / "config.yml", sources=sources, tokens=tokens, merge=True)
        text = (tmp_path / "config.yml").read_text()
        said += [line.partition("# ")[2] for line in text.splitlines() if "paper" in line]
        assert text.count("# below") == 1
    assert said == ["of 50000 rows; as in the paper"] * 3 + ["as in the paper"]


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (
            ("datasets:", "pretraining_dataset:"),
            "streams the first entry of pretraining_dataset only",
        ),
        (
            ("split: train[:20%]", "split: train[:2.5%]"),
            "split 'train[:2.5%]' is nothing that datasets can slice by",
        ),
        (("split: train[:20%]", "split: train[:500]"), ""),
        (("val_set_size: 0", "streaming: true"), "with streaming: true Axolotl cannot slice"),
        (
            ("path: teknium/GPT4-LLM-Cleaned", "path: s3://bucket/folder"),
            "loads 's3://bucket/folder' whole",
        ),
        (
            (
                "path: teknium/GPT4-LLM-Cleaned",
                "path: tatsu-lab/alpaca\n    dataset_exact_deduplication_not_here: 0",
            ),
            "",
        ),
    ],
)
def test_what_axolotl_would_refuse_or_ignore(tmp_path, edit, sentence):
    refused = parsed(tmp_path, QLORA.replace(*edit)).refused
    assert sentence in " ".join(refused)
    assert bool(refused) == bool(sentence)


def test_what_is_entered_twice_is_taken_out_again_or_stands_on_both_sides(tmp_path):
    twice = QLORA.replace("teknium/GPT4-LLM-Cleaned", "tatsu-lab/alpaca")
    assert parsed(tmp_path, twice).stages[0] == {"tatsu-lab/alpaca": 1.2}
    assert (
        "takes out again"
        in parsed(tmp_path, twice + "dataset_exact_deduplication: true\n").refused[0]
    )
    assert (
        "stand on both sides"
        in parsed(tmp_path, twice.replace("val_set_size: 0", "val_set_size: 0.1")).traps[0]
    )
    # The trainer draws at random unless curriculum_sampling is on, and then the merged rows count.
    still, curriculum = "shuffle_merged_datasets: false\n", "curriculum_sampling: true\n"
    for beside in (still, curriculum, still + curriculum):
        said = [trap for trap in parsed(tmp_path, QLORA + beside).traps if "one after" in trap]
        assert len(said) == (beside == still + curriculum)


def test_files_elsewhere_come_one_to_a_dataset(tmp_path):
    with pytest.raises(
        ReweightvizError,
        match="several files of one dataset from disk only; those of 'web' are elsewhere",
    ):
        AXOLOTL.write(
            Mixture({"web": 1.0}),
            tmp_path / "mix.yml",
            sources={"web": Source(1e6, 1e4, ("s3://b/0.jsonl", "s3://b/1.jsonl"))},
        )


@pytest.mark.framework("transformers4")
@pytest.mark.golden(
    "axolotl",
    "the real axolotl 0.19.0, its schema and its loading of datasets: every row; addict is a stand-in",
)
@pytest.mark.parametrize("documents", [True, False])
def test_axolotl_takes_the_asked_share_of_tokens(tmp_path, load_with, check_order, documents):
    table = {}
    for name, size in WORDS.items():
        (tmp_path / f"{name}.jsonl").write_text(
            (json.dumps({"text": " ".join([name] * size)}) + "\n") * ROWS[name], "utf-8"
        )
        table[name] = Source(
            size * ROWS[name], ROWS[name] if documents else None, (str(tmp_path / f"{name}.jsonl"),)
        )
    path = AXOLOTL.write(MIXTURE, tmp_path / "mix.yml", sources=Sources(table), tokens=4e4)
    found = load_with("axolotl_load.py", config=path)
    assert found["parts"] == [1500, 500, 300, 80] if documents else [1500, 495, 300, 81]
    for name, share in MIXTURE.items():
        assert found["tokens"][name] / sum(found["tokens"].values()) == pytest.approx(
            share, abs=1e-3 if documents else 5e-3
        )
    assert found["changes"] > 100, "shuffled"
    check_order(found["order"], found["examples"])
