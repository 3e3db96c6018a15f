"""LLaMA-Factory: units, merges into training YAMLs, what it would refuse, and the real library loading the exported files."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import yaml

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.llama_factory import LlamaFactory

LLAMA = LlamaFactory()
DRAWS = 2000
MIXTURE = Mixture({"web": 0.7, "code": 0.2, "math": 0.1, "spam": 0.0}, source={"method": "test"})
WORDS = {"web": 10, "code": 40, "math": 100, "spam": 10}

TRAINING = """\
### model
model_name_or_path: Qwen/Qwen3-4B   # any

### method
stage: pt
do_train: true
finetuning_type: lora
lora_target: all

### dataset
dataset_dir: .
dataset: code, web      # first ours, then theirs
template: default
cutoff_len: 512
preprocessing_num_workers: null
dataloader_num_workers: 1
streaming: true
buffer_size: 100

### output
output_dir: saves/pretrain
report_to: none  # choices: [none, wandb]
max_steps: 10

### train
learning_rate: 1.0e-4
"""


def word_sources(folder: Path) -> Sources:
    """JSON lines whose documents are a marker and words of the domain; a marker, a word and the end are a token each."""
    rows = {}
    for name, size in WORDS.items():
        line = json.dumps({"text": f"<{name}>" + f" {name}" * (size - 2)}) + "\n"
        (folder / f"{name}.jsonl").write_text(line * (DRAWS + 500), "utf-8")
        rows[name] = Source(size * (DRAWS + 500), DRAWS + 500, (str(folder / f"{name}.jsonl"),))
    return Sources(rows)


def check_draws(found: dict, asked: dict[str, float]) -> None:
    """Shares of documents within 4 standard errors of the probabilities, shares of tokens near the mixture."""
    assert sum(found["documents"].values()) == DRAWS
    assert dict(zip(found["names"], found["probabilities"], strict=True)) == asked
    for name, p in asked.items():
        assert abs(found["documents"][name] / DRAWS - p) < 4 * math.sqrt(p * (1 - p) / DRAWS), found
        assert found["tokens"][name] / sum(found["tokens"].values()) == pytest.approx(
            MIXTURE[name], abs=0.06
        )


@pytest.mark.framework("transformers4")
@pytest.mark.golden(
    "llama-factory",
    "the real llamafactory 0.9.5: get_dataset of the exported YAML, packed, 2,000 documents",
)
def test_llama_factory_draws_the_asked_share_of_tokens(tmp_path, load_with, check_order):
    folder = LLAMA.write(MIXTURE, tmp_path / "mix", sources=word_sources(tmp_path))
    command = [
        "model_name_or_path=none",
        "stage=pt",
        "do_train=true",
        "output_dir=out",
        "report_to=none",
        "template=default",
    ]
    found = load_with(
        "llama_factory_load.py", config=folder / "mixture.yaml", extra=command, draws=DRAWS
    )
    content = yaml.safe_load((folder / "mixture.yaml").read_text("utf-8"))
    assert found["packing"] is True
    asked = map(float, content["interleave_probs"].split(","))
    check_order(found["order"], dict(zip(["web", "code", "math"], asked, strict=True)))
    check_draws(
        found,
        dict(
            zip(
                ["web", "code", "math"],
                map(float, content["interleave_probs"].split(",")),
                strict=True,
            )
        ),
    )


@pytest.mark.framework("transformers4")
@pytest.mark.golden(
    "llama-factory",
    "the real llamafactory 0.9.5: a training YAML after a merge, streamed, 2,000 documents",
)
def test_llama_factory_takes_a_training_yaml_after_a_merge(tmp_path, load_with):
    sources = word_sources(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mixture.yaml").write_text(TRAINING)
    (tmp_path / "run" / "dataset_info.json").write_text(
        json.dumps(
            {
                name: {"file_name": str(tmp_path / f"{name}.jsonl"), "columns": {"prompt": "text"}}
                for name in ("web", "code")
            }
        )
    )
    LLAMA.write(MIXTURE, tmp_path / "run", sources=sources, merge=True)
    file = tmp_path / "run" / "mixture.yaml"
    found = load_with(
        "llama_factory_load.py", config=file, extra=["mix_strategy=interleave_over"], draws=DRAWS
    )
    assert found["names"] == ["code", "web", "math"]
    check_draws(
        found,
        dict(
            zip(
                found["names"],
                map(float, yaml.safe_load(file.read_text())["interleave_probs"].split(",")),
                strict=True,
            )
        ),
    )


def test_probabilities_are_shares_of_documents_and_come_back_as_tokens(tmp_path):
    sources = {
        "web": Source(1e9, 1e7, ("web.jsonl",)),
        "books": Source(1e9, 1e3, ("/d/books/",)),
        "code": Source(1e9, 1e7, ("org/code",)),
    }
    mixture = Mixture({"web": 0.25, "books": 0.5, "code": 0.25})
    folder = LLAMA.write(
        mixture,
        tmp_path / "mix",
        sources=sources,
        dataset_dir="/d",
        streaming=True,
        column="content",
    )
    content = yaml.safe_load((folder / "mixture.yaml").read_text())
    probabilities = content.pop("interleave_probs")
    assert content == {
        "dataset": "web,books,code",
        "dataset_dir": "/d",
        "mix_strategy": "interleave_under",
        "streaming": True,
        "dataloader_num_workers": 1,
    }
    web, books, code = map(float, probabilities.split(","))
    assert web + books + code == 1
    assert web == pytest.approx(books * 1e4 / 2, rel=1e-2)
    columns = {"columns": {"prompt": "content"}}
    assert json.loads((folder / "dataset_info.json").read_text()) == {
        "web": {"file_name": "web.jsonl"} | columns,
        "books": {"file_name": "/d/books/"} | columns,
        "code": {"hf_hub_url": "org/code"} | columns,
    }
    assert LLAMA.read(folder).array == pytest.approx(mixture.array, rel=5e-3)
    tokens = LLAMA.write(mixture, tmp_path / "tokens", unit="tokens")
    assert (
        yaml.safe_load((tokens / "mixture.yaml").read_text())["interleave_probs"] == "0.25,0.5,0.25"
    )


def test_the_strategy_repeats_where_the_budget_does(tmp_path):
    sources, mixture = (
        {"web": Source(8e9, 1e7), "code": Source(1e9, 1e7)},
        Mixture({"web": 0.75, "code": 0.25}),
    )
    for tokens, strategy in ((2e9, "interleave_under"), (8e9, "interleave_over")):
        folder = LLAMA.write(mixture, tmp_path / strategy, sources=sources, tokens=tokens)
        assert yaml.safe_load((folder / "mixture.yaml").read_text())["mix_strategy"] == strategy


def test_a_merge_changes_the_lines_of_the_mixture_only(tmp_path):
    file = tmp_path / "train.yaml"
    file.write_text(TRAINING)
    diff = LLAMA.draft(Mixture({"web": 0.75, "code": 0.25}), file, unit="tokens", merge=True).diff()
    assert [line for line in diff.splitlines()[2:] if line[0] in "+-"] == [
        '+mix_strategy: "interleave_under"',
        '+interleave_probs: "0.25,0.75"',
    ]
    LLAMA.write(Mixture({"web": 0.75, "code": 0.25}), file, unit="tokens", merge=True)
    assert dict(LLAMA.read(file)) == {"web": 0.75, "code": 0.25}
    diff = LLAMA.draft(
        Mixture({"web": 0.5, "code": 0.25, "math": 0.25}), file, unit="tokens", merge=True
    ).diff()
    assert [line for line in diff.splitlines()[2:] if line[0] in "+-"] == [
        "-dataset: code, web      # first ours, then theirs",
        '+dataset: "code,web,math" # first ours, then theirs',
        '-interleave_probs: "0.25,0.75"',
        '+interleave_probs: "0.25,0.5,0.25"',
    ]


def test_a_merge_keeps_lists_and_takes_out_zeros(tmp_path):
    file = tmp_path / "train.yaml"
    file.write_text(
        "stage: sft\ndataset: [a, b, c]\nmix_strategy: interleave_over\ninterleave_probs: [0.5, 0.25, 0.25]  # mine\n"
    )
    LLAMA.write(Mixture({"a": 0.25, "b": 0.5, "c": 0.25}), file, unit="tokens", merge=True)
    assert (
        file.read_text()
        == "stage: sft\ndataset: [a, b, c]\nmix_strategy: interleave_over\ninterleave_probs: [0.25, 0.5, 0.25]  # mine\n"
    )
    LLAMA.write(Mixture({"a": 0.25, "b": 0.0, "c": 0.75}), file, unit="tokens", merge=True)
    content = yaml.safe_load(file.read_text())
    assert (content["dataset"], content["interleave_probs"]) == (["a", "c"], [0.25, 0.75])


def test_dataset_info_is_extended_in_a_folder_and_asked_for_beside_a_file(tmp_path):
    info = '{\n  "web": {\n    "file_name": "wéb.json", "tags": {}\n  }\n}\n'
    (tmp_path / "mixture.yaml").write_text("dataset: web\ntemplate: default\ndataset_dir: .\n")
    (tmp_path / "dataset_info.json").write_text(info, "utf-8")
    mixture, sources = (
        Mixture({"web": 0.75, "code": 0.25}),
        {"web": Source(1e9, 1e6), "code": Source(1e9, 1e6, ("code.parquet",))},
    )
    with pytest.raises(
        ReweightvizError,
        match=r"LLaMA-Factory would not take .*dataset_info.json has no entry for 'code': add it there",
    ):
        LLAMA.write(mixture, tmp_path / "mixture.yaml", sources=sources, merge=True)
    LLAMA.write(mixture, tmp_path, sources=sources, merge=True)
    text = (tmp_path / "dataset_info.json").read_text("utf-8")
    assert (
        text
        == info.removesuffix("\n}\n")
        + ',\n  "code": {\n    "file_name": "code.parquet",\n    "columns": {\n      "prompt": "text"\n    }\n  }\n}\n'
    )
    assert (tmp_path / "dataset_info.json.bak").read_text("utf-8") == info
    LLAMA.write(mixture, tmp_path / "mixture.yaml", sources=sources, merge=True)
    assert dict(LLAMA.read(tmp_path)) == {"web": 0.75, "code": 0.25}


def test_dataset_info_that_is_no_mapping_is_said(tmp_path):
    (tmp_path / "mixture.yaml").write_text(TRAINING)
    (tmp_path / "dataset_info.json").write_text("[]")
    with pytest.raises(
        ReweightvizError,
        match="dataset_info.json must map the names of datasets to what they are; here it holds a list",
    ):
        LLAMA.draft(Mixture({"web": 0.5, "code": 0.5}), tmp_path, unit="tokens", merge=True)


def test_a_large_run_is_better_streamed(tmp_path):
    sources = {"web": Source(1e12, 1e9), "code": Source(1e12, 1e9)}
    for place, (tokens, options, said) in enumerate(
        (("60B", {}, True), ("60B", {"streaming": True}, False), ("40B", {}, False))
    ):
        path = LLAMA.write(
            Mixture.uniform(["web", "code"]),
            tmp_path / str(place),
            sources=sources,
            tokens=tokens,
            **options,
        )
        traps = LLAMA.parse(LLAMA.open(path)).traps
        assert (
            any(
                "6e+10 tokens LLaMA-Factory loads and tokenises all documents before training"
                in trap
                for trap in traps
            )
            is said
        )


@pytest.mark.parametrize(
    ("content", "shares"),
    [
        (
            "dataset: web, code\nmix_strategy: interleave_over\ninterleave_probs: 0.75, 0.25",
            {"web": 0.75, "code": 0.25},
        ),
        (
            "dataset: [web, code]\nmix_strategy: interleave_under\ninterleave_probs: [0.75, 0.25]",
            {"web": 0.75, "code": 0.25},
        ),
        ("dataset: web,code\nmix_strategy: interleave_under", {"web": 0.5, "code": 0.5}),
        ("dataset: web\ntemplate: llama3", {"web": 1.0}),
        ("dataset: web\nmix_strategy: interleave_under\ninterleave_probs: '0.5'", {"web": 1.0}),
    ],
)
def test_what_the_framework_reads_is_what_is_read(tmp_path, content, shares):
    (tmp_path / "train.yaml").write_text(content)
    document = LLAMA.open(tmp_path / "train.yaml")
    assert LLAMA.recognises(document)
    assert LLAMA.parse(document).refused == ()
    sources = {"web": Source(1e9, 1e6), "code": Source(4e9, 1e6)}
    tokens = {name: share * sources[name].mean_tokens for name, share in shares.items()}
    assert dict(LLAMA.read(tmp_path / "train.yaml", sources=sources)) == pytest.approx(
        {n: t / sum(tokens.values()) for n, t in tokens.items()}
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "dataset: a,b\ninterleave_probs: 0.5,0.5",
            "only with an interleaving mix_strategy; here it is 'concat', the default",
        ),
        (
            "dataset: a,b\nmix_strategy: interleave\ninterleave_probs: 0.5,0.5",
            "no mix_strategy 'interleave'; there is",
        ),
        (
            "dataset: a,b\nmix_strategy: interleave_over\ninterleave_probs: 0.5,0.3,0.2",
            "has 3 probabilities for the 2 names of dataset",
        ),
        (
            "dataset: a,b\neval_dataset: c\nmix_strategy: interleave_over\ninterleave_probs: 0.5,0.5",
            "2 probabilities for the 1 names of eval_dataset",
        ),
        (
            "dataset: a,b\nmix_strategy: interleave_over\ninterleave_probs: 0.8,0.3",
            r"numbers >= 0 that sum to 1; got \[0.8, 0.3\]",
        ),
        (
            "dataset: a,b\nmix_strategy: interleave_over\ninterleave_probs: 1.5,-0.5",
            "numbers >= 0 that sum to 1",
        ),
        (
            "dataset: a,b\nmix_strategy: interleave_over\ninterleave_probs: half,half",
            "numbers >= 0 that sum to 1",
        ),
        (
            "dataset: a\nmix_strategy: interleave_over\ninterleave_probs: 1.0",
            "must be text such as",
        ),
        (
            "dataset: a\ntrain_type: dynamic_mix",
            "is DataFlex's, which does not draw by interleave_probs",
        ),
        (
            "dataset: a,b,a\nmix_strategy: interleave_over\ninterleave_probs: 0.5,0.3,0.2",
            "takes 'a' once, .* then refuses 3 shares for 2 datasets: add them up",
        ),
        (
            "dataset: a,b\nmix_strategy: interleave_over\ninterleave_probs: 1.0,0.0",
            "waits until every dataset is used up, .* Take 'b' out",
        ),
    ],
)
def test_what_llama_factory_would_refuse_or_misread(tmp_path, content, sentence):
    (tmp_path / "train.yaml").write_text(content)
    with pytest.raises(ReweightvizError, match=sentence):
        LLAMA.read(tmp_path / "train.yaml", sources={"a": Source(1e9, 1e6), "b": Source(1e9, 1e6)})


def test_a_list_of_another_length_is_not_said_to_have_another_sum(tmp_path):
    text = "dataset: a,b\nmix_strategy: interleave_over\ninterleave_probs: 0.5,0.3,0.2"
    (tmp_path / "train.yaml").write_text(text)
    assert LlamaFactory().parse(Document.open(tmp_path / "train.yaml")).refused == (
        "interleave_probs has 3 probabilities for the 2 names of dataset.",
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("dataset: a,b", "mix_strategy 'concat', the default, puts the datasets one after another"),
        (
            "dataset: a,b\nmix_strategy: interleave_once\ninterleave_probs: 0.9,0.1",
            "ends at the sizes of the datasets, whatever interleave_probs says",
        ),
        ("dataset: a,b,a", "takes 'a' once, however often the name stands there"),
        # Its trainers then have a sequential sampler, read in llamafactory 0.9.5.
        ("dataset: a,b\ndisable_shuffling: true", "trains on one dataset after the other"),
    ],
)
def test_without_weights_each_dataset_is_taken_once(tmp_path, content, sentence):
    (tmp_path / "train.yaml").write_text(content)
    report = rv.check(tmp_path / "train.yaml", "llama-factory")
    assert report.ok
    assert any(sentence in trap for trap in report.traps)
    assert list(report.table["epochs"]) == [1.0, 1.0]
    sources = {"a": Source(300e3, 300), "b": Source(200e3, 100)}
    mixture = rv.load_mixture(tmp_path / "train.yaml", "llama-factory", sources=sources)
    assert dict(mixture) == pytest.approx({"a": 0.6, "b": 0.4})


def test_the_end_of_interleave_under_is_said_by_export_and_check(tmp_path):
    """hiyouga/LlamaFactory#9121: 632 and 3,893 rows become 1,264."""
    sources = {"a": Source(632e3, 632), "b": Source(3893e3, 3893)}
    mixture = Mixture({"a": 0.5, "b": 0.5})
    sentence = "ends when 'a' is used up, at 1.264e\\+06 of 4.5e\\+06 tokens; 'interleave_over'"
    with pytest.warns(ReweightvizWarning, match=sentence):
        folder = LLAMA.write(
            mixture,
            tmp_path / "mix",
            sources=sources,
            tokens=4.5e6,
            mix_strategy="interleave_under",
        )
    for report in (
        rv.check(folder),
        rv.check(folder / "mixture.yaml", "llama-factory", sources=sources, tokens=4.5e6),
    ):
        assert any(re.search(sentence, trap) for trap in report.traps)
        assert list(report.table["epochs"]) == pytest.approx([1, 632 / 3893])


