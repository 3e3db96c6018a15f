"""litdata: the module, configs as people write them, and the real library drawing from the exported module."""

from __future__ import annotations

import ast
import math

import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.litdata import LitData

LITDATA = LitData()
MIXTURE = Mixture({"web": 0.7, "code": 0.2, "math": 0.1, "spam": 0.0}, source={"method": "test"})
DRAWS = 2000


def sources_in(folder) -> Sources:
    return Sources(
        {
            name: Source(1e6 * place, 1e3, (f"{folder}/{name}",))
            for place, name in enumerate(MIXTURE, 1)
        }
    )


def test_the_module_holds_paths_and_weights_and_imports_nothing_until_asked(tmp_path):
    file = LITDATA.write(MIXTURE, tmp_path / "mix.py", sources=sources_in("/d"), seed=3)
    body = ast.parse(file.read_text("utf-8")).body
    names = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.Assign)
    }
    assert names == {
        "SEED": 3,
        "SOURCES": [
            {"path": "/d/web", "weight": 0.7},
            {"path": "/d/code", "weight": 0.2},
            {"path": "/d/math", "weight": 0.1},
        ],
    }
    assert [node.name for node in body if not isinstance(node, ast.Assign)] == ["dataset"]


def test_every_domain_needs_one_path(tmp_path):
    with pytest.raises(
        ReweightvizError,
        match="litdata needs one path for each domain; sources= has no path for 'web'",
    ):
        LITDATA.write(MIXTURE, tmp_path / "mix.py")
    with pytest.raises(ReweightvizError, match="reads a file that ends in .py; got 'mix.yaml'"):
        LITDATA.write(MIXTURE, tmp_path / "mix.yaml", sources=sources_in("/d"))


def test_an_edit_is_followed_and_faults_are_said(tmp_path):
    file = LITDATA.write(MIXTURE, tmp_path / "mix.py", sources=sources_in("/d"))
    text = file.read_text("utf-8")
    file.write_text(text.replace("'weight': 0.7", "'weight': 0.9"), "utf-8")
    assert LITDATA.read(file).array == pytest.approx([0.75, 1 / 6, 1 / 12, 0])
    assert LITDATA.read(file).source["method"] == "edited by hand"
    file.write_text(text.replace("'weight': 0.7", "'weight': -1"), "utf-8")
    with pytest.raises(ReweightvizError, match="the weights must be numbers >= 0"):
        LITDATA.read(file)


LIKE_LITGPT = """
from litgpt.data import DataModule

class Mixed(DataModule):
    def __post_init__(self):
        self.slim = str(self.data_path) + "/slim"

    def train_dataloader(self):
        from litdata.streaming import CombinedStreamingDataset, StreamingDataset, TokensLoader

        slim_data = StreamingDataset(input_dir=self.slim, item_loader=TokensLoader(block_size=self.seq_length), shuffle=True)
        parts = [slim_data, StreamingDataset("s3://bucket/starcoder", item_loader=TokensLoader(block_size=self.seq_length))]
        weights = (0.693584, 0.306416)  # as TinyLlama has them
        return CombinedStreamingDataset(datasets=parts, seed=self.seed, weights=weights, iterate_over_all=False)
"""


def test_a_data_module_in_the_way_of_litgpt_is_read(tmp_path):
    (tmp_path / "module.py").write_text(LIKE_LITGPT)
    assert LITDATA.recognises(Document.open(tmp_path / "module.py"))
    assert dict(LITDATA.read(tmp_path / "module.py")) == pytest.approx(
        {"slim": 0.693584, "starcoder": 0.306416}
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            ("iterate_over_all=False", "iterate_over_all=True"),
            "weights only with iterate_over_all=False",
        ),
        ((", iterate_over_all=False", ""), "weights only with iterate_over_all=False"),
        (
            ("iterate_over_all=False", "iterate_over_all=False, batching_method='per_stream'"),
            "which loses the weights",
        ),
        (("(0.693584, 0.306416)", "(0.0, 0.0)"), "one of them above 0"),
        (("(0.693584, 0.306416)", "compute_weights()"), "that can be read without running it"),
        (("(0.693584, 0.306416)", "(1.0,)"), "that can be read without running it"),
    ],
)
def test_what_litdata_would_refuse_or_lose_is_said(tmp_path, change, sentence):
    (tmp_path / "module.py").write_text(LIKE_LITGPT.replace(*change))
    with pytest.raises(ReweightvizError, match=sentence):
        LITDATA.read(tmp_path / "module.py")


@pytest.mark.checkout("litgpt")
def test_litgpts_own_data_module_is_read(checkouts):
    mixture = LITDATA.read(checkouts / "litgpt" / "litgpt" / "data" / "tinyllama.py")
    assert dict(mixture) == pytest.approx(
        {"slimpajama_train": 0.693584, "starcoder_train": 0.306416}
    )


@pytest.mark.framework("core")
@pytest.mark.golden("litdata", "the real litdata 0.2.76: 2,000 draws")
def test_litdata_draws_the_mixture(tmp_path, load_with, check_order):
    sources = sources_in(tmp_path)
    file = LITDATA.write(MIXTURE, tmp_path / "mix.py", sources=sources)
    names = [name for name, weight in MIXTURE.items() if weight]
    folders = {
        sources[name].paths[0]: [place, 4000 if name == "web" else 800]
        for place, name in enumerate(names)
    }
    found = load_with("litdata_load.py", module=file, folders=folders, draws=DRAWS, block=17)
    for drawn in (found["drawn"], found["until_the_end"]):
        total = sum(drawn.values())
        for place, name in enumerate(names):
            p = MIXTURE[name]
            assert abs(drawn[str(place)] / total - p) < 4 * math.sqrt(p * (1 - p) / total)
    assert sum(found["drawn"].values()) == DRAWS
    check_order(found["order"], {str(place): MIXTURE[name] for place, name in enumerate(names)})
    assert max(found["until_the_end"]["1"], found["until_the_end"]["2"]) in range(790, 801), (
        "it ends with the first that is used up"
    )
    assert sum(found["until_the_end"].values()) < 5600
    assert "iterate_over_all" in found["refused"]
    assert found["lost"]["0"] / sum(found["lost"].values()) < 0.55, "per_stream loses the weights"


def test_a_path_that_stands_twice_adds_up(tmp_path):
    """litdata 0.2.76 drew 105 and 100 blocks with these weights, of two folders of 100."""
    file = tmp_path / "mix.py"
    file.write_text(
        "CombinedStreamingDataset([StreamingDataset('/a'), StreamingDataset('/b'), "
        "StreamingDataset('/a')], 1, [0.25, 0.5, 0.25], False)"
    )
    config = LITDATA.parse(LITDATA.open(file))
    assert config.refused == ()
    assert config.stages == {0: {"/a": 0.5, "/b": 0.5}}
