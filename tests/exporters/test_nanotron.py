"""Nanotron: stages, steps counted from 1, and the real config and blend."""

from __future__ import annotations

import shutil

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.nanotron import Nanotron

NANOTRON = Nanotron()
SOURCES = Sources(
    {
        name: Source(1e9, documents, (f"s3://data/{name}",))
        for name, documents in (("web", 1e6), ("code", 1e4), ("math", 1e5))
    }
)
START, END = (
    Mixture({"web": 0.7, "code": 0.3, "math": 0.0}),
    Mixture({"web": 0.5, "code": 0.0, "math": 0.5}),
)
SCHEDULE = Schedule({0: START, 8: END}, steps=20)
STAGES = """# anneal at the end
data_stages:
- data:
    dataset:
      dataset_folder:
      - s3://data/web
      - s3://data/code   # the stack
      dataset_weights: [0.8, 0.2]
      token_size_in_bytes: 2
      tokenizer_name: gpt2
      vocab_size: 50257
      use_old_brrr_dataloader: true
    num_loading_workers: 1
    seed: 42
  name: General purpose training
  start_training_step: 1
- data: {dataset: {dataset_folder: s3://data/code, token_size_in_bytes: 2, tokenizer_name: gpt2, vocab_size: 50257, use_old_brrr_dataloader: true},
         num_loading_workers: 1, seed: 7}
  name: Code only
  start_training_step: 9
"""
CONFIG = (
    STAGES
    + """checkpoints: {checkpoint_interval: 1000, checkpoints_path: checkpoints/}
general: {project: Nanoset, run: llama}
logging: {log_level: info}
model:
  init_method: {std: 0.025}
  model_config:
    bos_token_id: 1
    eos_token_id: 2
    hidden_size: 16
    initializer_range: 0.02
    intermediate_size: 64
    is_llama_config: true
    max_position_embeddings: 32
    num_attention_heads: 4
    num_hidden_layers: 2
    num_key_value_heads: 4
    vocab_size: 50257
optimizer:
  accumulate_grad_in_fp32: true
  clip_grad: 1.0
  learning_rate_scheduler: {learning_rate: 0.0003, lr_warmup_steps: 2, lr_warmup_style: linear, lr_decay_style: cosine, min_decay_lr: 1.0e-05}
  optimizer_factory: {name: adamW, adam_beta1: 0.9, adam_beta2: 0.95, adam_eps: 1.0e-08, torch_adam_is_fused: true}
  weight_decay: 0.01
  zero_stage: 0
parallelism: {dp: 1, pp: 1, tp: 1}
tokenizer: {tokenizer_name_or_path: gpt2}
tokens: {batch_accumulation_per_replica: 1, micro_batch_size: 4, sequence_length: 32, train_steps: 500}
"""
)


def changed(draft):
    return [
        line
        for line in draft.diff().splitlines()
        if line[:1] in "+-" and line[:3] not in {"+++", "---"}
    ]


def stages(path):
    return {
        stage["start_training_step"]: stage
        for stage in yaml.safe_load(path.read_text())["data_stages"]
    }


def test_a_mixture_is_one_stage_at_step_1(tmp_path):
    path = NANOTRON.write(START, tmp_path / "run.yaml", sources=SOURCES, seed=3)
    assert yaml.safe_load(path.read_text()) == {
        "data_stages": [
            {
                "name": "stage 1",
                "start_training_step": 1,
                "data": {
                    "dataset": {
                        "dataset_folder": ["s3://data/web", "s3://data/code"],
                        "dataset_weights": [0.7, 0.3],
                    },
                    "num_loading_workers": 1,
                    "seed": 3,
                },
            }
        ]
    }
    assert NANOTRON.read(path) == START
    path.write_text(path.read_text().replace("0.3", "0.1"))
    assert dict(NANOTRON.read(path)) == pytest.approx({"web": 0.875, "code": 0.125, "math": 0.0})


