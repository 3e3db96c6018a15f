"""A table of domains, in YAML, JSON, CSV or Parquet -> Sources."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from ruamel.yaml import YAML
from ruamel.yaml.constructor import BaseConstructor
from ruamel.yaml.error import YAMLError

from reweightviz.core.alias_limit import check_aliases
from reweightviz.core.errors import (
    DuplicateName,
    MissingColumn,
    ReweightvizError,
    UnknownName,
    UnreadableFile,
)
from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.json_text import parse_json
from reweightviz.core.lineage import Lineage
from reweightviz.core.local_path import check_local
from reweightviz.core.parquet_table import read_parquet
from reweightviz.core.sources import Sources
from reweightviz.core.token_counts import parse_count
from reweightviz.readers.documents.parquet import SUFFIXES as PARQUET

__all__ = ["COLUMNS", "COUNTS", "EMPTY", "HEAD", "TABLES", "read_sources"]


TABLES = (".csv", ".tsv", *PARQUET)
COLUMNS = ("domain", "tokens", "documents", "path", "paths")
COUNTS = ("tokens", "documents")
HEAD = {"format", "tokenizer", "domains", "lineage"}
EMPTY = ("", "~", "null", "Null", "NULL")
"""The ways of YAML to write that there is no value."""


def read_sources(path: str | os.PathLike[str]) -> Sources:
    """Read a table of domains.

    Args:
        path: YAML or JSON that maps each domain to its tokens or to ``{tokens, documents,
            paths}``, itself or below ``domains`` with ``tokenizer`` beside it; or CSV, TSV or
            Parquet with the columns ``domain``, ``tokens`` and perhaps ``documents`` and ``path``
            or ``paths`` (in a CSV, several with ``;`` between them). Rows of one domain are its
            parts, each with a path of its own. A count may be written "1.2T".

    Raises:
        ReweightvizError: one sentence that names the file.
    """
    check_local(path)
    file = Path(path)
    suffix = file.suffix.lower()
    with guard_reading(file):
        try:
            if suffix in TABLES:
                return Sources(_merge_rows(_read_frame(file, suffix)))
            return _from_mapping(_parse(file.read_text("utf-8-sig"), suffix))
        except ReweightvizError as error:
            raise UnreadableFile(path=file, reason=error) from error


# ---- YAML and JSON


class _Constructor(BaseConstructor):
    """Every scalar as text, and no aliases that grow without end."""

    def construct_document(self, node: Any) -> Any:
        check_aliases(node)
        return super().construct_document(node)


def _parse(text: str, suffix: str) -> Any:
    """Return the content of JSON or YAML.

    In YAML every scalar stays text, so that a domain may be called no, on or 1.5.
    """
    try:
        return parse_json(text)
    except ValueError as error:
        # What is no JSON may still be YAML; a key that stands twice is wrong in both.
        if isinstance(error, ReweightvizError) or suffix == ".json":
            reason = str(error).rstrip(".")
            raise ReweightvizError(f"the file is no JSON: {reason}.") from error
    yaml = YAML(typ="base", pure=True)
    yaml.Constructor = _Constructor
    try:
        return yaml.load(text)
    except ReweightvizError:
        raise
    except (YAMLError, ValueError) as error:
        raise ReweightvizError(
            f"the file is no YAML: {' '.join(str(error).split())[:200]}."
        ) from error


def _from_mapping(content: Any) -> Sources:
    if not isinstance(content, Mapping):
        raise ReweightvizError(
            "the file must map each domain to its tokens, as in 'web: 1.2T', or to a "
            "mapping with 'tokens' and perhaps "
            f"'documents' and 'paths'; it holds {_describe(content)}."
        )
    if isinstance(content.get("domains"), Mapping) and set(content) <= HEAD:
        return Sources(
            _drop_empty(content["domains"]),
            tokenizer=content.get("tokenizer") or None,
            lineage=Lineage.from_jsonable(content.get("lineage")),
        )
    if "tokenizer" in content and not _may_be_entry(content["tokenizer"]):
        raise ReweightvizError(
            "beside 'tokenizer' the domains stand below 'domains': {tokenizer: name, "
            "domains: {web: 1.2T}}."
        )
    return Sources(_drop_empty(content))


def _drop_empty(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table without fields that are written as empty."""
    found: dict[str, Any] = {}
    for domain, entry in table.items():
        if isinstance(entry, Mapping):
            found[domain] = {name: value for name, value in entry.items() if not _is_empty(value)}
        else:
            found[domain] = None if _is_empty(entry) else entry
    return found


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value in EMPTY)


