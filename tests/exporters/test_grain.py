"""Grain: its calls as people write them, and the real package drawing from the exported module."""

from __future__ import annotations

import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.check import check
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.grain import Grain
from reweightviz.exporters.recognise import recognise

GRAIN = Grain()
MIXTURE = Mixture({"web": 0.7, "code": 0.2, "math": 0.1})
SOURCES = Sources({name: Source(1e9, 1e6, (f"/d/{name}.array_record",)) for name in MIXTURE})


def read(text, tmp_path):
    (tmp_path / "c.py").write_text(f"import grain\n{text}\n")
    return GRAIN.parse(Document.open(tmp_path / "c.py"))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("grain.MapDataset.mix([a, b], weights=[0.7, 0.3])", {"a": 0.7, "b": 0.3}),
        ("W = [7, 3]\ngrain.python.MapDataset.mix(datasets=(a, b), weights=W)", {"a": 7, "b": 3}),
        ("d = [a, b]\ngrain.IterDataset.mix(d, [0.5, 0.5])", {"a": 0.5, "b": 0.5}),
        ("grain.IterDataset.mix({'x': a, 'y': b}, {'y': 1, 'x': 2})", {"x": 2.0, "y": 1.0}),
        ("grain.MapDataset.mix({'x': a, 'y': b}, weights={'y': 1, 'x': 2})", {"x": 2.0, "y": 1.0}),
        ("grain.MapDataset.mix([a, a, b], weights=[1, 1, 2])", {"a": 2.0, "b": 2.0}),
        ("grain.MapDataset.mix([a, b])", {"a": 1.0, "b": 1.0}),
    ],
)
def test_calls_of_mix_are_read(tmp_path, text, numbers):
    config = read(text, tmp_path)
    assert config.stages == {0: numbers} and not config.refused
    assert config.stop is not None
    assert recognise(tmp_path / "c.py").name == "grain"
    assert bool(config.traps) == ("weights" not in text and "[0.5" not in text and "{" not in text)


def test_what_grain_refuses_and_what_cannot_be_read(tmp_path):
    config = read("grain.MapDataset.mix([a, b], weights=[1, 0])", tmp_path)
    assert config.refused == ("Grain needs weights above 0; that of 'b' is not.",)
    assert read("grain.MapDataset.mix([a.repeat(), b], [1, 1])", tmp_path).stop is None
    with pytest.raises(ReweightvizError, match="without running it .*the loop of line 2"):
        read("grain.MapDataset.mix([f(x) for x in y], weights=w)", tmp_path)
    assert not GRAIN.recognises(Document(tmp_path / "c.py", "import grain\na.mix([b], [1])"))


def test_a_run_ends_with_the_first_dataset_and_says_so(tmp_path):
    file = GRAIN.write(MIXTURE, tmp_path / "m.py", sources=SOURCES)
    assert dict(GRAIN.read(file)) == pytest.approx(dict(MIXTURE))
    report = check(file, sources=SOURCES, tokens="2B")
    assert "Grain's mix ends when 'web' is used up, at 1.429e+09 of 2e+09 tokens" in str(report)
    again = GRAIN.write(MIXTURE, tmp_path / "r.py", sources=SOURCES, repeat=True)
    assert "Grain's mix ends" not in str(check(again, sources=SOURCES, tokens="2B"))
    with pytest.raises(ReweightvizError, match="reads ArrayRecord files, not files of text"):
        GRAIN.write(MIXTURE, tmp_path / "t.py", sources=SOURCES.with_paths({"web": "/d/web.jsonl"}))


@pytest.mark.framework("transformers4")
@pytest.mark.golden("grain", "the real grain 0.2.18: 2,000 draws, mixed in every tenth")
def test_grain_takes_the_asked_share_of_elements(tmp_path, load_with):
    path = GRAIN.write(MIXTURE, tmp_path / "mix.py", sources=SOURCES)
    rows = {"web": 1400, "code": 4000, "math": 4000}
    found = load_with("grain_load.py", config=path, rows=rows, draws=3000)
    assert found["version"] == "0.2.18"
    assert found["length"] == pytest.approx(2000, abs=2), "it ends with web"
    for name, share in MIXTURE.items():
        assert found["drawn"][name] == pytest.approx(2000 * share, abs=5)
        assert all(tenth[name] == pytest.approx(200 * share, abs=3) for tenth in found["order"])
    assert found["zero"] == "Must specify all non-zero proportions for mixing."
    assert found["none"] == {"web": 10, "code": 10, "math": 10}
    again = GRAIN.write(MIXTURE, tmp_path / "again.py", sources=SOURCES, repeat=True)
    found = load_with("grain_load.py", config=again, rows=rows, draws=3000)
    assert found["drawn"]["web"] == pytest.approx(2100, abs=5)
