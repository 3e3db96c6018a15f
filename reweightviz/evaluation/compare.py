"""Laws side by side: each is fitted without some runs and asked what they reached."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    MissingColumn,
    ReweightvizError,
    UnknownName,
    UnmetNeed,
    listed,
)
from reweightviz.core.protocols import Law, LawSpec
from reweightviz.core.repeats import group_equal_mixtures
from reweightviz.core.swarm import Swarm
from reweightviz.core.token_counts import parse_count
from reweightviz.core.types import Array
from reweightviz.core.validation import whole_number
from reweightviz.evaluation.held_out import Signals, fit_law, fit_law_quietly, part_of
from reweightviz.evaluation.law_inputs import law_inputs_of_runs
from reweightviz.evaluation.learning_curve import LearningCurve, learning_curve
from reweightviz.figures.curves import escape_plotly
from reweightviz.figures.palette import choose_colors
from reweightviz.figures.theme import MUTED, SMALL, dress_panels, style_axis, style_title
from reweightviz.numerics.quantiles import between
from reweightviz.numerics.threads import one_thread

BASELINE = "mean of the runs"
ALL = "mean of targets"
LEVEL = 0.9
FOLDS = 5
"""Parts that the runs are left out in, where there are as many different mixtures."""
H100 = 4e14
"""Floating-point operations a second of one H100 at some 40 % of its bf16 peak of 989e12."""


@dataclass(frozen=True)
class Trial:
    """A law's predictions (R, M) of runs that it was fitted without, and the law fitted to all."""

    spec: Any
    predicted: Array
    low: Array
    high: Array
    law: Law | None
    seconds: float
    r2_within: Array