def test_a_stage_that_begins_after_8_steps_has_the_9th(tmp_path):
    path = NANOTRON.write(SCHEDULE, tmp_path / "run.yaml", sources=SOURCES)
    assert list(stages(path)) == [1, 9]
    assert stages(path)[9]["data"]["dataset"] == {
        "dataset_folder": ["s3://data/web", "s3://data/math"],
        "dataset_weights": [0.5, 0.5],
    }
    back = NANOTRON.read_schedule(path)
    assert dict(back) == {0: START, 8: END} and back.steps is None
    with pytest.raises(ReweightvizError, match="holds a schedule of 2 stages"):
        NANOTRON.read(path)
    path.write_text(path.read_text() + "tokens: {train_steps: 20}\n")
    assert NANOTRON.read_schedule(path).steps == 20


def test_a_merge_of_a_mixture_keeps_the_stages_and_what_else_they_say(tmp_path):
    (tmp_path / "run.yaml").write_text(CONFIG)
    draft = NANOTRON.draft(START, tmp_path / "run.yaml", sources=SOURCES, merge=True)
    assert changed(draft)[:3] == [
        "-      dataset_weights: [0.8, 0.2]",
        "+      dataset_weights: [0.7, 0.3]",
        "-- data: {dataset: {dataset_folder: s3://data/code, token_size_in_bytes: 2, tokenizer_name: gpt2, vocab_size: 50257, use_old_brrr_dataloader: true},",
    ]
    assert len(changed(draft)) <= 6
    found = stages(draft.save())
    assert [found[start]["name"] for start in (1, 9)] == [
        "General purpose training",
        "Code only",
    ] and found[9]["data"]["seed"] == 7
    assert found[9]["data"]["dataset"] == {
        "dataset_folder": ["s3://data/code", "s3://data/web"],
        "dataset_weights": [0.3, 0.7],
        "token_size_in_bytes": 2,
        "tokenizer_name": "gpt2",
        "vocab_size": 50257,
        "use_old_brrr_dataloader": True,
    }
    assert NANOTRON.read(tmp_path / "run.yaml") == START


def test_a_merge_of_a_schedule_changes_stages_by_their_step_and_adds_new_ones_like_the_one_before(
    tmp_path,
):
    (tmp_path / "run.yaml").write_text(CONFIG)
    schedule = Schedule({0: START, 8: END, 100: START}, steps=500)
    path = NANOTRON.write(schedule, tmp_path / "run.yaml", sources=SOURCES, merge=True)
    found = stages(path)
    assert (
        list(found) == [1, 9, 101]
        and found[101]["name"] == "stage from 101"
        and found[101]["data"]["seed"] == 7
    )
    assert found[1]["data"]["dataset"]["dataset_weights"] == [0.7, 0.3] and found[9]["data"][
        "dataset"
    ]["dataset_folder"] == ["s3://data/web", "s3://data/math"]
    assert NANOTRON.read_schedule(path) == schedule
    with pytest.raises(
        ReweightvizError, match="trains on 's3://data/code', which the mixture does not name"
    ):
        NANOTRON.write(Mixture({"web": 0.5, "math": 0.5}), path, sources=SOURCES, merge=True)


