"""The verbs: the few words through which every method is reached."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    MissingColumn,
    ReweightvizError,
    UnknownName,
    UnmetNeed,
    WrongDomains,
    listed,
    warn,
)
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Law, LawSpec, Mixer, Scorer, Selector, needs, supply
from reweightviz.core.runlog import RunLog
from reweightviz.core.schedule import Schedule
from reweightviz.core.selection import Selection
from reweightviz.core.sources import Source, Sources
from reweightviz.core.swarm import Swarm
from reweightviz.core.token_counts import parse_count
from reweightviz.core.types import SIGNALS, kind_of
from reweightviz.evaluation.doubts import doubts
from reweightviz.evaluation.held_out import fit_law
from reweightviz.numerics.simplex import numbers
from reweightviz.numerics.threads import one_thread

if TYPE_CHECKING:
    from reweightviz.exporters.check import Report
    from reweightviz.readers.tail import Tail

# ---- map


def demo_corpus() -> Corpus:
    """Real text from the packages installed beside reweightviz: no network, the same for the same environment, cached."""
    from reweightviz.readers.demo import corpus as demo

    return demo.read()


def demo_swarm() -> Swarm:
    """Real proxy runs on the demo corpus: 96 mixtures and 6 repeats of one, with every domain's held-out loss."""
    from reweightviz.readers.demo import runs as demo_runs

    return demo_runs.read_swarm()


def demo_log(name: str = "doremi") -> RunLog:
    """A real training run on the demo corpus: "natural", "uniform", "doremi", or "signals", with every signal that one model gives."""
    from reweightviz.readers.demo import runs as demo_runs

    return demo_runs.read_log(name)


def read_corpus(
    source: Any, *, text: str = "text", domain: str | None = "domain", **options: Any
) -> Corpus:
    """Read documents: Parquet, JSONL (also .gz), a pandas or Arrow table, a Hugging Face Dataset; several files by glob.

    Args:
        source: a path, a glob, a list of paths, or a table.
        text: name of the text column.
        domain: name of the domain column; None takes each file's name as its domain.
        **options: ``tokens``, the column that holds each document's length under your tokenizer,
            and ``tokenizer``, its name: **without them a document's UTF-8 bytes are counted as its
            tokens**; ``id``, ``keep`` (more columns), ``on_error`` ("raise" or "skip").
    """
    from reweightviz.readers import read_corpus as corpora

    return corpora.read_corpus(source, text=text, domain=domain, **options)


def open_corpus(path: str | os.PathLike[str]) -> Corpus:
    """Open a corpus that :meth:`Corpus.save` wrote; nothing is recomputed."""
    from reweightviz.core import store

    return store.open_corpus(path)


def read_swarm(ratios: Any, metrics: Any = None, **options: Any) -> Swarm:
    """Read proxy runs: two tables, one table of a tracker, or a folder of run logs.

    Args:
        ratios: the mixtures, a CSV file or table, in the layouts of RegMix and Olmix as they are;
            or one exported table of W&B, Aim or MLflow with a row a run; or a folder of run logs.
        metrics: what the runs reached, the second of two tables, joined on their run columns.
        **options: those of :func:`reweightviz.readers.swarms.two_tables.read`,
            :func:`reweightviz.readers.swarms.tracker_table.read` or
            :func:`reweightviz.readers.swarms.run_folder.read`.
    """
    from reweightviz.readers.swarms import (
        run_folder as run_folders,
    )
    from reweightviz.readers.swarms import (
        tracker_table as wandb_tables,
    )
    from reweightviz.readers.swarms import (
        two_tables as swarms,
    )

    if metrics is not None:
        return swarms.read(ratios, metrics, **options)
    if isinstance(ratios, str | os.PathLike) and Path(ratios).is_dir():
        return run_folders.read(ratios, **options)
    return wandb_corpora.read_corpus(ratios, **options)


def read_log(
    path: str | os.PathLike[str], *, follow: bool = False, **options: Any
) -> RunLog | Tail:
    """Read the log of a training run, in whichever of ``rv.methods("reader")`` it was written; the path tells.

    Args:
        path: a file, or the folder of a run.
        follow: return a :class:`reweightviz.readers.tail.Tail` instead, whose ``poll()``
            reads what is new and whose ``log`` is the run so far; the file need not be there yet.
        **options: ``pattern``, which tag is which domain, as in "train/{domain}/loss"; ``name``,
            which of several runs; ``format``. See :func:`reweightviz.readers.read_log.read_log`.
    """
    from reweightviz.readers import read_log as logs

    return logs.follow_log(path, **options) if follow else logs.read_log(path, **options)


