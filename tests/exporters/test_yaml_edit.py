"""Edits of YAML that leave every other line as it was, and text that PyYAML reads alike."""

from __future__ import annotations

import difflib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters.text import yaml_edit, yaml_write

CONFIG = """\
# run 12: do not touch
defaults: &d   {lr:   1e-4, wd: 0.1}   # odd spacing
data:
    train_weights:      # hand tuned
        web:  0.9   # was .8
        code: 0.1

    components:
        web:  &w {type: cached}
        code: *w
datasets:
  -   path: a.jsonl   # first
      <<: *d
      weight: 0.3

  -   {path: "b",  weight: 0.7}
trainer:
    steps: [1,2,   3]
    note: 'kept as it is'   # yes
"""


def changed_lines(old: str, new: str) -> list[str]:
    return [line for line in difflib.ndiff(old.splitlines(), new.splitlines()) if line[0] in "+-"]


def test_only_the_lines_of_the_weights_change():
    new = yaml_edit.edit(
        CONFIG,
        lambda root: yaml_edit.put(root, ["data", "train_weights"], {"web": 0.25, "code": 0.75}),
        "f",
    )
    assert changed_lines(CONFIG, new) == [
        "-         web:  0.9   # was .8",
        "+         web: 0.25   # was .8",
        "-         code: 0.1",
        "+         code: 0.75",
    ]


def test_what_an_alias_shares_is_split_before_it_changes():
    new = yaml_edit.edit(
        CONFIG, lambda root: yaml_edit.put(root, ["data", "components", "code", "type"], "url"), "f"
    )
    components = yaml.safe_load(new)["data"]["components"]
    assert components == {"web": {"type": "cached"}, "code": {"type": "url"}}


def test_anchors_inside_what_is_split_stand_once():
    text = "datasets:\n  - &a\n    id: org/web\n    weight: 0.5\n    note: &n x\n    more: &m {k: 1}\nother: [*a]\nthird: *n\nfourth: *m\n"

    def change(root):
        for _, row in yaml_edit.match_entries(
            root, ["datasets"], {"org/web": 1}, lambda row: row["id"]
        ):
            yaml_edit.put(row, ["weight"], 0.7)

    old, new = yaml.safe_load(text), yaml.safe_load(yaml_edit.edit(text, change, "f"))
    assert new["datasets"] == [old["datasets"][0] | {"weight": 0.7}]
    assert {key: new[key] for key in ("other", "third", "fourth")} == {
        key: old[key] for key in ("other", "third", "fourth")
    }


def test_mixed_indents_stay_where_they_are():
    text = "a:\n    b:\n      # deep\n      web: 0.5\n      code: 0.5\n    c:   1\nd:\n  e: 2\n"
    new = yaml_edit.edit(
        text, lambda root: yaml_edit.put(root, ["a", "b"], {"web": 0.25, "code": 0.75}), "f"
    )
    assert changed_lines(text, new) == [
        "-       web: 0.5",
        "+       web: 0.25",
        "-       code: 0.5",
        "+       code: 0.75",
    ]


def test_rows_are_found_made_and_taken_out():
    def change(root):
        for name, row in yaml_edit.match_entries(
            root, ["datasets"], {"b": 1, "c": 1}, lambda row: row.get("path"), dropped=["a.jsonl"]
        ):
            yaml_edit.put_all(row, {"path": name, "weight": 0.5})

    new = yaml_edit.edit(CONFIG, change, "f")
    assert yaml.safe_load(new)["datasets"] == [
        {"path": "b", "weight": 0.5},
        {"path": "c", "weight": 0.5},
    ]
    assert "    note: 'kept as it is'   # yes\n" in new
    with pytest.raises(
        ReweightvizError, match="datasets of this config has 'b', which the mixture does not name"
    ):
        yaml_edit.edit(
            CONFIG,
            lambda root: list(
                yaml_edit.match_entries(
                    root, ["datasets"], {"a.jsonl": 1}, lambda row: row.get("path")
                )
            ),
            "f",
        )


def test_a_key_that_a_merge_key_brings_cannot_be_taken_out():
    text = "base: &b {web: 0.5, code: 0.5}\nweights:\n  <<: *b\n  math: 0.1\n"
    with pytest.raises(ReweightvizError, match="'web' comes into this config by a merge key"):
        yaml_edit.edit(
            text, lambda root: yaml_edit.put(root, ["weights"], {"code": 0.5, "math": 0.5}), "f"
        )


def test_what_is_filled_in_from_elsewhere_is_not_written_over():
    for text in (
        "data: !include pile.yaml\n",
        "data: ${base.data}\n",
        "data: {weights: '${w}'}\n",
        "data: {weights: !include w.yaml}\n",
        "data: [1]\n",
    ):
        with pytest.raises(
            ReweightvizError, match="must be written out: merge into the file that it comes from"
        ):
            yaml_edit.edit(
                text, lambda root: yaml_edit.put(root, ["data", "weights"], {"web": 1.0}), "f"
            )
    with pytest.raises(
        ReweightvizError, match="must list mappings to take weights; it has 'org/web'"
    ):
        yaml_edit.edit(
            "datasets: [org/web]\n",
            lambda root: list(
                yaml_edit.match_entries(root, ["datasets"], {"a": 1}, lambda row: row["path"])
            ),
            "f",
        )


