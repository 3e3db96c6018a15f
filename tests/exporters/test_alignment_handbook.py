"""alignment-handbook: fractions kept, merges into its recipes, what it would refuse, and its own source loading the exported file."""

from __future__ import annotations

import json

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.frameworks.alignment_handbook import AlignmentHandbook

HANDBOOK = AlignmentHandbook()
WORDS = {"web": 10, "code": 40, "math": 100}
ROWS = {"web": 1500, "code": 600, "math": 300}
SOURCES = {
    "web": Source(8e6, 8e5, ("org/web",)),
    "code": Source(2e6, 5e4, ("org/code:python",)),
    "math": Source(1e6, 1e4, ("org/math::sft",)),
}
RECIPE = """\
# Model arguments
model_name_or_path: HuggingFaceTB/SmolLM2-1.7B   # base

# Data training arguments
dataset_mixture:
  datasets:
    - id: HuggingFaceTB/smoltalk2
      config: SFT
      split: OpenHermes_2.5_no_think
      columns:
        - messages
      weight: 0.5
    - id: HuggingFaceTB/smoltalk2
      config: SFT
      split: table_gpt_no_think         # tables
      columns:
        - messages
      weight: 1
  test_split_size: 1000
  seed: 0
dataset_num_proc: 12

bf16: true
"""


def changed(diff: str) -> list[str]:
    return [
        line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}
    ]


def test_a_weight_is_the_fraction_kept_at_the_largest_budget_that_repeats_nothing(tmp_path):
    path = HANDBOOK.write(
        Mixture({"web": 0.7, "code": 0.2, "math": 0.1}),
        tmp_path / "sft.yaml",
        sources=SOURCES,
        columns=["messages"],
        seed=3,
    )
    mixture = yaml.safe_load(path.read_text("utf-8"))["dataset_mixture"]
    assert mixture["seed"] == 3
    assert mixture["datasets"] == [
        {"id": "org/web", "split": "train", "columns": ["messages"], "weight": 0.875},
        {
            "id": "org/code",
            "config": "python",
            "split": "train",
            "columns": ["messages"],
            "weight": 1.0,
        },
        {"id": "org/math", "split": "sft", "columns": ["messages"], "weight": 1.0},
    ]
    assert dict(HANDBOOK.read(path)) == pytest.approx({"web": 0.7, "code": 0.2, "math": 0.1})


def test_a_budget_scales_the_fractions_up_to_1(tmp_path):
    mixture = Mixture({"web": 0.5, "code": 0.25, "math": 0.25})
    path = HANDBOOK.write(mixture, tmp_path / "sft.yaml", sources=SOURCES, tokens=2e6)
    assert [
        entry["weight"]
        for entry in yaml.safe_load(path.read_text("utf-8"))["dataset_mixture"]["datasets"]
    ] == [0.125, 0.25, 0.5]
    with pytest.raises(
        ReweightvizError,
        match="takes numbers up to 1, but at 8e\\+06 tokens 'math' would be needed 2 times: tokens=4e\\+06",
    ):
        HANDBOOK.write(mixture, tmp_path / "more.yaml", sources=SOURCES, tokens=8e6)
    with pytest.raises(ReweightvizError, match="sources= must give tokens of 'web'"):
        HANDBOOK.write(mixture, tmp_path / "more.yaml")


def test_an_edit_is_followed_and_an_entry_without_a_weight_is_whole(tmp_path):
    path = HANDBOOK.write(
        Mixture({"web": 0.5, "code": 0.25, "math": 0.25}),
        tmp_path / "sft.yaml",
        sources=SOURCES,
        tokens=2e6,
    )
    text = path.read_text("utf-8")
    path.write_text(text.replace("weight: 0.125", "weight: 0.25"), "utf-8")
    with pytest.raises(ReweightvizError, match="the sizes in .* are of other numbers.: pass sour"):
        HANDBOOK.read(path)
    edited = HANDBOOK.read(path, sources=SOURCES)
    assert dict(edited) == pytest.approx({"web": 2 / 3, "code": 1 / 6, "math": 1 / 6})
    path.write_text(
        "\n".join(line for line in text.splitlines() if "weight: 0.5" not in line) + "\n", "utf-8"
    )
    edited = HANDBOOK.read(path, sources=SOURCES)
    assert dict(edited) == pytest.approx({"web": 0.4, "code": 0.2, "math": 0.4})


def test_a_merge_into_a_recipe_changes_its_weights_only(tmp_path):
    (tmp_path / "sft.yaml").write_text(RECIPE)
    sources = {
        "hermes": Source(3e6, 1e4, ("HuggingFaceTB/smoltalk2:SFT:OpenHermes_2.5_no_think",)),
        "tables": Source(1e6, 1e4, ("HuggingFaceTB/smoltalk2:SFT:table_gpt_no_think",)),
    }
    draft = HANDBOOK.draft(
        Mixture({"hermes": 0.25, "tables": 0.75}),
        tmp_path / "sft.yaml",
        sources=sources,
        tokens=8e5,
        merge=True,
    )
    assert changed(draft.diff()) == [
        "-      weight: 0.5",
        "+      weight: 0.0666666666666667",
        "-      weight: 1",
        "+      weight: 0.6",
    ]
    draft.save()
    assert dict(HANDBOOK.read(tmp_path / "sft.yaml")) == pytest.approx(
        {"hermes": 0.25, "tables": 0.75}
    )


