"""What is loaded of texts that people wrote: tags passed over, faults by name, nothing that grows without end."""

from __future__ import annotations

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError, WrongContent
from reweightviz.exporters.text import yaml_load
from reweightviz.exporters.text.yaml_load import Loaded, Repeat, load, read


def bomb(levels: int, times: int = 11, merge: str = "") -> str:
    lines = ["x0: &x0 {k: 1}"]
    for level in range(1, levels):
        inner = ", ".join(
            f"*x{level - 1}" if merge else f"k{place}: *x{level - 1}" for place in range(times)
        )
        lines.append(f"x{level}: &x{level} {{{merge + '[' + inner + ']' if merge else inner}}}")
    return "\n".join(lines) + "\n"


def test_unknown_tags_leave_what_they_mark():
    text = "a: !include foo.yaml\nb: !env {x: 1}\nc: !all [1, !inner no]\nd: !!python/object:os.system {e: 1}\nf: !ENV ${X}\n"
    assert load(text, "c.yaml") == {
        "a": "foo.yaml",
        "b": {"x": 1},
        "c": [1, "no"],
        "d": {"e": 1},
        "f": "${X}",
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a:\n\tb: 1\n", r"found character '\\t' that cannot start any token \(line 2"),
        ("a:\n  b: 1\n   c: 2\n", r"mapping values are not allowed here \(line 3"),
        (
            "a: 1\n---\nb: 2\n",
            r"expected a single document in the stream, but found another document \(line 2",
        ),
        ("a: *b", "undefined alias 'b'"),
        ("a: 2024-13-45", "month must be in 1..12"),
        ("a: " + "[" * 5000, "it is nested too deeply"),
        ("a: " + "9" * 5000, r"Exceeds the limit \(4300 digits\)"),
        ("x: {{ foo }}", "unhashable key"),
        ("mix: &a {b: *a}", "&a holds itself"),
        ("- &a [*a]", "&a holds itself"),
        (bomb(9), "its aliases, written out, make more than 1,000,000 entries"),
        (bomb(9, merge="<<: "), "its aliases, written out, make more than 1,000,000 entries"),
    ],
)
def test_what_is_no_yaml_is_one_sentence(text, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        load(text, "c.yaml")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": [1, 2}', r"Expecting ',' delimiter \(line 1, column 12\)"),
        ('{\n\t"a": 1\n\t"b": 2}', "Expecting ',' delimiter"),
        ("[" * 50000, "it is nested too deeply"),
    ],
)
def test_what_is_no_json_is_said_in_its_own_terms(text, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        load(text, "c.json")


def test_aliases_that_stay_small_are_written_out():
    assert load(bomb(4, 3), "c.yaml")["x3"]["k2"]["k1"]["k0"] == {"k": 1}
    assert load("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]\n", "c.yaml") == {
        "a": {"x": 1},
        "b": {"x": 1, "y": 2},
        "c": [{"x": 1}, {"x": 1}],
    }
    assert load('{"a": 1,}', "c.json") == {"a": 1}, (
        "a config for people, with commas as people leave them"
    )


@pytest.mark.parametrize(
    ("name", "text", "content", "repeats"),
    [
        ("c.yaml", "a: 1\nb:\n  c: 1\n  c: 2\n", {"a": 1, "b": {"c": 2}}, [("c", 4)]),
        ("c.yaml", "b: {c: 1, c: 2, c: 3}\na: 1\na: 2\n", None, [("c", 1), ("c", 1), ("a", 3)]),
        ("c.json", '{"a": 1, "b": {"a": 2, "a": 3}}', {"a": 1, "b": {"a": 3}}, [("a", 0)]),
        # A value of a merge key is overridden, which is no repeat, and 1 is no "1".
        ("c.yaml", "x: &x {a: 1}\ny: {<<: *x, a: 2, 1: 3, '1': 4}\n", None, []),
    ],
)
def test_of_a_key_that_stands_twice_the_last_is_taken_as_pyyaml_and_json_do(
    name, text, content, repeats
):
    found = read(text, name)
    assert found == Loaded(yaml.safe_load(text), tuple(Repeat(*one) for one in repeats))
    assert content is None or found.content == content


def test_brackets_are_counted_before_they_are_read(monkeypatch):
    deep = "a: " + "[" * 150 + "]" * 150
    assert load(deep, "a.yaml")["a"]
    assert load('{"a": "' + "[" * 500 + '"}', "a.json")
    monkeypatch.setattr(yaml_load, "YAML", None)
    with pytest.raises(WrongContent, match="nested too deeply"):
        load("a: " + "[" * 201, "a.yaml")
