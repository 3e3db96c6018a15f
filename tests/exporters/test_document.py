"""Documents: what is opened, what is wrong with it, and the provenance beside it."""

from __future__ import annotations

import json
import os
import sys

import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters.check import check
from reweightviz.exporters.document import Document
from reweightviz.exporters.text import encoding

MIXTURE = rv.Mixture({"Wéb text": 0.625, "code": 0.375}, source={"method": "test"})
SOURCES = {
    name: {"tokens": 1e9, "paths": [f"/d/{place}.jsonl"]} for place, name in enumerate(MIXTURE)
}

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


# ---- what is opened


def test_only_regular_files_of_a_configs_size_are_read(tmp_path):
    os.mkfifo(tmp_path / "fifo.yaml")
    (tmp_path / "folder").mkdir()
    (tmp_path / "big.yaml").write_bytes(b"#" * (encoding.MOST_BYTES + 1))
    (tmp_path / "full.yaml").write_bytes(b"#" * encoding.MOST_BYTES)
    (tmp_path / "latin.yaml").write_bytes(b"\xff")
    for name, sentence in (
        ("fifo.yaml", "it is no regular file"),
        ("/dev/zero", "it is no regular file"),
        ("folder", "it is a folder; name the file in it"),
        ("big.yaml", "has more than 4,194,304 bytes"),
        ("latin.yaml", "is no text in UTF-8"),
        ("absent", "No such file"),
        ("nul\0byte", "null byte"),
    ):
        with pytest.raises(ReweightvizError, match=sentence):
            Document.open(tmp_path / name)
    assert len(Document.open(tmp_path / "full.yaml").text) == encoding.MOST_BYTES


def test_a_fifo_for_a_provenance_does_not_hang(tmp_path):
    (tmp_path / "c.yaml").write_text("weights: {web: 1}")
    os.mkfifo(tmp_path / "c.yaml.provenance.json")
    with pytest.raises(
        ReweightvizError,
        match=r"cannot read .*c.yaml.provenance.json: it is no regular file: mend it, or delete it",
    ):
        check(tmp_path / "c.yaml")


# ---- what is wrong with it


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        (
            "c.yaml",
            "a: 1\n b: 2\n",
            "c.yaml is no YAML file: mapping values are not allowed here (line 2, column 3).",
        ),
        ("c.json", '{"a": 1', "c.json is no JSON file: Expect"),
        ("c.py", "x = (\n", f"c.py is no file of Python {PYTHON}: '(' was never closed (line 1)."),
        ("c.py", "x = 1\0", f"c.py is no file of Python {PYTHON}: source code string cannot"),
        ("c.py", "x = " + "(" * 9000, f"c.py is no file of Python {PYTHON}: "),
        (
            "c.py",
            "x = " + "-" * 50000 + "1",
            f"c.py is no file of Python {PYTHON}: it is nested too deeply.",
        ),
        ("c", "a: b: c", "c is no YAML file: mapping values"),
        ("c.sh", "a: b: c", ""),
        ("c.txt", "a: b: c", ""),
        ("c", "#!/bin/sh\na: b: c", ""),
        ("c.yaml", "a: 1", ""),
        ("c.py", "x = 1", ""),
        ("c.csv", "a: b: c", ""),
    ],
)
def test_faults_of_a_language_are_told_where_the_file_holds_one(tmp_path, name, text, fault):
    found = str(Document(tmp_path / name, text).fault or "").replace(f"{tmp_path}/", "")
    assert found.startswith(fault)
    assert bool(found) == bool(fault)


