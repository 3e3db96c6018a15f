"""LLM-Foundry: streams in a training YAML, the curriculum in tokens, and its own loader and callback running both."""

from __future__ import annotations

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.llm_foundry import LlmFoundry
from reweightviz.exporters.frameworks.streaming import Streaming

FOUNDRY = LlmFoundry()
MIXTURE = Mixture({"web": 0.7, "code": 0.2, "math": 0.1, "spam": 0.0}, source={"method": "test"})
END = Mixture({"web": 0.1, "code": 0.2, "math": 0.7, "spam": 0.0})
SOURCES = Sources(
    {name: Source(1e9, 1e6 * place, (f"s3://b/{name}",)) for place, name in enumerate(MIXTURE, 1)}
)


def loaded(path):
    return yaml.safe_load(path.read_text("utf-8"))


def streams_of(weights) -> dict:
    return {
        name: {"remote": f"s3://b/{name}", "local": f"cache/{name}", "proportion": weight}
        for name, weight in weights.items()
        if weight
    }


def test_a_new_file_has_a_text_loader_with_streams(tmp_path):
    file = FOUNDRY.write(MIXTURE, tmp_path / "c.yaml", sources=SOURCES, max_seq_len=4096)
    assert loaded(file) == {
        "max_seq_len": 4096,
        "global_train_batch_size": 256,
        "train_loader": {
            "name": "text",
            "dataset": {"streams": streams_of(MIXTURE), "shuffle": True},
            "drop_last": True,
            "num_workers": 8,
        },
    }


def test_a_schedule_is_a_curriculum_in_tokens_that_sum_to_the_run(tmp_path):
    file = FOUNDRY.write(
        Schedule({0: MIXTURE, 100: END}, steps=400), tmp_path / "c.yaml", sources=SOURCES
    )
    step = 2048 * 256
    found = loaded(file)
    assert found["max_duration"] == f"{400 * step}tok"
    assert found["train_loader"]["dataset"]["streams"] == streams_of(MIXTURE)
    assert found["callbacks"] == {
        "curriculum_learning": {
            "duration": f"{100 * step}tok",
            "schedule": [{"duration": f"{300 * step}tok", "dataset": {"streams": streams_of(END)}}],
        }
    }
    back = FOUNDRY.read_schedule(file)
    assert list(back) == [0, 100] and back.steps == 400
    assert [dict(back[0]), dict(back[100])] == [dict(MIXTURE), dict(END)]
    with pytest.raises(
        ReweightvizError,
        match=r"counts the tokens of every stage, which needs Schedule\(stages, steps=...\)",
    ):
        FOUNDRY.write(Schedule({0: MIXTURE, 100: END}), tmp_path / "d.yaml", sources=SOURCES)


UNMIXED = "an epoch passes through one stream after the other"


@pytest.mark.parametrize(
    ("shuffle", "later", "mixed"),
    [
        ("true", "{}", True),
        ("false", "{}", False),
        ("null", "{}", False),
        ("${variables.mix}", "{}", False),
        ("true", "{shuffle: false}", False),
    ],
)
def test_stages_that_nothing_mixes_are_a_trap(tmp_path, shuffle, later, mixed):
    """Of every stage: a later one has the arguments of the first that it does not name."""
    file = tmp_path / "c.yaml"
    FOUNDRY.write(Schedule({0: MIXTURE, 100: END}, steps=400), file, sources=SOURCES)
    content = loaded(file) | {"variables": {"mix": False}}
    content["train_loader"]["dataset"]["shuffle"] = yaml.safe_load(shuffle)
    content["callbacks"]["curriculum_learning"]["schedule"][0]["dataset"] |= yaml.safe_load(later)
    file.write_text(yaml.safe_dump(content))
    said = [trap for trap in FOUNDRY.parse(Document.open(file)).traps if UNMIXED in trap]
    assert len(said) == (not mixed)


THEIRS = """\
variables:
  data_remote: s3://b/c4
  max_seq_len: 2048
max_seq_len: ${variables.max_seq_len}
# Dataloaders
train_loader:
  name: text
  dataset:
    streams:
      web: {remote: "${variables.data_remote}", local: /c/web, proportion: 0.6}  # crawled
      code:
        remote: s3://b/code
        local: /c/code
        proportion: 0.4
    shuffle: true
    max_seq_len: ${variables.max_seq_len}
  drop_last: true
  num_workers: 8
max_duration: 4800ba  # ~ 2.5B tokens
global_train_batch_size: 256
callbacks:
  lr_monitor: {}
"""


def changes(draft) -> list[str]:
    return [
        line
        for line in draft.diff().splitlines()
        if line[0] in "+-" and line[:3] not in {"+++", "---"}
    ]