def test_keys_that_are_numbers_keep_their_entries():
    text = "streams:\n  2023: {remote: s3://b/2023, proportion: 0.5}\n  2024: {remote: s3://b/2024, proportion: 0.5}\n"

    def change(root):
        for name, weight in (("2023", 0.25), ("2024", 0.75)):
            yaml_edit.put(root, ["streams", name, "proportion"], weight)

    assert yaml.safe_load(yaml_edit.edit(text, change, "f")) == {
        "streams": {
            2023: {"remote": "s3://b/2023", "proportion": 0.25},
            2024: {"remote": "s3://b/2024", "proportion": 0.75},
        }
    }


def test_markers_and_blank_lines_around_the_content_stay():
    text = "\n\n%YAML 1.2\n---\n# mine\nweights: {web: 0.5, code: 0.5}\n...\n"
    for _ in range(3):
        new = yaml_edit.edit(
            text, lambda root: yaml_edit.put(root, ["weights"], {"web": 0.25, "code": 0.75}), "f"
        )
        assert new == text.replace("web: 0.5, code: 0.5", "web: 0.25, code: 0.75")
    bare = yaml_edit.edit(
        "weights: {web: 0.5}", lambda root: yaml_edit.put(root, ["weights"], {"web": 1.0}), "f"
    )
    assert bare == "weights: {web: 1.0}"


def test_a_merge_key_that_sets_the_weight_itself_is_left_alone():
    text = "streams:\n  web: &s {remote: a, proportion: 0.7}\n  code: {<<: *s, remote: b, proportion: 0.3}\nseq: &n 8  # tokens\nlen: *n\n"

    def change(root):
        for name, weight in (("web", 0.25), ("code", 0.75)):
            yaml_edit.put(root, ["streams", name, "proportion"], weight)

    new = yaml_edit.edit(text, change, "f")
    assert new == text.replace("0.7}", "0.25}").replace("0.3}", "0.75}")
    shared = "a: &a {w: {web: 0.5, code: 0.5}, n: &n 8}\nb: *a\nc: *n\n"
    new = yaml_edit.edit(
        shared, lambda root: yaml_edit.put(root, ["a", "w"], {"web": 0.25, "code": 0.75}), "f"
    )
    assert yaml.safe_load(new) == {
        "a": {"w": {"web": 0.25, "code": 0.75}, "n": 8},
        "b": {"w": {"web": 0.5, "code": 0.5}, "n": 8},
        "c": 8,
    }


def test_windows_line_ends_and_a_missing_last_one_stay():
    text = "a: 1\r\nweights:\r\n  web: 0.5\r\n  code: 0.5"
    new = yaml_edit.edit(text, lambda root: yaml_edit.put(root, ["weights", "web"], 0.25), "f")
    assert new.startswith("a: 1\r\nweights:\r\n  web: 0.25\r\n  code: 0.5")
    assert "\n" not in new.replace("\r\n", "")


def test_what_is_no_mapping_is_refused():
    for text, sentence in (
        ("[1, 2]", "must hold a mapping"),
        ("a: [", "is no YAML file"),
        ("a: 1\n---\nb: 2\n", "is no YAML file"),
    ):
        with pytest.raises(ReweightvizError, match=sentence):
            yaml_edit.edit(text, lambda root: yaml_edit.put(root, ["a"], 2), "f")


keys = st.text("abcdefgh", min_size=1, max_size=5)
values = st.recursive(
    st.one_of(
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.booleans(),
        st.text(max_size=8),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


@given(
    config=st.dictionaries(keys, values, max_size=5),
    indent=st.sampled_from([2, 4]),
    flow=st.sampled_from([False, None]),
)
def test_any_config_keeps_its_content_and_its_lines(config, indent, flow):
    text = "# mine\n" + yaml.safe_dump(
        config | {"weights": {"web": 0.5, "code": 0.5}},
        indent=indent,
        default_flow_style=flow,
        sort_keys=False,
    )
    new = yaml_edit.edit(
        text, lambda root: yaml_edit.put(root, ["weights"], {"web": 0.125, "code": 0.875}), "f"
    )
    assert yaml.safe_load(new) == yaml.safe_load(text) | {"weights": {"web": 0.125, "code": 0.875}}
    assert len(changed_lines(text, new)) <= 4


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.floats(0, 1), max_size=5
    )
)
def test_new_text_means_the_same_to_yaml_1_1(table):
    assert yaml.safe_load(yaml_write.dump({"weights": table})) == {"weights": table}
