"""What PyYAML reads otherwise than YAML 1.2, held against both readers."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from reweightviz.exporters.text import yaml_versions
from reweightviz.exporters.text.yaml_versions import Word, find_meaning, find_words

WORDS = [
    "yes",
    "No",
    "ON",
    "off",
    "y",
    "n",
    "true",
    "~",
    "null",
    "1e-5",
    "1.5e5",
    "1.5e-05",
    "1.0e-05",
    "0o17",
    "017",
    "08",
    "07",
    "1_000",
    "1:30",
    "190:20:30",
    "0:0",
    "0:0.",
    ".5",
    "-.5",
    "-.5e-3",
    "1.",
    "0x1F",
    "2024-01-01",
    "web",
    "-1e5",
    "1E5",
    ".inf",
    "nan",
    "0",
    "00",
]


@settings(max_examples=400)
@given(st.one_of(st.sampled_from(WORDS), st.text("01789.eE+-:o", min_size=1, max_size=6)))
def test_a_word_is_named_exactly_where_the_two_readers_differ(word):
    try:
        [old], [new] = yaml.safe_load(f"- {word}"), YAML(typ="safe", pure=True).load(f"- {word}")
    except Exception:
        return
    same = type(old) is type(new) and (old == new or old != old)  # noqa: PLR0124
    assert same == (not find_meaning(word)) or not isinstance(old, str | int | float | bool), (
        word,
        old,
        new,
    )


def test_words_are_found_where_they_stand_and_quoted_ones_are_left():
    text = "data:\n  weights: &w {no: 1e-5, \"on\": 0.5, web: '1e-5'}\n  again: *w\n  list:\n  - off\n  # no\n"
    assert list(find_words(text)) == [
        Word(2, "no", "the truth value false"),
        Word(2, "1e-5", "text"),
        Word(5, "off", "the truth value false"),
    ]


@pytest.mark.parametrize("text", ["", "a: [", "\x00", "--- 1\n--- 2\n", "&a [*a]", "- !x no\n"])
def test_a_text_that_is_no_yaml_has_none(text):
    assert len(list(find_words(text))) <= 1


def test_brackets_that_nothing_closes_are_not_parsed(monkeypatch):
    # ruamel.yaml takes quadratic time before it gives up.
    monkeypatch.setattr(yaml_versions, "YAML", lambda **_: pytest.fail("parsed"))
    assert list(yaml_versions.find_words("[" * 3000)) == []