def test_lists_read_side_by_side_with_the_folders_hold_them_fast(tmp_path):
    (tmp_path / "run.yaml").write_text("""data_stages:
- name: one
  start_training_step: 1
  data: {seed: 1, dataset: {dataset_folder: [s3://data/web, s3://data/code], dataset_weights: [1, 1], dataset_read_path: [/scratch/web, /scratch/code]}}
""")
    NANOTRON.write(
        Mixture({"code": 0.3, "web": 0.7}), tmp_path / "run.yaml", sources=SOURCES, merge=True
    )
    dataset = stages(tmp_path / "run.yaml")[1]["data"]["dataset"]
    assert (dataset["dataset_folder"], dataset["dataset_weights"]) == (
        ["s3://data/web", "s3://data/code"],
        [0.7, 0.3],
    )
    with pytest.raises(
        ReweightvizError, match="has 'dataset_read_path', read side by side with dataset_folder"
    ):
        NANOTRON.write(
            Mixture({"web": 0.5, "code": 0.3, "math": 0.2}),
            tmp_path / "run.yaml",
            sources=SOURCES,
            merge=True,
        )
    (tmp_path / "run.yaml").write_text(
        "data_stages: [{name: a, start_training_step: 1, data: {dataset: {hf_dataset_or_datasets: stas/openwebtext-10k}}}]"
    )
    with pytest.raises(ReweightvizError, match="reads a Hugging Face dataset .* has no weights"):
        NANOTRON.write(START, tmp_path / "run.yaml", sources=SOURCES, merge=True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            (
                STAGES.split("dataset_folder:\n")[1].split("      dataset_weights", maxsplit=1)[0],
                "        s3://data/web: 0.8\n        s3://data/code: 0.2\n",
            ),
            "maps folders to weights, which Nanotron takes no more: write two lists",
        ),
        (
            ("[0.8, 0.2]", "[0.8]"),
            "dataset_weights of stage 'General purpose training' must be a list as long as dataset_folder",
        ),
        (("[0.8, 0.2]", "[0.8, x]"), "must be numbers >= 0, one of them above 0"),
        (
            ("start_training_step: 1\n", "start_training_step: 2\n"),
            "begins at start_training_step 1, each at a step of its own; got \\[2, 9\\]",
        ),
        (("start_training_step: 9", "start_training_step: 0"), "got \\[1, 0\\]"),
        (("start_training_step: 9", "start_training_step: 1"), "got \\[1, 1\\]"),
        (("name: Code only", "name: General purpose training"), "needs a name of its own"),
        (
            ("start_training_step: 9", "start_training_step: late"),
            "needs a start_training_step, a whole number",
        ),
        (
            ("dataset_folder: s3://data/code", "hf_dataset_or_datasets: x"),
            "'Code only' has no dataset_folder, so it trains on no mixture",
        ),
        (("data_stages:", "stages:"), "has no list data_stages"),
    ],
)
def test_what_nanotron_would_refuse_or_read_otherwise_is_said(tmp_path, change, sentence):
    assert change[0] in CONFIG
    (tmp_path / "run.yaml").write_text(CONFIG.replace(*change, 1))
    with pytest.raises(ReweightvizError, match=sentence):
        NANOTRON.read_schedule(tmp_path / "run.yaml")


def test_traps_and_recognition(tmp_path):
    def document(text):
        return Document(tmp_path / "run.yaml", text)

    (once,) = NANOTRON.parse(document(CONFIG)).traps
    assert "builds the data of the last stage only" in once
    assert (
        "stops after one step where a folder is not on s3, as '/d/web' is not"
        in NANOTRON.parse(document(CONFIG.replace("s3://data/web", "/d/web"))).traps[1]
    )
    bare = NANOTRON.parse(document(CONFIG.replace("[0.8, 0.2]\n", "null\n")))
    assert not bare.refused and bare.stages[0] == {"s3://data/web": 1.0, "s3://data/code": 1.0}
    assert bare.traps[1] == (
        "stage 'General purpose training' has no dataset_weights: Nanotron's run_train.py at "
        "2411b02 draws all folders alike then, its older Nanoset by their size."
    )
    twice = NANOTRON.parse(document(CONFIG.replace("data/code   # the", "data/web   # the")))
    assert not twice.refused and twice.stages[0] == {"s3://data/web": 1.0}
    for text, true in (
        (CONFIG, True),
        ("data_stages: [{name: a, start_training_step: 1, data: {dataset: null}}]", True),
        ("data_stages: 3", False),
        ("tokens: {train_steps: 3}", False),
        ("[", False),
    ):
        assert NANOTRON.recognises(document(text)) is true


