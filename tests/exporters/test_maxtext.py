"""MaxText: the JSON of a mixture, the files of its YAML, and both drawn with its own source."""

from __future__ import annotations

import json

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.check import check
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.maxtext import MaxText

MAXTEXT = MaxText()
MIXTURE = Mixture({"web": 0.7, "code": 0.2, "math": 0.1, "spam": 0.0})
SIZES = {"web": 10, "code": 40, "math": 20, "spam": 10}
SOURCES = Sources(
    {name: Source(2e9 * size, 2e9, (f"/d/{name}.array_record*",)) for name, size in SIZES.items()}
)


def test_the_json_names_its_sources_and_the_yaml_their_files(tmp_path):
    file = MAXTEXT.write(MIXTURE, tmp_path / "mix.json", sources=SOURCES, unit="tokens")
    assert json.loads(file.read_text()) == {
        name: {"path": f"/d/{name}.array_record*", "weight": MIXTURE[name]}
        for name in ("web", "code", "math")
    }
    assert MAXTEXT.read(file) == MIXTURE
    file = MAXTEXT.write(
        MIXTURE, tmp_path / "mix.yml", sources=SOURCES, unit="tokens", form="files"
    )
    assert yaml.safe_load(file.read_text()) == {
        "dataset_type": "grain",
        "grain_file_type": "arrayrecord",
        "grain_train_files": "/d/web.array_record*,0.7;/d/code.array_record*,0.2;"
        "/d/math.array_record*,0.1",
    }
    assert dict(MAXTEXT.read(file)) == dict(MIXTURE)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.json", '{"a": {"path": "/d/a*", "weight": 3}, "b": {"path": "/d/b*", "weight": 7}}'),
        ("m.yml", "dataset_type: grain\ngrain_train_files: /d/a*,0.3;/d/b*,0.7\n"),
        ("m.yml", "grain_train_files: /x\ngrain_train_mixture_config_path: there.json\n"),
        ("run.sh", "python -m maxtext.train x.yml 'grain_train_files=/d/a*,0.3;/d/b*,0.7' y=1\n"),
        ("run.sh", "F=there.json\npython -m m grain_train_mixture_config_path=$F steps=3\n"),
    ],
)
def test_what_people_have_is_read(tmp_path, name, text):
    (tmp_path / "there.json").write_text(
        '{"a": {"path": "/d/a*", "weight": 0.3}, "b": {"path": "/d/b*", "weight": 0.7}}'
    )
    (tmp_path / name).write_text(text)
    document = Document.open(tmp_path / name)
    assert MAXTEXT.recognises(document)
    config = MAXTEXT.parse(document)
    whole = sum(config.stages[0].values())
    assert [value / whole for value in config.stages[0].values()] == pytest.approx([0.3, 0.7])
    assert [list(paths) for paths in config.paths.values()] == [["/d/a*"], ["/d/b*"]]
    assert not config.refused
    assert [trap[:60] for trap in config.traps] == [
        "MaxText takes the mixture with dataset_type: grain alone, wh"
    ] * (name != "m.json" and "dataset_type" not in text)


@pytest.mark.parametrize(
    ("beside", "sentence"),
    [
        ("", "with dataset_type: grain alone, which is not set here"),
        ("dataset_type: tfds", "takes no notice of the mixture: dataset_type is 'tfds'"),
        ("dataset_type: grain", ""),
    ],
)
def test_another_pipeline_takes_no_notice_of_the_mixture(tmp_path, beside, sentence):
    (tmp_path / "m.yml").write_text(f"grain_train_files: /d/a*,1;/d/b*,1\n{beside}\n")
    traps = MAXTEXT.parse(Document.open(tmp_path / "m.yml")).traps
    assert len(traps) == bool(sentence) and sentence in " ".join(traps)
    command = f"python -m maxtext.train x.yml 'grain_train_files=/d/a*,1;/d/b*,1' {beside}"
    assert sentence in " ".join(check(command.replace(": ", "=")).traps)


REFUSED = {
    "/d/a*,0;/d/b*,1": "rounds shares to four decimals and Grain refuses a 0; that of '/d/a*'",
    "/d/a*,1;/d/b*,99999": "that of '/d/a*' is one",
    "/d/a*;/d/b*": "must be PATTERN,WEIGHT",
    "/d/a*,x;/d/b*,1": "or no number above it",
}


