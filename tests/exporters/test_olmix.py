"""Olmix: nested and flat mixes, what may repeat, and the real launch config."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.olmix import Olmix

OLMIX = Olmix()
HEAD = """# Code-heavy mix
name: mix-heavy-code
infra: {budget: ai2/oe-base, workspace: ai2/oe-data, cluster: ai2/saturn, gpus: 1}
training:
  proxy_model_id: olmo2_1m
  tokenizer: dolma2
  chinchilla_multiple: 0.6583   # expected tokens: 16M
  seed: 42
  global_batch_size: 16
data:
  sources:
  - name: dclm
    topics:
    - name: code
      paths:
      - /d/code-0.npy
    - name: math
      paths: [/d/math-0.npy]
  - name: wikipedia
    paths:
    - /d/wikipedia-0.npy
eval: {type: inloop, tasks: {qa: {arc_challenge_test_rc_5shot: eval/downstream/arc (BPB v2)}}}
"""
MIX = """mix:
  dclm:
    weight: 0.8   # both topics
    code:
      weight: 0.625
      repetition_factor: 1.0
    math:
      weight: 0.375
  wikipedia:
    weight: 0.2
    repetition_factor: 2.0
"""
CONFIG = HEAD + MIX


def changed(draft):
    return [
        line
        for line in draft.diff().splitlines()
        if line[:1] in "+-" and line[:3] not in {"+++", "---"}
    ]


def test_a_new_file_holds_the_sources_and_a_flat_mix(tmp_path):
    mixture = Mixture({"web": 0.75, "dclm:code": 0.25, "spam": 0.0})
    sources = {
        "web": Source(1e9, paths=("/d/web.npy",)),
        "dclm:code": Source(1e8, paths=("/d/code.npy",)),
        "spam": 1.0,
    }
    path = OLMIX.write(mixture, tmp_path / "launch.yaml", sources=sources, tokens=1e9)
    found = yaml.safe_load(path.read_text())
    assert found == {
        "data": {
            "sources": [
                {"name": "web", "paths": ["/d/web.npy"]},
                {"name": "dclm:code", "paths": ["/d/code.npy"]},
            ]
        },
        "mix": {
            "web": {"weight": 0.75, "repetition_factor": 1.0},
            "dclm:code": {"weight": 0.25, "repetition_factor": 2.53},
        },
    }
    assert OLMIX.read(path) == mixture
    bare = OLMIX.write(Mixture({"my web": 1.0}), tmp_path / "bare.yaml")
    assert next(iter(yaml.safe_load(bare.read_text())["mix"])).startswith("my-web-")
    assert OLMIX.read(bare) == {"my web": 1.0}
    with pytest.raises(ReweightvizError, match="more than 2 epochs"):
        OLMIX.write(mixture, path, sources=sources, tokens=1e9, max_epochs=2, overwrite=True)


def test_nested_weights_multiply_and_flat_names_stand_beside_them(tmp_path):
    (tmp_path / "launch.yaml").write_text(CONFIG)
    assert dict(OLMIX.read(tmp_path / "launch.yaml")) == pytest.approx(
        {"dclm:code": 0.5, "dclm:math": 0.3, "wikipedia": 0.2}
    )
    short = """mix:
  dclm: {weight: 0.8, code: 0.5, math: {weight: 0.5, high: {weight: 0.7}, low: {weight: 0.3, repetition_factor: 2}}}
  a:b: {weight: 0.2, repetition_factor: 1.0}