def _may_be_entry(value: Any) -> bool:
    """Return whether a value may be that of a domain: a count, or a mapping."""
    try:
        parse_count(value)
    except ReweightvizError:
        return isinstance(value, Mapping)
    return True


def _describe(content: Any) -> str:
    if content is None:
        return "nothing"
    if isinstance(content, list):
        return "a list"
    return repr(content)[:60]


# ---- tables


def _read_frame(file: Path, suffix: str) -> pd.DataFrame:
    try:
        if suffix in PARQUET:
            return read_parquet(file, file)
        # As text, for a count may be written 1.2T.
        return pd.read_csv(
            file,
            sep="\t" if suffix == ".tsv" else ",",
            dtype=str,
            keep_default_na=False,  # a domain may be called NA
            encoding="utf-8-sig",
            skipinitialspace=True,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pa.ArrowInvalid) as error:
        raise ReweightvizError(f"the file is no table: {' '.join(str(error).split())}.") from error


def _merge_rows(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return domain to its counts and paths; rows of one domain are added up."""
    for column in frame.columns:
        if column not in COLUMNS:
            # pandas calls the second column of a name "tokens.1".
            first = str(column).rpartition(".")[0]
            if first in COLUMNS and first in frame.columns:
                raise DuplicateName(kind="column", names=[first], where="a table of sources")
            raise UnknownName(kind="column of a table of sources", name=column, known=COLUMNS)
    for column in ("domain", "tokens"):
        if column not in frame.columns:
            raise MissingColumn(column=column, available=frame.columns, who="a table of sources")
    parts: dict[str, list[dict[str, Any]]] = {}
    taken: dict[str, set[str]] = {}
    for number, row in enumerate(frame.to_dict("records"), 1):
        name = f"row {number} ({str(row['domain'])[:60]!r})"
        entry = _entry(name, row)
        domain = str(row["domain"])
        known = parts.setdefault(domain, [])
        if known:
            _check_part(name, entry, known[0], taken[domain])
        known.append(entry)
        taken.setdefault(domain, set()).update(entry["paths"])
    return {domain: _add_up(entries) for domain, entries in parts.items()}


def _entry(name: str, row: Mapping[Any, Any]) -> dict[str, Any]:
    for column in ("domain", "tokens"):
        if _is_blank(row[column]):
            raise ReweightvizError(f"{name} has no {column}.")
    counts = {column: row[column] for column in COUNTS if not _is_blank(row.get(column))}
    paths = [*_split(row.get("path"), None), *_split(row.get("paths"), ";")]
    return counts | {"paths": paths}


def _check_part(
    name: str, entry: Mapping[str, Any], first: Mapping[str, Any], taken: set[str]
) -> None:
    """Refuse a further row of a domain that is not one more part of it."""
    if not entry["paths"] or not taken.isdisjoint(entry["paths"]):
        raise ReweightvizError(
            f"{name} names a domain again without a path of its own: a domain stands "
            "once, or once a path."
        )
    if ("documents" in entry) != ("documents" in first):
        raise ReweightvizError(f"{name} must give its documents, or no row of that domain.")


def _add_up(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one entry of the rows of a domain; a single one stays as it is written."""
    if len(parts) == 1:
        return parts[0]
    counts = {
        column: sum(parse_count(part[column]) for part in parts)
        for column in COUNTS
        if column in parts[0]
    }
    return counts | {"paths": [path for part in parts for path in part["paths"]]}


def _is_blank(value: Any) -> bool:
    return bool(pd.api.types.is_scalar(value) and (pd.isna(value) or value == ""))


def _split(value: Any, mark: str | None) -> Sequence[str]:
    """Return the paths of a cell: one, several with a mark between them, or a list."""
    if _is_blank(value):
        return []
    if not isinstance(value, str):
        parts = value
    elif mark:
        parts = value.split(mark)
    else:
        parts = [value]
    return [str(part).strip() for part in parts if str(part).strip()]
