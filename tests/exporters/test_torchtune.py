"""torchtune: weights of examples, merges into the recipe's config, what loses them, and the recipe's own data setup."""

from __future__ import annotations

import json
import math

import pytest
import yaml

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.frameworks.torchtune import Torchtune

TUNE = Torchtune()
DRAWS = 2000
WORDS = {"web": 10, "code": 40, "math": 100}
MIXTURE = Mixture({"web": 0.5, "code": 0.3, "math": 0.2})
SOURCES = {
    "web": Source(1e6, 1e5, ("web.jsonl",)),
    "code": Source(1e6, 1e4, ("org/code:python",)),
    "math": Source(1e6, 1e3, ("org/math",)),
}
RECIPE = """\
# tune run --nproc_per_node 2 dev/lora_finetune_distributed_multi_dataset --config this.yaml
output_dir: /tmp/torchtune/multi # may be deleted

model:
  _component_: torchtune.models.llama3_2.lora_llama3_2_1b
  lora_attn_modules: ['q_proj', 'v_proj']

# TorchData setup
dataloader:
  shuffle: True
  collate_fn: torchtune.data.padded_collate_sft
  packed: False # Set to true for great speed ups
seed: null

datasets:
  - source: HuggingFaceM4/the_cauldron
    subset: ocrvqa
    split: train
    transform:
      _component_: torchtune.datasets.multimodal.the_cauldron_transform
    weight: 1.0
  - source: HuggingFaceM4/the_cauldron
    subset: dvqa
    split: train
    transform:
      _component_: torchtune.datasets.multimodal.the_cauldron_transform
    weight: 1.0

metric_logger:
  log_dir: ${output_dir}/logs
"""


def changed(diff: str) -> list[str]:
    return [
        line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}
    ]


def test_a_new_config_names_what_the_recipe_reads(tmp_path):
    path = TUNE.write(
        MIXTURE,
        tmp_path / "mix.yaml",
        sources=SOURCES,
        transform="torchtune.data.ShareGPTToMessages",
    )
    content = yaml.safe_load(path.read_text("utf-8"))
    assert content["dataloader"] == {
        "shuffle": True,
        "collate_fn": "torchtune.data.padded_collate_sft",
        "stop_criteria": "CYCLE_UNTIL_ALL_DATASETS_EXHAUSTED",
    }
    web, code, _ = content["datasets"]
    assert web == {
        "source": "json",
        "data_files": ["web.jsonl"],
        "split": "train",
        "transform": {"_component_": "torchtune.data.ShareGPTToMessages"},
        "weight": pytest.approx(0.05 / 0.0532),
    }
    assert (code["source"], code["subset"], code["weight"]) == (
        "org/code",
        "python",
        pytest.approx(0.003 / 0.0532),
    )
    assert dict(TUNE.read(path)) == pytest.approx(dict(MIXTURE))


def test_an_edit_is_followed(tmp_path):
    path = TUNE.write(MIXTURE, tmp_path / "mix.yaml", sources=SOURCES, unit="tokens")
    path.write_text(path.read_text("utf-8").replace("weight: 0.5", "weight: 1.5"), "utf-8")
    assert dict(TUNE.read(path)) == pytest.approx({"web": 0.75, "code": 0.15, "math": 0.1})


def test_an_entry_that_is_a_name_alone_is_said(tmp_path):
    (tmp_path / "c.yaml").write_text("datasets: [org/web, org/code]\ndataloader: {shuffle: true}\n")
    with pytest.raises(
        ReweightvizError,
        match="datasets of this config must list mappings to take weights; it has 'org/web'",
    ):
        TUNE.write(
            Mixture({"web": 1.0}),
            tmp_path / "c.yaml",
            sources={"web": Source(1e6, 1e4, ("org/web",))},
            merge=True,
        )


def test_a_merge_into_the_recipes_config_changes_its_weights_only(tmp_path):
    (tmp_path / "multi.yaml").write_text(RECIPE)
    sources = {
        name: Source(1e6, 1e4, (f"HuggingFaceM4/the_cauldron:{name}",))
        for name in ("ocrvqa", "dvqa")
    }
    mixture = Mixture({"ocrvqa": 0.75, "dvqa": 0.25})
    assert TUNE.recognises(TUNE.open(tmp_path / "multi.yaml"))
    draft = TUNE.draft(mixture, tmp_path / "multi.yaml", sources=sources, merge=True)
    assert changed(draft.diff()) == [
        "-    weight: 1.0",
        "+    weight: 0.75",
        "-    weight: 1.0",
        "+    weight: 0.25",
    ]
    draft = TUNE.draft(
        mixture,
        tmp_path / "multi.yaml",
        sources=sources,
        merge=True,
        stop_criteria="FIRST_DATASET_EXHAUSTED",
    )
    assert '+  stop_criteria: "FIRST_DATASET_EXHAUSTED"' in changed(draft.diff())
    assert len(changed(draft.diff())) == 5
    draft.save()
    assert dict(TUNE.read(tmp_path / "multi.yaml")) == pytest.approx(dict(mixture))


