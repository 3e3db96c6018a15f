"""Ray Data: weights of rows in a module, other people's mix, its stopping condition, and the real library."""

from __future__ import annotations

import json

import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source
from reweightviz.exporters.frameworks.ray_data import RayData

RAY = RayData()
DRAWS = 2000
WORDS = {"web": 10, "code": 40, "math": 100}
MIXTURE = Mixture({"web": 0.5, "code": 0.3, "math": 0.2})
SOURCES = {
    "web": Source(1e6, 1e5, ("web-0.jsonl.gz", "web-1.jsonl.gz")),
    "code": Source(1e6, 25000, ("code.parquet",)),
    "math": Source(1e6, 1e4),
}
THEIRS = """\
import ray
from ray.data import MixStoppingCondition

WEIGHTS = [0.6, 0.4]
web = ray.data.read_parquet("s3://web")

def train(extra):
    return web.filter(good).mix(extra, weights=WEIGHTS, stopping_condition=MixStoppingCondition.STOP_ON_SHORTEST)
"""


def config(tmp_path, text):
    (tmp_path / "data.py").write_text(text)
    return RAY.parse(RAY.open(tmp_path / "data.py"))


def test_weights_are_shares_of_rows_with_the_reader_of_each_kind(tmp_path):
    path = RAY.write(MIXTURE, tmp_path / "mix.py", sources=SOURCES)
    text = path.read_text("utf-8")
    assert RAY.recognises(RAY.open(path))
    assert (
        "'read': 'read_json', 'paths': ['web-0.jsonl.gz', 'web-1.jsonl.gz'], 'weight': 0.84033"
        in text
    )
    assert "'name': 'code', 'read': 'read_parquet', 'paths': ['code.parquet']" in text
    assert "{'name': 'math', 'weight'" in text
    assert "STOP_ON_SHORTEST" in text
    assert dict(RAY.read(path)) == pytest.approx(dict(MIXTURE))
    packed = RAY.write(MIXTURE, tmp_path / "packed.py", unit="tokens")
    packed.write_text(packed.read_text("utf-8").replace("'weight': 0.5", "'weight': 1.5"), "utf-8")
    assert dict(RAY.read(packed)) == pytest.approx({"web": 0.75, "code": 0.15, "math": 0.1})


def test_somebodys_mix_is_read_with_the_dataset_that_it_is_called_on(tmp_path):
    found = config(tmp_path, THEIRS)
    assert RAY.recognises(RAY.open(tmp_path / "data.py"))
    assert found.stages[0] == {"web.filter(good)": 0.6, "extra": 0.4}
    assert not found.refused and not found.traps
    assert config(tmp_path, THEIRS.replace("weights=WEIGHTS, ", "")).stages[0] == {
        "web.filter(good)": 1.0,
        "extra": 1.0,
    }


def test_the_default_stopping_condition_is_a_trap_and_zero_is_refused(tmp_path):
    assert (
        "without STOP_ON_SHORTEST the mix goes on"
        in config(
            tmp_path,
            THEIRS.replace(", stopping_condition=MixStoppingCondition.STOP_ON_SHORTEST", ""),
        ).traps[0]
    )
    assert config(tmp_path, THEIRS.replace("STOP_ON_SHORTEST)", "STOP_ON_LONGEST_DROP)")).traps
    assert config(tmp_path, THEIRS.replace("0.6, 0.4", "1, 0")).refused == (
        "Ray needs weights above 0; that of 'extra' is not.",
    )


def test_zero_weights_are_left_out(tmp_path):
    path = RAY.write(
        Mixture({"web": 0.5, "spam": 0.0, "code": 0.5}), tmp_path / "mix.py", unit="tokens"
    )
    assert "'name': 'spam'" not in path.read_text("utf-8")
    assert dict(RAY.read(path)) == {"web": 0.5, "spam": 0.0, "code": 0.5}


def test_what_cannot_be_read_without_running_it(tmp_path):
    for text in (
        "import ray\nx = a.mix(*others, weights=[0.5, 0.5])",
        "import ray\nx = a.mix(b, weights=weights_of(2))",
        "import ray\n",
    ):
        with pytest.raises(ReweightvizError, match="can be read without running it"):
            config(tmp_path, text)
    assert not RAY.recognises(RAY.open(tmp_path / "data.py"))
    config(tmp_path, THEIRS)
    (tmp_path / "grain.py").write_text(
        "import grain\nmix = grain.MapDataset.mix([a, b], weights=[0.5, 0.5])\n"
    )
    assert not RAY.recognises(RAY.open(tmp_path / "grain.py"))


def test_files_of_kinds_that_ray_reads(tmp_path):
    with pytest.raises(
        ReweightvizError,
        match="Ray Data reads files of one kind .*; those of 'web' are 'org/web': leave them out",
    ):
        RAY.write(
            Mixture({"web": 1.0}),
            tmp_path / "mix.py",
            sources={"web": Source(1e6, 1e4, ("org/web",))},
        )


@pytest.mark.framework("transformers4")
@pytest.mark.golden("ray", "the real ray 2.60.0: 2,000 draws")
def test_ray_takes_the_asked_share_of_tokens(tmp_path, load_with, check_order):
    sources, rows = {}, {"web": 1750, "code": 300, "math": 100}
    for name, size in WORDS.items():
        (tmp_path / f"{name}.jsonl").write_text(
            (json.dumps({"text": " ".join([name] * size)}) + "\n") * rows[name], "utf-8"
        )
        sources[name] = Source(size * rows[name], rows[name], (str(tmp_path / f"{name}.jsonl"),))
    path = RAY.write(MIXTURE, tmp_path / "mix.py", sources=sources)
    found = load_with("ray_data_load.py", config=path, draws=DRAWS, block_rows=10)
    # Whole blocks of ten rows come of one source.
    tens = [{name: count // 10 for name, count in part.items()} for part in found["order"]]
    check_order(tens, found["examples"])
    for name, share in RAY.parse(RAY.open(path)).stages[0].items():
        assert abs(found["examples"][name] - share * DRAWS) <= 10, "exact to one block"
        assert found["tokens"][name] / sum(found["tokens"].values()) == pytest.approx(
            MIXTURE[name], abs=0.03
        )


def test_a_dataset_that_stands_twice_adds_up(tmp_path):
    file = tmp_path / "mix.py"
    file.write_text("import ray\nweb.mix(code, web, weights=[0.25, 0.5, 0.25])")
    assert RAY.parse(RAY.open(file)).stages == {0: {"web": 0.5, "code": 0.5}}
