"""Columns by dotted names: ``meta.source`` is the field ``source`` of ``meta``.

A column whose own name has the dot wins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["find_column", "find_head", "find_value", "list_fields", "list_keys"]


def find_value(record: Mapping[str, Any], name: str) -> Any:
    """Return the value of a name in a JSON object; None where there is none.

    >>> find_value({"meta": {"source": "web"}}, "meta.source")
    'web'
    """
    if name in record:
        return record[name]
    for head, rest in _cuts(name):
        inner = record.get(head)
        if isinstance(inner, Mapping):
            value = find_value(inner, rest)
            if value is not None:
                return value
    return None


def list_keys(record: Mapping[str, Any]) -> list[str]:
    """Return the names that :func:`find_value` would find in a JSON object.

    >>> list_keys({"text": "a", "meta": {"source": "web"}})
    ['text', 'meta', 'meta.source']
    """
    names = []
    for name, value in record.items():
        names.append(name)
        if isinstance(value, Mapping):
            names += [f"{name}.{inner}" for inner in list_keys(value)]
    return names


def find_column(table: pa.Table, name: str) -> pa.ChunkedArray:
    """Return the column of a name, null where a struct on the way is; KeyError without one."""
    if name in table.column_names:
        return table.column(name)
    for head, rest in _cuts(name):
        if head in table.column_names and pa.types.is_struct(table.schema.field(head).type):
            inner = table.column(head)
            fields = [field.name for field in inner.type]
            columns = [pc.struct_field(inner, [place]) for place in range(len(fields))]
            try:
                return find_column(pa.table(columns, names=fields), rest)
            except KeyError:
                continue
    raise KeyError(name)


def find_head(name: str, present: Collection[str]) -> str:
    """Return the column of a table in which a name's values lie; the name itself without one.

    >>> find_head("meta.source", ["text", "meta"])
    'meta'
    """
    if name in present:
        return name
    return next((head for head, _ in _cuts(name) if head in present), name)


def list_fields(schema: pa.Schema) -> list[str]:
    """Return the names that :func:`find_column` would find in a table of this schema."""
    names = list(schema.names)
    for field in schema:
        if pa.types.is_struct(field.type):
            inner = list_fields(pa.schema(list(field.type)))
            dotted = [f"{field.name}.{name}" for name in inner]
            names += [name for name in dotted if name not in schema.names]
    return names


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    """Yield a dotted name cut at each of its dots, what is behind it the shortest first."""
    place = name.rfind(".")
    while place > 0:
        yield name[:place], name[place + 1 :]
        place = name.rfind(".", 0, place)
