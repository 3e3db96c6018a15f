"""evaluate_scores: how far each score of a corpus can be believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import (
    InvalidArgument,
    MissingColumn,
    MissingPackage,
    ReweightvizError,
    UnknownName,
)
from reweightviz.core.progress import tqdm
from reweightviz.core.selection import Selection, find_rows
from reweightviz.core.types import Array, kind_of
from reweightviz.core.validation import whole_number
from reweightviz.evaluation.score_trial import ScoreTrial
from reweightviz.numerics.accuracy import rank_correlation
from reweightviz.numerics.ranking import (
    area_under_curve,
    grouped_share,
    last_for_nan,
    monotone_share,
    recall_at,
)

__all__ = ["evaluate_scores"]


Documents = Selection | Sequence[Any] | NDArray[Any] | str


def evaluate_scores(
    corpus: Corpus,
    scores: str | Iterable[str] | None = None,
    *,
    planted: Documents | None = None,
    target: Corpus | Iterable[str] | None = None,
    share: float = 0.1,
    seeds: int = 0,
    subsets: int = 0,
    left_out: int = 0,
    config: Any = None,
    seed: int = 0,
    device: str = "auto",
) -> ScoreTrial:
    """Put scores on trial: what they find, what they only repeat, what training on them gains.

    Without more than the corpus it tells how many documents have a score, what share of its ranks
    the documents' length and their domain alone explain, and which scores agree.

    - ``planted`` adds the area under the ROC curve (with its standard error) and the recall among
      as many of the best as are to be found. Documents that the scorer had as its target are found
      by any scorer: plant others.
    - ``target`` and ``seeds`` train the reference trainer on the best ``share`` of the tokens and
      on as many tokens drawn at random, once a seed: the gain is by how many nats per byte the loss
      on the target is lower.
    - ``target`` and ``subsets`` train on halves of the documents, drawn at random, and correlate
      the losses with the sums of the scores: the linear datamodeling score of Sung Min Park et al.,
      "TRAK", ICML 2023, https://arxiv.org/abs/2303.14186, with one target of many documents.
    - ``target`` and ``left_out`` train without one document after another, spread over the ranks of
      each score, and correlate what that costs with the score.

    Args:
        corpus: documents with score columns.
        scores: names of columns, all ``score`` columns when not given; higher is better.
        planted: documents that a good score puts first: a selection, rows, a mask (N,), or the name
            of a domain.
        target: texts that no training learns from.
        share: of the tokens, the best of which are trained on.
        seeds: trainings of each score and of the random share.
        subsets: trainings for the linear datamodeling score; 30 give a standard error of .19.
        left_out: documents of each score that are left out once each.
        config: a ``TrainConfig``; 100 steps of a small model when not given.
        seed: of the subsets and of the random shares.
        device: of the trainings.

    Returns:
        A :class:`ScoreTrial`; its ``corpus`` carries the figures, which pages show beside the
        scores.

    Raises:
        ReweightvizError: there is no score, or a training is asked for without a target.

    Example:
        >>> corpus = Corpus({"text": ["a", "bb", "a c", "d"], "domain": ["x", "x", "y", "y"]})
        >>> corpus = corpus.with_column("score:length", [1.0, 2.0, 3.0, 0.0])
        >>> evaluate_scores(corpus, planted="y").table["auc"].tolist()
        [0.5]
    """
    names = _choose(corpus, scores)
    is_planted = None if planted is None else _find_planted(corpus, planted)
    rows = [_describe(corpus, name, is_planted) for name in names]
    table = pd.DataFrame(rows, index=pd.Index(names, name="score"))
    values = np.stack([last_for_nan(corpus[name]) for name in names], 1)
    trainings = {"seeds": seeds, "subsets": subsets, "left_out": left_out}
    asked = {name: whole_number(name, count) for name, count in trainings.items()}
    if any(asked.values()):
        trained = _train(corpus, values, target, asked, share, config, seed, device)
        table = table.join(trained.set_index(table.index))
    agreement = np.stack([rank_correlation(values, values[:, [m]]) for m in range(len(names))])
    return ScoreTrial(corpus, table, pd.DataFrame(agreement, names, names))


def _choose(corpus: Corpus, scores: str | Iterable[str] | None) -> list[str]:
    known = [name for name in corpus.columns if kind_of(name) in ("score", "grade")]
    if scores is None:
        names = [name for name in known if kind_of(name) == "score"]
    elif isinstance(scores, str):
        names = [scores]
    else:
        names = list(scores)
    if not names:
        raise MissingColumn(
            column="score",
            available=corpus.columns,
            who="rv.evaluate_scores",
            hint="rv.score(corpus, scorer) makes one.",
        )
    for name in names:
        if name not in known:
            raise UnknownName(kind="score of this corpus", name=name, known=known)
    return names


def _describe(corpus: Corpus, name: str, is_planted: NDArray[np.bool_] | None) -> dict[str, float]:
    score = np.asarray(corpus[name], np.float64)
    missing = int((~np.isfinite(score)).sum())
    found: dict[str, float] = {
        "documents": len(score) - missing,
        "missing": missing,
        "length_share": monotone_share(score, corpus.tokens),
        "domain_share": grouped_share(score, corpus.domain_codes),
    }
    if is_planted is not None:
        count = int(is_planted.sum())
        area, error = area_under_curve(score, is_planted)
        recall = recall_at(score, is_planted, count)
        found |= {"planted": count, "auc": area, "auc_error": error, "recall": recall}
    return found


def _find_planted(corpus: Corpus, planted: Documents) -> NDArray[np.bool_]:
    """Return true (N,) for the documents that a good score puts first."""
    mask = np.zeros(len(corpus), bool)
    if isinstance(planted, str):
        if planted not in corpus.domains:
            raise UnknownName(kind="domain of this corpus", name=planted, known=corpus.domains)
        mask |= corpus.domain_codes == corpus.domains.index(planted)
    elif isinstance(planted, Selection):
        mask[find_rows(planted, corpus)] = True
    else:
        _mark(mask, np.asarray(planted))
    if not mask.any() or mask.all():
        raise ReweightvizError(
            f"planted must be some of the documents; got {int(mask.sum())} of {len(mask)}."
        )
    return mask


def _mark(mask: NDArray[np.bool_], rows: NDArray[Any]) -> None:
    if rows.dtype == bool and rows.shape == mask.shape:
        mask |= rows
        return
    is_row = rows.dtype.kind in "iu" and rows.ndim == 1
    if not is_row or (rows.size and (rows.min() < 0 or rows.max() >= len(mask))):
        raise InvalidArgument(
            name="planted",
            value=rows,
            expected=f"a selection, a domain, a mask ({len(mask)},) or rows below {len(mask)}",
        )
    mask[rows] = True


def _train(
    corpus: Corpus,
    values: Array,
    target: Corpus | Iterable[str] | None,
    asked: Mapping[str, int],
    share: float,
    config: Any,
    seed: int,
    device: str,
) -> pd.DataFrame:
    """Return what trainings say of the scores (N, M), a row a score."""
    if target is None:
        raise ReweightvizError(
            "rv.evaluate_scores measures trainings on a target: pass target=, texts that "
            "are not in the corpus."
        )
    try:
        from reweightviz.evaluation.score_trainings import ScoreTrainings
    except ImportError:
        raise MissingPackage(
            package="torch", extra="torch", who="rv.evaluate_scores with trainings"
        ) from None
    trainings = ScoreTrainings(corpus, values, target, config, seed, device)
    parts: dict[str, Callable[[int], pd.DataFrame]] = {
        "seeds": lambda count: trainings.measure_gain(share, count),
        "subsets": trainings.measure_datamodel,
        "left_out": trainings.measure_left_out,
    }
    runs = trainings.count_runs(**asked)
    with tqdm(total=runs, desc="trainings", unit="run", leave=False) as bar:
        trainings.progress = bar.update
        found = [parts[name](count) for name, count in asked.items() if count]
    return pd.concat(found, axis=1)