@pytest.mark.framework("transformers4")
@pytest.mark.golden("llama-factory", "the real llamafactory 0.9.5: concat, and a name twice")
def test_llama_factory_takes_a_name_once(tmp_path, load_with):
    word_sources(tmp_path)
    info = {
        name: {"file_name": str(tmp_path / f"{name}.jsonl"), "columns": {"prompt": "text"}}
        for name in ("web", "code")
    }
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    file = tmp_path / "train.yaml"
    file.write_text(
        "dataset: web,code,web\ndataset_dir: .\nstage: pt\ntemplate: default\n"
        "model_name_or_path: none\ndo_train: true\noutput_dir: out\nreport_to: none\n"
    )
    found = load_with("llama_factory_load.py", config=file, extra=[], draws=10 * DRAWS)
    # Packing leaves out the last documents, which do not fill a sequence.
    assert 0 < found["documents"]["web"] <= DRAWS + 500
    assert LLAMA.parse(LLAMA.open(file)).stages == {0: {"web": 1.0, "code": 1.0}}
    file.write_text(
        file.read_text() + "mix_strategy: interleave_under\ninterleave_probs: 0.3,0.4,0.3\n"
    )
    with pytest.raises(AssertionError, match="same size"):
        load_with("llama_factory_load.py", config=file, extra=[], draws=DRAWS)
    assert LLAMA.parse(LLAMA.open(file)).refused


