"""Scores on trial: a table, how they agree, and a figure."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from reweightviz.core.corpus import Corpus
from reweightviz.figures.figure import Figure
from reweightviz.figures.score_trial import score_trial_figure
from reweightviz.numerics.quantiles import NORMAL_90

__all__ = ["ScoreTrial"]


@dataclass(frozen=True, eq=False)
class ScoreTrial:
    """Hold how far scores can be believed.

    Attributes:
        source: the corpus that was evaluated.
        table: a row a score: ``documents`` that have one and how many are ``missing``;
            ``length_share`` and ``domain_share`` of the variance of its ranks that lengths and
            domains alone explain; with planted documents ``auc``, ``auc_error``, ``recall`` and how
            many were ``planted``; with trainings ``gain`` and ``gain_error`` (nats per byte),
            ``lds``, ``left_out`` (rank correlations) with the ends of their 90 % intervals.
        agreement: (M, M) rank correlations of the scores.
    """

    source: Corpus = field(repr=False)
    table: pd.DataFrame
    agreement: pd.DataFrame = field(repr=False)

    @cached_property
    def figures(self) -> dict[str, str]:
        """Score to its figures in words, the strongest evidence first."""
        return {str(name): _say(row) for name, row in self.table.iterrows()}

    @property
    def corpus(self) -> Corpus:
        """The corpus, which carries the figures; pages show them beside the scores."""
        name = str(self.table.index[0])
        told = self.source.score_figures | self.figures
        return self.source.with_column(
            name, self.source[name], recipe=self.source.recipes.get(name), score_figures=told
        )

    def figure(self, *, height: int = 320) -> Figure:
        """Draw the figures of all scores, and how they agree."""
        return score_trial_figure(self.table, self.agreement, NORMAL_90, height=height)

    def _repr_html_(self) -> str:
        shown = self.table.dropna(axis=1, how="all")
        return f"<p>{html.escape(self._verdict())}</p>{shown.to_html(float_format='{:.3f}'.format)}"

    def _verdict(self) -> str:
        return "; ".join(f"{name}: {words}" for name, words in self.figures.items())


def _say(row: pd.Series[Any]) -> str:
    """Return the figures of a score in words."""
    words = []
    if "gain" in row:
        words.append(f"gain {row['gain']:+.3f} ± {_half(row['gain_error'])} nats")
    if "lds" in row:
        words.append(f"LDS {row['lds']:.2f} ({row['lds_low']:.2f} to {row['lds_high']:.2f})")
    if "left_out" in row:
        words.append(f"left out {row['left_out']:.2f}")
    if "auc" in row:
        words.append(f"AUC {row['auc']:.2f} ± {_half(row['auc_error'], 2)}")
    for share, what in (("length_share", "length"), ("domain_share", "domain")):
        # What a column explains little of is not worth a word where there is better evidence.
        if np.isfinite(row[share]) and (row[share] >= 0.25 or not words):
            words.append(f"{what} explains {row[share]:.0%}")
    return ", ".join(words)


def _half(error: float, places: int = 3) -> str:
    if not np.isfinite(error):
        return "?"
    return f"{NORMAL_90 * error:.{places}f}"
