"""YAML for no framework in particular."""

from __future__ import annotations

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.plain_json import PlainJson
from reweightviz.exporters.frameworks.plain_yaml import PlainYaml

YAML = PlainYaml()


def test_the_weights_are_shares_of_tokens_in_full(tmp_path):
    mixture = Mixture.normalized({"web": 2, "no": 1, "spam": 0})
    file = YAML.write(mixture, tmp_path / "mix.yaml")
    assert yaml.safe_load(file.read_text()) == {
        "format": "reweightviz.yaml/1",
        "unit": "share of training tokens",
        "weights": dict(mixture),
    }
    assert YAML.read(file).array.tolist() == mixture.array.tolist()
    assert not PlainJson().recognises(Document.open(file))


def test_a_schedule_has_stages_and_a_merge_goes_from_one_to_the_other(tmp_path):
    schedule = Schedule(
        {0: Mixture({"web": 0.75, "code": 0.25}), 100: Mixture({"web": 0.0, "code": 1.0})},
        steps=200,
    )
    file = YAML.write(schedule, tmp_path / "mix.yaml")
    back = YAML.read_schedule(file)
    assert dict(back) == dict(schedule) and back.steps == 200
    file.write_text(file.read_text() + "mine: 1  # keep\n")
    YAML.write(Mixture({"web": 0.5, "code": 0.5}), file, merge=True)
    assert set(yaml.safe_load(file.read_text())) == {"format", "unit", "weights", "mine"}
    assert "mine: 1  # keep" in file.read_text()
    YAML.write(schedule, file, merge=True)
    assert dict(YAML.read_schedule(file)) == dict(schedule)


def test_a_file_of_ones_own_is_read(tmp_path):
    (tmp_path / "mix.yaml").write_text(
        "steps: 10\nstages:\n- {step: 0, weights: {web: 0.75, code: 0.25}}\n- {step: 5, weights: {code: 1}}\n"
    )
    document = Document.open(tmp_path / "mix.yaml")
    assert YAML.recognises(document)
    schedule = YAML.read_schedule(tmp_path / "mix.yaml")
    assert {step: dict(mixture) for step, mixture in schedule.items()} == {
        0: {"web": 0.75, "code": 0.25},
        5: {"web": 0.0, "code": 1.0},
    }
    (tmp_path / "mix.yaml").write_text("weights: {web: 0.75, code: 0.25}\nunit: share of tokens\n")
    assert YAML.recognises(Document.open(tmp_path / "mix.yaml"))
    assert dict(YAML.read(tmp_path / "mix.yaml")) == {"web": 0.75, "code": 0.25}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("weights: [1]", "is no mixture"),
        ("stages: [{weights: {web: 1}}]", "is no mixture"),
        ("stages: 3", "is no mixture"),
        ("data: {mix: {web: 1}}", "which maps each domain to its share.*; it has 'data'"),
        ("weights: {web: x}", "that of 'web' is not"),
        ("weights: {web: 0}", "at least one weight"),
        ("weights: {web: 3, code: 1}", "must sum to 1; they sum to 4"),
        ("stages: [{step: 0.9, weights: {web: 1}}]", "a whole number of at least 0; got 0.9"),
    ],
)
def test_other_files_are_refused(tmp_path, text, sentence):
    (tmp_path / "mix.yaml").write_text(text)
    with pytest.raises(ReweightvizError, match=sentence):
        YAML.read(tmp_path / "mix.yaml")
