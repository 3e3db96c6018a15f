"""DataFlex: static and online mixers, what its files may not say twice, and the real library loading the exported files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.frameworks.dataflex import DataFlex

DATAFLEX = DataFlex()
DRAWS = 2000
MIXTURE = Mixture({"web": 0.7, "code": 0.2, "math": 0.1, "spam": 0.0}, source={"method": "test"})
WORDS = {"web": 10, "code": 40, "math": 100, "spam": 10}

TRAINING = """\
### method
stage: pt
finetuning_type: full
### dataset
dataset: wiki_demo,c4_demo # for debugging
dataset_dir: .
template: qwen
### dynamic_train
train_type: dynamic_mix
components_cfg_file: {components}
component_name: {component}  # use which mixer
mixture_sample_rule: mixture # initial sampling rule
init_mixture_proportions: [0.5, 0.5] # e.g. [0.3, 0.7]
static_mix: {static}
warmup_step: 100
update_step: 200
update_times: 3
"""

COMPONENTS = """\
# configs/components.yaml
selectors:
  random: {name: random, params: {seed: 42}}
mixers:
  static:
    name: static
    params:
      # fixed proportions
      proportions: [0.5, 0.5]  # one for each domain
  odm:
    name: odm
    params:
      alpha: 0.9
      initial_proportions: [0.5, 0.5] # debug
"""


def word_sources(folder: Path) -> Sources:
    """JSON lines whose documents are the domain's word again and again, and an end, a token each."""
    rows = {}
    for name, size in WORDS.items():
        (folder / f"{name}.jsonl").write_text(
            (json.dumps({"text": " ".join([name] * (size - 1))}) + "\n") * 500, "utf-8"
        )
        rows[name] = Source(size * 500, 500, (str(folder / f"{name}.jsonl"),))
    return Sources(rows)


def existing(folder: Path, *, component: str = "static", static: bool = True) -> Path:
    """A training YAML of somebody's with its components, under the names that a folder of ours has."""
    (folder / "mixture.yaml").write_text(
        TRAINING.format(
            components="components.yaml", component=component, static=str(static).lower()
        )
    )
    (folder / "components.yaml").write_text(COMPONENTS)
    return folder / "mixture.yaml"


@pytest.mark.framework("transformers4")
@pytest.mark.golden(
    "dataflex",
    "the real dataflex 1.1.0: get_dataset and mixers of the exported files, 2,000 draws, exact to one sample",
)
def test_dataflex_draws_the_asked_share_of_tokens_packed_or_not(tmp_path, load_with, check_order):
    sources = word_sources(tmp_path)
    options = {
        "static": {},
        "plain": {"unit": "examples"},
        "odm": {"component_name": "odm"},
        "doremi": {"component_name": "doremi", "reference_model_path": "ref"},
    }
    folders = {
        name: DATAFLEX.write(MIXTURE, tmp_path / name, sources=sources, **keys)
        for name, keys in options.items()
    }
    found = load_with(
        "dataflex_load.py",
        configs=[folder / "mixture.yaml" for folder in folders.values()],
        draws=DRAWS,
        words=list(WORDS),
        extra=[
            "model_name_or_path=none",
            "do_train=true",
            "output_dir=out",
            "report_to=none",
            "template=default",
            "cutoff_len=128",
        ],
    )["found"]
    for (name, folder), one in zip(folders.items(), found, strict=True):
        content = yaml.safe_load((folder / "mixture.yaml").read_text("utf-8"))
        assert (one["type"], one["static"], one["packing"]) == (
            "dynamic_mix",
            name in {"static", "plain"},
            name != "plain",
        )
        assert one["names"] == ["web", "code", "math"]
        asked = content["init_mixture_proportions"]
        check_order(one["order"], dict(zip(one["names"], asked, strict=True)))
        for domain, asked in zip(one["names"], content["init_mixture_proportions"], strict=True):
            assert abs(one["rows"][domain] - asked * DRAWS) <= 1 + 1e-6, name
            sizes = {
                domain: count * WORDS[domain] / (WORDS[domain] - 1)
                for domain, count in one["tokens"].items()
            }
            assert sizes[domain] / sum(sizes.values()) == pytest.approx(
                MIXTURE[domain], abs=0.02
            ), name
        assert one["later"] == pytest.approx(
            [1 / 3] * 3 if name == "doremi" else content["init_mixture_proportions"]
        )


