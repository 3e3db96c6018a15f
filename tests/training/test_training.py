import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import needs
from reweightviz.core.runlog import RunLog
from reweightviz.core.schedule import Schedule
from reweightviz.core.types import COSTLY_SIGNALS
from reweightviz.mixers import DoGE, DoReMi, DreamPRM, Natural, ScaleBiO
from reweightviz.models.device import repeatable
from reweightviz.training import (
    ByteTransformer,
    ModelConfig,
    ProxyData,
    TrainConfig,
    evaluate,
    train,
)
from reweightviz.training.domain_stream import DomainStream, find_held_out
from reweightviz.training.driver import Driver
from reweightviz.training.learner import Learner
from reweightviz.training.measurements import Measurements, Update, mean_losses
from reweightviz.training.proxy_data import thin_out
from reweightviz.training.skills import skill_graph

TINY = TrainConfig(
    steps=30,
    batch=8,
    rate=1e-2,
    log_every=10,
    model=ModelConfig(width=16, layers=1, heads=2, context=16),
)


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    words = {"letters": "abcdefgh", "digits": "0123456789", "dots": ".,;:"}
    rows = [
        (name, "".join(rng.choice(list(chars), 300)))
        for name, chars in words.items()
        for _ in range(60)
    ]
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
    assert model.token_losses(torch.randint(0, 256, (4, 17))).mean().item() == pytest.approx(
        np.log(256), abs=1e-5
    )


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
    held = find_held_out(corpus)
    assert 0 < held.sum() < len(corpus) / 5
    texts = corpus.text(np.flatnonzero(held))
    training = ProxyData(corpus, 16).training
    assert not any(
        texts[0].encode()[i : i + 17] in block.tobytes() for i in (0, 17) for block in training
    )


def test_a_saved_model_comes_back(tmp_path, corpus):
    model = train(corpus, Natural(), config=TINY).model
    again = ByteTransformer.load(model.save(tmp_path / "m.npz"))
    batch = torch.randint(0, 256, (3, 17))
    torch.testing.assert_close(
        again.token_losses(batch), model.token_losses(batch), atol=2e-2, rtol=0
    )


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b'{"weights": {}}', "is no proxy model; a model is what ByteTransformer.save writes"),
        (b"", "is no proxy model"),
        (b"PK\x03\x04 half a zip", "is no proxy model"),
        ({"xy": np.zeros((3, 2))}, "is no proxy model"),
        ({"config.widths": np.int64(8)}, "is no proxy model"),
        (np.zeros(3), "is no proxy model"),
        (None, "cannot read .*m.npz: No such file"),
    ],
)
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
        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        )

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
    with pytest.raises(
        ReweightvizError, match=r"domain 'b' has .* bytes here, less than one sequence"
    ):
        train(
            Corpus({"text": ["a" * 400] * 40 + ["b"], "domain": ["a"] * 40 + ["b"]}),
            Mixture({"a": 0.5, "b": 0.5}),
            config=TINY,
        )


# ---- what mixers are fed


class Listener:
    """A mixer that changes nothing: it keeps what it was told, and asks for ``wanted`` every second step."""

    applies_to = "sampling"

    def __init__(self, *wanted):
        self.wanted = wanted

    def init(self, *, prior):
        return {"prior": prior, "told": []}

    def measures(self, state):
        return self.wanted if len(state["told"]) % 2 else ()

    def update(
        self,
        state,
        *,
        loss,
        held_out_loss,
        probe_loss,
        gradient_products,
        gradient_norm,
        hypergradient,
    ):
        told = {
            "loss": loss,
            "held_out_loss": held_out_loss,
            "probe_loss": probe_loss,
            "gradient_products": gradient_products,
            "gradient_norm": gradient_norm,
            "hypergradient": hypergradient,
        }
        return {"prior": state["prior"], "told": [*state["told"], told]}

    def weights(self, state):
        return state["prior"]

    def result(self, state):
        self.told = state["told"]
        return state["prior"]


@pytest.fixture(scope="module")
def data(corpus):
    return ProxyData(corpus, TINY.model.context)


