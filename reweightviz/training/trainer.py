"""The reference trainer: small, repeatable, real. It makes proxy runs and drives any mixer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Mixer
from reweightviz.core.runlog import RunLog
from reweightviz.training.device import choose, repeatable
from reweightviz.training.domain_stream import DomainStream, domain_blocks, held_out_rows
from reweightviz.training.driver import Driver
from reweightviz.training.model import ByteTransformer, ModelConfig

EVALUATED = 48  # held-out sequences a domain


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast.

    Args:
        steps: updates.
        batch: sequences an update; the budget is steps * batch * context bytes.
        rate: peak learning rate of AdamW, warmed up over a tenth of the steps, then cosine to a tenth.
        log_every: steps between lines of the log.
        evaluate_every: steps between held-out evaluations; the last step is always evaluated.
        model: size of the model.
    """

    steps: int = 300
    batch: int = 32
    rate: float = 4e-3
    log_every: int = 5
    evaluate_every: int = 100
    model: ModelConfig = ModelConfig()  # noqa: RUF009  frozen

    @property
    def tokens(self) -> int:
        """Bytes trained on."""
        return self.steps * self.batch * self.model.context


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """What a training left: its log, its model, and the final held-out loss (K,) in nats per byte."""

    log: RunLog
    model: ByteTransformer
    held_out: NDArray[np.float64]


class ProxyData:
    """A corpus cut into sequences once, so that many runs share it: training and held-out blocks a domain."""

    def __init__(self, corpus: Corpus, context: int) -> None:
        held_out = held_out_rows(corpus)
        self.domains = corpus.domains
        self.tokens = corpus.sources.tokens
        self.training = domain_blocks(corpus, ~held_out, context + 1)
        self.held_out = [_spread(block, EVALUATED) for block in domain_blocks(corpus, held_out, context + 1)]


def train(corpus: Corpus | ProxyData, mixture: Mixture | Mixer, *, seed: int = 0, config: TrainConfig = TrainConfig(),
          reference: ByteTransformer | None = None, device: str = "auto", name: str | None = None,
          progress: Callable[[int, int], None] | None = None) -> TrainingRun:
    """Train a proxy model on ``corpus`` under a fixed mixture, or under a mixer that changes it.

    Args:
        corpus: documents, or :class:`ProxyData` made from them when there are many runs.
        mixture: domain weights, or a mixer; a mixer is told the training signals it names
            (loss, reference_loss, excess_loss, drawn_tokens) after every update.
        seed: of the initial weights and of the data order. On the same machine, with the same device, versions and
            number of threads, the same seed gives the same run bit by bit; elsewhere the losses are only close.
        reference: frozen model for reference_loss and excess_loss.
        device: "auto" takes CUDA where there is one.

    Example:
        >>> from reweightviz.core.corpus import Corpus
        >>> corpus = Corpus({"text": ["abcd" * 99, "wxyz" * 99] * 40, "domain": ["a", "b"] * 40})
        >>> tiny = TrainConfig(steps=4, batch=4, model=ModelConfig(width=16, layers=1, heads=2, context=16))
        >>> run = train(corpus, Mixture({"a": 0.5, "b": 0.5}), config=tiny)
        >>> run.held_out.shape, run.log.steps.tolist()[-1]
        ((2,), 4)
    """
    started = time.perf_counter()
    data = corpus if isinstance(corpus, ProxyData) else ProxyData(corpus, config.model.context)
    place = choose(device)
    torch.manual_seed(seed)
    model = ByteTransformer(config.model).to(place)
    reference = reference.to(place).eval() if reference is not None else None
    driver = Driver(mixture, data.domains, data.tokens, has_reference=reference is not None)
    stream = DomainStream(data.training, seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.rate, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, config.steps))
    record = _Record(data, config)
    with repeatable(place):
        for step in range(1, config.steps + 1):
            weights = driver.weights
            batch, domains = stream.draw(driver.sampling, config.batch)
            sequences = torch.from_numpy(batch.astype(np.int64)).to(place)
            losses = _updated(model, sequences, driver.loss_scale[domains], optimiser)
            schedule.step()
            signals = _signals(losses, sequences, domains, reference, len(data.domains))
            driver.update(signals)
            record.add(step, weights, signals, model)
            if progress is not None:
                progress(step, config.steps)
    meta = {"seed": seed, "steps": config.steps, "batch": config.batch, "context": config.model.context, "tokens": config.tokens,
            "parameters": model.parameters_count, "device": place.type, "mixer": repr(mixture),
            "seconds": round(time.perf_counter() - started, 2), "result": driver.result.tolist()}
    log = record.log(name or driver.name, meta)
    return TrainingRun(log, model.eval(), record.held_out)