def test_a_static_mix_stands_in_one_file(tmp_path):
    folder = DATAFLEX.write(
        Mixture({"web": 0.75, "code": 0.25}), tmp_path / "mix", dataset_dir="/d"
    )
    assert yaml.safe_load((folder / "mixture.yaml").read_text()) == {
        "dataset": "web,code",
        "stage": "pt",
        "packing": True,
        "dataset_dir": "/d",
        "train_type": "dynamic_mix",
        "static_mix": True,
        "components_cfg_file": "components.yaml",
        "component_name": "static",
        "mixture_sample_rule": "mixture",
        "init_mixture_proportions": [0.75, 0.25],
    }
    assert yaml.safe_load((folder / "components.yaml").read_text()) == {
        "mixers": {"static": {"name": "static"}}
    }
    assert set(json.loads((folder / "dataset_info.json").read_text())) == {"web", "code"}
    assert dict(DATAFLEX.read(folder)) == {"web": 0.75, "code": 0.25}


def test_without_packing_a_proportion_is_a_share_of_examples(tmp_path):
    sources = {"web": Source(1e9, 1e7), "books": Source(1e9, 1e3)}
    folder = DATAFLEX.write(
        Mixture({"web": 0.5, "books": 0.5}), tmp_path / "mix", sources=sources, unit="examples"
    )
    content = yaml.safe_load((folder / "mixture.yaml").read_text())
    web, books = content["init_mixture_proportions"]
    assert (web / books, content["packing"]) == (pytest.approx(1e4), False)
    assert dict(DATAFLEX.read(folder)) == pytest.approx({"web": 0.5, "books": 0.5})
    file = folder / "mixture.yaml"
    file.write_text(file.read_text().replace("packing: false", "packing: true"))
    assert dict(DATAFLEX.read(folder)) == pytest.approx({"web": web, "books": books}), (
        "the file tells the unit"
    )


def test_online_mixers_start_with_the_mixture_and_say_when_they_leave_it(tmp_path):
    odm = DATAFLEX.write(
        MIXTURE,
        tmp_path / "odm",
        component_name="odm",
        alpha=0.8,
        warmup_steps=50,
        update_step=20,
        update_times=7,
    )
    content = yaml.safe_load((odm / "mixture.yaml").read_text())
    assert [
        content[key]
        for key in ("component_name", "static_mix", "warmup_step", "update_step", "update_times")
    ] == ["odm", False, 50, 20, 7]
    assert yaml.safe_load((odm / "components.yaml").read_text())["mixers"]["odm"]["params"] == {
        "alpha": 0.8,
        "warmup_steps": 50,
    }
    assert (
        "from step 50 on the mixer 'odm' sets the proportions"
        in DATAFLEX.parse(DATAFLEX.open(odm)).traps[0]
    )
    doremi = DATAFLEX.write(
        MIXTURE,
        tmp_path / "doremi",
        component_name="doremi",
        reference_model_path="ref",
        reweight_eta=1.0,
        reweight_eps=1e-4,
    )
    params = yaml.safe_load((doremi / "components.yaml").read_text())["mixers"]["doremi"]["params"]
    assert params == {"reference_model_path": "ref", "reweight_eta": 1.0, "reweight_eps": 1e-4}
    assert "draws every dataset alike" in DATAFLEX.parse(DATAFLEX.open(doremi)).traps[0]
    for folder in (odm, doremi):
        assert DATAFLEX.read(folder) == MIXTURE


def test_an_edit_is_followed_and_a_stale_components_file_is_refused(tmp_path):
    folder = DATAFLEX.write(Mixture({"web": 0.75, "code": 0.25}), tmp_path / "mix")
    (folder / "mixture.yaml").write_text(
        (folder / "mixture.yaml").read_text().replace("- 0.75", "- 6.0").replace("- 0.25", "- 2.0")
    )
    assert dict(DATAFLEX.read(folder)) == {"web": 0.75, "code": 0.25}, "6 to 2 is 3 to 1"
    (folder / "mixture.yaml").write_text(
        (folder / "mixture.yaml").read_text().replace("- 6.0", "- 1.0")
    )
    found = DATAFLEX.read(folder)
    assert dict(found) == pytest.approx({"web": 1 / 3, "code": 2 / 3})
    assert found.source["method"] == "edited by hand"
    (folder / "components.yaml").write_text(
        "mixers: {static: {name: static, params: {proportions: [0.75, 0.25]}}}\n"
    )
    with pytest.raises(
        ReweightvizError,
        match=r"components.yaml has \[0.75, 0.25\] in mixers.static.params.proportions, but .* is \[1.0, 2.0\]",
    ):
        DATAFLEX.read(folder)


