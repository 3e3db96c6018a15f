import numpy as np
import pandas as pd
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.runlog import RunLog
from reweightviz.core.sources import Source, Sources
from reweightviz.core.swarm import Swarm


def log(T=3):
    loss = np.arange(2.0 * T).reshape(T, 2)
    loss[0, 0] = np.nan
    return RunLog(("a", 'b "q"'), np.arange(1, T + 1), np.full((T, 2), 0.5), {"loss": loss}, "run", {"seed": 1})


def test_a_log_comes_back(tmp_path):
    again = RunLog.load(log().save(tmp_path / "r.jsonl"))
    assert again.domains == ("a", 'b "q"')
    np.testing.assert_array_equal(again["loss"], log()["loss"])
    assert again.meta == {"seed": 1}


def test_a_log_cut_at_any_byte_opens_with_its_whole_lines(tmp_path):
    whole = log(4).save(tmp_path / "r.jsonl").read_bytes()
    header = whole.index(b"\n") + 1
    for cut in range(header, len(whole)):
        (tmp_path / "cut.jsonl").write_bytes(whole[:cut])
        assert len(RunLog.load(tmp_path / "cut.jsonl")) == whole[:cut].count(b"\n") - 1


def test_bad_logs_are_one_sentence(tmp_path):
    with pytest.raises(ReweightvizError, match="no signal of a run 'los'; did you mean 'loss'"):
        RunLog(("a",), [1], [[1.0]], {"los": [[1.0]]})
    with pytest.raises(ReweightvizError, match="must increase"):
        RunLog(("a",), [2, 1], [[1.0], [1.0]])
    with pytest.raises(ReweightvizError, match="has no signal 'excess_loss'; it has 'loss'"):
        log()["excess_loss"]
    (tmp_path / "x.jsonl").write_text("what\n")
    with pytest.raises(ReweightvizError, match="no run log"):
        RunLog.load(tmp_path / "x.jsonl")


def swarm(**over):
    given = {"domains": ("a", "b"), "mixtures": [[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]], "targets": ("t",), "losses": [[1.0], [3.0], [5.0]],
             "runs": pd.DataFrame({"run": [0, 1, 2]})}
    return Swarm(**(given | over))


def test_the_noise_floor_comes_from_repeats():
    assert swarm().noise_floor()[0] == pytest.approx(np.sqrt(2))
    assert np.isnan(swarm().take([0, 2]).noise_floor()[0])


def test_bad_swarms_are_one_sentence():
    with pytest.raises(ReweightvizError, match=r"run 1 sum to 0\.8000, not 1 \(1 such runs\)"):
        swarm(mixtures=[[0.5, 0.5], [0.4, 0.4], [1, 0]])
    with pytest.raises(ReweightvizError, match=r"needs mixtures \(3, 2\) and losses \(3, 1\)"):
        swarm(losses=[[1.0]])


def test_sources_convert_and_refuse():
    sources = Sources({"web": 10, "code": {"tokens": 30, "documents": 3, "paths": "x.bin"}})
    assert sources["code"] == Source(30, 3, ("x.bin",))
    assert sources["code"].mean_tokens == 10
    assert sources["web"].mean_tokens is None
    with pytest.raises(ReweightvizError, match="no domain 'math'"):
        sources.with_paths({"math": "x"})
    with pytest.raises(ReweightvizError, match="tokens of 'a' must be a number >= 0"):
        Sources({"a": -1})