def test_a_merge_changes_the_proportions_alone_and_a_schedule_the_duration_too(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(THEIRS)
    assert dict(FOUNDRY.read(file)) == {"web": 0.6, "code": 0.4}
    half, mostly = Mixture({"web": 0.5, "code": 0.5}), Mixture({"web": 0.25, "code": 0.75})
    plain = changes(FOUNDRY.draft(half, file, merge=True))
    assert plain == [
        '-      web: {remote: "${variables.data_remote}", local: /c/web, proportion: 0.6}  # crawled',
        '+      web: {remote: "${variables.data_remote}", local: /c/web, proportion: 0.5}  # crawled',
        "-        proportion: 0.4",
        "+        proportion: 0.5",
    ]
    with pytest.raises(
        ReweightvizError,
        match="max_duration of this config is '4800ba', but the schedule has 4000 steps, which are 2097152000tok",
    ):
        FOUNDRY.write(Schedule({0: half, 1000: mostly}, steps=4000), file, merge=True)
    draft = FOUNDRY.draft(Schedule({0: half, 1000: mostly}, steps=4800), file, merge=True)
    assert "-max_duration: 4800ba  # ~ 2.5B tokens" in changes(
        draft
    ) and '+max_duration: "2516582400tok" # ~ 2.5B tokens' in changes(draft)
    draft.save()
    found = loaded(file)["callbacks"]
    assert found["lr_monitor"] == {}
    later = found["curriculum_learning"]["schedule"][0]["dataset"]["streams"]
    assert later["web"] == {
        "remote": "${variables.data_remote}",
        "local": "/c/web",
        "proportion": 0.25,
    }
    assert {step: dict(mixture) for step, mixture in FOUNDRY.read_schedule(file).items()} == {
        0: dict(half),
        1000: dict(mostly),
    }
    FOUNDRY.write(mostly, file, merge=True)
    assert loaded(file)["callbacks"] == {"lr_monitor": {}}
    assert dict(FOUNDRY.read(file)) == dict(mostly)


def test_no_stream_loses_its_remote(tmp_path):
    """By a key that YAML takes for a number, nor where only a later stage names it."""
    file = tmp_path / "c.yaml"
    file.write_text(THEIRS.replace("      web: {", "      2024: {"))
    draft = FOUNDRY.draft(Mixture({"2024": 0.5, "code": 0.5}), file, merge=True)
    assert [line.split()[-1] for line in changes(draft)] == ["crawled", "crawled", "0.4", "0.5"]
    first, late = (
        Mixture({"web": 0.6, "code": 0.4, "math": 0.0}),
        Mixture({"web": 0.2, "code": 0.3, "math": 0.5}),
    )
    file.write_text(THEIRS)
    sources = {name: Source(1e9, 1e6, (f"s3://mine/{name}",)) for name in first}
    FOUNDRY.write(Schedule({0: first, 1000: late}, steps=4800), file, sources=sources, merge=True)
    FOUNDRY.write(Schedule({0: first, 2000: late}, steps=4800), file, merge=True)
    later = loaded(file)["callbacks"]["curriculum_learning"]["schedule"][0]["dataset"]["streams"]
    assert later["math"] == {"remote": "s3://mine/math", "local": "cache/math", "proportion": 0.5}
    assert later["web"]["remote"] == "${variables.data_remote}"


def test_streams_take_the_place_of_a_single_dataset(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "train_loader:\n  name: text\n  dataset:\n    local: ./my-copy-c4\n    remote: s3://b\n    split: train\n"
        "    shuffle: true\n"
    )
    with pytest.raises(ReweightvizError, match="has no train_loader.dataset.streams"):
        FOUNDRY.read(tmp_path / "c.yaml")
    FOUNDRY.write(MIXTURE, tmp_path / "c.yaml", sources=SOURCES, merge=True)
    assert loaded(tmp_path / "c.yaml")["train_loader"]["dataset"] == {
        "split": "train",
        "shuffle": True,
        "streams": streams_of(MIXTURE),
    }


def test_a_finetuning_loader_draws_examples(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(THEIRS.replace("name: text", "name: finetuning"))
    sources = {"web": Source(1e9, 1e6), "code": Source(1e9, 1e7)}
    assert dict(FOUNDRY.read(file, sources=sources)) == pytest.approx(
        {"web": 6 / 6.4, "code": 0.4 / 6.4}
    )
    with pytest.raises(
        ReweightvizError,
        match="a finetuning loader draws examples, not sequences of one length: pass unit='examples'",
    ):
        FOUNDRY.write(Mixture.uniform(["web", "code"]), file, sources=sources, merge=True)
    FOUNDRY.write(
        Mixture.uniform(["web", "code"]), file, sources=sources, merge=True, unit="examples"
    )
    assert [
        one["proportion"] for one in loaded(file)["train_loader"]["dataset"]["streams"].values()
    ] == pytest.approx([1 / 11, 10 / 11])


CURRICULUM = """
callbacks:
  curriculum_learning:
    duration: {first}
    schedule:
    - duration: {second}
      dataset: {{streams: {{web: {{local: /c/web, proportion: 1}}}}}}
"""


@pytest.mark.parametrize(
    ("whole", "first", "second", "sentence"),
    [
        (
            "10485760tok",
            "5242880tok",
            "2097152tok",
            "must sum to max_duration, '10485760tok', in its unit",
        ),
        ("20ba", "10ba", "10ba", "needs a duration in tokens .* or epochs"),
        ("2ep", "1ep", "1ep", "takes durations in tok"),
        ("20ba", "5242880tok", "5242880tok", "must sum to max_duration, '20ba'"),
        ("2ep", "1tok", "1ep", "must sum to max_duration"),
        ("10485760tok", "0tok", "10485760tok", "a whole number above 0"),
        ("10485760tok", "", "5242880tok", "needs a duration"),
    ],
)
def test_what_the_callback_refuses_is_said(tmp_path, whole, first, second, sentence):
    text = THEIRS.partition("callbacks:")[0].replace("4800ba", whole) + CURRICULUM.format(
        first=first, second=second
    )
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ReweightvizError, match=sentence):
        FOUNDRY.read_schedule(tmp_path / "c.yaml")


def test_durations_are_read_as_composer_reads_them(tmp_path):
    text = THEIRS.partition("callbacks:")[0].replace("4800ba", "1.048576e7tok") + CURRICULUM.format(
        first="5242880tok", second="5242880tok"
    )
    (tmp_path / "c.yaml").write_text(text)
    back = FOUNDRY.read_schedule(tmp_path / "c.yaml")
    assert {step: dict(mixture) for step, mixture in back.items()} == {
        0: {"web": 0.6, "code": 0.4},
        10: {"web": 1.0, "code": 0.0},
    }
    assert back.steps == 20
    assert FOUNDRY.recognises(Document.open(tmp_path / "c.yaml")) and not Streaming().recognises(
        Document.open(tmp_path / "c.yaml")
    )


@pytest.mark.checkout("llm-foundry")
def test_llm_foundrys_own_config_takes_a_mixture_and_a_schedule(checkouts, tmp_path):
    (tmp_path / "c.yaml").write_text(
        (
            checkouts / "llm-foundry" / "scripts" / "train" / "yamls" / "pretrain" / "mpt-125m.yaml"
        ).read_text()
    )
    FOUNDRY.write(
        Schedule({0: MIXTURE, 1000: END}, steps=4800),
        tmp_path / "c.yaml",
        sources=SOURCES,
        merge=True,
    )
    assert list(FOUNDRY.read_schedule(tmp_path / "c.yaml")) == [0, 1000]
    assert loaded(tmp_path / "c.yaml")["max_duration"] == f"{4800 * 2048 * 256}tok"


@pytest.mark.framework("transformers4")
@pytest.mark.checkout("llm-foundry")
@pytest.mark.checkout("composer")
@pytest.mark.golden(
    "llm-foundry",
    "its source mosaicml/llm-foundry@8c8dd48 with mosaicml-streaming 0.13.0, stand-ins for composer's trainer, the "
    "registry and the tokenizer: 2,000 sequences of each stage",
)
def test_llm_foundry_draws_both_stages(tmp_path, load_with, checkouts, check_order):
    names = [name for name, weight in MIXTURE.items() if weight]
    sources = {name: Source(600 * 16, 600, (str(tmp_path / name),)) for name in names}
    start, end = (Mixture({name: mixture[name] for name in names}) for mixture in (MIXTURE, END))
    head = {
        "max_seq_len": 16,
        "global_train_batch_size": 8,
        "max_duration": "500ba",
        "train_loader": {
            "name": "text",
            "drop_last": True,
            "num_workers": 0,
            "prefetch_factor": None,
            "persistent_workers": False,
            "dataset": {
                "epoch_size": 2000,
                "num_canonical_nodes": 1,
                "max_seq_len": "${max_seq_len}",
            },
        },
    }
    files = [tmp_path / name for name in ("one.yaml", "two.yaml", "bad.yaml")]
    for file in files:
        file.write_text(yaml.safe_dump(head, sort_keys=False))
    FOUNDRY.write(start, files[0], sources=sources, merge=True)
    for file in files[1:]:
        FOUNDRY.write(Schedule({0: start, 250: end}, steps=500), file, sources=sources, merge=True)
    files[2].write_text(
        files[2].read_text().replace('max_duration: "64000tok"', "max_duration: 64001tok")
    )
    folders = {source.paths[0]: [token, 600] for token, source in enumerate(sources.values())}
    found = load_with(
        "llm_foundry_load.py",
        foundry=checkouts / "llm-foundry",
        composer=checkouts / "composer",
        folders=folders,
        length=16,
        configs=files,
    )

    def counts(mixture) -> list:
        return [2000 * mixture[name] for name in names]

    one, two, bad = found
    assert one["steps"] == [250] and two["steps"] == [250, 250]
    for drawn, stage, mixture in ((one, 0, start), (two, 0, start), (two, 1, end)):
        totals = drawn["counts"][stage]
        assert [totals[str(token)] for token in range(3)] == pytest.approx(counts(mixture), abs=1)
        check_order(
            drawn["order"][stage], {str(token): mixture[name] for token, name in enumerate(names)}
        )
    assert "sum of all durations" in bad["error"]
