"""Gradients of each example, against autograd on each alone and torch.func over all."""

import copy

import numpy as np
import pytest
import torch

from reweightviz.core.errors import ReweightvizError
from reweightviz.models.byte_transformer import ByteTransformer, ModelConfig
from reweightviz.models.gradients import (
    ExampleGradients,
    Projector,
    choose_parameters,
    flatten_difference,
)
from reweightviz.models.language_model import pad as pad_rows
from reweightviz.models.load_model import load_language_model
from reweightviz.numerics.inner import precondition
from reweightviz.numerics.projection import project

SIZES = {"vocab_size": 256, "bos_token_id": 0, "eos_token_id": 0}
rng = np.random.default_rng(0)
SEQUENCES = [rng.integers(0, 256, n) for n in (5, 20, 33, 2)]


def make(kind):
    torch.manual_seed(0)
    if kind == "byte":
        module = ByteTransformer(ModelConfig(width=32, layers=3, heads=2, context=64))
        return load_language_model(module, device="cpu")
    transformers = pytest.importorskip("transformers")
    if kind == "gpt2":
        module = transformers.GPT2LMHeadModel(
            transformers.GPT2Config(**SIZES, n_embd=32, n_layer=3, n_head=4, n_positions=64)
        )
    else:
        module = transformers.LlamaForCausalLM(
            transformers.LlamaConfig(
                **SIZES,
                hidden_size=32,
                intermediate_size=48,
                num_hidden_layers=3,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=64,
                tie_word_embeddings=kind == "llama-tied",
            )
        )
    return load_language_model(module, tokenizer=Tokenizer(), device="cpu")


class Tokenizer:
    name_or_path = "none"


def pad(sequences, length=0):
    ids, mask = pad_rows([np.asarray(one) for one in sequences], torch.device("cpu"))
    more = (0, max(length - ids.shape[1], 0))
    return torch.nn.functional.pad(ids, more), torch.nn.functional.pad(mask, more)


def by_autograd(model, layers, sequences=SEQUENCES):
    parameters = choose_parameters(model.module, layers).values()
    rows = []
    for one in sequences:
        ids, mask = pad([one])
        loss = model.token_losses(ids, mask).mean()
        found = torch.autograd.grad(loss, list(parameters), allow_unused=True)
        rows.append(
            torch.cat(
                [
                    torch.zeros_like(p).flatten() if g is None else g.flatten()
                    for g, p in zip(found, parameters, strict=True)
                ]
            )
        )
    return torch.stack(rows)


def projector(dimensions, kind="sparse", seed=0):
    return Projector(
        dimensions,
        lambda part, start: project(part, dimensions, start=start, kind=kind, seed=seed),
    )


def close(found, expected):
    found = found.detach()
    expected = expected.detach()
    scale = float(expected.abs().max())
    np.testing.assert_allclose(found / scale, expected / scale, atol=2e-6)


