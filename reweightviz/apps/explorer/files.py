"""An explorer in a folder.

``explorer.json`` names all else: its sources, law and presets stand in it, its corpus and its logs
beside it, and ``state-ID.json`` holds what changes while a person explores, ID being that of one
explorer in one folder. New files get new names, so that the rename of ``explorer.json`` is the one
moment at which they become the saved explorer; what it no longer names is swept after that.

Version 0.5 and earlier had ``state.json``, ``view.json`` and ``log-N.jsonl``, by these names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reweightviz.apps.explorer.state import ExplorerState
from reweightviz.apps.explorer.view import View
from reweightviz.core.corpus import Corpus, open_corpus, open_version
from reweightviz.core.errors import ReweightvizError, UnreadableFile, WrongContent, warn
from reweightviz.core.files import write_atomically
from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.lineage import Lineage
from reweightviz.core.protocols import Law
from reweightviz.core.runlog import RunLog
from reweightviz.core.sources import Sources
from reweightviz.core.store import DOCUMENT
from reweightviz.core.undo_journal import new_id

if TYPE_CHECKING:
    from reweightviz.apps.explorer.explorer import Explorer

__all__ = [
    "CORPUS",
    "SETTINGS",
    "SavedExplorer",
    "SavedState",
    "check_folder",
    "check_same_documents",
    "claim_folder",
    "encode_state",
    "holds_explorer",
    "identify",
    "is_old",
    "mark_settings",
    "read_content",
    "read_settings",
    "read_state",
    "read_whole",
    "state_path",
    "sweep",
    "upgrade",
    "write_content",
    "write_parts",
    "write_settings",
]


SETTINGS = "explorer.json"
CORPUS = "corpus.lance"
_OLD_VIEW = "view.json"
_OLD_STATE = "state.json"
_WHAT = "a saved explorer"
_BEGUN = {"begun": True}  # the first save into a folder has not ended


class SavedState(NamedTuple):
    """What changes while a person explores, as it was read.

    Attributes:
        state: mixture, selection and hidden domains, with their journal.
        view: what the widgets are set to.
        start: what they were set to when the explorer was made.
        content: of the file.
    """

    state: ExplorerState
    view: View
    start: View
    content: bytes


# ---- whose folder it is


def holds_explorer(folder: Path) -> bool:
    """Return whether an explorer was saved there, to its end.

    Raises:
        ReweightvizError: ``explorer.json`` cannot be read, or is somebody else's.
    """
    path = folder / SETTINGS
    if not path.exists():
        return False
    settings = _read_record(path)
    if "sources" not in settings and settings != _BEGUN:
        raise _refuse(folder)
    return not _is_begun(settings, folder)


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder with something else in it, or with an explorer that is not to be replaced."""
    if (folder / SETTINGS).exists():
        _check_explorer(folder, overwrite=overwrite)
    elif folder.is_file() or (folder.exists() and not all(map(_is_ours, folder.iterdir()))):
        raise _refuse(folder)


def _check_explorer(folder: Path, *, overwrite: bool) -> None:
    try:
        held = holds_explorer(folder)
    except UnreadableFile:
        if not overwrite:
            raise
        return  # ours once, by its name
    if held and not overwrite:
        raise ReweightvizError(
            f"{folder} holds an explorer; Explorer.load opens it, save(path, "
            "overwrite=True) replaces it."
        )


def _refuse(folder: Path) -> ReweightvizError:
    return ReweightvizError(
        f"{folder} holds something else; name a new folder, or one that an Explorer saved."
    )


def claim_folder(folder: Path) -> None:
    """Write, before all else, that what will lie here is an explorer's."""
    if not (folder / SETTINGS).exists():
        write_atomically(folder / SETTINGS, json.dumps(_BEGUN))


def _is_ours(path: Path) -> bool:
    """Return whether a file is the lock or a draft, all there is before the folder is claimed."""
    return path.name.startswith(f".{SETTINGS}.")


def _is_begun(settings: Mapping[str, Any], folder: Path) -> bool:
    # Version 0.5 wrote the settings before the state.
    return settings == _BEGUN or (is_old(settings) and not (folder / _OLD_STATE).exists())


# ---- the settings


def read_settings(folder: Path) -> dict[str, Any]:
    """Return what ``explorer.json`` holds, that of an older version in today's form.

    Raises:
        ReweightvizError: no explorer was saved there.
    """
    path = folder / SETTINGS
    if not path.exists():
        raise UnreadableFile(path=folder, wanted=_WHAT, reason="there is none; save one there")
    if not holds_explorer(folder):
        raise UnreadableFile(
            path=folder, wanted=_WHAT, reason="its first save was cut short; save it there again"
        )
    with guard_reading(path, _WHAT):
        settings = _read_record(path)
        if is_old(settings):
            number = settings["logs"]
            settings["logs"] = [f"log-{place}.jsonl" for place in range(number)]
            # The same for all who open it, until one of them saves.
            settings["id"] = _digest(path.read_bytes())
        _check_names(path, settings)
        return settings


