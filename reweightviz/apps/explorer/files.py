"""An explorer in a folder.

``explorer.json`` holds its sources, law and presets, beside ``corpus.lance`` and ``log-N.jsonl``:
written by ``save``. ``view.json`` and ``state.json`` are written after every change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reweightviz.apps.explorer.state import ExplorerState
from reweightviz.core.corpus import Corpus, open_corpus
from reweightviz.core.errors import ReweightvizError, warn
from reweightviz.core.files import write_atomically
from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.lineage import Lineage
from reweightviz.core.protocols import Law
from reweightviz.core.runlog import RunLog
from reweightviz.core.sources import Sources

if TYPE_CHECKING:
    from reweightviz.apps.explorer.explorer import Explorer

__all__ = [
    "CORPUS",
    "SETTINGS",
    "STATE",
    "VIEW",
    "SavedExplorer",
    "check_folder",
    "check_same_documents",
    "holds_explorer",
    "read_arguments",
    "read_explorer",
    "write_explorer",
    "write_view",
]


SETTINGS = "explorer.json"
VIEW = "view.json"
STATE = "state.json"
CORPUS = "corpus.lance"


class SavedExplorer(NamedTuple):
    """The files of a folder, read."""

    settings: Mapping[str, Any]
    view: Mapping[str, Any]
    state: ExplorerState


def holds_explorer(folder: Path) -> bool:
    """Return whether an explorer was saved there."""
    return (folder / SETTINGS).exists()


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder with something else in it, or with an explorer that is not to be replaced."""
    if holds_explorer(folder):
        if not overwrite:
            raise ReweightvizError(
                f"{folder} holds an explorer; Explorer.load opens it, save(path, "
                "overwrite=True) replaces it."
            )
        return
    if folder.is_file() or (folder.exists() and any(folder.iterdir())):
        raise ReweightvizError(
            f"{folder} holds something else; name a new folder, or one that an Explorer saved."
        )


def write_explorer(folder: Path, explorer: Explorer) -> None:
    """Write all that does not change while a person explores."""
    folder.mkdir(parents=True, exist_ok=True)
    if explorer.corpus is not None:
        _write_corpus(folder / CORPUS, explorer.corpus)
    logs = explorer.logs
    for number, log in enumerate(logs):
        log.save(_log_path(folder, number))
    editor = explorer.editor
    sources = explorer.sources
    settings = {
        "lineage": sources.lineage.to_jsonable(),
        "sources": {domain: asdict(source) for domain, source in sources.items()},
        "tokenizer": sources.tokenizer,
        "logs": len(logs),
        "corpus": explorer.corpus is not None,
        "law": _record_law(explorer.law),
        "presets": {
            preset["name"]: dict(zip(editor.domains, preset["weights"], strict=True))
            for preset in editor.presets
        },
    }
    write_atomically(folder / SETTINGS, json.dumps(settings))


def write_view(folder: Path, explorer: Explorer) -> None:
    """Write all that changes while a person explores."""
    editor = explorer.editor
    view = {
        "reference": dict(zip(editor.domains, editor.reference, strict=True)),
        "budget": editor.budget,
        "max_epochs": editor.max_epochs,
        "locked": list(editor.locked),
        "color_by": explorer.map.color_by if explorer.map else "domain",
    }
    write_atomically(folder / VIEW, json.dumps(view))
    explorer.state.save(folder / STATE)


def read_explorer(folder: Path) -> SavedExplorer:
    """Read what was saved, without the documents and logs.

    Raises:
        ReweightvizError: no explorer was saved there.
    """
    with guard_reading(folder, "a saved explorer"):
        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        view = json.loads((folder / VIEW).read_text("utf-8"))
        return SavedExplorer(settings, view, ExplorerState.load(folder / STATE))


def read_arguments(folder: Path, saved: SavedExplorer, law: Law | None) -> dict[str, Any]:
    """Return the arguments of the Explorer that was saved; a law that is given replaces its own."""
    settings = saved.settings
    if law is None and settings["law"] is not None:
        # Laws import scikit-learn and scipy: only where there is one to restore.
        from reweightviz.laws._restore import restore_law

        law = restore_law(settings["law"])
    sources = Sources(
        settings["sources"],
        tokenizer=settings["tokenizer"],
        lineage=Lineage.from_jsonable(settings.get("lineage")),
    )
    names = ("reference", "budget", "max_epochs", "color_by")
    return {
        "corpus": open_corpus(folder / CORPUS) if settings["corpus"] else None,
        "law": law,
        "tokens": sources,
        "logs": [RunLog.load(_log_path(folder, number)) for number in range(settings["logs"])],
        "presets": settings["presets"],
        **{name: saved.view[name] for name in names},
    }


def check_same_documents(
    folder: Path, saved: SavedExplorer, sources: Sources, corpus: Corpus | None
) -> None:
    """Refuse an explorer of other domains or documents."""
    same = set(saved.settings["sources"]) == set(sources)
    if same and corpus is not None:
        same = saved.settings["corpus"] and corpus.is_saved_at(folder / CORPUS)
    if not same:
        raise ReweightvizError(
            f"{folder} holds an explorer of other documents, which Explorer.load "
            "opens: delete or rename it, or name another folder."
        )


def _log_path(folder: Path, number: int) -> Path:
    return folder / f"log-{number}.jsonl"


def _write_corpus(place: Path, corpus: Corpus) -> None:
    # Of the same documents only new columns are written.
    corpus.save(place, overwrite=place.exists() and not corpus.is_saved_at(place))


def _record_law(law: Law | None) -> dict[str, Any] | None:
    if law is None:
        return None
    if not hasattr(law, "to_dict"):
        warn(f"{type(law).__name__} cannot be saved; pass it again: Explorer.load(path, law=...).")
        return None
    record: dict[str, Any] = law.to_dict()
    return record
