"""Exports that a kill cut short, and configs that are not those that their provenance is of.

What is read is the old mixture or the new one, never the numbers of one by the sizes of another.
"""

import json

import pytest

import reweightviz as rv
from reweightviz import exporters
from reweightviz.exporters.check import check

OLD = rv.Mixture({"web": 0.5, "code": 0.5}, source={"method": "first"})
NEW = rv.Mixture({"web": 0.2, "code": 0.8}, source={"method": "second"})
FILES = {"web": ["data/web.jsonl"], "code": ["data/code.jsonl"]}
SMALL = rv.Sources(
    {name: {"tokens": 1e9, "documents": 1e6, "paths": paths} for name, paths in FILES.items()}
)
LARGE = rv.Sources(
    {
        "web": {"tokens": 1e9, "documents": 1e6, "paths": FILES["web"]},
        "code": {"tokens": 1e10, "documents": 1e6, "paths": FILES["code"]},
    }
)
NAMES = {
    "huggingface": "mix",
    "llama-factory": "mix",
    "dataflex": "mix",
    "trl": "mix.yaml",
    "fms-hf-tuning": "mix.yaml",
    "axolotl": "mix.yaml",
    "lingua": "mix.yaml",
    "torchtune": "mix.yaml",
    "webdataset": "mix.py",
    "json": "mix.json",
    "csv": "mix.csv",
}


def export(mixture, framework, path, sources, **options):
    return rv.export(
        mixture, framework, path, sources=sources, tokens=1e8, overwrite=True, **options
    )


@pytest.mark.parametrize("framework", NAMES)
def test_a_kill_between_two_renames_leaves_the_old_mixture(framework, tmp_path, is_killed_at):
    path = tmp_path / NAMES[framework]
    nth = 0
    while True:
        export(OLD, framework, path, SMALL)
        if not is_killed_at(nth, lambda: export(NEW, framework, path, LARGE)):
            break
        report = check(path)
        if report.ok:
            found = rv.load_mixture(path)
            assert dict(found) == pytest.approx(dict(OLD))
            assert found.source["method"] == "first"
        else:
            # DataFlex has the proportions in two files, and sees that they differ.
            assert framework == "dataflex"
        export(NEW, framework, path, LARGE)
        found = rv.load_mixture(path)
        assert dict(found) == pytest.approx(dict(NEW))
        assert not check(path).notes
        assert not list(path.parent.rglob(".*.draft"))
        nth += 1
    assert nth >= 2


def test_a_second_kill_still_leaves_the_first_mixture(tmp_path, is_killed_at):
    path = tmp_path / "mix.yaml"
    export(OLD, "trl", path, SMALL)
    third = rv.Mixture({"web": 0.9, "code": 0.1})
    assert is_killed_at(1, lambda: export(NEW, "trl", path, LARGE))
    assert is_killed_at(1, lambda: export(third, "trl", path, LARGE))
    assert dict(rv.load_mixture(path)) == pytest.approx(dict(OLD))
    record = json.loads((tmp_path / "mix.yaml.provenance.json").read_text())
    assert "before" not in record["before"], "it does not grow with every export"


def test_an_old_file_that_is_put_back_is_read_as_it_was(tmp_path):
    path = export(OLD, "trl", tmp_path / "mix.yaml", SMALL)
    kept = path.read_text()
    export(NEW, "trl", path, LARGE)
    path.write_text(kept)
    found = rv.load_mixture(path)
    assert dict(found) == pytest.approx(dict(OLD))
    assert found.source["method"] == "first"
    (note,) = [note for note in check(path).notes if "edited since" in note]
    assert note.endswith("or that export was cut short: they are those that it replaced.")


def test_a_merge_that_was_cut_short_reads_as_before_it(tmp_path, is_killed_at):
    text = "datasets:\n- path: data/web.jsonl\n  fraction: 0.5\n- path: data/code.jsonl\n  fraction: 0.5\n"
    theirs = tmp_path / "mix.yaml"
    theirs.write_text(text)
    before = rv.load_mixture(theirs, "trl", sources=SMALL)

    def merge():
        rv.export(NEW, "trl", theirs, sources=LARGE, tokens=1e8, merge=True)

    # Before it lie the backup and the provenance.
    assert is_killed_at(2, merge)
    assert (tmp_path / "mix.yaml.provenance.json").exists()
    assert theirs.read_text() == text
    assert dict(rv.load_mixture(theirs, "trl", sources=SMALL)) == dict(before)
    with pytest.raises(rv.ReweightvizError, match="documents of 'web', 'code': pass sources="):
        rv.load_mixture(theirs, "trl")