@pytest.mark.parametrize(
    ("component", "static"), [("static", True), ("static", False), ("odm", False)]
)
def test_a_merge_changes_the_mixture_in_both_files_only(tmp_path, component, static):
    file = existing(tmp_path, component=component, static=static)
    file.write_text(file.read_text().replace("[0.5, 0.5] # e.g.", "[0.3, 0.7] # e.g."))
    with pytest.raises(
        ReweightvizError, match=rf"components.yaml has \[0.5, 0.5\] in mixers.{component}.params"
    ):
        DATAFLEX.read(tmp_path)
    diff = DATAFLEX.draft(
        Mixture({"wiki_demo": 0.25, "c4_demo": 0.75}), tmp_path, merge=True
    ).diff()
    own = [
        "-      proportions: [0.5, 0.5]  # one for each domain",
        "+      proportions: [0.25, 0.75] # one for each domain",
    ]
    if component == "odm":
        own = [
            "-      initial_proportions: [0.5, 0.5] # debug",
            "+      initial_proportions: [0.25, 0.75] # debug",
        ]
    changed = [
        line
        for line in diff.splitlines()
        if line[0] in "+-" and not line.startswith(("---", "+++"))
    ]
    assert sorted(changed) == sorted(
        [
            "-init_mixture_proportions: [0.3, 0.7] # e.g. [0.3, 0.7]",
            "+init_mixture_proportions: [0.25, 0.75] # e.g. [0.3, 0.7]",
            *own,
        ]
    )
    DATAFLEX.write(Mixture({"wiki_demo": 0.25, "c4_demo": 0.75}), tmp_path, merge=True)
    assert dict(DATAFLEX.read(tmp_path)) == {"wiki_demo": 0.25, "c4_demo": 0.75}


def test_a_merge_into_a_file_asks_for_the_components_beside_it(tmp_path):
    file = existing(tmp_path)
    new = Mixture({"wiki_demo": 0.25, "c4_demo": 0.75})
    with pytest.raises(
        ReweightvizError,
        match=r"components.yaml has \[0.5, 0.5\] in mixers.static.params.proportions",
    ):
        DATAFLEX.write(new, file, merge=True)
    file.write_text(
        file.read_text().replace("components.yaml", "src/dataflex/configs/components.yaml")
    )
    DATAFLEX.write(new, file, merge=True)
    assert dict(DATAFLEX.read(file)) == dict(new)


def test_a_plain_training_yaml_of_llama_factory_becomes_one_of_dataflex(tmp_path):
    (tmp_path / "mixture.yaml").write_text("stage: pt\ndataset: web,code\ntemplate: x\n")
    assert not DATAFLEX.recognises(DATAFLEX.open(tmp_path))
    DATAFLEX.write(Mixture({"web": 0.75, "code": 0.25}), tmp_path, merge=True)
    assert DATAFLEX.recognises(DATAFLEX.open(tmp_path))
    content = yaml.safe_load((tmp_path / "mixture.yaml").read_text())
    assert (content["train_type"], content["static_mix"], content["template"]) == (
        "dynamic_mix",
        True,
        "x",
    )
    assert dict(DATAFLEX.read(tmp_path)) == {"web": 0.75, "code": 0.25}


def test_a_merge_needs_the_unit_that_the_config_has(tmp_path):
    (tmp_path / "train.yaml").write_text(
        "stage: sft\ndataset: a,b\ntrain_type: dynamic_mix\nstatic_mix: true\nmixture_sample_rule: mixture\n"
        "init_mixture_proportions: [0.7, 0.3]\n"
    )
    with pytest.raises(
        ReweightvizError, match="the numbers of DataFlex count examples: pass unit='examples'"
    ):
        DATAFLEX.write(Mixture({"a": 0.5, "b": 0.5}), tmp_path / "train.yaml", merge=True)
    sources = {"a": Source(1e9, 1e6), "b": Source(3e9, 1e6)}
    DATAFLEX.write(
        Mixture({"a": 0.5, "b": 0.5}),
        tmp_path / "train.yaml",
        merge=True,
        unit="examples",
        sources=sources,
    )
    assert yaml.safe_load((tmp_path / "train.yaml").read_text())[
        "init_mixture_proportions"
    ] == pytest.approx([0.75, 0.25])


