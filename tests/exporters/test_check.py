"""What check says of a config: whose it is, its unit, its shares and epochs, what would be refused, what to know of."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reweightviz as rv
from reweightviz import exporters
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.check import check
from reweightviz.exporters.document import Document
from reweightviz.exporters.recognise import read_paths, recognise

FRAMEWORKS = sorted(exporters.FRAMEWORKS)
MIXTURE = rv.Mixture(
    {"web": 0.625, "code": 0.25, "math": 0.125, "spam": 0.0}, source={"method": "test"}
)
SOURCES = Sources(
    {
        name: Source(1e9 * (i + 1), 1e6, (f"data/{i}/part_text_document",))
        for i, name in enumerate(MIXTURE)
    }
)
FILES = ("ray",)
"""Frameworks that must know a file by its ending."""


def export(framework: str, folder: Path, mixture=MIXTURE, **options) -> Path:
    files = {domain: f"data/{domain}.jsonl" for domain in SOURCES}
    sources = SOURCES.with_paths(files) if framework in FILES else SOURCES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rv.export(
            mixture,
            framework,
            folder / f"out{exporters.find(framework).suffix}",
            sources=sources,
            **options,
        )


def strip_provenance(path: Path) -> None:
    for sidecar in path.parent.rglob("*provenance.json"):
        sidecar.unlink()


def rows(report) -> dict:
    return report.table.set_index("domain").to_dict("index")


# ---- what was exported is recognised, and fine


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_was_exported_is_recognised_and_would_not_be_refused(framework, tmp_path):
    path = export(framework, tmp_path, tokens=1e9)
    report = check(path)
    assert (report.framework, report.recognised, report.refused, report.ok) == (
        framework,
        "provenance",
        (),
        True,
    )
    assert not [note for note in report.notes if "edited" in note]
    assert report.unit == exporters.find(framework).units[0].sentence
    shares = rows(report)
    for domain, weight in MIXTURE.items():
        assert shares[domain]["share"] == pytest.approx(weight, rel=1e-3)
        assert shares[domain]["epochs"] == pytest.approx(
            weight * 1e9 / SOURCES[domain].tokens, rel=1e-3
        )
    assert rv.load_mixture(path).array == pytest.approx(MIXTURE.array, rel=1e-3)
    strip_provenance(path)
    bare = check(path)
    assert (bare.framework, bare.recognised, bare.refused) == (framework, "content", ())
    assert recognise(path) is exporters.find(framework)
    assert check(path, framework).recognised == "asked"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_edit_is_said(framework, tmp_path):
    path = export(framework, tmp_path)
    main = exporters.find(framework).open(path).path
    other = export(
        framework,
        tmp_path,
        rv.Mixture({"web": 0.5, "code": 0.25, "math": 0.25, "spam": 0.0}),
        overwrite=True,
    )
    kept = main.read_text()
    export(framework, tmp_path, overwrite=True)
    main.write_text(kept)
    assert any(
        note.startswith("The weights were edited since reweightviz") for note in check(other).notes
    )


@pytest.mark.parametrize(
    "framework", [name for name in FRAMEWORKS if exporters.find(name).takes_schedules]
)
def test_every_stage_of_a_schedule_is_shown(framework, tmp_path):
    late = rv.Mixture({"web": 0.125, "code": 0.25, "math": 0.625, "spam": 0.0})
    path = export(
        framework, tmp_path, rv.Schedule({0: MIXTURE, 1024: late}, steps=4096), tokens=1e9
    )
    math = rows(check(path))["math"]
    assert (math["share@0"], math["share@1024"]) == pytest.approx((0.125, 0.625))
    assert math["epochs"] == pytest.approx(
        (0.125 * 0.25 + 0.625 * 0.75) * 1e9 / SOURCES["math"].tokens
    )
    assert list(rv.load_schedule(path)) == [0, 1024]


@settings(max_examples=60)
@given(
    text=st.one_of(
        st.text(max_size=80),
        st.sampled_from(
            [
                "data: 3",
                "data: {train_weights: 3}",
                "datasets: 5",
                "datasets: [1, 2]",
                "datasets: [{}]",
                "sources: {a: 1}",
                "- 1\n- 2",
                "streams: [x]",
                "mix: no",
                "a: &a [*a]",
                "dataset: {dataset_folder: 3}",
                "data_stages: [3]",
                '{"train": 3}',
                "f(1)",
                "f(*a, **b)",
                "x = interleave_datasets",
                "0.5 a",
                "--data-path",
                "train_data_paths: 3",
                "mixers: {static: 3}",
                "domain,weight\n",
                "weights: {a: b}",
                '{"weights": [1]}',
                "dataset_mixture: {datasets: 3}",
            ]
        ),
    ),
    suffix=st.sampled_from([".yaml", ".py", ".json", ".csv", ""]),
)
def test_asking_whose_file_it_is_never_fails(text, suffix):
    document = Document(Path(f"absent/config{suffix}"), text)
    for framework in FRAMEWORKS:
        assert isinstance(exporters.find(framework).recognises(document), bool)


def test_a_python_config_is_never_run(tmp_path):
    mark = tmp_path / "ran"
    config = tmp_path / "config.py"
    config.write_text(
        f'open({str(mark)!r}, "w").write("x")\nmixed = interleave_datasets([open({str(mark)!r}, "w"), b], probabilities=[0.75, 0.25])\n'
    )
    report = check(config)
    assert report.framework == "huggingface"
    assert not mark.exists()
    assert report.table["number"].tolist() == [0.75, 0.25]


# ---- whose it is


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "x.yaml",
            "model: gpt2\nlr: 3\n",
            "is no config that is known here, it holds the keys 'model', 'lr'; name the framework with framework=, one of 'alig",
        ),
        ("x.yaml", "- 1\n", "it holds a list"),
        ("x.yaml", "", "it holds nothing"),
        ("x.py", "import os\nos.system(f(2))\n", "it holds Python that calls 'f', 'system'"),
        ("x.txt", "hello world", "it holds text that begins with 'hello world'"),
    ],
)
def test_what_no_framework_knows_is_named(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(ReweightvizError, match=sentence):
        check(tmp_path / name)


def test_what_several_know_is_asked_about(tmp_path, monkeypatch):
    monkeypatch.setattr(exporters.Exporter, "recognises", lambda *_: True)
    for exporter in exporters.FRAMEWORKS.values():
        monkeypatch.setattr(type(exporter), "recognises", lambda *_: True)
    (tmp_path / "x.yaml").write_text("a: 1")
    with pytest.raises(
        ReweightvizError, match="could be a config of .*'levanter'.*: name one with framework="
    ):
        recognise(tmp_path / "x.yaml")


def test_a_folder_is_known_by_the_config_in_it(tmp_path):
    path = export("huggingface", tmp_path)
    assert recognise(path).name == recognise(path / "mixture.yaml").name == "huggingface"
    (path / "mixture.yaml").unlink()
    with pytest.raises(
        ReweightvizError,
        match=r"is a folder without a config of a framework \(.*'mixture.yaml'.*\); it has 'load_mixture.py'",
    ):
        recognise(path)
    with pytest.raises(ReweightvizError, match="cannot read .*absent"):
        recognise(tmp_path / "absent")


def test_an_unknown_framework_is_suggested(tmp_path):
    with pytest.raises(ReweightvizError, match="did you mean 'levanter'"):
        check(export("levanter", tmp_path), "levnter")


def test_provenance_of_a_framework_that_is_not_known_here_is_passed_over(tmp_path):
    path = export("megatron", tmp_path)
    sidecar = path.with_name(path.name + ".provenance.json")
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"framework": "a later one"}))
    assert check(path).recognised == "content"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("notes.txt", "2024 report on things to do\n"),
        ("nums.txt", "1 2\n3 4\n"),
        ("list.json", "[1, 2, 3]"),
        (".gitlab-ci.yml", "stages:\n- build\n- test\n"),
        ("coco.json", '{"train": ["a.jpg"], "valid": ["b.jpg"]}'),
        ("splits.json", '{"train": [1, 2, 3], "test": [4]}'),
        ("script.sh", "python t.py --data-path /imagenet --lr 0.1\n"),
        ("people.csv", "name,weight\nann,60\n"),
        ("data.jsonl", '{"text": "a", "weight": 1}\n{"text": "b", "weight": 2}\n'),
        ("package.json", '{"name": "x", "dependencies": {}}'),
    ],
)
def test_files_of_other_kinds_are_not_taken_for_configs(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(ReweightvizError, match="is no config that is known here"):
        recognise(tmp_path / name)


def test_two_frameworks_in_one_python_file_are_asked_about(tmp_path):
    (tmp_path / "c.py").write_text("interleave_datasets(**x)\nRandomMix(*y)\n")
    with pytest.raises(
        ReweightvizError, match="could be a config of 'huggingface', 'webdataset': name one"
    ):
        check(tmp_path / "c.py")


# ---- what is said of it


def test_refusals_come_with_no_shares(tmp_path):
    (tmp_path / "blend").write_text("0.7 /d/web 0 /d/code\n")
    report = rv.check(tmp_path / "blend")
    assert not report.ok
    assert "finite weight above 0" in report.refused[0]
    assert report.table["share"].isna().all()
    with pytest.raises(ReweightvizError, match="finite weight above 0"):
        rv.load_mixture(tmp_path / "blend")


def test_documents_without_sizes_are_shown_as_shares_of_examples(tmp_path):
    call = "interleave_datasets([a, b], probabilities=[0.8, 0.2], stopping_strategy=%r)"
    (tmp_path / "c.py").write_text(call % "all_exhausted")
    report = check(tmp_path / "c.py")
    assert report.ok
    assert "share" not in report.table
    assert report.table["share_of_examples"].tolist() == [0.8, 0.2]
    assert any(
        "need the tokens and documents of 'a', 'b': pass sources=. The shares shown are of examples."
        in note
        for note in report.notes
    )
    assert "share of examples" in str(report)
    sources = {"a": Source(8e9, 1e6), "b": {"tokens": "1B", "documents": "1M"}}
    known = check(tmp_path / "c.py", sources=sources, tokens="66B")
    assert known.table["share"].tolist() == pytest.approx([32 / 33, 1 / 33])
    assert known.table["epochs"].tolist() == pytest.approx([8, 2])
    # By default the data end with the first dataset that is used up.
    (tmp_path / "c.py").write_text("interleave_datasets([a, b], probabilities=[0.8, 0.2])")
    ending = check(tmp_path / "c.py", sources=sources, tokens="66B")
    assert ending.table["epochs"].tolist() == pytest.approx([1, 0.25])
    assert "ends when 'a' is used up, at 8.25e+09 of 6.6e+10 tokens" in " ".join(ending.traps)
    assert known.traps[-2:] == (
        "More than 4 passes over a domain at 6.6e+10 tokens: 'a' 8.",
        *exporters.find("hf").traps,
    )


def test_the_cap_of_the_provenance_is_kept(tmp_path):
    path = export("levanter", tmp_path, tokens=4e9, max_epochs=3)
    assert not [trap for trap in check(path).traps if "passes over" in trap]
    assert (
        "More than 3 passes over a domain at 8e+09 tokens: 'web' 5."
        in check(path, sources=SOURCES, tokens=8e9).traps
    )


def test_epochs_follow_an_edit_only_where_the_sources_are_known(tmp_path):
    path = export("megatron", tmp_path, tokens=1e9)
    path.write_text(path.read_text().replace("0.625 ", "1.625 "))
    assert check(path).table["epochs"].isna().all()
    assert any("Epochs are not known" in note for note in check(path).notes)
    assert rows(check(path, sources=SOURCES))["web"]["epochs"] == pytest.approx(0.8125)
    assert any(
        "no token count for 'web'" in note
        for note in check(path, sources={"code": 1e9}, tokens=1e9).notes
    )
    infinite = Sources(
        {
            domain: Source(0.0 if domain == "web" else source.tokens)
            for domain, source in SOURCES.items()
        }
    )
    assert any("'web' inf" in trap for trap in check(path, sources=infinite).traps)


def test_files_of_text_in_a_config_that_wants_prepared_data_are_said(tmp_path):
    (tmp_path / "blend").write_text("0.8 data/web.jsonl 0.2 data/code_text_document\n")
    report = check(tmp_path / "blend", "megatron")
    assert (
        "Megatron reads indexed datasets (.bin and .idx) by their prefix, not files of text; this names 'data/web.jsonl'."
        in report.traps
    )
    (tmp_path / "blend").write_text("0.8 data/web_text_document 0.2 data/code_text_document\n")
    assert not any("files of text" in trap for trap in check(tmp_path / "blend", "megatron").traps)


def test_copies_are_epochs(tmp_path):
    passes = [
        name
        for name in FRAMEWORKS
        if exporters.find(name).units[0].passes and exporters.find(name).largest_number > 10
    ]
    assert passes == ["axolotl", "dclm", "open-instruct"]
    for framework in passes:
        (tmp_path / framework).mkdir()
        path = export(framework, tmp_path / framework, tokens=8e9)
        strip_provenance(path)
        assert check(path).table["epochs"].max() == pytest.approx(5, rel=0.01)


def test_words_that_pyyaml_reads_otherwise_are_said(tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text(
        "lr: 1e-4\ndata:\n  stop_strategy: restart\n  components: {no: {}, web: {}}\n  train_weights:\n    no: 1e-1\n    web: 0.9\n"
    )
    traps = [trap for trap in check(config).traps if "PyYAML" in trap]
    assert len(traps) == 3
    assert (
        "Line 6: PyYAML, with which most frameworks read YAML, takes the bare 'no' for the truth value false: put it in quotes."
        in traps
    )
    assert (
        "Line 6: PyYAML, with which most frameworks read YAML, takes the bare '1e-1' for text: write 0.1 for the number, or put it in quotes."
        in traps
    )
    config.write_text(config.read_text().replace("no:", '"no":').replace("1e-1", "0.1"))
    assert not [trap for trap in check(config).traps if "PyYAML" in trap]
    (tmp_path / "mix").write_text('{"weights": {"no": 1e-1, "web": 0.9}}')
    assert check(tmp_path / "mix", "json").traps == ()


def test_paths_of_a_config_are_found_by_domain(tmp_path):
    assert read_paths(export("megatron", tmp_path)) == {
        domain: [*SOURCES[domain].paths] for domain in ("web", "code", "math")
    }


# ---- how it reads


def report_of(tmp_path, *names):
    sources = {name: Source(1e9 * (i + 1), 1e6, (f"d/{i}",)) for i, name in enumerate(names)}
    return check(
        rv.export(
            rv.Mixture.uniform(names), "levanter", tmp_path / "c.yaml", sources=sources, tokens=1e9
        )
    )


def test_the_plain_text_of_a_report(tmp_path):
    path = export("levanter", tmp_path, tokens=1e9)
    shutil.move(path, tmp_path / "config.yaml")
    sidecar = tmp_path / "out.provenance.json"
    (tmp_path / "config.yaml.provenance.json").write_text(
        sidecar.read_text().replace('"file": "out"', '"file": "config.yaml"')
    )
    lines = str(check(tmp_path / "config.yaml")).splitlines()
    assert lines[0] == f"{tmp_path}/config.yaml: Levanter, known by its provenance"
    assert (
        lines[1]
        == "A weight is a share of training sequences of one fixed length, which is a share of tokens."
    )
    assert lines[3:8] == [
        "domain  number  share of tokens  epochs",
        "web      0.625          62.50 %   0.625",
        "code      0.25          25.00 %   0.125",
        "math     0.125          12.50 %  0.0417",
        "spam         –           0.00 %       0",
    ]
    assert "To know:" in lines


def test_names_from_outside_stay_text(tmp_path):
    names = ["<b>web</b>", "a|b", "\x1b[31mred", "[x](http://y)", "new\nline"]
    report = report_of(tmp_path, *names)
    plain, html, markdown = str(report), report._repr_html_(), report._repr_markdown_()
    assert "\x1b" not in plain + html + markdown
    assert "\\x1b[31mred" in plain
    assert "<b>web</b>" in plain
    assert "&lt;b&gt;web&lt;/b&gt;" in html
    assert "<b>web" not in html + markdown
    assert "| a\\|b |" in markdown
    assert "\\[x\\](http\\://y)" in markdown
    assert "new\\nline" in plain


def test_a_report_as_json(tmp_path):
    content = json.loads(json.dumps(check(export("megatron", tmp_path)).to_dict(), allow_nan=False))
    assert content["ok"] is True
    assert content["table"][0] == {
        "domain": "web",
        "name": "data/0/part_text_document",
        "number": 0.625,
        "share": 0.625,
        "epochs": None,
    }
    assert content["table"][3] == {
        "domain": "spam",
        "name": None,
        "number": None,
        "share": 0.0,
        "epochs": None,
    }


NANOTRON_TWICE = """data_stages:
- name: stable
  start_training_step: 1
  data:
    dataset: {dataset_folder: [s3://b/web, s3://b/code], dataset_weights: [0.7, 0.3]}
model:
  moe_config: null
  moe_config: {num_experts: 8}
"""


def test_a_key_that_stands_twice_is_refused_only_where_the_loader_refuses_it(tmp_path):
    (tmp_path / "c.yaml").write_text(NANOTRON_TWICE)
    report = check(tmp_path / "c.yaml")
    assert not report.refused
    assert report.traps[0] == (
        "of a key that stands twice in one mapping the last is taken: 'moe_config' (line 8)."
    )
    assert rv.load_mixture(tmp_path / "c.yaml") == {"web": 0.7, "code": 0.3}
    # Lingua reads with OmegaConf, whose 2.4.0 raises "found duplicate key".
    (tmp_path / "l.yaml").write_text(
        "data: {root_dir: d, sources: {web: 7, code: 3}}\na: 1\na: 2\n"
    )
    report = check(tmp_path / "l.yaml")
    assert report.refused == (
        "OmegaConf, with which Lingua reads YAML, refuses a key that stands twice in one mapping: "
        "keep one 'a' (line 3).",
    )
    with pytest.raises(ReweightvizError, match="keep one 'a'"):
        rv.load_mixture(tmp_path / "l.yaml")


def test_a_merge_into_a_file_with_a_key_twice_says_which_to_mend(tmp_path):
    (tmp_path / "c.yaml").write_text(NANOTRON_TWICE)
    with pytest.raises(ReweightvizError, match=r"has the key 'moe_config' twice .*\(line 8\)"):
        rv.export(
            {"web": 0.5, "code": 0.5},
            "nanotron",
            tmp_path / "c.yaml",
            sources={
                "web": {"tokens": 1e9, "paths": ["s3://b/web"]},
                "code": {"tokens": 1e9, "paths": ["s3://b/code"]},
            },
            merge=True,
        )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "data_stages:\n- name: a\n  start_training_step: 1\n  data: {dataset: {hf_dataset_or_datasets: x}}\n",
            "trains on hf_dataset_or_datasets in every stage, which has no weights",
        ),
        (
            "base_model: m\npretraining_dataset:\n- path: org/web\n",
            "streams one dataset alone, so Axolotl mixes nothing",
        ),
    ],
)
def test_a_config_that_its_framework_takes_without_a_mixture_is_not_called_refused(
    text, sentence, tmp_path
):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ReweightvizError, match=sentence):
        check(path)