def test_sizes_of_other_numbers_are_not_used(tmp_path):
    path = export(OLD, "trl", tmp_path / "mix.yaml", SMALL)
    other = export(NEW, "trl", tmp_path / "other.yaml", LARGE)
    path.write_text(other.read_text())
    with pytest.raises(
        rv.ReweightvizError,
        match=r"tokens and documents of 'web', 'code' \(the sizes in mix.yaml.provenance.json are "
        r"of other numbers\): pass sources=\.",
    ):
        rv.load_mixture(path)
    assert dict(rv.load_mixture(path, sources=LARGE)) == pytest.approx(dict(NEW))
    report = check(path)
    assert "share" not in report.table
    assert any("pass sources=" in note for note in report.notes)


def test_a_path_that_meant_another_domain_before_is_no_name(tmp_path):
    path = tmp_path / "mix.yaml"
    swapped = LARGE.with_paths({"web": FILES["code"], "code": FILES["web"]})
    export(NEW, "lingua", path, LARGE, unit="tokens")
    export(NEW, "lingua", path, swapped, unit="tokens")
    assert dict(rv.load_mixture(path)) == pytest.approx(dict(NEW))
    path.write_text(path.read_text().replace("0.8", "0.6"))
    # The names in the file itself, which leave no doubt.
    edited = rv.load_mixture(path)
    assert dict(edited) == pytest.approx({"code.jsonl": 0.25, "web.jsonl": 0.75})


def test_a_file_of_another_export_in_the_folder_is_told(tmp_path):
    path = export(OLD, "llama-factory", tmp_path / "mix", SMALL)
    assert not check(path).notes
    info = path / "dataset_info.json"
    info.write_bytes(info.read_bytes().replace(b"\n", b"\r\n"))
    assert not check(path).notes, "a file with other line ends is the same"
    info.write_text(info.read_text().replace("web.jsonl", "other.jsonl"))
    (note,) = check(path).notes
    assert note.startswith("dataset_info.json is not the one that was written with mixture.yaml")


def test_the_provenance_of_the_file_in_a_folder_is_renewed(tmp_path):
    folder = tmp_path / "mix"
    export(OLD, "huggingface", folder, SMALL)
    (folder / "provenance.json").rename(folder / "mixture.yaml.provenance.json")
    export(NEW, "huggingface", folder, LARGE)
    assert rv.load_mixture(folder).source["method"] == "second"
    assert not (folder / "provenance.json").exists()


@pytest.mark.parametrize("before", [3, {"sizes": "many"}, {"names": ["a"]}, {"before": {}}])
def test_a_damaged_record_before_is_a_sentence(tmp_path, before):
    path = export(OLD, "trl", tmp_path / "mix.yaml", SMALL)
    sidecar = tmp_path / "mix.yaml.provenance.json"
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"before": before}))
    with pytest.raises(rv.ReweightvizError, match="its 'before' must be a record"):
        rv.load_mixture(path)


def test_the_unit_of_energon_is_that_of_its_own_record(tmp_path):
    path = tmp_path / "meta.yaml"
    options = {"form": "energon"}
    export(OLD, "nemo", path, SMALL, **options)
    for unit, sources in (("tokens", SMALL), ("examples", LARGE), ("tokens", LARGE)):
        export(NEW, "nemo", path, sources, unit=unit, **options)
        found = rv.load_mixture(path)
        assert dict(found) == pytest.approx(dict(NEW))
        assert found.source["method"] == "second"
    kept = path.read_text()
    export(OLD, "nemo", path, LARGE, unit="examples", **options)
    path.write_text(kept)
    assert dict(rv.load_mixture(path)) == pytest.approx(dict(NEW))
    assert exporters.find("nemo").open(path).record["unit_key"] == "examples"
