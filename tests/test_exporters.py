"""The exporters one by one, each loaded by the framework itself."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import warnings
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters import huggingface, megatron

HERE = Path(__file__).parent / "frameworks"
MIXTURE = Mixture({"web": 0.7, 'co"de: no': 0.2, "🦜 math": 0.1, "spam": 0.0}, source={"method": "test"})
DRAWS = 2000


def run(script: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run([sys.executable, HERE / script, *arguments], capture_output=True, text=True, timeout=120, check=False,
                          env=os.environ | environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


# ---- Hugging Face datasets

WORDS = {"web": 10, 'co"de: no': 40, "🦜 math": 100, "spam": 10}


def word_sources(folder: Path) -> Sources:
    """Real JSON lines of DRAWS documents a domain, all documents of a domain of one length in words."""
    rows = {}
    for place, (name, size) in enumerate(WORDS.items()):
        line = json.dumps({"text": "w " * size, "source": name}) + "\n"
        (folder / f"{place}.jsonl").write_text(line * DRAWS, "utf-8")
        rows[name] = Source(size * DRAWS, DRAWS, (str(folder / f"{place}.jsonl"),))
    return Sources(rows)


@pytest.mark.golden("huggingface", "the real datasets library: 2,000 draws")
@pytest.mark.optional("datasets")
def test_hugging_face_draws_the_asked_share_of_tokens(tmp_path):
    folder = huggingface.write(MIXTURE, tmp_path / "mix", sources=word_sources(tmp_path), seed=3)
    found = json.loads(run("huggingface_load.py", str(folder), str(DRAWS), HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path)))
    entries = yaml.safe_load((folder / "mixture.yaml").read_text("utf-8"))["datasets"]
    for counts in (found["streamed"], found["in_memory"]):
        assert sum(counts.values()) == DRAWS
        assert set(counts) == {"web", 'co"de: no', "🦜 math"}
        for entry in entries:
            share, p = counts[entry["name"]] / DRAWS, entry["probability"]
            assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / DRAWS)
        words = {name: count * WORDS[name] for name, count in counts.items()}
        for name, count in words.items():
            assert count / sum(words.values()) == pytest.approx(MIXTURE[name], abs=0.05)


def test_hugging_face_probabilities_are_shares_of_documents_and_come_back_as_tokens(tmp_path):
    sources = {"web": Source(1e9, 1e7), "books": Source(1e9, 1e3)}
    folder = huggingface.write(Mixture({"web": 0.5, "books": 0.5}), tmp_path / "mix", sources=sources)
    web, books = yaml.safe_load((folder / "mixture.yaml").read_text("utf-8"))["datasets"]
    assert web["probability"] / books["probability"] == pytest.approx(1e4, rel=1e-3)
    assert (web["mean_tokens"], books["mean_tokens"]) == (100, 1e6)
    assert huggingface.read(folder).array == pytest.approx([0.5, 0.5], rel=1e-6)


def test_hugging_face_says_when_it_would_end_before_the_budget(tmp_path):
    sources = {"web": Source(8e9, 1e7), "code": Source(1e9, 1e7)}
    mixture = Mixture({"web": 0.75, "code": 0.25})
    with pytest.warns(ReweightvizWarning, match="ends when 'code' is used up, at 4e\\+09 of 8e\\+09 tokens; 'all_exhausted'"):
        huggingface.write(mixture, tmp_path / "mix", sources=sources, tokens=8e9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        huggingface.write(mixture, tmp_path / "all", sources=sources, tokens=8e9, stopping_strategy="all_exhausted")
        huggingface.write(mixture, tmp_path / "less", sources=sources, tokens=4e9)


def test_an_edit_of_the_yaml_is_followed_and_said(tmp_path):
    sources = {"web": Source(1e9, 1e7), "books": Source(1e9, 1e6), "spam": Source(1e9, 1e6)}
    mixture = Mixture({"web": 0.5, "spam": 0.0, "books": 0.5}, source={"method": "olmix"})
    file = huggingface.write(mixture, tmp_path / "mix", sources=sources) / "mixture.yaml"
    assert huggingface.read(file).source["method"] == "olmix"
    text = file.read_text("utf-8")
    web, books = (entry["probability"] for entry in yaml.safe_load(text)["datasets"])
    file.write_text(text.replace(repr(web), "0.5").replace(repr(books), "0.5"), "utf-8")
    edited = huggingface.read(file)
    assert dict(edited) == pytest.approx({"web": 1 / 11, "spam": 0.0, "books": 10 / 11})
    assert edited.source["method"] == "edited by hand"
    assert edited.source["before"] == {"method": "olmix"}
    file.write_text(text.replace(repr(web), "0.9"), "utf-8")
    with pytest.raises(ReweightvizError, match=r"must be >= 0 and sum to 1, or datasets refuses them; they sum to 0\.99"):
        huggingface.read(file)


def test_the_yaml_means_the_same_to_a_reader_of_yaml_1_1(tmp_path):
    names = ["no", "on", "1.5", "2024-01-01", "a: b\n# c", "🦜", "x" * 300, "\x85\u2028\ufeff"]
    folder = huggingface.write(Mixture.uniform(names), tmp_path / "mix", unit="tokens")
    content = yaml.safe_load((folder / "mixture.yaml").read_text("utf-8"))
    assert [entry["name"] for entry in content["datasets"]] == names
    assert sum(entry["probability"] for entry in content["datasets"]) == 1
    assert content["provenance"]["domains"] == names
    assert (content["seed"], content["stopping_strategy"], content["unit"]) == (42, "first_exhausted", "tokens")


@pytest.mark.parametrize(("paths", "place"), [
    (("a.jsonl.gz", "b.json"), {"path": "json", "data_files": ["a.jsonl.gz", "b.json"], "split": "train"}),
    (("x/*.parquet",), {"path": "parquet", "data_files": ["x/*.parquet"], "split": "train"}),
    (("org/name.v2",), {"path": "org/name.v2", "split": "train"}),
    ((), {}),
])
def test_hugging_face_paths(tmp_path, paths, place):
    folder = huggingface.write(Mixture({"web": 1.0}), tmp_path / "mix", sources={"web": Source(1e9, 1e6, paths)})
    entry, = yaml.safe_load((folder / "mixture.yaml").read_text("utf-8"))["datasets"]
    assert {key: entry[key] for key in ("path", "data_files", "split") if key in entry} == place


@pytest.mark.parametrize(("options", "sentence"), [
    ({}, "sources= must give tokens and documents of 'web', 'code'; unit='tokens' is for"),
    ({"sources": {"web": Source(1e9, 1e6), "code": 1e9}}, "tokens and documents of 'code'"),
    ({"sources": {"web": Source(1e9, 1e6), "code": Source(0, 1e6)}}, "tokens and documents of 'code'"),
    ({"unit": "token"}, "did you mean 'tokens'"),
    ({"stopping_strategy": "all_exhausted_without_replacement"}, "loses the weights"),
    ({"stopping_strategy": "all_exausted"}, "did you mean 'all_exhausted'"),
    ({"seed": 1.5}, "seed must be a whole number >= 0; got 1.5"),
    ({"unit": "tokens", "sources": {"web": Source(1e9, 1e6, ("a.json", "b.csv")), "code": 1}}, "files of one kind"),
    ({"unit": "tokens", "sources": {"web": Source(1e9, 1e6, ("a/b", "c/d")), "code": 1}}, "or one dataset name; got 'a/b', 'c/d'"),
])
def test_what_hugging_face_refuses(tmp_path, options, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        huggingface.write(Mixture({"web": 0.5, "code": 0.5}), tmp_path / "mix", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("exporter", [huggingface, megatron])
def test_half_a_surrogate_pair_is_refused_where_it_cannot_be_written(tmp_path, exporter):
    options = {"unit": "tokens"} if exporter is huggingface else {"sources": {"\ud83d": Source(1, 1, ("\ud83d",))}}
    with pytest.raises(ReweightvizError, match="half of a surrogate pair"):
        exporter.write(Mixture({"\ud83d": 1.0}), tmp_path / "mix", **options)
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 1e3)), min_size=1, max_size=40).filter(any))
def test_exact_shares_sum_to_one_and_keep_what_is_above_zero(ratio):
    ratio = np.array(ratio)
    shares = huggingface.exact_shares(ratio)
    assert sum(shares) == sum(reversed(shares)) == math.fsum(shares) == 1
    assert ((shares > 0) == (ratio > 0)).all()
    np.testing.assert_allclose(shares, ratio / ratio.sum(), rtol=2**-9, atol=2**-40 * len(ratio))


def test_exact_shares_sum_to_one_in_every_order():
    assert {sum(order) for order in permutations(huggingface.exact_shares(np.array([0.7, 0.2, 0.1])).tolist())} == {1.0}
    assert (huggingface.exact_shares(np.array([0.7, 0.2, 0.1])) * 2**20 % 1 == 0).all()


# ---- Megatron-core

@pytest.mark.golden("megatron", "the real megatron-core: 2,000 draws, both forms")
@pytest.mark.optional("megatron", "torch")
def test_megatron_core_draws_the_asked_share_of_sequences(tmp_path):
    prefixes = [str(tmp_path / name) for name in ("web_text_document", "code_text_document", "é_text_document")]
    sources = Sources(dict.fromkeys(MIXTURE, 1e6)).with_paths(dict(zip(MIXTURE, prefixes, strict=False)))
    text = megatron.write(MIXTURE, tmp_path / "blend.txt", sources=sources)
    per_split = megatron.write(MIXTURE, tmp_path / "blend.json", sources=sources, form="per_split")
    job = {"prefixes": prefixes, "text": str(text), "per_split": str(per_split), "draws": DRAWS}
    output = run("megatron_load.py", json.dumps(job))
    found = json.loads(output.rpartition("RESULT ")[2])
    for form in ("text", "per_split"):
        assert sum(found[form]) == DRAWS
        for count, name in zip(found[form], ("web", 'co"de: no', "🦜 math"), strict=True):
            assert abs(count - MIXTURE[name] * DRAWS) <= 1, found
    assert megatron.read(text) == megatron.read(per_split) == MIXTURE


def test_megatron_files_hold_weights_and_prefixes_only(tmp_path):
    sources = {"web": Source(1e9, paths=("/d/web.bin",)), "code": Source(1e9, paths=("/d/code",)), "spam": 1.0}
    mixture = Mixture({"web": 0.1 + 0.2, "code": 0.7, "spam": 0.0})
    text = megatron.write(mixture, tmp_path / "blend.txt", sources=sources)
    assert text.read_text() == "0.30000000000000004 /d/web\n0.7 /d/code\n"
    split = megatron.write(mixture, tmp_path / "split.json", sources=sources, form="per_split")
    train = ["0.30000000000000004", "/d/web", "0.7", "/d/code"]
    assert json.loads(split.read_text()) == {"train": train, "valid": None, "test": None}
    sidecar = json.loads((tmp_path / "blend.txt.provenance.json").read_text())
    assert sidecar["prefixes"] == {"/d/web": "web", "/d/code": "code"}
    assert sidecar["dropped"] == ["spam"]
    assert "weights" not in sidecar
    assert "0.7" not in json.dumps(sidecar)


def test_megatron_reads_its_own_file_not_the_sidecar(tmp_path):
    blend = megatron.write(Mixture({"a b": 0.5, "c": 0.5}), tmp_path / "blend", prefix_dir="/d")
    first, second = blend.read_text().split()[1::2]
    assert first.startswith("/d/a-b-")
    assert second == "/d/c_text_document"
    blend.write_text(f"3 {first}\n1e-05 /new/x_text_document 0.99999 {second}\n")
    found = megatron.read(blend)
    assert dict(found) == pytest.approx({"a b": 0.75, "x": 1e-05 / 4, "c": 0.99999 / 4})
    assert found.source["method"] == "edited by hand"
    (tmp_path / "blend.provenance.json").unlink()
    assert megatron.read(blend).domains[1:] == ("x", "c")
    blend.write_text('{"train": "1 /a/x 3 /b/x", "valid": null, "test": null}')
    assert dict(megatron.read(blend)) == {"/a/x": 0.25, "/b/x": 0.75}


def test_several_prefixes_of_a_domain_share_its_weight_by_size(tmp_path):
    for name, size in (("p0", 100), ("p1", 300)):
        (tmp_path / f"{name}.bin").write_bytes(b"x" * size)
    sources = {"web": Source(400, paths=(str(tmp_path / "p0.bin"), str(tmp_path / "p1.bin"), str(tmp_path / "p1.idx"))),
               "code": Source(1, paths=("/d/code",))}
    blend = megatron.write(Mixture({"web": 0.8, "code": 0.2}), tmp_path / "blend", sources=sources)
    assert [float(word) for word in blend.read_text().split()[::2]] == pytest.approx([0.2, 0.6, 0.2])
    assert dict(megatron.read(blend)) == pytest.approx({"web": 0.8, "code": 0.2})


@pytest.mark.parametrize(("paths", "options", "sentence"), [
    ((), {}, "sources= has no paths for 'web'"),
    (("/my data/web",), {}, "has white space, where Megatron cuts; form='per_split' can hold it"),
    (("/d/web\n",), {"form": "per_split"}, "begins or ends in white space"),
    (("2024",), {}, "reads as a number, which Megatron may take for a weight; give it as './2024'"),
    (("nan",), {"form": "per_split"}, "reads as a number"),
    (("/d/code",), {}, "'web', 'code' have one prefix, '/d/code'"),
    (("/d/p0", "/d/p1"), {}, "has 2 prefixes, to be shared out by the sizes of their .bin files, which cannot be read"),
    (("/d/web",), {"form": "json"}, "no form of a Megatron blend 'json'"),
])
def test_what_megatron_refuses(tmp_path, paths, options, sentence):
    sources = {"web": Source(1, paths=paths), "code": Source(1, paths=("/d/code",))}
    with pytest.raises(ReweightvizError, match=sentence):
        megatron.write(Mixture({"web": 0.5, "code": 0.5}), tmp_path / "blend", sources=sources, **options)
    assert list(tmp_path.iterdir()) == []


def test_megatron_takes_white_space_inside_a_prefix_per_split(tmp_path):
    sources = {"web": Source(1, paths=("/my data/web",))}
    assert megatron.read(megatron.write(Mixture({"web": 1.0}), tmp_path / "b", sources=sources, form="per_split")) == {"web": 1.0}


def test_megatron_blends_no_more_than_it_can(tmp_path):
    with pytest.raises(ReweightvizError, match="at most 32,766 datasets; got 32,767"):
        megatron.write(Mixture.uniform(map(str, range(32767))), tmp_path / "blend", prefix_dir="/d")
    most = Mixture.uniform(map(str, range(32766)))
    assert megatron.read(megatron.write(most, tmp_path / "blend", prefix_dir="/d")) == most


@pytest.mark.parametrize(("content", "sentence"), [
    ("0.7 /d/web 0.3", "Megatron would take every word for a dataset"),
    ("/d/web /d/code", "Megatron would take every word for a dataset"),
    ("nan /d/web 0.5 /d/code", "with a finite weight above 0; that of '/d/web' is not"),
    ("0 /d/web 0.5 /d/code", "that of '/d/web' is not"),
    ("0.5 /d/web 0.5 /d/web", "a prefix stands there twice"),
    ('{"valid": null}', "neither weights and prefixes nor JSON with 'train'"),
    ('{"train": null}', "Megatron would take every word"),
])
def test_blends_that_megatron_would_misread(tmp_path, content, sentence):
    (tmp_path / "blend").write_text(content)
    with pytest.raises(ReweightvizError, match=sentence):
        megatron.read(tmp_path / "blend")