def read_sources(path: str | os.PathLike[str]) -> Sources:
    """Read what there is of each domain from YAML, JSON, CSV or Parquet; see :func:`reweightviz.readers.read_sources.read_sources`."""
    from reweightviz.readers import read_sources as tables

    return tables.read_sources(path)


def embed(corpus: Corpus, model: Any = "ngrams", **options: Any) -> Corpus:
    """Add ``embedding`` (N, D); see :func:`reweightviz.features.embed.embed`."""
    from reweightviz import features

    return features.embed(corpus, model, **options)


def project(corpus: Corpus, method: str = "umap", **options: Any) -> Corpus:
    """Add ``xy`` (N, 2); see :func:`reweightviz.features.project.project`."""
    from reweightviz import features

    return features.project(corpus, method, **options)


def cluster(corpus: Corpus, k: int = 24, **options: Any) -> Corpus:
    """Add ``cluster`` (N,) and its names; see :func:`reweightviz.features.cluster.cluster`."""
    from reweightviz import features

    return features.cluster(corpus, k, **options)


# ---- score


def losses(corpus: Corpus, model: Any = "proxy", **options: Any) -> Corpus:
    """Add ``loss:<label>`` (N,), nats per token; "proxy" is the demo's own small model.

    See :func:`reweightviz.features.losses.losses`.
    """
    from reweightviz import features

    if isinstance(model, str | os.PathLike):
        from reweightviz.models.byte_transformer import ByteTransformer
        from reweightviz.readers.demo import runs as demo_runs

        path = demo_runs.proxy_path() if model == "proxy" else Path(model)
        if not path.exists():
            raise ReweightvizError(
                f"rv.losses found no model at {path}; 'proxy' is the demo's, a "
                "ByteTransformer can be passed itself."
            )
        options.setdefault("label", "proxy" if model == "proxy" else path.stem)
        model = ByteTransformer.load(path)
    return features.losses(corpus, model, **options)


def score(corpus: Corpus, scorer: Scorer) -> Corpus:
    """Add ``score:<scorer>`` (N,), higher is better, from the columns that the scorer names."""
    _instance(scorer, "rv.score", "rv.scorers.Loss()", Scorer)
    who = type(scorer).__name__
    available = {name: corpus[_column(corpus, name, who)] for name in needs(scorer.score)}
    values = np.asarray(scorer.score(**available), np.float64)
    return corpus.with_column(
        f"score:{who.lower()}", values if scorer.higher_is_better else -values
    )


def _column(corpus: Corpus, kind: str, who: str) -> str:
    """The one column of a kind: by its name, or the only one with a label."""
    labelled = [name for name in corpus.columns if kind_of(name) == kind]
    if kind in corpus.columns or not labelled:
        if kind not in corpus:
            raise MissingColumn(column=kind, available=corpus.columns, who=who)
        return kind
    if len(labelled) > 1:
        raise ReweightvizError(
            f"{who} needs one column {kind!r}; the corpus has {listed(labelled)}: keep one of them."
        )
    return labelled[0]


def select(corpus: Corpus, selector: Selector, *, k: int, score: str | None = None) -> Selection:
    """Choose ``k`` documents by a score column (the only one, or the one named)."""
    _instance(selector, "rv.select", "rv.selectors.TopK()", Selector)
    name = score or _column(corpus, "score", type(selector).__name__)
    rows = np.asarray(selector.select(score=corpus[name], k=k), np.int64)
    return Selection(rows, corpus.ids[rows], {"selector": repr(selector), "score": name, "k": k})


