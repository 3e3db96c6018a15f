"""The reference trainer: small, repeatable, real. It makes proxy runs and drives any mixer."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError, UnmetNeed
from reweightviz.core.protocols import Mixer
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import LOG_SIGNALS, Array
from reweightviz.core.validation import whole_number
from reweightviz.models.byte_transformer import ByteTransformer, ModelConfig
from reweightviz.models.device import choose_device, repeatable
from reweightviz.training.domain_stream import DomainStream
from reweightviz.training.driver import Driver
from reweightviz.training.learner import Learner
from reweightviz.training.measurements import Measurements, Update, by_domain, mean_losses
from reweightviz.training.proxy_data import EVALUATED, Blocks, ProxyData

__all__ = ["EVALUATED", "ProxyData", "TrainConfig", "TrainingRun", "evaluate", "train"]


@dataclass(frozen=True)
class TrainConfig:
    """How long, how fast, and what is measured.

    Args:
        steps: updates.
        batch: sequences an update; the budget is steps * batch * context bytes.
        rate: peak learning rate of AdamW, warmed up over a tenth of the steps, then cosine to a
            tenth.
        log_every: steps between lines of the log.
        evaluate_every: steps between held-out evaluations; the last step is always evaluated.
        model: size of the model.
        accumulate: parts that a batch is split into; mixers still learn once an update, from the
            whole batch.
        probe_blocks: validation sequences a domain for a mixer's held-out losses.
        gradient_batch: sequences a domain for a mixer's gradients.
        gradient_layers: take gradients of the last so many blocks and the final norm only; None is
            all parameters.
        test_only: evaluate on the half of the held-out documents that mixers never look at, so
            that runs compare with those of a mixer that looks at the other half; such a run is
            evaluated there in any case.
    """

    steps: int = 300
    batch: int = 32
    rate: float = 4e-3
    log_every: int = 5
    evaluate_every: int = 100
    model: ModelConfig = ModelConfig()  # noqa: RUF009  frozen
    accumulate: int = 1
    probe_blocks: int = 16
    gradient_batch: int = 4
    gradient_layers: int | None = None
    test_only: bool = False

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "batch",
            "log_every",
            "evaluate_every",
            "accumulate",
            "probe_blocks",
            "gradient_batch",
        ):
            object.__setattr__(
                self, name, whole_number(f"{name} of TrainConfig", getattr(self, name), 1)
            )
        if not isinstance(self.rate, int | float) or not 0 < self.rate < float("inf"):
            raise UnmetNeed(name="TrainConfig", value=self.rate, expected="a rate above 0")

    @property
    def tokens(self) -> int:
        """Bytes trained on."""
        return self.steps * self.batch * self.model.context


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """What a training left: its log, its model, and the final held-out loss (K,) in nats per byte."""

    log: RunLog
    model: ByteTransformer
    held_out: Array


def train(
    corpus: Corpus | ProxyData,
    mixture: Mapping[Any, Any] | Mixer,
    *,
    seed: int = 0,
    config: TrainConfig = TrainConfig(),
    reference: ByteTransformer | None = None,
    given: Mapping[str, Any] | None = None,
    device: str = "auto",
    name: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TrainingRun:
    """Train a proxy model on ``corpus`` under a fixed mixture, a schedule, or a mixer that changes it.

    The log's ``held_out_loss`` is the evaluation every ``evaluate_every`` steps; what a mixer saw
    of the validation half is ``probe_loss``. Its meta says how long the mixer (``mixer_seconds``)
    and what it had measured (``signal_seconds``) took of the updates (``update_seconds``, with
    both), and in which share of the batches each domain was ``absent``.

    Args:
        corpus: documents, or :class:`ProxyData` made from them when there are many runs.
        mixture: domain weights, a Schedule by the step, or a mixer; a mixer is told the training
            signals it names after every update: loss, reference_loss, excess_loss, drawn_tokens,
            and the costly ones that its ``measures`` names.
        seed: of the initial weights and of the data order. On the same machine, with the same
            device, versions and number of threads, the same seed gives the same run bit by bit;
            elsewhere the losses are only close.
        reference: frozen model for reference_loss and excess_loss.
        given: more of what the mixer's ``init`` names, such as a graph from :func:`skill_graph`;
            ``prior`` replaces uniform.
        device: "auto" takes CUDA where there is one.

    Raises:
        ReweightvizError: something else came, a mixer lacks a signal, the data are of another
            context than the model's, or the loss is no longer finite.

    Example:
        >>> from reweightviz.core.corpus import Corpus
        >>> corpus = Corpus({"text": ["abcd" * 99, "wxyz" * 99] * 40, "domain": ["a", "b"] * 40})
        >>> tiny = TrainConfig(steps=4, batch=4, model=ModelConfig(width=16, layers=1, heads=2, context=16))
        >>> run = train(corpus, {"a": 0.5, "b": 0.5}, config=tiny)
        >>> run.held_out.shape, run.log.steps.tolist()[-1]
        ((2,), 4)
    """
    started = time.perf_counter()
    data = corpus if isinstance(corpus, ProxyData) else ProxyData(corpus, config.model.context)
    if data.context != config.model.context:
        raise ReweightvizError(
            f"these ProxyData are sequences of {data.context} bytes and the model's "
            f"context is {config.model.context}: "
            f"make them with ProxyData(corpus, {config.model.context})."
        )
    seed = whole_number("seed", seed, most=2**63 - 1)
    place = choose_device(device)
    torch.manual_seed(seed)
    model = ByteTransformer(config.model).to(place)
    driver = Driver(
        mixture,
        data.domains,
        {"tokens": data.tokens, "documents": data.documents, **(given or {})},
        has_reference=reference is not None,
    )
    job = _Job(
        data,
        config,
        driver,
        model,
        reference.to(place).eval() if reference is not None else None,
        seed,
    )
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
    return TrainingRun(job.record.log(name or driver.name, meta), model.eval(), job.record.held_out)


class _Job:
    """One training: a step draws by the mixer's weights, learns, measures what the mixer asked for, and tells it."""

    def __init__(
        self,
        data: ProxyData,
        config: TrainConfig,
        driver: Driver,
        model: ByteTransformer,
        reference: ByteTransformer | None,
        seed: int,
    ) -> None:
        self._data, self._config, self._driver, self._reference = data, config, driver, reference
        self._learner, self._follower = (
            self._learns(model),
            None if driver.alpha is None else self._learns(copy.deepcopy(model)),
        )
        self._stream = DomainStream(data.training, seed)
        self._measurements = (
            Measurements(
                data,
                model,
                probe_blocks=config.probe_blocks,
                gradient_batch=config.gradient_batch,
                layers=config.gradient_layers,
                seed=seed,
            )
            if driver.looks
            else None
        )
        part = "test" if driver.looks or config.test_only else "held_out"
        self.record = _Record(data.domains, getattr(data, part), config)
        self._absent = np.zeros(len(data.domains))
        self._seconds = dict.fromkeys(("mixer", "signal", "update"), 0.0)

    def _learns(self, model: ByteTransformer) -> Learner:
        return Learner(model, self._config.rate, self._config.steps, self._config.accumulate)

    @property
    def facts(self) -> dict[str, Any]:
        """What the log's meta says of the work: seconds, and the share of batches without each domain."""
        return {f"{what}_seconds": round(took, 4) for what, took in self._seconds.items()} | {
            "absent": (self._absent / self._config.steps).round(6).tolist(),
            "evaluated_on": "test half"
            if self.record.blocks is not self._data.held_out
            else "held-out documents",
        }

    def step(self, step: int) -> None:
        began = time.perf_counter()
        weights, names = self._driver.weights, self._driver.measures
        decided = time.perf_counter()
        batch, domains = self._stream.draw(self._driver.sampling(weights), self._config.batch)
        sequences = torch.from_numpy(batch.astype(np.int64)).to(
            next(self._learner.model.parameters()).device
        )
        update = Update(
            sequences,
            domains,
            self._learner.rate,
            self._measurements.parameters()
            if self._measurements and "hypergradient" in names
            else [],
        )
        losses, theirs = self._learn(sequences, self._driver.loss_scale(weights)[domains])
        learned = time.perf_counter()
        signals = self._signals(losses, theirs, update)
        if self._measurements is not None:
            signals |= self._measurements.take(names, update)
        measured = time.perf_counter()
        self._driver.update(signals)
        told = time.perf_counter()
        self._absent += signals["drawn_tokens"] == 0
        for what, took in (
            ("mixer", decided - began + told - measured),
            ("signal", measured - learned),
            ("update", told - began),
        ):
            self._seconds[what] += took
        self.record.add(step, weights, signals, self._learner.model)

    def _learn(
        self, sequences: torch.Tensor, scales: Array
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The losses (B, L-1) of the model, and those of the follower where there is one, from before the update."""
        if self._follower is None or self._measurements is None or self._driver.alpha is None:
            return self._learner.update(sequences, scales), None
        began = time.perf_counter()
        theirs = self._follower.update(sequences, scales)
        self._seconds["signal"] += time.perf_counter() - began
        validation = self._measurements.validation(self._config.batch)
        return self._learner.update(
            sequences, scales, validation=validation, alpha=self._driver.alpha
        ), theirs

    @torch.no_grad()
    def _signals(
        self, losses: torch.Tensor, theirs: torch.Tensor | None, update: Update
    ) -> dict[str, Array]:
        """Per-domain means over the tokens of this batch; NaN for a domain that is not in it."""
        K = len(self._data.domains)
        counts = np.bincount(update.domains, minlength=K)
        signals = {
            "loss": by_domain(losses.mean(1), update.domains, K),
            "drawn_tokens": np.asarray(counts * losses.shape[1], np.float64),
        }
        if self._reference is not None:
            frozen = self._reference.token_losses(update.sequences)
            signals["reference_loss"] = by_domain(frozen.mean(1), update.domains, K)
            signals["excess_loss"] = by_domain(
                (losses - frozen).clamp(min=0).mean(1), update.domains, K
            )
        if theirs is not None:
            signals["penalty_gap"] = by_domain((losses - theirs).mean(1), update.domains, K)
        return signals


class _Record:
    """Collects the log: signals averaged since the last line, held-out losses where they were measured."""

    def __init__(self, domains: tuple[str, ...], blocks: Blocks, config: TrainConfig) -> None:
        self._domains, self.blocks, self._config = domains, blocks, config
        self._steps: list[int] = []
        self._weights: list[Array] = []
        self._rows: list[dict[str, Array]] = []
        self._pending: list[Mapping[str, Array]] = []
        self.held_out = np.full(len(domains), np.nan)

    def add(
        self, step: int, weights: Array, signals: Mapping[str, Array], model: ByteTransformer
    ) -> None:
        self._pending.append(
            {
                "probe_loss" if name == "held_out_loss" else name: values
                for name, values in signals.items()
            }
        )
        last = step == self._config.steps
        if step % self._config.log_every and not last:
            return
        self._steps.append(step)
        self._weights.append(weights)
        self._rows.append(
            {
                name: _since(name, [line[name] for line in self._pending if name in line])
                for name in LOG_SIGNALS
                if any(name in line for line in self._pending)
            }
        )
        if last or step % self._config.evaluate_every == 0:
            self._rows[-1]["held_out_loss"] = self.held_out = mean_losses(model, self.blocks)
        self._pending = []

    def log(self, name: str, meta: Mapping[str, Any]) -> RunLog:
        nothing = np.full(len(self._domains), np.nan)
        signals = {
            key: np.stack([row.get(key, nothing) for row in self._rows])
            for key in LOG_SIGNALS
            if any(key in row for row in self._rows)
        }
        return RunLog(
            self._domains,
            np.array(self._steps, np.int64),
            np.stack(self._weights),
            signals,
            name,
            meta,
        )


def evaluate(model: ByteTransformer, data: ProxyData, part: str = "held_out") -> Array:
    """Loss (K,) of a model in nats per byte on the documents that are "held_out", or on their halves "validation" or "test"."""
    return mean_losses(model, getattr(data, part))


def _since(name: str, lines: list[Array]) -> Array:
    """One row (K,) of those since the last line: the sum of tokens, the mean of what was seen of anything else."""
    values = np.stack(lines)
    if name == "drawn_tokens":
        return np.asarray(values.sum(0), np.float64)
    seen = np.isfinite(values)
    mean = np.divide(
        np.where(seen, values, 0).sum(0),
        seen.sum(0),
        out=np.full(values.shape[1], np.nan),
        where=seen.any(0),
    )
    return np.asarray(mean, np.float64)
