"""Rows of all that several processes may write at once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

import reweightviz as rv
from attacks.app_rows import _corpus as corpus_of_map
from attacks.noun_rows import DOMAINS, OLD, SIZES, _corpus
from attacks.row import make_nothing
from attacks.writers import Done, Shared
from reweightviz.core.cache import compute_once

__all__ = ["SHARED"]


def _weights(who: int, turn: int) -> dict[str, float]:
    """Weights that tell who set them and when."""
    return {
        "web": 0.2 + 0.2 * who,
        "code": 0.01 * (turn + 1),
        "math": 0.8 - 0.2 * who - 0.01 * (turn + 1),
    }


def _tell(weights: Any) -> tuple[int, int]:
    """Return who set these weights, and when."""
    return round((weights["web"] - 0.2) / 0.2), round(weights["code"] / 0.01) - 1


def _rows() -> Iterator[Shared]:
    yield Shared(
        "corpus, a column each",
        lambda f: _corpus("a").save(f / "c.lance"),
        lambda f: f,
        _save_column,
        _check_columns,
        needs="lance",
    )
    yield Shared(
        "corpus, the first save",
        make_nothing,
        lambda f: f,
        lambda f, who, turn: (
            _corpus("a").with_column(f"score:w{who}", _filled(200, turn)).save(f / "c.lance")
        ),
        _check_columns,
        needs="lance",
    )
    yield Shared(
        "live mixture, set",
        lambda f: rv.LiveMixture.create(f / "m.json", OLD, author="first"),
        lambda f: rv.LiveMixture(f / "m.json"),
        lambda live, who, turn: live.set(_weights(who, turn), author=f"w{who}", note=f"{turn}"),
        _check_changes,
    )
    yield Shared(
        "live mixture, created",
        make_nothing,
        lambda f: f,
        lambda f, who, turn: rv.LiveMixture.create(
            f / "m.json", _weights(who, turn), author=f"w{who}"
        ),
        _check_created,
    )
    yield Shared(
        "explorer's folder, the mixture set",
        lambda f: rv.Explorer(tokens=dict.fromkeys(DOMAINS, 1e9), autosave=f / "x"),
        lambda f: rv.Explorer.load(f / "x"),
        lambda x, who, turn: setattr(x, "mixture", _weights(who, turn)),
        _check_explorer,
    )
    yield Shared(
        "explorer's folder, the first autosave",
        make_nothing,
        lambda f: f,
        lambda f, _who, _turn: rv.Explorer(corpus_of_map(), autosave=f / "x"),
        lambda f, _dones: _unless(len(rv.Explorer.load(f / "x").corpus) == 80, "no corpus"),
        needs="lance",
    )
    yield Shared(
        "cache of results",
        make_nothing,
        _use_cache,
        lambda _f, _who, turn: _compute(turn),
        lambda f, _dones: _unless(_use_cache(f) is f and _compute(0) == 1225.0, "wrong result"),
    )
    yield Shared(
        "run logger",
        make_nothing,
        lambda f: rv.training.RunLogger(f / "r.jsonl", domains=DOMAINS),
        lambda log, who, turn: log.write(step=1000 * who + turn, losses=[who, turn, 1.0]),
        _check_log,
    )
    yield Shared(
        "run logger, opened for each line",
        make_nothing,
        lambda f: f,
        lambda f, who, turn: rv.training.RunLogger(f / "r.jsonl", domains=DOMAINS).write(
            step=1000 * who + turn, losses=[who, turn, 1.0]
        ),
        _check_log,
    )
    yield Shared(
        "sampler's journal, two trainings",
        lambda f: rv.LiveMixture.create(f / "m.json", OLD),
        _begin_training,
        _train_on,
        _check_journal,
    )
    for framework, name in (("levanter", "out.yaml"), ("huggingface", "out"), ("json", "m.json")):
        yield Shared(
            f"export {framework} into one place",
            make_nothing,
            lambda f: f,
            lambda f, who, turn, framework=framework, name=name: _export(
                f / name, framework, who, turn
            ),
            lambda f, dones, name=name: _check_export(f / name, dones),
        )
    yield Shared(
        "decision record",
        make_nothing,
        lambda f: f,
        lambda f, who, turn: rv.decision_record(
            OLD, f / "why", title=f"by-{who}-{turn}-", sources=SIZES, tokens=1e9, overwrite=True
        ),
        _check_record,
    )
    yield Shared(
        "Mixture.save",
        make_nothing,
        lambda f: f,
        lambda f, who, turn: rv.Mixture.normalized(_weights(who, turn)).save(f / "m.json"),
        lambda f, dones: _check_last(_tell(rv.Mixture.load(f / "m.json")), dones),
    )


def _filled(count: int, value: float) -> Any:
    return np.full(count, value, np.float32)


def _unless(fine: bool, words: str) -> list[str]:
    return [] if fine else [words]


def _save_column(folder: Path, who: int, turn: int) -> None:
    corpus = rv.open_corpus(folder / "c.lance")
    corpus.with_column(f"score:w{who}", _filled(len(corpus), turn)).save(folder / "c.lance")


def _check_columns(folder: Path, dones: list[Done]) -> list[str]:
    corpus = rv.open_corpus(folder / "c.lance")
    faults = []
    for who, done in enumerate(dones):
        if not done.turns:
            continue
        name = f"score:w{who}"
        found = float(corpus[name][0]) if name in corpus else None
        # A later turn that was told of a fault may have been written all the same.
        if found is None or found < done.turns[-1]:
            faults.append(f"writer {who} saved {done.turns[-1]}, there is {found}")
    _save_column(folder, 9, 9)
    return faults + _unless("score:w9" in rv.open_corpus(folder / "c.lance"), "no next save")


def _check_changes(folder: Path, dones: list[Done]) -> list[str]:
    live = rv.LiveMixture(folder / "m.json")
    table = live.changes()
    authors = np.asarray(table["author"]).ravel()
    notes = np.asarray(table["note"]).ravel()
    there = {f"{author} {note}" for author, note in zip(authors, notes, strict=True)}
    wanted = {f"w{who} {turn}" for who, done in enumerate(dones) for turn in done.turns}
    lost = sorted(wanted - there)
    numbered = list(table.index) == list(range(1, live.version + 1))
    return [f"lost {name}" for name in lost[:3]] + _unless(
        numbered, f"versions {list(table.index)}"
    )


def _check_created(folder: Path, dones: list[Done]) -> list[str]:
    fine = [(who, turn) for who, done in enumerate(dones) for turn in done.turns]
    live = rv.LiveMixture(folder / "m.json")
    faults = _unless(len(fine) == 1, f"{len(fine)} created it, all told that it is theirs")
    return faults + _unless(_tell(live.mixture) in fine, "it is none of theirs")


def _check_explorer(folder: Path, dones: list[Done]) -> list[str]:
    x = rv.Explorer.load(folder / "x")
    faults = _unless(dict(x.mixture) == dict(x.editor.mixture), "editor and explorer differ")
    found = [_tell(x.mixture)]
    for _ in range(100):
        x.undo()
        found.append(_tell(x.mixture))
    for who, done in enumerate(dones):
        # Whoever was told something knows; whoever was not finds the last change, or undoes to it.
        if done.turns and not done.sentences and (who, done.turns[-1]) not in found:
            faults.append(f"writer {who} was told nothing, its last mixture is gone")
    return faults


def _use_cache(folder: Path) -> Path:
    os.environ["REWEIGHTVIZ_CACHE"] = str(folder / "cache")
    return folder


def _compute(turn: int) -> float:
    found = compute_once("trust", (turn,), lambda: {"x": np.arange(50.0)})
    total = float(found["x"].sum())
    assert total == 1225.0, total
    return total


def _check_log(folder: Path, dones: list[Done]) -> list[str]:
    """Look at the lines: to a reader a step that goes back is a restart, which it notes."""
    log = rv.read_log(folder / "r.jsonl")
    lines = (folder / "r.jsonl").read_text("utf-8").splitlines()
    steps = {json.loads(line).get("step") for line in lines}
    wanted = {1000 * who + turn for who, done in enumerate(dones) for turn in done.turns}
    silent = len(log) < len(wanted) and not log.meta.get("notes")
    lost = [f"lost step {step}" for step in sorted(wanted - steps)[:3]]
    return lost + _unless(not silent, "steps were left out without a note")


def _begin_training(folder: Path) -> Any:
    live = rv.LiveMixture(folder / "m.json")
    return rv.training.MixtureSampler(dict.fromkeys(DOMAINS, 50), live, batch=8, every=5)


def _train_on(sampler: Any, _who: int, _turn: int) -> None:
    draws = iter(sampler)
    for _ in range(5):
        next(draws)


def _check_journal(folder: Path, _dones: list[Done]) -> list[str]:
    """One training after another is a restart; one that comes back was to be told of the other."""
    live = rv.LiveMixture(folder / "m.json")
    live.history()
    lines = live.journal.path.read_text("utf-8").splitlines()
    names = [json.loads(line).get("by") for line in lines]
    turns = [name for name, _ in groupby(filter(None, names))]
    return _unless(len(turns) == len(set(turns)), f"the trainings decided in turn, {turns}")


def _export(path: Path, framework: str, who: int, turn: int) -> None:
    sources = {
        name: {"tokens": 1e9 * (1 + who), "documents": 1e6, "paths": [f"data/{name}.jsonl"]}
        for name in DOMAINS
    }
    mixture = rv.Mixture.normalized(_weights(who, turn), source={"method": f"{who} {turn}"})
    rv.export(mixture, framework, path, sources=sources, overwrite=True)


def _check_export(path: Path, dones: list[Done]) -> list[str]:
    mixture = rv.load_mixture(path)
    faults = _check_last(_tell(mixture), dones)
    method = mixture.source.get("method")
    who, turn = _tell(mixture)
    return faults + _unless(method in (None, f"{who} {turn}"), f"{who} {turn} under {method}")


def _check_record(folder: Path, _dones: list[Done]) -> list[str]:
    marks = []
    for ending in ("md", "html"):
        text = (folder / f"why.{ending}").read_text("utf-8")
        marks.append(text[text.index("by-") :].split("-")[1:3])
    return _unless(marks[0] == marks[1], f"the Markdown is of {marks[0]}, the page of {marks[1]}")


def _check_last(found: tuple[int, int], dones: list[Done]) -> list[str]:
    """Return a fault unless it is somebody's last turn: the last writer wins, and whole."""
    last = [(who, done.turns[-1]) for who, done in enumerate(dones) if done.turns]
    return _unless(found in last, f"it is {found}, nobody's last")


SHARED: dict[str, Shared] = {shared.name: shared for shared in _rows()}