def test_a_recipe_is_read_by_its_splits(tmp_path):
    (tmp_path / "sft.yaml").write_text(RECIPE)
    config = HANDBOOK.parse(HANDBOOK.open(tmp_path / "sft.yaml"))
    assert HANDBOOK.recognises(HANDBOOK.open(tmp_path / "sft.yaml"))
    assert config.stages[0] == {
        "HuggingFaceTB/smoltalk2:SFT:OpenHermes_2.5_no_think": 0.5,
        "HuggingFaceTB/smoltalk2:SFT:table_gpt_no_think": 1.0,
    }
    back = HANDBOOK.read(
        tmp_path / "sft.yaml",
        sources={
            "smoltalk2:SFT:OpenHermes_2.5_no_think": 6e6,
            "smoltalk2:SFT:table_gpt_no_think": 1e6,
        },
    )
    assert list(back.array) == [0.75, 0.25]


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (
            ("weight: 0.5", "weight: 1.5"),
            "at most 1; that of 'HuggingFaceTB/smoltalk2:SFT:OpenHermes_2.5_no_think' is more",
        ),
        (("weight: 0.5", "weight: half"), "each dataset needs a weight, a number >= 0"),
    ],
)
def test_a_weight_above_1_is_refused(tmp_path, edit, sentence):
    (tmp_path / "sft.yaml").write_text(RECIPE.replace(*edit))
    with pytest.raises(ReweightvizError, match=sentence):
        HANDBOOK.read(tmp_path / "sft.yaml", sources={"x": 1.0})


def test_the_key_that_is_gone_is_known_and_said(tmp_path):
    (tmp_path / "dpo.yaml").write_text(
        "dataset_mixer:\n  HuggingFaceH4/ultrafeedback_binarized: 1.0\ndataset_splits:\n- train_prefs\n"
    )
    document = HANDBOOK.open(tmp_path / "dpo.yaml")
    assert HANDBOOK.recognises(document)
    assert (
        HANDBOOK.parse(document)
        .refused[0]
        .startswith("dataset_mixer is gone from alignment-handbook")
    )
    assert HANDBOOK.parse(document).stages[0] == {"HuggingFaceH4/ultrafeedback_binarized": 1.0}


def test_files_stand_for_their_folder_where_nothing_else_lies_in_it(tmp_path):
    (tmp_path / "web").mkdir()
    for name in ("a.jsonl", "b.jsonl", "README.md"):
        (tmp_path / "web" / name).write_text("")
    mixture, files = (
        Mixture({"web": 1.0}),
        [str(tmp_path / "web" / name) for name in ("a.jsonl", "b.jsonl")],
    )
    path = HANDBOOK.write(mixture, tmp_path / "sft.yaml", sources={"web": Source(1e6, 1e4, files)})
    assert yaml.safe_load(path.read_text("utf-8"))["dataset_mixture"]["datasets"][0]["id"] == str(
        tmp_path / "web"
    )
    for wrong in (files[:1], [files[0], "elsewhere/b.jsonl"]):
        with pytest.raises(
            ReweightvizError, match="the files of 'web' must be all that lies in one folder"
        ):
            HANDBOOK.write(
                mixture, tmp_path / "more.yaml", sources={"web": Source(1e6, 1e4, wrong)}
            )


def test_each_domain_needs_a_folder_of_its_own(tmp_path):
    sources = {name: Source(1e6, 1e4, (f"/data/tok/{name}.jsonl",)) for name in ("web", "code")}
    with pytest.raises(
        ReweightvizError,
        match="'web', 'code' would both be read from '/data/tok'; each needs a folder of its own",
    ):
        HANDBOOK.write(Mixture.uniform(sources), tmp_path / "sft.yaml", sources=sources)
    one = {
        "web": Source(1e6, 1e4, ("/data/web/a.jsonl", "/data/web/b.jsonl")),
        "code": Source(1e6, 1e4, ("/data/code/a.jsonl",)),
    }
    file = HANDBOOK.write(Mixture.uniform(sources), tmp_path / "sft.yaml", sources=one)
    assert [
        entry["id"] for entry in yaml.safe_load(file.read_text())["dataset_mixture"]["datasets"]
    ] == ["/data/web", "/data/code"]


def test_an_entry_that_is_a_name_alone_is_said(tmp_path):
    (tmp_path / "sft.yaml").write_text(
        "dataset_mixture:\n  datasets:\n  - org/web\n  - org/code:python\n"
    )
    with pytest.raises(
        ReweightvizError,
        match="dataset_mixture.datasets of this config must list mappings to take weights; it has 'org/web'",
    ):
        HANDBOOK.write(
            Mixture({"web": 0.5, "code": 0.5}), tmp_path / "sft.yaml", sources=SOURCES, merge=True
        )


@pytest.mark.framework("core")
@pytest.mark.checkout("alignment-handbook")
@pytest.mark.golden(
    "alignment-handbook",
    "its source huggingface/alignment-handbook@925acdf with trl 1.16.0, whose lost ORPOConfig is a stand-in",
)
def test_the_handbook_keeps_the_asked_share_of_tokens(tmp_path, load_with, check_order, checkouts):
    table = {}
    for name, size in WORDS.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.jsonl").write_text(
            (json.dumps({"text": " ".join([name] * size)}) + "\n") * ROWS[name], "utf-8"
        )
        table[name] = Source(size * ROWS[name], ROWS[name], (str(tmp_path / name),))
    mixture = Mixture({"web": 0.5, "code": 0.3, "math": 0.2})
    path = HANDBOOK.write(mixture, tmp_path / "sft.yaml", sources=Sources(table))
    found = load_with(
        "alignment_handbook_load.py", config=path, source=checkouts / "alignment-handbook" / "src"
    )
    assert found["examples"] == {"web": 1500, "code": 225, "math": 60}
    check_order(found["order"], found["examples"])
    for name, share in mixture.items():
        assert found["tokens"][name] / sum(found["tokens"].values()) == pytest.approx(
            share, abs=1e-9
        )