"""
    (tmp_path / "launch.yaml").write_text(short)
    wanted = {"dclm:code": 0.4, "dclm:math:high": 0.28, "dclm:math:low": 0.12, "a:b": 0.2}
    assert dict(OLMIX.read(tmp_path / "launch.yaml")) == pytest.approx(wanted)


def test_a_merge_keeps_the_nesting_and_all_else(tmp_path):
    (tmp_path / "launch.yaml").write_text(CONFIG)
    draft = OLMIX.draft(
        Mixture({"dclm:code": 0.4, "dclm:math": 0.4, "wikipedia": 0.2}),
        tmp_path / "launch.yaml",
        merge=True,
    )
    assert changed(draft) == [
        "-      weight: 0.625",
        "+      weight: 0.5",
        "-      weight: 0.375",
        "+      weight: 0.5",
    ]
    assert dict(OLMIX.read(draft.save())) == pytest.approx(
        {"dclm:code": 0.4, "dclm:math": 0.4, "wikipedia": 0.2}
    )


def test_a_merge_takes_out_what_has_no_weight_adds_what_is_new_and_raises_what_repeats_too_little(
    tmp_path,
):
    (tmp_path / "launch.yaml").write_text(CONFIG)
    sources = Sources(
        {
            "dclm:code": Source(1e9),
            "dclm:math": Source(1e8),
            "wikipedia": Source(1e8),
            "books": Source(1e8, paths=("/d/b.npy",)),
        }
    )
    mixture = Mixture({"dclm:code": 0.5, "dclm:math": 0.0, "wikipedia": 0.2, "books": 0.3})
    draft = OLMIX.draft(
        mixture, tmp_path / "launch.yaml", sources=sources, tokens=1.2e9, merge=True
    )
    assert changed(draft) == [
        '+  - name: "books"',
        "+    paths:",
        '+    - "/d/b.npy"',
        "-    weight: 0.8   # both topics",
        "+    weight: 0.5   # both topics",
        "-      weight: 0.625",
        "+      weight: 1.0",
        "-    math:",
        "-      weight: 0.375",
        "-    repetition_factor: 2.0",
        "+    repetition_factor: 2.43",
        "+  books:",
        "+    weight: 0.3",
        "+    repetition_factor: 3.64",
    ]
    assert OLMIX.read(draft.save()) == {
        "dclm:code": 0.5,
        "wikipedia": 0.2,
        "books": 0.3,
        "dclm:math": 0.0,
    }
    with pytest.raises(
        ReweightvizError,
        match="mix names 'poems', which data.sources does not hold: Olmix would leave it out",
    ):
        OLMIX.write(
            Mixture({"dclm:code": 0.5, "wikipedia": 0.2, "books": 0.1, "poems": 0.2}),
            tmp_path / "launch.yaml",
            merge=True,
        )
    with pytest.raises(
        ReweightvizError, match="trains on 'wikipedia', 'books', which the mixture does not name"
    ):
        OLMIX.write(Mixture({"dclm:code": 1.0}), tmp_path / "launch.yaml", merge=True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            ("weight: 0.2", "weight: 0.3"),
            "must sum to 1, or OLMo-core refuses them; they sum to 1.1",
        ),
        (("weight: 0.2", "weight: -0.2"), "must be numbers >= 0; that of 'wikipedia' is not"),
        (("    weight: 0.2\n", ""), "must be numbers >= 0; that of 'wikipedia' is not"),
        (
            ("    repetition_factor: 2.0\n", ""),
            "needs a repetition_factor of 1 or more; 'wikipedia' has none",
        ),
        (("factor: 2.0", "factor: 0.5"), "'wikipedia' has none"),
        (
            ("- name: wikipedia", "- name: wiki"),
            "mix names 'wikipedia', which data.sources does not hold",
        ),
        (
            ("/d/code-0.npy", "/d/code-*.npy"),
            "expands \\* in URLs only and drops blanks and quotes from paths, so it does not find '/d/code-\\*.npy'",
        ),
        (("/d/math-0.npy", "/my data/math-0.npy"), "does not find '/my data/math-0.npy'"),
        ((MIX, "mix: {web: 0.5}"), "that of 'web' is not"),
        ((MIX, ""), "has no 'mix' of names to weights"),
    ],
)
def test_what_olmix_would_refuse_or_leave_out_is_said(tmp_path, change, sentence):
    (tmp_path / "launch.yaml").write_text(CONFIG.replace(*change))
    with pytest.raises(ReweightvizError, match=sentence):
        OLMIX.read(tmp_path / "launch.yaml")


def test_a_source_without_a_weight_is_a_trap(tmp_path):
    document = Document(
        tmp_path / "launch.yaml",
        CONFIG.replace("eval:", "  - {name: books, paths: [/d/b.npy]}\neval:"),
    )
    assert OLMIX.parse(document).traps == (
        "data.sources holds 'books', which mix does not name: Olmix does not train on it.",
    )
    assert not OLMIX.parse(document).refused


def test_a_mix_that_is_nested_without_end_is_said(tmp_path):
    for text in (
        "mix: " + "{a: " * 400 + "1" + "}" * 400,
        '{"mix": ' + '{"a": ' * 400 + "{}" + "}" * 401,
        "mix: {a: &a {b: *a}}",
        "data: {sources: [&s {name: s, topics: [*s]}]}\nmix: {a: {weight: 1}}",
    ):
        document = Document(tmp_path / "launch.yaml", text)
        assert not OLMIX.recognises(document)
        with pytest.raises(
            ReweightvizError, match="nests its sources more than 50 deep|no 'mix' of names"
        ):
            OLMIX.parse(document)
        document.path.write_text(text)
        with contextlib.suppress(ReweightvizError):
            OLMIX.draft(Mixture({"a": 1.0}), document.path, merge=True)


def test_keys_that_yaml_takes_for_numbers_are_names(tmp_path):
    (tmp_path / "launch.yaml").write_text(
        CONFIG.replace("wikipedia", "2024")
        .replace("    code:\n", "    2023:\n")
        .replace("name: code", "name: 2023")
    )
    assert dict(OLMIX.read(tmp_path / "launch.yaml")) == pytest.approx(
        {"dclm:2023": 0.5, "dclm:math": 0.3, "2024": 0.2}
    )
    draft = OLMIX.draft(
        Mixture({"dclm:2023": 0.4, "dclm:math": 0.4, "2024": 0.2}),
        tmp_path / "launch.yaml",
        merge=True,
    )
    assert changed(draft) == [
        "-      weight: 0.625",
        "+      weight: 0.5",
        "-      weight: 0.375",
        "+      weight: 0.5",
    ]


def test_olmix_reads_tokens(tmp_path):
    with pytest.raises(
        ReweightvizError,
        match="Olmix reads token files .* not files of text; sources= has '/d/web.jsonl.gz'",
    ):
        OLMIX.write(
            Mixture({"web": 1.0}),
            tmp_path / "launch.yaml",
            sources={"web": Source(1e9, paths=("/d/web.jsonl.gz",))},
        )


@pytest.mark.parametrize(
    ("text", "true"),
    [
        (CONFIG, True),
        ("mix: {dclm: {code: {weight: 1.0, repetition_factor: 1}}}", True),
        ("mix: {a: {weight: 1}}", False),
        ("mix: {a: {weight: 1}}\ndata: {sources: [{name: a, paths: [x.npy]}]}", True),
        ("mix: &a {b: *a}", False),
        ("mix: {web: 0.5}", False),
        (HEAD, False),
        ("mix: [1]", False),
        ("]", False),
        ("data: {train_weights: {web: 1.0}}", False),
    ],
)
def test_its_files_are_recognised(tmp_path, text, true):
    assert OLMIX.recognises(Document(tmp_path / "x.yaml", text)) is true


LENGTH, EOS = 8192, 100257
PARAMETERS = 1_244_396
"""Of olmo2_1m, as OLMo-core counts them without the embedding."""


@pytest.mark.framework("core")
@pytest.mark.checkout("olmix")
@pytest.mark.golden(
    "olmix",
    "its source allenai/olmix@9586977 with ai2-olmo-core 3.0.0; s3fs, which opens nothing, is a stand-in",
)
def test_olmix_launches_the_asked_share_of_tokens(tmp_path, load_with, checkouts, check_order):
    rows, text = {}, CONFIG
    for token, (name, size, document) in enumerate(
        (("dclm:code", 300, 512), ("dclm:math", 200, 2048), ("wikipedia", 400, 8192)), 10
    ):
        tokens = np.full(size * LENGTH, token, np.uint32)
        tokens[document - 1 :: document] = EOS
        file = tmp_path / f"{name.split(':')[-1]}-0.npy"
        tokens.tofile(file)
        rows[name] = Source(size * LENGTH)
        text = text.replace(f"/d/{file.name}", str(file))
    (tmp_path / "launch.yaml").write_text(text)
    mixture = Mixture({"dclm:code": 0.5, "dclm:math": 0.3, "wikipedia": 0.2})
    config = OLMIX.write(
        mixture,
        tmp_path / "launch.yaml",
        sources=Sources(rows),
        tokens=int(20 * PARAMETERS * 0.6583),
        merge=True,
    )
    examples = sorted((checkouts / "olmix" / "configs").rglob("launch/**/*.yaml"))
    found = load_with(
        "olmix_load.py",
        checkout=checkouts / "olmix",
        config=config,
        work=tmp_path / "work",
        examples=examples,
    )
    assert found["counts"] == pytest.approx({"10": 1000, "11": 600, "12": 400}, abs=1)
    check_order(found["order"], {"10": 0.5, "11": 0.3, "12": 0.2})
    assert found["instances"] == {
        "dclm:code": [0.5, 3.37],
        "dclm:math": [pytest.approx(0.3), 3.03],
        "wikipedia": [0.2, 2.0],
    }
    assert len(found["examples"]) == len(examples) >= 20
    for path, weights in found["examples"].items():
        config = OLMIX.parse(OLMIX.open(path))
        assert OLMIX.recognises(OLMIX.open(path)) and not config.refused
        assert config.stages[0] == pytest.approx(weights)
