"""open-instruct: rows or parts by the point of an amount, its older mapping, and its own source loading the file."""

from __future__ import annotations

import json
import warnings

import pytest
import yaml

import reweightviz as rv
from reweightviz import exporters
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source

INSTRUCT = exporters.find("open-instruct")
OLD = """\
model_name_or_path: base
dataset_mixer:
  org/small: 500
  org/half: 0.5
  org/whole: 1.0
max_seq_length: 4096
num_train_epochs: 2
"""
ROWS = {"web": 1000, "code": 400, "math": 50}


def word_sources(folder):
    rows = {}
    for name, count in ROWS.items():
        (folder / f"{name}.jsonl").write_text((json.dumps({"text": name}) + "\n") * count)
        rows[name] = Source(count * 10, count, (str(folder / f"{name}.jsonl"),))
    return rows


@pytest.mark.checkout("open-instruct")
@pytest.mark.optional("datasets")
@pytest.mark.golden("open-instruct", "its own source e6c3044: load_dataset_configs of the list")
@pytest.mark.parametrize("tokens", [None, 12e3])
def test_open_instruct_takes_the_asked_rows(tmp_path, load_with, checkouts, tokens):
    mixture = Mixture({"web": 0.7, "code": 0.2, "math": 0.1})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = INSTRUCT.write(
            mixture, tmp_path / "sft.yaml", sources=word_sources(tmp_path), tokens=tokens
        )
    found = load_with(
        "open_instruct_load.py",
        source=checkouts / "open-instruct",
        config=file,
        key="dataset_mixer_list",
    )
    rows = found["rows"]
    assert all(
        abs(rows[name] / sum(rows.values()) - share) < 0.002 for name, share in mixture.items()
    )
    if tokens:
        assert rows == {"web": 840, "code": 240, "math": 120}
    assert dict(INSTRUCT.read(file)) == pytest.approx(dict(mixture), rel=1e-9)


@pytest.mark.checkout("open-instruct")
@pytest.mark.optional("datasets")
@pytest.mark.golden("open-instruct", "its own source e6c3044: rows, parts, zeros and a name twice")
def test_open_instruct_reads_what_is_read(tmp_path, load_with, checkouts):
    sources = word_sources(tmp_path)
    amounts = [("web", "0.5"), ("code", "700"), ("math", "0.0"), ("web", "1")]
    words = [word for name, amount in amounts for word in (str(tmp_path / f"{name}.jsonl"), amount)]
    file = tmp_path / "dpo.yaml"
    file.write_text(yaml.safe_dump({"mixer_list": words, "mixer_list_splits": ["train"]}))
    found = load_with(
        "open_instruct_load.py", source=checkouts / "open-instruct", config=file, key="mixer_list"
    )
    assert found["rows"] == {"web": 501, "code": 700, "math": 0}
    assert rv.check(file).framework == "open-instruct"
    assert dict(rv.load_mixture(file, sources=sources)) == pytest.approx(
        {"web": 501 / 1201, "code": 700 / 1201, "math": 0.0}
    )
    file.write_text(yaml.safe_dump({"mixer_list": [words[0], 0.5], "mixer_list_splits": ["train"]}))
    assert "put 0.5 in quotes" in rv.check(file).refused[0]
    with pytest.raises(AssertionError, match="argument of type 'float' is not iterable"):
        load_with(
            "open_instruct_load.py",
            source=checkouts / "open-instruct",
            config=file,
            key="mixer_list",
        )


def test_rows_are_no_passes(tmp_path):
    """78 configs of allenai/open-instruct were taken for alignment-handbook's."""
    file = tmp_path / "mixer.yaml"
    file.write_text(OLD)
    report = rv.check(file)
    assert report.framework == "open-instruct"
    assert report.ok
    assert report.table.set_index("domain")["epochs"].to_dict() == pytest.approx(
        {"small": float("nan"), "half": 0.5, "whole": 1.0}, nan_ok=True
    )
    assert any("500 of 'org/small'" in trap for trap in report.traps)
    with pytest.raises(ReweightvizError, match="rows of 'org/small' stand beside passes of others"):
        rv.load_mixture(file)
    sources = {name: Source(10e3, 1e3) for name in ("small", "half", "whole")}
    assert dict(rv.load_mixture(file, sources=sources)) == {
        "small": 0.25,
        "half": 0.25,
        "whole": 0.5,
    }


def test_rows_alone_are_shares_of_examples(tmp_path):
    file = tmp_path / "mixer.yaml"
    file.write_text("dataset_mixer:\n  org/a: 300\n  org/b: 100\nmax_seq_length: 1\n")
    report = rv.check(file)
    assert list(report.table["share_of_examples"]) == [0.75, 0.25]
    assert report.table["epochs"].isna().all()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("dataset_mixer_list: [a, '1.0', b]", "names and amounts in turn; it has 3 items"),
        ("dataset_mixer_list: [a, half]", "that of 'a' is none"),
        ("dataset_mixer_list: [a, '0.0']", "no dataset is taken at all"),
        (
            "dataset_mixer_list: [a, '1.0', b, '1.0']\ndataset_mixer_list_splits: [x, y, z]",
            "has 3 splits for 2 datasets",
        ),
        ("dataset_mixer_list: [a, '1.0']\ndataset_mixer: {a: 1.0}", "take dataset_mixer out"),
    ],
)
def test_what_open_instruct_would_refuse(tmp_path, content, sentence):
    (tmp_path / "sft.yaml").write_text(content)
    assert sentence in " ".join(rv.check(tmp_path / "sft.yaml").refused)


def test_a_merge_keeps_the_order_the_key_and_the_splits(tmp_path):
    file = tmp_path / "dpo.yaml"
    file.write_text(
        "# mine\nmixer_list: [org/code, '1.0', org/web, '0.5']\n"
        "mixer_list_splits: [test, train]\nbeta: 5\n"
    )
    sources = {"web": Source(1e6, 1e3, ("org/web",)), "code": Source(1e6, 1e3, ("org/code::test",))}
    INSTRUCT.write(Mixture({"web": 0.8, "code": 0.2}), file, sources=sources, merge=True)
    assert yaml.safe_load(file.read_text()) == {
        "mixer_list": ["org/code", "0.25", "org/web", "1.0"],
        "mixer_list_splits": ["test", "train"],
        "beta": 5,
    }


def test_a_configuration_of_the_hub_has_no_place(tmp_path):
    with pytest.raises(ReweightvizError, match="one dataset of the Hub without a configuration"):
        INSTRUCT.write(
            Mixture({"web": 1.0}), tmp_path / "a.yaml", sources={"web": Source(1, 1, ("org/a:en",))}
        )


def test_a_command_line_holds_the_amounts_as_they_stand():
    report = rv.check(
        "python open_instruct/finetune.py --dataset_mixer_list org/web 0.7 org/code 1.0"
    )
    assert (report.framework, report.ok) == ("open-instruct", True)
    assert report.table["number"].tolist() == [0.7, 1.0]