@pytest.mark.parametrize(("files", "sentence"), REFUSED.items())
def test_files_that_maxtext_would_refuse(tmp_path, files, sentence):
    (tmp_path / "m.yml").write_text(f"grain_train_files: {files}\n")
    with pytest.raises(ReweightvizError) as caught:
        MAXTEXT.read(tmp_path / "m.yml")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("beside", "sentence"),
    [
        ("grain_file_type: parquet", "must be ArrayRecord files"),
        ("grain_use_elastic_iterator: true", "takes no mixture"),
    ],
)
def test_settings_that_take_no_mixture(tmp_path, beside, sentence):
    (tmp_path / "m.yml").write_text(f"grain_train_files: /d/a*,1;/d/b*,1\n{beside}\n")
    assert sentence in MAXTEXT.parse(Document.open(tmp_path / "m.yml")).refused[0]


def test_a_share_that_rounding_changes_is_said(tmp_path):
    (tmp_path / "m.yml").write_text("grain_train_files: /d/a*,0.00016;/d/b*,0.99984;/d/a*,1e-4\n")
    traps = MAXTEXT.parse(Document.open(tmp_path / "m.yml")).traps
    assert "stands several times" in traps[0] and "changes that of '/d/a*' by more" in traps[1]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("base.yml", "grain_train_files: ''\ngrain_train_mixture_config_path: ''\n"),
        ("one.yml", "grain_train_files: gs://b/climbmix/*.arrayrecord\n"),
        ("x.json", '{"a": {"path": "/d/a"}}'),
        ("x.json", "{}"),
    ],
)
def test_other_files_are_not_recognised(tmp_path, name, text):
    assert not MAXTEXT.recognises(Document(tmp_path / name, text))


def test_patterns_that_the_files_cannot_hold(tmp_path):
    mixture = Mixture({"a": 0.5, "b": 0.5})
    for path, sentence in (("/d/{a,b}*", "splits grain_train_files at , and ;"), ("/d/b", "read")):
        sources = {"a": Source(1, 1, (path,)), "b": Source(1, 1, ("/d/b",))}
        with pytest.raises(ReweightvizError, match=sentence):
            MAXTEXT.write(mixture, tmp_path / "m.yml", sources=sources, form="files")
    with pytest.raises(ReweightvizError, match="needs one pattern of files for each domain"):
        MAXTEXT.write(mixture, tmp_path / "m.json", unit="tokens")


@pytest.mark.framework("transformers4")
@pytest.mark.checkout("maxtext")
@pytest.mark.golden(
    "maxtext",
    "its source AI-Hypercomputer/maxtext@e591f30, get_datasets with grain 0.2.18: 2,000 records",
)
def test_maxtext_draws_the_asked_share_of_tokens(tmp_path, load_with, checkouts, check_order):
    names = [name for name in SIZES if MIXTURE[name]]
    sources = {
        name: Source(2000 * SIZES[name], 2000, (str(tmp_path / f"{name}.array_record"),))
        for name in names
    }
    mixture = Mixture({name: MIXTURE[name] for name in names})
    configs = [
        MAXTEXT.write(mixture, tmp_path / "mix.json", sources=sources),
        MAXTEXT.write(mixture, tmp_path / "mix.yml", sources=sources, form="files"),
    ]
    for place, files in enumerate(("/d/a*,0;/d/b*,1", "/d/a*;/d/b*", "/d/a*,1;/d/b*,99999")):
        configs.append(tmp_path / f"refused-{place}.yml")
        placed = files.replace("/d/a*", sources["web"].paths[0])
        placed = placed.replace("/d/b*", sources["code"].paths[0])
        configs[-1].write_text(f"grain_train_files: {placed}\n")
    found = load_with(
        "maxtext_load.py",
        checkout=checkouts / "maxtext",
        configs=configs,
        files={sources[name].paths[0]: [name, 2000] for name in names},
        draws=2000,
    )
    asked = {name: mixture[name] / SIZES[name] for name in names}
    for drawn in found[:2]:
        check_order(drawn["order"], asked)
        tokens = {name: drawn["counts"][name] * SIZES[name] for name in names}
        for name in names:
            assert tokens[name] / sum(tokens.values()) == pytest.approx(mixture[name], abs=2e-3)
    assert all("error" in drawn for drawn in found[2:]), found[2:]
