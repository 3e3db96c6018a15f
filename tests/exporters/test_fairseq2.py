"""fairseq2: the sources of its lm_train recipe, from its source; fairseq2n was not run."""

from __future__ import annotations

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.fairseq2 import Fairseq2

FAIRSEQ2 = Fairseq2()
MIXTURE = Mixture({"web": 0.7, "code": 0.3, "spam": 0.0}, source={"method": "test"})
SOURCES = Sources(
    {
        "web": Source(8e9, 8e6, ("/d/web",)),
        "code": Source(4e9, 1e6, ("/d/code.chunk.00.jsonl",)),
        "spam": Source(1e9, 1e6, ("/d/spam",)),
    }
)


def loaded(path):
    return yaml.safe_load(path.read_text("utf-8"))


def rows(path) -> list:
    return loaded(path)["dataset"]["config_overrides"]["sources"]


def test_weights_are_shares_of_documents_by_path(tmp_path):
    file = FAIRSEQ2.write(MIXTURE, tmp_path / "c.yaml", sources=SOURCES)
    assert loaded(file)["dataset"]["family"] == "lm_train"
    web, code = rows(file)
    assert (web["path"], code["path"]) == ("/d/web", "/d/code.chunk.00.jsonl")
    assert code["weight"] / web["weight"] == pytest.approx(0.3 / 4e3 / (0.7 / 1e3))
    assert FAIRSEQ2.read(file).array == pytest.approx(MIXTURE.array)
    packed = FAIRSEQ2.write(MIXTURE, tmp_path / "t.yaml", sources=SOURCES, unit="tokens")
    assert [row["weight"] for row in rows(packed)] == [0.7, 0.3]
    with pytest.raises(ReweightvizError, match="fairseq2 needs one path for each domain"):
        FAIRSEQ2.write(MIXTURE, tmp_path / "x.yaml", unit="tokens")


THEIRS = """\
model: {family: llama, arch: llama3_2_1b}
dataset:
  name: null
  family: lm_train
  config_overrides:
    sources:
      - path: /d/web   # crawled
        weight: 3.0
      - path: /d/code
      - path: /d/spam
        weight: 0
  max_seq_len: 4096  # 8192
"""


def test_a_merge_changes_the_weights_alone(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(THEIRS)
    documents = {
        name: Source(1e9, 1e6, (f"/d/{name}",)) for name in ("web", "code", "spam", "math")
    }
    # DataPipeline.sample of fairseq2n throws on a weight that is not above 0.
    with pytest.raises(ReweightvizError, match="weights above 0 only; that of '/d/spam' is not"):
        FAIRSEQ2.read(file, sources=documents)
    mixture = Mixture({"web": 0.5, "code": 0.25, "math": 0.25, "spam": 0.0})
    draft = FAIRSEQ2.draft(mixture, file, sources=documents, merge=True)
    changed = [
        line
        for line in draft.diff().splitlines()
        if line[0] in "+-" and line[:3] not in {"+++", "---"}
    ]
    assert changed == [
        "-        weight: 3.0",
        "+        weight: 0.5",
        "-      - path: /d/spam",
        "-        weight: 0",
        "+        weight: 0.25",
        '+      - path: "/d/math"',
        "+        weight: 0.25",
    ]
    draft.save()
    assert dict(FAIRSEQ2.read(file)) == pytest.approx(dict(mixture))


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        ("[{path: a, weight: -1}, {path: b}]", "weights above 0 only; that of 'a' is not"),
        ("[{path: a}, {path: a, weight: 0}]", "weights above 0 only; that of 'a' is not"),
        ("[{path: a, weight: many}]", "weights above 0 only; that of 'a' is not"),
        ("[a, b]", "it must list sources"),
        ("[{weight: 1}]", "it must list sources"),
        ("{a: 1}", "it must list sources"),
    ],
)
def test_what_fairseq2_would_not_take_is_said(tmp_path, sources, sentence):
    (tmp_path / "c.yaml").write_text(f"dataset: {{config_overrides: {{sources: {sources}}}}}\n")
    with pytest.raises(ReweightvizError, match=sentence):
        FAIRSEQ2.read(tmp_path / "c.yaml", sources={"a": Source(1, 1), "b": Source(1, 1)})


def test_a_path_that_stands_twice_adds_up(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "dataset: {config_overrides: {sources: [{path: a}, {path: b, weight: 2}, {path: a}]}}\n"
    )
    config = FAIRSEQ2.parse(Document.open(tmp_path / "c.yaml"))
    assert config.stages == {0: {"a": 2.0, "b": 2.0}} and not config.refused


def test_other_recipes_are_not_taken_for_it(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "dataset: {family: lm_sft, config_overrides: {sources: {train: [{path: a}]}}}\n"
    )
    assert not FAIRSEQ2.recognises(Document.open(tmp_path / "c.yaml"))
    (tmp_path / "c.yaml").write_text(THEIRS)
    assert FAIRSEQ2.recognises(Document.open(tmp_path / "c.yaml"))


@pytest.mark.checkout("fairseq2")
def test_fairseq2s_own_config_is_recognised_and_merged(checkouts, tmp_path):
    (tmp_path / "c.yaml").write_text(
        (
            checkouts
            / "fairseq2"
            / "recipes"
            / "lm"
            / "train"
            / "configs"
            / "test_llama3_2_1b.yaml"
        ).read_text()
    )
    document = Document.open(tmp_path / "c.yaml")
    assert FAIRSEQ2.recognises(document)
    path = rows(tmp_path / "c.yaml")[0]["path"]
    sources = {"web": Source(1e9, 1e6, (path,)), "math": Source(1e9, 1e6, ("/d/math",))}
    draft = FAIRSEQ2.draft(
        Mixture({"web": 0.75, "math": 0.25}), tmp_path / "c.yaml", sources=sources, merge=True
    )
    changed = [
        line.strip()
        for line in draft.diff().splitlines()
        if line[0] in "+-" and line[:3] not in {"+++", "---"}
    ]
    assert changed == [
        "-        weight: 1.0",
        "+        weight: 0.75",
        '+      - path: "/d/math"',
        "+        weight: 0.25",
    ]