def split_domain(
    corpus: Corpus, selection: Selection | Sequence[int] | NDArray[Any], name: str
) -> Corpus:
    """Make the selected documents a domain of their own, called ``name``.

    The corpus remembers where they lay, so that a law of the former domains can still be asked: the
    new domain's weight counts as its parents', by the tokens that came from each.
    """
    rows = selection.rows if isinstance(selection, Selection) else np.asarray(selection)
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows
    if name in corpus.domains:
        raise ReweightvizError(
            f"there is a domain {name!r} already; give the new one another name."
        )
    if not len(rows):
        raise ReweightvizError("the selection is empty; lasso some documents first.")
    if rows.min() < 0 or rows.max() >= len(corpus):
        raise InvalidValue(
            name="rows",
            value=(rows.min(), rows.max()),
            expected=f"between 0 and {len(corpus) - 1}",
            got=f"{rows.min()} to {rows.max()}",
        )
    return corpus.with_domain(rows, name)


# ---- mix


@one_thread
def fit(swarm: Swarm, spec: LawSpec, **signals: Any) -> Law:
    """Fit a mixing law to proxy runs.

    Args:
        swarm: the runs. Their ``runs`` table gives ``size`` and ``run_tokens``, their ``tokens``
            what was ``available``.
        spec: one of ``rv.laws``, with its hyperparameters.
        **signals: what else the law names, such as ``law=`` and ``proxy_losses=`` of LossToLoss.

    Warns:
        ReweightvizWarning: of targets that never change, that the law predicts no better than the
            mean does, or whose fit is degenerate.
    """
    _instance(spec, "rv.fit", "rv.laws.Olmix()", LawSpec)
    if not isinstance(swarm, Swarm):
        raise InvalidArgument(
            name="rv.fit", value=swarm, expected="a swarm, as rv.read_swarm returns one"
        )
    law = fit_law(swarm, spec, signals)
    for sentence in doubts(law, type(spec).__name__):
        warn(sentence)
    return law


def mix(
    signals: Mapping[str, Mapping[str, Any]] | RunLog, mixer: Mixer, **others: Any
) -> Mixture | Schedule:
    """Let a mixer weigh the domains.

    Args:
        signals: signal to domain to a number (or, for an online mixer, to its values step by step,
            as many of each), tokens and documents also as "1.2T"; or a run log, of which the
            answer is that of ``rv.replay(log, mixer, **others)``: a line stands for the steps
            since the line before.
        mixer: one of ``rv.mixers``.
        **others: what the mixer names that is not one number a domain, such as ``law=`` of
            MetaRater, ``target_head=`` of ActiveMultiTask or ``lengths=`` of MixMinWeights.

    Returns:
        A Mixture; of a mixer whose weights change by the step whatever happens (Cooldown,
        TwoPhase), a Schedule.

    Example:
        >>> from reweightviz.mixers import Natural
        >>> mix({"tokens": {"web": 3e11, "code": 1e11}}, Natural())["code"]
        0.25
    """
    _instance(mixer, "rv.mix", "rv.mixers.Natural()", Mixer)
    if isinstance(signals, RunLog):
        return _mixed(signals, mixer, others)
    domains, arrays = _signal_arrays(signals)
    update = getattr(mixer, "update", None)
    known = SIGNALS | needs(mixer.init) | (needs(update) if update is not None else {})
    for name in [*arrays, *others]:
        if name not in known:
            raise UnknownName(kind="signal", name=name, known=known)
    who, named = type(mixer).__name__, getattr(others.get("law"), "domains", domains)
    if tuple(named) != domains:
        raise WrongDomains(
            who="the signals",
            asked=domains,
            other="the law",
            there=named,
            hint="name them in the order of the law",
        )
    arrays.update(others)
    arrays.setdefault("prior", np.full(len(domains), 1 / len(domains)))
    state = mixer.init(**supply(who, mixer.init, arrays))
    if hasattr(mixer, "stages"):
        return _schedule(domains, mixer, state)
    if update is not None:
        state = _learnt(who, update, state, supply(who, update, arrays))
    return _answer(domains, mixer, mixer.result(state))


def _learnt(who: str, update: Any, state: Any, told: Mapping[str, Any]) -> Any:
    """The state after every step of the signals, (T, K) each, or (K,) of one step."""
    steps = {name: np.atleast_2d(values) for name, values in told.items()}
    lengths = {name: len(values) for name, values in steps.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name!r} {length}" for name, length in lengths.items())
        raise ReweightvizError(
            f"{who} is told its signals step by step, as many steps of each; these have {said}."
        )
    for name, values in steps.items():
        if not np.isfinite(values).any():
            raise ReweightvizError(
                f"{who} learns from {name!r}, which is nowhere a finite number here."
            )
    for t in range(next(iter(lengths.values()), 0)):
        state = update(state, **{name: values[t] for name, values in steps.items()})
    return state


