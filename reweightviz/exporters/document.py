"""Document: a framework's config as it is read. A Python config is parsed, never run."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters import yaml_text

PathLike = str | os.PathLike[str]
MOST_BYTES = 64 * 2**20
"""A larger file is no config."""


@dataclass(frozen=True)
class Document:
    """One file: its path, its text, and what the text holds.

    Args:
        path: of the file.
        text: of the file.
        drafts: name to text of files beside it that are not written yet.
    """

    path: Path
    text: str
    drafts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, path: PathLike) -> Document:
        """Read a text file; one sentence where it cannot be."""
        file = Path(path)
        try:
            if file.stat().st_size > MOST_BYTES:
                raise ReweightvizError(f"{file} has {file.stat().st_size:,} bytes; a config has fewer than {MOST_BYTES:,}.")
            return cls(file, file.read_bytes().decode("utf-8"))
        except OSError as error:
            raise ReweightvizError(f"cannot read {file}: {error.strerror or error}.") from error
        except UnicodeDecodeError as error:
            raise ReweightvizError(f"{file} is no text in UTF-8: {error}.") from error

    def beside(self, name: str) -> Document:
        """Another file of the same folder."""
        text = self.drafts.get(name)
        return Document.open(self.path.parent / name) if text is None else Document(self.path.parent / name, text)

    @cached_property
    def data(self) -> Any:
        """What YAML or JSON the text holds; None where it is neither, or a Python file."""
        if self.path.suffix in {".py", ".csv"}:
            return None
        try:
            return yaml_text.parsed(self.text, self.path)
        except ReweightvizError:
            return None

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

    @cached_property
    def record(self) -> dict[str, Any]:
        """The provenance beside the file, {} where there is none."""
        return self._record(self.sidecar)

    @property
    def sidecar(self) -> Path:
        """Where the provenance stands: beside the file, or in ``provenance.json`` for the folder that it is the config of."""
        own, shared = self.path.with_name(self.path.name + ".provenance.json"), self.path.with_name("provenance.json")
        return shared if not own.exists() and self._record(shared) else own

    def _record(self, sidecar: Path) -> dict[str, Any]:
        try:
            found = json.loads(sidecar.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ReweightvizError(f"cannot read {sidecar}, which names the domains of {self.path.name}: {error}; "
                                   "mend it, or delete it to go by the names in the file.") from error
        return found if isinstance(found, dict) and found.get("file") == self.path.name else {}

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree of a Python file; an empty one for another file or a faulty one."""
        try:
            return ast.parse(self.text if self.path.suffix == ".py" else "")
        except (SyntaxError, ValueError, RecursionError):
            return ast.Module([], [])

    def calls(self, name: str) -> Iterator[dict[str | int, Any]]:
        """The arguments of every call of a function or method, by place and by keyword.

        An argument is its value where it is a literal, or a name that the file binds to one; else its ``ast`` node.
        """
        for node in ast.walk(self.tree):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(node, ast.Call) and name in (getattr(called, "id", None), getattr(called, "attr", None)):
                yield ({place: self.value(argument) for place, argument in enumerate(node.args)}
                       | {keyword.arg: self.value(keyword.value) for keyword in node.keywords if keyword.arg})

    def names(self, argument: Any) -> list[str]:
        """What stands in a list or tuple argument, as a person would name it: text as it is, code as written."""
        items = argument.elts if isinstance(argument, ast.List | ast.Tuple) else argument if isinstance(argument, list | tuple) else []
        return [item if isinstance(item, str) else str(value) if isinstance(value := self.value(item), str) else ast.unparse(item)
                if isinstance(item, ast.AST) else str(item) for item in items]

    @cached_property
    def constants(self) -> dict[str, Any]:
        """Every module-level name that is bound to a literal."""
        found: dict[str, Any] = {}
        for node in self.tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
            for target in targets:
                if isinstance(target, ast.Name) and node.value is not None:  # type: ignore[union-attr]
                    try:
                        found[target.id] = ast.literal_eval(node.value)  # type: ignore[union-attr]
                    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                        continue
        return found

    def value(self, node: ast.expr) -> Any:
        """A node's value where it is a literal or a name bound to one, else the node itself."""
        if isinstance(node, ast.Name) and node.id in self.constants:
            return self.constants[node.id]
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return node