@pytest.mark.parametrize(
    ("kind", "layers", "by_one"),
    [
        ("byte", 1, False),
        ("byte", "all", True),
        ("llama", 2, False),
        ("llama", "all", True),
        ("llama-tied", "all", True),
        ("gpt2", 1, False),
        ("gpt2", "all", True),
    ],
)
def test_without_projection_they_are_those_of_autograd(kind, layers, by_one):
    model = make(kind)
    expected = by_autograd(model, layers)
    gradients = ExampleGradients(model, layers=layers)
    close(gradients(*pad(SEQUENCES)), expected)
    assert gradients.by_one is by_one
    # The check is of the first batch alone; other batches and more padding change nothing.
    close(gradients(*pad(SEQUENCES[:1], 50)), expected[:1])
    close(gradients(*pad(SEQUENCES[2:], 40)), expected[2:])


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_they_are_those_of_torch_func():
    model = make("byte")
    names = choose_parameters(model.module, 2)
    weights = {name: one.detach() for name, one in names.items()}
    ids = torch.from_numpy(rng.integers(0, 256, (4, 30)))

    class Losses(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model.module

        def forward(self, row):
            logits = self.model(row[None, :-1])[0]
            return torch.nn.functional.cross_entropy(logits, row[1:])

    def loss(weights, row):
        inner = {f"model.{name}": one for name, one in weights.items()}
        return torch.func.functional_call(Losses(), inner, (row,))

    found = torch.func.vmap(torch.func.grad(loss), (None, 0))(weights, ids)
    expected = torch.cat([found[name].flatten(1) for name in weights], 1)
    close(ExampleGradients(model)(ids, torch.ones_like(ids)), expected)


@pytest.mark.parametrize("projection", ["sparse", "rademacher"])
def test_projected_as_they_come_they_are_the_projection_of_the_whole(projection):
    model = make("llama")
    expected = project(by_autograd(model, 2), 300, kind=projection, seed=7)
    gradients = ExampleGradients(model, projector=projector(300, projection, 7))
    close(gradients(*pad(SEQUENCES)), expected)


@pytest.mark.parametrize("kind", ["llama", "byte"])
def test_adam_preconditions_before_the_projection(kind):
    model = make(kind)
    layers = {"llama": 2, "byte": "all"}[kind]
    names = choose_parameters(model.module, layers)
    moments = (
        {name: torch.randn_like(one) * 1e-3 for name, one in names.items()},
        {name: torch.rand_like(one) * 1e-5 for name, one in names.items()},
    )
    first, second = (torch.cat([one[name].flatten() for name in names]) for one in moments)

    def direction(name, gradient):
        return precondition(gradient, *(one[name].flatten() for one in moments))

    whole = by_autograd(model, layers)
    expected = project(precondition(whole, first, second), 200)
    gradients = ExampleGradients(
        model, layers=layers, projector=projector(200), precondition=direction
    )
    close(gradients(*pad(SEQUENCES)), expected)
    assert not gradients.by_one or kind == "byte"


def test_a_step_on_one_changes_the_loss_of_another_by_their_product():
    model = make("llama")
    ids, mask = pad(SEQUENCES[1:3])
    gradients = ExampleGradients(model, layers="all")(ids, mask)

    def losses(module):
        with torch.no_grad():
            other = load_language_model(module, tokenizer=Tokenizer(), device="cpu")
            return torch.stack(
                [other.token_losses(*pad([one])).mean() for one in SEQUENCES[1:3]]
            ).double()

    eta = 2e-3
    after = []
    for sign in (1, -1):
        moved = copy.deepcopy(model.module).double()
        place = 0
        for one in moved.parameters():
            change = gradients[0, place : place + one.numel()].view_as(one)
            one.data -= sign * eta * change.double()
            place += one.numel()
        after.append(losses(moved))
    found = (after[0] - after[1]) / (-2 * eta)
    np.testing.assert_allclose(
        found, gradients.double() @ gradients[0].double(), rtol=1e-2, atol=2e-4
    )


def test_one_broken_example_leaves_the_others_alone():
    model = make("llama")
    clean = ExampleGradients(model, projector=projector(64))(*pad(SEQUENCES))
    embedding = model.module.get_input_embeddings().weight
    ids, mask = pad([*SEQUENCES, [255, 255, 255], [7]])
    ids[ids == 255] = 254
    ids[4, :3] = 255
    expected = ExampleGradients(model, projector=projector(64))(ids[:4], mask[:4])
    with torch.no_grad():
        embedding[255] = torch.nan
    for gradients in (ExampleGradients(model, projector=projector(64)),):
        # Unchecked, each goes by itself; checked by a whole batch, all together.
        np.testing.assert_allclose(gradients(ids, mask)[:4], expected, atol=1e-6)
        gradients(ids[:4], mask[:4])
        found = gradients(ids, mask)
        np.testing.assert_allclose(found[:4], expected, atol=1e-6)
        assert torch.isnan(found[4:]).all() and not gradients.by_one
    assert torch.isfinite(clean).all()


def test_the_model_is_left_as_it_was():
    model = make("gpt2")
    module = model.module.train()
    for number, one in enumerate(module.parameters()):
        one.requires_grad_(number % 2 == 0)
    chosen = choose_parameters(module, "trainable")
    assert 0 < len(chosen) < len(list(module.parameters()))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    gradients = ExampleGradients(model, layers="trainable")
    module.eval()
    expected = by_autograd(model, "trainable")
    module.train()
    close(gradients(*pad(SEQUENCES)), expected)
    assert module.training and not any(layer._forward_hooks for layer in module.modules())
    assert all(one.grad is None for one in module.parameters())
    assert [one.requires_grad for one in module.parameters()] == [
        number % 2 == 0 for number in range(len(list(module.parameters())))
    ]
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])


def test_halves_add_up_in_single_precision():
    model = make("llama")
    expected = by_autograd(model, 1)
    half = load_language_model(model.module.bfloat16(), tokenizer=Tokenizer(), device="cpu")
    gradients = ExampleGradients(half, layers=1)
    found = gradients(*pad(SEQUENCES))
    assert found.dtype == torch.float32 and not gradients.by_one
    cosine = torch.nn.functional.cosine_similarity(found, expected)
    assert (cosine > 0.98).all()


def test_a_difference_of_weights_stands_as_the_gradients_do():
    model = make("llama")
    other = copy.deepcopy(model.module)
    row = by_autograd(model, 2)[0]
    place = 0
    for one in choose_parameters(other, 2).values():
        one.data -= row[place : place + one.numel()].view_as(one)
        place += one.numel()
    found = flatten_difference(model.module, other, 2, projector(128, seed=3))
    close(torch.from_numpy(found), -project(row[None], 128, seed=3)[0])
    with pytest.raises(ReweightvizError, match="a model without it"):
        flatten_difference(model.module, make("gpt2").module, 2, projector(128))


def test_what_has_no_gradient_is_refused():
    model = make("llama")
    with pytest.raises(ReweightvizError, match="a number of blocks"):
        choose_parameters(model.module, 0)
    for one in model.module.parameters():
        one.requires_grad_(False)
    with pytest.raises(ReweightvizError, match="layers that have parameters"):
        ExampleGradients(model, layers="trainable")
    big = load_language_model(ByteTransformer(ModelConfig(width=320, layers=5)), device="cpu")
    with pytest.raises(ReweightvizError, match="are projected"):
        ExampleGradients(big, layers="all")