def measuring(data, layers=None):
    """A model in float64, its measurements, and the streams that draw the same."""
    torch.manual_seed(5)
    model = ByteTransformer(TINY.model).double()
    return (
        model,
        Measurements(data, model, probe_blocks=4, gradient_batch=3, layers=layers, seed=7),
        DomainStream(data.training, (7, 1)),
        DomainStream(data.validation, (7, 2)),
    )


def gradient(model, blocks, parameters=None):
    """Flat gradient of the mean loss by ``backward``, where the trainer uses ``autograd.grad``."""
    model.zero_grad(set_to_none=True)
    model.token_losses(torch.from_numpy(blocks.astype(np.int64))).mean().backward()
    return torch.cat([p.grad.flatten() for p in (parameters or model.parameters())])


def test_what_is_measured_is_not_what_was_just_trained_on(data):
    measured, trained = (measuring(data)[1]._training, DomainStream(data.training, 7))
    for k in range(3):
        one, two = (
            {block.tobytes() for block in stream.take(k, 40)} for stream in (measured, trained)
        )
        assert len(data.training[k]) > 500 and len(one & two) < 10


@pytest.mark.parametrize("layers", [None, 1])
def test_gradient_products_are_those_of_the_same_batches(data, layers):
    model, measurements, training, validation = measuring(data, layers)
    found = measurements.take(("gradient_products", "gradient_norm"), Update(None, None, 0.0, []))
    target_blocks = validation.draw(np.full(3, 1 / 3), 9)[0]
    parameters = (
        list(model.parameters())
        if layers is None
        else [p for name, p in model.named_parameters() if name.startswith(("blocks.0", "norm"))]
    )
    target = gradient(model, target_blocks, parameters)
    for k in range(3):
        own = gradient(model, np.stack([training._take_one(k) for _ in range(3)]), parameters)
        assert found["gradient_products"][k] == pytest.approx(float(own @ target), rel=1e-9)
        assert found["gradient_norm"][k] == pytest.approx(float(own.norm()), rel=1e-9)


def test_a_hypergradient_is_that_of_one_step_trained_again(data):
    """The validation loss after w - rate * sum c_k grad L_k(w), by c_k, against really taking the step with other c."""
    model, measurements, training, validation = measuring(data)
    names = [name for name, _ in model.named_parameters()]
    before, rate = measurements.copy_parameters(), 0.05
    blocks, domains = training.draw(np.array([0.5, 0.5, 0.0]), 8)
    sequences = torch.from_numpy(blocks.astype(np.int64))

    def losses(values, blocks):
        return torch.func.functional_call(
            _Losses(model),
            {f"model.{name}": value for name, value in zip(names, values, strict=True)},
            (blocks,),
        )

    slopes = []
    for k in range(2):
        model.zero_grad(set_to_none=True)
        model.token_losses(sequences[domains == k]).mean().backward()
        slopes.append([p.grad.clone() for p in model.parameters()])

    def stepped(counts):
        return [
            w - rate * sum(c * s[n] for c, s in zip(counts, slopes, strict=True))
            for n, w in enumerate(before)
        ]

    with torch.no_grad():
        for parameter, value in zip(model.parameters(), stepped([0.5, 0.5]), strict=True):
            parameter.copy_(value)
    after = measurements.copy_parameters()
    found = measurements.take(("hypergradient",), Update(sequences, domains, rate, before))[
        "hypergradient"
    ]
    held = torch.from_numpy(validation.draw(np.full(3, 1 / 3), 9)[0].astype(np.int64))
    for k, counts in enumerate(np.eye(2)):
        up, down = (
            float(losses(stepped(0.5 + sign * 1e-4 * counts), held).mean()) for sign in (1, -1)
        )
        assert found[k] == pytest.approx((up - down) / 2e-4, abs=1e-5)
    assert np.isnan(found[2])  # not in the batch
    for parameter, value in zip(model.parameters(), after, strict=True):
        assert torch.equal(parameter, value)


