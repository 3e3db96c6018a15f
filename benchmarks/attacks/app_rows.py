"""Rows of the apps: explorers in their folders, views of a monitor."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import reweightviz as rv
from attacks.row import Row, make_nothing

__all__ = ["APP_ROWS"]

TOKENS = {"web": 3e9, "code": 1e9}
OLD = {"web": 0.6, "code": 0.4}
NEW = {"web": 0.1, "code": 0.9}
OTHER = {"a": 1e9, "b": 2e9, "c": 3e9}


def _explorer_rows() -> Iterator[Row]:
    def start(folder: Path) -> None:
        rv.Explorer(tokens=TOKENS, autosave=folder / "x").mixture = OLD

    def load(folder: Path) -> rv.Explorer:
        return rv.Explorer.load(folder / "x")

    yield Row(
        "Explorer, the first autosave",
        "store",
        make_nothing,
        lambda f: rv.Explorer(tokens=TOKENS, autosave=f / "x"),
        _read_explorer,
    )
    yield Row(
        "Explorer, the mixture set",
        "store",
        start,
        lambda x: setattr(x, "mixture", NEW),
        _read_explorer,
        open=load,
        lasting=lambda value: value["mixture"],
    )
    yield Row(
        "Explorer, the editor dragged",
        "store",
        start,
        lambda x: setattr(x.editor, "mixture", NEW),
        _read_explorer,
        open=load,
        lasting=lambda value: value["mixture"],
    )
    yield Row(
        "Explorer.save over another",
        "store",
        lambda f: rv.Explorer(tokens=TOKENS, logs=_logs(1, ("web", "code"))).save(f / "x"),
        lambda x: x[1].save(x[0] / "x", overwrite=True),
        _read_explorer,
        open=lambda f: (f, rv.Explorer(tokens=OTHER, logs=_logs(2, tuple(OTHER)))),
    )
    yield Row(
        "Explorer.save with a law over another",
        "store",
        lambda f: rv.Explorer(tokens=TOKENS).save(f / "x"),
        lambda x: x[1].save(x[0] / "x", overwrite=True),
        _read_explorer,
        open=lambda f: (f, _with_law()),
    )
    yield Row(
        "Explorer with a corpus, the first autosave",
        "store",
        make_nothing,
        lambda f: rv.Explorer(_corpus(), autosave=f / "x"),
        _read_explorer,
        needs="lance",
    )
    yield Row(
        "Explorer with a corpus, documents selected",
        "store",
        lambda f: rv.Explorer(_corpus(), autosave=f / "x"),
        lambda x: setattr(x, "selection", [1, 2, 3]),
        _read_explorer,
        open=load,
        lasting=lambda value: value["selection"],
        needs="lance",
    )
    yield Row(
        "Explorer with a corpus over another",
        "store",
        lambda f: rv.Explorer(_corpus(), autosave=f / "x"),
        lambda x: x[1].save(x[0] / "x", overwrite=True),
        _read_explorer,
        open=lambda f: (f, rv.Explorer(_corpus("b", 60))),
        needs="lance",
    )


def _logs(loss: int, domains: tuple[str, ...]) -> list[rv.RunLog]:
    weights = np.full((4, len(domains)), 1 / len(domains))
    losses = np.full((4, len(domains)), float(loss))
    steps = np.arange(4)
    return [
        rv.RunLog(domains, steps, weights, {"loss": losses}, name=f"run {loss} {number}")
        for number in range(2)
    ]


def _with_law() -> rv.Explorer:
    swarm = rv.demo_swarm()
    law = rv.fit(swarm, rv.laws.Olmix(draws=5))
    return rv.Explorer(tokens=dict.fromkeys(swarm.domains, 1e9), law=law)


def _corpus(mark: str = "a", count: int = 80) -> rv.Corpus:
    rng = np.random.default_rng(0)
    columns = {
        "text": [f"{mark} {row}" for row in range(count)],
        "domain": ["web", "code"] * (count // 2),
        "xy": rng.random((count, 2)).astype(np.float32),
    }
    return rv.Corpus(columns)


def _read_explorer(folder: Path) -> Any:
    """Read a copy, for an explorer that is opened, and undone, saves itself."""
    with tempfile.TemporaryDirectory() as place:
        copied = Path(place) / "x"
        if (folder / "x").exists():
            shutil.copytree(folder / "x", copied, copy_function=shutil.copyfile)
        for path in (Path(place), *Path(place).rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return _read_copy(copied)


def _read_copy(folder: Path) -> Any:
    x = rv.Explorer.load(folder)
    found = {
        "mixture": {name: round(weight, 6) for name, weight in x.mixture.items()},
        "editor": {name: round(weight, 6) for name, weight in x.editor.mixture.items()},
        "logs": [(log.name, log.domains, log["loss"].tolist()) for log in x.logs],
        "law": None if x.law is None else np.round(x.law.predict([x.mixture.array]), 6).tolist(),
        "selection": None if x.corpus is None else x.selection.ids.tolist(),
        "texts": None if x.corpus is None else x.corpus.text([0, len(x.corpus) - 1]),
    }
    x.undo()
    return found | {"before": {name: round(weight, 6) for name, weight in x.mixture.items()}}


# ---- monitors


def _monitor_rows() -> Iterator[Row]:
    for ending in ("html", "svg", "csv", "png"):

        def save(monitor: rv.Monitor, folder: Path, ending: str = ending) -> None:
            monitor.save(folder / f"m.{ending}")

        def make(folder: Path, save: Any = save) -> None:
            save(_monitor("before"), folder)

        def read(folder: Path, ending: str = ending) -> Any:
            return READ[ending](folder / f"m.{ending}")

        yield Row(
            f"Monitor.save as {ending}",
            "writer",
            make,
            lambda x, save=save: save(x[1], x[0]),
            read,
            open=lambda f: (f, _monitor("after")),
            needs={"png": "resvg_py"}.get(ending, ""),
        )


def _monitor(name: str) -> rv.Monitor:
    steps = {"before": 30, "after": 60}[name]
    table = np.full((steps, 2), 0.5)
    losses = np.linspace(3, 2, 2 * steps).reshape(steps, 2)
    log = rv.RunLog(("web", "code"), np.arange(steps), table, {"loss": losses}, name=name)
    return rv.Monitor([log])


def _read_page(path: Path) -> Any:
    text = path.read_text("utf-8")
    return text.rstrip()[-7:], "before" in text.rpartition("<h1>")[2], len(text) // 20_000


def _read_table(path: Path) -> Any:
    table = pd.read_csv(path)
    return list(table.columns), len(table), table["run"].unique().tolist()


def _read_bytes(path: Path) -> Any:
    return path.read_bytes()


READ = {"html": _read_page, "svg": _read_bytes, "csv": _read_table, "png": _read_bytes}

APP_ROWS = [*_explorer_rows(), *_monitor_rows()]