GOOD = {
    "stage": "pt",
    "dataset": "a,b",
    "train_type": "dynamic_mix",
    "static_mix": True,
    "mixture_sample_rule": "mixture",
    "init_mixture_proportions": [0.75, 0.25],
}


def test_what_is_not_written_has_the_defaults_of_dataflex(tmp_path):
    (tmp_path / "train.yaml").write_text(
        yaml.safe_dump({"train_type": "dynamic_mix", "dataset": "a,b", "update_step": 1})
    )
    said = " ".join(DATAFLEX.parse(DATAFLEX.open(tmp_path / "train.yaml")).traps)
    assert "from step 0 on the mixer 'Loss' sets the proportions" in said


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"mixture_sample_rule": None}, "only with mixture_sample_rule 'mixture'; here it is None"),
        ({"mixture_sample_rule": "stratified"}, "here it is 'stratified'"),
        (
            {"init_mixture_proportions": [1.0]},
            r"must be a list of 2 numbers >= 0, one for each of dataset; got \[1.0\]",
        ),
        ({"init_mixture_proportions": [1.5, -0.5]}, "must be a list of 2 numbers >= 0"),
        ({"init_mixture_proportions": "0.5,0.5"}, "must be a list of 2 numbers >= 0"),
        ({"init_mixture_proportions": [0, 0]}, "must be a list of 2 numbers >= 0"),
        ({"streaming": True}, "cannot stream"),
        (
            {"mix_strategy": "interleave_over", "interleave_probs": "0.5,0.5"},
            "but still checks them: take them out",
        ),
        (
            {"static_mix": False, "warmup_step": 10},
            "'update_step' must be 1 or more unless static_mix is true",
        ),
        (
            {"dataset": "a,a"},
            "takes 'a' once, .* refuses 2 proportions for 1 datasets: add them up",
        ),
        (
            {"train_type": "dynamic_select"},
            "only with train_type 'dynamic_mix'; here it is 'dynamic_select'",
        ),
    ],
)
def test_what_dataflex_would_refuse_or_ignore(tmp_path, change, sentence):
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(GOOD))
    assert dict(DATAFLEX.read(tmp_path / "train.yaml")) == {"a": 0.75, "b": 0.25}
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(GOOD | change))
    with pytest.raises(ReweightvizError, match=sentence):
        DATAFLEX.read(tmp_path / "train.yaml")


def test_other_training_types_are_read_as_llama_factory_reads_them(tmp_path):
    (tmp_path / "train.yaml").write_text(
        "dataset: a,b\ntrain_type: dynamic_weight\nmix_strategy: interleave_over\ninterleave_probs: 0.25,0.75\n"
    )
    sources = {"a": Source(3e9, 1e6), "b": Source(1e9, 1e6)}
    assert dict(DATAFLEX.read(tmp_path / "train.yaml", sources=sources)) == {"a": 0.5, "b": 0.5}
    (tmp_path / "train.yaml").write_text(
        yaml.safe_dump({k: v for k, v in GOOD.items() if k != "init_mixture_proportions"})
    )
    assert dict(DATAFLEX.read(tmp_path / "train.yaml")) == {"a": 0.5, "b": 0.5}
    assert (
        "draws every dataset alike"
        in DATAFLEX.parse(DATAFLEX.open(tmp_path / "train.yaml")).traps[0]
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"component_name": "doremi"}, "goes on silently without one: pass reference_model_path="),
        (
            {"component_name": "random"},
            "no mixer of DataFlex that starts with given weights 'random'",
        ),
        (
            {"component_name": "odm", "warmup_steps": 0},
            "warmup_steps must be a whole number of at least 1; got 0",
        ),
        (
            {"component_name": "odm", "update_step": 1.5},
            "update_step must be a whole number of at least 1; got 1.5",
        ),
        ({"unit": "examples"}, "must give tokens and documents of 'web', 'code', 'math'"),
    ],
)
def test_what_cannot_be_written(tmp_path, options, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        DATAFLEX.write(MIXTURE, tmp_path / "mix", **options)
    assert list(tmp_path.iterdir()) == []