class _Losses(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, sequences):
        return self.model.token_losses(sequences)


def test_a_mixer_is_told_what_it_asked_for_and_the_log_keeps_it(data, tmp_path):
    config = replace(TINY, log_every=1, evaluate_every=15, probe_blocks=5)
    listener = Listener("held_out_loss", "gradient_products", "gradient_norm", "hypergradient")
    run = train(data, listener, config=config)
    assert len(listener.told) == config.steps
    for n, told in enumerate(listener.told):
        for name in COSTLY_SIGNALS[:-1]:
            asked = n % 2 == 1 and name != "probe_loss"
            assert np.isfinite(told[name]).all() == asked, (n, name)
    np.testing.assert_array_equal(
        listener.told[-1]["held_out_loss"], mean_losses(run.model, thin_out(data.validation, 5))
    )
    for name in ("gradient_products", "gradient_norm", "hypergradient"):
        np.testing.assert_array_equal(run.log[name], [told[name] for told in listener.told])
    np.testing.assert_array_equal(
        run.log["probe_loss"], [told["held_out_loss"] for told in listener.told]
    )
    assert np.isfinite(run.log["held_out_loss"]).all(1).nonzero()[0].tolist() == [14, 29]
    np.testing.assert_array_equal(run.log["held_out_loss"][-1], evaluate(run.model, data, "test"))
    assert run.log.meta["evaluated_on"] == "test half"
    again = RunLog.load(run.log.save(tmp_path / "run.jsonl"))
    np.testing.assert_allclose(again["hypergradient"], run.log["hypergradient"], rtol=1e-6)


def test_looking_does_not_change_the_training(data):
    config = replace(TINY, test_only=True)
    plain, looked_at = (
        train(data, Mixture.uniform(data.domains), config=config),
        train(data, Listener(*COSTLY_SIGNALS[:-1]), config=config),
    )
    np.testing.assert_array_equal(plain.held_out, looked_at.held_out)
    np.testing.assert_array_equal(plain.log["loss"], looked_at.log["loss"])
    assert plain.log.meta["evaluated_on"] == "test half"
    assert (
        train(data, Mixture.uniform(data.domains), config=TINY).log.meta["evaluated_on"]
        == "held-out documents"
    )


def test_validation_and_test_share_no_document(corpus, data):
    halves = [data._deal_half(half) for half in (0, 1)]
    assert not (halves[0] & halves[1]).any()
    np.testing.assert_array_equal(halves[0] | halves[1], find_held_out(corpus))
    for code in range(3):
        counts = [int((half & (corpus.domain_codes == code)).sum()) for half in halves]
        assert counts[0] - counts[1] in {0, 1}


def test_the_follower_of_scalebio_minimises_the_training_loss_alone(data):
    """With logits that stay, the follower is the uniform run, so model less follower is the difference of the two logs."""
    config = replace(TINY, log_every=1)
    run, uniform = (
        train(data, ScaleBiO(alpha=3.0, rate=0.0), config=config),
        train(data, Mixture.uniform(data.domains), config=config),
    )
    np.testing.assert_allclose(
        run.log["penalty_gap"], run.log["loss"] - uniform.log["loss"], atol=1e-5
    )
    np.testing.assert_array_equal(run.log["penalty_gap"][0], 0)
    tied = train(data, ScaleBiO(alpha=1e7, rate=0.0), config=config)
    assert np.abs(tied.log["penalty_gap"]).max() < 0.1 * np.abs(run.log["penalty_gap"]).max()


def test_scalebio_follows_the_validation_loss_too(data):
    config = replace(TINY, steps=60, rate=2e-2)
    run, uniform = (
        train(data, ScaleBiO(alpha=0.1, rate=0.0), config=config),
        train(data, Mixture.uniform(data.domains), config=config),
    )
    assert (
        evaluate(run.model, data, "validation").mean()
        < evaluate(uniform.model, data, "validation").mean()
    )