def is_old(settings: Mapping[str, Any]) -> bool:
    """Return whether settings are of version 0.5 or before."""
    return "state" not in settings


def upgrade(folder: Path) -> dict[str, Any]:
    """Write settings of an older version, whose state is written, in today's form."""
    settings = read_settings(folder)
    if is_old(settings):
        settings = write_settings(folder, settings)
        sweep(folder, settings)
    return settings


def write_settings(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Commit: from this rename on the explorer is the one that these settings name."""
    committed = dict(settings) | {"state": state_path(folder, settings).name}
    write_atomically(folder / SETTINGS, json.dumps(committed))
    return committed


def _check_names(path: Path, settings: Mapping[str, Any]) -> None:
    """Refuse files that lie elsewhere: the folder may be a stranger's."""
    for name in (f"state-{settings['id']}.json", *settings["logs"]):
        if not re.fullmatch(r"(state|log)-[0-9a-f-]+\.jsonl?", name):
            raise UnreadableFile(
                path=path, wanted=_WHAT, reason=f"it names a file {name!r:.60}, which is none of it"
            )


def mark_settings(folder: Path) -> tuple[int, ...]:
    """Return what changes whenever ``explorer.json`` is replaced, without reading it."""
    found = (folder / SETTINGS).stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def identify(folder: Path) -> str | None:
    """Return the id of the explorer that is saved in a folder; None where none can be read."""
    try:
        return str(read_settings(folder)["id"])
    except ReweightvizError:
        return None


def write_parts(folder: Path, explorer: Explorer, before: Mapping[str, Any]) -> dict[str, Any]:
    """Write all that does not change while a person explores, and return its settings.

    Args:
        folder: an explorer's, claimed.
        explorer: what to write.
        before: the settings of this explorer when it was saved last: a law, logs and presets that
            it was not given now stay saved.
    """
    corpus = explorer.corpus
    version = None
    if corpus is not None:
        version = _write_corpus(folder / CORPUS, corpus)
    number = new_id()[:8]
    logs = [f"log-{number}-{place}.jsonl" for place in range(len(explorer.logs))]
    for name, log in zip(logs, explorer.logs, strict=True):
        log.save(folder / name)
    law = before.get("law")
    if explorer.law is not None:
        law = _record_law(explorer.law)
    sources = explorer.sources
    editor = explorer.editor
    presets = {
        preset["name"]: dict(zip(editor.domains, preset["weights"], strict=True))
        for preset in editor.presets
    }
    return {
        "lineage": sources.lineage.to_jsonable(),
        "sources": {domain: asdict(source) for domain, source in sources.items()},
        "tokenizer": sources.tokenizer,
        "logs": logs or before.get("logs", []),
        "corpus": corpus is not None,
        "corpus_version": version,
        "documents": {} if corpus is None else _digest_documents(corpus),
        "law": law,
        "presets": before.get("presets", {}) | presets,
    }


def sweep(folder: Path, settings: Mapping[str, Any]) -> None:
    """Delete the states and logs that no settings name, and what killed saves left.

    A corpus stays: it may be open.
    """
    named = {*settings["logs"], state_path(folder, settings).name}
    drafts = tuple(f".{stem}" for stem in ("log-", "state-", _OLD_STATE, _OLD_VIEW, SETTINGS))
    for path in folder.iterdir():
        is_part = path.match("log-*.jsonl") or path.match("state-*.json")
        is_left = path.name in (_OLD_STATE, _OLD_VIEW) or (is_part and path.name not in named)
        is_draft = path.name.startswith(drafts) and path.suffix != ".lock"
        if is_left or is_draft:
            with suppress(OSError):  # it is read no more, and the next save tries again
                path.unlink()


# ---- the state


def state_path(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Return the file of what changes while a person explores."""
    return folder / f"state-{settings['id']}.json"


def encode_state(state: ExplorerState, view: View, start: View) -> bytes:
    """Return what the file of a state holds."""
    record = state.to_jsonable() | {"view": view, "start": start}
    return json.dumps(record).encode()


def read_content(folder: Path, settings: Mapping[str, Any]) -> bytes | None:
    """Return what the file of a state holds; None where there is no such file."""
    path = state_path(folder, settings)
    with guard_reading(path, _WHAT):
        return path.read_bytes() if path.exists() else None


def write_content(folder: Path, settings: Mapping[str, Any], content: bytes) -> None:
    """Write the file of a state."""
    write_atomically(state_path(folder, settings), content)


def read_state(folder: Path, settings: Mapping[str, Any]) -> SavedState:
    """Read the state that settings name."""
    path = state_path(folder, settings)
    if is_old(settings) and not path.exists():
        return _read_old_state(folder, list(settings["sources"]))
    with guard_reading(path, _WHAT):
        content = path.read_bytes()
        record = json.loads(content)
        state = ExplorerState.from_jsonable(record)
        return SavedState(state, record["view"], record["start"], content)


def _read_old_state(folder: Path, domains: list[str]) -> SavedState:
    view = _read_record(folder / _OLD_VIEW)
    with guard_reading(folder / _OLD_VIEW, _WHAT):
        view["locked"] = dict(zip(domains, view["locked"], strict=True))
        # Of the settings only the locks were taken up when the cell was run again.
        start = view | {"locked": dict.fromkeys(domains, False)}
    return SavedState(ExplorerState.load(folder / _OLD_STATE), view, start, b"")


# ---- a saved explorer whole


class SavedExplorer(NamedTuple):
    """All that a folder holds.

    Attributes:
        settings: of ``explorer.json``.
        state: what changes while a person explores.
        arguments: that make an Explorer.
    """

    settings: dict[str, Any]
    state: SavedState
    arguments: dict[str, Any]


def read_whole(folder: Path, law: Law | None) -> SavedExplorer:
    """Read a saved explorer, where another saves meanwhile until all of it belongs together.

    A law that is given replaces its own.
    """
    while True:
        settings = read_settings(folder)
        mark = mark_settings(folder)
        try:
            state = read_state(folder, settings)
            arguments = _read_arguments(folder, settings, law)
        except ReweightvizError:
            if mark == mark_settings(folder):
                raise
        else:
            # The law's optimum depends on them.
            arguments |= {name: state.view[name] for name in ("budget", "max_epochs")}
            if "reference_name" not in state.view:
                arguments["reference"] = state.view["reference"]
            return SavedExplorer(settings, state, arguments)


def _read_arguments(folder: Path, settings: Mapping[str, Any], law: Law | None) -> dict[str, Any]:
    if law is None and settings["law"] is not None:
        # Laws import scikit-learn and scipy: only where there is one to restore.
        from reweightviz.laws._restore import restore_law

        law = restore_law(settings["law"])
    sources = Sources(
        settings["sources"],
        tokenizer=settings["tokenizer"],
        lineage=Lineage.from_jsonable(settings.get("lineage")),
    )
    return {
        "corpus": _open_corpus(folder, settings),
        "law": law,
        "tokens": sources,
        "logs": [RunLog.load(folder / name) for name in settings["logs"]],
        "presets": settings["presets"],
    }


def check_same_documents(
    folder: Path, settings: Mapping[str, Any], sources: Sources, corpus: Corpus | None
) -> None:
    """Refuse an explorer of other domains or documents."""
    same = set(settings["sources"]) == set(sources) and settings["corpus"] == (corpus is not None)
    if same and corpus is not None:
        same = corpus.is_saved_at(folder / CORPUS)
    if not same:
        raise ReweightvizError(
            f"{folder} holds an explorer of other documents, which Explorer.load "
            "opens: delete or rename it, or name another folder."
        )


def _write_corpus(place: Path, corpus: Corpus) -> int:
    """Write a corpus and return its version; of the same documents only new columns are written."""
    overwrite = place.exists() and not corpus.is_saved_at(place)
    return corpus.save_version(place, overwrite=overwrite)


def _open_corpus(folder: Path, settings: Mapping[str, Any]) -> Corpus | None:
    if not settings["corpus"]:
        return None
    corpus = _open_version(folder / CORPUS, settings.get("corpus_version"))
    documents = settings.get("documents")
    # Of an older corpus all texts would be read.
    if documents is not None and documents != _digest_documents(corpus):
        raise WrongContent(
            path=folder / CORPUS,
            reason="holds other documents than the explorer beside it was saved with; put those "
            "back, or save the explorer anew",
        )
    return corpus


def _open_version(place: Path, version: int | None) -> Corpus:
    if version is not None:  # not of an older explorer
        with suppress(ReweightvizError):
            return open_version(place, version)
    # Lance forgets old versions once there are many new ones.
    return open_corpus(place)


def _digest_documents(corpus: Corpus) -> dict[str, str]:
    return {name: corpus.digest(name) for name in DOCUMENT if name in corpus.columns}


def _record_law(law: Law) -> dict[str, Any] | None:
    if not hasattr(law, "to_dict"):
        warn(f"{type(law).__name__} cannot be saved; pass it again: Explorer.load(path, law=...).")
        return None
    record: dict[str, Any] = law.to_dict()
    return record


def _read_record(path: Path) -> dict[str, Any]:
    with guard_reading(path, _WHAT):
        record = json.loads(path.read_text("utf-8"))
        if not isinstance(record, dict):
            raise UnreadableFile(path=path, wanted=_WHAT, reason="it is no JSON object")
        return record


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