def test_an_edit_is_followed_and_said(tmp_path):
    folder = LLAMA.write(Mixture({"web": 0.5, "co, de": 0.5}), tmp_path / "mix", unit="tokens")
    file = folder / "mixture.yaml"
    file.write_text(file.read_text().replace("0.5,0.5", "0.9,0.1"))
    found = LLAMA.read(folder)
    assert dict(found) == pytest.approx({"web": 0.9, "co, de": 0.1})
    assert found.source["method"] == "edited by hand"


def test_surprises_are_said(tmp_path):
    (tmp_path / "train.yaml").write_text(
        "dataset: a,b\neval_dataset: c,d\nmix_strategy: interleave_over\ninterleave_probs: 0.5,0.5\n"
        "tokenized_path: cache\nstreaming: true\n"
    )
    traps = " ".join(LLAMA.parse(LLAMA.open(tmp_path / "train.yaml")).traps)
    for part in (
        "eval_dataset are interleaved",
        "ignores interleave_probs",
        "dataloader_num_workers of 1 or more",
    ):
        assert part in traps


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "sources= must give tokens and documents of 'web', 'code'"),
        (
            {"unit": "tokens", "mix_strategy": "interleave_once"},
            "loses the weights, it ends at the sizes",
        ),
        (
            {"unit": "tokens", "mix_strategy": "concat"},
            "loses the weights, it puts the datasets one after another",
        ),
        ({"unit": "tokens", "mix_strategy": "interleave_ower"}, "did you mean 'interleave_over'"),
        (
            {
                "unit": "tokens",
                "sources": {"web": Source(1e9, 1e6, ("a.json", "b.json")), "code": 1},
            },
            "2 paths for 'web': put the files into one folder",
        ),
        (
            {"unit": "tokens", "sources": {"web": Source(1e9, 1e6, ("d/a.json.gz",)), "code": 1}},
            "reads files that end in .*; got 'd/a.json.gz'",
        ),
    ],
)
def test_what_cannot_be_written(tmp_path, options, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        LLAMA.write(Mixture({"web": 0.5, "code": 0.5}), tmp_path / "mix", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        "dataset: {_component_: torchtune.datasets.text}",
        "dataset: [{source: json}]\ntemplate: x",
        "dataset: a,b",
        "dataset: a\ntrain_type: dynamic_mix\ntemplate: x",
        "data: {train_weights: {a: 1}}",
        "[1]",
    ],
)
def test_configs_of_others_are_not_recognised(tmp_path, content):
    (tmp_path / "train.yaml").write_text(content)
    assert not LLAMA.recognises(LLAMA.open(tmp_path / "train.yaml"))


def test_the_first_examples_only_are_mentioned_and_refused_of_a_stream(tmp_path):
    """LlamaFactory data/loader.py cuts each dataset before it merges them."""
    path = tmp_path / "train.yaml"
    text = "dataset: web,code\nmix_strategy: interleave_under\ninterleave_probs: 0.7,0.3\n"
    path.write_text(f"{text}max_samples: 1000\n")
    report = rv.check(path)
    assert report.ok
    assert any("keeps the first 1000 examples of each dataset" in trap for trap in report.traps)
    path.write_text(f"{text}max_samples: 1000\nstreaming: true\n")
    assert any("max_samples beside streaming" in fault for fault in rv.check(path).refused)


def test_what_interleaving_does_is_not_said_where_nothing_is_interleaved(tmp_path):
    (tmp_path / "train.yaml").write_text("dataset: web,code\nfinetuning_type: lora\n")
    traps = " ".join(rv.check(tmp_path / "train.yaml").traps)
    assert "one after another" in traps
    assert "interleave_under" not in traps
