"""Files of JSON: a repeated key, a byte order mark, depth and endless numbers in every reader."""

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError

CORPUS = rv.Corpus({"id": ["a", "b"], "text": ["x", "y"], "domain": ["web", "web"]})
GOOD = {
    "mixture": (rv.Mixture.load, '{"weights": {"a": 0.5, "b": 0.5}}'),
    "schedule": (rv.Schedule.load, '{"stages": [{"step": 0, "weights": {"a": 0.5, "b": 0.5}}]}'),
    "live": (rv.LiveMixture, '{"weights": {"a": 0.5, "b": 0.5}}'),
    "sources": (rv.read_sources, '{"a": 1, "b": 2}'),
    "config": (rv.load_mixture, '{"weights": {"a": 0.5, "b": 0.5}}'),
    "selection": (lambda path: rv.load_selection(path, CORPUS), '{"id": "a", "b": 1}'),
    "corpus": (rv.read_corpus, '{"text": "a", "domain": "b"}'),
    "swarm": (
        lambda path: rv.read_swarm(path, [{"run": 0, "loss": 1.0}]),
        '[{"run": 0, "a": 0.5, "b": 0.5}]',
    ),
}


@pytest.fixture
def write(tmp_path):
    def write(kind, content):
        lines = kind in ("selection", "corpus")
        path = tmp_path / f"{kind}.{'jsonl' if lines else 'json'}"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("kind", GOOD)
def test_a_file_may_begin_with_a_byte_order_mark(kind, write):
    read, text = GOOD[kind]
    assert read(write(kind, b"\xef\xbb\xbf" + text.encode())) is not None


@pytest.mark.parametrize("kind", GOOD)
def test_a_key_that_stands_twice_is_one_sentence(kind, write):
    read, text = GOOD[kind]
    name, value = ('"b"', '"x"') if kind in ("selection", "corpus") else ('"a"', "0.1")
    end = text.rindex("}", 0, text.index("}") + 1)
    broken = f"{text[:end]}, {name}: {value}, {name}: {value}{text[end:]}"
    path = write(kind, broken.encode())
    with pytest.raises(ReweightvizError, match=r"twice|stand once") as caught:
        read(path)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)


@pytest.mark.parametrize("content", ['{"weights":' * 100_000, '{"weights": {"a": 1' + "0" * 400])
@pytest.mark.parametrize("kind", GOOD)
def test_depth_and_endless_numbers_are_one_sentence(kind, content, write):
    path = write(kind, (content + "}" * content.count("{")).encode())
    with pytest.raises(ReweightvizError) as caught:
        GOOD[kind][0](path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["id,id\na,b\n", "id,weight,weight\na,1,2\n"])
def test_a_column_of_a_selection_stands_once(tmp_path, text):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(ReweightvizError, match="each column may stand once"):
        rv.load_selection(tmp_path / "s.csv", CORPUS)


def test_names_that_are_one_as_text_are_refused():
    for made in (rv.Sources, rv.Mixture.natural, rv.Mixture.normalized):
        with pytest.raises(rv.errors.DuplicateName, match="'1' came more often"):
            made({1: 1.0, "1": 2.0})
    with pytest.raises(rv.errors.DuplicateName, match="'a' came more often"):
        rv.RunLog(("a", "a"), [1], [[0.5, 0.5]])


@pytest.mark.parametrize("weight", [10**400, True, np.True_, "much"])
def test_a_weight_is_a_number(weight):
    with pytest.raises(rv.errors.InvalidValue, match="the weight of 'a' must be a number"):
        rv.Mixture({"a": weight})


@pytest.mark.parametrize("tokens", [[0.7, 2.0], [1e300, 2.0], [np.nan, 2.0], [-1, 2]])
def test_tokens_of_documents_are_whole(tokens):
    columns = {"text": ["a", "b"], "domain": ["web", "web"]}
    with pytest.raises(rv.errors.InvalidValue, match="'tokens' must be a (whole )?number"):
        rv.Corpus(columns | {"tokens": tokens})
    assert rv.Corpus(columns | {"tokens": [3.0, 2.0]}).tokens.tolist() == [3, 2]


def test_a_part_of_a_step_is_refused():
    with pytest.raises(rv.errors.InvalidValue, match="steps of a RunLog must be whole numbers"):
        rv.RunLog(("a", "b"), [1.5, 2.5], [[0.5, 0.5]] * 2)
    assert rv.RunLog(("a", "b"), [1.0, 2.0], [[0.5, 0.5]] * 2).steps.tolist() == [1, 2]