@pytest.mark.parametrize(
    "mixer",
    [DoGE(rate=0.05, every=3), ScaleBiO(rate=1.0), DreamPRM(rate=0.1, every=3)],
    ids=lambda mixer: type(mixer).__name__,
)
def test_costly_mixers_are_driven_for_real_and_repeat_exactly(data, mixer):
    one, two = (train(data, mixer, seed=3, config=TINY) for _ in range(2))
    for name in one.log.signals:
        np.testing.assert_array_equal(one.log[name], two.log[name])
    assert {name for name in needs(mixer.update) if name in COSTLY_SIGNALS} <= set(one.log.signals)
    assert (np.diff(one.log.weights, axis=0) != 0).any()
    assert np.abs(np.array(one.log.meta["result"]) - 1 / 3).max() > 1e-3
    for name, weights in one.model.state_dict().items():
        assert torch.equal(weights, two.model.state_dict()[name]), name


def test_excess_is_clipped_token_by_token_and_then_averaged(data):
    torch.manual_seed(8)
    reference = ByteTransformer(
        TINY.model
    )  # as untrained as the model, so better on some tokens and worse on others
    run = train(
        data, DoReMi(), config=replace(TINY, steps=1, log_every=1), reference=reference, seed=3
    )
    torch.manual_seed(3)
    blocks, domains = DomainStream(data.training, 3).draw(np.full(3, 1 / 3), TINY.batch)
    sequences = torch.from_numpy(blocks.astype(np.int64))
    with torch.no_grad():
        excess = ByteTransformer(TINY.model).token_losses(sequences) - reference.token_losses(
            sequences
        )
    assert (excess < 0).any() and (excess > 0).any()
    expected = [float(excess[domains == k].clamp(min=0).mean()) for k in range(3)]
    np.testing.assert_allclose(run.log["excess_loss"][0], expected, rtol=1e-5)


def test_a_token_counts_by_weight_over_the_share_of_its_domain_in_the_batches():
    driver = Driver(
        DoReMi(), ("a", "b", "c", "d"), {"prior": [0.5, 0.3, 0.2, 0.0]}, has_reference=True
    )
    np.testing.assert_allclose(driver.loss_scale(np.array([0.2, 0.3, 0.4, 0.1])), [0.4, 1, 2, 0])
    assert driver.sampling(np.array([0.2, 0.3, 0.4, 0.1])).tolist() == [0.5, 0.3, 0.2, 0.0]
    drawing = Driver(Natural(), ("a", "b"), {"tokens": np.array([3.0, 1.0])}, has_reference=False)
    assert drawing.loss_scale(drawing.weights).tolist() == [1, 1] and drawing.sampling(
        drawing.weights
    ).tolist() == [0.75, 0.25]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_batch_is_rescaled_to_a_mean_count_of_one(data, accumulate, monkeypatch):
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: None)
    torch.manual_seed(0)
    model, twin = ByteTransformer(TINY.model), ByteTransformer(TINY.model)
    twin.load_state_dict(model.state_dict())
    sequences = torch.from_numpy(data.training[0][:4].astype(np.int64))
    scales = np.array([4.0, 0.0, 1.0, 3.0])
    Learner(model, 1e-3, 10, accumulate).update(sequences, scales)
    (
        twin.token_losses(sequences).mean(1) * torch.tensor(scales / 8, dtype=torch.float32)
    ).sum().backward()
    for one, two in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad, atol=1e-6, rtol=1e-4)


