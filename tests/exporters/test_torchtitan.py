"""torchtitan: both forms, lower-case names, other people's configs, and the real dataloaders of 0.3.0 and of its source."""

from __future__ import annotations

import json
import math

import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.torchtitan import TorchTitan

TITAN = TorchTitan()
DRAWS = 2000
WORDS = {"web": 10, "code": 40, "math": 100}
IDS = {"web": 4, "code": 5, "math": 6}
MIXTURE = Mixture({"web": 0.5, "code": 0.3, "math": 0.2})
THEIRS = """\
from torchtitan.hf_datasets.text_datasets import HFDataSource, HuggingFaceTextDataLoader, InterleavedHuggingFaceTextDataLoader

def llama3_8b():
    return Trainer.Config(
        dataloader=InterleavedHuggingFaceTextDataLoader.Config(
            sources=[
                HFDataSource(dataset="c4", infinite=True, weight=0.7),   # english
                HFDataSource(dataset="local", dataset_path="/d/code", infinite=True, weight=0.2),
                HFDataSource(dataset="local", dataset_path="/d/math", infinite=True),
            ],
            seed=1,
        ),
        validator=Validator.Config(dataloader=HuggingFaceTextDataLoader.Config(dataset="c4_validation")),
    )

def debug():
    return InterleavedHuggingFaceTextDataLoader.Config(sources=[HFDataSource(dataset="c4_test")])
"""
GRAIN = """\
from torchtitan.components.data import ConcatThenSplitPackingConfig, DatasetMixConfig, WeightedDataset

books_ds, code_ds = make("books"), make("code")
books_packed_ds = ConcatThenSplitPackingConfig(dataset=books_ds)
code_packed_ds = ConcatThenSplitPackingConfig(dataset=code_ds)
mix_ds = DatasetMixConfig(
    datasets=(
        WeightedDataset(dataset=books_packed_ds, weight=0.75),
        WeightedDataset(dataset=code_packed_ds, weight=0.25),
    ),
)
"""


def config(tmp_path, text):
    (tmp_path / "config.py").write_text(text)
    return TITAN.parse(TITAN.open(tmp_path / "config.py"))


def sources(tmp_path):
    table = {}
    for name, size in WORDS.items():
        (tmp_path / f"{name}.jsonl").write_text(
            (json.dumps({"text": " ".join([name] * size)}) + "\n") * 300, "utf-8"
        )
        table[name] = Source(size * 300, 300, (str(tmp_path / f"{name}.jsonl"),))
    return table


def test_weights_are_shares_of_tokens_as_they_are_and_an_edit_is_followed(tmp_path):
    path = TITAN.write(
        MIXTURE,
        tmp_path / "mix.py",
        sources={"web": Source(1.0, None, ("org/web:en",)), "code": 1.0, "math": 1.0},
    )
    text = path.read_text("utf-8")
    assert (
        "{'name': 'web', 'weight': 0.5, 'path': 'org/web', 'config': 'en', 'split': 'train'}"
        in text
    )
    assert "{'name': 'code', 'weight': 0.3}" in text
    assert "HFDataSource(" in text and "WeightedDataset" not in text
    assert TITAN.parse(TITAN.open(path)).paths == {"web": ("org/web:en",)}
    path.write_text(text.replace("'weight': 0.5", "'weight': 1.5"), "utf-8")
    assert dict(TITAN.read(path)) == pytest.approx({"web": 0.75, "code": 0.15, "math": 0.1})


def test_documents_are_counted_by_grain_only(tmp_path):
    table = {name: Source(1e6, 1e6 / size) for name, size in WORDS.items()}
    path = TITAN.write(MIXTURE, tmp_path / "mix.py", sources=table, form="grain", unit="examples")
    assert "UNIT = 'examples'" in path.read_text("utf-8")
    assert TITAN.parse(TITAN.open(path)).stages[0] == pytest.approx(
        {"web": 0.05 / 0.0595, "code": 0.0075 / 0.0595, "math": 0.002 / 0.0595}
    )
    assert dict(TITAN.read(path)) == pytest.approx(dict(MIXTURE))
    with pytest.raises(
        ReweightvizError,
        match="0.3 packs before it mixes, so its weights count tokens; unit='examples' needs form='grain'",
    ):
        TITAN.write(MIXTURE, tmp_path / "more.py", sources=table, unit="examples")
    with pytest.raises(
        ReweightvizError, match="no form of torchtitan 'grains'; did you mean 'grain'"
    ):
        TITAN.write(MIXTURE, tmp_path / "more.py", form="grains")


def test_names_are_lower_case_and_come_back(tmp_path):
    mixture = Mixture.uniform(["Web", "web", "c4", "Côde", "WEB"])
    path = TITAN.write(mixture, tmp_path / "mix.py")
    names = list(TITAN.parse(TITAN.open(path)).stages[0])
    assert len(set(names)) == 5
    assert all(name == name.lower() and name.isascii() for name in names)
    assert {"web", "c4"} <= set(names)
    assert TITAN.read(path) == mixture