@pytest.mark.skipif(
    shutil.which("g++") is None, reason="needs g++, which compiles the checkout's helpers.cpp"
)
@pytest.mark.framework("nanotron")
@pytest.mark.checkout("nanotron")
@pytest.mark.golden(
    "nanotron",
    "its source huggingface/nanotron@2411b02: config, blend and stages; flash_attn, datatrove and a trainer's attributes are stand-ins",
)
def test_nanotron_draws_the_asked_share_of_sequences_in_each_stage(
    tmp_path, load_with, check_order, checkouts
):
    folders = [str(tmp_path / name) for name in ("web", "code", "math")]
    text = CONFIG.replace("s3://data/web", folders[0]).replace("s3://data/code", folders[1])
    (tmp_path / "run.yaml").write_text(text)
    sources = Sources(dict.fromkeys(("web", "code", "math"), 1e4)).with_paths(
        dict(zip(("web", "code", "math"), folders, strict=True))
    )
    schedule = Schedule(
        {
            0: Mixture({"web": 0.7, "code": 0.2, "math": 0.1}),
            8: Mixture({"web": 0.1, "code": 0.0, "math": 0.9}),
        },
        steps=500,
    )
    config = NANOTRON.write(schedule, tmp_path / "run.yaml", sources=sources, merge=True)
    (tmp_path / "dict.yaml").write_text(
        text.replace(f"dataset_folder: {folders[1]}", "dataset_folder: {a: 1.0}")
    )
    found = load_with(
        "nanotron_load.py",
        checkout=checkouts / "nanotron",
        config=config,
        folders=folders,
        steps=[1, 8, 9, 20],
        work=tmp_path,
        refused={"dict": tmp_path / "dict.yaml"},
    )
    first, second = found["stages"]["General purpose training"], found["stages"]["Code only"]
    assert (first["start"], second["start"], second["seed"]) == (1, 9, 7)
    assert first["counts"] == pytest.approx({"1": 1400, "2": 400, "3": 200}, abs=1)
    assert second["counts"] == pytest.approx({"1": 200, "3": 1800}, abs=1)
    check_order(first["order"], {"1": 0.7, "2": 0.2, "3": 0.1})
    check_order(second["order"], {"1": 0.1, "3": 0.9})
    assert found["at"] == [
        "General purpose training",
        "General purpose training",
        "Code only",
        "Code only",
    ]
    assert "UnionMatchError" in found["refused"]["dict"]


@pytest.mark.skipif(
    shutil.which("g++") is None, reason="needs g++, which compiles the checkout's helpers.cpp"
)
@pytest.mark.framework("nanotron")
@pytest.mark.checkout("nanotron")
@pytest.mark.golden(
    "nanotron", "its source huggingface/nanotron@2411b02: no weights, a folder twice, a weight of 0"
)
def test_nanotron_takes_no_weights_a_folder_twice_and_a_weight_of_0(tmp_path, load_with, checkouts):
    web, code = (str(tmp_path / name) for name in ("web", "code"))
    stages = (
        ("none", [web, code], None),
        ("twice", [web, web, code], [0.2, 0.3, 0.5]),
        ("zero", [web, code], [0, 2]),
    )
    content = yaml.safe_load(CONFIG)
    like = content["data_stages"][0]["data"]
    content["data_stages"] = [
        {
            "name": name,
            "start_training_step": 1 + place,
            "data": like
            | {"dataset": like["dataset"] | {"dataset_folder": held, "dataset_weights": weights}},
        }
        for place, (name, held, weights) in enumerate(stages)
    ]
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(content))
    found = load_with(
        "nanotron_load.py",
        checkout=checkouts / "nanotron",
        config=config,
        folders=[web, code],
        steps=[1],
        work=tmp_path,
        refused={},
    )["stages"]
    assert found["none"]["counts"] == pytest.approx({"1": 1000, "2": 1000}, abs=1)
    assert found["twice"]["counts"] == pytest.approx({"1": 1000, "2": 1000}, abs=1)
    # Its blend begins with one sequence of every folder.
    assert found["zero"]["counts"] == {"1": 1, "2": 1999}
    read = NANOTRON.parse(Document.open(config))
    assert not read.refused
    assert read.stages[1] == {web: 0.5, code: 0.5}
