"""Document: a framework's config as it is read. A Python config is parsed, never run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from reweightviz.core.errors import ReweightvizError, UnreadableFile, WrongContent
from reweightviz.exporters import reading
from reweightviz.exporters.text import yaml_load
from reweightviz.exporters.text.python_file import PythonFile

PathLike = str | os.PathLike[str]
LANGUAGES = (".py", ".json", ".yaml", ".yml", "")
"""Endings of files that hold a language whose faults can be said; one without an ending is taken for YAML."""
WORDS = (".txt", ".text", ".sh", ".bash", ".md", ".jsonl", ".ndjson", ".log")
"""Endings of files that may hold JSON, but not YAML."""


@dataclass(frozen=True)
class Document:
    """One file: its path, its text, and what the text holds.

    Args:
        path: of the file.
        text: of the file.
        drafts: name to text of files beside it that are not written yet.
        recorded: take the provenance beside it into account.
    """

    path: Path
    text: str
    drafts: Mapping[str, str] = field(default_factory=dict)
    recorded: bool = True

    @classmethod
    def open(cls, path: PathLike) -> Document:
        """Read a text file; one sentence where it cannot be."""
        return cls(Path(path), reading.text(Path(path)))

    def sibling(self, name: str) -> Document:
        """Another file of the same folder."""
        text = self.drafts.get(name)
        return (
            Document.open(self.path.parent / name)
            if text is None
            else Document(self.path.parent / name, text)
        )

    @property
    def data(self) -> Any:
        """What YAML or JSON the text holds; None where it is neither, or a Python file."""
        return self._loaded[0]

    @property
    def mapping(self) -> Mapping[str, Any]:
        """``data`` where it is a mapping, else an empty one."""
        return self.data if isinstance(self.data, Mapping) else {}

    def at(self, *keys: str) -> Mapping[str, Any]:
        """The mapping at a path of keys, an empty one where there is none."""
        node: Any = self.mapping
        for key in keys:
            node = node.get(key) if isinstance(node, Mapping) else None
        return node if isinstance(node, Mapping) else {}

    @property
    def fault(self) -> ReweightvizError | None:
        """What is wrong with the YAML, JSON or Python of the file; None where nothing is, or it holds something else."""
        if self.path.suffix not in LANGUAGES or (
            self.text.startswith("#!") and self.path.suffix != ".py"
        ):
            return None
        if self.path.suffix != ".py":
            return self._loaded[1]
        if not self.python.fault:
            return None
        return WrongContent(path=self.path, reason=f"is no Python file: {self.python.fault}")

    @contextmanager
    def fault_first(self) -> Iterator[None]:
        """Around what reads the document: where it fails on a text that is broken, what is broken is what is said."""
        try:
            yield
        except ReweightvizError as error:
            if self.fault is not None:
                raise self.fault from error
            raise
        except (MemoryError, RecursionError) as error:
            raise UnreadableFile(path=self.path, reason="it is nested too deeply") from error

    @cached_property
    def record(self) -> dict[str, Any]:
        """The provenance beside the file, {} where there is none."""
        return reading.record(self.sidecar, self.path.name) if self.recorded else {}

    @property
    def sidecar(self) -> Path:
        """Where the provenance stands: beside the file, or in ``provenance.json`` for the folder that it is the config of."""
        own, shared = (
            self.path.with_name(self.path.name + ".provenance.json"),
            self.path.with_name("provenance.json"),
        )
        return shared if not own.exists() and reading.record(shared, self.path.name) else own

    def for_framework(self, framework: str) -> Document:
        """The document, without its provenance where that says that the file is another framework's."""
        return (
            self
            if self.record.get("framework") in (None, framework)
            else replace(self, recorded=False)
        )

    @cached_property
    def python(self) -> PythonFile:
        """The calls and names of a Python file; an empty one for a file of another kind."""
        return PythonFile(self.text if self.path.suffix == ".py" else "")

    @cached_property
    def _loaded(self) -> tuple[Any, ReweightvizError | None]:
        """What YAML or JSON the text holds, and what is wrong with it."""
        if self.path.suffix in {".py", ".csv", ".tsv"} or (
            self.path.suffix in WORDS and not self.text.lstrip().startswith("{")
        ):
            return None, None
        try:
            return yaml_load.load(self.text, self.path), None
        except ReweightvizError as error:
            return None, error
