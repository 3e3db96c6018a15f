from importlib import import_module

import numpy as np
import pytest
import torch

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.models import batches
from reweightviz.models.byte_transformer import ByteTransformer, ModelConfig

module = import_module("reweightviz.features.gradients")
TEXTS = ["a short one", "", "x", "hello world, hello there " * 9, "an answer of forty-two", "é"]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", str(tmp_path))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ByteTransformer(ModelConfig(width=32, layers=3, heads=2, context=64))


@pytest.fixture
def corpus():
    return rv.Corpus({"text": TEXTS, "domain": ["a", "b"] * 3})


def test_gradients_are_a_column_that_scorers_take(corpus, model):
    more = rv.gradients(corpus, model, dimensions=256, device="cpu", label="mine")
    found = more["gradient:mine"]
    assert (found.shape, found.dtype) == ((6, 256), np.float32)
    # Without a next byte there is no loss.
    assert np.isnan(found).all(1).tolist() == [False, True, True, False, False, False]
    scored = rv.score(more, rv.scorers.SelfInfluence())
    np.testing.assert_allclose(
        np.array(scored["score:selfinfluence"]), (found.astype(float) ** 2).sum(1)
    )
    alone = rv.gradients(corpus.take([4]), model, dimensions=256, device="cpu", label="mine")
    np.testing.assert_allclose(alone["gradient:mine"][0], found[4], atol=1e-5)


def test_neither_the_batch_nor_the_part_changes_them(corpus, model, monkeypatch):
    options = {"dimensions": 128, "device": "cpu", "label": "x"}
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", "off")
    whole = rv.gradients(corpus, model, **options)["gradient:x"]
    for tokens in (1, 100, 100_000):
        monkeypatch.setattr(batches, "choose_budget", lambda *_, tokens=tokens: tokens)
        found = rv.gradients(corpus, model, **options)["gradient:x"]
        np.testing.assert_allclose(found, whole, atol=1e-5)
    monkeypatch.setattr(module, "PART", 60)
    found = rv.gradients(corpus, model, **options)["gradient:x"]
    np.testing.assert_allclose(found, whole, atol=1e-5)
    unit = rv.gradients(corpus, model, **options, unit=True)["gradient:x"]
    np.testing.assert_allclose(np.linalg.norm(unit[[0, 3, 4, 5]], axis=1), 1, atol=1e-6)


def test_interrupted_work_goes_on_with_the_next_part(corpus, model, monkeypatch):
    parts = [np.arange(start, start + 2) for start in (0, 2, 4)]
    monkeypatch.setattr(module, "plan_parts", lambda *_: parts)
    calls = []
    real = module._Maker.__call__

    def count(self, texts):
        calls.append(list(texts))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, texts)

    monkeypatch.setattr(module._Maker, "__call__", count)
    with pytest.raises(KeyboardInterrupt):
        rv.gradients(corpus, model, dimensions=64, device="cpu")
    found = rv.gradients(corpus, model, dimensions=64, device="cpu")["gradient:proxy"]
    assert [one[0] for one in calls] == [TEXTS[0], TEXTS[2], TEXTS[2], TEXTS[4]]
    again = rv.gradients(corpus, model, dimensions=64, device="cpu")["gradient:proxy"]
    np.testing.assert_array_equal(again, found)
    assert len(calls) == 4
    rv.gradients(corpus, model, dimensions=64, device="cpu", seed=1)
    assert len(calls) == 7


def test_a_batch_that_does_not_fit_is_halved(corpus, model, monkeypatch):
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", "off")
    options = {"dimensions": 64, "device": "cpu", "label": "x"}
    whole = rv.gradients(corpus, model, **options)["gradient:x"]
    from reweightviz.models.gradients import ExampleGradients

    real = ExampleGradients.__call__
    sizes = []

    def fail(self, ids, mask):
        sizes.append(len(ids))
        if len(ids) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return real(self, ids, mask)

    monkeypatch.setattr(ExampleGradients, "__call__", fail)
    with pytest.warns(ReweightvizWarning, match="goes on with at most"):
        found = rv.gradients(corpus, model, **options)["gradient:x"]
    np.testing.assert_allclose(found, whole, atol=1e-5)
    assert max(sizes) == 4 and sizes.count(1) == 4


def test_mimic_and_weights_to_data_take_a_difference_of_weights(corpus, model, tmp_path):
    later = ByteTransformer(model.config)
    later.load_state_dict(model.state_dict())
    ids = torch.tensor([list(TEXTS[4].encode())])
    optimizer = torch.optim.SGD(later.parameters(), lr=0.5)
    later.token_losses(ids).mean().backward()
    optimizer.step()
    way = rv.weight_difference(model, later, dimensions=512, layers=3)
    G = rv.gradients(corpus, model, dimensions=512, layers=3, device="cpu")["gradient:proxy"]
    mimic = rv.scorers.Mimic().score(gradient=G, weight_difference=way)
    norm = np.linalg.norm(G[4].astype(float))
    np.testing.assert_allclose(mimic[4], norm, rtol=1e-3)
    order = rv.scorers.WeightsToData().score(gradient=G, weight_difference=way)
    assert order[4] == 0


def test_moments_of_an_optimizer_turn_the_gradients(corpus, model):
    optimizer = torch.optim.Adam(model.parameters())
    model.token_losses(torch.tensor([list(TEXTS[4].encode())])).mean().backward()
    optimizer.step()
    states = {name: optimizer.state[one] for name, one in model.named_parameters()}
    moments = [
        {name: one[key] for name, one in states.items()} for key in ("exp_avg", "exp_avg_sq")
    ]
    plain = rv.gradients(corpus, model, dimensions=512, device="cpu")["gradient:proxy"]
    turned = rv.gradients(corpus, model, dimensions=512, device="cpu", moments=moments)
    found = turned["gradient:proxy"]
    assert np.isfinite(found[3]).all() and not np.allclose(found[3], plain[3], atol=1e-3)
    assert turned.recipes["gradient:proxy"]["moments"] is not None
    with pytest.raises(ReweightvizError, match="moments needs column"):
        rv.gradients(corpus, model, device="cpu", moments=({}, {}))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dimensions": 0}, "dimensions must be"),
        ({"longest": 1}, "longest must be"),
        ({"projection": "gauss"}, "'sparse' or 'rademacher'"),
        ({"layers": "first"}, "a number of blocks"),
        ({"moments": 3}, "a pair of mappings"),
        ({"device": "nowhere"}, "no torch device"),
    ],
)
def test_options_that_do_not_fit_are_refused(corpus, model, options, said):
    with pytest.raises(ReweightvizError, match=said):
        rv.gradients(corpus, model, **options)


def test_other_models_are_refused(corpus, tmp_path):
    with pytest.raises(ReweightvizError, match="no model at"):
        rv.gradients(corpus, tmp_path / "none.npz")
    with pytest.raises(ReweightvizError, match="with tokenizer="):
        rv.gradients(corpus, object())