def test_a_plain_list_of_datasets_takes_each_once(tmp_path):
    (tmp_path / "full.yaml").write_text(
        "dataset:\n- _component_: torchtune.datasets.alpaca_dataset\n- _component_: torchtune.datasets.grammar_dataset\n"
    )
    assert TUNE.recognises(TUNE.open(tmp_path / "full.yaml"))
    config = TUNE.parse(TUNE.open(tmp_path / "full.yaml"))
    assert config.refused == ()
    assert [*config.stages[0].values()] == [1.0, 1.0]
    assert "has no weights, torchtune puts the datasets one after another" in config.traps[0]
    (tmp_path / "one.yaml").write_text(
        "dataset:\n  _component_: torchtune.datasets.alpaca_dataset\n"
    )
    assert not TUNE.recognises(TUNE.open(tmp_path / "one.yaml"))


@pytest.mark.parametrize("weight", ["null", "-1", "much"])
def test_every_entry_needs_a_weight(tmp_path, weight):
    (tmp_path / "multi.yaml").write_text(RECIPE.replace("weight: 1.0", f"weight: {weight}", 1))
    with pytest.raises(
        ReweightvizError,
        match="each dataset needs a weight, a number >= 0; that of 'HuggingFaceM4/the_cauldron:ocrvqa'",
    ):
        TUNE.read(tmp_path / "multi.yaml")


def test_the_criterion_that_loses_the_weights(tmp_path):
    with pytest.raises(
        ReweightvizError, match="stop_criteria='ALL_DATASETS_EXHAUSTED' loses the weights"
    ):
        TUNE.write(
            MIXTURE, tmp_path / "mix.yaml", sources=SOURCES, stop_criteria="ALL_DATASETS_EXHAUSTED"
        )
    with pytest.raises(
        ReweightvizError,
        match="no stop_criteria of torchtune 'cycle_for_ever'; there is 'CYCLE_FOREVER'",
    ):
        TUNE.write(MIXTURE, tmp_path / "mix.yaml", sources=SOURCES, stop_criteria="cycle_for_ever")
    (tmp_path / "multi.yaml").write_text(
        RECIPE.replace("packed: False", "stop_criteria: ALL_DATASETS_EXHAUSTED")
    )
    config = TUNE.parse(TUNE.open(tmp_path / "multi.yaml"))
    assert not config.refused
    assert "ends at their sizes" in config.traps[0]


@pytest.mark.framework("transformers4")
@pytest.mark.golden(
    "torchtune",
    "the real torchtune 0.6.1, its recipe's _setup_data: 2,000 draws; tokenizer and loss are stand-ins",
)
def test_torchtune_draws_the_asked_share_of_tokens(tmp_path, load_with, check_order):
    table = {}
    for name, size in WORDS.items():
        row = {
            "messages": [
                {"role": "user", "content": "?"},
                {"role": "assistant", "content": " ".join([name] * size)},
            ]
        }
        (tmp_path / f"{name}.jsonl").write_text((json.dumps(row) + "\n") * 500, "utf-8")
        table[name] = Source(size * 500, 500, (str(tmp_path / f"{name}.jsonl"),))
    path = TUNE.write(MIXTURE, tmp_path / "mix.yaml", sources=Sources(table))
    found = load_with("torchtune_load.py", config=path, draws=DRAWS)
    weights = [entry["weight"] for entry in yaml.safe_load(path.read_text("utf-8"))["datasets"]]
    check_order(found["order"], dict(zip(WORDS, weights, strict=True)))
    for name, p in zip(WORDS, weights, strict=True):
        assert abs(found["examples"][name] / DRAWS - p) < 4 * math.sqrt(p * (1 - p) / DRAWS)
        assert found["tokens"][name] / sum(found["tokens"].values()) == pytest.approx(
            MIXTURE[name], abs=0.06
        )


def test_a_weight_of_zero_is_refused(tmp_path):
    """torchdata 0.11.0 raises a ValueError under every criterion."""
    (tmp_path / "multi.yaml").write_text(RECIPE.replace("weight: 1.0", "weight: 0.0", 1))
    refused = TUNE.parse(TUNE.open(tmp_path / "multi.yaml")).refused
    assert "torchtune refuses a weight of 0 with a ValueError" in refused[0]


def test_the_criterion_that_ends_the_data_is_known(tmp_path):
    (tmp_path / "multi.yaml").write_text(
        "dataloader: {stop_criteria: FIRST_DATASET_EXHAUSTED}\n"
        "datasets:\n- {source: org/a, weight: 1, transform: x}\n- {source: org/b, weight: 1, transform: x}\n"
    )
    sources = {"a": {"tokens": 1e6, "documents": 1e3}, "b": {"tokens": 4e6, "documents": 4e3}}
    report = rv.check(tmp_path / "multi.yaml", sources=sources, tokens=4e6)
    assert report.table["epochs"].tolist() == [1.0, 0.25]
    assert "ends when 'a' is used up, at 2e+06 of 4e+06 tokens" in " ".join(report.traps)