def test_python_is_read_without_warnings_and_with_a_byte_order_mark(tmp_path, recwarn):
    document = Document(tmp_path / "c.py", "\ufeffx = '\\d'\n")
    assert document.python.constant("x") == "\\d"
    assert not recwarn


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "c.yaml",
            "data:\n  train_weights: {web: 0.7, code: 0.3\n",
            r"is no YAML file: .* \(line 3",
        ),
        (
            "c.py",
            "d = interleave_datasets([a, b], probabilities=[0.7, 0.3]\n",
            f"is no file of Python {PYTHON}: '\\(' was never closed",
        ),
        (
            "c.py",
            "d = interleave_datasets([" + "a + " * 30000 + "a, b], probabilities=[0.7, 0.3])\n",
            "nested too deeply",
        ),
    ],
)
def test_a_broken_config_is_called_broken_asked_or_not(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    for framework in (None, "levanter" if name == "c.yaml" else "huggingface"):
        with pytest.raises(ReweightvizError, match=sentence):
            check(tmp_path / name, framework)


def test_a_config_with_tags_of_its_own_is_read(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "trainer: !include trainer.yaml\ndata:\n  tokenizer: !ENV TOK\n  components: {web: {}, code: {}}\n"
        "  train_weights: {web: 0.75, code: 0.25}\n"
    )
    report = check(tmp_path / "c.yaml")
    assert (report.framework, report.table["share"].tolist()) == ("levanter", [0.75, 0.25])


def test_names_that_utf_8_cannot_hold_are_refused(tmp_path):
    (tmp_path / "c.json").write_text('{"weights": {"a\\ud800": 1.0}}')
    with pytest.raises(ReweightvizError, match="half of a surrogate pair"):
        check(tmp_path / "c.json")


# ---- the provenance


def exported(tmp_path, **options):
    path = rv.export(MIXTURE, "levanter", tmp_path / "a.yaml", sources=SOURCES, **options)
    return path, tmp_path / "a.yaml.provenance.json"


def test_a_config_renamed_with_its_provenance_keeps_it(tmp_path):
    path, sidecar = exported(tmp_path)
    path.rename(tmp_path / "b.yaml")
    sidecar.rename(tmp_path / "b.yaml.provenance.json")
    report = check(tmp_path / "b.yaml")
    assert (report.recognised, report.table["domain"].tolist()) == (
        "provenance",
        ["Wéb text", "code"],
    )


def test_the_provenance_of_a_folder_is_for_the_file_that_it_names(tmp_path):
    path, sidecar = exported(tmp_path)
    sidecar.rename(tmp_path / "provenance.json")
    assert check(path).recognised == "provenance"
    path.rename(tmp_path / "b.yaml")
    assert check(tmp_path / "b.yaml").recognised == "content"
    for other in ('["of another tool"]', "not JSON at all", "\x00"):
        (tmp_path / "provenance.json").write_text(other)
        assert check(tmp_path / "b.yaml").recognised == "content"
    (tmp_path / "provenance.json").write_text('{"file": "b.yaml", half')
    with pytest.raises(ReweightvizError, match="the provenance is damaged"):
        check(tmp_path / "b.yaml")


def test_a_provenance_for_another_framework_is_left_out_of_account(tmp_path):
    path, _ = exported(tmp_path)
    path.write_text('{"weights": {"web": 1.0}}')
    report = check(path)
    assert (report.framework, report.recognised, report.table["domain"].tolist()) == (
        "json",
        "content",
        ["web"],
    )
    assert report.notes[0].startswith(
        "a.yaml.provenance.json says that this is a config for 'levanter', not for 'json'"
    )
    asked = check(path, "yaml")
    assert asked.notes[0].startswith(
        "a.yaml.provenance.json says that this is a config for 'levanter', not for 'yaml'"
    )
    path.write_text("nothing: [of, the, kind]")
    with pytest.raises(ReweightvizError, match="train_weights|Levanter|Marin"):
        check(path)


@pytest.mark.parametrize(
    "damage",
    [
        {"names": [1]},
        {"names": {"web": 1}},
        {"dropped": 5},
        {"dropped": [1]},
        {"source": "text"},
        {"domains": 3},
        {"framework": ["levanter"]},
        {"unit_key": 5},
        {"epochs": "x"},
        {"epochs": {"web": "x"}},
        {"tokens": "1B"},
        {"tokens": True},
        {"max_epochs": "4"},
        {"sizes": [1]},
        {"digest": 3},
        {"file": 1},
    ],
)
def test_a_damaged_provenance_is_a_sentence(tmp_path, damage):
    path, sidecar = exported(tmp_path)
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | damage))
    for read in (check, rv.load_mixture):
        with pytest.raises(
            ReweightvizError,
            match=f"is damaged, its '{next(iter(damage))}' must be .*; got .*: mend it, or delete it to go by the names",
        ):
            read(path)


@pytest.mark.parametrize("text", ["[1]", "{half", "null", "\x00"])
def test_a_provenance_that_is_no_record_is_a_sentence(tmp_path, text):
    path, sidecar = exported(tmp_path)
    sidecar.write_text(text)
    with pytest.raises(
        ReweightvizError,
        match="a.yaml.provenance.json: the provenance is damaged, .*: mend it, or delete it",
    ):
        check(path)
    rv.export(MIXTURE, "levanter", path, sources=SOURCES, overwrite=True)
    assert check(path).recognised == "provenance"
