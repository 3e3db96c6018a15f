"""rv.losses under models of transformers: long and empty documents, tokens, resumed runs."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from reweightviz.core.corpus import Corpus, open_corpus
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.features import _parts, losses
from reweightviz.features import losses as verb

transformers = pytest.importorskip("transformers")


class Letters:
    name_or_path = "letters"

    def __call__(self, texts, **_):
        return {"input_ids": [[1, *(2 + ord(c) % 90 for c in text)] for text in texts]}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=96,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=32,
    )
    return transformers.LlamaForCausalLM(config).eval()


TEXTS = ["abc def", "", "x", "the quick brown fox jumps over the lazy dog " * 3, "abc def"]


@pytest.fixture
def corpus():
    return Corpus({"text": TEXTS, "domain": list("aabbb"), "id": list("vwxyz")})


def plain(model, text, most=None):
    ids = torch.tensor(Letters()([text])["input_ids"][0][:most])[None]
    logits = model(ids).logits[0, :-1].double()
    return -logits.log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0].detach().numpy()


def test_a_document_has_the_mean_of_its_tokens_losses(model, corpus):
    scored = losses(corpus, model, tokenizer=Letters(), label="tiny", tokens=True)
    found = scored["loss:tiny"]
    lists = scored["token_loss:tiny"].to_pylist()
    assert np.isnan(found[1])
    assert lists[1] == []
    for row in (0, 2, 3, 4):
        expected = plain(model, TEXTS[row], 32)
        np.testing.assert_allclose(lists[row], expected, atol=1e-4)
        assert found[row] == pytest.approx(expected.mean(), abs=1e-4)
    assert found[0] == pytest.approx(found[4], abs=1e-6)
    recipe = scored.recipes["loss:tiny"]
    assert (recipe["truncated"], recipe["missing"], recipe["tokenizer"]) == (1, 1, "letters")


def test_a_long_document_is_cut_read_whole_or_refused(model, corpus):
    cut = losses(corpus, model, tokenizer=Letters(), longest=8, tokens=True, label="t")
    assert [len(each) for each in cut["token_loss:t"].to_pylist()] == [7, 0, 1, 7, 7]
    whole = losses(corpus, model, tokenizer=Letters(), long="chunk", tokens=True, label="t")
    assert [len(each) for each in whole["token_loss:t"].to_pylist()] == [7, 0, 1, 132, 7]
    first = plain(model, TEXTS[3], 33)
    np.testing.assert_allclose(whole["token_loss:t"][3].as_py()[:32], first, atol=1e-4)
    with pytest.raises(ReweightvizError, match="133 tokens, more than 32"):
        losses(corpus, model, tokenizer=Letters(), long="refuse")
    with pytest.raises(ReweightvizError, match="truncate"):
        losses(corpus, model, tokenizer=Letters(), long="trunkate")


def test_lists_of_tokens_losses_are_a_column_like_others(model, corpus, tmp_path):
    scored = losses(corpus, model, tokenizer=Letters(), label="t", tokens=True)
    scored.save(tmp_path / "c.lance")
    opened = open_corpus(tmp_path / "c.lance")
    assert opened["token_loss:t"].to_pylist() == scored["token_loss:t"].to_pylist()
    assert opened.recipes == scored.recipes
    assert opened.digest("token_loss:t") == scored.digest("token_loss:t")
    assert opened.take([3, 0])["token_loss:t"].to_pylist() == [
        scored["token_loss:t"][row].as_py() for row in (3, 0)
    ]
    other = scored.take([3, 1, 2, 0, 4])
    assert other.digest("token_loss:t") != scored.digest("token_loss:t")


def test_losses_that_are_not_finite_are_counted(corpus):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=96,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    broken = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        broken.lm_head.weight[:] = float("nan")
    with pytest.warns(ReweightvizWarning, match="no finite loss of 4 of 5 documents"):
        scored = losses(corpus, broken, tokenizer=Letters(), label="broken")
    assert np.isnan(scored["loss:broken"]).all()


def test_parts_change_nothing(model, corpus, monkeypatch):
    whole = losses(corpus, model, tokenizer=Letters(), tokens=True, label="t")
    monkeypatch.setattr(sys.modules[verb.__module__], "PART_CPU", 1.0)
    assert len(_parts.plan_parts(corpus, 64, 1)) == len(corpus)
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", "off")
    parts = losses(corpus, model, tokenizer=Letters(), tokens=True, label="t")
    np.testing.assert_allclose(parts["loss:t"], whole["loss:t"], atol=1e-5)
    assert parts["token_loss:t"].to_pylist() == [
        pytest.approx(each, abs=1e-5) for each in whole["token_loss:t"].to_pylist()
    ]


def test_a_killed_run_goes_on_with_the_part_it_was_at(tmp_path):
    code = textwrap.dedent("""
        import os, signal, sys
        import numpy as np
        from reweightviz.core.corpus import Corpus
        from reweightviz.features import losses as verb
        from reweightviz.training import ByteTransformer, ModelConfig
        module = sys.modules[verb.__module__]
        module.PART_CPU = 1.0
        made, real = [], module._compute_part
        def compute(corpus, rows, *others):
            if len(made) == int(sys.argv[1]):
                os.kill(os.getpid(), signal.SIGKILL)
            made.append(rows)
            return real(corpus, rows, *others)
        module._compute_part = compute
        import torch
        torch.manual_seed(0)
        model = ByteTransformer(ModelConfig(width=16, layers=1, heads=2, context=16))
        corpus = Corpus({"text": ["some text of it"] * 6, "domain": ["a"] * 6})
        print(len(verb(corpus, model)["loss:proxy"]), len(made))
    """)

    def run(limit):
        command = [sys.executable, "-c", code, str(limit)]
        return subprocess.run(command, capture_output=True, text=True)

    assert run(4).returncode == -9
    again = run(99)
    assert again.stdout.split() == ["6", "2"], again.stderr
