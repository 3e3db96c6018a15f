"""NeMo Automodel: the blend of its YAML, domain_mixture beside it, and its own dataset builder drawing both."""

from __future__ import annotations

import json

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.automodel import TARGET, Automodel

AUTOMODEL = Automodel()
MIXTURE = Mixture({"web": 0.7, "code": 0.2, "math": 0.1})
SOURCES = Sources(dict.fromkeys(MIXTURE, 1e6)).with_paths(
    {name: f"/d/{name}_text_document" for name in MIXTURE}
)
HEAD = f"step_scheduler: {{max_steps: 10}}\ndataset:\n  _target_: {TARGET}\n  seq_length: 32\n"
DOMAINS = """\
domain_mixture:
  domains:
  - {name: web, path: /d/a, sampling_weight: 7, objective_weight: 1}   # ours
  - {name: code, path: /d/b, sampling_weight: 3, objective_weight: 2}
"""


def loaded(path):
    return yaml.safe_load(path.read_text("utf-8"))


def test_a_new_file_has_the_blend_and_its_builder(tmp_path):
    file = AUTOMODEL.write(MIXTURE, tmp_path / "train.yaml", sources=SOURCES)
    assert loaded(file) == {
        "dataset": {
            "_target_": TARGET,
            "paths": [
                0.7,
                "/d/web_text_document",
                0.2,
                "/d/code_text_document",
                0.1,
                "/d/math_text_document",
            ],
        }
    }
    assert AUTOMODEL.read(file) == MIXTURE


@pytest.mark.parametrize(
    "paths",
    [
        "[0.7, /d/a, 0.3, /d/b]",
        "['70', /d/a, '30', /d/b]",
        "{train: [0.7, /d/a, 0.3, /d/b], validation: [/d/v]}",
        "[0.5, /d/a, 0.3, /d/b, 0.2, /d/a]",
        "blend.json",
    ],
)
def test_what_people_have_is_read(tmp_path, paths):
    (tmp_path / "blend.json").write_text(json.dumps({"train": ["7", "/d/a", "3", "/d/b"]}))
    (tmp_path / "t.yaml").write_text(f"{HEAD}  paths: {paths}\n")
    assert AUTOMODEL.recognises(Document.open(tmp_path / "t.yaml"))
    assert dict(AUTOMODEL.read(tmp_path / "t.yaml")) == pytest.approx({"a": 0.7, "b": 0.3})


def test_a_merge_keeps_the_domains_alike_and_their_objective(tmp_path):
    file = tmp_path / "t.yaml"
    file.write_text(f"{HEAD}  paths: [7, /d/a, 3, /d/b]\n{DOMAINS}")
    sources = Sources({"a": 1e6, "b": 1e6}).with_paths({"a": "/d/a", "b": "/d/b"})
    AUTOMODEL.write(Mixture({"b": 0.75, "a": 0.25}), file, sources=sources, merge=True)
    content = loaded(file)
    assert content["dataset"]["paths"] == [0.25, "/d/a", 0.75, "/d/b"]
    domains = content["domain_mixture"]["domains"]
    assert [one["sampling_weight"] for one in domains] == [0.25, 0.75]
    assert [one["objective_weight"] for one in domains] == [1, 2]
    assert "# ours" in file.read_text() and "max_steps: 10" in file.read_text()
    assert "objective_weight over" in AUTOMODEL.parse(Document.open(file)).traps[0]
    paths = {"a": "/d/a", "b": "/d/b", "c": "/d/c"}
    more = Sources(dict.fromkeys(paths, 1)).with_paths(paths)
    with pytest.raises(ReweightvizError, match="its domains must be those of the blend"):
        AUTOMODEL.write(Mixture({"a": 0.5, "b": 0.3, "c": 0.2}), file, sources=more, merge=True)


REFUSED = {
    "  paths: [0, /d/a, 1, /d/b]\n": "needs a finite weight above 0; that of '/d/a' is not",
    "  paths: [0.7, /d/a, /d/b, 0.3]\n": "must stand in turn",
    "  paths: [1, /d/a, 1, /d/b]\n" + DOMAINS: "must be the weights of dataset.paths",
    "  paths: [7, /d/b, 3, /d/a]\n" + DOMAINS: "must be those of dataset.paths, in their order",
    "  paths: [/d/a, /d/b]\n" + DOMAINS: "needs weights in dataset.paths",
    "  paths: [7, /d/a, 3, /d/b]\n" + DOMAINS.replace("name: code", "name: web"): "each stand once",
    "  paths: [7, /d/a, 3, /d/b]\n" + DOMAINS.replace("weight: 2", "weight: -1"): "numbers >= 0",
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED.items())
def test_what_automodel_refuses_is_refused(tmp_path, text, sentence):
    (tmp_path / "t.yaml").write_text(HEAD + text)
    with pytest.raises(ReweightvizError, match=sentence):
        AUTOMODEL.read(tmp_path / "t.yaml")


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}  paths: /d/web_*_text_document*\n",
        "dataset: {_target_: nemo_automodel.components.datasets.llm.squad.make_squad_dataset}\n",
        "dataset: {paths: [0.7, /d/a, 0.3, /d/b]}\n",
    ],
)
def test_other_configs_are_not_recognised(tmp_path, text):
    assert not AUTOMODEL.recognises(Document(tmp_path / "t.yaml", text))


@pytest.mark.framework("automodel")
@pytest.mark.golden(
    "automodel",
    "the real nemo-automodel 0.7.0: 2,000 sequences of its MegatronPretraining; the tokenizer is a stand-in",
)
def test_automodel_draws_the_asked_share_of_sequences(tmp_path, load_with, check_order):
    prefixes = [str(tmp_path / name) for name in ("web_text_document", "b", "c_text_document")]
    sources = Sources(dict.fromkeys(MIXTURE, 1e6)).with_paths(
        dict(zip(MIXTURE, prefixes, strict=True))
    )
    configs = [AUTOMODEL.write(MIXTURE, tmp_path / "new.yaml", sources=sources)]
    texts = {
        "merged": "  paths: [7, /d/a, 3, /d/b]\n" + DOMAINS,
        "twice": "  paths: [0.5, /d/a, 0.2, /d/a, 0.3, /d/b]\n",
        "unweighted": "  paths: [/d/a, /d/b]\n",
    }
    texts |= {f"refused-{place}": text for place, text in enumerate(REFUSED)}
    for name, text in texts.items():
        placed = text.replace("/d/a", prefixes[0]).replace("/d/b", prefixes[1])
        configs.append(tmp_path / f"{name}.yaml")
        configs[-1].write_text(HEAD + placed)
    two = Sources({"a": 1, "b": 1}).with_paths({"a": prefixes[0], "b": prefixes[1]})
    AUTOMODEL.write(Mixture({"a": 0.4, "b": 0.6}), configs[1], sources=two, merge=True)
    new, merged, twice, unweighted, *refused = load_with(
        "automodel_load.py", prefixes=prefixes, configs=configs, draws=2000
    )
    assert new["counts"] == pytest.approx({"1": 1400, "2": 400, "3": 200}, abs=1)
    check_order(new["order"], {"1": 0.7, "2": 0.2, "3": 0.1})
    assert merged["counts"] == pytest.approx({"1": 800, "2": 1200}, abs=1)
    check_order(merged["order"], {"1": 0.4, "2": 0.6})
    assert twice["counts"] == pytest.approx({"1": 1400, "2": 600}, abs=1)
    assert unweighted["counts"]["1"] == unweighted["counts"]["2"]
    assert all("error" in one for one in refused), refused
