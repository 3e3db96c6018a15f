"""Find whose config a file is: by the provenance beside it, else by its content."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from reweightviz.core.errors import WrongContent, list_names
from reweightviz.core.foreign_file import guard_reading
from reweightviz.exporters import FRAMEWORKS, find
from reweightviz.exporters.document import COMMAND, Document, Given, name_given, to_path
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.reading_back import find_record

__all__ = ["CONFIG", "Match", "find_exporter", "match", "read_paths", "recognise"]


CONFIG = re.compile(r"(?<![^\s=])[\w./~-]+\.(?:ya?ml|json|toml)(?!\S)")
"""A config that a command line names."""


class Match(NamedTuple):
    """An exporter, how it was found, and the file that was opened for it."""

    exporter: Exporter
    found_by: str
    document: Document


def recognise(path: Given) -> Exporter:
    """Return the exporter of the framework whose config a file is.

    Raises:
        ReweightvizError: no framework recognises it, or several do.
    """
    return match(path).exporter


def find_exporter(path: Given, framework: str | None = None) -> Exporter:
    """Return the exporter of a framework, or :func:`recognise` the file where none is named."""
    if framework is None:
        return recognise(path)
    return find(framework)


def read_paths(path: Given, framework: str | None = None) -> dict[str, list[str]]:
    """Return domain to the files or datasets that a config names for it."""
    with guard_reading(name_given(path)):
        exporter = find_exporter(path, framework)
        document = exporter.open(path).for_framework(exporter.name)
        config = exporter.read_config(document)
        found: dict[str, list[str]] = {}
        for name, domain in exporter.find_domains(config, find_record(document, config)).items():
            paths = list(config.paths.get(name, ()))
            if not paths and exporter.by_path:
                paths = [name]
            found.setdefault(domain, []).extend(paths)
    return found


def match(path: Given, framework: str | None = None) -> Match:
    """Find the exporter of a file and open the file.

    Args:
        path: the config, or the folder that was written.
        framework: whose config it is; found out when not given.
    """
    if framework is not None:
        exporter = find(framework)
        return Match(exporter, "asked", exporter.open(path))
    folder = to_path(path)
    in_folder = folder is not None and folder.is_dir()
    documents = _open_candidates(folder) if folder and in_folder else [Document.open(path)]
    recorded = _match_records(documents)
    # The file may be another by now than the one that its record was written beside.
    for candidate in recorded:
        if _recognises(candidate.exporter, candidate.document):
            return candidate
    found = _match_contents(documents, in_folder=in_folder)
    if len(found) == 1:
        return found[0]
    if found:
        names = [candidate.exporter.name for candidate in found]
        raise WrongContent(
            path=name_given(path),
            reason=f"could be a config of {list_names(names)}: name one with framework=",
        )
    for document in documents:
        if document.fault is not None:
            raise document.fault
    # Nobody recognises the content, so the record is all there is to go by.
    if recorded:
        return recorded[0]
    content = " and ".join(_describe(document) for document in documents[:2])
    if folder is None:
        raise WrongContent(path=COMMAND, reason=_explain_command(documents[0]))
    raise WrongContent(
        path=path,
        reason=f"is no config that is known here, it holds {content}; name the framework "
        f"with framework=, one of {list_names(sorted(FRAMEWORKS), 40)}",
    )


def _open_candidates(path: Path) -> list[Document]:
    """Open every file of a folder that may be the config."""
    names = sorted({exporter.main_file for exporter in FRAMEWORKS.values() if exporter.main_file})
    documents = [Document.open(path / name) for name in names if (path / name).is_file()]
    if not documents:
        there = sorted(one.name for one in path.iterdir())
        raise WrongContent(
            path=path,
            reason=f"is a folder without a config of a framework ({list_names(names)}); it has "
            f"{list_names(there) or 'nothing'}",
        )
    return documents


def _match_records(documents: list[Document]) -> list[Match]:
    found = []
    for document in documents:
        name = str(document.record.get("framework"))
        if name in FRAMEWORKS:
            found.append(Match(FRAMEWORKS[name], "provenance", document))
    return found


def _match_contents(documents: list[Document], *, in_folder: bool) -> list[Match]:
    """Return one match for each framework that recognises any of the documents."""
    found: dict[str, Match] = {}
    for document in documents:
        for exporter in FRAMEWORKS.values():
            if in_folder and exporter.main_file != document.path.name:
                continue
            if document.has_commands and not exporter.on_command_line:
                continue
            if _recognises(exporter, document):
                found[exporter.name] = Match(exporter, "content", document)
    firm = [one for one in found.values() if not one.exporter.is_last_resort]
    return firm or list(found.values())


def _recognises(exporter: Exporter, document: Document) -> bool:
    """Look, and never raise: a file of another kind may hold anything where a key is expected."""
    try:
        return exporter.recognises(document)
    except Exception:  # noqa: BLE001  what fails here is read as somebody else's file
        return False


def _explain_command(document: Document) -> str:
    config = CONFIG.search(document.text)
    if config is not None:
        return (
            f"{document.text[:60]!r} has no option by which a framework that is known here mixes: "
            f"check the config that it names, {config[0]!r}"
        )
    known = sorted(one.name for one in FRAMEWORKS.values() if one.on_command_line)
    return (
        f"{document.text[:60]!r} names no file, and no framework that is known here mixes by its "
        f"options, {list_names(document.mapping) or 'none that can be read without a shell'}; "
        f"read from a command line are {list_names(known, 40)}"
    )


def _describe(document: Document) -> str:
    """Describe the content of a file in a few words."""
    if not document.text.strip():
        return "nothing"
    if document.path.suffix == ".py":
        callees = sorted(filter(None, document.python.calls_by_name))
        return f"Python that calls {list_names(callees) or 'nothing'}"
    if document.mapping:
        return f"the keys {list_names(document.mapping)}"
    if isinstance(document.data, list):
        return "a list"
    return f"text that begins with {document.text.strip()[:40]!r}"
