"""Language models of both makes: the same losses as the plain formula, whatever the batch."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.models import language_model
from reweightviz.models.batches import choose_budget, plan_batches, run_batches
from reweightviz.models.byte_transformer import ByteTransformer, ModelConfig
from reweightviz.models.language_model import pad
from reweightviz.models.load_model import load_language_model, name_model, stamp_model

transformers = pytest.importorskip("transformers")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


class Letters:
    """A tokenizer in memory: a token a character, and a mark before each text."""

    name_or_path = "letters"

    def __call__(self, texts, **_):
        return {"input_ids": [[1, *(2 + ord(c) % 90 for c in text)] for text in texts]}


def tiny(kind="llama"):
    torch.manual_seed(0)
    size = {"vocab_size": 96, "max_position_embeddings": 64}
    if kind == "gpt2":
        config = transformers.GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=64, **size)
        config.pad_token_id = None
        return transformers.GPT2LMHeadModel(config).eval()
    config = transformers.LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        **size,
    )
    return transformers.LlamaForCausalLM(config).eval()


@pytest.fixture(params=["llama", "gpt2", "bytes"])
def model(request):
    if request.param == "bytes":
        torch.manual_seed(0)
        size = ModelConfig(width=16, layers=1, heads=2, context=64)
        return load_language_model(ByteTransformer(size))
    return load_language_model(tiny(request.param), tokenizer=Letters())


TEXTS = ["abc", "the quick brown fox", "a", "", "zz zz zz zz zz zz zz zz zz"]


def test_losses_are_the_plain_formula_in_float64(model):
    model.module.double()
    encoded = model.encode(TEXTS)
    ids, mask = pad(encoded, model.device)
    with torch.no_grad():
        found = model.token_losses(ids, mask)
        for row, tokens in enumerate(encoded):
            if len(tokens) < 2:
                assert not found[row].any()
                continue
            alone = torch.from_numpy(tokens)[None]
            logits = model.module(alone)
            logits = getattr(logits, "logits", logits)[0, :-1]
            plain = -logits.log_softmax(-1).gather(1, alone[0, 1:, None])[:, 0]
            np.testing.assert_allclose(found[row, : len(plain)], plain, atol=1e-5)
            assert not found[row, len(plain) :].any()


def test_padding_and_batch_change_nothing(model):
    encoded = model.encode(TEXTS)
    ids, mask = pad(encoded, model.device)
    other = torch.where(mask, ids, 7)
    with torch.no_grad():
        together = model.token_losses(ids, mask)
        np.testing.assert_allclose(model.token_losses(other, mask), together, atol=1e-5)
        for row, tokens in enumerate(encoded):
            if not len(tokens):
                continue
            alone = model.token_losses(*pad([tokens], model.device))[0]
            np.testing.assert_allclose(alone, together[row, : len(alone)], atol=1e-5)


def test_a_model_without_opinion_loses_the_log_of_the_vocabulary(model):
    for weight in model.module.parameters():
        nn.init.zeros_(weight)
    ids, mask = pad(model.encode(["abcdef"]), model.device)
    with torch.no_grad():
        found = model.token_losses(ids, mask)
    np.testing.assert_allclose(found, np.log(model.vocabulary), atol=1e-6)


def test_logits_stay_within_the_memory_forwards_and_backwards(model, monkeypatch):
    held = []
    head = model.head

    def watched(states):
        held.append(states.shape[0] * model.vocabulary * 4)
        return head(states)

    object.__setattr__(model, "head", watched)
    ids, mask = pad(model.encode(TEXTS), model.device)
    model.token_losses(ids, mask).sum().backward()
    whole = [p.grad.clone() for p in model.module.parameters() if p.grad is not None]
    once = len(held)
    assert max(held) > 4096
    monkeypatch.setattr(language_model, "LOGITS", 4096)
    held.clear()
    model.module.zero_grad()
    model.token_losses(ids, mask).sum().backward()
    assert max(held) <= 4096
    assert len(held) > once
    parts = [p.grad for p in model.module.parameters() if p.grad is not None]
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_stamp_follows_the_weights(tmp_path):
    one = tiny()
    loaded = load_language_model(one, tokenizer=Letters())
    assert loaded.stamp == stamp_model(one)
    with torch.no_grad():
        next(one.parameters())[0, 0] += 1
    assert stamp_model(one) != loaded.stamp
    one.save_pretrained(tmp_path / "m-1.7b")
    assert stamp_model(tmp_path / "m-1.7b") == stamp_model(str(tmp_path / "m-1.7b")) != ""
    assert name_model(tmp_path / "m-1.7b") == "m-1.7b"
    assert stamp_model("no/such-model") == ""


def test_pickles_and_strangers_are_refused(tmp_path):
    one = tiny()
    torch.save(one.state_dict(), tmp_path / "model.pt")
    with pytest.raises(ReweightvizError, match="pickled weights"):
        load_language_model(tmp_path / "model.pt")
    folder = tmp_path / "pickled"
    one.config.save_pretrained(folder)
    torch.save(one.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ReweightvizError, match=r"(pickled weights|no causal language model)"):
        load_language_model(folder)
    with pytest.raises(ReweightvizError, match="no causal language model 'no/such-model'"):
        load_language_model("no/such-model")
    with pytest.raises(ReweightvizError, match="with tokenizer="):
        load_language_model(one)
    with pytest.raises(ReweightvizError, match="dtype must be"):
        load_language_model(one, tokenizer=Letters(), dtype="int8")


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a GPU where there is none")
def test_a_device_that_is_not_there_is_one_sentence():
    with pytest.raises(ReweightvizError, match="no torch device 'cuda'"):
        load_language_model(tiny(), tokenizer=Letters(), device="cuda")


def test_batches_hold_like_lengths_within_the_budget():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 300, 500)
    batches = plan_batches(lengths, 1000)
    rows = np.concatenate(batches)
    assert sorted(rows.tolist()) == list(range(500))
    assert all(len(b) * lengths[b].max() <= 1000 for b in batches)
    padded = sum(len(b) * lengths[b].max() for b in batches)
    assert padded < 1.1 * lengths.sum()
    assert [b.tolist() for b in plan_batches([5000], 1000)] == [[0]]
    assert choose_budget(torch.device("cpu"), 64) > choose_budget(torch.device("cpu"), 4096) >= 256


def test_a_full_memory_halves_the_batch_and_goes_on():
    lengths = [10] * 40
    asked = []

    def work(rows):
        asked.append(len(rows))
        # A stand-in for a device of 22 sequences.
        if len(rows) > 22:
            raise torch.OutOfMemoryError
        return rows

    with pytest.warns(ReweightvizWarning, match="the memory is full with 40 sequences a batch"):
        done = [rows for rows, _ in run_batches(lengths, 400, work, what="test")]
    assert sorted(np.concatenate(done).tolist()) == list(range(40))
    assert asked == [40, 20, 20]

    def refuse(_):
        raise RuntimeError("CUDA error: out of memory")

    with (
        pytest.warns(ReweightvizWarning),
        pytest.raises(ReweightvizError, match="alone does not fit"),
    ):
        list(run_batches([10, 10], 20, refuse, what="test"))

    def break_down(_):
        raise RuntimeError("another fault")

    with pytest.raises(RuntimeError, match="another fault"):
        list(run_batches([10], 20, break_down, what="test"))


def test_importing_reweightviz_still_imports_no_torch():
    code = "import reweightviz as rv, sys; rv.losses; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