def _updated(model: ByteTransformer, sequences: torch.Tensor, scales: NDArray[np.float64],
             optimiser: torch.optim.Optimizer) -> torch.Tensor:
    """One update on sequences that count ``scales`` (B,) in the loss; the losses (B, L-1) from before it."""
    losses = model.token_losses(sequences)
    scale = torch.as_tensor(scales, dtype=losses.dtype, device=losses.device)
    optimiser.zero_grad(set_to_none=True)
    ((losses.mean(1) * scale).sum() / scale.sum()).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    return losses.detach()


class _Record:
    """Collects the log: signals averaged since the last line, held-out losses where they were measured."""

    def __init__(self, data: ProxyData, config: TrainConfig) -> None:
        self._data, self._config = data, config
        self._steps: list[int] = []
        self._weights: list[NDArray[np.float64]] = []
        self._rows: dict[str, list[NDArray[np.float64]]] = {}
        self._pending: list[Mapping[str, NDArray[np.float64]]] = []
        self.held_out = np.full(len(data.domains), np.nan)

    def add(self, step: int, weights: NDArray[np.float64], signals: Mapping[str, NDArray[np.float64]], model: ByteTransformer) -> None:
        self._pending.append(signals)
        last = step == self._config.steps
        if step % self._config.log_every and not last:
            return
        self._steps.append(step)
        self._weights.append(weights)
        for name in signals:
            values = np.stack([line[name] for line in self._pending])
            self._rows.setdefault(name, []).append(np.nansum(values, 0) if name == "drawn_tokens" else _mean_of_seen(values))
        measured = last or step % self._config.evaluate_every == 0
        if measured:
            self.held_out = evaluate(model, self._data)
        self._rows.setdefault("held_out_loss", []).append(self.held_out if measured else np.full(len(weights), np.nan))
        self._pending = []

    def log(self, name: str, meta: Mapping[str, Any]) -> RunLog:
        signals = {key: np.stack(rows) for key, rows in self._rows.items()}
        return RunLog(self._data.domains, np.array(self._steps, np.int64), np.stack(self._weights), signals, name, meta)


@torch.no_grad()
def evaluate(model: ByteTransformer, data: ProxyData) -> NDArray[np.float64]:
    """Held-out loss (K,) of a model in nats per byte."""
    place = next(model.parameters()).device
    was_training = model.training
    model.eval()
    losses = [float(model.token_losses(torch.from_numpy(block.astype(np.int64)).to(place)).mean()) for block in data.held_out]
    model.train(was_training)
    return np.array(losses)


@torch.no_grad()
def _signals(losses: torch.Tensor, sequences: torch.Tensor, domains: NDArray[np.int64], reference: ByteTransformer | None,
             K: int) -> dict[str, NDArray[np.float64]]:
    """Per-domain means over the tokens of this batch; NaN for a domain that is not in it."""
    counts = np.bincount(domains, minlength=K)

    def by_domain(per_sequence: torch.Tensor) -> NDArray[np.float64]:
        sums = np.bincount(domains, per_sequence.double().cpu().numpy(), K)
        return np.divide(sums, counts, out=np.full(K, np.nan), where=counts > 0)

    signals = {"loss": by_domain(losses.mean(1)), "drawn_tokens": counts * float(losses.shape[1])}
    if reference is not None:
        theirs = reference.token_losses(sequences)
        signals["reference_loss"] = by_domain(theirs.mean(1))
        signals["excess_loss"] = by_domain((losses - theirs).clamp(min=0).mean(1))
    return signals


def _mean_of_seen(values: NDArray[np.float64]) -> NDArray[np.float64]:
    seen = np.isfinite(values)
    return np.divide(np.where(seen, values, 0).sum(0), seen.sum(0), out=np.full(values.shape[1], np.nan), where=seen.any(0))


def _rate(step: int, steps: int) -> float:
    warm = max(steps // 10, 1)
    if step < warm:
        return (step + 1) / warm
    return 0.1 + 0.45 * (1 + float(np.cos(np.pi * (step - warm) / max(steps - warm, 1))))


def _spread(block: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    return block[np.linspace(0, len(block) - 1, min(count, len(block))).astype(np.int64)]
