"""The reference trainer: small, repeatable, real. It makes proxy runs and drives any mixer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from reweightviz.core.corpus import Corpus
from reweightviz.core.protocols import Mixer
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import Array
from reweightviz.core.validation import whole_number
from reweightviz.models.byte_transformer import ByteTransformer
from reweightviz.models.device import choose_device, repeatable
from reweightviz.training.driver import Driver
from reweightviz.training.measurements import mean_losses
from reweightviz.training.proxy_data import ProxyData, cut_corpus
from reweightviz.training.train_config import TrainConfig
from reweightviz.training.training_job import TrainingJob

__all__ = ["DEFAULT_CONFIG", "TrainingRun", "evaluate", "train"]


DEFAULT_CONFIG = TrainConfig()


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """The log of a training, its model, and the final held-out loss (K,) in nats per byte."""

    log: RunLog
    model: ByteTransformer
    held_out: Array


def train(
    corpus: Corpus | ProxyData,
    mixture: Mapping[Any, Any] | Mixer,
    *,
    seed: int = 0,
    config: TrainConfig = DEFAULT_CONFIG,
    reference: ByteTransformer | None = None,
    given: Mapping[str, Any] | None = None,
    device: str = "auto",
    name: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TrainingRun:
    """Train a proxy model on ``corpus`` under a fixed mixture, a schedule, or a mixer.

    The log's ``held_out_loss`` is the evaluation every ``evaluate_every`` steps; what a mixer saw
    of the validation half is ``probe_loss``. Its meta has the seconds of the mixer
    (``mixer_seconds``) and of its signals (``signal_seconds``) in the updates (``update_seconds``,
    with both), and the share of the batches in which each domain was ``absent``.

    Args:
        corpus: documents, or :class:`ProxyData` made from them when there are many runs.
        mixture: domain weights, a Schedule by the step, or a mixer; a mixer gets the training
            signals it names after every update: loss, reference_loss, excess_loss, drawn_tokens,
            and the costly ones that its ``measures`` names.
        seed: of the initial weights and of the data order. On the same machine, with the same
            device, versions and number of threads, the same seed gives the same run bit by bit;
            elsewhere the losses are only close.
        reference: frozen model for reference_loss and excess_loss.
        given: more of what the mixer's ``init`` names, such as a graph from :func:`skill_graph`;
            ``prior`` replaces uniform.
        device: "auto" takes CUDA where there is one.
        name: of the run in legends.
        progress: called after every step with the step and the number of steps.

    Raises:
        ReweightvizError: something else came, a mixer lacks a signal, the data are of another
            context than the model's, or the loss is no longer finite.

    Example:
        >>> from reweightviz.models.byte_transformer import ModelConfig
        >>> corpus = Corpus({"text": ["abcd" * 99, "wxyz" * 99] * 40, "domain": ["a", "b"] * 40})
        >>> model = ModelConfig(width=16, layers=1, heads=2, context=16)
        >>> tiny = TrainConfig(steps=4, batch=4, model=model)
        >>> run = train(corpus, {"a": 0.5, "b": 0.5}, config=tiny)
        >>> run.held_out.shape, run.log.steps.tolist()[-1]
        ((2,), 4)
    """
    started = time.perf_counter()
    data = cut_corpus(corpus, config.model.context)
    seed = whole_number("seed", seed, most=2**63 - 1)
    place = choose_device(device)
    torch.manual_seed(seed)
    # Made on the CPU, so that a seed gives the same parameters on every device.
    model = ByteTransformer(config.model).to(place)
    known = {"tokens": data.tokens, "documents": data.documents, **(given or {})}
    driver = Driver(mixture, data.domains, known, has_reference=reference is not None)
    if reference is not None:
        reference = reference.to(place).eval()
    job = TrainingJob(data, config, driver, model, reference, seed)
    with repeatable(place):
        for step in range(1, config.steps + 1):
            job.step(step)
            if progress is not None:
                progress(step, config.steps)
    meta = {
        "seed": seed,
        "steps": config.steps,
        "batch": config.batch,
        "context": config.model.context,
        "tokens": config.tokens,
        "parameters": model.parameters_count,
        "device": place.type,
        "mixer": repr(mixture),
        "applies_to": getattr(mixture, "applies_to", "sampling"),
        "sources": dict(zip(data.domains, data.tokens.tolist(), strict=True)),
        "seconds": round(time.perf_counter() - started, 2),
        "result": driver.result.tolist(),
    } | job.facts
    log = job.record.make_log(name or driver.name, meta)
    return TrainingRun(log, model.eval(), job.record.held_out)


def evaluate(model: ByteTransformer, data: ProxyData, part: str = "held_out") -> Array:
    """Return the loss (K,) of a model in nats per byte on held-out documents.

    Args:
        model: to evaluate.
        data: of its domains.
        part: "held_out" for all of them, or their half "validation" or "test".
    """
    return mean_losses(model, getattr(data, part))
