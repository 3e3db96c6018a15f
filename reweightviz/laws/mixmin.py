"""MixMin: how well a mixture of one model a domain explains the target's documents; convex, and without a swarm.

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
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnmetNeed, listed
from reweightviz.core.types import Array
from reweightviz.laws._mixmin_law import MixMinLaw
from reweightviz.laws._runs import (
    checked_directions,
    checked_runs,
    fit_diagnostics,
    held_out_diagnostics,
    whole_runs,
)

Single = NDArray[np.float32]


@dataclass(frozen=True)
class MixMin:
    """Loss of a target under weights p: ``-mean_x log sum_i p_i P_i(x) / length_x``, in nats per token.

    P_i(x) is the probability of the target's document x under a model trained on domain i alone.
    It is what an ensemble of those models reaches, and what one large model trained on the mixture
    would, if it could be exact.

    Args:
        draws: resamples for the interval, B: of the runs where there are runs, else of the
            documents, which says nothing of the noise of a training run. 0 for none.
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
            mixtures: (R, K) weights of runs, with
            losses: (R, M) what they reached: predictions are then their losses on the objective,
                on a line.
            lower_is_better: (M,); all true when not given.

        Raises:
            ReweightvizError: arrays that do not fit each other, or a document that no domain can
                make.
        """
        names, goals = tuple(domains), tuple(targets)
        logs = tuple(
            _log_probs(name, part, len(names))
            for name, part in _parts(goals, "log_probs", log_probs).items()
        )
        tokens = _parts(goals, "lengths", lengths) if lengths is not None else dict.fromkeys(goals)
        shares = tuple(
            _shares(name, part, len(own))
            for (name, part), own in zip(tokens.items(), logs, strict=True)
        )
        better = checked_directions(lower_is_better, goals)
        plain = MixMinLaw(names, goals, better, logs, shares, count=self.draws, seed=self.seed)
        if mixtures is None or losses is None:
            return plain
        w, y = checked_runs(
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
        return self._on_a_line(plain, w, y)

    def _on_a_line(self, plain: MixMinLaw, w: Array, y: Array) -> MixMinLaw:
        """The same law with the losses of the runs as a line over the objective, and its bootstrap."""
        x, rng = plain.predict(w), np.random.default_rng(self.seed)
        if not np.isfinite(x).all():
            run = int(np.argmin(np.isfinite(x).all(1)))
            raise ReweightvizError(
                f"run {run} gives no weight to any domain that could make some document: "
                "drop the run or the document."
            )
        upwards = np.where(plain.lower_is_better, 1.0, -1.0)
        line = _line(x, y, np.ones((1, len(y))), upwards)[0]
        fitted = line[:, 0] + line[:, 1] * x
        counts = rng.multinomial(len(y), np.full(len(y), 1 / len(y)), self.draws).astype(np.float64)
        apart = (x - x.mean(0)) ** 2
        pulled = np.minimum(1 / len(y) + apart / np.maximum(apart.sum(0), 1e-300), 0.9)
        noise = whole_runs((y - fitted) / np.sqrt(1 - pulled), self.draws, rng)
        flat = line[:, 1] == 0
        lines = _line(x, y, counts, upwards)
        said = fit_diagnostics(y, fitted, flat) | held_out_diagnostics(
            y, y - (y - fitted) / (1 - pulled)
        )
        return replace(plain, line=line, lines=lines, noise=noise, diagnostics=said)


def _line(x: Array, y: Array, counts: Array, upwards: Array) -> Array:
    """Level and slope (B, M, 2) of y over x, (R, M) each, by least squares with counts (B, R).

    Where ``upwards`` (M,) is 1 no slope is below 0, where it is -1 none above.
    """
    middle, weight = x.mean(0), counts / counts.sum(1, keepdims=True)
    apart = x - middle
    across, up = weight @ apart, weight @ y
    together = weight @ (apart * y) - across * up
    spread = weight @ apart**2 - across**2
    told = upwards * np.maximum(upwards * together, 0)
    slope = np.where(spread > 1e-24 * middle**2, told / np.maximum(spread, 1e-300), 0.0)
    return np.stack([up - slope * (across + middle), slope], axis=2)


def _parts(
    targets: tuple[str, ...], what: str, given: ArrayLike | Mapping[str, ArrayLike]
) -> dict[str, Any]:
    """One array a target."""
    if isinstance(given, Mapping):
        if set(given) != set(targets):
            raise ReweightvizError(
                f"{what} must hold an array for each of {listed(targets)}; got {listed(given)}."
            )
        return {name: given[name] for name in targets}
    parts: Sequence[Any] = [given] if len(targets) == 1 and np.ndim(given[0]) < 2 else list(given)  # type: ignore[index,arg-type]
    if len(parts) != len(targets):
        raise ReweightvizError(
            f"{what} must hold an array for each of {len(targets)} targets, as a mapping "
            "or in their order; "
            f"got {len(parts)}."
        )
    return dict(zip(targets, parts, strict=True))


def _log_probs(name: str, given: ArrayLike, domains: int) -> Single:
    logs = np.asarray(given, np.float32)
    if logs.ndim != 2 or not len(logs) or logs.shape[1] != domains:
        raise ReweightvizError(
            f"MixMin needs log_probs (X, {domains}), one a document and domain; {name!r} "
            f"has shape {logs.shape}."
        )
    if np.isnan(logs).any() or (logs == np.inf).any():
        raise ReweightvizError(
            f"the log_probs of {name!r} must be numbers; "
            f"{int((np.isnan(logs) | (logs == np.inf)).sum())} are not."
        )
    return logs


def _shares(name: str, lengths: ArrayLike | None, count: int) -> Array:
    tokens = np.ones(count) if lengths is None else np.asarray(lengths, np.float64)
    if tokens.shape != (count,) or not np.isfinite(tokens).all() or (tokens <= 0).any():
        raise InvalidValue(
            name="lengths",
            value=tokens.shape,
            expected=f"({count},) numbers of tokens above 0, one a document of {name!r}",
            got=f"shape {tokens.shape}",
        )
    return np.asarray(1 / (count * tokens), np.float64)