def _mixed(log: RunLog, mixer: Any, others: Mapping[str, Any]) -> Mixture | Schedule:
    """The answer of a mixer that was told a log."""
    from reweightviz.diagnostics import replay as replaying

    if hasattr(mixer, "stages"):
        return _schedule(log.domains, mixer, replaying.start(log, mixer, **others))
    return _answer(log.domains, mixer, replaying.replay(log, mixer, **others).meta["result"])


def _answer(domains: tuple[str, ...], mixer: Mixer, weights: Any) -> Mixture:
    return Mixture(
        zip(domains, np.asarray(weights, np.float64).tolist(), strict=True), source=_source(mixer)
    )


def _schedule(domains: tuple[str, ...], mixer: Any, state: Any) -> Schedule:
    table = {
        step: dict(zip(domains, weights.tolist(), strict=True))
        for step, weights in mixer.stages(state).items()
    }
    return Schedule(table, steps=getattr(mixer, "steps", None), source=_source(mixer))


def _source(mixer: Any) -> dict[str, str]:
    return {"method": type(mixer).__name__, "parameters": repr(mixer)}


def _instance(method: Any, verb: str, example: str, kind: Any = object) -> None:
    if isinstance(method, type):
        raise InvalidArgument(
            name=verb,
            value=method,
            expected=f"a method with its parameters, such as {example}",
            got=f"the class {method.__name__}: add ()",
        )
    if not isinstance(method, kind):
        raise InvalidArgument(
            name=verb, value=method, expected=f"a method with its parameters, such as {example}"
        )


def _signal_arrays(
    signals: Mapping[str, Mapping[str, Any]],
) -> tuple[tuple[str, ...], dict[str, NDArray[np.float64]]]:
    if isinstance(signals, Sources):
        return signals.domains, {"tokens": signals.tokens}
    if isinstance(signals, Mapping) and not signals:
        raise UnmetNeed(
            name="rv.mix",
            value=None,
            expected="at least one signal, such as {'tokens': {'web': 1e12, 'code': 3e11}}",
            got="none",
        )
    if not isinstance(signals, Mapping) or not all(
        isinstance(table, Mapping) and table for table in signals.values()
    ):
        came = (
            f"numbers, or no domains, for {listed(signals)}"
            if isinstance(signals, Mapping)
            else f"{signals!r:.60}"
        )
        raise InvalidArgument(
            name="rv.mix",
            value=signals,
            expected="signal to domain to number, such as {'tokens': {'web': 1e12, "
            "'code': 3e11}}, or a run log",
            got=came,
        )
    tables = {
        name: {d: _signal(name, value) for d, value in table.items()}
        for name, table in signals.items()
    }
    domains = tuple(next(iter(tables.values())))
    for name, table in tables.items():
        if set(table) != set(domains):
            raise WrongDomains(
                who=f"signal {name!r}", asked=table, other="the other signals", there=domains
            )
    found = {
        name: numbers([table[d] for d in domains], f"signal {name!r}")
        for name, table in tables.items()
    }
    return domains, {
        name: values if name == "graph" else values.T for name, values in found.items()
    }


def _signal(name: str, value: Any) -> Any:
    """The value of a signal as numbers; tokens and documents may be written as people write them."""
    if isinstance(value, Source):
        return value.tokens
    return (
        parse_count(value) if isinstance(value, str) and name in ("tokens", "documents") else value
    )


# ---- ship


