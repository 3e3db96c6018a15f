"""Rows of the nouns that save themselves: mixtures, logs, corpora, models; and of caches."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import reweightviz as rv
from attacks.row import Row, make_nothing
from reweightviz.core.cache import compute_once
from reweightviz.models.byte_transformer import ByteTransformer, ModelConfig

__all__ = ["NOUN_ROWS"]

DOMAINS = ("web", "code", "math")
OLD = {"web": 0.5, "code": 0.3, "math": 0.2}
NEW = {"web": 0.2, "code": 0.7, "math": 0.1}
SIZES = {name: {"tokens": 1e9, "documents": 1e6, "paths": [f"data/{name}"]} for name in DOMAINS}


def _rows() -> Iterator[Row]:
    yield Row(
        "Mixture.save",
        "store",
        lambda f: rv.Mixture(OLD, source={"method": "a"}).save(f / "m.json"),
        lambda f: rv.Mixture(NEW, source={"method": "b"}).save(f / "m.json"),
        lambda f: _of_mixture(rv.Mixture.load(f / "m.json")),
    )
    yield Row(
        "Schedule.save",
        "store",
        lambda f: rv.Schedule({0: OLD, 9: NEW}).save(f / "s.json"),
        lambda f: rv.Schedule({0: NEW, 5: OLD}).save(f / "s.json"),
        lambda f: {step: dict(stage) for step, stage in rv.Schedule.load(f / "s.json").items()},
    )
    yield Row(
        "Sources.save",
        "store",
        lambda f: rv.Sources(SIZES).save(f / "s.json"),
        lambda f: rv.Sources({"other": 5e9}, tokenizer="gpt2").save(f / "s.json"),
        lambda f: repr(dict(rv.read_sources(f / "s.json"))),
    )
    yield Row(
        "RunLog.save",
        "store",
        lambda f: _log(40, 1.0).save(f / "run.jsonl"),
        lambda f: _log(400, 2.0).save(f / "run.jsonl"),
        lambda f: _of_log(rv.RunLog.load(f / "run.jsonl")),
    )
    yield Row(
        "RunLogger: write",
        "store",
        lambda f: _write_steps(rv.training.RunLogger(f / "run.jsonl", domains=DOMAINS), 0, 5),
        lambda log: _write_steps(log, 5, 12),
        lambda f: _of_log(rv.read_log(f / "run.jsonl")),
        open=lambda f: rv.training.RunLogger(f / "run.jsonl", domains=DOMAINS),
        again=lambda f: _write_steps(
            rv.training.RunLogger(f / "run.jsonl", domains=DOMAINS), 100, 101
        ),
        allows=_is_beginning,
        lasting=lambda value: value[-1],
    )
    yield Row(
        "RunLogger: begin",
        "store",
        make_nothing,
        lambda f: _write_steps(rv.training.RunLogger(f / "run.jsonl", domains=DOMAINS), 0, 3),
        lambda f: _of_log(rv.read_log(f / "run.jsonl")),
        allows=lambda _old, new, found: _is_beginning([], new, found),
    )
    yield Row(
        "ByteTransformer.save",
        "store",
        lambda f: _model(1).save(f / "p.npz"),
        lambda f: _model(2).save(f / "p.npz"),
        lambda f: float(sum(p.sum() for p in ByteTransformer.load(f / "p.npz").parameters())),
        needs="torch",
    )


def _of_mixture(mixture: rv.Mixture) -> Any:
    return dict(mixture), mixture.source.get("method")


def _log(steps: int, loss: float) -> rv.RunLog:
    table = np.full((steps, 3), loss)
    weights = np.full((steps, 3), 1 / 3)
    return rv.RunLog(DOMAINS, np.arange(steps), weights, {"loss": table}, name=f"loss {loss}")


def _of_log(log: rv.RunLog) -> list[Any]:
    return list(zip(log.steps.tolist(), log["loss"].tolist(), strict=True))


def _write_steps(log: Any, first: int, last: int) -> None:
    for step in range(first, last):
        log.write(step=step, losses=[step, 1.0, 2.0], weights=[0.5, 0.25, 0.25])


def _is_beginning(old: Any, new: Any, found: Any) -> bool:
    """Return whether a log holds all that was there, and the first of what came."""
    return len(found) >= len(old or []) and new[: len(found)] == found


def _model(seed: int) -> ByteTransformer:
    import torch

    torch.manual_seed(seed)
    return ByteTransformer(ModelConfig(width=16, layers=1, heads=2, context=32))


# ---- live mixtures


def _live_rows() -> Iterator[Row]:
    def create(folder: Path, weights: dict[str, float] = OLD, **options: Any) -> rv.LiveMixture:
        return rv.LiveMixture.create(folder / "mix.json", weights, **options)

    def create_and_set(folder: Path) -> None:
        live = create(folder, author="ann")
        live.set(NEW, author="ben", note="more code")
        live.set(OLD, author="cy")

    def open_live(folder: Path) -> rv.LiveMixture:
        return rv.LiveMixture(folder / "mix.json")

    yield Row(
        "LiveMixture.create",
        "store",
        make_nothing,
        lambda f: create(f, author="ann"),
        _read_live,
        again=lambda f: create(f, author="ann", overwrite=True),
    )
    yield Row(
        "LiveMixture.create over another",
        "store",
        create_and_set,
        lambda f: create(f, NEW, author="dee", overwrite=True),
        _read_live,
    )
    yield Row(
        "LiveMixture.set",
        "store",
        create_and_set,
        lambda live: live.set(NEW, author="dee", note="again"),
        _read_live,
        open=open_live,
        lasting=lambda value: value["mixture"],
    )
    yield Row(
        "LiveMixture.guard",
        "store",
        create_and_set,
        lambda live: live.guard(author="dee", bounds={"web": (0.1, 0.9)}, max_change=0.5),
        _read_live,
        open=open_live,
        lasting=lambda value: value["guards"],
    )
    yield Row(
        "LiveMixture, written by hand and read",
        "store",
        lambda f: (create_and_set(f), _write_by_hand(f)),
        lambda f: open_live(f).read(),
        _read_live,
        again=lambda f: open_live(f).set(OLD, author="eve"),
        lasting=lambda value: value["mixture"],
    )
    yield Row(
        "MixtureSampler: journal",
        "store",
        lambda f: _draw(create(f), 30),
        lambda live: (live.set(NEW, author="ann"), _draw(live, 60)),
        lambda f: [(step, dict(stage)) for step, stage in open_live(f).history().items()],
        open=open_live,
        again=lambda f: (open_live(f).set(OLD, author="ben"), _draw(open_live(f), 400)),
        allows=_is_beginning,
        lasting=lambda value: value[-1][1],
    )


def _read_live(folder: Path) -> Any:
    live = rv.LiveMixture(folder / "mix.json")
    table = live.changes()
    return {
        "mixture": dict(live.mixture),
        "version": live.version,
        "guards": repr(live.guards),
        "versions": list(table.index),
        "authors": np.asarray(table["author"]).ravel().tolist(),
        "notes": [str(note) for note in np.asarray(table["note"]).ravel()],
    }


def _write_by_hand(folder: Path) -> None:
    """Change the weights alone, as a person with an editor does."""
    path = folder / "mix.json"
    record = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**record, "weights": NEW}), "utf-8")


def _draw(live: rv.LiveMixture, batches: int) -> None:
    rows = dict.fromkeys(DOMAINS, 50)
    draws = iter(rv.training.MixtureSampler(rows, live, batch=8, every=5))
    for _ in range(batches):
        next(draws)


# ---- corpora and caches


def _corpus_rows() -> Iterator[Row]:
    more = {"loss:proxy": 2.0, "score:mine": 3.0}

    def add(folder: Path, columns: dict[str, float]) -> None:
        corpus = rv.open_corpus(folder / "c.lance")
        for name, value in columns.items():
            corpus = corpus.with_column(name, np.full(len(corpus), value, np.float32))
        corpus.save(folder / "c.lance")

    def append(folder: Path) -> None:
        corpus = rv.open_corpus(folder / "c.lance")
        # The next change comes to the same, whether this one was made or not.
        if len(corpus) == len(first):
            corpus = corpus.append(_columns("b", 60) | {"domain": ["web", "math"] * 30})
        corpus.save(folder / "c.lance")

    first = _corpus("a")
    cases = {
        "Corpus.save, the first": (make_nothing, lambda f: first.save(f / "c.lance"), None),
        "Corpus.save, a new column": (
            lambda f: first.save(f / "c.lance"),
            lambda f: add(f, {"score:mine": 3.0}),
            None,
        ),
        "Corpus.save, a column replaced and one new": (
            lambda f: first.save(f / "c.lance"),
            lambda f: add(f, more),
            None,
        ),
        "Corpus.save, its facts alone": (
            lambda f: first.save(f / "c.lance"),
            lambda f: first.with_column("loss:proxy", first["loss:proxy"], names=["x"]).save(
                f / "c.lance"
            ),
            None,
        ),
        "Corpus.append saved": (lambda f: first.save(f / "c.lance"), append, None),
        "Corpus.save over other documents": (
            lambda f: first.save(f / "c.lance"),
            lambda f: _corpus("b", 90).save(f / "c.lance", overwrite=True),
            None,
        ),
    }
    for name, (make, change, again) in cases.items():
        yield Row(name, "store", make, change, _read_corpus, again=again, needs="lance")


def _corpus(mark: str, count: int = 200) -> rv.Corpus:
    return rv.Corpus(_columns(mark, count))


def _columns(mark: str, count: int) -> dict[str, Any]:
    return {
        "text": [f"document {mark} {row} " + "y" * 50 for row in range(count)],
        "domain": ["web", "code"] * (count // 2),
        "loss:proxy": np.arange(count, dtype=np.float32),
        "embedding": np.full((count, 8), float(ord(mark[0])), np.float32),
    }


def _read_corpus(folder: Path) -> Any:
    corpus = rv.open_corpus(folder / "c.lance")
    columns = {name: _sum(corpus[name]) for name in corpus.columns}
    return columns, corpus.domains, corpus.meta, corpus.text([0, len(corpus) - 1])


def _sum(column: Any) -> Any:
    if isinstance(column, np.ndarray):
        return float(column.sum()), column.shape
    return column.to_pylist()[:3], len(column)


def _cache_rows() -> Iterator[Row]:
    def compute(folder: Path) -> Any:
        os.environ["REWEIGHTVIZ_CACHE"] = str(folder / "cache")
        found = compute_once("trust", ("key",), lambda: {"x": np.arange(5_000.0)})
        return float(found["x"].sum())

    def embed(folder: Path) -> Any:
        os.environ["REWEIGHTVIZ_CACHE"] = str(folder / "cache")
        return float(np.abs(rv.embed(_corpus("a", 40))["embedding"]).sum())

    yield Row("cache of results", "cache", make_nothing, compute, compute, must_work=True)
    yield Row(
        "rv.embed with a cache",
        "cache",
        make_nothing,
        embed,
        embed,
        must_work=True,
        needs="sklearn",
    )


NOUN_ROWS = [*_rows(), *_live_rows(), *_corpus_rows(), *_cache_rows()]
