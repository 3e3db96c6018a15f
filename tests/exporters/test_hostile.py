"""No name or path changes the code of an export: its syntax tree is that of a plain one."""

from __future__ import annotations

import shutil

import hostile
import pytest

import reweightviz as rv
from reweightviz import exporters
from reweightviz.core.errors import ReweightvizError

CASES = [
    (framework, form)
    for framework in sorted(exporters.FRAMEWORKS)
    for form in hostile.FORMS.get(framework, ("",))
]


@pytest.mark.parametrize(("framework", "form"), CASES)
def test_no_name_changes_the_code(framework, form):
    # Every fourth, another fourth in each framework, so that all of them stand in some.
    start = CASES.index((framework, form)) % 4
    names = hostile.HOSTILE[start::4]
    outcomes = list(hostile.try_framework(framework, form, names))
    assert len(outcomes) == 2 * len(names)
    assert outcomes.count("same") >= len(names)
    assert not [one for one in outcomes if one.startswith("differs")]


@pytest.mark.parametrize(
    ("file", "plain", "other"),
    [
        ("a.py", "W = ['plain', 0.5]", "W = ['a', run(), 0.5]"),
        ("a.py", "W = 'plain'", "W = 'a'\nimport os"),
        ("a.py", "W = 'plain'", "W = f'{a}'"),
        ("a.yaml", "plain: 0.5", "a: 0.5\nb: 1"),
        ("a.yaml", "plain: 0.5", "a: {b: 0.5}"),
        ("a.json", '{"plain": 0.5}', '{"a": 0.25}'),
        ("a.csv", "plain,0.5", "a,b,0.5"),
    ],
)
def test_a_changed_tree_is_seen(file, plain, other):
    assert hostile.compare({file: plain}, {file: other})
    assert not hostile.compare({file: plain}, {file: plain.replace("plain", "other")})


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_itself_splits_the_words():
    plain = {"a": "--data-path 0.5 plain"}
    same = {"a": "--data-path 0.5 'a b'"}
    assert not hostile.compare(plain, same, "arguments")
    for line in ("--data-path 0.5 a b", "--data-path 0.5 a; b", "--data-path 0.5 $(echo a b)"):
        assert hostile.compare(plain, {"a": line}, "arguments"), line


def test_a_config_opens_no_file_outside_of_its_folder(tmp_path):
    (tmp_path / "secret.txt").write_text("0.5 /secret/web\n0.5 /secret/code\n")
    (tmp_path / "secret").write_text("data: {configs: {web: {}}}")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "run.sh").write_text("python pretrain_gpt.py --data-args-path ../secret.txt\n")
    (folder / "a.yaml").write_text("data: !include ../secret\ntrainer: {num_train_steps: 1}\n")
    (folder / "b.yaml").write_text(f"dataset_mixture_file: {tmp_path / 'secret.txt'}\n")
    for file in sorted(folder.iterdir()):
        for framework in (None, *sorted(exporters.FRAMEWORKS)):
            try:
                said = repr(dict(rv.load_mixture(file, framework)))
            except ReweightvizError as error:
                said = str(error)
            assert "/secret/" not in said, (file, framework)
