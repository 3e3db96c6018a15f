"""What holds for every exporter: round trips, units, provenance, files that are there already."""

from __future__ import annotations

import math
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reweightviz import exporters
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters import provenance

AWKWARD = ["no", "on", "Null", "1.5", "0x1F", "1_000", "2024-01-01", "a: b", "- c", "# d", "'", '"', "\n", "\x85\u2028", "\x7f\x00\x1b",
           "~", "!tag", "&a", "*a", "{x}", "<b>HTML</b>", "../../etc/passwd", "/abs", "🦜 émoji", "x" * 300, " ", "", "Web", "web",
           "web\\n", "%", "|", ">", "\ufeff", "\U0010ffff", "=", "<<", "domains", "provenance"]
names = st.one_of(st.sampled_from(AWKWARD), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
weights = st.one_of(st.just(0.0), st.floats(1e-6, 1.0))
FRAMEWORKS = sorted(exporters.FRAMEWORKS)


def sources_of(mixture: Mixture) -> Sources:
    return Sources({d: Source(1e9 * (i + 1), documents=1e6, paths=(f"data/{i}/part_text_document",))
                    for i, d in enumerate(mixture)})


def written(framework: str, mixture: Mixture, folder: Path, **options) -> Path:
    return exporters.find(framework).write(mixture, folder / "out", sources=sources_of(mixture), **options)


def main_file(path: Path) -> Path:
    return path / "mixture.yaml" if path.is_dir() else path


def all_text(path: Path) -> str:
    return "".join(file.read_text("utf-8") for file in sorted(path.parent.rglob("*")) if file.is_file())


@pytest.mark.parametrize("framework", FRAMEWORKS)
@settings(deadline=None, max_examples=60)
@given(table=st.dictionaries(names, weights, min_size=1, max_size=8))
def test_what_is_read_back_is_what_was_written(framework, table):
    if not any(table.values()):
        table |= {"web": 1.0}
    mixture = Mixture.normalized(table, source={"method": "test", "array": np.ones(2), "no": math.inf})
    with tempfile.TemporaryDirectory() as folder:
        path = written(framework, mixture, Path(folder))
        back = exporters.find(framework).read(path)
    assert back.domains == mixture.domains
    assert {d for d in back if back[d]} == {d for d in mixture if mixture[d]}
    np.testing.assert_allclose(back.array, mixture.array, rtol=5e-3 if framework == "huggingface" else 1e-12)
    assert back.source["method"] == "test"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_all_awkward_names_at_once(framework, tmp_path):
    mixture = Mixture.uniform(AWKWARD)
    assert exporters.find(framework).read(written(framework, mixture, tmp_path)).domains == tuple(AWKWARD)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_file_says_its_unit_where_it_came_from_and_what_was_dropped(framework, tmp_path):
    mixture = Mixture({"web": 0.75, "code": 0.25, "spam": 0.0}, source={"method": "olmix", "kl": 0.1})
    text = all_text(written(framework, mixture, tmp_path, tokens=1e9))
    for part in (exporters.find(framework).UNIT, "reweightviz", "olmix", "spam", "epochs"):
        assert part in text


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_file_that_is_there_is_kept_unless_overwrite(framework, tmp_path):
    old, new = Mixture({"web": 0.5, "code": 0.5}), Mixture({"web": 0.25, "code": 0.75})
    path = written(framework, old, tmp_path)
    before = all_text(path)
    with pytest.raises(ReweightvizError, match="exists already; pass overwrite=True"):
        written(framework, new, tmp_path)
    assert all_text(path) == before
    written(framework, new, tmp_path, overwrite=True)
    assert exporters.find(framework).read(path).array == pytest.approx([0.25, 0.75], rel=1e-3)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_place_that_does_not_exist_is_refused(framework, tmp_path):
    with pytest.raises(ReweightvizError, match="does not exist; create it first"):
        written(framework, Mixture({"web": 1.0}), tmp_path / "absent")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ReweightvizError, match="cannot write"):
        written(framework, Mixture({"web": 1.0}), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_failed_overwrite_loses_nothing(framework, tmp_path):
    path = written(framework, Mixture({"web": 0.5, "code": 0.5}), tmp_path)
    before = all_text(path)
    broken = {"sources": {"web": 1.0}, "tokens": 1e9}
    with pytest.raises(ReweightvizError):
        exporters.find(framework).write(Mixture({"web": 0.5, "code": 0.5}), path, overwrite=True, **broken)
    assert all_text(path) == before


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_too_many_epochs_are_said(framework, tmp_path):
    mixture = Mixture({"web": 0.5, "code": 0.5})
    with pytest.warns(ReweightvizWarning, match="more than 4 epochs at 1e\\+10 tokens: 'web' 5"):
        path = written(framework, mixture, tmp_path, tokens=1e10)
    assert '"web": 5.0' in all_text(path) or "'web' 5" in all_text(path)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        written(framework, mixture, tmp_path, tokens=1e10, max_epochs=10, overwrite=True)
    assert not any("more than" in str(one.message) for one in said)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_budget_without_the_tokens_of_a_domain_is_refused(framework, tmp_path):
    exporter, mixture = exporters.find(framework), Mixture({"web": 0.5, "code": 0.5})
    options = {"unit": "tokens"} if framework == "huggingface" else {}
    options |= {"prefix_dir": "/data"} if framework == "megatron" else {}
    with pytest.raises(ReweightvizError, match="epochs at a budget need sources="):
        exporter.write(mixture, tmp_path / "out", tokens=1e9, **options)
    with pytest.raises(ReweightvizError, match="'code' has a weight above 0 but no tokens"):
        exporter.write(mixture, tmp_path / "out", tokens=1e9, sources={"web": 1e9, "code": 0}, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_reading_what_is_not_there_or_is_something_else(framework, tmp_path):
    exporter = exporters.find(framework)
    with pytest.raises(ReweightvizError, match="cannot read .*absent.*: No such file"):
        exporter.read(tmp_path / "absent")
    for junk in ("", "hello", "[1, 2]", '{"weights": 3}', "\x00"):
        (tmp_path / "junk").write_text(junk)
        with pytest.raises(ReweightvizError):
            exporter.read(tmp_path / "junk")
    (tmp_path / "junk").write_bytes(b"\xff\xfe0.5 a")
    with pytest.raises(ReweightvizError):
        exporter.read(tmp_path / "junk")


def test_frameworks_are_found_by_alias_and_the_nearest_is_suggested():
    assert exporters.find("HF") is exporters.find("datasets") is exporters.huggingface
    assert exporters.find("Megatron-LM") is exporters.find("megatron_core") is exporters.megatron
    with pytest.raises(ReweightvizError, match="did you mean 'megatron'"):
        exporters.find("megatorn")
    with pytest.raises(ReweightvizError, match="no framework"):
        exporters.find("")
    for exporter in exporters.FRAMEWORKS.values():
        assert exporter.UNIT
        assert callable(exporter.write)
        assert callable(exporter.read)


@given(st.lists(names, unique=True, max_size=12))
def test_slugs_are_safe_and_unlike_each_other(domains):
    taken: list[str] = []
    for name in domains:
        taken.append(provenance.slug(name, {one.lower() for one in taken}))
    assert len({one.lower() for one in taken}) == len(domains)
    for one in taken:
        assert one.isascii()
        assert not set(one) & set('/\\ \n"') and not one.startswith((".", "-")) and 0 < len(one) <= 70
