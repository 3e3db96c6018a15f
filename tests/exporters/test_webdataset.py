"""WebDataset: probabilities of samples in a module, other people's RandomMix, what loses the weights, and the real library."""

from __future__ import annotations

import math

import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.frameworks.webdataset import WebDataset

WDS = WebDataset()
DRAWS = 2000
WORDS = {"web": 10, "code": 40, "math": 100}
MIXTURE = Mixture({"web": 0.5, "code": 0.3, "math": 0.2})
SOURCES = Sources(
    {
        name: Source(1e6, 1e6 / size, (f"data/{name}-{{000000..000099}}.tar",))
        for name, size in WORDS.items()
    }
)
THEIRS = """\
import webdataset as wds
from webdataset import RandomMix

IMAGES = wds.WebDataset("images-{000..099}.tar", resampled=True).decode("pil")
text = make_text()

def loader(batch_size):
    parts = [IMAGES, text, wds.WebDataset("extra.tar")]
    mix = RandomMix(parts, probs=[0.6, 0.3, 0.1])
    return wds.WebLoader(mix, batch_size=batch_size)
"""


def config(tmp_path, text):
    (tmp_path / "data.py").write_text(text)
    return WDS.parse(WDS.open(tmp_path / "data.py"))


def test_probabilities_are_shares_of_samples_and_an_edit_is_followed(tmp_path):
    path = WDS.write(MIXTURE, tmp_path / "mix.py", sources=SOURCES)
    assert WDS.recognises(WDS.open(path))
    assert (
        "{'name': 'web', 'urls': ['data/web-{000000..000099}.tar'], 'probability': 0.84033"
        in path.read_text("utf-8")
    )
    assert dict(WDS.read(path)) == pytest.approx(dict(MIXTURE))
    assert WDS.parse(WDS.open(path)).paths["math"] == ("data/math-{000000..000099}.tar",)
    packed = WDS.write(MIXTURE, tmp_path / "packed.py", sources=SOURCES, unit="tokens")
    packed.write_text(
        packed.read_text("utf-8").replace("'probability': 0.5", "'probability': 1.5"), "utf-8"
    )
    assert dict(WDS.read(packed)) == pytest.approx({"web": 0.75, "code": 0.15, "math": 0.1})


def test_somebodys_mix_is_read_through_the_names_of_the_file(tmp_path):
    found = config(tmp_path, THEIRS)
    assert WDS.recognises(WDS.open(tmp_path / "data.py"))
    assert found.stages[0] == {"IMAGES": 0.6, "text": 0.3, "wds.WebDataset('extra.tar')": 0.1}
    assert config(tmp_path, THEIRS.replace(", probs=[0.6, 0.3, 0.1]", "")).stages[0]["text"] == 1.0
    assert (
        config(tmp_path, THEIRS.replace("probs=[0.6, 0.3, 0.1]", "(7, 2, 1), False")).stages[0][
            "IMAGES"
        ]
        == 7
    )


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (
            ("0.1])", "0.1], longest=True)"),
            "longest=True goes on without the datasets that are used up",
        ),
        (("0.1])", "0.1], True)"), ""),
        (
            ("0.3, 0.1", "-0.3, 0.1"),
            "each dataset needs a probability, a number >= 0; that of 'text' is none",
        ),
    ],
)
def test_what_loses_the_weights_is_refused(tmp_path, edit, sentence):
    text = (
        THEIRS.replace(*edit)
        if sentence
        else THEIRS.replace("probs=[0.6, 0.3, 0.1])", "[0.6, 0.3, 0.1], True)")
    )
    assert (sentence or "longest=True") in config(tmp_path, text).refused[0]


def test_what_cannot_be_read_without_running_it(tmp_path):
    for text in (
        "mix = RandomMix(make(), [0.5, 0.5])",
        "mix = RandomMix([a, b], weights_of(2))",
        "x = 1",
    ):
        with pytest.raises(
            ReweightvizError,
            match="no RandomMix whose datasets and probs can be read without running it",
        ):
            config(tmp_path, text)
    assert not WDS.recognises(WDS.open(tmp_path / "data.py"))


@pytest.mark.framework("core")
@pytest.mark.golden("webdataset", "the real webdataset 1.0.2: 2,000 draws")
def test_webdataset_draws_the_asked_share_of_tokens(tmp_path, load_with, check_order):
    shards = {str(tmp_path / f"{name}.tar"): (name, size) for name, size in WORDS.items()}
    sources = {name: Source(300 * size, 300, (path,)) for path, (name, size) in shards.items()}
    path = WDS.write(MIXTURE, tmp_path / "mix.py", sources=sources)
    found = load_with("webdataset_load.py", config=path, shards=shards, draws=DRAWS)
    assert found["kind"] == "RandomMix"
    check_order(found["order"], WDS.parse(WDS.open(path)).stages[0])
    for name, p in WDS.parse(WDS.open(path)).stages[0].items():
        assert abs(found["examples"][name] / DRAWS - p) < 4 * math.sqrt(p * (1 - p) / DRAWS)
        assert found["tokens"][name] / sum(found["tokens"].values()) == pytest.approx(
            MIXTURE[name], abs=0.06
        )


def test_a_dataset_that_stands_twice_adds_up(tmp_path):
    file = tmp_path / "mix.py"
    file.write_text("RandomMix([web, code, web], probs=[0.25, 0.5, 0.25])")
    assert WDS.parse(WDS.open(file)).stages == {0: {"web": 0.5, "code": 0.5}}
