"""JSON of our own: weights are shares as they stand, steps are whole numbers, and other JSON is none of ours."""

from __future__ import annotations

import json

import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.plain_json import PlainJson
from reweightviz.exporters.frameworks.plain_yaml import PlainYaml

JSON = PlainJson()
LATE = '{"weights": {"web": 1.0}, "step": '


def read(tmp_path, content):
    (tmp_path / "mix.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return JSON.read_schedule(tmp_path / "mix.json")


def test_what_save_writes_is_read_as_it_is(tmp_path):
    mixture = Mixture({"web": 0.7, "code": 0.3 + 9e-7}, source={"method": "mine"})
    mixture.save(tmp_path / "mix.json")
    assert JSON.read(tmp_path / "mix.json") == mixture
    schedule = Schedule({0: {"web": 0.75, "code": 0.25}, 10: {"web": 0.5, "code": 0.5}}, steps=20)
    schedule.save(tmp_path / "mix.json")
    assert dict(JSON.read_schedule(tmp_path / "mix.json")) == dict(schedule)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ({"web": 0.6, "code": 0.3}, "the weights are shares and must sum to 1; they sum to 0.9"),
        ({"web": 3, "code": 1}, "they sum to 4"),
        ({"web": 0.7, "code": 0.3 + 2e-6}, "they sum to 1.000002"),
        ({"web": 0.7, "code": "much"}, "that of 'code' is not"),
        ({"web": 0}, "at least one weight"),
        ({}, "at least one weight"),
        ({"web": 1.5, "code": -0.5}, "that of 'code' is not"),
    ],
)
def test_weights_are_never_rescaled(tmp_path, weights, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        read(tmp_path, {"weights": weights})


def test_each_stage_must_sum_to_1(tmp_path):
    stages = [
        {"step": 0, "weights": {"web": 1.0}},
        {"step": 5, "weights": {"web": 0.9}},
        {"step": 9, "weights": {"web": 2}},
    ]
    (tmp_path / "mix.json").write_text(json.dumps({"stages": stages}))
    assert JSON.parse(Document.open(tmp_path / "mix.json")).refused == (
        "the weights from step 5 on are shares and must sum to 1; they sum to 0.9.",
        "the weights from step 9 on are shares and must sum to 1; they sum to 2.",
    )


@pytest.mark.parametrize(
    ("stages", "sentence"),
    [
        (f"[{LATE}0.9}}]", "a step in .* must be a whole number of at least 0; got 0.9"),
        (f"[{LATE}-1}}]", "got -1"),
        (f"[{LATE}true}}]", "got True"),
        (f'[{LATE}"0"}}]', "got '0'"),
        (f"[{LATE}null}}]", "got None"),
        (f"[{LATE}1e400}}]", "got inf"),
        (f"[{LATE}5}}]", "must begin at step 0"),
        (
            f"[{LATE}0}}, {LATE}0.0}}]",
            r"each stage must begin at a step of its own; got \[0, 0.0\]",
        ),
        (f'[{LATE}0}}], "steps": 9.5', "got 9.5"),
    ],
)
def test_steps_are_whole_numbers(tmp_path, stages, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        read(tmp_path, f'{{"stages": {stages}}}')


def test_a_whole_number_may_have_a_point(tmp_path):
    assert list(read(tmp_path, f'{{"stages": [{LATE}0}}, {LATE}1e3}}], "steps": 2000.0}}')) == [
        0,
        1000,
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stages.yaml", "stages:\n- build\n- test\n"),
        (".gitlab-ci.yml", "stages: [build]\nunit: {script: x}\n"),
        ("dvc.yaml", "stages:\n  a: {cmd: x}\n"),
        ("s.yaml", "stages: []\n"),
        ("s.yaml", "stages:\n- {step: 0}\n"),
        ("s.json", '{"stages": ["build"]}'),
        ("s.json", "[1, 2]"),
        ("s.json", '{"weights": 3}'),
    ],
)
def test_what_is_something_else_is_not_recognised(tmp_path, name, text):
    document = Document(tmp_path / name, text)
    assert not JSON.recognises(document)
    assert not PlainYaml().recognises(document)
