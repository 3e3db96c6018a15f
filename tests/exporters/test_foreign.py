"""Whatever a file holds, reading it as a config ends in a value or in one sentence of ours."""

from __future__ import annotations

import json
import traceback
import warnings
from pathlib import Path

import pytest
from fuzz import run_family
from fuzz_families import FAMILIES, write_configs
from hypothesis import given, settings
from hypothesis import strategies as st

import reweightviz as rv
from reweightviz import exporters
from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters.document import Document
from reweightviz.exporters.text.yaml_load import Loaded

KEYS = sorted(
    {
        *("data", "train", "format", "sources", "streams", "components", "configs", "datasets"),
        *("dataset", "dataset_mixer", "dataset_mixture", "weight", "weights", "fraction", "mix"),
        *("train_data_paths", "train_data_weights", "interleave_probs", "sampling_frequencies"),
        *("train_loader", "blend", "data_prefix", "dataset_weights", "dataset_folder", "domains"),
        *("source_name", "target_ratio", "probabilities", "splits", "name", "paths", "path"),
        *("data_stages", "train_weights", "dataprocessor", "sampling", "root_dir", "type"),
    }
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["web", "0.5 /d/web 0.5 /d/code", "a,b", "/d/web"]),
    st.dates(),
)
values = st.recursive(
    scalars,
    lambda below: st.one_of(
        st.lists(below, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), scalars), below, max_size=4),
    ),
    max_leaves=25,
)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_example_is_read_as_it_was_written(family, tmp_path):
    write, read = FAMILIES[family]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(tmp_path)
        for example in sorted(tmp_path.iterdir()):
            read(example)


def test_mutated_configs_end_in_a_value_or_one_sentence():
    tally = run_family("configs", seed=12, most=400)
    assert tally.values and tally.sentences
    assert not tally.crashes and not tally.hangs
    assert not tally.below, "a reader that should have said it better itself"


@pytest.mark.parametrize("family", ["sources", "saved"])
def test_mutated_tables_and_saved_files_end_in_a_value_or_one_sentence(family):
    tally = run_family(family, seed=12, most=300)
    assert tally.values and tally.sentences
    assert not tally.crashes and not tally.hangs


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), values, min_size=1, max_size=4))
def test_no_recogniser_raises_on_plain_values(content):
    """Of every recogniser on its own, below the one place that would keep its fault to itself."""
    document = Document(Path("a.yaml"), "")
    document.__dict__["_loaded"] = (Loaded(content), None)
    for exporter in exporters.FRAMEWORKS.values():
        exporter.recognises(document)


ODD = (None, True, -1, 1.5, 10**400, float("nan"), "", "a b", [], [[]], [None], {}, {"a": {"b": 1}})


def change_each_value(content):
    """Generate the content as often as it has values, each once replaced by every odd one."""
    yield from ODD
    keys = ()
    if isinstance(content, dict):
        keys = content.keys()
    elif isinstance(content, list):
        keys = range(min(2, len(content)))
    for key in keys:
        for changed in change_each_value(content[key]):
            copy = content.copy()
            copy[key] = changed
            yield copy


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """The folder of a config of every framework that is written here."""
    folder = tmp_path_factory.mktemp("examples")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_configs(folder)
    return folder


@pytest.mark.parametrize("framework", sorted(exporters.FRAMEWORKS))
def test_no_reader_raises_where_a_value_of_a_config_is_odd(framework, examples):
    """Below the boundary: every recogniser looks, and the parser has a sentence of its own."""
    faults = set()
    for path in sorted(examples.glob(f"{framework}-*-bare/**/*")):
        if not path.is_file():
            continue
        document = Document.open(path)
        for content in change_each_value(document.data):
            changed = Document(path, document.text)
            changed.__dict__["_loaded"] = (Loaded(content), None)
            for exporter in exporters.FRAMEWORKS.values():
                faults |= find_faults(exporter.recognises, changed)
            faults |= find_faults(exporters.FRAMEWORKS[framework].parse, changed)
    assert not faults


def find_faults(read, document):
    """Return the place of an exception that is none of ours."""
    try:
        read(document)
    except ReweightvizError:
        return set()
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return {f"{Path(last.filename).name}:{last.lineno} {error!r:.80}"}
    return set()


def test_a_mapping_where_a_name_is_looked_up(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text(
        "format: {html: {theme: x}}\ndata: {train_weights: {web: 1, code: 1}}\n", encoding="utf-8"
    )
    assert dict(rv.load_mixture(path)) == {"web": 0.5, "code": 0.5}


@pytest.mark.parametrize("letters", [200, 240, 250])
def test_a_name_too_long_for_a_file_beside_it(letters, tmp_path):
    path = tmp_path / f"{'x' * letters}.json"
    path.write_text(json.dumps({"weights": {"web": 0.5, "code": 0.5}}), encoding="utf-8")
    assert dict(rv.load_mixture(path)) == {"web": 0.5, "code": 0.5}


@pytest.mark.parametrize("load", [rv.check, rv.load_mixture, rv.load_schedule, rv.read_sources])
@pytest.mark.parametrize("path", ["x" * 5000, "a\0b", ".", "/dev/null", "no/such/file"])
def test_a_path_that_is_none(load, path):
    with pytest.raises(ReweightvizError, match=r"^[^\n]+\.$"):
        load(path)


def test_datasets_that_are_made_elsewhere_are_one_sentence(tmp_path):
    """As in EasyDeL's pipeline.py: nothing was divided by the number of no datasets."""
    path = tmp_path / "a.py"
    path.write_text("mixed = interleave_datasets(made, seed=1)\n", encoding="utf-8")
    with pytest.raises(ReweightvizError, match="that can be read without running it"):
        rv.check(path)
