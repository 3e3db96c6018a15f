import tracemalloc

import numpy as np
import pandas as pd
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.repeats import group_equal_mixtures, noise_of_repeats
from reweightviz.core.runlog import RunLog
from reweightviz.core.swarm import Swarm


def log(T=3):
    loss = np.arange(2.0 * T).reshape(T, 2)
    loss[0, 0] = np.nan
    return RunLog(
        ("a", 'b "q"'),
        np.arange(1, T + 1),
        np.full((T, 2), 0.5),
        {"loss": loss},
        "run",
        {"seed": 1},
    )


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
        only_the_newline_is_gone = whole[cut : cut + 1] == b"\n"
        assert (
            len(RunLog.load(tmp_path / "cut.jsonl"))
            == whole[:cut].count(b"\n") - 1 + only_the_newline_is_gone
        )


def test_bad_logs_are_one_sentence(tmp_path):
    with pytest.raises(ReweightvizError, match="no signal of a run 'los'; did you mean 'loss'"):
        RunLog(("a",), [1], [[1.0]], {"los": [[1.0]]})
    with pytest.raises(ReweightvizError, match="must increase"):
        RunLog(("a",), [2, 1], [[1.0], [1.0]])
    with pytest.raises(ReweightvizError, match="needs 'excess_loss'; the log .* has 'loss'"):
        log()["excess_loss"]
    (tmp_path / "x.jsonl").write_text("what\n")
    with pytest.raises(ReweightvizError, match="no run log"):
        RunLog.load(tmp_path / "x.jsonl")

    with pytest.raises(
        ReweightvizError,
        match=r"weights of a RunLog of 2 steps and 2 domains must be \(2, 2\); got rows of different lengths",
    ):
        RunLog(("a", "b"), [1, 2], [[1.0, 0.0], [1.0]])


@pytest.mark.parametrize("name", ["a\u2028b", "a\x85b", "a\x0cb", "a\nb"])
def test_names_with_any_line_break_come_back(tmp_path, name):
    saved = RunLog((name,), [1], [[1.0]], meta={"seed": np.int64(1)}).save(tmp_path / "r.jsonl")
    assert RunLog.load(saved).domains == (name,)


STEP = b'{"step": 1, "weights": [0.5, 0.5]}'


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"what", r"r\.jsonl is no run log: line 3 is not JSON; got b'what'\."),
        (b"\xff", r"is no run log: line 3 is not JSON"),
        (b"[1]", r"line 3 must be a JSON object; got \[1\]"),
        (
            b'{"weights": [0.5, 0.5]}',
            r"r\.jsonl, line 3: a step needs 'step', 'weights', and 2 numbers a name",
        ),
        (b'{"step": 2, "weights": [1]}', "line 3: a step needs"),
        (b'{"step": 2, "weights": [0.5, "x"]}', "line 3: a step needs"),
        (b'{"step": 2, "weights": [0.5, 0.5], "loss": [1]}', "line 3: a step needs"),
        (b'{"step": 2, "weights": [0.5, [0.5]]}', "line 3: a step needs"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, sentence):
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"\n".join([b'{"domains": ["a", "b"]}', STEP, line, STEP, b""]))
    with pytest.raises(ReweightvizError, match=sentence):
        RunLog.load(path)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b'{"name": "x"}\n', b'{"domains": "ab"}\n', b"what"]
)
def test_a_log_without_a_header_is_one_sentence(tmp_path, content):
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(
        ReweightvizError, match="is no run log: its first line must be a JSON header with 'domains'"
    ):
        RunLog.load(tmp_path / "x.jsonl")
    with pytest.raises(ReweightvizError, match=r"cannot read .*none\.jsonl: No such file"):
        RunLog.load(tmp_path / "none.jsonl")


def swarm(**over):
    given = {
        "domains": ("a", "b"),
        "mixtures": [[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]],
        "targets": ("t",),
        "losses": [[1.0], [3.0], [5.0]],
        "runs": pd.DataFrame({"run": [0, 1, 2]}),
    }
    return Swarm(**(given | over))


def test_equal_mixtures_are_one_group_up_to_the_sixth_decimal():
    mixtures = [[0.5, 0.5], [0.2, 0.8], [0.5 + 4e-7, 0.5 - 4e-7], [0.500002, 0.499998]]
    assert group_equal_mixtures(mixtures).tolist() == [1, 0, 1, 2]
    assert group_equal_mixtures(mixtures, decimals=3).tolist() == [1, 0, 1, 1]


def test_the_noise_of_repeats_is_pooled_over_groups():
    values = np.array([[1.0, 0.0], [3.0, 0.0], [5.0, 9.0], [6.0, 1.0], [8.0, 1.0], [10.0, 1.0]])
    noise = noise_of_repeats(values, np.array([0, 0, 1, 2, 2, 2]))
    np.testing.assert_allclose(noise, [np.sqrt((2 + 8) / 3), 0])
    assert np.isnan(noise_of_repeats(values, np.arange(6))).all()


def test_the_noise_floor_comes_from_repeats():
    assert swarm().noise_floor()[0] == pytest.approx(np.sqrt(2))
    assert np.isnan(swarm().take([0, 2]).noise_floor()[0])


def test_bad_swarms_are_one_sentence():
    with pytest.raises(ReweightvizError, match=r"run 1 sum to 0\.8000, not 1 \(1 such runs\)"):
        swarm(mixtures=[[0.5, 0.5], [0.4, 0.4], [1, 0]])
    with pytest.raises(ReweightvizError, match=r"needs mixtures \(3, 2\) and losses \(3, 1\)"):
        swarm(losses=[[1.0]])


def test_saving_holds_a_part_of_the_lines_only(tmp_path):
    def peak(T):
        run = RunLog(tuple(map(str, range(64))), np.arange(T), np.full((T, 64), 1 / 64))
        tracemalloc.start()
        size = run.save(tmp_path / "run.jsonl").stat().st_size
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most, size

    small, _ = peak(2_500)
    large, size = peak(7_500)
    assert size > 5e6 and large < small * 1.3


def test_a_header_of_any_length_is_that_of_a_log(tmp_path):
    meta = {"config": "x" * (1 << 25)}
    path = RunLog(("a",), [1], [[1.0]], meta=meta).save(tmp_path / "run.jsonl")
    assert rv.read_log(path).domains == ("a",)
    assert len(rv.read_log(path, follow=True).log) == 1
    assert rv.read_log(tmp_path).meta["config"] == meta["config"]
