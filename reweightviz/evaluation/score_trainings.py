"""Trainings that put scores on trial: the best share against a random one, halves, one left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.types import Array
from reweightviz.models.byte_transformer import ModelConfig
from reweightviz.numerics.accuracy import rank_correlation
from reweightviz.numerics.quantiles import NORMAL_90
from reweightviz.numerics.ranking import correlation_interval
from reweightviz.numerics.run_regression import datamodel_score
from reweightviz.training.document_subsets import cut_documents, train_on_documents
from reweightviz.training.domain_stream import cut_blocks
from reweightviz.training.proxy_data import thin_out
from reweightviz.training.train_config import TrainConfig

__all__ = ["SMALL", "TARGET_SEQUENCES", "ScoreTrainings"]


SMALL = TrainConfig(steps=100, batch=32, model=ModelConfig(width=64, layers=2, heads=4, context=96))
TARGET_SEQUENCES = 192
"""Of the target, evenly spaced, on which a run is measured."""


class ScoreTrainings:
    """The reference trainer on parts of a corpus, measured on a target.

    Args:
        corpus: documents to learn from.
        values: (N, M) scores, higher is better, none of them NaN.
        target: texts that no run learns from.
        config: of every run; ``SMALL`` when None.
        seed: of the parts.
        device: of the runs.
    """

    def __init__(
        self,
        corpus: Corpus,
        values: Array,
        target: Corpus | Iterable[str],
        config: TrainConfig | None,
        seed: int,
        device: str,
    ) -> None:
        self._config = config or SMALL
        length = self._config.model.context + 1
        self._tokens = np.asarray(corpus.tokens, np.float64)
        self._values = values
        self._sequences = cut_documents(corpus, length)
        self._target = _cut_target(target, length)
        self._seed = seed
        self._device = device
        self.progress: Callable[[], Any] | None = None

    def count_runs(self, *, seeds: int, subsets: int, left_out: int) -> int:
        """Return how many trainings these are."""
        left = len(self._choose_left_out(left_out))
        return seeds * (1 + len(self._values.T)) + subsets + left + bool(left)

    def measure_gain(self, share: float, seeds: int) -> pd.DataFrame:
        """Return ``gain`` and ``gain_error`` in nats per byte of the best share over a random one.

        Every seed draws another random share. The error is the standard error over the seeds, NaN
        for one.
        """
        if not 0 < share < 1:
            raise InvalidValue(name="share", value=share, expected="above 0 and below 1")
        M = self._values.shape[1]
        best = [self._take_best(self._values[:, m], share) for m in range(M)]
        chosen = self._run(best, range(seeds))
        rng = np.random.default_rng(self._seed)
        drawn = [self._take_best(rng.random(len(self._tokens)), share) for _ in range(seeds)]
        pairs = enumerate(drawn)
        at_random = np.array([self._run([subset], [number])[0, 0] for number, subset in pairs])
        gains = at_random - chosen
        error = np.full(M, np.nan)
        if seeds > 1:
            error = gains.std(1, ddof=1) / np.sqrt(seeds)
        return pd.DataFrame({"gain": gains.mean(1), "gain_error": error})

    def measure_datamodel(self, subsets: int) -> pd.DataFrame:
        """Return ``lds`` and its interval: sums of scores against losses of runs on halves."""
        rng = np.random.default_rng(self._seed)
        N = len(self._tokens)
        runs = np.zeros((subsets, N), bool)
        for row in runs:
            row[rng.permutation(N)[: N // 2]] = True
        losses = self._run(list(runs), [self._seed], masked=True)[:, 0]
        # A good document lowers the loss, so its effect is the score with the other sign.
        found = [datamodel_score(-score, runs, losses) for score in self._values.T]
        return _tabulate("lds", found, subsets)

    def measure_left_out(self, count: int) -> pd.DataFrame:
        """Return ``left_out`` and its interval: a score against what its document's absence costs.

        One run sees all documents; each other one all but one.
        """
        rows = self._choose_left_out(count)
        runs = np.ones((len(rows) + 1, len(self._tokens)), bool)
        runs[np.arange(len(rows)), rows] = False
        losses = self._run(list(runs), [self._seed], masked=True)
        found = rank_correlation(self._values[rows], losses[:-1] - losses[-1])
        return _tabulate("left_out", found.tolist(), len(rows))

    def _choose_left_out(self, count: int) -> NDArray[np.int64]:
        """Return rows spread over the ranks of every score."""
        places = np.linspace(0, len(self._values) - 1, min(count, len(self._values)))
        order = np.argsort(self._values, axis=0, kind="stable")
        return np.unique(order[places.astype(np.int64)])

    def _take_best(self, score: Array, share: float) -> NDArray[np.bool_]:
        """Return true (N,) for the best documents, until they have their share of the tokens."""
        order = np.argsort(-score, kind="stable")
        before = np.cumsum(self._tokens[order]) - self._tokens[order]
        chosen = np.zeros(len(score), bool)
        chosen[order[before < share * self._tokens.sum()]] = True
        return chosen

    def _run(
        self, subsets: list[NDArray[np.bool_]], seeds: Iterable[int], *, masked: bool = False
    ) -> Array:
        return train_on_documents(
            self._sequences,
            subsets,
            self._target,
            self._config,
            seeds=seeds,
            masked=masked,
            device=self._device,
            progress=self.progress,
        )


def _tabulate(name: str, correlations: Sequence[float], pairs: int) -> pd.DataFrame:
    """Return rank correlations over so many pairs, with the ends of their intervals."""
    ends = [correlation_interval(value, pairs, NORMAL_90) for value in correlations]
    low, high = zip(*ends, strict=True)
    return pd.DataFrame({name: correlations, f"{name}_low": low, f"{name}_high": high})


def _cut_target(target: Corpus | Iterable[str], length: int) -> NDArray[np.uint8]:
    if isinstance(target, Corpus):
        texts = target.text(np.arange(len(target)))
    elif isinstance(target, str):
        texts = [target]
    else:
        texts = list(target)
    joined = Corpus({"text": texts, "domain": ["target"] * len(texts)})
    try:
        blocks = cut_blocks(joined, np.ones(len(joined), bool), length)
    except ReweightvizError:
        raise ReweightvizError(
            f"the target must have at least {length} bytes of text, one sequence; "
            "pass more or longer texts."
        ) from None
    return thin_out(blocks, TARGET_SEQUENCES)[0]
