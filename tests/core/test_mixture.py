import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture, effective_domains
from reweightviz.core.temperature import temperature_weights

GOLDEN = {  # n = (1000, 100, 10, 1) at temperatures 1, 2, 3.33, 5
    1: (0.90009, 0.090009, 0.009001, 0.0009),
    2: (0.690679, 0.218412, 0.069068, 0.021841),
    3.33: (0.532676, 0.266786, 0.133617, 0.066921),
    5: (0.438548, 0.276705, 0.174589, 0.110158),
}


@pytest.mark.golden("Temperature", "golden numbers at four temperatures")
@pytest.mark.parametrize(("temperature", "weights"), GOLDEN.items())
def test_temperature_matches_golden_numbers(temperature, weights):
    np.testing.assert_allclose(
        temperature_weights([1000, 100, 10, 1], 1 / temperature), weights, atol=1e-6
    )


def test_empty_domains_get_no_weight():
    np.testing.assert_array_equal(temperature_weights([10, 0, 10], 0.0), [0.5, 0, 0.5])


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ({"a": 0.5, "b": 0.6}, r"sum to 1; these sum to 1\.1: Mixture\.normalized"),
        ({"a": -0.5, "b": 1.5}, "'a' must be finite and >= 0; got -0.5"),
        ({"a": float("nan")}, "'a' must be finite and >= 0; got nan"),
        ({}, "at least one domain"),
        ([("a", 0.5), ("a", 0.5)], "each domain may stand once"),
        ({"a": "much"}, "must be a number; got 'much'"),
        ([1, 2], r"takes a mapping of domain to weight, or pairs of the two; got \[1, 2\]"),
        (["abc"], "takes a mapping of domain to weight"),
        (0.5, "takes a mapping of domain to weight"),
    ],
)
def test_bad_weights_are_one_sentence(weights, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        Mixture(weights)


def test_all_zero_cannot_be_normalized():
    with pytest.raises(ReweightvizError, match="all weights are 0"):
        Mixture.normalized({"a": 0, "b": 0})


def test_it_is_frozen_and_hashable():
    mixture = Mixture({"a": 1.0})
    with pytest.raises(ReweightvizError, match="frozen"):
        mixture.source = {}
    assert len({mixture, Mixture({"a": 1.0})}) == 1


def test_epochs_count_passes_over_the_data():
    mixture = Mixture({"web": 0.75, "code": 0.25})
    assert mixture.epochs({"web": 100, "code": 10}, budget=200) == {"web": 1.5, "code": 5.0}
    assert mixture.epochs({"web": 100, "code": 0}, budget=200)["code"] == float("inf")
    with pytest.raises(ReweightvizError, match="no token count for 'code'; there is 'web'"):
        mixture.epochs({"web": 1}, 1)


def test_aligned_names_the_difference():
    with pytest.raises(ReweightvizError, match="only in the mixture 'a'; only in the data 'b'"):
        Mixture({"a": 1.0}).aligned(["b"])


@given(
    st.dictionaries(st.text(max_size=300), st.floats(0, 1e300), min_size=1, max_size=20).filter(
        lambda d: max(d.values()) > 0
    )
)
def test_saved_mixtures_come_back_exactly(tmp_path_factory, weights):
    mixture = Mixture.normalized(
        {name.encode("utf-8", "replace").decode(): w for name, w in weights.items()}
    )
    path = mixture.save(tmp_path_factory.mktemp("mix") / "m.json")
    assert Mixture.load(path) == mixture
    assert json.loads(path.read_text("utf-8"))["unit"] == "share of training tokens"


def test_a_failed_save_loses_nothing(tmp_path):
    path = Mixture({"a": 1.0}).save(tmp_path / "m.json")
    with pytest.raises(ReweightvizError, match="does not exist; create it first"):
        Mixture({"a": 1.0}).save(tmp_path / "no" / "m.json")
    path.write_text("{", "utf-8")
    with pytest.raises(ReweightvizError, match="no mixture file"):
        Mixture.load(path)


def test_blend_and_distance():
    a, b = Mixture({"x": 1.0, "y": 0.0}), Mixture({"y": 1.0, "x": 0.0})
    assert a.distance(b) == 1
    assert a.blend(b, 0.25)["y"] == 0.25


def test_effective_domains_are_the_golden_numbers():
    golden = json.loads(
        (Path(__file__).parents[1] / "golden" / "effective_domains.json").read_text("utf-8")
    )
    for weights, number in zip(golden["weights"], golden["effective"], strict=True):
        assert effective_domains(weights) == pytest.approx(number, abs=1e-12)
        assert Mixture(enumerate(weights)).effective_domains == pytest.approx(number, abs=1e-12)


def test_effective_domains_of_tables_and_of_what_is_not_known():
    assert effective_domains(np.eye(4)).tolist() == [1] * 4
    assert effective_domains([[0.5, np.nan, 0.5], [np.nan] * 3]).tolist() == pytest.approx(
        [2, np.nan], nan_ok=True
    )


def test_equal_mixtures_hash_alike_in_any_order():
    assert len({Mixture({"a": 0.25, "b": 0.75}), Mixture({"b": 0.75, "a": 0.25})}) == 1


def test_a_source_of_arrays_is_saved(tmp_path):
    path = Mixture(
        {"a": 1.0}, source={"prior": np.array([0.5, np.nan]), 3: np.int64(4), "at": tmp_path}
    ).save(tmp_path / "m.json")
    assert Mixture.load(path).source == {"prior": [0.5, "nan"], "3": 4, "at": str(tmp_path)}


def test_a_name_that_utf8_cannot_hold_is_one_sentence(tmp_path):
    with pytest.raises(
        ReweightvizError, match=r"cannot write .*m\.json: '\\udc80' is half a character"
    ):
        Mixture({"web\udc80": 1.0}).save(tmp_path / "m.json")
    assert list(tmp_path.iterdir()) == []


def test_save_replaces_unless_told_not_to(tmp_path):
    path = Mixture({"a": 1.0}).save(tmp_path / "m.json")
    with pytest.raises(ReweightvizError, match="exists already; pass overwrite=True"):
        Mixture({"b": 1.0}).save(path, overwrite=False)
    assert Mixture.load(Mixture({"b": 1.0}).save(path)).domains == ("b",)


@pytest.mark.parametrize(
    "content",
    [
        '{"weights": ["abc"]}',
        '{"weights": {"a": 0.5}}',
        '{"weights": 3}',
        "[]",
        '{"weights": {"a": 1}, "source": "x"}',
    ],
)
def test_files_that_hold_no_mixture_are_one_sentence(tmp_path, content):
    path = tmp_path / "m.json"
    path.write_text(content)
    with pytest.raises(
        ReweightvizError, match=r"m\.json is no mixture file \(JSON with 'weights'\): .*[^.]\.$"
    ):
        Mixture.load(path)


def test_a_weight_that_python_does_not_write_out_is_refused_in_a_sentence():
    with pytest.raises(
        ReweightvizError, match="the weight of .a. must be a number; got a whole number too"
    ):
        Mixture({"a": 10**5000})
