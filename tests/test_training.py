import os

import numpy as np
import pytest
import torch

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.mixers import DoReMi, Natural
from reweightviz.training import ByteTransformer, ModelConfig, ProxyData, TrainConfig, train
from reweightviz.training.device import repeatable
from reweightviz.training.domain_stream import DomainStream, held_out_rows

TINY = TrainConfig(steps=30, batch=8, rate=1e-2, log_every=10, model=ModelConfig(width=16, layers=1, heads=2, context=16))


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    words = {"letters": "abcdefgh", "digits": "0123456789", "dots": ".,;:"}
    rows = [(name, "".join(rng.choice(list(chars), 300))) for name, chars in words.items() for _ in range(60)]
    return Corpus({"text": [text for _, text in rows], "domain": [name for name, _ in rows]})


def test_the_model_is_causal():
    model = ByteTransformer(TINY.model).eval()
    one = torch.arange(16)[None] + 60
    two = one.clone()
    two[0, 10:] = 33
    torch.testing.assert_close(model(one)[:, :10], model(two)[:, :10])


def test_a_uniform_model_loses_exactly_log_256():
    model = ByteTransformer(TINY.model)
    torch.nn.init.zeros_(model.embed.weight)
    assert model.token_losses(torch.randint(0, 256, (4, 17))).mean().item() == pytest.approx(np.log(256), abs=1e-5)


def test_training_learns_and_repeats_exactly(corpus):
    mixture = Mixture.uniform(corpus.domains)
    one, two, other = (train(corpus, mixture, seed=seed, config=TINY) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.held_out, two.held_out)
    assert (one.held_out != other.held_out).any()
    assert (one.held_out < np.log(256) - 1).all()


def test_a_domain_with_more_weight_is_learned_better(corpus):
    heavy = train(corpus, Mixture({"letters": 0.1, "digits": 0.8, "dots": 0.1}), config=TINY)
    light = train(corpus, Mixture({"letters": 0.45, "digits": 0.1, "dots": 0.45}), config=TINY)
    assert heavy.held_out[1] < light.held_out[1]
    drawn = heavy.log["drawn_tokens"].sum(0)
    np.testing.assert_allclose(drawn / drawn.sum(), [0.1, 0.8, 0.1], atol=0.02)


def test_doremi_is_driven_for_real(corpus):
    reference = train(corpus, Mixture.uniform(corpus.domains), config=TINY)
    run = train(corpus, DoReMi(), config=TINY, reference=reference.model)
    assert (run.log["excess_loss"] >= 0).all()
    assert run.log["excess_loss"].max() > 0
    assert (np.diff(run.log.weights, axis=0) != 0).any()
    assert sum(run.log.meta["result"]) == pytest.approx(1)
    with pytest.raises(ReweightvizError, match="DoReMi in this trainer needs 'excess_loss'"):
        train(corpus, DoReMi(), config=TINY)


def test_a_static_mixer_draws_by_its_weights(corpus):
    run = train(corpus, Natural(), config=TINY)
    np.testing.assert_allclose(run.log.weights[-1], corpus.natural.array)


def test_epochs_are_exact_and_held_out_is_kept_apart(corpus):
    blocks = [np.arange(5, dtype=np.uint8)[:, None], np.arange(50, 53, dtype=np.uint8)[:, None]]
    stream = DomainStream(blocks, seed=0)
    drawn = np.concatenate([stream.draw(np.array([1.0, 0.0]), 5)[0].ravel() for _ in range(3)])
    assert np.bincount(drawn).tolist() == [3] * 5
    held = held_out_rows(corpus)
    assert 0 < held.sum() < len(corpus) / 5
    texts = corpus.text(np.flatnonzero(held))
    training = ProxyData(corpus, 16).training
    assert not any(texts[0].encode()[i : i + 17] in block.tobytes() for i in (0, 17) for block in training)


def test_a_saved_model_comes_back(tmp_path, corpus):
    model = train(corpus, Natural(), config=TINY).model
    again = ByteTransformer.load(model.save(tmp_path / "m.npz"))
    batch = torch.randint(0, 256, (3, 17))
    torch.testing.assert_close(again.token_losses(batch), model.token_losses(batch), atol=2e-2, rtol=0)


@pytest.mark.parametrize(("data", "sentence"), [
    (b'{"weights": {}}', "is no proxy model; a model is what ByteTransformer.save writes"),
    (b"", "is no proxy model"), (b"PK\x03\x04 half a zip", "is no proxy model"),
    ({"xy": np.zeros((3, 2))}, "is no proxy model"), ({"config.widths": np.int64(8)}, "is no proxy model"),
    (np.zeros(3), "is no proxy model"), (None, "cannot read .*m.npz: No such file"),
])
def test_a_file_that_is_no_model_is_one_sentence(tmp_path, data, sentence):
    path = tmp_path / "m.npz"
    if isinstance(data, bytes):
        path.write_bytes(data)
    elif data is not None:
        with path.open("wb") as file:
            np.savez(file, **data) if isinstance(data, dict) else np.save(file, data)
    with pytest.raises(ReweightvizError, match=sentence) as caught:
        ByteTransformer.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("before", [(False, False), (True, True)])
def test_cuda_is_repeatable_in_a_run_and_as_it_was_after(monkeypatch, before):
    def mode():
        return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()

    def run(device):
        with repeatable(torch.device(device)):
            inside.append(mode())
            raise KeyboardInterrupt

    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    inside = []
    try:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        for device in ("cuda", "cpu"):
            with pytest.raises(KeyboardInterrupt):
                run(device)
            assert mode() == before
        assert inside == [(True, False), before]
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        torch.use_deterministic_algorithms(False)


def test_too_little_text_is_one_sentence():
    with pytest.raises(ReweightvizError, match=r"domain 'b' has .* bytes here, less than one sequence"):
        train(Corpus({"text": ["a" * 400] * 40 + ["b"], "domain": ["a"] * 40 + ["b"]}), Mixture({"a": 0.5, "b": 0.5}), config=TINY)


@pytest.mark.gpu
def test_the_gpu_reaches_the_same_loss(corpus):
    here = train(corpus, Natural(), config=TINY, device="cpu")
    there = train(corpus, Natural(), config=TINY, device="cuda")
    np.testing.assert_allclose(here.held_out, there.held_out, atol=0.1)


@pytest.mark.gpu
def test_the_gpu_repeats_exactly(corpus):
    reference = train(corpus, Natural(), config=TINY, device="cuda").model
    one, two = (train(corpus, DoReMi(), seed=3, config=TINY, reference=reference, device="cuda") for _ in range(2))
    for name, weights in one.model.state_dict().items():
        assert torch.equal(weights, two.model.state_dict()[name]), name
    np.testing.assert_array_equal(one.log["loss"], two.log["loss"])