def test_a_batch_that_counts_nothing_changes_nothing_and_a_lost_training_says_so(data):
    model = ByteTransformer(TINY.model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    learner, sequences = (
        Learner(model, 1e-2, 10),
        torch.from_numpy(data.training[0][:4].astype(np.int64)),
    )
    assert torch.isfinite(learner.update(sequences, np.zeros(4))).all()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    torch.nn.init.constant_(model.embed.weight, float("nan"))
    with pytest.raises(
        ReweightvizError, match="the loss is no longer finite, at a learning rate of"
    ):
        learner.update(sequences, np.ones(4))


def test_a_split_batch_is_one_update_with_fresh_weights(data):
    reference = train(data, Mixture.uniform(data.domains), config=TINY).model
    config = replace(TINY, log_every=1, rate=1e-3)
    whole, split = (
        train(data, DoReMi(eta=0.5), config=replace(config, accumulate=parts), reference=reference)
        for parts in (1, 4)
    )
    assert len(split.log) == len(whole.log) == TINY.steps
    assert (
        np.abs(np.diff(split.log.weights, axis=0)).sum(1) > 0
    ).all()  # new weights for every update
    np.testing.assert_allclose(split.log.weights, whole.log.weights, atol=1e-3)
    np.testing.assert_allclose(split.held_out, whole.held_out, atol=1e-3)


def test_batches_that_scale_the_loss_hold_every_domain(data):
    reference = train(data, Mixture.uniform(data.domains), config=TINY).model
    scaled = train(data, DoReMi(), config=TINY, reference=reference)
    assert scaled.log.meta["absent"] == [0, 0, 0]
    drawn = train(
        data, Mixture(dict(zip(data.domains, [0.9375, 0.0625, 0], strict=True))), config=TINY
    )
    assert drawn.log.meta["absent"][0] == 0
    assert 0.2 < drawn.log.meta["absent"][1] < 0.8
    assert drawn.log.meta["absent"][2] == 1


def test_the_log_says_what_the_mixer_cost(data):
    meta = train(data, DoGE(every=1), config=TINY).log.meta
    assert meta["mixer_seconds"] > 0
    assert meta["signal_seconds"] > 0
    assert (
        meta["mixer_seconds"] + meta["signal_seconds"] <= meta["update_seconds"] + 1e-3
    )  # they are parts of it, each rounded


def test_a_skill_graph_knows_which_domain_helps_which(data):
    config = replace(TINY, steps=20)
    graph = skill_graph(data, config, seeds=(0, 1))
    assert graph.shape == (3, 3)
    assert (np.diag(graph) > 0).all()
    assert (
        graph.argmax(0) == np.arange(3)
    ).all()  # a column is a domain looked at: its own training helps it most
    alone = Mixture({name: float(name == "digits") for name in data.domains})
    torch.manual_seed(0)
    start = evaluate(ByteTransformer(config.model), data, "validation")
    end = evaluate(train(data, alone, config=config).model, data, "validation")
    np.testing.assert_allclose(skill_graph(data, config)[1], 1 - end / start)


class Staged:
    """Two stages, driven by ``update`` without signals; it is given a graph and a prior."""

    applies_to = "sampling"

    def init(self, *, prior, graph):
        self.prior, self.graph = prior, graph
        return 0

    def update(self, state):
        return state + 1

    def weights(self, state):
        return np.array([1.0, 0, 0]) if state < 10 else np.array([0, 0, 1.0])

    result = weights


def test_a_schedule_is_driven_and_init_gets_what_is_given(data):
    mixer, graph = Staged(), np.eye(3)
    run = train(
        data, mixer, config=TINY, given={"graph": graph, "prior": np.array([0.5, 0.3, 0.2])}
    )
    assert mixer.graph is graph
    assert mixer.prior.tolist() == [0.5, 0.3, 0.2]
    assert run.log.weights[:, 0].tolist() == [1, 0, 0]
    assert (run.log["drawn_tokens"] > 0).tolist() == [
        [True, False, False],
        [False, False, True],
        [False, False, True],
    ]
    with pytest.raises(
        ReweightvizError, match="Staged needs 'graph'; there is 'prior', 'tokens', 'documents'"
    ):
        train(data, mixer, config=TINY)


def test_a_schedule_and_a_plain_table_are_trained_on(data):
    first, then = (
        {"dots": 0.0, "letters": 1.0, "digits": 0.0},
        {"letters": 0.0, "digits": 0.5, "dots": 0.5},
    )
    run = train(data, Schedule({0: first, 20: then}, steps=30), config=TINY)
    assert run.log.weights.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0.5, 0.5]]
    assert (
        run.log.meta["result"] == pytest.approx([2 / 3, 1 / 6, 1 / 6])
        and run.log.name == "schedule"
    )
    assert (run.log["drawn_tokens"][2, 0], run.log["drawn_tokens"][1, 0]) == (0, 1280)
    plain, mixture = (
        train(data, kind(then), config=replace(TINY, steps=3)) for kind in (dict, Mixture)
    )
    np.testing.assert_array_equal(plain.held_out, mixture.held_out)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            {"mixture": "doremi"},
            "a training takes domain weights, a schedule, or a mixer .* got 'doremi'",
        ),
        ({"mixture": DoReMi}, "a training takes domain weights"),
        ({"given": {"prior": [1, 0]}}, "the prior must be 3 weights, one a domain; got 2"),
        (
            {"given": {"prior": "natural"}},
            "the prior must be numbers, in rows of one length; got 'natural'",
        ),
        ({"given": {"priors": [1, 0, 0]}}, "called 'priors'; did you mean 'prior'"),
        ({"given": {"loss": [1, 0, 0]}}, "called 'loss'"),
        ({"given": {"tokens": np.ones(2)}}, "Natural weighs 2 domains of the 3 that there are"),
        ({"seed": -1}, "seed must be a whole number of at least 0 .*; got -1"),
        (
            {"config": {"steps": 0}},
            "steps of TrainConfig must be a whole number of at least 1; got 0",
        ),
        ({"config": {"batch": 0}}, "batch of TrainConfig"),
        ({"config": {"log_every": 0}}, "log_every of TrainConfig"),
        ({"config": {"accumulate": 0}}, "accumulate of TrainConfig"),
        ({"config": {"rate": float("nan")}}, "TrainConfig needs a rate above 0"),
        (
            {"config": {"model": ModelConfig(width=16, layers=1, heads=2, context=32)}},
            r"sequences of 16 bytes .* context is 32: .*ProxyData\(corpus, 32\)",
        ),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(data, asked, sentence):
    with pytest.raises(ReweightvizError, match=sentence) as caught:
        train(
            data,
            **{"mixture": Natural()} | asked | {"config": replace(TINY, **asked.get("config", {}))},
        )
    assert "\n" not in str(caught.value)


