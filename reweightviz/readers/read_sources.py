"""What there is of each domain: YAML, JSON, CSV or Parquet -> Sources."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from reweightviz.core.errors import (
    MissingColumn,
    ReweightvizError,
    UnknownName,
    UnreadableFile,
    WrongContent,
    listed,
)
from reweightviz.core.lineage import Lineage
from reweightviz.core.sources import Sources
from reweightviz.core.token_counts import parse_count

COLUMNS = ("domain", "tokens", "documents", "path", "paths")
HEAD = {"format", "tokenizer", "domains", "lineage"}
EMPTY = ("", "~", "null", "Null", "NULL")
"""How YAML writes that there is no value."""


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
    file = Path(path)
    kind = file.suffix.lower()
    try:
        if kind in (".csv", ".tsv", ".parquet", ".pq"):
            return Sources(_rows(_frame(file, kind)))
        return _unwrapped(_content(file.read_text("utf-8-sig"), kind))
    except OSError as error:
        raise UnreadableFile(path=file, reason=error.strerror or error) from error
    except UnicodeDecodeError as error:
        raise WrongContent(path=file, reason=f"is no text in UTF-8: {error}") from error
    except ReweightvizError as error:
        raise UnreadableFile(path=file, reason=error) from error


def _content(text: str, kind: str) -> Any:
    """JSON; or YAML in which every scalar stays text, so that a domain may be called no, on or 1.5."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        if isinstance(error, ReweightvizError) or kind == ".json":
            raise ReweightvizError(f"the file is no JSON: {error}.") from error
    try:
        return YAML(typ="base", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise ReweightvizError(
            f"the file is no YAML: {' '.join(str(error).split())[:200]}."
        ) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ReweightvizError(f"{listed(twice)} stands there twice")
    return dict(pairs)


def _unwrapped(content: Any) -> Sources:
    if not isinstance(content, Mapping):
        raise ReweightvizError(
            "the file must map each domain to its tokens, as in 'web: 1.2T', or to a "
            "mapping with 'tokens' and perhaps "
            f"'documents' and 'paths'; it holds {_named(content)}."
        )
    if isinstance(content.get("domains"), Mapping) and set(content) <= HEAD:
        return Sources(
            _present(content["domains"]),
            tokenizer=content.get("tokenizer") or None,
            lineage=Lineage.from_jsonable(content.get("lineage")),
        )
    if "tokenizer" in content and not _counts(content["tokenizer"]):
        raise ReweightvizError(
            "beside 'tokenizer' the domains stand below 'domains': {tokenizer: name, "
            "domains: {web: 1.2T}}."
        )
    return Sources(_present(content))


def _present(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table without fields that are written as empty."""
    return {
        domain: {name: value for name, value in entry.items() if not _is_empty(value)}
        if isinstance(entry, Mapping)
        else None
        if _is_empty(entry)
        else entry
        for domain, entry in table.items()
    }


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value in EMPTY)


def _counts(value: Any) -> bool:
    try:
        parse_count(value)
    except ReweightvizError:
        return isinstance(value, Mapping)
    return True


def _named(content: Any) -> str:
    return {list: "a list", type(None): "nothing"}.get(type(content)) or repr(content)[:60]


def _frame(file: Path, kind: str) -> pd.DataFrame:
    try:
        if kind in (".parquet", ".pq"):
            return pd.read_parquet(io.BytesIO(file.read_bytes()))
        return pd.read_csv(
            file,
            sep="\t" if kind == ".tsv" else ",",
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            skipinitialspace=True,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pa.ArrowInvalid) as error:
        raise ReweightvizError(f"the file is no table: {' '.join(str(error).split())}.") from error


def _rows(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    for column in frame.columns:
        if column not in COLUMNS:
            raise UnknownName(kind="column of a table of sources", name=column, known=COLUMNS)
    absent = [column for column in ("domain", "tokens") if column not in frame.columns]
    if absent:
        raise MissingColumn(column=absent[0], available=frame.columns, who="a table of sources")
    table: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(frame.to_dict("records"), 1):
        _add(table, row, number)
    return table


def _add(table: dict[str, dict[str, Any]], row: Mapping[str, Any], number: int) -> None:
    name = f"row {number} ({str(row['domain'])[:60]!r})"
    found = {what: row.get(what) for what in ("tokens", "documents") if not _blank(row.get(what))}
    if _blank(row["domain"]) or "tokens" not in found:
        raise ReweightvizError(f"{name} has no {'domain' if _blank(row['domain']) else 'tokens'}.")
    paths = [*_split(row.get("path"), None), *_split(row.get("paths"), ";")]
    domain = str(row["domain"])
    if domain not in table:
        table[domain] = found | {"paths": paths}
        return
    known = table[domain]
    if not paths or set(paths) & set(known["paths"]):
        raise ReweightvizError(
            f"{name} names a domain again without a path of its own: a domain stands "
            "once, or once a path."
        )
    if ("documents" in found) != ("documents" in known):
        raise ReweightvizError(f"{name} must say its documents, or no row of that domain.")
    known |= {
        what: parse_count(known[what]) + parse_count(value) for what, value in found.items()
    } | {"paths": known["paths"] + paths}


def _blank(value: Any) -> bool:
    return bool(pd.api.types.is_scalar(value) and (pd.isna(value) or value == ""))


def _split(value: Any, mark: str | None) -> Sequence[str]:
    if _blank(value):
        return []
    parts = (
        value.split(mark)
        if isinstance(value, str) and mark
        else [value]
        if isinstance(value, str)
        else value
    )
    return [str(part).strip() for part in parts if str(part).strip()]