@dataclass(frozen=True)
class Comparison:
    """Which law to trust here.

    Args:
        swarm: the runs.
        trials: name to what a law predicted.
        skipped: name to why a spec could not be compared.
        folds: how many parts the runs were left out in.
        seed: of the parts.
        table: a row a law and target; see :func:`compare`.
        signals: what else the laws were fitted from.
    """

    swarm: Swarm
    trials: Mapping[str, Trial]
    skipped: Mapping[str, str]
    folds: int
    seed: int
    table: pd.DataFrame = field(repr=False)
    signals: Signals = field(default_factory=dict, repr=False)

    @property
    def ranking(self) -> list[str]:
        """The laws, the most accurate first; the baseline among them."""
        return list(dict.fromkeys(self.table.index.get_level_values("law")))

    @property
    def best(self) -> Any:
        """The spec that predicts runs it has not seen best; None where none beats the mean of the runs."""
        first = self.ranking[0]
        return None if first == BASELINE else self.trials[first].spec

    @property
    def verdict(self) -> str:
        """One or two sentences: which law, by how much, and whether that is more than chance."""
        first, *others = self.ranking
        if not others and self.skipped:
            return f"no law could be fitted: {'; '.join(f'{name}: {reason}' for name, reason in self.skipped.items())}"
        if first == BASELINE:
            return "no law predicts a run it has not seen better than the mean of the runs does: do not trust any of them here."
        row = self.table.loc[(first, ALL)]
        said = (
            f"{first} predicts runs it has not seen best: its mean error is "
            f"{100 * row['relative']:.0f} % of that of predicting the "
            f"mean (R2 {row['r2']:.3f}, Spearman {row['spearman']:.3f})"
        )
        floor = row["over_noise"]
        said += (
            f", {floor:.1f} times what the noise between repeats explains"
            if np.isfinite(floor)
            else ""
        )
        rivals = [name for name in others if name != BASELINE]
        if rivals:
            low, high = self.difference(first, rivals[0])
            close = "that may be chance" if low <= 0 else "more than chance"
            said += (
                f". {rivals[0]} comes next; its error is larger by {100 * low:.1f} to "
                f"{100 * high:.1f} % of that of the mean (90 %), "
                f"{close}"
            )
        weak = self._degenerate(first)
        said += (
            f". Its fit is degenerate for {listed(weak, 3)}: look at those targets' rows"
            if weak
            else ""
        )
        return said + "."

    def difference(self, one: str, other: str, draws: int = 2000) -> tuple[float, float]:
        """How much larger the relative error of ``other`` is than that of ``one``: a 90 % interval over resampled runs."""
        for name in (one, other):
            if name not in self.trials:
                raise UnknownName(kind="law in this comparison", name=name, known=self.trials)
        scale = np.maximum(
            np.abs(self.swarm.losses - self.trials[BASELINE].predicted).mean(0), 1e-300
        )
        wrong = [
            (np.abs(self.swarm.losses - self.trials[name].predicted) / scale).mean(1)
            for name in (one, other)
        ]
        group = group_equal_mixtures(self.swarm.mixtures)
        each = np.bincount(group, wrong[1] - wrong[0])
        counts = np.bincount(group)
        chosen = np.random.default_rng(self.seed).integers(0, len(each), (draws, len(each)))
        low, high = between(each[chosen].sum(1) / counts[chosen].sum(1))
        return float(low), float(high)

    def _degenerate(self, name: str) -> list[str]:
        rows = self.table.loc[name]
        return [
            str(target)
            for target in rows.index
            if target != ALL and bool(rows.loc[target, "degenerate"])
        ]

    def figure(self, target: str | None = None, *, height: int = 320) -> go.Figure:
        """Predicted against observed losses of the left-out runs, a panel a law, a colour a target."""
        if target is not None and target not in self.swarm.targets:
            raise UnknownName(kind="target", name=target, known=self.swarm.targets)
        names = [name for name in self.ranking if name != BASELINE] or [BASELINE]
        across = min(3, len(names))
        down = -(-len(names) // across)
        row = target or ALL
        titles = [
            f"{escape_plotly(name, 30)}<br>R2 {self.table.loc[(name, row), 'r2']:.3f}"
            for name in names
        ]
        figure = make_subplots(
            down,
            across,
            subplot_titles=titles,
            shared_xaxes=True,
            shared_yaxes=True,
            horizontal_spacing=0.04,
            vertical_spacing=0.12 if down > 1 else 0,
        )
        shown = [m for m, each in enumerate(self.swarm.targets) if target in (None, each)]
        paint = choose_colors(len(self.swarm.targets))
        ends = [float(f(self.swarm.losses[:, shown])) for f in (np.nanmin, np.nanmax)]
        for place, name in enumerate(names):
            at = {"row": place // across + 1, "col": place % across + 1}
            figure.add_trace(
                go.Scatter(
                    x=ends,
                    y=ends,
                    mode="lines",
                    line={"color": MUTED, "width": 1, "dash": "dot"},
                    hoverinfo="skip",
                    showlegend=False,
                ),
                **at,
            )
            for m in shown:
                title = escape_plotly(self.swarm.targets[m], 28)
                figure.add_trace(
                    go.Scatter(
                        x=self.swarm.losses[:, m],
                        y=self.trials[name].predicted[:, m],
                        mode="markers",
                        name=title,
                        legendgroup=title,
                        showlegend=place == 0 and len(shown) > 1,
                        marker={"size": 4, "color": paint[m], "opacity": 0.65},
                        customdata=np.arange(len(self.swarm)),
                        hovertemplate=f"{title}, run %{{customdata}}<br>observed "
                        f"%{{x:.4f}}, predicted %{{y:.4f}}<extra></extra>",
                    ),
                    **at,
                )
        figure.update_xaxes(style_axis())
        figure.update_yaxes(style_axis())
        figure.update_xaxes(title=style_title("observed"), row=down)
        figure.update_yaxes(title=style_title("predicted without the run"), col=1)
        return dress_panels(
            figure,
            height * down,
            top=44,
            bottom=44,
            legend={"font": SMALL, "itemsizing": "constant"},
        )

    def learning_curve(
        self,
        spec: LawSpec | str | None = None,
        sizes: Sequence[int] | None = None,
        *,
        repeats: int = 4,
    ) -> LearningCurve:
        """How the error falls with the number of runs, and what more of them would bring.

        Args:
            spec: a spec, or the name of a law in this comparison; the best when not given.
            sizes: numbers of runs to fit to; six between a fifth and all but the held-out fifth
                when not given.
            repeats: random choices of runs a size; a fifth of the runs is held out in each.
        """
        chosen = self._spec(spec)
        return learning_curve(
            self.swarm, chosen, sizes, repeats=repeats, seed=self.seed, signals=self.signals
        )

    def _spec(self, spec: LawSpec | str | None) -> Any:
        if spec is None:
            if self.best is None:
                raise ReweightvizError(
                    "no law here beats the mean of the runs, so there is none to draw a "
                    "curve of: name a spec."
                )
            return self.best
        if isinstance(spec, str):
            known = [name for name in self.trials if name != BASELINE]
            if spec not in known:
                raise UnknownName(kind="law in this comparison", name=spec, known=known)
            return self.trials[spec].spec
        return spec

    def cost(
        self,
        size: float | str | None = None,
        tokens: float | str | None = None,
        flops_per_second: float = H100,
    ) -> dict[str, float]:
        """What the swarm costs: runs, FLOPs (6 a parameter and token) and GPU-hours.

        Args:
            size: model parameters of a run; the runs' column ``size`` when not given.
            tokens: training tokens of a run; the runs' column ``run_tokens`` when not given.
            flops_per_second: what one GPU really does; that of an H100 at 40 % utilisation when
                not given.
        """
        return swarm_cost(self.swarm, size, tokens, flops_per_second)

    def __repr__(self) -> str:
        return f"Comparison({len(self.swarm)} runs, {self.folds} folds: {self.verdict})"

    def _repr_html_(self) -> str:
        means = self.table.xs(ALL, level="target")
        each = self.table.drop(index=ALL, level="target")
        form: dict[str, Any] = {
            "float_format": lambda value: f"{value:.3g}",
            "na_rep": "",
            "border": 0,
            "index_names": False,
        }
        shown, rest = means.drop(columns=["constant"]).to_html(**form), each.to_html(**form)
        left = "".join(
            f"<li>{html.escape(name)}: {html.escape(why)}</li>"
            for name, why in self.skipped.items()
        )
        return (
            f"<p>{html.escape(self.verdict)}</p>{shown}<details><summary>every "
            f"target</summary>{rest}</details>"
            + (f"<p>Not compared:</p><ul>{left}</ul>" if left else "")
        )


@one_thread
def compare(
    swarm: Swarm,
    specs: Sequence[LawSpec] | Mapping[str, LawSpec],
    *,
    folds: int | None = None,
    seed: int = 0,
    **signals: Any,
) -> Comparison:
    """Fit every spec without a part of the runs in turn, and score what it predicts of them.

    Repeats of one mixture are left out together. The mean of the runs is compared too: a law that
    does not beat it knows nothing.

    Args:
        swarm: the proxy runs.
        specs: laws' specs, or name to spec; named by their class when not named.
        folds: parts of the runs; 5, or as many as there are different mixtures, when not given.
        seed: of the parts.
        **signals: what else the laws name, as in ``rv.fit``; those with a value a run are cut as
            the runs are.

    Returns:
        A Comparison. Its ``table`` has a row a law and target, and one of their mean, the most
        accurate law first: ``mae`` and ``mre`` (mean absolute and relative error), ``r2``,
        ``spearman``, ``relative`` (mae over that of predicting the mean of the runs),
        ``over_noise`` (mae over what repeats of a run differ by), ``coverage`` and ``width`` of
        the 90 % interval, all of left-out runs; ``r2_within`` of the fit to all runs; ``seconds``
        that fit took; ``degenerate``,
        ``constant``: what the fit says of itself.

    Raises:
        ReweightvizError: no spec, or fewer different mixtures than folds. A spec that cannot be
            fitted is listed in ``skipped`` with the reason.
    """
    if not isinstance(swarm, Swarm):
        raise InvalidArgument(
            name="compare",
            value=swarm,
            expected="a Swarm and laws",
            got=f"{swarm!r:.80} as the swarm",
        )
    named, group = _named(specs), group_equal_mixtures(swarm.mixtures)
    mixtures = int(group.max()) + 1
    if mixtures < 2:
        raise UnmetNeed(
            name="compare", value=mixtures, expected="runs of 2 different mixtures or more"
        )
    folds = min(FOLDS, mixtures) if folds is None else whole_number("folds", folds, 2)
    if folds > mixtures:
        raise UnmetNeed(
            name="compare",
            value=folds,
            expected=f"2 folds or more, and no more than there are different mixtures ({mixtures})",
        )
    part = np.random.default_rng(seed).permutation(mixtures) % folds
    trials: dict[str, Trial] = {BASELINE: _baseline(swarm, part[group])}
    skipped: dict[str, str] = {}
    for name, spec in named.items():
        try:
            trials[name] = _tried(swarm, spec, part[group], signals)
        except (ReweightvizError, ImportError) as reason:
            skipped[name] = str(reason)
    table = pd.concat(
        {name: _scores(swarm, trial, trials[BASELINE]) for name, trial in trials.items()},
        names=["law", "target"],
    )
    means = table.xs(ALL, level="target")["relative"]
    order = sorted(trials, key=lambda name: (means[name], name == BASELINE))
    return Comparison(swarm, trials, skipped, folds, seed, table.loc[order], signals)


def _named(specs: Sequence[LawSpec] | Mapping[str, LawSpec]) -> dict[str, Any]:
    named: dict[str, Any]
    if isinstance(specs, Mapping):
        named = dict(specs)
    else:
        given: list[Any] = list(specs) if isinstance(specs, list | tuple) else [specs]
        names = [type(spec).__name__ for spec in given]
        named = {}
        for name, spec in zip(names, given, strict=True):
            unique = name if names.count(name) == 1 else _short(spec)
            while unique in named:
                unique += " again"
            named[unique] = spec
    classes = [name for name, spec in named.items() if isinstance(spec, type)]
    if classes:
        raise InvalidArgument(
            name="compare",
            value=named[classes[0]].__name__,
            expected="laws with their parameters",
            got=f"the class {named[classes[0]].__name__}: add ()",
        )
    strange = [spec for spec in named.values() if not isinstance(spec, LawSpec)]
    if strange:
        raise InvalidArgument(
            name="compare",
            value=strange[0],
            expected="laws' settings, such as rv.laws.Olmix(), and fits them itself",
        )
    if not named:
        raise UnmetNeed(
            name="compare",
            value=None,
            expected="at least one spec, such as rv.laws.Olmix()",
            got="none",
        )
    if BASELINE in named:
        raise ReweightvizError(f"{BASELINE!r} is the baseline's name; give your law another.")
    return named


def _tried(swarm: Swarm, spec: Any, part: NDArray[np.int64], signals: Signals) -> Trial:
    start = time.perf_counter()
    law = fit_law(swarm, spec, signals)
    seconds = time.perf_counter() - start
    predicted, low, high = (np.full(swarm.losses.shape, np.nan) for _ in range(3))
    for fold in range(part.max() + 1):
        held, known = np.flatnonzero(part == fold), np.flatnonzero(part != fold)
        partly, asked = (
            fit_law_quietly(swarm.take(known), spec, part_of(signals, known, len(swarm))),
            swarm.take(held),
        )
        given = law_inputs_of_runs(partly, asked, part_of(signals, held, len(swarm)))
        predicted[held] = partly.predict(asked.mixtures, **given)
        low[held], high[held] = partly.interval(asked.mixtures, LEVEL, **given)
    within = np.asarray(
        law.predict(swarm.mixtures, **law_inputs_of_runs(law, swarm, signals)), np.float64
    )
    return Trial(spec, predicted, low, high, law, seconds, _r2(within, swarm.losses))


def _baseline(swarm: Swarm, part: NDArray[np.int64]) -> Trial:
    predicted, low, high = (np.empty(swarm.losses.shape) for _ in range(3))
    for fold in range(part.max() + 1):
        known = swarm.losses[part != fold]
        predicted[part == fold] = known.mean(0)
        low[part == fold], high[part == fold] = between(known, LEVEL)
    return Trial(None, predicted, low, high, None, 0.0, np.zeros(len(swarm.targets)))


def _r2(predicted: Array, observed: Array) -> Array:
    spread = ((observed - observed.mean(0)) ** 2).sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(
            spread > 1e-12 * (observed**2).sum(0),
            1 - ((observed - predicted) ** 2).sum(0) / spread,
            np.nan,
        )


def _spearman(predicted: Array, observed: Array) -> Array:
    from scipy.stats import rankdata  # it takes longer to import than all else here

    ranks = [rankdata(values, axis=0) for values in (predicted, observed)]
    centred = [each - each.mean(0) for each in ranks]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(
            (centred[0] * centred[1]).sum(0)
            / np.sqrt((centred[0] ** 2).sum(0) * (centred[1] ** 2).sum(0)),
            np.float64,
        )


def _scores(swarm: Swarm, trial: Trial, baseline: Trial) -> pd.DataFrame:
    """The rows of one law: the mean over targets first."""
    missed = np.abs(trial.predicted - swarm.losses)
    mae, plain_mae = missed.mean(0), np.abs(baseline.predicted - swarm.losses).mean(0)
    inside = (trial.low <= swarm.losses) & (swarm.losses <= trial.high)
    told = np.isfinite(trial.low).all(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Of a normal error with this standard deviation.
        noise = swarm.noise_floor() * np.sqrt(2 / np.pi)
        columns = {
            "mae": mae,
            "mre": (missed / np.abs(swarm.losses)).mean(0),
            "r2": _r2(trial.predicted, swarm.losses),
            "spearman": np.full(mae.shape, np.nan)
            if trial.law is None
            else _spearman(trial.predicted, swarm.losses),
            "relative": np.where(plain_mae > 0, mae / plain_mae, np.nan),
            "over_noise": mae / noise,
            "coverage": np.where(told, inside.mean(0), np.nan),
            "width": np.where(told, (trial.high - trial.low).mean(0), np.nan),
            "r2_within": trial.r2_within,
        }
    table = pd.DataFrame(columns, index=pd.Index(swarm.targets, name="target"))
    whole = table.mean().to_frame(ALL).T
    said = getattr(trial.law, "diagnostics", {}) or {}
    for flag in ("degenerate", "constant"):
        values = [bool(value) for value in said.get(flag, [False] * len(table))]
        table[flag], whole[flag] = values, any(values)
    rows = pd.concat([whole, table])
    rows.insert(len(rows.columns) - 2, "seconds", trial.seconds)
    return rows


def _short(spec: Any) -> str:
    """A spec by its class and what is not its default."""
    if not is_dataclass(spec):
        return repr(spec)
    own = [
        f"{each.name}={getattr(spec, each.name)!r}"
        for each in fields(spec)
        if each.init and getattr(spec, each.name) != each.default
    ]
    return f"{type(spec).__name__}({', '.join(own)})"


def swarm_cost(
    swarm: Swarm,
    size: float | str | None = None,
    tokens: float | str | None = None,
    flops_per_second: float = H100,
) -> dict[str, float]:
    """What the runs cost; see :meth:`Comparison.cost`."""
    both, known = [], swarm.signals()
    for what, value, name in (("size", size, "size"), ("tokens", tokens, "run_tokens")):
        if value is None and name not in known:
            raise MissingColumn(
                column=name,
                available=swarm.runs.columns,
                who="the cost of a swarm",
                hint=f"{what}= would do too.",
            )
        numbers = (
            known[name]
            if value is None
            else np.full(len(swarm), parse_count(value, what, positive=True))
        )
        if not np.isfinite(numbers).all() or (numbers <= 0).any():
            raise InvalidValue(
                name=what,
                value=numbers.min(),
                expected="numbers above 0, parameters and tokens of a run",
                got=f"{numbers.min():.4g}",
            )
        both.append(numbers)
    if not flops_per_second > 0:
        raise InvalidValue(name="flops_per_second", value=flops_per_second, expected="above 0")
    flops = float(6 * (both[0] * both[1]).sum())
    hours = flops / flops_per_second / 3600
    return {
        "runs": len(swarm),
        "flops": flops,
        "gpu_hours": hours,
        "gpu_hours_a_run": hours / len(swarm),
    }
