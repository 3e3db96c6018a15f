"""MixMin: the likelihood of a target's documents under a mixture of one model a domain.

Anvith Thudi, Evianne Rovers, Yangjun Ruan, Tristan Thrush and Chris J. Maddison, "MixMin: Finding
Data Mixtures via Convex Minimization", ICML 2025, https://arxiv.org/abs/2502.10510. Followed: the
objective of the authors' public code (LLM_DataMixing/mixmin_gen.py), the mean over documents of
-log sum_i p_i P_i(document) / length. Ours: the optimiser (Newton steps to a checked optimum,
where theirs stops after 100 exponentiated gradients), bounds, and the line that turns the
objective into the losses of proxy runs where there are any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnmetNeed, list_names
from reweightviz.core.types import Array, Single
from reweightviz.laws._bootstrap import draw_counts, draw_whole_runs
from reweightviz.laws._diagnostics import measure_fit, measure_held_out
from reweightviz.laws._mixmin_law import MixMinLaw
from reweightviz.laws._runs import check_directions, check_runs

__all__ = ["MixMin"]


@dataclass(frozen=True)
class MixMin:
    """Predict a target's loss as ``-mean_x log sum_i p_i P_i(x) / length_x``, in nats per token.

    The p_i are the weights, and P_i(x) is the probability of the target's document x under a model
    trained on domain i alone. It is what an ensemble of those models reaches, and what one large
    model trained on the mixture would, if it could be exact.

    Args:
        draws: resamples for the interval, B: of the runs where there are runs, else of the
            documents, without the noise of a training run. 0 for none.
        seed: of the resamples.

    Example:
        >>> log_probs = np.log([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
        >>> law = MixMin().fit(domains=("web", "code"), targets=("loss",), log_probs=log_probs)
        >>> law.minimise().round(4).tolist()
        [0.2917, 0.7083]
        >>> law.predict([[0.5, 0.5]]).round(4).tolist()
        [[0.6931]]
    """

    draws: int = 200
    seed: int = 0

    paper: ClassVar[str] = "https://arxiv.org/abs/2502.10510"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if self.draws < 0:
            raise UnmetNeed(name="MixMin", value=self.draws, expected="draws of at least 0")

    def fit(
        self,
        *,
        domains: Sequence[str],
        targets: Sequence[str],
        log_probs: ArrayLike | Mapping[str, ArrayLike],
        lengths: ArrayLike | Mapping[str, ArrayLike] | None = None,
        mixtures: ArrayLike | None = None,
        losses: ArrayLike | None = None,
        lower_is_better: ArrayLike | None = None,
    ) -> MixMinLaw:
        """Take the documents, and fit a line to the runs if there are any.

        Args:
            domains: names (K,).
            targets: names (M,).
            log_probs: (X, K), log probability of each of the target's X documents under a model of
                each domain; for several targets a mapping of target to such an array, or M of
                them.
            lengths: (X,) tokens of the documents, shaped as ``log_probs`` is; the log
                probabilities are then those of whole documents, as in the paper. When not given
                they are taken as they are, such as per token.
            mixtures: (R, K) weights of runs, where there are any.
            losses: (R, M) what they reached; predictions are then on a line through these over the
                objective.
            lower_is_better: (M,); all true when not given.

        Raises:
            ReweightvizError: arrays that do not fit each other, or a document that no domain can
                make.
        """
        names = tuple(domains)
        goals = tuple(targets)
        logs = {
            target: _check_log_probs(target, part, len(names))
            for target, part in _by_target(goals, "log_probs", log_probs).items()
        }
        tokens = dict.fromkeys(goals) if lengths is None else _by_target(goals, "lengths", lengths)
        law = MixMinLaw(
            names,
            goals,
            check_directions(lower_is_better, goals),
            tuple(logs.values()),
            tuple(_weigh_documents(name, tokens[name], len(own)) for name, own in logs.items()),
            draws=self.draws,
            seed=self.seed,
        )
        if mixtures is None or losses is None:
            return law
        runs = check_runs(
            "MixMin",
            names,
            goals,
            mixtures,
            losses,
            needed=3,
            positive=False,
            spanning=False,
            parametric=False,
        )
        return self._fit_line(law, runs.mixtures, runs.losses)

    def _fit_line(self, law: MixMinLaw, w: Array, y: Array) -> MixMinLaw:
        """Return the law with the losses of the runs as a line over the objective."""
        x = law.predict(w)
        finite = np.isfinite(x).all(1)
        if not finite.all():
            raise ReweightvizError(
                f"run {int(np.argmin(finite))} gives no weight to any domain that could make some "
                "document: drop the run or the document."
            )
        rng = np.random.default_rng(self.seed)
        upwards = np.where(law.lower_is_better, 1.0, -1.0)
        line = _fit_lines(x, y, np.ones((1, len(y))), upwards)[0]
        counts = draw_counts(len(y), self.draws, rng)
        predicted = line[:, 0] + line[:, 1] * x
        apart = (x - x.mean(0)) ** 2
        # A line's leverages in closed form; below 1, or few runs would seem all noise.
        leverage = np.minimum(1 / len(y) + apart / np.maximum(apart.sum(0), 1e-300), 0.9)
        missed = y - predicted
        return replace(
            law,
            line=line,
            refits=_fit_lines(x, y, counts, upwards),
            noise=draw_whole_runs(missed / np.sqrt(1 - leverage), self.draws, rng),
            diagnostics={
                **measure_fit(y, predicted, line[:, 1] == 0),
                **measure_held_out(y, y - missed / (1 - leverage)),
            },
        )


def _fit_lines(x: Array, y: Array, counts: Array, upwards: Array) -> Array:
    """Return least squares' level and slope (B, M, 2) of y over x, (R, M) each, for counts (B, R).

    Where ``upwards`` (M,) is 1 no slope is below 0, where it is -1 none above.
    """
    # About the mean, so that the products below do not cancel to rounding.
    middle = x.mean(0)
    weight = counts / counts.sum(1, keepdims=True)
    apart = x - middle
    across = weight @ apart
    up = weight @ y
    together = weight @ (apart * y) - across * up
    spread = weight @ apart**2 - across**2
    # A target that moves against the objective does not follow it: its slope is 0.
    signed = upwards * np.maximum(upwards * together, 0)
    slope = np.where(spread > 1e-24 * middle**2, signed / np.maximum(spread, 1e-300), 0.0)
    return np.stack([up - slope * (across + middle), slope], axis=2)


def _by_target(
    targets: tuple[str, ...], name: str, given: ArrayLike | Mapping[str, ArrayLike]
) -> dict[str, Any]:
    """Return one array a target."""
    if isinstance(given, Mapping):
        if set(given) != set(targets):
            raise ReweightvizError(
                f"{name} must hold an array for each of {list_names(targets)}; got "
                f"{list_names(given)}."
            )
        return {target: given[target] for target in targets}
    parts: list[Any] = list(given)  # type: ignore[arg-type]
    # One target's documents may come without a list around them.
    if len(targets) == 1 and np.ndim(parts[0]) < 2:
        parts = [given]
    if len(parts) != len(targets):
        raise ReweightvizError(
            f"{name} must hold an array for each of {len(targets)} targets, as a mapping or in "
            f"their order; got {len(parts)}."
        )
    return dict(zip(targets, parts, strict=True))


def _check_log_probs(target: str, given: ArrayLike, domains: int) -> Single:
    """Return the log probabilities (X, K); -inf is a document that a domain cannot make."""
    logs = np.asarray(given, np.float32)
    if logs.ndim != 2 or not len(logs) or logs.shape[1] != domains:
        raise ReweightvizError(
            f"MixMin needs log_probs (X, {domains}), one a document and domain; {target!r} "
            f"has shape {logs.shape}."
        )
    wrong = int((np.isnan(logs) | (logs == np.inf)).sum())
    if wrong:
        raise ReweightvizError(f"the log_probs of {target!r} must be numbers; {wrong} are not.")
    return logs


def _weigh_documents(target: str, lengths: ArrayLike | None, count: int) -> Array:
    """Return the share (X,) by which each document counts: 1 / X, or 1 / (X length)."""
    tokens = np.ones(count) if lengths is None else np.asarray(lengths, np.float64)
    if tokens.shape != (count,) or not np.isfinite(tokens).all() or (tokens <= 0).any():
        raise InvalidValue(
            name="lengths",
            value=tokens.shape,
            expected=f"({count},) numbers of tokens above 0, one a document of {target!r}",
            got=f"shape {tokens.shape}",
        )
    return np.asarray(1 / (count * tokens), np.float64)