def test_a_mixer_that_cannot_be_driven_is_one_sentence(data):
    class Grader(Listener):
        def update(self, state, *, grade):
            return state | grade

    class Mute:
        applies_to, init, weights, result = (
            "sampling",
            Listener.init,
            Listener.weights,
            Listener.result,
        )

        def update(self, state, *, probe_loss):
            return state | probe_loss

    class Asking(Listener):
        def measures(self, state):
            return ("penalty_gap",) if state else ()

    class Penalised(Asking):
        def update(self, state, *, penalty_gap):
            return state | penalty_gap

    for mixer, sentence in (
        (Grader(), "Grader in this trainer needs 'grade'; there is 'loss'"),
        (Mute(), "Mute.update names 'probe_loss', so Mute needs 'measures'"),
        (Asking(), "Asking.measures names 'penalty_gap'; its update names 'held_out_loss'"),
        (Penalised(), "Penalised.update names 'penalty_gap', so Penalised needs 'alpha'"),
    ):
        with pytest.raises(ReweightvizError, match=sentence):
            train(data, mixer, config=TINY)


@pytest.mark.gpu
def test_the_gpu_reaches_the_same_loss(corpus):
    here = train(corpus, Natural(), config=TINY, device="cpu")
    there = train(corpus, Natural(), config=TINY, device="cuda")
    np.testing.assert_allclose(here.held_out, there.held_out, atol=0.1)


@pytest.mark.gpu
def test_the_gpu_repeats_exactly(corpus):
    reference = train(corpus, Natural(), config=TINY, device="cuda").model
    one, two = (
        train(corpus, DoReMi(), seed=3, config=TINY, reference=reference, device="cuda")
        for _ in range(2)
    )
    for name, weights in one.model.state_dict().items():
        assert torch.equal(weights, two.model.state_dict()[name]), name
    np.testing.assert_array_equal(one.log["loss"], two.log["loss"])