def test_somebodys_interleaved_sources_are_read_from_the_first_list(tmp_path):
    found = config(tmp_path, THEIRS)
    assert TITAN.recognises(TITAN.open(tmp_path / "config.py"))
    assert found.stages[0] == {"c4": 0.7, "/d/code": 0.2, "/d/math": 1.0}
    assert not found.refused
    mixed = config(
        tmp_path, THEIRS.replace("infinite=True, weight=0.7", "infinite=False, weight=0.7")
    )
    assert mixed.refused == ("infinite must be the same for all sources.",)
    with pytest.raises(ReweightvizError, match="has weights that cannot be read"):
        config(tmp_path, THEIRS.replace("weight=0.7", "weight=share"))
    assert config(tmp_path, THEIRS.replace("weight=0.7", "weight=0")).refused == ()


def test_somebodys_grain_mix_counts_what_its_children_emit(tmp_path):
    found = config(tmp_path, GRAIN)
    assert TITAN.recognises(TITAN.open(tmp_path / "config.py"))
    assert (found.stages[0], found.unit) == (
        {"books_packed_ds": 0.75, "code_packed_ds": 0.25},
        "tokens",
    )
    documents = config(tmp_path, GRAIN.replace("dataset=code_packed_ds,", "dataset=code_ds,"))
    assert documents.unit == "examples"
    assert config(tmp_path, GRAIN.replace("weight=0.25", "weight=0")).refused == (
        "DatasetMixConfig needs weights above 0; that of 'code_packed_ds' is not.",
    )
    with pytest.raises(
        ReweightvizError, match="no SOURCES, no HFDataSource and no WeightedDataset"
    ):
        config(tmp_path, "x = 1")
    assert not TITAN.recognises(TITAN.open(tmp_path / "config.py"))


@pytest.mark.framework("torchtitan")
@pytest.mark.golden(
    "torchtitan", "the real torchtitan 0.3.0: 2,000 packed rows; the tokenizer is a stand-in"
)
def test_torchtitan_draws_the_asked_share_of_packed_rows(tmp_path, load_with, check_order):
    path = TITAN.write(MIXTURE, tmp_path / "mix.py", sources=sources(tmp_path))
    found = load_with("torchtitan_load.py", config=path, draws=DRAWS, ids=IDS)
    assert found["kind"] == "InterleavedHuggingFaceTextDataLoader"
    check_order(found["order"], dict(MIXTURE))
    for name, p in MIXTURE.items():
        assert abs(found["rows"][name] / DRAWS - p) < 4 * math.sqrt(p * (1 - p) / DRAWS)


@pytest.mark.framework("torchtitan")
@pytest.mark.checkout("torchtitan")
@pytest.mark.golden(
    "torchtitan",
    "its source pytorch/torchtitan@b5bcd76 with grain 0.2.18: 2,000 packed rows; the tokenizer is a stand-in",
)
@pytest.mark.parametrize("unit", ["tokens", "examples"])
def test_the_grain_pipeline_takes_the_asked_share_of_tokens(
    tmp_path, load_with, check_order, checkouts, root, unit
):
    grain = next((root / ".venvs").glob("*/lib/*/site-packages/grain"), None)
    if grain is None:
        pytest.skip("needs an environment with grain")
    path = TITAN.write(
        MIXTURE, tmp_path / "mix.py", sources=sources(tmp_path), form="grain", unit=unit
    )
    found = load_with(
        "torchtitan_load.py",
        config=path,
        draws=DRAWS,
        ids=IDS,
        source=checkouts / "torchtitan",
        grain=grain.parent,
    )
    assert found["kind"] == "GrainDataLoader"
    check_order(found["order"], found["rows"])
    for name, share in MIXTURE.items():
        assert found["tokens"][name] / sum(found["tokens"].values()) == pytest.approx(
            share, abs=2e-3
        )
        assert unit == "examples" or abs(found["rows"][name] - share * DRAWS) <= 1


def test_a_weight_of_0_that_never_ends_is_said(tmp_path):
    """Run with 0.3.0: 5,000 samples of two sources of 30, and no end."""
    text = (
        "Config(sources=[HFDataSource(dataset='a', weight=1), HFDataSource(dataset='b', weight=0)], "
        "stopping_strategy='all_exhausted')"
    )
    config = TITAN.parse(Document(tmp_path / "c.py", text))
    assert config.traps == (
        "'b' has weight 0, so it is never used up, and all_exhausted never ends: take it out.",
    )
    assert not TITAN.parse(Document(tmp_path / "c.py", text.replace("all_", "on_first_"))).traps
