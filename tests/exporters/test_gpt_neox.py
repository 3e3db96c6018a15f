"""GPT-NeoX: both spellings, flow mappings with comments, and the real data loader."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.gpt_neox import GptNeox

NEOX = GptNeox()
MIXTURE = Mixture({"web": 0.7, "code": 0.3, "spam": 0.0}, source={"method": "test"})
SOURCES = Sources(
    {
        "web": Source(1e9, 1e6, ("/d/web_text_document.bin",)),
        "code": Source(2e9, 1e4, ("/d/code_text_document",)),
        "spam": Source(1e9),
    }
)
FLOW = """# Data paths of our cluster
{
  "data-impl": "mmap",

  # weighted datasets:
  "train-data-paths": ["/d/web_text_document", "/d/code_text_document"],
  "train-data-weights": [1., 2.],   # as in run 12
  "valid-data-paths": ["/d/valid"],
  "test-data-paths": ["/d/test"],
  # "weight_by_num_documents": false,

  "optimizer": {"type": "Adam", "params": {"lr": 0.001, "betas": [0.9, 0.95]}},
  "save": "checkpoints", # and load
}
"""
BLOCK = """train_data_paths:
  - /d/web_text_document   # crawled
  - /d/code_text_document
train_data_weights: [1., 2.]
valid_data_paths: [/d/valid]
test_data_paths: [/d/test]
"""


def changed(draft):
    return [
        line
        for line in draft.diff().splitlines()
        if line[:1] in "+-" and line[:3] not in {"+++", "---"}
    ]


def test_a_prefix_that_stands_twice_adds_up(tmp_path):
    """So GPT-NeoX draws: weights 0.5, 0.2 and 0.3 of A, A and B gave 700 and 300 of 1,000."""
    text = "{train_data_paths: [/d/a, /d/a, /d/b], train_data_weights: [0.5, 0.2, 0.3]}"
    config = NEOX.parse(Document(tmp_path / "x.yml", text))
    assert config.stages[0] == pytest.approx({"/d/a": 0.7, "/d/b": 0.3})
    assert not config.refused and "'/d/a' stands several times" in config.traps[-1]


def test_weights_are_shares_of_tokens_beside_their_prefixes(tmp_path):
    path = NEOX.write(MIXTURE, tmp_path / "mix.yml", sources=SOURCES)
    assert yaml.safe_load(path.read_text()) == {
        "train_data_paths": ["/d/web_text_document", "/d/code_text_document"],
        "train_data_weights": [0.7, 0.3],
    }
    assert NEOX.read(path) == MIXTURE
    text = path.read_text()
    path.write_text(text.replace("0.3", "0.1"))
    assert dict(NEOX.read(path)) == pytest.approx({"web": 0.875, "code": 0.125, "spam": 0.0})
    (tmp_path / "mix.yml.provenance.json").unlink()
    path.write_text(text.replace("train_data_paths", "train-data-paths"))
    assert NEOX.read(path) == {"web": 0.7, "code": 0.3}


def test_several_prefixes_share_a_weight_and_a_folder_makes_missing_ones(tmp_path):
    for name, size in (("p0", 100), ("p1", 300)):
        (tmp_path / f"{name}.bin").write_bytes(b"x" * size)
    sources = {"web": Source(400, paths=(f"{tmp_path}/p0", f"{tmp_path}/p1")), "code": 1.0}
    path = NEOX.write(
        Mixture({"web": 0.8, "code": 0.2}),
        tmp_path / "mix.yml",
        sources=sources,
        prefix_dir="/my data",
    )
    found = yaml.safe_load(path.read_text())
    assert found["train_data_paths"] == [
        f"{tmp_path}/p0",
        f"{tmp_path}/p1",
        "/my data/code_text_document",
    ]
    assert found["train_data_weights"] == pytest.approx([0.2, 0.6, 0.2])
    assert dict(NEOX.read(path)) == pytest.approx({"web": 0.8, "code": 0.2})


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            FLOW,
            [
                '-  "train-data-weights": [1., 2.],   # as in run 12',
                '+  "train-data-weights": [0.7, 0.3],   # as in run 12',
            ],
        ),
        (BLOCK, ["-train_data_weights: [1., 2.]", "+train_data_weights: [0.7, 0.3]"]),
    ],
)
def test_a_merge_changes_the_weights_and_nothing_else(tmp_path, text, lines):
    (tmp_path / "mix.yml").write_text(text)
    draft = NEOX.draft(MIXTURE, tmp_path / "mix.yml", sources=SOURCES, merge=True)
    assert changed(draft) == lines
    assert NEOX.read(draft.save()) == MIXTURE


def test_a_merge_into_a_flow_mapping_adds_and_takes_out_and_keeps_the_spelling(tmp_path):
    (tmp_path / "mix.yml").write_text(FLOW)
    sources = Sources(
        {
            "code": Source(1, paths=("/d/code_text_document",)),
            "math": Source(1, paths=("/d/math #1",)),
            "web": Source(1, paths=("/d/web_text_document",)),
        }
    )
    draft = NEOX.draft(
        Mixture({"math": 1e-5, "code": 1 - 1e-5, "web": 0.0}),
        tmp_path / "mix.yml",
        sources=sources,
        merge=True,
    )
    assert changed(draft) == [
        '-  "train-data-paths": ["/d/web_text_document", "/d/code_text_document"],',
        '-  "train-data-weights": [1., 2.],   # as in run 12',
        '+  "train-data-paths": ["/d/code_text_document", "/d/math #1"],',
        '+  "train-data-weights": [0.99999, 1.0e-05],   # as in run 12',
    ]
    found = yaml.safe_load(draft.save().read_text())
    assert found["train-data-weights"] == [0.99999, 1e-05] and found["optimizer"]["params"][
        "betas"
    ] == [0.9, 0.95]


@pytest.mark.parametrize(
    "text",
    [
        FLOW.replace('  "train-data-weights": [1., 2.],   # as in run 12\n', ""),
        json.dumps({"train_data_paths": ["/d/web_text_document"]}),
        '{"train_data_paths": ["/d/web_text_document"], "train_data_weights": null}',
        '{"save": "x"}',
        "save: x\n",
        "{\n  train_data_paths: [\n    /d/code_text_document,  # ours\n    /d/web_text_document ]}",
    ],
)
def test_keys_that_are_not_there_yet_are_added(tmp_path, text):
    (tmp_path / "mix.yml").write_text(text)
    NEOX.write(MIXTURE, tmp_path / "mix.yml", sources=SOURCES, merge=True)
    assert NEOX.read(tmp_path / "mix.yml") == MIXTURE
    before, after = yaml.safe_load(text), yaml.safe_load((tmp_path / "mix.yml").read_text())
    assert {key.replace("-", "_") for key in after} == {key.replace("-", "_") for key in before} | {
        "train_data_paths",
        "train_data_weights",
    }
    assert ("# ours" in text) is ("# ours" in (tmp_path / "mix.yml").read_text())


def test_lists_read_side_by_side_with_the_paths_hold_the_paths_fast(tmp_path):
    (tmp_path / "mix.yml").write_text(
        BLOCK + "train_label_data_paths: [/d/web_label, /d/code_label]\n"
    )
    turned = Mixture({"code": 0.6, "web": 0.4})
    NEOX.write(turned, tmp_path / "mix.yml", sources=SOURCES, merge=True)
    found = yaml.safe_load((tmp_path / "mix.yml").read_text())
    assert (found["train_data_paths"], found["train_data_weights"]) == (
        ["/d/web_text_document", "/d/code_text_document"],
        [0.4, 0.6],
    )
    sources = Sources({"code": SOURCES["code"], "web": Source(1, paths=("/d/web_text_document",))})
    with pytest.raises(
        ReweightvizError,
        match="has 'train_label_data_paths', read side by side with train_data_paths",
    ):
        NEOX.write(
            Mixture({"code": 1.0, "web": 0.0}), tmp_path / "mix.yml", sources=sources, merge=True
        )


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (
            "weight_by_num_documents: true",
            "makes its own weights from the documents and overrides train_data_weights",
        ),
        (
            "train-epochs: 2",
            "with train_epochs GPT-NeoX passes over every dataset once and refuses weights other than 1.0",
        ),
        (
            "data_path: /d/web",
            "data_path stands beside train_data_paths: GPT-NeoX takes one of the two",
        ),
        ("train-data-weights: [1.0]", "must be a list as long as train_data_paths; it has 1 for 2"),
        ("train-data-weights: [1.0, -1]", "must be numbers >= 0, one of them above 0"),
        ("train-data-weights: [0, 0]", "must be numbers >= 0, one of them above 0"),
        ("train-data-weights: 0.5", "it has 0 for 2"),
    ],
)
def test_what_gpt_neox_would_refuse_or_override_is_said(tmp_path, extra, sentence):
    (tmp_path / "mix.yml").write_text(BLOCK + extra + "\n")
    with pytest.raises(ReweightvizError, match=sentence):
        NEOX.read(tmp_path / "mix.yml")


def test_traps(tmp_path):
    def traps(text):
        return NEOX.parse(Document(tmp_path / "mix.yml", text)).traps

    assert traps(BLOCK) == ()
    assert "takes the later" in traps(BLOCK + "train-data-weights: [3, 1]\n")[0]
    assert (
        NEOX.parse(Document(tmp_path / "mix.yml", BLOCK + "train-data-weights: [3, 1]\n")).stages[
            0
        ]["/d/web_text_document"]
        == 3
    )
    bare = "train_data_paths: [/d/a, /d/a, /d/b]"
    assert [
        "the same weight, whatever its size" in traps(bare)[0],
        "needs valid_data_paths and test_data_paths" in traps(bare)[1],
    ] == [True, True]
    assert NEOX.parse(Document(tmp_path / "mix.yml", bare)).stages == {
        0: {"/d/a": 2.0, "/d/b": 1.0}
    }


def test_limits_and_wrong_files(tmp_path):
    with pytest.raises(ReweightvizError, match="blends at most 254 datasets; got 255"):
        NEOX.write(Mixture.uniform(map(str, range(255))), tmp_path / "mix.yml", prefix_dir="/d")
    most = Mixture.uniform(map(str, range(254)))
    assert NEOX.read(NEOX.write(most, tmp_path / "mix.yml", prefix_dir="/d")) == most
    (tmp_path / "other.yml").write_text("data_path: /d/enwik8")
    with pytest.raises(ReweightvizError, match="has no list train_data_paths"):
        NEOX.read(tmp_path / "other.yml")


@pytest.mark.parametrize(
    ("text", "true"),
    [
        (FLOW, True),
        (BLOCK, True),
        ('{"train_data_paths": "/d/a"}', False),
        ("data_path: /d/a", False),
        ("0.5 /d/a 0.5 /d/b", False),
        ("data: {train_weights: {a: 1}}", False),
        ("{", False),
    ],
)
def test_its_files_are_recognised(tmp_path, text, true):
    assert NEOX.recognises(Document(tmp_path / "x.yml", text)) is true


@pytest.mark.skipif(
    shutil.which("g++") is None, reason="needs g++, which compiles the checkout's helpers.cpp"
)
@pytest.mark.optional("torch", "pybind11")
@pytest.mark.checkout("gpt-neox")
@pytest.mark.golden(
    "gpt-neox",
    "its source EleutherAI/gpt-neox@ea7aefd, from NeoXArgs to the training data; deepspeed and a GPU are stand-ins",
)
def test_gpt_neox_draws_the_asked_share_of_sequences(tmp_path, load_with, check_order, checkouts):
    prefixes = [
        str(tmp_path / name) for name in ("web_text_document", "code text", "math_text_document")
    ]
    config = tmp_path / "data.yml"
    config.write_text(
        FLOW.replace("/d/web_text_document", prefixes[0])
        .replace("/d/code_text_document", prefixes[1])
        .replace("/d/valid", prefixes[0])
        .replace("/d/test", prefixes[0])
        .replace('"data-impl": "mmap",', "")
        .replace('"optimizer"', '# "optimizer"')
    )
    sources = Sources(dict.fromkeys(("web", "code", "math"), 3e4)).with_paths(
        dict(zip(("web", "code", "math"), prefixes, strict=True))
    )
    NEOX.write(Mixture({"web": 0.7, "code": 0.2, "math": 0.1}), config, sources=sources, merge=True)
    found = load_with(
        "gpt_neox_load.py",
        checkout=checkouts / "gpt-neox",
        config=config,
        prefixes=prefixes,
        draws=2000,
        work=tmp_path,
    )
    assert found["counts"] == pytest.approx({"1": 1400, "2": 400, "3": 200}, abs=1)
    check_order(found["order"], {"1": 0.7, "2": 0.2, "3": 0.1})
    assert (
        found["weights"] == dict(zip(prefixes, [0.7, 0.2, 0.1], strict=True))
        and found["valid"] == prefixes[:1]
    )
