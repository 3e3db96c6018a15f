"""Rows of everything that is exported: each framework's config, selections, records, commands."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import reweightviz as rv
from attacks.row import Row, make_nothing
from reweightviz import exporters
from reweightviz.cli import main
from reweightviz.core.errors import ReweightvizError

__all__ = ["EXPORT_ROWS"]

# Slugs of the first two collide, so that names, order and sizes all change the file's meaning.
OLD = rv.Mixture({"web/en": 0.5, "web:en": 0.3, "code": 0.2}, source={"method": "before"})
NEW = rv.Mixture({"code": 0.7, "web:en": 0.1, "web/en": 0.2}, source={"method": "after"})
LENGTHS = ({"web/en": 1e3, "web:en": 1e3, "code": 1e3}, {"web/en": 1e3, "web:en": 4e3, "code": 9e3})
"""Tokens of a document, before and after."""
ENDINGS = {"levanter": ".jsonl", "ray": ".jsonl"}
BUDGET = 1e7


def _sources(framework: str, lengths: dict[str, float]) -> rv.Sources:
    ending = ENDINGS.get(framework, "")
    table = {
        name: {
            "tokens": 1e6 * length,
            "documents": 1e6,
            "paths": [f"data/{number}/part{ending}"],
        }
        for number, (name, length) in enumerate(lengths.items())
    }
    return rv.Sources(table)


class ExportRow:
    """What is written and read of one framework, under the old facts and under the new."""

    def __init__(self, framework: str) -> None:
        self.framework = framework
        self.exporter = exporters.find(framework)
        self.known = [_sources(framework, lengths) for lengths in LENGTHS]

    def write(self, folder: Path, which: int, **options: Any) -> None:
        mixture = (OLD, NEW)[which]
        rv.export(
            mixture,
            self.framework,
            folder / f"out{self.exporter.suffix}",
            sources=self.known[which],
            tokens=BUDGET,
            **options,
        )

    def read(self, folder: Path) -> Any:
        """Return the weights and the method; with the sources, where a sentence asks for them.

        The config decides what was written; a record that does not belong to it must not be used.
        """
        path = folder / f"out{self.exporter.suffix}"
        try:
            mixture = rv.load_mixture(path, self.framework)
            return _settle(mixture), mixture.source.get("method")
        except ReweightvizError:
            readings = [self._read_with(path, which) for which in (0, 1)]
        for which, reading in enumerate(readings):
            if reading is not None and reading[0] == _settle((OLD, NEW)[which]):
                return ("told", *reading)
        return self._read_with(path, 0, strict=True)

    def _read_with(self, path: Path, which: int, *, strict: bool = False) -> Any:
        try:
            mixture = rv.load_mixture(path, self.framework, sources=self.known[which])
        except ReweightvizError:
            if strict:
                raise
            return None
        return _settle(mixture), mixture.source.get("method")

    def allows(self, old: Any, new: Any, found: Any) -> bool:
        """Allow weights that are whole without their method, for a record is no part of a config.

        That of another config must not be believed: the method is none then.
        """
        if found[0] == "told":
            return True
        whole = [value[0] for value in (old, new) if value is not None]
        return found[0] in whole and found[1] not in ("before", "after")


def _settle(mixture: Any) -> dict[str, float]:
    return {name: round(float(weight), 2) for name, weight in sorted(mixture.items())}


def _framework_rows() -> Iterator[Row]:
    for framework in exporters.FRAMEWORKS:
        one = ExportRow(framework)
        yield Row(
            f"export {framework}",
            "format",
            make_nothing,
            lambda f, one=one: one.write(f, 1),
            one.read,
            again=lambda f, one=one: one.write(f, 1, overwrite=True),
            allows=one.allows,
        )
        yield Row(
            f"export {framework}, overwrite",
            "format",
            lambda f, one=one: one.write(f, 0),
            lambda f, one=one: one.write(f, 1, overwrite=True),
            one.read,
            allows=one.allows,
        )
        if one.exporter.merges:
            yield Row(
                f"export {framework}, merge",
                "format",
                lambda f, one=one: one.write(f, 0),
                lambda f, one=one: one.write(f, 1, merge=True),
                one.read,
                allows=one.allows,
                keeps=("*.bak*",),
            )


# ---- selections


def _selection_rows() -> Iterator[Row]:
    corpus = rv.Corpus(
        {
            "id": [f"d{row}" for row in range(120)],
            "text": [f"text {row}" for row in range(120)],
            "domain": ["web", "code"] * 60,
        }
    )

    def choose(rows: range, how: str) -> rv.Selection:
        return rv.Selection(np.array(rows), corpus.ids[list(rows)], {"method": how})

    for form in ("jsonl", "csv", "parquet"):

        def write(folder: Path, rows: range, how: str, form: str = form) -> None:
            rv.export(choose(rows, how), form, folder / f"s.{form}", corpus=corpus, overwrite=True)

        def read(folder: Path, form: str = form) -> Any:
            return rv.load_selection(folder / f"s.{form}", corpus).ids.tolist()

        yield Row(
            f"selection as {form}",
            "format",
            lambda f, write=write: write(f, range(40), "before"),
            lambda f, write=write: write(f, range(30, 110), "after"),
            read,
        )


# ---- decision records and commands


def _record_rows() -> Iterator[Row]:
    def write(folder: Path, mixture: rv.Mixture, title: str) -> None:
        rv.decision_record(
            mixture,
            folder / "why",
            title=title,
            sources=_sources("json", LENGTHS[0]),
            tokens=BUDGET,
            overwrite=True,
        )

    yield Row(
        "decision_record",
        "writer",
        lambda f: write(f, OLD, "Title before"),
        lambda f: write(f, NEW, "Title after"),
        _read_record,
        # Two files cannot be replaced at once; each is whole, and their marks tell them apart.
        allows=lambda _old, _new, found: found["whole"] and not found["one mark"],
    )


def _read_record(folder: Path) -> Any:
    texts = [(folder / f"why.{ending}").read_text("utf-8") for ending in ("md", "html")]
    marks = [re.findall("Record ([0-9a-f]{8})", text) for text in texts]
    return {
        "titles": [re.findall("Title (before|after)", text)[:1] for text in texts],
        "whole": all(marks) and texts[1].rstrip().endswith("</html>"),
        "one mark": marks[0] == marks[1],
    }


def _command_rows() -> Iterator[Row]:
    yield from map(_make_command_row, ("export", "convert"))
    yield Row(
        "reweightviz count --out",
        "command",
        _prepare,
        _count,
        lambda f: repr(dict(rv.read_sources(f / "counted.json"))),
    )


def _make_command_row(command: str) -> Row:
    return Row(
        f"reweightviz {command}",
        "command",
        lambda f: (_prepare(f), _run(f, "old.json", command)),
        lambda f: _run(f, "new.json", command),
        lambda f: _read_config(f / "out.yaml"),
        allows=lambda old, new, found: found[0] in (old[0], new[0]) and found[1] is None,
    )


def _prepare(folder: Path) -> None:
    OLD.save(folder / "old.json")
    NEW.save(folder / "new.json")
    _sources("levanter", LENGTHS[0]).save(folder / "sources.json")
    lines = [{"text": "a b c", "domain": name} for name in ("web", "code")]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "documents.jsonl").write_text(text, "utf-8")


def _run(folder: Path, mixture: str, command: str) -> None:
    words = [
        *(command, str(folder / mixture), "--to", "levanter"),
        *("--out", str(folder / "out.yaml"), "--sources", str(folder / "sources.json")),
        "--overwrite",
    ]
    _call(words)


def _count(folder: Path) -> None:
    _call(["count", str(folder / "documents.jsonl"), "--out", str(folder / "counted.json")])


def _call(words: list[str]) -> None:
    """Run a command; its complaint, printed, and its code stand for an error of ours."""
    with warnings.catch_warnings():
        code = main(words)
    if code:
        raise ReweightvizError(f"the command ended with {code}.")


def _read_config(path: Path) -> Any:
    mixture = rv.load_mixture(path)
    return _settle(mixture), mixture.source.get("method")


EXPORT_ROWS = [*_framework_rows(), *_selection_rows(), *_record_rows(), *_command_rows()]