def export(
    mixture: Mapping[str, float] | Schedule | Selection,
    framework: str,
    path: str | os.PathLike[str],
    *,
    sources: Sources | Mapping[str, Any] | None = None,
    tokens: float | str | None = None,
    unit: str | None = None,
    max_epochs: float | None = None,
    overwrite: bool = False,
    merge: bool = False,
    backup: bool = True,
    **options: Any,
) -> Path:
    """Write a mixture as the config of a training framework; the unit and where it came from stand in it or beside it.

    Args:
        mixture: domain weights, shares of training tokens; or a Schedule, where the framework
            takes one; or a Selection, whose documents are written as "parquet", "jsonl" or "csv"
            (``corpus=`` adds their text and domain).
        framework: a name of ``rv.methods("exporter")``.
        path: the file (or folder, for several files) to write.
        sources: files, tokens and documents of each domain, where the format or its unit needs
            them.
        tokens: training budget; epochs are computed and warned about.
        unit: what the numbers in the file count, where the framework leaves it open.
        max_epochs: refuse to pass over a domain more often; without it, more than 4 passes are
            warned about.
        overwrite: replace what is there.
        merge: change only the mixture in a config that is there; comments and all other settings
            stay.
        backup: keep what a merge changes as ``<file>.bak``.
        **options: the framework's own, such as ``stopping_strategy="all_exhausted"``.
    """
    from reweightviz import exporters
    from reweightviz.exporters import selected_documents

    if isinstance(mixture, Selection):
        return selected_documents.write(mixture, framework, path, overwrite=overwrite, **options)
    return exporters.find(framework).write(
        _shipped(mixture),
        path,
        sources=sources,
        tokens=tokens,
        unit=unit,
        max_epochs=max_epochs,
        overwrite=overwrite,
        merge=merge,
        backup=backup,
        **options,
    )


def _shipped(mixture: Any) -> Mixture | Schedule:
    """What an exporter takes: a Mixture or Schedule as it is, domain to weight as a Mixture, step to mixture as a Schedule."""
    if isinstance(mixture, Mixture | Schedule):
        return mixture
    if not isinstance(mixture, Mapping):
        raise InvalidArgument(
            name="rv.export",
            value=mixture,
            expected="a mixture, a mapping of domain to weight, a Schedule or a Selection",
            got=type(mixture).__name__,
        )
    return (
        Schedule(mixture)
        if mixture and all(isinstance(stage, Mapping) for stage in mixture.values())
        else Mixture(mixture)
    )


def load_mixture(
    path: str | os.PathLike[str],
    framework: str | None = None,
    *,
    sources: Sources | Mapping[str, Any] | None = None,
) -> Mixture:
    """Read a mixture back from a framework's config, in shares of training tokens.

    Args:
        path: the config, as it is now; the provenance beside it gives names and sizes.
        framework: whose config it is; told from the file when not given.
        sources: tokens and documents of each domain, for a file that counts something else and has
            no provenance.
    """
    from reweightviz.exporters import check as checks

    return checks.find_exporter(path, framework).read(path, sources=sources)


def load_schedule(
    path: str | os.PathLike[str],
    framework: str | None = None,
    *,
    sources: Sources | Mapping[str, Any] | None = None,
) -> Schedule:
    """Read a schedule back from a framework's config; a config of one mixture has one stage. Arguments as :func:`load_mixture`."""
    from reweightviz.exporters import check as checks

    return checks.find_exporter(path, framework).read_schedule(path, sources=sources)


def load_selection(path: str | os.PathLike[str], corpus: Corpus) -> Selection:
    """Read an exported selection (Parquet, JSON lines or CSV with a column ``id``) as rows of a corpus that has its ids."""
    from reweightviz.exporters import selected_documents

    return selected_documents.read(path, corpus)


def check(
    path: str | os.PathLike[str],
    framework: str | None = None,
    *,
    sources: Sources | Mapping[str, Any] | None = None,
    tokens: float | None = None,
) -> Report:
    """What a framework would make of a config: unit, shares of tokens, epochs, what it would refuse, what to know of.

    See :func:`reweightviz.exporters.check.check`.
    """
    from reweightviz.exporters import check as checks

    return checks.check(path, framework, sources=sources, tokens=tokens)


def decision_record(
    mixture: Mapping[str, float], path: str | os.PathLike[str], **options: Any
) -> Path:
    """Write one page, Markdown and HTML, that says which mixture was chosen, beside what, and why.

    See :func:`reweightviz.decision.decision_record.decision_record`.
    """
    from reweightviz.decision import decision_record as decision

    return decision.decision_record(mixture, path, **options)


def methods(kind: str | None = None) -> pd.DataFrame:
    """Every method, indexed by name: family, what it needs, defaults, paper, how it was checked."""
    from reweightviz import catalogue

    return catalogue.table(kind)
